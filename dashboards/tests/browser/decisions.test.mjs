// SPDX-License-Identifier: Apache-2.0
// Decisions of people against the real collector and actuator: approvals, acknowledgements, kill switches.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundle } from "../../build.mjs";
import { launch, noBrowser, open, shot, text } from "../support/browser.mjs";
import { lowContrast } from "../support/contrast.mjs";
import { missing, Stack, until } from "../support/stack.mjs";

const skip = noBrowser || missing(false) || false;
/** What the stack says may come late on a busy machine. */
const LATE = 30_000;

/** Policies: one that asks, one that suggests, one that waits for an acknowledgement between two calls. @param {string} hook */
function policies(hook) {
  const common = { target: "host/${hostname}", cooldown: "100ms", verify: { alarm: "cleared", within: "120s" } };
  const call = (/** @type {string} */ name) => ({ name, webhook: { url: `${hook}/${name}`, retries: 5, timeout: "20s" } });
  return JSON.stringify({ policies: [
    { name: "heal-host", mode: "approve", approval: { expires: "15m" }, alarm: { definition: "host.down" }, steps: [call("fence"), call("rebuild")], ...common },
    { name: "advise", mode: "suggest", approval: { expires: "1h" }, alarm: { definition: "disk.old" }, steps: [call("replace")], ...common },
    { name: "drain", mode: "auto", alarm: { definition: "host.maintenance" },
      steps: [call("tell"), { name: "consent", wait: { acknowledgement: "required", within: "30m" } }, call("evacuate")], ...common },
  ] });
}

describe("decisions", { skip }, () => {
  /** @type {Stack} */ let stack;
  /** @type {import("playwright-core").Browser} */ let browser;
  /** @type {string} */ let files;
  /** @type {string[]} */ const called = [];
  const hook = createServer((req, res) => {
    called.push(String(req.url).slice(1));
    req.resume().on("end", () => res.writeHead(200).end());
  });

  before(async () => {
    files = mkdtempSync(join(tmpdir(), "hale-dist-"));
    stack = new Stack();
    await new Promise((done) => hook.listen(0, "127.0.0.1", () => done(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (hook.address());
    [browser] = await Promise.all([launch(), bundle(join(files, "dist")).then(() => stack.start({ dashboards: join(files, "dist"), policies: policies(`http://127.0.0.1:${port}`) }))]);
  });
  after(async () => {
    await browser?.close();
    await stack?.stop();
    hook.closeAllConnections();
    await new Promise((done) => hook.close(done));
    if (files) rmSync(files, { recursive: true, force: true });
  });

  const address = (token = stack.tokens.operator) => `${stack.url}/#token=${token}`;
  const event = (/** @type {string} */ type, /** @type {string} */ hostname, status = "raise") =>
    stack.call("POST", "/v1/events", { type, status, severity: "CRITICAL", dimensions: { hostname }, details: { why: "no heartbeat" } });
  const wait = (/** @type {string} */ host) => `.wait:has-text("host/${host}")`;
  const rows = async (/** @type {string} */ host) => (await stack.call("GET", `/v1/journal?target=host/${host}`)).elements;
  const kinds = async (/** @type {string} */ host) => (await rows(host)).map((/** @type {any} */ r) => r.kind);
  const runOf = (/** @type {string} */ host, /** @type {string} */ state) =>
    until(async () => (await stack.call("GET", `/v1/runs?target=host/${host}`)).elements.find((/** @type {any} */ r) => r.state === state), `a run of ${host} in state ${state}`, LATE);
  /** Ends the alarm and its run, so that the next test begins with an empty queue. @param {string} type @param {string} host */
  const settle = async (type, host) => {
    await event(type, host, "clear");
    await runOf(host, "done");
  };

  test("a proposal comes live, is confirmed in two steps by keyboard, and is carried out once", async () => {
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await text(page, "#connection-word", "Live");
    assert.equal(await page.locator("#queue").isVisible(), false);
    await event("host.down", "h1");
    await text(page, wait("h1"), "heal-host", LATE);
    await text(page, wait("h1"), /fence .*POST http:\/\/127\.0\.0\.1/);
    await text(page, `${wait("h1")} .wait-why`, /because host\.down .*hostname=h1/);
    await text(page, "#announce", "Approval wanted: heal-host on host/h1.");
    const left = () => page.locator(`${wait("h1")} .left`).innerText();
    const first = await left();
    assert.match(first, /^1[45] min \d\d s left$/);
    await until(async () => (await left()) !== first, "a time that counts down");
    await page.locator("#rows").focus();
    await page.keyboard.press("a");
    const focused = () => page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).dataset.act ?? document.activeElement?.id ?? "");
    assert.match(await focused(), /^approve:/);
    await page.keyboard.press("Enter");
    await text(page, "#ask-what", "rebuild");
    assert.equal(await focused(), "ask-text");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("#ask").isVisible(), true, "Enter confirms nothing");
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#ask").isVisible(), false);
    assert.match(await focused(), /^approve:/, "the focus is back on the button");
    assert.deepEqual(await kinds("h1"), ["proposed"]);
    // Another run is proposed while somebody stands on the button: he stays there.
    await event("disk.old", "h2");
    await text(page, wait("h2"), "Suggestion", LATE);
    assert.match(await focused(), /^approve:/);
    assert.deepEqual(await page.locator(".wait b:first-of-type").first().innerText(), "heal-host");
    await page.keyboard.press("Enter");
    await page.keyboard.type("seen, go");
    await page.locator("#ask-go:enabled").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "ask-go");
    await page.keyboard.press("Enter");
    await text(page, "#queue-said", "heal-host on host/h1: approved.");
    await page.locator(wait("h1")).waitFor({ state: "detached", timeout: LATE });
    await until(async () => (await kinds("h1")).includes("verifying"), "the run's end", LATE);
    assert.deepEqual(called.splice(0), ["fence", "rebuild"]);
    const approved = (await rows("h1")).find((/** @type {any} */ r) => r.kind === "approved");
    assert.deepEqual([approved.detail.by, approved.detail.comment], ["operator", "seen, go"]);
    // The run's detail: steps, guards, the policy's switch.
    await page.locator("#feed-rows button", { hasText: "h1" }).first().click();
    await text(page, ".steps .k-step", "step fence is done; on to rebuild", LATE);
    await text(page, ".guards summary", /Guards: \d+ asked, all allow it/);
    await page.locator(".guards summary").click();
    await text(page, ".guards tr", /cooldown\s*✓?\s*allows\s*the target has rested/);
    await text(page, ".people", /Approved by operator at \d\d:\d\d:\d\d: .*seen, go/);
    await text(page, "#runbar", "Policy heal-host may act");
    await text(page, "#facts-body .facts", /time\s*\d\d:\d\d:\d\d\.\d{3}/);
    // A suggestion is turned down.
    await page.locator(wait("h2")).getByRole("button", { name: "Reject" }).click();
    await page.locator("#ask-go").click();
    await text(page, "#queue-said", "advise on host/h2: rejected.");
    await until(async () => (await kinds("h2")).includes("rejected"), "the row", LATE);
    await page.locator(wait("h2")).waitFor({ state: "detached", timeout: LATE });
    await settle("host.down", "h1");
    await event("disk.old", "h2", "clear");
    assert.deepEqual(called, []);
    await check();
  });

  test("who only reads sees what waits and why it cannot be decided", async () => {
    const { page, check } = await open(browser, stack.url);
    await event("host.down", "h3");
    await page.goto(address(stack.tokens.reader));
    await text(page, wait("h3"), "heal-host", LATE);
    await text(page, "#queue-why", "needs the role operator");
    assert.equal(await page.locator(`${wait("h3")} .decide button:disabled`).count(), 2);
    assert.equal(await page.locator("#runbar button:enabled").count(), 0);
    await check();
  });

  test("somebody else was first: told in plain words, before and after the click", async () => {
    const run = await runOf("h3", "proposed");
    const { page, check } = await open(browser, stack.url, { expected: /409/ });
    await page.goto(address());
    await page.locator(wait("h3")).getByRole("button", { name: "Approve" }).click({ timeout: LATE });
    // The actuator stands still: the word of the other one stands in no row yet.
    stack.children.get("actuator")?.kill("SIGSTOP");
    await stack.call("POST", `/v1/runs/${run.id}/reject`, { comment: "mine" }, stack.tokens.anna);
    await page.locator("#ask-go").click();
    await text(page, "#ask-problem", /^anna rejected it first, at \d\d:\d\d:\d\d\.$/);
    assert.equal(await page.locator("#ask-go").isVisible(), false);
    await shot(page, "beaten-1280-dark");
    await page.locator("#ask-cancel").click();
    await text(page, wait("h3"), "anna rejected it first");
    assert.equal(await page.locator(`${wait("h3")} .decide`).count(), 0);
    stack.children.get("actuator")?.kill("SIGCONT");
    await page.locator(wait("h3")).waitFor({ state: "detached", timeout: LATE });
    assert.deepEqual((await kinds("h3")).filter((/** @type {string} */ k) => k === "approved" || k === "rejected"), ["rejected"]);
    await event("host.down", "h3", "clear");
    // While the question stands open the other one decides: the page does not ask any more.
    await event("host.down", "h4");
    const second = await runOf("h4", "proposed");
    await page.locator(wait("h4")).getByRole("button", { name: "Approve" }).click({ timeout: LATE });
    await stack.call("POST", `/v1/runs/${second.id}/approve`, {}, stack.tokens.anna);
    await text(page, "#ask-problem", /^anna approved it first, at/, LATE);
    assert.equal(await page.locator("#ask-go").isVisible(), false);
    await page.keyboard.press("Escape");
    await page.locator(wait("h4")).waitFor({ state: "detached", timeout: LATE });
    assert.notEqual(await page.evaluate(() => document.activeElement?.tagName), "BODY", "the focus has a place");
    await until(() => called.length === 2, "the calls", LATE);
    assert.deepEqual(called.splice(0), ["fence", "rebuild"]);
    await settle("host.down", "h4");
    await check();
  });

  test("a run that is held goes on when it is acknowledged", async () => {
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await event("host.maintenance", "h5");
    await text(page, wait("h5"), "Acknowledge?", LATE);
    await text(page, `${wait("h5")} .wait-calls`, /^then evacuate POST/);
    await text(page, `${wait("h5")} .left`, /^waits for \d+ s, until \d\d:\d\d:\d\d$/);
    assert.deepEqual(called, ["tell"]);
    await page.locator("#feed-rows button", { hasText: "h5" }).first().click();
    await page.locator("#runbar").getByRole("button", { name: "Acknowledge" }).click();
    await page.locator("#ask-text").fill("moved away");
    await page.locator("#ask-go").click();
    await text(page, "#queue-said", "drain on host/h5: acknowledged.");
    await page.locator(wait("h5")).waitFor({ state: "detached", timeout: LATE });
    await until(() => called.length === 2, "the second call", LATE);
    assert.deepEqual(called.splice(0), ["tell", "evacuate"]);
    const row = (await rows("h5")).find((/** @type {any} */ r) => r.kind === "acknowledged");
    assert.deepEqual([row.detail.by, row.detail.comment], ["operator", "moved away"]);
    await settle("host.maintenance", "h5");
    await check();
  });

  test("kill switches: a banner for everybody, a policy is stopped and let go from a run's detail", async () => {
    const { page, check } = await open(browser, stack.url);
    await page.goto(address());
    await page.locator("#feed-rows button", { hasText: "h5" }).first().click({ timeout: LATE });
    await page.locator("#runbar").getByRole("button", { name: "Stop policy drain" }).click();
    await page.locator("#ask-text").fill("  ");
    assert.equal(await page.locator("#ask-go").isDisabled(), true, "a reason is needed");
    await page.locator("#ask-text").fill('<b>it</b> "loops"');
    await page.locator("#ask-go").click();
    await text(page, "#switches", /Stopped: policy drain by operator since \d\d:\d\d:\d\d/, LATE);
    await text(page, "#switches q", '<b>it</b> "loops"');
    await text(page, "#runbar .stopped", "Policy drain is stopped by operator");
    assert.equal((await stack.call("GET", "/v1/switches/policy/drain")).reason, '<b>it</b> "loops"');
    await stack.call("PUT", "/v1/switches/all", { reason: "storm", for: "1h" }, stack.tokens.anna);
    await text(page, "#switches", /Stopped: every policy by anna .*storm.*goes off by itself at/, LATE);
    // An operator may let a policy go, everything only the administrator.
    assert.deepEqual(await page.locator("#switches button").evaluateAll((l) => l.map((e) => e.getAttribute("aria-label"))), ["Let policy drain act again"]);
    const reader = await open(browser, stack.url);
    await reader.page.goto(address(stack.tokens.reader));
    await text(reader.page, "#switches", "Stopped: every policy");
    assert.equal(await reader.page.locator("#switches button").count(), 0);
    await reader.check();
    await page.locator("#runbar").getByRole("button", { name: "Let policy drain act again" }).click();
    await page.locator("#ask-go").click();
    await page.locator('#switches:has-text("policy drain")').waitFor({ state: "detached", timeout: LATE });
    await text(page, "#runbar", "Policy drain may act", LATE);
    const admin = await open(browser, stack.url);
    await admin.page.goto(address(stack.tokens.anna));
    await admin.page.locator("#switches").getByRole("button", { name: "Let every policy act again" }).click({ timeout: LATE });
    await admin.page.locator("#ask-word").fill("act");
    await admin.page.locator("#ask-go").click();
    await page.locator("#switches").waitFor({ state: "hidden", timeout: LATE });
    assert.deepEqual((await stack.call("GET", "/v1/switches")).elements, []);
    await admin.check();
    await check();
  });

  describe("how it looks", () => {
    before(async () => {
      await event("host.down", "compute-07");
      await event("disk.old", "storage-2");
      await event("host.maintenance", "compute-11");
      await until(async () => (await stack.call("GET", "/v1/runs?state=open")).elements.some((/** @type {any} */ r) => r.held), "a held run", LATE);
      for (const host of ["compute-07", "storage-2"]) await runOf(host, "proposed");
      await stack.call("PUT", "/v1/switches/policy/heal-host", { reason: "change 4711: racks 3 and 4 are rewired" }, stack.tokens.anna);
    });
    for (const [name, width, height] of /** @type {[string, number, number][]} */ ([["desk", 1280, 800], ["wall", 3840, 2160], ["phone", 390, 844]])) {
      for (const colorScheme of /** @type {("dark" | "light")[]} */ (["dark", "light"])) {
        test(`decisions, ${name} in ${colorScheme}: nothing sticks out, contrast AA`, async () => {
          const { page, check } = await open(browser, stack.url, { viewport: { width, height }, colorScheme });
          const fits = async () => {
            const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(wide <= 0, `${wide} px too wide`);
            const out = await page.locator(".decide button:visible").evaluateAll((l) => l.filter((e) => e.getBoundingClientRect().right > innerWidth || e.scrollWidth > e.clientWidth).length);
            assert.equal(out, 0, "buttons that stick out");
            assert.deepEqual(await page.evaluate(lowContrast), []);
          };
          await page.goto(address());
          await page.locator(".wait").nth(2).waitFor({ timeout: LATE });
          await text(page, "#switches", "change 4711");
          await text(page, `${wait("compute-07")} .wait-stopped`, "Policy heal-host is stopped: an approval is refused until it may act again");
          assert.deepEqual(await page.locator(".wait").evaluateAll((l) => l.map((e) => e.className)), ["wait w-held", "wait w-proposed", "wait w-suggested"]);
          if (name !== "phone") assert.ok(await page.locator("#rows").evaluate((e) => e.clientHeight) >= 80, "the alarms are still to be seen");
          await fits();
          await shot(page, `decide-${name}-${colorScheme}`);
          await page.locator(wait("compute-07")).getByRole("button", { name: "Approve" }).click();
          await page.locator("#ask-go:enabled").waitFor();
          await fits();
          await shot(page, `decide-${name}-${colorScheme}-ask`);
          await page.keyboard.press("Escape");
          await page.locator(wait("compute-07")).locator(".wait-why button").click();
          await text(page, "#runbar .stopped", "heal-host");
          await page.locator(".guards summary").click();
          await fits();
          await shot(page, `decide-${name}-${colorScheme}-detail`);
          await check();
        });
      }
    }
  });
});
