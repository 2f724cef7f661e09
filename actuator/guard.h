/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_GUARD_H
#define HALE_ACTUATOR_GUARD_H
/*
 * guard - what may keep a policy from acting now: the target's cooldown and the policy's
 * frequency. (The lease, the mode and the other refusals need no memory; the engine asks
 * them itself.)
 * Purpose:   pure: memory and time in, verdict out. The memory of one target is one JSON
 *            object, stored as a field of hash hale:{m}:guards, so that it survives
 *            restarts: {"v":1,"ended_ms":n,"starts":{"<policy>":[ms, ...]}} (starts
 *            ascending, newest last).
 * Rules:     cooldown holds until ended_ms + cooldown, whichever policy's run ended on
 *            the target; frequency refuses when max runs of this policy on this target
 *            began within the last per milliseconds (start > now - per); a time in the
 *            future counts as now.
 * Units:     wall milliseconds.
 * Threads:   one at a time. Ownership: the caller's.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

#define ACTUATOR_FREQUENCY_MAX 1000

struct actuator_guard_rules {
    int64_t cooldown_ms;      /* 0 = none */
    int64_t frequency_max;    /* 0 = none, 1..ACTUATOR_FREQUENCY_MAX */
    int64_t frequency_per_ms; /* > 0 when frequency_max is */
};
struct actuator_verdict {
    bool allowed;
    const char *guard; /* "" when allowed, else "cooldown" | "frequency" */
    int64_t until_ms;  /* when to ask again */
};

/* memory NULL = nothing has happened on the target yet. */
struct actuator_verdict actuator_guard_ask(const struct actuator_guard_rules *rules,
                                           const char *policy, const json_t *memory,
                                           int64_t now_ms);
/* Notes that a run of policy began; keeps the newest keep starts (>= 1). HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_guard_began(json_t *memory, const char *policy,
                                                  int64_t now_ms, int64_t keep);
HALE_MUST_CHECK enum hale_rc actuator_guard_ended(json_t *memory, int64_t now_ms);
/* A new, empty memory; NULL on memory failure. */
json_t *actuator_guard_memory_new(void);
/* The newest time in the memory: for forgetting old ones. 0 when empty. */
int64_t actuator_guard_latest(const json_t *memory);
#endif
