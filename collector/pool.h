/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_POOL_H
#define HALE_COLLECTOR_POOL_H
/*
 * pool - threads that run handlers which wait for Redis or disk, each with its own
 * connection. Limits: a bounded queue; a request beyond it is answered 503.
 * Threads: submit from the network thread.
 */
#include "collector/app.h"

struct collector_pool;

HALE_MUST_CHECK enum hale_rc collector_pool_start(struct collector *c, unsigned n_threads,
                                                  size_t queue,
                                                  struct collector_pool **out);
/* Runs what waits, then ends the threads. */
void collector_pool_stop(struct collector_pool *p);
/* Runs the handler of req's route, or answers 503. */
void collector_pool_submit(struct collector_pool *p, struct hale_http_req *req);
#endif
