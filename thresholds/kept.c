/* SPDX-License-Identifier: Apache-2.0 */
/* kept - one place that knows which function keeps what; and stddev, which keeps one number a slot. */
#include "thresholds/kept.h"

#include <stdlib.h>

#include "thresholds/sketch.h"

static const struct hale_subexpr *expr_of(const struct sub *a)
{
    return &a->def->d->expr->subs[a->index];
}

/* --- life ----------------------------------------------------------------------------- */

size_t thresholds_kept_slots(const struct sub *a)
{
    size_t bytes = 0;
    if (a->func == HALE_FUNC_PERCENTILE)
        bytes = a->n_slots * (sizeof(a->sketches[0]) + SKETCH_MAX * sizeof(uint64_t));
    else if (a->func == HALE_FUNC_STDDEV)
        bytes = a->n_slots * sizeof(a->squares[0]);
    else if (a->func == HALE_FUNC_BASELINE)
        bytes = thresholds_history_bytes(a->history);
    else if (a->func == HALE_FUNC_FORECAST)
        bytes = thresholds_points_bytes();
    return (bytes + sizeof(struct slot) - 1) / sizeof(struct slot);
}

static bool sketches_new(struct sub *a)
{
    a->sketches = calloc(a->n_slots, sizeof(a->sketches[0]));
    if (a->sketches == NULL)
        return false;
    for (unsigned i = 0; i < a->n_slots; i++) {
        if (thresholds_sketch_init(&a->sketches[i]) != HALE_OK)
            return false;
    }
    return true;
}

enum hale_rc thresholds_kept_new(struct sub *a)
{
    bool done = true;
    if (a->func == HALE_FUNC_PERCENTILE)
        done = sketches_new(a);
    else if (a->func == HALE_FUNC_STDDEV)
        done = (a->squares = calloc(a->n_slots, sizeof(a->squares[0]))) != NULL;
    else if (a->func == HALE_FUNC_BASELINE)
        done = (a->history = thresholds_history_new(expr_of(a))) != NULL;
    else if (a->func == HALE_FUNC_FORECAST)
        done = (a->points = thresholds_points_new()) != NULL;
    return done ? HALE_OK : HALE_E_NOMEM;
}

static void sketches_free(struct sub *a)
{
    for (unsigned i = 0; a->sketches != NULL && i < a->n_slots; i++)
        thresholds_sketch_fini(&a->sketches[i]);
    free(a->sketches);
}

void thresholds_kept_free(struct sub *a)
{
    if (a->func == HALE_FUNC_RATE)
        thresholds_rate_free(a->counters);
    else if (a->func == HALE_FUNC_PERCENTILE)
        sketches_free(a);
    else if (a->func == HALE_FUNC_STDDEV)
        free(a->squares);
    else if (a->func == HALE_FUNC_BASELINE)
        free(a->history);
    else if (a->func == HALE_FUNC_FORECAST)
        free(a->points);
    a->counters = NULL;
}

void thresholds_kept_swap(struct sub *a, struct sub *b)
{
    if (a->func != HALE_FUNC_BASELINE || b->func != HALE_FUNC_BASELINE ||
        thresholds_kept_slots(a) != thresholds_kept_slots(b))
        return;
    struct history *h = a->history;
    a->history = b->history;
    b->history = h;
}

/* --- samples and slots ---------------------------------------------------------------- */

void thresholds_kept_add(struct sub *a, struct slot *s, double value)
{
    size_t k = (size_t)(s - a->slots);
    if (a->func == HALE_FUNC_PERCENTILE) {
        if (s->n == 0)
            thresholds_sketch_clear(&a->sketches[k]);
        thresholds_sketch_add(&a->sketches[k], value);
    } else { /* stddev: running mean and sum of squares about it (Welford) */
        if (s->n == 0)
            a->squares[k] = s->acc = 0;
        double off = value - s->acc;
        s->acc += off / ((double)s->n + 1);
        a->squares[k] += off * (value - s->acc);
    }
    if (s->n < UINT32_MAX)
        s->n++;
}

void thresholds_kept_leave(struct sub *a, unsigned i)
{
    const struct slot *s = slot_at(a, i);
    int64_t start_s = window_start_s(a) + (int64_t)i * a->width_s;
    if (s->n == 0)
        return;
    if (a->func == HALE_FUNC_BASELINE)
        thresholds_history_learn(a->history, start_s, s);
    else
        thresholds_points_learn(a->points, start_s, s);
}

bool thresholds_kept_value(struct sub *a, struct slot *s, double *out)
{
    size_t k = (size_t)(s - a->slots);
    unsigned i = (unsigned)(k >= a->head ? k - a->head : k + a->n_slots - a->head);
    if (a->func == HALE_FUNC_FORECAST)
        return thresholds_points_forecast(a, i, expr_of(a), out);
    if (s->n == 0)
        return false;
    if (a->func == HALE_FUNC_PERCENTILE) {
        *out = thresholds_sketch_percentile(&a->sketches[k], expr_of(a)->percent, s->n);
    } else if (a->func == HALE_FUNC_STDDEV) {
        *out = sqrt(a->squares[k] / s->n);
    } else {
        int64_t start_s = window_start_s(a) + (int64_t)i * a->width_s;
        if (!thresholds_history_deviation(a->history, start_s, s->acc / s->n, out))
            return false;
        if (expr_of(a)->absolute)
            *out = fabs(*out);
    }
    return isfinite(*out);
}

bool thresholds_kept_ahead(const struct sub *a)
{
    if (a->func != HALE_FUNC_FORECAST)
        return false;
    unsigned steps = thresholds_forecast_steps(expr_of(a));
    return thresholds_points_since(a->points,
                                   a->view_end_s - (int64_t)steps * a->width_s);
}

int64_t thresholds_kept_reach_s(const struct sub *a)
{
    if (a->func != HALE_FUNC_FORECAST)
        return 0;
    return (int64_t)(thresholds_forecast_steps(expr_of(a)) - 1) * a->width_s;
}

/* --- snapshot ------------------------------------------------------------------------- */

void thresholds_kept_put_slot(const struct sub *a, unsigned k, struct hale_buf *out)
{
    if (a->func == HALE_FUNC_PERCENTILE)
        thresholds_sketch_put(&a->sketches[k], out);
    else if (a->func == HALE_FUNC_STDDEV)
        put_double(out, a->squares[k]);
}

void thresholds_kept_put(const struct sub *a, struct hale_buf *out)
{
    if (a->func == HALE_FUNC_BASELINE)
        thresholds_history_put(a->history, out);
    else if (a->func == HALE_FUNC_FORECAST)
        thresholds_points_put(a->points, out);
}

bool thresholds_kept_get_slot(struct sub *a, struct cursor *c, unsigned k, uint32_t n)
{
    if (a->func == HALE_FUNC_STDDEV) {
        double squares = get_double(c);
        if (k < a->n_slots)
            a->squares[k] = squares;
        return !c->bad && squares >= 0;
    }
    if (a->func != HALE_FUNC_PERCENTILE)
        return true;
    if (k < a->n_slots)
        return thresholds_sketch_get(&a->sketches[k], c, n);
    struct sketch over; /* there are fewer slots now */
    if (thresholds_sketch_init(&over) != HALE_OK)
        return false;
    bool fine = thresholds_sketch_get(&over, c, n);
    thresholds_sketch_fini(&over);
    return fine;
}

bool thresholds_kept_get(struct sub *a, struct cursor *c)
{
    if (a->func == HALE_FUNC_BASELINE)
        return thresholds_history_get(a->history, c);
    return a->func != HALE_FUNC_FORECAST ||
           thresholds_points_get(a->points, c, window_start_s(a));
}
