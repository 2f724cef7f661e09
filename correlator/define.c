/* SPDX-License-Identifier: Apache-2.0 */
/* define - definitions: new, changed, gone, and what that means for their alarms. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

int64_t correlator_engine_version(const struct correlator_engine *e, const char *id)
{
    HALE_CHECK(e, COR_MAGIC);
    const struct cor_def *def = hale_map_get(e->defs, hale_str_from(id));
    if (def == NULL && hale_map_get(e->unreadable, hale_str_from(id)) != NULL)
        return -2;
    return def == NULL ? -1 : def->d->version;
}

enum hale_rc correlator_engine_unreadable(struct correlator_engine *e, struct hale_str id)
{
    HALE_CHECK(e, COR_MAGIC);
    return hale_map_put(e->unreadable, id, e);
}

/* Calls each for every alarm of the definition, by group. */
static void each_alarm(struct correlator_engine *e, struct cor_def *def,
                       void (*each)(struct correlator_engine *e, struct cor_alarm *a,
                                    bool flag),
                       bool flag)
{
    size_t it = 0, n = 0, max = hale_map_count(def->nodes);
    struct cor_node *node, **list = cor_got(e, calloc(max + 1, sizeof(*list)));
    if (list == NULL)
        return;
    while ((node = hale_map_next(def->nodes, &it, NULL)) != NULL) {
        if (node->alarm != NULL)
            list[n++] = node;
    }
    cor_nodes_sort(list, n);
    for (size_t i = 0; i < n && !e->nomem; i++) {
        each(e, list[i]->alarm, flag);
        cor_cause_settle(e);
        cor_checkpoint(e);
    }
    free(list);
}

static void end_alarm(struct correlator_engine *e, struct cor_alarm *a, bool flag)
{
    (void)flag;
    cor_alarm_delete(e, a);
}

/* Takes the definition with its alarms and sub-alarms apart. */
static void dissolve(struct correlator_engine *e, struct cor_def *def)
{
    each_alarm(e, def, end_alarm, false);
    if (e->nomem)
        return;
    size_t it = 0;
    struct cor_node *n;
    while ((n = hale_map_next(def->nodes, &it, NULL)) != NULL) {
        for (unsigned i = 0; i < def->d->expr->n_subs; i++) {
            if (n->own[i] != NULL)
                cor_sub_remove(e, n->own[i]);
        }
        if (n->joined)
            e->n_joined--;
        cor_checkpoint(e);
    }
    hale_map_del(e->defs, hale_str_from(def->d->id));
    cor_def_free(def);
}

static enum hale_rc add_definition(struct correlator_engine *e, struct hale_definition *d)
{
    struct cor_def *def = cor_def_new(e, d);
    if (def == NULL)
        return cor_result(e, HALE_E_LIMIT);
    if (hale_map_put(e->defs, hale_str_from(d->id), def) != HALE_OK) {
        cor_def_free(def);
        return HALE_E_LIMIT;
    }
    return HALE_OK;
}

static bool looks_changed(const struct hale_definition *a,
                          const struct hale_definition *b)
{
    return strcmp(a->name, b->name) != 0 || strcmp(a->description, b->description) != 0 ||
           a->severity != b->severity || a->actions_enabled != b->actions_enabled ||
           a->impact != b->impact;
}

static void tell_changed(struct correlator_engine *e, struct cor_alarm *a, bool changed)
{
    if (!changed && !a->stale)
        return;
    a->severity = cor_severity(a->node, a->state);
    a->updated_ms = cor_now_ms(e);
    cor_emit(e, a, HALE_ALARM_UPDATED, a->state);
}

/* An API-made state holds until a sub-alarm reports again or the question is another. */
static void evaluate_again(struct correlator_engine *e, struct cor_alarm *a,
                           bool other_expression)
{
    if (!a->manual || other_expression)
        cor_evaluate(e, a->node);
}

enum hale_rc correlator_engine_define(struct correlator_engine *e,
                                      struct hale_definition *d,
                                      const struct correlator_input *in)
{
    HALE_CHECK(e, COR_MAGIC);
    struct cor_def *def = hale_map_get(e->defs, hale_str_from(d->id));
    if (in != NULL)
        cor_begin(e, in, 0, in->now_us);
    HALE_ASSERT(def == NULL || in != NULL);
    if (def != NULL &&
        (def->d->expr->n_subs != d->expr->n_subs ||
         strcmp(def->d->tenant, d->tenant) != 0 || !cor_def_same_keys(def->d, d))) {
        dissolve(e, def); /* the API refuses it; whoever made it gets a new one */
        def = NULL;
    }
    if (def == NULL)
        return add_definition(e, d);
    bool changed = looks_changed(def->d, d);
    bool other_expression = strcmp(def->d->expression, d->expression) != 0;
    cor_settle_rows(e);
    cor_def_replace(def, d);
    each_alarm(e, def, tell_changed, changed);
    each_alarm(e, def, evaluate_again, other_expression);
    return cor_result(e, HALE_OK);
}

enum hale_rc correlator_engine_undefine(struct correlator_engine *e, const char *id,
                                        const struct correlator_input *in)
{
    cor_begin(e, in, 0, in->now_us);
    struct cor_def *def = hale_map_get(e->defs, hale_str_from(id));
    if (def != NULL)
        dissolve(e, def);
    return cor_result(e, HALE_OK);
}
