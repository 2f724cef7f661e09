/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/why_facts.h"

#include <stdlib.h>
#include <string.h>

#include "collector/catalog.h"
#include "collector/why_ask.h"
#include "store/keys.h"

/* --- series ---------------------------------------------------------------------------------- */

/* Series of one operand, by group. */
struct scan {
    const struct hale_definition *d;
    const struct hale_term *x; /* the operand */
    json_t *group;             /* that is asked about; NULL: any */
    json_t *found;             /* group text -> {"group","series","newest_ms"} */
    size_t max;
    size_t series;
    int64_t newest_ms;
    bool partial; /* only series that lack some key of the group */
    bool failed;
};

static json_t *string_of(struct hale_str s)
{
    return json_stringn(s.p != NULL ? s.p : "", s.len);
}

/* The group of a series: those match_by keys that it has. */
static json_t *group_of(const struct scan *s, const struct hale_series *text)
{
    json_t *o = json_object();
    for (unsigned i = 0; o != NULL && i < s->d->match_by.n; i++) {
        struct hale_str v = hale_series_dim(text, hale_str_from(s->d->match_by.v[i]));
        if (v.p != NULL &&
            json_object_set_new(o, s->d->match_by.v[i], string_of(v)) != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

/* No key of the series' group has another value than the group asked about. */
static bool agrees(const struct scan *s, json_t *group)
{
    const char *key;
    const json_t *value;
    if (s->group == NULL)
        return true;
    json_object_foreach (group, key, value) {
        if (!json_equal(json_object_get(s->group, key), value))
            return false;
    }
    return !s->partial || json_object_size(group) < json_object_size(s->group);
}

static void count_group(struct scan *s, json_t *group, int64_t last_ms)
{
    char *text = json_dumps(group, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *o = text != NULL ? json_object_get(s->found, text) : NULL;
    if (text == NULL) {
        s->failed = true;
    } else if (o == NULL && json_object_size(s->found) < s->max) {
        o = json_pack("{s:O, s:i, s:n, s:n, s:n}", "group", group, "series", 0,
                      "newest_ms", "stored", "live");
        if (o == NULL || json_object_set_new(s->found, text, o) != 0)
            s->failed = true;
    }
    if (o != NULL && !s->failed) {
        json_t *newest = json_object_get(o, "newest_ms");
        json_int_t n = json_integer_value(json_object_get(o, "series")) + 1;
        if (json_object_set_new(o, "series", json_integer(n)) != 0 ||
            (last_ms != COLLECTOR_NEVER_MS &&
             (!json_is_integer(newest) || json_integer_value(newest) < last_ms) &&
             json_object_set_new(o, "newest_ms", json_integer(last_ms)) != 0))
            s->failed = true;
    }
    free(text);
}

static void take_series(struct collector_series *series, const struct hale_series *text,
                        void *arg)
{
    struct scan *s = arg;
    if (!hale_term_matches(s->x, text))
        return;
    json_t *group = group_of(s, text);
    if (group == NULL) {
        s->failed = true;
        return;
    }
    if (agrees(s, group)) {
        int64_t last_ms = atomic_load_explicit(&series->last_ms, memory_order_relaxed);
        s->series++;
        if (last_ms > s->newest_ms)
            s->newest_ms = last_ms;
        count_group(s, group, last_ms);
    }
    json_decref(group);
}

static struct collector_selector select_metric(const struct hale_definition *d,
                                               struct hale_str name)
{
    return (struct collector_selector){.tenant = hale_str_from(d->tenant),
                                       .name = name,
                                       .start_ms = INT64_MIN,
                                       .end_ms = INT64_MAX};
}

static bool add_filter(struct collector_dims *dims, struct hale_str key,
                       struct hale_str value)
{
    if (dims->n == HALE_DIMS_MAX)
        return false;
    dims->v[dims->n++] = (struct collector_dim_filter){key, value};
    return true;
}

/* '|' separates alternatives in a filter: such a value is left to the comparison of groups. */
static bool plain(struct hale_str value)
{
    return memchr(value.p, '|', value.len) == NULL;
}

/* First those series that have the whole group, which the index finds; only when there is none, those
 * that lack some of its keys, which takes a look at each series of the metric. */
static void scan_operand(struct collector *c, struct scan *s, const struct hale_term *x)
{
    struct collector_selector sel = select_metric(s->d, x->name);
    const char *key;
    const json_t *value;
    s->x = x;
    s->series = 0;
    s->newest_ms = COLLECTOR_NEVER_MS;
    for (unsigned i = 0; i < x->n_dims; i++) {
        if (plain(x->dims[i].value) &&
            !add_filter(&sel.dims, x->dims[i].key, x->dims[i].value))
            return;
    }
    unsigned own = sel.dims.n;
    if (s->group != NULL) {
        json_object_foreach (s->group, key, value) {
            struct hale_str v = hale_str_from(json_string_value(value));
            if (plain(v) && !add_filter(&sel.dims, hale_str_from(key), v))
                return;
        }
    }
    s->partial = false;
    collector_catalog_each(c->catalog, &sel, take_series, s);
    if (s->series > 0 || sel.dims.n == own)
        return;
    sel.dims.n = own;
    s->partial = true;
    collector_catalog_each(c->catalog, &sel, take_series, s);
}

static void count_one(struct collector_series *series, const struct hale_series *text,
                      void *arg)
{
    size_t *n = arg;
    (void)series;
    (void)text;
    (*n)++;
}

/* --- a sub-expression --------------------------------------------------------------------------- */

static json_t *operand_json(struct collector *c, const struct scan *s)
{
    const struct hale_term *x = s->x;
    struct collector_selector sel = select_metric(s->d, x->name);
    size_t all = s->series;
    if (s->series == 0)
        collector_catalog_each(c->catalog, &sel, count_one, &all);
    json_t *dims = json_object();
    for (unsigned i = 0; dims != NULL && i < x->n_dims; i++) {
        char *key = strndup(x->dims[i].key.p, x->dims[i].key.len);
        if (key == NULL ||
            json_object_set_new(dims, key, string_of(x->dims[i].value)) != 0) {
            json_decref(dims);
            dims = NULL;
        }
        free(key);
    }
    json_t *newest =
        s->newest_ms == COLLECTOR_NEVER_MS ? json_null() : json_integer(s->newest_ms);
    return json_pack("{s:o, s:o, s:I, s:I, s:o}", "metric", string_of(x->name),
                     "dimensions", dims, "series", (json_int_t)s->series, "metric_series",
                     (json_int_t)all, "newest_ms", newest);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Groups by text, so that the answer does not depend on the catalogue's order. Takes found. */
static json_t *groups_list(json_t *found)
{
    json_t *list = json_array();
    size_t n = json_object_size(found), i = 0;
    const char **keys = calloc(n + 1, sizeof(*keys));
    const char *key;
    json_t *v;
    int bad = list == NULL || keys == NULL;
    if (!bad) {
        json_object_foreach (found, key, v)
            keys[i++] = key;
        qsort(keys, n, sizeof(*keys), by_text);
        for (size_t k = 0; k < n && !bad; k++)
            bad = json_array_append(list, json_object_get(found, keys[k]));
    }
    free(keys);
    json_decref(found);
    if (!bad)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *sub_json(struct collector *c, const struct hale_definition *d, unsigned i,
                        json_t *group)
{
    const struct hale_subexpr *x = &d->expr->subs[i];
    struct scan s = {
        .d = d, .group = group, .found = json_object(), .max = COLLECTOR_WHY_GROUPS};
    struct hale_buf text;
    json_t *operands = json_array();
    bool bad = operands == NULL;
    if (s.found == NULL) {
        json_decref(operands);
        return NULL;
    }
    for (unsigned t = 0; t < hale_subexpr_terms(x) && !bad; t++) {
        struct hale_term term = hale_subexpr_term(x, t);
        scan_operand(c, &s, &term);
        bad = s.failed || json_array_append_new(operands, operand_json(c, &s)) != 0;
    }
    hale_buf_init(&text, 65536);
    hale_subexpr_format(x, &text);
    if (bad || text.failed) {
        json_decref(operands);
        operands = NULL;
    }
    json_t *groups = groups_list(s.found);
    json_t *o = json_pack("{s:i, s:s%, s:I, s:o, s:o}", "sub", (int)i, "expression",
                          text.p != NULL ? text.p : "", text.len, "window_s",
                          (json_int_t)x->period_s * x->times, "operands", operands,
                          "groups", groups);
    hale_buf_fini(&text);
    return o;
}

/* --- what the correlator stored --------------------------------------------------------------------- */

static enum hale_rc append_row(struct hale_redis *redis, const char *definition_id,
                               json_int_t sub, const json_t *group)
{
    struct hale_buf field;
    char *text = json_dumps(group, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL)
        return HALE_E_NOMEM;
    hale_buf_init(&field, (size_t)1 << 20);
    hale_buf_printf(&field, "s:%s:%lld:%s", definition_id, (long long)sub, text);
    enum hale_rc rc = field.failed
                          ? HALE_E_NOMEM
                          : HALE_REDIS(redis, HALE_STR("HGET"), HALE_STR(HALE_KEYS_SUBS),
                                       hale_buf_str(&field));
    hale_buf_fini(&field);
    free(text);
    return rc;
}

static enum hale_rc take_row(struct hale_redis *redis, json_t *g)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_reply(redis, &reply);
    struct hale_str text = rc == HALE_OK ? hale_reply_str(reply) : (struct hale_str){0};
    if (rc == HALE_OK && !hale_reply_is_nil(reply) && !hale_reply_is_error(reply)) {
        json_t *row = json_loadb(text.p, text.len, 0, NULL);
        if (row != NULL && json_object_set_new(g, "stored", row) != 0)
            rc = HALE_E_NOMEM;
    }
    hale_reply_free(reply);
    return rc;
}

/* Calls each for every group shown, in order. */
static enum hale_rc each_group(json_t *subs,
                               enum hale_rc (*each)(json_t *sub, json_t *g, void *arg),
                               void *arg)
{
    size_t i, k;
    json_t *sub, *g;
    enum hale_rc rc = HALE_OK;
    json_array_foreach (subs, i, sub) {
        json_array_foreach (json_object_get(sub, "groups"), k, g) {
            rc = each(sub, g, arg);
            if (rc != HALE_OK)
                return rc;
        }
    }
    return rc;
}

struct rows {
    struct hale_redis *redis;
    const char *definition_id;
    json_t *asked, *said;
    size_t next;
};

static enum hale_rc ask_row(json_t *sub, json_t *g, void *arg)
{
    struct rows *r = arg;
    return append_row(r->redis, r->definition_id,
                      json_integer_value(json_object_get(sub, "sub")),
                      json_object_get(g, "group"));
}

static enum hale_rc get_row(json_t *sub, json_t *g, void *arg)
{
    (void)sub;
    return take_row(((struct rows *)arg)->redis, g);
}

static enum hale_rc ask_live(json_t *sub, json_t *g, void *arg)
{
    struct rows *r = arg;
    if (json_array_size(r->asked) == COLLECTOR_WHY_ASK_MAX)
        return HALE_OK;
    json_t *o = json_pack("{s:O, s:O}", "sub", json_object_get(sub, "sub"), "group",
                          json_object_get(g, "group"));
    return o != NULL && json_array_append_new(r->asked, o) == 0 ? HALE_OK : HALE_E_NOMEM;
}

static enum hale_rc get_live(json_t *sub, json_t *g, void *arg)
{
    struct rows *r = arg;
    json_t *v = json_array_get(r->said, r->next++);
    (void)sub;
    return v == NULL || json_object_set(g, "live", v) == 0 ? HALE_OK : HALE_E_NOMEM;
}

static enum hale_rc add_states(struct collector *c, struct hale_redis *redis,
                               const char *definition_id, json_t *subs, bool *answered)
{
    struct rows r = {
        .redis = redis, .definition_id = definition_id, .asked = json_array()};
    *answered = true;
    if (r.asked == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = each_group(subs, ask_row, &r);
    if (rc == HALE_OK)
        rc = each_group(subs, get_row, &r);
    else
        hale_redis_drain(redis);
    if (rc == HALE_OK)
        rc = each_group(subs, ask_live, &r);
    if (rc == HALE_OK && json_array_size(r.asked) > 0) {
        rc = collector_why_ask(redis, (unsigned)c->conf->shards, definition_id, r.asked,
                               &r.said);
        *answered = rc == HALE_OK;
        if (rc == HALE_OK || rc == HALE_E_AGAIN)
            rc = each_group(subs, get_live, &r);
    }
    json_decref(r.asked);
    json_decref(r.said);
    return rc;
}

enum hale_rc collector_why_subs(struct collector *c, struct hale_redis *redis,
                                const struct hale_definition *d, json_t *group,
                                json_t *facts)
{
    json_t *subs = json_array();
    bool answered = true;
    enum hale_rc rc = subs != NULL ? HALE_OK : HALE_E_NOMEM;
    for (unsigned i = 0; rc == HALE_OK && i < d->expr->n_subs; i++) {
        if (json_array_append_new(subs, sub_json(c, d, i, group)) != 0)
            rc = HALE_E_NOMEM;
    }
    if (rc == HALE_OK)
        rc = add_states(c, redis, d->id, subs, &answered);
    if (rc == HALE_OK &&
        (json_object_set(facts, "subs", subs) != 0 ||
         json_object_set_new(facts, "evaluation",
                             json_string(answered ? "live" : "unanswered")) != 0))
        rc = HALE_E_NOMEM;
    json_decref(subs);
    return rc;
}

json_t *collector_why_groups(struct collector *c, const struct hale_definition *d,
                             size_t max)
{
    struct scan s = {.d = d, .found = json_object(), .max = max};
    for (unsigned i = 0; s.found != NULL && i < d->expr->n_subs; i++) {
        const struct hale_subexpr *x = &d->expr->subs[i];
        for (unsigned t = 0; t < hale_subexpr_terms(x); t++) {
            struct hale_term term = hale_subexpr_term(x, t);
            scan_operand(c, &s, &term);
        }
    }
    json_t *list = s.found != NULL ? groups_list(s.found) : NULL;
    if (s.failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}
