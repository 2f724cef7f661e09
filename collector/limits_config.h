/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_LIMITS_CONFIG_H
#define HALE_COLLECTOR_LIMITS_CONFIG_H
/*
 * limits_config - the section `limits` of the collector's configuration as a value: what each tenant
 * may send, and what single ones may instead.
 * Ownership: a part of struct collector_config. Threads: immutable after load.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "model/limits.h"
#include "model/yaml.h"

#define COLLECTOR_LIMITS_TENANTS_MAX 10000

struct collector_limit { /* 0: no limit */
    int64_t samples_per_second;
    int64_t samples_burst; /* samples at once; > 0 when samples_per_second is */
    int64_t max_body;      /* bytes of a request that carries samples */
    int64_t max_series;
};

struct collector_limit_row {
    char tenant[HALE_TENANT_MAX_BYTES + 1];
    struct collector_limit limit;
};

struct collector_limits_config {
    struct collector_limit each;      /* of tenants without a row */
    struct collector_limit_row *rows; /* owned */
    size_t n_rows;
};

/* node NULL: no limits. The caller frees with _fini, also after an error. */
HALE_MUST_CHECK enum hale_rc
collector_limits_config_read(const struct hale_yaml_node *node,
                             struct collector_limits_config *out, struct hale_err *err);
void collector_limits_config_fini(struct collector_limits_config *c);
void collector_limits_config_describe(struct hale_buf *out);
#endif
