/* SPDX-License-Identifier: Apache-2.0 */
/* lab_acts - the actuator's side of the lab: its ledger in memory, and stand-ins for those it calls. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lab_inner.h"
#include "model/graph.h"

#define LAB_ENTITIES_MAX 100000

static const struct actuator_policies no_policies;
/* Whom proofs ask: answered by a scenario's `answers`, as all others. */
static char collector_url[] = "http://collector", no_file[] = "";
static const struct actuator_collector collector = {
    .url = collector_url, .token_file = no_file, .timeout_ms = 5000};

/* --- jobs -------------------------------------------------------------------------- */

static void job_free(struct lab_job *job)
{
    if (job == NULL)
        return;
    free(job->body);
    free(job->location);
    free(job);
}

/* Behind all that are not later. */
static void enqueue(struct lab_acts *a, struct lab_job *job)
{
    struct lab_job **at = &a->jobs;
    while (*at != NULL && (*at)->at_ms <= job->at_ms)
        at = &(*at)->next;
    job->next = *at;
    *at = job;
}

static struct lab_job *job_new(struct lab_acts *a, const char *run_id, int64_t in_ms)
{
    struct lab_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        (void)lab_note(a->lab, HALE_E_NOMEM);
        return NULL;
    }
    job->at_ms = a->lab->now_ms + in_ms;
    (void)snprintf(job->run_id, sizeof(job->run_id), "%s", run_id);
    return job;
}

/* --- the ledger -------------------------------------------------------------------- */

static bool put_text(struct lab_acts *a, json_t *table, const char *key,
                     struct hale_str text)
{
    if (text.len == 0 ||
        json_object_set_new(table, key, json_stringn(text.p, text.len)) == 0)
        return true;
    (void)lab_note(a->lab, HALE_E_NOMEM);
    return false;
}

static void tell_plan(struct lab_acts *a, const struct actuator_commit *c)
{
    const struct cli_lab_sink *sink = &a->lab->conf->sink;
    json_t *run =
        c->run_json.len > 0 ? json_loadb(c->run_json.p, c->run_json.len, 0, NULL) : NULL;
    if (sink->plan != NULL && json_is_array(json_object_get(run, "plan")))
        sink->plan(sink->arg, c->run_id, json_object_get(run, "plan"));
    json_decref(run);
}

static void remember(struct lab_acts *a, const struct actuator_memory *m)
{
    const char *old = json_string_value(json_object_get(a->guards, m->field));
    if (m->json.len > 0)
        (void)put_text(a, a->guards, m->field, m->json);
    else if (old != NULL && hale_str_eq_c(m->was, old))
        (void)json_object_del(a->guards, m->field);
}

static bool is_in(const struct lab_acts *a, const char *run_id, const char *state)
{
    const char *text = json_string_value(json_object_get(a->runs, run_id));
    json_t *run = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const char *is = json_string_value(json_object_get(run, "state"));
    bool same = is != NULL && strcmp(is, state) == 0;
    json_decref(run);
    return same;
}

static void store(struct lab_acts *a, const struct actuator_commit *c)
{
    const struct cli_lab_sink *sink = &a->lab->conf->sink;
    (void)put_text(a, a->runs, c->run_id, c->run_json);
    for (unsigned i = 0; i < c->n_guards; i++)
        remember(a, &c->guard[i]);
    for (unsigned i = 0; i < c->n_events; i++)
        (void)lab_push(a->lab, &a->faults, c->event[i]);
    if (c->forget != NULL)
        (void)json_object_del(a->runs, c->forget);
    lab_people_settle(a, c->run_id, c->settled);
    if (c->op == ACTUATOR_OP_BIRTH || is_in(a, c->run_id, "proposed"))
        tell_plan(a, c);
    for (unsigned i = 0; i < c->n_rows; i++) {
        struct hale_journal_row row;
        if (hale_journal_decode(c->row[i], &row) != HALE_OK)
            continue;
        if (sink->row != NULL)
            sink->row(sink->arg, &row);
        hale_journal_fini(&row);
    }
}

static const char *lease_run(const char *lease)
{
    const char *colon = lease != NULL ? strchr(lease, ':') : NULL;
    return colon != NULL ? colon + 1 : "";
}

static void give_lease(struct lab_acts *a, const struct actuator_commit *c,
                       struct lab_job *job)
{
    char text[80];
    job->token = ++a->fence;
    (void)snprintf(text, sizeof(text), "%" PRId64 ":%s", job->token, c->run_id);
    (void)put_text(a, a->leases, c->target, hale_str_from(text));
}

static enum actuator_commit_result
decide(struct lab_acts *a, const struct actuator_commit *c, struct lab_job *job)
{
    const char *lease = json_string_value(json_object_get(a->leases, c->target));
    bool ours = lease != NULL && strcmp(lease_run(lease), c->run_id) == 0;
    switch (c->op) {
    case ACTUATOR_OP_ALONE: return ACTUATOR_COMMITTED;
    case ACTUATOR_OP_NOTE:
        return json_object_get(a->runs, c->run_id) != NULL ? ACTUATOR_EXISTS
                                                           : ACTUATOR_COMMITTED;
    case ACTUATOR_OP_IDLE:
        return is_in(a, c->run_id, "proposed") || is_in(a, c->run_id, "waiting")
                   ? ACTUATOR_COMMITTED
                   : ACTUATOR_EXISTS;
    case ACTUATOR_OP_BIRTH:
    case ACTUATOR_OP_OPEN:
    case ACTUATOR_OP_TAKE:
        if (c->op == ACTUATOR_OP_OPEN && !is_in(a, c->run_id, "proposed"))
            return ACTUATOR_EXISTS;
        if (c->op == ACTUATOR_OP_BIRTH && json_object_get(a->runs, c->run_id) != NULL)
            return ACTUATOR_EXISTS;
        if (lease != NULL && !ours) {
            (void)snprintf(job->holder, sizeof(job->holder), "%s", lease);
            return ACTUATOR_HELD;
        }
        give_lease(a, c, job);
        return ACTUATOR_COMMITTED;
    case ACTUATOR_OP_KEEP:
    case ACTUATOR_OP_END:
        job->token = c->token;
        if (!ours || strtoll(lease, NULL, 10) != c->token)
            return ACTUATOR_LOST;
        if (c->op == ACTUATOR_OP_END)
            (void)json_object_del(a->leases, c->target);
        return ACTUATOR_COMMITTED;
    }
    return ACTUATOR_LOST;
}

static void on_commit(void *arg, const struct actuator_commit *c)
{
    struct lab_acts *a = arg;
    struct lab_job *job = job_new(a, c->run_id, 0);
    if (job == NULL)
        return;
    job->is_commit = true;
    job->result = decide(a, c, job);
    if (job->result == ACTUATOR_COMMITTED)
        store(a, c);
    enqueue(a, job);
}

/* --- those who are called ---------------------------------------------------------- */

static const json_t *scripted(const struct lab_acts *a, const char *method,
                              const char *url)
{
    const json_t *answer;
    size_t i;
    json_array_foreach (a->lab->conf->answers, i, answer) {
        const char *part = json_string_value(json_object_get(answer, "url"));
        const char *only = json_string_value(json_object_get(answer, "method"));
        if (part != NULL && strstr(url, part) != NULL &&
            (only == NULL || strcmp(only, method) == 0))
            return answer;
    }
    return NULL;
}

static void copy_text(struct lab_acts *a, char **dst, const char *text)
{
    *dst = text != NULL ? strdup(text) : NULL;
    if (text != NULL && *dst == NULL)
        (void)lab_note(a->lab, HALE_E_NOMEM);
}

static void answer_scripted(struct lab_acts *a, struct lab_job *job, const json_t *answer)
{
    job->at_ms += json_integer_value(json_object_get(answer, "takes_ms"));
    job->status = (unsigned)json_integer_value(json_object_get(answer, "status"));
    copy_text(a, &job->body, json_string_value(json_object_get(answer, "body")));
    copy_text(a, &job->location, json_string_value(json_object_get(answer, "location")));
    if (json_is_true(json_object_get(answer, "lost")))
        job->rc = HALE_E_AGAIN;
}

/* Executables are not run: they end well, or as the scenario says. */
static void answer_exec(struct lab_acts *a, struct lab_job *job, const json_t *answer)
{
    if (answer != NULL)
        answer_scripted(a, job, answer);
    job->status = (unsigned)json_integer_value(json_object_get(answer, "exit"));
}

/* A VNFM (SOL003) that completes every operation at once. */
static bool answer_vnfm(struct lab_acts *a, struct lab_job *job, const char *method,
                        const char *url)
{
    char text[600];
    const char *api = strstr(url, "/vnflcm/");
    if (api == NULL)
        return false;
    const char *occs = strstr(api, "/vnf_lcm_op_occs");
    if (strcmp(method, "POST") == 0 && occs == NULL) {
        job->status = 202;
        (void)snprintf(text, sizeof(text), "%.*s/vnflcm/v2/vnf_lcm_op_occs/lab-%u",
                       (int)(api - url), url, ++a->n_operations);
        copy_text(a, &job->location, text);
        return true;
    }
    job->status = 200;
    if (occs == NULL || occs[strlen("/vnf_lcm_op_occs")] != '/') {
        copy_text(a, &job->body, "[]");
        return true;
    }
    (void)snprintf(text, sizeof(text),
                   "{\"id\":\"%.100s\",\"operationState\":\"COMPLETED\"}",
                   occs + strlen("/vnf_lcm_op_occs/"));
    copy_text(a, &job->body, text);
    return true;
}

static void on_call(void *arg, const char *run_id, const struct actuator_request *q)
{
    struct lab_acts *a = arg;
    struct lab_job *job = job_new(a, run_id, 0);
    const char *url = q->url.p != NULL ? q->url.p : "";
    if (job == NULL)
        return;
    const json_t *answer = scripted(a, q->method, url);
    job->sent = true;
    if (q->argv != NULL) {
        answer_exec(a, job, answer);
    } else if (answer != NULL) {
        answer_scripted(a, job, answer);
    } else if (!answer_vnfm(a, job, q->method, url)) {
        job->status = 200;
        copy_text(a, &job->body, "{}");
    }
    enqueue(a, job);
}

static void on_cancel(void *arg, const char *run_id)
{
    struct lab_acts *a = arg;
    struct lab_job **at = &a->jobs;
    while (*at != NULL) {
        struct lab_job *job = *at;
        if (job->is_commit || strcmp(job->run_id, run_id) != 0) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        job_free(job);
    }
}

/* --- the lab's side ---------------------------------------------------------------- */

/* The correlator's rows as a graph. */
static struct hale_graph *topology(void *arg, const char *tenant)
{
    struct lab_acts *a = arg;
    const char *key;
    json_t *text;
    (void)tenant; /* the lab has one */
    hale_graph_free(a->graph);
    a->graph = hale_graph_new(LAB_ENTITIES_MAX);
    json_object_foreach (a->lab->tables[CORRELATOR_ENTITIES], key, text) {
        json_t *row = json_loads(json_string_value(text), 0, NULL);
        struct hale_entity e;
        if (a->graph != NULL && hale_entity_from_json(row, &e, NULL) == HALE_OK) {
            (void)lab_note(a->lab, hale_graph_put(a->graph, &e));
            hale_entity_fini(&e);
        }
        json_decref(row);
    }
    return a->graph;
}

static enum hale_rc engine_make(struct lab_acts *a)
{
    const struct actuator_engine_io io = {.arg = a,
                                          .commit = on_commit,
                                          .call = on_call,
                                          .cancel = on_cancel,
                                          .topology = topology,
                                          .verdicts = lab_people_verdicts};
    const struct actuator_policies *policies = a->lab->conf->policies;
    a->engine = actuator_engine_new(&io, policies != NULL ? policies : &no_policies);
    if (a->engine != NULL)
        actuator_engine_set_collector(a->engine, &collector);
    return a->engine != NULL ? HALE_OK : HALE_E_NOMEM;
}

enum hale_rc lab_acts_boot(struct lab_acts *a, struct cli_lab *lab)
{
    a->lab = lab;
    a->runs = json_object();
    a->guards = json_object();
    a->leases = json_object();
    a->verdicts = json_object();
    a->switches = json_object();
    if (a->runs == NULL || a->guards == NULL || a->leases == NULL ||
        a->verdicts == NULL || a->switches == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = engine_make(a);
    if (rc == HALE_OK)
        rc = lab_scale_boot(a);
    if (rc == HALE_OK)
        actuator_engine_start(a->engine, lab->now_ms * 1000);
    return rc;
}

static void drop_jobs(struct lab_acts *a)
{
    struct lab_job *job;
    while ((job = a->jobs) != NULL) {
        a->jobs = job->next;
        job_free(job);
    }
}

void lab_acts_fini(struct lab_acts *a)
{
    char *text;
    actuator_engine_free(a->engine);
    drop_jobs(a);
    while ((text = lab_pop(&a->faults)) != NULL)
        free(text);
    free(a->faults.v);
    json_decref(a->runs);
    json_decref(a->guards);
    json_decref(a->leases);
    json_decref(a->verdicts);
    json_decref(a->switches);
    free(a->scale);
    hale_graph_free(a->graph);
}

int64_t lab_acts_next_ms(const struct lab_acts *a)
{
    if (a->faults.head < a->faults.n)
        return a->lab->now_ms;
    int64_t next = actuator_engine_next_us(a->engine);
    int64_t look = lab_scale_next_ms(a);
    next = next == INT64_MAX ? next : (next + 999) / 1000;
    next = look < next ? look : next;
    return a->jobs != NULL && a->jobs->at_ms < next ? a->jobs->at_ms : next;
}

static void deliver(struct lab_acts *a, struct lab_job *job)
{
    int64_t now_us = a->lab->now_ms * 1000;
    if (job->is_commit) {
        actuator_engine_committed(a->engine, job->run_id, job->result, job->token,
                                  job->holder, now_us);
    } else {
        const struct actuator_answer answer = {.rc = job->rc,
                                               .sent = job->sent,
                                               .status = job->status,
                                               .body = hale_str_from(job->body),
                                               .location = hale_str_from(job->location),
                                               .error =
                                                   job->rc != HALE_OK ? "no answer" : ""};
        actuator_engine_answered(a->engine, job->run_id, &answer, now_us);
    }
    job_free(job);
}

void lab_acts_jobs(struct lab_acts *a)
{
    struct lab_job *job;
    while ((job = a->jobs) != NULL && job->at_ms <= a->lab->now_ms) {
        a->jobs = job->next;
        deliver(a, job);
    }
}

void lab_acts_record(struct lab_acts *a, const struct hale_log_record *r)
{
    actuator_engine_record(a->engine, r, false, a->lab->now_ms * 1000);
    lab_acts_jobs(a);
}

enum hale_rc lab_acts_faults(struct lab_acts *a)
{
    char *text;
    while ((text = lab_pop(&a->faults)) != NULL) {
        struct hale_event ev;
        enum hale_rc rc = hale_event_decode(hale_str_from(text), &ev);
        free(text);
        if (rc != HALE_OK)
            return rc;
        rc = cli_lab_event(a->lab, &ev);
        hale_event_fini(&ev);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

void lab_acts_turn(struct lab_acts *a)
{
    lab_acts_jobs(a);
    actuator_engine_tick(a->engine, a->lab->now_ms * 1000);
    lab_acts_jobs(a);
    lab_scale_turn(a);
    lab_acts_jobs(a);
}

static void alarm_now(const char *alarm_id, void *arg)
{
    struct lab_acts *a = arg;
    struct hale_alarm alarm;
    const json_t *row = json_object_get(a->lab->tables[CORRELATOR_ALARMS], alarm_id);
    bool gone = row == NULL || hale_alarm_decode(hale_str_from(json_string_value(row)),
                                                 &alarm) != HALE_OK;
    if (gone) {
        actuator_engine_alarm_now(a->engine, alarm_id, true, HALE_STATE_OK, 0, 0);
        return;
    }
    actuator_engine_alarm_now(a->engine, alarm_id, false, alarm.state, alarm.seq,
                              alarm.state_updated_ms * 1000);
    hale_alarm_fini(&alarm);
}

static void watch_all(struct lab_acts *a)
{
    const char *id;
    json_t *row;
    json_object_foreach (a->lab->tables[CORRELATOR_ALARMS], id, row) {
        struct hale_alarm alarm;
        if (hale_alarm_decode(hale_str_from(json_string_value(row)), &alarm) != HALE_OK)
            continue;
        actuator_engine_load_watch(a->engine, &alarm);
        hale_alarm_fini(&alarm);
    }
}

enum hale_rc lab_acts_restart(struct lab_acts *a)
{
    const char *key;
    json_t *text;
    drop_jobs(a); /* answers on their way are lost */
    actuator_engine_free(a->engine);
    enum hale_rc rc = engine_make(a);
    json_object_foreach (a->runs, key, text)
        if (rc == HALE_OK)
            rc = actuator_engine_load_run(a->engine,
                                          hale_str_from(json_string_value(text)));
    json_object_foreach (a->guards, key, text)
        if (rc == HALE_OK)
            rc = actuator_engine_load_guard(a->engine, hale_str_from(key),
                                            hale_str_from(json_string_value(text)));
    if (rc == HALE_OK)
        rc = lab_scale_boot(a);
    if (rc != HALE_OK)
        return rc;
    lab_people_load(a);
    watch_all(a);
    actuator_engine_each_alarm(a->engine, alarm_now, a);
    actuator_engine_start(a->engine, a->lab->now_ms * 1000);
    lab_acts_turn(a);
    return HALE_OK;
}
