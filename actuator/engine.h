/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_ENGINE_H
#define HALE_ACTUATOR_ENGINE_H
/*
 * engine - policies and alarm log records in; commits and calls out. A pure state
 * machine: no socket, no clock, no Redis; what must happen outside goes through struct
 * actuator_engine_io and comes back by _committed and _answered.
 * Exactly once (docs/adr/0007):
 *  1. nothing leaves before the commit that says so has succeeded (run record and
 *     journal row);
 *  2. nothing is concluded from an answer that is not in a commit;
 *  3. a run that is loaded with a call and no answer asks (vnflcm) or repeats with the
 *     same key (webhook).
 *  So the process may end between any two steps.
 * Units:     now_us is wall time in microseconds; timers follow it: when it is set back, a new engine is
 *            loaded (_set_back).
 * Limits:    ACTUATOR_RUNS_MAX runs open or waiting; further triggers are suppressed.
 * Threads:   one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "actuator/metric.h"
#include "actuator/policy.h"
#include "actuator/run.h"
#include "actuator/scaler.h"
#include "actuator/step.h"

#define ACTUATOR_RUNS_MAX  4096
#define ACTUATOR_DONE_KEPT 1000
#define ACTUATOR_LEASE_MS  30000

#define ACTUATOR_ROWS_MAX   32 /* of one commit */
#define ACTUATOR_EVENTS_MAX 4  /* of one commit */
#define ACTUATOR_GUARDS_MAX 64

enum actuator_op {
    ACTUATOR_OP_BIRTH, /* takes the lease or finds it held; run, rows, guards, position */
    ACTUATOR_OP_TAKE,  /* after a restart: the run's own lease, with a new token */
    ACTUATOR_OP_KEEP,  /* run and rows while the lease is ours; renews it */
    ACTUATOR_OP_END,   /* the same, then gives the lease back */
    ACTUATOR_OP_NOTE,  /* a run that never held a lease: run, rows, position; once */
    ACTUATOR_OP_OPEN,  /* as BIRTH, of a run that is proposed */
    ACTUATOR_OP_IDLE,  /* of a run that is proposed or waiting: run, rows */
    ACTUATOR_OP_ALONE  /* of no run (run_id and target are empty): rows, events, guards */
};
enum actuator_commit_result {
    ACTUATOR_COMMITTED,
    ACTUATOR_EXISTS, /* BIRTH, NOTE: the run id is known already; OPEN, IDLE: the run is in another
                        state by now; nothing written */
    ACTUATOR_HELD, /* BIRTH, OPEN, TAKE: another run holds the target; nothing written */
    ACTUATOR_LOST  /* KEEP, END: the lease is another's now; nothing written */
};
/* A field of the guards' memory. json empty: it is forgotten if it still says `was`. */
struct actuator_memory {
    const char *field;
    struct hale_str json, was;
};
struct actuator_commit {
    enum actuator_op op;
    const char *run_id, *target;
    int64_t token;            /* KEEP, END */
    struct hale_str run_json; /* empty: leave the record (a renewal) */
    int64_t position;         /* alarm log seq; 0 = leave */
    unsigned n_guards, n_events, n_rows;
    const struct actuator_memory *guard;
    const struct hale_str *event; /* of the loops themselves: fault events */
    const struct hale_str *row;   /* journal rows */
    const char *forget;           /* id of an old run record to delete, or NULL */
    unsigned settled;             /* bits of enum actuator_verdict_kind: carried out */
};

struct hale_graph;
struct actuator_engine_io {
    void *arg;
    /* Starts a commit; the arguments are valid during the call only. Commits take effect
     * in the order of these calls. */
    void (*commit)(void *arg, const struct actuator_commit *c);
    /* Starts the request of run's phase. */
    void (*call)(void *arg, const char *run_id, const struct actuator_request *q);
    /* The request of run_id is no longer wanted. */
    void (*cancel)(void *arg, const char *run_id);
    /* The tenant's topology as it is now, valid during the call that asks; NULL: not known. The
     * function may be NULL. Only asked for policies with a fleet. */
    struct hale_graph *(*topology)(void *arg, const char *tenant);
    /* Wants all verdicts about the run as they are now (_verdict); may be NULL. */
    void (*verdicts)(void *arg, const char *run_id);
};
struct actuator_engine;

/* policies is borrowed until the next _set_policies or _free. NULL on memory failure. */
struct actuator_engine *actuator_engine_new(const struct actuator_engine_io *io,
                                            const struct actuator_policies *policies);
void actuator_engine_free(struct actuator_engine *e);
/* Runs under way keep their plans. */
void actuator_engine_set_policies(struct actuator_engine *e,
                                  const struct actuator_policies *policies);

/* Whom proofs ask about metrics; borrowed until the next call. NULL: nobody. */
void actuator_engine_set_collector(struct actuator_engine *e,
                                   const struct actuator_collector *collector);
/* Whether a policy asks for the topology, and so for all open alarms. */
bool actuator_engine_wants_topology(const struct actuator_policies *policies);

/* --- after a start: everything stored, then _start --------------------------------- */
/* A record of the runs hash. HALE_E_INVAL: not a run (skipped). */
HALE_MUST_CHECK enum hale_rc actuator_engine_load_run(struct actuator_engine *e,
                                                      struct hale_str json);
HALE_MUST_CHECK enum hale_rc actuator_engine_load_guard(struct actuator_engine *e,
                                                        struct hale_str target,
                                                        struct hale_str json);
/* An alarm's row: with a topology of every alarm, else of those that runs wait for. */
void actuator_engine_load_watch(struct actuator_engine *e, const struct hale_alarm *a);
/* A field of the switches' hash; json empty: it is gone. Before _start and at work. */
void actuator_engine_switch(struct actuator_engine *e, struct hale_str field,
                            struct hale_str json, int64_t now_us);
/* Calls each with the alarm id of every run that waits for its alarm. */
void actuator_engine_each_alarm(struct actuator_engine *e,
                                void (*each)(const char *alarm_id, void *arg), void *arg);
/* What became of an alarm meanwhile; gone: it no longer exists. */
void actuator_engine_alarm_now(struct actuator_engine *e, const char *alarm_id, bool gone,
                               enum hale_state state, int64_t seq, int64_t changed_us);
/* The wall clock was set back by by_us since the runs' records were written. */
void actuator_engine_set_back(struct actuator_engine *e, int64_t by_us, int64_t now_us);
void actuator_engine_start(struct actuator_engine *e, int64_t now_us);

/* --- at work ----------------------------------------------------------------------- */
/* superseded: the alarm is known to have left this state since (an old record is read
 * late). */
void actuator_engine_record(struct actuator_engine *e, const struct hale_log_record *rec,
                            bool superseded, int64_t now_us);
/* holder: HELD: "<token>:<run id>" of the holder; else "". */
void actuator_engine_committed(struct actuator_engine *e, const char *run_id,
                               enum actuator_commit_result result, int64_t token,
                               const char *holder, int64_t now_us);
void actuator_engine_answered(struct actuator_engine *e, const char *run_id,
                              const struct actuator_answer *a, int64_t now_us);
/* Somebody's word about a run, as stored (docs/formats/run.md); also between the loading of runs and
 * _start. Said twice, it counts once; about a run that is over, not at all. */
void actuator_engine_verdict(struct actuator_engine *e, const char *run_id,
                             enum actuator_verdict_kind kind, struct hale_str json,
                             int64_t now_us);
/* Does what is due. */
void actuator_engine_tick(struct actuator_engine *e, int64_t now_us);
/* When the next tick is due; INT64_MAX: never. */
int64_t actuator_engine_next_us(const struct actuator_engine *e);

/* --- maintenance sessions (upkeep_run.c) --------------------------------------------- */
struct actuator_upkeep_session;
struct actuator_upkeep_act;
/* An action of a session becomes a run, if it is none yet. */
void actuator_engine_upkeep(struct actuator_engine *e, const struct actuator_policy *p,
                            const struct actuator_upkeep_session *s,
                            const struct actuator_upkeep_act *act, int64_t now_us);
/* "open", the run's outcome once that is committed, or NULL: there is no such run. why: in words, or "". */
const char *actuator_engine_outcome(const struct actuator_engine *e, const char *run_id,
                                    const char **why);

/* --- scaling ----------------------------------------------------------------------- */
struct actuator_scaling;
struct actuator_scaling_watch { /* of one scaling policy, since the start */
    struct actuator_scaler_window window;
    int64_t told_from, told_to;       /* written down and not done; -1: nothing */
    int64_t proposed_ms;              /* 0: nothing */
    int64_t quiet_ms[2], pause_ms[2]; /* by direction: nothing before, how long */
};
void actuator_scaling_watch_init(struct actuator_scaling_watch *w, int64_t now_ms);
/* One look: a decision is a run with an identity of its own (policy and number of the decision,
 * which is kept with the run's first commit). What was asked before the last change was over is of the time
 * before it. out says what was decided, or why nothing was. */
void actuator_engine_scale(struct actuator_engine *e, const struct actuator_scaling *s,
                           struct actuator_scaling_watch *w,
                           const struct actuator_look *look,
                           struct actuator_scaling_decision *out);
/* When its last change was over: what was measured before says nothing any more. 0: never. */
int64_t actuator_engine_scaled_ms(const struct actuator_engine *e,
                                  const struct actuator_scaling *s, int64_t now_ms);

struct actuator_engine_stats {
    int64_t born, verified, failed, observed;
    int64_t proposed, approved, rejected, expired, suggested, aborted;
    int64_t suppressed_cooldown, suppressed_frequency, suppressed_lease, suppressed_other;
    int64_t calls, open, latched, storms;
};
struct actuator_engine_stats actuator_engine_stats(const struct actuator_engine *e);
#endif
