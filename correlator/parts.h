/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_PARTS_H
#define CORRELATOR_PARTS_H
/*
 * parts - the engine's inside, shared by its files (README.md).
 *
 *   definition 1--n node 1--0..1 alarm        node: one group of the definition
 *   node 1--n sub (own)                       sub-alarms with exactly this group
 *   node n--n sub (bind)                      per sub-expression the sub-alarm that the node uses
 *
 * Memory failures latch in engine.nomem; the public functions turn that into HALE_E_NOMEM.
 */
#include "base/buf.h"
#include "base/id.h"
#include "base/map.h"
#include "correlator/cause.h"
#include "correlator/due.h"
#include "correlator/engine.h"
#include "correlator/gate.h"
#include "correlator/life.h"
#include "correlator/rules.h"
#include "correlator/topology.h"
#include "correlator/window.h"

#define COR_MAGIC 0x636f7265u

#define COR_KEYS_MAX        64    /* match_by keys of one definition: bits of a mask */
#define COR_SIGS_MAX        256   /* distinct key sets of one definition's groups */
#define COR_JOINS_MAX       10000 /* groups made by joining, whole engine */
#define COR_VALUES_MAX      1440  /* values kept of a report */
#define COR_RECORD_MAX      (8u << 20)
#define COR_METRICS_BYTES   (1u << 20) /* of the series shown in one alarm */
#define COR_REASON_MAX      8192
#define COR_METRICS_ROW_MAX 100000 /* highest row number believed */
#define COR_API_REASON      "Alarm state updated via API"
/* An alarm shows this many series of a sub-alarm that it shares with others: each further one
 * would have all those alarms written again. */
#define COR_SHARED_METRICS 16
#define COR_LOG_JOINS_TO   16 /* first series logged singly, then at powers of two */

struct cor_metric {
    uint64_t hash; /* of json */
    char *json;    /* {"dimensions":{...},"name":"..."}, sorted keys */
};

struct cor_sub {
    struct cor_node *node; /* its group */
    unsigned index;        /* of the sub-expression */
    enum hale_state state;
    bool reported; /* has reported a state since it was created */
    bool missing;  /* on_missing of the definition decided, as there was no data */
    bool learning; /* its function needs more history */
    bool stored;   /* its state row was loaded or created, not only a metric row */
    bool dirty;    /* in engine.dirty_subs */
    bool gone;     /* removed; freed by the next flush */
    int severity;  /* enum hale_severity: level of an ALARM; -1: the definition's */
    int64_t at_ms, window_start_ms, window_end_ms, since_ms;
    unsigned n_values;
    unsigned n_operands; /* of the newest value, if it is calculated */
    double *values;      /* oldest first; NaN = empty; n_operands more follow */
    unsigned n_metrics, cap_metrics;
    size_t metric_bytes; /* of their texts */
    unsigned n_written;  /* metrics whose row is in the table */
    unsigned told;       /* metric that its alarms are being told of */
    struct cor_metric *metrics;
    struct cor_sub *next_dirty;
};

struct cor_node {
    struct cor_def *def;
    char *json;    /* canonical group: sorted keys, compact; also the key in def->nodes */
    uint64_t mask; /* keys that the group has, bits as in def->keys */
    char **values; /* def->n_keys entries, NULL where absent */
    bool refused;  /* max_alarms left no room for its alarm */
    bool joined;   /* union of two groups: no series needs to have it whole */
    struct cor_alarm *alarm;
    size_t sig_pos;        /* place in its cor_sig */
    struct cor_sub **own;  /* n_subs */
    struct cor_sub **bind; /* n_subs */
};

struct cor_sig { /* the nodes with one set of keys */
    uint64_t mask;
    size_t n, cap;
    struct cor_node **nodes;
};

struct cor_def {
    struct hale_definition *d;
    unsigned n_keys;
    const char *keys[COR_KEYS_MAX]; /* match_by, sorted, unique; texts of d */
    struct hale_map *nodes;         /* group json -> struct cor_node */
    unsigned n_sigs, cap_sigs;
    struct cor_sig *sigs;
};

/* What only event alarms have. */
struct cor_fault {
    char *tenant;
    char *type;
    char *dims; /* JSON, sorted keys */
    enum hale_severity severity;
    uint64_t details_hash;
    bool deduced;                    /* by rules: cleared when none asks for it */
    bool asked;                      /* since loading; not stored */
    char *evidence;                  /* JSON of the last change's event */
    int64_t changed_ms;              /* event time of the last change */
    struct cor_due expiry;           /* armed while the last event was one that expires */
    int64_t ration_ms;               /* stream time at which the ration window began */
    int64_t ration_used;             /* refreshes logged in it */
    struct cor_alarm *older, *newer; /* engine.cleared, while OK */
};

struct cor_alarm {
    char id[HALE_UUID_TEXT];
    enum hale_state state;
    enum hale_severity severity; /* of a metric alarm: of its last ALARM */
    bool dirty;                  /* in engine.dirty_alarms */
    bool stale;                  /* loaded record differs from its definition */
    bool behind;                 /* loaded record shows other series than the node has */
    bool manual;                 /* state set through the API: sub_alarms are not shown */
    bool gone;                   /* removed; freed by the next flush */
    struct cor_node *node;       /* metric alarm, else NULL */
    struct cor_fault *fault;     /* event alarm, else NULL */
    char *reason;
    char *lifecycle_state, *link; /* NULL = null */
    char *sub_alarms;             /* JSON, of the last log record; NULL: event alarm */
    uint64_t loaded_metrics;      /* hash of the loaded record's; while loading */
    int64_t created_ms, updated_ms, state_updated_ms;
    struct cor_life life;
    struct cor_about about;
    int64_t seq;
    struct cor_alarm *next_dirty;
};

struct correlator_engine {
    unsigned magic;
    struct correlator_limits limits;
    struct correlator_sink sink;
    struct correlator_stats stats;
    struct hale_map *defs;   /* id -> struct cor_def */
    struct hale_map *alarms; /* id -> struct cor_alarm */
    struct hale_map *faults; /* tenant, type, dimensions -> struct cor_alarm */
    struct cor_dues due;     /* by stream time */
    int64_t due_ms;          /* what was due up to then has happened */
    struct cor_windows windows;
    struct hale_map *storms; /* tenant -> struct cor_storm */
    struct cor_storm *dirty_storms;
    const struct cor_alarm *storm_pass; /* has its turn: no further question */
    size_t own_alarms;                  /* of Hale's own events: they need no room */
    bool own_event;                     /* about Hale itself: beyond max_alarms too */
    struct cor_topology *topology;
    struct cor_causes causes;
    struct cor_rules rules;
    size_t n_joined;
    size_t dirty_bytes; /* estimate of what flush writes */
    struct cor_sub *dirty_subs;
    struct cor_alarm *dirty_alarms;
    struct cor_alarm *oldest_cleared, *newest_cleared;
    int64_t seq;
    bool nomem;
    bool loading;
    struct hale_map *unreadable; /* ids of definitions that could not be decoded */
    struct hale_map
        *loading_alarms; /* id -> struct hale_alarm, between load and loaded */
    struct hale_map *loading_faults; /* id -> json_t of the fault row */
    /* the input being handled */
    const struct correlator_input *in;
    int64_t accepted_us, decided_us;
    struct hale_buf scratch; /* short texts: group, row name */
};

/* --- engine.c --- */
/* Latches the failure when p is NULL. Returns p. */
void *cor_got(struct correlator_engine *e, void *p);
char *cor_strdup(struct correlator_engine *e, const char *s);
void cor_checkpoint(struct correlator_engine *e);
/* Before a change that several alarms show at once, but are told of one by one: gives the sink the
 * records that wait, so that a checkpoint among them cannot write the change for an alarm that was
 * not told yet. Such an alarm would look as if it had been when the input is repeated. */
void cor_settle_rows(struct correlator_engine *e);
int64_t cor_now_ms(const struct correlator_engine *e);
/* Time of the input's entry, which a repeated input has again; 0 while loading. */
int64_t cor_stream_ms(const struct correlator_engine *e);
/* Begins an input: who decided and when. */
void cor_begin(struct correlator_engine *e, const struct correlator_input *in,
               int64_t accepted_us, int64_t decided_us);
/* Ends an input: marks causes and symptoms. */
enum hale_rc cor_result(struct correlator_engine *e, enum hale_rc rc);
/* Owns reason; NULL: no memory, latched. */
void cor_transition(struct correlator_engine *e, struct cor_alarm *a, enum hale_state to,
                    char *reason);
void cor_evaluate(struct correlator_engine *e, struct cor_node *n);
/* --- topology_engine.c --- */
bool cor_topology_attach(struct correlator_engine *e); /* false: no memory */
/* --- alarm.c --- */
void cor_free_gone(struct correlator_engine *e); /* and forgets what was dirty */
void cor_alarm_dirty(struct correlator_engine *e, struct cor_alarm *a);
void cor_sub_dirty(struct correlator_engine *e, struct cor_sub *s);
/* Registers a new alarm under its id; NULL (and freed) when memory or the ceiling refuses. */
struct cor_alarm *cor_alarm_new(struct correlator_engine *e, const char *id,
                                enum hale_state state);
void cor_alarm_free(struct cor_alarm *a);
/* Takes it out of all tables; the object lives on until the next flush. */
void cor_alarm_unlink(struct correlator_engine *e, struct cor_alarm *a);
void cor_alarm_set_state(struct correlator_engine *e, struct cor_alarm *a,
                         enum hale_state state);
/* Deletes a metric or event alarm with its log record. */
void cor_alarm_delete(struct correlator_engine *e, struct cor_alarm *a);

/* --- join.c --- */
/* Owns d in every case. NULL: more than COR_KEYS_MAX keys, or no memory (latched). */
struct cor_def *cor_def_new(struct correlator_engine *e, struct hale_definition *d);
void cor_def_free(struct cor_def *def); /* with nodes and sub-alarms, not with alarms */
/* Takes d in place of the definition it has; both must have the same keys. */
void cor_def_replace(struct cor_def *def, struct hale_definition *d);
bool cor_def_same_keys(const struct hale_definition *a, const struct hale_definition *b);
/* values[COR_KEYS_MAX] by def->keys, borrowed from group; HALE_E_INVAL for foreign keys. */
enum hale_rc cor_group_read(const struct cor_def *def, json_t *group,
                            const char **values);
struct cor_node *cor_node_find(struct correlator_engine *e, const struct cor_def *def,
                               const char *const *values);
/* Finds or makes the node of the group. NULL at a ceiling or without memory. */
struct cor_node *cor_node_make(struct correlator_engine *e, struct cor_def *def,
                               const char *const *values);
/* New sub-alarm of node, bound wherever it fits best. NULL at a ceiling or without memory. */
struct cor_sub *cor_sub_new(struct correlator_engine *e, struct cor_node *node,
                            unsigned index);
/* Unbinds it everywhere, deletes its rows and frees it (at the next flush if it is dirty). */
void cor_sub_remove(struct correlator_engine *e, struct cor_sub *s);
void cor_sub_free_gone(struct cor_sub *s);
/* By group, so that the order of log records does not depend on the past. */
void cor_nodes_sort(struct cor_node **nodes, size_t n);
/* Calls each for every node that uses s, by group. each must not add or remove nodes. */
void cor_sub_each_node(struct correlator_engine *e, struct cor_sub *s,
                       void (*each)(struct correlator_engine *e, struct cor_node *n,
                                    struct cor_sub *s));
bool cor_node_complete(const struct cor_node *n);
/* At most so many nodes use the sub-alarms of node; at least 1, node itself. */
size_t cor_node_containers(const struct cor_node *node);
/* Frees n if nothing needs it any more. */
void cor_node_release(struct correlator_engine *e, struct cor_node *n);

/* --- record.c --- */
/* Next seq, log record to the sink, alarm dirty. */
void cor_emit(struct correlator_engine *e, struct cor_alarm *a, enum hale_log_kind kind,
              enum hale_state old_state);
/* The same with what was done (HALE_ALARM_UPDATED) and by whom; NULL: Hale itself. */
void cor_emit_op(struct correlator_engine *e, struct cor_alarm *a,
                 enum hale_log_kind kind, enum hale_state old_state, const char *op,
                 const char *by);
/* Hash of the series that the alarm of n shows, in their order; of a loaded record's. */
uint64_t cor_metrics_hash(struct correlator_engine *e, const struct cor_node *n);
uint64_t cor_json_hash(struct correlator_engine *e, const json_t *v);
/* The record of the alarm as JSON: that of its last log record, with the series of now. */
enum hale_rc cor_alarm_encode(struct correlator_engine *e, const struct cor_alarm *a,
                              struct hale_buf *out);
/* Reason text of a metric alarm in its state (Monasca's words); owned, NULL without memory. */
char *cor_reason(struct correlator_engine *e, const struct cor_alarm *a);
const char *cor_alarm_name(const struct cor_alarm *a);
const char *cor_alarm_tenant(const struct cor_alarm *a);
enum hale_severity cor_severity_of(const struct cor_alarm *a);
/* Sorted and compact: equal values, equal text. Owned; NULL without memory. */
char *cor_json_text(const json_t *v);
/* How severe the metric alarm is that n would be in this state. */
enum hale_severity cor_severity(const struct cor_node *n, enum hale_state state);

/* --- delay.c --- */
/* True: the metric alarm, whose expression says `to`, is not to change now. */
bool cor_delay_waits(struct correlator_engine *e, struct cor_alarm *a,
                     enum hale_state to);
void cor_delay_due(struct correlator_engine *e, void *alarm, int64_t at_ms);

/* --- operate.c --- */
void cor_operate(struct correlator_engine *e, struct cor_alarm *a,
                 const struct hale_control *c);

/* --- fault.c --- */
void cor_fault_free(struct cor_fault *f);
/* Key of engine.faults into out. */
void cor_fault_key(const char *tenant, const char *type, const char *dims,
                   struct hale_buf *out);
void cor_fault_uncleared(struct correlator_engine *e, struct cor_alarm *a);
void cor_fault_cleared(struct correlator_engine *e, struct cor_alarm *a);
bool cor_fault_is_own(const struct cor_fault *f);
/* An event of Hale's own, in the middle of another input. */
void cor_fault_own(struct correlator_engine *e, const struct hale_event *ev,
                   int64_t at_ms);
/* Makes room for one alarm. False when there is none to take it from. */
bool cor_fault_evict(struct correlator_engine *e);
/* It is over without a clear. Owns reason; status: of the evidence. */
/* A rule's: raised or cleared as if an event had come. quiet: only if nothing changes. The alarm; NULL:
 * something would change, refused, none to clear, or no memory. */
struct cor_alarm *cor_fault_deduce(struct correlator_engine *e, struct hale_event *ev,
                                   bool quiet);
/* A deduced alarm that no rule asks for. */
void cor_fault_undeduce(struct correlator_engine *e, struct cor_alarm *a);
void cor_fault_end(struct correlator_engine *e, struct cor_alarm *a, char *reason,
                   const char *status, int64_t at_ms);

/* --- expiry.c --- */
/* at_ms 0: it does not expire. The caller marks the alarm dirty. */
void cor_expiry_set(struct correlator_engine *e, struct cor_alarm *a, int64_t at_ms);
int64_t cor_expiry_of(const struct cor_alarm *a); /* 0: none */
void cor_expiry_due(struct correlator_engine *e, void *alarm, int64_t at_ms);

/* --- rows.c --- */
void cor_loading_free(struct correlator_engine *e);
void cor_sub_row(const struct cor_sub *s, struct hale_buf *out);
void cor_metric_row(const struct cor_sub *s, unsigned n, struct hale_buf *out);
void cor_fault_row(const struct cor_alarm *a, struct hale_buf *out);
void cor_sub_value(const struct cor_sub *s, struct hale_buf *out);
/* Lists of numbers, operands may be NULL. False: no memory, as it was. */
bool cor_sub_values(struct correlator_engine *e, struct cor_sub *s, const json_t *values,
                    const json_t *operands);
void cor_fault_value(const struct cor_alarm *a, struct hale_buf *out);
/* HALE_OK: added; HALE_E_EXISTS: known already; else refused (counted) or no memory (latched).
 * After the first two s->told is its index. */
enum hale_rc cor_sub_add_metric(struct correlator_engine *e, struct cor_sub *s,
                                const json_t *metric);
/* Does the alarm of n, which uses s, show the series through s? */
bool cor_sub_shows(const struct cor_node *n, const struct cor_sub *s, uint64_t hash);
#endif
