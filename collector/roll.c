/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/roll.h"

size_t collector_roll(const struct collector_points *points,
                      const struct collector_roll_grid *g, struct hale_rrd_cell *cells)
{
    int64_t start_ms = g->start_s * 1000;
    int64_t end_ms = start_ms + (int64_t)g->n_steps * g->step_s * 1000;
    size_t taken = 0;

    for (size_t i = collector_points_from(points, start_ms);
         i < points->n && points->v[i].time_ms < end_ms; i++) {
        const struct collector_point *p = &points->v[i];
        size_t step = (size_t)((p->time_ms - start_ms) / (g->step_s * 1000));
        struct hale_rrd_cell *c = &cells[step * g->slots + g->slot];
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
