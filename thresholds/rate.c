/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate - counters: what a sample adds to the one before it of the same series. A counter that
 * falls has begun anew from 0. The increase is spread evenly over the time between the two
 * samples, so slots that ended between them get their share, and a gap of an hour is no peak.
 */
#include <stdlib.h>
#include <string.h>

#include "thresholds/inner.h"

void thresholds_rate_free(struct counters *c)
{
    if (c == NULL)
        return;
    free(c->v);
    free(c);
}

/* Place of id, or where it would stand. */
static uint32_t place_of(const struct counters *c, uint64_t id)
{
    uint32_t lo = 0, hi = c->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (c->v[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

enum hale_rc thresholds_rate_join(struct sub *a, uint64_t id)
{
    if (a->counters == NULL && (a->counters = calloc(1, sizeof(*a->counters))) == NULL)
        return HALE_E_NOMEM;
    struct counters *c = a->counters;
    uint32_t at = place_of(c, id);
    if (at < c->n && c->v[at].id == id)
        return HALE_OK;
    if (c->n == COUNTERS_MAX)
        return HALE_E_LIMIT;
    if (c->n == c->cap) {
        uint32_t cap = c->cap == 0 ? 1 : c->cap * 2;
        struct counter *v = realloc(c->v, cap * sizeof(*v));
        if (v == NULL)
            return HALE_E_NOMEM;
        c->v = v;
        c->cap = cap;
    }
    memmove(&c->v[at + 1], &c->v[at], (c->n - at) * sizeof(c->v[0]));
    c->v[at] = (struct counter){.id = id, .ms = NO_TIME};
    c->n++;
    return HALE_OK;
}

void thresholds_rate_sample(struct thresholds_engine *e, struct sub *a, uint64_t id,
                            int64_t time_ms, double value, const struct moment *m)
{
    struct counters *c = a->counters;
    uint32_t at = c != NULL ? place_of(c, id) : 0;
    if (c == NULL || at == c->n || c->v[at].id != id)
        return; /* refused by join, and counted there */
    if (time_ms > m->at_ms)
        time_ms =
            m->at_ms; /* a stamp in the future must not make later samples "older" */
    struct counter before = c->v[at];
    if (before.ms != NO_TIME && time_ms <= before.ms) {
        e->stats.late++;
        return;
    }
    c->v[at].ms = time_ms;
    c->v[at].value = value;
    *sub_dirty_flag(e, a) = 1;
    if (before.ms == NO_TIME)
        return;
    double increase = value >= before.value ? value - before.value : value;
    thresholds_window_increase(e, a, before.ms, time_ms, increase > 0 ? increase : 0, m);
}
