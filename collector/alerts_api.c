/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/alerts_api.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/alarm_view.h"
#include "collector/alert_form.h"
#include "collector/request.h"

#define ANSWER_MAX (64u << 20)

static void add_time(struct hale_buf *b, const char *key, int64_t ms)
{
    char text[HALE_CLOCK_ISO_MAX];

    hale_buf_printf(b, ",\"%s\":\"%s\"", key, hale_clock_iso_ms(ms, text));
}

static void add_labels(struct hale_buf *b, const struct hale_alarm *a)
{
    const char *key;
    json_t *value;

    hale_buf_add_c(b, "{\"labels\":{\"alertname\":");
    hale_buf_add_json(b, hale_str_from(a->definition_name));
    json_object_foreach (a->group, key, value) {
        hale_buf_add_char(b, ',');
        hale_buf_add_json(b, hale_str_from(key));
        hale_buf_add_char(b, ':');
        hale_buf_add_json(b, collector_json_text(value));
    }
}

static void add_alert(struct hale_buf *b, const struct hale_alarm *a, int64_t now_ms)
{
    add_labels(b, a);
    hale_buf_add_c(b, "},\"annotations\":{\"reason\":");
    hale_buf_add_json(b, hale_str_from(a->reason));
    hale_buf_printf(b, "},\"fingerprint\":\"%016" PRIx64 "\"",
                    hale_id_hash64(a->id, strlen(a->id)));
    add_time(b, "startsAt", a->state_updated_ms);
    add_time(b, "updatedAt", a->updated_ms);
    add_time(b, "endsAt", now_ms + COLLECTOR_ALERT_RESOLVE_MS);
    hale_buf_add_c(b, ",\"receivers\":[{\"name\":\"hale\"}],\"status\":{\"state\":"
                      "\"active\",\"silencedBy\":[],\"inhibitedBy\":[],\"mutedBy\":[]}}");
}

/* To leave a filter out would be a wrong answer. */
static bool asks_for_more(struct hale_http_req *req)
{
    static const char *const KEYS[] = {"filter", "receiver", "receiver_matchers"};
    struct hale_buf b;

    for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
        const char *v = hale_http_query(req, KEYS[i]);
        if (v == NULL || v[0] == '\0')
            continue;
        hale_buf_init(&b, 256);
        hale_buf_printf(&b, "\"the parameter %s is not taken here\"", KEYS[i]);
        collector_reply_buf(req, 400, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
        return true;
    }
    return false;
}

void collector_alerts_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    const char *active = hale_http_query(req, "active");
    bool none = active != NULL && strcmp(active, "false") == 0;
    struct collector_alarm_list list = {0};
    int64_t now_ms = hale_clock_wall_ms();
    struct hale_buf b;
    bool first = true;

    (void)redis;
    if (asks_for_more(req))
        return;
    if (!collector_view_ready(c->view)) {
        collector_reply_busy(req, 1, "the alarms are still being loaded");
        return;
    }
    collector_table_list(collector_view_table(c->view), collector_request_of(req)->tenant,
                         &list);
    if (list.failed) {
        collector_alarm_list_fini(&list);
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_char(&b, '[');
    for (size_t i = 0; i < list.n && !none; i++) {
        const struct hale_alarm *a = &list.v[i]->a;
        if (!a->from_event || a->state != HALE_STATE_ALARM)
            continue;
        hale_buf_add_c(&b, first ? "" : ",");
        first = false;
        add_alert(&b, a, now_ms);
    }
    hale_buf_add_char(&b, ']');
    collector_alarm_list_fini(&list);
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_alerts_status_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req)
{
    char now[HALE_CLOCK_ISO_MAX];
    struct hale_buf b;

    (void)redis;
    hale_buf_init(&b, 1024);
    hale_buf_printf(
        &b,
        "{\"cluster\":{\"status\":\"disabled\"},\"config\":{\"original\":\"\"},"
        "\"uptime\":\"%s\",\"versionInfo\":{\"branch\":\"hale\",\"buildDate\":"
        "\"\",\"buildUser\":\"\",\"goVersion\":\"\",\"revision\":\"%s\","
        "\"version\":\"0.25.0\"}}",
        hale_clock_iso_ms(c->started_ms, now), HALE_VERSION);
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}
