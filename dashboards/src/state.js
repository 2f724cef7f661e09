// SPDX-License-Identifier: Apache-2.0
// What the page knows: alarms and loops, built from alarm log records and journal rows. A snapshot
// is loaded first (see load), then live events are applied in order; what the snapshot already has
// is skipped by position. All growth has a ceiling, as the page runs for weeks.
/**
 * @typedef {import("./types").State} State
 * @typedef {import("./types").Alarm} Alarm
 * @typedef {import("./types").Loop} Loop
 * @typedef {import("./types").LogRecord} LogRecord
 * @typedef {import("./types").JournalRow} JournalRow
 */
import { common } from "./format.js";

export const LIMITS = { loops: 1000, rows: 400, changes: 50, perAlarm: 100, alarms: 50_000 };

/** @returns {State} */
export const empty = () => ({
  alarms: new Map(), last: new Map(), loops: new Map(), by_alarm: new Map(), by_run: new Map(),
  seq: 0, journal_id: "0-0", loaded: false,
});

/** Order of two Redis stream ids "ms-n". @param {string} a @param {string} b */
export function compareIds(a, b) {
  const [am, an] = a.split("-").map(Number);
  const [bm, bn] = b.split("-").map(Number);
  return am - bm || (an || 0) - (bn || 0);
}

/** Position "seq.journal id" of the live stream in its parts, or null. @param {string} id */
export function parsePosition(id) {
  const m = /^(\d+)\.(\d+-\d+)$/.exec(id);
  return m ? { seq: Number(m[1]), journal: m[2] } : null;
}

/** An alarm of GET /v2.0/alarms in the form of Hale's own records; what Monasca does not tell is null or empty. @param {any} a @returns {Alarm} */
export function fromMonasca(a) {
  const ms = (/** @type {string} */ t) => Date.parse(t) || 0;
  return {
    id: a.id, definition_id: a.alarm_definition.id, definition_name: a.alarm_definition.name, description: "",
    severity: a.alarm_definition.severity, group: null, state: a.state, reason: "", sub_alarms: null,
    metrics: (a.metrics ?? []).map((/** @type {any} */ m) => ({ name: m.name, dimensions: m.dimensions ?? {} })),
    lifecycle_state: a.lifecycle_state ?? null, link: a.link ?? null, created_ms: ms(a.created_timestamp),
    updated_ms: ms(a.updated_timestamp), state_updated_ms: ms(a.state_updated_timestamp), seq: 0,
  };
}

/** Dimensions that say which object the alarm is about. @param {{group: Record<string, string> | null, metrics: {dimensions: Record<string, string>}[]}} alarm */
export const objectOf = (alarm) =>
  alarm.group && Object.keys(alarm.group).length > 0 ? alarm.group : common(alarm.metrics);

/**
 * A new state from a snapshot. `alarms` must have been read before `log` and `journal`: then every
 * change that `alarms` misses stands in `log` and applying all of `log` ends in the truth.
 * @param {{alarms: any[], log: LogRecord[], journal: JournalRow[]}} snapshot
 */
export function load(snapshot) {
  const s = empty();
  for (const a of snapshot.alarms.slice(0, LIMITS.alarms)) s.alarms.set(a.id, fromMonasca(a));
  for (const record of snapshot.log) applyLog(s, record);
  for (const row of snapshot.journal) applyJournal(s, row);
  s.loaded = true;
  return s;
}

/** Applies one alarm log record. False: it was known already. @param {State} s @param {LogRecord} record */
export function applyLog(s, record) {
  if (record.seq <= s.seq) return false;
  s.seq = record.seq;
  const { alarm } = record;
  if (record.kind === "deleted") {
    s.alarms.delete(alarm.id);
    s.last.delete(alarm.id);
    const open = openLoop(s, alarm.id);
    if (open) close(open, record);
    return true;
  }
  if (!s.alarms.has(alarm.id) && s.alarms.size >= LIMITS.alarms) return true;
  s.alarms.set(alarm.id, alarm);
  if (record.kind !== "updated" || !s.last.has(alarm.id)) s.last.set(alarm.id, record);
  const raised = alarm.state === "ALARM" && (record.kind === "created" || (record.kind === "transition" && record.old_state !== "ALARM"));
  const open = openLoop(s, alarm.id);
  if (raised) {
    const loop = s.loops.get(`${alarm.id}:${record.seq}`) ?? (open && open.raised === null ? open : null);
    if (open && open !== loop) {
      // ALARM → UNDETERMINED → ALARM is one trouble, not two.
      note(open, record);
      open.severity = alarm.severity;
    } else {
      raise(loop ?? addLoop(s, alarm, record.seq), record);
    }
  } else if (open && record.kind === "transition") {
    if (alarm.state === "OK") close(open, record);
    else note(open, record);
  }
  return true;
}

/** Applies one journal row of the live stream or of a snapshot. False: it was known already. @param {State} s @param {JournalRow} row */
export function applyJournal(s, row) {
  if (compareIds(row.id, s.journal_id) <= 0) return false;
  s.journal_id = row.id;
  return addRow(s, row);
}

/** Adds a row in its place, whatever its age (rows read back for one alarm). Rows that stand alone (a switch, a latch) are in no loop. False: known already. @param {State} s @param {JournalRow} row */
export function addRow(s, row) {
  if (row.run_id === "" || row.alarm_id === "") return true;
  const loop = s.by_run.get(row.run_id) ?? loopFor(s, row);
  if (loop.row_ids.has(row.id)) return false;
  s.by_run.set(row.run_id, loop);
  loop.row_ids.add(row.id);
  loop.rows.push(row);
  const n = loop.rows.length;
  if (n > 1 && compareIds(loop.rows[n - 2].id, row.id) > 0) loop.rows.sort((a, b) => compareIds(a.id, b.id));
  if (n > LIMITS.rows) {
    // The beginning tells why, the end how it went: the middle goes.
    const [gone] = loop.rows.splice(20, 1);
    loop.row_ids.delete(gone.id);
    loop.cut++;
  }
  return true;
}

/** Loops of an alarm, oldest first. @param {State} s @param {string} id */
export const loopsOf = (s, id) => s.by_alarm.get(id) ?? [];

/** All loops, the latest first. @param {State} s */
export const latest = (s) => [...s.loops.values()].sort((a, b) => startOf(b) - startOf(a));

/** When a loop began, as far as known. @param {Loop} loop */
export const startOf = (loop) => loop.raised_ms ?? loop.rows[0]?.time_ms ?? 0;

/** @param {State} s @param {string} id */
function openLoop(s, id) {
  const loop = s.by_alarm.get(id)?.at(-1);
  return loop && loop.cleared === null ? loop : null;
}

/** The loop a run belongs to: the last one of its alarm that had begun at its trigger. @param {State} s @param {JournalRow} row */
function loopFor(s, row) {
  const list = loopsOf(s, row.alarm_id);
  for (let i = list.length - 1; i >= 0; i--) if (list[i].raised_seq <= row.alarm_seq) return list[i];
  const alarm = s.alarms.get(row.alarm_id);
  return addLoop(s, {
    id: row.alarm_id, definition_name: row.alarm_name, severity: alarm?.severity ?? "", group: alarm ? objectOf(alarm) : {},
    metrics: [],
  }, row.alarm_seq);
}

/** @param {State} s @param {{id: string, definition_name: string, severity: string, group: Record<string, string> | null, metrics: any[]}} alarm @param {number} seq @returns {Loop} */
function addLoop(s, alarm, seq) {
  /** @type {Loop} */
  const loop = {
    key: `${alarm.id}:${seq}`, alarm_id: alarm.id, name: alarm.definition_name, severity: alarm.severity,
    object: objectOf(alarm), raised_ms: null, raised_seq: seq, raised: null, cleared: null, cleared_ms: null,
    changes: [], rows: [], row_ids: new Set(), cut: 0,
  };
  s.loops.set(loop.key, loop);
  const list = s.by_alarm.get(alarm.id) ?? [];
  list.push(loop);
  list.sort((a, b) => a.raised_seq - b.raised_seq);
  s.by_alarm.set(alarm.id, list);
  if (list.length > LIMITS.perAlarm) drop(s, list[0]);
  if (s.loops.size > LIMITS.loops) drop(s, leastTelling(s, loop));
  return loop;
}

/** What goes when there are too many: the oldest loop without an action, so that a flood of alarms does not hide what Hale did. @param {State} s @param {Loop} keep */
function leastTelling(s, keep) {
  for (const loop of s.loops.values()) if (loop.rows.length === 0 && loop !== keep) return loop;
  return /** @type {Loop} */ (s.loops.values().next().value);
}

/** @param {State} s @param {Loop} loop */
function drop(s, loop) {
  s.loops.delete(loop.key);
  const list = (s.by_alarm.get(loop.alarm_id) ?? []).filter((l) => l !== loop);
  if (list.length > 0) s.by_alarm.set(loop.alarm_id, list);
  else s.by_alarm.delete(loop.alarm_id);
  for (const row of loop.rows) s.by_run.delete(row.run_id);
}

/** @param {Loop} loop @param {LogRecord} record */
function raise(loop, record) {
  loop.raised = record;
  loop.raised_ms = record.time_ms;
  loop.severity = record.alarm.severity;
  loop.name = record.alarm.definition_name;
  loop.object = objectOf(record.alarm);
}

/** @param {Loop} loop @param {LogRecord} record */
function close(loop, record) {
  loop.cleared = record;
  loop.cleared_ms = record.time_ms;
}

/** @param {Loop} loop @param {LogRecord} record */
function note(loop, record) {
  loop.changes.push(record);
  if (loop.changes.length > LIMITS.changes) loop.changes.shift();
}
