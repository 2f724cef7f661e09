/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "collector/keystone_login.h"
#include "collector/keystone_private.h"
#include "collector/stats.h"

#define LOGIN_MAX      65536  /* bytes of a request */
#define RENEW_BEFORE   120000 /* ms of life that the token keeps */
#define LOGIN_AGAIN_MS 5000   /* after a refusal; doubled up to the next: lockouts */
#define LOGIN_SLOW_MS  300000

void collector_keystone_free_secret(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void collector_keystone_own_drop(struct collector_keystone *k)
{
    collector_keystone_free_secret(k->own.text);
    k->own.text = NULL;
}

static void login_failed(struct collector_keystone *k,
                         enum collector_keystone_trouble why, const char *detail)
{
    struct collector_own_token *o = &k->own;
    int64_t now = hale_clock_mono_ms();
    char quoted[320];

    if (why == COLLECTOR_TROUBLE_REFUSED) {
        o->pause_ms = o->pause_ms == 0 ? LOGIN_AGAIN_MS : 2 * o->pause_ms;
        if (o->pause_ms > LOGIN_SLOW_MS)
            o->pause_ms = LOGIN_SLOW_MS;
        o->retry_mono_ms = now + o->pause_ms;
    } else {
        o->retry_mono_ms = now + COLLECTOR_KEYSTONE_PROBE_MS;
    }
    if (o->text == NULL)
        collector_keystone_feel(k, why, detail);
    else /* the old token serves until its end */
        hale_warn("event=keystone_not_renewed detail=%s",
                  hale_log_quote(detail, quoted, sizeof(quoted)));
}

static void login_done(const struct hale_http_result *r, void *arg)
{
    struct collector_keystone *k = arg;
    struct collector_own_token *o = &k->own;
    struct hale_str text = hale_http_result_header(r, "X-Subject-Token");
    int64_t expires_ms = 0;
    char detail[256];

    o->asking = false;
    if (r->rc != HALE_OK || r->status >= 500 || r->status == 429) {
        (void)snprintf(detail, sizeof(detail), "no login: %.180s",
                       r->rc != HALE_OK ? r->error : "Keystone answers an error");
        login_failed(k, COLLECTOR_TROUBLE_UNREACHABLE, detail);
    } else if (r->status != 201 && r->status != 200) {
        (void)snprintf(detail, sizeof(detail),
                       "Keystone refuses the collector's credentials (%u): check the "
                       "section keystone and its secret's file",
                       r->status);
        login_failed(k, COLLECTOR_TROUBLE_REFUSED, detail);
    } else if (text.len == 0 || text.len > COLLECTOR_KEYSTONE_TOKEN_MAX ||
               collector_keystone_login_expiry(r->body, &expires_ms) != HALE_OK) {
        login_failed(k, COLLECTOR_TROUBLE_NONSENSE,
                     "the answer to the login is not Keystone's");
    } else {
        int64_t life_ms = expires_ms - hale_clock_wall_ms();
        int64_t early_ms = life_ms / 2 < RENEW_BEFORE ? life_ms / 2 : RENEW_BEFORE;
        collector_keystone_own_drop(k);
        o->text = strndup(text.p, text.len);
        o->expires_ms = expires_ms;
        o->renew_mono_ms = hale_clock_mono_ms() + (life_ms > 0 ? life_ms - early_ms : 0);
        o->retry_mono_ms = o->pause_ms = 0;
        o->login++;
        collector_count(KEYSTONE_LOGINS, 1);
        collector_keystone_feel(k, COLLECTOR_TROUBLE_NONE, "answers");
    }
}

static void login(struct collector_keystone *k)
{
    char url[COLLECTOR_KEYSTONE_URL_MAX];
    struct hale_buf body;
    struct hale_err err = {0};
    char detail[512];
    const char *headers[] = {"Content-Type: application/json", "Accept: application/json",
                             NULL};

    (void)snprintf(url, sizeof(url), "%s/auth/tokens?nocatalog", k->conf->url);
    hale_buf_init(&body, LOGIN_MAX);
    enum hale_rc rc = collector_keystone_login_body(k->conf, &body, &err);
    struct hale_http_call call = {.method = "POST",
                                  .url = url,
                                  .headers = headers,
                                  .body = hale_buf_str(&body),
                                  .ca_file = k->conf->ca_file,
                                  .insecure = k->conf->insecure,
                                  .connect_timeout_ms = k->conf->timeout_ms,
                                  .timeout_ms = k->conf->timeout_ms,
                                  .max_response_bytes = COLLECTOR_KEYSTONE_ANSWER_MAX};
    if (rc == HALE_OK)
        rc = hale_http_client_start(k->client, &call, login_done, k, NULL);
    collector_keystone_wipe(&body);
    k->own.asking = rc == HALE_OK;
    if (rc != HALE_OK)
        login_failed(k, COLLECTOR_TROUBLE_REFUSED,
                     err.text[0] != '\0' ? hale_err_str(&err, detail, sizeof(detail))
                                         : "out of memory");
}

/* Renews in time; the old token serves meanwhile. */
void collector_keystone_own_keep(struct collector_keystone *k, int64_t now_mono_ms)
{
    struct collector_own_token *o = &k->own;

    if (o->text != NULL && hale_clock_wall_ms() >= o->expires_ms)
        collector_keystone_own_drop(k);
    if (!o->asking && now_mono_ms >= o->retry_mono_ms &&
        (o->text == NULL || now_mono_ms >= o->renew_mono_ms))
        login(k);
}

void collector_keystone_own_bad(struct collector_keystone *k)
{
    collector_keystone_own_drop(k);
    login_failed(k, COLLECTOR_TROUBLE_REFUSED,
                 "Keystone refuses the token that it has just given to the collector");
}
