/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_COURIER_PRIVATE_H
#define HALE_ACTUATOR_COURIER_PRIVATE_H
/* courier_private - what courier.c (queues, marks, records), courier_send.c (tries, repeats, giving up)
 * and courier_group.c (groups) share. Nobody else includes it. */
#include "actuator/courier.h"
#include "actuator/group.h"
#include "actuator/stats.h"
#include "base/id.h"
#include "base/map.h"

struct actuator_courier_repeat {
    enum hale_state state, old_state;
    int64_t next_us;
};
struct actuator_courier_target {
    struct actuator_courier *owner;
    struct hale_method *method;
    char recipient[ACTUATOR_RECIPIENT_MAX];
    int64_t queue[ACTUATOR_COURIER_QUEUE]; /* ring of sequence numbers */
    unsigned head, n;
    int64_t done;    /* all up to here is done, or did not concern it */
    int64_t read_to; /* behind: all up to here is in the queue or done */
    bool behind;
    bool failing;                   /* the last try failed: one log line per change */
    uint64_t call;                  /* under way, or 0 */
    char telling[64];               /* the alarm of the call */
    bool repeating;                 /* the call is a repeat */
    enum hale_state told[2];        /* state and old state of the call */
    char replay_id[HALE_UUID_TEXT]; /* the call sends this dead letter again, or "" */
    int64_t seq;
    int64_t tries, retry_us;        /* next try, 0 = at once */
    struct hale_map *repeats;       /* alarm id ->  NULL until needed */
    int64_t repeat_us;              /* the earliest of them, or before it */
    struct actuator_groups *groups; /* NULL: everything is told at once */
    bool draining; /* they are to be told and forgotten: nothing new in them */
    int64_t
        drained_to; /* what began up to here was told in a group, also if the log is read again */
    json_t *digest;                /* the group's message that is under way, or NULL */
    char group_id[HALE_UUID_TEXT]; /* its id */
    int64_t group_since_us;        /* it has failed since then, or 0 */
};
struct actuator_courier {
    struct actuator_courier_parts p;
    struct hale_map *targets; /* method id -> struct target */
    int64_t seen;
    int64_t log_end; /* at the start: marks beyond it are of another log */
    size_t n_repeats;
};

static inline void actuator_courier_count(enum actuator_stat which, int64_t n)
{
    hale_counter_add(actuator_stat(which), n);
}

/* --- courier.c --- */
/* The first of the queue is dealt with, one way or the other. */
void actuator_courier_pop(struct actuator_courier_target *t);

/* --- courier_send.c --- */
/* What may go now: the queue, then letters that are sent again, then repeats. rec: the record of the
 * first in the queue if it is at hand, or NULL. */
void actuator_courier_send(struct actuator_courier_target *t,
                           const struct hale_log_record *rec, int64_t now_us);
void actuator_courier_forget_repeats(struct actuator_courier_target *t);
void actuator_courier_retry_later(struct actuator_courier_target *t, int64_t now_us);
/* One line of the log per change. */
void actuator_courier_complain(struct actuator_courier_target *t, unsigned status,
                               const char *detail);
void actuator_courier_done(const struct hale_http_result *r, void *target);

/* --- courier_group.c --- */
/* Groups as the configuration and the type of the method want them. false: no memory. */
bool actuator_courier_group_conf(struct actuator_courier_target *t);
/* The record is the groups' business. named: the definition names the method for the state. */
bool actuator_courier_group_takes(struct actuator_courier_target *t,
                                  const struct hale_log_record *rec, bool named,
                                  int64_t now_us);
/* An end for all groups that know the alarm and are not told of it. */
void actuator_courier_group_ends(struct actuator_courier *c,
                                 const struct hale_log_record *rec);
/* The next message that is due. */
void actuator_courier_group_send(struct actuator_courier_target *t, int64_t now_us);
/* A letter of a group again; as tell of courier_send.c. */
enum hale_rc actuator_courier_group_tell(struct actuator_courier_target *t,
                                         const char *id, const json_t *digest,
                                         const char **why);
/* The message under way is over. LATER: at t->retry_us. */
void actuator_courier_group_end(struct actuator_courier_target *t,
                                enum actuator_group_end end, int64_t now_us);
void actuator_courier_group_bury(struct actuator_courier_target *t,
                                 enum actuator_dead_reason reason, const char *detail,
                                 int64_t now_us);
#endif
