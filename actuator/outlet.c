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

static enum hale_rc post(const struct actuator_outlet *o,
                         const struct actuator_subscriber *s, const char *id,
                         struct hale_str body, hale_http_done done, void *arg,
                         uint64_t *call_out)
{
    char line_id[HALE_UUID_TEXT + 32], signature[96] = "";
    char sign_line[128], type[64];
    char *custom[HEADERS_MAX];
    const char *lines[HEADERS_MAX + 4];
    unsigned n = 0, n_custom = 0;
    (void)snprintf(type, sizeof(type), "Content-Type: %s",
                   actuator_profile_content_type(s->profile));
    (void)snprintf(line_id, sizeof(line_id), "X-Hale-Notification: %s", id);
    lines[n++] = type;
    lines[n++] = line_id;
    if (s->secret != NULL && s->profile != ACTUATOR_PROFILE_PAGERDUTY) {
        actuator_outlet_sign(s->secret, s->secret_len, body, signature);
        (void)snprintf(sign_line, sizeof(sign_line), "X-Hale-Signature: %s", signature);
        lines[n++] = sign_line;
    }
    const char *name;
    json_t *value;
    json_object_foreach (s->headers, name, value) {
        if (n_custom == HEADERS_MAX ||
            asprintf(&custom[n_custom], "%s: %s", name, json_string_value(value)) < 0)
            break;
        lines[n++] = custom[n_custom++];
    }
    lines[n] = NULL;
    const struct hale_http_call call = {.method = "POST",
                                        .url = s->url,
                                        .headers = lines,
                                        .body = body,
                                        .timeout_ms = s->timeout_ms,
                                        .max_response_bytes = 65536};
    enum hale_rc rc = hale_http_client_start(o->http, &call, done, arg, call_out);
    for (unsigned i = 0; i < n_custom; i++)
        free(custom[i]);
    return rc;
}

static enum hale_rc letter(const struct actuator_outlet *o,
                           const struct actuator_subscriber *s, struct hale_str body,
                           hale_http_done done, void *arg, uint64_t *call_out)
{
    const struct actuator_methods_conf *conf = &o->conf->methods;
    const struct hale_mail mail = {.url = conf->smtp_url,
                                   .from = conf->smtp_from,
                                   .to = (const char *const *)s->to,
                                   .user = conf->smtp_user,
                                   .password = conf->smtp_password,
                                   .ca_file = conf->smtp_ca_file,
                                   .text = body,
                                   .timeout_ms = conf->smtp_timeout_ms,
                                   .starttls = conf->smtp_starttls};
    return hale_http_client_mail(o->http, &mail, done, arg, call_out);
}

enum hale_rc actuator_outlet_start(const struct actuator_outlet *o,
                                   const struct actuator_subscriber *s, const char *id,
                                   struct hale_str body, hale_http_done done, void *arg,
                                   uint64_t *call_out)
{
    return s->profile == ACTUATOR_PROFILE_EMAIL
               ? letter(o, s, body, done, arg, call_out)
               : post(o, s, id, body, done, arg, call_out);
}

void actuator_outlet_cancel(const struct actuator_outlet *o,
                            const struct actuator_subscriber *s, uint64_t call)
{
    (void)s;
    hale_http_client_cancel(o->http, call);
}

enum actuator_receipt actuator_outlet_receipt(const struct actuator_subscriber *s,
                                              const struct hale_http_result *r)
{
    return s->profile == ACTUATOR_PROFILE_EMAIL ? actuator_receipt_mail(r)
                                                : actuator_receipt_http(r);
}
