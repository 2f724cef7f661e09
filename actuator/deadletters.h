/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_DEADLETTERS_H
#define HALE_ACTUATOR_DEADLETTERS_H
/*
 * deadletters - notifications that were given up, kept with the reason until somebody replays or
 * drops them (docs/formats/deadletter.md), and which of them are to be sent again.
 * Durable:   bury writes the letter before the recipient's position moves past it; its id is that
 *            of the notification, so that burying twice leaves one letter. The record of the alarm
 *            log is copied in Redis.
 * Ceilings:  ACTUATOR_DEADLETTERS_MAX letters a recipient, the oldest go first, and
 *            ACTUATOR_DEADLETTERS_ALL of all; what goes is counted (the script's answer).
 * Replays:   hash HALE_KEYS_REPLAYS, letter id -> {"v":1,"recipient","seq","by","at_ms"}, written by
 *            the collector; removed here when the letter was taken (it goes, too) or failed again.
 * Threads:   one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/rc.h"
#include "model/alarm.h"

#define ACTUATOR_DEADLETTERS_MAX 1000
#define ACTUATOR_DEADLETTERS_ALL 20000
#define ACTUATOR_RECIPIENT_MAX                                                           \
    96 /* "subscriber/<name>", "method/<id>", "aodh/<tenant>" and NUL */

enum actuator_dead_reason {
    ACTUATOR_DEAD_EXPIRED,  /* older than notify_max_age */
    ACTUATOR_DEAD_REFUSED,  /* the recipient will not take this one, whenever */
    ACTUATOR_DEAD_DENIED,   /* the address may not be called, or there is no way */
    ACTUATOR_DEAD_UNRAISED, /* an end whose begin was given up */
    ACTUATOR_DEAD_LOST /* it could not be written, its record is gone, or too many waited */
};
struct actuator_letter { /* all text is borrowed */
    const char *id, *recipient, *name;
    const char *tenant, *alarm_id, *alarm_name;
    enum hale_state state;
    enum hale_severity severity;
    int64_t seq, logged_ms;
    enum actuator_dead_reason reason;
    const char *detail;
    int64_t tries;
    struct hale_str group;  /* JSON of a group's message, instead of a record; or empty */
    struct hale_str notice; /* the same of a notice of Aodh's form: {"url","body"} */
};

struct actuator_deadletters;
struct actuator_deadletters_io {
    void *arg;
    /* A Lua script that returns {0,n,''}, after all writes before it (ledger.h). */
    void (*write)(void *arg, const char *script, unsigned n_keys,
                  const struct hale_str *keys, unsigned n_args,
                  const struct hale_str *args);
    /* A field of a hash. HALE_E_NOTFOUND: not there; else unknown. */
    enum hale_rc (*read)(void *arg, const char *key, const char *field,
                         struct hale_buf *out);
};

struct actuator_deadletters *
actuator_deadletters_new(const struct actuator_deadletters_io *io);
void actuator_deadletters_free(struct actuator_deadletters *d);
void actuator_deadletters_bury(struct actuator_deadletters *d,
                               const struct actuator_letter *letter, int64_t now_ms);

/* A field of HALE_KEYS_REPLAYS; known ones are ignored. */
void actuator_deadletters_load(struct actuator_deadletters *d, struct hale_str id,
                               struct hale_str json);
/* Asks for a letter to be sent again behind what has seq: an end whose begin has been sent now. */
void actuator_deadletters_follow(struct actuator_deadletters *d, const char *recipient,
                                 const char *letter_id, int64_t seq, int64_t at_ms);
/* Something is to be sent again to the recipient. */
bool actuator_deadletters_waiting(const struct actuator_deadletters *d,
                                  const char *recipient);
struct actuator_replay {
    char id[HALE_UUID_TEXT];
    int64_t at_ms; /* when it was asked for */
    bool
        group; /* text: the letter itself, of a group or a notice; else a record of the log */
    struct hale_buf text; /* initialised by _first, freed by the caller */
};
/* The first of them in the order of the log. Letters that are gone or cannot be read are left out.
 * HALE_E_NOTFOUND: none; else Redis does not answer. */
HALE_MUST_CHECK enum hale_rc actuator_deadletters_first(struct actuator_deadletters *d,
                                                        const char *recipient,
                                                        struct actuator_replay *out);
/* The same, and it is the caller's until _settle: it does not come again unless it is loaded again. */
HALE_MUST_CHECK enum hale_rc actuator_deadletters_take(struct actuator_deadletters *d,
                                                       const char *recipient,
                                                       struct actuator_replay *out);
/* The letter itself. HALE_E_NOTFOUND: it is gone; else Redis does not answer. */
HALE_MUST_CHECK enum hale_rc actuator_deadletters_read(struct actuator_deadletters *d,
                                                       const char *id,
                                                       struct hale_buf *out);
/* One of those that begin so and to whom something is to be sent again, into dst; NULL: none. */
const char *actuator_deadletters_whom(const struct actuator_deadletters *d,
                                      const char *prefix,
                                      char dst[ACTUATOR_RECIPIENT_MAX]);
/* It was taken (the letter goes), or failed again (it stays). */
void actuator_deadletters_settle(struct actuator_deadletters *d, const char *recipient,
                                 const char *id, bool taken);
/* Recipients with replays that nobody has: their letters stay. known says who is there. */
void actuator_deadletters_sweep(struct actuator_deadletters *d, void *arg,
                                bool (*known)(void *arg, const char *recipient));
#endif
