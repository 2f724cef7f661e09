/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_FLAP_H
#define CORRELATOR_FLAP_H
/*
 * flap - alarms that change again and again: after some changes nobody is told of any more until it is
 * calm (docs/formats/lifecycle.md, docs/adr/0022-storms-and-flapping.md).
 * Score:     of the last 20 changes of state those of the last flap_window, weighted from 1.15 (newest) to
 *            0.8, in percent of 20 changes (Icinga's numbers). A slow alarm never has enough of them in the
 *            window, however long it goes on.
 * Begins:    above flap_start: the change that does it is announced, marked as flapping; then nothing, a clear
 *            neither. Ends by time, below flap_stop: announced once if the state is another than was told.
 * State:     life.flap of the alarm, so it survives a restart.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "correlator/due.h"
#include "model/expr.h"

#define COR_FLAP_SLOTS 20

struct correlator_engine;
struct cor_alarm;

struct cor_flap {
    unsigned n, cap;
    int64_t
        *times; /* of the changes in the window, oldest first, at most COR_FLAP_SLOTS */
    int64_t since_ms;   /* flapping since; 0: it is not */
    int64_t changes;    /* of state since it began, those that began it included */
    int64_t first_ms;   /* of these */
    bool begins;        /* by the change whose record comes next */
    struct cor_due due; /* when it is calm */
};

/* Percent, as above; n changes of which none is older than the window. */
double cor_flap_score(unsigned n);
/* A source of the gate. */
void cor_flap_source(struct correlator_engine *e, struct cor_alarm *a,
                     enum hale_state from);
void cor_flap_due(struct correlator_engine *e, void *alarm, int64_t at_ms);
/* life.flap; NULL: nothing, or no memory (latched). */
json_t *cor_flap_json(struct correlator_engine *e, const struct cor_flap *f);
void cor_flap_load(struct correlator_engine *e, struct cor_alarm *a, const json_t *o);
#endif
