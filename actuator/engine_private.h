/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_ENGINE_PRIVATE_H
#define HALE_ACTUATOR_ENGINE_PRIVATE_H
/*
 * engine_private - what engine.c (records, registry), trigger.c (births and refusals), life.c (the
 * life of one run) and lanes.c (steps on a cloud) share. Nobody else includes it.
 */
#include "actuator/engine.h"
#include "actuator/template.h"
#include "actuator/watch.h"
#include "base/map.h"
#include "base/timers.h"
#include "model/journal.h"

#define ENGINE_MAGIC       0x48414354u
#define ENGINE_ROWS_MAX    ACTUATOR_ROWS_MAX
#define ENGINE_FORGET_MAX  4096
#define ENGINE_TOUCHED_MAX 8
#define ENGINE_FLEETS_MAX  1000
#define ENGINE_FIELD_MAX   (ACTUATOR_TARGET_MAX + 16)
#define RENEW_US           (ACTUATOR_LEASE_MS * 1000 / 3)

enum after {
    AFTER_NOTHING, /* renewal */
    AFTER_REQUEST, /* send the phase's request */
    AFTER_ARM,     /* do what wake_us says */
    AFTER_RESUME,  /* a loaded run has its lease: go on where it was */
    AFTER_FORGET   /* it is over */
};
struct done_run {
    char id[HALE_UUID_TEXT];
    char op_occ[ACTUATOR_OP_ID_MAX];
    char outcome[12]; /* as the run's; "": not known */
    char why[200];    /* in words, if it ended since the start */
};
struct actuator_engine {
    unsigned magic;
    struct actuator_engine_io io;
    const struct actuator_policies *policies;
    struct hale_map *runs;   /* id -> run, owned */
    struct hale_map *leases; /* target -> run, borrowed */
    struct hale_map *turns;  /* instance -> run at work on it, borrowed */
    struct hale_map *guards; /* target -> json_t, owned */
    struct hale_map *done;   /* id -> slot of done_ring */
    struct done_run *done_ring;
    unsigned done_n, done_at;
    char (*forget)[HALE_UUID_TEXT]; /* stack of run records to delete */
    unsigned forget_n;
    struct hale_timers *timers;
    const struct actuator_collector *collector; /* borrowed, or NULL */
    int64_t now_us, renew_us;
    struct hale_buf row_buf[ENGINE_ROWS_MAX];
    unsigned n_rows;
    struct hale_buf event_buf[ACTUATOR_EVENTS_MAX];
    unsigned n_events;
    char touched[ENGINE_TOUCHED_MAX][ENGINE_FIELD_MAX];
    unsigned n_touched;
    struct actuator_watch *watch;
    struct hale_map *switches; /* field -> json_t, owned */
    struct hale_map *fleets;   /* struct fleet, owned: storms.c */
    unsigned n_storms;
    int64_t keep[ACTUATOR_SCOPES], keep_runs; /* starts that some policy may ask for */
    int64_t horizon_ms;                       /* what is older matters to no policy */
    int64_t prune_us, storms_us;
    bool started;
    struct actuator_engine_stats stats;
};

struct engine_trigger {
    const struct actuator_policy *policy;
    const char *tenant, *alarm_id, *alarm_name;
    json_t *vars; /* borrowed */
    int64_t seq, n, accepted_us, logged_us, position;
    int64_t since_us; /* the alarm has been in this state since; 0: logged_us */
    int state;
    const char *refused; /* guard that refuses beforehand, or NULL */
    const char *why;     /* its words */
};

/* --- engine.c --- */
struct actuator_run *engine_find(const struct actuator_engine *e, const char *run_id);
/* Takes the run out of the tables, remembers its id and frees it. */
void engine_forget_run(struct actuator_engine *e, struct actuator_run *r);
void engine_forget_record(struct actuator_engine *e, const char *run_id);
bool engine_op_taken(const char *op_id, void *engine);
void engine_release_lease(struct actuator_engine *e, struct actuator_run *r);
bool engine_known(const struct actuator_engine *e, const char *run_id);

/* --- trigger.c --- */
struct engine_refusal {
    const char *guard; /* NULL: none */
    int64_t until_us;  /* 0: unknown */
    bool passes;       /* may be another matter later */
    bool quiet;        /* verdicts are not wanted */
    char text[ACTUATOR_NAME_MAX + 200];
    json_t *verdicts; /* array of {"guard","allowed","text"}, or NULL */
};

/* Takes the target and makes the first call. false: no memory, nothing done. */
bool engine_birth(struct actuator_engine *e, struct actuator_run *r,
                  const struct actuator_policy *p, struct engine_refusal *f,
                  enum actuator_op op, int64_t position);
void engine_fire(struct actuator_engine *e, const struct engine_trigger *t);
/* A waiting run's time has come. */
void engine_try_again(struct actuator_engine *e, struct actuator_run *r);

/* --- scaling_run.c --- */
bool scaling_is(const struct actuator_run *r); /* of a scaling policy, not of an alarm */
void scaling_began(struct actuator_engine *e, const struct actuator_run *r);
/* A commit is about to be made: what it says goes into the memory, too. */
void scaling_commit(struct actuator_engine *e, const struct actuator_run *r,
                    enum actuator_op op);

/* --- upkeep_run.c --- */
bool engine_no_alarm(const struct actuator_run *r); /* nor is it about one */

/* --- life.c --- */
/* detail is taken (NULL: {}). */
void life_row(struct actuator_engine *e, const struct actuator_run *r, const char *kind,
              bool of_step, json_t *detail, const char *fmt, ...) HALE_PRINTF(6, 7);
void life_commit(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                 enum after after, int64_t position);
void life_begin_call(struct actuator_engine *e, struct actuator_run *r,
                     enum actuator_op op, int64_t position);
void life_arm(struct actuator_engine *e, struct actuator_run *r, int64_t at_us);
void life_wake(struct actuator_engine *e, struct actuator_run *r);
/* Verified or given up, if it is time; nothing while a commit is under way. */
void life_check_verify(struct actuator_engine *e, struct actuator_run *r);
/* The run's alarm is not as it was. */
void life_alarm_moved(struct actuator_engine *e, struct actuator_run *r);
/* how: "verified", "failed" or "aborted". detail is taken (NULL: {}). */
void life_end(struct actuator_engine *e, struct actuator_run *r, const char *how,
              json_t *detail, const char *text);
/* text NULL: the alarm has cleared, or there was nothing to wait for. */
void life_verified(struct actuator_engine *e, struct actuator_run *r, const char *text);
void life_committed(struct actuator_engine *e, struct actuator_run *r,
                    enum actuator_commit_result result, int64_t token,
                    const char *holder);
void life_answered(struct actuator_engine *e, struct actuator_run *r,
                   const struct actuator_answer *a);

/* --- flow.c --- */
/* The step is over: what it wanted is asked for, or the run goes on. */
void life_step_done(struct actuator_engine *e, struct actuator_run *r);
void life_step_failed(struct actuator_engine *e, struct actuator_run *r, const char *why);
/* The step is over in this way: another one, verification, or the run's end. why: or NULL. */
void flow_leave(struct actuator_engine *e, struct actuator_run *r, enum actuator_way way,
                const char *why);
/* No step follows. */
void flow_verify(struct actuator_engine *e, struct actuator_run *r);
/* Why no further call may be made, or NULL. */
const char *flow_stopped(const struct actuator_engine *e, const struct actuator_run *r);

/* --- prove.c --- */
const char *prove_what(const struct actuator_run *r);
/* Asks, or ends it, if it is time; nothing while a commit or a question is under way. */
void prove_wake(struct actuator_engine *e, struct actuator_run *r);
void prove_answered(struct actuator_engine *e, struct actuator_run *r,
                    const struct actuator_answer *a);

/* --- hold.c --- */
bool hold_is_for(const struct actuator_run *r); /* the current step waits */
void hold_begin(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                int64_t position);
void hold_wake(struct actuator_engine *e, struct actuator_run *r);
void hold_acknowledged(struct actuator_engine *e, struct actuator_run *r);

/* --- verdict.c --- */
const char *verdict_by(const json_t *verdict);
const char *verdict_comment(const json_t *verdict);
json_t *verdict_detail(const json_t *verdict); /* new, or NULL */
/* The run's first commit: it waits for approval. detail is taken. */
void verdict_propose(struct actuator_engine *e, struct actuator_run *r,
                     const struct actuator_policy *p, json_t *detail, int64_t position);
/* Something like it is proposed already. */
bool verdict_stands(const struct actuator_engine *e, const char *policy,
                    const char *target);
/* A proposal's time, or reason, may be over. */
void verdict_wake(struct actuator_engine *e, struct actuator_run *r);
/* Carries out what was said, if it can be now. true: a commit is under way. */
bool verdict_work(struct actuator_engine *e, struct actuator_run *r);
/* A proposal that was approved in vain: its alarm clears, its verdicts go with the next commit. */
void verdict_over(struct actuator_engine *e, struct actuator_run *r);
/* The end of a run that holds its lease. */
void verdict_aborted(struct actuator_engine *e, struct actuator_run *r);

/* A commit of no run: the rows, events and memories that wait for one. */
void life_commit_alone(struct actuator_engine *e);
struct loop_alarm; /* below */
/* A row that is about a policy, but no run: of about, tenant, policy, target and text. detail is
 * taken. */
void life_row_alone(struct actuator_engine *e, const char *kind,
                    const struct loop_alarm *about, json_t *detail);

/* --- guards.c --- */
void engine_refuse(struct engine_refusal *f, const char *guard, const char *fmt, ...)
    HALE_PRINTF(3, 4);
/* Asks every guard; the first that refuses for good, else the first that refuses, is f's. */
void engine_ask(struct actuator_engine *e, const struct actuator_run *r,
                const struct actuator_policy *p, struct engine_refusal *f);
/* The same before a later step of the run: those that may change their mind meanwhile (switch, hours,
 * blackout, maintenance, parent, topology). */
void engine_ask_step(struct actuator_engine *e, const struct actuator_run *r,
                     const struct actuator_policy *p, struct engine_refusal *f);
/* Moves the verdicts into a row's detail (NULL: a new one). */
json_t *guards_detail(struct engine_refusal *f, json_t *detail);
/* When the target will have rested for long enough for another such run. */
int64_t guards_rested_us(const struct actuator_engine *e, const struct actuator_run *r,
                         const struct actuator_policy *p);
/* A run is suppressed because of f: some refusals have consequences, which the next commit
 * writes. */
void guards_refused(struct actuator_engine *e, const struct actuator_run *r,
                    const struct engine_refusal *f);
/* Notes the birth; false: no memory for it. */
bool guards_began(struct actuator_engine *e, const struct actuator_run *r,
                  const struct actuator_policy *p);
/* Notes the end, before its commit. vain: it failed of itself. */
void guards_ended(struct actuator_engine *e, const struct actuator_run *r, bool good,
                  bool vain);

/* --- latch.c --- */
/* The mode of the policy as things are: one that is latched suggests at most. */
int engine_mode(const struct actuator_engine *e, const struct actuator_policy *p);
bool latch_is_on(const struct actuator_engine *e, const char *policy);
int64_t latch_opened_ms(const struct actuator_engine *e, const char *policy);
/* Nothing if it is on. The next commit writes it. */
void latch_close(struct actuator_engine *e, const struct actuator_run *r,
                 const char *word, const char *why);
/* Opens those whose policy is no more, or whom somebody has opened meanwhile; each in a commit. */
void latch_check(struct actuator_engine *e);
/* Whether a kill switch is on for the policy at the site ("": none); text says which, by whom. */
bool guards_stopped(const struct actuator_engine *e, const char *site, const char *policy,
                    char *text, size_t size);

/* --- storms.c --- */
struct fleet_verdict {
    bool allowed, storm; /* storm: the fleet is below its floor */
    int64_t until_us;
    char text[160];
};
struct fleet_verdict storms_ask(struct actuator_engine *e, const struct actuator_run *r,
                                const struct actuator_policy *p);
/* The fleet of the run is below its floor: latched until it has been well for a while. The next
 * commit writes it. */
void storms_begin(struct actuator_engine *e, const struct actuator_run *r,
                  const struct actuator_policy *p);
/* After a start. */
void storms_load(struct actuator_engine *e);
/* Looks at the fleets in a storm; those that are well again get a commit. */
void storms_check(struct actuator_engine *e);
void storms_free(void *fleet);

/* --- loop_alarm.c --- */
struct loop_alarm {
    const char *type; /* "hale.loop...." */
    const char *tenant, *policy, *target, *text;
    bool clear;
};
/* Leaves with the next commit (at most ACTUATOR_EVENTS_MAX). */
void loop_alarm(struct actuator_engine *e, const struct loop_alarm *a);
/* Those for this commit; valid until the next loop_alarm. */
unsigned loop_alarm_take(struct actuator_engine *e,
                         struct hale_str out[ACTUATOR_EVENTS_MAX]);

/* --- memory.c --- */
json_t *memory_find(const struct actuator_engine *e, const char *field); /* or NULL */
json_t *memory_make(struct actuator_engine *e,
                    const char *field); /* if absent; NULL: no room */
/* The next commit writes it. */
void memory_touch(struct actuator_engine *e, const char *field);
/* What this commit writes; give it back to _taken. */
unsigned memory_take(struct actuator_engine *e,
                     struct actuator_memory out[ENGINE_TOUCHED_MAX]);
void memory_taken(struct actuator_memory *list, unsigned n);
/* Field of a scope's memory into dst (ENGINE_FIELD_MAX bytes); a target cannot be one. */
const char *memory_field(enum actuator_scope scope, const char *name, char *dst);
bool memory_reserved(const char *target);
/* What the policies may ask for; after every change of them. */
void memory_set_policies(struct actuator_engine *e);
/* Forgets, here and by commits, what matters to no policy any more. */
void memory_prune(struct actuator_engine *e);
/* --- turn.c: one run at a time at one VNF or network service, in order --- */
/* True: r waits (for its turn, or to hear that nothing else is under way there), and that
 * is committed. */
bool turn_waits(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                int64_t position);
void turn_loaded(struct actuator_engine *e, struct actuator_run *r);
/* r is through with the instance: the next one may. */
void turn_over(struct actuator_engine *e, struct actuator_run *r);

/* --- lanes.c --- */
bool lanes_are_for(const struct actuator_run *r); /* the current step acts on a cloud */
void lanes_begin(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                 int64_t position);
/* Does what is due; nothing while a commit is under way. */
void lanes_work(struct actuator_engine *e, struct actuator_run *r);
void lanes_answered(struct actuator_engine *e, struct actuator_run *r,
                    const struct actuator_answer *a);
void lanes_resume(struct actuator_engine *e, struct actuator_run *r);
#endif
