/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_CONF_H
#define CORRELATOR_CONF_H
/*
 * conf - the correlator's configuration file (man page hale-correlator(8)).
 * Ownership: heap object, free with correlator_conf_free. Threads: immutable after load.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "correlator/engine.h"
#include "model/yaml.h"

struct correlator_conf {
    char *redis;                                    /* URL for hale_redis_new */
    char *listen;                                   /* ops listener, "host:port" */
    int64_t shards;                                 /* 1..HALE_SHARDS_MAX */
    int64_t max_alarms;                             /* ceiling, > 0 */
    int64_t max_sub_alarms;                         /* ceiling, > 0 */
    int64_t max_entities, max_entities_per_tenant;  /* ceilings, > 0 */
    int64_t flap_window_ms;                         /* 0: off */
    int64_t storm_rate, storm_burst, storm_reserve; /* a minute, at once, percent */
    int64_t flap_start, flap_stop;                  /* percent */
    int64_t cause_window_ms, hold_max_ms, clear_hold_ms, clear_hold_max_ms; /* causes */
    char *rules_file; /* NULL: none */
    struct hale_rules *rules;
    int log_level; /* enum hale_log_level */
};

/* For struct hale_daemon_spec. */
HALE_MUST_CHECK enum hale_rc correlator_conf_load(const char *path, void **conf_out,
                                                  struct hale_err *err);
/* The same from a part of another file (a scenario's). */
HALE_MUST_CHECK enum hale_rc correlator_conf_read(const struct hale_yaml_node *map,
                                                  struct correlator_conf **out,
                                                  struct hale_err *err);
/* What of it is the engine's. */
struct correlator_limits correlator_conf_limits(const struct correlator_conf *c);
void correlator_conf_free(void *conf);
void correlator_conf_describe(struct hale_buf *out);
#endif
