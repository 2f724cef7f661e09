/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep_host - one host of a maintenance session: disabled, emptied with its projects' consent, worked on, enabled
 * (upkeep_private.h).
 */
#include <stdio.h>
#include <string.h>

#include "actuator/upkeep_private.h"

#define ROUNDS_MAX 10 /* looks that found instances again */

static bool is_own(const struct upkeep_instance *x)
{
    return strcmp(x->action, "OWN_ACTION") == 0;
}

static struct upkeep_host *current(const struct actuator_upkeep_session *s)
{
    return &s->host[s->cur];
}

static bool stands_on(const struct upkeep_instance *x, const struct upkeep_host *h)
{
    return x->state != UPKEEP_MOVED && x->state != UPKEEP_GONE &&
           strcmp(x->host, h->name) == 0;
}

static void set_instance(struct actuator_upkeep_session *s, struct upkeep_instance *x,
                         enum upkeep_instance_state state)
{
    x->state = state;
    x->since_ms = s->now_ms;
    s->out.dirty = true;
}

static void disable(struct actuator_upkeep_session *s, struct upkeep_host *h)
{
    if (h->disabled)
        return;
    h->disabled = true;
    upkeep_act(s, ACTUATOR_UPKEEP_DISABLE, h->name, "");
}

void upkeep_host_begin(struct actuator_upkeep_session *s, struct upkeep_host *h)
{
    bool behind = false, empty = true;
    for (unsigned i = 0; i < s->n_hosts; i++)
        behind = behind || s->host[i].state == UPKEEP_MAINTAINED;
    for (unsigned i = 0; i < s->n_instances; i++)
        empty = empty && !stands_on(&s->instance[i], h);
    upkeep_sweep(s);
    s->cur = h - s->host;
    s->rounds = 0;
    h->state = UPKEEP_EMPTYING;
    upkeep_set_state(s, empty ? UPKEEP_START : behind ? UPKEEP_PLANNED : UPKEEP_PREPARE);
    upkeep_enter(s, UPKEEP_P_DISABLE);
    upkeep_row(s, json_pack("{s:s}", "host", h->name), "host %s is next: %s", h->name,
               upkeep_states[s->state]);
    disable(s, h);
    /* What moves now must not move to where it would have to leave again. */
    for (unsigned i = 0; behind && !empty && i < s->n_hosts; i++)
        if (s->host[i].state == UPKEEP_TODO)
            disable(s, &s->host[i]);
    upkeep_host_pump(s);
}

static void begin_work(struct actuator_upkeep_session *s)
{
    struct upkeep_host *h = current(s);
    h->state = UPKEEP_WORK;
    upkeep_set_state(s, UPKEEP_START);
    upkeep_enter(s, UPKEEP_P_WORK);
    upkeep_window(s, h, true);
    upkeep_tell_host(s, h->name, "IN_MAINTENANCE");
    if (s->rules.hook)
        upkeep_act(s, ACTUATOR_UPKEEP_HOOK, h->name, "");
    else
        upkeep_ask_work(s, h->name, s->now_ms + s->rules.work_ms);
}

void upkeep_host_saw(struct actuator_upkeep_session *s,
                     const struct actuator_upkeep_world *w)
{
    const struct upkeep_host *h = current(s);
    bool moving = false, stands = false;
    upkeep_note_servers(s, w, h->name);
    if (s->phase != UPKEEP_P_LOOK && s->phase != UPKEEP_P_EMPTY)
        return;
    for (unsigned i = 0; i < w->n_servers; i++)
        moving = moving || w->server[i].moving;
    for (unsigned i = 0; i < s->n_instances; i++)
        stands = stands || stands_on(&s->instance[i], h);
    s->look_ms = s->now_ms + s->rules.poll_ms;
    if (s->phase == UPKEEP_P_EMPTY) {
        upkeep_host_pump(s);
    } else if (stands) {
        if (++s->rounds > ROUNDS_MAX) {
            upkeep_fail(s, "host %s does not become empty", h->name);
            return;
        }
        bool behind = false;
        for (unsigned i = 0; i < s->n_hosts; i++)
            behind = behind || s->host[i].state == UPKEEP_MAINTAINED;
        upkeep_set_state(s, behind ? UPKEEP_PLANNED : UPKEEP_PREPARE);
        upkeep_enter(s, UPKEEP_P_EMPTY);
        s->look_ms = s->now_ms + s->rules.poll_ms;
        upkeep_host_pump(s);
    } else if (!moving) {
        begin_work(s);
    } else if (s->now_ms - s->since_ms > s->rules.action_ms) {
        upkeep_fail(s, "a server on %s stays between two states", h->name);
    }
}

/* --- emptying ----------------------------------------------------------------------------- */

/* Members of x's group that are away, or are about to be. */
static bool group_allows(const struct actuator_upkeep_session *s,
                         const struct upkeep_instance *x)
{
    int64_t away = 0;
    if (x->group[0] == '\0' || x->max_impacted <= 0)
        return true;
    for (unsigned i = 0; i < s->n_instances; i++) {
        const struct upkeep_instance *y = &s->instance[i];
        bool asked = s->vnf && (y->state == UPKEEP_ASKED || y->state == UPKEEP_AGREED);
        if (y != x && strcmp(y->group, x->group) == 0 &&
            strcmp(y->project, x->project) == 0 &&
            (asked || y->state == UPKEEP_ACTING || y->free_ms > s->now_ms))
            away++;
    }
    return away < x->max_impacted;
}

static int64_t under_way(const struct actuator_upkeep_session *s)
{
    int64_t n = 0;
    for (unsigned i = 0; i < s->n_instances; i++)
        n += s->instance[i].state == UPKEEP_ACTING ||
             (s->vnf && (s->instance[i].state == UPKEEP_ASKED ||
                         s->instance[i].state == UPKEEP_AGREED));
    return n;
}

/* A project answers in time if it has what it asked for (lead_time). */
static int64_t until(const struct actuator_upkeep_session *s, int64_t lead_ms)
{
    return s->now_ms + (lead_ms > s->rules.reply_ms ? lead_ms : s->rules.reply_ms);
}

static void ask_one(struct actuator_upkeep_session *s, struct upkeep_instance *x)
{
    set_instance(s, x, UPKEEP_ASKED);
    upkeep_ask(s, &(struct upkeep_ask){.state = upkeep_states[s->state],
                                       .project = x->project,
                                       .instance = x->id,
                                       .host = x->host,
                                       .ids = json_pack("[s]", x->id),
                                       .actions = true,
                                       .until_ms = until(s, x->lead_ms)});
}

static void ask_project(struct actuator_upkeep_session *s, const char *project)
{
    const struct upkeep_host *h = current(s);
    json_t *ids = json_array();
    int64_t lead_ms = 0;
    for (unsigned i = 0; i < s->n_instances; i++) {
        struct upkeep_instance *x = &s->instance[i];
        if (x->state != UPKEEP_STANDS || !stands_on(x, h) ||
            strcmp(x->project, project) != 0)
            continue;
        set_instance(s, x, UPKEEP_ASKED);
        if (json_array_append_new(ids, json_string(x->id)) != 0)
            s->nomem = true;
        lead_ms = x->lead_ms > lead_ms ? x->lead_ms : lead_ms;
    }
    if (json_array_size(ids) == 0) {
        json_decref(ids);
        return;
    }
    upkeep_ask(s, &(struct upkeep_ask){.state = upkeep_states[s->state],
                                       .project = project,
                                       .host = h->name,
                                       .ids = ids,
                                       .actions = true,
                                       .until_ms = until(s, lead_ms)});
}

static void ask(struct actuator_upkeep_session *s)
{
    json_t *name;
    size_t k;
    if (!s->vnf) {
        json_array_foreach (s->projects, k, name)
            ask_project(s, json_string_value(name));
        return;
    }
    for (unsigned i = 0; i < s->n_instances; i++) {
        struct upkeep_instance *x = &s->instance[i];
        if (x->state == UPKEEP_STANDS && stands_on(x, current(s)) &&
            under_way(s) < s->rules.parallel && group_allows(s, x))
            ask_one(s, x);
    }
}

/* Questions about instances that have all left. */
static void drop_questions(struct actuator_upkeep_session *s)
{
    for (unsigned i = 0; i < s->n_questions; i++) {
        struct upkeep_question *q = &s->question[i];
        bool left = q->ids != NULL;
        json_t *id;
        size_t k;
        if (q->answer[0] != '\0')
            continue;
        json_array_foreach (q->ids, k, id) {
            const struct upkeep_instance *x =
                upkeep_find_instance(s, json_string_value(id));
            left = left &&
                   (x == NULL || x->state == UPKEEP_GONE || x->state == UPKEEP_MOVED);
        }
        if (left) {
            (void)snprintf(q->answer, sizeof(q->answer), "withdrawn");
            s->out.dirty = true;
        }
    }
}

static void move(struct actuator_upkeep_session *s, struct upkeep_instance *x)
{
    set_instance(s, x, UPKEEP_ACTING);
    if (is_own(x))
        return;
    upkeep_act(s,
               strcmp(x->action, "LIVE_MIGRATE") == 0 ? ACTUATOR_UPKEEP_LIVE_MIGRATE
                                                      : ACTUATOR_UPKEEP_MIGRATE,
               x->host, x->id);
}

static void empty_host(struct actuator_upkeep_session *s)
{
    const struct upkeep_host *h = current(s);
    bool left = false;
    drop_questions(s);
    ask(s);
    bool go = s->vnf || upkeep_questions_open(s) == 0; /* all agree, or nothing moves */
    for (unsigned i = 0; i < s->n_instances; i++) {
        struct upkeep_instance *x = &s->instance[i];
        if (go && x->state == UPKEEP_AGREED && stands_on(x, h) &&
            (s->vnf || (under_way(s) < s->rules.parallel && group_allows(s, x))))
            move(s, x);
        if (x->state == UPKEEP_ACTING && is_own(x) &&
            s->now_ms - x->since_ms > s->rules.action_ms) {
            upkeep_fail(s, "project %s has not moved its instance %s", x->project, x->id);
            return;
        }
        left = left || stands_on(x, h);
    }
    if (!left && upkeep_acts_open(s) == 0 && upkeep_questions_open(s) == 0) {
        upkeep_enter(s, UPKEEP_P_LOOK);
        s->look_ms = s->now_ms;
    }
}

void upkeep_host_pump(struct actuator_upkeep_session *s)
{
    if (s->phase == UPKEEP_P_DISABLE && upkeep_acts_open(s) == 0) {
        upkeep_enter(s, UPKEEP_P_LOOK);
        s->look_ms = s->now_ms;
    } else if (s->phase == UPKEEP_P_EMPTY) {
        empty_host(s);
    }
}

void upkeep_host_answered(struct actuator_upkeep_session *s,
                          const struct upkeep_question *q, const json_t *actions)
{
    json_t *id;
    size_t i;
    json_array_foreach (q->ids, i, id) {
        struct upkeep_instance *x = upkeep_find_instance(s, json_string_value(id));
        if (x == NULL || x->state != UPKEEP_ASKED)
            continue;
        const char *word = json_string_value(json_object_get(actions, x->id));
        if (word == NULL)
            word = json_string_value(json_object_get(actions, "*"));
        const char *action = hale_upkeep_action(word);
        if (action == NULL)
            action = x->type[0] != '\0' ? x->type : hale_upkeep_action("MIGRATE");
        x->action = action;
        set_instance(s, x, UPKEEP_AGREED);
    }
}

/* --- ends of actions ------------------------------------------------------------------------ */

static void moved(struct actuator_upkeep_session *s, struct upkeep_instance *x)
{
    set_instance(s, x, UPKEEP_MOVED);
    x->free_ms = s->now_ms + x->recovery_ms;
    upkeep_tell_done(s, x);
    upkeep_row(s, json_pack("{s:s, s:s}", "instance", x->id, "project", x->project),
               "instance %s of project %s: INSTANCE_ACTION_DONE", x->id, x->project);
}

/* True: another action is tried. */
static bool fall_back(struct actuator_upkeep_session *s, const struct upkeep_act *act,
                      struct upkeep_instance *x)
{
    bool may =
        strcmp(s->rules.fallback, "MIGRATE") == 0 || strcmp(x->type, "MIGRATE") == 0;
    if (act->kind != ACTUATOR_UPKEEP_LIVE_MIGRATE || !may || x->fell_back)
        return false;
    x->fell_back = true;
    x->action = hale_upkeep_action("MIGRATE");
    upkeep_row(s, json_pack("{s:s}", "instance", x->id),
               "instance %s: live migration failed, it is migrated instead", x->id);
    move(s, x);
    return true;
}

void upkeep_host_acted(struct actuator_upkeep_session *s, struct upkeep_act *act,
                       bool good)
{
    struct upkeep_host *h = upkeep_find_host(s, act->host);
    struct upkeep_instance *x = upkeep_find_instance(s, act->instance);
    bool moves =
        act->kind == ACTUATOR_UPKEEP_MIGRATE || act->kind == ACTUATOR_UPKEEP_LIVE_MIGRATE;
    char text[sizeof(act->text)];
    (void)snprintf(text, sizeof(text), "%s", act->text); /* act may move in memory */
    enum actuator_upkeep_kind kind = act->kind;
    if (moves && good && x != NULL)
        moved(s, x);
    if (good && h != NULL && kind == ACTUATOR_UPKEEP_ENABLE)
        upkeep_host_over(s, h);
    if (s->phase == UPKEEP_P_ROLLBACK)
        return;
    if (!good) {
        if (moves && x != NULL && fall_back(s, act, x))
            return;
        upkeep_fail(s, "%s of %s failed: %s", upkeep_kinds[kind],
                    moves && x != NULL ? x->id
                    : h != NULL        ? h->name
                                       : "?",
                    text);
        return;
    }
    if (kind == ACTUATOR_UPKEEP_HOOK) {
        upkeep_enter(s, UPKEEP_P_ENABLE);
        upkeep_act(s, ACTUATOR_UPKEEP_ENABLE, current(s)->name, "");
    } else if (kind != ACTUATOR_UPKEEP_ENABLE) {
        upkeep_host_pump(s);
    }
}

void upkeep_host_over(struct actuator_upkeep_session *s, struct upkeep_host *h)
{
    bool worked = h->window_ms > 0;
    h->disabled = false;
    s->out.dirty = true;
    if (worked) {
        h->state = UPKEEP_MAINTAINED;
        upkeep_window(s, h, false);
        upkeep_tell_host(s, h->name, "MAINTENANCE_COMPLETE");
    } else {
        h->state = UPKEEP_TODO;
    }
    if (s->phase == UPKEEP_P_ENABLE)
        upkeep_plan(s);
}
