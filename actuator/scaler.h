/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_SCALER_H
#define HALE_ACTUATOR_SCALER_H
/*
 * scaler - how many of something there should be: rules, what was done before, and one look at the
 * metric and the size in; a decision out (docs/formats/scaling.md). Pure.
 * Order:     1. capacity: what is there, or what the last change has ordered while its warm-up
 *               lasts, whichever goes further that way. Instances in warm-up, and those that are
 *               told not to be ready, are capacity but do not count as those whose average the
 *               metric is. A scale-in does not take the latter for a reserve: what is left could
 *               be they.
 *            2. recommendation: target tracking (Kubernetes' formula) or steps, within min and max.
 *            3. the safest recommendation of the window of each direction; no data speaks for
 *               leaving it as it is.
 *            4. warm-up blocks scale-in; rates bound how far it goes at once.
 * Missing:   without the size nothing is decided; without the metric only what is below min is
 *            brought to min.
 * Memory:    changes, newest last, with their sizes; encoded as JSON by the caller's hand
 *            (_encode, _decode). When ACTUATOR_CHANGES_MAX of them still matter, nothing more is
 *            decided until the oldest does not.
 * Window:    recommendations since the start, in slots of a 120th of the longer window, so that
 *            it is bounded; a slot speaks for its most cautious value. Not stored: a start counts
 *            as missing data.
 * Units:     wall milliseconds. Threads: one at a time.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

#define ACTUATOR_SCALER_STEPS_MAX 16
#define ACTUATOR_SCALER_RATES_MAX 4
#define ACTUATOR_CHANGES_MAX      128
#define ACTUATOR_SCALER_SLOTS     128
#define ACTUATOR_SIZE_MAX         100000

enum actuator_direction { ACTUATOR_UP, ACTUATOR_DOWN };
enum actuator_scaler_act { ACTUATOR_ADD, ACTUATOR_REMOVE, ACTUATOR_SET };

struct actuator_amount {
    int64_t n;
    bool percent;
};
struct actuator_scaler_step {
    bool below; /* the metric is < bound; else > bound */
    double bound;
    enum actuator_scaler_act act;
    struct actuator_amount by;
};
struct actuator_rate { /* at most so much within the period */
    struct actuator_amount max;
    int64_t per_ms;
};
struct actuator_scaler_rules {
    bool tracking;
    bool total; /* tracking: the metric is a sum, value is one instance's share */
    double value, tolerance; /* tracking: value > 0; tolerance is a share, 0.1 */
    unsigned n_steps;        /* else; at most _STEPS_MAX */
    struct actuator_scaler_step step[ACTUATOR_SCALER_STEPS_MAX];
    int64_t min, max; /* 0 <= min <= max <= ACTUATOR_SIZE_MAX */
    int64_t warm_up_ms;
    int64_t window_ms[2]; /* by direction */
    unsigned n_rates[2];
    struct actuator_rate rate[2][ACTUATOR_SCALER_RATES_MAX];
};

struct actuator_change {
    int64_t at_ms, end_ms; /* decided, over; end 0: under way */
    int64_t from, to;
    bool good; /* over, and well */
};
struct actuator_scaler_memory {
    int64_t decision; /* number of the last one */
    unsigned n;
    struct actuator_change change[ACTUATOR_CHANGES_MAX];
};
struct actuator_slot {
    int64_t first_ms, last_ms;
    int64_t low, high;
};
struct actuator_scaler_window {
    int64_t hole_ms; /* there were no data at that time */
    unsigned head, n;
    struct actuator_slot slot[ACTUATOR_SCALER_SLOTS]; /* ring */
};

struct actuator_look {
    int64_t now_ms;
    bool size_known, metric_known;
    bool ready_known; /* of them, `ready` carry load; else all that are not in warm-up */
    int64_t size, ready;
    double metric;
    int64_t asked_ms; /* since when the answers are (the engine's) */
};
/* Why nothing is done; NONE: something is. */
enum actuator_hold {
    ACTUATOR_HOLD_NONE,
    ACTUATOR_HOLD_FINE,    /* the size is as it should be */
    ACTUATOR_HOLD_SIZE,    /* not known */
    ACTUATOR_HOLD_METRIC,  /* not known */
    ACTUATOR_HOLD_WARM_UP, /* of the last scale-out */
    ACTUATOR_HOLD_WINDOW,  /* a recommendation in the window is more cautious */
    ACTUATOR_HOLD_RATE,    /* as much was done in the period as may be */
    ACTUATOR_HOLD_BUSY,    /* a change is under way, or too many are remembered */
    ACTUATOR_HOLD_GUARD,   /* refused not long ago (the engine's) */
    ACTUATOR_HOLD_TOLD /* written down already, nothing else is to be done (the engine's) */
};
struct actuator_scaling_decision {
    enum actuator_hold hold;
    enum actuator_direction direction; /* of what is done, or held */
    int64_t from, to;                  /* capacity; to == from when held */
    int64_t wanted;                    /* by the rules alone, within min and max */
};

/* Notes what was recommended in w. */
void actuator_scaler_decide(const struct actuator_scaler_rules *rules,
                            const struct actuator_scaler_memory *memory,
                            struct actuator_scaler_window *w,
                            const struct actuator_look *look,
                            struct actuator_scaling_decision *out);
/* A window that has seen nothing, from now on. */
void actuator_scaler_window_init(struct actuator_scaler_window *w, int64_t now_ms);

/* Writes the decision down (number, change) and forgets changes that matter no more. */
void actuator_scaler_began(struct actuator_scaler_memory *m,
                           const struct actuator_scaler_rules *rules, int64_t now_ms,
                           int64_t from, int64_t to);
/* The newest change is over. */
void actuator_scaler_ended(struct actuator_scaler_memory *m, int64_t now_ms, bool good);

/* Into and out of an object's keys "decision" and "changes". HALE_E_NOMEM; HALE_E_INVAL: an
 * object that says something else (an empty one is a new memory). */
HALE_MUST_CHECK enum hale_rc
actuator_scaler_encode(const struct actuator_scaler_memory *m, json_t *object);
HALE_MUST_CHECK enum hale_rc actuator_scaler_decode(const json_t *object,
                                                    struct actuator_scaler_memory *out);
const char *actuator_hold_text(enum actuator_hold hold);
#endif
