/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lcm_occ - an operation occurrence is followed to its end (declared in lcm.h).
 */
#include <stdio.h>
#include <string.h>

#include "actuator/lcm.h"
#include "base/utf8.h"

#define DEAF_MAX 6 /* looks at a FAILED_TEMP that was told what to do */

static const char *entered(const json_t *op)
{
    return lcm_either(op, "stateEnteredTime", "statusEnteredTime");
}

static unsigned allowed(const struct actuator_run *r)
{
    unsigned mask = (unsigned)actuator_run_step_int(r, "failed_temp");
    return mask != 0 ? mask : ACTUATOR_LCM_FAIL;
}

/* What to tell an operation that has failed (again), after what it was told before; "":
 * there is nothing left to say. A refused word is not said again. */
static const char *next_word(const struct actuator_run *r, bool refused_it)
{
    const char *last = r->settle;
    bool again = !refused_it && (*last == '\0' || strcmp(last, "retry") == 0);
    if ((allowed(r) & ACTUATOR_LCM_RETRY) != 0 && again &&
        r->failures < actuator_run_step_int(r, "retries"))
        return "retry";
    if ((allowed(r) & ACTUATOR_LCM_ROLLBACK) != 0 && strcmp(last, "rollback") != 0 &&
        strcmp(last, "fail") != 0)
        return "rollback";
    return strcmp(last, "fail") != 0 || !refused_it ? "fail" : "";
}

static void tell(struct actuator_run *r, const char *word, int64_t delay_us,
                 struct actuator_decision *d)
{
    (void)snprintf(r->settle, sizeof(r->settle), "%s", word);
    r->settled = false;
    d->end = ACTUATOR_GOES_ON;
    d->phase = ACTUATOR_SETTLE;
    d->delay_us = delay_us;
    d->counts = strcmp(word, "retry") == 0;
    d->note = true;
}

static bool cancelling(const struct actuator_run *r)
{
    return strcmp(r->settle, "cancel") == 0;
}

bool actuator_lcm_cancel(struct actuator_run *r, int64_t now_us,
                         struct actuator_decision *d)
{
    const char *mode = actuator_run_step_text(r, "cancel");
    if (mode[0] == '\0' || !d->at_work || r->cancel_us > 0)
        return false;
    actuator_decide(d, ACTUATOR_SETTLE, 0,
                    "operation %s is not done within %lld ms: cancel (%s)", r->op_occ,
                    (long long)actuator_run_step_int(r, "timeout_ms"), mode);
    tell(r, "cancel", 0, d);
    r->settle_seen[0] = '\0';
    r->queries = 0;
    r->cancel_us = now_us;
    return true;
}

/* It is at work although it was told to cancel. */
static void still_at_work(struct actuator_run *r, const json_t *op,
                          struct actuator_decision *d)
{
    bool heard = r->settled || json_is_true(json_object_get(op, "isCancelPending"));
    if (heard) {
        actuator_decide(d, ACTUATOR_POLL, lcm_poll_us(r),
                        "operation %s has not ended yet after cancel", r->op_occ);
        return;
    }
    actuator_decide(d, ACTUATOR_SETTLE, lcm_poll_us(r),
                    "operation %s does not know of our cancel", r->op_occ);
    d->note = true;
}

/* The operation is where it was when it was told r->settle. */
static void still_failed(struct actuator_run *r, struct actuator_decision *d)
{
    if (r->settled && r->queries + 1 < DEAF_MAX) { /* it takes its time */
        actuator_decide(d, ACTUATOR_POLL, actuator_step_backoff_us(r, ++r->queries),
                        "operation %s is still FAILED_TEMP after %s", r->op_occ,
                        r->settle);
        return;
    }
    if (!r->settled && r->queries < DEAF_MAX) {
        /* the word has not arrived; that it was not answered was counted then */
        actuator_decide(d, ACTUATOR_SETTLE,
                        r->queries > 0 ? actuator_step_backoff_us(r, r->queries) : 0,
                        "operation %s does not know of our %s", r->op_occ, r->settle);
        d->note = true;
        return;
    }
    r->queries = 0;
    const char *word = next_word(r, true);
    if (*word == '\0') {
        actuator_decide_fail(d, "operation %s stays FAILED_TEMP whatever it is told",
                             r->op_occ);
        return;
    }
    actuator_decide(d, ACTUATOR_SETTLE, 0, "operation %s stays FAILED_TEMP after %s",
                    r->op_occ, r->settle);
    tell(r, word, 0, d);
}

static void on_failed_temp(struct actuator_run *r, const json_t *op, const char *why,
                           struct actuator_decision *d)
{
    char at[sizeof(r->settle_seen)];
    (void)snprintf(at, sizeof(at), "%s", entered(op));
    (void)hale_utf8_clean(at);
    if (*at == '\0')
        memcpy(at, "-", 2); /* "" after it was seen at work again */
    if (r->settle[0] != '\0' && strcmp(at, r->settle_seen) == 0) {
        still_failed(r, d);
        return;
    }
    const char *word = next_word(r, false);
    actuator_decide(d, ACTUATOR_SETTLE, 0, "operation %s is FAILED_TEMP%s%.200s: %s",
                    r->op_occ, *why != '\0' ? ": " : "", why, word);
    bool told = r->settle[0] != '\0' && !cancelling(r);
    tell(r, word, told ? actuator_step_backoff_us(r, r->failures + 1) : 0, d);
    memcpy(r->settle_seen, at, sizeof(at));
    r->queries = 0;
}

static void on_failed(struct actuator_run *r, const char *why,
                      struct actuator_decision *d)
{
    const char *sep = *why != '\0' ? ": " : "";
    if (strcmp(r->settle, "fail") != 0 || allowed(r) != ACTUATOR_LCM_FAIL ||
        r->cancel_us > 0) {
        actuator_decide_fail(d, "operation %s FAILED%s%.200s", r->op_occ, sep, why);
        return;
    }
    r->call_us = 0; /* this one is over: a later operation is another one */
    actuator_decide(d, ACTUATOR_WAIT, actuator_step_backoff_us(r, r->failures + 1),
                    "operation %s FAILED%s%.200s", r->op_occ, sep, why);
    d->counts = true;
    d->note = true;
}

void lcm_on_poll(struct actuator_run *r, const struct actuator_answer *a,
                 struct actuator_decision *d)
{
    json_t *op = lcm_json(a);
    const char *state = lcm_text(op, "operationState");
    const char *why = lcm_text(json_object_get(op, "error"), "detail");

    if (strcmp(state, "COMPLETED") == 0) {
        (void)snprintf(d->text, sizeof(d->text), "operation %s COMPLETED", r->op_occ);
        d->end = ACTUATOR_STEP_DONE;
        d->note = true;
    } else if (strcmp(state, "FAILED_TEMP") == 0) {
        on_failed_temp(r, op, why, d);
    } else if (strcmp(state, "FAILED") == 0) {
        on_failed(r, why, d);
    } else if (strcmp(state, "ROLLED_BACK") == 0 ||
               strcmp(state, "PARTIALLY_COMPLETED") == 0) {
        actuator_decide_fail(d, "operation %s %s%s%.200s", r->op_occ, state,
                             *why != '\0' ? ": " : "", why);
    } else if (lcm_is_open(state) && cancelling(r)) {
        still_at_work(r, op, d);
    } else if (lcm_is_open(state)) {
        d->at_work = strcmp(state, "ROLLING_BACK") != 0;
        r->queries = 0;
        r->settle_seen[0] = '\0'; /* a FAILED_TEMP after this is another one */
        actuator_decide(d, ACTUATOR_POLL, lcm_poll_us(r), "operation %s is still %s",
                        r->op_occ, state);
    } else {
        lcm_ask_again(r, a, "could not read the operation's state", d);
    }
    json_decref(op);
}

void lcm_on_settle(struct actuator_run *r, const struct actuator_answer *a,
                   struct actuator_decision *d)
{
    char detail[256];
    d->note = true;
    if (a->rc == HALE_OK && ((a->status >= 200 && a->status < 300) || a->status == 409)) {
        /* the state tells what has become of it */
        r->settled = true;
        actuator_decide(d, ACTUATOR_POLL, 0, "operation %s was told to %s (%u)",
                        r->op_occ, r->settle, a->status);
        return;
    }
    if (cancelling(r) && a->rc == HALE_OK && a->status < 500 && a->status != 429) {
        actuator_decide_fail(
            d, "operation %s takes too long and refused to cancel with %u%s", r->op_occ,
            a->status, actuator_problem_text(a, detail, sizeof(detail)));
        return;
    }
    if (a->rc == HALE_OK && a->status < 500 && a->status != 429) {
        const char *word = next_word(r, true);
        if (*word == '\0' || a->status == 401 || a->status == 403) {
            actuator_decide_fail(
                d, "operation %s is FAILED_TEMP and refused to %s with %u%s", r->op_occ,
                r->settle, a->status, actuator_problem_text(a, detail, sizeof(detail)));
            return;
        }
        actuator_decide(d, ACTUATOR_SETTLE, 0, "operation %s refused to %s with %u%s: %s",
                        r->op_occ, r->settle, a->status,
                        actuator_problem_text(a, detail, sizeof(detail)), word);
        tell(r, word, 0, d);
        return;
    }
    r->phase = ACTUATOR_POLL;
    lcm_ask_again(r, a, "could not tell the operation what to do", d);
}
