/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_client.h"

#define ANSWER_MAX_BYTES (256u << 20)
#define PATH_MAX_BYTES   65536
#define TOKEN_MAX_BYTES  8192

static enum hale_rc rc_of_status(unsigned status)
{
    if (status < 300)
        return HALE_OK;
    switch (status) {
    case 401: return HALE_E_DENIED;
    case 404: return HALE_E_NOTFOUND;
    case 409: return HALE_E_CONFLICT;
    default: return status >= 500 ? HALE_E_AGAIN : HALE_E_INVAL;
    }
}

/* What the server said about a refusal, else what the status says by itself. */
static enum hale_rc refuse(const struct cli_api *api, unsigned status,
                           const json_t *answer, struct hale_err *err)
{
    const char *text = json_string_value(json_object_get(answer, "description"));
    if (status == 401)
        return hale_err_set(err, HALE_E_DENIED,
                            "%s refused the token: give one by --token, --token-file or "
                            "HALE_TOKEN whose role allows this",
                            api->url);
    if (text == NULL) /* Prometheus' shape */
        text = json_string_value(json_object_get(answer, "error"));
    if (text == NULL)
        text = json_string_value(json_object_get(answer, "title"));
    return hale_err_set(err, rc_of_status(status), "%s (HTTP %u)",
                        text != NULL ? text : "the server refused", status);
}

struct talk {
    const struct cli_api *api;
    struct hale_http_result *result;
    struct hale_buf *answer;
    bool done;
};

static void note_resolution(struct cli_resolution *to, const struct hale_http_result *r)
{
    struct hale_str step = hale_http_result_header(r, "X-Hale-Resolution");
    struct hale_str until = hale_http_result_header(r, "X-Hale-Resolution-Until");
    int64_t step_s;
    if (hale_str_i64(step, &step_s) != HALE_OK)
        return;
    to->step_s = step_s > to->step_s ? step_s : to->step_s;
    if (hale_str_cmp(until, hale_str_from(to->until)) > 0) /* ISO times sort as texts */
        (void)snprintf(to->until, sizeof(to->until), "%.*s", (int)until.len, until.p);
}

static void on_answer(const struct hale_http_result *r, void *arg)
{
    struct talk *t = arg;
    *t->result = *r;
    hale_buf_add_str(t->answer, r->body);
    if (t->answer->failed && r->rc == HALE_OK)
        t->result->rc = HALE_E_LIMIT;
    if (t->api->resolution != NULL && r->rc == HALE_OK)
        note_resolution(t->api->resolution, r);
    t->result->body = t->result->headers = (struct hale_str){NULL, 0};
    t->result->error = "";
    t->done = true;
}

static enum hale_rc talk(const struct cli_api *api, const struct hale_http_call *call,
                         struct hale_http_result *result, struct hale_buf *answer)
{
    struct talk t = {.api = api, .result = result, .answer = answer};
    struct hale_http_client *c = hale_http_client_new(1);
    if (c == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = hale_http_client_start(c, call, on_answer, &t, NULL);
    while (rc == HALE_OK && !t.done)
        rc = hale_http_client_poll(c, NULL, 0, -1);
    hale_http_client_free(c);
    return rc == HALE_OK ? result->rc : rc;
}

enum hale_rc cli_api_call(const struct cli_api *api, const char *method, const char *path,
                          const json_t *body, json_t **out, struct hale_err *err)
{
    enum hale_rc rc;
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct hale_buf url, answer;
    char token[TOKEN_MAX_BYTES];
    json_t *json = NULL;

    *out = NULL;
    hale_buf_init(&url, PATH_MAX_BYTES);
    hale_buf_init(&answer, ANSWER_MAX_BYTES);
    hale_buf_printf(&url, "%s%s", api->url, path);
    int token_len = snprintf(token, sizeof(token), "X-Auth-Token: %s", api->token);
    const char *const headers[] = {token, "Content-Type: application/json",
                                   "Accept: application/json", NULL};
    const struct hale_http_call call = {.method = method,
                                        .url = url.p,
                                        .headers = headers,
                                        .body = hale_str_from(text),
                                        .ca_file = api->ca_file,
                                        .timeout_ms = api->timeout_ms,
                                        .max_response_bytes = ANSWER_MAX_BYTES};
    struct hale_http_result result = {0};

    if (url.failed || (body != NULL && text == NULL)) {
        rc = hale_err_set(err, HALE_E_LIMIT, "the request is too large");
        goto out;
    }
    if (token_len < 0 || (size_t)token_len >= sizeof(token) ||
        strpbrk(api->token, "\r\n") != NULL) {
        rc = hale_err_set(err, HALE_E_INVAL,
                          "the token is longer than %d bytes or has more than one line",
                          TOKEN_MAX_BYTES - 15);
        goto out;
    }
    rc = talk(api, &call, &result, &answer);
    if (rc != HALE_OK) {
        rc = hale_err_set(
            err, HALE_E_IO,
            "no answer from %s: %s (is the collector running? --url or HALE_URL "
            "says where)",
            api->url, hale_rc_text(rc));
        goto out;
    }
    if (answer.len > 0)
        json = json_loadb(answer.p, answer.len, JSON_DECODE_ANY, NULL);
    if (rc_of_status(result.status) != HALE_OK) {
        rc = refuse(api, result.status, json, err);
        goto out;
    }
    if (answer.len > 0 && json == NULL) {
        rc = hale_err_set(err, HALE_E_INVAL,
                          "%s did not answer in JSON: is it a Hale collector?", api->url);
        goto out;
    }
    *out = json;
    json = NULL;
out:
    json_decref(json);
    hale_buf_fini(&answer);
    hale_buf_fini(&url);
    free(text);
    return rc;
}

const char *cli_api_next(const json_t *page)
{
    size_t i;
    json_t *link;
    json_array_foreach (json_object_get(page, "links"), i, link) {
        const char *rel = json_string_value(json_object_get(link, "rel"));
        const char *href = json_string_value(json_object_get(link, "href"));
        if (rel == NULL || href == NULL || strcmp(rel, "next") != 0)
            continue;
        const char *host = strstr(href, "://");
        return host != NULL ? strchr(host + 3, '/') : href;
    }
    return NULL;
}

enum hale_rc cli_api_list(const struct cli_api *api, const char *path, size_t max,
                          json_t **out, struct hale_err *err)
{
    json_t *all = json_array(), *page = NULL;
    char *next = strdup(path);
    enum hale_rc rc = HALE_OK;

    *out = NULL;
    if (all == NULL || next == NULL) {
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
        goto out;
    }
    while (next != NULL && json_array_size(all) < max) {
        size_t i;
        json_t *element;
        rc = cli_api_call(api, "GET", next, NULL, &page, err);
        if (rc != HALE_OK)
            goto out;
        const json_t *elements = json_object_get(page, "elements");
        json_array_foreach (elements, i, element) {
            if (json_array_size(all) < max && json_array_append(all, element) != 0) {
                rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
                goto out;
            }
        }
        const char *more = json_array_size(elements) > 0 ? cli_api_next(page) : NULL;
        free(next);
        next = more != NULL ? strdup(more) : NULL;
        json_decref(page);
        page = NULL;
    }
    *out = all;
    all = NULL;
out:
    json_decref(page);
    json_decref(all);
    free(next);
    return rc;
}

void cli_api_query(struct hale_buf *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    hale_buf_add_char(path, path->p != NULL && strchr(path->p, '?') != NULL ? '&' : '?');
    hale_buf_add_c(path, name);
    hale_buf_add_char(path, '=');
    hale_http_quote(path, hale_str_from(value));
}
