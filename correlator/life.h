/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_LIFE_H
#define CORRELATOR_LIFE_H
/*
 * life - what people and other alarms have done to an alarm: the object `life` of its record
 * (model/alarm.h, docs/formats/lifecycle.md), in memory and back. It is stored in the alarm's row and
 * nowhere else, so it is as safe as that: all that has a time is armed again from there.
 * A new key: its field here, cor_life_json, cor_life_load, cor_life_fini.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "correlator/due.h"
#include "correlator/flap.h"
#include "correlator/storm.h"
#include "model/alarm.h"

#define COR_MUTES_MAX    64 /* of one alarm */
#define COR_COMMENTS_MAX 20 /* the last ones; all are in the log */

struct correlator_engine;
struct cor_alarm;

enum cor_mute_kind {
    COR_MUTE_CAUSE,
    COR_MUTE_HOLD,
    COR_MUTE_SILENCE,
    COR_MUTE_MAINTENANCE,
    COR_MUTE_SHELVE,
    COR_MUTE_FLAP,
    COR_MUTE_STORM
};
struct cor_mute {
    enum cor_mute_kind kind;
    char *id;
    int64_t since_ms;
    int64_t until_ms; /* 0: as long as that which mutes */
    char *text;       /* NULL: none */
};

/* The state is not yet what the expression says (delay.c). */
enum cor_phase { COR_PHASE_NONE, COR_PHASE_PENDING, COR_PHASE_CLEARING };

/* What somebody said. */
struct cor_word {
    char *by, *text; /* text NULL: none */
    int64_t at_ms;
};

struct cor_life {
    enum hale_state announced; /* what those outside were told last */
    char *surfaced; /* "silence <id>": announced by its end; until the next transition */
    unsigned n_mutes;
    struct cor_mute *mutes;        /* by (kind, id) */
    bool changed;                  /* since its last record */
    enum cor_mute_kind ended_kind; /* the last mute that ended since its last record; */
    char *ended_id;                /* NULL: none */
    char *ended_text;

    enum cor_phase phase;
    bool phase_over; /* its time has come: while that is handled */
    struct cor_due phase_due;
    struct cor_word ack;             /* by NULL: not acknowledged */
    enum hale_severity ack_severity; /* of the alarm when it was acknowledged */
    struct cor_due ack_due;
    struct cor_word shelved; /* by NULL: not shelved */
    struct cor_due shelve_due;
    struct cor_flap flap;
    struct cor_due storm;       /* place among those that wait, while */
    struct cor_storm *storm_at; /* not NULL */
    char *owner;                /* NULL: nobody */
    unsigned n_comments;
    struct cor_word *comments;
};

const char *cor_mute_text(enum cor_mute_kind kind);
/* New object; NULL when there is nothing to tell, or without memory (latched). */
json_t *cor_life_json(struct correlator_engine *e, const struct cor_alarm *a);
void cor_life_init(struct cor_alarm *a);
/* Takes over what a record says (NULL: nothing) and arms its times. a has its state. */
void cor_life_load(struct correlator_engine *e, struct cor_alarm *a, const json_t *life);
/* Frees; it must be disarmed. */
void cor_life_fini(struct cor_life *life);
/* The times of an alarm that is gone. */
void cor_life_disarm(struct correlator_engine *e, struct cor_life *life);
/* What a transition ends by itself: a source of the gate. */
void cor_life_source(struct correlator_engine *e, struct cor_alarm *a,
                     enum hale_state from);
/* More severe than when it was acknowledged: whoever did so spoke of less. */
void cor_life_severity(struct correlator_engine *e, struct cor_alarm *a);
/* True when there was something to take away. */
bool cor_life_unack(struct correlator_engine *e, struct cor_life *l);
bool cor_life_unshelve(struct correlator_engine *e, struct cor_alarm *a);
void cor_word_fini(struct cor_word *w);
void cor_life_shelve_due(struct correlator_engine *e, void *alarm, int64_t at_ms);
void cor_life_ack_due(struct correlator_engine *e, void *alarm, int64_t at_ms);
/* "surfaced by end of ..." after the reason. */
#define COR_SURFACED " (surfaced by end of %s)"
#endif
