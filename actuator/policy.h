/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_POLICY_H
#define HALE_ACTUATOR_POLICY_H
/*
 * policy - what to do about which alarms (docs/formats/policies.md), and which of them
 * an alarm selects. A file is read whole and strictly: the first mistake refuses it with
 * file, line and fix.
 * Plan:      a policy's steps with every variable filled in, as JSON. A run carries its
 *            own plan, so that a reload never changes a run under way:
 *            [{"type":"vnflcm"|"nslcm","url"|"cloud","operation":"heal"|...,"vnf"|"ns",
 *              "body":{},"auth":"bearer"|"x-auth-token","token_file"|"credentials":s,
 *              "timeout_ms","poll_ms","retries"[,"api":"v1"][,"version"]
 *              [,"failed_temp":mask][,"look_first":1][,"cancel":"GRACEFUL"|"FORCEFUL"]
 *              [,"call":{"way","server","body"},"appear_ms"]},
 *             {"type":"webhook","url","method","headers":{},"body":any,"auth",
 *              "token_file","timeout_ms","retries"[,"success"][,"expect"][,"until"]} (webhook.h),
 *             {"type":"nova"|"heat"|...,"cloud","action","args":{},"timeout_ms","poll_ms",
 *              "retries","parallel"},
 *             {"type":"exec","argv":[],"timeout_ms","retries","idempotent":bool[,"check":[]][,"body"]},
 *             {"type":"wait",...}] and what every step may have: policy_flow.h
 * Ownership: a set owns all it points to. Threads: immutable after loading.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actuator/guard.h"
#include "actuator/policy_proof.h"
#include "base/rc.h"
#include "model/alarm.h"
#include "model/yaml.h"

#define ACTUATOR_POLICIES_MAX    1000
#define ACTUATOR_STEPS_MAX       16
#define ACTUATOR_TARGET_MAX      200 /* bytes of an expanded target, with NUL */
#define ACTUATOR_POLICY_NAME_MAX 64  /* bytes */
#define ACTUATOR_VERSION_MAX     64  /* bytes, with NUL */

enum actuator_mode {
    ACTUATOR_OBSERVE, /* writes down what would be called */
    ACTUATOR_SUGGEST, /* the same, and somebody may approve it */
    ACTUATOR_APPROVE, /* asks somebody to */
    ACTUATOR_AUTO
};
const char *actuator_mode_text(int mode);
enum actuator_step_type {
    ACTUATOR_LCM,
    ACTUATOR_WEBHOOK,
    ACTUATOR_VIM,
    ACTUATOR_EXEC,
    ACTUATOR_STEP_WAIT
};

/* How a step ends, and where the run goes on then. */
enum actuator_way {
    ACTUATOR_ON_OK,
    ACTUATOR_ON_FAIL,
    ACTUATOR_ON_TIMEOUT,
    ACTUATOR_ON_GUARD,
    ACTUATOR_WAYS
};
extern const char *const actuator_way_keys[ACTUATOR_WAYS]; /* "on_ok", ... */
#define ACTUATOR_TO_DONE (-1) /* no further step: verification */
#define ACTUATOR_TO_FAIL (-2) /* the run has failed */

struct actuator_step {
    enum actuator_step_type type;
    int line;               /* in the file */
    char *url, *token_file; /* NULL = none */
    int auth;               /* 0 bearer, 1 x-auth-token */
    int64_t timeout_ms, retries;
    char *credentials;     /* name in the configuration, or NULL */
    const char *kind;      /* "nova", "vnflcm", ...: static; webhook: NULL */
    const char *action;    /* what it does there: static */
    char *cloud;           /* name in the configuration, or NULL */
    char *name;            /* NULL: its number */
    int to[ACTUATOR_WAYS]; /* number of a later step, ACTUATOR_TO_DONE or _FAIL */
    struct actuator_proof verify;
    /* wait */
    const char *acknowledgement; /* "optional", "required" (static) or NULL */
    struct actuator_proof until;
    int64_t poll_ms;
    /* on a life cycle: body is an object */
    char *instance;       /* id of the VNF or NS */
    const char *api;      /* "v1", or NULL: v2 */
    char *version;        /* header, or NULL: the API's */
    unsigned failed_temp; /* ACTUATOR_LCM_RETRY ... */
    bool look_first;
    const char *cancel; /* mode, static; NULL: what takes too long is left alone */
    json_t *way;        /* another way than the API's: {"way","server","body"}, or NULL */
    int64_t appear_ms;
    /* of a cloud: body is an object of the action's arguments */
    int64_t parallel;
    /* webhook */
    char *method;
    json_t *headers; /* object of strings, or NULL */
    json_t *body;    /* webhook: any JSON or NULL; strings are templates */
    json_t
        *answer; /* success, expect, until as webhook.h has them; strings are templates */
    /* exec: body is what it reads */
    json_t *argv, *check; /* arrays of templates, the first is a path; check: or NULL */
    bool idempotent;
};
struct actuator_policy {
    char *name;
    int mode;                       /* enum actuator_mode */
    struct hale_strings definition; /* names; n = 0: any */
    unsigned severities;            /* bit per enum hale_severity */
    unsigned states;                /* bit per enum hale_state */
    int source;                     /* 0 any, 1 metric, 2 event */
    json_t *dimensions;             /* object of strings; "*" = present */
    char *target;
    char *site;           /* template; NULL = none */
    int64_t stabilise_ms; /* 0 = acts at once */
    struct actuator_guard_rules guards;
    int repeat; /* 0 once, 1 while_alarm */
    struct actuator_proof verify;
    bool root_cause;     /* alarms that others explain do not trigger */
    int64_t approval_ms; /* how long a proposal stands */
    char *version;       /* "": none */
    unsigned n_steps;
    struct actuator_step step[ACTUATOR_STEPS_MAX];
};
struct actuator_policies {
    unsigned n, n_scaling;
    struct actuator_policy *v;
    struct actuator_scaling *scaling; /* scaling.h */
    struct actuator_upkeep_conf
        *upkeep; /* upkeep_policy.h; NULL: no maintenance sessions */
};

HALE_MUST_CHECK enum hale_rc actuator_policies_load_file(const char *path,
                                                         struct actuator_policies **out,
                                                         struct hale_err *err);
HALE_MUST_CHECK enum hale_rc actuator_policies_load(struct hale_str text,
                                                    const char *source,
                                                    struct actuator_policies **out,
                                                    struct hale_err *err);
/* The same from the lists under the keys `policies` and `scaling` of some document (NULL: none). */
HALE_MUST_CHECK enum hale_rc actuator_policies_read(const struct hale_yaml_node *list,
                                                    const struct hale_yaml_node *scaling,
                                                    struct actuator_policies **out,
                                                    struct hale_err *err);
void actuator_policies_free(struct actuator_policies *p); /* NULL allowed */
const struct actuator_policy *actuator_policies_find(const struct actuator_policies *p,
                                                     const char *name);
/* Every policy with steps, those of scaling too: i < _count. */
unsigned actuator_policies_count(const struct actuator_policies *p);
const struct actuator_policy *actuator_policies_at(const struct actuator_policies *p,
                                                   unsigned i);
void actuator_policy_fini(struct actuator_policy *p);
void actuator_policy_step_fini(struct actuator_step *s);

/* Variables of an alarm: every dimension that has one value in the group and all
 * metrics, then alarm.id, alarm.name, alarm.state, alarm.old_state, alarm.severity,
 * alarm.reason, alarm.seq, alarm.time, tenant. The caller adds policy, target, run.id.
 * NULL on memory failure. */
json_t *actuator_policy_vars(const struct hale_log_record *rec);
/* Nobody is told of the alarm because others explain it, and for no other reason. */
bool actuator_policy_symptom(const struct hale_log_record *rec);
bool actuator_policy_selects(const struct actuator_policy *p,
                             const struct hale_log_record *rec, const json_t *vars);
/* A new JSON array. HALE_E_NOTFOUND with the variable's name in missing
 * (ACTUATOR_NAME_MAX). */
HALE_MUST_CHECK enum hale_rc actuator_policy_plan(const struct actuator_policy *p,
                                                  const json_t *vars, json_t **out,
                                                  char *missing);
#endif
