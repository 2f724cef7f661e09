/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_ENGINE_H
#define CORRELATOR_ENGINE_H
/*
 * engine - from sub-alarm states and fault events to alarms and the alarm log. Pure: no socket, no
 * clock, no randomness; same calls, same output. The algorithm is told in correlator/README.md.
 *
 * Output:    the engine calls the sink. log() at once, in order, with seq counting on from
 *            correlator_engine_loaded; table changes are collected (last one wins) and written
 *            by correlator_engine_flush. A caller that makes everything between two flushes
 *            one transaction, with the position of its input, has effects exactly once.
 * Repeat:    giving an input again whose effects were written only in part (the sink's
 *            checkpoint was used for a flush) completes it without repeating anything.
 * Memory:    HALE_E_NOMEM leaves the engine half-changed: free it and load a new one.
 * Ownership: inputs are borrowed, except the definition of correlator_engine_define.
 * Units:     now_us, accepted_us, decided_us: wall microseconds.
 * Limits:    given at creation; at a ceiling new things are refused and counted. An event alarm
 *            that needs room takes that of the alarm that was cleared longest ago.
 * Threads:   one at a time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/alarm.h"
#include "model/definition.h"
#include "model/silence.h"
#include "model/topology.h"

struct correlator_engine;
struct hale_rules;
struct cor_topology_stats;

enum correlator_table { CORRELATOR_ALARMS, CORRELATOR_SUBS, CORRELATOR_ENTITIES };

struct correlator_sink {
    void *arg;
    void (*log)(void *arg, const struct hale_log_record *record);
    void (*put)(void *arg, enum correlator_table table, struct hale_str field,
                struct hale_str value);
    void (*del)(void *arg, enum correlator_table table, struct hale_str field);
    /* Between two alarms of one input: everything so far is consistent, so the caller may call
     * correlator_engine_flush and write it, to bound memory. NULL allowed. */
    void (*checkpoint)(void *arg);
};

struct correlator_limits {
    size_t max_alarms;  /* metric and event alarms together */
    size_t max_subs;    /* sub-alarms */
    size_t max_metrics; /* series kept per sub-alarm and shown per alarm */
    size_t max_entities, max_entities_per_tenant; /* 0: HALE_TOPOLOGY_ENTITIES_MAX */
    int64_t flap_window_ms;       /* correlator/flap.h; 0: no flap detection */
    double flap_start, flap_stop; /* percent */
    /* Causes (docs/formats/causes.md), in ms of the streams. */
    int64_t cause_window_ms;   /* a cause may come so much later than its symptom */
    int64_t hold_max_ms;       /* wait for checks at most; 0: never */
    int64_t clear_hold_ms;     /* of event alarms, after their cause ended */
    int64_t clear_hold_max_ms; /* of metric alarms at most */
    /* correlator/storm.h: raises a minute and at once, of a tenant; percent. Rate 0: no protection */
    int64_t storm_rate, storm_burst, storm_reserve;
    /* Borrowed; NULL: none (docs/formats/rules.md). */
    const struct hale_rules *rules;
};
#define CORRELATOR_MAX_ALARMS        200000
#define CORRELATOR_MAX_SUBS          1000000
#define CORRELATOR_MAX_METRICS       1000
#define CORRELATOR_CAUSE_WINDOW_MS   600000
#define CORRELATOR_HOLD_MAX_MS       120000
#define CORRELATOR_CLEAR_HOLD_MS     60000
#define CORRELATOR_CLEAR_HOLD_MAX_MS 600000

/* Where and when an input is handled. entry_id: id of its stream entry ("ms-seq"), part of the
 * identity of alarms born from it. entry_ms: the ms part of it. */
struct correlator_input {
    const char *entry_id;
    int64_t entry_ms;
    int64_t now_us;
};

/* Counts since creation, and gauges. */
struct correlator_stats {
    uint64_t created, transitions, updated, deleted;
    uint64_t no_definition;   /* sub records of definitions that do not exist */
    uint64_t unknown_sub;     /* metric or state before create: of a deleted sub-alarm */
    uint64_t invalid;         /* records that contradict their definition */
    uint64_t refused_alarms;  /* max_alarms */
    uint64_t refused_subs;    /* max_subs, or too many joined groups */
    uint64_t refused_metrics; /* max_metrics */
    uint64_t events_repeated; /* raise of what is raised, nothing changed */
    uint64_t events_rationed; /* changed details, but too often */
    uint64_t events_old;      /* older than the last change of the alarm */
    uint64_t events_clear_idle; /* clear of what is not raised */
    uint64_t events_expired;    /* raised alarms whose event was not repeated in time */
    uint64_t evicted;           /* cleared event alarms that made room */
    uint64_t
        refused_windows;    /* silences or maintenance windows beyond HALE_SILENCES_MAX */
    uint64_t mutes_refused; /* COR_MUTES_MAX of one alarm */
    uint64_t rules_cut; /* inputs after which rules had more to do than COR_RULES_STEPS */
    uint64_t unknown_alarm; /* control records about alarms that do not exist */
    uint64_t flaps_begun, flaps_ended;
    uint64_t storm_held;     /* raises that had to wait */
    uint64_t refused_storms; /* tenants beyond those that are kept apart: not limited */
    uint64_t storm_waiting;  /* gauge: alarms that wait */
    uint64_t flapping;       /* gauge: alarms that flap now */
    uint64_t by_state[3];    /* gauge: alarms by enum hale_state */
    uint64_t subs;           /* gauge */
};

/* NULL on memory failure. The sink is copied. */
struct correlator_engine *correlator_engine_new(const struct correlator_limits *limits,
                                                const struct correlator_sink *sink);
void correlator_engine_free(struct correlator_engine *e); /* NULL allowed */
const struct correlator_stats *correlator_engine_stats(const struct correlator_engine *e);

/* --- loading: definitions first, then rows of both tables in any order, then loaded ----------- */
/* While loading: the definition exists but cannot be decoded; its rows are left alone. */
HALE_MUST_CHECK enum hale_rc correlator_engine_unreadable(struct correlator_engine *e,
                                                          struct hale_str id);
/* A row that cannot be read gives HALE_E_INVAL and is skipped. */
HALE_MUST_CHECK enum hale_rc correlator_engine_load(struct correlator_engine *e,
                                                    enum correlator_table table,
                                                    struct hale_str field,
                                                    struct hale_str value);
/* Joins what was loaded. Alarms of definitions that are gone are logged as deleted. */
HALE_MUST_CHECK enum hale_rc correlator_engine_loaded(struct correlator_engine *e,
                                                      int64_t seq,
                                                      const struct correlator_input *in);

/* --- inputs ----------------------------------------------------------------------------------- */
/* Version of the definition; -1: the engine does not know it, -2: unreadable while loading. */
int64_t correlator_engine_version(const struct correlator_engine *e, const char *id);
/* New or changed. Owns d in every case. in == NULL: while loading, nothing is evaluated. */
HALE_MUST_CHECK enum hale_rc correlator_engine_define(struct correlator_engine *e,
                                                      struct hale_definition *d,
                                                      const struct correlator_input *in);
/* Deleted; unknown is fine. */
HALE_MUST_CHECK enum hale_rc
correlator_engine_undefine(struct correlator_engine *e, const char *id,
                           const struct correlator_input *in);
/* HALE_E_INVAL: the record contradicts its definition (counted, no effect). */
HALE_MUST_CHECK enum hale_rc correlator_engine_sub(struct correlator_engine *e,
                                                   const struct hale_sub_record *r,
                                                   const struct correlator_input *in);
HALE_MUST_CHECK enum hale_rc correlator_engine_event(struct correlator_engine *e,
                                                     const struct hale_event *ev,
                                                     const struct correlator_input *in);
/* When the next thing is due, in the time of the streams; INT64_MAX: none. */
int64_t correlator_engine_next_due(const struct correlator_engine *e);
/* The stream's time is stream_ms: what is due then or before happens (an event alarm that was not
 * repeated is cleared, an acknowledgement ends), in the order of (time, kind, id). To be called before each event with its
 * entry_ms, and when the stream is read to its end with the stream's own clock; so the outcome
 * depends on the stream alone. */
HALE_MUST_CHECK enum hale_rc correlator_engine_due(struct correlator_engine *e,
                                                   int64_t stream_ms,
                                                   const struct correlator_input *in);
/* Up to then everything that was due has happened; to be stored with the positions, and given to
 * correlator_engine_loaded as entry_ms. */
int64_t correlator_engine_stream_ms(const struct correlator_engine *e);
/* A silence or maintenance window, new or changed; owns s in every case. in == NULL: while loading. */
HALE_MUST_CHECK enum hale_rc correlator_engine_silence(struct correlator_engine *e,
                                                       struct hale_silence *s,
                                                       const struct correlator_input *in);
/* Deleted; unknown is fine. */
HALE_MUST_CHECK enum hale_rc
correlator_engine_unsilence(struct correlator_engine *e, bool maintenance, const char *id,
                            const struct correlator_input *in);
/* alarm-delete, alarm-patch and alarm-op; HALE_E_INVAL for others or an unreadable state. */
HALE_MUST_CHECK enum hale_rc correlator_engine_control(struct correlator_engine *e,
                                                       const struct hale_control *c,
                                                       const struct correlator_input *in);

/* --- topology (correlator/topology.h): its rows are given to the sink at once ------------------ */
HALE_MUST_CHECK enum hale_rc
correlator_engine_topology(struct correlator_engine *e,
                           const struct hale_topology_update *u,
                           const struct correlator_input *in);
/* After the rows were loaded: the stream entry from which on updates are to be given again, up to
 * the position, for syncs under way; "": none. Entries from it on must not be trimmed. */
const char *correlator_engine_topology_from(const struct correlator_engine *e);
HALE_MUST_CHECK enum hale_rc
correlator_engine_topology_again(struct correlator_engine *e,
                                 const struct hale_topology_update *u,
                                 const char *entry_id);
const struct cor_topology_stats *
correlator_engine_topology_stats(const struct correlator_engine *e);

/* Gives the sink the last content of every table row changed since the last flush. */
HALE_MUST_CHECK enum hale_rc correlator_engine_flush(struct correlator_engine *e);
/* About what the next flush will give, in bytes. */
size_t correlator_engine_dirty_bytes(const struct correlator_engine *e);
int64_t
correlator_engine_seq(const struct correlator_engine *e); /* of the last log record */
#endif
