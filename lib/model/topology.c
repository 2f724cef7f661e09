/* SPDX-License-Identifier: Apache-2.0 */
/* topology - codec of an entity. */
#include "model/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/json_util.h"
#include "model/limits.h"
#include "model/topology_private.h"

static const char *const states[] = {"up", "down", "maintenance", "unknown", NULL};
static const char *const modes[] = {"all", "any", NULL};
static const char *const entity_keys[] = {
    "type",   "id",        "name",       "state",    "match", "attributes",
    "source", "hosted_by", "depends_on", "connects", NULL};
static const char *const group_keys[] = {"group", "mode", "on", NULL};

const char *hale_entity_state_text(enum hale_entity_state s)
{
    return states[s];
}

enum hale_rc hale_entity_state_parse(struct hale_str text, enum hale_entity_state *out)
{
    for (int i = 0; states[i] != NULL; i++) {
        if (hale_str_eq_c(text, states[i])) {
            *out = (enum hale_entity_state)i;
            return HALE_OK;
        }
    }
    return HALE_E_INVAL;
}

/* ---- words ---- */

bool hale_topology_type_ok(struct hale_str type)
{
    if (type.len == 0 || type.len > HALE_TOPOLOGY_TYPE_MAX || type.p[0] < 'a' ||
        type.p[0] > 'z')
        return false;
    for (size_t i = 1; i < type.len; i++) {
        char c = type.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static bool printable(struct hale_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

bool hale_topology_id_ok(struct hale_str id)
{
    return id.len > 0 && id.len <= HALE_TOPOLOGY_ID_MAX && printable(id);
}

bool hale_topology_source_ok(struct hale_str source)
{
    for (size_t i = 0; i < source.len; i++) {
        char c = source.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || (c != '\0' && strchr("._:@-", c) != NULL)))
            return false;
    }
    return source.len > 0 && source.len <= HALE_TOPOLOGY_SOURCE_MAX;
}

bool hale_topology_ref(struct hale_str ref, struct hale_str *type, struct hale_str *id)
{
    const char *slash = ref.len > 0 ? memchr(ref.p, '/', ref.len) : NULL;
    if (slash == NULL)
        return false;
    *type = (struct hale_str){ref.p, (size_t)(slash - ref.p)};
    *id = (struct hale_str){slash + 1, ref.len - type->len - 1};
    return hale_topology_type_ok(*type) && hale_topology_id_ok(*id);
}

/* ---- errors with a place ---- */

enum hale_rc hale_topology_at(struct hale_err *err, enum hale_rc rc, const char *place)
{
    if (err == NULL || rc != HALE_E_INVAL)
        return rc;
    char text[sizeof(err->text)];
    (void)snprintf(text, sizeof(text), "%s", err->text);
    return hale_err_set(err, rc, "%s.%s", place, text);
}

const char *hale_topology_place(char *dst, size_t size, const char *list, size_t i)
{
    (void)snprintf(dst, size, "%s[%zu]", list, i);
    return dst;
}

enum hale_rc hale_topology_keys(const json_t *object, const char *const *keys,
                                struct hale_err *err)
{
    for (void *it = json_object_iter((json_t *)(uintptr_t)object); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
        const char *key = json_object_iter_key(it);
        size_t i = 0;
        while (keys[i] != NULL && strcmp(keys[i], key) != 0)
            i++;
        if (keys[i] != NULL)
            continue;
        const char *near = hale_str_suggest(hale_str_from(key), keys);
        return near != NULL
                   ? hale_err_set(err, HALE_E_INVAL,
                                  "%.64s: unknown key - did you mean \"%s\"?", key, near)
                   : hale_err_set(err, HALE_E_INVAL, "%.64s: unknown key", key);
    }
    return HALE_OK;
}

/* ---- reading ---- */

static enum hale_rc text_of(const json_t *v, const char *key, size_t max, char **out,
                            struct hale_err *err)
{
    struct hale_str s = {json_string_value(v), json_string_length(v)};
    if (!json_is_string(v) || s.len == 0 || s.len > max || !printable(s))
        return hale_err_set(
            err, HALE_E_INVAL,
            "%s: must be a text of 1 to %zu bytes without control characters", key, max);
    *out = strdup(s.p);
    return *out != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc read_type(const json_t *v, struct hale_entity *out,
                              struct hale_err *err)
{
    struct hale_str s = {json_string_value(v), json_string_length(v)};
    if (!json_is_string(v) || !hale_topology_type_ok(s))
        return hale_err_set(
            err, HALE_E_INVAL,
            "type: must be a word of 1 to %d of a-z, 0-9 and _, beginning with a "
            "letter (site, host, switch, link, vm, vnfc, vnf, service, or your own)",
            HALE_TOPOLOGY_TYPE_MAX);
    return text_of(v, "type", HALE_TOPOLOGY_TYPE_MAX, &out->type, err);
}

static enum hale_rc read_source(const json_t *v, struct hale_entity *out,
                                struct hale_err *err)
{
    struct hale_str s = {json_string_value(v), json_string_length(v)};
    if (v == NULL)
        return HALE_OK;
    if (!json_is_string(v) || !hale_topology_source_ok(s))
        return hale_err_set(
            err, HALE_E_INVAL,
            "source: must be a word of 1 to %d of letters, digits and ._:@-",
            HALE_TOPOLOGY_SOURCE_MAX);
    return text_of(v, "source", HALE_TOPOLOGY_SOURCE_MAX, &out->source, err);
}

static enum hale_rc choice_of(const json_t *v, const char *key,
                              const char *const *choices, const char *listed, int *out,
                              struct hale_err *err)
{
    for (int i = 0; json_is_string(v) && choices[i] != NULL; i++) {
        if (strcmp(choices[i], json_string_value(v)) == 0) {
            *out = i;
            return HALE_OK;
        }
    }
    const char *near =
        json_is_string(v) ? hale_str_suggest(hale_str_from(json_string_value(v)), choices)
                          : NULL;
    return hale_err_set(err, HALE_E_INVAL, "%s: must be %s%s%s%s", key, listed,
                        near != NULL ? " - did you mean \"" : "",
                        near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static enum hale_rc check_map(const json_t *map, const char *place, struct hale_err *err)
{
    if (!json_is_object(map))
        return hale_err_set(err, HALE_E_INVAL, "%s: must be a map of texts", place);
    if (json_object_size(map) > HALE_DIMS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "%s: more than %d keys", place,
                            HALE_DIMS_MAX);
    json_t *m = (json_t *)(uintptr_t)map; /* jansson iterates over what is not const */
    for (void *it = json_object_iter(m); it != NULL; it = json_object_iter_next(m, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *v = json_object_iter_value(it);
        size_t key_len = strlen(key);
        if (key_len == 0 || key_len > HALE_TOPOLOGY_TEXT_MAX)
            return hale_err_set(err, HALE_E_INVAL, "%s: a key must have 1 to %d bytes",
                                place, HALE_TOPOLOGY_TEXT_MAX);
        if (!json_is_string(v) || json_string_length(v) > HALE_TOPOLOGY_TEXT_MAX)
            return hale_err_set(
                err, HALE_E_INVAL,
                "%s.%.64s: must be a text of at most %d bytes (numbers in quotes)", place,
                key, HALE_TOPOLOGY_TEXT_MAX);
    }
    return HALE_OK;
}

static enum hale_rc read_match(json_t *v, struct hale_entity *out, struct hale_err *err)
{
    char place[32];
    size_t i;
    json_t *set;
    if (!json_is_array(v))
        return hale_err_set(
            err, HALE_E_INVAL,
            "match: must be a list of maps, like [{\"hostname\": \"h1\"}]");
    if (json_array_size(v) > HALE_TOPOLOGY_MATCH_MAX)
        return hale_err_set(err, HALE_E_INVAL, "match: more than %d sets",
                            HALE_TOPOLOGY_MATCH_MAX);
    json_array_foreach (v, i, set) {
        hale_topology_place(place, sizeof(place), "match", i);
        enum hale_rc rc = check_map(set, place, err);
        if (rc == HALE_OK && json_object_size(set) == 0)
            rc = hale_err_set(err, HALE_E_INVAL,
                              "%s: is empty, so every alarm would be about this entity",
                              place);
        if (rc != HALE_OK)
            return rc;
    }
    out->match = json_incref(v);
    return HALE_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The first that is there twice; NULL: none, or no memory (which fails elsewhere soon enough). */
static const char *twice(const struct hale_strings *s)
{
    const char *found = NULL;
    char **sorted = s->n > 1 ? malloc(s->n * sizeof(*sorted)) : NULL;
    if (sorted == NULL)
        return NULL;
    memcpy(sorted, s->v, s->n * sizeof(*sorted));
    qsort(sorted, s->n, sizeof(*sorted), by_text);
    for (unsigned i = 1; i < s->n && found == NULL; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            found = sorted[i];
    }
    free(sorted);
    return found;
}

static enum hale_rc add_ref(const json_t *v, const char *key, size_t i, const char *self,
                            struct hale_strings *out, struct hale_err *err)
{
    struct hale_str ref = {json_string_value(v), json_string_length(v)}, type, id;
    if (!json_is_string(v))
        return hale_err_set(err, HALE_E_INVAL,
                            "%s[%zu]: must be a text, type/id like \"host/compute-1\"",
                            key, i);
    if (!hale_topology_ref(ref, &type, &id))
        return hale_err_set(err, HALE_E_INVAL,
                            "%s[%zu]: \"%.80s\" is not a reference; it is type/id, like "
                            "\"host/compute-1\"",
                            key, i, ref.p);
    if (self != NULL && strcmp(ref.p, self) == 0)
        return hale_err_set(err, HALE_E_INVAL, "%s[%zu]: is the entity itself", key, i);
    out->v[out->n] = strdup(ref.p);
    if (out->v[out->n] == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    out->n++;
    return HALE_OK;
}

enum hale_rc hale_topology_refs(const json_t *array, const char *key, const char *self,
                                struct hale_strings *out, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    size_t n = json_array_size(array);
    if (!json_is_array(array))
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: must be a list of references, like [\"host/compute-1\"]",
                            key);
    if (n > HALE_TOPOLOGY_REFS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "%s: more than %d references", key,
                            HALE_TOPOLOGY_REFS_MAX);
    out->v = calloc(n > 0 ? n : 1, sizeof(*out->v));
    if (out->v == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        rc = add_ref(json_array_get(array, i), key, i, self, out, err);
    const char *again = rc == HALE_OK ? twice(out) : NULL;
    if (again != NULL)
        rc = hale_err_set(err, HALE_E_INVAL, "%s: \"%.80s\" is there twice", key, again);
    return rc;
}

static enum hale_rc read_group(const json_t *v, const char *self,
                               struct hale_dependency *out, struct hale_err *err)
{
    int mode = 0;
    if (!json_is_object(v))
        return hale_err_set(
            err, HALE_E_INVAL,
            "group: must be in a map: {\"group\": ..., \"mode\": \"all\" or "
            "\"any\", \"on\": [...]}");
    enum hale_rc rc = hale_topology_keys(v, group_keys, err);
    if (rc == HALE_OK)
        rc = text_of(json_object_get(v, "group"), "group", HALE_TOPOLOGY_ID_MAX,
                     &out->group, err);
    if (rc == HALE_OK)
        rc = choice_of(json_object_get(v, "mode"), "mode", modes,
                       "\"all\" (needs every one) or \"any\" (needs one of them)", &mode,
                       err);
    out->any = mode == 1;
    if (rc == HALE_OK)
        rc = hale_topology_refs(json_object_get(v, "on"), "on", self, &out->on, err);
    if (rc == HALE_OK && out->on.n == 0)
        rc = hale_err_set(err, HALE_E_INVAL, "on: is empty");
    return rc;
}

/* Among the groups before the last. */
static bool group_known(const struct hale_entity *e, const char *group)
{
    HALE_ASSERT(group != NULL);
    for (unsigned i = 0; i + 1 < e->n_depends_on; i++) {
        if (strcmp(e->depends_on[i].group, group) == 0)
            return true;
    }
    return false;
}

static enum hale_rc read_depends_on(const json_t *v, const char *self,
                                    struct hale_entity *out, struct hale_err *err)
{
    char place[32];
    size_t n = json_array_size(v);
    enum hale_rc rc = HALE_OK;
    if (!json_is_array(v) || n > HALE_TOPOLOGY_REFS_MAX)
        return hale_err_set(err, HALE_E_INVAL,
                            "depends_on: must be a list of at most %d groups",
                            HALE_TOPOLOGY_REFS_MAX);
    out->depends_on = calloc(n > 0 ? n : 1, sizeof(*out->depends_on));
    if (out->depends_on == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == HALE_OK && i < n; i++) {
        hale_topology_place(place, sizeof(place), "depends_on", i);
        struct hale_dependency *d = &out->depends_on[out->n_depends_on++];
        rc = read_group(json_array_get(v, i), self, d, err);
        if (rc == HALE_OK && group_known(out, d->group))
            rc = hale_err_set(err, HALE_E_INVAL, "group: \"%.80s\" is there twice",
                              d->group);
        rc = hale_topology_at(err, rc, place);
    }
    out->has_depends_on = true;
    return rc;
}

static enum hale_rc check_total(const struct hale_entity *e, struct hale_err *err)
{
    unsigned n = e->hosted_by.n + e->connects.n;
    for (unsigned i = 0; i < e->n_depends_on; i++)
        n += e->depends_on[i].on.n;
    return n <= HALE_TOPOLOGY_REFS_MAX
               ? HALE_OK
               : hale_err_set(
                     err, HALE_E_INVAL,
                     "depends_on: more than %d references in the entity together",
                     HALE_TOPOLOGY_REFS_MAX);
}

/* The three lists of references. */
static enum hale_rc read_edges(const json_t *o, struct hale_entity *out,
                               struct hale_err *err)
{
    char self[HALE_TOPOLOGY_REF_MAX];
    enum hale_rc rc = HALE_OK;
    const json_t *hosted_by = json_object_get(o, "hosted_by"),
                 *depends_on = json_object_get(o, "depends_on"),
                 *connects = json_object_get(o, "connects");
    (void)snprintf(self, sizeof(self), "%s/%s", out->type, out->id);
    out->has_hosted_by = hosted_by != NULL;
    out->has_connects = connects != NULL;
    if (hosted_by != NULL)
        rc = hale_topology_refs(hosted_by, "hosted_by", self, &out->hosted_by, err);
    if (rc == HALE_OK && connects != NULL)
        rc = hale_topology_refs(connects, "connects", self, &out->connects, err);
    if (rc == HALE_OK && depends_on != NULL)
        rc = read_depends_on(depends_on, self, out, err);
    return rc == HALE_OK ? check_total(out, err) : rc;
}

static enum hale_rc read_entity(const json_t *o, struct hale_entity *out,
                                struct hale_err *err)
{
    int state = 0;
    json_t *v;
    enum hale_rc rc = hale_topology_keys(o, entity_keys, err);
    if (rc == HALE_OK)
        rc = read_type(json_object_get(o, "type"), out, err);
    if (rc == HALE_OK)
        rc = text_of(json_object_get(o, "id"), "id", HALE_TOPOLOGY_ID_MAX, &out->id, err);
    if (rc == HALE_OK && (v = json_object_get(o, "name")) != NULL)
        rc = text_of(v, "name", HALE_TOPOLOGY_TEXT_MAX, &out->name, err);
    if (rc == HALE_OK)
        rc = read_source(json_object_get(o, "source"), out, err);
    if (rc == HALE_OK && (v = json_object_get(o, "state")) != NULL) {
        rc = choice_of(v, "state", states, "up, down, maintenance or unknown", &state,
                       err);
        out->has_state = true;
        out->state = (enum hale_entity_state)state;
    }
    if (rc == HALE_OK && (v = json_object_get(o, "match")) != NULL)
        rc = read_match(v, out, err);
    if (rc == HALE_OK && (v = json_object_get(o, "attributes")) != NULL) {
        rc = check_map(v, "attributes", err);
        out->attributes = rc == HALE_OK ? json_incref(v) : NULL;
    }
    return rc == HALE_OK ? read_edges(o, out, err) : rc;
}

enum hale_rc hale_entity_from_json(const json_t *object, struct hale_entity *out,
                                   struct hale_err *err)
{
    memset(out, 0, sizeof(*out));
    if (!json_is_object(object))
        return hale_err_set(err, HALE_E_INVAL,
                            "type: must be in a map with the entity's keys");
    enum hale_rc rc = read_entity(object, out, err);
    if (rc != HALE_OK)
        hale_entity_fini(out);
    return rc;
}

/* ---- writing ---- */

void hale_topology_strings_encode(struct hale_buf *out, const struct hale_strings *s)
{
    hale_buf_add_char(out, '[');
    for (unsigned i = 0; i < s->n; i++) {
        if (i > 0)
            hale_buf_add_char(out, ',');
        hale_buf_add_json(out, hale_str_from(s->v[i]));
    }
    hale_buf_add_char(out, ']');
}

static void encode_depends_on(struct hale_buf *out, const struct hale_entity *e)
{
    hale_buf_add_char(out, '[');
    for (unsigned i = 0; i < e->n_depends_on; i++) {
        const struct hale_dependency *d = &e->depends_on[i];
        hale_buf_add_c(out, i > 0 ? ",{\"group\":" : "{\"group\":");
        hale_buf_add_json(out, hale_str_from(d->group));
        hale_buf_printf(out, ",\"mode\":\"%s\",\"on\":", modes[d->any]);
        hale_topology_strings_encode(out, &d->on);
        hale_buf_add_char(out, '}');
    }
    hale_buf_add_char(out, ']');
}

enum hale_rc hale_entity_encode(const struct hale_entity *e, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_id(&o, "type", e->type);
    hale_json_out_id(&o, "id", e->id);
    if (e->name != NULL)
        hale_json_out_str(&o, "name", e->name);
    if (e->has_state)
        hale_json_out_str(&o, "state", states[e->state]);
    if (e->match != NULL)
        hale_json_out_json(&o, "match", e->match, "[]");
    if (e->attributes != NULL)
        hale_json_out_json(&o, "attributes", e->attributes, "{}");
    if (e->source != NULL)
        hale_json_out_str(&o, "source", e->source);
    if (e->has_hosted_by) {
        hale_json_out_key(&o, "hosted_by");
        hale_topology_strings_encode(out, &e->hosted_by);
    }
    if (e->has_depends_on) {
        hale_json_out_key(&o, "depends_on");
        encode_depends_on(out, e);
    }
    if (e->has_connects) {
        hale_json_out_key(&o, "connects");
        hale_topology_strings_encode(out, &e->connects);
    }
    return hale_json_out_close(&o);
}
