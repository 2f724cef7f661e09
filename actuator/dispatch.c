/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/dispatch.h"

#include <stdio.h>

#include "base/clock.h"

#define BODY_MAX   (1u << 20)
#define ANSWER_MAX 65536

struct attempt {
    const struct actuator_send *s;
    const struct actuator_message *m;
    uint64_t *call;
};

static enum hale_rc post(const struct attempt *t, const char *url, bool only_remote,
                         const struct hale_buf *body)
{
    char id[96];
    (void)snprintf(id, sizeof(id), "X-Hale-Notification: %s", t->m->id);
    const char *const headers[] = {"Content-Type: application/json", id, NULL};
    const struct hale_http_call call = {.method = "POST",
                                        .url = url,
                                        .headers = headers,
                                        .body = hale_buf_str(body),
                                        .timeout_ms = t->s->conf->timeout_ms,
                                        .max_response_bytes = ANSWER_MAX,
                                        .only_remote = only_remote};
    return hale_http_client_start(t->s->http, &call, t->s->done, t->s->arg, t->call);
}

static enum hale_rc webhook(const struct attempt *t, struct hale_buf *body,
                            const char **why)
{
    enum actuator_allow_word word =
        actuator_allow_match(&t->s->conf->allow, t->s->method->address);
    if (word == ACTUATOR_ALLOW_NO && t->s->conf->listed_only) {
        *why = "the host is not in notification_methods: allow";
        return HALE_E_DENIED;
    }
    enum hale_rc rc = actuator_message_webhook(t->m, body);
    return rc == HALE_OK
               ? post(t, t->s->method->address, word != ACTUATOR_ALLOW_EXACT, body)
               : HALE_E_INVAL;
}

static enum hale_rc letter(const struct attempt *t, struct hale_buf *body,
                           const char **why)
{
    const struct actuator_methods_conf *conf = t->s->conf;
    if (conf->smtp_url == NULL) {
        *why = "no mail server: set smtp in the actuator's configuration";
        return HALE_E_DENIED;
    }
    const char *const to[] = {t->s->method->address, NULL};
    enum hale_rc rc = actuator_message_email(t->m, to, body);
    if (rc != HALE_OK)
        return HALE_E_INVAL;
    const struct hale_mail mail = {.url = conf->smtp_url,
                                   .from = conf->smtp_from,
                                   .to = to,
                                   .user = conf->smtp_user,
                                   .password = conf->smtp_password,
                                   .ca_file = conf->smtp_ca_file,
                                   .text = hale_buf_str(body),
                                   .timeout_ms = conf->smtp_timeout_ms,
                                   .starttls = conf->smtp_starttls};
    return hale_http_client_mail(t->s->http, &mail, t->s->done, t->s->arg, t->call);
}

enum hale_rc actuator_dispatch(const struct actuator_send *send,
                               struct actuator_message *m, uint64_t *call_out,
                               const char **why_out)
{
    const struct attempt t = {send, m, call_out};
    struct hale_buf body;
    enum hale_rc rc = HALE_E_INVAL;
    m->from = send->conf->smtp_from;
    m->now_ms = hale_clock_wall_ms();
    m->thread = m->alarm->id;
    *why_out = "it cannot be written";
    hale_buf_init(&body, BODY_MAX);
    switch (send->method->type) {
    case HALE_METHOD_WEBHOOK: rc = webhook(&t, &body, why_out); break;
    case HALE_METHOD_EMAIL: rc = letter(&t, &body, why_out); break;
    case HALE_METHOD_PAGERDUTY:
        if (actuator_message_pagerduty(m, send->method->address, &body) == HALE_OK)
            rc = post(&t, send->conf->pagerduty_url, false, &body);
        break;
    }
    hale_buf_fini(&body);
    return rc;
}

enum actuator_receipt actuator_dispatch_receipt(const struct hale_method *method,
                                                const struct hale_http_result *r)
{
    return method->type == HALE_METHOD_EMAIL ? actuator_receipt_mail(r)
                                             : actuator_receipt_http(r);
}
