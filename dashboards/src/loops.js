// SPDX-License-Identifier: Apache-2.0
// What a loop means: its outcome in a word, its stages and its steps in order. Pure functions.
/**
 * @typedef {import("./types").Loop} Loop
 * @typedef {import("./types").JournalRow} JournalRow
 * @typedef {import("./types").LogRecord} LogRecord
 * @typedef {{code: string, word: string, text: string}} Outcome
 * @typedef {{t: number, kind: string, word: string, text: string, full: string, policy: string, run: string, count: number}} Step full: the text as it was recorded
 * @typedef {{kind: string, word: string, t: number | null, state: "done" | "now" | "bad" | "skipped" | "wait"}} Stage
 */
import { plain, span } from "./format.js";
import { brief } from "./series.js";

/** A raised alarm without any row after this time has no policy that acts. */
const NO_POLICY_MS = 3000;

/** @type {Record<string, string>} */
export const WORDS = {
  raised: "Raised", triggered: "Decided", suppressed: "Suppressed", observed: "Observed", call: "Call",
  answer: "Answer", verifying: "Verifying", verified: "Verified", failed: "Failed", cleared: "Cleared",
  suggested: "Suggested", proposed: "Proposed", approved: "Approved", rejected: "Rejected", expired: "Expired", step: "Step",
  waiting: "Waiting", acknowledged: "Acknowledged", aborted: "Aborted",
  undetermined: "No data", deleted: "Deleted", switched: "Switched", latched: "Latched", unlatched: "Unlatched",
};

/** What a run is that nobody let act, or that somebody ended. @type {Record<string, Outcome>} */
const UNDONE = {
  suggested: { code: "open", word: "Suggested", text: "" }, proposed: { code: "open", word: "Approve?", text: "" },
  expired: { code: "open", word: "Expired", text: "" }, rejected: { code: "suppressed", word: "Rejected", text: "" },
  aborted: { code: "failed", word: "Aborted", text: "" },
};

/** Rows of each run, in the order of their beginnings. @param {Loop} loop @returns {JournalRow[][]} */
function runsOf(loop) {
  /** @type {Map<string, JournalRow[]>} */
  const runs = new Map();
  for (const row of loop.rows) {
    const list = runs.get(row.run_id);
    if (list) list.push(row);
    else runs.set(row.run_id, [row]);
  }
  return [...runs.values()];
}

/** Rows of the run that counts: the latest one that a guard did not refuse, else the latest. @param {Loop} loop */
export function mainRun(loop) {
  const all = runsOf(loop);
  return all.filter((rows) => rows.at(-1)?.kind !== "suppressed").at(-1) ?? all.at(-1) ?? [];
}

/** What a row says, for a person. @param {JournalRow} row */
const told = (row) => plain(row.text, row.time_ms);

/** How it went or goes, in a word and a sentence. @param {Loop} loop @param {number} now @returns {Outcome} */
export function outcome(loop, now) {
  const rows = mainRun(loop);
  const last = rows.at(-1);
  const from = loop.raised_ms ?? rows[0]?.time_ms ?? now;
  const cleared = loop.cleared;
  const acted = rows.some((r) => r.kind === "call");
  if (cleared?.kind === "deleted") return { code: "gone", word: "Deleted", text: "the alarm was deleted while it was raised" };
  if (last?.kind === "verified" || (cleared && acted && last?.kind !== "failed")) {
    const verified = last?.kind === "verified";
    if (!cleared && !verified) return { code: "acting", word: "Acting", text: last ? told(last) : "" };
    if (cleared && !verified) return { code: "healed", word: "Cleared", text: "the alarm cleared; the verification is under way" };
    const { policy, target } = /** @type {JournalRow} */ (last);
    return { code: "healed", word: "Healed", text: `${policy} acted${target ? ` on ${target}` : ""} and the alarm cleared` };
  }
  if (last?.kind === "failed") {
    if (cleared) return { code: "selfclear", word: "Cleared", text: `the action failed, the alarm cleared all the same: ${told(last)}` };
    const n = runsOf(loop).filter((r) => r.at(-1)?.kind === "failed").length;
    return { code: "failed", word: "Not healed", text: (n > 1 ? `${n} runs failed, the last one: ` : "") + told(last) };
  }
  if (cleared) {
    const why = last?.kind === "suppressed" ? `; the action was suppressed: ${told(last)}` : last?.kind === "observed" ? "; the policy only observes" : "; no action was needed";
    return { code: "selfclear", word: "Self-cleared", text: `after ${span(/** @type {number} */ (loop.cleared_ms) - from)}${why}` };
  }
  if (!last) {
    if (now - from < NO_POLICY_MS) return { code: "acting", word: "Raised", text: "waiting for a decision" };
    return { code: "open", word: "No action", text: "no policy acts on this alarm" };
  }
  if (last.kind === "suppressed") return { code: "suppressed", word: "Suppressed", text: told(last) };
  if (last.kind === "observed") return { code: "observed", word: "Observed", text: told(last) };
  if (last.kind in UNDONE) return { ...UNDONE[last.kind], text: told(last) };
  const failed = runsOf(loop).filter((r) => r !== rows && r.at(-1)?.kind === "failed").length;
  const again = failed > 0 ? `again, after ${failed} run${failed > 1 ? "s" : ""} that failed: ` : "";
  return { code: "acting", word: last.kind === "verifying" || last.kind === "waiting" ? WORDS[last.kind] : "Acting", text: again + rowText(last) };
}

/** The five stages of a loop with the time each was reached. @param {Loop} loop @returns {Stage[]} */
export function stages(loop) {
  const rows = mainRun(loop);
  const at = (/** @type {string} */ kind) => rows.find((r) => r.kind === kind)?.time_ms ?? null;
  const last = rows.at(-1);
  const calls = rows.filter((r) => r.kind === "call");
  const answered = rows.filter((r) => r.kind === "answer").at(-1);
  const undone = last !== undefined && last.kind in UNDONE && last.kind !== "aborted";
  const refused = undone || last?.kind === "suppressed" || last?.kind === "observed";
  const failed = last?.kind === "failed" || last?.kind === "aborted";
  const over = loop.cleared !== null;
  const verified = at("verified");
  const started = last !== undefined;
  // Somebody may still approve it; else nothing more comes.
  const asked = (last?.kind === "proposed" || last?.kind === "suggested") && !over;
  const skipped = (refused && !asked) || (!started && over);
  const stepsDone = at("verifying") !== null || verified !== null;
  /** @type {Stage[]} */
  return [
    { kind: "raised", word: "Raised", t: loop.raised_ms, state: "done" },
    refused
      ? { kind: last.kind, word: WORDS[last.kind], t: last.time_ms, state: last.kind === "suppressed" || last.kind === "rejected" ? "bad" : UNDONE[last.kind] && last.kind !== "expired" ? "now" : "done" }
      : { kind: "triggered", word: "Decided", t: at("triggered"), state: started ? "done" : over ? "skipped" : "wait" },
    {
      kind: "action", word: "Acted", t: answered?.time_ms ?? calls[0]?.time_ms ?? null,
      state: skipped ? "skipped" : failed && !stepsDone ? "bad" : stepsDone ? "done" : calls.length > 0 ? "now" : "wait",
    },
    {
      kind: "cleared", word: "Cleared", t: loop.cleared_ms,
      state: over ? "done" : failed ? "wait" : stepsDone ? "now" : "wait",
    },
    {
      kind: "verified", word: failed ? WORDS[last.kind] : "Verified", t: verified ?? (failed ? last.time_ms : null),
      state: verified !== null ? "done" : failed ? "bad" : skipped ? "skipped" : over && started ? "now" : "wait",
    },
  ];
}

/** All steps in the order of time; repeated polls of an operation are one step with a count. @param {Loop} loop @returns {Step[]} */
export function steps(loop) {
  /** @type {Step[]} */
  const out = [];
  const add = (/** @type {number} */ t, /** @type {string} */ kind, /** @type {string} */ text, full = text, policy = "", run = "") =>
    out.push({ t, kind, word: WORDS[kind] ?? kind, text, full, policy, run, count: 1 });
  const log = (/** @type {LogRecord} */ r, /** @type {string} */ kind) => add(r.time_ms, kind, kind === "deleted" ? "" : brief(r.alarm), r.alarm.reason);
  if (loop.raised) log(loop.raised, "raised");
  for (const c of loop.changes) log(c, c.alarm.state === "ALARM" ? "raised" : "undetermined");
  // Of the runs before the last one only the ends are told: the journal has them in full.
  const runs = runsOf(loop);
  const rows = runs.length > 2 ? runs.flatMap((r, i) => (i < runs.length - 1 ? r.slice(-1) : r)) : loop.rows;
  for (const row of rows) add(row.time_ms, row.kind, rowText(row), row.text, row.policy, row.run_id);
  if (loop.cleared) log(loop.cleared, loop.cleared.kind === "deleted" ? "deleted" : "cleared");
  const rank = (/** @type {Step} */ s) => ["raised", "suggested", "proposed", "approved", "triggered", "suppressed", "observed", "call", "answer", "step", "waiting", "acknowledged", "verifying", "cleared", "verified", "rejected", "expired", "aborted", "failed"].indexOf(s.kind);
  out.sort((a, b) => a.t - b.t || (a.run === b.run && a.run !== "" ? 0 : rank(a) - rank(b)));
  return fold(out);
}

/** Long ids by their beginning; the whole text is in the tooltip and in the journal. @param {string} text */
const shortIds = (text) => text.replace(/\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, "$1…");

/** What a row tells beyond its kind; a trigger repeats the alarm's reason, its target is news. @param {JournalRow} row */
function rowText(row) {
  if (row.kind === "triggered") return row.target ? `acts on ${row.target}` : told(row);
  if (row.kind === "call") return row.text.replace(/^([A-Z]+) https?:\/\/[^/]+/, "$1 ");
  if (row.kind === "answer" && typeof row.detail?.status === "number" && row.detail.status > 0) return `${row.detail.status} · ${shortIds(row.text)}`;
  return shortIds(told(row));
}

/** @param {Step[]} list */
function fold(list) {
  /** @type {Step[]} */
  const out = [];
  for (const step of list) {
    const twin = out.at(-2);
    const last = out.at(-1);
    if (last && last.kind === step.kind && last.text === step.text && last.policy === step.policy && step.run !== "") Object.assign(last, { t: step.t, count: last.count + 1 });
    else if (twin && last && step.kind === "call" && last.kind === "answer" && twin.kind === "call" && twin.text === step.text && twin.run === step.run && step.run !== "") twin.count++;
    else if (last && step.kind === "answer" && last.kind === "answer" && last.run === step.run && step.run !== "") Object.assign(last, { t: step.t, text: step.text, full: step.full, count: last.count + 1 });
    else out.push(step);
  }
  return out;
}

/** Time from the acceptance of the deciding sample to the logged alarm, in ms; null when unknown. @param {import("./types").LogRecord | null} record */
export function reaction(record) {
  const { accepted_us: a = 0, logged_us: l = 0 } = record ?? {};
  return a > 0 && l >= a ? (l - a) / 1000 : null;
}

/** Figures of the feed's heading: outcomes counted, median time to heal. @param {Loop[]} loops @param {number} now */
export function tally(loops, now) {
  let healed = 0, failed = 0, self = 0, open = 0;
  /** @type {number[]} */
  const times = [];
  for (const loop of loops) {
    const { code } = outcome(loop, now);
    if (code === "healed") {
      healed++;
      if (loop.raised_ms !== null && loop.cleared_ms !== null) times.push(loop.cleared_ms - loop.raised_ms);
    } else if (code === "failed") failed++;
    else if (code === "selfclear" || code === "gone") self++;
    else open++;
  }
  times.sort((a, b) => a - b);
  const mid = times.length >> 1;
  const median = times.length === 0 ? null : times.length % 2 ? times[mid] : (times[mid - 1] + times[mid]) / 2;
  return { total: loops.length, healed, failed, self, open, median };
}

/** Times to mark in a chart. @param {Loop[]} loops @returns {{t: number, kind: "raised" | "action" | "cleared"}[]} */
export function marks(loops) {
  /** @type {{t: number, kind: "raised" | "action" | "cleared"}[]} */
  const out = [];
  for (const loop of loops) {
    if (loop.raised_ms !== null) out.push({ t: loop.raised_ms, kind: "raised" });
    /** @type {Set<string>} */
    const seen = new Set();
    for (const row of loop.rows) {
      if (row.kind !== "call" || seen.has(row.run_id)) continue;
      seen.add(row.run_id);
      out.push({ t: row.time_ms, kind: "action" });
    }
    if (loop.cleared_ms !== null) out.push({ t: loop.cleared_ms, kind: "cleared" });
  }
  return out.sort((a, b) => a.t - b.t);
}
