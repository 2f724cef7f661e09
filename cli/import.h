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
#include "model/yaml.h"

struct cli_import {
    json_t *definitions;   /* bodies, checked as the collector checks them */
    json_t *policies;      /* checked as the actuator checks them */
    struct hale_buf notes; /* lines: "file:12: rule X: ..." */
    unsigned left_out;     /* rules and definitions */
};
void cli_import_init(struct cli_import *i);
void cli_import_fini(struct cli_import *i);
/* Adds body, under a name of its own, or a note why not. */
HALE_MUST_CHECK enum hale_rc cli_import_add(struct cli_import *i, const char *place,
                                            json_t *body);
/* The same for a policy; its name is made to fit. */
HALE_MUST_CHECK enum hale_rc cli_import_add_policy(struct cli_import *i,
                                                   const char *place, json_t *body);
void cli_import_note(struct cli_import *i, const char *place, const char *fmt, ...)
    HALE_PRINTF(3, 4);
/* The definitions as a file for `hale apply`. */
void cli_import_write(const struct cli_import *i, struct hale_buf *out);
/* The policies as a file for the actuator. */
void cli_import_write_policies(const struct cli_import *i, struct hale_buf *out);

/* A list of definitions, or an answer of Monasca's API with `elements`. HALE_E_INVAL: neither. */
HALE_MUST_CHECK enum hale_rc cli_import_monasca(struct hale_str text, const char *source,
                                                struct cli_import *out,
                                                struct hale_err *err);
/* A rule file of Prometheus (or a PrometheusRule of its operator). match_by: labels that tell the series
 * of rules without `by` apart, "a,b"; NULL: those that annotations name. HALE_E_INVAL: not a rule file. */
HALE_MUST_CHECK enum hale_rc
cli_import_prometheus(struct hale_str text, const char *source, const char *match_by,
                      struct cli_import *out, struct hale_err *err);

/* Operational and guard policies of ONAP (TOSCA, YAML or JSON) as policies of the actuator in mode
 * observe. HALE_E_INVAL: not such a file. */
HALE_MUST_CHECK enum hale_rc cli_import_onap(struct hale_str text, const char *source,
                                             struct cli_import *out,
                                             struct hale_err *err);
/* A VNF descriptor of OSM (SOL 006 with OSM's additions, or its older model): scaling policies, healing
 * policies and alarms of VDUs. HALE_E_INVAL: not such a descriptor. */
HALE_MUST_CHECK enum hale_rc cli_import_osm(struct hale_str text, const char *source,
                                            struct cli_import *out, struct hale_err *err);
/* A TOSCA template as Tacker has it: legacy monitoring, alarming and scaling policies, SOL 001's
 * indicators. HALE_E_INVAL: not such a template. */
HALE_MUST_CHECK enum hale_rc cli_import_tacker(struct hale_str text, const char *source,
                                               struct cli_import *out,
                                               struct hale_err *err);

/* --- for cli_import_osm and cli_import_tacker --- */
/* What holds while an operation is on its way: which condition leads to what. */
struct cli_import_action {
    const char *place;
    const char *name; /* of definition and policy */
    const char *expression;
    const char *severity; /* NULL: HIGH */
    json_t *match_by;     /* array of texts, taken */
    const char *target;
    int64_t cooldown_s;
    json_t *step; /* taken; NULL: a definition alone */
};
HALE_MUST_CHECK enum hale_rc cli_import_take_action(struct cli_import *i,
                                                    const struct cli_import_action *a);
struct hale_str cli_import_text(const struct hale_yaml_node *map, const char *key);
/* Left out, with its reason. */
void cli_import_leave_out(struct cli_import *i, const char *place, const char *fmt, ...)
    HALE_PRINTF(3, 4);

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
