/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/guard_when.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S   86400
#define WEEK_MS (7LL * DAY_S * 1000)

void actuator_when_fini(struct actuator_when *w)
{
    for (unsigned i = 0; i < w->n_hours; i++)
        hale_zone_free(w->hours[i].zone);
    for (unsigned i = 0; i < w->n_blackouts; i++) {
        struct actuator_blackout *b = &w->blackout[i];
        for (unsigned k = 0; k < b->targets.n; k++)
            free(b->targets.v[k]);
        free(b->targets.v);
        json_decref(b->labels);
    }
    free(w->hours);
    free(w->blackout);
    memset(w, 0, sizeof(*w));
}

static int64_t day_of(int64_t local_s)
{
    int64_t day = local_s / DAY_S;
    return local_s < 0 && local_s % DAY_S != 0 ? day - 1 : day;
}

/* The span that begins on that day, as moments. */
static void span(const struct actuator_hours *h, int64_t day, int64_t *from, int64_t *to)
{
    int64_t length = h->to_min > h->from_min ? h->to_min : h->to_min + 24 * 60;
    *from = hale_zone_utc_s(h->zone, day * DAY_S + h->from_min * 60);
    *to = hale_zone_utc_s(h->zone, day * DAY_S + length * 60);
}

/* Is it in a span now? Else *next is the earlier of it and the next beginning. */
static bool in_hours(const struct actuator_hours *h, int64_t now_s, int64_t *next)
{
    int64_t today = day_of(now_s + hale_zone_offset_s(h->zone, now_s));
    for (int64_t day = today - 1; day <= today + 8; day++) {
        int64_t from, to;
        if ((h->days & 1u << hale_zone_weekday(day)) == 0)
            continue;
        span(h, day, &from, &to);
        if (now_s >= from && now_s < to)
            return true;
        if (from > now_s) {
            *next = from < *next ? from : *next;
            return false;
        }
    }
    return false;
}

bool actuator_when_hours(const struct actuator_when *w, int64_t now_ms, int64_t *until_ms)
{
    int64_t now_s = now_ms / 1000, next = (now_ms + WEEK_MS) / 1000;
    for (unsigned i = 0; i < w->n_hours; i++)
        if (in_hours(&w->hours[i], now_s, &next))
            return true;
    *until_ms = next * 1000;
    return w->n_hours == 0;
}

static bool fits(const struct actuator_blackout *b, const char *target,
                 const json_t *vars)
{
    bool named = b->targets.n == 0;
    const char *key;
    json_t *want;
    for (unsigned i = 0; i < b->targets.n && !named; i++)
        named = fnmatch(b->targets.v[i], target, FNM_NOESCAPE) == 0;
    if (!named)
        return false;
    json_object_foreach (b->labels, key, want) {
        const char *have = json_string_value(json_object_get(vars, key));
        if (have == NULL || fnmatch(json_string_value(want), have, FNM_NOESCAPE) != 0)
            return false;
    }
    return true;
}

bool actuator_when_blackout(const struct actuator_when *w, const char *target,
                            const json_t *vars, int64_t now_ms, int64_t *until_ms)
{
    bool allowed = true;
    for (unsigned i = 0; i < w->n_blackouts; i++) {
        const struct actuator_blackout *b = &w->blackout[i];
        if (now_ms < b->from_ms || now_ms >= b->until_ms || !fits(b, target, vars))
            continue;
        *until_ms = allowed || b->until_ms > *until_ms ? b->until_ms : *until_ms;
        allowed = false;
    }
    return allowed;
}
