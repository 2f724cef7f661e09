/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/roll.h"

size_t collector_roll(const struct collector_points *points, int64_t start_s,
                      int64_t step_s, size_t n_steps, unsigned slots, unsigned slot,
                      struct hale_rrd_cell *cells)
{
    int64_t end_ms = (start_s + (int64_t)n_steps * step_s) * 1000;
    size_t taken = 0;

    for (size_t i = collector_points_from(points, start_s * 1000);
         i < points->n && points->v[i].time_ms < end_ms; i++) {
        const struct collector_point *p = &points->v[i];
        size_t step = (size_t)((p->time_ms - start_s * 1000) / (step_s * 1000));
        struct hale_rrd_cell *c = &cells[step * slots + slot];
        if (c->n == 0)
            *c = (struct hale_rrd_cell){p->value, p->value, p->value, 1};
        else {
            c->sum += p->value;
            c->n++;
            if (p->value < c->min)
                c->min = p->value;
            if (p->value > c->max)
                c->max = p->value;
        }
        taken++;
    }
    return taken;
}
