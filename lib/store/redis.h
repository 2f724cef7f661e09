/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_STORE_REDIS_H
#define HALE_STORE_REDIS_H
/*
 * redis - one connection to Redis with pipelining and deadlines (wraps hiredis; nobody else
 * includes it). Own non-blocking I/O with poll, so a wait can be interrupted by other descriptors.
 * Use:       append commands, then take their replies in order; or hale_redis_cmd for one.
 * Errors:    HALE_E_IO: the connection broke or the deadline passed; the connection is closed, all
 *            pending replies are gone, and whether the commands ran is unknown. The next append
 *            connects anew (at most one try per back-off step, 50 ms..2 s; between tries
 *            HALE_E_AGAIN at once). HALE_E_AGAIN also for -LOADING, -BUSY, -MASTERDOWN.
 *            Error replies (-ERR ...) are replies: hale_reply_error.
 * Memory:    a reply may not exceed 512 MiB; the write buffer has a ceiling (64 MiB: HALE_E_LIMIT).
 * Threads:   a connection belongs to one thread.
 */
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

struct hale_redis;
struct hale_reply;

/* url: "unix:/path/redis.sock", "host:port" or "host". Does not connect yet. timeout_ms: deadline
 * of connecting and of one reply. NULL on memory failure. */
struct hale_redis *hale_redis_new(const char *url, int64_t timeout_ms);
void hale_redis_free(struct hale_redis *r);
/* Syntax check for configurations. */
HALE_MUST_CHECK enum hale_rc hale_redis_check_url(const char *url, struct hale_err *err);
bool hale_redis_connected(const struct hale_redis *r);
const char *hale_redis_error(const struct hale_redis *r); /* last reason, "" when none */
/* Grows by one with each new connection: lets callers notice a reconnect. */
uint64_t hale_redis_generation(const struct hale_redis *r);

/* Queues a command (connects if needed). Arguments are copied. */
HALE_MUST_CHECK enum hale_rc hale_redis_append(struct hale_redis *r, unsigned n,
                                               const struct hale_str *args);
/* The same from a list of struct hale_str: HALE_REDIS(r, HALE_STR("GET"), key). */
#define HALE_REDIS(r, ...)                                                               \
    hale_redis_append(                                                                   \
        (r),                                                                             \
        (unsigned)(sizeof((struct hale_str[]){__VA_ARGS__}) / sizeof(struct hale_str)),  \
        (const struct hale_str[]){__VA_ARGS__})
/* Sends what is queued as far as the socket takes it; replies flush too. */
HALE_MUST_CHECK enum hale_rc hale_redis_flush(struct hale_redis *r);
/* Next reply in order; waits up to the connection's timeout. The caller frees it. */
HALE_MUST_CHECK enum hale_rc hale_redis_reply(struct hale_redis *r,
                                              struct hale_reply **out);
/* As above with its own deadline (for XREAD BLOCK: block time + timeout is added by the caller). */
HALE_MUST_CHECK enum hale_rc
hale_redis_reply_wait(struct hale_redis *r, int64_t timeout_ms, struct hale_reply **out);
/* Next reply if it is complete; HALE_E_NOTFOUND when not yet. Never waits; flushes first. */
HALE_MUST_CHECK enum hale_rc hale_redis_try_reply(struct hale_redis *r,
                                                  struct hale_reply **out);
/* For poll loops: fills fd and events (POLLIN, and POLLOUT while bytes wait); -1 when closed. */
void hale_redis_pollfd(const struct hale_redis *r, struct pollfd *out);
/* Takes and drops every reply that is pending, so that the connection can be used again. */
void hale_redis_drain(struct hale_redis *r);
unsigned hale_redis_pending(const struct hale_redis *r); /* replies not taken yet */
/* append + reply. An error reply gives HALE_E_INVAL and is freed; the text is in
 * hale_redis_error. */
HALE_MUST_CHECK enum hale_rc hale_redis_cmd(struct hale_redis *r, unsigned n,
                                            const struct hale_str *args,
                                            struct hale_reply **out);
#define HALE_REDIS_CMD(r, out, ...)                                                      \
    hale_redis_cmd(                                                                      \
        (r),                                                                             \
        (unsigned)(sizeof((struct hale_str[]){__VA_ARGS__}) / sizeof(struct hale_str)),  \
        (const struct hale_str[]){__VA_ARGS__}, (out))
/* MULTI ... EXEC: begin, append any number (each queues one command), exec waits. The replies of
 * the commands are the elements of *out (NULL allowed). HALE_E_INVAL: Redis refused (text in
 * hale_redis_error; nothing was done), HALE_E_CONFLICT: a WATCH failed, HALE_E_IO: unknown. */
HALE_MUST_CHECK enum hale_rc hale_redis_begin(struct hale_redis *r);
HALE_MUST_CHECK enum hale_rc hale_redis_exec(struct hale_redis *r,
                                             struct hale_reply **out);
/* Gives a begun transaction up instead of exec. After a failed append inside a transaction every
 * further append fails alike until exec (which tells the reason) or discard: commands never slip
 * out of their transaction. Without a transaction it does nothing. */
void hale_redis_discard(struct hale_redis *r);

/* --- replies -------------------------------------------------------------------------------- */
void hale_reply_free(struct hale_reply *p); /* NULL allowed; only for top-level replies */
bool hale_reply_is_nil(const struct hale_reply *p);
bool hale_reply_is_error(const struct hale_reply *p);
struct hale_str
hale_reply_str(const struct hale_reply *p); /* string, status or error text */
int64_t
hale_reply_int(const struct hale_reply *p);      /* integer, or number in a string; 0 */
size_t hale_reply_n(const struct hale_reply *p); /* elements of an array, else 0 */
const struct hale_reply *hale_reply_at(const struct hale_reply *p,
                                       size_t i); /* NULL if none */

/* --- streams -------------------------------------------------------------------------------- */
/* A position in a stream. Text "ms-seq". */
struct hale_stream_id {
    uint64_t ms, seq;
};
#define HALE_STREAM_ID_TEXT 42
const char *hale_stream_id_text(struct hale_stream_id id, char *dst);
HALE_MUST_CHECK enum hale_rc hale_stream_id_parse(struct hale_str s,
                                                  struct hale_stream_id *out);
int hale_stream_id_cmp(struct hale_stream_id a, struct hale_stream_id b);
/* Queues XREAD COUNT count [BLOCK block_ms] STREAMS keys.. ids.. (block_ms < 0: no BLOCK). */
HALE_MUST_CHECK enum hale_rc hale_redis_xread(struct hale_redis *r, unsigned n,
                                              const char *const *keys,
                                              const struct hale_stream_id *after,
                                              unsigned count, int64_t block_ms);
/* Calls each for every entry of an XREAD reply (stream = index into keys as given) in order.
 * value is the entry's first field value. Stops when each returns non-zero and returns that. */
int hale_reply_entries(const struct hale_reply *p, unsigned n, const char *const *keys,
                       int (*each)(unsigned stream, struct hale_stream_id id,
                                   struct hale_str field, struct hale_str value,
                                   void *arg),
                       void *arg);
/* The same in the order of the ids over all streams (of one id: of the keys), as far as that order is
 * known: where a stream gave count entries, which may not be all it has, nothing later than its last
 * one is given of any stream, and all is false afterwards. */
#define HALE_REPLY_STREAMS_MAX 128
struct hale_merge {
    unsigned n; /* 1..HALE_REPLY_STREAMS_MAX */
    const char *const *keys;
    unsigned count; /* as given to XREAD */
    unsigned loose; /* stream that holds up no other; n: none */
    bool all;       /* out */
};
int hale_reply_merge(const struct hale_reply *p, struct hale_merge *m,
                     int (*each)(unsigned stream, struct hale_stream_id id,
                                 struct hale_str field, struct hale_str value, void *arg),
                     void *arg);
/* As hale_reply_entries for the reply of XRANGE/XREVRANGE (one stream: index 0). */
int hale_reply_range(const struct hale_reply *p,
                     int (*each)(unsigned stream, struct hale_stream_id id,
                                 struct hale_str field, struct hale_str value, void *arg),
                     void *arg);
#endif
