/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_VIM_H
#define HALE_ACTUATOR_VIM_H
/*
 * vim - the steps that act on a cloud: one driver for each service, all of them pure functions
 * of (run, lane, answer). A driver asks first which things the step is about (its lanes), then
 * says for each lane what the next request is and what its answer means; how many at once, the
 * record, journal and repeats are lanes.c's business.
 * Rules:     - a call that is not idempotent is repeated only when the service cannot have it,
 *              or was asked and does not know it;
 *            - a conflict (409) is understood by looking: what is as wanted is done;
 *            - what no longer exists needs no healing.
 * Threads:   stateless.
 */
#include "actuator/lane.h"
#include "actuator/run.h"
#include "actuator/step.h"

#define ACTUATOR_VIM_ACTIONS_MAX 12

struct actuator_vim_key { /* an argument of a step */
    const char *name;
    const char *const *words; /* NULL-terminated, or NULL: any text */
};
struct actuator_vim_action {
    const char *name;
    const char *need[6]; /* keys that must be there; "a|b": exactly one of them */
    const char *may[8];  /* keys that may */
};
struct actuator_vim_driver {
    const char *type;                          /* of the step: "nova" */
    const char *service;                       /* of the catalogue: "compute" */
    const struct actuator_vim_action *actions; /* ends with name NULL */
    const struct actuator_vim_key *keys; /* ends with name NULL; all the driver knows */
    bool has_input;                      /* takes a map `input` */
    bool of_cluster;                     /* acts on one of `clusters`, not of `clouds` */
    bool waits_429; /* a call that is refused with 429 has time: it costs no retry */
    /* NULL, or what is wrong with an action's arguments as they are in the file; may be NULL. */
    const char *(*check)(const char *action, const json_t *args);
    /* What to ask in stage r->lanes.stage. */
    void (*find_request)(const struct actuator_run *r, struct actuator_request *q);
    /* STEP_DONE: the lanes are complete; GOES_ON: ask (again), in r->lanes.stage; FAILED. */
    void (*find_answer)(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d);
    /* The request of the lane's phase (CALL, ASK, CONFLICT, POLL). HALE_E_NOMEM. */
    enum hale_rc (*request)(const struct actuator_run *r,
                            const struct actuator_lane *lane, struct actuator_request *q);
    /* What its answer means for the lane; statuses that mean the same everywhere do not come
     * here (vim.c). STEP_DONE, STEP_FAILED: of the lane. May add lanes, which moves them. */
    void (*answer)(struct actuator_run *r, struct actuator_lane *lane,
                   const struct actuator_answer *a, struct actuator_decision *d);
    /* The lane's call may be made twice. */
    bool (*idempotent)(const struct actuator_run *r, const struct actuator_lane *lane);
};
extern const struct actuator_vim_driver actuator_nova, actuator_heat, actuator_masakari,
    actuator_mistral, actuator_neutron, actuator_senlin, actuator_kubernetes;

/* The driver of a step type, or NULL. */
const struct actuator_vim_driver *actuator_vim_driver(const char *type);
/* The request of a lane, or of the stage when lane is NULL. */
HALE_MUST_CHECK enum hale_rc actuator_vim_request(const struct actuator_run *r,
                                                  const struct actuator_lane *lane,
                                                  int64_t now_us,
                                                  struct actuator_request *out);
/* What the answer means. */
void actuator_vim_answer(struct actuator_run *r, struct actuator_lane *lane,
                         const struct actuator_answer *a, int64_t now_us,
                         struct actuator_decision *d);
/* The phase to resume a lane in whose call may have arrived. */
enum actuator_phase actuator_vim_resume(const struct actuator_run *r,
                                        const struct actuator_lane *lane);

/* --- for drivers --- */
const char *vim_arg(const struct actuator_run *r, const char *key); /* "" when absent */
bool vim_action_is(const struct actuator_run *r, const char *action);
/* JSON of a 2xx answer, new; NULL: none. */
json_t *vim_json(const struct actuator_answer *a);
const char *vim_text(const json_t *o, const char *key);
void vim_set_body(struct actuator_request *q,
                  json_t *body); /* taken; NULL: latches failure */
void vim_header(struct actuator_request *q, const char *name, const char *value);
void vim_done(struct actuator_decision *d, const char *fmt, ...) HALE_PRINTF(2, 3);
/* A question's answer that cannot be read: again, three times. */
void vim_again(struct actuator_run *r, struct actuator_lane *lane, const char *what,
               struct actuator_decision *d);
/* The call goes on there. */
void vim_follow(const struct actuator_run *r, struct actuator_lane *lane,
                const char *what, struct actuator_decision *d);
/* Call again after a pause; uses up a retry. */
void vim_repeat(const struct actuator_run *r, struct actuator_lane *lane,
                const char *what, struct actuator_decision *d);
/* The service does not know the call: asked some more times, for it may still be on its way in there;
 * then called again. */
void vim_unknown(const struct actuator_run *r, struct actuator_lane *lane,
                 const char *what, struct actuator_decision *d);
#define VIM_ASK_US  1000000
#define VIM_ASK_MAX 4
/* ": message" of an OpenStack error body, or "". */
const char *vim_problem(const struct actuator_answer *a, char *dst, size_t size);
#define VIM_PROBLEM_MAX 220
#endif
