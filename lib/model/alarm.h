/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_ALARM_H
#define HALE_MODEL_ALARM_H
/*
 * alarm - the records that rooms exchange about alarms, as C values with JSON codecs
 * (docs/formats/alarm.md). Unknown keys are ignored on decode; missing required ones are
 * HALE_E_INVAL. Decoded values own their strings and json_t references; free with the _fini.
 * Threads: values.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "model/definition.h"
#include "model/expr.h"

/*
 * sub-alarm record: thresholds -> correlator, stream hale_keys_subalarms.
 * A sub-alarm is (definition, index of sub-expression, group). group holds those match_by keys
 * that the series have, with their values: {"hostname":"h1"}; {} when there is no match_by.
 *   {"v":1,"kind":"create"|"metric"|"state","definition_id":s,"definition_version":n,"sub":n,
 *    "group":{k:v},"state":"OK","at_ms":n,"values":[x],"window":{"start_ms":n,"end_ms":n},
 *    "metrics":[{"name":s,"dimensions":{}}],"accepted_us":n,"decided_us":n,
 *    "severity":s?,"since_ms":n?,"missing":b?,
 *    "learning":b?}
 * create: first series of the sub-alarm seen; state is the birth state (UNDETERMINED, or OK when
 *   deterministic), metrics has that series. metric: one more series joined (metrics = the new
 *   one). state: the sub-alarm reports a state (first report after creation included); values are
 *   the slot values it was decided on, oldest first; metrics is [].
 * operands (absent: none): what the newest of the values was calculated of, in the order of the
 *   expression.
 * accepted_us: acceptance of the deciding sample (0: decided by a timer).
 * severity: of the level that an ALARM has reached, if any. since_ms: the first decision for the
 *   state, when `for` delayed it. missing: on_missing decided, as there was no data.
 */
enum hale_sub_kind { HALE_SUB_CREATE, HALE_SUB_METRIC, HALE_SUB_STATE };
struct hale_sub_record {
    enum hale_sub_kind kind;
    char *definition_id;
    int64_t definition_version;
    unsigned sub;
    json_t *group; /* object string -> string */
    enum hale_state state;
    int64_t at_ms;    /* logical time of the decision */
    json_t *values;   /* array of reals */
    json_t *operands; /* the same, or NULL: none */
    int64_t window_start_ms, window_end_ms;
    json_t *metrics; /* array of {"name","dimensions"} */
    int64_t accepted_us, decided_us;
    int severity;     /* enum hale_severity; -1: none */
    int64_t since_ms; /* 0: none */
    bool missing, learning;
};
HALE_MUST_CHECK enum hale_rc hale_sub_record_encode(const struct hale_sub_record *r,
                                                    struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc hale_sub_record_decode(struct hale_str json,
                                                    struct hale_sub_record *out);
void hale_sub_record_fini(struct hale_sub_record *r);

/*
 * fault event: collector -> correlator, stream hale_keys_events.
 *   {"v":1,"tenant":s,"type":s,"time_ms":n,"severity":"CRITICAL","status":"raise"|"clear",
 *    "dimensions":{k:v},"details":{...},"expires_ms":n,"accepted_us":n}
 * The alarm it raises is identified by (tenant, type, dimensions).
 */
struct hale_event {
    char *tenant;
    char *type;
    int64_t time_ms;
    enum hale_severity severity;
    bool clear;
    json_t *dimensions; /* object string -> string */
    json_t *details;    /* object, free form */
    int64_t expires_ms; /* raise: clears by itself at this time of the stream; 0: never */
    int64_t accepted_us;
};
HALE_MUST_CHECK enum hale_rc hale_event_encode(const struct hale_event *e,
                                               struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc hale_event_decode(struct hale_str json,
                                               struct hale_event *out);
void hale_event_fini(struct hale_event *e);

/*
 * alarm: its current record, hash hale_keys_alarms (field = id).
 *   {"v":1,"id":uuid,"tenant":s,"source":"metric"|"event","definition_id":s,
 *    "definition_name":s,"description":s,"severity":s,"actions_enabled":b,"group":{},
 *    "metrics":[{"name","dimensions"}],"state":s,"reason":s,"sub_alarms":[...],
 *    "lifecycle_state":s|null,"link":s|null,"life":{...}?,"created_ms":n,"updated_ms":n,
 *    "state_updated_ms":n,"seq":n}
 * Event alarms: definition_id = "event:" + type, definition_name = type, group = the event's
 * dimensions, metrics = [{"name": type, "dimensions": dimensions}], sub_alarms = [].
 * sub_alarms (Monasca's shape): [{"sub_alarm_expression":{"function","metric_name","dimensions",
 *   "operator","threshold","period","periods","deterministic"},"sub_alarm_state",
 *   "current_values":[]}]
 * life: what people and other alarms have done to it; a key that has its default is absent:
 *   "phase":"pending"|"clearing"          waits: the state is not yet what it is about to be,
 *   "phase_until_ms":n                    until then
 *   "announced":state                     the state that those outside were told last (default OK)
 *   "suppressed_by":[{"kind":"cause"|"hold"|"silence"|"maintenance"|"shelve"|"flap"|"storm",
 *                     "id":s,"since_ms":n,"until_ms":n?,"text":s?}]
 *                                         why nobody is told; id: of the cause's alarm, of the
 *                                         silence, of the window; until_ms absent: as long as that
 *   "surfaced":s                          announced late, by the end of this ("silence <id>")
 *   "ack":{"by":s,"at_ms":n,"text":s,"severity":s,"until_ms":n?}, "owner":s, "comments":[{"by","at_ms","text"}],
 *   "shelved":{"by":s,"at_ms":n,"until_ms":n,"text":s}
 *   "flap":{"score":x,"times":[ms],"since_ms":n?,"first_ms":n?,"changes":n?}   since_ms: while
 *                                         it is flapping
 *   "entity":{"type":s,"id":s}            that it is about, in the topology
 *   "impact":"down"|"degraded"            what its ALARM says of the entity
 *   "onset_ms":n                          when it became live last (docs/formats/causes.md)
 *   "causes":[alarm id], "caused_ms":n, "root_entity":{"type","id"}, "path":[ref]   kept after the cause has
 *                                         cleared, until the next onset of this alarm
 *   "cause_ended_ms":n                    when it cleared, while it still mutes
 *   "root_cause":true, "symptoms":n, "correlated":[alarm id]   it explains n others: the first 1000
 * seq: the alarm log's sequence number of the last change.
 */
struct hale_alarm {
    char *id, *tenant;
    bool from_event;
    char *definition_id, *definition_name, *description;
    enum hale_severity severity;
    bool actions_enabled;
    json_t *group;
    json_t *metrics;
    enum hale_state state;
    char *reason;
    json_t *sub_alarms;
    char *lifecycle_state, *link; /* NULL = null */
    json_t *life;                 /* object; NULL or empty: nothing */
    int64_t created_ms, updated_ms, state_updated_ms;
    int64_t seq;
};
HALE_MUST_CHECK enum hale_rc hale_alarm_encode(const struct hale_alarm *a,
                                               struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc hale_alarm_decode(struct hale_str json,
                                               struct hale_alarm *out);
void hale_alarm_fini(struct hale_alarm *a);

/*
 * alarm log record: correlator -> everybody, stream hale_keys_alarmlog. The stream entry's id is
 * "<seq>-0": seq counts 1, 2, 3 ... without gaps, so writing a record twice is refused by Redis.
 *   {"v":1,"seq":n,"kind":"created"|"transition"|"updated"|"deleted","time_ms":n,
 *    "old_state":s,"announce":b,"op":s?,"by":s?,
 *    "alarm":{the alarm record after the change},"evidence":{...},
 *    "accepted_us":n,"decided_us":n,"logged_us":n}
 * created is not a transition (Monasca): old_state = state. updated: severity, metrics, lifecycle
 * or link changed, an event alarm was refreshed, or something of life changed. deleted: alarm is
 * the last record.
 * announce: those outside (subscribers, methods, policies) are to be told the alarm's state now;
 *   absent: as kind is transition. A transition of a suppressed alarm has false; when the
 *   suppression ends and the state is still another than was announced, an updated record has true;
 *   whoever was told of the ALARM is told of its end, suppressed or not.
 * op: what was done, for updated records: "ack", "unack", "assign", "comment", "shelve", "unshelve",
 *   "silence", "maintenance", "cause", "hold", "flap", "storm" (added or ended: see life).
 * by: who, as the API knew them; absent: Hale itself.
 * evidence: metric alarms {"definition_version":n,"expression":s,"subs":[{"sub":n,
 *   "expression":text,"state":s,"values":[],"window":{"start_ms","end_ms"},"group":{}}]};
 *   event alarms {"event":{type,time_ms,status,details}}, status raise, clear or expired.
 * Stamps in wall microseconds: accepted_us (sample or event accepted by the collector; 0 when a
 * timer decided), decided_us (thresholds; for events = accepted_us), logged_us (correlator).
 */
enum hale_log_kind {
    HALE_ALARM_CREATED,
    HALE_ALARM_TRANSITION,
    HALE_ALARM_UPDATED,
    HALE_ALARM_DELETED
};
struct hale_log_record {
    int64_t seq;
    enum hale_log_kind kind;
    int64_t time_ms;
    enum hale_state old_state;
    bool announce;
    char *op, *by; /* NULL: none */
    struct hale_alarm alarm;
    json_t *evidence;
    int64_t accepted_us, decided_us, logged_us;
};
HALE_MUST_CHECK enum hale_rc hale_log_record_encode(const struct hale_log_record *r,
                                                    struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc hale_log_record_decode(struct hale_str json,
                                                    struct hale_log_record *out);
void hale_log_record_fini(struct hale_log_record *r);

/*
 * control record: collector -> thresholds, correlator, actuator; stream hale_keys_control.
 *   {"v":1,"op":"definition","id":uuid}               created, changed or deleted: read the hash
 *   {"v":1,"op":"alarm-delete","id":uuid,"definition_id":s,"group":{}}
 *   {"v":1,"op":"alarm-patch","id":uuid,"state":s?,"lifecycle_state":s?,"link":s?}
 *   {"v":1,"op":"method","id":uuid}         a notification method: for the actuator only
 *   {"v":1,"op":"alarm-op","id":uuid,"action":"ack"|"unack"|"assign"|"comment"|"shelve"|"unshelve",
 *    "by":s,"at_ms":n,"text":s?,"owner":s?,"until_ms":n?}
 *   {"v":1,"op":"silence","id":uuid}        created, changed or expired: read the hash
 *   {"v":1,"op":"maintenance","id":uuid}    the same for maintenance windows
 * and for the actuator only:
 *   {"v":1,"op":"verdict","id":run id}      somebody decided about a run: read hale:{m}:verdicts
 *   {"v":1,"op":"switch","id":field}        a kill switch changed: read hale:{m}:switches
 *   {"v":1,"op":"aodh","id":uuid}           an event alarm of Aodh's form changed: read hale:{m}:aodh
 *   {"v":1,"op":"upkeep","id":session}      somebody said something about a session, or it says something itself:
 *                                           read hale:{m}:upkeep:said, hale:{m}:upkeep:says
 *   {"v":1,"op":"dead-letter","id":s}       letters are to be sent again: read hale:{m}:replays
 */
enum hale_control_op {
    HALE_CONTROL_DEFINITION,
    HALE_CONTROL_ALARM_DELETE,
    HALE_CONTROL_ALARM_PATCH,
    HALE_CONTROL_METHOD,
    HALE_CONTROL_ALARM_OP,
    HALE_CONTROL_SILENCE,
    HALE_CONTROL_MAINTENANCE,
    HALE_CONTROL_VERDICT,
    HALE_CONTROL_SWITCH,
    HALE_CONTROL_AODH,
    HALE_CONTROL_DEAD_LETTER,
    HALE_CONTROL_UPKEEP
};
enum hale_alarm_op {
    HALE_OP_ACK,
    HALE_OP_UNACK,
    HALE_OP_ASSIGN,
    HALE_OP_COMMENT,
    HALE_OP_SHELVE,
    HALE_OP_UNSHELVE
};
const char *hale_alarm_op_text(enum hale_alarm_op op); /* "ack" ... */
/* HALE_E_INVAL: none of them. */
HALE_MUST_CHECK enum hale_rc hale_alarm_op_parse(struct hale_str text,
                                                 enum hale_alarm_op *out);
struct hale_control {
    enum hale_control_op op;
    char *id;
    char *definition_id;                  /* alarm-delete, else NULL */
    json_t *group;                        /* alarm-delete, else NULL */
    char *state, *lifecycle_state, *link; /* alarm-patch; NULL = keep */
    enum hale_alarm_op action;            /* alarm-op, and the following */
    char *by, *text, *owner;              /* by: required; the others NULL: none */
    int64_t at_ms, until_ms;              /* until_ms 0: no end */
};
HALE_MUST_CHECK enum hale_rc hale_control_encode(const struct hale_control *c,
                                                 struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc hale_control_decode(struct hale_str json,
                                                 struct hale_control *out);
void hale_control_fini(struct hale_control *c);
#endif
