/* SPDX-License-Identifier: Apache-2.0 */
/* upkeep_say - what a maintenance session asks, tells and writes down (upkeep_private.h). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/upkeep_private.h"
#include "base/clock.h"

#define ACTIONS "[\"MIGRATE\", \"LIVE_MIGRATE\", \"OWN_ACTION\"]"

static void add(struct actuator_upkeep_session *s, json_t **list, json_t *item)
{
    if (*list == NULL)
        *list = json_array();
    if (json_array_append_new(*list, item) != 0)
        s->nomem = true;
    s->out.dirty = true;
}

void upkeep_row(struct actuator_upkeep_session *s, json_t *detail, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (detail == NULL)
        detail = json_object();
    if (detail == NULL ||
        json_object_set_new(detail, "state", json_string(upkeep_states[s->state])) != 0)
        s->nomem = true;
    add(s, &s->out.rows, json_pack("{s:s, s:o}", "text", text, "detail", detail));
}

/* --- events ----------------------------------------------------------------------------- */

/* As Fenix writes them: UTC without a zone. */
static const char *time_text(int64_t ms, char dst[HALE_CLOCK_ISO_MAX])
{
    (void)hale_clock_iso_s(ms, dst);
    dst[strcspn(dst, "Z")] = '\0';
    return dst;
}

static void event(struct actuator_upkeep_session *s, const char *tenant, const char *type,
                  json_t *traits)
{
    add(s, &s->out.events,
        json_pack("{s:s, s:s, s:o}", "tenant", tenant, "type", type, "traits", traits));
}

/* traits of maintenance.scheduled. */
static json_t *scheduled(struct actuator_upkeep_session *s, const struct upkeep_ask *a)
{
    char url[600], one[200], list[700];
    char *metadata = json_dumps(s->metadata, 0);
    bool of_one = a->instance != NULL && a->instance[0] != '\0';
    (void)snprintf(url, sizeof(url), "%s/fenix/v1/maintenance/%s/%s", s->rules.url, s->id,
                   a->project);
    (void)snprintf(one, sizeof(one), "%s%s", of_one ? "/" : "",
                   of_one ? a->instance : "");
    if (of_one)
        (void)snprintf(list, sizeof(list), "[\"%.150s\"]", a->instance);
    else
        (void)snprintf(list, sizeof(list), "%s", url);
    json_t *traits =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s+}", "project_id", a->project,
                  "instance_ids", list, "allowed_actions", a->actions ? ACTIONS : "[]",
                  "state", a->state, "session_id", s->id, "metadata",
                  metadata != NULL ? metadata : "{}", "reply_url", url, one);
    free(metadata);
    return traits;
}

static void set_time(struct actuator_upkeep_session *s, json_t *traits, const char *name,
                     int64_t ms)
{
    char iso[HALE_CLOCK_ISO_MAX];
    if (json_object_set_new(traits, name, json_string(time_text(ms, iso))) != 0)
        s->nomem = true;
}

/* --- questions --------------------------------------------------------------------------- */

static struct upkeep_question *new_question(struct actuator_upkeep_session *s,
                                            const struct upkeep_ask *a)
{
    struct upkeep_question *grown =
        realloc(s->question, (s->n_questions + 1) * sizeof(*grown));
    if (grown == NULL) {
        s->nomem = true;
        return NULL;
    }
    s->question = grown;
    struct upkeep_question *q = &grown[s->n_questions];
    memset(q, 0, sizeof(*q));
    q->n = ++s->number;
    (void)snprintf(q->state, sizeof(q->state), "%s", a->state);
    q->project = strdup(a->project);
    q->instance = strdup(a->instance != NULL ? a->instance : "");
    q->host = strdup(a->host != NULL ? a->host : "");
    q->ids = json_incref(a->ids);
    q->until_ms = a->until_ms;
    if (q->project == NULL || q->instance == NULL || q->host == NULL) {
        free(q->project);
        free(q->instance);
        free(q->host);
        json_decref(q->ids);
        s->nomem = true;
        return NULL;
    }
    s->n_questions++;
    s->out.dirty = true;
    return q;
}

void upkeep_ask(struct actuator_upkeep_session *s, const struct upkeep_ask *a)
{
    if (new_question(s, a) != NULL) {
        json_t *traits = scheduled(s, a);
        if (traits == NULL)
            s->nomem = true;
        set_time(s, traits, "reply_at", a->until_ms);
        set_time(s, traits, "actions_at",
                 s->state == UPKEEP_MAINTENANCE && s->at_ms > s->now_ms ? s->at_ms
                                                                        : a->until_ms);
        event(s, a->project, "maintenance.scheduled", traits);
        upkeep_row(s,
                   json_pack("{s:s, s:s, s:I}", "project", a->project, "instance",
                             a->instance != NULL ? a->instance : "", "until_ms",
                             (json_int_t)a->until_ms),
                   "project %s is told %s and asked to answer", a->project, a->state);
    }
    json_decref(a->ids);
}

void upkeep_ask_all(struct actuator_upkeep_session *s, const char *state,
                    int64_t until_ms)
{
    json_t *name;
    size_t i;
    json_array_foreach (s->projects, i, name)
        upkeep_ask(s, &(struct upkeep_ask){.state = state,
                                           .project = json_string_value(name),
                                           .until_ms = until_ms});
}

void upkeep_ask_work(struct actuator_upkeep_session *s, const char *host,
                     int64_t until_ms)
{
    (void)new_question(s, &(struct upkeep_ask){.state = "IN_MAINTENANCE",
                                               .project = "",
                                               .host = host,
                                               .until_ms = until_ms});
}

unsigned upkeep_questions_open(const struct actuator_upkeep_session *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_questions; i++)
        n += s->question[i].answer[0] == '\0' && s->question[i].project[0] != '\0';
    return n;
}

void upkeep_sweep(struct actuator_upkeep_session *s)
{
    unsigned k = 0;
    for (unsigned i = 0; i < s->n_questions; i++) {
        struct upkeep_question *q = &s->question[i];
        if (q->answer[0] == '\0') {
            s->question[k++] = *q;
            continue;
        }
        free(q->project);
        free(q->instance);
        free(q->host);
        free(q->by);
        json_decref(q->ids);
    }
    s->n_questions = k;
    k = 0;
    for (unsigned i = 0; i < s->n_acts; i++) {
        struct upkeep_act *a = &s->act[i];
        if (a->state == UPKEEP_ACT_OPEN || a->state == UPKEEP_ACT_AGAIN) {
            s->act[k++] = *a;
            continue;
        }
        free(a->host);
        free(a->instance);
    }
    s->n_acts = k;
    s->out.dirty = true;
}

/* --- telling ----------------------------------------------------------------------------- */

void upkeep_tell_done(struct actuator_upkeep_session *s, const struct upkeep_instance *x)
{
    event(s, x->project, "maintenance.scheduled",
          scheduled(s, &(struct upkeep_ask){.state = "INSTANCE_ACTION_DONE",
                                            .project = x->project,
                                            .instance = x->id}));
}

void upkeep_tell_host(struct actuator_upkeep_session *s, const char *host,
                      const char *state)
{
    event(s, s->tenant, "maintenance.host",
          json_pack("{s:s, s:s, s:s, s:s}", "host", host, "project_id", s->tenant,
                    "state", state, "session_id", s->id));
    upkeep_row(s, json_pack("{s:s}", "host", host), "host %s: %s", host, state);
}

/* Consumers know no word for a session that failed; that it is over they do. */
void upkeep_tell_failed(struct actuator_upkeep_session *s)
{
    json_t *name;
    size_t i;
    json_array_foreach (s->projects, i, name) {
        json_t *traits =
            scheduled(s, &(struct upkeep_ask){.state = "MAINTENANCE_COMPLETE",
                                              .project = json_string_value(name)});
        set_time(s, traits, "actions_at", s->now_ms);
        set_time(s, traits, "reply_at", s->now_ms);
        if (json_object_set_new(traits, "session_state",
                                json_string("MAINTENANCE_FAILED")) != 0)
            s->nomem = true;
        event(s, json_string_value(name), "maintenance.scheduled", traits);
    }
}

void upkeep_window(struct actuator_upkeep_session *s, struct upkeep_host *h, bool begins)
{
    int64_t since = begins ? s->now_ms : h->window_ms;
    if (since == 0)
        return;
    h->window_ms = begins ? since : 0;
    add(s, &s->out.windows,
        json_pack("{s:s, s:I, s:I}", "host", h->name, "starts_ms", (json_int_t)since,
                  "ends_ms", (json_int_t)(begins ? 0 : s->now_ms)));
}
