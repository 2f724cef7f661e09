// SPDX-License-Identifier: Apache-2.0
// The filter box: words that must all be found; key:value or key=value looks in one field; - negates.
/** @typedef {import("./types").Alarm} Alarm */
import { objectOf } from "./state.js";

/** @type {Record<string, (a: Alarm) => string>} */
const FIELDS = {
  state: (a) => a.state, severity: (a) => a.severity, sev: (a) => a.severity, name: (a) => a.definition_name,
  definition: (a) => a.definition_name, id: (a) => a.id, reason: (a) => a.reason, lifecycle: (a) => a.lifecycle_state ?? "",
};

/** @param {Alarm} a */
function haystack(a) {
  const dims = Object.entries(objectOf(a)).map(([k, v]) => `${k}=${v}`);
  return [a.definition_name, a.severity, a.state, a.reason, a.id, ...dims].join("\n").toLowerCase();
}

/** A test for the text of the filter box. @param {string} text @returns {(a: Alarm) => boolean} */
export function compile(text) {
  const tests = text.trim().split(/\s+/).filter((w) => w !== "" && w !== "-").map((word) => {
    const not = word.startsWith("-");
    const w = (not ? word.slice(1) : word).toLowerCase();
    const m = /^([\w.-]+)[:=](.+)$/.exec(w);
    const test = m ? field(m[1], m[2]) : (/** @type {Alarm} */ a) => haystack(a).includes(w);
    return (/** @type {Alarm} */ a) => test(a) !== not;
  });
  return (a) => tests.every((t) => t(a));
}

/** @param {string} key @param {string} value @returns {(a: Alarm) => boolean} */
function field(key, value) {
  const wanted = value.split("|");
  const known = Object.hasOwn(FIELDS, key) ? FIELDS[key] : null;
  return (a) => {
    const text = (known ? known(a) : dimension(a, key)).toLowerCase();
    return wanted.some((v) => v !== "" && text.includes(v));
  };
}

/** @param {Alarm} a @param {string} key */
function dimension(a, key) {
  const o = objectOf(a);
  const found = Object.keys(o).find((k) => k.toLowerCase() === key);
  if (found) return o[found];
  return a.metrics.map((m) => m.dimensions[Object.keys(m.dimensions).find((k) => k.toLowerCase() === key) ?? ""] ?? "").join("\n");
}

const STATE = { ALARM: 0, UNDETERMINED: 1, OK: 2 };
const SEVERITY = { CRITICAL: 0, HIGH: 1, MEDIUM: 2, LOW: 3 };
const rank = (/** @type {Record<string, number>} */ of, /** @type {string} */ k) => of[k] ?? 9;

/** What needs a person first: ALARM by severity, the newest first; then no data; then OK by last change. @param {Alarm} a @param {Alarm} b */
export const order = (a, b) =>
  rank(STATE, a.state) - rank(STATE, b.state) ||
  (a.state === "OK" ? 0 : rank(SEVERITY, a.severity) - rank(SEVERITY, b.severity)) ||
  b.state_updated_ms - a.state_updated_ms || (a.id < b.id ? -1 : 1);

/** Counts for the header. @param {Iterable<Alarm>} alarms */
export function count(alarms) {
  /** @type {Record<string, number>} */
  const states = { ALARM: 0, UNDETERMINED: 0, OK: 0 };
  /** @type {Record<string, number>} */
  const severities = { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0 };
  for (const a of alarms) {
    states[a.state] = (states[a.state] ?? 0) + 1;
    if (a.state === "ALARM") severities[a.severity] = (severities[a.severity] ?? 0) + 1;
  }
  return { states, severities };
}
