/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_CONF_H
#define HALE_THRESHOLDS_CONF_H
/*
 * conf - configuration of hale-thresholds (docs/man/hale-thresholds.8). A heap object,
 * immutable after load.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "thresholds/engine.h"

struct thresholds_conf {
    char *redis;
    int64_t shards;
    char *listen;
    int log_level; /* enum hale_log_level */
    int64_t late_wait_ms;
    int64_t checkpoint_interval_ms;
    int64_t max_series, max_subalarms; /* per shard */
};

/* The signatures are those of struct hale_daemon_spec. */
enum hale_rc thresholds_conf_load(const char *path, void **conf_out,
                                  struct hale_err *err);
void thresholds_conf_free(void *conf);
void thresholds_conf_describe(struct hale_buf *out);
struct thresholds_limits thresholds_conf_limits(const struct thresholds_conf *c);
#endif
