// SPDX-License-Identifier: Apache-2.0
// Alarm log records and journal rows as docs/formats has them, for unit tests and the stand-in server.
/** @typedef {import("../../src/types").LogRecord} LogRecord */

const SUB = (/** @type {number} */ value, /** @type {string} */ state) => ({
  sub_alarm_expression: { function: "LAST", metric_name: "dns.success_perc", dimensions: { service: "dns" }, operator: "LT", threshold: 50, period: 60, periods: 1, deterministic: false },
  sub_alarm_state: state, current_values: [value],
});

/** An alarm record. @param {Partial<import("../../src/types").Alarm>} [over] @returns {import("../../src/types").Alarm} */
export function alarm(over = {}) {
  const state = over.state ?? "OK";
  const group = over.group ?? { vnf_id: "v", vnfc_id: "c1" };
  return {
    id: "a1", source: "metric", definition_id: "d1", definition_name: "dns-vnfc-down", description: "A DNS server does not answer", severity: "CRITICAL",
    group, metrics: [{ name: "dns.success_perc", dimensions: { service: "dns", ...group } }], state,
    reason: `reason of ${state}`, sub_alarms: [SUB(state === "ALARM" ? 0 : 100, state)], lifecycle_state: null, link: null,
    created_ms: 1000, updated_ms: 1000, state_updated_ms: 1000, seq: 1, ...over,
  };
}

/** An alarm log record. @param {number} seq @param {string} old_state @param {string} state @param {number} time_ms @param {Partial<import("../../src/types").Alarm>} [over] @returns {LogRecord} */
export function log(seq, old_state, state, time_ms, over = {}, kind = /** @type {LogRecord["kind"]} */ (seq === 1 ? "created" : "transition")) {
  return {
    seq, kind, time_ms, old_state, alarm: alarm({ state, seq, updated_ms: time_ms, state_updated_ms: time_ms, ...over }),
    evidence: { definition_version: 1, expression: "last(dns.success_perc{service=dns}) < 50", subs: [{ sub: 0, expression: "last(dns.success_perc{service=dns}) < 50.0", state, values: [state === "ALARM" ? 0 : 100] }] },
    accepted_us: time_ms * 1000 - 800, decided_us: time_ms * 1000 - 300, logged_us: time_ms * 1000,
  };
}

/** A journal row. @param {string} id @param {string} kind @param {Partial<import("../../src/types").JournalRow>} [over] @returns {import("../../src/types").JournalRow} */
export function row(id, kind, over = {}) {
  return {
    id, time_ms: Number(id.split("-")[0]), kind, run_id: "r1", policy: "heal", mode: "auto", alarm_id: "a1", alarm_name: "dns-vnfc-down", alarm_seq: 2,
    target: "vnf/v/c1", step: kind === "call" || kind === "answer" ? 0 : -1, step_type: "", attempt: 1, text: `text of ${kind}`, detail: {}, ...over,
  };
}

/** A whole healed loop: created, raised at t, acted on, cleared, verified. @param {number} t */
export const healed = (t) => ({
  log: [log(1, "OK", "OK", t - 5000), log(2, "OK", "ALARM", t), log(3, "ALARM", "OK", t + 170)],
  journal: [row(`${t + 1}-0`, "triggered"), row(`${t + 2}-0`, "call", { text: "POST http://vnfm:1/vnflcm/v2/heal" }), row(`${t + 60}-0`, "answer", { detail: { status: 202 } }), row(`${t + 150}-0`, "verifying"), row(`${t + 171}-0`, "verified")],
});

/** A run as GET /v1/runs lists it: a proposal. @param {string} id @param {Partial<import("../../src/types").Run>} [over] @returns {import("../../src/types").Run} */
export const run = (id, over = {}) => ({
  id, policy: "heal", mode: "approve", alarm_id: "a1", alarm_name: "dns-vnfc-down", alarm_seq: 2, target: "vnf/v/c1", state: "proposed", step: 0, born_us: Date.now() * 1000,
  step_us: 0, expires_us: (Date.now() + 600_000) * 1000, steps: [{ name: "tell", type: "webhook", what: "POST http://127.0.0.1/hook" }, { name: "1", type: "nova", what: "evacuate host=compute-1" }], ...over,
});

/** A dead letter. @param {string} id @param {Partial<import("../../src/types").Letter>} [over] @returns {import("../../src/types").Letter} */
export const letter = (id, over = {}) => ({
  id, recipient: "subscriber/noc", name: "noc", reason: "refused", detail: "answered 422", alarm_id: "a1", alarm_name: "dns-vnfc-down", state: "ALARM", severity: "CRITICAL",
  died_ms: Date.now() - 60_000, tries: 1, ...over,
});
