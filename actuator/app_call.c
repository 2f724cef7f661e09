/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/answer.h"
#include "actuator/exec.h"
#include "actuator/policy_exec.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#define TOKEN_MAX     8192
#define EXEC_PATH     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HEADERS_MAX   48
#define ENV_MAX       16
#define CLUSTER_BYTES (16u << 20) /* a thousand pods in detail */

static void answer(struct app *app, const char *run_id, const struct actuator_answer *a)
{
    if (strncmp(run_id, APP_SCALE_KEY, strlen(APP_SCALE_KEY)) == 0)
        app_scale_answered(app, run_id, a);
    else if (strncmp(run_id, APP_UPKEEP_KEY, strlen(APP_UPKEEP_KEY)) == 0)
        app_upkeep_answered(app, run_id, a);
    else if (app->engine != NULL)
        actuator_engine_answered(app->engine, run_id, a, hale_clock_wall_us());
}

/* The call is over: out of the table (frees it), then the engine hears of it. */
static void over(struct call *call, struct actuator_answer *a)
{
    struct app *app = call->app;
    char run_id[HALE_UUID_TEXT];
    (void)snprintf(run_id, sizeof(run_id), "%.*s", (int)strcspn(call->key, "/"),
                   call->key);
    a->lane = call->lane;
    hale_map_del(app->calls, hale_str_from(call->key));
    answer(app, run_id, a);
}

static void on_session_done(const struct actuator_answer *result, void *arg)
{
    struct actuator_answer a = *result;
    over(arg, &a);
}

static void on_done(const struct hale_http_result *r, void *arg)
{
    struct actuator_answer a = actuator_answer_of(r, hale_clock_wall_ms());
    over(arg, &a);
}

static void refuse_call(struct app *app, const char *run_id, int lane, enum hale_rc rc,
                        const char *why)
{
    const struct actuator_answer a = {.rc = rc, .lane = lane, .error = why};
    answer(app, run_id, &a);
}

/* "Authorization: Bearer x" or "X-Auth-Token: x" from the file; the caller frees it. */
static enum hale_rc token_line(const char *file, bool bearer, char **out,
                               struct hale_err *err)
{
    struct hale_buf buf;
    hale_buf_init(&buf, TOKEN_MAX);
    enum hale_rc rc = hale_fs_read(file, &buf, err);
    *out = NULL;
    if (rc == HALE_OK) {
        struct hale_str token = hale_str_trim(hale_buf_str(&buf));
        if (asprintf(out, "%s%.*s", bearer ? "Authorization: Bearer " : "X-Auth-Token: ",
                     (int)token.len, token.p != NULL ? token.p : "") < 0) {
            *out = NULL;
            rc = HALE_E_NOMEM;
        }
        if (buf.p != NULL)
            explicit_bzero(buf.p, buf.len);
    }
    hale_buf_fini(&buf);
    return rc;
}

/* The header that says who we are, or NULL. */
static enum hale_rc auth_line(const struct actuator_request *q,
                              const struct actuator_cluster *cluster, char **out,
                              struct hale_err *err)
{
    const char *token = cluster != NULL ? cluster->token_file : q->token_file;
    *out = NULL;
    if (token != NULL && token[0] != '\0')
        return token_line(token, cluster != NULL || strcmp(q->auth, "bearer") == 0, out,
                          err);
    if (cluster == NULL || cluster->token == NULL)
        return HALE_OK;
    if (asprintf(out, "Authorization: Bearer %s", cluster->token) >= 0)
        return HALE_OK;
    *out = NULL;
    return HALE_E_NOMEM;
}

/* Whom we trust there, and who we are. */
static void of_cluster(const struct actuator_cluster *c, struct hale_http_call *http)
{
    http->ca_file = c->ca_file;
    http->cert_file = c->cert_file;
    http->key_file = c->key_file;
    http->ca_pem = hale_str_from(c->ca_pem);
    http->cert_pem = hale_str_from(c->cert_pem);
    http->key_pem = hale_str_from(c->key_pem);
    http->max_response_bytes = CLUSTER_BYTES;
    http->only_remote = false;
}

/* cluster: NULL, or whose API q->url is a path of. */
static enum hale_rc start_call(struct app *app, struct call *call,
                               const struct actuator_request *q,
                               const struct actuator_cluster *cluster,
                               struct hale_err *err)
{
    char *line[HEADERS_MAX + 1] = {NULL}, *url = NULL;
    const char *name;
    json_t *value;
    enum hale_rc rc = auth_line(q, cluster, &line[0], err);
    unsigned n = line[0] != NULL ? 1 : 0;
    if (cluster != NULL && asprintf(&url, "%s%s", cluster->url, q->url.p) < 0) {
        url = NULL;
        rc = HALE_E_NOMEM;
    }
    json_object_foreach (q->headers, name, value)
        if (rc == HALE_OK && n < HEADERS_MAX &&
            asprintf(&line[n++], "%s: %s", name, json_string_value(value)) < 0)
            rc = HALE_E_NOMEM;
    if (rc == HALE_OK) {
        struct hale_http_call http = {
            .method = q->method,
            .url = url != NULL ? url : q->url.p,
            .headers = (const char *const *)line,
            .body = hale_buf_str(&q->body),
            .ca_file = q->ca_file,
            .timeout_ms = q->timeout_ms,
            .only_remote =
                actuator_allow_match(&app->conf->allow, q->url.p) == ACTUATOR_ALLOW_WILD};
        if (cluster != NULL)
            of_cluster(cluster, &http);
        rc = hale_http_client_start(app->http, &http, on_done, call, &call->id);
        if (rc != HALE_OK)
            (void)hale_err_set(err, rc, "the request could not be started: %s",
                               hale_rc_text(rc));
    }
    for (unsigned i = 0; i < n; i++) {
        if (line[i] != NULL)
            explicit_bzero(line[i], strlen(line[i]));
        free(line[i]);
    }
    free(url);
    return rc;
}

/* call may be over, and gone, when this returns. */
static void start_in_session(struct app *app, struct call *call,
                             const struct actuator_request *q)
{
    char key[sizeof(call->key)];
    uint64_t id = 0;
    memcpy(key, call->key, sizeof(key));
    if (call->of_cloud)
        actuator_session_call(app->sessions, q, on_session_done, call, &id);
    else
        actuator_access_call(app->access, q, on_session_done, call, &id);
    if (id != 0)
        ((struct call *)hale_map_get(app->calls, hale_str_from(key)))->id = id;
}

static void on_process_done(const struct actuator_process_result *r, void *arg)
{
    struct actuator_answer a = {.rc = r->rc,
                                .sent = r->started,
                                .status = (unsigned)r->exit_code,
                                .signal = r->signal,
                                .body = r->output,
                                .took_us = r->took_ms * 1000,
                                .error = r->error};
    over(arg, &a);
}

/* An executable: only what every child has, and what the step says of the run. */
static enum hale_rc start_process(struct app *app, struct call *call,
                                  const struct actuator_request *q, struct hale_err *err)
{
    const char *argv[ACTUATOR_EXEC_ARGS_MAX + 1] = {NULL}, *name;
    char *env[ENV_MAX + 1] = {NULL};
    unsigned n = 0;
    enum hale_rc rc = HALE_OK;
    json_t *value;
    for (size_t i = 0; i < json_array_size(q->argv) && i < ACTUATOR_EXEC_ARGS_MAX; i++)
        argv[i] = json_string_value(json_array_get(q->argv, i));
    if (asprintf(&env[n++], "PATH=%s", EXEC_PATH) < 0 ||
        asprintf(&env[n++], "LANG=C.UTF-8") < 0)
        rc = HALE_E_NOMEM;
    json_object_foreach (q->headers, name, value)
        if (rc == HALE_OK && n < ENV_MAX &&
            asprintf(&env[n++], "%s=%s", name, json_string_value(value)) < 0)
            rc = HALE_E_NOMEM;
    const struct actuator_process_call what = {.argv = argv,
                                               .env = (const char *const *)env,
                                               .input = hale_buf_str(&q->body),
                                               .timeout_ms = q->timeout_ms};
    if (rc == HALE_OK)
        rc = actuator_processes_start(app->processes, &what, hale_clock_mono_ms(),
                                      on_process_done, call, &call->id);
    if (rc == HALE_E_LIMIT)
        (void)hale_err_set(err, rc, "too many executables wait for their turn");
    for (unsigned i = 0; i < n; i++)
        free(env[i]);
    return rc;
}

/* Why the call is not allowed, or NULL. */
static const char *not_allowed(const struct app *app, const struct actuator_request *q)
{
    const struct actuator_conf *conf = app->conf;
    if (q->argv != NULL)
        return actuator_policy_exec_allowed(q->url.p, &conf->allow_exec)
                   ? NULL
                   : "the executable is not allowed: add it to 'allow_exec' in the "
                     "configuration";
    if (q->cloud[0] != '\0' || actuator_allow_url(&conf->allow, q->url.p))
        return NULL;
    return "the host is not allowed: add it to 'allow' in the configuration";
}

static void drop(struct app *app, const struct call *call)
{
    if (call->of_cloud)
        actuator_session_cancel(app->sessions, call->id);
    else if (call->of_process)
        actuator_processes_cancel(app->processes, call->id);
    else if (call->of_access)
        actuator_access_cancel(app->access, call->id);
    else
        hale_http_client_cancel(app->http, call->id);
}

void app_call(void *arg, const char *run_id, const struct actuator_request *q)
{
    struct app *app = arg;
    struct hale_err err = {.text = "out of memory"};
    if (hale_clock_mono_ms() >= actuator_roles_until_ms(app->roles)) {
        hale_warn("event=held_up detail=\"longer than our lease: nothing is called\"");
        app->failed = true; /* who acts now has read what we wrote, and goes on with it */
        return;
    }
    const struct actuator_cluster *cluster =
        q->of_cluster ? actuator_clusters_find(&app->conf->clusters, q->cloud) : NULL;
    bool of_cloud = q->cloud[0] != '\0' && !q->of_cluster;
    if (q->of_cluster && cluster == NULL) {
        refuse_call(app, run_id, q->lane, HALE_E_DENIED,
                    "the configuration has no such cluster");
        return;
    }
    const char *refused = not_allowed(app, q);
    if (refused != NULL) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_CALLS_DENIED), 1);
        refuse_call(app, run_id, q->lane, HALE_E_DENIED, refused);
        return;
    }
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        refuse_call(app, run_id, q->lane, HALE_E_IO, err.text);
        return;
    }
    call->app = app;
    call->lane = q->lane;
    call->of_cloud = of_cloud;
    call->of_process = q->argv != NULL;
    call->of_access = !of_cloud && cluster == NULL && q->credentials != NULL &&
                      q->credentials[0] != '\0';
    (void)snprintf(call->key, sizeof(call->key), "%s/%d", run_id, q->lane);
    const struct call *before = hale_map_get(app->calls, hale_str_from(call->key));
    if (before != NULL) /* its answer would come to a call that is freed */
        drop(app, before);
    if (hale_map_put(app->calls, hale_str_from(call->key), call) != HALE_OK) {
        free(call);
        refuse_call(app, run_id, q->lane, HALE_E_IO, "too many requests are under way");
        return;
    }
    if (q->accepted_us > 0)
        hale_counter_observe_us(actuator_stat(ACTUATOR_STAT_CALL_SECONDS),
                                hale_clock_wall_us() - q->accepted_us);
    if (of_cloud || call->of_access) {
        start_in_session(app, call, q);
        return;
    }
    enum hale_rc rc = call->of_process ? start_process(app, call, q, &err)
                                       : start_call(app, call, q, cluster, &err);
    if (rc == HALE_OK)
        return;
    hale_map_del(app->calls, hale_str_from(call->key));
    refuse_call(app, run_id, q->lane, rc == HALE_E_INVAL ? rc : HALE_E_IO, err.text);
}

void app_call_cancel(void *arg, const char *run_id)
{
    struct app *app = arg;
    struct hale_str key;
    struct call *call;
    size_t it = 0;
    while ((call = hale_map_next(app->calls, &it, &key)) != NULL) {
        if (strncmp(call->key, run_id, HALE_UUID_TEXT - 1) != 0)
            continue;
        drop(app, call);
        hale_map_del(app->calls, key);
    }
}

void app_call_cancel_all(struct app *app)
{
    struct call *call;
    size_t it = 0;
    while ((call = hale_map_next(app->calls, &it, NULL)) != NULL)
        drop(app, call);
    hale_map_clear(app->calls);
}
