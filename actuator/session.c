/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/answer.h"
#include "actuator/keystone.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#define LOGIN_MS           10000
#define HEADERS_MAX        16
#define RESPONSE_MAX_BYTES (8u << 20) /* a thousand servers in detail */

struct pending { /* a call of a run */
    struct pending *next;
    struct actuator_sessions *owner;
    uint64_t id, http_id; /* http_id 0: waits for the token */
    unsigned cloud;
    bool renewed; /* the token was refused once already */
    char *method, *service, *path, *body;
    char *header[HEADERS_MAX + 2]; /* NULL at the end; [0] is the token's */
    int64_t timeout_ms;
    actuator_session_done done;
    void *arg;
};
struct login {
    struct actuator_token token;
    struct actuator_sessions *owner;
    uint64_t http_id; /* of the authentication under way, or 0 */
};
struct actuator_sessions {
    struct hale_http_client *http;
    const struct actuator_conf *conf;
    struct login login[ACTUATOR_CLOUDS_MAX];
    struct pending *calls;
    unsigned n_calls;
    uint64_t last_id;
};

static void wipe_text(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void pending_free(struct pending *p)
{
    if (p == NULL)
        return;
    wipe_text(p->header[0]);
    for (unsigned i = 1; i <= HEADERS_MAX; i++)
        free(p->header[i]);
    free(p->method);
    free(p->service);
    free(p->path);
    free(p->body);
    free(p);
}

static void unlink_call(struct actuator_sessions *s, const struct pending *p)
{
    for (struct pending **at = &s->calls; *at != NULL; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            s->n_calls--;
            return;
        }
}

/* The call is over: out of the list, then told, then freed. */
static void finish(struct pending *p, const struct actuator_answer *a)
{
    unlink_call(p->owner, p);
    p->done(a, p->arg);
    pending_free(p);
}

static void finish_error(struct pending *p, enum hale_rc rc, const char *text)
{
    const struct actuator_answer a = {.rc = rc, .error = text};
    finish(p, &a);
}

static void start_login(struct actuator_sessions *s, unsigned cloud);

static void on_answer(const struct hale_http_result *r, void *arg)
{
    struct pending *p = arg;
    struct login *l = &p->owner->login[p->cloud];
    p->http_id = 0;
    if (r->rc == HALE_OK && r->status == 401 && !p->renewed) {
        /* an old token, perhaps one that a neighbour has renewed already */
        p->renewed = true;
        bool same = l->token.id != NULL && p->header[0] != NULL &&
                    strcmp(p->header[0] + strlen("X-Auth-Token: "), l->token.id) == 0;
        if (same)
            actuator_token_fini(&l->token);
        hale_counter_add(actuator_stat(ACTUATOR_STAT_TOKENS_REFUSED), 1);
        start_login(p->owner, p->cloud);
        return;
    }
    const struct actuator_answer a = actuator_answer_of(r, hale_clock_wall_ms());
    finish(p, &a);
}

/* Has a token: starts the request. */
static void start_request(struct pending *p)
{
    struct actuator_sessions *s = p->owner;
    const struct login *l = &s->login[p->cloud];
    const struct actuator_cloud *c = &s->conf->clouds.v[p->cloud];
    const char *base = actuator_keystone_endpoint(&l->token, p->service);
    char text[256];
    if (base == NULL) {
        (void)snprintf(
            text, sizeof(text),
            "the catalogue of cloud %s has no endpoint of %s in that region and "
            "interface",
            c->name, p->service);
        finish_error(p, HALE_E_DENIED, text);
        return;
    }
    if (!actuator_allow_listed(&s->conf->allow, base)) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_CALLS_DENIED), 1);
        (void)snprintf(text, sizeof(text),
                       "the catalogue of cloud %s sends us to a host for %s that is not "
                       "allowed: add it to 'allow' in the configuration",
                       c->name, p->service);
        finish_error(p, HALE_E_DENIED, text);
        return;
    }
    wipe_text(p->header[0]);
    p->header[0] = NULL;
    char *url = NULL;
    if (asprintf(&p->header[0], "X-Auth-Token: %s", l->token.id) < 0)
        p->header[0] = NULL;
    if (asprintf(&url, "%s%s", base, p->path) < 0)
        url = NULL;
    const struct hale_http_call http = {.method = p->method,
                                        .url = url,
                                        .headers = (const char *const *)p->header,
                                        .body = hale_str_from(p->body),
                                        .ca_file = c->ca_file,
                                        .timeout_ms = p->timeout_ms,
                                        .max_response_bytes = RESPONSE_MAX_BYTES,
                                        .only_remote =
                                            actuator_allow_match(&s->conf->allow, base) ==
                                            ACTUATOR_ALLOW_WILD};
    enum hale_rc rc = HALE_E_NOMEM;
    if (p->header[0] != NULL && url != NULL)
        rc = hale_http_client_start(s->http, &http, on_answer, p, &p->http_id);
    free(url);
    if (rc != HALE_OK) {
        p->http_id = 0;
        finish_error(p, rc == HALE_E_INVAL ? rc : HALE_E_IO, hale_rc_text(rc));
    }
}

/* Each call of the cloud that waits: on its way, or answered with rc. */
static void wake_waiting(struct actuator_sessions *s, unsigned cloud, enum hale_rc rc,
                         const char *text)
{
    for (;;) {
        struct pending *p = s->calls;
        while (p != NULL && (p->cloud != cloud || p->http_id != 0))
            p = p->next;
        if (p == NULL)
            return;
        if (rc == HALE_OK)
            start_request(p);
        else
            finish_error(p, rc, text);
    }
}

static void on_login(const struct hale_http_result *r, void *arg)
{
    struct login *l = arg;
    struct actuator_sessions *s = l->owner;
    unsigned cloud = (unsigned)(l - s->login);
    const struct actuator_cloud *c = &s->conf->clouds.v[cloud];
    struct hale_err err = {.text = ""};
    char text[320];
    enum hale_rc rc = HALE_E_IO;
    l->http_id = 0;
    actuator_token_fini(&l->token);
    if (r->rc != HALE_OK) {
        (void)snprintf(text, sizeof(text), "Keystone of cloud %s: %.200s", c->name,
                       r->error);
    } else if (r->status == 201) {
        rc = actuator_keystone_token(
            c, r->body, hale_http_result_header(r, "X-Subject-Token"), &l->token, &err);
        (void)snprintf(text, sizeof(text), "cloud %s: %.200s", c->name, err.text);
        rc = rc == HALE_E_INVAL ? HALE_E_IO : rc;
    } else if (r->status >= 500 || r->status == 429 || r->status == 408) {
        (void)snprintf(text, sizeof(text), "Keystone of cloud %s answered %u", c->name,
                       r->status);
    } else {
        rc = HALE_E_DENIED;
        (void)snprintf(text, sizeof(text),
                       "Keystone of cloud %s refused our credentials with %u", c->name,
                       r->status);
    }
    hale_counter_add(
        actuator_stat(rc == HALE_OK ? ACTUATOR_STAT_TOKENS : ACTUATOR_STAT_TOKENS_FAILED),
        1);
    if (rc != HALE_OK)
        hale_warn("event=token_failed cloud=%s detail=\"%s\"", c->name, text);
    wake_waiting(s, cloud, rc, text);
}

static void start_login(struct actuator_sessions *s, unsigned cloud)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Accept: application/json", NULL};
    const struct actuator_cloud *c = &s->conf->clouds.v[cloud];
    struct login *l = &s->login[cloud];
    struct hale_err err = {.text = "out of memory"};
    struct hale_buf secret, body;
    char *url = NULL;
    if (l->http_id != 0)
        return; /* whoever waits is served by that one */
    if (l->token.id != NULL) {
        wake_waiting(s, cloud, HALE_OK, "");
        return;
    }
    hale_buf_init(&secret, ACTUATOR_SECRET_MAX);
    hale_buf_init(&body, 1);
    enum hale_rc rc = hale_buf_reserve(&secret, ACTUATOR_SECRET_MAX - 1) != NULL
                          ? hale_fs_read(c->secret_file, &secret, &err)
                          : HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = actuator_keystone_body(c, hale_str_trim(hale_buf_str(&secret)), &body);
    if (rc == HALE_OK && asprintf(&url, "%s/auth/tokens", c->auth_url) < 0) {
        url = NULL;
        rc = HALE_E_NOMEM;
    }
    if (rc == HALE_OK) {
        const struct hale_http_call http = {.method = "POST",
                                            .url = url,
                                            .headers = headers,
                                            .body = hale_buf_str(&body),
                                            .ca_file = c->ca_file,
                                            .timeout_ms = LOGIN_MS,
                                            .max_response_bytes = RESPONSE_MAX_BYTES};
        rc = hale_http_client_start(s->http, &http, on_login, l, &l->http_id);
    }
    free(url);
    actuator_keystone_wipe(&secret);
    actuator_keystone_wipe(&body);
    if (rc != HALE_OK) {
        l->http_id = 0;
        wake_waiting(s, cloud, HALE_E_IO, err.text);
    }
}

struct actuator_sessions *actuator_sessions_new(struct hale_http_client *http,
                                                const struct actuator_conf *conf)
{
    struct actuator_sessions *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->http = http;
    s->conf = conf;
    for (unsigned i = 0; i < ACTUATOR_CLOUDS_MAX; i++)
        s->login[i].owner = s;
    return s;
}

static void forget_logins(struct actuator_sessions *s)
{
    for (unsigned i = 0; i < ACTUATOR_CLOUDS_MAX; i++) {
        if (s->login[i].http_id != 0)
            hale_http_client_cancel(s->http, s->login[i].http_id);
        s->login[i].http_id = 0;
        actuator_token_fini(&s->login[i].token);
    }
}

void actuator_sessions_free(struct actuator_sessions *s)
{
    if (s == NULL)
        return;
    forget_logins(s);
    while (s->calls != NULL) {
        struct pending *p = s->calls;
        s->calls = p->next;
        if (p->http_id != 0)
            hale_http_client_cancel(s->http, p->http_id);
        pending_free(p);
    }
    free(s);
}

void actuator_sessions_set_conf(struct actuator_sessions *s,
                                const struct actuator_conf *conf)
{
    forget_logins(s);
    s->conf =
        conf; /* what is started by whom we answer here is started with the new one */
    for (unsigned i = 0; i < ACTUATOR_CLOUDS_MAX; i++)
        wake_waiting(s, i, HALE_E_IO, "the configuration was read anew");
    for (struct pending *p = s->calls; p != NULL; p = p->next)
        p->renewed = true; /* its cloud's place may be another's now */
}

static struct pending *make_call(const struct actuator_request *q)
{
    struct pending *p = calloc(1, sizeof(*p));
    const char *name;
    json_t *value;
    unsigned n = 1;
    if (p == NULL)
        return NULL;
    p->method = strdup(q->method);
    p->service = strdup(q->service);
    p->path = strdup(q->url.p != NULL ? q->url.p : "");
    p->body = q->body.len > 0 ? strdup(q->body.p) : NULL;
    p->timeout_ms = q->timeout_ms;
    bool ok = p->method != NULL && p->service != NULL && p->path != NULL &&
              (q->body.len == 0 || p->body != NULL);
    json_object_foreach (q->headers, name, value)
        if (ok && n <= HEADERS_MAX &&
            asprintf(&p->header[n++], "%s: %s", name, json_string_value(value)) < 0) {
            p->header[n - 1] = NULL;
            ok = false;
        }
    if (ok)
        return p;
    pending_free(p);
    return NULL;
}

void actuator_session_call(struct actuator_sessions *s, const struct actuator_request *q,
                           actuator_session_done done, void *arg, uint64_t *id_out)
{
    char text[160];
    struct actuator_answer a = {.rc = HALE_E_DENIED, .error = text};
    const struct actuator_cloud *c = actuator_clouds_find(&s->conf->clouds, q->cloud);
    *id_out = 0;
    if (c == NULL) {
        (void)snprintf(text, sizeof(text), "the configuration has no cloud '%.64s'",
                       q->cloud);
        done(&a, arg);
        return;
    }
    struct pending *p = s->n_calls < ACTUATOR_SESSION_CALLS_MAX ? make_call(q) : NULL;
    if (p == NULL) {
        a.rc = HALE_E_IO;
        (void)snprintf(text, sizeof(text), "too many requests are under way");
        done(&a, arg);
        return;
    }
    p->owner = s;
    p->cloud = (unsigned)(c - s->conf->clouds.v);
    p->done = done;
    p->arg = arg;
    p->id = *id_out = ++s->last_id;
    p->next = s->calls;
    s->calls = p;
    s->n_calls++;
    struct login *l = &s->login[p->cloud];
    if (l->token.id != NULL && l->http_id == 0 &&
        l->token.expires_us < hale_clock_wall_us() + ACTUATOR_RENEW_US)
        actuator_token_fini(&l->token);
    start_login(s, p->cloud); /* at once when the token is there */
    for (p = s->calls; p != NULL && p->id != *id_out; p = p->next)
        ;
    if (p == NULL)
        *id_out = 0;
}

void actuator_session_cancel(struct actuator_sessions *s, uint64_t id)
{
    struct pending *p = s->calls;
    while (p != NULL && p->id != id)
        p = p->next;
    if (p == NULL)
        return;
    if (p->http_id != 0)
        hale_http_client_cancel(s->http, p->http_id);
    unlink_call(s, p);
    pending_free(p);
}
