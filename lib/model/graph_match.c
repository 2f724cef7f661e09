/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph_match - which entity an alarm is about. Each set of pairs lies in the list of one of its pairs, the
 * one with the shortest list when it came; a set whose pair the alarm does not have cannot match.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/graph_private.h"

#define DEFAULTS_MAX 5
#define DEFAULT_KEY  (HALE_TOPOLOGY_TYPE_MAX + 4)

/* --- the sets of an entity ----------------------------------------------------------- */

static bool usable(json_t *set)
{
    const char *key;
    json_t *value;
    json_object_foreach (set, key, value) {
        if (key[0] == '\0' || !json_is_string(value) || json_string_length(value) == 0)
            return false;
    }
    return json_object_size(set) > 0;
}

/* Pairs and texts in one block. */
static enum hale_rc copy_pairs(struct graph_set *set, const struct hale_match_pair *pairs,
                               unsigned n)
{
    size_t bytes = n * sizeof(*pairs) + 1;
    for (unsigned i = 0; i < n; i++)
        bytes += strlen(pairs[i].key) + strlen(pairs[i].value) + 2;
    if ((set->pairs = malloc(bytes)) == NULL)
        return HALE_E_NOMEM;
    set->n = n;
    char *text = (char *)(set->pairs + n);
    for (unsigned i = 0; i < n; i++) {
        size_t key = strlen(pairs[i].key) + 1, value = strlen(pairs[i].value) + 1;
        memcpy(text, pairs[i].key, key);
        memcpy(text + key, pairs[i].value, value);
        set->pairs[i] = (struct hale_match_pair){text, text + key};
        text += key + value;
    }
    return HALE_OK;
}

static enum hale_rc copy_map(struct graph_set *set, json_t *map)
{
    struct hale_match_pair *pairs = calloc(json_object_size(map), sizeof(*pairs));
    unsigned n = 0;
    const char *key;
    json_t *value;
    if (pairs == NULL)
        return HALE_E_NOMEM;
    json_object_foreach (map, key, value)
        pairs[n++] = (struct hale_match_pair){key, json_string_value(value)};
    enum hale_rc rc = copy_pairs(set, pairs, n);
    free(pairs);
    return rc;
}

/* By what an entity is known that does not say it: docs/formats/topology.md. */
static unsigned defaults_of(const struct hale_entity *e, char (*key)[DEFAULT_KEY],
                            struct hale_match_pair *out)
{
    unsigned n = 0;
    bool named = e->name != NULL && e->name[0] != '\0' && strcmp(e->name, e->id) != 0;
    (void)snprintf(key[0], DEFAULT_KEY, "%s_id", e->type);
    (void)snprintf(key[1], DEFAULT_KEY, "%s", e->type);
    out[n++] = (struct hale_match_pair){key[0], e->id};
    if (strcmp(e->type, "service") != 0) /* Monasca's dimension means something else */
        out[n++] = (struct hale_match_pair){key[1], e->id};
    if (strcmp(e->type, "host") == 0) {
        out[n++] = (struct hale_match_pair){"hostname", e->id};
        if (named)
            out[n++] = (struct hale_match_pair){"hostname", e->name};
    } else if (strcmp(e->type, "vm") == 0) {
        out[n++] = (struct hale_match_pair){"resource_id", e->id};
        out[n++] = (struct hale_match_pair){"instance_id", e->id};
        if (named)
            out[n++] = (struct hale_match_pair){"hostname", e->name};
    }
    return n;
}

/* --- lists --------------------------------------------------------------------------- */

static struct hale_str pair_key(struct hale_graph *g, const char *key, const char *value)
{
    hale_buf_reset(&g->scratch);
    hale_buf_add_c(&g->scratch, key);
    hale_buf_add_char(&g->scratch, '\0');
    hale_buf_add_c(&g->scratch, value);
    return g->scratch.failed ? (struct hale_str){NULL, 0} : hale_buf_str(&g->scratch);
}

/* Of the lists of its pairs the shortest one; made if need be. */
static enum hale_rc choose_bucket(struct hale_graph *g, struct graph_set *set)
{
    const struct hale_match_pair *best = NULL;
    size_t best_n = SIZE_MAX;
    for (unsigned i = 0; i < set->n && best_n > 0; i++) {
        struct hale_str key = pair_key(g, set->pairs[i].key, set->pairs[i].value);
        if (key.p == NULL)
            return HALE_E_NOMEM;
        const struct graph_bucket *b = hale_map_get(g->buckets, key);
        size_t n = b != NULL ? b->n : 0;
        if (n < best_n) {
            best_n = n;
            best = &set->pairs[i];
        }
    }
    if (best == NULL)
        return HALE_E_INVAL;
    struct hale_str key = pair_key(g, best->key, best->value);
    if (key.p == NULL)
        return HALE_E_NOMEM;
    struct graph_bucket *b = hale_map_get(g->buckets, key);
    if (b == NULL) {
        if ((b = calloc(1, sizeof(*b))) == NULL)
            return HALE_E_NOMEM;
        b->key = malloc(key.len);
        b->key_len = key.len;
        enum hale_rc rc =
            b->key != NULL ? hale_map_put(g->buckets, key, b) : HALE_E_NOMEM;
        if (rc != HALE_OK) {
            free(b->key);
            free(b);
            return rc;
        }
        memcpy(b->key, key.p, key.len);
    }
    b->n++;
    set->bucket = b;
    return HALE_OK;
}

enum hale_rc graph_sets_make(struct hale_graph *g, const struct hale_entity *e,
                             struct graph_set **out, unsigned *n_out)
{
    char keys[2][DEFAULT_KEY];
    struct hale_match_pair pairs[DEFAULTS_MAX];
    unsigned n = e->match == NULL ? defaults_of(e, keys, pairs) : 0;
    size_t i, max = e->match == NULL ? n : json_array_size(e->match);
    json_t *map;
    *n_out = 0;
    if (max == 0)
        return HALE_OK;
    if ((*out = calloc(max, sizeof(**out))) == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = HALE_OK;
    for (unsigned k = 0; rc == HALE_OK && k < n; k++) {
        struct graph_set *set = &(*out)[(*n_out)++];
        rc = copy_pairs(set, &pairs[k], 1);
        if (rc == HALE_OK)
            rc = choose_bucket(g, set);
    }
    json_array_foreach (e->match, i, map) {
        if (rc != HALE_OK || !usable(map))
            continue;
        struct graph_set *set = &(*out)[(*n_out)++];
        rc = copy_map(set, map);
        if (rc == HALE_OK)
            rc = choose_bucket(g, set);
    }
    return rc;
}

void graph_sets_link(struct hale_vertex *v, struct graph_set *sets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        sets[i].v = v;
        sets[i].next = sets[i].bucket->first;
        if (sets[i].next != NULL)
            sets[i].next->prev = &sets[i];
        sets[i].bucket->first = &sets[i];
    }
}

void graph_sets_free(struct hale_graph *g, struct graph_set *sets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct graph_set *s = &sets[i];
        struct graph_bucket *b = s->bucket;
        free(s->pairs);
        if (b == NULL)
            continue;
        if (s->prev != NULL)
            s->prev->next = s->next;
        else if (b->first == s)
            b->first = s->next;
        if (s->next != NULL)
            s->next->prev = s->prev;
        if (--b->n == 0) {
            (void)hale_map_take(g->buckets, (struct hale_str){b->key, b->key_len});
            free(b->key);
            free(b);
        }
    }
    free(sets);
}

unsigned hale_vertex_match(const struct hale_vertex *v, unsigned i,
                           const struct hale_match_pair **pairs)
{
    if (i >= v->n_sets)
        return 0;
    *pairs = v->sets[i].pairs;
    return v->sets[i].n;
}

/* --- finding ------------------------------------------------------------------------- */

static bool has_all(const struct graph_set *set, const json_t *dimensions)
{
    for (unsigned i = 0; i < set->n; i++) {
        const json_t *v = json_object_get(dimensions, set->pairs[i].key);
        if (!json_is_string(v) || strcmp(json_string_value(v), set->pairs[i].value) != 0)
            return false;
    }
    return true;
}

/* The first ones by ref. */
static void add_candidate(struct hale_vertex **list, size_t *n, struct hale_vertex *v)
{
    size_t at = *n;
    while (at > 0 && strcmp(list[at - 1]->ref, v->ref) > 0)
        at--;
    if ((at > 0 && list[at - 1] == v) || at == HALE_GRAPH_CANDIDATES_MAX)
        return;
    if (*n < HALE_GRAPH_CANDIDATES_MAX)
        (*n)++;
    memmove(list + at + 1, list + at, (*n - 1 - at) * sizeof(struct hale_vertex *));
    list[at] = v;
}

static bool stood_on(struct hale_graph *g, struct hale_vertex *const *list, size_t n,
                     size_t which)
{
    for (size_t i = 0; i < n; i++) {
        if (i != which && graph_stands_on(g, list[i], list[which]))
            return true;
    }
    return false;
}

struct hale_vertex *hale_graph_match(struct hale_graph *g, json_t *dimensions)
{
    struct hale_vertex *list[HALE_GRAPH_CANDIDATES_MAX];
    size_t n = 0;
    const char *key;
    json_t *value;
    json_object_foreach (dimensions, key, value) {
        if (key[0] == '\0' || !json_is_string(value) || json_string_length(value) == 0)
            continue;
        struct hale_str text = pair_key(g, key, json_string_value(value));
        const struct graph_bucket *b =
            text.p != NULL ? hale_map_get(g->buckets, text) : NULL;
        for (const struct graph_set *s = b != NULL ? b->first : NULL; s != NULL;
             s = s->next) {
            if (has_all(s, dimensions))
                add_candidate(list, &n, s->v);
        }
    }
    for (size_t i = 0; n > 1 && i < n; i++) {
        if (!stood_on(g, list, n, i))
            return list[i];
    }
    return n > 0 ? list[0] : NULL;
}
