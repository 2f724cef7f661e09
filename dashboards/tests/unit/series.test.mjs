// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { backoff, TIMING } from "../../src/live.js";
import * as s from "../../src/series.js";
import { alarm } from "../support/records.mjs";

const two = alarm({ state: "ALARM", metrics: ["c1", "c2"].map((vnfc_id) => ({ name: "dns.success_perc", dimensions: { service: "dns", vnf_id: "v", vnfc_id } })) });

test("what is asked for", () => {
  const [p] = s.plan(two);
  assert.equal(p.title, "last(dns.success_perc) < 50");
  const query = new URLSearchParams(s.path(p, 0, 60_000).split("?")[1]);
  assert.deepEqual(Object.fromEntries(query), { name: "dns.success_perc", group_by: "*", dimensions: "service:dns,vnf_id:v", start_time: "1970-01-01T00:00:00.000Z", end_time: "1970-01-01T00:01:00.000Z" });
});

test("sum and count are drawn as sums per period", () => {
  const a = structuredClone(two);
  Object.assign((a.sub_alarms ?? [])[0].sub_alarm_expression, { function: "SUM", period: 60 });
  const [p] = s.plan(a);
  const query = new URLSearchParams(s.path(p, 90_000, 180_000).split("?")[1]);
  assert.deepEqual([query.get("statistics"), query.get("period"), query.get("start_time")], ["sum", "60", "1970-01-01T00:01:00.000Z"]);
  assert.match(s.path(p, 0, 1), /^\/v2.0\/metrics\/statistics\?/);
});

test("no series, no chart; characters of the query's grammar are not sent", () => {
  assert.deepEqual(s.plan(alarm({ metrics: [] })), []);
  assert.deepEqual(s.plan(alarm({ sub_alarms: null })), []);
  const odd = alarm({ metrics: [{ name: "dns.success_perc", dimensions: { service: "dns", a: "x|y", "b:c": "1", d: "p,q" } }] });
  assert.equal(s.plan(odd)[0].query.dimensions, "service:dns");
});

test("only the alarm's own series are read", () => {
  const [p] = s.plan(two);
  const element = (/** @type {Record<string, string>} */ dimensions, /** @type {number} */ v) => ({ dimensions, measurements: [["1970-01-01T00:00:01.000Z", v, {}], ["1970-01-01T00:00:02.000Z", v + 1, {}]] });
  const read = s.read(p, { elements: [element({ vnfc_id: "c1", vnf_id: "v", service: "dns" }, 5), element({ vnfc_id: "c3", vnf_id: "v", service: "dns" }, 9)] });
  assert.deepEqual(read.map((r) => [r.label, r.points]), [["vnfc_id=c1", [[1000, 5], [2000, 6]]], ["vnfc_id=c2", []]]);
});

test("newer points replace the tail; old ones go", () => {
  const series = (/** @type {[number, number][]} */ points) => [{ dims: {}, label: "", points }];
  assert.deepEqual(s.merge(series([[1, 1], [2, 2], [3, 3]]), series([[3, 30], [4, 4]]), 3, 2)[0].points, [[2, 2], [3, 30], [4, 4]]);
});

test("columns: a silence is a gap, different times are none", () => {
  const a = { dims: {}, label: "a", points: /** @type {[number, number][]} */ ([[1000, 1], [2000, 2], [9000, 3]]) };
  const b = { dims: {}, label: "b", points: /** @type {[number, number][]} */ ([[1500, 5], [2500, 6]]) };
  const { xs, ys } = s.columns([a, b], 4000);
  assert.deepEqual(xs, [1, 1.5, 2, 2.001, 2.5, 9]);
  assert.deepEqual(ys, [[1, undefined, 2, null, undefined, 3], [undefined, 5, undefined, undefined, 6, undefined]]);
  assert.equal(s.usualGap([a, b]), 5000);
});

test("the reason in few words", () => {
  assert.equal(s.brief(two), "dns.success_perc 0 < 50");
  assert.equal(s.brief(alarm(), true), "dns.success_perc was 100 (alarm: < 50)");
  assert.equal(s.brief(alarm({ sub_alarms: [], reason: "an event" })), "an event");
});

test("pauses double, stay below the maximum and spread", () => {
  assert.deepEqual([0, 1, 2].map((n) => backoff(n, () => 0)), [250, 500, 1000]);
  assert.deepEqual([0, 1, 2].map((n) => backoff(n, () => 1)), [500, 1000, 2000]);
  assert.equal(backoff(1000, () => 1), TIMING.max_ms);
});
