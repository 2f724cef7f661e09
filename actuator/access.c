/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/answer.h"
#include "actuator/keystone.h"
#include "actuator/oauth.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#define TOKEN_MS    10000
#define HEADERS_MAX 48

struct visit { /* a call of a run */
    struct visit *next;
    struct actuator_access *owner;
    uint64_t id, http_id; /* http_id 0: waits for the token */
    unsigned which;       /* of the configuration's credentials */
    bool renewed;         /* the token was refused once already */
    char *method, *url, *body;
    char *header[HEADERS_MAX + 2]; /* NULL at the end; [0] is the token's */
    int64_t timeout_ms;
    actuator_session_done done;
    void *arg;
};
struct purse { /* the token of one of the credentials */
    struct actuator_bearer bearer;
    struct actuator_access *owner;
    uint64_t http_id; /* of the request for one that is under way, or 0 */
};
struct actuator_access {
    struct hale_http_client *http;
    const struct actuator_conf *conf;
    struct purse purse[ACTUATOR_CREDENTIALS_MAX];
    struct visit *visits;
    unsigned n_visits;
    uint64_t last_id;
};

static void wipe_text(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void visit_free(struct visit *v)
{
    if (v == NULL)
        return;
    wipe_text(v->header[0]);
    for (unsigned i = 1; i <= HEADERS_MAX; i++)
        free(v->header[i]);
    free(v->method);
    free(v->url);
    free(v->body);
    free(v);
}

static void unlink_visit(struct actuator_access *a, const struct visit *v)
{
    for (struct visit **at = &a->visits; *at != NULL; at = &(*at)->next)
        if (*at == v) {
            *at = v->next;
            a->n_visits--;
            return;
        }
}

/* The call is over: out of the list, then told, then freed. */
static void finish(struct visit *v, const struct actuator_answer *answer)
{
    unlink_visit(v->owner, v);
    v->done(answer, v->arg);
    visit_free(v);
}

static void finish_error(struct visit *v, enum hale_rc rc, const char *text)
{
    const struct actuator_answer answer = {.rc = rc, .error = text};
    finish(v, &answer);
}

static const struct actuator_credential *credential_of(const struct visit *v)
{
    return &v->owner->conf->credentials.v[v->which];
}

static void get_token(struct actuator_access *a, unsigned which);

static void on_answer(const struct hale_http_result *r, void *arg)
{
    struct visit *v = arg;
    struct purse *p = &v->owner->purse[v->which];
    v->http_id = 0;
    if (r->rc == HALE_OK && r->status == 401 && !v->renewed && v->header[0] != NULL) {
        /* an old token, perhaps one that a neighbour has renewed already */
        v->renewed = true;
        if (p->bearer.text != NULL &&
            strcmp(v->header[0] + strlen("Authorization: Bearer "), p->bearer.text) == 0)
            actuator_bearer_fini(&p->bearer);
        hale_counter_add(actuator_stat(ACTUATOR_STAT_TOKENS_REFUSED), 1);
        get_token(v->owner, v->which);
        return;
    }
    const struct actuator_answer answer = actuator_answer_of(r, hale_clock_wall_ms());
    finish(v, &answer);
}

/* The secret of c, trimmed, in a buffer of one block (wipe it); nothing when it has none. */
static enum hale_rc read_secret(const struct actuator_credential *c, struct hale_buf *out,
                                struct hale_err *err)
{
    hale_buf_init(out, ACTUATOR_SECRET_MAX);
    if (hale_buf_reserve(out, ACTUATOR_SECRET_MAX - 1) == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return c->secret_file != NULL ? hale_fs_read(c->secret_file, out, err) : HALE_OK;
}

/* "user:password" for a call with basic; empty otherwise. */
static enum hale_rc user_of(const struct actuator_credential *c, struct hale_buf *out,
                            struct hale_err *err)
{
    struct hale_buf secret;
    hale_buf_init(&secret, ACTUATOR_SECRET_MAX);
    hale_buf_init(out, 2 * ACTUATOR_SECRET_MAX);
    if (c->type != ACTUATOR_BASIC)
        return HALE_OK;
    enum hale_rc rc = hale_buf_reserve(out, 2 * ACTUATOR_SECRET_MAX - 1) != NULL
                          ? read_secret(c, &secret, err)
                          : HALE_E_NOMEM;
    if (rc == HALE_OK) {
        struct hale_str text = hale_str_trim(hale_buf_str(&secret));
        hale_buf_printf(out, "%s:", c->user);
        hale_buf_add(out, text.p, text.len);
        rc = out->failed ? HALE_E_LIMIT : HALE_OK;
    }
    actuator_keystone_wipe(&secret);
    return rc;
}

/* Has what it takes: starts the request. */
static void start_request(struct visit *v)
{
    struct actuator_access *a = v->owner;
    const struct actuator_credential *c = credential_of(v);
    struct hale_err err = {.text = "out of memory"};
    struct hale_buf user;
    wipe_text(v->header[0]);
    v->header[0] = NULL;
    enum hale_rc rc = user_of(c, &user, &err);
    if (rc == HALE_OK && c->type == ACTUATOR_OAUTH2 &&
        asprintf(&v->header[0], "Authorization: Bearer %s",
                 a->purse[v->which].bearer.text) < 0) {
        v->header[0] = NULL;
        rc = HALE_E_NOMEM;
    }
    const struct hale_http_call http = {
        .method = v->method,
        .url = v->url,
        .headers = (const char *const *)(v->header + (v->header[0] == NULL ? 1 : 0)),
        .body = hale_str_from(v->body),
        .ca_file = c->ca_file,
        .cert_file = c->cert_file,
        .key_file = c->key_file,
        .userpwd = c->type == ACTUATOR_BASIC ? user.p : NULL,
        .timeout_ms = v->timeout_ms,
        .only_remote =
            actuator_allow_match(&a->conf->allow, v->url) == ACTUATOR_ALLOW_WILD};
    if (rc == HALE_OK) {
        rc = hale_http_client_start(a->http, &http, on_answer, v, &v->http_id);
        if (rc != HALE_OK)
            (void)hale_err_set(&err, rc, "the request could not be started: %s",
                               hale_rc_text(rc));
    }
    actuator_keystone_wipe(&user);
    if (rc != HALE_OK) {
        v->http_id = 0;
        finish_error(v, rc == HALE_E_INVAL ? rc : HALE_E_IO, err.text);
    }
}

/* Each call that waits for that token: on its way, or answered with rc. */
static void wake_waiting(struct actuator_access *a, unsigned which, enum hale_rc rc,
                         const char *text)
{
    for (;;) {
        struct visit *v = a->visits;
        while (v != NULL && (v->which != which || v->http_id != 0))
            v = v->next;
        if (v == NULL)
            return;
        if (rc == HALE_OK)
            start_request(v);
        else
            finish_error(v, rc, text);
    }
}

static void on_token(const struct hale_http_result *r, void *arg)
{
    struct purse *p = arg;
    struct actuator_access *a = p->owner;
    unsigned which = (unsigned)(p - a->purse);
    const char *name = a->conf->credentials.v[which].name;
    struct hale_err err = {.text = ""};
    char text[320];
    enum hale_rc rc = HALE_E_IO;
    p->http_id = 0;
    actuator_bearer_fini(&p->bearer);
    if (r->rc != HALE_OK) {
        (void)snprintf(text, sizeof(text), "token endpoint of %s: %.200s", name,
                       r->error);
    } else if (r->status == 200) {
        rc = actuator_oauth_token(r->body, hale_clock_wall_us(), &p->bearer, &err);
        (void)snprintf(text, sizeof(text), "token endpoint of %s: %.200s", name,
                       err.text);
        rc = rc == HALE_E_INVAL ? HALE_E_IO : rc;
    } else if (r->status >= 500 || r->status == 429 || r->status == 408) {
        (void)snprintf(text, sizeof(text), "token endpoint of %s answered %u", name,
                       r->status);
    } else {
        rc = HALE_E_DENIED;
        (void)snprintf(text, sizeof(text),
                       "token endpoint of %s refused our credentials with %u", name,
                       r->status);
    }
    hale_counter_add(
        actuator_stat(rc == HALE_OK ? ACTUATOR_STAT_TOKENS : ACTUATOR_STAT_TOKENS_FAILED),
        1);
    if (rc != HALE_OK)
        hale_warn("event=token_failed credentials=%s detail=\"%s\"", name, text);
    wake_waiting(a, which, rc, text);
}

static enum hale_rc ask_token(struct actuator_access *a, unsigned which,
                              struct hale_err *err)
{
    static const char *const headers[] = {
        "Content-Type: application/x-www-form-urlencoded", "Accept: application/json",
        NULL};
    const struct actuator_credential *c = &a->conf->credentials.v[which];
    struct hale_buf secret, form, user;
    hale_buf_init(&form, 1);
    hale_buf_init(&user, 1);
    enum hale_rc rc = read_secret(c, &secret, err);
    struct hale_str text = hale_str_trim(hale_buf_str(&secret));
    if (rc == HALE_OK)
        rc = actuator_oauth_form(c, text, &form);
    if (rc == HALE_OK)
        rc = actuator_oauth_user(c, text, &user);
    if (rc == HALE_OK) {
        const struct hale_http_call http = {.method = "POST",
                                            .url = c->token_url,
                                            .headers = headers,
                                            .body = hale_buf_str(&form),
                                            .ca_file = c->ca_file,
                                            .cert_file = c->cert_file,
                                            .key_file = c->key_file,
                                            .userpwd = user.len > 0 ? user.p : NULL,
                                            .timeout_ms = TOKEN_MS};
        rc = hale_http_client_start(a->http, &http, on_token, &a->purse[which],
                                    &a->purse[which].http_id);
    }
    actuator_keystone_wipe(&secret);
    actuator_keystone_wipe(&form);
    actuator_keystone_wipe(&user);
    return rc;
}

static void get_token(struct actuator_access *a, unsigned which)
{
    struct purse *p = &a->purse[which];
    struct hale_err err = {.text = "the token could not be asked for"};
    if (p->http_id != 0)
        return; /* whoever waits is served by that one */
    if (p->bearer.text != NULL) {
        wake_waiting(a, which, HALE_OK, "");
        return;
    }
    if (ask_token(a, which, &err) != HALE_OK) {
        p->http_id = 0;
        wake_waiting(a, which, HALE_E_IO, err.text);
    }
}

struct actuator_access *actuator_access_new(struct hale_http_client *http,
                                            const struct actuator_conf *conf)
{
    struct actuator_access *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    a->http = http;
    a->conf = conf;
    for (unsigned i = 0; i < ACTUATOR_CREDENTIALS_MAX; i++)
        a->purse[i].owner = a;
    return a;
}

static void forget_tokens(struct actuator_access *a)
{
    for (unsigned i = 0; i < ACTUATOR_CREDENTIALS_MAX; i++) {
        if (a->purse[i].http_id != 0)
            hale_http_client_cancel(a->http, a->purse[i].http_id);
        a->purse[i].http_id = 0;
        actuator_bearer_fini(&a->purse[i].bearer);
    }
}

void actuator_access_free(struct actuator_access *a)
{
    if (a == NULL)
        return;
    forget_tokens(a);
    while (a->visits != NULL) {
        struct visit *v = a->visits;
        a->visits = v->next;
        if (v->http_id != 0)
            hale_http_client_cancel(a->http, v->http_id);
        visit_free(v);
    }
    free(a);
}

void actuator_access_set_conf(struct actuator_access *a, const struct actuator_conf *conf)
{
    forget_tokens(a);
    a->conf =
        conf; /* what is started by whom we answer here is started with the new one */
    for (unsigned i = 0; i < ACTUATOR_CREDENTIALS_MAX; i++)
        wake_waiting(a, i, HALE_E_IO, "the configuration was read anew");
    for (struct visit *v = a->visits; v != NULL; v = v->next)
        v->renewed = true; /* that place may be another's now */
}

static struct visit *make_visit(const struct actuator_request *q)
{
    struct visit *v = calloc(1, sizeof(*v));
    const char *name;
    json_t *value;
    unsigned n = 1;
    if (v == NULL)
        return NULL;
    v->method = strdup(q->method);
    v->url = strdup(q->url.p != NULL ? q->url.p : "");
    v->body = q->body.len > 0 ? strdup(q->body.p) : NULL;
    v->timeout_ms = q->timeout_ms;
    bool ok =
        v->method != NULL && v->url != NULL && (q->body.len == 0 || v->body != NULL);
    json_object_foreach (q->headers, name, value)
        if (ok && n <= HEADERS_MAX &&
            asprintf(&v->header[n++], "%s: %s", name, json_string_value(value)) < 0) {
            v->header[n - 1] = NULL;
            ok = false;
        }
    if (ok)
        return v;
    visit_free(v);
    return NULL;
}

void actuator_access_call(struct actuator_access *a, const struct actuator_request *q,
                          actuator_session_done done, void *arg, uint64_t *id_out)
{
    char text[160];
    struct actuator_answer answer = {.rc = HALE_E_DENIED, .error = text};
    const struct actuator_credential *c =
        actuator_credentials_find(&a->conf->credentials, q->credentials);
    *id_out = 0;
    if (c == NULL) {
        (void)snprintf(text, sizeof(text), "the configuration has no credentials '%.64s'",
                       q->credentials);
        done(&answer, arg);
        return;
    }
    struct visit *v = a->n_visits < ACTUATOR_ACCESS_CALLS_MAX ? make_visit(q) : NULL;
    if (v == NULL) {
        answer.rc = HALE_E_IO;
        (void)snprintf(text, sizeof(text), "too many requests are under way");
        done(&answer, arg);
        return;
    }
    v->owner = a;
    v->which = (unsigned)(c - a->conf->credentials.v);
    v->done = done;
    v->arg = arg;
    v->id = *id_out = ++a->last_id;
    v->next = a->visits;
    a->visits = v;
    a->n_visits++;
    struct purse *p = &a->purse[v->which];
    if (p->http_id == 0 && p->bearer.text != NULL &&
        p->bearer.renew_us <= hale_clock_wall_us())
        actuator_bearer_fini(&p->bearer);
    if (c->type == ACTUATOR_OAUTH2)
        get_token(a, v->which); /* at once when the token is there */
    else
        start_request(v);
    for (v = a->visits; v != NULL && v->id != *id_out; v = v->next)
        ;
    if (v == NULL)
        *id_out = 0;
}

void actuator_access_cancel(struct actuator_access *a, uint64_t id)
{
    struct visit *v = a->visits;
    while (v != NULL && v->id != id)
        v = v->next;
    if (v == NULL)
        return;
    if (v->http_id != 0)
        hale_http_client_cancel(a->http, v->http_id);
    unlink_visit(a, v);
    visit_free(v);
}
