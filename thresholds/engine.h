/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_ENGINE_H
#define HALE_THRESHOLDS_ENGINE_H
/*
 * engine - is this sub-expression true for this group of series now?
 * (docs/formats/thresholds.md)
 * Purpose:   pure: no socket, no clock, no I/O. The output is a function of the sequence
 *            of calls, so a replay from a snapshot gives the same events again.
 * Order:     one total order of samples and ticks. Before the samples of a stream entry
 *            with id T ms the caller runs thresholds_engine_tick(T - 1); so a sample that
 *            arrives in the very millisecond in which a window closes still counts.
 * Units:     _ms Unix milliseconds, _s Unix seconds, _us Unix microseconds.
 * Ownership: the engine owns definitions and series; events are views, valid in the
 *            callback.
 * Threads:   one at a time. The callback may not call the engine.
 * Limits:    struct thresholds_limits. What does not fit is refused and counted, never
 *            evicted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/alarm.h"
#include "model/batch.h"
#include "model/definition.h"
#include "model/series.h"

struct thresholds_limits {
    size_t max_definitions; /* 1.. */
    size_t max_series;      /* series that belong to at least one sub-alarm, 1.. */
    size_t max_subalarms;   /* 1..2^32-1 */
    size_t max_slots;       /* window slots of all sub-alarms together */
    int64_t late_wait_ms;   /* hale: wait after a window's end, 0..600,000 */
    int64_t delay_s;        /* monasca: alarm delay, 0..59 */
    int64_t tick_s;         /* monasca: period of the tick, > 0 */
    int64_t tick_phase_s;   /* monasca: ticks are at tick_phase_s + k * tick_s */
    unsigned shard,
        shards; /* sub-expressions whose first metric belongs to another shard are
                             * left out; shards 0: none are */
};
#define THRESHOLDS_LATE_WAIT_MAX_MS INT64_C(600000)
/* 100,000 definitions, 1,000,000 series and sub-alarms, 16 M slots; 30 s; 30 s, 60 s, 0
 * s. */
struct thresholds_limits thresholds_limits_default(void);

struct thresholds_event {
    enum hale_sub_kind kind;
    const struct hale_definition *definition;
    unsigned sub; /* index of the sub-expression */
    unsigned n_group;
    const struct hale_dim *group; /* sorted by key */
    enum hale_state state;
    int severity;     /* enum hale_severity: level of an ALARM; -1: the definition's */
    int64_t since_ms; /* delayed by `for`: the first decision for the state; else 0 */
    bool missing;     /* on_missing of the definition decided */
    bool learning;    /* UNDETERMINED because the function needs more history */
    bool by_tick;     /* decided by a tick, not by a sample */
    int64_t at_ms;    /* logical time: the entry's, or the tick's deadline */
    unsigned n_values;
    const double *values; /* finite, oldest first */
    unsigned n_operands;
    double operands
        [HALE_ARITH_MAX_TERMS]; /* of the newest value, if it is calculated; finite */
    int64_t window_start_ms, window_end_ms;
    const struct hale_series *series; /* kinds create and metric, else NULL */
    int64_t accepted_us;              /* of the deciding sample; 0: a tick */
};
typedef void (*thresholds_emit_fn)(const struct thresholds_event *ev, void *arg);

struct thresholds_stats {
    uint64_t samples;  /* given to thresholds_engine_sample */
    uint64_t late;     /* sample older than the window (last: than the newest sample) */
    uint64_t future;   /* newer than the window */
    uint64_t rejected; /* not finite */
    uint64_t transitions;                       /* state events */
    uint64_t evaluations;                       /* windows closed */
    uint64_t refused_series, refused_subalarms; /* a ceiling was reached, or no memory */
    size_t definitions, series, subalarms, slots; /* now */
};

struct thresholds_engine;
struct
    thresholds_series; /* a series the engine knows; valid until thresholds_engine_trim */

/* NULL on memory failure. Aborts on limits outside of their ranges. */
struct thresholds_engine *thresholds_engine_new(const struct thresholds_limits *limits,
                                                thresholds_emit_fn emit, void *arg);
void thresholds_engine_free(struct thresholds_engine *e);
const struct thresholds_stats *thresholds_engine_stats(const struct thresholds_engine *e);

/* Adds or changes a definition. Takes d, also on failure (HALE_E_LIMIT, HALE_E_NOMEM: the
 * definition is absent afterwards). A change of operator or threshold keeps the collected
 * data and sends the state again; a change of function, period, times, deterministic or
 * semantics empties the window; a change of match_by, of the number of sub-expressions or
 * of their metrics starts anew. now_ms must not lie before anything processed. */
HALE_MUST_CHECK enum hale_rc thresholds_engine_set_definition(struct thresholds_engine *e,
                                                              struct hale_definition *d,
                                                              int64_t now_ms);
/* An unknown id is fine. */
void thresholds_engine_drop_definition(struct thresholds_engine *e, struct hale_str id);
/* The definition as applied, or NULL. */
const struct hale_definition *
thresholds_engine_definition(const struct thresholds_engine *e, struct hale_str id);
/* Iterates: *it starts at 0; NULL at the end. */
const struct hale_definition *
thresholds_engine_next_definition(const struct thresholds_engine *e, size_t *it);

/* alarm-delete: forgets the sub-alarms of the definition with exactly this group (any
 * order of dims); when there is none, those whose group is a part of it. The next sample
 * of a member creates them anew. Returns how many were forgotten. */
unsigned thresholds_engine_forget(struct thresholds_engine *e,
                                  struct hale_str definition_id,
                                  const struct hale_dim *group, unsigned n_group);

/* The series if it is known and matched against all definitions, else NULL: then call
 * thresholds_engine_series before its sample. */
struct thresholds_series *thresholds_engine_find(struct thresholds_engine *e,
                                                 uint64_t id);
/* Asks the processor for the table slot of id; call some ids ahead of find. */
void thresholds_engine_prefetch(const struct thresholds_engine *e, uint64_t id);
/* Asks for the series itself; call about half as far ahead. */
void thresholds_engine_prefetch_series(const struct thresholds_engine *e, uint64_t id);
/* Introduces a series, or matches it again: emits create and metric events. HALE_E_INVAL:
 * not a canonical form, or not that of id. HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc thresholds_engine_series(struct thresholds_engine *e,
                                                      uint64_t id,
                                                      struct hale_str canonical,
                                                      int64_t now_ms,
                                                      struct thresholds_series **out);
/* Times of samples and entries; what lies beyond is refused as late or future. */
#define THRESHOLDS_TIME_MAX_MS INT64_C(1000000000000000)
/* One sample. now_ms: id of its stream entry, not less than in any call before. */
void thresholds_engine_sample(struct thresholds_engine *e, struct thresholds_series *s,
                              int64_t time_ms, double value, int64_t now_ms,
                              int64_t accepted_us);
/* The samples of a batch in order. series[i]: what find gave for sample i, NULL: skip it.
 * */
void thresholds_engine_samples(struct thresholds_engine *e,
                               const struct hale_batch_view *v,
                               struct thresholds_series *const *series, int64_t now_ms);
/* Between batches: forgets series without sub-alarms when there are many. */
void thresholds_engine_trim(struct thresholds_engine *e);

/* Runs, in order, every tick whose deadline is <= until_ms. */
void thresholds_engine_tick(struct thresholds_engine *e, int64_t until_ms);
/* Deadline of the next tick, or INT64_MAX. */
int64_t thresholds_engine_next_tick(const struct thresholds_engine *e);

/* How it stands with one sub-alarm, for people who ask why; nothing is decided. */
struct thresholds_look {
    enum hale_state state;
    bool reported; /* since it was created or its definition changed */
    bool waits;    /* `for` delays a state that was decided */
    enum hale_state waits_for;
    int64_t waits_since_ms, waits_until_ms;
    int64_t
        due_ms; /* when time alone leads to the next decision: a window closes and its wait is
                       over, or silence; INT64_MAX: not before the next sample */
    int64_t window_start_ms, window_end_ms; /* 0, 0: has no window */
    uint32_t series;                        /* that feed it */
    unsigned
        n_values;   /* of the window's slots, oldest first; NaN: empty. NULL: no window */
    double *values; /* HALE_EXPR_MAX_TIMES at most; valid until the next call */
};
/* HALE_E_NOTFOUND: there is no such sub-alarm. group: sorted by key. */
HALE_MUST_CHECK enum hale_rc
thresholds_engine_look(struct thresholds_engine *e, struct hale_str definition_id,
                       unsigned sub, const struct hale_dim *group, unsigned n_group,
                       struct thresholds_look *out);

/*
 * Snapshot: the state as fields of a hash (docs/formats/thresholds.md). save hands out
 * the fields that changed since the last saved (all: every field); value.p == NULL: the
 * field is to be removed. saved: the fields are safely stored. fn returns 0, or non-zero
 * to stop.
 */
typedef int (*thresholds_save_fn)(struct hale_str field, struct hale_str value,
                                  void *arg);
HALE_MUST_CHECK enum hale_rc thresholds_engine_save(struct thresholds_engine *e, bool all,
                                                    thresholds_save_fn fn, void *arg);
void thresholds_engine_saved(struct thresholds_engine *e);
/* Fills an empty engine. On failure the engine may only be freed. */
HALE_MUST_CHECK enum hale_rc thresholds_engine_load(struct thresholds_engine *e, size_t n,
                                                    const struct hale_str *fields,
                                                    const struct hale_str *values,
                                                    struct hale_err *err);
#endif
