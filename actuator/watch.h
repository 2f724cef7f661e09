/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_WATCH_H
#define HALE_ACTUATOR_WATCH_H
/*
 * watch - what the engine knows of the alarms that are not OK: what each is about, whether
 * something mutes it, how old its data are. Fed by the alarm log (and by the alarms' rows after a
 * start), so a later question about an alarm is answered as things are then.
 * Limits:    ACTUATOR_WATCHED_MAX; above, `full` says that not all are known.
 * Ownership: the table owns its entries. Threads: one at a time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "model/alarm.h"

#define ACTUATOR_WATCHED_MAX 100000

enum actuator_mute {
    ACTUATOR_MUTE_CAUSE = 1,       /* another alarm explains it, or might (hold) */
    ACTUATOR_MUTE_MAINTENANCE = 2, /* silence, maintenance window, shelved */
    ACTUATOR_MUTE_OTHER = 4        /* flapping, storm */
};
struct actuator_watched {
    char *tenant;
    char *entity; /* "type/id"; "" = about nothing known */
    enum hale_state state;
    enum hale_severity severity;
    bool down;           /* it says that what it is about has failed */
    unsigned mutes;      /* enum actuator_mute */
    unsigned born_mutes; /* those when it came into its state */
    int64_t data_us; /* when the newest data that decided about it came; 0: not known */
};
struct actuator_watch;

struct actuator_watch *actuator_watch_new(void); /* NULL on memory failure */
void actuator_watch_free(struct actuator_watch *w);
/* The alarm as it is after a log record; data_us 0: no newer data. True: something that a guard
 * may ask for changed. */
bool actuator_watch_put(struct actuator_watch *w, const struct hale_alarm *a, bool gone,
                        int64_t data_us);
/* NULL: OK, gone or never seen. Valid until the next put. */
const struct actuator_watched *actuator_watch_find(const struct actuator_watch *w,
                                                   const char *alarm_id);
/* *it starts at 0; NULL at the end. */
const struct actuator_watched *actuator_watch_next(const struct actuator_watch *w,
                                                   size_t *it);
bool actuator_watch_full(const struct actuator_watch *w);
/* Grows with every change. */
uint64_t actuator_watch_version(const struct actuator_watch *w);

/* enum actuator_mute of an alarm's life. */
unsigned actuator_watch_mutes(const json_t *life);
/* "type/id" of an alarm's life into dst (HALE_TOPOLOGY_REF_MAX bytes), or "". */
const char *actuator_watch_entity(const json_t *life, char *dst);
#endif
