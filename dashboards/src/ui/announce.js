// SPDX-License-Identifier: Apache-2.0
// Words for screen readers: new critical alarms at once, ends of loops and the connection politely.
import { dims, plain } from "../format.js";
import { outcome } from "../loops.js";
import { objectOf } from "../state.js";
import { $, put } from "./dom.js";

let phase = "";
let count = 0;

/** The same words twice must be heard twice: an invisible difference. @param {string} id @param {string} text */
const say = (id, text) => put($(id), text + (count++ % 2 ? "\u00a0" : ""));

export const announce = {
  /** @param {import("../types").LogRecord} record */
  alarm(record) {
    const { alarm, kind, old_state } = record;
    const raised = alarm.state === "ALARM" && (kind === "created" || (kind === "transition" && old_state !== "ALARM"));
    if (raised && alarm.severity === "CRITICAL") say("announce-now", `Critical alarm: ${alarm.definition_name}, ${dims(objectOf(alarm))}. ${alarm.reason}`);
  },
  /** @param {import("../types").JournalRow} row @param {import("../types").State} state */
  action(row, state) {
    if (row.kind === "proposed") say("announce", `Approval wanted: ${row.policy} on ${row.target}.`);
    if (row.kind === "switched") say("announce", `${plain(row.text)}.`);
    if (row.kind !== "verified" && row.kind !== "failed") return;
    const loop = state.by_run.get(row.run_id);
    if (loop) say("announce", `${loop.name}, ${dims(loop.object)}: ${outcome(loop, row.time_ms).word}. ${plain(row.text)}`);
  },
  /** What became of a decision made here. @param {string} text */
  words: (text) => say("announce", text),
  /** @param {import("../types").Connection} c */
  connection(c) {
    if (c.phase === phase) return;
    const words = { live: "Live updates are on.", reconnecting: "Connection lost. The data shown is stale.", refused: "The token was refused.", connecting: "" };
    if (phase !== "" || c.phase !== "live") say("announce", words[c.phase]);
    phase = c.phase;
  },
};
