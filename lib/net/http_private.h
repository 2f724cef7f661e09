/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_NET_HTTP_PRIVATE_H
#define HALE_NET_HTTP_PRIVATE_H
/*
 * http_private - what http_server.c (listening, the way of a request, stopping) and http_request.c
 * (reading a request, answering, streams) share. Only these two include libmicrohttpd.
 * Locks:     server.lock before stream.lock before MHD's own; MHD calls us with none of its
 *            daemon-wide locks held.
 * A request: URI seen -> HEAD (head callback) -> HANDLING (handle callback runs in MHD's thread)
 *            -> ANSWERED, or KEPT (connection suspended) -> ANSWERED (resumed). The state changes
 *            under server.lock, and the connection is suspended before the state says KEPT, so a
 *            reply from another thread either finds HANDLING (MHD's thread will send it) or KEPT
 *            (it resumes the connection), never something between. A head callback that waits makes
 *            HEAD -> KEPT -> HEAD in the same way: `again` says that the end came before KEPT.
 */
#include <microhttpd.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "net/http_server.h"

#define HALE_HTTP_SERVER_MAGIC 0x477e5e01u
#define HALE_HTTP_REQ_MAGIC    0x477e5e02u
#define HALE_HTTP_STREAM_MAGIC 0x477e5e03u

struct hale_http_header { /* of an answer to come */
    char *name;           /* owned, one allocation with value */
    char *value;          /* behind name */
    struct hale_http_header *next;
};

enum hale_http_req_state {
    HALE_HTTP_HEAD,
    HALE_HTTP_HANDLING,
    HALE_HTTP_KEPT,
    HALE_HTTP_ANSWERED
};

struct hale_http_conn {        /* one client connection */
    char peer[48];             /* address as text */
    struct hale_http_tls *tls; /* own reference; NULL: http, or no handshake possible */
    bool over_limit;           /* beyond max_connections: gets 503 */
};

struct hale_http_req {
    unsigned magic;
    struct hale_http_server *server;
    struct MHD_Connection *conn; /* NULL until the headers are in */
    char *uri;                   /* as sent, owned */
    const char *raw_query;       /* into uri, "" when none */
    const char *method, *path;   /* MHD's */
    const struct hale_http_conn *peer;
    struct hale_buf body; /* max = ceiling, at least 1 */
    size_t max_body;      /* ceiling in bytes, 0 allowed */
    size_t discarded;     /* bytes thrown away after an early refusal */
    int64_t started_us;   /* wall time of the last body byte */
    void *user;           /* the handler's */
    void (*user_free)(void *);
    struct hale_http_header *headers, **headers_end; /* of the answer */
    unsigned n_headers;
    enum hale_http_req_state state; /* server.lock */
    bool headed;                    /* MHD's thread; head has decided */
    bool later, again;              /* server.lock; head waits; and was called again */
    bool busy;                      /* counted in server.busy: an answer is to come */
    struct MHD_Response *response;  /* server.lock until ANSWERED, then MHD's thread */
    unsigned status;
    struct hale_http_stream *stream;             /* own reference, or NULL */
    struct hale_http_req *kept_prev, *kept_next; /* server.lock */
};

struct hale_http_stream {
    unsigned magic;
    pthread_mutex_t lock;
    unsigned refs;               /* lock: caller's handle, request, MHD's response */
    uint64_t id;                 /* for the watcher, unique per server */
    struct MHD_Connection *conn; /* lock; NULL once the request is over */
    int fd;                      /* lock; of conn, -1 once the request is over */
    struct hale_buf queue;       /* lock; the first `taken` bytes are sent */
    size_t taken;                /* lock */
    size_t max_queued;
    bool suspended;                       /* lock */
    bool gone;                            /* lock; client left or was cut */
    bool closed;                          /* lock; ends when the queue is empty */
    struct hale_http_stream *prev, *next; /* server.lock */
};

struct hale_http_server {
    unsigned magic;
    struct MHD_Daemon *mhd;
    struct hale_http_server_options o;
    int listen_fd;
    unsigned port;
    _Atomic unsigned connections;
    bool secure;               /* https */
    struct hale_http_tls *tls; /* lock; for new connections */
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t changed;     /* busy or kept has become less; monotonic clock */
    unsigned busy;              /* lock; whole requests whose answer is not sent yet */
    unsigned n_kept;            /* lock */
    struct hale_http_req *kept; /* lock; unanswered, connection suspended */
    bool orphaned;              /* lock; stopped, but handlers still hold requests */
    struct hale_http_stream *streams; /* lock */
    uint64_t stream_ids;              /* lock */
    int watch_epoll, watch_wake;      /* -1 until the first stream */
    pthread_t watcher;                /* runs while watch_epoll >= 0 */
};

/* Hands a built response over (takes it). Any thread. The request must not be used after. */
void hale_http_finish(struct hale_http_req *req, unsigned status,
                      struct MHD_Response *response);
/* {"title","description","code","message"} as the answer: docs/formats/http.md, Errors. */
void hale_http_refuse(struct hale_http_req *req, unsigned status, const char *title,
                      const char *description);
/* The request is over: detaches its stream. MHD's thread. */
void hale_http_stream_detach(struct hale_http_server *s, struct hale_http_stream *st);
/* Ends all streams once their queues are empty. */
void hale_http_streams_stop(struct hale_http_server *s);
/* Stops the thread that notices leaving stream clients. */
void hale_http_watch_stop(struct hale_http_server *s);
/* Frees a server whose last request has been answered. */
void hale_http_server_destroy(struct hale_http_server *s);
#endif
