/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_IMPORT_H
#define HALE_CLI_IMPORT_H
/*
 * import - alarm definitions and alerting rules of other systems become a file for `hale apply`
 * (docs/formats/import.md).
 * Promise:   a rule is translated whole or left out with its reason. What stays is what the rule meant;
 *            where it differs in the small, a note says so.
 * Ownership: the caller frees the result with cli_import_fini.
 * Threads:   values.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/promql.h"

struct cli_import {
    json_t *definitions;   /* bodies, checked as the collector checks them */
    struct hale_buf notes; /* lines: "file:12: rule X: ..." */
    unsigned left_out;     /* rules and definitions */
};
void cli_import_init(struct cli_import *i);
void cli_import_fini(struct cli_import *i);
/* Adds body, under a name of its own, or a note why not. */
HALE_MUST_CHECK enum hale_rc cli_import_add(struct cli_import *i, const char *place,
                                            json_t *body);
void cli_import_note(struct cli_import *i, const char *place, const char *fmt, ...)
    HALE_PRINTF(3, 4);
/* The definitions as a file for `hale apply`. */
void cli_import_write(const struct cli_import *i, struct hale_buf *out);

/* A list of definitions, or an answer of Monasca's API with `elements`. HALE_E_INVAL: neither. */
HALE_MUST_CHECK enum hale_rc cli_import_monasca(struct hale_str text, const char *source,
                                                struct cli_import *out,
                                                struct hale_err *err);
/* A rule file of Prometheus (or a PrometheusRule of its operator). match_by: labels that tell the series
 * of rules without `by` apart, "a,b"; NULL: those that annotations name. HALE_E_INVAL: not a rule file. */
HALE_MUST_CHECK enum hale_rc
cli_import_prometheus(struct hale_str text, const char *source, const char *match_by,
                      struct cli_import *out, struct hale_err *err);

/* --- import_promql.c: one expression --- */
struct cli_promql_rule {
    int64_t for_s, keep_s;   /* of the rule */
    int64_t every_s;         /* evaluation interval */
    struct hale_buf text;    /* out: the expression */
    bool per_series;         /* out: one alert per series; else per `labels` */
    json_t *labels;          /* out: array of texts */
    int64_t missing_after_s; /* out: 0: on_missing does not apply */
    char why[240];           /* out: why there is no counterpart */
    const char *note;        /* out: what differs in the small; NULL: nothing */
};
/* HALE_E_INVAL with why: no counterpart. labels and text are to be freed in any case. */
HALE_MUST_CHECK enum hale_rc cli_import_promql(const struct hale_promql_node *root,
                                               struct cli_promql_rule *rule);
#endif
