/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_CAUSE_H
#define CORRELATOR_CAUSE_H
/*
 * cause - which alarms explain which others. The rules are told in docs/formats/causes.md.
 *
 *   claim     an alarm in ALARM whose impact is "down" says that its entity is failed
 *   cause     a claim that makes another alarm's entity fail or unreachable, in time
 *   symptom   that other alarm: it is muted (COR_MUTE_CAUSE, id of the cause's alarm)
 *   check     a metric alarm that would claim; a symptom waits for those above it (COR_MUTE_HOLD)
 *
 * Of a live alarm (not OK, and not just born) holds between two inputs: its mutes of kind cause
 * without an end are exactly its causes by the rules. Everything else is kept in its life (keys
 * entity, onset_ms, causes, caused_ms, cause_ended_ms, root_entity, path) and in the mutes; the rest here is
 * an index of it. So loading links what rows say and decides nothing; only an input that had been
 * written in part is completed, by looking at all live alarms once at the first input after loading.
 *
 * Cost: of what a change reaches. Alarms are found from an entity by its place, from a new entity by
 * the pairs of their dimensions, from a cause and from a check by their lists. Without a topology
 * nothing of this exists.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/map.h"
#include "correlator/due.h"
#include "model/alarm.h"
#include "model/graph.h"

#define COR_CAUSES_MAX     8  /* named by one alarm: the first by onset */
#define COR_CANDIDATES_MAX 64 /* claims looked at for one alarm, nearest first */
#define COR_HOLDS_MAX      4 /* checks that one alarm waits for: those that take longest */
#define COR_SUPPORTS_MAX   1024 /* entities looked at for checks, nearest first */
#define COR_CORRELATED_MAX                                                               \
    1000 /* symptoms listed in a record; their number is always right */

/* Before the ref in the id of a mute that an entity's state makes. */
#define COR_ENTITY_ID "entity:"

struct correlator_engine;
struct cor_alarm;
struct cor_sub;

/* From an alarm to one that explains or holds it, and the way back. */
struct cor_link {
    char id[HALE_UUID_TEXT];
    struct cor_alarm *to; /* NULL: gone, or of an earlier onset */
    size_t back;          /* place in the list of to */
};
struct cor_back {
    struct cor_alarm *from;
    unsigned which; /* its link */
};
struct cor_backs {
    size_t n, cap;
    struct cor_back *v;
};
enum cor_link_kind { COR_LINK_CAUSE, COR_LINK_HOLD };
#define COR_LINK_KINDS 2

struct cor_place { /* the alarms of an entity: the vertex' owner */
    struct hale_vertex *vertex;
    size_t n, cap;
    struct cor_alarm **alarms;
    unsigned n_claims, cap_claims;
    struct cor_alarm **claims;
};
struct cor_bucket { /* the alarms with one dimension */
    char *key;
    size_t key_len, n, cap;
    struct cor_pair_back {
        struct cor_alarm *a;
        unsigned which;
    } * alarms;
};
struct cor_pair {
    struct cor_bucket *bucket;
    size_t at;
};

#define COR_PATH_MAX 16 /* entities between one and its cause that are named */

/* Of an alarm. */
struct cor_about {
    struct cor_place *place; /* NULL: about no entity that is there */
    size_t at;               /* in it */
    char *entity;            /* ref; NULL: none */
    bool claims;
    bool gone;         /* its entity was deleted */
    size_t pending;    /* 1-based place in causes.pending */
    size_t touched;    /* the same in causes.roots */
    size_t told;       /* symptoms in its last record */
    int64_t onset_ms;  /* stream time; 0: never */
    int64_t caused_ms; /* when its causes were named */
    int64_t ended_ms;  /* when the last of them ended; 0: none, or they last */
    char *root_entity; /* ref */
    char *
        path; /* refs between entity and root_entity, each with '\n' after it; NULL: not known */
    unsigned n_links[COR_LINK_KINDS];
    struct cor_link *links[COR_LINK_KINDS]; /* COR_CAUSES_MAX, COR_HOLDS_MAX */
    struct cor_backs backs[COR_LINK_KINDS]; /* symptoms; those that wait for this check */
    unsigned n_pairs;
    struct cor_pair *pairs;
    struct cor_due due; /* the first mute that ends by itself */
};

/* Of the engine. */
struct cor_causes {
    bool active; /* there are entities */
    bool quiet;  /* loading: what changes is not looked at */
    bool settling;
    bool recheck; /* loaded: look at all once */
    struct hale_map *buckets;
    struct cor_alarm **pending, **roots;
    size_t n_pending, cap_pending, n_roots, cap_roots;
    struct hale_vertex **seeds; /* entities that were reached by a change */
    size_t n_seeds, cap_seeds;
    struct hale_vertex *deleting;
};

/* --- cause.c: the verdict --- */
/* At a transition; a source of the gate. */
void cor_cause_source(struct correlator_engine *e, struct cor_alarm *a,
                      enum hale_state from);
/* The alarm is there anew (after its record was numbered), or says something else. */
void cor_cause_born(struct correlator_engine *e, struct cor_alarm *a);
void cor_cause_refresh(struct correlator_engine *e, struct cor_alarm *a);
/* A report about a was handled that was decided at decided_ms on data from from_ms on. */
void cor_cause_evaluated(struct correlator_engine *e, struct cor_alarm *a,
                         int64_t decided_ms, int64_t from_ms);
void cor_cause_sub_evaluated(struct correlator_engine *e, struct cor_alarm *a,
                             const struct cor_sub *s);
void cor_cause_due(struct correlator_engine *e, void *alarm, int64_t at_ms);
/* Before and after each input and each step of one that ends with a checkpoint: marks what changes
 * reached; before it only what a killed predecessor left to do. */
void cor_cause_settle(struct correlator_engine *e);
/* a is taken out of all tables. */
void cor_cause_forget(struct correlator_engine *e, struct cor_alarm *a);
bool cor_cause_live(const struct cor_alarm *a);
/* Arms the time of its first mute that ends by itself. */
void cor_cause_arm(struct correlator_engine *e, struct cor_alarm *a);
/* It is to be looked at by the next settle. */
void cor_cause_queue(struct correlator_engine *e, struct cor_alarm *a);

/* --- cause_place.c: which entity, and what it says --- */
bool cor_cause_attach(struct correlator_engine *e); /* false: no memory */
void cor_cause_free(struct correlator_engine *e);
void cor_about_fini(struct cor_about *b);
void cor_place_find(struct correlator_engine *e, struct cor_alarm *a);
void cor_place_enter(struct correlator_engine *e, struct cor_alarm *a,
                     struct hale_vertex *v);
void cor_place_leave(struct correlator_engine *e, struct cor_alarm *a);
/* Claims or unclaims as the alarm says now. */
void cor_place_claim(struct correlator_engine *e, struct cor_alarm *a);
void cor_pairs_add(struct correlator_engine *e, struct cor_alarm *a);
void cor_pairs_drop(struct correlator_engine *e, struct cor_alarm *a);
enum hale_impact cor_impact_of(const struct cor_alarm *a); /* if it is in ALARM */
bool cor_is_check(const struct cor_alarm *a);
struct cor_place *cor_place_of(const struct hale_vertex *v); /* NULL: no alarms */
/* Queues the live alarms of v; a visitor, arg is the engine. */
bool cor_place_queue(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                     void *arg);
/* Its entity was deleted: an event alarm and one without data are over. */
void cor_place_gone(struct correlator_engine *e, struct cor_alarm *a);

/* --- cause_link.c: who is linked with whom, and the keys of life --- */
void cor_link_add(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_link_kind kind, const char *id, struct cor_alarm *to);
/* All of the kind. */
void cor_link_clear(struct correlator_engine *e, struct cor_alarm *a,
                    enum cor_link_kind kind);
void cor_link_cut(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_link_kind kind, const char *id);
/* Those that link to a keep the id and lose the way. */
void cor_link_orphan(struct correlator_engine *e, struct cor_alarm *a,
                     enum cor_link_kind kind);
void cor_cause_json(struct correlator_engine *e, const struct cor_alarm *a, json_t *life);
void cor_cause_load(struct correlator_engine *e, struct cor_alarm *a, const json_t *life);
/* All rows are there. */
void cor_cause_loaded(struct correlator_engine *e);
/* Number of symptoms may change; before it does. */
void cor_root_touch(struct correlator_engine *e, struct cor_alarm *a);
void cor_root_settle(struct correlator_engine *e);
bool cor_root_untold(const struct cor_alarm *a); /* it deserves a record */

/* --- cause_hold.c: waiting for those above --- */
void cor_hold_begin(struct correlator_engine *e, struct cor_alarm *a);
void cor_hold_end(struct correlator_engine *e, struct cor_alarm *a);
/* How long a failure of a may last before it is seen that it is over. */
int64_t cor_clear_hold_ms(const struct correlator_engine *e, const struct cor_alarm *a);
#endif
