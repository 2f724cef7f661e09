/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_STEP_H
#define HALE_ACTUATOR_STEP_H
/*
 * step - what one step sends and how an answer is understood: pure functions of (run,
 * answer, now). Webhook (webhook.h), executables (exec.h), life cycles of VNFs and network services (lcm.h), and what
 * acts on a cloud, on several things at once (vim.h).
 * Threads:   stateless.
 */
#include <stdbool.h>
#include <stdint.h>

#include "actuator/run.h"
#include "base/buf.h"
#include "base/str.h"

#define ACTUATOR_NO_LANE (-1)
struct actuator_request {
    const char *method; /* literal or owned by the plan */
    const char *cloud;  /* "" = url is a whole one; else the cloud's name, plan's */
    const char
        *service; /* type in the cloud's catalogue; url is the path below its endpoint */
    bool
        of_cluster; /* cloud is the name of a Kubernetes cluster; url is its API's path */
    const json_t *argv;      /* NULL: HTTP; else an executable's, plan's (exec.h) */
    int lane;                /* number of the lane, or ACTUATOR_NO_LANE */
    struct hale_buf url;     /* owned */
    json_t *headers;         /* object of strings, owned; without the token */
    const char *auth;        /* "bearer" | "x-auth-token", plan's */
    const char *token_file;  /* "" = none, plan's */
    const char *ca_file;     /* NULL = the system's; configuration's */
    const char *credentials; /* "" = none; else their name, plan's */
    struct hale_buf body;    /* empty = none, owned */
    int64_t timeout_ms;
    int64_t accepted_us; /* of the fault, on the first call of a run; else 0 */
};
struct actuator_answer {
    enum hale_rc
        rc;   /* HALE_OK: a status arrived; AGAIN: timed out; IO; LIMIT: too large; INVAL;
                        DENIED: the host is not allowed */
    int lane; /* the request's */
    bool sent;       /* the request may have arrived */
    unsigned status; /* of an executable: its exit code */
    int signal;      /* that ended an executable, or 0 */
    struct hale_str body;
    struct hale_str location;    /* header, or empty */
    struct hale_str retry_after; /* header, or empty */
    struct hale_str link;        /* header, or empty */
    int64_t took_us;
    int64_t
        behind_ms; /* the sender's clock is so far behind ours; 0: not, or not known */
    const char *error;
};
enum actuator_end { ACTUATOR_GOES_ON, ACTUATOR_STEP_DONE, ACTUATOR_STEP_FAILED };

#define ACTUATOR_TEXT_MAX 400
struct actuator_decision {
    enum actuator_end end;
    enum actuator_phase phase; /* when it goes on */
    int64_t delay_us;          /* before the phase's request */
    bool counts;               /* one of the step's retries is used up */
    bool note;                 /* worth a journal row of kind answer */
    bool timed_out;            /* STEP_FAILED: its time is over */
    bool at_work;              /* the operation followed is STARTING or PROCESSING */
    char text[ACTUATOR_TEXT_MAX];
};

/* The request of the run's phase (CALL, ASK, CONFLICT, POLL, SETTLE). HALE_E_LIMIT,
 * HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_step_request(const struct actuator_run *r,
                                                   int64_t now_us,
                                                   struct actuator_request *out);
/* The same for a lane (or a question, lane NULL) of a step that acts on a cloud. */
HALE_MUST_CHECK enum hale_rc actuator_step_lane_request(const struct actuator_run *r,
                                                        const struct actuator_lane *lane,
                                                        int64_t now_us,
                                                        struct actuator_request *out);
void actuator_request_fini(struct actuator_request *q);
/* What the answer to that request means. May write r->op_occ, r->settle*, r->queries, r->follow*.
 * taken: says whether another run follows the operation occurrence already. */
void actuator_step_answer(struct actuator_run *r, const struct actuator_answer *a,
                          int64_t now_us, bool (*taken)(const char *op_id, void *arg),
                          void *arg, struct actuator_decision *out);
/* Back-off before try number k (from 1): 200 ms doubling to 10 s, with jitter of half,
 * the same for the same run. */
int64_t actuator_step_backoff_us(const struct actuator_run *r, int64_t k);
int64_t actuator_step_deadline_us(const struct actuator_run *r);

/* --- between step.c and the kinds of steps --- */
void actuator_decide(struct actuator_decision *d, enum actuator_phase phase,
                     int64_t delay_us, const char *fmt, ...) HALE_PRINTF(4, 5);
void actuator_decide_fail(struct actuator_decision *d, const char *fmt, ...)
    HALE_PRINTF(2, 3);
/* at_ms, by the clock of who answered, is not before call_us by ours; slack_ms: clocks never agree wholly. */
bool actuator_answer_since(const struct actuator_answer *a, int64_t at_ms,
                           int64_t call_us, int64_t slack_ms);
/* Retry-After in microseconds (seconds form, at most one hour), else fallback_us. */
int64_t actuator_retry_after_us(const struct actuator_answer *a, int64_t fallback_us);
/* ": detail" of a ProblemDetails or any "detail"/"title"/"message" in a JSON body, or
 * "". */
const char *actuator_problem_text(const struct actuator_answer *a, char *dst,
                                  size_t size);
#endif
