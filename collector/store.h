/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_STORE_H
#define HALE_COLLECTOR_STORE_H
/*
 * store - the thread that reads the sample streams and feeds hot store and archive, moves
 * their checkpoints and trims what every consumer has. It is one consumer among others
 * (thresholds reads the same streams), so a killed collector continues at its checkpoints.
 * Threads: its own; start and stop from main.
 */
#include "collector/app.h"

struct collector_store;

/* Loads the catalogue and the checkpoints from Redis (waits for Redis until the daemon
 * stops: HALE_E_CLOSED), then starts the thread. */
HALE_MUST_CHECK enum hale_rc collector_store_start(struct collector *c,
                                                   struct collector_store **out);
/* Flushes raw samples, then ends the thread. */
void collector_store_stop(struct collector_store *s);
#endif
