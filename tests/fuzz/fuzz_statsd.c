/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram: each line is refused, or what it adds up to is a sample Monasca's rules allow. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/statsd_table.h"
#include "model/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *name, const struct agent_dim *dims, unsigned n_dims,
                  double value, void *arg)
{
    struct hale_err err;

    (void)arg;
    (void)value; /* a sum may overflow; the sink drops and counts what is not finite */
    if (hale_series_check_name(hale_str_from(name), &err) != HALE_OK)
        abort();
    for (unsigned i = 0; i < n_dims; i++) {
        if (hale_series_check_dim(hale_str_from(dims[i].key),
                                  hale_str_from(dims[i].value), &err) != HALE_OK)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_statsd_table *t = agent_statsd_table_new(64);
    struct hale_str rest = {(const char *)data, size};
    int64_t now_ms = 0;

    if (t == NULL)
        return 0;
    while (rest.p != NULL && size > 0) {
        struct hale_err err = {0};
        if (agent_statsd_table_add(t, hale_str_split(&rest, '\n'), now_ms++, &err) !=
                HALE_OK &&
            err.text[0] == '\0')
            abort();
    }
    agent_statsd_table_flush(t, check, NULL);
    agent_statsd_table_free(t);
    return 0;
}
