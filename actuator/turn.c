/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turn - whose turn it is at a VNF or a network service (declared in engine_private.h). Runs with
 * different targets may want operations on the same instance; a manager refuses the second with
 * 409, or takes it and never begins it. So the engine lets one run at a time have an operation there;
 * the others wait in the order in which they came, at most TURN_MAX of them, each no longer than
 * its step's timeout (which begins anew with its turn). The order is in the run records (phase QUEUE, step_us), so that it outlives a crash.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "actuator/lcm.h"
#include "base/log.h"

#define TURN_MAX 32
#define KEY_MAX  20

static struct hale_str key_of(const struct actuator_run *r, char dst[KEY_MAX])
{
    (void)snprintf(dst, KEY_MAX, "%016" PRIx64, r->turn);
    return hale_str_from(dst);
}

static bool queued(const struct actuator_run *r)
{
    return r->state == ACTUATOR_OPEN && r->phase == ACTUATOR_QUEUE && r->turn != 0;
}

static bool before(const struct actuator_run *a, const struct actuator_run *b)
{
    return a->step_us != b->step_us ? a->step_us < b->step_us : strcmp(a->id, b->id) < 0;
}

/* How many wait before r. */
static unsigned in_line(const struct actuator_engine *e, const struct actuator_run *r)
{
    const struct actuator_run *other;
    unsigned n = 0;
    size_t it = 0;
    while ((other = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (other != r && other->turn == r->turn && queued(other) &&
            (!queued(r) || before(other, r)))
            n++;
    return n;
}

static void stand_in_line(struct actuator_engine *e, struct actuator_run *r,
                          enum actuator_op op, const struct actuator_run *holder,
                          unsigned line, int64_t position)
{
    const char *thing = actuator_lcm_api(actuator_run_step_type(r))->thing;
    r->phase = ACTUATOR_QUEUE;
    if (r->step_us == 0)
        r->step_us = e->now_us;
    /* one too many ends as soon as its run is known */
    r->wake_us = line >= TURN_MAX ? e->now_us : actuator_step_deadline_us(r);
    if (holder != NULL)
        life_row(e, r, "answer", true,
                 json_pack("{s:s,s:I}", "holder", holder->id, "before", (json_int_t)line),
                 "run %s of policy %s is at work on the %s: waiting for our turn",
                 holder->id, holder->policy, thing);
    else
        life_row(e, r, "answer", true, json_pack("{s:I}", "before", (json_int_t)line),
                 "%u runs wait for the %s: waiting for our turn", line, thing);
    life_commit(e, r, op, AFTER_ARM, position);
}

/* r is in the queue, and woken. True: it is over with it, or waits on. */
static bool still_waits(struct actuator_engine *e, struct actuator_run *r,
                        const struct actuator_run *holder, unsigned line)
{
    char text[160];
    int64_t deadline_us = actuator_step_deadline_us(r);
    if (line >= TURN_MAX) {
        (void)snprintf(text, sizeof(text), "%u other runs wait for the same instance",
                       line);
        life_step_failed(e, r, text);
        return true;
    }
    if (e->now_us >= deadline_us) {
        (void)snprintf(text, sizeof(text), "not its turn within %" PRId64 " ms: %s%s",
                       actuator_run_step_int(r, "timeout_ms"),
                       holder != NULL ? "at work there is run " : "others came before",
                       holder != NULL ? holder->id : "");
        flow_leave(e, r, ACTUATOR_ON_TIMEOUT, text);
        return true;
    }
    if (holder == NULL && line == 0)
        return false;
    r->wake_us = deadline_us;
    life_arm(e, r, r->wake_us);
    return true;
}

/* The run that was before us, or somebody else, has healed it meanwhile. */
static bool not_wanted(struct actuator_engine *e, struct actuator_run *r)
{
    if (r->step > 0 || r->alarm_state == HALE_STATE_OK)
        return false;
    if (r->alarm_gone) {
        life_step_failed(e, r, "the alarm was deleted before it was our turn");
        return true;
    }
    if (r->cleared_us == 0)
        return false;
    life_row(e, r, "answer", true, NULL,
             "the alarm cleared before it was our turn: nothing is called");
    turn_over(e, r);
    flow_verify(e, r);
    return true;
}

/* Before the first call: whether anybody else is at work there. Managers that take a second
 * operation and never begin it are asked first. */
static bool looks(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                  int64_t position)
{
    if (r->looked || r->attempt > 0 || !actuator_run_step_int(r, "look_first"))
        return false;
    r->looked = true;
    r->phase = ACTUATOR_CONFLICT;
    r->wake_us = 0;
    if (r->step_us == 0)
        r->step_us = e->now_us;
    life_commit(e, r, op, AFTER_REQUEST, position);
    return true;
}

bool turn_waits(struct actuator_engine *e, struct actuator_run *r, enum actuator_op op,
                int64_t position)
{
    char key[KEY_MAX];
    bool was_queued = r->phase == ACTUATOR_QUEUE;
    if (actuator_lcm_api(actuator_run_step_type(r)) == NULL)
        return false;
    if (r->turn == 0)
        r->turn = actuator_lcm_instance(r);
    const struct actuator_run *holder = hale_map_get(e->turns, key_of(r, key));
    if (holder != r) {
        unsigned line = in_line(e, r);
        if (was_queued && still_waits(e, r, holder, line))
            return true;
        if (!was_queued && (holder != NULL || line > 0)) {
            stand_in_line(e, r, op, holder, line, position);
            return true;
        }
        if (hale_map_put(e->turns, key_of(r, key), r) != HALE_OK)
            hale_error("event=out_of_memory what=turns run=%s", r->id);
        if (was_queued && not_wanted(e, r))
            return true;
        r->step_us = was_queued ? 0 : r->step_us; /* the operation has its own time */
    }
    return looks(e, r, op, position);
}

void turn_loaded(struct actuator_engine *e, struct actuator_run *r)
{
    char key[KEY_MAX];
    if (r->state != ACTUATOR_OPEN || actuator_lcm_api(actuator_run_step_type(r)) == NULL)
        return;
    r->turn = actuator_lcm_instance(r);
    if (r->phase != ACTUATOR_QUEUE &&
        hale_map_put(e->turns, key_of(r, key), r) != HALE_OK)
        hale_error("event=out_of_memory what=turns run=%s", r->id);
}

void turn_over(struct actuator_engine *e, struct actuator_run *r)
{
    struct actuator_run *other, *next = NULL;
    char key[KEY_MAX];
    size_t it = 0;
    if (r->turn == 0)
        return;
    bool held = hale_map_get(e->turns, key_of(r, key)) == r;
    if (held)
        hale_map_del(e->turns, key_of(r, key));
    while ((other = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (other != r && other->turn == r->turn && queued(other) &&
            (next == NULL || before(other, next)))
            next = other;
    r->turn = 0;
    if (next == NULL)
        return;
    next->wake_us = e->now_us;
    if (next->busy == 0)
        life_arm(e, next, next->wake_us);
}
