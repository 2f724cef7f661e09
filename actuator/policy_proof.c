/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/policy_proof.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/metric.h"
#include "actuator/policy_steps.h"
#include "actuator/template.h"

#define DAY_MS        86400000.0
#define N(fields)     (sizeof(fields) / sizeof((fields)[0]))
#define NODE          const struct hale_yaml_node *
#define URL_MAX_BYTES 8192

struct proof_raw {
    int alarm;
    char *query, *url;
    int64_t within, every;
};
#define P(member) offsetof(struct proof_raw, member)
static const char *const ALARM_WORDS[] = {"cleared", NULL};
static const struct hale_conf_field FIELDS[] = {
    {"alarm", HALE_CONF_ENUM, P(alarm), false, "cleared", 0, 0, ALARM_WORDS,
     "the alarm has cleared"},
    {"query", HALE_CONF_STRING, P(query), false, NULL, 0, 0, NULL,
     "PromQL: true when it has a result"},
    {"url", HALE_CONF_STRING, P(url), false, NULL, 0, 0, NULL, "GET answers 2xx"},
    {"within", HALE_CONF_DURATION, P(within), false, "60s", 100, DAY_MS, NULL,
     "time for it"},
    {"every", HALE_CONF_DURATION, P(every), false, "1s", 10, 3600000, NULL,
     "how often query or url is asked"},
};

static enum hale_rc check(NODE map, const struct proof_raw *raw, struct hale_err *err)
{
    struct hale_err wrong;
    unsigned given = 0;
    given += hale_yaml_get(map, "alarm") != NULL ? 1u : 0u;
    given += raw->query != NULL ? 1u : 0u;
    given += raw->url != NULL ? 1u : 0u;
    if (given > 1)
        return hale_yaml_error(map, err, "at most one of: alarm, query, url");
    if (raw->query == NULL && raw->url == NULL && hale_yaml_get(map, "every") != NULL)
        return hale_yaml_error(hale_yaml_get(map, "every"), err,
                               "every belongs to query and url: an alarm says it itself");
    if (raw->query != NULL &&
        actuator_metric_check(hale_str_from(raw->query), &wrong) != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, "query"), err, "query: %s", wrong.text);
    return actuator_policy_check_text(map, "url", raw->url, true, err);
}

enum hale_rc actuator_proof_read(NODE map, struct actuator_proof *out,
                                 struct hale_err *err)
{
    struct proof_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    if (hale_yaml_kind(map) != HALE_YAML_NULL)
        rc = check(map, &raw, err);
    if (rc != HALE_OK) {
        hale_conf_fini(FIELDS, N(FIELDS), &raw);
        return rc;
    }
    *out = (struct actuator_proof){.given = hale_yaml_kind(map) != HALE_YAML_NULL,
                                   .query = raw.query,
                                   .url = raw.url,
                                   .within_ms = raw.within,
                                   .every_ms = raw.every};
    return HALE_OK;
}

enum hale_rc actuator_proof_plan(const struct actuator_proof *p, const json_t *vars,
                                 json_t **out, char *missing)
{
    struct hale_buf url;
    char *query = NULL;
    enum hale_rc rc = HALE_OK;
    hale_buf_init(&url, URL_MAX_BYTES);
    if (p->query != NULL)
        rc = actuator_metric_expand(p->query, vars, &query, missing);
    else if (p->url != NULL)
        rc = actuator_template_expand(hale_str_from(p->url), vars, ACTUATOR_URL, &url,
                                      missing);
    *out = NULL;
    if (rc == HALE_OK) {
        const char *key = p->query != NULL ? "query" : p->url != NULL ? "url" : "alarm";
        const char *value = p->query != NULL ? query : p->url != NULL ? url.p : "cleared";
        *out = json_pack("{s:s,s:I,s:I}", key, value, "within_ms",
                         (json_int_t)p->within_ms, "every_ms", (json_int_t)p->every_ms);
        rc = *out != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    hale_buf_fini(&url);
    free(query);
    return rc;
}

void actuator_proof_fini(struct actuator_proof *p)
{
    free(p->query);
    free(p->url);
    memset(p, 0, sizeof(*p));
}
