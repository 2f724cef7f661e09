/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/dispatch.h"

#include <stdio.h>

#include "base/clock.h"

#define BODY_MAX   (1u << 20)
#define ANSWER_MAX 65536

struct
try {
    struct hale_http_client *http;
    const struct actuator_methods_conf *conf;
    const struct hale_method *method;
    const struct actuator_message *m;
    hale_http_done done;
    void *arg;
    uint64_t *call;
};

static enum hale_rc post(const struct try *t, const char *url, bool only_remote,
                         const struct hale_buf *body)
{
    char id[96];
    (void)snprintf(id, sizeof(id), "X-Hale-Notification: %s", t->m->id);
    const char *const headers[] = {"Content-Type: application/json", id, NULL};
    const struct hale_http_call call = {.method = "POST",
                                        .url = url,
                                        .headers = headers,
                                        .body = hale_buf_str(body),
                                        .timeout_ms = t->conf->timeout_ms,
                                        .max_response_bytes = ANSWER_MAX,
                                        .only_remote = only_remote};
    return hale_http_client_start(t->http, &call, t->done, t->arg, t->call);
}

static enum hale_rc webhook(const struct try *t, struct hale_buf *body, const char **why)
{
    bool listed = actuator_allow_listed(&t->conf->allow, t->method->address);
    if (!listed && t->conf->listed_only) {
        *why = "the host is not in notification_methods: allow";
        return HALE_E_DENIED;
    }
    enum hale_rc rc = actuator_message_webhook(t->m, body);
    return rc == HALE_OK ? post(t, t->method->address, !listed, body) : HALE_E_INVAL;
}

static enum hale_rc letter(const struct try *t, struct hale_buf *body, const char **why)
{
    const struct actuator_methods_conf *conf = t->conf;
    if (conf->smtp_url == NULL) {
        *why = "no mail server: set smtp in the actuator's configuration";
        return HALE_E_DENIED;
    }
    enum hale_rc rc = actuator_message_email(t->m, t->method->address, body);
    if (rc != HALE_OK)
        return HALE_E_INVAL;
    const struct hale_mail mail = {.url = conf->smtp_url,
                                   .from = conf->smtp_from,
                                   .to = t->method->address,
                                   .user = conf->smtp_user,
                                   .password = conf->smtp_password,
                                   .ca_file = conf->smtp_ca_file,
                                   .text = hale_buf_str(body),
                                   .timeout_ms = conf->smtp_timeout_ms,
                                   .starttls = conf->smtp_starttls};
    return hale_http_client_mail(t->http, &mail, t->done, t->arg, t->call);
}

enum hale_rc actuator_dispatch(struct hale_http_client *http,
                               const struct actuator_methods_conf *conf,
                               const struct hale_method *method,
                               struct actuator_message *m, hale_http_done done, void *arg,
                               uint64_t *call_out, const char **why_out)
{
    const struct try t = {http, conf, method, m, done, arg, call_out};
    struct hale_buf body;
    enum hale_rc rc = HALE_E_INVAL;
    m->from = conf->smtp_from;
    m->now_ms = hale_clock_wall_ms();
    *why_out = "it cannot be written";
    hale_buf_init(&body, BODY_MAX);
    switch (method->type) {
    case HALE_METHOD_WEBHOOK: rc = webhook(&t, &body, why_out); break;
    case HALE_METHOD_EMAIL: rc = letter(&t, &body, why_out); break;
    case HALE_METHOD_PAGERDUTY:
        if (actuator_message_pagerduty(m, method->address, &body) == HALE_OK)
            rc = post(&t, conf->pagerduty_url, false, &body);
        break;
    }
    hale_buf_fini(&body);
    return rc;
}

bool actuator_dispatch_taken(const struct hale_method *method,
                             const struct hale_http_result *r)
{
    if (r->rc != HALE_OK)
        return false;
    return method->type == HALE_METHOD_EMAIL || (r->status >= 200 && r->status < 300);
}
