/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_APP_H
#define HALE_COLLECTOR_APP_H
/*
 * app - what the parts of the collector need of each other: built by main.c before threads
 * start and torn down after they ended, so the pointers never change meanwhile.
 */
#include <stdatomic.h>
#include <stdbool.h>

#include "collector/config.h"
#include "net/daemon.h"
#include "net/http_server.h"
#include "store/redis.h"

struct collector_tokens;
struct collector_keystone;
struct collector_catalog;
struct collector_copies;
struct collector_metadata;
struct collector_intake;
struct collector_tenant_limits;
struct collector_writer;
struct collector_events;
struct collector_hot;
struct collector_archive;
struct collector_store;
struct collector_progress;
struct collector_sweep;
struct collector_pool;
struct collector_view;
struct collector_files;
struct collector_topology;

struct collector {
    const struct collector_config *conf;
    struct hale_daemon *daemon;
    int64_t started_ms;
    struct hale_http_tls *tls; /* the first certificates, until the server has them */
    struct hale_http_server *server; /* NULL: not started */
    struct collector_tokens *tokens;
    struct collector_keystone *keystone; /* NULL: not configured */
    struct collector_catalog *catalog;
    struct collector_copies *copies; /* of samples, to other shards */
    struct collector_metadata *metadata;
    struct collector_intake *intake;
    struct collector_tenant_limits *limits;
    struct collector_writer *writer;
    struct collector_events *events;
    struct collector_hot *hot;
    struct collector_archive *archive; /* NULL: switched off */
    struct collector_store *store;
    struct collector_progress *progress; /* of the store */
    struct collector_sweep *sweep;       /* of series that no longer report */
    struct collector_pool *queries;      /* reads */
    struct collector_pool
        *changes; /* definitions and alarms: may wait for the correlator */
    struct collector_view *view;
    struct collector_files *files;
    struct collector_topology *topology;
    _Atomic bool overloaded; /* Redis holds more than redis_memory_max */
    _Atomic bool redis_ok;
    _Atomic int64_t redis_memory; /* bytes */
};

/* A handler of one route. redis is the calling thread's connection, NULL in routes that
 * run on the network thread. Must answer req (or hand it on) exactly once. */
typedef void (*collector_handler)(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
#endif
