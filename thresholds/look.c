/* SPDX-License-Identifier: Apache-2.0 */
/* look - how it stands with one sub-alarm, for those who ask why. Changes nothing. */
#include <math.h>

#include "thresholds/inner.h"

static void look_window(struct thresholds_engine *e, struct sub *a,
                        struct thresholds_look *out)
{
    if (no_window(a))
        return;
    int64_t reach_s = a->calculated ? (a->operands->span - 1) * (int64_t)a->width_s : 0;
    out->window_start_ms = (window_start_s(a) - reach_s) * 1000;
    out->window_end_ms = a->view_end_s * 1000;
    out->values = e->values;
    for (unsigned i = 0; i < a->times && i < a->n_slots; i++) {
        double value = NAN;
        if (a->calculated)
            value = thresholds_operands_value(a, i);
        else if (!slot_known(a, slot_at(a, i), &value))
            value = NAN;
        out->values[out->n_values++] = value;
    }
}

static void look_wait(const struct sub *a, struct thresholds_look *out)
{
    const struct hale_subexpr *x = &a->def->d->expr->subs[a->index];
    if (a->pend == 0)
        return;
    out->waits = true;
    out->waits_for = (enum hale_state)(a->pend - 1);
    out->waits_since_ms = a->pend_ms;
    int64_t wait_s = out->waits_for == HALE_STATE_ALARM ? x->for_s : x->clear_for_s;
    out->waits_until_ms = a->pend_ms + wait_s * 1000;
}

enum hale_rc thresholds_engine_look(struct thresholds_engine *e,
                                    struct hale_str definition_id, unsigned sub,
                                    const struct hale_dim *group, unsigned n_group,
                                    struct thresholds_look *out)
{
    const struct def *def = hale_map_get(e->defs, definition_id);
    if (def == NULL || sub >= def->d->expr->n_subs)
        return HALE_E_NOTFOUND;
    hale_buf_reset(&e->group);
    for (unsigned i = 0; i < n_group; i++)
        thresholds_group_add(&e->group, &group[i]);
    if (e->group.failed)
        return HALE_E_NOTFOUND; /* too long for a group */
    struct sub *a = thresholds_sub_find(e, def, sub, hale_buf_str(&e->group));
    if (a == NULL || a->dead)
        return HALE_E_NOTFOUND;
    *out = (struct thresholds_look){.state = (enum hale_state)a->state,
                                    .reported = a->reported,
                                    .due_ms = a->bucket != NULL ? a->bucket->timer.at
                                                                : INT64_MAX,
                                    .series = a->refs};
    look_window(e, a, out);
    look_wait(a, out);
    return HALE_OK;
}
