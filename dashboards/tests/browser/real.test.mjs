// SPDX-License-Identifier: Apache-2.0
// The page against the real stack: redis-server, all daemons, the lab's VNFM and DNS servers.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundle } from "../../build.mjs";
import { launch, noBrowser, open, shot, text } from "../support/browser.mjs";
import { lowContrast } from "../support/contrast.mjs";
import { missing, Stack, until } from "../support/stack.mjs";

const skip = noBrowser || missing(true) || false;

describe("real stack", { skip }, () => {
  /** @type {Stack} */ let stack;
  /** @type {import("playwright-core").Browser} */ let browser;
  /** @type {string} */ let files;

  before(async () => {
    files = mkdtempSync(join(tmpdir(), "hale-dist-"));
    stack = new Stack();
    [browser] = await Promise.all([launch(), bundle(join(files, "dist")).then(() => stack.start({ lab: true, dashboards: join(files, "dist") }))]);
    await stack.labDefinitions();
    await until(async () => (await stack.call("GET", "/v2.0/alarms")).elements.length >= 4, "the lab's alarms");
  });
  after(async () => {
    await browser?.close();
    await stack?.stop();
    if (files) rmSync(files, { recursive: true, force: true });
  });
  const address = (token = stack.tokens.operator) => `${stack.url}/#token=${token}`;
  const event = (/** @type {object} */ e) => stack.call("POST", "/v1/events", e);

  test("sign-in: form, wrong token, right token; the token leaves the address bar", async () => {
    const { page, check } = await open(browser, stack.url, { expected: /401/ });
    const answer = await page.goto(stack.url);
    assert.match(answer?.headers()["content-security-policy"] ?? "", /default-src 'self'/);
    await page.locator("#token").fill("wrong");
    await page.keyboard.press("Enter");
    await text(page, "#signin-problem", "refused");
    await text(page, "#connection-word", "Token refused");
    await page.locator("#token").fill(stack.tokens.reader);
    await page.keyboard.press("Enter");
    await text(page, "#connection-word", "Live");
    await page.goto(address());
    await page.reload();
    await page.goto(address() + "&q=dns");
    await text(page, "#connection-word", "Live");
    assert.doesNotMatch(page.url(), /token/);
    assert.match(page.url(), /#q=dns$/);
    assert.equal(await page.locator("#filter").inputValue(), "dns");
    await page.reload();
    await text(page, "#connection-word", "Live");
    await page.locator("#signout").click();
    assert.equal(await page.locator("#signin").isVisible(), true);
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await check();
  });

  test("a killed DNS server: alarm, action, healing, on the page as it happens", async () => {
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await text(page, "#connection-word", "Live");
    await page.evaluate(() => {
      const seen = (/** @type {any} */ (window).seen = /** @type {string[]} */ ([]));
      new MutationObserver(() => seen.push(document.getElementById("announce-now")?.textContent ?? "")).observe(/** @type {Node} */ (document.getElementById("announce-now")), { childList: true });
    });
    const { vnfc_id } = await stack.lab("/lab/fault", { vnfc_id: "dns-2" });
    await text(page, ".verdict", "Healed", 20_000);
    const stages = await page.locator(".stage").evaluateAll((list) => list.map((e) => e.className.replace("stage ", "")));
    assert.deepEqual(stages, ["g-done", "g-done", "g-done", "g-done", "g-done"]);
    const steps = await page.locator(".steps tbody tr").evaluateAll((list) => list.map((e) => e.className.slice(2)));
    for (const kind of ["raised", "triggered", "call", "answer", "cleared", "verified"]) assert.ok(steps.includes(kind), `${kind} in ${steps}`);
    const deltas = await page.locator(".steps tbody td:nth-child(2)").allInnerTexts();
    assert.ok(deltas.every((d, i) => i === 0 ? d === "+0.000 s" : Number(d.slice(1, -2)) >= Number(deltas[i - 1].slice(1, -2))), deltas.join());
    await text(page, "#title", "dns-vnfc-down");
    await text(page, "#title .dims", vnfc_id);
    await text(page, "#feed-rows li:first-child", "Healed");
    const heard = await page.evaluate(() => /** @type {any} */ (window).seen.join("\n"));
    assert.match(heard, /Critical alarm: dns-vnfc-down, vnf_id=dns-vnf vnfc_id=dns-2/);
    // The page says what the journal says.
    const { elements } = await stack.call("GET", "/v1/journal?limit=1000");
    assert.equal(await page.locator(".journal tbody tr").count(), elements.filter((/** @type {any} */ r) => JSON.stringify(r).includes("dns-2")).length);
    await text(page, "#facts", "last(dns.success_perc{service=dns}) < 50");
    await until(async () => (await page.locator(".d-ok").count()) === 4, "four daemons that report");
    await shot(page, "healed-1280-dark");
    await check();
  });

  test("the chart shows the real samples, the threshold and the marks", async () => {
    const { page, check } = await open(browser, stack.url);
    await page.goto(address() + "&q=dns-2");
    await text(page, "#title .dims", "dns-2");
    await page.locator(".plot canvas").waitFor();
    const label = await until(async () => {
      const l = await page.locator(".plot").first().getAttribute("aria-label");
      return l?.includes("Lowest 0, highest 100") && l.includes("raised at") && l.includes("action at") && l.includes("cleared at") ? l : null;
    }, "the chart's words");
    assert.match(label, /Alarm condition: last\(dns\.success_perc\) < 50/);
    const painted = await page.locator(".plot canvas").evaluate((c) => {
      const { width, height } = /** @type {HTMLCanvasElement} */ (c);
      const data = /** @type {CanvasRenderingContext2D} */ (/** @type {HTMLCanvasElement} */ (c).getContext("2d")).getImageData(0, 0, width, height).data;
      let n = 0;
      for (let i = 3; i < data.length; i += 4) if (data[i] > 200) n++;
      return n;
    });
    assert.ok(painted > 500, `only ${painted} pixels are painted`);
    await page.locator(".twin summary").click();
    const before = await page.locator(".twin tbody tr").first().innerText();
    await until(async () => (await page.locator(".twin tbody tr").first().innerText()) !== before, "a newer sample in the table");
    await page.locator('#ranges button[data-minutes="2"]').click();
    assert.equal(await page.locator('#ranges button[data-minutes="2"]').getAttribute("aria-pressed"), "true");
    await check();
  });

  test("keyboard, filter, counts as filters", async () => {
    await event([{ type: "host.down", severity: "CRITICAL", dimensions: { hostname: "compute-07" } }, { type: "cert.old", severity: "LOW", dimensions: { hostname: "gw-1" } }]);
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await text(page, ".row", "host.down");
    await until(async () => /^\(\d+\) CRITICAL – Hale$/.test(await page.title()), "the title");
    const names = () => page.locator(".row .name").allInnerTexts();
    const chosen = () => page.locator('.row[aria-selected="true"] .name').innerText();
    await page.keyboard.press("j");
    const first = await chosen();
    await page.keyboard.press("j");
    assert.notEqual(await chosen() + await page.locator('.row[aria-selected="true"] .object').innerText(), first);
    await page.keyboard.press("k");
    assert.equal(await chosen(), first);
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "detail");
    await page.keyboard.press("/");
    await page.keyboard.type("host.down");
    await until(async () => (await names()).join() === "host.down", "only host.down");
    await text(page, "#shown", /^1 of \d+$/);
    await page.keyboard.press("Enter");
    await text(page, "#title", "host.down");
    await text(page, ".verdict", /No action|Raised/);
    await text(page, "#charts", "no series");
    await page.keyboard.press("/");
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#filter").inputValue(), "");
    await page.locator("#counts button", { hasText: "LOW" }).click();
    await until(async () => (await names()).every((n) => n === "cert.old" || n === "dns-idle"), "only LOW");
    assert.equal(await page.locator("#counts button", { hasText: "LOW" }).getAttribute("aria-pressed"), "true");
    await page.locator("#counts button", { hasText: "LOW" }).click();
    await page.keyboard.press("?");
    assert.equal(await page.locator("#keys").isVisible(), true);
    await page.keyboard.press("Escape");
    const [alarm] = (await names());
    assert.equal(alarm, "host.down", "ALARM and CRITICAL first");
    await event([{ type: "host.down", status: "clear", dimensions: { hostname: "compute-07" } }, { type: "cert.old", status: "clear", dimensions: { hostname: "gw-1" } }]);
    await text(page, "#quiet", "All clear");
    await check();
  });

  test("text from the network stays text", async () => {
    const bad = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
    await event({ type: "evil", severity: "HIGH", dimensions: { hostname: "h5" }, details: { note: bad, [bad]: bad } });
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await page.locator(".row", { hasText: "evil" }).click();
    await text(page, "#facts", "<script>alert(2)");
    assert.equal(await page.locator("main img, main script").count(), 0);
    await event({ type: "evil", status: "clear", dimensions: { hostname: "h5" } });
    await check();
  });

  test("a heal that fails is told as such", async () => {
    await stack.lab("/lab/behave", { mode: "error", count: -1 });
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await text(page, "#connection-word", "Live");
    await stack.lab("/lab/fault", { vnfc_id: "dns-1" });
    await text(page, ".steps", "Failed", 20_000);
    await text(page, ".row.s-ALARM .out", /Not healed|Acting/);
    await shot(page, "failed-1280-dark");
    await stack.lab("/lab/behave", { mode: "normal", count: 0 });
    await text(page, ".verdict", "Healed", 30_000);
    await check();
  });

  test("collector gone: stale at once; back: resumes and has missed nothing", async () => {
    const { page } = await open(browser, stack.url);
    /** @type {(string | undefined)[]} */
    const resumed = [];
    page.on("request", (r) => r.url().endsWith("/v1/live") && resumed.push(r.headers()["last-event-id"]));
    await page.goto(address());
    await text(page, "#connection-word", "Live");
    await page.locator(".row").first().waitFor();
    const rows = await page.locator("#shown").innerText();
    await stack.kill("collector");
    await text(page, "#connection-word", "Reconnecting");
    await text(page, "#connection-text", "since");
    assert.match(await page.locator("#banner-text").innerText(), /STALE DATA as of \d\d:\d\d:\d\d/);
    await until(() => page.title().then((t) => t.startsWith("STALE")), "the title");
    assert.equal(await page.locator("body.stale").count(), 1);
    assert.equal(await page.locator("#shown").innerText(), rows, "what was known stays to be seen");
    await shot(page, "stale-1280-dark");
    stack.spawn("collector");
    await stack.healthy("collector");
    await event({ type: "while.away", severity: "CRITICAL", dimensions: { hostname: "h9" } });
    await text(page, "#connection-word", "Live", 20_000);
    await text(page, ".row", "while.away");
    assert.equal(await page.locator("#banner").isVisible(), false);
    assert.equal(resumed[0], undefined);
    assert.match(resumed.at(-1) ?? "", /^\d+\.\d+-\d+$/);
    await event({ type: "while.away", status: "clear", dimensions: { hostname: "h9" } });
    await text(page, '.row:has-text("while.away") .state', "OK");
  });

  for (const [name, width, height] of /** @type {[string, number, number][]} */ ([["desk", 1280, 800], ["wall", 3840, 2160], ["phone", 390, 844]])) {
    for (const colorScheme of /** @type {("dark" | "light")[]} */ (["dark", "light"])) {
      test(`${name} in ${colorScheme}: nothing sticks out, contrast AA`, async () => {
        const { page, check } = await open(browser, stack.url, { viewport: { width, height }, colorScheme });
        await page.goto(address());
        await page.locator(".row").first().waitFor();
        await page.locator("#feed-rows li").nth(1).waitFor();
        await page.locator("#feed-rows button", { hasText: "dns-vnfc-down" }).first().click();
        await page.locator("#title h2").waitFor();
        assert.equal(await page.locator("html").getAttribute("data-theme"), colorScheme);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} px too wide`);
        assert.deepEqual(await page.evaluate(lowContrast), []);
        if (name === "wall") assert.ok(parseFloat(await page.evaluate(() => getComputedStyle(document.documentElement).fontSize)) >= 24);
        if (name === "phone") {
          assert.equal(await page.locator("#list").isVisible(), false);
          await page.locator("#back").click();
          assert.equal(await page.locator("#list").isVisible(), true);
        }
        await shot(page, `${name}-${colorScheme}`);
        await check();
      });
    }
  }

  test("three thousand alarms: few rows exist wherever one looks, nothing moves under the reader", async () => {
    for (let k = 0; k < 3; k++) await event(Array.from({ length: 1000 }, (_, i) => ({ type: "mass", severity: "MEDIUM", dimensions: { hostname: `n${k * 1000 + i}` } })));
    await until(async () => (await stack.call("GET", "/v1/status")).alarms.ALARM >= 3000, "3000 alarms");
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await text(page, "#shown", /^3\d\d\d$/);
    assert.ok(await page.locator(".row").count() < 60);
    // Wherever one looks there are few rows, so that each jump costs the same: what it costs depends on the machine.
    const most = await page.evaluate(async () => {
      const box = /** @type {HTMLElement} */ (document.getElementById("rows"));
      let rows = 0;
      for (let i = 0; i < 50; i++) {
        box.scrollTop = i * 2500;
        await new Promise((r) => requestAnimationFrame(r));
        rows = Math.max(rows, document.querySelectorAll(".row").length);
      }
      return rows;
    });
    assert.ok(most > 0 && most < 60, `${most} rows at once`);
    // Somebody reads far down: a new alarm is announced above and moves nothing.
    await page.locator("#rows").evaluate((e) => (e.scrollTop = 44_000));
    const reading = () => page.locator("#rows").evaluate((e) => {
      const top = e.getBoundingClientRect().top;
      return [...e.querySelectorAll(".row")].find((r) => Math.abs(r.getBoundingClientRect().top - top) < r.clientHeight / 2)?.querySelector(".object")?.textContent;
    });
    await until(async () => typeof await reading() === "string", "the rows there"); // they are made when the scroll event comes
    const line = await reading();
    await event({ type: "above", severity: "CRITICAL", dimensions: { hostname: "top" } });
    await text(page, "#more", "1 new");
    assert.equal(await reading(), line);
    await page.locator("#filter").fill("hostname=n2999");
    await text(page, "#shown", /^1 of/);
    await check();
  });

  test("the theme is chosen by a button and remembered", async () => {
    const { page, context, check } = await open(browser, stack.url, { colorScheme: "light" });
    await page.goto(address());
    await page.locator("#theme").click();
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    const second = await context.newPage();
    await second.goto(stack.url);
    assert.equal(await second.locator("html").getAttribute("data-theme"), "dark");
    await check();
  });

  test("a token taken back while the page is open", async () => {
    const { page } = await open(browser, stack.url);
    await page.goto(address(stack.tokens.reader));
    await text(page, "#connection-word", "Live");
    const file = join(stack.dir, "tokens.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace(/ {2}- name: reader\n(?: {4}.*\n)+/, ""));
    stack.children.get("collector")?.kill("SIGHUP");
    await text(page, "#connection-word", "Token refused", 20_000);
    await text(page, "#signin-problem", "refused");
    assert.equal(await page.locator("body.stale").count(), 1);
  });
});
