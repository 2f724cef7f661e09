/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life - the life of one run: calls, answers, verification, end (see engine.h).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/exec.h"
#include "actuator/lcm.h"
#include "base/assert.h"
#include "base/log.h"

#define RUN_MAX_BYTES  (4u << 20) /* a thousand lanes with long names */
#define ROW_MAX_BYTES  (256u << 10)
#define TEXT_MAX_BYTES 1024
#define TAKE_RETRY_US  1000000

static char *word(const char *text)
{
    return (char *)(uintptr_t)text; /* journal rows only read their strings */
}

void life_row(struct actuator_engine *e, const struct actuator_run *r, const char *kind,
              bool of_step, json_t *detail, const char *fmt, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    struct hale_journal_row row = {
        .time_ms = e->now_us / 1000,
        .kind = word(kind),
        .run_id = word(r->id),
        .policy = r->policy,
        .mode = word(actuator_mode_text(r->mode)),
        .tenant = r->tenant,
        .alarm_id = r->alarm_id,
        .alarm_name = r->alarm_name,
        .alarm_seq = r->alarm_seq,
        .target = r->target,
        .step = of_step ? (int)r->step : -1,
        .step_type = word(of_step ? actuator_run_step_type(r) : ""),
        .attempt = of_step ? (int)r->attempt : 0,
        .text = text,
        .detail = detail != NULL ? detail : json_object(),
    };
    HALE_ASSERT(e->n_rows < ENGINE_ROWS_MAX);
    struct hale_buf *buf = &e->row_buf[e->n_rows];
    hale_buf_reset(buf);
    if (hale_journal_encode(&row, buf) == HALE_OK)
        e->n_rows++;
    else
        hale_error("event=journal_row_lost run=%s kind=%s", r->id, kind);
    json_decref(row.detail);
}

void life_commit(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                 enum after after, int64_t position)
{
    struct hale_str rows[ENGINE_ROWS_MAX], events[ACTUATOR_EVENTS_MAX];
    struct actuator_memory guards[ENGINE_TOUCHED_MAX];
    struct hale_buf run_json;
    char forget[HALE_UUID_TEXT] = "";
    for (unsigned i = 0; i < e->n_rows; i++)
        rows[i] = hale_buf_str(&e->row_buf[i]);
    hale_buf_init(&run_json, RUN_MAX_BYTES);
    r->written_us = e->now_us;
    r->unwritten = after != AFTER_NOTHING && actuator_run_encode(r, &run_json) != HALE_OK;
    if (r->unwritten) {
        hale_error("event=run_record_lost run=%s", r->id);
        hale_buf_reset(&run_json); /* half a record is none */
    }
    if (op == ACTUATOR_OP_BIRTH || op == ACTUATOR_OP_END)
        memory_touch(e, r->target);
    scaling_commit(e, r, op);
    if (e->forget_n > 0 && after != AFTER_NOTHING)
        memcpy(forget, e->forget[--e->forget_n], sizeof(forget));

    const struct actuator_commit c = {
        .op = op,
        .run_id = r->id,
        .target = r->target,
        .token = r->token,
        .run_json = r->unwritten ? (struct hale_str){NULL, 0} : hale_buf_str(&run_json),
        .position = position,
        .n_guards = memory_take(e, guards),
        .guard = guards,
        .n_events = loop_alarm_take(e, events),
        .event = events,
        .n_rows = e->n_rows,
        .row = rows,
        .forget = forget[0] != '\0' ? forget : NULL,
        .settled = op == ACTUATOR_OP_END ? ACTUATOR_VERDICTS_ALL : r->settled_verdicts,
    };
    r->settled_verdicts = 0;
    r->busy++;
    r->after = (int)after;
    e->n_rows = 0;
    e->io.commit(e->io.arg, &c);
    memory_taken(guards, c.n_guards);
    hale_buf_fini(&run_json);
}

void life_commit_alone(struct actuator_engine *e)
{
    struct hale_str rows[ENGINE_ROWS_MAX], events[ACTUATOR_EVENTS_MAX];
    struct actuator_memory guards[ENGINE_TOUCHED_MAX];
    for (unsigned i = 0; i < e->n_rows; i++)
        rows[i] = hale_buf_str(&e->row_buf[i]);
    const struct actuator_commit c = {
        .op = ACTUATOR_OP_ALONE,
        .run_id = "",
        .target = "",
        .n_guards = memory_take(e, guards),
        .guard = guards,
        .n_events = loop_alarm_take(e, events),
        .event = events,
        .n_rows = e->n_rows,
        .row = rows,
    };
    e->n_rows = 0;
    e->io.commit(e->io.arg, &c);
    memory_taken(guards, c.n_guards);
}

void life_row_alone(struct actuator_engine *e, const char *kind,
                    const struct loop_alarm *about, json_t *detail)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, about->policy);
    const struct actuator_run none = {.policy = word(about->policy),
                                      .tenant = word(about->tenant),
                                      .alarm_id = word(""),
                                      .alarm_name = word(""),
                                      .target = word(about->target),
                                      .mode = p != NULL ? p->mode : ACTUATOR_AUTO};
    life_row(e, &none, kind, false, detail, "%s", about->text);
}

void life_arm(struct actuator_engine *e, struct actuator_run *r, int64_t at_us)
{
    enum hale_rc rc = hale_timers_arm(e->timers, &r->timer, at_us);
    HALE_ASSERT(rc == HALE_OK); /* one timer per run, and as many places as runs */
}

static bool may_repeat(const struct actuator_engine *e, const struct actuator_run *r)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    return p != NULL && p->repeat == 1 && engine_mode(e, p) == p->mode &&
           r->cleared_us == 0 && !r->alarm_gone;
}

static int64_t *counter_of(struct actuator_engine *e, const char *how)
{
    return strcmp(how, "verified") == 0 ? &e->stats.verified
           : strcmp(how, "failed") == 0 ? &e->stats.failed
                                        : &e->stats.aborted;
}

void life_end(struct actuator_engine *e, struct actuator_run *r, const char *how,
              json_t *detail, const char *text)
{
    const struct actuator_policy *p = actuator_policies_find(e->policies, r->policy);
    bool failed = strcmp(how, "failed") == 0;
    guards_ended(e, r, strcmp(how, "verified") == 0,
                 failed && !r->alarm_gone && flow_stopped(e, r) == NULL);
    bool again = failed && may_repeat(e, r);
    int64_t rested_us = again ? guards_rested_us(e, r, p) : 0;
    life_row(e, r, how, false, detail, "%s", text);
    (void)snprintf(r->ended, sizeof(r->ended), "%s", text);
    (void)snprintf(r->outcome, sizeof(r->outcome), "%s", how);
    (*counter_of(e, how))++;
    json_decref(r->plan);
    r->plan = NULL;
    r->state = again ? ACTUATOR_WAITING : ACTUATOR_DONE;
    r->again_us = r->wake_us = rested_us;
    turn_over(e, r);
    engine_release_lease(e, r);
    hale_timers_disarm(e->timers, &r->timer);
    life_commit(e, r, ACTUATOR_OP_END, again ? AFTER_ARM : AFTER_FORGET, 0);
}

void life_verified(struct actuator_engine *e, struct actuator_run *r, const char *why)
{
    char text[ACTUATOR_TEXT_MAX];
    int64_t since = r->accepted_us > 0 ? r->accepted_us : r->logged_us;
    int64_t took_ms = (r->cleared_us - since + 500) / 1000;
    if (why != NULL)
        (void)snprintf(text, sizeof(text), "%s", why);
    else if (r->alarm_state == HALE_STATE_OK)
        (void)snprintf(text, sizeof(text), "all steps done");
    else
        (void)snprintf(text, sizeof(text), "healed in %lld ms: the alarm has cleared",
                       (long long)(took_ms > 0 ? took_ms : 0));
    life_end(e, r, "verified", NULL, text);
}

void life_check_verify(struct actuator_engine *e, struct actuator_run *r)
{
    char text[128];
    int64_t until = r->verify_us + r->verify_within_ms * 1000;
    if (r->state != ACTUATOR_VERIFYING || r->busy > 0)
        return;
    if (r->verify != NULL) {
        prove_wake(e, r);
    } else if (r->cleared_us > 0) {
        life_verified(e, r, NULL);
    } else if (r->alarm_gone) {
        life_end(e, r, "failed", NULL, "the alarm was deleted before it cleared");
    } else if (e->now_us >= until) {
        (void)snprintf(text, sizeof(text), "the alarm has not cleared within %lld ms",
                       (long long)r->verify_within_ms);
        life_end(e, r, "failed", NULL, text);
    } else {
        life_arm(e, r, until);
    }
}

void life_alarm_moved(struct actuator_engine *e, struct actuator_run *r)
{
    if (r->busy > 0)
        return;
    if (r->state == ACTUATOR_PROPOSED)
        verdict_wake(e, r);
    else if (r->state == ACTUATOR_OPEN && r->phase == ACTUATOR_PROVE && r->token > 0)
        prove_wake(e, r);
    else if (r->state == ACTUATOR_VERIFYING && r->token > 0 &&
             (r->cleared_us > 0 || r->alarm_gone))
        life_check_verify(e, r);
}

/* --- calls ------------------------------------------------------------------------- */

/* URL for the journal: without query, which may carry secrets. */
static void show_url(const struct actuator_request *q, char *dst, size_t size)
{
    size_t n = q->url.p != NULL ? strcspn(q->url.p, "?#") : 0;
    (void)snprintf(dst, size, "%.*s", (int)(n < size ? n : size - 1),
                   q->url.p != NULL ? q->url.p : "");
}

static void call_row(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_request q;
    if (actuator_step_request(r, e->now_us, &q) != HALE_OK) {
        (void)snprintf(r->url, sizeof(r->url), "?");
        life_row(e, r, "call", true, NULL, "a request that is too large");
    } else {
        show_url(&q, r->url, sizeof(r->url));
        life_row(e, r, "call", true,
                 q.argv != NULL
                     ? actuator_exec_call_detail(&q)
                     : json_pack("{s:s,s:s}", "method", q.method, "url", r->url),
                 "%s %s", q.method, r->url);
    }
    actuator_request_fini(&q);
}

void life_begin_call(struct actuator_engine *e, struct actuator_run *r,
                     enum actuator_op op, int64_t position)
{
    if (lanes_are_for(r)) {
        lanes_begin(e, r, op, position);
        return;
    }
    if (hold_is_for(r)) {
        hold_begin(e, r, op, position);
        return;
    }
    if (turn_waits(e, r, op, position))
        return;
    r->phase = ACTUATOR_CALL;
    r->attempt++;
    r->wake_us = 0;
    if (r->step_us == 0)
        r->step_us = e->now_us;
    if (r->call_us == 0)
        r->call_us = e->now_us;
    call_row(e, r);
    life_commit(e, r, op, AFTER_REQUEST, position);
}

/* Only now may something leave. */
static void send_request(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_request q;
    if (r->phase == ACTUATOR_LANES) {
        lanes_work(e, r);
        return;
    }
    enum hale_rc rc = actuator_step_request(r, e->now_us, &q);
    if (rc == HALE_OK) {
        r->calling = true;
        if (r->step == 0 && r->attempt == 1 && r->phase == ACTUATOR_CALL && r->n == 0)
            q.accepted_us = r->accepted_us;
        e->stats.calls++;
        e->io.call(e->io.arg, r->id, &q);
        actuator_request_fini(&q);
        return;
    }
    actuator_request_fini(&q);
    life_end(e, r, "failed", NULL, "the request is too large");
}

static void settle(struct actuator_engine *e, struct actuator_run *r)
{
    if (flow_stopped(e, r) != NULL) /* it is ended, but nothing is begun or taken back */
        (void)snprintf(r->settle, sizeof(r->settle), "fail");
    r->wake_us = 0;
    call_row(e, r);
    life_commit(e, r, ACTUATOR_OP_KEEP, AFTER_REQUEST, 0);
}

static void act(struct actuator_engine *e, struct actuator_run *r)
{
    const char *stop;
    switch (r->phase) {
    case ACTUATOR_WAIT:
    case ACTUATOR_QUEUE:
    case ACTUATOR_CALL:
        stop = flow_stopped(e, r);
        if (stop != NULL)
            life_end(e, r, "failed", NULL, stop);
        else
            life_begin_call(e, r, ACTUATOR_OP_KEEP, 0);
        break;
    case ACTUATOR_HOLD: hold_wake(e, r); break;
    case ACTUATOR_PROVE: prove_wake(e, r); break;
    case ACTUATOR_SETTLE: settle(e, r); break;
    case ACTUATOR_ASK:
    case ACTUATOR_CONFLICT:
    case ACTUATOR_POLL:
    case ACTUATOR_LANES: send_request(e, r); break;
    }
}

void life_wake(struct actuator_engine *e, struct actuator_run *r)
{
    if (r->busy > 0)
        return; /* the commit's end looks at wake_us itself */
    if (verdict_work(e, r) || r->calling)
        return; /* an answer looks at wake_us, too */
    if (r->state == ACTUATOR_PROPOSED) {
        verdict_wake(e, r);
    } else if (r->state == ACTUATOR_WAITING) {
        engine_try_again(e, r);
    } else if (r->token == 0) {
        life_commit(e, r, ACTUATOR_OP_TAKE, AFTER_RESUME, 0);
    } else if (r->state == ACTUATOR_VERIFYING) {
        life_check_verify(e, r);
    } else if (r->state == ACTUATOR_OPEN) {
        if (r->wake_us > e->now_us)
            life_arm(e, r, r->wake_us);
        else
            act(e, r);
    }
}

static json_t *answer_detail(const struct actuator_run *r,
                             const struct actuator_answer *a)
{
    if (actuator_exec_is(r))
        return actuator_exec_answer_detail(a);
    json_t *detail = json_pack("{s:I,s:f}", "status", (json_int_t)a->status, "took_ms",
                               (double)a->took_us / 1000.0);
    int rc = 0;
    if (r->op_occ[0] != '\0')
        rc |= json_object_set_new(detail, "op_occ", json_string(r->op_occ));
    if (a->error != NULL && a->error[0] != '\0')
        rc |= json_object_set_new(detail, "error", json_string(a->error));
    (void)rc; /* a detail less is no reason to lose the row */
    return detail;
}

void life_answered(struct actuator_engine *e, struct actuator_run *r,
                   const struct actuator_answer *a)
{
    struct actuator_decision d;
    if (r->state == ACTUATOR_OPEN && r->phase == ACTUATOR_LANES) {
        lanes_answered(e, r, a);
        return;
    }
    if (r->phase == ACTUATOR_PROVE) {
        prove_answered(e, r, a);
        return;
    }
    if (!r->calling || r->state != ACTUATOR_OPEN)
        return;
    r->calling = false;
    actuator_step_answer(r, a, e->now_us, engine_op_taken, e, &d);
    if (d.note)
        life_row(e, r, "answer", true, answer_detail(r, a), "%s", d.text);
    if (d.end == ACTUATOR_STEP_DONE) {
        life_step_done(e, r);
        return;
    }
    if (d.end == ACTUATOR_STEP_FAILED) {
        flow_leave(e, r, d.timed_out ? ACTUATOR_ON_TIMEOUT : ACTUATOR_ON_FAIL, d.text);
        return;
    }
    r->failures += d.counts ? 1 : 0;
    r->phase = d.phase;
    r->wake_us = e->now_us + d.delay_us;
    if (d.note)
        life_commit(e, r, ACTUATOR_OP_KEEP, AFTER_ARM, 0);
    else
        life_arm(e, r, r->wake_us);
}

/* --- commits ----------------------------------------------------------------------- */

static void resume(struct actuator_engine *e, struct actuator_run *r)
{
    if (r->state == ACTUATOR_VERIFYING) {
        life_check_verify(e, r);
        return;
    }
    if (r->phase == ACTUATOR_LANES) {
        lanes_resume(e, r);
        return;
    }
    const char *lost = NULL;
    if (actuator_lcm_api(actuator_run_step_type(r)) != NULL)
        r->phase = actuator_lcm_resume(r);
    else if (actuator_exec_is(r) && r->phase == ACTUATOR_CALL)
        lost = actuator_exec_resume(r);
    else if (r->phase == ACTUATOR_CALL)
        r->phase = ACTUATOR_WAIT; /* the same Idempotency-Key makes a repeat harmless */
    if (lost != NULL)
        life_step_failed(e, r, lost);
    else
        life_wake(e, r);
}

static void held(struct actuator_engine *e, struct actuator_run *r, const char *holder)
{
    if (r->after ==
        AFTER_RESUME) { /* not ours yet: its time will run out or it will end */
        life_arm(e, r, e->now_us + TAKE_RETRY_US);
        return;
    }
    /* another actuator was faster: this run never began */
    engine_release_lease(e, r);
    r->state = ACTUATOR_DONE;
    (void)snprintf(r->outcome, sizeof(r->outcome), "suppressed");
    json_decref(r->plan);
    r->plan = NULL;
    e->stats.suppressed_lease++;
    e->stats.born--;
    life_row(e, r, "suppressed", false,
             json_pack("{s:s,s:s}", "guard", "lease", "holder", holder),
             "another run holds the target");
    bool proposed = r->expires_us > 0;
    if (proposed)
        verdict_over(e, r);
    life_commit(e, r, proposed ? ACTUATOR_OP_IDLE : ACTUATOR_OP_NOTE, AFTER_FORGET, 0);
}

void life_committed(struct actuator_engine *e, struct actuator_run *r,
                    enum actuator_commit_result result, int64_t token, const char *holder)
{
    HALE_ASSERT(r->busy > 0);
    r->busy--;
    if (token > 0)
        r->token = token;
    if (result == ACTUATOR_LOST || result == ACTUATOR_EXISTS) {
        if (result == ACTUATOR_LOST)
            hale_warn("event=lease_lost run=%s target=%s", r->id, r->target);
        if (r->calling || r->phase == ACTUATOR_LANES)
            e->io.cancel(e->io.arg, r->id);
        r->calling = false;
        r->after = AFTER_FORGET;
    }
    if (r->busy > 0)
        return;
    if (result == ACTUATOR_HELD) {
        held(e, r, holder);
        return;
    }
    switch ((enum after)r->after) {
    case AFTER_NOTHING:
    case AFTER_ARM:
        if (verdict_work(e, r))
            break;
        if (r->state == ACTUATOR_PROPOSED)
            verdict_wake(e, r);
        else if (r->state == ACTUATOR_VERIFYING)
            life_check_verify(e, r);
        else if (!r->calling)
            life_arm(e, r, r->wake_us > e->now_us ? r->wake_us : e->now_us);
        break;
    case AFTER_REQUEST:
        if (r->unwritten) { /* whoever read the record after a crash would not know of it */
            e->io.cancel(e->io.arg, r->id);
            life_end(e, r, "failed", NULL, "its record cannot be written");
        } else {
            send_request(e, r);
        }
        break;
    case AFTER_RESUME: resume(e, r); break;
    case AFTER_FORGET: engine_forget_run(e, r); break;
    }
}
