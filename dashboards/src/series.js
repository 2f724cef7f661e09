// SPDX-License-Identifier: Apache-2.0
// The series behind an alarm: which charts it has, what to ask for, answers as columns for a chart.
/**
 * @typedef {import("./types").Alarm} Alarm
 * @typedef {import("./types").SubExpression} SubExpression
 * @typedef {import("./types").Metric} Metric
 * @typedef {{dims: Record<string, string>, label: string, points: [number, number][]}} Series points: Unix ms, value
 * @typedef {{sub: SubExpression, metrics: Metric[], title: string, bucket: boolean, query: Record<string, string>}} Plan
 */
import { common, operator, pairs, value } from "./format.js";

/** More lines than this in one chart cannot be told apart. */
export const MAX_SERIES = 8;

/** Whether these dimensions contain the wanted ones. @param {Record<string, string>} have @param {Record<string, string>} want */
const contains = (have, want) => Object.entries(want).every(([k, v]) => have[k] === v);

/** "last(dns.success_perc) < 50". @param {SubExpression} s */
export function describe(s) {
  const period = s.period && s.function !== "LAST" ? `, ${s.period} s` : "";
  const times = s.periods > 1 ? ` for ${s.periods} periods` : "";
  return `${s.function.toLowerCase()}(${s.metric_name}${period}) ${operator(s.operator)} ${value(s.threshold)}${times}`;
}

/**
 * The reason in few words, from the values the state rests on: "dns.load 10 < 15" while it is raised, else
 * "dns.load 40 (alarm: < 15)". Without values (events, alarms set by hand) the reason as it was given.
 * @param {Alarm} alarm @param {boolean} [past] the words stand where the present is told: "dns.load was 40 ..."
 */
export function brief(alarm, past = false) {
  const subs = alarm.sub_alarms ?? [];
  const shown = alarm.state === "ALARM" ? subs.filter((s) => s.sub_alarm_state === "ALARM") : subs;
  const words = shown.filter((s) => s.current_values?.length > 0).map(({ sub_alarm_expression: e, current_values: v, sub_alarm_state: state }) => {
    const what = e.function === "LAST" ? e.metric_name : `${e.function.toLowerCase()}(${e.metric_name})`;
    const limit = `${operator(e.operator)} ${value(e.threshold)}`;
    return `${what} ${past && alarm.state !== "ALARM" ? "was " : ""}${value(v.at(-1))} ${state === "ALARM" ? limit : `(alarm: ${limit})`}`;
  });
  return words.length > 0 && alarm.state !== "UNDETERMINED" ? words.join(" · ") : alarm.reason;
}

/** The charts of an alarm, one per comparison that has series. @param {Alarm} alarm @returns {Plan[]} */
export function plan(alarm) {
  /** @type {Plan[]} */
  const out = [];
  for (const { sub_alarm_expression: sub } of alarm.sub_alarms ?? []) {
    const metrics = alarm.metrics.filter((m) => m.name === sub.metric_name && contains(m.dimensions, sub.dimensions));
    if (metrics.length === 0) continue;
    // What is asked for: dimensions all the series share. Characters that mean something in the query are left out.
    const shared = Object.entries(common(metrics)).filter(([k, v]) => !/[,:|]/.test(k) && !/[,|]/.test(v));
    const dimensions = shared.map(([k, v]) => `${k}:${v}`).join(",");
    const bucket = sub.function === "SUM" || sub.function === "COUNT";
    out.push({
      sub, metrics: metrics.slice(0, MAX_SERIES), title: describe(sub), bucket,
      query: { name: sub.metric_name, group_by: "*", ...(dimensions ? { dimensions } : {}) },
    });
  }
  return out;
}

/** Path of the request for a plan's data in [from, to). sum() and count() are compared as sums per period, so these are asked for. @param {Plan} p @param {number} from @param {number} to */
export function path(p, from, to) {
  const query = new URLSearchParams({ ...p.query, end_time: new Date(to).toISOString() });
  if (p.bucket) {
    const step = Math.max(1, p.sub.period) * 1000;
    query.set("start_time", new Date(Math.floor(from / step) * step).toISOString());
    query.set("statistics", p.sub.function.toLowerCase());
    query.set("period", String(step / 1000));
    return `/v2.0/metrics/statistics?${query}`;
  }
  query.set("start_time", new Date(from).toISOString());
  return `/v2.0/metrics/measurements?${query}`;
}

/** What distinguishes each series from the others of the chart. @param {Metric[]} metrics */
export function labels(metrics) {
  const shared = common(metrics);
  return metrics.map((m) => {
    const own = pairs(m.dimensions).filter(([k]) => !(k in shared));
    return (own.length > 0 ? own : pairs(m.dimensions)).map(([k, v]) => `${k}=${v}`).join(" ") || m.name;
  });
}

/** An answer's elements as series of the plan: the alarm's own series and no others. @param {Plan} p @param {any} answer @returns {Series[]} */
export function read(p, answer) {
  const key = (/** @type {Record<string, string>} */ d) => JSON.stringify(Object.entries(d).sort());
  /** @type {Map<string, [number, number][]>} */
  const found = new Map();
  for (const e of answer.elements ?? []) {
    /** @type {any[][]} */
    const rows = e.measurements ?? e.statistics ?? [];
    const k = key(e.dimensions ?? {});
    const points = found.get(k) ?? [];
    for (const [t, v] of rows) if (typeof v === "number") points.push([Date.parse(t), v]);
    found.set(k, points);
  }
  const names = labels(p.metrics);
  return p.metrics.map((m, i) => ({ dims: m.dimensions, label: names[i], points: found.get(key(m.dimensions)) ?? [] }));
}

/** Joins newer points to older ones: the newer answer wins from its first time on; what is older than `from` goes. @param {Series[]} old @param {Series[]} fresh @param {number} since first time the fresh answer covers @param {number} from */
export function merge(old, fresh, since, from) {
  return fresh.map((f, i) => ({
    ...f, points: [...(old[i]?.points ?? []).filter(([t]) => t >= from && t < since), ...f.points.filter(([t]) => t >= from)],
  }));
}

/** Columns for the chart: common times (s), one column of values per series; null where a series has a gap, undefined where it only has no sample at that time. @param {Series[]} series @param {number} gap_ms silence longer than this is a gap */
export function columns(series, gap_ms) {
  const times = [...new Set(series.flatMap((s) => s.points.map(([t]) => t)))].sort((a, b) => a - b);
  const extra = new Set(times);
  for (const s of series) {
    for (let i = 1; i < s.points.length; i++) {
      if (s.points[i][0] - s.points[i - 1][0] > gap_ms) extra.add(s.points[i - 1][0] + 1);
    }
  }
  const xs = [...extra].sort((a, b) => a - b);
  const at = new Map(xs.map((t, i) => [t, i]));
  const ys = series.map((s) => {
    /** @type {(number | null | undefined)[]} */
    const column = new Array(xs.length).fill(undefined);
    s.points.forEach(([t, v], i) => {
      column[/** @type {number} */ (at.get(t))] = v;
      const next = s.points[i + 1];
      if (next && next[0] - t > gap_ms) {
        const hole = /** @type {number} */ (at.get(t + 1));
        if (column[hole] === undefined) column[hole] = null;
      }
    });
    return column;
  });
  return { xs: xs.map((t) => t / 1000), ys };
}

/** Silence that counts as a gap: several times the usual distance of samples. @param {Series[]} series */
export function usualGap(series) {
  /** @type {number[]} */
  const steps = [];
  for (const s of series) for (let i = 1; i < s.points.length; i++) steps.push(s.points[i][0] - s.points[i - 1][0]);
  if (steps.length === 0) return 60_000;
  steps.sort((a, b) => a - b);
  return Math.max(5000, 4 * steps[steps.length >> 1]);
}
