/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baseline - how unusual is this average at this hour? Kept are the means of the past hours; a slot
 * adds to the hour in which it begins when it leaves the window, so that no late sample is missed
 * and nothing is judged by itself. Rule and reasons: docs/formats/thresholds.md, ADR 17.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "thresholds/bytes.h"
#include "thresholds/kept.h"

#define HOUR_S       3600
#define FLOOR        0.01 /* of the median: less is no deviation */
#define MOST         1000.0
#define MAD_TO_SIGMA 1.4826

struct history {
    int64_t newest; /* hours since 1970; NO_TIME: none */
    double sum;     /* of the newest hour */
    uint32_t n;     /* samples of the newest hour */
    uint16_t n_hours;
    double mean[]; /* by hour modulo n_hours; NAN: none */
};

static unsigned hours_of(const struct hale_subexpr *x)
{
    return 24 * x->days + 2;
}

size_t thresholds_history_bytes(const struct history *h)
{
    return sizeof(*h) + h->n_hours * sizeof(h->mean[0]);
}

struct history *thresholds_history_new(const struct hale_subexpr *x)
{
    unsigned n = hours_of(x);
    struct history *h = malloc(sizeof(*h) + n * sizeof(h->mean[0]));
    if (h == NULL)
        return NULL;
    h->newest = NO_TIME;
    h->sum = 0;
    h->n = 0;
    h->n_hours = (uint16_t)n;
    for (unsigned i = 0; i < n; i++)
        h->mean[i] = NAN;
    return h;
}

static int64_t hour_of(int64_t s)
{
    return s >= 0 ? s / HOUR_S : -((HOUR_S - 1 - s) / HOUR_S);
}

static double *mean_at(struct history *h, int64_t hour)
{
    HALE_ASSERT(h->n_hours > 0);
    int64_t i = hour % h->n_hours;
    return &h->mean[i < 0 ? i + h->n_hours : i];
}

void thresholds_history_learn(struct history *h, int64_t start_s, const struct slot *s)
{
    int64_t hour = hour_of(start_s);
    if (h->newest != NO_TIME && hour < h->newest)
        return; /* slots leave in the order of time, but a new period begins a window anew */
    if (h->newest != hour) {
        int64_t gap = h->newest == NO_TIME || hour - h->newest > h->n_hours
                          ? h->n_hours
                          : hour - h->newest;
        for (int64_t i = 0; i < gap; i++)
            *mean_at(h, hour - i) = NAN;
        h->newest = hour;
        h->sum = 0;
        h->n = 0;
    }
    h->sum += s->acc;
    h->n += s->n < UINT32_MAX - h->n ? s->n : UINT32_MAX - h->n;
    double mean = h->sum / h->n;
    *mean_at(h, hour) = isfinite(mean) ? mean : NAN;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double thresholds_median(double *v, unsigned n)
{
    qsort(v, n, sizeof(v[0]), by_value);
    return n % 2 == 1 ? v[n / 2] : v[n / 2 - 1] / 2 + v[n / 2] / 2;
}

/* Means of this hour of the past days into v; returns their number. */
static unsigned past(struct history *h, int64_t hour, double *v)
{
    unsigned n = 0;
    for (int day = 1; day <= h->n_hours / 24; day++) {
        int64_t at = hour - 24 * day;
        bool there = at <= h->newest && at > h->newest - h->n_hours;
        if (there && !isnan(*mean_at(h, at)))
            v[n++] = *mean_at(h, at);
    }
    return n;
}

bool thresholds_history_deviation(struct history *h, int64_t start_s, double average,
                                  double *out)
{
    double days[HALE_EXPR_MAX_DAYS], rest[3 * HALE_EXPR_MAX_DAYS], usual = 0;
    unsigned n_rest = 0;
    int64_t hour = hour_of(start_s);
    if (h->newest == NO_TIME)
        return false;
    for (int j = -1; j <= 1; j++) {
        unsigned n = past(h, hour + j, days);
        if (n < HALE_EXPR_MIN_DAYS && j == 0)
            return false;
        if (n < HALE_EXPR_MIN_DAYS)
            continue;
        double median = thresholds_median(days, n);
        for (unsigned i = 0; i < n; i++)
            rest[n_rest++] = fabs(days[i] - median);
        usual = j == 0 ? median : usual;
    }
    double sigma = MAD_TO_SIGMA * thresholds_median(rest, n_rest);
    double least = FLOOR * fabs(usual);
    sigma = sigma > least ? sigma : least;
    double away = average - usual, deviation = away / sigma;
    if (!(fabs(deviation) <= MOST)) /* also 0 / 0, and a spread of 0 */
        deviation = away > 0 ? MOST : away < 0 ? -MOST : 0;
    *out = deviation;
    return true;
}

void thresholds_history_put(const struct history *h, struct hale_buf *out)
{
    put(out, (uint64_t)h->newest, 8);
    if (h->newest == NO_TIME)
        return;
    put_double(out, h->sum);
    put(out, h->n, 4);
    unsigned n = 0;
    for (unsigned i = 0; i < h->n_hours; i++)
        n += isnan(h->mean[i]) ? 0 : 1;
    put(out, n, 2);
    for (unsigned i = 0; i < h->n_hours; i++) {
        if (isnan(h->mean[i]))
            continue;
        put(out, i, 2);
        put_double(out, h->mean[i]);
    }
}

bool thresholds_history_get(struct history *h, struct cursor *c)
{
    h->newest = get_time(c, THRESHOLDS_TIME_MAX_MS);
    if (c->bad || h->newest == NO_TIME)
        return !c->bad;
    h->sum = get_double(c);
    h->n = (uint32_t)get(c, 4);
    unsigned n = (unsigned)get(c, 2);
    if (h->n == 0 || n > h->n_hours)
        return false;
    for (unsigned i = 0, before = 0; i < n && !c->bad; i++) {
        unsigned at = (unsigned)get(c, 2);
        double mean = get_double(c);
        if (at >= h->n_hours || (i > 0 && at <= before) || isinf(mean))
            return false;
        h->mean[at] = mean;
        before = at;
    }
    return !c->bad;
}
