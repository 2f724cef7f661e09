/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_HISTORY_H
#define HALE_CLI_HISTORY_H
/*
 * history - the stored samples that some definitions look at, read through the collector's API.
 * Ownership: the caller frees it with cli_history_fini.
 * Limits:    CLI_HISTORY_SAMPLES_MAX samples: HALE_E_LIMIT.
 * Threads:   one.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/rc.h"
#include "cli/api.h"
#include "model/expr.h"

#define CLI_HISTORY_SAMPLES_MAX 20000000

struct cli_history_sample {
    int64_t time_ms;
    unsigned series;
    double value;
};
struct cli_history {
    json_t *series; /* array of {"name","dimensions"} */
    json_t *index;  /* text of a series -> its number */
    json_t *asked;  /* selectors: each once */
    size_t n, cap;
    struct cli_history_sample *samples;
    struct cli_resolution resolution;
};

void cli_history_init(struct cli_history *h);
void cli_history_fini(struct cli_history *h);
/* Adds the samples of every metric of the expression, from start to end (both included). */
HALE_MUST_CHECK enum hale_rc cli_history_read(struct cli_history *h,
                                              const struct cli_api *api,
                                              const struct hale_expr *expr,
                                              int64_t start_ms, int64_t end_ms,
                                              struct hale_err *err);
/* By time; of one time by series. */
void cli_history_sort(struct cli_history *h);
#endif
