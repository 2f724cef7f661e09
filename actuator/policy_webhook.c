/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_webhook.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/expect.h"
#include "actuator/policy_steps.h"
#include "actuator/read.h"
#include "actuator/template.h"
#include "actuator/webhook.h"

#define DAY_MS        86400000.0
#define N(fields)     (sizeof(fields) / sizeof((fields)[0]))
#define NODE          const struct hale_yaml_node *
#define URL_MAX_BYTES 8192
#define ANSWER        "${" ACTUATOR_WEBHOOK_ANSWER

static const char *const AUTHS[] = {"bearer", "x-auth-token", NULL};
static const char *const METHODS[] = {"POST", "PUT", "PATCH", "DELETE", "GET", NULL};

struct webhook_raw {
    char *url, *body, *token_file, *credentials;
    int method, auth;
    int64_t timeout, retries;
    NODE headers;
    NODE success;
    NODE expect;
    NODE until;
};
#define W(member) offsetof(struct webhook_raw, member)
static const struct hale_conf_field WEBHOOK_FIELDS[] = {
    {"url", HALE_CONF_STRING, W(url), true, NULL, 0, 0, NULL, "where"},
    {"method", HALE_CONF_ENUM, W(method), false, "POST", 0, 0, METHODS, "HTTP method"},
    {"headers", HALE_CONF_NODE, W(headers), false, NULL, 0, 0, NULL, "name: value"},
    {"body", HALE_CONF_STRING, W(body), false, NULL, 0, 0, NULL, "JSON text"},
    {"timeout", HALE_CONF_DURATION, W(timeout), false, "5s", 100, 600000, NULL,
     "one call"},
    {"retries", HALE_CONF_INT, W(retries), false, "2", 0, 20, NULL, "repeats"},
    {"token_file", HALE_CONF_STRING, W(token_file), false, NULL, 0, 0, NULL,
     "token in a file"},
    {"auth", HALE_CONF_ENUM, W(auth), false, "bearer", 0, 0, AUTHS,
     "header of the token"},
    {"credentials", HALE_CONF_STRING, W(credentials), false, NULL, 0, 0, NULL,
     "name in 'credentials'"},
    {"success", HALE_CONF_NODE, W(success), false, NULL, 0, 0, NULL,
     "statuses that count as done"},
    {"expect", HALE_CONF_NODE, W(expect), false, NULL, 0, 0, NULL,
     "what the JSON answer must hold"},
    {"until", HALE_CONF_NODE, W(until), false, NULL, 0, 0, NULL,
     "what is polled to its end"},
};

struct until_raw {
    char *url;
    int64_t every, within;
    NODE success;
    NODE expect;
    NODE fail;
};
#define U(member) offsetof(struct until_raw, member)
static const struct hale_conf_field UNTIL_FIELDS[] = {
    {"url", HALE_CONF_STRING, U(url), false, NULL, 0, 0, NULL,
     "asked with GET; none: the answer's Location"},
    {"every", HALE_CONF_DURATION, U(every), false, "2s", 10, 3600000, NULL, "how often"},
    {"within", HALE_CONF_DURATION, U(within), false, "5m", 100, DAY_MS, NULL,
     "time for it"},
    {"success", HALE_CONF_NODE, U(success), false, NULL, 0, 0, NULL,
     "statuses that may mean done"},
    {"expect", HALE_CONF_NODE, U(expect), false, NULL, 0, 0, NULL,
     "what the answer holds when it is done"},
    {"fail", HALE_CONF_NODE, U(fail), false, NULL, 0, 0, NULL,
     "what the answer holds when it has failed"},
};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* --- success ----------------------------------------------------------------------- */

static bool status_of(struct hale_str text, int64_t *out)
{
    return hale_str_i64(text, out) == HALE_OK && *out >= 100 && *out <= 599;
}

/* 204 or 200-299 */
static enum hale_rc add_range(NODE item, void *arg, struct hale_err *err)
{
    struct hale_str rest = hale_yaml_text(item), from_text = hale_str_split(&rest, '-');
    int64_t from = 0, to = 0;
    bool ok = status_of(hale_str_trim(from_text), &from);
    to = from;
    if (ok && rest.p != NULL)
        ok = status_of(hale_str_trim(rest), &to) && to >= from;
    if (!ok)
        return hale_yaml_error(
            item, err,
            "success: '%.*s' is neither a status nor a range; write "
            "404 or 200-299",
            (int)(hale_yaml_text(item).len < 40 ? hale_yaml_text(item).len : 40),
            hale_yaml_text(item).p);
    if (json_array_size(arg) == ACTUATOR_EXPECT_MAX)
        return hale_yaml_error(item, err, "success: at most %d statuses and ranges",
                               ACTUATOR_EXPECT_MAX);
    json_t *range = json_pack("[I,I]", (json_int_t)from, (json_int_t)to);
    return range != NULL && json_array_append_new(arg, range) == 0 ? HALE_OK : nomem(err);
}

/* Into o["success"]; none: nothing. */
static enum hale_rc read_success(NODE node, json_t *o, struct hale_err *err)
{
    if (hale_yaml_kind(node) == HALE_YAML_NULL)
        return HALE_OK;
    json_t *list = json_array();
    if (list == NULL || json_object_set_new(o, "success", list) != 0)
        return nomem(err);
    return actuator_read_each(node, "success", err, add_range, list);
}

static enum hale_rc read_expect(NODE node, const char *key, json_t *o,
                                struct hale_err *err)
{
    json_t *expect = NULL;
    enum hale_rc rc = actuator_expect_read(node, key, &expect, err);
    if (rc == HALE_OK && expect != NULL && json_object_set_new(o, key, expect) != 0)
        rc = nomem(err);
    return rc;
}

/* --- until ------------------------------------------------------------------------- */

/* Values of an answer may stand in path and query, and each is a pointer. */
static enum hale_rc check_answers(NODE node, const char *url, struct hale_err *err)
{
    struct hale_err wrong;
    const char *authority = strstr(url, "://");
    const char *path =
        authority != NULL ? authority + 3 + strcspn(authority + 3, "/?#") : url;
    /* a pointer has slashes, too: the first variable is in the authority if it begins there */
    const char *first = strstr(url, ANSWER);
    if (first != NULL && first < path)
        return hale_yaml_error(node, err,
                               "url: an answer may not choose the host: put %s...} into "
                               "the path or the query",
                               ANSWER);
    for (const char *at = first; at != NULL; at = strstr(at, ANSWER)) {
        at += strlen(ANSWER);
        const struct hale_str pointer = {at, strcspn(at, "}")};
        if (actuator_pointer_check(pointer, &wrong) != HALE_OK)
            return hale_yaml_error(node, err, "url: %s", wrong.text);
    }
    return HALE_OK;
}

static enum hale_rc fill_until(NODE map, const struct until_raw *raw, json_t *o,
                               struct hale_err *err)
{
    enum hale_rc rc = actuator_policy_check_text(map, "url", raw->url, true, err);
    if (rc == HALE_OK && raw->url != NULL)
        rc = check_answers(hale_yaml_get(map, "url"), raw->url, err);
    if (rc == HALE_OK && hale_yaml_kind(raw->expect) == HALE_YAML_NULL &&
        hale_yaml_kind(raw->success) == HALE_YAML_NULL)
        rc = hale_yaml_error(map, err,
                             "until needs expect (what the answer holds when it is done) "
                             "or success (statuses that mean done)");
    if (rc == HALE_OK && raw->every > raw->within)
        rc = hale_yaml_error(map, err, "until: every must not be longer than within");
    if (rc == HALE_OK && raw->url != NULL &&
        json_object_set_new(o, "url", json_string(raw->url)) != 0)
        rc = nomem(err);
    if (rc == HALE_OK &&
        (json_object_set_new(o, "every_ms", json_integer(raw->every)) != 0 ||
         json_object_set_new(o, "within_ms", json_integer(raw->within)) != 0))
        rc = nomem(err);
    if (rc == HALE_OK)
        rc = read_success(raw->success, o, err);
    if (rc == HALE_OK)
        rc = read_expect(raw->expect, "expect", o, err);
    return rc == HALE_OK ? read_expect(raw->fail, "fail", o, err) : rc;
}

static enum hale_rc read_until(NODE map, json_t *o, struct hale_err *err)
{
    struct until_raw raw = {0};
    if (map == NULL)
        return HALE_OK;
    enum hale_rc rc = hale_conf_read(map, UNTIL_FIELDS, N(UNTIL_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    json_t *until = json_object();
    rc = until != NULL && json_object_set_new(o, "until", until) == 0
             ? fill_until(map, &raw, until, err)
             : nomem(err);
    hale_conf_fini(UNTIL_FIELDS, N(UNTIL_FIELDS), &raw);
    return rc;
}

/* --- the step ---------------------------------------------------------------------- */

static enum hale_rc read_answer(const struct webhook_raw *raw, struct actuator_step *s,
                                struct hale_err *err)
{
    s->answer = json_object();
    if (s->answer == NULL)
        return nomem(err);
    enum hale_rc rc = read_success(raw->success, s->answer, err);
    if (rc == HALE_OK)
        rc = read_expect(raw->expect, "expect", s->answer, err);
    return rc == HALE_OK ? read_until(raw->until, s->answer, err) : rc;
}

enum hale_rc actuator_policy_read_webhook(NODE map, struct actuator_step *s,
                                          struct hale_err *err)
{
    struct webhook_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, WEBHOOK_FIELDS, N(WEBHOOK_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    rc = actuator_policy_check_text(map, "url", raw.url, true, err);
    if (rc == HALE_OK)
        rc = actuator_read_map(raw.headers, "headers", true, &s->headers, err);
    if (rc == HALE_OK)
        rc = actuator_read_check_headers(raw.headers, s->headers, err);
    if (rc == HALE_OK)
        rc = actuator_policy_read_json(map, "body", raw.body, &s->body, err);
    if (rc == HALE_OK && (s->method = strdup(METHODS[raw.method])) == NULL)
        rc = nomem(err);
    if (rc == HALE_OK && raw.token_file != NULL && raw.credentials != NULL)
        rc = hale_yaml_error(map, err, "token_file or credentials, not both");
    if (rc == HALE_OK)
        rc = read_answer(&raw, s, err);
    s->type = ACTUATOR_WEBHOOK;
    s->line = hale_yaml_line(map);
    s->credentials = actuator_read_move(&raw.credentials);
    s->auth = raw.auth;
    s->timeout_ms = raw.timeout;
    s->retries = raw.retries;
    s->url = actuator_read_move(&raw.url);
    s->token_file = actuator_read_move(&raw.token_file);
    hale_conf_fini(WEBHOOK_FIELDS, N(WEBHOOK_FIELDS), &raw);
    return rc;
}

/* --- the plan ---------------------------------------------------------------------- */

static enum hale_rc plan_expect(const json_t *from, const char *key, const json_t *vars,
                                json_t *to, char *missing)
{
    json_t *expect = NULL;
    const json_t *written = json_object_get(from, key);
    enum hale_rc rc =
        written != NULL ? actuator_expect_plan(written, vars, &expect, missing) : HALE_OK;
    if (rc == HALE_OK && expect != NULL && json_object_set_new(to, key, expect) != 0)
        rc = HALE_E_NOMEM;
    return rc;
}

static enum hale_rc plan_url(const json_t *from, const json_t *vars, json_t *to,
                             char *missing)
{
    const char *written = json_string_value(json_object_get(from, "url"));
    struct hale_buf url;
    if (written == NULL)
        return HALE_OK;
    hale_buf_init(&url, URL_MAX_BYTES);
    enum hale_rc rc =
        actuator_template_expand_but(hale_str_from(written), vars, ACTUATOR_URL,
                                     ACTUATOR_WEBHOOK_ANSWER, &url, missing);
    if (rc == HALE_OK && json_object_set_new(to, "url", json_string(url.p)) != 0)
        rc = HALE_E_INVAL;
    hale_buf_fini(&url);
    return rc;
}

static enum hale_rc plan_until(const json_t *from, const json_t *vars, json_t *to,
                               char *missing)
{
    enum hale_rc rc = plan_url(from, vars, to, missing);
    if (rc == HALE_OK)
        rc = plan_expect(from, "expect", vars, to, missing);
    return rc == HALE_OK ? plan_expect(from, "fail", vars, to, missing) : rc;
}

enum hale_rc actuator_policy_plan_answer(const struct actuator_step *s,
                                         const json_t *vars, json_t *plan, char *missing)
{
    const json_t *success = json_object_get(s->answer, "success");
    const json_t *until = json_object_get(s->answer, "until");
    json_t *copy = NULL;
    if (success != NULL &&
        json_object_set(plan, "success", (json_t *)(uintptr_t)success) != 0)
        return HALE_E_NOMEM;
    enum hale_rc rc = plan_expect(s->answer, "expect", vars, plan, missing);
    if (rc != HALE_OK || until == NULL)
        return rc;
    copy = json_copy((json_t *)(uintptr_t)until); /* what is filled in takes its place */
    if (copy == NULL)
        return HALE_E_NOMEM;
    rc = plan_until(until, vars, copy, missing);
    if (rc == HALE_OK && json_object_set(plan, "until", copy) != 0)
        rc = HALE_E_NOMEM;
    json_decref(copy);
    return rc;
}
