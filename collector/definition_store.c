/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/definition_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "collector/method_store.h"
#include "model/alarm.h"
#include "store/keys.h"

#define RETRIES    20
#define RECORD_MAX 1048576
#define NAME_MAX   4096

enum hale_rc collector_control_append(struct hale_redis *r, const struct hale_buf *record)
{
    return HALE_REDIS(r, HALE_STR("XADD"), HALE_STR(HALE_KEYS_CONTROL),
                      HALE_STR("MAXLEN"), HALE_STR("~"), HALE_STR("1000000"),
                      HALE_STR("*"), HALE_STR("j"), hale_buf_str(record));
}

static enum hale_rc load(struct hale_redis *r, const char *tenant, const char *id,
                         struct hale_definition **out)
{
    struct hale_reply *reply = NULL;
    struct hale_err err = {0};

    *out = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_DEFINITIONS), hale_str_from(id));
    if (rc != HALE_OK)
        return rc;
    if (hale_reply_is_nil(reply))
        rc = HALE_E_NOTFOUND;
    else
        rc = hale_definition_decode(hale_reply_str(reply), out, &err);
    hale_reply_free(reply);
    if (rc == HALE_E_INVAL)
        hale_error("event=definition_unreadable id=%s detail=\"%s\"", id, err.text);
    if (rc == HALE_OK && strcmp((*out)->tenant, tenant) != 0) {
        hale_definition_free(*out);
        *out = NULL;
        rc = HALE_E_NOTFOUND;
    }
    return rc;
}

enum hale_rc collector_definition_load(struct hale_redis *r, const char *tenant,
                                       const char *id, struct hale_definition **out)
{
    return load(r, tenant, id, out);
}

void collector_definition_list_fini(struct collector_definition_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        hale_definition_free(l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

static enum hale_rc list_add(struct collector_definition_list *l,
                             struct hale_definition *d)
{
    if (l->n == l->cap) {
        size_t cap = l->cap > 0 ? 2 * l->cap : 64;
        struct hale_definition **v = realloc(l->v, cap * sizeof(v[0]));
        if (v == NULL) {
            hale_definition_free(d);
            return HALE_E_NOMEM;
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = d;
    return HALE_OK;
}

enum hale_rc collector_definition_load_all(struct hale_redis *r, const char *tenant,
                                           struct collector_definition_list *out)
{
    struct hale_reply *reply = NULL;
    struct hale_err err = {0};

    memset(out, 0, sizeof(*out));
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HVALS"), HALE_STR(HALE_KEYS_DEFINITIONS));
    if (rc != HALE_OK)
        return rc;
    for (size_t i = 0; rc == HALE_OK && i < hale_reply_n(reply); i++) {
        struct hale_definition *d = NULL;
        if (hale_definition_decode(hale_reply_str(hale_reply_at(reply, i)), &d, &err) !=
            HALE_OK) {
            hale_error("event=definition_unreadable detail=\"%s\"", err.text);
            continue;
        }
        if (strcmp(d->tenant, tenant) == 0)
            rc = list_add(out, d);
        else
            hale_definition_free(d);
    }
    hale_reply_free(reply);
    if (rc != HALE_OK)
        collector_definition_list_fini(out);
    return rc;
}

/* --- changes ------------------------------------------------------------------------------ */

static void name_field(struct hale_buf *b, const struct hale_definition *d)
{
    hale_buf_add(b, d->tenant, strlen(d->tenant) + 1); /* with its NUL */
    hale_buf_add_c(b, d->name);
}

/* HALE_E_EXISTS when the name belongs to another definition. */
static enum hale_rc check_name(struct hale_redis *r, const struct hale_definition *d)
{
    struct hale_reply *reply = NULL;
    struct hale_buf name;

    hale_buf_init(&name, NAME_MAX);
    name_field(&name, d);
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_DEFNAMES), hale_buf_str(&name));
    hale_buf_fini(&name);
    if (rc != HALE_OK)
        return rc;
    if (!hale_reply_is_nil(reply) && !hale_str_eq_c(hale_reply_str(reply), d->id))
        rc = HALE_E_EXISTS;
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc append_removal(struct hale_redis *r, const struct hale_definition *d)
{
    struct hale_buf name;

    hale_buf_init(&name, NAME_MAX);
    name_field(&name, d);
    enum hale_rc rc = HALE_REDIS(r, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_DEFNAMES),
                                 hale_buf_str(&name));
    hale_buf_fini(&name);
    return rc;
}

static enum hale_rc append_definition(struct hale_redis *r,
                                      const struct hale_definition *d)
{
    struct hale_buf name;
    struct hale_buf json;

    hale_buf_init(&name, NAME_MAX);
    hale_buf_init(&json, RECORD_MAX);
    name_field(&name, d);
    enum hale_rc rc = hale_definition_encode(d, &json);
    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("HSET"), HALE_STR(HALE_KEYS_DEFINITIONS),
                        hale_str_from(d->id), hale_buf_str(&json));
    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("HSET"), HALE_STR(HALE_KEYS_DEFNAMES),
                        hale_buf_str(&name), hale_str_from(d->id));
    hale_buf_fini(&name);
    hale_buf_fini(&json);
    return rc;
}

enum hale_rc collector_control_append_id(struct hale_redis *r, enum hale_control_op op,
                                         const char *id)
{
    struct hale_control record = {.op = op, .id = strdup(id)};
    struct hale_buf b;

    if (record.id == NULL)
        return HALE_E_NOMEM;
    hale_buf_init(&b, RECORD_MAX);
    enum hale_rc rc = hale_control_encode(&record, &b);
    if (rc == HALE_OK)
        rc = collector_control_append(r, &b);
    hale_buf_fini(&b);
    hale_control_fini(&record);
    return rc;
}

enum hale_rc collector_definition_append(struct hale_redis *r,
                                         const struct hale_definition *d)
{
    enum hale_rc rc = append_definition(r, d);
    return rc == HALE_OK ? collector_control_append_id(r, HALE_CONTROL_DEFINITION, d->id)
                         : rc;
}

static enum hale_rc store(struct hale_redis *r, const char *id,
                          const struct hale_definition *before,
                          const struct hale_definition *after)
{
    enum hale_rc rc = hale_redis_begin(r);

    if (rc == HALE_OK && before != NULL &&
        (after == NULL || strcmp(before->name, after->name) != 0))
        rc = append_removal(r, before);
    if (rc == HALE_OK && after == NULL)
        rc = HALE_REDIS(r, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_DEFINITIONS),
                        hale_str_from(id));
    if (rc == HALE_OK && after != NULL)
        rc = append_definition(r, after);
    if (rc == HALE_OK)
        rc = collector_control_append_id(r, HALE_CONTROL_DEFINITION, id);
    return rc == HALE_OK ? hale_redis_exec(r, NULL) : rc;
}

void collector_store_unwatch(struct hale_redis *r)
{
    struct hale_reply *reply = NULL;

    if (HALE_REDIS_CMD(r, &reply, HALE_STR("UNWATCH")) == HALE_OK)
        hale_reply_free(reply);
}

/* One attempt. HALE_E_CONFLICT with err->rc == HALE_OK: somebody else wrote meanwhile. */
static enum hale_rc attempt(struct hale_redis *r,
                            const struct collector_definition_change *ch,
                            struct hale_definition **after, struct hale_err *err)
{
    struct hale_reply *reply = NULL;
    struct hale_definition *before = NULL;

    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("WATCH"), HALE_STR(HALE_KEYS_DEFINITIONS),
                       HALE_STR(HALE_KEYS_DEFNAMES), HALE_STR(HALE_KEYS_METHODS));
    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? HALE_E_IO : rc;
    hale_reply_free(reply);
    if (!ch->create)
        rc = load(r, ch->tenant, ch->id, &before);
    if (rc == HALE_OK) {
        rc = ch->make(before, after, ch->arg, err);
        if (rc != HALE_OK && err->rc == HALE_OK)
            err->rc = rc;
    }
    if (rc == HALE_OK && *after != NULL)
        rc = check_name(r, *after);
    if (rc == HALE_OK && *after != NULL) {
        rc = collector_method_check_actions(r, *after, err);
        if (rc != HALE_OK && err->rc == HALE_OK)
            err->rc = rc;
    }
    if (rc == HALE_OK)
        rc = store(r, ch->id, before, *after);
    else if (hale_redis_connected(r))
        collector_store_unwatch(r);
    hale_definition_free(before);
    return rc;
}

enum hale_rc collector_definition_change(struct hale_redis *r,
                                         const struct collector_definition_change *change,
                                         struct hale_definition **after_out,
                                         struct hale_err *err)
{
    struct hale_definition *after = NULL;
    enum hale_rc rc = HALE_E_CONFLICT;

    memset(err, 0, sizeof(*err));
    for (unsigned i = 0; i < RETRIES && rc == HALE_E_CONFLICT && err->rc == HALE_OK;
         i++) {
        hale_definition_free(after);
        after = NULL;
        rc = attempt(r, change, &after, err);
    }
    if (rc == HALE_E_CONFLICT && err->rc == HALE_OK)
        rc = HALE_E_AGAIN;
    if (rc == HALE_OK && after_out != NULL)
        *after_out = after;
    else
        hale_definition_free(after);
    return rc;
}
