// SPDX-License-Identifier: Apache-2.0
// Numbers, times and names as people read them. Pure functions.

const pad = (/** @type {number} */ n, width = 2) => String(n).padStart(width, "0");

/** Time span in words of at most two units: "0.412 s", "12 s", "3 min 20 s", "2 h 05 min", "4 d 3 h". @param {number} ms */
export function age(ms) {
  if (!Number.isFinite(ms)) return "–";
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor((s % 3600) / 60))} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Exact span for what Hale measures: "0.412 s", "12.04 s", "3 min 20 s". @param {number} ms */
export function span(ms) {
  if (!Number.isFinite(ms)) return "–";
  const a = Math.abs(ms);
  const sign = ms < 0 ? "−" : "";
  if (a < 10_000) return `${sign}${(a / 1000).toFixed(3)} s`;
  if (a < 60_000) return `${sign}${(a / 1000).toFixed(2)} s`;
  return sign + age(a);
}

/** A length as people say it, nothing cut off that matters: "420 ms", "2.5 s", "90 s" is "1 min 30 s", "30 min", "1 h". @param {number} ms */
export function length(ms) {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(ms < 10_000 ? 2 : 1))} s`;
  return age(ms).replace(/ 0+ (s|min|h)$/, "").replace(/ 0(\d) (s|min)$/, " $1 $2");
}

/**
 * A sentence of Hale's in which lengths are milliseconds, for a person: "up to 1800000 ms" is "up to 30 min".
 * @param {string} text @param {number} [at] when it was said: then it also says until when
 */
export function plain(text, at) {
  const until = (/** @type {string} */ ms) => (at === undefined ? "" : clock(at + Number(ms)));
  return text
    .replace(/\bnot before (\d+) ms from now\b/g, (_, ms) => (at === undefined ? `not before ${length(Number(ms))} from now` : `not before ${until(ms)}`))
    .replace(/\bup to (\d+) ms\b/g, (_, ms) => `up to ${length(Number(ms))}${at === undefined ? "" : ` (until ${until(ms)})`}`)
    .replace(/\bwithin (\d{3,}) s\b/g, (_, s) => `within ${length(Number(s) * 1000)}`)
    .replace(/\b(\d+) ms\b/g, (_, ms) => length(Number(ms)));
}

/** Span with a sign in front: "+0.412 s". @param {number} ms */
export const delta = (ms) => (ms < 0 ? "" : "+") + span(ms);

/** Local time of day "03:12:09", with .mmm when asked for. @param {number} ms */
export function clock(ms, withMs = false) {
  const d = new Date(ms);
  const text = `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  return withMs ? `${text}.${pad(d.getMilliseconds(), 3)}` : text;
}

/** Local time, with the date when it is not today's. @param {number} ms @param {number} now */
export function when(ms, now, withMs = false) {
  const d = new Date(ms);
  const n = new Date(now);
  const same = d.getFullYear() === n.getFullYear() && d.getMonth() === n.getMonth() && d.getDate() === n.getDate();
  const day = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  return same ? clock(ms, withMs) : `${day} ${clock(ms, withMs)}`;
}

/** UTC in full, for tooltips: "2026-11-21 03:12:09.123 UTC". @param {number} ms */
export function utc(ms) {
  if (!Number.isFinite(ms)) return "";
  return `${new Date(ms).toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

/** A measured value: at most 5 significant digits, thousands apart by thin spaces. @param {number | null | undefined} v */
export function value(v) {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  const a = Math.abs(v);
  if (a !== 0 && (a >= 1e12 || a < 1e-4)) return v.toExponential(3);
  const text = Number.isInteger(v) ? String(v) : String(Number(v.toPrecision(a >= 1e5 ? 8 : 5)));
  const [whole, fraction] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

const OPERATORS = { LT: "<", LTE: "≤", GT: ">", GTE: "≥", "<": "<", "<=": "≤", ">": ">", ">=": "≥" };
/** Sign of a comparison, from Monasca's word or sign. @param {string} op */
export const operator = (op) => OPERATORS[/** @type {keyof typeof OPERATORS} */ (op)] ?? op;

/** The dimensions a person looks for first stand first: the rest by name. */
const FIRST = ["vnf_id", "vnfc_id", "hostname", "service", "component", "device", "interface"];

/** Dimension pairs in reading order. @param {Record<string, string> | null | undefined} dims @returns {[string, string][]} */
export function pairs(dims) {
  const rank = (/** @type {string} */ k) => (FIRST.includes(k) ? FIRST.indexOf(k) : FIRST.length);
  return Object.entries(dims ?? {}).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** "vnf_id=dns-vnf vnfc_id=dns-1". @param {Record<string, string> | null | undefined} dims */
export const dims = (dims) => pairs(dims).map(([k, v]) => `${k}=${v}`).join(" ");

/** Dimensions that all series have in common. @param {{dimensions: Record<string, string>}[]} metrics */
export function common(metrics) {
  /** @type {Record<string, string>} */
  const out = {};
  const [head, ...rest] = metrics;
  for (const [k, v] of Object.entries(head?.dimensions ?? {})) {
    if (rest.every((m) => m.dimensions[k] === v)) out[k] = v;
  }
  return out;
}
