/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_CONFIG_H
#define HALE_COLLECTOR_CONFIG_H
/*
 * config - the collector's configuration file as a value. Key by key documented in
 * packaging/examples/collector.yaml; the table in config.c is the source of the defaults,
 * of --help and of the manual. Ownership: the object belongs to the caller of _load.
 * Threads: immutable after load.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "collector/keystone_config.h"
#include "collector/limits_config.h"

struct collector_tiers;

struct collector_config {
    char *listen;
    char *redis;
    char *region;
    char *tokens_file;
    char *state_dir;
    char *dashboards_dir;
    char *notification_secret_file; /* the actuator's, or NULL; read when asked for */
    int64_t shards;
    int64_t max_body; /* bytes */
    int64_t max_connections;
    int64_t max_series;
    int64_t series_expire_ms;   /* without a sample; 0: never */
    int64_t shelve_max_ms;      /* how long an alarm can be shelved */
    int64_t max_spellings;      /* entries of the spelling cache */
    int64_t ingest_queue;       /* requests */
    int64_t ingest_queue_bytes; /* encoded bytes */
    int64_t hot_retention_ms;
    int64_t hot_flush_ms;
    int64_t hot_memory; /* bytes of unflushed samples */
    bool archive;
    int64_t archive_delay_ms;      /* samples later than this are not archived */
    int64_t archive_backlog_ms;    /* how long raw samples wait for a failing disk */
    struct collector_tiers *tiers; /* archive_tiers; owned */
    int64_t redis_memory_max;      /* bytes */
    int64_t redis_timeout_ms;
    int64_t query_threads;
    int64_t query_queue; /* requests */
    int64_t promql_timeout_ms;
    int64_t promql_max_samples; /* numbers held at once */
    int64_t promql_lookback_ms;
    int64_t history_max; /* transitions indexed for state history */
    bool trust_forwarded;
    struct collector_keystone_config keystone;
    struct collector_limits_config limits; /* per tenant */
    bool tls;                              /* the section is there */
    char *cert_file, *key_file, *client_ca_file;
    int client_certificates; /* enum hale_http_client_certificates */
    int tls_min;             /* 0: TLS 1.2, 1: TLS 1.3 */
    int log_level;
};

/* hale_daemon_spec.conf_load / conf_free / conf_describe. */
enum hale_rc collector_config_load(const char *path, void **conf_out,
                                   struct hale_err *err);
void collector_config_free(void *conf);
void collector_config_describe(struct hale_buf *out);
#endif
