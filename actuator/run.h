/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_RUN_H
#define HALE_ACTUATOR_RUN_H
/*
 * run - one life of one policy for one trigger, and its record in hash hale:{m}:runs
 * (docs/formats/run.md). The record is written before every effect, so that whoever
 * reads it after a crash knows what may have happened and what has to be asked.
 * Identity:  uuid of (policy, alarm id, alarm seq [, n]): the same trigger is the same
 *            run. n counts the repeats of a policy with `repeat: while_alarm`, 0 is left
 *            out.
 * Phases of a step:
 *   WAIT      nothing is out; at wake_us the next call is written down and made
 *   CALL      the call row is written; the request may have left (webhook: may be
 *             repeated with the same key; vnflcm: ASK before repeating)
 *   ASK       the manager (VNFM, NFVO) is asked whether it knows of our call
 *   CONFLICT  it refused with 409; waiting until no other operation is open
 *   POLL      the operation occurrence op_occ, or the address `follow`, is followed to its end
 *   SETTLE    op_occ is FAILED_TEMP, or took too long; the word `settle` is being sent
 *   QUEUE     another run is at work on the instance: waits for its turn (turn.c)
 *   LANES     the step acts on a cloud: each of its lanes has a phase of its own (lane.h)
 *   HOLD      a step that waits: for wake_us, or for an acknowledgement until then
 *   PROVE     what the step wanted is asked for (verify, until) until verify_us + its time
 * Units:     _us and _ms are wall time.
 * Ownership: a run owns its strings and JSON.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actuator/lane.h"
#include "actuator/policy.h"
#include "base/id.h"
#include "base/rc.h"
#include "base/timers.h"

enum actuator_state {
    ACTUATOR_OPEN,
    ACTUATOR_VERIFYING,
    ACTUATOR_WAITING, /* ended, but to be tried again at again_us while the alarm lasts */
    ACTUATOR_PROPOSED, /* may be approved until expires_us, while the alarm lasts */
    ACTUATOR_DONE
};
enum actuator_phase {
    ACTUATOR_WAIT,
    ACTUATOR_CALL,
    ACTUATOR_ASK,
    ACTUATOR_CONFLICT,
    ACTUATOR_POLL,
    ACTUATOR_SETTLE,
    ACTUATOR_LANES,
    ACTUATOR_HOLD,
    ACTUATOR_PROVE,
    ACTUATOR_QUEUE
};
/* What people say about a run: fields of hash hale:{m}:verdicts (docs/formats/run.md). */
enum actuator_verdict_kind {
    ACTUATOR_VERDICT_PROPOSAL,
    ACTUATOR_VERDICT_ACK,
    ACTUATOR_VERDICT_ABORT,
    ACTUATOR_VERDICTS
};
#define ACTUATOR_VERDICTS_ALL   ((1u << ACTUATOR_VERDICTS) - 1)
#define ACTUATOR_GUARD_NAME_MAX 24
#define ACTUATOR_OP_ID_MAX      129

struct actuator_run {
    char id[HALE_UUID_TEXT];
    char *policy, *tenant, *alarm_id, *alarm_name, *target;
    char *site; /* "": none */
    int mode;   /* enum actuator_mode */
    int64_t alarm_seq;
    int alarm_state; /* enum hale_state that triggered it */
    int64_t n;       /* repeat */
    json_t *vars;    /* object */
    json_t *plan;    /* array; NULL once ended */
    json_t *verify;  /* policy_proof.h; NULL: the alarm has cleared */
    int64_t verify_within_ms;
    char version[ACTUATOR_VERSION_MAX];
    int64_t accepted_us, logged_us, born_us;
    enum actuator_state state;
    char outcome
        [12]; /* "" while open; verified, failed, suppressed, observed, suggested, rejected,
                         expired, aborted */
    char refused[ACTUATOR_GUARD_NAME_MAX]; /* the guard, when suppressed */
    int64_t step;
    enum actuator_phase phase;
    int64_t attempt;  /* calls written down for this step */
    int64_t failures; /* of them, those that count against retries */
    int64_t queries;  /* unlucky questions in a row in this phase */
    int64_t step_us;  /* the step began */
    int64_t call_us;  /* first call of the step: operations since then may be ours */
    char op_occ[ACTUATOR_OP_ID_MAX];
    char settle[12];      /* what op_occ was told: retry, rollback, fail, cancel; or "" */
    char settle_seen[48]; /* when it had entered the FAILED_TEMP we told it so in */
    bool settled;         /* it has taken that word */
    char *follow;         /* webhook: what is polled; NULL or "": nothing */
    int64_t follow_us;    /* since when */
    int64_t cancel_us;    /* op_occ took too long and is being cancelled since; 0: no */
    bool looked; /* asked whether another operation is under way, before the first call */
    int64_t wake_us;   /* when to do the next thing; 0 = now or when an answer comes */
    int64_t verify_us; /* verification began */
    int64_t
        cleared_us; /* the alarm went to OK since the trigger; 0 = not (or again not) */
    int64_t again_us;
    int64_t expires_us;          /* of a proposal */
    int64_t written_us;          /* the record was made; 0: by a version of before */
    struct actuator_lanes lanes; /* in phase LANES */
    /* not stored */
    bool alarm_gone; /* the alarm was deleted */
    bool unwritten;  /* the newest commit could not take the record */
    bool withdrawn;  /* the alarm is not as it was when this was proposed */
    json_t *verdict[ACTUATOR_VERDICTS]; /* given, not carried out yet; or NULL */
    bool
        ask_again; /* an acknowledgement came while a commit was under way: of which wait? */
    unsigned settled_verdicts; /* bits: their fields go with the next commit */
    unsigned busy;             /* commits under way; `after` belongs to the newest */
    bool calling;              /* a request is under way */
    int after;                 /* what follows the commit, engine's own */
    int64_t token;             /* fencing token of the lease; 0 = none yet */
    char url[512];             /* of the request, for the journal */
    uint64_t turn;             /* the instance it is at work on or waits for; 0 = none */
    char asked[200];           /* what the last answer in phase PROVE said */
    char ended[200];           /* how, in words */
    struct hale_timer timer;
};

void actuator_run_id(const char *policy, const char *alarm_id, int64_t seq, int64_t n,
                     char dst[HALE_UUID_TEXT]);
HALE_MUST_CHECK enum hale_rc actuator_run_encode(const struct actuator_run *r,
                                                 struct hale_buf *out);
/* A new run; HALE_E_INVAL when the text is not a run's. */
HALE_MUST_CHECK enum hale_rc actuator_run_decode(struct hale_str json,
                                                 struct actuator_run **out);
void actuator_run_free(struct actuator_run *r); /* NULL allowed */
/* The wall clock was set back by by_us: times of a record that was made before that, and which lie ahead of
 * now_us for that reason, are moved by as much. */
void actuator_run_set_back(struct actuator_run *r, int64_t by_us, int64_t now_us);
/* It waits for an acknowledgement. */
bool actuator_run_held(const struct actuator_run *r);
/* The plan of the current step (borrowed), or NULL. */
json_t *actuator_run_step(const struct actuator_run *r);
/* "vnflcm", "webhook", "nova", ... or "" */
const char *actuator_run_step_type(const struct actuator_run *r);
/* A number of the current step's plan. */
int64_t actuator_run_step_int(const struct actuator_run *r, const char *key);
const char *actuator_run_step_text(const struct actuator_run *r, const char *key);
#endif
