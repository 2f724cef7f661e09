/* SPDX-License-Identifier: Apache-2.0 */
#include "store/redis.h"

#include <hiredis/hiredis.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "store/redis_private.h"

#define REDIS_MAGIC        0x7e915001u
#define OUT_MAX_BYTES      (64u * 1024 * 1024) /* queued, not sent */
#define OUT_FLUSH_BYTES    (256u * 1024)       /* append starts sending from here on */
#define OUT_SHIFT_BYTES    (1024u * 1024)      /* sent bytes are dropped from here on */
#define OUT_IDLE_BYTES     (8u * 1024 * 1024)  /* a drained buffer above this is freed */
#define IN_CHUNK_BYTES     (64u * 1024)        /* one recv */
#define REPLY_MAX_BYTES    (512u * 1024 * 1024)
#define BACKOFF_MIN_MS     50
#define BACKOFF_MAX_MS     2000
#define TIMEOUT_DEFAULT_MS 2000

enum tx_state {
    TX_NONE,
    TX_OPEN,  /* between begin and exec */
    TX_BROKEN /* the transaction cannot succeed; exec tells tx_rc */
};

struct hale_redis {
    unsigned magic;
    char *url;            /* as given, for messages */
    int64_t timeout_ms;   /* connecting and one reply */
    int fd;               /* -1 when closed */
    redisReader *reader;  /* NULL when closed */
    char *in;             /* IN_CHUNK_BYTES */
    struct hale_buf out;  /* encoded commands; the first `sent` bytes are on the wire */
    size_t sent;          /* bytes of out already sent */
    size_t fed;           /* bytes fed to the reader since the last whole reply */
    unsigned pending;     /* replies not taken yet */
    uint64_t generation;  /* connections made */
    int64_t next_try_ms;  /* monotonic: no connect before */
    int64_t backoff_ms;   /* next pause */
    bool proven;          /* this connection has answered once */
    enum tx_state tx;     /* transaction */
    enum hale_rc tx_rc;   /* TX_BROKEN: why */
    unsigned tx_commands; /* commands between MULTI and EXEC */
    char error[320];      /* last reason, "" when none */
};

/* --- errors and closing ----------------------------------------------------------------------- */

static void set_error(struct hale_redis *r, const char *fmt, ...) HALE_PRINTF(2, 3);
static void set_error(struct hale_redis *r, const char *fmt, ...)
{
    char text[220];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)snprintf(r->error, sizeof(r->error), "redis %.80s: %s", r->url, text);
}

static void break_transaction(struct hale_redis *r, enum hale_rc rc)
{
    if (r->tx == TX_OPEN) {
        r->tx = TX_BROKEN;
        r->tx_rc = rc;
    }
}

static void disconnect(struct hale_redis *r)
{
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = -1;
    if (r->reader != NULL)
        redisReaderFree(r->reader);
    r->reader = NULL;
    hale_buf_fini(&r->out);
    hale_buf_init(&r->out, OUT_MAX_BYTES);
    r->sent = 0;
    r->fed = 0;
    r->pending = 0;
    break_transaction(r, HALE_E_IO);
}

/* The connection is lost. One that never answered counts as a failed try and is paused. */
static enum hale_rc lose(struct hale_redis *r)
{
    disconnect(r);
    if (!r->proven) {
        r->next_try_ms = hale_clock_mono_ms() + r->backoff_ms;
        r->backoff_ms *= 2;
        if (r->backoff_ms > BACKOFF_MAX_MS)
            r->backoff_ms = BACKOFF_MAX_MS;
    }
    return HALE_E_IO;
}

/* --- connecting ------------------------------------------------------------------------------- */

static enum hale_rc ensure_connected(struct hale_redis *r)
{
    struct hale_err err = {.rc = HALE_OK};
    if (r->fd >= 0)
        return HALE_OK;
    if (hale_clock_mono_ms() < r->next_try_ms)
        return HALE_E_AGAIN;
    r->proven = false;
    r->reader = hale_reply_reader_new();
    if (r->reader == NULL) {
        set_error(r, "out of memory");
        return HALE_E_NOMEM;
    }
    enum hale_rc rc = hale_redis_dial(r->url, r->timeout_ms, &r->fd, &err);
    if (rc != HALE_OK) {
        set_error(r, "%s", err.text);
        (void)lose(r);
        return rc;
    }
    r->generation++;
    return HALE_OK;
}

/* --- bytes out, bytes in ---------------------------------------------------------------------- */

/* Sends until the socket is full or nothing is left. */
static enum hale_rc send_some(struct hale_redis *r)
{
    while (r->sent < r->out.len) {
        ssize_t n = send(r->fd, r->out.p + r->sent, r->out.len - r->sent, MSG_NOSIGNAL);
        if (n >= 0) {
            r->sent += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        set_error(r, "send: %s", strerrordesc_np(errno));
        return lose(r);
    }
    if (r->sent == r->out.len) {
        r->sent = 0;
        hale_buf_reset(&r->out);
        if (r->out.cap > OUT_IDLE_BYTES)
            hale_buf_fini(&r->out);
    } else if (r->sent >= OUT_SHIFT_BYTES && r->sent >= r->out.len / 2) {
        hale_buf_consume(&r->out, r->sent);
        r->sent = 0;
    }
    return HALE_OK;
}

/* Reads once. HALE_E_AGAIN: nothing there. */
static enum hale_rc receive(struct hale_redis *r)
{
    ssize_t n;
    do {
        n = recv(r->fd, r->in, IN_CHUNK_BYTES, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return HALE_E_AGAIN;
    if (n <= 0) {
        set_error(r, "%s",
                  n == 0 ? "the server closed the connection" : strerrordesc_np(errno));
        return lose(r);
    }
    r->fed += (size_t)n;
    if (r->fed > REPLY_MAX_BYTES) {
        set_error(r, "a reply is larger than %u MiB", REPLY_MAX_BYTES >> 20);
        return lose(r);
    }
    if (redisReaderFeed(r->reader, r->in, (size_t)n) != REDIS_OK) {
        set_error(r, "%s", r->reader->errstr);
        return lose(r);
    }
    return HALE_OK;
}

/* The next whole reply among the bytes already read. HALE_E_AGAIN: there is none. */
static enum hale_rc next_parsed(struct hale_redis *r, struct hale_reply **out)
{
    void *reply = NULL;
    if (redisReaderGetReply(r->reader, &reply) != REDIS_OK) {
        set_error(r, "unreadable answer: %s", r->reader->errstr);
        return lose(r);
    }
    if (reply == NULL)
        return HALE_E_AGAIN;
    r->fed = r->reader->len - r->reader->pos;
    r->proven = true;
    r->backoff_ms = BACKOFF_MIN_MS;
    r->next_try_ms = 0;
    if (r->pending == 0) {
        hale_reply_free(reply);
        set_error(r, "the server sent a reply that nobody asked for");
        return lose(r);
    }
    r->pending--;
    *out = reply;
    return HALE_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

struct hale_redis *hale_redis_new(const char *url, int64_t timeout_ms)
{
    struct hale_redis *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->magic = REDIS_MAGIC;
    r->fd = -1;
    r->timeout_ms = timeout_ms > 0 ? timeout_ms : TIMEOUT_DEFAULT_MS;
    r->backoff_ms = BACKOFF_MIN_MS;
    hale_buf_init(&r->out, OUT_MAX_BYTES);
    r->url = strdup(url);
    r->in = malloc(IN_CHUNK_BYTES);
    if (r->url == NULL || r->in == NULL) {
        hale_redis_free(r);
        return NULL;
    }
    return r;
}

void hale_redis_free(struct hale_redis *r)
{
    if (r == NULL)
        return;
    HALE_CHECK(r, REDIS_MAGIC);
    disconnect(r);
    hale_buf_fini(&r->out);
    free(r->in);
    free(r->url);
    r->magic = 0;
    free(r);
}

bool hale_redis_connected(const struct hale_redis *r)
{
    HALE_CHECK(r, REDIS_MAGIC);
    return r->fd >= 0;
}

const char *hale_redis_error(const struct hale_redis *r)
{
    HALE_CHECK(r, REDIS_MAGIC);
    return r->error;
}

uint64_t hale_redis_generation(const struct hale_redis *r)
{
    HALE_CHECK(r, REDIS_MAGIC);
    return r->generation;
}

unsigned hale_redis_pending(const struct hale_redis *r)
{
    HALE_CHECK(r, REDIS_MAGIC);
    return r->pending;
}

void hale_redis_pollfd(const struct hale_redis *r, struct pollfd *out)
{
    HALE_CHECK(r, REDIS_MAGIC);
    out->fd = r->fd;
    out->events = (short)(r->sent < r->out.len ? POLLIN | POLLOUT : POLLIN);
    out->revents = 0;
}

/* --- commands --------------------------------------------------------------------------------- */

static void add_header(struct hale_buf *b, char mark, size_t value)
{
    char text[24];
    size_t at = sizeof(text);
    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text[--at] = mark;
    hale_buf_add(b, text + at, sizeof(text) - at);
}

/* Encodes straight into the write buffer: each argument is copied once. */
static enum hale_rc encode(struct hale_redis *r, unsigned n, const struct hale_str *args)
{
    size_t before = r->out.len;
    size_t need = 32;
    for (unsigned i = 0; i < n; i++)
        need += args[i].len + 32;
    if (need > OUT_MAX_BYTES - (before - r->sent)) {
        set_error(r, "the write buffer is full (%u MiB)", OUT_MAX_BYTES >> 20);
        return HALE_E_LIMIT;
    }
    if (need > OUT_MAX_BYTES - before) { /* room is there once the sent part is dropped */
        hale_buf_consume(&r->out, r->sent);
        r->sent = 0;
    }
    if (hale_buf_reserve(&r->out, need) == NULL) {
        hale_buf_fini(&r->out);
        set_error(r, "out of memory for the write buffer");
        (void)lose(r);
        return HALE_E_NOMEM;
    }
    add_header(&r->out, '*', n);
    for (unsigned i = 0; i < n; i++) {
        add_header(&r->out, '$', args[i].len);
        hale_buf_add_str(&r->out, args[i]);
        hale_buf_add(&r->out, "\r\n", 2);
    }
    HALE_ASSERT(!r->out.failed);
    r->pending++;
    return HALE_OK;
}

/* An idle connection that the server has closed is noticed before a command is lost on it. */
static void drop_if_stale(struct hale_redis *r)
{
    char byte;
    if (r->fd < 0 || r->pending != 0 || r->sent < r->out.len)
        return;
    ssize_t n = recv(r->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        set_error(r, "the server closed the idle connection");
        (void)lose(r);
    }
}

enum hale_rc hale_redis_append(struct hale_redis *r, unsigned n,
                               const struct hale_str *args)
{
    HALE_CHECK(r, REDIS_MAGIC);
    HALE_ASSERT(n > 0);
    if (r->tx == TX_BROKEN)
        return r->tx_rc;
    if (r->tx == TX_NONE)
        drop_if_stale(r);
    enum hale_rc rc = ensure_connected(r);
    if (rc == HALE_OK)
        rc = encode(r, n, args);
    if (rc != HALE_OK) {
        break_transaction(r, rc);
        return rc;
    }
    if (r->tx == TX_OPEN)
        r->tx_commands++;
    if (r->out.len - r->sent >= OUT_FLUSH_BYTES)
        return send_some(r);
    return HALE_OK;
}

enum hale_rc hale_redis_flush(struct hale_redis *r)
{
    HALE_CHECK(r, REDIS_MAGIC);
    if (r->fd < 0)
        return HALE_E_IO;
    return send_some(r);
}

static enum hale_rc nothing_pending(struct hale_redis *r)
{
    if (r->fd < 0)
        return HALE_E_IO; /* the replies went with the connection */
    set_error(r, "no reply is pending");
    return HALE_E_INVAL;
}

/* Takes one reply; error replies that mean "later" become HALE_E_AGAIN. */
static enum hale_rc take(struct hale_redis *r, struct hale_reply *reply,
                         struct hale_reply **out)
{
    if (hale_reply_is_retry(reply)) {
        set_error(r, "%s", hale_reply_str(reply).p);
        hale_reply_free(reply);
        return HALE_E_AGAIN;
    }
    *out = reply;
    return HALE_OK;
}

static enum hale_rc wait_raw(struct hale_redis *r, int64_t timeout_ms,
                             struct hale_reply **out)
{
    int64_t deadline = hale_clock_mono_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    if (r->pending == 0)
        return nothing_pending(r);
    for (;;) {
        enum hale_rc rc = next_parsed(r, out);
        if (rc != HALE_E_AGAIN)
            return rc;
        rc = send_some(r);
        if (rc != HALE_OK)
            return rc;
        rc = receive(r);
        if (rc == HALE_OK)
            continue;
        if (rc != HALE_E_AGAIN)
            return rc;
        short events = (short)(r->sent < r->out.len ? POLLIN | POLLOUT : POLLIN);
        rc = hale_redis_wait_fd(r->fd, events, deadline);
        if (rc == HALE_E_AGAIN) {
            set_error(r, "no answer within %" PRId64 " ms", timeout_ms);
            return lose(r);
        }
        if (rc != HALE_OK) {
            set_error(r, "poll: %s", strerrordesc_np(errno));
            return lose(r);
        }
    }
}

enum hale_rc hale_redis_reply_wait(struct hale_redis *r, int64_t timeout_ms,
                                   struct hale_reply **out)
{
    struct hale_reply *reply = NULL;
    HALE_CHECK(r, REDIS_MAGIC);
    *out = NULL;
    enum hale_rc rc = wait_raw(r, timeout_ms, &reply);
    return rc == HALE_OK ? take(r, reply, out) : rc;
}

enum hale_rc hale_redis_reply(struct hale_redis *r, struct hale_reply **out)
{
    HALE_CHECK(r, REDIS_MAGIC);
    return hale_redis_reply_wait(r, r->timeout_ms, out);
}

void hale_redis_drain(struct hale_redis *r)
{
    struct hale_reply *reply = NULL;
    HALE_CHECK(r, REDIS_MAGIC);
    while (r->pending > 0 && wait_raw(r, r->timeout_ms, &reply) == HALE_OK)
        hale_reply_free(reply);
}

enum hale_rc hale_redis_try_reply(struct hale_redis *r, struct hale_reply **out)
{
    struct hale_reply *reply = NULL;
    HALE_CHECK(r, REDIS_MAGIC);
    *out = NULL;
    if (r->pending == 0)
        return nothing_pending(r);
    enum hale_rc rc = send_some(r);
    if (rc != HALE_OK)
        return rc;
    for (;;) {
        rc = next_parsed(r, &reply);
        if (rc == HALE_OK)
            return take(r, reply, out);
        if (rc != HALE_E_AGAIN)
            return rc;
        rc = receive(r);
        if (rc == HALE_E_AGAIN)
            return HALE_E_NOTFOUND;
        if (rc != HALE_OK)
            return rc;
    }
}

enum hale_rc hale_redis_cmd(struct hale_redis *r, unsigned n, const struct hale_str *args,
                            struct hale_reply **out)
{
    struct hale_reply *reply = NULL;
    HALE_CHECK(r, REDIS_MAGIC);
    if (out != NULL)
        *out = NULL;
    if (r->pending != 0 || r->tx == TX_OPEN) {
        set_error(r, "a single command while %u replies are pending", r->pending);
        return HALE_E_INVAL;
    }
    enum hale_rc rc = hale_redis_append(r, n, args);
    if (rc == HALE_OK)
        rc = hale_redis_reply(r, &reply);
    if (rc != HALE_OK)
        return rc;
    if (hale_reply_is_error(reply)) {
        set_error(r, "%s", hale_reply_str(reply).p);
        hale_reply_free(reply);
        return HALE_E_INVAL;
    }
    if (out != NULL)
        *out = reply;
    else
        hale_reply_free(reply);
    return HALE_OK;
}

/* --- transactions ----------------------------------------------------------------------------- */

/* A half-queued MULTI must not linger: closing the connection discards it. */
void hale_redis_discard(struct hale_redis *r)
{
    HALE_CHECK(r, REDIS_MAGIC);
    if (r->tx == TX_NONE)
        return;
    if (r->fd >= 0)
        disconnect(r);
    r->tx = TX_NONE;
}

enum hale_rc hale_redis_begin(struct hale_redis *r)
{
    HALE_CHECK(r, REDIS_MAGIC);
    hale_redis_discard(r);
    if (r->pending != 0) {
        set_error(r, "a transaction cannot start while %u replies are pending",
                  r->pending);
        return HALE_E_INVAL;
    }
    enum hale_rc rc = HALE_REDIS(r, HALE_STR("MULTI"));
    if (rc != HALE_OK)
        return rc;
    r->tx = TX_OPEN;
    r->tx_commands = 0;
    return HALE_OK;
}

/* Takes the replies to MULTI and to each queued command; they are +OK, +QUEUED or errors. */
static enum hale_rc take_queued(struct hale_redis *r, unsigned n)
{
    enum hale_rc refused = HALE_OK;
    for (unsigned i = 0; i < n; i++) {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = wait_raw(r, r->timeout_ms, &reply);
        if (rc != HALE_OK)
            return rc;
        if (refused == HALE_OK && hale_reply_is_error(reply)) {
            set_error(r, "%s", hale_reply_str(reply).p);
            refused = hale_reply_is_retry(reply) ? HALE_E_AGAIN : HALE_E_INVAL;
        }
        hale_reply_free(reply);
    }
    return refused;
}

enum hale_rc hale_redis_exec(struct hale_redis *r, struct hale_reply **out)
{
    struct hale_reply *reply = NULL;
    HALE_CHECK(r, REDIS_MAGIC);
    if (out != NULL)
        *out = NULL;
    if (r->tx == TX_NONE) {
        set_error(r, "EXEC without a transaction");
        return HALE_E_INVAL;
    }
    if (r->tx == TX_OPEN) {
        unsigned commands = r->tx_commands;
        enum hale_rc rc = HALE_REDIS(r, HALE_STR("EXEC"));
        r->tx_commands = commands;
        (void)rc; /* a failure has broken the transaction */
    }
    if (r->tx == TX_BROKEN) {
        hale_redis_discard(r);
        return r->tx_rc;
    }
    r->tx = TX_NONE;
    enum hale_rc refused = take_queued(r, r->tx_commands + 1);
    if (refused == HALE_E_IO)
        return refused;
    enum hale_rc rc = wait_raw(r, r->timeout_ms, &reply);
    if (rc != HALE_OK)
        return rc;
    if (refused != HALE_OK) {
        rc = refused;
    } else if (hale_reply_is_error(reply)) {
        set_error(r, "%s", hale_reply_str(reply).p);
        rc = hale_reply_is_retry(reply) ? HALE_E_AGAIN : HALE_E_INVAL;
    } else if (hale_reply_is_nil(reply)) {
        set_error(r, "a watched key has changed");
        rc = HALE_E_CONFLICT;
    }
    if (rc == HALE_OK && out != NULL)
        *out = reply;
    else
        hale_reply_free(reply);
    return rc;
}
