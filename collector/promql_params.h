/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROMQL_PARAMS_H
#define HALE_COLLECTOR_PROMQL_PARAMS_H
/*
 * promql_params - parameters of Prometheus' API: of a form in the body and of the URL, the body's
 * first; times and durations as Prometheus writes them. Errors are HALE_E_INVAL with the text of
 * a bad_data answer.
 * Limits:    COLLECTOR_PROMQL_PARAMS_MAX parameters.
 * Ownership: texts live until _fini. Threads: one at a time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"

#define COLLECTOR_PROMQL_PARAMS_MAX 512

struct collector_promql_param {
    struct hale_str name, value;
};
struct collector_promql_params {
    struct hale_arena arena;
    struct collector_promql_param v[COLLECTOR_PROMQL_PARAMS_MAX];
    unsigned n;
    bool failed; /* too many, or no memory */
};

void collector_promql_params_init(struct collector_promql_params *p);
void collector_promql_params_fini(struct collector_promql_params *p);
/* One parameter, decoded already. */
void collector_promql_params_add(struct collector_promql_params *p, struct hale_str name,
                                 struct hale_str value);
/* All of a form: a=1&b=%20, percent- and plus-decoded. */
void collector_promql_params_form(struct collector_promql_params *p,
                                  struct hale_str form);
/* The first of that name, {NULL,0} when absent. */
struct hale_str collector_promql_param(const struct collector_promql_params *p,
                                       const char *name);

/* Seconds since 1970 with fraction, or RFC 3339. */
HALE_MUST_CHECK enum hale_rc collector_promql_time(struct hale_str s, int64_t *out_ms);
/* Seconds with fraction, or 1h30m. */
HALE_MUST_CHECK enum hale_rc collector_promql_duration(struct hale_str s,
                                                       int64_t *out_ms);
/* A label's name out of a path: "U__" and "_2e_" for other characters are undone as Prometheus'
 * clients escape them. The result lives in the arena; {NULL,0} without memory. */
struct hale_str collector_promql_label_name(struct hale_arena *a, struct hale_str s);
#endif
