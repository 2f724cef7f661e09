/* SPDX-License-Identifier: Apache-2.0 */
#include "model/topology_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

static const char *const KEYS[] = {"source", "put", "patch", "delete", "sync", NULL};
static const char *const SYNC_KEYS[] = {"id", "begin", "end", NULL};

void hale_topology_body_fini(struct hale_topology_body *b)
{
    for (size_t i = 0; b->put != NULL && i < b->n_put; i++)
        hale_entity_fini(&b->put[i]);
    for (size_t i = 0; b->patch != NULL && i < b->n_patch; i++)
        hale_entity_fini(&b->patch[i]);
    free(b->put);
    free(b->patch);
    free(b->deleted);
    free(b->bytes);
    json_decref(b->root);
    memset(b, 0, sizeof(*b));
}

static enum hale_rc check_keys(json_t *object, const char *const *keys, const char *at,
                               struct hale_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value) {
        size_t i = 0;
        while (keys[i] != NULL && strcmp(keys[i], key) != 0)
            i++;
        if (keys[i] != NULL)
            continue;
        const char *near = hale_str_suggest(hale_str_from(key), keys);
        return hale_err_set(err, HALE_E_INVAL, "%s%.64s: unknown key%s%s%s", at, key,
                            near != NULL ? " - did you mean \"" : "",
                            near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    return HALE_OK;
}

static enum hale_rc read_word(const json_t *v, const char *key, char *dst,
                              struct hale_err *err)
{
    struct hale_str s = {json_string_value(v), json_string_length(v)};

    if (!json_is_string(v) || !hale_topology_source_ok(s))
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: must be a word of 1 to %d of letters, digits and ._:@-",
                            key, HALE_TOPOLOGY_SOURCE_MAX);
    (void)snprintf(dst, HALE_TOPOLOGY_SOURCE_MAX + 1, "%s", s.p);
    return HALE_OK;
}

static enum hale_rc read_sync(json_t *v, struct hale_topology_body *b,
                              struct hale_err *err)
{
    if (v == NULL || json_is_false(v))
        return HALE_OK;
    b->sync = true;
    if (json_is_true(v)) {
        hale_id_uuid_random(b->sync_id);
        b->sync_begin = b->sync_end = true;
        return HALE_OK;
    }
    if (!json_is_object(v))
        return hale_err_set(
            err, HALE_E_INVAL,
            "sync: must be true, or {\"id\": ..., \"begin\": true} to \"end\"");
    const json_t *begin = json_object_get(v, "begin"), *end = json_object_get(v, "end");
    enum hale_rc rc = check_keys(v, SYNC_KEYS, "sync.", err);
    if (rc == HALE_OK)
        rc = read_word(json_object_get(v, "id"), "sync.id", b->sync_id, err);
    if (rc == HALE_OK && ((begin != NULL && !json_is_boolean(begin)) ||
                          (end != NULL && !json_is_boolean(end))))
        rc = hale_err_set(err, HALE_E_INVAL, "sync: begin and end must be true or false");
    b->sync_begin = json_is_true(begin);
    b->sync_end = json_is_true(end);
    return rc;
}

/* --- items ----------------------------------------------------------------------------------- */

struct reading {
    struct hale_topology_body *body;
    struct hale_map *named;  /* references of this list */
    struct hale_buf scratch; /* one entity as JSON */
    struct hale_err *err;
};

static enum hale_rc at_item(struct hale_err *err, enum hale_rc rc, const char *list,
                            size_t i)
{
    char text[sizeof(err->text)];

    if (rc != HALE_E_INVAL)
        return rc;
    (void)snprintf(text, sizeof(text), "%s", err->text);
    return hale_err_set(err, rc, "%s[%zu].%s", list, i, text);
}

static enum hale_rc once(struct reading *r, const char *ref)
{
    if (hale_map_get(r->named, hale_str_from(ref)) != NULL)
        return hale_err_set(r->err, HALE_E_INVAL, "id: %.80s is there twice", ref);
    return hale_map_put(r->named, hale_str_from(ref), r);
}

static enum hale_rc check_entity(struct reading *r, const struct hale_entity *e,
                                 size_t *bytes)
{
    char ref[HALE_TOPOLOGY_REF_MAX];

    if (e->source != NULL && strcmp(e->source, r->body->source) != 0)
        return hale_err_set(r->err, HALE_E_INVAL,
                            "source: is not that of the body (\"%s\"); leave it out",
                            r->body->source);
    hale_buf_reset(&r->scratch);
    enum hale_rc rc = hale_entity_encode(e, &r->scratch);
    /* The stored row also has the source. */
    if (rc == HALE_OK &&
        r->scratch.len + HALE_TOPOLOGY_SOURCE_MAX + 16 > HALE_TOPOLOGY_ENTITY_MAX)
        rc = hale_err_set(r->err, HALE_E_INVAL,
                          "id: the entity has more than %u bytes as JSON",
                          HALE_TOPOLOGY_ENTITY_MAX);
    *bytes = r->scratch.len;
    (void)snprintf(ref, sizeof(ref), "%s/%s", e->type, e->id);
    return rc == HALE_OK ? once(r, ref) : rc;
}

static enum hale_rc read_list(struct reading *r, const char *key,
                              struct hale_entity **out, size_t *n_out, size_t *bytes)
{
    const json_t *array = json_object_get(r->body->root, key);
    size_t n = json_array_size(array);
    enum hale_rc rc = HALE_OK;

    if (array == NULL)
        return HALE_OK;
    if (!json_is_array(array))
        return hale_err_set(r->err, HALE_E_INVAL, "%s: must be a list of entities", key);
    *out = calloc(n > 0 ? n : 1, sizeof(**out));
    if (*out == NULL)
        return HALE_E_NOMEM;
    hale_map_clear(r->named);
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        rc = hale_entity_from_json(json_array_get(array, i), &(*out)[i], r->err);
        *n_out += rc == HALE_OK;
        if (rc == HALE_OK)
            rc = check_entity(r, &(*out)[i], &bytes[i]);
        rc = at_item(r->err, rc, key, i);
    }
    return rc;
}

static enum hale_rc read_deleted(struct reading *r)
{
    struct hale_topology_body *b = r->body;
    const json_t *array = json_object_get(b->root, "delete");
    size_t n = json_array_size(array);
    struct hale_str type, id;

    if (array == NULL)
        return HALE_OK;
    if (!json_is_array(array))
        return hale_err_set(r->err, HALE_E_INVAL, "delete: must be a list of references");
    b->deleted = calloc(n > 0 ? n : 1, sizeof(*b->deleted));
    if (b->deleted == NULL)
        return HALE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *ref = json_string_value(json_array_get(array, i));
        if (ref == NULL || !hale_topology_ref(hale_str_from(ref), &type, &id))
            return hale_err_set(
                r->err, HALE_E_INVAL,
                "delete[%zu]: must be a reference, type/id like \"host/compute-1\"", i);
        b->deleted[b->n_delete++] = ref;
    }
    return HALE_OK;
}

static enum hale_rc read_items(struct hale_topology_body *b, struct hale_err *err)
{
    struct reading r = {.body = b, .err = err};
    size_t n_put = json_array_size(json_object_get(b->root, "put"));
    size_t n_patch = json_array_size(json_object_get(b->root, "patch"));

    b->bytes = calloc(n_put + n_patch + 1, sizeof(*b->bytes));
    r.named = hale_map_new(HALE_TOPOLOGY_ENTITIES_MAX, NULL);
    hale_buf_init(&r.scratch, 4u << 20);
    enum hale_rc rc = b->bytes == NULL || r.named == NULL ? HALE_E_NOMEM : HALE_OK;
    if (rc == HALE_OK && n_put + n_patch > HALE_TOPOLOGY_ENTITIES_MAX)
        rc = hale_err_set(err, HALE_E_INVAL, "put: more than %d entities",
                          HALE_TOPOLOGY_ENTITIES_MAX);
    if (rc == HALE_OK)
        rc = read_list(&r, "put", &b->put, &b->n_put, b->bytes);
    if (rc == HALE_OK)
        rc = read_list(&r, "patch", &b->patch, &b->n_patch, b->bytes + n_put);
    if (rc == HALE_OK)
        rc = read_deleted(&r);
    hale_map_free(r.named);
    hale_buf_fini(&r.scratch);
    return rc;
}

enum hale_rc hale_topology_body_read(json_t *root, struct hale_topology_body *out,
                                     struct hale_err *err)
{
    memset(out, 0, sizeof(*out));
    out->root = root;
    (void)snprintf(out->source, sizeof(out->source), "api");
    enum hale_rc rc = json_is_object(root)
                          ? check_keys(root, KEYS, "", err)
                          : hale_err_set(err, HALE_E_INVAL, "put: must be in an object");
    const json_t *source = json_object_get(root, "source");
    if (rc == HALE_OK && source != NULL)
        rc = read_word(source, "source", out->source, err);
    if (rc == HALE_OK)
        rc = read_sync(json_object_get(root, "sync"), out, err);
    if (rc == HALE_OK)
        rc = read_items(out, err);
    if (rc == HALE_OK && !out->sync && out->n_put + out->n_patch + out->n_delete == 0)
        rc = hale_err_set(err, HALE_E_INVAL,
                          "put: nothing is there to put, to patch, to delete or to sync");
    if (rc == HALE_E_NOMEM)
        (void)hale_err_set(err, rc, "out of memory");
    if (rc != HALE_OK)
        hale_topology_body_fini(out);
    return rc;
}

/* --- cutting --------------------------------------------------------------------------------- */

/* How many of the n from `from` go into what is left of the entry. */
static size_t portion(const size_t *bytes, size_t from, size_t n, size_t *room,
                      size_t *items)
{
    size_t take = 0;

    while (from + take < n && *items < HALE_TOPOLOGY_UPDATE_MAX &&
           (*items == 0 || bytes[from + take] < *room)) {
        size_t one = bytes[from + take] + 1;
        *room -= one < *room ? one : *room;
        (*items)++;
        take++;
    }
    return take;
}

static bool take_deleted(const struct hale_topology_body *b, size_t from, size_t *room,
                         size_t *items, struct hale_topology_update *u)
{
    size_t n = b->n_delete - from, max = HALE_TOPOLOGY_UPDATE_MAX - *items;

    n = n < max ? n : max;
    while (n > 0 && n * HALE_TOPOLOGY_REF_MAX > *room && *items > 0)
        n /= 2;
    if (n == 0)
        return true;
    n = n < 400 ? n : 400;
    u->deleted.v = calloc(n, sizeof(*u->deleted.v));
    if (u->deleted.v == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        u->deleted.v[i] = (char *)(uintptr_t)b->deleted[from + i]; /* only read */
    u->deleted.n = (unsigned)n;
    *items += n;
    return true;
}

bool hale_topology_body_next(const struct hale_topology_body *b, size_t *at,
                             struct hale_topology_update *u)
{
    size_t all = b->n_put + b->n_patch + b->n_delete, from = *at;
    size_t room = HALE_TOPOLOGY_ENTRY_MAX - 1024, items = 0;

    if (from >= all && !(from == 0 && b->sync))
        return false;
    memset(u, 0, sizeof(*u));
    u->source = (char *)(uintptr_t)b->source;
    if (from < b->n_put) {
        u->put = b->put + from;
        u->n_put = (unsigned)portion(b->bytes, from, b->n_put, &room, &items);
        from += u->n_put;
    }
    if (from >= b->n_put && from < b->n_put + b->n_patch) {
        size_t done = from - b->n_put;
        u->patch = b->patch + done;
        u->n_patch =
            (unsigned)portion(b->bytes + b->n_put, done, b->n_patch, &room, &items);
        from += u->n_patch;
    }
    if (from >= b->n_put + b->n_patch && from < all) {
        if (!take_deleted(b, from - b->n_put - b->n_patch, &room, &items, u)) {
            *at = SIZE_MAX;
            return false;
        }
        from += u->deleted.n;
    }
    if (b->sync) {
        u->sync_id = (char *)(uintptr_t)b->sync_id;
        u->sync_begin = b->sync_begin && *at == 0;
        u->sync_end = b->sync_end && from >= all;
    }
    *at = from > 0 ? from : 1; /* a sync of nothing is one update */
    return true;
}
