/* SPDX-License-Identifier: Apache-2.0 */
/* topology_sync - sources of the topology, and the reconciling count at the end of a sync. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlator/topology_inner.h"

struct cor_source {
    char *tenant, *name;
    int64_t synced_ms; /* last finished sync; 0: none yet */
    int64_t named;     /* entities that it named */
    /* the sync under way; id NULL: none */
    char *id;
    char entry[COR_ENTRY_TEXT]; /* stream entry that began it */
    int64_t last_ms;            /* of its last update */
    struct hale_map *seen;      /* references that it named; the values mean nothing */
};

static char present; /* the value in seen */

void cor_source_free(void *source)
{
    struct cor_source *s = source;
    if (s == NULL)
        return;
    free(s->tenant);
    free(s->name);
    free(s->id);
    hale_map_free(s->seen);
    free(s);
}

static struct hale_str source_key(struct cor_topology *t, const char *tenant,
                                  struct hale_str source)
{
    hale_buf_reset(&t->field);
    hale_buf_add_c(&t->field, tenant);
    hale_buf_add_char(&t->field, '\0');
    hale_buf_add_str(&t->field, source);
    return hale_buf_str(&t->field);
}

static struct cor_source *source_find(struct cor_topology *t, const char *tenant,
                                      struct hale_str name)
{
    return hale_map_get(t->sources, source_key(t, tenant, name));
}

/* NULL: see *rc; HALE_E_LIMIT: there are too many. */
static struct cor_source *source_make(struct cor_topology *t, const char *tenant,
                                      struct hale_str name, enum hale_rc *rc)
{
    struct cor_source *s = source_find(t, tenant, name);
    if (s != NULL)
        return s;
    s = calloc(1, sizeof(*s));
    if (s != NULL) {
        s->tenant = strdup(tenant);
        s->name = strndup(name.p, name.len);
    }
    *rc = s == NULL || s->tenant == NULL || s->name == NULL
              ? HALE_E_NOMEM
              : hale_map_put(t->sources, source_key(t, tenant, name), s);
    if (*rc != HALE_OK) {
        cor_source_free(s);
        return NULL;
    }
    return s;
}

static void put_row(struct cor_topology *t, const struct cor_source *s)
{
    hale_buf_reset(&t->value);
    hale_buf_add_c(&t->value, "{\"v\":1,\"source\":");
    hale_buf_add_json(&t->value, hale_str_from(s->name));
    hale_buf_printf(&t->value, ",\"synced_ms\":%" PRId64 ",\"named\":%" PRId64,
                    s->synced_ms, s->named);
    if (s->id != NULL) {
        hale_buf_add_c(&t->value, ",\"open\":{\"id\":");
        hale_buf_add_json(&t->value, hale_str_from(s->id));
        hale_buf_printf(&t->value, ",\"entry\":\"%s\",\"last_ms\":%" PRId64 "}", s->entry,
                        s->last_ms);
    }
    hale_buf_add_char(&t->value, '}');
    t->sink.put(t->sink.arg,
                cor_topology_field(t, s->tenant, (struct hale_str){"", 0},
                                   hale_str_from(s->name)),
                hale_buf_str(&t->value));
}

static void close_sync(struct cor_topology *t, struct cor_source *s)
{
    free(s->id);
    hale_map_free(s->seen);
    s->id = NULL;
    s->seen = NULL;
    t->n_open--;
}

static void abandon(struct cor_topology *t, struct cor_source *s)
{
    close_sync(t, s);
    t->stats.syncs_abandoned++;
    put_row(t, s);
}

void cor_source_expire(struct cor_topology *t, int64_t now_ms)
{
    size_t it = 0;
    struct cor_source *s;
    while (t->n_open > 0 && (s = hale_map_next(t->sources, &it, NULL)) != NULL) {
        if (s->id != NULL && now_ms - s->last_ms > HALE_TOPOLOGY_SYNC_MS)
            abandon(t, s);
    }
}

static enum hale_rc open_sync(struct cor_topology *t, struct cor_source *s,
                              const char *id, const char *entry_id)
{
    char *copy = strdup(id);
    struct hale_map *seen = hale_map_new(HALE_TOPOLOGY_ENTITIES_MAX, NULL);
    if (copy == NULL || seen == NULL) {
        free(copy);
        hale_map_free(seen);
        return HALE_E_NOMEM;
    }
    s->id = copy;
    s->seen = seen;
    (void)snprintf(s->entry, sizeof(s->entry), "%s", entry_id);
    t->n_open++;
    return HALE_OK;
}

static enum hale_rc mark(struct cor_topology *t, struct cor_source *s,
                         const struct hale_entity *list, unsigned n)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned i = 0; rc == HALE_OK && i < n; i++) {
        cor_entity_ref(&list[i], t->ref);
        rc = hale_map_put(s->seen, hale_str_from(t->ref), &present);
        if (rc == HALE_E_LIMIT)
            rc = HALE_OK; /* more than there can be entities: these are refused anyhow */
    }
    return rc;
}

static enum hale_rc mark_all(struct cor_topology *t, struct cor_source *s,
                             const struct hale_topology_update *u)
{
    enum hale_rc rc = mark(t, s, u->put, u->n_put);
    return rc == HALE_OK ? mark(t, s, u->patch, u->n_patch) : rc;
}

static bool same_sync(const struct cor_source *s, const struct hale_topology_update *u)
{
    return s != NULL && s->id != NULL && strcmp(s->id, u->sync_id) == 0;
}

/* A repeat of the entry that began the sync goes on with it. */
static enum hale_rc begin_sync(struct cor_topology *t,
                               const struct hale_topology_update *u, const char *entry_id)
{
    enum hale_rc rc = HALE_OK;
    struct cor_source *s = source_make(t, u->tenant, hale_str_from(u->source), &rc);
    if (s == NULL) {
        t->stats.refused += rc == HALE_E_LIMIT;
        return rc == HALE_E_LIMIT ? HALE_OK : rc;
    }
    if (same_sync(s, u) && strcmp(s->entry, entry_id) == 0)
        return HALE_OK;
    if (s->id != NULL)
        abandon(t, s);
    return open_sync(t, s, u->sync_id, entry_id);
}

enum hale_rc cor_source_take(struct cor_topology *t, const struct hale_topology_update *u,
                             const char *entry_id, int64_t entry_ms)
{
    enum hale_rc rc = HALE_OK;
    if (u->sync_id == NULL)
        return HALE_OK;
    if (u->sync_begin)
        rc = begin_sync(t, u, entry_id);
    struct cor_source *s = source_find(t, u->tenant, hale_str_from(u->source));
    if (rc != HALE_OK)
        return rc;
    if (!same_sync(s, u)) {
        t->stats.syncs_unknown++;
        return HALE_OK;
    }
    s->last_ms = entry_ms;
    put_row(t, s);
    return mark_all(t, s, u);
}

/* --- the end ------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* References that the source has and did not name, sorted; each owned. */
static enum hale_rc list_unseen(struct cor_tenant *n, const struct cor_source *s,
                                char ***list_out, size_t *n_out)
{
    size_t it = 0, count = 0, cap = 0;
    char **list = NULL;
    enum hale_rc rc = HALE_OK;
    const struct hale_vertex *v;
    while (rc == HALE_OK && (v = hale_graph_next(n->graph, &it)) != NULL) {
        const struct hale_entity *e = hale_vertex_entity(v);
        struct hale_str ref = hale_str_from(hale_vertex_ref(v));
        if (e == NULL || e->source == NULL || strcmp(e->source, s->name) != 0 ||
            hale_map_get(s->seen, ref) != NULL)
            continue;
        if (count == cap) {
            cap = cap == 0 ? 64 : cap * 2;
            char **grown = realloc(list, cap * sizeof(*list));
            rc = grown != NULL ? HALE_OK : HALE_E_NOMEM;
            list = grown != NULL ? grown : list;
        }
        if (rc == HALE_OK) {
            list[count] = strndup(ref.p, ref.len);
            rc = list[count] != NULL ? HALE_OK : HALE_E_NOMEM;
            count += rc == HALE_OK;
        }
    }
    if (count > 1)
        qsort(list, count, sizeof(*list), by_text);
    *list_out = list;
    *n_out = count;
    return rc;
}

enum hale_rc cor_source_reconcile(struct cor_topology *t, struct cor_tenant *n,
                                  const struct hale_topology_update *u, int64_t entry_ms)
{
    char **list = NULL;
    size_t count = 0;
    struct cor_source *s = source_find(t, u->tenant, hale_str_from(u->source));
    if (!same_sync(s, u))
        return HALE_OK; /* counted by cor_source_take */
    enum hale_rc rc = list_unseen(n, s, &list, &count);
    for (size_t i = 0; i < count; i++) {
        if (rc == HALE_OK) {
            rc = cor_topology_delete(t, n, hale_str_from(list[i]));
            t->stats.reconciled += rc == HALE_OK;
        }
        free(list[i]);
    }
    free(list);
    if (rc != HALE_OK)
        return rc;
    s->synced_ms = entry_ms;
    s->named = (int64_t)hale_map_count(s->seen);
    close_sync(t, s);
    t->stats.syncs_finished++;
    if (s->named > 0) {
        put_row(t, s);
        return HALE_OK;
    }
    /* A source that has nothing any more is not waited for. */
    t->sink.del(t->sink.arg, cor_topology_field(t, s->tenant, (struct hale_str){"", 0},
                                                hale_str_from(s->name)));
    hale_map_del(t->sources, source_key(t, u->tenant, hale_str_from(u->source)));
    return HALE_OK;
}

/* --- numbers ------------------------------------------------------------------------- */

int64_t cor_source_oldest(const struct cor_topology *t)
{
    size_t it = 0;
    int64_t oldest = 0;
    const struct cor_source *s;
    while ((s = hale_map_next(t->sources, &it, NULL)) != NULL) {
        if (s->synced_ms > 0 && (oldest == 0 || s->synced_ms < oldest))
            oldest = s->synced_ms;
    }
    return oldest;
}

/* --- loading ------------------------------------------------------------------------- */

enum hale_rc cor_source_load(struct cor_topology *t, const char *tenant,
                             struct hale_str source, const json_t *row)
{
    enum hale_rc rc = HALE_OK;
    const json_t *open = json_object_get(row, "open");
    const char *id = json_string_value(json_object_get(open, "id"));
    const char *entry = json_string_value(json_object_get(open, "entry"));
    if (!hale_topology_source_ok(source) ||
        (open != NULL &&
         (id == NULL || entry == NULL || strlen(entry) >= COR_ENTRY_TEXT)))
        return HALE_E_INVAL;
    struct cor_source *s = source_make(t, tenant, source, &rc);
    if (s == NULL)
        return rc == HALE_E_LIMIT ? HALE_E_INVAL : rc;
    s->synced_ms = json_integer_value(json_object_get(row, "synced_ms"));
    s->named = json_integer_value(json_object_get(row, "named"));
    s->last_ms = json_integer_value(json_object_get(open, "last_ms"));
    return id != NULL && s->id == NULL ? open_sync(t, s, id, entry) : HALE_OK;
}

/* "ms-seq" by number. */
static int compare_entries(const char *a, const char *b)
{
    char *end_a, *end_b;
    unsigned long long ms_a = strtoull(a, &end_a, 10), ms_b = strtoull(b, &end_b, 10);
    unsigned long long seq_a = *end_a == '-' ? strtoull(end_a + 1, NULL, 10) : 0;
    unsigned long long seq_b = *end_b == '-' ? strtoull(end_b + 1, NULL, 10) : 0;
    if (ms_a != ms_b)
        return ms_a < ms_b ? -1 : 1;
    return seq_a < seq_b ? -1 : seq_a > seq_b;
}

const char *cor_source_from(const struct cor_topology *t)
{
    size_t it = 0;
    const char *first = "";
    const struct cor_source *s;
    while (t->n_open > 0 && (s = hale_map_next(t->sources, &it, NULL)) != NULL) {
        if (s->id != NULL && (first[0] == '\0' || compare_entries(s->entry, first) < 0))
            first = s->entry;
    }
    return first;
}

enum hale_rc cor_topology_again(struct cor_topology *t,
                                const struct hale_topology_update *u,
                                const char *entry_id)
{
    struct cor_source *s =
        u->sync_id != NULL ? source_find(t, u->tenant, hale_str_from(u->source)) : NULL;
    if (u->sync_id == NULL || !same_sync(s, u) || compare_entries(entry_id, s->entry) < 0)
        return HALE_OK;
    return mark_all(t, s, u);
}
