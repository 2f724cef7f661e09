/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_VALUES_H
#define HALE_CLI_VALUES_H
/*
 * values - the short notation for samples at equal distances, as promtool has it:
 *   7 -1.5 1e3      one sample each          _       no sample
 *   0+10x5          0 10 20 30 40 50         _x3     three times none
 *   9-1x2           9 8 7                    5x2     5 5 5
 *   NaN             a sample that the collector refuses: none arrives
 * Words are separated by blanks.
 * Ownership: the caller frees v with cli_values_fini.
 * Limits:    CLI_VALUES_MAX samples.
 * Threads:   values.
 */
#include <stddef.h>

#include "base/rc.h"
#include "base/str.h"

#define CLI_VALUES_MAX 1000000

struct cli_values {
    size_t n;
    double *v; /* NaN: no sample */
};

/* HALE_E_INVAL names the word and its place (err->col counts characters from 1). */
HALE_MUST_CHECK enum hale_rc cli_values_read(struct hale_str text, struct cli_values *out,
                                             struct hale_err *err);
void cli_values_fini(struct cli_values *v);
#endif
