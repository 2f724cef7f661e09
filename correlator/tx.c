/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/tx.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"

#define TX_BYTES_MAX (48u << 20) /* below the connection's ceiling */

struct op {
    enum correlator_verb verb;
    const char *key;
    size_t a, a_len, b, b_len; /* offsets into bytes */
};

struct correlator_tx {
    struct hale_buf bytes;
    struct op *ops;
    size_t n, cap;
    bool nomem;
};

struct correlator_tx *correlator_tx_new(void)
{
    struct correlator_tx *tx = calloc(1, sizeof(*tx));
    if (tx != NULL)
        hale_buf_init(&tx->bytes, TX_BYTES_MAX);
    return tx;
}

void correlator_tx_free(struct correlator_tx *tx)
{
    if (tx == NULL)
        return;
    hale_buf_fini(&tx->bytes);
    free(tx->ops);
    free(tx);
}

void correlator_tx_reset(struct correlator_tx *tx)
{
    hale_buf_reset(&tx->bytes);
    tx->n = 0;
    tx->nomem = false;
}

size_t correlator_tx_bytes(const struct correlator_tx *tx)
{
    return tx->bytes.len;
}

size_t correlator_tx_count(const struct correlator_tx *tx)
{
    return tx->n;
}

void correlator_tx_add(struct correlator_tx *tx, enum correlator_verb verb,
                       const char *key, struct hale_str a, struct hale_str b)
{
    if (tx->n == tx->cap) {
        size_t cap = tx->cap == 0 ? 256 : tx->cap * 2;
        struct op *grown = realloc(tx->ops, cap * sizeof(*grown));
        if (grown == NULL) {
            tx->nomem = true;
            return;
        }
        tx->ops = grown;
        tx->cap = cap;
    }
    struct op *op = &tx->ops[tx->n++];
    *op = (struct op){.verb = verb,
                      .key = key,
                      .a = tx->bytes.len,
                      .a_len = a.len,
                      .b = tx->bytes.len + a.len,
                      .b_len = b.len};
    hale_buf_add_str(&tx->bytes, a);
    hale_buf_add_str(&tx->bytes, b);
}

static enum hale_rc append(const struct correlator_tx *tx, const struct op *op,
                           struct hale_redis *r)
{
    struct hale_str key = hale_str_from(op->key);
    struct hale_str a = {tx->bytes.p + op->a, op->a_len};
    struct hale_str b = {tx->bytes.p + op->b, op->b_len};
    switch (op->verb) {
    case CORRELATOR_HSET: return HALE_REDIS(r, HALE_STR("HSET"), key, a, b);
    case CORRELATOR_HDEL: return HALE_REDIS(r, HALE_STR("HDEL"), key, a);
    case CORRELATOR_XADD:
        return HALE_REDIS(r, HALE_STR("XADD"), key, a, HALE_STR("j"), b);
    }
    return HALE_E_INVAL;
}

/* Redis does not undo a transaction of which one command failed. */
static enum hale_rc check_replies(const struct hale_reply *replies)
{
    for (size_t i = 0; i < hale_reply_n(replies); i++) {
        const struct hale_reply *one = hale_reply_at(replies, i);
        if (!hale_reply_is_error(one))
            continue;
        char quoted[256];
        hale_error("event=write_refused reply=%s",
                   hale_log_quote(hale_reply_str(one).p, quoted, sizeof(quoted)));
        return HALE_E_INVAL;
    }
    return HALE_OK;
}

enum hale_rc correlator_tx_commit(struct correlator_tx *tx, struct hale_redis *r)
{
    struct hale_reply *replies = NULL;
    enum hale_rc rc = tx->nomem || tx->bytes.failed ? HALE_E_NOMEM : hale_redis_begin(r);
    for (size_t i = 0; rc == HALE_OK && i < tx->n; i++)
        rc = append(tx, &tx->ops[i], r);
    if (rc == HALE_OK)
        rc = hale_redis_exec(r, &replies);
    else
        hale_redis_discard(r);
    if (rc == HALE_OK)
        rc = check_replies(replies);
    hale_reply_free(replies);
    correlator_tx_reset(tx);
    return rc;
}
