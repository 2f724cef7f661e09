/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_METRIC_H
#define HALE_ACTUATOR_METRIC_H
/*
 * metric - questions about metrics: where they are asked (`collector:` in the configuration),
 * the request of one (GET /api/v1/query, docs/formats/promql.md) and what its answer says.
 * Whatever speaks Prometheus' interface may stand there. Pure: sends nothing.
 * Limits:    a query has ACTUATOR_QUERY_MAX bytes; the HTTP client bounds the answer.
 * Safety:    a variable in a query stands inside a string and cannot leave it (_check,
 *            ACTUATOR_QUERY).
 * Ownership: a collector owns its texts. Threads: stateless.
 */
#include <stdbool.h>

#include "actuator/step.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/yaml.h"

#define ACTUATOR_QUERY_MAX 4096

struct actuator_collector {
    char *url; /* without a slash at the end; NULL: none is configured */
    char *token_file, *ca_file;
    int64_t timeout_ms;
};
/* map: the value of `collector` (a NULL-kind node: none). */
HALE_MUST_CHECK enum hale_rc actuator_collector_read(const struct hale_yaml_node *map,
                                                     struct actuator_collector *out,
                                                     struct hale_err *err);
void actuator_collector_fini(struct actuator_collector *c);

/* Whether a query with ${variables} in it is PromQL with a number or series as its result.
 * HALE_E_INVAL with err->text for a person. */
HALE_MUST_CHECK enum hale_rc actuator_metric_check(struct hale_str query,
                                                   struct hale_err *err);
/* The query with its variables filled in. HALE_E_NOTFOUND: missing (ACTUATOR_NAME_MAX bytes)
 * names the one that is absent. */
HALE_MUST_CHECK enum hale_rc actuator_metric_expand(const char *query, const json_t *vars,
                                                    char **out, char *missing);
/* The question of the result at present; c is borrowed by the request. _fini it. */
HALE_MUST_CHECK enum hale_rc actuator_metric_request(const struct actuator_collector *c,
                                                     const char *query,
                                                     struct actuator_request *out);

struct actuator_metric {
    bool known;   /* false: why is in error */
    bool scalar;  /* a number, not series */
    unsigned n;   /* series; 1 for a number */
    double value; /* of the first series, may be NaN or infinite; NaN without one */
    bool passing; /* known is false, but another try may be luckier */
    char error[ACTUATOR_TEXT_MAX];
};
void actuator_metric_answer(const struct actuator_answer *a, struct actuator_metric *out);
/* As in rules: there is a series, or a number other than 0. */
bool actuator_metric_true(const struct actuator_metric *m);
#endif
