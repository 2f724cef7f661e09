/* SPDX-License-Identifier: Apache-2.0 */
/* topology_update - codec of an update of the topology. */
#include <stdlib.h>
#include <string.h>

#include "model/json_util.h"
#include "model/limits.h"
#include "model/topology_private.h"

static const char *const update_keys[] = {"v",   "tenant", "source", "by",   "at_ms",
                                          "put", "patch",  "delete", "sync", NULL};
static const char *const sync_keys[] = {"id", "begin", "end", NULL};

void hale_topology_update_fini(struct hale_topology_update *u)
{
    free(u->tenant);
    free(u->source);
    free(u->by);
    free(u->sync_id);
    for (unsigned i = 0; i < u->n_put; i++)
        hale_entity_fini(&u->put[i]);
    for (unsigned i = 0; i < u->n_patch; i++)
        hale_entity_fini(&u->patch[i]);
    free(u->put);
    free(u->patch);
    hale_topology_strings_fini(&u->deleted);
    memset(u, 0, sizeof(*u));
}

static enum hale_rc read_entities(const json_t *array, const char *key,
                                  const struct hale_topology_update *u,
                                  struct hale_entity **out, unsigned *n_out,
                                  struct hale_err *err)
{
    char place[32];
    enum hale_rc rc = HALE_OK;
    size_t n = json_array_size(array);
    if (array == NULL)
        return HALE_OK;
    if (!json_is_array(array) || n > HALE_TOPOLOGY_UPDATE_MAX)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: must be a list of at most %d entities", key,
                            HALE_TOPOLOGY_UPDATE_MAX);
    *out = calloc(n > 0 ? n : 1, sizeof(**out));
    if (*out == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        struct hale_entity *e = &(*out)[*n_out];
        rc = hale_entity_from_json(json_array_get(array, i), e, err);
        *n_out += rc == HALE_OK;
        if (rc == HALE_OK && e->source != NULL && strcmp(e->source, u->source) != 0)
            rc = hale_err_set(err, HALE_E_INVAL,
                              "source: is not that of the update (\"%s\"); leave it out",
                              u->source);
        rc = hale_topology_at(err, rc, hale_topology_place(place, sizeof(place), key, i));
    }
    return rc;
}

static enum hale_rc read_flag(const json_t *v, const char *key, bool *out,
                              struct hale_err *err)
{
    *out = json_is_true(v);
    return v == NULL || json_is_boolean(v)
               ? HALE_OK
               : hale_err_set(err, HALE_E_INVAL, "sync.%s: must be true or false", key);
}

static enum hale_rc read_sync(const json_t *v, struct hale_topology_update *out,
                              struct hale_err *err)
{
    if (v == NULL)
        return HALE_OK;
    enum hale_rc rc = json_is_object(v)
                          ? hale_topology_keys(v, sync_keys, err)
                          : hale_err_set(err, HALE_E_INVAL, "id: is missing");
    rc = hale_topology_at(err, rc, "sync");
    const json_t *id = json_object_get(v, "id");
    struct hale_str s = {json_string_value(id), json_string_length(id)};
    if (rc == HALE_OK && (!json_is_string(id) || !hale_topology_source_ok(s)))
        rc = hale_err_set(
            err, HALE_E_INVAL,
            "sync.id: must be a word of 1 to %d of letters, digits and ._:@-",
            HALE_TOPOLOGY_SOURCE_MAX);
    if (rc == HALE_OK && (out->sync_id = strdup(s.p)) == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (rc == HALE_OK)
        rc = read_flag(json_object_get(v, "begin"), "begin", &out->sync_begin, err);
    if (rc == HALE_OK)
        rc = read_flag(json_object_get(v, "end"), "end", &out->sync_end, err);
    return rc;
}

static enum hale_rc read_head(json_t *root, struct hale_topology_update *out,
                              struct hale_err *err)
{
    struct hale_json_in in = hale_json_in_init(root);
    enum hale_rc rc = hale_topology_keys(root, update_keys, err);
    if (rc != HALE_OK)
        return rc;
    hale_json_in_id(&in, "tenant", &out->tenant);
    hale_json_in_id(&in, "source", &out->source);
    hale_json_in_str_or_null(&in, "by", &out->by);
    hale_json_in_i64(&in, "at_ms", HALE_JSON_REQUIRED, 0, INT64_MAX, &out->at_ms);
    if (in.rc != HALE_OK)
        return hale_err_set(err, in.rc, "%s: is missing or not what it must be", in.key);
    if (strlen(out->tenant) > HALE_TENANT_MAX_BYTES)
        return hale_err_set(err, HALE_E_INVAL, "tenant: is longer than %d bytes",
                            HALE_TENANT_MAX_BYTES);
    if (!hale_topology_source_ok(hale_str_from(out->source)))
        return hale_err_set(
            err, HALE_E_INVAL,
            "source: must be a word of 1 to %d of letters, digits and ._:@-",
            HALE_TOPOLOGY_SOURCE_MAX);
    return HALE_OK;
}

static enum hale_rc read_update(json_t *root, struct hale_topology_update *out,
                                struct hale_err *err)
{
    enum hale_rc rc = read_head(root, out, err);
    if (rc == HALE_OK)
        rc = read_sync(json_object_get(root, "sync"), out, err);
    if (rc == HALE_OK)
        rc = read_entities(json_object_get(root, "put"), "put", out, &out->put,
                           &out->n_put, err);
    if (rc == HALE_OK)
        rc = read_entities(json_object_get(root, "patch"), "patch", out, &out->patch,
                           &out->n_patch, err);
    const json_t *deleted = json_object_get(root, "delete");
    if (rc == HALE_OK && deleted != NULL)
        rc = hale_topology_refs(deleted, "delete", NULL, &out->deleted, err);
    if (rc == HALE_OK &&
        out->n_put + out->n_patch + out->deleted.n > HALE_TOPOLOGY_UPDATE_MAX)
        rc = hale_err_set(err, HALE_E_INVAL, "put: more than %d items together",
                          HALE_TOPOLOGY_UPDATE_MAX);
    return rc;
}

enum hale_rc hale_topology_update_decode(struct hale_str json,
                                         struct hale_topology_update *out,
                                         struct hale_err *err)
{
    json_t *root;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_json_parse_record(json, &root, err);
    if (rc != HALE_OK)
        return rc;
    rc = read_update(root, out, err);
    json_decref(root);
    if (rc != HALE_OK)
        hale_topology_update_fini(out);
    return rc;
}

static enum hale_rc encode_entities(struct hale_json_out *o, const char *key,
                                    const struct hale_entity *list, unsigned n)
{
    enum hale_rc rc = HALE_OK;
    if (n == 0)
        return rc;
    hale_json_out_key(o, key);
    hale_buf_add_char(o->buf, '[');
    for (unsigned i = 0; rc == HALE_OK && i < n; i++) {
        if (i > 0)
            hale_buf_add_char(o->buf, ',');
        rc = hale_entity_encode(&list[i], o->buf);
    }
    hale_buf_add_char(o->buf, ']');
    return rc;
}

static enum hale_rc encode_sync(struct hale_json_out *o,
                                const struct hale_topology_update *u)
{
    if (u->sync_id == NULL)
        return HALE_OK;
    hale_json_out_key(o, "sync");
    struct hale_json_out sync = hale_json_out_open(o->buf);
    hale_json_out_id(&sync, "id", u->sync_id);
    if (u->sync_begin)
        hale_json_out_bool(&sync, "begin", true);
    if (u->sync_end)
        hale_json_out_bool(&sync, "end", true);
    return hale_json_out_close(&sync);
}

enum hale_rc hale_topology_update_encode(const struct hale_topology_update *u,
                                         struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_id(&o, "tenant", u->tenant);
    hale_json_out_id(&o, "source", u->source);
    if (u->by != NULL)
        hale_json_out_str(&o, "by", u->by);
    hale_json_out_i64(&o, "at_ms", u->at_ms);
    enum hale_rc rc = encode_entities(&o, "put", u->put, u->n_put);
    if (rc == HALE_OK)
        rc = encode_entities(&o, "patch", u->patch, u->n_patch);
    if (u->deleted.n > 0) {
        hale_json_out_key(&o, "delete");
        hale_topology_strings_encode(out, &u->deleted);
    }
    if (rc == HALE_OK)
        rc = encode_sync(&o, u);
    return rc == HALE_OK ? hale_json_out_close(&o) : rc;
}
