/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_NOTIFY_H
#define HALE_ACTUATOR_NOTIFY_H
/*
 * notify - tells subscribers about alarm transitions
 * (docs/formats/notification.md).
 * Order:     one request at a time per subscriber, by sequence number; subscribers do
 *            not wait for each other.
 * Delivery:  at least once; the cursor (last seq that was answered with 2xx or did not
 *            concern the subscriber) is stored after the answer; X-Hale-Notification is
 *            the same for every try. A failed try is repeated after 0.5 s doubling to 60
 *            s, with jitter, until the notification is too old.
 * Given up:  what is too old, or what the receiver says it will never take, goes to the dead letters
 *            before the cursor moves past it; so does an end whose begin is there. Letters that are
 *            to be sent again go when nothing else waits.
 * Memory:    at most ACTUATOR_NOTIFY_QUEUE records per subscriber; beyond that it is
 *            `behind` and reads the rest from the log itself when its queue is empty
 *            (_wants, _offer).
 * Threads:   one. Callbacks of the HTTP client run inside its poll, those of SNMP managers inside _tick.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "actuator/conf.h"
#include "actuator/deadletters.h"
#include "actuator/raised.h"
#include "base/rc.h"
#include "model/alarm.h"
#include "net/http_client.h"

#define ACTUATOR_NOTIFY_QUEUE 1024

struct actuator_notify;

struct actuator_notify_parts { /* all borrowed */
    const struct actuator_conf *conf;
    struct hale_http_client *http;
    struct actuator_deadletters *dead;
    struct actuator_raised *raised;
    /* Stores a field of HALE_KEYS_GROUPS (value.p NULL: deletes it), before later cursors. */
    void *arg;
    void (*store_group)(void *arg, const char *field, struct hale_str value);
};
/* seen: the log position read so far. */
struct actuator_notify *actuator_notify_new(const struct actuator_notify_parts *parts,
                                            int64_t seen);
/* Is "subscriber/<name>" one of these? */
bool actuator_notify_has(const struct actuator_notify *n, const char *recipient);
/* Cancels what is under way. */
void actuator_notify_free(struct actuator_notify *n);
/* cursor of subscriber i (0..n_subscribers-1): deliver what comes after. log_end: the last record there
 * is; a cursor beyond it is of another log. */
void actuator_notify_set_cursor(struct actuator_notify *n, unsigned i, int64_t cursor,
                                int64_t log_end);
/* Takes over cursors and groups of subscribers that were there before. */
void actuator_notify_adopt(struct actuator_notify *n, struct actuator_notify *old,
                           int64_t now_us);
/* Fields of HALE_KEYS_GROUPS, all of them, then _groups_loaded. false: nobody's. */
bool actuator_notify_load_group(struct actuator_notify *n, struct hale_str field,
                                struct hale_str value);
void actuator_notify_groups_loaded(struct actuator_notify *n);
int64_t actuator_notify_cursor(const struct actuator_notify *n, unsigned i);
/* True once after the cursor moved since the last call. */
bool actuator_notify_moved(struct actuator_notify *n, unsigned i);
/* A new record of the log, in order. */
void actuator_notify_record(struct actuator_notify *n, const struct hale_log_record *rec,
                            int64_t now_us);
/* True when subscriber i wants older records: after *after_out. */
bool actuator_notify_wants(const struct actuator_notify *n, unsigned i,
                           int64_t *after_out);
/* One of them, in order. */
void actuator_notify_offer(struct actuator_notify *n, unsigned i,
                           const struct hale_log_record *rec, int64_t now_us);
/* That was all up to seq (read_all: nothing later was in the log). */
void actuator_notify_offered(struct actuator_notify *n, unsigned i, int64_t seq,
                             bool read_all);
/* What is to be polled for _tick beside the HTTP client. false: nothing. */
bool actuator_notify_pollfd(const struct actuator_notify *n, struct pollfd *out);
void actuator_notify_tick(struct actuator_notify *n, int64_t now_us);
int64_t actuator_notify_next_us(const struct actuator_notify *n);
#endif
