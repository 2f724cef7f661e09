/* SPDX-License-Identifier: Apache-2.0 */
/* control - control records about single alarms: deletion, change of state, words and link. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

static bool used_elsewhere(const struct cor_node *n, const struct cor_sub *s)
{
    size_t it = 0;
    const struct cor_node *other;
    while ((other = hale_map_next(n->def->nodes, &it, NULL)) != NULL) {
        if (other != n && other->alarm != NULL && other->bind[s->index] == s)
            return true;
    }
    return false;
}

/* thresholds forgets the sub-alarms of the alarm's group at the same record, so the next sample
 * creates them again; partial groups stay there, and those that other alarms use stay here. */
static void delete_alarm(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_node *n = a->node;
    cor_alarm_delete(e, a);
    if (n == NULL)
        return;
    for (unsigned i = 0; i < n->def->d->expr->n_subs; i++) {
        if (n->own[i] != NULL && !used_elsewhere(n, n->own[i]))
            cor_sub_remove(e, n->own[i]);
    }
    cor_node_release(e, n);
}

/* True when *field was changed to value (NULL: keep). */
static bool patch_text(struct correlator_engine *e, char **field, const char *value)
{
    if (value == NULL || (*field != NULL && strcmp(*field, value) == 0))
        return false;
    char *copy = cor_strdup(e, value);
    if (copy == NULL)
        return false;
    free(*field);
    *field = copy;
    return true;
}

static enum hale_rc patch_alarm(struct correlator_engine *e, struct cor_alarm *a,
                                const struct hale_control *c)
{
    enum hale_state to = a->state;
    if (c->state != NULL && hale_state_parse(hale_str_from(c->state), &to) != HALE_OK) {
        e->stats.invalid++;
        return HALE_E_INVAL;
    }
    bool changed = patch_text(e, &a->lifecycle_state, c->lifecycle_state);
    changed |= patch_text(e, &a->link, c->link);
    if (to != a->state) {
        if (a->fault != NULL)
            cor_fault_uncleared(e, a);
        a->manual = true;
        cor_transition(e, a, to, cor_strdup(e, COR_API_REASON));
        if (a->fault != NULL && to == HALE_STATE_OK)
            cor_fault_cleared(e, a);
    } else if (changed) {
        if (a->fault != NULL && a->state == HALE_STATE_OK) {
            cor_fault_uncleared(
                e, a); /* cleared ones are in the order of their last change */
            cor_fault_cleared(e, a);
        }
        a->updated_ms = cor_now_ms(e);
        cor_emit(e, a, HALE_ALARM_UPDATED, a->state);
    }
    return HALE_OK;
}

enum hale_rc correlator_engine_control(struct correlator_engine *e,
                                       const struct hale_control *c,
                                       const struct correlator_input *in)
{
    cor_begin(e, in, 0, in->now_us);
    if (c->op != HALE_CONTROL_ALARM_DELETE && c->op != HALE_CONTROL_ALARM_PATCH &&
        c->op != HALE_CONTROL_ALARM_OP)
        return HALE_E_INVAL;
    struct cor_alarm *a = hale_map_get(e->alarms, hale_str_from(c->id));
    if (a == NULL) {
        e->stats.unknown_alarm++;
        return HALE_OK;
    }
    if (c->op == HALE_CONTROL_ALARM_PATCH)
        return cor_result(e, patch_alarm(e, a, c));
    if (c->op == HALE_CONTROL_ALARM_OP)
        cor_operate(e, a, c);
    else
        delete_alarm(e, a);
    return cor_result(e, HALE_OK);
}
