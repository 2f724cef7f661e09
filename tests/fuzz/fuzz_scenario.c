/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario files of `hale test` and their notation for values: any bytes are read or refused, and a
 * short scenario that was read gives the same verdict twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/scenario_run.h"
#include "cli/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool small(const struct cli_scenario *s)
{
    return s->n_inputs < 200 && s->length_ms < 3600000 &&
           json_array_size(s->definitions) < 10;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hale_str text = {(const char *)data, size};
    struct hale_err err = {0};
    struct cli_scenario *s = NULL;
    struct cli_values values;
    if (cli_values_read(text, &values, &err) == HALE_OK)
        cli_values_fini(&values);
    if (memmem(data, size, "definitions:", 12) == data ||
        memmem(data, size, "_file", 5) != NULL)
        return 0; /* would read files */
    if (cli_scenario_read(text, "fuzz", &s, &err) != HALE_OK) {
        HALE_ASSERT(err.text[0] != '\0');
        return 0;
    }
    if (small(s)) {
        struct cli_verdict a, b;
        enum hale_rc first = cli_scenario_run(s, true, &a, &err);
        enum hale_rc second = cli_scenario_run(s, true, &b, &err);
        HALE_ASSERT(first == second);
        HALE_ASSERT(a.failed == b.failed && a.records == b.records);
        HALE_ASSERT(hale_str_eq(hale_buf_str(&a.timeline), hale_buf_str(&b.timeline)));
        cli_verdict_fini(&a);
        cli_verdict_fini(&b);
    }
    cli_scenario_free(s);
    return 0;
}
