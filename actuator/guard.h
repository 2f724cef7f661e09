/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_GUARD_H
#define HALE_ACTUATOR_GUARD_H
/*
 * guard - what may keep a policy from acting now, by what it did before: cooldown, frequency, flap
 * budget and failures in a row. (What depends on the clock is in guard_when.h, on a fleet in
 * fleet.h; the rest the engine asks itself: guards.c.)
 * Purpose:   pure: memory and time in, verdict out. A memory is one JSON object, a field of the
 *            hash hale:{m}:guards (docs/formats/run.md), so that it survives restarts. Of a
 *            target:
 *              {"v":1,"ended_ms":n,"starts":{"<policy>":[ms, ...]},"runs":[ms, ...],
 *               "fails":{"<policy>":[n, ms]}}
 *            (times ascending, newest last; fails: how many in a row, and when the last one was);
 *            of a policy, a site or of everything, starts has the one key "".
 * Rules:     cooldown holds until ended_ms + the rest that the asking policy wants, whichever
 *            policy's run ended on the target. That is `up` or `down` for one that scales so, and
 *            after a failure of its own at least after_fail, doubled for each further one in a
 *            row, at most ACTUATOR_AFTER_FAIL_MAX_MS.
 *            frequency refuses when max runs of its scope began within the last per (start > now -
 *            per). flap budget: the same over the runs of any policy on the target. Failures
 *            older than ACTUATOR_FAILS_KEPT_MS are none. A time in the future counts as now.
 * Units:     wall milliseconds.
 * Threads:   one at a time. Ownership: the caller's.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actuator/guard_when.h"
#include "base/rc.h"

#define ACTUATOR_FREQUENCY_MAX     1000
#define ACTUATOR_FREQUENCIES_MAX   8
#define ACTUATOR_AFTER_FAIL_MAX_MS (60 * 60 * 1000)
#define ACTUATOR_FAILS_KEPT_MS     (24 * 60 * 60 * 1000)

enum actuator_scope {
    ACTUATOR_SCOPE_TARGET,
    ACTUATOR_SCOPE_POLICY,
    ACTUATOR_SCOPE_SITE,
    ACTUATOR_SCOPE_GLOBAL,
    ACTUATOR_SCOPES
};
struct actuator_frequency {
    int scope;      /* enum actuator_scope */
    int64_t max;    /* 1..ACTUATOR_FREQUENCY_MAX */
    int64_t per_ms; /* > 0 */
};
/* What the run is about to do with the target's size. */
enum actuator_sizing { ACTUATOR_SAME_SIZE, ACTUATOR_WAY_UP, ACTUATOR_WAY_DOWN };

struct actuator_fleet_rule {
    char *type;             /* of entities; NULL: no such guard */
    json_t *labels;         /* attributes, values are templates; NULL: any */
    unsigned severities;    /* of alarms by which a member is not healthy, too */
    int64_t min_healthy;    /* 0: none */
    bool percent;           /* of the members */
    int64_t max_concurrent; /* runs; 0: any */
    int64_t storm_cooldown_ms;
};
struct actuator_guard_rules {
    int64_t cooldown_ms, up_ms, down_ms; /* by direction */
    int64_t after_fail_ms;               /* 0 = none */
    unsigned n_frequencies;
    struct actuator_frequency frequency[ACTUATOR_FREQUENCIES_MAX];
    struct actuator_when when;
    struct actuator_fleet_rule fleet;
    bool ignore_maintenance, ignore_parent, in_topology;
    bool parent_given;             /* the file says what to do about parents */
    int64_t data_fresh_ms;         /* 0 = none */
    int64_t flap_max, flap_per_ms; /* flap_max 0 = none */
    int64_t exhausted;             /* failures in a row; 0 = none */
};
void actuator_guard_rules_fini(struct actuator_guard_rules *g);

struct actuator_verdict {
    bool allowed;
    const char *guard; /* "" when allowed, else its name */
    int64_t until_ms;  /* when to ask again */
};

/* memory: of the target; NULL = nothing has happened on it yet. opened_ms: failures until then are
 * forgiven. */
struct actuator_verdict actuator_guard_cooldown(const struct actuator_guard_rules *rules,
                                                const char *policy, const json_t *memory,
                                                enum actuator_sizing sizing,
                                                int64_t opened_ms, int64_t now_ms);
/* memory: that of the rule's scope; key: the policy for a target's, else "". */
struct actuator_verdict actuator_guard_frequency(const struct actuator_frequency *rule,
                                                 const char *key, const json_t *memory,
                                                 int64_t now_ms);
/* Runs after opened_ms only. */
struct actuator_verdict actuator_guard_flap(const struct actuator_guard_rules *rules,
                                            const json_t *memory, int64_t opened_ms,
                                            int64_t now_ms);
/* How many runs of the policy failed in a row. */
int64_t actuator_guard_fails(const json_t *memory, const char *policy, int64_t opened_ms,
                             int64_t now_ms);

/* Notes that a run of policy (or "") began; keeps the newest keep starts (>= 1). HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_guard_began(json_t *memory, const char *key,
                                                  int64_t now_ms, int64_t keep);
/* The same for runs of whichever policy; keep 0: nothing. */
HALE_MUST_CHECK enum hale_rc actuator_guard_ran(json_t *memory, int64_t now_ms,
                                                int64_t keep);
HALE_MUST_CHECK enum hale_rc actuator_guard_ended(json_t *memory, int64_t now_ms);
/* After a run that was good, the row of failures is over; after one in vain it is longer. */
HALE_MUST_CHECK enum hale_rc actuator_guard_result(json_t *memory, const char *policy,
                                                   bool good, int64_t opened_ms,
                                                   int64_t now_ms);
/* A new, empty memory; NULL on memory failure. */
json_t *actuator_guard_memory_new(void);
/* The newest time in the memory: for forgetting old ones. 0 when empty. */
int64_t actuator_guard_latest(const json_t *memory);
#endif
