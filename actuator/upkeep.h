/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_UPKEEP_H
#define HALE_ACTUATOR_UPKEEP_H
/*
 * upkeep - a maintenance session as OPNFV Doctor's tool and Fenix lead it (docs/formats/maintenance.md): hosts are emptied
 * one after the other with the consent of the projects whose instances stand there, worked on, and given back.
 * Pure:      answers, looks at Nova and the ends of actions in; questions, events, actions and rows out. No I/O, no clock.
 * Record:    everything is in the session's record (hash HALE_KEYS_UPKEEP), which is written, with what is said and
 *            journalled, before anything leaves; so the process may end between any two calls and goes on as if nothing
 *            had been. What came out since the last take (struct actuator_upkeep_out) belongs into the same commit.
 *   {"v":1,"id","tenant","by","created_ms","updated_ms","state","phase","reason","workflow","at_ms","metadata","number",
 *    "since_ms","look_ms","seen_ms","host":n,"rounds":n,"scaled":n,"rules":{...},"projects":[s],
 *    "hosts":[{"name","state":"todo"|"emptying"|"work"|"maintained","disabled":b,"window_ms":n}],
 *    "instances":[{"id","name","project","host","group","state","action","max_impacted","recovery_ms","lead_ms","type",
 *                  "free_ms":n,"failed":b}],
 *    "questions":[{"n","state","project"|"" (of the administrator),"instance","host","ids":[],"until_ms","answer",
 *                  "by"}],
 *    "acts":[{"n","kind","host","instance","state":"open"|"again"|"good"|"bad","text","since_ms","again_ms","run"}]}
 *            Questions, acts and instances that are over go when their host is done.
 * States:    of the session, in Fenix' words; phases are its own: see enum upkeep_phase.
 * Limits:    HALE_UPKEEP_HOSTS_MAX hosts, ACTUATOR_UPKEEP_INSTANCES_MAX instances; beyond: the session fails.
 * Units:     _ms are wall milliseconds. Ownership: a session owns all it points to. Threads: one.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/rc.h"
#include "base/str.h"

#define ACTUATOR_UPKEEP_INSTANCES_MAX 4096
#define ACTUATOR_UPKEEP_PREFIX        "upkeep:"     /* of its runs' alarm_id */
#define ACTUATOR_UPKEEP_POLICY        "maintenance" /* of its runs */

struct
    actuator_upkeep_rules { /* kept with the session: a reload changes nothing under way */
    int64_t reply_ms;       /* that a project has to answer, at least */
    int64_t action_ms;      /* for one action, and for a look that fails */
    int64_t work_ms;        /* that a host may be worked on */
    int64_t poll_ms;        /* between looks while something is waited for */
    int64_t parallel;       /* instances moved at once */
    double cpu_ratio,
        ram_ratio; /* how much of a host may be given away; 0: capacity is not asked about */
    bool hook;     /* the work is a run, not the administrator's */
    const char *
        silence; /* "fail", or the action of instances whose project does not answer: static */
    const char
        *fallback; /* "fail", or "MIGRATE" after a live migration that failed: static */
    char cloud[64];
    char
        url[256]; /* of the collector, as projects reach it, without a slash at the end */
};

enum actuator_upkeep_kind {
    ACTUATOR_UPKEEP_DISABLE,
    ACTUATOR_UPKEEP_ENABLE,
    ACTUATOR_UPKEEP_MIGRATE,
    ACTUATOR_UPKEEP_LIVE_MIGRATE,
    ACTUATOR_UPKEEP_HOOK,
    ACTUATOR_UPKEEP_KINDS
};
struct actuator_upkeep_act { /* an action: one run of the engine */
    int64_t n;               /* of the run's identity */
    enum actuator_upkeep_kind kind;
    const char *host, *instance; /* borrowed; instance "" or NULL: of the host */
};
struct actuator_upkeep_session;

/* What Nova has: borrowed by _saw. */
struct actuator_upkeep_node { /* a host with nova-compute */
    char *name;
    bool up, enabled;
    bool sized; /* the figures are known */
    int64_t vcpus, vcpus_used, ram, ram_used;
};
struct actuator_upkeep_server {
    char *id, *name, *project, *host;
    bool moving;        /* between two states: looked at again */
    json_t *constraint; /* merged of instance and group, or NULL; owned */
};
struct actuator_upkeep_world {
    unsigned n_nodes, n_servers;
    struct actuator_upkeep_node *node;
    struct actuator_upkeep_server *server;
    char why[300]; /* not empty: it could not be seen */
};

/* From a stored start (model/upkeep.h); no_rules: NULL, or why there can be no session. NULL on memory failure. */
struct actuator_upkeep_session *
actuator_upkeep_new(const char *id, const json_t *start,
                    const struct actuator_upkeep_rules *rules, const char *no_rules,
                    int64_t now_ms);
void actuator_upkeep_free(struct actuator_upkeep_session *s); /* NULL allowed */
HALE_MUST_CHECK enum hale_rc
actuator_upkeep_encode(const struct actuator_upkeep_session *s, struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc actuator_upkeep_decode(struct hale_str json,
                                                    struct actuator_upkeep_session **out);

const char *actuator_upkeep_id(const struct actuator_upkeep_session *s);
const char *actuator_upkeep_tenant(const struct actuator_upkeep_session *s);
const struct actuator_upkeep_rules *
actuator_upkeep_rules(const struct actuator_upkeep_session *s);
bool actuator_upkeep_ended(const struct actuator_upkeep_session *s);
/* One of its hosts that is not given back yet. */
bool actuator_upkeep_holds(const struct actuator_upkeep_session *s, const char *host);
size_t actuator_upkeep_hosts(const struct actuator_upkeep_session *s);
const char *actuator_upkeep_host(const struct actuator_upkeep_session *s, size_t i);

/* --- what comes in; each does what follows from it ---------------------------------------- */
/* Does what is due. */
void actuator_upkeep_tick(struct actuator_upkeep_session *s, int64_t now_ms);
/* What was said about it: `what` is "cancel" or a question's number. Whatever it was, it is settled. */
void actuator_upkeep_said(struct actuator_upkeep_session *s, const char *what,
                          const json_t *word, int64_t now_ms);
/* The look that _looks asked for. */
void actuator_upkeep_saw(struct actuator_upkeep_session *s,
                         const struct actuator_upkeep_world *w, int64_t now_ms);
/* How a run ended: "verified", or anything else; "suppressed": it never began. */
void actuator_upkeep_acted(struct actuator_upkeep_session *s, int64_t n,
                           const char *outcome, const char *why, int64_t now_ms);
/* Another session has one of its hosts. */
void actuator_upkeep_refuse(struct actuator_upkeep_session *s, const char *why,
                            int64_t now_ms);

/* --- what goes out -------------------------------------------------------------------------- */
/* A look is due: at one host's servers (*host), or at everything (NULL). */
bool actuator_upkeep_looks(const struct actuator_upkeep_session *s, int64_t now_ms,
                           const char **host);
/* The actions that should be under way; *it starts at 0. False: no more. */
bool actuator_upkeep_acts(const struct actuator_upkeep_session *s, size_t *it,
                          struct actuator_upkeep_act *out);
/* When _tick or a look is due; INT64_MAX: never. */
int64_t actuator_upkeep_next_ms(const struct actuator_upkeep_session *s);

struct
    actuator_upkeep_out { /* since the last take; arrays of the caller's, each NULL when empty */
    bool dirty;           /* the record is not what was stored */
    json_t *events; /* {"tenant","type","traits"}: to be said */
    json_t *rows;   /* {"text","detail"}: of the journal */
    json_t *
        windows; /* {"host","starts_ms","ends_ms"}: maintenance windows; ends_ms 0: begins */
    json_t *settled; /* words that are carried out */
};
void actuator_upkeep_take(struct actuator_upkeep_session *s,
                          struct actuator_upkeep_out *out);
void actuator_upkeep_out_fini(struct actuator_upkeep_out *out);
#endif
