/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_RAISED_H
#define HALE_ACTUATOR_RAISED_H
/*
 * raised - what a recipient of notifications knows of an alarm: whoever was told that it began is told
 * that it has ended, whatever its severity is by then; whoever was not told, as the notification was
 * given up, is not told of an end. In doubt the end is told.
 * Durable:   hash HALE_KEYS_TOLD, "<recipient>\n<alarm id>" -> "told", "dead", or "dead <id>" with the
 *            dead letter of the end: dead always, told where it is asked for (recipients that see only
 *            some severities). The rest is memory.
 * Limits:    ACTUATOR_RAISED_MAX alarms of all recipients; beyond that nothing new is remembered.
 * Threads:   one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

#define ACTUATOR_RAISED_MAX 200000

enum actuator_raised_word {
    ACTUATOR_RAISED_UNKNOWN,
    ACTUATOR_RAISED_QUEUED, /* it will be told of the begin */
    ACTUATOR_RAISED_TOLD,
    ACTUATOR_RAISED_DEAD /* the notification of its begin was given up */
};
struct actuator_raised;

/* write: stores the field of the hash (value.p NULL: deletes it), in order with all other writes.
 * start_ms: of this memory; older alarms may have been told of before. */
struct actuator_raised *
actuator_raised_new(void *arg,
                    void (*write)(void *arg, const char *field, struct hale_str value),
                    int64_t start_ms); /* NULL on memory failure */
void actuator_raised_free(struct actuator_raised *r);
/* A field of the hash. */
void actuator_raised_load(struct actuator_raised *r, struct hale_str field,
                          struct hale_str value);
enum actuator_raised_word actuator_raised_get(const struct actuator_raised *r,
                                              const char *recipient,
                                              const char *alarm_id);
/* It is going to be told of the begin. Memory only: after a crash the log is read again. */
void actuator_raised_queued(struct actuator_raised *r, const char *recipient,
                            const char *alarm_id);
/* It has been told of the begin; durable: also after a restart. */
void actuator_raised_told(struct actuator_raised *r, const char *recipient,
                          const char *alarm_id, bool durable);
/* The notification of the begin was given up. fresh: nothing before it can have told of this alarm
 * (it came out of OK); created_ms: of the alarm. */
void actuator_raised_died(struct actuator_raised *r, const char *recipient,
                          const char *alarm_id, bool fresh, int64_t created_ms);
/* The end, too, is a dead letter now: it waits for the begin to be sent again. */
void actuator_raised_unraised(struct actuator_raised *r, const char *recipient,
                              const char *alarm_id, const char *letter_id);
/* Copies the id of that letter (HALE_UUID_TEXT bytes). false: there is none. */
bool actuator_raised_letter(const struct actuator_raised *r, const char *recipient,
                            const char *alarm_id, char *id_out);
/* It has been told of the end. */
void actuator_raised_ended(struct actuator_raised *r, const char *recipient,
                           const char *alarm_id);
#endif
