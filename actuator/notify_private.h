/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_NOTIFY_PRIVATE_H
#define HALE_ACTUATOR_NOTIFY_PRIVATE_H
/* notify_private - what notify.c (queues, records, cursors) and notify_send.c (tries, giving up, replays,
 * groups) share. Nobody else includes it. */
#include "actuator/note.h"
#include "actuator/notify.h"
#include "actuator/outlet.h"

#define ACTUATOR_ALL_SEVERITIES 15u

struct actuator_notify_target {
    const struct actuator_subscriber *conf;
    struct actuator_notify *owner;
    char recipient[ACTUATOR_RECIPIENT_MAX];
    struct actuator_note *queue[ACTUATOR_NOTIFY_QUEUE]; /* ring */
    unsigned head, n;
    struct actuator_groups *groups; /* NULL: everything is told at once */
    bool draining; /* groups are what is left from when there were some */
    int64_t
        drained_to; /* what began up to here was told in a group, also if the log is read again */
    struct actuator_note *group;  /* the message that is under way */
    int64_t group_since_us;       /* it has failed since then, or 0 */
    struct actuator_note *replay; /* a dead letter that is sent again, or NULL */
    char replay_id[HALE_UUID_TEXT];
    int64_t replay_ms; /* when that was asked for */
    int64_t cursor;    /* all up to here is done */
    int64_t read_to;   /* all up to here is in the queue or done */
    bool behind;       /* there is more in the log after read_to */
    bool moved;
    bool failing;  /* the last try failed: one log line per change */
    char why[160]; /* so */
    uint64_t call; /* under way, or 0 */
    int64_t tries;
    int64_t retry_us; /* next try, 0 = at once */
};
struct actuator_notify {
    struct actuator_notify_parts p;
    struct actuator_outlet out;
    int64_t seen;
    unsigned n;
    struct actuator_notify_target *target;
};

/* --- notify.c --- */
/* Ends are told, too: what it knows of a begin matters. */
bool actuator_notify_hears_ends(const struct actuator_notify_target *t);
/* The first of the queue is dealt with, one way or the other. */
void actuator_notify_drop_first(struct actuator_notify_target *t);

/* --- notify_send.c --- */
/* Its groups were turned off: what waits in them is told at once, then they go. */
void actuator_notify_drain(struct actuator_notify_target *t);
/* What may go now: the queue, due groups, then letters that are sent again. */
void actuator_notify_send(struct actuator_notify_target *t, int64_t now_us);
#endif
