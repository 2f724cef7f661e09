/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/alarm-log, /v1/journal, /v1/alarms/{id}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/alarm_view.h"
#include "collector/history_api.h"
#include "collector/params.h"
#include "collector/request.h"
#include "model/journal.h"
#include "store/keys.h"

#define ANSWER_MAX   ((size_t)256 << 20)
#define PAGE         "500"
#define SCAN_MAX     100000 /* entries looked at for one answer */
#define ROWS_MAX     1000
#define ROWS_DEFAULT 100

struct scan {
    bool journal;
    bool forward; /* ascending from after; else descending from before */
    const char *tenant;
    const char *alarm_id;                 /* NULL: any */
    const char *run_id, *policy, *target; /* of the journal; NULL: any */
    struct collector_list kinds;          /* of the journal; n = 0: any */
    int64_t since_ms, until_ms; /* entry times, inclusive; INT64_MIN, INT64_MAX: open */
    struct hale_stream_id after, before; /* exclusive */
    bool has_after, has_before;
    size_t limit;
    size_t n;                   /* rows found, in scanning order */
    char *rows[ROWS_MAX];       /* JSON texts, owned */
    struct hale_stream_id last; /* of the page */
    size_t seen, page;
};

static bool is(const char *wanted, const char *text)
{
    return wanted == NULL || strcmp(wanted, text) == 0;
}

/* Rows without a tenant are the house's, for everybody. */
static bool row_fits(const struct scan *s, struct hale_str json)
{
    struct hale_journal_row row = {0};
    if (hale_journal_decode(json, &row) != HALE_OK)
        return false;
    bool kind = s->kinds.n == 0;
    for (unsigned i = 0; i < s->kinds.n; i++)
        kind = kind || hale_str_eq_c(s->kinds.v[i], row.kind);
    bool own = kind && (row.tenant[0] == '\0' || strcmp(row.tenant, s->tenant) == 0) &&
               is(s->alarm_id, row.alarm_id) && is(s->run_id, row.run_id) &&
               is(s->policy, row.policy) && is(s->target, row.target);
    hale_journal_fini(&row);
    return own;
}

static bool has(struct hale_str json, const char *word)
{
    return word == NULL || memmem(json.p, json.len, word, strlen(word)) != NULL;
}

static bool fits(const struct scan *s, struct hale_str json)
{
    /* The id stands in every record about it; most others are passed over here. */
    if (!has(json, s->alarm_id) || !has(json, s->run_id))
        return false;
    if (s->journal)
        return row_fits(s, json);
    struct hale_log_record r = {0};
    bool own = hale_log_record_decode(json, &r) == HALE_OK &&
               strcmp(r.alarm.tenant, s->tenant) == 0 && is(s->alarm_id, r.alarm.id);
    hale_log_record_fini(&r);
    return own;
}

static int take_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    struct scan *s = arg;
    struct hale_buf b;
    char text[HALE_STREAM_ID_TEXT];

    (void)stream;
    (void)field;
    s->last = id;
    s->seen++;
    s->page++;
    if (value.len == 0 || value.p[0] != '{' || !fits(s, value))
        return 0;
    hale_buf_init(&b, value.len + 128);
    if (s->journal) {
        hale_buf_printf(&b, "{\"id\":\"%s\",", hale_stream_id_text(id, text));
        value.p++;
        value.len--;
    }
    hale_buf_add_str(&b, value);
    s->rows[s->n] = hale_buf_take(&b);
    if (s->rows[s->n] != NULL)
        s->n++;
    return s->n == s->limit ? 1 : 0;
}

/* given: after or before id; else the time, when there is one. */
static void bound(char *dst, size_t size, bool given, struct hale_stream_id id,
                  int64_t time_ms, const char *open_end)
{
    char text[HALE_STREAM_ID_TEXT];
    if (given)
        (void)snprintf(dst, size, "(%s", hale_stream_id_text(id, text));
    else if (time_ms == INT64_MIN || time_ms == INT64_MAX)
        (void)snprintf(dst, size, "%s", open_end);
    else
        (void)snprintf(dst, size, "%lld", (long long)(time_ms > 0 ? time_ms : 0));
}

static enum hale_rc run_scan(struct hale_redis *redis, struct scan *s)
{
    struct hale_str key =
        s->journal ? HALE_STR(HALE_KEYS_JOURNAL) : HALE_STR(HALE_KEYS_ALARMLOG);
    char low[HALE_STREAM_ID_TEXT + 1];
    char high[HALE_STREAM_ID_TEXT + 1];
    enum hale_rc rc = HALE_OK;

    do {
        struct hale_reply *reply = NULL;
        bound(low, sizeof(low), s->has_after, s->after, s->since_ms, "-");
        bound(high, sizeof(high), s->has_before, s->before, s->until_ms, "+");
        rc = HALE_REDIS_CMD(
            redis, &reply, s->forward ? HALE_STR("XRANGE") : HALE_STR("XREVRANGE"), key,
            hale_str_from(s->forward ? low : high),
            hale_str_from(s->forward ? high : low), HALE_STR("COUNT"), HALE_STR(PAGE));
        if (rc != HALE_OK)
            break;
        s->page = 0;
        (void)hale_reply_range(reply, take_entry, s);
        hale_reply_free(reply);
        if (s->forward) {
            s->after = s->last;
            s->has_after = true;
        } else {
            s->before = s->last;
            s->has_before = true;
        }
    } while (s->page > 0 && s->n < s->limit && s->seen < SCAN_MAX);
    return rc;
}

static void add_rows(const struct scan *s, struct hale_buf *b)
{
    hale_buf_add_char(b, '[');
    for (size_t i = 0; i < s->n; i++) {
        if (i > 0)
            hale_buf_add_char(b, ',');
        hale_buf_add_c(b, s->rows[s->forward ? i : s->n - 1 - i]);
    }
    hale_buf_add_char(b, ']');
}

static struct scan *scan_new(void)
{
    struct scan *s = calloc(1, sizeof(*s));
    if (s != NULL) {
        s->since_ms = INT64_MIN;
        s->until_ms = INT64_MAX;
    }
    return s;
}

static void scan_free(struct scan *s)
{
    for (size_t i = 0; s != NULL && i < s->n; i++)
        free(s->rows[i]);
    free(s);
}

static enum hale_rc read_bound(const char *text, const char *name, bool journal,
                               bool *has, struct hale_stream_id *out,
                               struct hale_err *err)
{
    uint64_t seq;

    *has = text != NULL;
    if (text == NULL)
        return HALE_OK;
    if (journal) {
        if (hale_stream_id_parse(hale_str_from(text), out) == HALE_OK)
            return HALE_OK;
        return hale_err_set(err, HALE_E_INVAL, "%s must be the id of a journal row",
                            name);
    }
    if (hale_str_u64(hale_str_from(text), &seq) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL, "%s must be a sequence number", name);
    *out = (struct hale_stream_id){seq, 0};
    return HALE_OK;
}

/* What only the journal has: run, policy, target, kinds and times. */
static enum hale_rc read_journal(struct hale_http_req *req, struct scan *s,
                                 struct hale_err *err)
{
    s->run_id = hale_http_query(req, "run");
    s->policy = hale_http_query(req, "policy");
    s->target = hale_http_query(req, "target");
    enum hale_rc rc =
        collector_params_list(hale_http_query(req, "kind"), "kind", &s->kinds, err);
    for (unsigned i = 0; rc == HALE_OK && i < s->kinds.n; i++)
        if (!hale_journal_kind_ok(s->kinds.v[i]))
            rc = hale_err_set(err, HALE_E_INVAL, "kind: the journal has no '%.*s'",
                              (int)(s->kinds.v[i].len < 40 ? s->kinds.v[i].len : 40),
                              s->kinds.v[i].p);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "since"), "since", &s->since_ms,
                                   err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "until"), "until", &s->until_ms,
                                   err);
    return rc;
}

static enum hale_rc read_scan(struct hale_http_req *req, struct scan *s,
                              struct hale_err *err)
{
    s->tenant = collector_request_of(req)->tenant;
    s->alarm_id = hale_http_query(req, "alarm_id");
    enum hale_rc rc =
        collector_params_limit(hale_http_query(req, "limit"), &s->limit, err);
    if (hale_http_query(req, "limit") == NULL)
        s->limit = ROWS_DEFAULT;
    else if (s->limit > ROWS_MAX)
        s->limit = ROWS_MAX;
    if (rc == HALE_OK)
        rc = read_bound(hale_http_query(req, "after"), "after", s->journal, &s->has_after,
                        &s->after, err);
    if (rc == HALE_OK)
        rc = read_bound(hale_http_query(req, "before"), "before", s->journal,
                        &s->has_before, &s->before, err);
    s->forward = s->has_after;
    if (rc == HALE_OK && s->journal)
        rc = read_journal(req, s, err);
    return rc;
}

static void reply_scan(struct hale_redis *redis, struct hale_http_req *req, bool journal)
{
    struct scan *s = scan_new();
    struct hale_err err = {0};
    struct hale_buf b;

    if (s == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    s->journal = journal;
    if (read_scan(req, s, &err) != HALE_OK) {
        collector_reply_invalid(req, &err);
    } else if (run_scan(redis, s) != HALE_OK) {
        collector_reply_busy(req, 2, "the store does not answer; try again");
    } else {
        hale_buf_init(&b, ANSWER_MAX);
        hale_buf_add_c(&b, "{\"elements\":");
        add_rows(s, &b);
        hale_buf_add_char(&b, '}');
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
    }
    scan_free(s);
}

void collector_alarm_log_get(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req)
{
    (void)c;
    reply_scan(redis, req, false);
}

void collector_journal_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    (void)c;
    reply_scan(redis, req, true);
}

enum hale_rc collector_history_of_run(struct hale_redis *redis, const char *tenant,
                                      const char *run_id, json_t **out)
{
    struct scan *s = scan_new();
    json_t *rows = json_array();
    enum hale_rc rc = s != NULL && rows != NULL ? HALE_OK : HALE_E_NOMEM;
    if (rc == HALE_OK) {
        s->journal = true;
        s->tenant = tenant;
        s->run_id = run_id;
        s->limit = ROWS_MAX;
        rc = run_scan(redis, s);
    }
    for (size_t i = rc == HALE_OK ? s->n : 0; i > 0; i--)
        (void)json_array_append_new(rows, json_loads(s->rows[i - 1], 0, NULL));
    scan_free(s);
    *out = rows;
    return rc;
}

/* --- /v1/alarms/{id} ----------------------------------------------------------------------- */

static int take_text(unsigned stream, struct hale_stream_id id, struct hale_str field,
                     struct hale_str value, void *arg)
{
    (void)stream;
    (void)id;
    (void)field;
    hale_buf_add_str(arg, value);
    return 1;
}

/* The log record that made the alarm what it is, "null" when it was trimmed. */
static enum hale_rc add_last(struct hale_redis *redis, int64_t seq, struct hale_buf *b)
{
    char id[HALE_STREAM_ID_TEXT];
    struct hale_reply *reply = NULL;
    struct hale_str at =
        hale_str_from(hale_stream_id_text((struct hale_stream_id){(uint64_t)seq, 0}, id));

    enum hale_rc rc = HALE_REDIS_CMD(redis, &reply, HALE_STR("XRANGE"),
                                     HALE_STR(HALE_KEYS_ALARMLOG), at, at);
    if (rc != HALE_OK)
        return rc;
    size_t before = b->len;
    (void)hale_reply_range(reply, take_text, b);
    if (b->len == before)
        hale_buf_add_c(b, "null");
    hale_reply_free(reply);
    return HALE_OK;
}

static enum hale_rc add_story(struct hale_redis *redis, const struct collector_alarm *a,
                              struct scan *s, struct hale_buf *b)
{
    hale_buf_add_c(b, "{\"alarm\":");
    enum hale_rc rc = hale_alarm_encode(&a->a, b);
    hale_buf_add_c(b, ",\"last\":");
    if (rc == HALE_OK)
        rc = add_last(redis, a->a.seq, b);
    if (rc == HALE_OK)
        rc = run_scan(redis, s);
    hale_buf_add_c(b, ",\"journal\":");
    add_rows(s, b);
    hale_buf_add_char(b, '}');
    return rc;
}

void collector_alarm_story_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct hale_buf b;

    if (!collector_view_ready(c->view)) {
        collector_reply_busy(req, 1, "the alarms are still being loaded");
        return;
    }
    struct collector_alarm *a =
        collector_table_get(collector_view_table(c->view), r->tenant, r->param);
    if (a == NULL) {
        collector_reply_not_found(req);
        return;
    }
    struct scan *s = scan_new();
    hale_buf_init(&b, ANSWER_MAX);
    if (s != NULL) {
        s->journal = true;
        s->tenant = r->tenant;
        s->alarm_id = r->param;
        s->limit = ROWS_DEFAULT;
    }
    if (s == NULL || add_story(redis, a, s, &b) != HALE_OK)
        collector_reply_busy(req, 2, "the store does not answer; try again");
    else
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    scan_free(s);
    collector_alarm_put(a);
}
