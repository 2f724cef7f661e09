/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_COURIER_H
#define HALE_ACTUATOR_COURIER_H
/*
 * courier - tells notification methods about the transitions of the alarms whose definitions name
 * them (docs/formats/notification.md).
 * Order:     per method by sequence number, one at a time; methods do not wait for each other.
 * Delivery:  at least once. What a method was told is its mark in hale:{m}:act:methods:
 *              "d<seq>"  all up to seq is done and nothing was waiting,
 *              "p<seq>"  all up to seq is done and something after it is waiting,
 *            written before the position in the log moves past what waits. A failed try is repeated
 *            after 0.5 s doubling to 60 s, with jitter, until the transition is too old.
 * Given up:  what is too old, refused or not allowed goes to the dead letters before the mark moves
 *            past it; letters that are to be sent again go when nothing else waits.
 * Memory:    sequence numbers only, ACTUATOR_COURIER_QUEUE a method; records are read again for a
 *            repeated try. Beyond that a method is behind and reads the log itself (_wanting).
 * Repeats:   a method with a period is told again each period_s while the alarm stays in the state
 *            and is named for it; at most ACTUATOR_COURIER_REPEATS alarms in all.
 * Groups:    EMAIL and PAGERDUTY, when the configuration says so (group.h): alarms and their ends are
 *            told in the group's messages, whose fields are written before the log's position moves.
 *            What is no part of a group (UNDETERMINED, an end of what no group knows) goes at once.
 * Threads:   one. Callbacks of the HTTP client run inside its poll.
 */
#include <stdbool.h>
#include <stdint.h>

#include "actuator/conf.h"
#include "actuator/contacts.h"
#include "actuator/deadletters.h"
#include "actuator/raised.h"
#include "base/rc.h"
#include "model/alarm.h"
#include "model/method.h"
#include "net/http_client.h"

#define ACTUATOR_COURIER_QUEUE   256
#define ACTUATOR_COURIER_REPEATS 10000

struct actuator_courier;
struct actuator_courier_io {
    void *arg;
    /* Stores the mark, after all writes before it. text NULL: forget the method. */
    void (*mark)(void *arg, const char *method_id, const char *text);
    /* The record of the log, or the alarm as it is now. HALE_E_NOTFOUND: gone; else unknown. */
    enum hale_rc (*record)(void *arg, int64_t seq, struct hale_log_record *out);
    enum hale_rc (*alarm)(void *arg, const char *id, struct hale_alarm *out);
    /* Stores a field of HALE_KEYS_GROUPS (value.p NULL: deletes it), before later positions. */
    void (*group)(void *arg, const char *field, struct hale_str value);
};

struct actuator_courier_parts { /* all borrowed */
    struct actuator_courier_io io;
    const struct actuator_conf *conf;
    const struct actuator_contacts *contacts;
    struct hale_http_client *http;
    struct actuator_deadletters *dead;
    struct actuator_raised *raised;
};
/* seen: the log position read so far; log_end: the last record there is. */
struct actuator_courier *actuator_courier_new(const struct actuator_courier_parts *parts,
                                              int64_t seen, int64_t log_end);
/* Is "method/<id>" one of these? */
bool actuator_courier_has(const struct actuator_courier *c, const char *recipient);
void actuator_courier_free(struct actuator_courier *c); /* cancels what is under way */
void actuator_courier_set_conf(struct actuator_courier *c,
                               const struct actuator_conf *conf);
/* Adds or changes a method; takes m. mark: from Redis, or empty. */
HALE_MUST_CHECK enum hale_rc actuator_courier_method(struct actuator_courier *c,
                                                     struct hale_method *m,
                                                     struct hale_str mark);
void actuator_courier_drop(struct actuator_courier *c, struct hale_str method_id);
/* Fields of HALE_KEYS_GROUPS after all methods, then _groups_loaded. false: nobody's. */
bool actuator_courier_load_group(struct actuator_courier *c, struct hale_str field,
                                 struct hale_str value);
void actuator_courier_groups_loaded(struct actuator_courier *c);
/* A definition has changed (NULL: any may have): groups say no more of alarms whose methods are not named. */
void actuator_courier_contacts_changed(struct actuator_courier *c,
                                       const char *definition_id);
bool actuator_courier_repeats(
    const struct actuator_courier *c); /* a method has a period */
/* An alarm as it is at a start: who has a period goes on repeating. */
void actuator_courier_resume(struct actuator_courier *c, const struct hale_alarm *alarm,
                             int64_t now_us);
/* A new record of the log, in order. */
void actuator_courier_record(struct actuator_courier *c,
                             const struct hale_log_record *rec, int64_t now_us);
/* The id of a method that wants older records, after *after_out; NULL: none does. */
const char *actuator_courier_wanting(const struct actuator_courier *c,
                                     int64_t *after_out);
void actuator_courier_offer(struct actuator_courier *c, const char *method_id,
                            const struct hale_log_record *rec, int64_t now_us);
/* That was all up to seq (read_all: nothing later is in the log). */
void actuator_courier_offered(struct actuator_courier *c, const char *method_id,
                              int64_t seq, bool read_all);
void actuator_courier_tick(struct actuator_courier *c, int64_t now_us);
int64_t actuator_courier_next_us(const struct actuator_courier *c);
#endif
