/* SPDX-License-Identifier: Apache-2.0 */
/* upkeep_record - a maintenance session begins, its record is written and read (upkeep.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/run.h"
#include "actuator/upkeep_private.h"

const char *const upkeep_states[] = {"MAINTENANCE",
                                     "SCALE_IN",
                                     "PREPARE_MAINTENANCE",
                                     "START_MAINTENANCE",
                                     "PLANNED_MAINTENANCE",
                                     "MAINTENANCE_COMPLETE",
                                     "MAINTENANCE_DONE",
                                     "MAINTENANCE_FAILED",
                                     NULL};
const char *const upkeep_phases[] = {"begin",  "ask",      "plan",  "disable",
                                     "look",   "empty",    "work",  "enable",
                                     "finish", "rollback", "ended", NULL};
const char *const upkeep_kinds[] = {"disable",      "enable", "migrate",
                                    "live-migrate", "hook",   NULL};
static const char *const host_states[] = {"todo", "emptying", "work", "maintained", NULL};
static const char *const instance_states[] = {"stands", "asked", "agreed", "acting",
                                              "moved",  "gone",  NULL};
static const char *const act_states[] = {"open", "again", "good", "bad", NULL};

/* --- begin and end -------------------------------------------------------------------------- */

static void free_host(struct upkeep_host *h)
{
    free(h->name);
}

static void free_instance(struct upkeep_instance *x)
{
    free(x->id);
    free(x->name);
    free(x->project);
    free(x->host);
    free(x->group);
}

static void free_question(struct upkeep_question *q)
{
    free(q->project);
    free(q->instance);
    free(q->host);
    free(q->by);
    json_decref(q->ids);
}

static void free_act(struct upkeep_act *a)
{
    free(a->host);
    free(a->instance);
}

void actuator_upkeep_free(struct actuator_upkeep_session *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_hosts; i++)
        free_host(&s->host[i]);
    for (unsigned i = 0; i < s->n_instances; i++)
        free_instance(&s->instance[i]);
    for (unsigned i = 0; i < s->n_questions; i++)
        free_question(&s->question[i]);
    for (unsigned i = 0; i < s->n_acts; i++)
        free_act(&s->act[i]);
    free(s->host);
    free(s->instance);
    free(s->question);
    free(s->act);
    free(s->tenant);
    free(s->by);
    free(s->reason);
    json_decref(s->metadata);
    json_decref(s->projects);
    actuator_upkeep_out_fini(&s->out);
    free(s);
}

static bool add_hosts(struct actuator_upkeep_session *s, const json_t *names)
{
    s->host = calloc(json_array_size(names) + 1, sizeof(*s->host));
    for (size_t i = 0; s->host != NULL && i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        s->host[i].name = strdup(name != NULL ? name : "");
        if (s->host[i].name == NULL)
            return false;
        s->n_hosts++;
    }
    return s->host != NULL;
}

static char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return strdup(text != NULL ? text : "");
}

struct actuator_upkeep_session *
actuator_upkeep_new(const char *id, const json_t *start,
                    const struct actuator_upkeep_rules *rules, const char *no_rules,
                    int64_t now_ms)
{
    struct actuator_upkeep_session *s = calloc(1, sizeof(*s));
    const char *workflow = json_string_value(json_object_get(start, "workflow"));
    const json_t *metadata = json_object_get(start, "metadata");
    if (s == NULL)
        return NULL;
    (void)snprintf(s->id, sizeof(s->id), "%s", id);
    s->tenant = text_of(start, "tenant");
    s->by = text_of(start, "by");
    s->reason = strdup("");
    s->created_ms = s->updated_ms = s->now_ms = now_ms;
    s->at_ms = (int64_t)json_integer_value(json_object_get(start, "at_ms"));
    s->vnf = workflow != NULL && strcmp(workflow, "vnf") == 0;
    s->metadata = json_is_object(metadata) ? json_deep_copy(metadata) : json_object();
    s->projects = json_array();
    s->rules = *rules;
    s->cur = -1;
    if (s->tenant == NULL || s->by == NULL || s->reason == NULL || s->metadata == NULL ||
        s->projects == NULL || !add_hosts(s, json_object_get(start, "hosts"))) {
        actuator_upkeep_free(s);
        return NULL;
    }
    upkeep_enter(s, UPKEEP_P_BEGIN);
    s->look_ms = now_ms;
    upkeep_row(
        s, json_pack("{s:s, s:O}", "by", s->by, "hosts", json_object_get(start, "hosts")),
        "maintenance session begun by %.64s", s->by);
    if (no_rules != NULL)
        upkeep_fail(s, "%s", no_rules);
    return s;
}

void actuator_upkeep_out_fini(struct actuator_upkeep_out *out)
{
    json_decref(out->events);
    json_decref(out->rows);
    json_decref(out->windows);
    json_decref(out->settled);
    memset(out, 0, sizeof(*out));
}

void actuator_upkeep_take(struct actuator_upkeep_session *s,
                          struct actuator_upkeep_out *out)
{
    s->updated_ms = s->now_ms;
    *out = s->out;
    memset(&s->out, 0, sizeof(s->out));
}

const char *actuator_upkeep_id(const struct actuator_upkeep_session *s)
{
    return s->id;
}

const char *actuator_upkeep_tenant(const struct actuator_upkeep_session *s)
{
    return s->tenant;
}

const struct actuator_upkeep_rules *
actuator_upkeep_rules(const struct actuator_upkeep_session *s)
{
    return &s->rules;
}

bool actuator_upkeep_ended(const struct actuator_upkeep_session *s)
{
    return s->phase == UPKEEP_P_ENDED;
}

bool actuator_upkeep_holds(const struct actuator_upkeep_session *s, const char *host)
{
    return s->phase != UPKEEP_P_ENDED && upkeep_find_host(s, host) != NULL;
}

size_t actuator_upkeep_hosts(const struct actuator_upkeep_session *s)
{
    return s->n_hosts;
}

const char *actuator_upkeep_host(const struct actuator_upkeep_session *s, size_t i)
{
    return s->host[i].name;
}

/* --- writing ---------------------------------------------------------------------------------- */

#define I(x) ((json_int_t)(x))

static json_t *rules_out(const struct actuator_upkeep_rules *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:s, s:s, s:s, s:s}",
                     "reply_ms", I(r->reply_ms), "action_ms", I(r->action_ms), "work_ms",
                     I(r->work_ms), "poll_ms", I(r->poll_ms), "parallel", I(r->parallel),
                     "cpu_ratio", r->cpu_ratio, "ram_ratio", r->ram_ratio, "hook",
                     r->hook, "silence", r->silence, "fallback", r->fallback, "cloud",
                     r->cloud, "url", r->url);
}

static json_t *instance_out(const struct upkeep_instance *x)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "id",
        x->id, "name", x->name, "project", x->project, "host", x->host, "group", x->group,
        "state", instance_states[x->state], "action", x->action, "type", x->type,
        "max_impacted", I(x->max_impacted), "recovery_ms", I(x->recovery_ms), "lead_ms",
        I(x->lead_ms), "since_ms", I(x->since_ms), "free_ms", I(x->free_ms), "fell_back",
        x->fell_back);
}

static json_t *question_out(const struct upkeep_question *q)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:O*, s:I, s:s, s:s*}", "n", I(q->n),
                     "state", q->state, "project", q->project, "instance", q->instance,
                     "host", q->host, "ids", q->ids, "until_ms", I(q->until_ms), "answer",
                     q->answer, "by", q->by);
}

static json_t *act_out(const struct actuator_upkeep_session *s,
                       const struct upkeep_act *a)
{
    char alarm_id[HALE_UUID_TEXT + 16], run[HALE_UUID_TEXT];
    (void)snprintf(alarm_id, sizeof(alarm_id), ACTUATOR_UPKEEP_PREFIX "%s", s->id);
    actuator_run_id(ACTUATOR_UPKEEP_POLICY, alarm_id, a->n, 0, run);
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:s}", "n", I(a->n),
                     "kind", upkeep_kinds[a->kind], "host", a->host, "instance",
                     a->instance, "state", act_states[a->state], "text", a->text,
                     "since_ms", I(a->since_ms), "again_ms", I(a->again_ms), "tries",
                     (int)a->tries, "run", run);
}

static json_t *lists_out(const struct actuator_upkeep_session *s, json_t *out)
{
    json_t *hosts = json_array(), *instances = json_array(), *questions = json_array(),
           *acts = json_array();
    int rc = 0;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        const struct upkeep_host *h = &s->host[i];
        rc |= json_array_append_new(hosts,
                                    json_pack("{s:s, s:s, s:b, s:I}", "name", h->name,
                                              "state", host_states[h->state], "disabled",
                                              h->disabled, "window_ms", I(h->window_ms)));
    }
    for (unsigned i = 0; i < s->n_instances; i++)
        rc |= json_array_append_new(instances, instance_out(&s->instance[i]));
    for (unsigned i = 0; i < s->n_questions; i++)
        rc |= json_array_append_new(questions, question_out(&s->question[i]));
    for (unsigned i = 0; i < s->n_acts; i++)
        rc |= json_array_append_new(acts, act_out(s, &s->act[i]));
    rc |= json_object_set_new(out, "hosts", hosts);
    rc |= json_object_set_new(out, "instances", instances);
    rc |= json_object_set_new(out, "questions", questions);
    rc |= json_object_set_new(out, "acts", acts);
    if (rc == 0)
        return out;
    json_decref(out);
    return NULL;
}

enum hale_rc actuator_upkeep_encode(const struct actuator_upkeep_session *s,
                                    struct hale_buf *out)
{
    json_t *o =
        s->nomem
            ? NULL
            : json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:I, "
                        "s:O, s:O, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
                        "v", 1, "id", s->id, "tenant", s->tenant, "by", s->by,
                        "created_ms", I(s->created_ms), "updated_ms", I(s->updated_ms),
                        "state", upkeep_states[s->state], "phase",
                        upkeep_phases[s->phase], "reason", s->reason, "workflow",
                        s->vnf ? "vnf" : "default", "at_ms", I(s->at_ms), "metadata",
                        s->metadata, "projects", s->projects, "number", I(s->number),
                        "since_ms", I(s->since_ms), "look_ms", I(s->look_ms), "seen_ms",
                        I(s->seen_ms), "host", I(s->cur), "rounds", I(s->rounds),
                        "scaled", I(s->scaled), "rules", rules_out(&s->rules));
    o = o != NULL ? lists_out(s, o) : NULL;
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (text == NULL)
        return HALE_E_NOMEM;
    hale_buf_add_c(out, text);
    free(text);
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Place of the word in the list, or -1. */
static int choice(const json_t *o, const char *key, const char *const *words)
{
    const char *text = json_string_value(json_object_get(o, key));
    for (int i = 0; text != NULL && words[i] != NULL; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

static int64_t number(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

static const char *known_action(const json_t *o, const char *key)
{
    const char *word = hale_upkeep_action(json_string_value(json_object_get(o, key)));
    return word != NULL ? word : "";
}

static void rules_in(const json_t *o, struct actuator_upkeep_rules *r)
{
    const char *cloud = json_string_value(json_object_get(o, "cloud"));
    const char *url = json_string_value(json_object_get(o, "url"));
    const char *silence = known_action(o, "silence");
    r->reply_ms = number(o, "reply_ms");
    r->action_ms = number(o, "action_ms");
    r->work_ms = number(o, "work_ms");
    r->poll_ms = number(o, "poll_ms");
    r->parallel = number(o, "parallel");
    r->cpu_ratio = json_number_value(json_object_get(o, "cpu_ratio"));
    r->ram_ratio = json_number_value(json_object_get(o, "ram_ratio"));
    r->hook = json_is_true(json_object_get(o, "hook"));
    r->silence = *silence != '\0' ? silence : "fail";
    r->fallback = *known_action(o, "fallback") != '\0' ? "MIGRATE" : "fail";
    (void)snprintf(r->cloud, sizeof(r->cloud), "%s", cloud != NULL ? cloud : "");
    (void)snprintf(r->url, sizeof(r->url), "%s", url != NULL ? url : "");
}

static bool hosts_in(struct actuator_upkeep_session *s, const json_t *list)
{
    s->host = calloc(json_array_size(list) + 1, sizeof(*s->host));
    for (size_t i = 0; s->host != NULL && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        int state = choice(o, "state", host_states);
        struct upkeep_host *h = &s->host[s->n_hosts++];
        h->name = text_of(o, "name");
        h->state = (enum upkeep_host_state)(state >= 0 ? state : 0);
        h->disabled = json_is_true(json_object_get(o, "disabled"));
        h->window_ms = number(o, "window_ms");
        if (h->name == NULL || state < 0)
            return false;
    }
    return s->host != NULL;
}

static bool instances_in(struct actuator_upkeep_session *s, const json_t *list)
{
    s->instance = calloc(json_array_size(list) + 1, sizeof(*s->instance));
    for (size_t i = 0; s->instance != NULL && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        int state = choice(o, "state", instance_states);
        struct upkeep_instance *x = &s->instance[s->n_instances++];
        x->id = text_of(o, "id");
        x->name = text_of(o, "name");
        x->project = text_of(o, "project");
        x->host = text_of(o, "host");
        x->group = text_of(o, "group");
        x->state = (enum upkeep_instance_state)(state >= 0 ? state : 0);
        x->action = known_action(o, "action");
        x->type = known_action(o, "type");
        x->max_impacted = number(o, "max_impacted");
        x->recovery_ms = number(o, "recovery_ms");
        x->lead_ms = number(o, "lead_ms");
        x->since_ms = number(o, "since_ms");
        x->free_ms = number(o, "free_ms");
        x->fell_back = json_is_true(json_object_get(o, "fell_back"));
        if (state < 0 || x->id == NULL || x->name == NULL || x->project == NULL ||
            x->host == NULL || x->group == NULL)
            return false;
    }
    return s->instance != NULL;
}

static void copy_text(char *dst, size_t size, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    (void)snprintf(dst, size, "%s", text != NULL ? text : "");
}

static bool questions_in(struct actuator_upkeep_session *s, const json_t *list)
{
    s->question = calloc(json_array_size(list) + 1, sizeof(*s->question));
    for (size_t i = 0; s->question != NULL && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        struct upkeep_question *q = &s->question[s->n_questions++];
        q->n = number(o, "n");
        copy_text(q->state, sizeof(q->state), o, "state");
        copy_text(q->answer, sizeof(q->answer), o, "answer");
        q->project = text_of(o, "project");
        q->instance = text_of(o, "instance");
        q->host = text_of(o, "host");
        bool said = json_object_get(o, "by") != NULL;
        q->by = said ? text_of(o, "by") : NULL;
        q->ids = json_incref(json_object_get(o, "ids"));
        q->until_ms = number(o, "until_ms");
        if (q->project == NULL || q->instance == NULL || q->host == NULL ||
            (said && q->by == NULL))
            return false;
    }
    return s->question != NULL;
}

static bool acts_in(struct actuator_upkeep_session *s, const json_t *list)
{
    s->act = calloc(json_array_size(list) + 1, sizeof(*s->act));
    for (size_t i = 0; s->act != NULL && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        int kind = choice(o, "kind", upkeep_kinds),
            state = choice(o, "state", act_states);
        struct upkeep_act *a = &s->act[s->n_acts++];
        a->n = number(o, "n");
        a->kind = (enum actuator_upkeep_kind)(kind >= 0 ? kind : 0);
        a->state = (enum upkeep_act_state)(state >= 0 ? state : 0);
        a->host = text_of(o, "host");
        a->instance = text_of(o, "instance");
        copy_text(a->text, sizeof(a->text), o, "text");
        a->since_ms = number(o, "since_ms");
        a->again_ms = number(o, "again_ms");
        a->tries = (unsigned)number(o, "tries");
        if (kind < 0 || state < 0 || a->host == NULL || a->instance == NULL)
            return false;
    }
    return s->act != NULL;
}

/* Everything but the lists; false: it is none. */
static bool head_in(struct actuator_upkeep_session *s, const json_t *o)
{
    int state = choice(o, "state", upkeep_states),
        phase = choice(o, "phase", upkeep_phases);
    const char *workflow = json_string_value(json_object_get(o, "workflow"));
    copy_text(s->id, sizeof(s->id), o, "id");
    s->tenant = text_of(o, "tenant");
    s->by = text_of(o, "by");
    s->reason = text_of(o, "reason");
    s->created_ms = number(o, "created_ms");
    s->updated_ms = number(o, "updated_ms");
    s->at_ms = number(o, "at_ms");
    s->vnf = workflow != NULL && strcmp(workflow, "vnf") == 0;
    s->metadata = json_incref(json_object_get(o, "metadata"));
    s->projects = json_incref(json_object_get(o, "projects"));
    s->state = (enum upkeep_state)(state >= 0 ? state : 0);
    s->phase = (enum upkeep_phase)(phase >= 0 ? phase : 0);
    s->number = number(o, "number");
    s->since_ms = number(o, "since_ms");
    s->look_ms = number(o, "look_ms");
    s->seen_ms = number(o, "seen_ms");
    s->cur = number(o, "host");
    s->rounds = number(o, "rounds");
    s->scaled = number(o, "scaled");
    rules_in(json_object_get(o, "rules"), &s->rules);
    return state >= 0 && phase >= 0 && s->tenant != NULL && s->by != NULL &&
           s->reason != NULL && json_is_object(s->metadata) &&
           json_is_array(s->projects) && strlen(s->id) == HALE_UUID_TEXT - 1;
}

enum hale_rc actuator_upkeep_decode(struct hale_str json,
                                    struct actuator_upkeep_session **out)
{
    json_t *o = json_loadb(json.p != NULL ? json.p : "", json.len, 0, NULL);
    struct actuator_upkeep_session *s = calloc(1, sizeof(*s));
    json_t *name;
    size_t i;
    *out = NULL;
    bool ok = s != NULL && head_in(s, o) && hosts_in(s, json_object_get(o, "hosts")) &&
              instances_in(s, json_object_get(o, "instances")) &&
              questions_in(s, json_object_get(o, "questions")) &&
              acts_in(s, json_object_get(o, "acts")) && s->cur >= -1 &&
              s->cur < (int64_t)s->n_hosts;
    json_array_foreach (ok ? s->projects : NULL, i, name)
        ok = ok && json_is_string(name);
    bool at_host = ok && s->phase >= UPKEEP_P_DISABLE && s->phase <= UPKEEP_P_ENABLE;
    if (at_host && s->cur < 0)
        ok = false;
    json_decref(o);
    if (!ok) {
        actuator_upkeep_free(s);
        return HALE_E_INVAL;
    }
    *out = s;
    return HALE_OK;
}
