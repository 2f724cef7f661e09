/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes - the life of a step that acts on a cloud (declared in engine_private.h): it finds its
 * lanes, then works on as many at once as the step allows. One commit at a time: what answers
 * meant and which calls come next are written together, and only then do those calls leave. A call
 * that is in the record without an outcome is asked about after a crash (vim.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/vim.h"
#include "base/log.h"

#define ROWS_PER_COMMIT 12 /* leaves room for the rows of an end */

bool lanes_are_for(const struct actuator_run *r)
{
    return actuator_vim_driver(actuator_run_step_type(r)) != NULL;
}

void lanes_begin(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                 int64_t position)
{
    actuator_lanes_fini(&r->lanes);
    r->phase = ACTUATOR_LANES;
    r->attempt = 1;
    r->wake_us = 0;
    r->step_us = r->call_us = e->now_us;
    life_commit(e, r, op, AFTER_REQUEST, position);
}

/* "mycloud compute /servers/x/action": without query. */
static void show_path(const struct actuator_request *q, char *dst, size_t size)
{
    size_t n = q->url.p != NULL ? strcspn(q->url.p, "?#") : 0;
    (void)snprintf(dst, size, "%s %s %.*s", q->cloud, q->service, (int)n,
                   q->url.p != NULL ? q->url.p : "");
}

static void send(struct actuator_engine *e, struct actuator_run *r,
                 struct actuator_lane *lane)
{
    struct actuator_request q;
    enum hale_rc rc = actuator_step_lane_request(r, lane, e->now_us, &q);
    bool call = lane != NULL && lane->phase == ACTUATOR_CALL;
    if (rc == HALE_OK) {
        *(lane != NULL ? &lane->calling : &r->lanes.asking) = true;
        if (call)
            lane->marked = false;
        if (call && r->step == 0 && r->n == 0 && lane == r->lanes.v && lane->attempt == 1)
            q.accepted_us = r->accepted_us;
        e->stats.calls++;
        e->io.call(e->io.arg, r->id, &q);
    } else if (lane != NULL) {
        lane->end = ACTUATOR_LANE_BAD;
        (void)snprintf(lane->text, sizeof(lane->text), "the request is too large");
    } else {
        r->lanes.failed = true;
        (void)snprintf(r->lanes.text, sizeof(r->lanes.text), "the request is too large");
    }
    actuator_request_fini(&q);
}

/* --- what is written --------------------------------------------------------------- */

static void mark_call(struct actuator_engine *e, struct actuator_run *r,
                      struct actuator_lane *lane)
{
    struct actuator_request q;
    char path[512];
    lane->phase = ACTUATOR_CALL;
    lane->marked = true;
    lane->attempt++;
    if (lane->call_us == 0)
        lane->call_us = e->now_us;
    r->lanes.dirty = true;
    if (actuator_step_lane_request(r, lane, e->now_us, &q) == HALE_OK) {
        show_path(&q, path, sizeof(path));
        life_row(e, r, "call", true,
                 json_pack("{s:s,s:s,s:s,s:I}", "method", q.method, "url", path, "item",
                           lane->id, "try", (json_int_t)lane->attempt),
                 "%s %s", q.method, path);
    }
    actuator_request_fini(&q);
}

static void answer_row(struct actuator_engine *e, const struct actuator_run *r,
                       struct actuator_lane *lane)
{
    lane->told = false;
    life_row(e, r, "answer", true,
             json_pack("{s:s,s:I,s:f}", "item", lane->id, "status",
                       (json_int_t)lane->status, "took_ms",
                       (double)lane->took_us / 1000.0),
             "%s: %s", lane->id, lane->text);
}

static unsigned parallel(const struct actuator_run *r)
{
    int64_t n = actuator_run_step_int(r, "parallel");
    return n < 1 ? 1 : (unsigned)n;
}

/* Rows of answers first, then as many new calls as fit. True: everything is told. */
static bool write_down(struct actuator_engine *e, struct actuator_run *r, unsigned active)
{
    struct actuator_lanes *l = &r->lanes;
    unsigned rows = 0;
    for (unsigned i = 0; i < l->n && rows < ROWS_PER_COMMIT; i++)
        if (l->v[i].told) {
            answer_row(e, r, &l->v[i]);
            l->dirty = true;
            rows++;
        }
    for (unsigned i = 0; i < l->n && rows < ROWS_PER_COMMIT; i++) {
        struct actuator_lane *lane = &l->v[i];
        if (lane->end != ACTUATOR_LANE_OPEN || lane->phase != ACTUATOR_WAIT ||
            lane->wake_us > e->now_us || (lane->attempt == 0 && active >= parallel(r)))
            continue;
        active += lane->attempt == 0 ? 1 : 0;
        mark_call(e, r, lane);
        rows++;
    }
    return rows < ROWS_PER_COMMIT;
}

/* --- the end ----------------------------------------------------------------------- */

static void end_step(struct actuator_engine *e, struct actuator_run *r)
{
    const struct actuator_lanes *l = &r->lanes;
    char text[ACTUATOR_TEXT_MAX + 64];
    unsigned bad = 0;
    const struct actuator_lane *first = NULL;
    for (unsigned i = 0; i < l->n; i++)
        if (l->v[i].end == ACTUATOR_LANE_BAD) {
            first = bad++ == 0 ? &l->v[i] : first;
        }
    if (l->failed)
        (void)snprintf(text, sizeof(text), "%s", l->text);
    else if (bad > 0 && l->n == 1)
        (void)snprintf(text, sizeof(text), "%s", first->text);
    else if (bad > 0)
        (void)snprintf(text, sizeof(text), "%u of %u failed; %s: %s", bad, l->n,
                       first->id, first->text);
    bool good = !l->failed && bad == 0;
    if (good)
        life_step_done(e, r);
    else
        flow_leave(e, r, l->timed_out ? ACTUATOR_ON_TIMEOUT : ACTUATOR_ON_FAIL, text);
}

static void give_up(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_lanes *l = &r->lanes;
    char why[ACTUATOR_LANE_TEXT_MAX];
    long long ms = (long long)actuator_run_step_int(r, "timeout_ms");
    e->io.cancel(e->io.arg, r->id);
    l->asking = false;
    l->timed_out = true;
    if (!l->found) {
        l->failed = true;
        (void)snprintf(l->text, sizeof(l->text),
                       "not found out within %lld ms what to act on", ms);
    }
    for (unsigned i = 0; i < l->n; i++) {
        struct actuator_lane *lane = &l->v[i];
        lane->calling = false;
        if (lane->end != ACTUATOR_LANE_OPEN)
            continue;
        memcpy(why, lane->text, sizeof(why));
        lane->end = ACTUATOR_LANE_BAD;
        (void)snprintf(lane->text, sizeof(lane->text),
                       "not done within %lld ms; last: %.160s", ms, why);
        lane->told = true;
    }
}

/* No further call: what has not begun ends, what is under way is followed. */
static void stop(struct actuator_engine *e, struct actuator_run *r, const char *why)
{
    struct actuator_lanes *l = &r->lanes;
    if (!l->found) {
        if (l->asking)
            e->io.cancel(e->io.arg, r->id);
        l->asking = false;
        l->failed = true;
        (void)snprintf(l->text, sizeof(l->text), "%s", why);
    }
    for (unsigned i = 0; i < l->n; i++) {
        struct actuator_lane *lane = &l->v[i];
        if (lane->end != ACTUATOR_LANE_OPEN || lane->phase != ACTUATOR_WAIT)
            continue;
        lane->end = ACTUATOR_LANE_BAD;
        (void)snprintf(lane->text, sizeof(lane->text), "%s", why);
        lane->told = true;
    }
}

/* --- work -------------------------------------------------------------------------- */

static bool asks(const struct actuator_lane *lane)
{
    return lane->phase == ACTUATOR_ASK || lane->phase == ACTUATOR_POLL ||
           lane->phase == ACTUATOR_CONFLICT;
}

/* Sends what may leave; counts what is not over; says when the next thing is due. */
static unsigned send_due(struct actuator_engine *e, struct actuator_run *r,
                         unsigned *active, int64_t *next_us)
{
    struct actuator_lanes *l = &r->lanes;
    unsigned open = 0;
    for (unsigned i = 0; i < l->n; i++) {
        struct actuator_lane *lane = &l->v[i];
        if (lane->end == ACTUATOR_LANE_OPEN && !lane->calling &&
            ((lane->phase == ACTUATOR_CALL && lane->marked) ||
             (asks(lane) && lane->wake_us <= e->now_us)))
            send(e, r, lane); /* may be answered at once */
        if (lane->end != ACTUATOR_LANE_OPEN)
            continue;
        open++;
        *active += lane->attempt > 0 ? 1 : 0;
        if (!lane->calling && (asks(lane) || lane->attempt > 0) &&
            lane->wake_us < *next_us)
            *next_us = lane->wake_us;
    }
    return open;
}

static bool all_told(const struct actuator_lanes *l)
{
    for (unsigned i = 0; i < l->n; i++)
        if (l->v[i].told)
            return false;
    return true;
}

static void find(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_lanes *l = &r->lanes;
    if (l->asking)
        return;
    if (r->wake_us > e->now_us)
        life_arm(e, r, r->wake_us);
    else
        send(e, r, NULL);
}

static void work(struct actuator_engine *e, struct actuator_run *r, int64_t deadline_us)
{
    struct actuator_lanes *l = &r->lanes;
    unsigned active = 0;
    int64_t next_us = deadline_us;
    l->at_work = true; /* a refused request is answered inside the call */
    unsigned open = send_due(e, r, &active, &next_us);
    l->at_work = false;
    bool told = write_down(e, r, active);
    if (open == 0 && told && all_told(l)) {
        end_step(e, r); /* takes the rows with it */
        return;
    }
    if (l->dirty || open == 0) {
        l->dirty = false;
        life_commit(e, r, ACTUATOR_OP_KEEP, AFTER_REQUEST, 0);
        return;
    }
    r->wake_us = next_us > e->now_us ? next_us : e->now_us + 1000;
    life_arm(e, r, r->wake_us);
}

void lanes_work(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_lanes *l = &r->lanes;
    int64_t deadline_us = actuator_step_deadline_us(r);
    if (r->busy > 0 || l->at_work)
        return; /* the commit's end comes here, too */
    l->at_work = true;
    const char *why = flow_stopped(e, r);
    if (e->now_us >= deadline_us)
        give_up(e, r);
    else if (why != NULL)
        stop(e, r, why);
    if (!l->found && !l->failed)
        find(e, r);
    l->at_work = false;
    if (l->failed)
        end_step(e, r);
    else if (l->found)
        work(e, r, deadline_us);
    else if (l->asking)
        life_arm(e, r, deadline_us);
}

/* --- answers ----------------------------------------------------------------------- */

static void found_answer(struct actuator_engine *e, struct actuator_run *r,
                         const struct actuator_answer *a)
{
    struct actuator_lanes *l = &r->lanes;
    struct actuator_decision d;
    if (!l->asking)
        return;
    l->asking = false;
    actuator_vim_answer(r, NULL, a, e->now_us, &d);
    r->wake_us = 0;
    if (d.end == ACTUATOR_STEP_DONE) {
        l->found = l->dirty = true;
        r->queries = 0;
        for (unsigned i = 0; i < l->n; i++)
            l->v[i].told = l->v[i].end != ACTUATOR_LANE_OPEN;
    } else if (d.end == ACTUATOR_STEP_FAILED) {
        l->failed = true;
        l->timed_out = d.timed_out;
        (void)snprintf(l->text, sizeof(l->text), "%s", d.text);
    } else {
        r->wake_us = e->now_us + d.delay_us;
    }
}

static void lane_answer(struct actuator_engine *e, struct actuator_run *r,
                        struct actuator_lane *lane, const struct actuator_answer *a)
{
    struct actuator_decision d;
    if (!lane->calling || lane->end != ACTUATOR_LANE_OPEN)
        return;
    lane->calling = false;
    bool call = lane->phase == ACTUATOR_CALL;
    actuator_vim_answer(r, lane, a, e->now_us, &d);
    lane = &r->lanes.v[a->lane]; /* there may be more of them now, elsewhere */
    (void)snprintf(lane->text, sizeof(lane->text), "%.200s", d.text);
    lane->status = a->status;
    lane->took_us = a->took_us;
    lane->told = d.note || call;
    r->lanes.timed_out = r->lanes.timed_out || d.timed_out;
    if (d.end != ACTUATOR_GOES_ON) {
        lane->end = d.end == ACTUATOR_STEP_DONE ? ACTUATOR_LANE_GOOD : ACTUATOR_LANE_BAD;
        lane->told = true;
        return;
    }
    if (call && d.phase == ACTUATOR_WAIT)
        lane->call_us = 0; /* it has not begun, or may be made twice */
    lane->failures += d.counts ? 1 : 0;
    lane->phase = (int)d.phase;
    lane->wake_us = e->now_us + d.delay_us;
}

void lanes_answered(struct actuator_engine *e, struct actuator_run *r,
                    const struct actuator_answer *a)
{
    struct actuator_lanes *l = &r->lanes;
    if (a->lane == ACTUATOR_NO_LANE)
        found_answer(e, r, a);
    else if (a->lane >= 0 && (unsigned)a->lane < l->n)
        lane_answer(e, r, &l->v[a->lane], a);
    if (!l->at_work && r->busy == 0)
        lanes_work(e, r);
    else if (l->found)
        r->wake_us = 0; /* looked at when the commit is through */
}

void lanes_resume(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_lanes *l = &r->lanes;
    l->dirty = true;
    for (unsigned i = 0; i < l->n; i++) {
        struct actuator_lane *lane = &l->v[i];
        if (lane->end != ACTUATOR_LANE_OPEN || lane->phase != ACTUATOR_CALL)
            continue;
        lane->phase = (int)actuator_vim_resume(r, lane);
        lane->wake_us = e->now_us + (lane->phase == ACTUATOR_ASK ? VIM_ASK_US : 0);
    }
    lanes_work(e, r);
}
