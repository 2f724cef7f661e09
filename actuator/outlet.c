/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/outlet.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

#define HEADERS_MAX 40

void actuator_outlet_sign(const void *key, size_t key_len, struct hale_str body,
                          char *dst)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    memcpy(dst, "sha256=", 8);
    if (HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)body.p, body.len,
             mac, &len) != NULL)
        hale_str_hex(mac, len, dst + 7);
}

struct head { /* of one call */
    char type[64], id[HALE_UUID_TEXT + 32], signature[128];
    char *custom[HEADERS_MAX];
    unsigned n_custom;
    const char *lines[HEADERS_MAX + 4];
};

static void head_make(struct head *h, const struct actuator_parcel *p)
{
    const struct actuator_subscriber *s = p->to;
    char mac[96] = "";
    unsigned n = 0;
    h->n_custom = 0;
    (void)snprintf(h->type, sizeof(h->type), "Content-Type: %s",
                   actuator_profile_content_type(s->profile));
    (void)snprintf(h->id, sizeof(h->id), "X-Hale-Notification: %s", p->id);
    h->lines[n++] = h->type;
    h->lines[n++] = h->id;
    if (s->secret != NULL && s->profile != ACTUATOR_PROFILE_PAGERDUTY) {
        actuator_outlet_sign(s->secret, s->secret_len, p->body, mac);
        (void)snprintf(h->signature, sizeof(h->signature), "X-Hale-Signature: %s", mac);
        h->lines[n++] = h->signature;
    }
    const char *name;
    json_t *value;
    json_object_foreach (s->headers, name, value) {
        if (h->n_custom == HEADERS_MAX || asprintf(&h->custom[h->n_custom], "%s: %s",
                                                   name, json_string_value(value)) < 0)
            break;
        h->lines[n++] = h->custom[h->n_custom++];
    }
    h->lines[n] = NULL;
}

static enum hale_rc post(const struct actuator_outlet *o, const struct actuator_parcel *p,
                         uint64_t *call_out)
{
    struct head head;
    head_make(&head, p);
    const struct hale_http_call call = {.method = "POST",
                                        .url = p->to->url,
                                        .headers = head.lines,
                                        .body = p->body,
                                        .timeout_ms = p->to->timeout_ms,
                                        .max_response_bytes = 65536,
                                        .repeatable = true,
                                        .often = true};
    enum hale_rc rc = hale_http_client_start(o->http, &call, p->done, p->arg, call_out);
    for (unsigned i = 0; i < head.n_custom; i++)
        free(head.custom[i]);
    return rc;
}

static enum hale_rc letter(const struct actuator_outlet *o,
                           const struct actuator_parcel *p, uint64_t *call_out)
{
    const struct actuator_methods_conf *conf = &o->conf->methods;
    const struct hale_mail mail = {.url = conf->smtp_url,
                                   .from = conf->smtp_from,
                                   .to = (const char *const *)p->to->to,
                                   .user = conf->smtp_user,
                                   .password = conf->smtp_password,
                                   .ca_file = conf->smtp_ca_file,
                                   .text = p->body,
                                   .timeout_ms = conf->smtp_timeout_ms,
                                   .starttls = conf->smtp_starttls};
    return hale_http_client_mail(o->http, &mail, p->done, p->arg, call_out);
}

static enum hale_rc inform(const struct actuator_outlet *o,
                           const struct actuator_parcel *p, uint64_t *call_out)
{
    const struct actuator_manager_call call = {.to = p->to->snmp,
                                               .body = p->body,
                                               .timeout_ms = p->to->timeout_ms,
                                               .done = p->done,
                                               .arg = p->arg};
    return actuator_managers_start(o->managers, &call, call_out);
}

enum hale_rc actuator_outlet_start(const struct actuator_outlet *o,
                                   const struct actuator_parcel *p, uint64_t *call_out)
{
    if (p->to->profile == ACTUATOR_PROFILE_SNMP)
        return inform(o, p, call_out);
    return p->to->profile == ACTUATOR_PROFILE_EMAIL ? letter(o, p, call_out)
                                                    : post(o, p, call_out);
}

void actuator_outlet_cancel(const struct actuator_outlet *o,
                            const struct actuator_subscriber *s, uint64_t call)
{
    if (s->profile == ACTUATOR_PROFILE_SNMP)
        actuator_managers_cancel(o->managers, call);
    else
        hale_http_client_cancel(o->http, call);
}

enum actuator_receipt actuator_outlet_receipt(const struct actuator_subscriber *s,
                                              const struct hale_http_result *r)
{
    if (s->profile == ACTUATOR_PROFILE_SNMP)
        return actuator_receipt_snmp(r);
    return s->profile == ACTUATOR_PROFILE_EMAIL ? actuator_receipt_mail(r)
                                                : actuator_receipt_http(r);
}
