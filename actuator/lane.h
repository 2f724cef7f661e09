/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_LANE_H
#define HALE_ACTUATOR_LANE_H
/*
 * lane - one thing a step of a cloud acts on (a server, a service, a port), and how far the
 * step is with it. A step first finds its lanes by questions (`stage` counts them), then works on
 * several side by side. All of it is in the run record, so that whoever reads the record after a
 * crash knows for each thing whether it may have been told already (docs/formats/run.md).
 * Phases of a lane: WAIT, CALL, ASK, CONFLICT, POLL as in run.h; `end` once it is over.
 * Acts:      a lane may need calls one after another (migrate, confirm): `act` counts them.
 * Ownership: a run owns its lanes.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

#define ACTUATOR_LANES_MAX     1024
#define ACTUATOR_LANE_TEXT_MAX 240
#define ACTUATOR_ITEM_ID_MAX   129

enum actuator_lane_end { ACTUATOR_LANE_OPEN, ACTUATOR_LANE_GOOD, ACTUATOR_LANE_BAD };
struct actuator_lane {
    char id[ACTUATOR_ITEM_ID_MAX]; /* safe in a URL's path */
    char op[ACTUATOR_ITEM_ID_MAX]; /* what the service calls our call, or "" */
    int phase;                     /* enum actuator_phase */
    enum actuator_lane_end end;
    int64_t act, attempt, failures, queries, call_us, wake_us;
    json_t *facts;                     /* object: what the driver remembers */
    char text[ACTUATOR_LANE_TEXT_MAX]; /* the last thing to say */
    /* not stored */
    bool calling; /* a request is under way */
    bool marked;  /* CALL is written down and committed: it may leave */
    bool told;    /* text is news for the journal */
    unsigned status;
    int64_t took_us;
};
struct actuator_lanes {
    bool found;    /* the questions are over: v is complete */
    int64_t stage; /* which question */
    json_t *facts; /* object, or NULL: of the step as a whole */
    unsigned n;
    struct actuator_lane *v;
    /* not stored */
    bool asking;    /* a question is under way */
    bool dirty;     /* something is not in the record yet */
    bool at_work;   /* a question is being sent: its answer may come at once */
    bool failed;    /* the questions were in vain, text says why */
    bool timed_out; /* the step's time is over */
    char text[400];
};

bool actuator_item_id_ok(
    const char *id); /* 1..128 of A-Z a-z 0-9 - _ . ~, no '.' first */
/* HALE_E_INVAL: not an id; HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_lanes_add(struct actuator_lanes *l, const char *id,
                                                struct actuator_lane **out);
void actuator_lanes_fini(struct actuator_lanes *l); /* empty and zero after */
/* A new object, NULL on memory failure. */
json_t *actuator_lanes_encode(const struct actuator_lanes *l);
/* HALE_E_INVAL: not lanes. */
HALE_MUST_CHECK enum hale_rc actuator_lanes_decode(const json_t *o,
                                                   struct actuator_lanes *out);
/* Text of the lane's facts, or "". */
const char *actuator_lane_fact(const struct actuator_lane *lane, const char *key);
HALE_MUST_CHECK enum hale_rc actuator_lane_set(struct actuator_lane *lane,
                                               const char *key, const char *value);
#endif
