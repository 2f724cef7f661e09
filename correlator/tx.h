/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_TX_H
#define CORRELATOR_TX_H
/*
 * tx - the output of one batch, collected as commands, written as one MULTI/EXEC.
 * Ownership: bytes are copied in. Errors latch: add freely, commit tells.
 * Threads:   one.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "store/redis.h"

struct correlator_tx;

struct correlator_tx *correlator_tx_new(void);     /* NULL on memory failure */
void correlator_tx_free(struct correlator_tx *tx); /* NULL allowed */
/* verb key a [b]: HSET, HDEL or XADD (XADD key a j b). */
enum correlator_verb { CORRELATOR_HSET, CORRELATOR_HDEL, CORRELATOR_XADD };
/* key is borrowed until commit or reset. */
void correlator_tx_add(struct correlator_tx *tx, enum correlator_verb verb,
                       const char *key, struct hale_str a, struct hale_str b);
size_t correlator_tx_bytes(const struct correlator_tx *tx); /* collected so far */
size_t correlator_tx_count(const struct correlator_tx *tx); /* commands */
/* Writes everything and empties tx. HALE_E_CONFLICT: a watched key changed, nothing was done;
 * HALE_E_IO: it is not known whether it was done; HALE_E_INVAL: refused in whole or in part, the
 * text is in hale_redis_error or logged. In every case of failure: load anew. */
HALE_MUST_CHECK enum hale_rc correlator_tx_commit(struct correlator_tx *tx,
                                                  struct hale_redis *r);
void correlator_tx_reset(struct correlator_tx *tx);
#endif
