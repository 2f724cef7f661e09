/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's guards against a slow reference: random triggers, ends, switches and restarts; every
 * call is held against all that was done before. Never one more than any guard allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/engine.h"
#include "model/journal.h"

#define T0_US    1795000000000000LL
#define MINUTE   60000LL
#define RUNS_MAX 20000
#define WAITING  64
#define POLICIES 3
#define TARGETS  4

static const char POLICY[] = "policies:\n"
                             "- name: p0\n"
                             "  mode: auto\n"
                             "  alarm: {definition: d0}\n"
                             "  target: vnf/${t}\n"
                             "  site: s${s}\n"
                             "  cooldown: {after_fail: 20s}\n"
                             "  frequency: [{max: 3, per: 5m}, {max: 6, per: 10m, scope: "
                             "policy}, {max: 9, per: 10m, "
                             "scope: site}]\n"
                             "  guards: {exhausted: {failures: 4}}\n"
                             "  repeat: while_alarm\n"
                             "  steps: [{webhook: {url: \"http://h/\", retries: 0}}]\n"
                             "  verify: {within: 20s}\n"
                             "- name: p1\n"
                             "  mode: auto\n"
                             "  alarm: {definition: d1}\n"
                             "  target: vnf/${t}\n"
                             "  site: s${s}\n"
                             "  cooldown: 10s\n"
                             "  frequency: {max: 25, per: 10m, scope: global}\n"
                             "  guards: {flap_budget: {max: 3, per: 10m}}\n"
                             "  steps: [{webhook: {url: \"http://h/\", retries: 0}}]\n"
                             "  verify: {within: 20s}\n"
                             "- name: p2\n"
                             "  mode: auto\n"
                             "  alarm: {definition: d2}\n"
                             "  target: vnf/${t}/c\n"
                             "  stabilise: 7s\n"
                             "  cooldown: 45s\n"
                             "  guards: {blackout: {targets: \"vnf/t3/*\"}}\n"
                             "  repeat: while_alarm\n"
                             "  steps: [{webhook: {url: \"http://h/\", retries: 0}}]\n"
                             "  verify: {within: 20s}\n";

struct answer {
    int64_t at_us;
    char run[HALE_UUID_TEXT];
};
struct done { /* a run, as the journal tells of it */
    char id[HALE_UUID_TEXT];
    int policy, target;
    int64_t began_ms, ended_ms;
    bool open, good;
};
struct world {
    struct actuator_engine *engine;
    struct actuator_policies *policies;
    int64_t now_us, seq, fence;
    json_t *runs, *guards;
    char committed[WAITING][HALE_UUID_TEXT];
    enum actuator_op op[WAITING];
    unsigned n_committed, n_answers, n_faults;
    struct answer answers[WAITING * 4];
    struct done done[RUNS_MAX];
    unsigned n_done, latched[POLICIES], n_pruned;
    bool is_latched[POLICIES], stopped;
    int64_t opened_ms[POLICIES];
    bool alarm[POLICIES][TARGETS];
    int64_t alarm_us[POLICIES][TARGETS];
};
static struct world w;

static int64_t now_ms(void)
{
    return w.now_us / 1000;
}

/* --- the reference ----------------------------------------------------------------- */

static unsigned began_since(int64_t since_ms, int policy, int target, int site)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w.n_done; i++)
        if (w.done[i].began_ms > since_ms && (policy < 0 || w.done[i].policy == policy) &&
            (target < 0 || w.done[i].target == target) &&
            (site < 0 || (w.done[i].target % 2 == site && w.done[i].policy != 2)))
            n++;
    return n;
}

static unsigned fails_in_a_row(int policy, int target)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w.n_done;
         i++) { /* by the order of their ends: one at a time */
        const struct done *d = &w.done[i];
        if (d->open || d->policy != policy || d->target != target)
            continue;
        n = d->good ? 0 : n + 1;
    }
    return n;
}

static void hold_against_history(int policy, int target)
{
    assert_false(w.stopped);
    assert_false(w.is_latched[policy]);
    for (unsigned i = 0; i < w.n_done; i++) {
        const struct done *d = &w.done[i];
        if (d->target != target)
            continue;
        assert_false(d->open); /* nothing at work on it, in it or around it */
        bool same = (d->policy == 2) == (policy == 2); /* the same target */
        if (same && policy == 1)
            assert_true(now_ms() >= d->ended_ms + 10000);
    }
    if (policy == 0) {
        unsigned fails = fails_in_a_row(0, target);
        int64_t last = 0;
        for (unsigned i = 0; i < w.n_done; i++)
            if (w.done[i].target == target && w.done[i].policy != 2 &&
                w.done[i].ended_ms > last)
                last = w.done[i].ended_ms;
        if (fails > 0 && w.opened_ms[0] == 0)
            assert_true(now_ms() >= last + (20000LL << (fails - 1)));
        assert_true(began_since(now_ms() - 5 * MINUTE, 0, target, -1) < 3);
        assert_true(began_since(now_ms() - 10 * MINUTE, 0, -1, -1) < 6);
        assert_true(began_since(now_ms() - 10 * MINUTE, -1, -1, target % 2) < 9);
    } else if (policy == 1) {
        int64_t since = now_ms() - 10 * MINUTE;
        assert_true(began_since(since, -1, -1, -1) < 25);
        since = w.opened_ms[1] > since ? w.opened_ms[1] : since;
        assert_true(
            began_since(since, 0, target, -1) + began_since(since, 1, target, -1) < 7);
    } else {
        assert_int_not_equal(target, 3);
        assert_true(w.now_us >= w.alarm_us[2][target] + 7000000);
        assert_true(w.alarm[2][target]);
    }
}

static void follow(const struct hale_journal_row *row)
{
    int policy = row->policy[1] - '0';
    if (strcmp(row->kind, "triggered") == 0) {
        int target = row->target[5] - '0';
        hold_against_history(policy, target);
        assert_true(w.n_done < RUNS_MAX);
        struct done *d = &w.done[w.n_done++];
        *d = (struct done){
            .policy = policy, .target = target, .began_ms = row->time_ms, .open = true};
        (void)snprintf(d->id, sizeof(d->id), "%s", row->run_id);
        assert_non_null(json_object_get(row->detail, "guards"));
    } else if (strcmp(row->kind, "verified") == 0 || strcmp(row->kind, "failed") == 0) {
        for (unsigned i = 0; i < w.n_done; i++)
            if (strcmp(w.done[i].id, row->run_id) == 0) {
                w.done[i].open = false;
                w.done[i].ended_ms = row->time_ms;
                w.done[i].good = row->kind[0] == 'v';
            }
    } else if (strcmp(row->kind, "latched") == 0) {
        assert_false(w.is_latched[policy]);
        w.is_latched[policy] = true;
        w.latched[policy]++;
    }
}

/* --- Redis and the target ---------------------------------------------------------- */

static void io_commit(void *arg, const struct actuator_commit *c)
{
    (void)arg;
    if (c->run_json.len > 0)
        json_object_set_new(w.runs, c->run_id,
                            json_stringn(c->run_json.p, c->run_json.len));
    for (unsigned i = 0; i < c->n_guards; i++) {
        const struct actuator_memory *m = &c->guard[i];
        const char *old = json_string_value(json_object_get(w.guards, m->field));
        if (m->json.len > 0) {
            json_object_set_new(w.guards, m->field, json_stringn(m->json.p, m->json.len));
        } else {
            assert_non_null(old);
            assert_true(hale_str_eq_c(m->was, old));
            json_object_del(w.guards, m->field);
            w.n_pruned++;
        }
    }
    w.n_faults += c->n_events;
    if (c->forget != NULL)
        json_object_del(w.runs, c->forget);
    for (unsigned i = 0; i < c->n_rows; i++) {
        struct hale_journal_row row;
        assert_int_equal(hale_journal_decode(c->row[i], &row), HALE_OK);
        follow(&row);
        hale_journal_fini(&row);
    }
    if (c->run_id[0] == '\0')
        return;
    assert_true(w.n_committed < WAITING);
    w.op[w.n_committed] = c->op;
    (void)snprintf(w.committed[w.n_committed++], HALE_UUID_TEXT, "%s", c->run_id);
}

static void io_call(void *arg, const char *run_id, const struct actuator_request *q)
{
    (void)arg, (void)q;
    assert_true(w.n_answers < WAITING * 4);
    struct answer *a = &w.answers[w.n_answers++];
    a->at_us = w.now_us + 1 + random() % 3000000;
    (void)snprintf(a->run, sizeof(a->run), "%s", run_id);
}

static void io_cancel(void *arg, const char *run_id)
{
    (void)arg, (void)run_id;
}

static void drain(void)
{
    for (unsigned i = 0; i < w.n_committed; i++) /* may grow */
        actuator_engine_committed(w.engine, w.committed[i], ACTUATOR_COMMITTED,
                                  w.op[i] == ACTUATOR_OP_NOTE ? 0 : ++w.fence, "",
                                  w.now_us);
    w.n_committed = 0;
}

static void set_switch(const char *field, const char *json)
{
    actuator_engine_switch(w.engine, hale_str_from(field), hale_str_from(json), w.now_us);
    drain();
}

static void feed(int policy, int target, bool on)
{
    char id[40], definition[4] = {'d', (char)('0' + policy), '\0'};
    char t[3] = {'t', (char)('0' + target), '\0'},
         s[2] = {(char)('0' + target % 2), '\0'};
    (void)snprintf(id, sizeof(id), "0f0e0d0c-0000-4000-8000-0000000000%d%d", policy,
                   target);
    struct hale_log_record rec = {.seq = ++w.seq,
                                  .kind = HALE_ALARM_TRANSITION,
                                  .announce = true,
                                  .time_ms = now_ms(),
                                  .accepted_us = w.now_us,
                                  .logged_us = w.now_us};
    struct hale_alarm *a = &rec.alarm;
    a->id = id;
    char tenant[] = "t", none[] = "";
    a->tenant = tenant;
    a->definition_id = definition;
    a->definition_name = definition;
    a->description = a->reason = none;
    a->severity = HALE_SEV_CRITICAL;
    a->actions_enabled = true;
    a->group = json_pack("{s:s,s:s}", "t", t, "s", s);
    a->metrics = json_array();
    a->state = on ? HALE_STATE_ALARM : HALE_STATE_OK;
    a->seq = rec.seq;
    w.alarm[policy][target] = on;
    w.alarm_us[policy][target] = w.now_us;
    actuator_engine_record(w.engine, &rec, false, w.now_us);
    drain();
    json_decref(a->group);
    json_decref(a->metrics);
}

static void alarm_now(const char *id, void *arg)
{
    int policy = id[34] - '0', target = id[35] - '0';
    (void)arg;
    actuator_engine_alarm_now(w.engine, id, false,
                              w.alarm[policy][target] ? HALE_STATE_ALARM : HALE_STATE_OK,
                              w.seq, w.now_us);
}

static void boot(void)
{
    const struct actuator_engine_io io = {
        .commit = io_commit, .call = io_call, .cancel = io_cancel};
    const char *key;
    json_t *value;
    w.engine = actuator_engine_new(&io, w.policies);
    assert_non_null(w.engine);
    json_object_foreach (w.runs, key, value)
        assert_int_equal(
            actuator_engine_load_run(w.engine, hale_str_from(json_string_value(value))),
            HALE_OK);
    json_object_foreach (w.guards, key, value)
        assert_int_equal(
            actuator_engine_load_guard(w.engine, hale_str_from(key),
                                       hale_str_from(json_string_value(value))),
            HALE_OK);
    if (w.stopped)
        set_switch("all", "{\"v\":1,\"by\":\"me\",\"at_ms\":1}");
    actuator_engine_each_alarm(w.engine, alarm_now, NULL);
    actuator_engine_start(w.engine, w.now_us);
    drain();
}

static void crash(void)
{
    actuator_engine_free(w.engine);
    w.n_answers = 0; /* nobody hears them */
    boot();
}

static void pass(int64_t us)
{
    for (int64_t end = w.now_us + us; w.now_us < end;) {
        int64_t next = actuator_engine_next_us(w.engine);
        unsigned first = 0;
        for (unsigned i = 1; i < w.n_answers; i++)
            if (w.answers[i].at_us < w.answers[first].at_us)
                first = i;
        bool answer = w.n_answers > 0 && w.answers[first].at_us <= next;
        next = answer ? w.answers[first].at_us : next;
        w.now_us = next < end ? (next > w.now_us ? next : w.now_us + 1) : end;
        if (answer && next <= w.now_us) {
            struct answer a = w.answers[first];
            const struct actuator_answer reply = {.status = random() % 3 == 0 ? 500 : 204,
                                                  .sent = true,
                                                  .lane = ACTUATOR_NO_LANE,
                                                  .error = ""};
            w.answers[first] = w.answers[--w.n_answers];
            actuator_engine_answered(w.engine, a.run, &reply, w.now_us);
            drain();
        }
        actuator_engine_tick(w.engine, w.now_us);
        drain();
    }
}

static void act(void)
{
    char field[16], json[64];
    int policy = (int)(random() % POLICIES), target = (int)(random() % TARGETS);
    switch (random() % 24) {
    case 0: crash(); break;
    case 1:
        w.stopped = !w.stopped;
        set_switch("all", w.stopped ? "{\"v\":1,\"by\":\"me\",\"at_ms\":1}" : "");
        break;
    case 2:
        if (!w.is_latched[policy] || random() % 4 != 0)
            break;
        (void)snprintf(field, sizeof(field), "unlatch/p%d", policy);
        (void)snprintf(json, sizeof(json), "{\"by\":\"me\",\"at_ms\":%lld}",
                       (long long)now_ms());
        set_switch(field, json);
        w.is_latched[policy] = false;
        w.opened_ms[policy] = now_ms();
        break;
    case 3: pass(random() % 1200000000); break;
    default:
        if (random() % 3 == 0 || !w.alarm[policy][target])
            feed(policy, target, !w.alarm[policy][target]);
        break;
    }
}

static void test_never_more_than_allowed(void **state)
{
    struct hale_err err;
    unsigned latched_0 = 0, latched_1 = 0;
    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        memset(&w, 0, sizeof(w));
        srandom(seed);
        w.now_us = T0_US;
        w.runs = json_object();
        w.guards = json_object();
        assert_int_equal(
            actuator_policies_load(hale_str_from(POLICY), "p", &w.policies, &err),
            HALE_OK);
        boot();
        for (int i = 0; i < 1500; i++) {
            act();
            pass(random() % 10000000);
        }
        /* it did something, of all kinds, and it came to rest */
        assert_true(w.n_done > 50);
        latched_0 += w.latched[0];
        latched_1 += w.latched[1];
        assert_true(w.n_faults >= w.latched[0] + w.latched[1]);
        for (int p = 0; p < POLICIES; p++)
            for (int t = 0; t < TARGETS; t++)
                if (w.alarm[p][t])
                    feed(p, t, false);
        pass(36LL * 3600 * 1000000);
        size_t latched = (w.is_latched[0] ? 1u : 0u) + (w.is_latched[1] ? 1u : 0u);
        assert_true(w.n_pruned > 0); /* only latches are remembered */
        actuator_engine_tick(w.engine, w.now_us += 61000000);
        assert_int_equal(json_object_size(w.guards), latched);
        actuator_engine_free(w.engine);
        actuator_policies_free(w.policies);
        json_decref(w.runs);
        json_decref(w.guards);
    }
    assert_true(latched_0 > 0 && latched_1 > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_never_more_than_allowed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
