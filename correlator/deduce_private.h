/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_DEDUCE_PRIVATE_H
#define CORRELATOR_DEDUCE_PRIVATE_H
/*
 * deduce_private - what deduce.c (holdings), deduce_match.c (choices of entities) and deduce_do.c
 * (actions) share.
 */
#include "base/buf.h"
#include "base/map.h"
#include "base/u64map.h"
#include "correlator/deduce.h"

struct held_link { /* a holding in the list of one of its entities */
    struct held *held;
    struct held_link *prev, *next;
};
struct held_list { /* of one entity */
    struct held_link *first;
};
struct held_pair { /* cause and symptom, ids owned; one block */
    char *cause, *symptom;
};
struct held {
    const struct hale_rule *rule;
    unsigned branch;
    const char *tenant; /* of the graph's caller; owned by deduce.tenants */
    struct hale_vertex *v[HALE_RULE_ENTITIES_MAX]; /* NULL: not named by the branch */
    struct held_link link[HALE_RULE_ENTITIES_MAX];
    unsigned n_pairs;
    struct held_pair *pairs; /* sorted */
    uint64_t seen;           /* round in which it was looked at */
};

struct deduced {   /* a deduced alarm, or a deduced state */
    unsigned n[4]; /* holdings by severity; of a state: n[0] */
};

struct deduce_seed { /* a variable that an entity of the type may stand for */
    const struct hale_rule *rule;
    unsigned branch, var;
};
struct deduce_seeds {
    size_t n, cap;
    struct deduce_seed *v;
};

struct cor_deduce {
    const struct hale_rules *rules;
    struct cor_deduce_io io;
    struct cor_deduce_stats stats;
    struct hale_map *seeds;     /* type -> struct deduce_seeds; "": any type */
    struct hale_map *held;      /* rule, branch, entities -> struct held */
    struct hale_u64map *places; /* vertex -> struct held_list */
    struct hale_map *deduced;   /* kind, tenant, name, vertex -> struct deduced */
    struct hale_map *pairs;     /* cause \0 symptom -> number of holdings */
    struct hale_map *tenants;   /* name -> the same, owned */
    struct hale_buf key;        /* scratch */
    uint64_t round;
    bool causes; /* some rule names causes */
    bool nomem;
};

/* A choice of entities for one branch. */
struct choice {
    struct cor_deduce *d;
    const char *tenant;
    struct hale_graph *g;
    const struct hale_rule *rule;
    unsigned branch;
    struct hale_vertex *v[HALE_RULE_ENTITIES_MAX];
};
static inline const struct hale_rule_branch *choice_branch(const struct choice *c)
{
    return &c->rule->when.branch[c->branch];
}

/* --- deduce_match.c --- */
bool deduce_fits(const struct hale_rule_entity *e, const struct hale_vertex *v);
/* Do edges and alarms hold for the whole choice? */
bool deduce_holds(struct choice *c);
/* Calls fn for each whole choice with v for var that holds. */
void deduce_each(struct choice *c, unsigned var, struct hale_vertex *v,
                 void (*fn)(struct choice *c, void *arg), void *arg);
/* The active alarms that alarm variable a stands for on its entity, at most
 * COR_DEDUCE_ALARMS_MAX; ids are the io's. Returns their number. */
unsigned deduce_alarms(struct choice *c, unsigned a, const struct hale_vertex *on,
                       struct cor_deduce_alarm *out);

/* --- deduce_do.c --- */
void deduce_begin(struct cor_deduce *d, struct held *h, struct choice *c);
void deduce_refresh(struct cor_deduce *d, struct held *h,
                    struct choice *c); /* its pairs */
/* Calls fn for each alarm that the choice names as a cause of symptom. */
void deduce_causes(struct choice *c, const char *symptom, cor_deduce_cause_fn fn,
                   void *arg);
void deduce_end(struct cor_deduce *d, struct held *h);
#endif
