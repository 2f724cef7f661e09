// SPDX-License-Identifier: Apache-2.0
// Shapes the dashboard works on. Times are Unix milliseconds unless a name says _us.

export type Dims = Record<string, string>;
export interface Metric { name: string; dimensions: Dims }
export interface SubExpression {
  function: string; metric_name: string; dimensions: Dims; operator: string; threshold: number;
  period: number; periods: number; deterministic?: boolean;
}
export interface SubAlarm {
  sub_alarm_expression: SubExpression; sub_alarm_state: string; current_values: (number | null)[];
}
export interface Alarm {
  id: string; source?: string; definition_id: string; definition_name: string; description: string;
  severity: string; group: Dims | null; metrics: Metric[]; state: string; reason: string;
  sub_alarms: SubAlarm[] | null; lifecycle_state: string | null; link: string | null;
  created_ms: number; updated_ms: number; state_updated_ms: number; seq: number;
}
export interface Sub { sub: number; expression: string; state: string; values: (number | null)[];
  window?: { start_ms: number; end_ms: number }; group?: Dims }
export interface Evidence { definition_version?: number; expression?: string; subs?: Sub[];
  event?: Record<string, unknown> }
export interface LogRecord {
  seq: number; kind: "created" | "transition" | "updated" | "deleted"; time_ms: number;
  old_state: string; alarm: Alarm; evidence?: Evidence;
  accepted_us?: number; decided_us?: number; logged_us?: number;
}
export interface JournalRow {
  id: string; time_ms: number; kind: string; run_id: string; policy: string; mode: string;
  alarm_id: string; alarm_name: string; alarm_seq: number; target: string; step: number;
  step_type: string; attempt: number; text: string; detail: Record<string, unknown>;
}
/** What happens to one alarm from its raising to its clearing, with the runs it triggered. */
export interface Loop {
  key: string; alarm_id: string; name: string; severity: string; object: Dims;
  raised_ms: number | null; raised_seq: number; raised: LogRecord | null;
  cleared: LogRecord | null; cleared_ms: number | null;
  changes: LogRecord[]; rows: JournalRow[]; row_ids: Set<string>; cut: number;
}
export interface State {
  alarms: Map<string, Alarm>; last: Map<string, LogRecord>;
  loops: Map<string, Loop>; by_alarm: Map<string, Loop[]>; by_run: Map<string, Loop>;
  seq: number; journal_id: string; loaded: boolean;
}
export interface StatusDoc {
  version: string; time_ms: number; tenant: string; roles: string[];
  daemons: Record<string, unknown>; redis: { ok: boolean; used_memory_bytes: number };
  series: number; alarms: Record<string, number>;
}
/** A run as GET /v1/runs lists it. */
export interface Run {
  id: string; policy: string; mode: string; alarm_id: string; alarm_name: string; alarm_seq: number; target: string;
  state: string; step: number; held?: boolean; site?: string; born_us: number; step_us: number; expires_us?: number;
  steps?: { name: string; type: string; what: string; timeout_ms?: number }[];
}
/** A run that waits for a person: to be acknowledged, to be approved, or only suggested. */
export interface Waiting {
  run: Run; kind: "held" | "proposed" | "suggested"; until_ms: number | null; since_ms: number;
  /** What is known of a decision already, or "". */
  said: string;
}
export interface Switch { scope: string; by: string; at_ms: number; reason: string; expires_ms: number }
/** A notification that was given up (docs/formats/deadletter.md). */
export interface Letter {
  id: string; recipient: string; name: string; reason: string; detail: string; alarm_id: string; alarm_name: string;
  state: string; severity: string; died_ms: number; tries: number; replay?: { by: string; at_ms: number };
}
export interface GuardVerdict { guard: string; allowed: boolean; text: string }
export type Phase = "connecting" | "live" | "reconnecting" | "refused";
export interface Connection { phase: Phase; since_ms: number; heard_ms: number; loaded: boolean;
  attempt: number; retry_ms: number; problem: string }
