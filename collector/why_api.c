/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/why_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/alarm_view.h"
#include "collector/definition_store.h"
#include "collector/params.h"
#include "collector/query.h"
#include "collector/request.h"
#include "collector/why.h"
#include "collector/why_facts.h"
#include "store/keys.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define GROUPS_MAX 100 /* of a definition, listed */
#define CAUSES_MAX 16

/* --- JSON --------------------------------------------------------------------------------------- */

/* Takes v. */
static enum hale_rc put(json_t *facts, const char *key, json_t *v)
{
    return v != NULL && json_object_set_new(facts, key, v) == 0 ? HALE_OK : HALE_E_NOMEM;
}

static json_t *parsed(enum hale_rc rc, struct hale_buf *b)
{
    json_t *o = rc == HALE_OK && !b->failed ? json_loadb(b->p, b->len, 0, NULL) : NULL;
    hale_buf_fini(b);
    return o;
}

static json_t *alarm_json(const struct hale_alarm *a)
{
    struct hale_buf b;
    hale_buf_init(&b, ANSWER_MAX);
    enum hale_rc rc = hale_alarm_encode(a, &b);
    return parsed(rc, &b);
}

static json_t *definition_json(const struct hale_definition *d)
{
    struct hale_buf b;
    hale_buf_init(&b, ANSWER_MAX);
    enum hale_rc rc = hale_definition_encode(d, &b);
    return parsed(rc, &b);
}

/* --- the log ------------------------------------------------------------------------------------ */

static int take_record(unsigned stream, struct hale_stream_id id, struct hale_str field,
                       struct hale_str value, void *arg)
{
    json_t **out = arg;
    (void)stream;
    (void)id;
    (void)field;
    *out = json_loadb(value.p != NULL ? value.p : "", value.len, 0, NULL);
    return 1;
}

/* The log record of the last transition, else of the last change; null when it was trimmed. */
static enum hale_rc add_transition(struct collector *c, struct hale_redis *redis,
                                   struct collector_alarm *a, json_t *facts)
{
    struct collector_alarm *one[] = {a};
    const struct collector_alarm_list list = {.n = 1, .v = one};
    const struct collector_period period = {
        .start_ms = a->a.state_updated_ms, .end_ms = INT64_MAX, .after_ms = INT64_MIN};
    struct collector_transition t = {0};
    char id[HALE_STREAM_ID_TEXT];
    struct hale_reply *reply = NULL;
    json_t *record = NULL;

    size_t n =
        collector_table_transitions(collector_view_table(c->view), &list, &period, &t, 1);
    struct hale_stream_id at = {(uint64_t)(n > 0 ? t.seq : a->a.seq), 0};
    struct hale_str text = hale_str_from(hale_stream_id_text(at, id));
    enum hale_rc rc = HALE_REDIS_CMD(redis, &reply, HALE_STR("XRANGE"),
                                     HALE_STR(HALE_KEYS_ALARMLOG), text, text);
    if (rc != HALE_OK)
        return rc;
    (void)hale_reply_range(reply, take_record, &record);
    hale_reply_free(reply);
    if (record != NULL) /* stands beside it already */
        (void)json_object_del(record, "alarm");
    return put(facts, "transition", record != NULL ? record : json_null());
}

/* Who the alarms are that it names as its causes. */
static enum hale_rc add_causes(struct collector *c, const char *tenant,
                               const json_t *life, json_t *facts)
{
    json_t *list = json_array();
    const json_t *id;
    size_t i;
    int bad = list == NULL;
    json_array_foreach (json_object_get(life, "causes"), i, id) {
        struct collector_alarm *a = NULL;
        if (i < CAUSES_MAX && json_is_string(id))
            a = collector_table_get(collector_view_table(c->view), tenant,
                                    json_string_value(id));
        if (a == NULL || bad) {
            collector_alarm_put(a);
            continue;
        }
        bad = json_array_append_new(
            list, json_pack("{s:s, s:s, s:O, s:s}", "id", a->a.id, "definition_name",
                            a->a.definition_name, "group", a->a.group, "state",
                            hale_state_text(a->a.state)));
        collector_alarm_put(a);
    }
    if (bad) {
        json_decref(list);
        return HALE_E_NOMEM;
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        return HALE_OK;
    }
    return put(facts, "causes", list);
}

/* --- answering ------------------------------------------------------------------------------------ */

static json_t *begin(const json_t *group)
{
    return json_pack("{s:I, s:n, s:O, s:n, s:n, s:[]}", "time_ms",
                     (json_int_t)hale_clock_wall_ms(), "definition", "group", group,
                     "alarm", "transition", "subs");
}

static void reply_facts(struct hale_http_req *req, enum hale_rc rc, json_t *facts)
{
    struct hale_buf b;
    char *text = NULL;

    if (rc == HALE_OK)
        rc = collector_why_conclude(facts);
    if (rc == HALE_OK && (text = json_dumps(facts, JSON_COMPACT)) == NULL)
        rc = HALE_E_NOMEM;
    if (rc != HALE_OK) {
        collector_reply_busy(req, 2,
                             rc == HALE_E_NOMEM ? "out of memory"
                                                : "the store does not answer; try again");
    } else {
        hale_buf_init(&b, ANSWER_MAX);
        hale_buf_add_c(&b, text);
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
    }
    free(text);
}

static enum hale_rc alarm_facts(struct collector *c, struct hale_redis *redis,
                                struct collector_alarm *a,
                                const struct hale_definition *d, json_t *facts)
{
    enum hale_rc rc = put(facts, "alarm", alarm_json(&a->a));
    if (rc == HALE_OK)
        rc = add_transition(c, redis, a, facts);
    if (rc == HALE_OK)
        rc = add_causes(c, a->a.tenant, a->a.life, facts);
    if (rc == HALE_OK && d != NULL)
        rc = put(facts, "definition", definition_json(d));
    if (rc == HALE_OK && d != NULL)
        rc = collector_why_subs(c, redis, d, a->a.group, facts);
    return rc;
}

static bool view_ready(struct collector *c, struct hale_http_req *req)
{
    if (!collector_view_ready(c->view))
        collector_reply_busy(req, 1, "the alarms are still being loaded");
    return collector_view_ready(c->view);
}

void collector_alarm_why_get(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_definition *d = NULL;
    enum hale_rc rc = HALE_OK;

    if (!view_ready(c, req))
        return;
    struct collector_alarm *a =
        collector_table_get(collector_view_table(c->view), r->tenant, r->param);
    if (a == NULL) {
        collector_reply_not_found(req);
        return;
    }
    json_t *facts = begin(a->a.group);
    if (facts == NULL)
        rc = HALE_E_NOMEM;
    if (rc == HALE_OK && !a->a.from_event)
        rc = collector_definition_load(redis, r->tenant, a->a.definition_id, &d);
    if (rc == HALE_E_NOTFOUND) /* deleted a moment ago: the alarm will follow */
        rc = HALE_OK;
    if (rc == HALE_OK)
        rc = alarm_facts(c, redis, a, d, facts);
    reply_facts(req, rc, facts);
    json_decref(facts);
    hale_definition_free(d);
    collector_alarm_put(a);
}

/* --- definitions -------------------------------------------------------------------------------- */

static bool matches_by(const struct hale_definition *d, struct hale_str key)
{
    for (unsigned i = 0; i < d->match_by.n; i++) {
        if (hale_str_eq_c(key, d->match_by.v[i]))
            return true;
    }
    return false;
}

/* *out: the group asked about; NULL: none, though the definition has match_by. */
static enum hale_rc read_group(struct hale_http_req *req, const struct hale_definition *d,
                               json_t **out, struct hale_err *err)
{
    const char *text = hale_http_query(req, "group");
    struct collector_dims dims;

    *out = NULL;
    if (text == NULL && d->match_by.n > 0)
        return HALE_OK;
    enum hale_rc rc = collector_params_dims(text, &dims, err);
    if (rc != HALE_OK)
        return rc;
    json_t *group = json_object();
    for (unsigned i = 0; group != NULL && rc == HALE_OK && i < dims.n; i++) {
        char key[4 * HALE_DIM_KEY_MAX_CHARS + 1];
        const struct collector_dim_filter *f = &dims.v[i];
        if (!matches_by(d, f->key) || f->key.len >= sizeof(key))
            rc = hale_err_set(err, HALE_E_INVAL, "group: '%.*s' is not in match_by",
                              (int)f->key.len, f->key.p);
        else if (f->value.p == NULL)
            rc = hale_err_set(err, HALE_E_INVAL,
                              "group: '%.*s' has no value; write %.*s:VALUE",
                              (int)f->key.len, f->key.p, (int)f->key.len, f->key.p);
        if (rc != HALE_OK)
            break;
        memcpy(key, f->key.p, f->key.len);
        key[f->key.len] = '\0';
        if (json_object_set_new(group, key, json_stringn(f->value.p, f->value.len)) != 0)
            rc = HALE_E_NOMEM;
    }
    if (rc == HALE_OK && group == NULL)
        rc = HALE_E_NOMEM;
    if (rc == HALE_OK)
        *out = group;
    else
        json_decref(group);
    return rc;
}

/* The definition's alarms: the one of the group (NULL: none), and how many are in which state. */
static struct collector_alarm *count_alarms(struct collector *c,
                                            const struct hale_definition *d,
                                            const json_t *group, size_t by_state[3])
{
    struct collector_alarm_list l = {0};
    struct collector_alarm *found = NULL;
    collector_table_list(collector_view_table(c->view), d->tenant, &l);
    for (size_t i = 0; i < l.n; i++) {
        const struct hale_alarm *a = &l.v[i]->a;
        if (strcmp(a->definition_id, d->id) != 0)
            continue;
        by_state[a->state]++;
        if (found == NULL && group != NULL && json_equal(a->group, group))
            found = collector_alarm_get(l.v[i]);
    }
    collector_alarm_list_fini(&l);
    return found;
}

static enum hale_rc definition_facts(struct collector *c, struct hale_redis *redis,
                                     const struct hale_definition *d, json_t *group,
                                     json_t *facts)
{
    size_t n[3] = {0};
    struct collector_alarm *a = count_alarms(c, d, group, n);
    enum hale_rc rc = HALE_OK;
    if (a != NULL) {
        rc = alarm_facts(c, redis, a, d, facts);
        collector_alarm_put(a);
        return rc;
    }
    rc = put(facts, "definition", definition_json(d));
    if (rc == HALE_OK)
        rc = collector_why_subs(c, redis, d, group, facts);
    if (rc != HALE_OK || group != NULL)
        return rc;
    json_t *numbers = json_pack(
        "{s:I, s:I, s:I, s:I}", "alarms",
        (json_int_t)n[HALE_STATE_OK] + (json_int_t)n[HALE_STATE_UNDETERMINED] +
            (json_int_t)n[HALE_STATE_ALARM],
        "in_alarm", (json_int_t)n[HALE_STATE_ALARM], "undetermined",
        (json_int_t)n[HALE_STATE_UNDETERMINED], "ok", (json_int_t)n[HALE_STATE_OK]);
    if (numbers == NULL || json_object_update(facts, numbers) != 0)
        rc = HALE_E_NOMEM;
    json_decref(numbers);
    return rc == HALE_OK ? put(facts, "groups", collector_why_groups(c, d, GROUPS_MAX))
                         : rc;
}

void collector_definition_why_get(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_definition *d = NULL;
    struct hale_err err = {0};
    json_t *group = NULL, *facts = NULL;

    if (!view_ready(c, req))
        return;
    enum hale_rc rc = collector_definition_load(redis, r->tenant, r->param, &d);
    if (rc == HALE_E_NOTFOUND) {
        collector_reply_not_found(req);
        return;
    }
    if (rc == HALE_OK)
        rc = read_group(req, d, &group, &err);
    if (rc == HALE_E_INVAL) {
        collector_reply_invalid(req, &err);
        hale_definition_free(d);
        return;
    }
    if (rc == HALE_OK) {
        facts = begin(group != NULL ? group : json_null());
        rc = facts != NULL ? definition_facts(c, redis, d, group, facts) : HALE_E_NOMEM;
    }
    reply_facts(req, rc, facts);
    json_decref(facts);
    json_decref(group);
    hale_definition_free(d);
}
