/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_RULES_H
#define CORRELATOR_RULES_H
/*
 * rules - what the rules of the configuration make of alarms and topology (docs/formats/rules.md),
 * carried out: deduced alarms are event alarms, a deduced state is one too (COR_RULES_DOWN,
 * COR_RULES_DEGRADED), a deduced cause joins those of the topology (cause.h). deduce.h decides.
 *
 * Entities whose alarms or edges changed wait in a list; cor_cause_settle takes them one by one. So a
 * rule sees what other rules did to the same input. After COR_RULES_STEPS of them for one input the
 * rest is left until the next change at its entities, and counted: rules that contradict each other do not
 * stop the correlator.
 * Storage: none but the alarms: a deduced one has a mark in its row. Loading looks at every entity with
 * alarms. If then something is missing, or a deduced alarm is there that no rule asks for, the first
 * settle puts it right.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "correlator/deduce.h"

#define COR_RULES_STEPS    1000
#define COR_RULES_DOWN     "hale.state.down"
#define COR_RULES_DEGRADED "hale.state.degraded"

struct correlator_engine;
struct cor_alarm;

struct cor_rule_touch { /* an entity that waits */
    struct hale_vertex *v;
    char *tenant;
};
struct cor_rules {
    struct cor_deduce *d; /* NULL: without rules, when what older ones left is gone */
    struct cor_rule_touch *touched;
    size_t n_touched, cap_touched, first; /* before first: taken */
    struct hale_map *explained;           /* id of a symptom -> ids of causes */
    const char *cause_now;                /* of the deduced alarm that is being told */
    bool any;                             /* there are rules */
    bool quiet;                           /* loading: nothing is told */
    bool
        recheck; /* loaded, and something is to be told that was not: look at all once more */
};

/* rules: NULL or empty: none. False: no memory. */
bool cor_rules_attach(struct correlator_engine *e, const struct hale_rules *rules);
void cor_rules_free(struct correlator_engine *e);
/* Something about v changed. */
void cor_rules_touch(struct correlator_engine *e, const char *tenant,
                     struct hale_vertex *v);
void cor_rules_touch_alarm(struct correlator_engine *e, const struct cor_alarm *a);
/* v is about to be deleted. */
void cor_rules_gone(struct correlator_engine *e, struct hale_vertex *v);
/* All rows are there: finds what holds, and tells nothing. */
void cor_rules_loaded(struct correlator_engine *e);
bool cor_rules_waiting(const struct correlator_engine *e);
/* Looks at what was touched; what it does may touch more. True: some of it is left. */
void cor_rules_settle(struct correlator_engine *e, unsigned *steps);
/* A problem of a begins: what rules name as its causes is known before its record is written. */
void cor_rules_onset(struct correlator_engine *e, const struct cor_alarm *a);
/* Adds the alarms that rules say explain a, at most max in all. */
void cor_rules_causes(const struct correlator_engine *e, const struct cor_alarm *a,
                      struct cor_alarm **list, unsigned *n, unsigned max);
#endif
