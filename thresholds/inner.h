/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_INNER_H
#define HALE_THRESHOLDS_INNER_H
/*
 * inner - the engine's own structures, shared by engine.c, match.c, window.c, schedule.c
 * and state.c; nobody else includes it. Tests use engine.h.
 *
 * Who points at whom: a definition lists its sub-alarms; a series holds pointers to the
 * sub-alarms that it feeds. A sub-alarm does not know its series: when it dies it is only
 * marked, the series' name gets a new generation, and each series lets go of it when it
 * is matched again (refs counts them). Generations: engine.gen grows with each change of
 * definitions or of the set of sub-alarms by command; a series that was matched at
 * generation g belongs to every fitting sub-alarm with born <= g, which is what lets a
 * snapshot store 16 bytes a series instead of lists of members.
 */
#include "base/map.h"
#include "base/timers.h"
#include "base/u64map.h"
#include "thresholds/engine.h"
#include "thresholds/pool.h"

#define SUBS_PER_PAGE   64
#define SERIES_PER_PAGE 256
#define FUTURE_SLOTS    2 /* Monasca's; more when late_wait needs them */
#define NO_TIME         INT64_MIN
#define NO_PLACE        UINT32_MAX

struct __attribute__((packed, aligned(4))) slot { /* 12 bytes: windows are mostly slots */
    double
        acc; /* sum, minimum, maximum or (stddev) mean of the slot's samples; last: one value */
    uint32_t n; /* samples; 0: empty */
};

struct counter { /* rate: the newest sample of one series */
    uint64_t id;
    int64_t ms; /* NO_TIME: none */
    double value;
};
#define COUNTERS_MAX                                                                     \
    8192 /* in one group: 64 such sub-alarms fit a page of the snapshot */
struct counters {
    uint32_t n, cap;
    struct counter *v; /* by id */
};

/* Arithmetic (operands.c): the windows of its metrics, on the grid of the sub-alarm's own, whose
 * slots are computed from them when it closes. */
#define MEMBERS_MAX 4096 /* series in one group: 64 such sub-alarms fit a page */
struct member {          /* a series that feeds operands */
    uint64_t id;
    int64_t ms; /* rate: its newest sample, NO_TIME: none */
    double value;
    uint8_t mask; /* operands, by bit */
};
struct operands {
    uint8_t n;
    uint16_t
        span; /* slots that one value is computed of; 1: windows follow one another */
    uint16_t
        n_slots; /* of each operand: span - 1 older ones, then as the sub-alarm; last: 0 */
    uint16_t head; /* index of the oldest */
    uint32_t n_members, cap_members;
    struct member *members; /* by id */
    uint8_t func[HALE_ARITH_MAX_TERMS];
    double
        last[HALE_ARITH_MAX_TERMS]; /* last: newest value and its time, NO_TIME: none */
    int64_t last_ms[HALE_ARITH_MAX_TERMS];
    struct slot slots[]; /* n x n_slots */
};

struct def {
    uint64_t uid; /* order of arrival, never used again */
    struct hale_definition *d;
    uint32_t first_sub; /* list by def_next */
    struct def *next_dropped;
    bool dirty;
};

struct sub {
    /* cold */
    struct def *def;
    struct bucket *bucket;
    union {                        /* what the function keeps beside its slots; owned */
        struct counters *counters; /* rate */
        struct sketch *sketches;   /* percentile: one a slot */
        double *squares;           /* stddev: one a slot */
        struct history *history;   /* baseline */
        struct points *points;     /* forecast */
        struct operands *operands; /* if calculated */
    };
    uint64_t uid;                /* order of creation: order of events within one tick */
    uint64_t born;               /* generation */
    int64_t recheck_ms;          /* evaluate at this tick too; NO_TIME: no */
    int64_t pend_ms;             /* when the state that waits was decided first */
    uint32_t def_prev, def_next; /* these are places, as pointers take twice the room */
    uint32_t bucket_prev, bucket_next;
    uint32_t key_next;        /* chain in engine.sub_heads */
    uint32_t refs;            /* series that point here */
    uint32_t empty;           /* monasca: evaluations that met no value, in a row */
    uint32_t missing_after_s; /* without data; then the policy decides */
    uint16_t group_len;
    uint16_t n_group;
    uint16_t n_last; /* last: values in the ring */
    uint8_t index;   /* of the sub-expression */
    uint8_t level;   /* of an ALARM: 1 the threshold, 2.. its levels; else 0 */
    uint8_t pend;    /* 1 + the state that `for` delays, 0: none */
    uint8_t policy;  /* enum hale_missing as it holds here, never DEFAULT */
    bool clears;     /* has a clear threshold: `threshold` depends on the state */
    /* hot from here on, slots included: read for every sample */
    bool dead;
    uint8_t func, op, state; /* enum hale_func, hale_op, hale_state */
    bool reported, deterministic, monasca;
    bool changed; /* operator or threshold changed: look at every slot once */
    bool slow; /* has levels or delays: look at every slot always; last: or on_missing */
    bool calculated; /* arithmetic: has operands; func is ARITHMETIC or LAST */
    bool asleep; /* window empty and nothing to report: no timer until the next sample */
    uint16_t times;   /* view slots */
    uint16_t n_slots; /* view and future slots; last: ring of values */
    uint16_t head;    /* index of the oldest slot; last: of the oldest value */
    uint32_t place;   /* index in engine.subs */
    uint32_t width_s;
    double threshold; /* in ALARM the clear threshold, if there is one */
    int64_t
        data_end_s; /* hale: end of the newest slot that ever held a sample; last: second of
                         * the newest arrival, if on_missing wants it */
    int64_t view_end_s; /* end of the view; last: not used */
    int64_t
        last_ms; /* last: time of the newest sample, absent: its arrival, NO_TIME: none */
    struct slot slots[]; /* n_slots, then the bytes of the group: sub_group */
};

/* n_group times: u16 key length, u16 value length, key, value. */
static inline struct hale_str sub_group(const struct sub *a)
{
    return (struct hale_str){(const char *)(a->slots + a->n_slots), a->group_len};
}

struct thresholds_series {
    uint64_t id;
    uint64_t gen;     /* matched at this generation (persistent) */
    uint64_t checked; /* no need to match up to this generation */
    struct name *name;
    uint32_t n;     /* sub-alarms fed */
    uint32_t place; /* 1 + index in engine.kept; 0: not part of the snapshot */
    union {
        struct sub *one;   /* n == 1 */
        struct sub **many; /* n > 1, owned */
    };
};

struct ref { /* a metric of a sub-expression that waits for series */
    struct def *def;
    unsigned index, term;
};
struct refs {
    size_t n, cap;
    struct ref *v;
};
struct
    name { /* what (tenant, metric name) leads to; never freed while the engine lives */
    uint64_t gen;      /* series with an older match must be matched again */
    struct refs plain; /* sub-expressions without dimensions */
};

struct bucket { /* sub-alarms with the same deadline */
    struct hale_timer timer;
    uint32_t first, last; /* places */
};

struct thresholds_engine {
    unsigned magic;
    struct thresholds_limits limits;
    thresholds_emit_fn emit;
    void *emit_arg;
    struct thresholds_stats stats;

    struct pool pool; /* sub-alarms, series and their lists */
    uint64_t gen, next_uid;
    bool
        joining; /* sub-alarms with operands were made: settle, then their other series join */
    struct hale_map *defs; /* id -> struct def */
    struct hale_u64map *defs_by_uid;
    struct hale_map *names;     /* tenant \0 name -> struct name */
    struct hale_map *by_dim;    /* tenant \0 name \0 key \0 value -> struct refs */
    struct hale_u64map *series; /* id -> struct thresholds_series */
    uint32_t *sub_heads;        /* by hash of what a sub-alarm is -> chain by key_next */
    size_t n_heads;             /* a power of two, or 0 */
    size_t unmatched;           /* series with n == 0 */
    size_t dead;                /* dead sub-alarms not yet let go of */

    struct sub **subs; /* by place; NULL: free */
    size_t n_places, cap_places;
    uint32_t *free_places; /* n_free; what a tick has to do is listed behind them */
    size_t n_free;
    struct thresholds_series **kept; /* series in the snapshot, by place - 1 */
    size_t n_kept, cap_kept;
    unsigned char *sub_dirty, *series_dirty; /* one byte a page */
    bool header_dirty;
    struct def *dropped; /* definitions dropped since saved, list by next_dropped */

    struct hale_timers *timers;  /* of buckets */
    struct hale_u64map *buckets; /* deadline -> struct bucket */
    struct bucket *spare;
    size_t unscheduled; /* sub-alarms that should have a timer and got no memory for it */
    int64_t ticked_ms;

    struct ref *found; /* scratch of matching */
    size_t n_found, cap_found;
    double *values;        /* scratch of a verdict, HALE_EXPR_MAX_TIMES */
    struct hale_buf key;   /* scratch: a table key */
    struct hale_buf group; /* scratch: bytes of a group */
};

/* NULL: there is none. */
static inline struct sub *sub_at(const struct thresholds_engine *e, uint32_t place)
{
    return place == NO_PLACE ? NULL : e->subs[place];
}

static inline unsigned char *sub_dirty_flag(struct thresholds_engine *e,
                                            const struct sub *a)
{
    return &e->sub_dirty[a->place / SUBS_PER_PAGE];
}
static inline int64_t floor_s(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((999 - ms) / 1000);
}

/* --- subs.c: groups and the table of sub-alarms ------------------------------------- */
#define THRESHOLDS_GROUP_MAX HALE_DIMS_MAX
/* Views of the group's dimensions into dims (THRESHOLDS_GROUP_MAX); returns their number.
 * */
unsigned thresholds_group_dims(const struct sub *a, struct hale_dim *dims);
/* Appends one dimension to the bytes of a group. */
void thresholds_group_add(struct hale_buf *out, const struct hale_dim *d);

struct sub *thresholds_sub_find(const struct thresholds_engine *e, const struct def *def,
                                unsigned index, struct hale_str group);
/* A new sub-alarm with an empty window from now_ms on, in the tables and scheduled. NULL:
 * a ceiling, or no memory (counted). */
struct sub *thresholds_sub_new(struct thresholds_engine *e, struct def *def,
                               unsigned index, struct hale_str group, unsigned n_group,
                               int64_t now_ms);
/* Gives old an empty window of its definition's present shape: identity, group, state and
 * members stay (members by matching again). Without memory old dies instead. */
void thresholds_sub_renew(struct thresholds_engine *e, struct sub *old, int64_t now_ms);
void thresholds_sub_kill(struct thresholds_engine *e, struct sub *a);
void thresholds_sub_release(struct thresholds_engine *e,
                            struct sub *a); /* one reference */
/* For snapshots: memory with shape and threshold of the sub-expression, in no table. */
struct sub *thresholds_sub_alloc(struct thresholds_engine *e, struct def *def,
                                 unsigned index, struct hale_str group, unsigned n_group);
/* Puts a into the tables at place (SIZE_MAX: any free one). HALE_E_LIMIT, HALE_E_NOMEM,
 * HALE_E_EXISTS (place taken). On failure a is still the caller's. */
HALE_MUST_CHECK enum hale_rc thresholds_sub_adopt(struct thresholds_engine *e,
                                                  struct sub *a, size_t place);
void thresholds_sub_free(struct thresholds_engine *e, struct sub *a);

/* --- match.c: which series feeds which sub-alarms ----------------------------------- */
struct name *thresholds_name(struct thresholds_engine *e, struct hale_str tenant,
                             struct hale_str name);
HALE_MUST_CHECK enum hale_rc thresholds_refs_add(struct thresholds_engine *e,
                                                 struct def *def);
void thresholds_refs_remove(struct thresholds_engine *e, struct def *def);
/* Every series of the sub-expression's name is to be matched again. */
void thresholds_rematch(struct thresholds_engine *e, const struct def *def,
                        unsigned index);
/* Makes s part of the snapshot. HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc thresholds_keep(struct thresholds_engine *e,
                                             struct thresholds_series *s);

/* A series as a snapshot has it; its sub-alarms are found when it is introduced again.
 * HALE_E_EXISTS, HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc thresholds_series_restore(struct thresholds_engine *e,
                                                       uint64_t id, uint64_t gen);
/* Generations are whole again: before whatever follows the samples of an entry. */
void thresholds_settle(struct thresholds_engine *e);
/* --- engine.c: definitions ---------------------------------------------------------- */
/* Takes d, also on failure. uid: not in use. */
HALE_MUST_CHECK enum hale_rc thresholds_def_add(struct thresholds_engine *e,
                                                struct hale_definition *d, uint64_t uid);
void thresholds_def_free(struct def *def);

/* --- window.c: what a sample and a tick do to a sub-alarm --------------------------- */
void thresholds_window_reset(struct sub *a, int64_t now_ms);
/* How long a window of this width waits for late samples (hale): late_wait, for widths below
 * a minute its share of it. */
static inline int64_t late_wait_ms(const struct thresholds_engine *e, uint32_t width_s)
{
    int64_t wait = e->limits.late_wait_ms;
    return width_s >= 60 ? wait : wait * width_s / 60;
}
void thresholds_window_sample(struct thresholds_engine *e, struct sub *a, int64_t time_ms,
                              double value, int64_t now_ms, int64_t accepted_us);
void thresholds_window_tick(struct thresholds_engine *e, struct sub *a, int64_t at_ms);
/* Operator or threshold changed: the state is sent again at the next evaluation (hale: at
 * the next tick call; monasca: at the next tick of its grid). The caller schedules. */
void thresholds_window_changed(struct thresholds_engine *e, struct sub *a,
                               int64_t now_ms);
/* Deadline of the tick that the sub-alarm needs next, INT64_MAX: none. */
int64_t thresholds_window_deadline(const struct thresholds_engine *e,
                                   const struct sub *a);

/* --- verdict.c: what was decided becomes a state: levels, hysteresis, delays --------- */

bool thresholds_kept_value(struct sub *a, struct slot *s, double *out);

/* What was found: the state, the slots whose values tell why, and the window shown. */
struct verdict {
    enum hale_state state;
    unsigned lo, hi; /* slots, counted from the oldest, hi not included */
    int64_t start_ms, end_ms;
    uint8_t level; /* of ALARM, 1..; filled by verdict.c */
    bool missing;  /* on_missing decided: nothing to measure, nothing to wait for */
    bool learning; /* samples came, but not enough for the function to say anything yet */
};

struct moment { /* of the evaluation */
    int64_t at_ms;
    int64_t accepted_us; /* 0: a tick */
    bool by_tick;
};

static inline struct slot *slot_at(struct sub *a, unsigned i)
{
    unsigned k = a->head + i;
    return &a->slots[k >= a->n_slots ? k - a->n_slots : k];
}

static inline int64_t window_start_s(const struct sub *a)
{
    return a->view_end_s - (int64_t)a->times * a->width_s;
}

static inline double slot_value(const struct sub *a, const struct slot *s)
{
    if (a->func == HALE_FUNC_AVG)
        return s->acc / s->n;
    if (a->func == HALE_FUNC_RATE)
        return s->acc / a->width_s;
    return a->func == HALE_FUNC_COUNT ? s->n : s->acc;
}

/* Keeps more than slots, and is judged at closes only: kept.c. */
static inline bool keeps_more(const struct sub *a)
{
    return a->func >= HALE_FUNC_PERCENTILE && a->func <= HALE_FUNC_FORECAST;
}

/* False: the slot says nothing. Of an empty slot forecast may know, of one with samples baseline
 * may not. */
static inline bool slot_known(struct sub *a, struct slot *s, double *value)
{
    if (keeps_more(a))
        return thresholds_kept_value(a, s, value);
    if (s->n == 0)
        return false;
    *value = slot_value(a, s);
    return true;
}

static inline bool slot_holds(const struct sub *a, const struct slot *s)
{
    return hale_op_holds((enum hale_op)a->op, slot_value(a, s), a->threshold);
}

/* Has no window that closes. */
static inline bool no_window(const struct sub *a)
{
    return a->func == HALE_FUNC_LAST || a->func == HALE_FUNC_ABSENT;
}

static inline bool op_is_less(const struct sub *a)
{
    return a->op == HALE_OP_LT || a->op == HALE_OP_LTE;
}

/* What a slot says can only rise (samples that fall are the other side of `min`). */
static inline bool only_rises(const struct sub *a)
{
    return a->func == HALE_FUNC_MAX || a->func == HALE_FUNC_COUNT ||
           a->func == HALE_FUNC_RATE;
}

/* Rule 1 is allowed for this kind (last has its own code). */
static inline bool alarms_at_once(const struct sub *a)
{
    if (a->func == HALE_FUNC_MIN)
        return op_is_less(a);
    return only_rises(a) && !op_is_less(a);
}

/* Rule 2 is allowed for this kind. */
static inline bool clears_at_once(const struct sub *a)
{
    if (a->func == HALE_FUNC_MIN)
        return !op_is_less(a);
    return only_rises(a) && op_is_less(a);
}

/* Shows slots lo..hi-1 and the time that they cover. */
void thresholds_verdict_slots(const struct sub *a, struct verdict *v, unsigned lo,
                              unsigned hi);
/* Operator, threshold and what depends on state and level, from the definition of now. */
void thresholds_verdict_refresh(struct sub *a);
/* Reports the verdict if it is news and need not wait. */
void thresholds_verdict(struct thresholds_engine *e, struct sub *a, struct verdict *v,
                        const struct moment *m);

/* --- rate.c: counters ------------------------------------------------------------------ */
/* Makes room for the series: nothing is allocated when its samples come. HALE_E_LIMIT,
 * HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc thresholds_rate_join(struct sub *a, uint64_t id);
void thresholds_rate_sample(struct thresholds_engine *e, struct sub *a, uint64_t id,
                            int64_t time_ms, double value, const struct moment *m);
void thresholds_rate_free(struct counters *c);
/* window.c: an increase spread evenly over (from_ms, to_ms]. */
void thresholds_window_increase(struct thresholds_engine *e, struct sub *a,
                                int64_t from_ms, int64_t to_ms, double increase,
                                const struct moment *m);

/* last, for the values that operands.c computes. */
void thresholds_window_last(struct thresholds_engine *e, struct sub *a, int64_t time_ms,
                            double value, const struct moment *m);
/* Slides to now_ms if it slept. */
void thresholds_window_wake(struct thresholds_engine *e, struct sub *a, int64_t now_ms);

/* --- operands.c: arithmetic --------------------------------------------------------------- */
/* With times, width and slots of a set. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc thresholds_operands_new(struct sub *a,
                                                     const struct hale_subexpr *x);
void thresholds_operands_free(struct operands *o); /* NULL allowed */
/* Memory in slots. */
size_t thresholds_operands_slots(const struct operands *o);
void thresholds_operands_reset(struct operands *o);
void thresholds_operands_slide(struct operands *o, int64_t n);
bool thresholds_operands_empty(const struct operands *o);
/* The series feeds these operands. *fresh: it did not feed any. HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc thresholds_operands_join(struct sub *a, uint64_t id,
                                                      uint8_t mask, bool *fresh);
/* a takes the place of old: the same series, and what their counters stood at. */
void thresholds_operands_inherit(struct sub *a, struct sub *old);
void thresholds_operands_sample(struct thresholds_engine *e, struct sub *a, uint64_t id,
                                int64_t time_ms, double value, const struct moment *m);
/* What slot i of the view is as of now; NAN: no value. */
double thresholds_operands_value(const struct sub *a, unsigned i);
/* The values that value i is calculated of, in the order of the expression; their number, 0: one is
 * missing. last: i is not looked at. */
unsigned thresholds_operands_of(const struct sub *a, unsigned i,
                                double out[HALE_ARITH_MAX_TERMS]);
/* Before a window closes: its slots from those of the operands. */
void thresholds_operands_compute(struct sub *a);
struct cursor;
void thresholds_operands_put(const struct sub *a, struct hale_buf *out);
bool thresholds_operands_get(struct sub *a, struct cursor *c);

/* --- kept.c: what some functions keep beside their slots --------------------------------- */
/* With func and n_slots set. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc thresholds_kept_new(struct sub *a);
void thresholds_kept_free(struct sub *a);
/* Memory at most, in slots. */
size_t thresholds_kept_slots(const struct sub *a);
/* baseline: b's history for a's, so that a change of the period need not learn anew. */
void thresholds_kept_swap(struct sub *a, struct sub *b);
/* percentile, stddev: a sample of the slot, counted here. */
void thresholds_kept_add(struct sub *a, struct slot *s, double value);
/* baseline, forecast: slot i is about to leave the window. */
void thresholds_kept_leave(struct sub *a, unsigned i);
/* A tick may say something new although all slots are empty. */
bool thresholds_kept_ahead(const struct sub *a);
/* How far before its slot begins what a value was computed of. */
int64_t thresholds_kept_reach_s(const struct sub *a);
/* What belongs to slot k, and what belongs to the whole. False: not what put wrote. */
struct cursor;
void thresholds_kept_put_slot(const struct sub *a, unsigned k, struct hale_buf *out);
void thresholds_kept_put(const struct sub *a, struct hale_buf *out);
bool thresholds_kept_get_slot(struct sub *a, struct cursor *c, unsigned k, uint32_t n);
bool thresholds_kept_get(struct sub *a, struct cursor *c);
/* forecast: seconds of one step of its period. */
uint32_t thresholds_forecast_step_s(const struct hale_subexpr *x);

/* --- silence.c: kinds and policies that need no sample to decide ----------------------- */
void thresholds_absent_sample(struct thresholds_engine *e, struct sub *a,
                              const struct moment *m);
void thresholds_absent_tick(struct thresholds_engine *e, struct sub *a,
                            const struct moment *m);
/* After a change of the period: the silence so far counts. */
void thresholds_absent_renew(struct sub *a, const struct sub *old, int64_t now_ms);
/* last: a sample came. */
void thresholds_last_watch(struct thresholds_engine *e, struct sub *a,
                           const struct moment *m);
/* last, at a tick: true if on_missing decided. Else keeps the timer. */
bool thresholds_last_silent(struct thresholds_engine *e, struct sub *a,
                            const struct moment *m);

/* --- schedule.c: timers ------------------------------------------------------------- */
void thresholds_schedule(struct thresholds_engine *e,
                         struct sub *a); /* arms, moves or disarms */
void thresholds_unschedule(struct thresholds_engine *e, struct sub *a);
void thresholds_schedule_fini(struct thresholds_engine *e);
#endif
