/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/method_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "collector/definition_store.h"
#include "model/alarm.h"
#include "model/limits.h"
#include "store/keys.h"

#define RETRIES    20
#define RECORD_MAX 1048576
#define NAME_MAX   4096

static enum hale_rc decode(struct hale_str json, struct hale_method **out)
{
    struct hale_err err = {0};

    enum hale_rc rc = hale_method_decode(json, out, &err);
    if (rc == HALE_E_INVAL)
        hale_error("event=method_unreadable detail=\"%s\"", err.text);
    return rc;
}

enum hale_rc collector_method_load(struct hale_redis *r, const char *tenant,
                                   const char *id, struct hale_method **out)
{
    struct hale_reply *reply = NULL;

    *out = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_METHODS), hale_str_from(id));
    if (rc != HALE_OK)
        return rc;
    rc = hale_reply_is_nil(reply) ? HALE_E_NOTFOUND : decode(hale_reply_str(reply), out);
    hale_reply_free(reply);
    if (rc == HALE_OK && strcmp((*out)->tenant, tenant) != 0) {
        hale_method_free(*out);
        *out = NULL;
        rc = HALE_E_NOTFOUND;
    }
    return rc;
}

void collector_method_list_fini(struct collector_method_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        hale_method_free(l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

enum hale_rc collector_method_load_all(struct hale_redis *r, const char *tenant,
                                       struct collector_method_list *out)
{
    struct hale_reply *reply = NULL;

    memset(out, 0, sizeof(*out));
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HVALS"), HALE_STR(HALE_KEYS_METHODS));
    if (rc != HALE_OK)
        return rc;
    out->v = calloc(hale_reply_n(reply) + 1, sizeof(out->v[0]));
    if (out->v == NULL)
        rc = HALE_E_NOMEM;
    for (size_t i = 0; rc == HALE_OK && i < hale_reply_n(reply); i++) {
        struct hale_method *m = NULL;
        if (decode(hale_reply_str(hale_reply_at(reply, i)), &m) != HALE_OK)
            continue;
        if (strcmp(m->tenant, tenant) == 0)
            out->v[out->n++] = m;
        else
            hale_method_free(m);
    }
    hale_reply_free(reply);
    return rc;
}

/* --- actions of definitions ----------------------------------------------------------------- */

static enum hale_rc check_list(struct hale_redis *r, const struct hale_definition *d,
                               const struct hale_strings *ids, struct hale_err *err)
{
    for (unsigned i = 0; i < ids->n; i++) {
        struct hale_method *m = NULL;
        enum hale_rc rc = collector_method_load(r, d->tenant, ids->v[i], &m);
        hale_method_free(m);
        if (rc == HALE_E_NOTFOUND)
            return hale_err_set(err, HALE_E_INVAL,
                                "No notification method exists with id %s", ids->v[i]);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

enum hale_rc collector_method_check_actions(struct hale_redis *r,
                                            const struct hale_definition *d,
                                            struct hale_err *err)
{
    const struct hale_strings *lists[] = {&d->alarm_actions, &d->ok_actions,
                                          &d->undetermined_actions};
    enum hale_rc rc = HALE_OK;

    for (size_t i = 0; rc == HALE_OK && i < sizeof(lists) / sizeof(lists[0]); i++)
        rc = check_list(r, d, lists[i], err);
    return rc;
}

static bool remove_id(struct hale_strings *s, const char *id)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (strcmp(s->v[i], id) != 0)
            continue;
        free(s->v[i]);
        memmove(&s->v[i], &s->v[i + 1], (s->n - i - 1) * sizeof(s->v[0]));
        s->n--;
        return true;
    }
    return false;
}

/* Keeps in l the definitions that named the method, without it; frees the others. */
static void strip(struct collector_definition_list *l, const char *id)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct hale_definition *d = l->v[i];
        bool named = remove_id(&d->ok_actions, id);
        named |= remove_id(&d->alarm_actions, id);
        named |= remove_id(&d->undetermined_actions, id);
        if (named) {
            d->version++;
            d->updated_ms = hale_clock_wall_ms();
            l->v[n++] = d;
        } else {
            hale_definition_free(d);
        }
    }
    l->n = n;
}

/* --- changes ------------------------------------------------------------------------------ */

static void name_field(struct hale_buf *b, const struct hale_method *m)
{
    hale_buf_add(b, m->tenant, strlen(m->tenant) + 1); /* with its NUL */
    hale_buf_add_c(b, m->name);
}

/* HALE_E_EXISTS when the name belongs to another method. */
static enum hale_rc check_name(struct hale_redis *r, const struct hale_method *m)
{
    struct hale_reply *reply = NULL;
    struct hale_buf name;

    hale_buf_init(&name, NAME_MAX);
    name_field(&name, m);
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_METHODNAMES),
                       hale_buf_str(&name));
    hale_buf_fini(&name);
    if (rc != HALE_OK)
        return rc;
    if (!hale_reply_is_nil(reply) && !hale_str_eq_c(hale_reply_str(reply), m->id))
        rc = HALE_E_EXISTS;
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc check_room(struct hale_redis *r)
{
    struct hale_reply *reply = NULL;

    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HLEN"), HALE_STR(HALE_KEYS_METHODS));
    if (rc == HALE_OK && hale_reply_int(reply) >= HALE_METHODS_MAX)
        rc = HALE_E_LIMIT;
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc append_name(struct hale_redis *r, const struct hale_method *m,
                                bool set)
{
    struct hale_buf name;
    enum hale_rc rc;

    hale_buf_init(&name, NAME_MAX);
    name_field(&name, m);
    if (set)
        rc = HALE_REDIS(r, HALE_STR("HSET"), HALE_STR(HALE_KEYS_METHODNAMES),
                        hale_buf_str(&name), hale_str_from(m->id));
    else
        rc = HALE_REDIS(r, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_METHODNAMES),
                        hale_buf_str(&name));
    hale_buf_fini(&name);
    return rc;
}

static enum hale_rc append_method(struct hale_redis *r, const struct hale_method *m)
{
    struct hale_buf json;

    hale_buf_init(&json, RECORD_MAX);
    enum hale_rc rc = hale_method_encode(m, &json);
    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("HSET"), HALE_STR(HALE_KEYS_METHODS),
                        hale_str_from(m->id), hale_buf_str(&json));
    if (rc == HALE_OK)
        rc = append_name(r, m, true);
    hale_buf_fini(&json);
    return rc;
}

static enum hale_rc store(struct hale_redis *r, const char *id,
                          const struct hale_method *before,
                          const struct hale_method *after,
                          const struct collector_definition_list *stripped)
{
    enum hale_rc rc = hale_redis_begin(r);

    if (rc == HALE_OK && before != NULL &&
        (after == NULL || strcmp(before->name, after->name) != 0))
        rc = append_name(r, before, false);
    if (rc == HALE_OK && after == NULL)
        rc = HALE_REDIS(r, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_METHODS),
                        hale_str_from(id));
    if (rc == HALE_OK && after != NULL)
        rc = append_method(r, after);
    for (size_t i = 0; rc == HALE_OK && i < stripped->n; i++)
        rc = collector_definition_append(r, stripped->v[i]);
    if (rc == HALE_OK)
        rc = collector_control_append_id(r, HALE_CONTROL_METHOD, id);
    return rc == HALE_OK ? hale_redis_exec(r, NULL) : rc;
}

static enum hale_rc make(struct hale_redis *r, const struct collector_method_change *ch,
                         const struct hale_method *before, struct hale_method **after,
                         struct collector_definition_list *stripped, struct hale_err *err)
{
    if (ch->make == NULL) {
        enum hale_rc rc = collector_definition_load_all(r, ch->tenant, stripped);
        if (rc == HALE_OK)
            strip(stripped, ch->id);
        return rc;
    }
    enum hale_rc rc = ch->make(before, after, ch->arg, err);
    if (rc != HALE_OK && err->rc == HALE_OK)
        err->rc = rc;
    if (rc == HALE_OK)
        rc = check_name(r, *after);
    if (rc == HALE_OK && ch->create)
        rc = check_room(r);
    return rc;
}

/* One attempt. HALE_E_CONFLICT: somebody else wrote meanwhile. */
static enum hale_rc attempt(struct hale_redis *r,
                            const struct collector_method_change *ch,
                            struct hale_method **after, struct hale_err *err)
{
    struct hale_reply *reply = NULL;
    struct hale_method *before = NULL;
    struct collector_definition_list stripped = {0};

    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("WATCH"), HALE_STR(HALE_KEYS_METHODS),
                       HALE_STR(HALE_KEYS_METHODNAMES), HALE_STR(HALE_KEYS_DEFINITIONS));
    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? HALE_E_IO : rc;
    hale_reply_free(reply);
    if (!ch->create)
        rc = collector_method_load(r, ch->tenant, ch->id, &before);
    if (rc == HALE_OK)
        rc = make(r, ch, before, after, &stripped, err);
    if (rc == HALE_OK)
        rc = store(r, ch->id, before, *after, &stripped);
    else if (hale_redis_connected(r))
        collector_store_unwatch(r);
    collector_definition_list_fini(&stripped);
    hale_method_free(before);
    return rc;
}

enum hale_rc collector_method_change(struct hale_redis *r,
                                     const struct collector_method_change *change,
                                     struct hale_method **after_out, struct hale_err *err)
{
    struct hale_method *after = NULL;
    enum hale_rc rc = HALE_E_CONFLICT;

    memset(err, 0, sizeof(*err));
    for (unsigned i = 0; i < RETRIES && rc == HALE_E_CONFLICT; i++) {
        hale_method_free(after);
        after = NULL;
        rc = attempt(r, change, &after, err);
    }
    if (rc == HALE_E_CONFLICT)
        rc = HALE_E_AGAIN;
    if (rc == HALE_OK && after_out != NULL)
        *after_out = after;
    else
        hale_method_free(after);
    return rc;
}
