/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_LIVE_H
#define HALE_COLLECTOR_LIVE_H
/*
 * live - server-sent events of alarm log and journal (docs/formats/http.md, "Live
 * updates"). A client has two positions. While they are behind those of the view it is fed
 * from Redis by ranges; once it has caught up, from what the view reads. Both happen in
 * the view thread, so there is neither gap nor repetition between the two.
 * Threads: the view thread, except collector_live_get (network thread).
 */
#include "collector/app.h"
#include "model/alarm.h"
#include "store/redis.h"

#define COLLECTOR_LIVE_MAX 1000 /* clients */

struct
    collector_position { /* of a client or of the view: everything up to here is sent */
    int64_t seq;         /* alarm log */
    struct hale_stream_id journal; /* journal */
};

struct collector_live;        /* the clients */
struct collector_live_client; /* one */

struct collector_live *collector_live_new(void); /* exits on no memory */
void collector_live_free(struct collector_live *l);
void collector_live_client_free(struct collector_live_client *c);
/* Takes the client; says hello. view: the view's position. */
void collector_live_add(struct collector_live *l, struct collector_live_client *c,
                        const struct collector_position *view);
/* A record the view has just read; view is the position that includes it. */
void collector_live_alarm(struct collector_live *l, const struct collector_position *view,
                          const char *tenant, struct hale_str json);
/* tenant "": a row of the house, for everybody; NULL: for nobody (only the position moves). */
void collector_live_action(struct collector_live *l,
                           const struct collector_position *view, const char *tenant,
                           struct hale_str json);
/* Feeds clients that are behind; returns whether some still are. HALE_E_IO of Redis only
 * delays them. */
bool collector_live_catch_up(struct collector_live *l, struct hale_redis *redis,
                             const struct collector_position *view);
/* Comment lines for proxies, every 10 s. */
void collector_live_beat(struct collector_live *l, int64_t now_mono_ms);

/* GET /v1/live */
void collector_live_get(struct collector *c, struct hale_redis *redis,
                        struct hale_http_req *req);
#endif
