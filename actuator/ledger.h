/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_LEDGER_H
#define HALE_ACTUATOR_LEDGER_H
/*
 * ledger - the actuator's writes to Redis: commits of the engine (one atomic script
 * each, one round trip), cursors, health. Pipelined; replies are taken in order by
 * _drain.
 * Fenced:    what only the holder of a role may write (roles.h) is refused by Redis when the role has
 *            changed hands since; that is an error like the others.
 * Errors:    any I/O error, error reply or a reply that stays out for
 *            ACTUATOR_LEDGER_WAIT_MS gives HALE_E_IO for ever after: what was pending is
 *                    unknown, so the owner throws the
 *            engine away and loads the state anew, as after a crash.
 * Threads:   one.
 */
#include <poll.h>
#include <stdint.h>

#include "actuator/engine.h"
#include "actuator/roles.h"
#include "base/rc.h"

#define ACTUATOR_LEDGER_WAIT_MS 5000

struct actuator_ledger;

/* Writes carry the fencing numbers that roles has now. */
struct actuator_ledger *actuator_ledger_new(const char *redis_url,
                                            const struct actuator_roles *roles);
void actuator_ledger_free(struct actuator_ledger *l);
HALE_MUST_CHECK enum hale_rc actuator_ledger_commit(struct actuator_ledger *l,
                                                    const struct actuator_commit *c);
HALE_MUST_CHECK enum hale_rc actuator_ledger_health(struct actuator_ledger *l,
                                                    const char *key, struct hale_str json,
                                                    int ttl_s);
/* The subscriber of this key has been told all up to seq (role tell). */
HALE_MUST_CHECK enum hale_rc actuator_ledger_cursor(struct actuator_ledger *l,
                                                    const char *key, int64_t seq);
/* HSET key field value (role tell); value.p NULL: HDEL key field. */
HALE_MUST_CHECK enum hale_rc actuator_ledger_hset(struct actuator_ledger *l,
                                                  const char *key, const char *field,
                                                  struct hale_str value);
/* A Lua script of role tell, all or nothing; it returns {0,n,''}. n: dead letters that went for want of
 * room. The last key and the last two arguments are added here. */
HALE_MUST_CHECK enum hale_rc actuator_ledger_script(struct actuator_ledger *l,
                                                    const char *script, unsigned n_keys,
                                                    const struct hale_str *keys,
                                                    unsigned n_args,
                                                    const struct hale_str *args);
/* What a maintenance session comes to, all or nothing (role act): its record, what it says and writes down, windows. */
struct actuator_upkeep_commit {
    const char *id;         /* of the session */
    struct hale_str record; /* len 0: it is forgotten */
    bool keep;              /* the record stays as it is */
    unsigned n_settled, n_events, n_windows, n_rows;
    const struct hale_str *settled; /* fields of HALE_KEYS_UPKEEP_SAID */
    const struct hale_str *event;   /* of HALE_KEYS_UPKEEP_SAYS */
    const struct hale_str *window;  /* id, JSON, id, JSON, ... (2 * n_windows) */
    const struct hale_str *row;     /* of the journal */
};
HALE_MUST_CHECK enum hale_rc
actuator_ledger_upkeep(struct actuator_ledger *l, const struct actuator_upkeep_commit *c);
/* In this role the alarm log has been handled up to seq. Comes after all writes before it. */
HALE_MUST_CHECK enum hale_rc
actuator_ledger_position(struct actuator_ledger *l, enum actuator_role role, int64_t seq);
/* Sends, and calls done for every commit that has been answered. */
HALE_MUST_CHECK enum hale_rc actuator_ledger_drain(
    struct actuator_ledger *l,
    void (*done)(void *arg, const char *run_id, enum actuator_commit_result result,
                 int64_t token, const char *holder),
    void *arg);
void actuator_ledger_pollfd(const struct actuator_ledger *l, struct pollfd *out);
#endif
