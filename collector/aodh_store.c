/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/aodh_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "collector/definition_store.h"
#include "model/alarm.h"
#include "store/keys.h"

#define RECORD_MAX (1u << 20)
#define PAGE_TEXT  "1000"
#define RETRIES    20

void collector_aodh_fini(struct collector_aodh *x)
{
    hale_aodh_free(x->a);
    free(x->reason);
    memset(x, 0, sizeof(*x));
}

/* What the actuator says; json.p NULL: nothing yet. A state given by hand counts if it is newer. */
static enum hale_rc read_state(struct collector_aodh *x, struct hale_str json)
{
    const char *state = "", *reason = "";
    json_int_t since = 0;
    json_t *row = json.len > 0 ? json_loadb(json.p, json.len, 0, NULL) : NULL;

    x->state = HALE_STATE_UNDETERMINED;
    x->since_ms = x->a->created_ms;
    if (row != NULL &&
        json_unpack(row, "{s:s, s:I, s?s}", "state", &state, "since_ms", &since, "reason",
                    &reason) == 0 &&
        hale_aodh_state_parse(hale_str_from(state), &x->state) == HALE_OK)
        x->since_ms = since;
    if (x->a->set_ms > since) {
        x->state = x->a->set;
        x->since_ms = x->a->set_ms;
        reason = "Manually set via API";
    } else if (row == NULL) {
        reason = "Not evaluated yet";
    }
    x->reason = strdup(reason);
    json_decref(row);
    return x->reason != NULL ? HALE_OK : HALE_E_NOMEM;
}

static bool is_kind(const struct hale_aodh *a, enum collector_aodh_kind kind)
{
    return (a->faults != NULL) == (kind == COLLECTOR_AODH_NOTIFIER);
}

enum hale_rc collector_aodh_load(struct hale_redis *r, const char *tenant, const char *id,
                                 enum collector_aodh_kind kind,
                                 struct collector_aodh *out)
{
    struct hale_reply *reply = NULL;

    memset(out, 0, sizeof(*out));
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_AODH), hale_str_from(id));
    if (rc != HALE_OK)
        return rc;
    rc = hale_reply_is_nil(reply) ? HALE_E_NOTFOUND
                                  : hale_aodh_decode(hale_reply_str(reply), &out->a);
    hale_reply_free(reply);
    if (rc == HALE_OK && (strcmp(out->a->tenant, tenant) != 0 || !is_kind(out->a, kind)))
        rc = HALE_E_NOTFOUND;
    reply = NULL;
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"), HALE_STR(HALE_KEYS_ACT_AODH),
                            hale_str_from(id));
    if (rc == HALE_OK)
        rc = read_state(out,
                        hale_reply_is_nil(reply) ? HALE_STR("") : hale_reply_str(reply));
    hale_reply_free(reply);
    if (rc != HALE_OK)
        collector_aodh_fini(out);
    return rc;
}

void collector_aodh_list_fini(struct collector_aodh_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        collector_aodh_fini(&l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

static enum hale_rc add_page(const struct hale_reply *rows, const char *tenant,
                             enum collector_aodh_kind kind, struct collector_aodh_list *l)
{
    size_t more = hale_reply_n(rows) / 2;
    struct collector_aodh *v = realloc(l->v, (l->n + more + 1) * sizeof(*v));
    if (v == NULL)
        return HALE_E_NOMEM;
    l->v = v;
    for (size_t i = 1; i < hale_reply_n(rows); i += 2) {
        struct hale_aodh *a;
        enum hale_rc rc = hale_aodh_decode(hale_reply_str(hale_reply_at(rows, i)), &a);
        if (rc == HALE_E_NOMEM)
            return rc;
        if (rc != HALE_OK) {
            hale_error("event=aodh_alarm_unreadable");
        } else if (strcmp(a->tenant, tenant) == 0 && is_kind(a, kind)) {
            v[l->n++] = (struct collector_aodh){.a = a};
        } else {
            hale_aodh_free(a);
        }
    }
    return HALE_OK;
}

static int newest_first(const void *x, const void *y)
{
    const struct collector_aodh *a = x, *b = y;
    if (a->a->created_ms != b->a->created_ms)
        return a->a->created_ms < b->a->created_ms ? 1 : -1;
    return strcmp(a->a->id, b->a->id);
}

/* A row that a scan gave twice is there once; the list is sorted. */
static void drop_doubles(struct collector_aodh_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (n > 0 && strcmp(l->v[n - 1].a->id, l->v[i].a->id) == 0)
            collector_aodh_fini(&l->v[i]);
        else
            l->v[n++] = l->v[i];
    }
    l->n = n;
}

static enum hale_rc read_states(struct hale_redis *r, struct collector_aodh_list *l)
{
    enum hale_rc rc = HALE_OK;
    for (size_t i = 0; rc == HALE_OK && i < l->n; i++)
        rc = HALE_REDIS(r, HALE_STR("HGET"), HALE_STR(HALE_KEYS_ACT_AODH),
                        hale_str_from(l->v[i].a->id));
    for (size_t i = 0; rc == HALE_OK && i < l->n; i++) {
        struct hale_reply *reply = NULL;
        rc = hale_redis_reply(r, &reply);
        if (rc == HALE_OK)
            rc = read_state(&l->v[i], hale_reply_is_nil(reply) ? HALE_STR("")
                                                               : hale_reply_str(reply));
        hale_reply_free(reply);
    }
    return rc;
}

enum hale_rc collector_aodh_load_all(struct hale_redis *r, const char *tenant,
                                     enum collector_aodh_kind kind,
                                     struct collector_aodh_list *out)
{
    char cursor[32] = "0";
    enum hale_rc rc;

    memset(out, 0, sizeof(*out));
    do {
        struct hale_reply *reply = NULL;
        rc =
            HALE_REDIS_CMD(r, &reply, HALE_STR("HSCAN"), HALE_STR(HALE_KEYS_AODH),
                           hale_str_from(cursor), HALE_STR("COUNT"), HALE_STR(PAGE_TEXT));
        if (rc == HALE_OK) {
            struct hale_str next = hale_reply_str(hale_reply_at(reply, 0));
            (void)snprintf(cursor, sizeof(cursor), "%.*s", (int)next.len,
                           next.p != NULL ? next.p : "0");
            rc = add_page(hale_reply_at(reply, 1), tenant, kind, out);
        }
        hale_reply_free(reply);
    } while (rc == HALE_OK && strcmp(cursor, "0") != 0);
    if (rc == HALE_OK && out->n > 0) {
        qsort(out->v, out->n, sizeof(out->v[0]), newest_first);
        drop_doubles(out);
        rc = read_states(r, out);
    }
    if (rc != HALE_OK)
        collector_aodh_list_fini(out);
    return rc;
}

static enum hale_rc check_room(struct hale_redis *r)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HLEN"), HALE_STR(HALE_KEYS_AODH));
    if (rc == HALE_OK && hale_reply_int(reply) >= HALE_AODH_MAX)
        rc = HALE_E_LIMIT;
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc put(struct hale_redis *r, const struct hale_aodh *a)
{
    struct hale_buf json;

    hale_buf_init(&json, RECORD_MAX);
    enum hale_rc rc = hale_aodh_encode(a, &json);
    if (rc == HALE_OK)
        rc = hale_redis_begin(r);
    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("HSET"), HALE_STR(HALE_KEYS_AODH),
                        hale_str_from(a->id), hale_buf_str(&json));
    if (rc == HALE_OK)
        rc = collector_control_append_id(r, HALE_CONTROL_AODH, a->id);
    if (rc == HALE_OK)
        rc = hale_redis_exec(r, NULL);
    hale_buf_fini(&json);
    return rc;
}

static enum hale_rc drop(struct hale_redis *r, const char *id)
{
    enum hale_rc rc = hale_redis_begin(r);

    if (rc == HALE_OK)
        rc = HALE_REDIS(r, HALE_STR("HDEL"), HALE_STR(HALE_KEYS_AODH), hale_str_from(id));
    if (rc == HALE_OK)
        rc = collector_control_append_id(r, HALE_CONTROL_AODH, id);
    return rc == HALE_OK ? hale_redis_exec(r, NULL) : rc;
}

enum hale_rc collector_aodh_create(struct hale_redis *r, const struct hale_aodh *a)
{
    enum hale_rc rc = check_room(r);
    return rc == HALE_OK ? put(r, a) : rc;
}

/* One attempt. HALE_E_CONFLICT: somebody else wrote meanwhile. */
static enum hale_rc attempt(struct hale_redis *r, const struct collector_aodh_change *ch,
                            struct collector_aodh *x, struct hale_err *err)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("WATCH"), HALE_STR(HALE_KEYS_AODH));

    if (rc != HALE_OK)
        return rc == HALE_E_INVAL ? HALE_E_IO : rc;
    hale_reply_free(reply);
    rc = collector_aodh_load(r, ch->tenant, ch->id, ch->kind, x);
    if (rc == HALE_OK && ch->make != NULL)
        rc = ch->make(x, ch->arg, err);
    else if (rc == HALE_OK && ch->may_drop != NULL)
        rc = ch->may_drop(x, ch->arg);
    if (rc == HALE_OK)
        return ch->make != NULL ? put(r, x->a) : drop(r, ch->id);
    if (hale_redis_connected(r))
        collector_store_unwatch(r);
    return rc;
}

enum hale_rc collector_aodh_change(struct hale_redis *r,
                                   const struct collector_aodh_change *ch,
                                   struct collector_aodh *out, struct hale_err *err)
{
    struct collector_aodh x = {0};
    enum hale_rc rc = HALE_E_CONFLICT;

    for (unsigned i = 0; i < RETRIES && rc == HALE_E_CONFLICT; i++) {
        collector_aodh_fini(&x);
        rc = attempt(r, ch, &x, err);
    }
    if (rc == HALE_OK && out != NULL)
        *out = x;
    else
        collector_aodh_fini(&x);
    return rc == HALE_E_CONFLICT ? HALE_E_AGAIN : rc;
}
