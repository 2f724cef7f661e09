/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/message.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define LETTER_MAX 262144
#define WORD_BYTES 42 /* of an encoded word: 56 characters of base64 */
#define LINE_BYTES 57 /* of a line of base64: 76 characters */

static void add_key(struct hale_buf *out, const char *key, const char *text)
{
    hale_buf_printf(out, "%s\"%s\":", out->p[out->len - 1] == '{' ? "" : ",", key);
    hale_buf_add_json(out, hale_str_from(text));
}

static void add_metrics(struct hale_buf *out, const json_t *metrics)
{
    hale_buf_add_c(out, ",\"metrics\":[");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *metric = json_array_get(metrics, i);
        char *dims = json_dumps(json_object_get(metric, "dimensions"), JSON_COMPACT);
        hale_buf_add_c(out, i > 0 ? ",{\"id\":null" : "{\"id\":null");
        add_key(out, "name", json_string_value(json_object_get(metric, "name")));
        hale_buf_printf(out, ",\"dimensions\":%s}", dims != NULL ? dims : "{}");
        free(dims);
    }
    hale_buf_add_char(out, ']');
}

enum hale_rc actuator_message_webhook(const struct actuator_message *m,
                                      struct hale_buf *out)
{
    const struct hale_alarm *a = m->alarm;
    hale_buf_add_char(out, '{');
    if (out->failed)
        return HALE_E_LIMIT;
    add_key(out, "alarm_id", a->id);
    add_key(out, "alarm_definition_id", a->definition_id);
    add_key(out, "alarm_name", a->definition_name);
    add_key(out, "alarm_description", a->description);
    hale_buf_printf(out, ",\"alarm_timestamp\":%lld", (long long)(m->time_ms / 1000));
    add_key(out, "state", hale_state_text(a->state));
    add_key(out, "old_state", hale_state_text(m->old_state));
    add_key(out, "message", a->reason);
    add_key(out, "tenant_id", a->tenant);
    add_metrics(out, a->metrics);
    hale_buf_add_char(out, '}');
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

enum hale_rc actuator_message_pagerduty(const struct actuator_message *m,
                                        const char *service_key, struct hale_buf *out)
{
    const struct hale_alarm *a = m->alarm;
    hale_buf_add_char(out, '{');
    if (out->failed)
        return HALE_E_LIMIT;
    add_key(out, "service_key", service_key);
    add_key(out, "event_type", "trigger");
    add_key(out, "description", a->reason);
    add_key(out, "client", "Monasca");
    add_key(out, "client_url", "");
    hale_buf_add_c(out, ",\"details\":{");
    add_key(out, "alarm_id", a->id);
    add_key(out, "alarm_name", a->definition_name);
    add_key(out, "current", hale_state_text(a->state));
    add_key(out, "message", a->reason);
    hale_buf_add_c(out, "}}");
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

/* --- letters ------------------------------------------------------------------------- */

static void add_base64(struct hale_buf *out, const char *p, size_t n)
{
    unsigned char text[4 * ((LINE_BYTES + 2) / 3) + 1];
    int len = EVP_EncodeBlock(text, (const unsigned char *)p, (int)n);
    hale_buf_add(out, text, (size_t)len);
}

/* RFC 2047: text of any kind on lines of a letter's head. */
static void add_words(struct hale_buf *out, struct hale_str s)
{
    while (s.len > 0) {
        size_t n = s.len < WORD_BYTES ? s.len : WORD_BYTES;
        while (n > 1 && n < s.len && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--; /* not inside a character */
        hale_buf_add_c(out, "=?UTF-8?B?");
        add_base64(out, s.p, n);
        s.p += n;
        s.len -= n;
        hale_buf_add_c(out, s.len > 0 ? "?=\r\n " : "?=");
    }
}

/* The value that this dimension has in all metrics that have it, or NULL. */
static const char *only_value(const json_t *metrics, const char *key, bool *several)
{
    const char *found = NULL;
    *several = false;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *dims = json_object_get(json_array_get(metrics, i), "dimensions");
        const char *value = json_string_value(json_object_get(dims, key));
        if (value == NULL)
            continue;
        *several = *several || (found != NULL && strcmp(found, value) != 0);
        found = value;
    }
    return *several ? NULL : found;
}

static void add_subject(struct hale_buf *out, const struct hale_alarm *a)
{
    bool several;
    const char *host = only_value(a->metrics, "hostname", &several);
    const char *target = only_value(a->metrics, "target_host", &several);
    hale_buf_printf(out, "%s %s \"%s\"", hale_state_text(a->state),
                    hale_severity_text(a->severity), a->definition_name);
    if (host != NULL)
        hale_buf_printf(out, " for Host: %s", host);
    if (host != NULL && target != NULL)
        hale_buf_printf(out, " Target: %s", target);
}

static void add_dimensions(struct hale_buf *out, const json_t *metrics)
{
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *metric = json_array_get(metrics, i);
        json_t *dims = json_object_get(metric, "dimensions");
        const char *key;
        json_t *value;
        hale_buf_printf(out, "%s\r\n",
                        json_string_value(json_object_get(metric, "name")));
        json_object_foreach (dims, key, value)
            hale_buf_printf(out, "    %s: %s\r\n", key, json_string_value(value));
    }
}

static void add_text(struct hale_buf *out, const struct actuator_message *m)
{
    const struct hale_alarm *a = m->alarm;
    char when[HALE_CLOCK_ISO_MAX];
    bool several = false;
    const char *host = only_value(a->metrics, "hostname", &several);
    if (host != NULL)
        hale_buf_printf(out, "On host \"%s\"", host);
    else
        hale_buf_add_c(out, several ? "On multiple hosts" : "Without a host");
    hale_buf_printf(out, ": %s\r\n\r\n", a->reason);
    hale_buf_printf(out, "Alarm \"%s\" went from %s to %s at %s\r\n", a->definition_name,
                    hale_state_text(m->old_state), hale_state_text(a->state),
                    hale_clock_iso_s(m->time_ms, when));
    if (a->description[0] != '\0')
        hale_buf_printf(out, "%s\r\n", a->description);
    hale_buf_printf(out, "alarm_id: %s\r\nSeverity: %s\r\n", a->id,
                    hale_severity_text(a->severity));
    hale_buf_printf(out, "Lifecycle state: %s\r\nLink: %s\r\n\r\nWith dimensions:\r\n",
                    a->lifecycle_state != NULL ? a->lifecycle_state : "",
                    a->link != NULL ? a->link : "");
    add_dimensions(out, a->metrics);
}

static void add_head(struct hale_buf *out, const struct actuator_message *m,
                     const char *const *to, struct hale_str subject)
{
    time_t s = (time_t)(m->now_ms / 1000);
    struct tm tm;
    char date[64] = "";
    if (gmtime_r(&s, &tm) != NULL)
        (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    hale_buf_printf(out, "From: <%s>\r\nTo: ", m->from);
    for (size_t i = 0; to[i] != NULL; i++)
        hale_buf_printf(out, "%s<%s>", i > 0 ? ",\r\n " : "", to[i]);
    hale_buf_printf(out, "\r\nDate: %s\r\nMessage-ID: <%s@hale>\r\n", date, m->id);
    if (m->thread != NULL)
        hale_buf_printf(
            out, "In-Reply-To: <%s@thread.hale>\r\nReferences: <%s@thread.hale>\r\n",
            m->thread, m->thread);
    hale_buf_add_c(out, "Subject: ");
    add_words(out, subject);
    hale_buf_add_c(out, "\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n");
}

enum hale_rc actuator_message_letter(const struct actuator_message *m,
                                     const char *const *to, struct hale_str subject,
                                     struct hale_str text, struct hale_buf *out)
{
    add_head(out, m, to, subject);
    for (size_t at = 0; at < text.len; at += LINE_BYTES) {
        size_t left = text.len - at;
        add_base64(out, text.p + at, left < LINE_BYTES ? left : LINE_BYTES);
        hale_buf_add_c(out, "\r\n");
    }
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

enum hale_rc actuator_message_email(const struct actuator_message *m,
                                    const char *const *to, struct hale_buf *out)
{
    struct hale_buf subject, text;
    hale_buf_init(&subject, LETTER_MAX);
    hale_buf_init(&text, LETTER_MAX);
    add_subject(&subject, m->alarm);
    add_text(&text, m);
    enum hale_rc rc =
        actuator_message_letter(m, to, hale_buf_str(&subject), hale_buf_str(&text), out);
    if (subject.failed || text.failed)
        rc = HALE_E_LIMIT;
    hale_buf_fini(&subject);
    hale_buf_fini(&text);
    return rc;
}
