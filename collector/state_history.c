/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v2.0/alarms/state-history and /v2.0/alarms/{id}/state-history. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/alarm_view.h"
#include "collector/alarms_api.h"
#include "collector/history_api.h"
#include "collector/request.h"
#include "store/keys.h"

#define ANSWER_MAX ((size_t)256 << 20)
#define GROUP      200 /* records per round trip */

struct page {
    struct collector_period period;
    size_t limit;
};

static bool read_page(struct hale_http_req *req, struct page *page)
{
    const char *offset = hale_http_query(req, "offset");
    struct collector_period *p = &page->period;
    struct hale_err err = {0};

    p->start_ms = INT64_MIN;
    p->end_ms = INT64_MAX;
    p->after_ms = INT64_MIN;
    enum hale_rc rc = collector_params_time(hale_http_query(req, "start_time"),
                                            "start_time", &p->start_ms, &err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "end_time"), "end_time",
                                   &p->end_ms, &err);
    if (rc == HALE_OK)
        rc = collector_params_limit(hale_http_query(req, "limit"), &page->limit, &err);
    if (rc == HALE_OK && offset != NULL &&
        hale_str_i64(hale_str_from(offset), &p->after_ms) != HALE_OK)
        rc = collector_params_time(offset, "offset", &p->after_ms, &err);
    if (rc == HALE_OK)
        return true;
    collector_reply_invalid(req, &err);
    return false;
}

/* {"id":null,"name":..,"dimensions":..} of each metric. */
static void add_metrics(struct hale_buf *b, const json_t *metrics)
{
    hale_buf_add_c(b, "\"metrics\":[");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *m = json_array_get(metrics, i);
        char *dims = json_dumps(json_object_get(m, "dimensions"), JSON_COMPACT);
        hale_buf_add_c(b, i > 0 ? ",{\"id\":null,\"name\":" : "{\"id\":null,\"name\":");
        hale_buf_add_json(b,
                          hale_str_from(json_string_value(json_object_get(m, "name"))));
        hale_buf_printf(b, ",\"dimensions\":%s}", dims != NULL ? dims : "{}");
        free(dims);
    }
    hale_buf_add_char(b, ']');
}

static void add_row(struct hale_buf *b, const struct hale_log_record *r)
{
    char when[HALE_CLOCK_ISO_MAX];
    char *subs = json_dumps(r->alarm.sub_alarms, JSON_COMPACT);

    hale_buf_printf(b, "{\"id\":\"%lld\",\"alarm_id\":", (long long)r->time_ms);
    hale_buf_add_json(b, hale_str_from(r->alarm.id));
    hale_buf_add_char(b, ',');
    add_metrics(b, r->alarm.metrics);
    hale_buf_printf(b, ",\"old_state\":\"%s\",\"new_state\":\"%s\",\"reason\":",
                    hale_state_text(r->old_state), hale_state_text(r->alarm.state));
    hale_buf_add_json(b, hale_str_from(r->alarm.reason));
    hale_buf_printf(b, ",\"reason_data\":\"{}\",\"timestamp\":\"%s\",\"sub_alarms\":",
                    hale_clock_iso_ms(r->time_ms, when));
    hale_buf_add_c(b, subs != NULL ? subs : "[]");
    hale_buf_add_char(b, '}');
    free(subs);
}

struct rows {
    struct hale_buf *out;
    bool any;
};

static int take_record(unsigned stream, struct hale_stream_id id, struct hale_str field,
                       struct hale_str value, void *arg)
{
    struct rows *rows = arg;
    struct hale_log_record r = {0};

    (void)stream;
    (void)id;
    (void)field;
    if (hale_log_record_decode(value, &r) == HALE_OK) {
        if (rows->any)
            hale_buf_add_char(rows->out, ',');
        rows->any = true;
        add_row(rows->out, &r);
    }
    hale_log_record_fini(&r);
    return 0;
}

/* Reads the records by their sequence numbers, GROUP to a round trip. */
static enum hale_rc add_records(struct hale_redis *redis,
                                const struct collector_transition *v, size_t n,
                                struct rows *rows)
{
    enum hale_rc rc = HALE_OK;

    for (size_t at = 0; rc == HALE_OK && at < n; at += GROUP) {
        size_t end = n - at > GROUP ? at + GROUP : n;
        for (size_t i = at; rc == HALE_OK && i < end; i++) {
            char id[HALE_STREAM_ID_TEXT];
            struct hale_str seq = hale_str_from(
                hale_stream_id_text((struct hale_stream_id){(uint64_t)v[i].seq, 0}, id));
            rc = HALE_REDIS(redis, HALE_STR("XRANGE"), HALE_STR(HALE_KEYS_ALARMLOG), seq,
                            seq);
        }
        for (size_t i = at; rc == HALE_OK && i < end; i++) {
            struct hale_reply *reply = NULL;
            rc = hale_redis_reply(redis, &reply);
            if (rc == HALE_OK)
                (void)hale_reply_range(reply, take_record, rows);
            hale_reply_free(reply);
        }
    }
    return rc;
}

static void reply_history(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req, const struct collector_alarm_list *l,
                          const struct page *p)
{
    struct collector_transition *v = calloc(p->limit + 1, sizeof(*v));
    char next[HALE_CLOCK_ISO_MAX];
    struct hale_buf b;
    struct rows rows = {&b, false};

    if (v == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    size_t n = collector_table_transitions(collector_view_table(c->view), l, &p->period,
                                           v, p->limit + 1);
    bool more = n > p->limit;
    if (more)
        n = p->limit;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_c(&b, "{\"elements\":[");
    enum hale_rc rc = add_records(redis, v, n, &rows);
    if (more)
        (void)hale_clock_iso_ms(v[n - 1].time_ms, next);
    hale_buf_add_c(&b, "],");
    collector_links_self(req, c->conf->trust_forwarded, more ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    if (rc == HALE_OK)
        collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    else
        collector_reply_busy(req, 2, "the store does not answer; try again");
    hale_buf_fini(&b);
    free(v);
}

void collector_state_history_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    struct collector_alarm_filter f = {.since_ms = INT64_MIN};
    struct collector_alarm_list l;
    struct hale_err err = {0};
    struct page p;

    if (!read_page(req, &p))
        return;
    if (collector_params_dims(hale_http_query(req, "dimensions"), &f.dims, &err) !=
        HALE_OK) {
        collector_reply_invalid(req, &err);
        return;
    }
    if (!collector_alarms_select(c, req, &f, &l))
        return;
    reply_history(c, redis, req, &l, &p);
    collector_alarm_list_fini(&l);
}

void collector_alarm_history_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct collector_alarm *one = NULL;
    struct collector_alarm_list l = {1, 1, &one, false};
    struct page p;

    if (!read_page(req, &p))
        return;
    if (!collector_view_ready(c->view)) {
        collector_reply_busy(req, 1, "the alarms are still being loaded");
        return;
    }
    one = collector_table_get(collector_view_table(c->view), r->tenant, r->param);
    if (one == NULL) {
        collector_reply_not_found(req);
        return;
    }
    reply_history(c, redis, req, &l, &p);
    collector_alarm_put(one);
}
