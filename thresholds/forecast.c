/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forecast - a straight line through the last period, and where it will be after the horizon. The period is
 * cut into at most 30 steps; the average of each is a point. Slope: the median of the slopes of all
 * pairs (Theil and Sen), so that up to a quarter of the points may be anything at all: a spike, or
 * what a clean-up left behind. Points that left the window wait here for as long as a line needs them.
 */
#include <stdlib.h>

#include "thresholds/bytes.h"
#include "thresholds/kept.h"

#define POINTS    30
#define POINTS_OK 5 /* fewer are no line */

struct point {
    int64_t start_s;
    double value;
};

struct points {
    uint32_t n, head;
    struct point v[POINTS];
};

uint32_t thresholds_forecast_step_s(const struct hale_subexpr *x)
{
    return (x->period_s + POINTS - 1) / POINTS;
}

unsigned thresholds_forecast_steps(const struct hale_subexpr *x)
{
    unsigned step_s = thresholds_forecast_step_s(x);
    return (x->period_s + step_s - 1) / step_s;
}

size_t thresholds_points_bytes(void)
{
    return sizeof(struct points);
}

struct points *thresholds_points_new(void)
{
    return calloc(1, sizeof(struct points));
}

static const struct point *point_at(const struct points *p, uint32_t i)
{
    return &p->v[(p->head + i) % POINTS];
}

void thresholds_points_learn(struct points *p, int64_t start_s, const struct slot *s)
{
    struct point *at = &p->v[(p->head + p->n) % POINTS];
    *at = (struct point){start_s, s->acc / s->n};
    if (p->n < POINTS)
        p->n++;
    else
        p->head = (p->head + 1) % POINTS;
}

bool thresholds_points_since(const struct points *p, int64_t from_s)
{
    return p->n > 0 && point_at(p, p->n - 1)->start_s >= from_s;
}

/* Points of the line that ends with slot `last` of the window, times in seconds before its end. */
static unsigned collect(struct sub *a, unsigned last, unsigned steps, double *t,
                        double *y)
{
    int64_t start_s = window_start_s(a);
    int64_t end_s = start_s + (int64_t)(last + 1) * a->width_s;
    int64_t from_s = end_s - (int64_t)steps * a->width_s;
    double half = a->width_s / 2.0;
    unsigned n = 0;
    for (uint32_t i = 0; i < a->points->n; i++) {
        const struct point *p = point_at(a->points, i);
        if (p->start_s < from_s)
            continue;
        t[n] = (double)(p->start_s - end_s) + half;
        y[n++] = p->value;
    }
    for (unsigned i = last + 1 > steps ? last + 1 - steps : 0; i <= last; i++) {
        const struct slot *s = slot_at(a, i);
        if (s->n == 0)
            continue;
        t[n] = (double)(start_s + (int64_t)i * a->width_s - end_s) + half;
        y[n++] = s->acc / s->n;
    }
    return n;
}

bool thresholds_points_forecast(struct sub *a, unsigned last,
                                const struct hale_subexpr *x, double *out)
{
    double t[POINTS], y[POINTS], slopes[POINTS * (POINTS - 1) / 2];
    unsigned steps = thresholds_forecast_steps(x), n_slopes = 0;
    unsigned n = collect(a, last, steps, t, y);
    double half = steps * (double)a->width_s / 2.0;
    if (n < POINTS_OK || t[n - 1] < -half || t[n - 1] - t[0] < half)
        return false;
    for (unsigned i = 1; i < n; i++) {
        for (unsigned k = 0; k < i; k++)
            slopes[n_slopes++] = (y[i] - y[k]) / (t[i] - t[k]);
    }
    double slope = thresholds_median(slopes, n_slopes);
    for (unsigned i = 0; i < n; i++)
        y[i] -= slope * t[i];
    *out = thresholds_median(y, n) + slope * x->horizon_s;
    return isfinite(*out);
}

void thresholds_points_put(const struct points *p, struct hale_buf *out)
{
    put(out, p->n, 1);
    for (uint32_t i = 0; i < p->n; i++) {
        put(out, (uint64_t)point_at(p, i)->start_s, 8);
        put_double(out, point_at(p, i)->value);
    }
}

bool thresholds_points_get(struct points *p, struct cursor *c, int64_t before_s)
{
    unsigned n = (unsigned)get(c, 1);
    if (n > POINTS)
        return false;
    for (unsigned i = 0; i < n && !c->bad; i++) {
        p->v[i].start_s = get_time(c, THRESHOLDS_TIME_MAX_MS);
        p->v[i].value = get_double(c);
        if (p->v[i].start_s >= before_s || p->v[i].start_s == NO_TIME ||
            isinf(p->v[i].value) || (i > 0 && p->v[i].start_s <= p->v[i - 1].start_s))
            return false;
    }
    p->n = n;
    return !c->bad;
}
