/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_DEDUCE_H
#define CORRELATOR_DEDUCE_H
/*
 * deduce - which rules (model/rule.h, docs/formats/rules.md) hold for which entities, and what follows.
 * Holding:   a branch of a rule's condition holds for a choice of entities when every edge is there,
 *            every alarm is active and no negated one is. While it holds its actions are done; when it
 *            ends they are undone. Several holdings of one action count: a deduced alarm has the worst
 *            of their severities and ends with the last.
 * Work:      after a change at an entity the caller tells it here; only choices with that entity are
 *            looked at, from there along the edges, alarms first. Nothing scans all entities or alarms.
 * Pure:      no clock, no I/O; what it does follows from graph and alarms. The holdings are not
 *            stored: after a restart the caller tells it every entity with active alarms again.
 * Ownership: rules and graphs are borrowed. io functions may not call it; what they change is told
 *            afterwards.
 * Errors:    HALE_E_NOMEM leaves it half-changed: free it and make a new one.
 * Limits:    holdings; above, one is refused and counted.
 * Threads:   one at a time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "model/graph.h"
#include "model/rule.h"

#define COR_DEDUCE_HOLDINGS_MAX 200000
#define COR_DEDUCE_ALARMS_MAX   64 /* of one entity and pattern; more are not looked at */

/* An active alarm, as a rule sees it. */
struct cor_deduce_alarm {
    const char *id, *name;
    enum hale_severity severity;
    int64_t onset_ms;
};
typedef void (*cor_deduce_alarm_fn)(const struct cor_deduce_alarm *a, void *arg);

struct cor_deduce_raise {
    const char *tenant, *name;
    struct hale_vertex *on;
    enum hale_severity severity;
    const struct hale_rule *rule; /* that gave this severity first */
    const char *text;             /* NULL: none */
    const char *cause_id;         /* alarm that explains it; NULL: none */
};

struct cor_deduce_io {
    void *arg;
    /* Calls fn for each active alarm about v, by id. */
    void (*alarms)(void *arg, struct hale_vertex *v, cor_deduce_alarm_fn fn,
                   void *fn_arg);
    /* A deduced alarm is to be there, or has another severity now. */
    void (*raise)(void *arg, const struct cor_deduce_raise *r);
    void (*clear)(void *arg, const char *tenant, const char *name,
                  struct hale_vertex *on);
    /* The first holding says that v is in the state; the last one has ended (on false). on: rule and
     * the alarm that explains it; else NULL. */
    void (*state)(void *arg, const char *tenant, struct hale_vertex *v,
                  enum hale_rule_state state, const struct hale_rule *rule,
                  const char *cause_id);
    /* One alarm explains the other; no longer (on false). */
    void (*cause)(void *arg, const char *cause_id, const char *symptom_id, bool on);
};

struct cor_deduce_stats {
    uint64_t holdings; /* gauge */
    uint64_t begun, ended, refused;
};

struct cor_deduce;
struct cor_deduce_at { /* an entity of a tenant's graph; borrowed for the call */
    const char *tenant;
    struct hale_graph *g;
    struct hale_vertex *v;
};

/* NULL on memory failure. io is copied. */
struct cor_deduce *cor_deduce_new(const struct hale_rules *rules,
                                  const struct cor_deduce_io *io);
void cor_deduce_free(struct cor_deduce *d); /* NULL allowed; undoes nothing */
const struct cor_deduce_stats *cor_deduce_stats(const struct cor_deduce *d);
/* The alarms about it, what it says or its edges are others than before. */
HALE_MUST_CHECK enum hale_rc cor_deduce_touched(struct cor_deduce *d,
                                                const struct cor_deduce_at *at);
/* Which alarms do the rules name as causes of the alarm `symptom` about the entity, as things are? Changes
 * nothing; cor_deduce_touched will tell the same. fn may be told of one several times. */
typedef void (*cor_deduce_cause_fn)(const char *cause_id, void *arg);
HALE_MUST_CHECK enum hale_rc cor_deduce_ask(struct cor_deduce *d,
                                            const struct cor_deduce_at *at,
                                            const char *symptom, cor_deduce_cause_fn fn,
                                            void *arg);
/* v is about to go: what held with it ends. */
HALE_MUST_CHECK enum hale_rc cor_deduce_gone(struct cor_deduce *d, struct hale_vertex *v);
#endif
