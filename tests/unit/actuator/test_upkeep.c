/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A maintenance session against a small model of Nova, of projects and of an administrator, in simulated time. Every story can be
 * killed after each of its commits: the session is then the record that was stored, nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/upkeep.h"

#define T0        INT64_C(1795000000000)
#define ID        "11111111-2222-4333-8444-555555555555"
#define HOSTS_MAX 4
#define VMS_MAX   12
#define ACTS_MAX  400
#define TICK_MS   1000

enum reply { ACK, NACK, SILENT };
struct vm {
    char id[8];
    const char *project, *action, *group;
    int host; /* -1: gone */
    int max_impacted, recovery_s;
    int64_t moving_ms;
};
struct run { /* an action's run: as the engine has it */
    int64_t n, ends_ms;
    enum actuator_upkeep_kind kind;
    int host, vm;
    bool over, good, counted;
};
struct world {
    struct actuator_upkeep_session *s;
    int64_t now_ms;
    unsigned n_hosts, n_vms, n_runs, seed;
    bool disabled[HOSTS_MAX], window[HOSTS_MAX], in_work[HOSTS_MAX], worked[HOSTS_MAX];
    struct vm vm[VMS_MAX];
    struct run run[ACTS_MAX];
    struct actuator_upkeep_rules rules;
    enum reply maintenance, later, complete; /* what projects say */
    const char *bad;                         /* this VM's live migrations fail */
    bool fails_work, blind, crashes, vnf, cancels;
    json_t *questions; /* open: told, not answered: {"n"...} of the record */
    json_t *told;      /* array of {"tenant","type","traits"} */
    unsigned commits, rows;
    int answered_upto;
};

static unsigned roll(struct world *w, unsigned n)
{
    w->seed = w->seed * 1103515245u + 12345u;
    return (w->seed >> 16) % n;
}

static int host_of(const char *name)
{
    return name[1] - '0';
}

static const char *host_name(int i)
{
    static const char *const names[] = {"h0", "h1", "h2", "h3"};
    return names[i];
}

static struct vm *vm_of(struct world *w, const char *id)
{
    for (unsigned i = 0; i < w->n_vms; i++)
        if (strcmp(w->vm[i].id, id) == 0)
            return &w->vm[i];
    return NULL;
}

static json_t *record(const struct world *w)
{
    struct hale_buf b;
    hale_buf_init(&b, 1u << 20);
    assert_int_equal(actuator_upkeep_encode(w->s, &b), HALE_OK);
    json_t *o = json_loadb(b.p, b.len, 0, NULL);
    hale_buf_fini(&b);
    assert_non_null(o);
    return o;
}

static const char *text(const json_t *o, const char *key)
{
    const char *t = json_string_value(json_object_get(o, key));
    return t != NULL ? t : "";
}

/* The process ends, another reads what is stored. */
static void crash(struct world *w)
{
    struct hale_buf a, b;
    struct actuator_upkeep_session *again = NULL;
    hale_buf_init(&a, 1u << 20);
    hale_buf_init(&b, 1u << 20);
    assert_int_equal(actuator_upkeep_encode(w->s, &a), HALE_OK);
    assert_int_equal(actuator_upkeep_decode(hale_buf_str(&a), &again), HALE_OK);
    assert_int_equal(actuator_upkeep_encode(again, &b), HALE_OK);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    actuator_upkeep_free(w->s);
    w->s = again;
    hale_buf_fini(&a);
    hale_buf_fini(&b);
}

/* What leaves with a commit takes effect. */
static void commit(struct world *w)
{
    struct actuator_upkeep_out out;
    json_t *x;
    size_t i;
    actuator_upkeep_take(w->s, &out);
    if (!out.dirty)
        return;
    w->commits++;
    w->rows += (unsigned)json_array_size(out.rows);
    json_array_foreach (out.windows, i, x)
        w->window[host_of(text(x, "host"))] =
            json_integer_value(json_object_get(x, "ends_ms")) == 0;
    json_array_foreach (out.events, i, x)
        assert_int_equal(json_array_append(w->told, x), 0);
    actuator_upkeep_out_fini(&out);
    if (w->crashes)
        crash(w);
}

static unsigned standing(const struct world *w, int host)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n_vms; i++)
        n += w->vm[i].host == host;
    return n;
}

static int target(const struct world *w, int from)
{
    int best = -1;
    for (int i = 0; i < (int)w->n_hosts; i++)
        if (i != from && !w->disabled[i] &&
            (best < 0 || standing(w, i) < standing(w, best)))
            best = i;
    return best;
}

static void see(struct world *w)
{
    const char *host = NULL;
    struct actuator_upkeep_world seen = {0};
    struct actuator_upkeep_node node[HOSTS_MAX] = {{0}};
    struct actuator_upkeep_server server[VMS_MAX] = {{0}};
    if (!actuator_upkeep_looks(w->s, w->now_ms, &host))
        return;
    if (w->blind)
        (void)snprintf(seen.why, sizeof(seen.why), "no answer");
    for (int i = 0; host == NULL && i < (int)w->n_hosts; i++)
        node[seen.n_nodes++] =
            (struct actuator_upkeep_node){.name = (char *)(uintptr_t)host_name(i),
                                          .up = true,
                                          .enabled = !w->disabled[i],
                                          .sized = true,
                                          .vcpus = 8,
                                          .vcpus_used = standing(w, i),
                                          .ram = 100,
                                          .ram_used = standing(w, i)};
    for (unsigned i = 0; i < w->n_vms; i++) {
        struct vm *v = &w->vm[i];
        if (v->host < 0 || (host != NULL && v->host != host_of(host)))
            continue;
        server[seen.n_servers++] = (struct actuator_upkeep_server){
            .id = v->id,
            .name = v->id,
            .project = (char *)(uintptr_t)v->project,
            .host = (char *)(uintptr_t)host_name(v->host),
            .constraint =
                v->group != NULL
                    ? json_pack("{s:s, s:i, s:{s:i, s:i}}", "group_id", v->group,
                                "lead_time", 90, "group", "max_impacted_members",
                                v->max_impacted, "recovery_time", v->recovery_s)
                    : NULL};
    }
    seen.node = node;
    seen.server = server;
    actuator_upkeep_saw(w->s, &seen, w->now_ms);
    for (unsigned i = 0; i < seen.n_servers; i++)
        json_decref(server[i].constraint);
    commit(w);
}

/* At most so many of a group are away at once, and nobody earlier than it recovers. */
static void check_group(struct world *w, const struct vm *v)
{
    bool away_vm[VMS_MAX] = {false};
    int away = 0;
    if (v->group == NULL || v->max_impacted == 0)
        return;
    for (unsigned i = 0; i < w->n_runs; i++) {
        const struct run *r = &w->run[i];
        const struct vm *o = r->vm >= 0 ? &w->vm[r->vm] : NULL;
        if (o != NULL && o != v && o->group != NULL && strcmp(o->group, v->group) == 0 &&
            (!r->over || (r->good && w->now_ms < r->ends_ms + o->recovery_s * 1000)))
            away_vm[r->vm] = true;
    }
    for (unsigned i = 0; i < w->n_vms; i++)
        away += away_vm[i];
    assert_true(away < v->max_impacted);
}

static struct run *fire(struct world *w, const struct actuator_upkeep_act *a)
{
    for (unsigned i = 0; i < w->n_runs; i++)
        if (w->run[i].n == a->n)
            return &w->run[i]; /* the engine knows it: it does not run twice */
    assert_true(w->n_runs < ACTS_MAX);
    struct run *r = &w->run[w->n_runs];
    struct vm *v =
        a->instance != NULL && a->instance[0] != '\0' ? vm_of(w, a->instance) : NULL;
    if (v != NULL)
        check_group(w, v);
    *r = (struct run){.n = a->n,
                      .kind = a->kind,
                      .host = host_of(a->host),
                      .vm = v != NULL ? (int)(v - w->vm) : -1,
                      .ends_ms = w->now_ms + 1000 + 500 * roll(w, 6)};
    w->n_runs++;
    return r;
}

static void finish(struct world *w, struct run *r)
{
    bool live = r->kind == ACTUATOR_UPKEEP_LIVE_MIGRATE;
    r->over = r->good = true;
    if (r->kind == ACTUATOR_UPKEEP_DISABLE || r->kind == ACTUATOR_UPKEEP_ENABLE) {
        w->disabled[r->host] = r->kind == ACTUATOR_UPKEEP_DISABLE;
    } else if (r->kind == ACTUATOR_UPKEEP_HOOK) {
        r->good = !w->fails_work;
        w->worked[r->host] = r->good;
    } else {
        struct vm *v = &w->vm[r->vm];
        int to = target(w, v->host);
        r->good = to >= 0 && !(live && w->bad != NULL && strcmp(w->bad, v->id) == 0);
        v->host = r->good ? to : v->host;
    }
}

static void act(struct world *w)
{
    struct actuator_upkeep_act a;
    size_t it = 0;
    int64_t due[64];
    unsigned n = 0;
    while (actuator_upkeep_acts(w->s, &it, &a) && n < 64) {
        struct run *r = fire(w, &a);
        if (!r->over && w->now_ms >= r->ends_ms)
            finish(w, r);
        if (r->over)
            due[n++] = r - w->run;
    }
    for (unsigned i = 0; i < n; i++) {
        const struct run *r = &w->run[due[i]];
        if (roll(w, 10) == 0 && w->crashes)
            crash(w);
        actuator_upkeep_acted(w->s, r->n, r->good ? "verified" : "failed", "so it is",
                              w->now_ms);
        commit(w);
    }
}

static void own_actions(struct world *w, const json_t *question)
{
    const json_t *id;
    size_t i;
    json_array_foreach (json_object_get(question, "ids"), i, id) {
        struct vm *v = vm_of(w, json_string_value(id));
        if (strcmp(v->action, "OWN_ACTION") == 0)
            v->host = -1;
    }
}

static json_t *answer_of(struct world *w, const json_t *question, enum reply how)
{
    json_t *actions = json_object();
    const json_t *id;
    size_t i;
    json_array_foreach (json_object_get(question, "ids"), i, id)
        (void)json_object_set_new(actions, json_string_value(id),
                                  json_string(vm_of(w, json_string_value(id))->action));
    return json_pack("{s:i, s:b, s:s, s:o, s:s}", "v", 1, "ack", how == ACK, "state",
                     text(question, "state"), "actions", actions, "by", "somebody");
}

/* One of the open questions is answered, perhaps. */
static void answer(struct world *w)
{
    json_t *r = record(w), *q;
    size_t i;
    json_array_foreach (json_object_get(r, "questions"), i, q) {
        char what[24];
        bool of_admin = text(q, "project")[0] == '\0';
        enum reply how = of_admin ? (w->fails_work ? NACK : ACK)
                         : strcmp(text(q, "state"), "MAINTENANCE") == 0 ? w->maintenance
                         : strcmp(text(q, "state"), "MAINTENANCE_COMPLETE") == 0
                             ? w->complete
                             : w->later;
        if (text(q, "answer")[0] != '\0' || how == SILENT || roll(w, 3) == 0)
            continue;
        if (of_admin && strcmp(text(r, "state"), "MAINTENANCE_FAILED") == 0)
            continue; /* nobody has looked after it yet */
        (void)snprintf(what, sizeof(what), "%lld",
                       (long long)json_integer_value(json_object_get(q, "n")));
        json_t *word = answer_of(w, q, how);
        if (how == ACK && !of_admin)
            own_actions(w, q);
        if (of_admin && how == ACK)
            w->worked[host_of(text(q, "host"))] = true;
        actuator_upkeep_said(w->s, what, word, w->now_ms);
        actuator_upkeep_said(w->s, what, word, w->now_ms); /* heard twice */
        commit(w);
        json_decref(word);
        break;
    }
    json_decref(r);
}

/* What must be true whenever. */
static void check(struct world *w)
{
    json_t *r = record(w), *h;
    size_t i;
    unsigned at_work = 0;
    json_array_foreach (json_object_get(r, "hosts"), i, h) {
        int k = host_of(text(h, "name"));
        bool work = strcmp(text(h, "state"), "work") == 0;
        at_work += work;
        if (work) {
            assert_int_equal(standing(w, k), 0);
            assert_true(w->disabled[k] && w->window[k]);
        }
        if (strcmp(text(h, "state"), "maintained") == 0)
            assert_true(w->worked[k] && !w->window[k]);
    }
    assert_true(at_work <= 1);
    json_decref(r);
}

static json_t *start_of(const struct world *w)
{
    json_t *hosts = json_array();
    for (int i = 0; i < (int)w->n_hosts; i++)
        (void)json_array_append_new(hosts, json_string(host_name(i)));
    return json_pack("{s:i, s:s, s:s, s:o, s:I, s:s, s:{s:s}}", "v", 1, "tenant", "admin",
                     "by", "ann", "hosts", hosts, "at_ms", (json_int_t)(T0 + 5000),
                     "workflow", w->vnf ? "vnf" : "default", "metadata", "k", "v");
}

static struct world *world_new(unsigned hosts)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->n_hosts = hosts;
    w->now_ms = T0;
    w->seed = 1;
    w->told = json_array();
    w->rules = (struct actuator_upkeep_rules){.reply_ms = 60000,
                                              .action_ms = 120000,
                                              .work_ms = 3600000,
                                              .poll_ms = 2000,
                                              .parallel = 3,
                                              .cpu_ratio = 1,
                                              .ram_ratio = 1,
                                              .silence = "fail",
                                              .fallback = "fail",
                                              .cloud = "lab",
                                              .url = "http://hale:8070"};
    return w;
}

static struct vm *boot(struct world *w, const char *project, int host, const char *action)
{
    struct vm *v = &w->vm[w->n_vms];
    (void)snprintf(v->id, sizeof(v->id), "vm%u", w->n_vms++);
    v->project = project;
    v->action = action;
    v->host = host;
    return v;
}

/* Until it is over; the state it ends in. */
static const char *run(struct world *w, char state[40])
{
    json_t *start = start_of(w);
    w->s = actuator_upkeep_new(ID, start, &w->rules, NULL, w->now_ms);
    json_decref(start);
    assert_non_null(w->s);
    commit(w);
    for (int i = 0; i < 20000 && !actuator_upkeep_ended(w->s); i++) {
        assert_true(actuator_upkeep_next_ms(w->s) >= T0 || i == 0);
        see(w);
        act(w);
        answer(w);
        check(w);
        if (w->cancels && i == 40) {
            json_t *word = json_pack("{s:s}", "by", "ann");
            actuator_upkeep_said(w->s, "cancel", word, w->now_ms);
            commit(w);
            json_decref(word);
        }
        w->now_ms += TICK_MS;
        actuator_upkeep_tick(w->s, w->now_ms);
        commit(w);
        json_t *r = record(w);
        (void)snprintf(state, 40, "%s", text(r, "state"));
        bool waits =
            w->fails_work && strcmp(state, "MAINTENANCE_FAILED") == 0 && i > 1000;
        json_decref(r);
        if (waits)
            break; /* for the administrator */
    }
    return state;
}

static void world_free(struct world *w)
{
    actuator_upkeep_free(w->s);
    json_decref(w->told);
    free(w);
}

static unsigned told(const struct world *w, const char *tenant, const char *state)
{
    unsigned n = 0;
    const json_t *x;
    size_t i;
    json_array_foreach (w->told, i, x)
        n += strcmp(text(x, "tenant"), tenant) == 0 &&
             strcmp(text(json_object_get(x, "traits"), "state"), state) == 0;
    return n;
}

static unsigned left_disabled(const struct world *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n_hosts; i++)
        n += w->disabled[i];
    return n;
}

static void assert_done(struct world *w, const char *state)
{
    assert_string_equal(state, "MAINTENANCE_DONE");
    assert_int_equal(left_disabled(w), 0);
    for (unsigned i = 0; i < w->n_hosts; i++) {
        assert_true(w->worked[i] && !w->window[i]);
        assert_int_equal(told(w, "admin", "IN_MAINTENANCE"), w->n_hosts);
        assert_int_equal(told(w, "admin", "MAINTENANCE_COMPLETE"), w->n_hosts);
    }
}

static struct world *site(void)
{
    struct world *w = world_new(3);
    for (int i = 0; i < 3; i++) {
        (void)boot(w, "p1", i, "MIGRATE");
        (void)boot(w, "p2", i, "LIVE_MIGRATE");
    }
    return w;
}

static void test_a_session(void **state)
{
    char end[40];
    struct world *w = site();
    (void)state;
    assert_done(w, run(w, end));
    assert_int_equal(told(w, "p1", "MAINTENANCE"), 1);
    assert_int_equal(told(w, "p1", "PREPARE_MAINTENANCE"), 1);
    assert_int_equal(told(w, "p1", "PLANNED_MAINTENANCE"), 2);
    assert_int_equal(told(w, "p1", "MAINTENANCE_COMPLETE"), 1);
    assert_int_equal(told(w, "p1", "INSTANCE_ACTION_DONE"), 4); /* vm0 twice */
    const json_t *first = json_object_get(json_array_get(w->told, 0), "traits");
    assert_string_equal(text(first, "reply_url"),
                        "http://hale:8070/fenix/v1/maintenance/" ID "/p1");
    assert_string_equal(text(first, "allowed_actions"), "[]");
    assert_string_equal(text(first, "metadata"), "{\"k\": \"v\"}");
    assert_string_equal(text(first, "reply_at"), "2026-11-18T11:07:40");
    world_free(w);
}

/* Nobody may be asked by chance: a kill after every commit changes nothing of what is done, or how often. */
static void test_killed_after_every_commit(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 20; seed++) {
        char end[40];
        struct world *w = site();
        w->seed = seed;
        w->crashes = true;
        w->vnf = seed % 2 == 0;
        w->rules.hook = seed % 3 == 0;
        assert_done(w, run(w, end));
        world_free(w);
    }
}

static void test_nack_and_silence(void **state)
{
    (void)state;
    for (int how = 0; how < 6; how++) {
        char end[40];
        struct world *w = site();
        enum reply bad = how % 2 == 0 ? NACK : SILENT;
        w->crashes = true;
        w->maintenance = how < 2 ? bad : ACK;
        w->later = how >= 2 && how < 4 ? bad : ACK;
        w->complete = how >= 4 ? bad : ACK;
        assert_string_equal(run(w, end), "MAINTENANCE_FAILED");
        assert_true(actuator_upkeep_ended(w->s));
        assert_int_equal(left_disabled(w), 0);
        for (int i = 0; i < 3; i++)
            assert_true(!w->window[i] && w->worked[i] == (how >= 4));
        assert_int_equal(told(w, "p1", "MAINTENANCE_COMPLETE"),
                         1); /* it is over for them */
        world_free(w);
    }
}

static void test_silence_may_mean_yes(void **state)
{
    char end[40];
    struct world *w = site();
    (void)state;
    w->rules.silence = "LIVE_MIGRATE";
    w->maintenance = w->later = w->complete = SILENT;
    assert_done(w, run(w, end));
    for (unsigned i = 0; i < w->n_runs; i++)
        assert_int_not_equal(w->run[i].kind, ACTUATOR_UPKEEP_MIGRATE);
    world_free(w);
}

static void test_an_action_that_fails(void **state)
{
    (void)state;
    for (int falls_back = 0; falls_back < 2; falls_back++) {
        char end[40];
        struct world *w = site();
        w->crashes = true;
        w->bad = "vm3";
        w->rules.fallback = falls_back ? "MIGRATE" : "fail";
        (void)run(w, end);
        if (falls_back) {
            assert_done(w, end);
        } else {
            assert_string_equal(end, "MAINTENANCE_FAILED");
            assert_int_equal(left_disabled(w), 0);
        }
        world_free(w);
    }
}

/* A host whose work has not been done well is not given back by itself. */
static void test_work_that_fails(void **state)
{
    char end[40];
    struct world *w = site();
    (void)state;
    w->fails_work = true;
    assert_string_equal(run(w, end), "MAINTENANCE_FAILED");
    assert_false(actuator_upkeep_ended(w->s));
    assert_int_equal(left_disabled(w), 1);
    json_t *r = record(w), *q = json_array_get(json_object_get(r, "questions"), 0);
    char what[24];
    (void)snprintf(what, sizeof(what), "%lld",
                   (long long)json_integer_value(json_object_get(q, "n")));
    w->worked[host_of(text(q, "host"))] = true;
    json_t *word = json_pack("{s:b, s:s}", "ack", 1, "by", "ann");
    actuator_upkeep_said(w->s, what, word, w->now_ms);
    commit(w);
    for (int i = 0; i < 40; i++, w->now_ms += TICK_MS)
        act(w);
    assert_true(actuator_upkeep_ended(w->s));
    assert_int_equal(left_disabled(w), 0);
    for (int i = 0; i < 3; i++)
        assert_false(w->window[i]);
    json_decref(word);
    json_decref(r);
    world_free(w);
}

static void test_no_room(void **state)
{
    char end[40];
    struct world *w = world_new(2);
    (void)state;
    for (int i = 0; i < 6; i++)
        (void)boot(w, "p1", i % 2, "MIGRATE");
    w->rules.cpu_ratio = 0.4; /* 3.2 of 8: full */
    assert_string_equal(run(w, end), "MAINTENANCE_FAILED");
    assert_int_equal(told(w, "p1", "SCALE_IN"), 3);
    assert_int_equal(w->n_runs, 0);
    world_free(w);
}

static void test_blind(void **state)
{
    char end[40];
    struct world *w = site();
    (void)state;
    w->blind = true;
    assert_string_equal(run(w, end), "MAINTENANCE_FAILED");
    assert_int_equal(json_array_size(w->told), 0);
    assert_true(w->now_ms - T0 > w->rules.action_ms);
    world_free(w);
}

static void test_own_actions_and_constraints(void **state)
{
    (void)state;
    for (int vnf = 0; vnf < 2; vnf++) {
        char end[40];
        struct world *w = world_new(3);
        w->vnf = vnf == 1;
        w->crashes = true;
        for (int i = 0; i < 6; i++) {
            struct vm *v = boot(w, "p1", i % 3 == 0 ? 0 : 1, "MIGRATE");
            v->group = "g";
            v->max_impacted = 1;
            v->recovery_s = 7;
        }
        w->vm[1].action = "OWN_ACTION";
        assert_done(w, run(w, end));
        assert_int_equal(w->vm[1].host, -1);
        if (vnf) { /* each is asked about by itself, with its lead time */
            const json_t *x;
            size_t i;
            json_array_foreach (w->told, i, x) {
                const json_t *t = json_object_get(x, "traits");
                if (strcmp(text(t, "state"), "PLANNED_MAINTENANCE") != 0)
                    continue;
                assert_non_null(strstr(text(t, "reply_url"), "/p1/vm"));
                assert_int_equal(text(t, "instance_ids")[0], '[');
            }
        }
        world_free(w);
    }
}

static void test_cancelled(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 12; seed++) {
        char end[40];
        struct world *w = site();
        w->seed = seed;
        w->cancels = w->crashes = true;
        w->rules.hook = true;
        (void)run(w, end);
        for (unsigned i = 0; i < w->n_hosts; i++)
            assert_true(!w->window[i] || w->disabled[i]);
        world_free(w);
    }
}

/* Any house, any projects: it ends, and what was disabled is given back unless somebody must look at it. */
static void test_any_story(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        static const char *const actions[] = {"MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"};
        char end[40];
        struct world *w = world_new(2);
        w->seed = seed * 7919;
        w->n_hosts = 2 + roll(w, HOSTS_MAX - 1);
        unsigned n = roll(w, VMS_MAX + 1), most = roll(w, 3);
        for (unsigned i = 0; i < n; i++) {
            struct vm *v = boot(w, roll(w, 2) ? "p1" : "p2", (int)roll(w, w->n_hosts),
                                actions[roll(w, 3)]);
            if (roll(w, 2) == 0) {
                v->group = v->project;
                v->max_impacted = (int)most; /* it is the group's */
                v->recovery_s = (int)roll(w, 10);
            }
        }
        w->crashes = true;
        w->vnf = roll(w, 2) == 0;
        w->rules.hook = roll(w, 2) == 0;
        w->bad = roll(w, 3) == 0 ? "vm1" : NULL;
        w->rules.fallback = roll(w, 2) == 0 ? "MIGRATE" : "fail";
        w->later = roll(w, 8) == 0 ? SILENT : roll(w, 8) == 0 ? NACK : ACK;
        (void)run(w, end);
        assert_true(actuator_upkeep_ended(w->s));
        if (strcmp(end, "MAINTENANCE_DONE") == 0)
            assert_done(w, end);
        else
            assert_string_equal(end, "MAINTENANCE_FAILED");
        assert_int_equal(left_disabled(w), 0);
        world_free(w);
    }
}

static void test_records_that_are_none(void **state)
{
    static const char *const bad[] = {
        "", "{}", "[]", "{\"v\":1,\"id\":\"" ID "\",\"state\":\"MAINTENANCE\"}",
        "{\"v\":1,\"id\":\"" ID "\",\"state\":\"MAINTENANCE\",\"phase\":\"look\","
        "\"tenant\":\"t\",\"metadata\":{},"
        "\"projects\":[],\"hosts\":[],\"instances\":[],\"questions\":[],\"acts\":[],"
        "\"host\":3}"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct actuator_upkeep_session *s = NULL;
        assert_int_equal(actuator_upkeep_decode(hale_str_from(bad[i]), &s), HALE_E_INVAL);
        assert_null(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session),
        cmocka_unit_test(test_killed_after_every_commit),
        cmocka_unit_test(test_nack_and_silence),
        cmocka_unit_test(test_silence_may_mean_yes),
        cmocka_unit_test(test_an_action_that_fails),
        cmocka_unit_test(test_work_that_fails),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_blind),
        cmocka_unit_test(test_own_actions_and_constraints),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_any_story),
        cmocka_unit_test(test_records_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
