/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/roll.h"

#include <stdlib.h>
#include <string.h>

#define STEP_MS   (COLLECTOR_ROLL_STEP_S * 1000)
#define OLDEST_MS (399LL * 86400000) /* what the archive reaches back */

static bool push(struct collector_roll *r, struct hale_rrd_point p, size_t *lost_out)
{
    if (r->n_points == COLLECTOR_ROLL_MAX) {
        memmove(r->points, r->points + 1, (r->n_points - 1) * sizeof(p));
        r->n_points--;
        (*lost_out)++;
    }
    if (r->n_points == r->cap) {
        uint32_t cap = r->cap > 0 ? 2 * r->cap : 8;
        struct hale_rrd_point *v = realloc(r->points, cap * sizeof(*v));
        if (v == NULL)
            return false;
        r->points = v;
        r->cap = cap;
    }
    r->points[r->n_points++] = p;
    return true;
}

static void close_step(struct collector_roll *r, size_t *lost_out)
{
    struct hale_rrd_point p = {(r->step + 1) * COLLECTOR_ROLL_STEP_S,
                               r->sum / (double)r->n};

    r->open = false;
    if (!push(r, p, lost_out))
        (*lost_out)++;
}

bool collector_roll_add(struct collector_roll *r, int64_t time_ms, double value,
                        int64_t now_ms, size_t *lost_out)
{
    if (time_ms < 0 || time_ms > now_ms + COLLECTOR_ROLL_AHEAD_MS ||
        time_ms < now_ms - OLDEST_MS)
        return false;
    int64_t step = time_ms / STEP_MS;
    if (r->open && step > r->step)
        close_step(r, lost_out);
    if (!r->open) {
        if (r->n_points > 0 &&
            (step + 1) * COLLECTOR_ROLL_STEP_S <= r->points[r->n_points - 1].time_s)
            return false;
        r->open = true;
        r->step = step;
        r->sum = 0;
        r->n = 0;
    }
    if (step < r->step)
        return false;
    r->sum += value;
    r->n++;
    return true;
}

void collector_roll_seal(struct collector_roll *r, int64_t now_ms, size_t *lost_out)
{
    if (r->open && (r->step + 1) * STEP_MS + COLLECTOR_ROLL_GRACE_MS <= now_ms)
        close_step(r, lost_out);
}

struct hale_rrd_point *collector_roll_take(struct collector_roll *r, size_t *n_out)
{
    struct hale_rrd_point *v = r->n_points > 0 ? r->points : NULL;

    *n_out = r->n_points;
    if (v != NULL) {
        r->points = NULL;
        r->n_points = r->cap = 0;
    }
    return v;
}

void collector_roll_give_back(struct collector_roll *r, struct hale_rrd_point *points,
                              size_t n, size_t *lost_out)
{
    struct hale_rrd_point *newer = r->points;
    size_t n_newer = r->n_points;

    r->points = points;
    r->n_points = r->cap = (uint32_t)n;
    for (size_t i = 0; i < n_newer; i++) {
        if (!push(r, newer[i], lost_out))
            (*lost_out)++;
    }
    free(newer);
}

void collector_roll_fini(struct collector_roll *r)
{
    free(r->points);
    memset(r, 0, sizeof(*r));
}
