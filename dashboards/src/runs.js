// SPDX-License-Identifier: Apache-2.0
// Runs that wait for a person, kill switches, guards' verdicts: what they mean, in words. Pure functions.
/**
 * @typedef {import("./types").Run} Run
 * @typedef {import("./types").Waiting} Waiting
 * @typedef {import("./types").GuardVerdict} GuardVerdict
 * @typedef {import("./types").JournalRow} JournalRow
 * @typedef {"approve" | "reject" | "acknowledge" | "abort"} Verb
 * @typedef {{text: string, over: boolean}} Refusal over: nothing is left to decide
 */
import { clock, plain } from "./format.js";

/** Rows that may bring a run into the queue. */
const ARRIVALS = ["proposed", "suggested", "waiting"];

/** @type {Record<Verb, string>} */
export const PAST = { approve: "approved", reject: "rejected", acknowledge: "acknowledged", abort: "aborted" };

/** What a person may say to a run, the answer it waits for first. @param {Waiting} w @returns {Verb[]} */
export const verbs = (w) => (w.kind === "held" ? ["acknowledge", "abort"] : ["approve", "reject"]);

/** The same run may wait again at a later step: a decision is about this time only. @param {Run} run */
export const questionOf = (run) => `${run.id}:${run.step}:${run.state === "proposed" ? "proposal" : "ack"}`;

/**
 * What waits for a person, most urgent first: runs under way that are held, then proposals by the time left, then suggestions.
 * @param {Run[]} runs @param {Map<string, string>} said what is known of a decision, by question @param {number} now @returns {Waiting[]}
 */
export function waiting(runs, said, now) {
  /** @type {Waiting[]} */
  const list = [];
  for (const run of runs) {
    const proposed = run.state === "proposed";
    if (!proposed && !(run.held === true && run.state !== "done")) continue;
    const rest = run.steps?.[run.step]?.timeout_ms;
    const until = proposed ? (run.expires_us ? run.expires_us / 1000 : null) : rest && run.step_us ? run.step_us / 1000 + rest : null;
    if (proposed && until !== null && until <= now) continue;
    const kind = !proposed ? "held" : run.mode === "suggest" ? "suggested" : "proposed";
    list.push({ run, kind, until_ms: until, since_ms: (proposed ? run.born_us : run.step_us || run.born_us) / 1000, said: said.get(questionOf(run)) ?? "" });
  }
  const rank = (/** @type {Waiting} */ w) => ["held", "proposed", "suggested"].indexOf(w.kind);
  return list.sort((a, b) => rank(a) - rank(b) || (a.until_ms ?? a.since_ms) - (b.until_ms ?? b.since_ms) || (a.run.id < b.run.id ? -1 : 1));
}

/** Whether this row can change the queue that holds these runs. @param {JournalRow} row @param {Run[]} runs */
export const matters = (row, runs) => ARRIVALS.includes(row.kind) || runs.some((r) => r.id === row.run_id);

/** Steps of a run as a person reads them; a held run: those that are still to come. @param {Waiting} w */
export function calls(w) {
  const steps = w.run.steps ?? [];
  return (w.kind === "held" ? steps.slice(w.run.step + 1) : steps).map((s) => ({ name: /^\d+$/.test(s.name) ? "" : s.name, what: s.what || s.type }));
}

/** Why this page may not decide now, or "". @param {string[] | null} roles null: not known @param {boolean} live */
export function hindrance(roles, live) {
  if (!live) return "Not connected: what waits may be decided already.";
  if (roles === null) return "What this token may do is not known yet.";
  return roles.includes("operator") ? "" : "This token may only look: deciding needs the role operator.";
}

/** A refused decision in plain words. @param {{status: number, message: string}} e @param {Verb} verb @returns {Refusal} */
export function refusal(e, verb) {
  const sentence = (/** @type {string} */ t) => `${t.charAt(0).toUpperCase()}${t.slice(1)}${/[.!?]$/.test(t) ? "" : "."}`;
  switch (e.status) {
    case 409: {
      const first = /^already (\w+) by (.+?) at (\d{4}-\d\d-\d\dT[\d:.]+Z)/.exec(e.message);
      if (first) return { over: true, text: `${first[2]} ${first[1]} it first, at ${clock(Date.parse(first[3]))}.` };
      return { over: true, text: `Too late: ${e.message.trim()}.` };
    }
    case 410: return { over: true, text: "Expired: nobody decided in time. Nothing was called." };
    case 404: return { over: true, text: "This run is no longer kept." };
    case 401: case 403: return { over: false, text: `This token may not ${verb}: that needs the role operator.` };
    case 0: return { over: false, text: `${sentence(e.message)} It is not known whether your word counted. Saying it again is safe: the first word counts.` };
    default: return { over: false, text: sentence(e.message) };
  }
}

/** How a run left the queue while somebody looked at it, from its rows; "" when they do not say. @param {JournalRow[]} rows */
export function decidedWords(rows) {
  const row = rows.filter((r) => ["approved", "rejected", "acknowledged", "aborted", "expired"].includes(r.kind)).at(-1);
  if (!row) return "";
  if (row.kind === "expired") return "Expired: nobody decided in time. Nothing was called.";
  const by = typeof row.detail?.by === "string" && row.detail.by !== "" ? row.detail.by : "Somebody";
  return `${by} ${row.kind} it first, at ${clock(row.time_ms)}.`;
}

/** What the guards said when they were asked last, or null. @param {JournalRow[]} rows @returns {{row: JournalRow, list: GuardVerdict[]} | null} */
export function guardsOf(rows) {
  for (let i = rows.length - 1; i >= 0; i--) {
    const given = rows[i].detail?.guards;
    if (!Array.isArray(given)) continue;
    const list = given.filter((g) => g && typeof g.guard === "string").map((g) => ({ guard: g.guard, allowed: g.allowed === true, text: typeof g.text === "string" ? plain(g.text, rows[i].time_ms) : "" }));
    if (list.length > 0) return { row: rows[i], list };
  }
  return null;
}

/** What each guard asks, in words: its name is for those who write policies. @type {Record<string, string>} */
const GUARDS = {
  switch: "no kill switch is on", maintenance: "no maintenance window", parent_alarmed: "what it stands on has no alarm", lease: "nobody else acts on the target",
  cooldown: "the target has rested", frequency: "not too often", blackout: "no change freeze", hours: "the hours are right", data_fresh: "the data are fresh",
  flap_budget: "it does not flap", in_topology: "the target exists", limit: "not too many at once", fleet: "the fleet bears it", policy: "the policy is there", variable: "all variables are known",
};
/** @param {string} guard */
export const guardWords = (guard) => GUARDS[guard] ?? "";

/** What people said to a run, as they said it. @param {JournalRow[]} rows @returns {{row: JournalRow, by: string, comment: string}[]} */
export function saidTo(rows) {
  return rows.filter((r) => ["approved", "rejected", "acknowledged", "aborted"].includes(r.kind) && typeof r.detail?.by === "string" && r.detail.by !== "")
    .map((row) => ({ row, by: String(row.detail.by), comment: typeof row.detail.comment === "string" ? row.detail.comment : "" }));
}

/** What a kill switch stops, in words. @param {string} scope */
export function scopeWords(scope) {
  if (scope === "all") return "every policy";
  const [kind, ...name] = scope.split("/");
  return `${kind} ${name.join("/")}`;
}

/** May this token turn a switch? @param {string} scope @param {string[] | null} roles */
export const mayFlip = (scope, roles) =>
  roles !== null && roles.includes("operator") && (scope.startsWith("policy/") || roles.includes("delegate"));

/** Policies that spoke in these rows, in the order of their first word. @param {JournalRow[]} rows */
export const policiesOf = (rows) => [...new Set(rows.map((r) => r.policy))].filter((p) => p !== "" && p !== "*");
