/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_LOOP_H
#define HALE_ACTUATOR_LOOP_H
/*
 * loop - wires the alarm log, engine, ledger, notifications and HTTP client together.
 * Three connections to Redis: one waits for the log, one writes (pipelined), one answers
 * questions (start, subscribers that are behind, old records).
 */
#include "actuator/conf.h"
#include "net/daemon.h"

/* Works until hale_daemon_stopping; owns conf (struct actuator_conf). Returns the exit
 * code. */
int actuator_loop_run(struct hale_daemon *d, void *conf);
#endif
