/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_RULE_H
#define HALE_MODEL_RULE_H
/*
 * rule - what follows from alarms and their places in the topology: deduced alarms, deduced states
 * and causes (docs/formats/rules.md). A file is read whole and strictly: the first mistake refuses
 * it with file, line and fix.
 * Condition: `when` as a disjunction of branches; a branch is a list of terms, all of which must
 *            hold for one choice of entities. "not" is possible before "alarm on entity" only.
 * Ownership: a set owns all it points to. Threads: immutable after loading.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/regex.h"
#include "base/str.h"
#include "model/definition.h"

#define HALE_RULES_MAX         1000
#define HALE_RULE_ENTITIES_MAX 8
#define HALE_RULE_ALARMS_MAX   8
#define HALE_RULE_TERMS_MAX    16 /* of a branch */
#define HALE_RULE_BRANCHES_MAX 16
#define HALE_RULE_ACTIONS_MAX  8
#define HALE_RULE_NAME_MAX     64   /* bytes of a name of a rule, an entity, an alarm */
#define HALE_RULE_WHEN_MAX     4096 /* bytes of a condition */
#define HALE_RULE_DEPTH_MAX    16   /* of its parentheses */
#define HALE_RULE_WITHIN_MAX   86400000 /* ms */

/* What an entity variable may stand for; NULL: any. */
struct hale_rule_entity {
    char *var, *type, *id, *name;
    json_t *attributes; /* string map, all must be equal; NULL: any */
};
/* What an alarm variable may stand for. */
struct hale_rule_alarm {
    char *var;
    char *name;               /* of the definition, or the type of an event; NULL: any */
    struct hale_regex *regex; /* of the whole name, instead of it; NULL: none */
    unsigned severities;      /* bit per enum hale_severity */
};

enum hale_rule_term_kind {
    HALE_RULE_ON,         /* alarm a is active on entity b */
    HALE_RULE_HOSTS,      /* entity a hosts entity b */
    HALE_RULE_DEPENDS_ON, /* entity a depends on entity b */
    HALE_RULE_CONNECTS,   /* entity a (a link) connects entity b */
    HALE_RULE_IS          /* there is an entity b (a is b) */
};
struct hale_rule_term {
    uint8_t kind; /* enum hale_rule_term_kind */
    bool negated; /* HALE_RULE_ON only */
    uint8_t a, b; /* places in alarms, entities */
};
struct hale_rule_branch {
    unsigned n;
    struct hale_rule_term term[HALE_RULE_TERMS_MAX];
    unsigned entities; /* bit per entity that it names */
};
struct hale_rule_when {
    unsigned n;
    struct hale_rule_branch branch[HALE_RULE_BRANCHES_MAX];
};

enum hale_rule_state {
    HALE_RULE_DOWN,    /* it has failed: what stands on it is unreachable */
    HALE_RULE_DEGRADED /* told only */
};
#define HALE_RULE_NO_ALARM UINT8_MAX
enum hale_rule_action_kind { HALE_RULE_RAISE, HALE_RULE_STATE, HALE_RULE_CAUSE };
struct hale_rule_action {
    uint8_t kind;           /* enum hale_rule_action_kind */
    uint8_t on;             /* raise, state: entity */
    uint8_t state;          /* state: enum hale_rule_state */
    uint8_t cause, symptom; /* cause: alarms; raise: cause only, or HALE_RULE_NO_ALARM */
    enum hale_severity severity; /* raise */
    char *name, *text;           /* raise; text NULL: none */
};

struct hale_rule {
    char *name;
    char *tenant;      /* NULL: of each tenant */
    char *when_text;   /* as written */
    int64_t within_ms; /* the onsets of its alarms lie so close together; 0: no matter */
    unsigned n_entities, n_alarms, n_actions;
    struct hale_rule_entity entity[HALE_RULE_ENTITIES_MAX];
    struct hale_rule_alarm alarm[HALE_RULE_ALARMS_MAX];
    struct hale_rule_action action[HALE_RULE_ACTIONS_MAX];
    struct hale_rule_when when;
};
struct hale_rules {
    unsigned n;
    struct hale_rule *v;
};

HALE_MUST_CHECK enum hale_rc
hale_rules_load_file(const char *path, struct hale_rules **out, struct hale_err *err);
/* source names the text in errors. */
HALE_MUST_CHECK enum hale_rc hale_rules_load(struct hale_str text, const char *source,
                                             struct hale_rules **out,
                                             struct hale_err *err);
void hale_rules_free(struct hale_rules *r); /* NULL allowed */

/* Reads `when` over the entities and alarms that r has. On failure err->col is the column (from
 * 1). Checks that each branch has a positive alarm and hangs together. */
HALE_MUST_CHECK enum hale_rc hale_rule_when_parse(const struct hale_rule *r,
                                                  struct hale_str text,
                                                  struct hale_rule_when *out,
                                                  struct hale_err *err);
#endif
