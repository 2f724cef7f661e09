/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_NOTE_H
#define HALE_ACTUATOR_NOTE_H
/*
 * note - one notification as bytes, with what is to be known about it when it is given up. Made once
 * for all subscribers whose profile says the same to all. Ownership: counted references. Threads: one.
 */
#include "actuator/conf.h"
#include "base/id.h"
#include "model/alarm.h"

struct actuator_note {
    unsigned refs;
    int64_t seq, accepted_us, logged_us, created_ms;
    enum hale_state state;
    enum hale_severity severity;
    bool fresh;                           /* the alarm came out of OK */
    char id[HALE_UUID_TEXT];              /* the same for every try; not of shared ones */
    struct hale_str group;                /* JSON: the alarms of a group; or empty */
    const char *alarm_id, *tenant, *name; /* in the same memory */
    size_t len;
    const char *body;
};

/* The same for every try of one record to one subscriber, also after a restart. */
void actuator_note_id(const char *subscriber, int64_t seq, char id[HALE_UUID_TEXT]);
/* One reference. NULL: it cannot be written. */
struct actuator_note *actuator_note_new(const struct actuator_subscriber *s,
                                        const struct hale_log_record *rec);
/* A message of a group, which is kept for a dead letter, and such a letter again. */
struct actuator_note *actuator_note_of_group(const struct actuator_subscriber *s,
                                             const struct actuator_group_message *m,
                                             int64_t now_us);
struct actuator_note *actuator_note_from_letter(const struct actuator_subscriber *s,
                                                struct hale_str letter);
void actuator_note_put(struct actuator_note *note); /* NULL allowed */
#endif
