/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/upkeep.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/upkeep_private.h"

#define ENABLE_MAX 10 /* tries of a rollback */
#define ENABLE_MS  30000
#define TEXT_MAX   300

/* --- small things -------------------------------------------------------------------------- */

void upkeep_enter(struct actuator_upkeep_session *s, enum upkeep_phase phase)
{
    s->phase = phase;
    s->since_ms = s->now_ms;
    s->look_ms = 0;
    s->out.dirty = true;
}

void upkeep_set_state(struct actuator_upkeep_session *s, enum upkeep_state state)
{
    s->state = state;
    s->out.dirty = true;
}

struct upkeep_host *upkeep_find_host(const struct actuator_upkeep_session *s,
                                     const char *name)
{
    for (unsigned i = 0; name != NULL && i < s->n_hosts; i++)
        if (strcmp(s->host[i].name, name) == 0)
            return &s->host[i];
    return NULL;
}

struct upkeep_instance *upkeep_find_instance(const struct actuator_upkeep_session *s,
                                             const char *id)
{
    for (unsigned i = 0; id != NULL && i < s->n_instances; i++)
        if (strcmp(s->instance[i].id, id) == 0)
            return &s->instance[i];
    return NULL;
}

void upkeep_act(struct actuator_upkeep_session *s, enum actuator_upkeep_kind kind,
                const char *host, const char *instance)
{
    struct upkeep_act *grown = realloc(s->act, (s->n_acts + 1) * sizeof(*grown));
    char *own_host = strdup(host), *own_instance = strdup(instance);
    if (grown != NULL)
        s->act = grown;
    if (grown == NULL || own_host == NULL || own_instance == NULL) {
        free(own_host);
        free(own_instance);
        s->nomem = true;
        return;
    }
    s->act[s->n_acts++] = (struct upkeep_act){.n = ++s->number,
                                              .kind = kind,
                                              .host = own_host,
                                              .instance = own_instance,
                                              .since_ms = s->now_ms};
    s->out.dirty = true;
}

unsigned upkeep_acts_open(const struct actuator_upkeep_session *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_acts; i++)
        n += s->act[i].state == UPKEEP_ACT_OPEN || s->act[i].state == UPKEEP_ACT_AGAIN;
    return n;
}

/* --- the end that nobody wants --------------------------------------------------------------- */

static struct upkeep_act *enabling(const struct actuator_upkeep_session *s,
                                   const char *host)
{
    for (unsigned i = 0; i < s->n_acts; i++)
        if (s->act[i].kind == ACTUATOR_UPKEEP_ENABLE &&
            strcmp(s->act[i].host, host) == 0 && s->act[i].state != UPKEEP_ACT_GOOD)
            return &s->act[i];
    return NULL;
}

/* What we have disabled is enabled, but for hosts on which work has begun and is not declared done: nobody knows
 * whether they may carry anything. */
static void roll_back(struct actuator_upkeep_session *s)
{
    bool left = false;
    for (unsigned i = 0; i < s->n_acts; i++)
        if (s->act[i].kind != ACTUATOR_UPKEEP_ENABLE &&
            s->act[i].state == UPKEEP_ACT_OPEN)
            return; /* what is under way ends first */
    for (unsigned i = 0; i < s->n_hosts; i++) {
        struct upkeep_host *h = &s->host[i];
        left = left || h->state == UPKEEP_WORK;
        if (!h->disabled || h->state == UPKEEP_WORK)
            continue;
        const struct upkeep_act *act = enabling(s, h->name);
        if (act == NULL)
            upkeep_act(s, ACTUATOR_UPKEEP_ENABLE, h->name, "");
        left = left || act == NULL || act->state != UPKEEP_ACT_BAD;
    }
    if (!left) {
        upkeep_enter(s, UPKEEP_P_ENDED);
        upkeep_row(s, NULL, "the session is over: %s", s->reason);
    }
}

/* Nothing is asked or tried again; what is under way goes on to its end. */
static void call_off(struct actuator_upkeep_session *s)
{
    for (unsigned i = 0; i < s->n_acts; i++)
        if (s->act[i].state == UPKEEP_ACT_AGAIN)
            s->act[i].state = UPKEEP_ACT_BAD;
    for (unsigned i = 0; i < s->n_questions; i++)
        if (s->question[i].answer[0] == '\0')
            (void)snprintf(s->question[i].answer, sizeof(s->question[i].answer),
                           "withdrawn");
    upkeep_sweep(s);
}

void upkeep_fail(struct actuator_upkeep_session *s, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (s->phase == UPKEEP_P_ROLLBACK || s->phase == UPKEEP_P_ENDED)
        return;
    free(s->reason);
    s->reason = strdup(text);
    if (s->reason == NULL)
        s->nomem = true;
    upkeep_set_state(s, UPKEEP_FAILED);
    upkeep_row(s, NULL, "the session has failed: %s", text);
    call_off(s);
    if (s->phase != UPKEEP_P_BEGIN && s->phase != UPKEEP_P_FINISH)
        upkeep_tell_failed(s);
    upkeep_enter(s, UPKEEP_P_ROLLBACK);
    for (unsigned i = 0; i < s->n_hosts; i++)
        if (s->host[i].state == UPKEEP_WORK) {
            upkeep_ask_work(s, s->host[i].name, 0);
            upkeep_row(s, json_pack("{s:s}", "host", s->host[i].name),
                       "host %s stays disabled until its work is declared done",
                       s->host[i].name);
        }
    roll_back(s);
}

void actuator_upkeep_refuse(struct actuator_upkeep_session *s, const char *why,
                            int64_t now_ms)
{
    s->now_ms = now_ms;
    upkeep_fail(s, "%s", why);
}

/* --- looks ------------------------------------------------------------------------------------ */

void actuator_upkeep_saw(struct actuator_upkeep_session *s,
                         const struct actuator_upkeep_world *w, int64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->look_ms == 0)
        return; /* nobody asks any more */
    s->look_ms = now_ms + s->rules.poll_ms;
    s->out.dirty = true;
    if (w->why[0] != '\0') {
        if (now_ms - (s->seen_ms > s->since_ms ? s->seen_ms : s->since_ms) >
            s->rules.action_ms)
            upkeep_fail(s, "Nova cannot be asked: %s", w->why);
        return;
    }
    s->seen_ms = now_ms;
    if (s->phase == UPKEEP_P_BEGIN) {
        upkeep_look_begin(s, w);
    } else if (s->phase == UPKEEP_P_PLAN) {
        upkeep_note_servers(s, w, NULL);
        if (s->phase == UPKEEP_P_PLAN)
            upkeep_look_plan(s, w);
    } else if (s->cur >= 0) {
        upkeep_host_saw(s, w);
    }
    actuator_upkeep_tick(s, now_ms);
}

bool actuator_upkeep_looks(const struct actuator_upkeep_session *s, int64_t now_ms,
                           const char **host)
{
    *host = NULL;
    if (s->look_ms == 0 || s->look_ms > now_ms)
        return false;
    if (s->phase == UPKEEP_P_LOOK || s->phase == UPKEEP_P_EMPTY)
        *host = s->host[s->cur].name;
    return true;
}

/* --- time ----------------------------------------------------------------------------------------- */

static void agree(struct actuator_upkeep_session *s, struct upkeep_question *q,
                  const json_t *actions)
{
    (void)snprintf(q->answer, sizeof(q->answer), "ack");
    s->out.dirty = true;
    if (q->project[0] == '\0') {
        struct upkeep_host *h = upkeep_find_host(s, q->host);
        if (s->phase == UPKEEP_P_ROLLBACK && h != NULL) {
            h->state = UPKEEP_EMPTYING; /* to be enabled */
            roll_back(s);
        } else if (s->phase == UPKEEP_P_WORK && h != NULL) {
            upkeep_enter(s, UPKEEP_P_ENABLE);
            upkeep_act(s, ACTUATOR_UPKEEP_ENABLE, h->name, "");
        }
    } else if (q->ids != NULL) {
        upkeep_host_answered(s, q, actions);
    }
}

static void silent(struct actuator_upkeep_session *s, struct upkeep_question *q)
{
    json_t *actions = NULL;
    if (q->project[0] == '\0') {
        upkeep_fail(s, "the work on %s was not declared done in time", q->host);
    } else if (strcmp(s->rules.silence, "fail") == 0) {
        (void)snprintf(q->answer, sizeof(q->answer), "silent");
        upkeep_fail(s, "project %s has not answered %s in time%s", q->project, q->state,
                    s->phase == UPKEEP_P_FINISH ? "; every host is maintained" : "");
    } else {
        upkeep_row(s, json_pack("{s:s}", "project", q->project),
                   "project %s has not answered %s in time: %s", q->project, q->state,
                   s->rules.silence);
        actions = json_pack("{s:s}", "*", s->rules.silence);
        agree(s, q, actions);
        json_decref(actions);
    }
}

static void expire(struct actuator_upkeep_session *s)
{
    for (unsigned i = 0; i < s->n_questions && s->phase != UPKEEP_P_ENDED; i++)
        if (s->question[i].answer[0] == '\0' && s->question[i].until_ms > 0 &&
            s->question[i].until_ms <= s->now_ms)
            silent(s, &s->question[i]);
}

static void try_again(struct actuator_upkeep_session *s)
{
    for (unsigned i = 0; i < s->n_acts; i++) {
        struct upkeep_act *a = &s->act[i];
        if (a->state != UPKEEP_ACT_AGAIN || a->again_ms > s->now_ms)
            continue;
        a->state = UPKEEP_ACT_OPEN;
        a->n = ++s->number; /* another run */
        s->out.dirty = true;
    }
}

void actuator_upkeep_tick(struct actuator_upkeep_session *s, int64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->phase == UPKEEP_P_ENDED)
        return;
    expire(s);
    try_again(s);
    if (s->phase == UPKEEP_P_ASK) {
        if (upkeep_questions_open(s) == 0 &&
            (s->state != UPKEEP_MAINTENANCE || now_ms >= s->at_ms))
            upkeep_plan(s);
    } else if (s->phase == UPKEEP_P_FINISH) {
        if (upkeep_questions_open(s) == 0) {
            upkeep_set_state(s, UPKEEP_DONE);
            upkeep_enter(s, UPKEEP_P_ENDED);
            upkeep_row(s, NULL, "the session is done");
        }
    } else if (s->phase == UPKEEP_P_ROLLBACK) {
        roll_back(s);
    } else {
        upkeep_host_pump(s);
    }
}

int64_t actuator_upkeep_next_ms(const struct actuator_upkeep_session *s)
{
    int64_t next = INT64_MAX;
    if (s->phase == UPKEEP_P_ENDED)
        return next;
    if (s->look_ms > 0)
        next = s->look_ms;
    if (s->phase == UPKEEP_P_ASK && upkeep_questions_open(s) == 0 && s->at_ms < next)
        next = s->at_ms;
    for (unsigned i = 0; i < s->n_questions; i++)
        if (s->question[i].answer[0] == '\0' && s->question[i].until_ms > 0 &&
            s->question[i].until_ms < next)
            next = s->question[i].until_ms;
    for (unsigned i = 0; i < s->n_acts; i++)
        if (s->act[i].state == UPKEEP_ACT_AGAIN && s->act[i].again_ms < next)
            next = s->act[i].again_ms;
    for (unsigned i = 0; s->phase == UPKEEP_P_EMPTY && i < s->n_instances; i++)
        if (s->instance[i].free_ms > s->now_ms && s->instance[i].free_ms < next)
            next = s->instance[i].free_ms;
    return next;
}

/* --- words ------------------------------------------------------------------------------------------ */

static struct upkeep_question *question_of(const struct actuator_upkeep_session *s,
                                           const char *what)
{
    char *end = NULL;
    long long n = strtoll(what, &end, 10);
    for (unsigned i = 0; end != what && *end == '\0' && i < s->n_questions; i++)
        if (s->question[i].n == n && s->question[i].answer[0] == '\0')
            return &s->question[i];
    return NULL;
}

static void cancel(struct actuator_upkeep_session *s, const char *by)
{
    if (s->phase != UPKEEP_P_ROLLBACK) {
        upkeep_fail(s, "cancelled by %.64s", by);
        return;
    }
    for (unsigned i = 0; i < s->n_hosts; i++) /* nobody waits for their work any longer */
        if (s->host[i].state == UPKEEP_WORK) {
            s->host[i].state = UPKEEP_TODO;
            s->host[i].disabled = false;
            upkeep_row(s, json_pack("{s:s, s:s}", "host", s->host[i].name, "by", by),
                       "host %s is left disabled, says %.64s", s->host[i].name, by);
        }
    roll_back(s);
}

void actuator_upkeep_said(struct actuator_upkeep_session *s, const char *what,
                          const json_t *word, int64_t now_ms)
{
    const char *by = json_string_value(json_object_get(word, "by"));
    struct upkeep_question *q = question_of(s, what);
    s->now_ms = now_ms;
    by = by != NULL ? by : "?";
    if (s->out.settled == NULL)
        s->out.settled = json_array();
    if (json_array_append_new(s->out.settled, json_string(what)) != 0)
        s->nomem = true;
    s->out.dirty = true;
    if (strcmp(what, "cancel") == 0 && s->phase != UPKEEP_P_ENDED) {
        cancel(s, by);
    } else if (q != NULL) {
        bool ack = json_is_true(json_object_get(word, "ack"));
        free(q->by);
        q->by = strdup(by);
        upkeep_row(s,
                   json_pack("{s:s, s:s, s:s, s:b, s:O*}", "project", q->project, "host",
                             q->host, "by", by, "ack", ack, "actions",
                             json_object_get(word, "actions")),
                   "%s_%s by %.64s%s%s%s%s", ack ? "ACK" : "NACK", q->state, by,
                   q->project[0] != '\0' ? " of project " : "", q->project,
                   q->host[0] != '\0' ? " about host " : "", q->host);
        if (ack) {
            agree(s, q, json_object_get(word, "actions"));
        } else {
            (void)snprintf(q->answer, sizeof(q->answer), "nack");
            upkeep_fail(s, "NACK_%s by %.64s%s%.100s", q->state, by,
                        q->project[0] != '\0' ? " of project " : "", q->project);
        }
    }
    actuator_upkeep_tick(s, now_ms);
}

/* --- actions ------------------------------------------------------------------------------------------- */

bool actuator_upkeep_acts(const struct actuator_upkeep_session *s, size_t *it,
                          struct actuator_upkeep_act *out)
{
    while (*it < s->n_acts) {
        const struct upkeep_act *a = &s->act[(*it)++];
        if (a->state != UPKEEP_ACT_OPEN)
            continue;
        *out = (struct actuator_upkeep_act){a->n, a->kind, a->host, a->instance};
        return true;
    }
    return false;
}

/* One that never began, or a rollback's: later again. */
static bool again(struct actuator_upkeep_session *s, struct upkeep_act *a, bool began)
{
    bool back = s->phase == UPKEEP_P_ROLLBACK && a->kind == ACTUATOR_UPKEEP_ENABLE;
    if (began && (!back || ++a->tries >= ENABLE_MAX))
        return false;
    if (!back &&
        (s->phase == UPKEEP_P_ROLLBACK || s->now_ms - a->since_ms > s->rules.action_ms))
        return false;
    a->state = UPKEEP_ACT_AGAIN;
    a->again_ms = s->now_ms + (began ? ENABLE_MS : s->rules.poll_ms);
    return true;
}

void actuator_upkeep_acted(struct actuator_upkeep_session *s, int64_t n,
                           const char *outcome, const char *why, int64_t now_ms)
{
    bool good = strcmp(outcome, "verified") == 0;
    s->now_ms = now_ms;
    for (unsigned i = 0; i < s->n_acts; i++) {
        struct upkeep_act *a = &s->act[i];
        if (a->n != n || a->state != UPKEEP_ACT_OPEN)
            continue;
        s->out.dirty = true;
        (void)snprintf(a->text, sizeof(a->text), "%s", why);
        if (!good && again(s, a, strcmp(outcome, "suppressed") != 0))
            break;
        a->state = good ? UPKEEP_ACT_GOOD : UPKEEP_ACT_BAD;
        if (!good && s->phase == UPKEEP_P_ROLLBACK && a->kind == ACTUATOR_UPKEEP_ENABLE)
            upkeep_row(s, json_pack("{s:s}", "host", a->host),
                       "host %s could not be enabled: %s", a->host, why);
        upkeep_host_acted(s, a, good);
        break;
    }
    actuator_upkeep_tick(s, now_ms);
}
