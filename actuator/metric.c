/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/metric.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/template.h"
#include "model/promql.h"
#include "net/http_client.h"

#define N(fields)     (sizeof(fields) / sizeof((fields)[0]))
#define NODE          const struct hale_yaml_node *
#define URL_MAX_BYTES (3 * ACTUATOR_QUERY_MAX + 2048)

struct collector_raw {
    char *url, *token_file, *ca_file;
    int64_t timeout;
};
#define C(member) offsetof(struct collector_raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"url", HALE_CONF_STRING, C(url), true, NULL, 0, 0, NULL,
     "the collector, or whatever has Prometheus' /api/v1/query"},
    {"token_file", HALE_CONF_STRING, C(token_file), false, NULL, 0, 0, NULL,
     "token in a file; its tenant's metrics are asked"},
    {"ca_file", HALE_CONF_STRING, C(ca_file), false, NULL, 0, 0, NULL,
     "certificates to trust instead of the system's"},
    {"timeout", HALE_CONF_DURATION, C(timeout), false, "5s", 100, 60000, NULL,
     "one question"},
};

void actuator_collector_fini(struct actuator_collector *c)
{
    free(c->url);
    free(c->token_file);
    free(c->ca_file);
    memset(c, 0, sizeof(*c));
}

enum hale_rc actuator_collector_read(NODE map, struct actuator_collector *out,
                                     struct hale_err *err)
{
    struct collector_raw raw = {0};
    struct hale_str host;
    unsigned port;
    memset(out, 0, sizeof(*out));
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    *out = (struct actuator_collector){raw.url, raw.token_file, raw.ca_file, raw.timeout};
    if (actuator_allow_split(out->url, &host, &port) != HALE_OK ||
        strpbrk(out->url, "?#") != NULL)
        return hale_yaml_error(hale_yaml_get(map, "url"), err,
                               "url must be an http:// or https:// address with a host "
                               "and without user information and query");
    for (size_t n = strlen(out->url); n > 0 && out->url[n - 1] == '/'; n--)
        out->url[n - 1] = '\0';
    return HALE_OK;
}

/* --- the question ------------------------------------------------------------------ */

/* `\x78` for each variable: an x inside a string, an error everywhere else. */
static enum hale_rc probe(struct hale_str query, struct hale_buf *out)
{
    char missing[ACTUATOR_NAME_MAX];
    json_t *vars = json_object();
    enum hale_rc rc = HALE_E_NOTFOUND;
    while (vars != NULL && rc == HALE_E_NOTFOUND) {
        hale_buf_reset(out);
        rc = actuator_template_expand(query, vars, ACTUATOR_PLAIN, out, missing);
        if (rc == HALE_E_NOTFOUND &&
            json_object_set_new_nocheck(vars, missing, json_string("\\x78")) != 0)
            rc = HALE_E_NOMEM;
    }
    json_decref(vars);
    return vars != NULL ? rc : HALE_E_NOMEM;
}

enum hale_rc actuator_metric_check(struct hale_str query, struct hale_err *err)
{
    struct hale_promql tree;
    struct hale_buf text;
    struct hale_err wrong;
    if (query.len == 0 || query.len > ACTUATOR_QUERY_MAX)
        return hale_err_set(err, HALE_E_INVAL, "a query has 1 to %d bytes",
                            ACTUATOR_QUERY_MAX);
    enum hale_rc rc = actuator_template_check(query, err);
    if (rc != HALE_OK)
        return rc;
    hale_buf_init(&text, (size_t)4 * ACTUATOR_QUERY_MAX);
    rc = probe(query, &text);
    if (rc != HALE_OK) {
        hale_buf_fini(&text);
        return hale_err_set(err, rc, "the query cannot be read (%s)", hale_rc_text(rc));
    }
    rc = hale_promql_parse(hale_buf_str(&text), &tree, &wrong);
    if (rc != HALE_OK)
        rc = hale_err_set(err, HALE_E_INVAL, "line %d, column %d: %.300s%s", wrong.line,
                          wrong.col, wrong.text,
                          memmem(query.p, query.len, "${", 2) != NULL
                              ? " (variables stand inside quotes)"
                              : "");
    else if (tree.root->type != HALE_PROMQL_SCALAR &&
             tree.root->type != HALE_PROMQL_VECTOR)
        rc = hale_err_set(err, HALE_E_INVAL,
                          "the result must be a number or series with one value each, "
                          "not %s",
                          hale_promql_type_text(tree.root->type));
    hale_promql_fini(&tree);
    hale_buf_fini(&text);
    return rc;
}

enum hale_rc actuator_metric_expand(const char *query, const json_t *vars, char **out,
                                    char *missing)
{
    struct hale_buf text;
    hale_buf_init(&text, ACTUATOR_QUERY_MAX);
    enum hale_rc rc = actuator_template_expand(hale_str_from(query), vars, ACTUATOR_QUERY,
                                               &text, missing);
    *out = rc == HALE_OK ? hale_buf_take(&text) : NULL;
    hale_buf_fini(&text);
    return rc != HALE_OK || *out != NULL ? rc : HALE_E_NOMEM;
}

enum hale_rc actuator_metric_request(const struct actuator_collector *c,
                                     const char *query, struct actuator_request *out)
{
    memset(out, 0, sizeof(*out));
    hale_buf_init(&out->url, URL_MAX_BYTES);
    hale_buf_init(&out->body, 1);
    out->method = "GET";
    out->cloud = out->service = "";
    out->lane = ACTUATOR_NO_LANE;
    out->auth = "bearer";
    out->token_file = c->token_file != NULL ? c->token_file : "";
    out->ca_file = c->ca_file;
    out->timeout_ms = c->timeout_ms;
    out->headers = json_object();
    hale_buf_add_c(&out->url, c->url);
    hale_buf_add_c(&out->url, "/api/v1/query?query=");
    hale_http_quote(&out->url, hale_str_from(query));
    if (out->headers == NULL)
        return HALE_E_NOMEM;
    return out->url.failed ? HALE_E_LIMIT : HALE_OK;
}

/* --- the answer -------------------------------------------------------------------- */

/* [time, "value"] */
static bool read_value(const json_t *pair, double *out)
{
    const char *text = json_string_value(json_array_get(pair, 1));
    if (text == NULL)
        return false;
    if (strcmp(text, "NaN") == 0 || strcmp(text, "+Inf") == 0 ||
        strcmp(text, "-Inf") == 0) {
        *out = text[0] == 'N' ? NAN : text[0] == '+' ? INFINITY : -INFINITY;
        return true;
    }
    return hale_str_double(hale_str_from(text), out) == HALE_OK;
}

static bool read_data(const json_t *data, struct actuator_metric *out)
{
    const char *type = json_string_value(json_object_get(data, "resultType"));
    const json_t *result = json_object_get(data, "result");
    if (type == NULL || !json_is_array(result))
        return false;
    out->scalar = strcmp(type, "scalar") == 0;
    if (out->scalar) {
        out->n = 1;
        return read_value(result, &out->value);
    }
    if (strcmp(type, "vector") != 0)
        return false;
    out->n = (unsigned)json_array_size(result);
    return out->n == 0 ||
           read_value(json_object_get(json_array_get(result, 0), "value"), &out->value);
}

void actuator_metric_answer(const struct actuator_answer *a, struct actuator_metric *out)
{
    memset(out, 0, sizeof(*out));
    out->value = NAN;
    if (a->rc != HALE_OK) {
        out->passing = a->rc == HALE_E_AGAIN || a->rc == HALE_E_IO;
        (void)snprintf(out->error, sizeof(out->error), "no answer: %.300s", a->error);
        return;
    }
    if (a->status != 200) {
        char detail[256];
        out->passing = a->status >= 500 || a->status == 408 || a->status == 429;
        (void)snprintf(out->error, sizeof(out->error), "answered %u%s", a->status,
                       actuator_problem_text(a, detail, sizeof(detail)));
        return;
    }
    json_t *root = json_loadb(a->body.p != NULL ? a->body.p : "", a->body.len, 0, NULL);
    out->known = read_data(json_object_get(root, "data"), out);
    json_decref(root);
    if (!out->known) {
        out->n = 0;
        out->value = NAN;
        out->scalar = false;
        (void)snprintf(out->error, sizeof(out->error),
                       "the answer is not one of Prometheus' query interface");
    }
}

bool actuator_metric_true(const struct actuator_metric *m)
{
    if (!m->known)
        return false;
    return m->scalar ? m->value != 0.0 && !isnan(m->value) : m->n > 0;
}
