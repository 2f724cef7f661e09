// SPDX-License-Identifier: Apache-2.0
// Rare states of the connection, made by a stand-in for the collector.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { bundle } from "../../build.mjs";
import { launch, noBrowser, open, shot, text } from "../support/browser.mjs";
import { lowContrast } from "../support/contrast.mjs";
import { healed, letter, log, row, run } from "../support/records.mjs";
import { StandIn } from "../support/standin.mjs";

describe("rare states", { skip: noBrowser || false }, () => {
  /** @type {import("playwright-core").Browser} */ let browser;
  /** @type {string} */ let files;
  /** @type {StandIn} */ let server;
  /** @type {string} */ let url;
  before(async () => {
    files = mkdtempSync(join(tmpdir(), "hale-dist-"));
    [browser] = await Promise.all([launch(), bundle(join(files, "dist"))]);
  });
  after(async () => {
    await browser?.close();
    if (files) rmSync(files, { recursive: true, force: true });
  });
  beforeEach(async () => {
    server = new StandIn(join(files, "dist"));
    url = await server.listen();
  });
  afterEach(() => server.close());
  const quiet = /404|401|Failed to load|ERR_/;

  test("events between hello and the snapshot are neither lost nor applied twice", async () => {
    const t = Date.now() - 60_000;
    const h = healed(t);
    server.position = "1.0-0";
    // The log and the journal are read when half of the loop is in them; the stream brings all of it meanwhile.
    server.before = (path) => {
      if (path === "/v1/alarm-log") {
        server.log = h.log.slice(0, 2);
        server.send("alarm", h.log[1]);
        server.send("action", h.journal[0]);
        server.send("action", h.journal[1]);
      }
      if (path === "/v1/journal") {
        server.journal = h.journal.slice(0, 1);
        return new Promise((r) => setTimeout(r, 300));
      }
    };
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    await text(page, ".steps", "Call");
    for (const e of h.journal.slice(2, 4)) server.send("action", e);
    server.send("alarm", h.log[2]);
    server.send("action", h.journal[4]);
    await text(page, ".verdict", "Healed");
    const kinds = await page.locator(".steps tbody tr").evaluateAll((l) => l.map((e) => e.className.slice(2)));
    assert.deepEqual(kinds, ["raised", "triggered", "call", "answer", "verifying", "cleared", "verified"]);
    await check();
  });

  test("a cut stream resumes at the last event; positions that went back mean a new snapshot", async () => {
    const t = Date.now() - 60_000;
    server.log = healed(t).log.slice(0, 2);
    server.position = "2.5-0";
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    await text(page, ".row", "dns-vnfc-down");
    server.send("action", row("7-1", "suppressed", { text: "cooldown until later" }));
    await text(page, ".verdict", "cooldown until later");
    server.cut();
    await text(page, "#connection-word", "Live");
    await page.waitForFunction(() => !document.body.classList.contains("stale"));
    await assertSoon(() => assert.deepEqual(server.resumed, ["", "2.7-1"]));
    server.send("alarm", log(3, "ALARM", "OK", t + 9000));
    await text(page, ".row .state", "OK");
    // The server lost its data: what is shown must be what it has now.
    server.position = "1.1-0";
    server.log = [log(1, "UNDETERMINED", "UNDETERMINED", t, { id: "other", definition_name: "after-loss" })];
    server.journal = [];
    server.cut();
    await text(page, ".row", "after-loss");
    assert.equal(await page.locator(".row").count(), 1);
    await check();
  });

  test("the token is refused while the page is open: stale, a form, and in again", async () => {
    const t = Date.now();
    server.log = [log(1, "OK", "OK", t)];
    server.position = "1.0-0";
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    await text(page, ".row", "dns-vnfc-down");
    server.token = "new";
    server.cut();
    await text(page, "#connection-word", "Token refused");
    await text(page, "#banner-text", "STALE DATA");
    assert.equal(await page.locator(".row").isVisible(), true);
    await page.locator("#token").fill("new");
    await page.keyboard.press("Enter");
    await text(page, "#connection-word", "Live");
    assert.equal(await page.locator("#banner").isVisible(), false);
    assert.equal(await page.locator("#signin").isVisible(), false);
    await check();
  });

  test("a record that cannot be shown is left out, the next one is shown", async () => {
    server.log = [log(1, "OK", "OK", Date.now())];
    server.position = "1.0-0";
    const { page, check } = await open(browser, url, { expected: /404|left out/ });
    await page.goto(`${url}/#token=t`);
    await text(page, ".row .state", "OK");
    server.send("alarm", { seq: 2, alarm: null });
    server.send("alarm", log(3, "OK", "ALARM", Date.now()));
    await text(page, ".row .state", "ALARM");
    assert.deepEqual(server.resumed, [""]);
    await check();
  });

  test("a silent daemon is named", async () => {
    server.daemons = ["collector", "thresholds", "actuator"];
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    await text(page, "#daemons", "correlator silent");
    assert.equal(await page.locator(".d-ok").count(), 3);
    await check();
  });

  test("what waits is read again after a cut; a proposal that has expired is told as such", async () => {
    server.log = [log(2, "OK", "ALARM", Date.now())];
    server.position = "2.0-0";
    server.runs = [run("r1"), run("r2", { target: "vnf/v/c2" })];
    const { page, check } = await open(browser, url, { expected: /404|410|401|ERR_/ });
    await page.goto(`${url}/#token=t`);
    await text(page, ".wait", "vnf/v/c2");
    assert.equal(await page.locator(".wait").count(), 2);
    server.runs = [run("r1"), run("r3", { target: "vnf/v/c3" })];
    server.cut();
    await text(page, ".wait", "vnf/v/c3");
    assert.deepEqual(await page.locator(".wait-target").allInnerTexts(), ["vnf/v/c1", "vnf/v/c3"]);
    const first = page.locator('.wait:has-text("vnf/v/c1")');
    // The role was taken away meanwhile: the page says so and may be asked again.
    server.change = [401, { description: "the token does not have the role operator" }];
    await first.getByRole("button", { name: "Approve" }).click();
    await page.locator("#ask-go").click();
    await text(page, "#ask-problem", "This token may not approve");
    assert.equal(await page.locator("#ask-go").isEnabled(), true);
    server.change = [410, { description: "the proposal has expired: nobody decided in time" }];
    await page.locator("#ask-text").fill("now");
    await page.locator("#ask-go").click();
    await text(page, "#ask-problem", "Expired: nobody decided in time");
    assert.deepEqual(server.changes, [{ path: "/v1/runs/r1/approve", body: {} }, { path: "/v1/runs/r1/approve", body: { comment: "now" } }]);
    await page.locator("#ask-cancel").click();
    await text(page, "#queue-said", "heal on vnf/v/c1: Expired");
    await text(page, "#connection-word", "Live");
    server.runs = [];
    server.send("action", row("9-1", "expired", { run_id: "r1" }));
    await page.locator(".wait").first().waitFor({ state: "detached" });
    await check();
  });

  test("a double click opens the question and confirms nothing", async () => {
    server.log = [log(2, "OK", "ALARM", Date.now())];
    server.position = "2.0-0";
    server.runs = [run("r1")];
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    const button = page.locator(".wait").getByRole("button", { name: "Approve" });
    await button.waitFor();
    const pressed = await page.evaluate(() => {
      /** @type {HTMLElement} */ (document.querySelector(".decide .yes")).click();
      const go = /** @type {HTMLButtonElement} */ (document.getElementById("ask-go"));
      go.click();
      return { open: /** @type {HTMLDialogElement} */ (document.getElementById("ask")).open, disabled: go.disabled };
    });
    assert.deepEqual(pressed, { open: true, disabled: true });
    await page.locator("#ask-go:enabled").waitFor();
    assert.deepEqual(server.changes, []);
    server.runs = [];
    server.cut();
    await text(page, "#ask-problem", "It does not wait any more.");
    assert.equal(await page.locator("#ask-go").isVisible(), false);
    await check();
  });

  test("what was not delivered is searched, sent again and dropped, each after a question", async () => {
    server.log = [log(1, "OK", "OK", Date.now())];
    server.position = "1.0-0";
    server.letters = [...Array(60).keys()].map((i) => letter(`l${i}`, { died_ms: Date.now() - i * 1000, alarm_name: `alarm-${i}`, ...(i === 7 ? { recipient: "aodh/t", name: "http://127.0.0.1:1/x", reason: "expired", detail: "not taken within notify_max_age" } : {}) }));
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    await text(page, "#letters-open", "60 not delivered");
    await page.locator("#rows").focus();
    await page.keyboard.press("u");
    const focused = () => page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).dataset.act ?? document.activeElement?.id ?? "");
    assert.equal(await focused(), "letters-search");
    await text(page, "#letters-tally", "60 · 1 to aodh/t · 59 to subscriber/noc");
    assert.equal(await page.locator("#letters-rows > li:not(.rest)").count(), 50);
    await page.locator("#letters-rows .rest button").click();
    assert.equal(await page.locator("#letters-rows > li:not(.rest)").count(), 60);
    await page.locator("#letters-search").fill("aodh expired");
    await text(page, "#letters-again", "Send again these 1 …");
    await text(page, "#letters-rows li", /alarm-7 ALARM CRITICAL to http:\/\/127\.0\.0\.1:1\/x/);
    await text(page, ".letter-why", "not taken in time: not taken within notify_max_age");
    for (const [width, height, colorScheme] of /** @type {[number, number, "light" | "dark"][]} */ ([[390, 844, "light"], [3840, 2160, "dark"], [1280, 800, "light"], [1280, 800, "dark"]])) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px: nothing sticks out`);
      assert.equal(await page.locator("#letters button:visible").evaluateAll((l) => l.filter((e) => e.getBoundingClientRect().right > innerWidth || e.scrollWidth > e.clientWidth).length), 0);
      assert.deepEqual(await page.evaluate(lowContrast), []);
      await shot(page, `letters-${width}-${colorScheme}`);
    }
    // The question stands on top; Enter says no, and the focus comes back.
    await page.locator("#letters-rows").getByRole("button", { name: "Send again" }).click();
    assert.equal(await page.locator("#ask-text").isVisible(), false);
    assert.equal(await focused(), "ask-cancel");
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "again:l7");
    assert.equal(server.changes.length, 0);
    await page.keyboard.press("Enter");
    await page.locator("#ask-go:enabled").waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "ask-go");
    server.letters[7].replay = { by: "operator", at_ms: Date.now() };
    await page.keyboard.press("Enter");
    await text(page, "#letters-rows .said", "operator wants it sent again");
    assert.deepEqual(server.changes.splice(0), [{ path: "/api/v2/dead-letters/l7/replay", body: {} }]);
    await page.locator("#letters-search").fill("");
    await page.locator("#letters-again").click();
    await text(page, "#ask-what", "59 to subscriber/noc");
    server.letters = [];
    await page.locator("#ask-go").click();
    await text(page, "#letters-empty", "Nothing is undelivered.");
    assert.deepEqual(server.changes.splice(0).map((c) => c.path), ["/api/v2/dead-letters/replay", "/api/v2/dead-letters/replay"]);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#letters-open").isVisible(), false);
    await check();
  });

  test("everything is stopped only by whoever may, with a reason and a word", async () => {
    server.log = [log(2, "OK", "ALARM", Date.now())];
    server.position = "2.0-0";
    server.runs = [run("r1", { state: "open", held: true, step_us: Date.now() * 1000, steps: [{ name: "consent", type: "wait", what: "", timeout_ms: 1_800_000 }] })];
    server.roles = ["operator"];
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    await text(page, ".wait .left", /^waits for \d+ s, until \d\d:\d\d:\d\d$/);
    assert.equal(await page.locator("#stop-all").isVisible(), false);
    server.roles = ["operator", "delegate"];
    await page.locator("#stop-all").click();
    await text(page, "#ask-what", "every tenant and site");
    await page.locator("#ask-text").fill("storm");
    await page.locator("#ask-word").fill("stopp");
    assert.equal(await page.locator("#ask-go").isDisabled(), true, "not that word");
    await page.locator("#ask-word").fill("STOP");
    await page.locator("#ask-go:enabled").waitFor();
    await page.locator("#ask-text").fill(" ");
    assert.equal(await page.locator("#ask-go").isDisabled(), true, "a reason, too");
    await page.locator("#ask-text").fill("storm");
    server.switches = [{ scope: "all", by: "anna", at_ms: Date.now(), reason: "storm", expires_ms: 0 }];
    await page.locator("#ask-go").click();
    await text(page, "#switches", "Stopped: every policy by anna");
    assert.deepEqual(server.changes, [{ path: "/v1/switches/all", body: { reason: "storm" } }]);
    assert.equal(await page.locator("#stop-all").isVisible(), false);
    await text(page, ".wait-stopped", "Every policy is stopped: it makes no call until it may act again");
    await check();
  });

  test("answers that are not what they should be: no crash, tried again", async () => {
    let bad = true;
    server.before = (path) => {
      if (path === "/v1/alarm-log" && bad) {
        bad = false;
        server.log = /** @type {any} */ ("garbage");
      } else server.log = [log(1, "OK", "OK", Date.now())];
    };
    const { page, check } = await open(browser, url, { expected: quiet });
    await page.goto(`${url}/#token=t`);
    await text(page, ".row", "dns-vnfc-down");
    assert.ok(server.resumed.length >= 2);
    await check();
  });
});

/** @param {() => void} assertion */
async function assertSoon(assertion, ms = 5000) {
  const end = Date.now() + ms;
  for (;;) {
    try {
      return assertion();
    } catch (e) {
      if (Date.now() > end) throw e;
      await new Promise((r) => setTimeout(r, 20));
    }
  }
}
