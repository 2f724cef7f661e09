// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import * as r from "../../src/runs.js";
import * as s from "../../src/state.js";
import { row, run } from "../support/records.mjs";

const NOW = 1_800_000_000_000;
const at = (/** @type {number} */ s) => (NOW + s * 1000) * 1000;

test("the queue: what is held first, then by the time left, suggestions last; what is over is not in it", () => {
  const runs = [
    run("later", { expires_us: at(600) }), run("soon", { expires_us: at(5) }), run("idea", { mode: "suggest", expires_us: at(1) }), run("past", { expires_us: at(0) }),
    run("held", { state: "open", held: true, step: 1, step_us: at(-60) }), run("busy", { state: "open" }), run("done", { state: "done", held: true }),
  ];
  const list = r.waiting(runs, new Map([["soon:0:proposal", "approved by anna"]]), NOW);
  assert.deepEqual(list.map((w) => [w.run.id, w.kind]), [["held", "held"], ["soon", "proposed"], ["later", "proposed"], ["idea", "suggested"]]);
  assert.deepEqual(list.map((w) => w.said), ["", "approved by anna", "", ""]);
  assert.deepEqual(list.map((w) => w.until_ms), [null, NOW + 5000, NOW + 600_000, NOW + 1000]);
  assert.equal(list[0].since_ms, NOW - 60_000);
  assert.deepEqual(list.map(r.verbs), [["acknowledge", "abort"], ["approve", "reject"], ["approve", "reject"], ["approve", "reject"]]);
});

test("until when a held run waits; it stays in the queue when that is over", () => {
  const steps = [{ name: "consent", type: "wait", what: "", timeout_ms: 1_800_000 }];
  const list = r.waiting([run("h", { state: "open", held: true, step: 0, step_us: at(-60), steps }), run("late", { state: "open", held: true, step: 0, step_us: at(-3600), steps })], new Map(), NOW);
  assert.deepEqual(list.map((w) => [w.run.id, w.until_ms]), [["late", NOW - 1_800_000], ["h", NOW + 1_740_000]]);
});

test("what people said to a run, and what guards ask", () => {
  const rows = [row("1-0", "proposed"), row("2-0", "approved", { detail: { by: "anna", comment: "go" } }), row("3-0", "aborted", { detail: { by: "bert" } }), row("4-0", "rejected")];
  assert.deepEqual(r.saidTo(rows).map(({ row: { id }, by, comment }) => [id, by, comment]), [["2-0", "anna", "go"], ["3-0", "bert", ""]]);
  assert.match(r.guardWords("cooldown"), /rested/);
  assert.equal(r.guardWords("new_one"), "");
  const asked = r.guardsOf([row("5-0", "suppressed", { detail: { guards: [{ guard: "cooldown", allowed: false, text: "the target rests after a run: not before 90000 ms from now" }] } })]);
  assert.match(asked?.list[0].text ?? "", /not before \d\d:\d\d:\d\d$/);
});

test("what would be called; of a held run what is still to come", () => {
  const [proposed] = r.waiting([run("p", { expires_us: at(9) })], new Map(), NOW);
  assert.deepEqual(r.calls(proposed), [{ name: "tell", what: "POST http://127.0.0.1/hook" }, { name: "", what: "evacuate host=compute-1" }]);
  const [held] = r.waiting([run("h", { state: "open", held: true, step: 0 })], new Map(), NOW);
  assert.deepEqual(r.calls(held).map((c) => c.what), ["evacuate host=compute-1"]);
});

test("rows that matter to the queue", () => {
  for (const kind of ["proposed", "suggested", "waiting"]) assert.equal(r.matters(row("1-0", kind, { run_id: "new" }), []), true, kind);
  assert.equal(r.matters(row("1-0", "approved", { run_id: "p" }), [run("p")]), true);
  for (const kind of ["call", "answer", "verified", "approved"]) assert.equal(r.matters(row("1-0", kind, { run_id: "other" }), [run("p")]), false, kind);
});

test("who may decide", () => {
  assert.equal(r.hindrance(["operator"], true), "");
  assert.match(r.hindrance(["read-only"], true), /role operator/);
  assert.match(r.hindrance(null, true), /not known yet/);
  assert.match(r.hindrance(["operator"], false), /Not connected/);
  assert.equal(r.mayFlip("policy/heal", ["operator"]), true);
  for (const scope of ["all", "site/berlin"]) assert.deepEqual([r.mayFlip(scope, ["operator"]), r.mayFlip(scope, ["operator", "delegate"])], [false, true]);
  assert.equal(r.mayFlip("policy/heal", ["read-only", "delegate"]), false);
  assert.equal(r.mayFlip("policy/heal", null), false);
});

/** @type {[number, string, RegExp, boolean][]} */
const REFUSALS = [
  [409, "already approved by anna at 2026-11-22T00:40:00.123Z", /^anna approved it first, at \d\d:\d\d:\d\d\.$/, true],
  [409, "already rejected by anna at work at 2026-11-22T00:40:00Z; the run is done rejected", /^anna at work rejected it first, at/, true],
  [409, "the run is done verified: approve is too late", /^Too late: the run is done verified/, true],
  [410, "the proposal has expired: nobody decided in time", /^Expired: nobody decided in time/, true],
  [404, "no such run", /no longer kept/, true],
  [401, "the token does not have the role", /may not approve.*role operator/, false],
  [0, "no answer in time", /^No answer in time\. It is not known.*again is safe/, false],
  [503, "the store does not answer; look before you repeat", /^The store does not answer; look before you repeat\.$/, false],
];
for (const [status, message, words, over] of REFUSALS) {
  test(`refused: ${status} ${message}`, () => {
    const got = r.refusal({ status, message }, "approve");
    assert.match(got.text, words);
    assert.equal(got.over, over);
  });
}

test("who decided, from the rows", () => {
  assert.equal(r.decidedWords([row("1-0", "proposed")]), "");
  assert.match(r.decidedWords([row("1-0", "proposed"), row("2-0", "rejected", { detail: { by: "anna" } })]), /^anna rejected it first, at/);
  assert.match(r.decidedWords([row("2-0", "aborted")]), /^Somebody aborted it first/);
  assert.match(r.decidedWords([row("2-0", "expired")]), /^Expired/);
});

test("guards: the latest answers count; what is not one is left out", () => {
  assert.equal(r.guardsOf([row("1-0", "call"), row("2-0", "failed", { detail: { guards: "no" } })]), null);
  const asked = r.guardsOf([
    row("1-0", "proposed", { detail: { guards: [{ guard: "old", allowed: true }] } }),
    row("2-0", "triggered", { detail: { guards: [{ guard: "hours", allowed: true }, { guard: "switch", allowed: false, text: "stopped" }, null, { allowed: true }] } }), row("3-0", "call"),
  ]);
  assert.equal(asked?.row.id, "2-0");
  assert.deepEqual(asked?.list, [{ guard: "hours", allowed: true, text: "" }, { guard: "switch", allowed: false, text: "stopped" }]);
});

test("words of switches and policies of a loop", () => {
  assert.deepEqual(["all", "site/berlin", "policy/heal"].map(r.scopeWords), ["every policy", "site berlin", "policy heal"]);
  assert.deepEqual(r.policiesOf([row("1-0", "call"), row("2-0", "call", { policy: "b" }), row("3-0", "call"), row("4-0", "switched", { policy: "*" })]), ["heal", "b"]);
});

test("rows that stand alone are in no loop", () => {
  const state = s.empty();
  assert.equal(s.applyJournal(state, row("5-0", "switched", { run_id: "", alarm_id: "", policy: "*" })), true);
  assert.equal(state.loops.size, 0);
  assert.equal(state.journal_id, "5-0");
});
