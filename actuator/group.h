/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_GROUP_H
#define HALE_ACTUATOR_GROUP_H
/*
 * group - alarms for people in one message: group_wait, group_interval and repeat_interval as
 * Alertmanager has them (docs/formats/notification.md, "Groups"). Time is an argument; no I/O but write.
 * A group:   alarms of one tenant with the same values of group_by. Its first message is due after
 *            wait_ms, the next ones every interval_ms if an alarm has come that was not told, one that
 *            was told has ended, or repeat_ms have passed since the last message while one is raised.
 *            Who was not told of an alarm is not told of its end. An alarm stays in its group.
 * Durable:   hash HALE_KEYS_GROUPS, "<owner>\n<group>" and "<owner>\n<group>\n<alarm>". A message counts
 *            by one write of its group (all alarms up to a sequence number), so that a crash tells it
 *            wholly again, with the same id, or not at all.
 * Limits:    ACTUATOR_GROUPS_MAX groups of one owner: alarms of further ones are counted
 *            (ACTUATOR_STAT_GROUPS_LOST), nobody is told; ACTUATOR_GROUP_ALARMS_MAX alarms: what is beyond
 *            is only a number in the next message.
 * Threads:   one.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/rc.h"
#include "base/str.h"

#define ACTUATOR_GROUP_BY_MAX     16
#define ACTUATOR_GROUPS_MAX       1000
#define ACTUATOR_GROUP_ALARMS_MAX 10000
#define ACTUATOR_GROUP_SHOWN_MAX  100 /* alarms of a message that are shown */

struct actuator_grouping { /* of a subscriber, or of methods */
    bool on;
    bool by_all; /* "...": every alarm is a group */
    unsigned n_by;
    char *by[ACTUATOR_GROUP_BY_MAX]; /* owned */
    int64_t wait_ms, interval_ms, repeat_ms;
};
void actuator_grouping_fini(struct actuator_grouping *g);
/* Of groups that are being drained. */
extern const struct actuator_grouping actuator_grouping_at_once;

struct actuator_group_alarm { /* all borrowed */
    const char *tenant, *id;
    const json_t *labels; /* object of strings */
    bool raised;          /* else: ended */
    int64_t seq;
    struct hale_str show; /* JSON: what the message says of it */
};
struct actuator_group_shown {
    bool raised;
    int64_t seq;
    const char *show; /* JSON */
};
struct actuator_group_message { /* valid until _done */
    char id[HALE_UUID_TEXT];    /* of the message: the same for the same content */
    char group[17];             /* the group's id */
    const char *tenant;
    const json_t *labels;             /* that the alarms have in common: of group_by */
    bool repeat;                      /* nothing is new */
    unsigned n_raised, n_ended, more; /* more: alarms beyond the limits */
    int64_t upto;
    unsigned n; /* shown: the raised ones first, by sequence number */
    struct actuator_group_shown v[ACTUATOR_GROUP_SHOWN_MAX];
};
enum actuator_group_end {
    ACTUATOR_GROUP_TOLD,
    ACTUATOR_GROUP_LATER,   /* not taken: built anew at the time given */
    ACTUATOR_GROUP_GIVEN_UP /* its alarms are not new any more, but were not told */
};

struct actuator_groups;

/* conf is borrowed. owner: the subscriber's name or "method/<id>". NULL on memory failure. */
struct actuator_groups *
actuator_groups_new(const struct actuator_grouping *conf, const char *owner, void *arg,
                    void (*write)(void *arg, const char *field, struct hale_str value));
void actuator_groups_free(struct actuator_groups *g);
void actuator_groups_set_conf(struct actuator_groups *g,
                              const struct actuator_grouping *conf);
/* A field of the hash; false: of another owner. All of them, then _loaded. */
bool actuator_groups_load(struct actuator_groups *g, struct hale_str field,
                          struct hale_str value);
void actuator_groups_loaded(struct actuator_groups *g);
/* A change of an alarm, in order; what is known already is ignored. */
void actuator_groups_take(struct actuator_groups *g, const struct actuator_group_alarm *a,
                          int64_t now_ms);
/* Is the alarm in one of the groups? Would one more find no room? */
bool actuator_groups_knows(const struct actuator_groups *g, const char *alarm_id);
bool actuator_groups_full(const struct actuator_groups *g);
/* Nothing is said of the alarm any more. */
void actuator_groups_forget(struct actuator_groups *g, const char *alarm_id);
/* The same of all that keep says no to; show: JSON. */
void actuator_groups_keep(struct actuator_groups *g, void *arg,
                          bool (*keep)(void *arg, const char *show));
/* What is to be said is due now, and a group of which nothing is to be said goes: nothing is left when
 * _next_ms says INT64_MAX. Until the next _set_conf. */
void actuator_groups_drain(struct actuator_groups *g);
/* The newest change that was taken. */
int64_t actuator_groups_upto(const struct actuator_groups *g);
void actuator_groups_clear(
    struct actuator_groups *g); /* also in Redis; no message is out */
/* The next message that is due, or NULL. One at a time: _done comes before the next call. */
const struct actuator_group_message *actuator_groups_due(struct actuator_groups *g,
                                                         int64_t now_ms);
/* at_ms: of LATER. */
void actuator_groups_done(struct actuator_groups *g, enum actuator_group_end end,
                          int64_t now_ms, int64_t at_ms);
/* When to ask _due again; INT64_MAX: not before the next _take. */
int64_t actuator_groups_next_ms(const struct actuator_groups *g);
#endif
