/* SPDX-License-Identifier: Apache-2.0 */
/* topology_value - entities as values: copy, patch, compare, free. */
#include <stdlib.h>
#include <string.h>

#include "model/topology_private.h"

void hale_topology_strings_fini(struct hale_strings *s)
{
    for (unsigned i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct hale_strings){0};
}

void hale_entity_fini(struct hale_entity *e)
{
    free(e->type);
    free(e->id);
    free(e->name);
    free(e->source);
    json_decref(e->match);
    json_decref(e->attributes);
    hale_topology_strings_fini(&e->hosted_by);
    hale_topology_strings_fini(&e->connects);
    for (unsigned i = 0; i < e->n_depends_on; i++) {
        free(e->depends_on[i].group);
        hale_topology_strings_fini(&e->depends_on[i].on);
    }
    free(e->depends_on);
    memset(e, 0, sizeof(*e));
}

/* ---- copy ---- */

static bool copy_text(const char *from, char **to)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static bool copy_strings(const struct hale_strings *from, struct hale_strings *to)
{
    to->n = 0;
    to->v = from->n > 0 ? calloc(from->n, sizeof(*to->v)) : NULL;
    if (from->n > 0 && to->v == NULL)
        return false;
    for (unsigned i = 0; i < from->n; i++) {
        to->v[i] = strdup(from->v[i]);
        if (to->v[i] == NULL)
            return false;
        to->n++;
    }
    return true;
}

static bool copy_groups(const struct hale_entity *from, struct hale_entity *to)
{
    to->n_depends_on = 0;
    to->depends_on = from->n_depends_on > 0
                         ? calloc(from->n_depends_on, sizeof(*to->depends_on))
                         : NULL;
    if (from->n_depends_on > 0 && to->depends_on == NULL)
        return false;
    for (unsigned i = 0; i < from->n_depends_on; i++) {
        struct hale_dependency *d = &to->depends_on[to->n_depends_on++];
        d->any = from->depends_on[i].any;
        if (!copy_text(from->depends_on[i].group, &d->group) ||
            !copy_strings(&from->depends_on[i].on, &d->on))
            return false;
    }
    return true;
}

enum hale_rc hale_entity_patch(const struct hale_entity *base,
                               const struct hale_entity *patch, struct hale_entity *out)
{
    const char *source = base->source != NULL ? base->source : patch->source;
    const char *name = patch->name != NULL ? patch->name : base->name;
    json_t *match = patch->match != NULL ? patch->match : base->match;
    json_t *attributes = patch->attributes != NULL ? patch->attributes : base->attributes;
    memset(out, 0, sizeof(*out));
    out->match = json_incref(match);
    out->attributes = json_incref(attributes);
    out->has_state = patch->has_state || base->has_state;
    out->state = patch->has_state ? patch->state : base->state;
    out->has_hosted_by = patch->has_hosted_by || base->has_hosted_by;
    out->has_depends_on = patch->has_depends_on || base->has_depends_on;
    out->has_connects = patch->has_connects || base->has_connects;
    bool ok = copy_text(base->type, &out->type) && copy_text(base->id, &out->id) &&
              copy_text(name, &out->name) && copy_text(source, &out->source) &&
              copy_strings(patch->has_hosted_by ? &patch->hosted_by : &base->hosted_by,
                           &out->hosted_by) &&
              copy_groups(patch->has_depends_on ? patch : base, out) &&
              copy_strings(patch->has_connects ? &patch->connects : &base->connects,
                           &out->connects);
    if (ok)
        return HALE_OK;
    hale_entity_fini(out);
    return HALE_E_NOMEM;
}

enum hale_rc hale_entity_copy(const struct hale_entity *e, struct hale_entity *out)
{
    static const struct hale_entity nothing = {0};
    return hale_entity_patch(e, &nothing, out);
}

/* ---- compare ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_strings(const struct hale_strings *a, const struct hale_strings *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    }
    return true;
}

static bool same_json(const json_t *a, const json_t *b)
{
    return a == b || (a != NULL && b != NULL && json_equal(a, b));
}

static bool same_groups(const struct hale_entity *a, const struct hale_entity *b)
{
    if (a->n_depends_on != b->n_depends_on)
        return false;
    for (unsigned i = 0; i < a->n_depends_on; i++) {
        const struct hale_dependency *d = &a->depends_on[i], *o = &b->depends_on[i];
        if (d->any != o->any || !same_text(d->group, o->group) ||
            !same_strings(&d->on, &o->on))
            return false;
    }
    return true;
}

bool hale_entity_equal(const struct hale_entity *a, const struct hale_entity *b)
{
    return same_text(a->type, b->type) && same_text(a->id, b->id) &&
           same_text(a->name, b->name) && same_text(a->source, b->source) &&
           a->has_state == b->has_state && (!a->has_state || a->state == b->state) &&
           a->has_hosted_by == b->has_hosted_by &&
           a->has_depends_on == b->has_depends_on && a->has_connects == b->has_connects &&
           same_json(a->match, b->match) && same_json(a->attributes, b->attributes) &&
           same_strings(&a->hosted_by, &b->hosted_by) &&
           same_strings(&a->connects, &b->connects) && same_groups(a, b);
}
