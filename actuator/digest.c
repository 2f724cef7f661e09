/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/digest.h"

#include <stdlib.h>
#include <string.h>

#include "actuator/message.h"
#include "base/clock.h"

#define TITLE_MAX 1000
#define TEXT_MAX  262144

char *actuator_digest_show(const struct hale_log_record *rec)
{
    const struct hale_alarm *a = &rec->alarm;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "id", a->id,
                          "definition", a->definition_id, "name", a->definition_name,
                          "severity", hale_severity_text(a->severity), "reason",
                          a->reason, "source", actuator_profile_source(a), "since_ms",
                          (json_int_t)a->state_updated_ms);
    if (o != NULL && a->link != NULL)
        (void)json_object_set_new(o, "link", json_string(a->link));
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

json_t *actuator_digest_of(const struct actuator_group_message *m, int64_t now_ms)
{
    json_t *alarms = json_array();
    for (unsigned i = 0; i < m->n; i++) {
        json_t *o = json_loads(m->v[i].show, 0, NULL);
        if (o == NULL ||
            json_object_set_new(o, "raised", json_boolean(m->v[i].raised)) != 0 ||
            json_array_append_new(alarms, o) != 0) {
            json_decref(alarms);
            return NULL;
        }
    }
    unsigned hidden = m->n_raised + m->n_ended - m->n;
    return json_pack("{s:s, s:s, s:I, s:O, s:i, s:i, s:i, s:b, s:o}", "group", m->group,
                     "tenant", m->tenant, "time_ms", (json_int_t)now_ms, "labels",
                     m->labels, "raised", (int)m->n_raised, "ended", (int)m->n_ended,
                     "more", (int)(m->more + hidden), "repeat", m->repeat, "alarms",
                     alarms);
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool is_raised(const json_t *alarm)
{
    return json_is_true(json_object_get(alarm, "raised"));
}

/* "[ALARM:2 OK:1] alertname=x hostname=h1" */
static void add_title(const json_t *digest, struct hale_buf *b)
{
    const char *key;
    json_t *value, *labels = json_object_get(digest, "labels");
    long long raised = number_of(digest, "raised"), ended = number_of(digest, "ended");
    hale_buf_add_char(b, '[');
    if (raised > 0)
        hale_buf_printf(b, "ALARM:%lld%s", raised, ended > 0 ? " " : "");
    if (ended > 0 || raised == 0)
        hale_buf_printf(b, "OK:%lld", ended);
    hale_buf_add_c(b, "]");
    if (json_object_size(labels) == 0) {
        const json_t *first = json_array_get(json_object_get(digest, "alarms"), 0);
        hale_buf_printf(b, " %.200s%s", text_of(first, "name"),
                        raised + ended > 1 ? " and others" : "");
    }
    json_object_foreach (labels, key, value)
        if (b->len < TITLE_MAX - 300)
            hale_buf_printf(b, " %.100s=%.150s", key, json_string_value(value));
}

static void add_alarm(const json_t *alarm, struct hale_buf *b)
{
    char when[HALE_CLOCK_ISO_MAX];
    hale_buf_printf(
        b, "%s %s \"%s\" on %s since %s\r\n    %s\r\n", is_raised(alarm) ? "ALARM" : "OK",
        text_of(alarm, "severity"), text_of(alarm, "name"), text_of(alarm, "source"),
        hale_clock_iso_s(number_of(alarm, "since_ms"), when), text_of(alarm, "reason"));
    if (text_of(alarm, "link")[0] != '\0')
        hale_buf_printf(b, "    %s\r\n", text_of(alarm, "link"));
    hale_buf_printf(b, "    alarm_id: %s\r\n", text_of(alarm, "id"));
}

static void add_more(const json_t *digest, struct hale_buf *b, const char *end)
{
    if (number_of(digest, "more") > 0)
        hale_buf_printf(b, "and %lld more%s", (long long)number_of(digest, "more"), end);
}

static enum hale_rc letter(const struct actuator_profile_note *n, const json_t *digest,
                           struct hale_buf *out)
{
    struct hale_buf title, text;
    char thread[64];
    size_t i;
    json_t *alarm;
    (void)snprintf(thread, sizeof(thread), "group-%s", text_of(digest, "group"));
    const struct actuator_message m = {.id = n->id,
                                       .from = n->from,
                                       .now_ms = number_of(digest, "time_ms"),
                                       .thread = thread};
    hale_buf_init(&title, 4096);
    hale_buf_init(&text, TEXT_MAX);
    add_title(digest, &title);
    hale_buf_printf(
        &text, "%lld raised, %lld ended%s, tenant %s\r\n\r\n",
        (long long)number_of(digest, "raised"), (long long)number_of(digest, "ended"),
        json_is_true(json_object_get(digest, "repeat")) ? " (nothing new)" : "",
        text_of(digest, "tenant"));
    json_array_foreach (json_object_get(digest, "alarms"), i, alarm)
        add_alarm(alarm, &text);
    add_more(digest, &text, "\r\n");
    enum hale_rc rc = title.failed || text.failed
                          ? HALE_E_LIMIT
                          : actuator_message_letter(&m, n->to, hale_buf_str(&title),
                                                    hale_buf_str(&text), out);
    hale_buf_fini(&title);
    hale_buf_fini(&text);
    return rc;
}

/* --- Slack and PagerDuty ------------------------------------------------------------- */

/* Takes body; NULL: there was no memory for it. */
static enum hale_rc add_body(json_t *body, struct hale_buf *out)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL)
        return HALE_E_NOMEM;
    hale_buf_add_c(out, text);
    free(text);
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

static json_t *slack(const json_t *digest)
{
    struct hale_buf title, text;
    size_t i;
    json_t *alarm, *body = NULL;
    hale_buf_init(&title, 8192);
    hale_buf_init(&text, TEXT_MAX);
    struct hale_buf plain;
    hale_buf_init(&plain, 4096);
    add_title(digest, &plain);
    actuator_profile_slack_text(&title, plain.p != NULL ? plain.p : "");
    json_array_foreach (json_object_get(digest, "alarms"), i, alarm) {
        hale_buf_printf(&text, "%s%s ",
                        is_raised(alarm) ? ":red_circle: " : ":white_check_mark: ",
                        text_of(alarm, "severity"));
        actuator_profile_slack_text(&text, text_of(alarm, "name"));
        hale_buf_add_c(&text, " on ");
        actuator_profile_slack_text(&text, text_of(alarm, "source"));
        hale_buf_add_c(&text, ": ");
        actuator_profile_slack_text(&text, text_of(alarm, "reason"));
        hale_buf_add_char(&text, '\n');
    }
    add_more(digest, &text, "\n");
    if (!title.failed && !text.failed && !plain.failed)
        body = json_pack("{s:s, s:[{s:s, s:s, s:I}]}", "text", title.p, "attachments",
                         "color", number_of(digest, "raised") > 0 ? "danger" : "good",
                         "text", text.p != NULL ? text.p : "", "ts",
                         (json_int_t)(number_of(digest, "time_ms") / 1000));
    hale_buf_fini(&title);
    hale_buf_fini(&text);
    hale_buf_fini(&plain);
    return body;
}

static const char *worst(const json_t *digest)
{
    static const char *const words[] = {[HALE_SEV_LOW] = "info",
                                        [HALE_SEV_MEDIUM] = "warning",
                                        [HALE_SEV_HIGH] = "error",
                                        [HALE_SEV_CRITICAL] = "critical"};
    enum hale_severity most = HALE_SEV_LOW;
    size_t i;
    json_t *alarm;
    json_array_foreach (json_object_get(digest, "alarms"), i, alarm)
        for (enum hale_severity s = HALE_SEV_LOW; s <= HALE_SEV_CRITICAL; s++)
            if (is_raised(alarm) && s > most &&
                strcmp(text_of(alarm, "severity"), hale_severity_text(s)) == 0)
                most = s;
    return words[most];
}

/* One incident for the group, as long as one of its alarms is raised. */
static json_t *pagerduty(const struct actuator_profile_note *n, const json_t *digest)
{
    struct hale_buf title;
    char when[HALE_CLOCK_ISO_MAX];
    const json_t *first = json_array_get(json_object_get(digest, "alarms"), 0);
    hale_buf_init(&title, 4096);
    add_title(digest, &title);
    json_t *body =
        title.failed
            ? NULL
            : json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:{s:O, s:O, s:I}}}",
                        "routing_key", n->key != NULL ? n->key : "", "event_action",
                        number_of(digest, "raised") > 0 ? "trigger" : "resolve",
                        "dedup_key", text_of(digest, "group"), "payload", "summary",
                        title.p, "source", text_of(first, "source"), "severity",
                        worst(digest), "timestamp",
                        hale_clock_iso_ms(number_of(digest, "time_ms"), when),
                        "custom_details", "labels", json_object_get(digest, "labels"),
                        "alarms", json_object_get(digest, "alarms"), "more",
                        (json_int_t)number_of(digest, "more"));
    hale_buf_fini(&title);
    return body;
}

enum hale_rc actuator_digest_incident(const char *service_key, const json_t *digest,
                                      struct hale_buf *out)
{
    struct hale_buf title;
    hale_buf_init(&title, 4096);
    add_title(digest, &title);
    json_t *body =
        title.failed ? NULL
                     : json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:{s:O, s:O, s:I}}",
                                 "service_key", service_key, "event_type",
                                 number_of(digest, "raised") > 0 ? "trigger" : "resolve",
                                 "incident_key", text_of(digest, "group"), "description",
                                 title.p, "client", "Monasca", "client_url", "",
                                 "details", "labels", json_object_get(digest, "labels"),
                                 "alarms", json_object_get(digest, "alarms"), "more",
                                 (json_int_t)number_of(digest, "more"));
    hale_buf_fini(&title);
    return add_body(body, out);
}

enum hale_rc actuator_digest_body(enum actuator_profile p,
                                  const struct actuator_profile_note *n,
                                  const json_t *digest, struct hale_buf *out)
{
    if (p == ACTUATOR_PROFILE_EMAIL)
        return letter(n, digest, out);
    if (!actuator_profile_for_people(p))
        return HALE_E_INVAL;
    return add_body(p == ACTUATOR_PROFILE_SLACK ? slack(digest) : pagerduty(n, digest),
                    out);
}
