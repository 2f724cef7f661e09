// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { compile, count, order } from "../../src/filter.js";
import { marks, outcome, reaction, stages, steps, tally } from "../../src/loops.js";
import * as s from "../../src/state.js";
import { alarm, healed, log, row } from "../support/records.mjs";

const T = 1_800_000_000_000;

/** State after these live events. @param {any[]} events */
function after(...events) {
  const state = s.empty();
  for (const e of events) if ("run_id" in e) s.applyJournal(state, e);
  else s.applyLog(state, e);
  return state;
}
const only = (/** @type {import("../../src/types").State} */ state) => {
  assert.equal(state.loops.size, 1);
  return [...state.loops.values()][0];
};

test("stream positions", () => {
  assert.deepEqual(s.parsePosition("57.1763-4"), { seq: 57, journal: "1763-4" });
  for (const bad of ["", "57", "57.", "a.1-1", "57.1763"]) assert.equal(s.parsePosition(bad), null);
  assert.ok(s.compareIds("9-0", "10-0") < 0 && s.compareIds("10-2", "10-10") < 0 && s.compareIds("5-1", "5-1") === 0);
});

test("a healed loop, step by step", () => {
  const h = healed(T);
  const words = [];
  const state = s.empty();
  for (const e of [h.log[0], h.log[1], ...h.journal.slice(0, 4), h.log[2], h.journal[4]]) {
    if ("run_id" in e) s.applyJournal(state, e);
    else s.applyLog(state, e);
    if (state.loops.size) words.push(outcome(only(state), T + 200).code);
  }
  assert.deepEqual(words, ["acting", "acting", "acting", "acting", "acting", "healed", "healed"]);
  const loop = only(state);
  assert.deepEqual(stages(loop).map((g) => [g.kind, g.state, g.t]), [
    ["raised", "done", T], ["triggered", "done", T + 1], ["action", "done", T + 60], ["cleared", "done", T + 170], ["verified", "done", T + 171]]);
  assert.deepEqual(steps(loop).map((p) => p.kind), ["raised", "triggered", "call", "answer", "verifying", "cleared", "verified"]);
  assert.equal(steps(loop)[2].text, "POST /vnflcm/v2/heal");
  assert.deepEqual(marks([loop]).map((m) => m.kind), ["raised", "action", "cleared"]);
  assert.equal(reaction(loop.raised), 0.8);
  assert.deepEqual(tally([loop], T + 200), { total: 1, healed: 1, failed: 0, self: 0, open: 0, median: 170 });
});

test("rows before their alarm record join the same loop", () => {
  const h = healed(T);
  const state = after(h.journal[0], h.journal[1], h.log[0], h.log[1]);
  const loop = only(state);
  assert.equal(loop.raised_ms, T);
  assert.equal(loop.rows.length, 2);
  s.applyLog(state, h.log[2]);
  assert.equal(only(state).cleared_ms, T + 170);
});

test("what is known is not applied twice", () => {
  const h = healed(T);
  const state = s.load({ alarms: [], log: h.log, journal: h.journal });
  const before = JSON.stringify([...state.loops.values()].map((l) => [l, [...l.row_ids]]));
  for (const e of h.log) assert.equal(s.applyLog(state, e), false);
  for (const e of h.journal) {
    assert.equal(s.applyJournal(state, e), false);
    assert.equal(s.addRow(state, e), false);
  }
  assert.equal(JSON.stringify([...state.loops.values()].map((l) => [l, [...l.row_ids]])), before);
});

test("snapshot: the log wins over the older list, deleted alarms go, quiet ones stay", () => {
  const monasca = (/** @type {string} */ id, /** @type {string} */ state) => ({
    id, state, alarm_definition: { id: "d", name: "n", severity: "LOW" }, metrics: [{ name: "m", dimensions: { h: "1" } }],
    state_updated_timestamp: "2026-01-01T00:00:00.000Z", updated_timestamp: "2026-01-01T00:00:00Z", created_timestamp: "2026-01-01T00:00:00Z", lifecycle_state: null, link: null,
  });
  const state = s.load({
    alarms: [monasca("quiet", "OK"), monasca("a1", "OK"), monasca("gone", "ALARM")],
    log: [log(7, "OK", "ALARM", T, { id: "a1" }), log(8, "ALARM", "ALARM", T, { id: "gone" }, "deleted")], journal: [],
  });
  assert.deepEqual([...state.alarms.values()].map((a) => [a.id, a.state]), [["quiet", "OK"], ["a1", "ALARM"]]);
  assert.deepEqual(s.objectOf(/** @type {any} */ (state.alarms.get("quiet"))), { h: "1" });
  assert.equal(state.seq, 8);
  assert.equal(state.loaded, true);
});

test("no data in between does not split a loop; a second raise is a second loop", () => {
  const state = after(log(1, "OK", "OK", T), log(2, "OK", "ALARM", T + 1), log(3, "ALARM", "UNDETERMINED", T + 2), log(4, "UNDETERMINED", "ALARM", T + 3), log(5, "ALARM", "OK", T + 4));
  assert.deepEqual(steps(only(state)).map((p) => p.kind), ["raised", "undetermined", "raised", "cleared"]);
  s.applyLog(state, log(6, "OK", "ALARM", T + 5));
  assert.equal(state.loops.size, 2);
  s.applyJournal(state, row(`${T + 6}-0`, "triggered", { run_id: "r2", alarm_seq: 6 }));
  assert.deepEqual(s.latest(state).map((l) => l.rows.length), [1, 0]);
});

/** @type {[string, any[], string, string][]} */
const OUTCOMES = [
  ["no policy", [], "open", "No action"],
  ["suppressed", [row("3-0", "triggered"), row("4-0", "suppressed", { text: "cooldown until 03:00" })], "suppressed", "Suppressed"],
  ["observed", [row("3-0", "observed")], "observed", "Observed"],
  ["failed", [row("3-0", "triggered"), row("4-0", "call"), row("5-0", "failed", { text: "409" })], "failed", "Not healed"],
  ["again after a failure", [row("3-0", "failed"), row("4-0", "triggered", { run_id: "r2" }), row("5-0", "call", { run_id: "r2" })], "acting", "Acting"],
  ["refused after a failure", [row("3-0", "failed"), row("4-0", "suppressed", { run_id: "r2" })], "failed", "Not healed"],
  ["verifying", [row("3-0", "call"), row("4-0", "verifying")], "acting", "Verifying"],
  ["waits for an acknowledgement", [row("3-0", "step"), row("4-0", "waiting")], "acting", "Waiting"],
  ["proposed", [row("3-0", "proposed")], "open", "Approve?"],
  ["suggested", [row("3-0", "suggested")], "open", "Suggested"],
  ["approved", [row("3-0", "proposed"), row("4-0", "approved"), row("5-0", "triggered")], "acting", "Acting"],
  ["rejected", [row("3-0", "proposed"), row("4-0", "rejected")], "suppressed", "Rejected"],
  ["expired", [row("3-0", "proposed"), row("4-0", "expired")], "open", "Expired"],
  ["aborted", [row("3-0", "triggered"), row("4-0", "call"), row("5-0", "aborted")], "failed", "Aborted"],
];
for (const [name, rows, code, word] of OUTCOMES) {
  test(`outcome: ${name}`, () => {
    const loop = only(after(log(2, "OK", "ALARM", 1), ...rows));
    const o = outcome(loop, 100_000);
    assert.deepEqual([o.code, o.word], [code, word]);
  });
}
test("stages: what may still be approved is not over", () => {
  const state = after(log(2, "OK", "ALARM", 1), row("3-0", "proposed"));
  const states = () => stages(only(state)).map((g) => g.state);
  assert.deepEqual(states(), ["done", "now", "wait", "wait", "wait"]);
  s.applyJournal(state, row("4-0", "expired"));
  assert.deepEqual(states(), ["done", "done", "skipped", "wait", "skipped"]);
});
test("outcome: cleared without an action, and after a failed one", () => {
  assert.equal(outcome(only(after(log(2, "OK", "ALARM", 1), log(3, "ALARM", "OK", 500))), 1000).word, "Self-cleared");
  const o = outcome(only(after(log(2, "OK", "ALARM", 1), row("3-0", "call"), row("4-0", "failed"), log(3, "ALARM", "OK", 500))), 1000);
  assert.equal(o.code, "selfclear");
  assert.equal(outcome(only(after(log(2, "OK", "ALARM", 1), log(3, "ALARM", "ALARM", 2, {}, "deleted"))), 9).code, "gone");
});

test("repeated polls and failed runs are folded", () => {
  const polls = Array.from({ length: 20 }, (_, i) => [row(`${10 + i}-0`, "call", { text: "GET x" }), row(`${10 + i}-1`, "answer", { text: "PROCESSING" })]).flat();
  const list = steps(only(after(log(2, "OK", "ALARM", 1), ...polls)));
  assert.deepEqual(list.map((p) => [p.kind, p.count]), [["raised", 1], ["call", 20], ["answer", 20]]);
  const runs = Array.from({ length: 5 }, (_, i) => [row(`${100 + i}-0`, "triggered", { run_id: `x${i}` }), row(`${100 + i}-1`, "failed", { run_id: `x${i}`, text: "no" })]).flat();
  assert.deepEqual(steps(only(after(log(2, "OK", "ALARM", 1), ...runs))).map((p) => [p.kind, p.count]), [["raised", 1], ["failed", 4], ["triggered", 1], ["failed", 1]]);
});

test("growth has ceilings", () => {
  const state = s.empty();
  for (let i = 0; i < 3000; i++) s.applyLog(state, log(i + 2, i % 2 ? "ALARM" : "OK", i % 2 ? "OK" : "ALARM", T + i, { id: `a${i % 40 >> 1}` }));
  assert.ok(state.loops.size <= s.LIMITS.loops);
  for (let i = 0; i < 2000; i++) s.applyJournal(state, row(`${T + i}-0`, "call", { run_id: "long", alarm_id: "a1", alarm_seq: 4000 }));
  const loop = /** @type {import("../../src/types").Loop} */ (state.by_run.get("long"));
  assert.ok(loop.rows.length <= s.LIMITS.rows && loop.row_ids.size === loop.rows.length && loop.cut === 2000 + 0 - loop.rows.length);
  assert.ok([...state.by_alarm.values()].every((l) => l.length <= s.LIMITS.perAlarm));
});

test("filter words", () => {
  const a = alarm({ state: "ALARM", group: { vnf_id: "v1", Host: "H1" } });
  for (const yes of ["", "dns", "DNS v1", "state:alarm", "severity:critical|high", "vnf_id=v1", "host:h1", "-state:ok", "name:vnfc", "service=dns"]) assert.equal(compile(yes)(a), true, yes);
  for (const no of ["zzz", "state:ok", "-dns", "vnf_id=v2", "severity:low", "constructor:x"]) assert.equal(compile(no)(a), false, no);
});

test("order and counts", () => {
  const list = [alarm({ id: "ok" }), alarm({ id: "low", state: "ALARM", severity: "LOW" }), alarm({ id: "old", state: "ALARM" }), alarm({ id: "new", state: "ALARM", state_updated_ms: 2000 }), alarm({ id: "u", state: "UNDETERMINED" })];
  assert.deepEqual(list.sort(order).map((a) => a.id), ["new", "old", "low", "u", "ok"]);
  assert.deepEqual(count(list), { states: { ALARM: 3, UNDETERMINED: 1, OK: 1 }, severities: { CRITICAL: 2, HIGH: 0, MEDIUM: 0, LOW: 1 } });
});
