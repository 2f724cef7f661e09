/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_LEDGER_H
#define HALE_ACTUATOR_LEDGER_H
/*
 * ledger - the actuator's writes to Redis: commits of the engine (one atomic script
 * each, one round trip), cursors, health. Pipelined; replies are taken in order by
 * _drain.
 * Errors:    any I/O error, error reply or a reply that stays out for
 *            ACTUATOR_LEDGER_WAIT_MS gives HALE_E_IO for ever after: what was pending is
 *                    unknown, so the owner throws the
 *            engine away and loads the state anew, as after a crash.
 * Threads:   one.
 */
#include <poll.h>
#include <stdint.h>

#include "actuator/engine.h"
#include "base/rc.h"

#define ACTUATOR_LEDGER_WAIT_MS 5000

struct actuator_ledger;

struct actuator_ledger *actuator_ledger_new(const char *redis_url);
void actuator_ledger_free(struct actuator_ledger *l);
HALE_MUST_CHECK enum hale_rc actuator_ledger_commit(struct actuator_ledger *l,
                                                    const struct actuator_commit *c);
/* SET key value [EX ttl_s]; ttl_s 0 = none. */
HALE_MUST_CHECK enum hale_rc actuator_ledger_set(struct actuator_ledger *l,
                                                 const char *key, struct hale_str value,
                                                 int ttl_s);
/* HSET key field value; value.p NULL: HDEL key field. */
HALE_MUST_CHECK enum hale_rc actuator_ledger_hset(struct actuator_ledger *l,
                                                  const char *key, const char *field,
                                                  struct hale_str value);
/* The alarm log has been handled up to seq. Comes after all commits before it. */
HALE_MUST_CHECK enum hale_rc actuator_ledger_position(struct actuator_ledger *l,
                                                      int64_t seq);
/* Sends, and calls done for every commit that has been answered. */
HALE_MUST_CHECK enum hale_rc actuator_ledger_drain(
    struct actuator_ledger *l,
    void (*done)(void *arg, const char *run_id, enum actuator_commit_result result,
                 int64_t token, const char *holder),
    void *arg);
void actuator_ledger_pollfd(const struct actuator_ledger *l, struct pollfd *out);
#endif
