// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import * as f from "../../src/format.js";

/** @type {[string, string, string][]} */
const ROWS = [
  ["age 0", f.age(0), "0 s"], ["age -1", f.age(-5000), "0 s"], ["age 59.9 s", f.age(59_900), "59 s"], ["age 60 s", f.age(60_000), "1 min 00 s"],
  ["age 59:59", f.age(3_599_999), "59 min 59 s"], ["age 2 h 5", f.age(7_500_000), "2 h 05 min"], ["age 4 d", f.age(4 * 86_400_000 + 3 * 3_600_000), "4 d 3 h"], ["age NaN", f.age(NaN), "–"],
  ["span 412", f.span(412), "0.412 s"], ["span 12 s", f.span(12_040), "12.04 s"], ["span 200 s", f.span(200_000), "3 min 20 s"], ["span -5", f.span(-5), "−0.005 s"],
  ["length 1.53 ms", f.length(1.527), "1.53 ms"], ["length 420 ms", f.length(420), "420 ms"], ["length 2.5 s", f.length(2500), "2.5 s"], ["length 90 s", f.length(90_000), "1 min 30 s"],
  ["length 65 s", f.length(65_000), "1 min 5 s"], ["length 30 min", f.length(1_800_000), "30 min"], ["length 1 h", f.length(3_600_000), "1 h"], ["length 1 h 30", f.length(5_400_000), "1 h 30 min"],
  ["length 2 d", f.length(2 * 86_400_000), "2 d"], ["length 20 h", f.length(20 * 3_600_000), "20 h"], ["length NaN", f.length(NaN), "–"],
  ["plain", f.plain("up to 1800000 ms for an acknowledgement"), "up to 30 min for an acknowledgement"], ["plain s", f.plain("somebody must approve within 900 s"), "somebody must approve within 15 min"],
  ["plain rest", f.plain("the target rests after a run: not before 90000 ms from now"), "the target rests after a run: not before 1 min 30 s from now"], ["plain nothing", f.plain("5 items, 12 msgs, h1 ms2"), "5 items, 12 msgs, h1 ms2"],
  ["delta 0", f.delta(0), "+0.000 s"], ["delta -1", f.delta(-1), "−0.001 s"],
  ["value 0", f.value(0), "0"], ["value 1/3", f.value(1 / 3), "0.33333"], ["value 40", f.value(39.99983524069301), "40"], ["value 1234567", f.value(1234567), "1\u2009234\u2009567"],
  ["value 1e15", f.value(1e15), "1.000e+15"], ["value 1e-7", f.value(1e-7), "1.000e-7"], ["value null", f.value(null), "–"], ["value -5", f.value(-12345.5), "-12\u2009346"],
  ["operator", f.operator("LTE") + f.operator(">") + f.operator("??"), "≤>??"],
  ["utc", f.utc(Date.UTC(2026, 10, 21, 3, 12, 9, 123)), "2026-11-21 03:12:09.123 UTC"],
  ["dims", f.dims({ zone: "z", vnfc_id: "c", vnf_id: "v" }), "vnf_id=v vnfc_id=c zone=z"],
];
for (const [name, got, want] of ROWS) test(name, () => assert.equal(got, want));

test("local time, with the date only on another day", () => {
  const t = new Date(2026, 10, 21, 3, 2, 1, 7).getTime();
  assert.equal(f.when(t, t + 1000, true), "03:02:01.007");
  assert.equal(f.when(t, t + 86_400_000), "2026-11-21 03:02:01");
});

test("a sentence that says how long also says until when", () => {
  const t = new Date(2026, 10, 21, 3, 2, 1).getTime();
  assert.equal(f.plain("up to 1800000 ms for an acknowledgement", t), "up to 30 min (until 03:32:01) for an acknowledgement");
  assert.equal(f.plain("cooldown: not before 60000 ms from now", t), "cooldown: not before 03:03:01");
});

test("dimensions in common", () => {
  const m = (/** @type {Record<string, string>} */ dimensions) => ({ dimensions });
  assert.deepEqual(f.common([m({ a: "1", b: "2" }), m({ a: "1", b: "3" })]), { a: "1" });
  assert.deepEqual(f.common([]), {});
});
