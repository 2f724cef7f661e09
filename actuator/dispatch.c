/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "actuator/digest.h"
#include "actuator/outlet.h"
#include "base/clock.h"

#define BODY_MAX   (1u << 20)
#define ANSWER_MAX 65536

struct attempt {
    const struct actuator_send *s;
    const char *id;
    uint64_t *call;
};

static enum hale_rc post(const struct attempt *t, const char *url, bool only_remote,
                         const struct hale_buf *body)
{
    char id[96], signature[128], key[HALE_METHOD_KEY_TEXT], mac[80];
    (void)snprintf(id, sizeof(id), "X-Hale-Notification: %s", t->id);
    const char *headers[] = {"Content-Type: application/json", id, NULL, NULL};
    if (t->s->method->type == HALE_METHOD_WEBHOOK && t->s->conf->secret.len > 0) {
        if (hale_method_key(&t->s->conf->secret, t->s->method->id, key) != HALE_OK)
            return HALE_E_NOMEM; /* never without the signature */
        actuator_outlet_sign(key, strlen(key), hale_buf_str(body), mac);
        explicit_bzero(key, sizeof(key));
        (void)snprintf(signature, sizeof(signature), "X-Hale-Signature: %s", mac);
        headers[2] = signature;
    }
    const struct hale_http_call call = {.method = "POST",
                                        .url = url,
                                        .headers = headers,
                                        .body = hale_buf_str(body),
                                        .timeout_ms = t->s->conf->timeout_ms,
                                        .max_response_bytes = ANSWER_MAX,
                                        .only_remote = only_remote,
                                        .repeatable = true,
                                        .often = true};
    return hale_http_client_start(t->s->http, &call, t->s->done, t->s->arg, t->call);
}

static enum hale_rc webhook(const struct attempt *t, const struct actuator_message *m,
                            struct hale_buf *body, const char **why)
{
    enum actuator_allow_word word =
        actuator_allow_match(&t->s->conf->allow, t->s->method->address);
    if (word == ACTUATOR_ALLOW_NO && t->s->conf->listed_only) {
        *why = "the host is not in notification_methods: allow";
        return HALE_E_DENIED;
    }
    enum hale_rc rc = actuator_message_webhook(m, body);
    return rc == HALE_OK
               ? post(t, t->s->method->address, word != ACTUATOR_ALLOW_EXACT, body)
               : HALE_E_INVAL;
}

static enum hale_rc mail(const struct attempt *t, const char *const *to,
                         const struct hale_buf *text)
{
    const struct actuator_methods_conf *conf = t->s->conf;
    const struct hale_mail mail = {.url = conf->smtp_url,
                                   .from = conf->smtp_from,
                                   .to = to,
                                   .user = conf->smtp_user,
                                   .password = conf->smtp_password,
                                   .ca_file = conf->smtp_ca_file,
                                   .text = hale_buf_str(text),
                                   .timeout_ms = conf->smtp_timeout_ms,
                                   .starttls = conf->smtp_starttls};
    return hale_http_client_mail(t->s->http, &mail, t->s->done, t->s->arg, t->call);
}

static bool has_mail_server(const struct actuator_methods_conf *conf, const char **why)
{
    if (conf->smtp_url == NULL)
        *why = "no mail server: set smtp in the actuator's configuration";
    return conf->smtp_url != NULL;
}

enum hale_rc actuator_dispatch(const struct actuator_send *send,
                               struct actuator_message *m, uint64_t *call_out,
                               const char **why_out)
{
    const struct attempt t = {send, m->id, call_out};
    const char *const to[] = {send->method->address, NULL};
    struct hale_buf body;
    enum hale_rc rc = HALE_E_INVAL;
    m->from = send->conf->smtp_from;
    m->now_ms = hale_clock_wall_ms();
    m->thread = m->alarm->id;
    *why_out = "it cannot be written";
    hale_buf_init(&body, BODY_MAX);
    switch (send->method->type) {
    case HALE_METHOD_WEBHOOK: rc = webhook(&t, m, &body, why_out); break;
    case HALE_METHOD_EMAIL:
        if (!has_mail_server(send->conf, why_out))
            rc = HALE_E_DENIED;
        else if (actuator_message_email(m, to, &body) == HALE_OK)
            rc = mail(&t, to, &body);
        break;
    case HALE_METHOD_PAGERDUTY:
        if (actuator_message_pagerduty(m, send->method->address, &body) == HALE_OK)
            rc = post(&t, send->conf->pagerduty_url, false, &body);
        break;
    }
    hale_buf_fini(&body);
    return rc;
}

enum hale_rc actuator_dispatch_group(const struct actuator_send *send, const char *id,
                                     const json_t *digest, uint64_t *call_out,
                                     const char **why_out)
{
    const struct attempt t = {send, id, call_out};
    const char *const to[] = {send->method->address, NULL};
    const struct actuator_profile_note note = {
        .id = id, .from = send->conf->smtp_from, .to = to};
    struct hale_buf body;
    enum hale_rc rc = HALE_E_INVAL;
    *why_out = "it cannot be written";
    hale_buf_init(&body, BODY_MAX);
    switch (send->method->type) {
    case HALE_METHOD_WEBHOOK: *why_out = "a WEBHOOK is told of no groups"; break;
    case HALE_METHOD_EMAIL:
        if (!has_mail_server(send->conf, why_out))
            rc = HALE_E_DENIED;
        else if (actuator_digest_body(ACTUATOR_PROFILE_EMAIL, &note, digest, &body) ==
                 HALE_OK)
            rc = mail(&t, to, &body);
        break;
    case HALE_METHOD_PAGERDUTY:
        if (actuator_digest_incident(send->method->address, digest, &body) == HALE_OK)
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
