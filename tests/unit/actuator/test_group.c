/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of alarms for people, by hand and against a slow model of Alertmanager's rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/group.h"
#include "actuator/stats.h"
#include "base/map.h"
#include "support/cmocka.h"

/* --- a hash that survives -------------------------------------------------------------- */

static void write_field(void *arg, const char *field, struct hale_str value)
{
    struct hale_map *store = arg;
    if (value.p == NULL) {
        hale_map_del(store, hale_str_from(field));
        return;
    }
    char *copy = strndup(value.p, value.len);
    assert_non_null(copy);
    assert_int_equal(hale_map_put(store, hale_str_from(field), copy), HALE_OK);
}

static struct actuator_groups *start(const struct actuator_grouping *conf,
                                     struct hale_map *store)
{
    struct actuator_groups *g = actuator_groups_new(conf, "noc", store, write_field);
    struct hale_map *copy = hale_map_new(100000, free);
    struct hale_str key;
    size_t it = 0;
    const char *value;
    assert_non_null(g);
    assert_non_null(copy);
    while ((value = hale_map_next(store, &it, &key)) != NULL)
        assert_int_equal(hale_map_put(copy, key, strdup(value)), HALE_OK);
    it = 0;
    while ((value = hale_map_next(copy, &it, &key)) != NULL)
        assert_true(actuator_groups_load(g, key, hale_str_from(value)));
    hale_map_free(copy);
    actuator_groups_loaded(g);
    return g;
}

static void take(struct actuator_groups *g, const char *id, const char *host, bool raised,
                 int64_t seq, int64_t now_ms)
{
    char show[64];
    json_t *labels = json_pack("{s:s}", "host", host);
    (void)snprintf(show, sizeof(show), "{\"id\":\"%s\"}", id);
    actuator_groups_take(g,
                         &(struct actuator_group_alarm){.tenant = "t",
                                                        .id = id,
                                                        .labels = labels,
                                                        .raised = raised,
                                                        .seq = seq,
                                                        .show = hale_str_from(show)},
                         now_ms);
    json_decref(labels);
}

static char by_host[] = "host";
static const struct actuator_grouping by_host_conf = {.on = true,
                                                      .n_by = 1,
                                                      .by = {by_host},
                                                      .wait_ms = 30,
                                                      .interval_ms = 300,
                                                      .repeat_ms = 1000};

static void expect(const struct actuator_group_message *m, unsigned raised,
                   unsigned ended, bool repeat)
{
    assert_non_null(m);
    assert_int_equal(m->n_raised, raised);
    assert_int_equal(m->n_ended, ended);
    assert_int_equal(m->repeat, repeat);
    assert_int_equal(m->n, raised + ended);
}

static void waits_then_tells_changes_and_repeats(void **state)
{
    struct hale_map *store = hale_map_new(1000, free);
    struct actuator_groups *g = start(&by_host_conf, store);
    (void)state;
    take(g, "a", "h1", true, 1, 0);
    take(g, "b", "h1", true, 2, 10);
    take(g, "c", "h2", true, 3, 20);
    assert_null(actuator_groups_due(g, 29));
    assert_int_equal(actuator_groups_next_ms(g), 30);
    expect(actuator_groups_due(g, 30), 2, 0, false);
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 30, 0);
    assert_null(actuator_groups_due(g, 49));
    expect(actuator_groups_due(g, 50), 1, 0, false);
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 50, 0);
    take(g, "a", "h1", false, 4, 100);
    assert_null(actuator_groups_due(g, 329));
    expect(actuator_groups_due(g, 330), 1, 1, false);
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 330, 0);
    for (int64_t now = 331; now < 1250; now++)
        assert_null(actuator_groups_due(g, now));
    expect(actuator_groups_due(g, 1250), 1, 0,
           true); /* h2, at its fourth look after 50 */
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 1250, 0);
    for (int64_t now = 1251; now < 1530; now++)
        assert_null(actuator_groups_due(g, now));
    expect(actuator_groups_due(g, 1530), 1, 0, true); /* h1, told at 330 */
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 1530, 0);
    actuator_groups_free(g);
    hale_map_free(store);
}

static void who_was_not_told_hears_of_no_end(void **state)
{
    struct hale_map *store = hale_map_new(1000, free);
    struct actuator_groups *g = start(&by_host_conf, store);
    (void)state;
    take(g, "a", "h1", true, 1, 0);
    take(g, "a", "h1", false, 2, 10); /* over before anybody was told */
    assert_null(actuator_groups_due(g, 30));
    assert_int_equal(hale_map_count(store), 0);
    take(g, "a", "h1", true, 3, 100);
    expect(actuator_groups_due(g, 130), 1, 0, false);
    actuator_groups_done(g, ACTUATOR_GROUP_GIVEN_UP, 130, 0);
    take(g, "a", "h1", false, 4, 200);
    assert_null(actuator_groups_due(g, 10000));
    assert_int_equal(hale_map_count(store), 0);
    actuator_groups_free(g);
    hale_map_free(store);
}

static void tried_later_with_what_came_meanwhile(void **state)
{
    struct hale_map *store = hale_map_new(1000, free);
    struct actuator_groups *g = start(&by_host_conf, store);
    char first[HALE_UUID_TEXT];
    (void)state;
    take(g, "a", "h1", true, 1, 0);
    const struct actuator_group_message *m = actuator_groups_due(g, 30);
    expect(m, 1, 0, false);
    memcpy(first, m->id, sizeof(first));
    actuator_groups_done(g, ACTUATOR_GROUP_LATER, 30, 90);
    assert_int_equal(actuator_groups_next_ms(g), 90);
    actuator_groups_free(g);
    g = start(&by_host_conf, store); /* a crash forgets when, not what */
    m = actuator_groups_due(g, 60);
    expect(m, 1, 0, false);
    assert_string_equal(m->id, first);
    actuator_groups_done(g, ACTUATOR_GROUP_LATER, 60, 90);
    take(g, "b", "h1", true, 2, 70);
    m = actuator_groups_due(g, 90);
    expect(m, 2, 0, false);
    assert_string_not_equal(m->id,
                            first); /* it says more: nobody may take it for the first */
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 90, 0);
    actuator_groups_free(g);
    hale_map_free(store);
}

static void storms_are_numbers(void **state)
{
    static const struct actuator_grouping all = {
        .on = true, .wait_ms = 0, .interval_ms = 10, .repeat_ms = 100000};
    struct hale_map *store = hale_map_new(100000, free);
    struct actuator_groups *g = start(&all, store);
    (void)state;
    for (int i = 0; i < ACTUATOR_GROUP_ALARMS_MAX + 7; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "a%d", i);
        take(g, id, "h", true, i + 1, 0);
    }
    const struct actuator_group_message *m = actuator_groups_due(g, 0);
    assert_non_null(m);
    assert_int_equal(m->n_raised, ACTUATOR_GROUP_ALARMS_MAX);
    assert_int_equal(m->more, 7);
    assert_int_equal(m->n, ACTUATOR_GROUP_SHOWN_MAX);
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 0, 0);
    assert_null(actuator_groups_due(g, 1000));
    actuator_groups_free(g);
    hale_map_free(store);
}

static bool is_not_a(void *arg, const char *show)
{
    (void)arg;
    return strcmp(show, "{\"id\":\"a\"}") != 0;
}

static void what_is_taken_out_is_not_told(void **state)
{
    struct hale_map *store = hale_map_new(1000, free);
    struct actuator_groups *g = start(&by_host_conf, store);
    (void)state;
    take(g, "a", "h1", true, 1, 0);
    take(g, "b", "h1", true, 2, 0);
    take(g, "c", "h1", true, 3, 0);
    assert_true(actuator_groups_knows(g, "a") && !actuator_groups_full(g));
    actuator_groups_keep(g, NULL, is_not_a);
    actuator_groups_forget(g, "b");
    actuator_groups_forget(g, "nobody");
    assert_false(actuator_groups_knows(g, "a") || actuator_groups_knows(g, "b"));
    expect(actuator_groups_due(g, 30), 1, 0, false);
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 30, 0);
    take(g, "d", "h2", true, 4, 40);
    actuator_groups_clear(g);
    assert_int_equal(actuator_groups_next_ms(g), INT64_MAX);
    assert_int_equal(hale_map_count(store), 0);
    actuator_groups_free(g);
    hale_map_free(store);
}

static void drained_what_waits_is_told_at_once_and_nothing_stays(void **state)
{
    struct hale_map *store = hale_map_new(1000, free);
    struct actuator_groups *g = start(&by_host_conf, store);
    (void)state;
    take(g, "a", "h1", true, 1, 0);
    expect(actuator_groups_due(g, 30), 1, 0, false);
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 30, 0);
    take(g, "b", "h2", true, 2, 40);
    actuator_groups_drain(g); /* h1 has nothing to say */
    expect(actuator_groups_due(g, 41), 1, 0, false);
    actuator_groups_done(g, ACTUATOR_GROUP_LATER, 41, 60);
    assert_null(actuator_groups_due(g, 59));
    assert_int_equal(actuator_groups_next_ms(g), 60);
    take(g, "b", "h2", false, 3, 60); /* over before anybody was told */
    assert_null(actuator_groups_due(g, 60));
    assert_int_equal(actuator_groups_next_ms(g), INT64_MAX);
    assert_int_equal(hale_map_count(store), 0);
    actuator_groups_set_conf(g, &by_host_conf); /* and on again */
    take(g, "a", "h1", true, 4, 100);
    assert_null(actuator_groups_due(g, 129));
    expect(actuator_groups_due(g, 130), 1, 0, false);
    actuator_groups_done(g, ACTUATOR_GROUP_TOLD, 130, 0);
    actuator_groups_free(g);
    hale_map_free(store);
}

/* --- against a slow model -------------------------------------------------------------- */

enum { HOSTS = 3, ALARMS = 9 };
struct model_alarm {
    bool there, raised, told, seen;
};
struct model_group {
    bool there;
    int64_t due, last;
    struct model_alarm alarm[ALARMS];
};

/* What the group would say, as bits of raised and ended alarms; false: nothing. */
static bool model_says(struct model_group *g, int64_t now,
                       const struct actuator_grouping *conf, unsigned *raised,
                       unsigned *ended)
{
    bool fresh = false;
    *raised = *ended = 0;
    for (int i = 0; i < ALARMS; i++) {
        struct model_alarm *a = &g->alarm[i];
        if (a->there && !a->raised && !a->told)
            a->there = false;
        if (!a->there)
            continue;
        fresh = fresh || (a->raised && !a->told && !a->seen);
        *(a->raised ? raised : ended) |= 1u << i;
    }
    return fresh || *ended != 0 ||
           (*raised != 0 && g->last > 0 && now - g->last >= conf->repeat_ms);
}

static void check_shown(const struct actuator_group_message *m, unsigned raised,
                        unsigned ended)
{
    unsigned got[2] = {0, 0};
    for (unsigned i = 0; i < m->n; i++)
        got[m->v[i].raised] |= 1u << (m->v[i].show[8] - '0'); /* {"id":"a<n>"} */
    assert_int_equal(got[1], raised);
    assert_int_equal(got[0], ended);
}

/* The engine says this now: so must the model. */
static void model_told(struct model_group *g, const struct actuator_group_message *m,
                       bool give_up, int64_t now)
{
    unsigned raised, ended;
    assert_true(g->there && g->due <= now);
    assert_true(model_says(g, now, &by_host_conf, &raised, &ended));
    check_shown(m, raised, ended);
    g->last = now;
    g->due = now + by_host_conf.interval_ms;
    for (int i = 0; i < ALARMS; i++) {
        struct model_alarm *a = &g->alarm[i];
        a->there = a->there && a->raised;
        a->told = a->told || !give_up;
        a->seen = true;
    }
}

/* The engine has nothing to say of it: nor has the model. */
static void model_is_silent(struct model_group *g, int64_t now)
{
    unsigned raised, ended;
    if (!g->there || g->due > now)
        return;
    assert_false(model_says(g, now, &by_host_conf, &raised, &ended));
    g->due = now + by_host_conf.interval_ms;
    g->there = raised != 0;
}

static void as_the_model_also_over_crashes(void **state)
{
    unsigned said = 0;
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct model_group model[HOSTS] = {{0}};
        struct hale_map *store = hale_map_new(10000, free);
        struct actuator_groups *g = start(&by_host_conf, store);
        unsigned dice = seed * 2654435761u;
        int64_t seq = 0;
        for (int64_t now = 1; now < 6000; now++) {
            dice = dice * 1103515245u + 12345u;
            unsigned r = dice >> 16;
            if (r % 23 ==
                0) { /* something happens to an alarm; alarm i is on host i % HOSTS */
                int i = (int)(r / 23 % ALARMS);
                bool raised = (r >> 12 & 1) != 0;
                struct model_group *m = &model[i % HOSTS];
                struct model_alarm *a = &m->alarm[i];
                char id[8], host[8];
                (void)snprintf(id, sizeof(id), "a%d", i);
                (void)snprintf(host, sizeof(host), "h%d", i % HOSTS);
                take(g, id, host, raised, ++seq, now);
                if (raised && !m->there)
                    *m = (struct model_group){.there = true,
                                              .due = now + by_host_conf.wait_ms};
                if (raised && (!a->there || (!a->raised && !a->told)))
                    *a = (struct model_alarm){.there = true};
                if (a->there)
                    a->raised = raised;
            }
            if (r % 97 == 0) { /* a crash */
                actuator_groups_free(g);
                g = start(&by_host_conf, store);
            }
            const struct actuator_group_message *got;
            while ((got = actuator_groups_due(g, now)) != NULL) {
                const char *host =
                    json_string_value(json_object_get(got->labels, "host"));
                bool give_up = r % 5 == 0;
                model_told(&model[host[1] - '0'], got, give_up, now);
                actuator_groups_done(
                    g, give_up ? ACTUATOR_GROUP_GIVEN_UP : ACTUATOR_GROUP_TOLD, now, 0);
                said++;
            }
            for (int h = 0; h < HOSTS; h++)
                model_is_silent(&model[h], now);
        }
        actuator_groups_free(g);
        hale_map_free(store);
    }
    assert_true(said > 1000);
}

static void too_many_groups_are_counted(void **state)
{
    struct hale_map *store = hale_map_new(ACTUATOR_GROUPS_MAX * 4, free);
    struct actuator_groups *g = start(&by_host_conf, store);
    struct hale_counter *lost = actuator_stat(ACTUATOR_STAT_GROUPS_LOST);
    int64_t before = hale_counter_get(lost);
    (void)state;
    for (int i = 0; i < ACTUATOR_GROUPS_MAX + 3; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "h%d", i);
        take(g, name, name, true, i + 1, 0);
    }
    assert_int_equal(hale_counter_get(lost) - before, 3);
    take(g, "one", "h7", true, ACTUATOR_GROUPS_MAX + 4, 0); /* of a group that there is */
    assert_int_equal(hale_counter_get(lost) - before, 3);
    assert_true(actuator_groups_knows(g, "one"));
    actuator_groups_free(g);
    hale_map_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_then_tells_changes_and_repeats),
        cmocka_unit_test(who_was_not_told_hears_of_no_end),
        cmocka_unit_test(tried_later_with_what_came_meanwhile),
        cmocka_unit_test(storms_are_numbers),
        cmocka_unit_test(what_is_taken_out_is_not_told),
        cmocka_unit_test(drained_what_waits_is_told_at_once_and_nothing_stays),
        cmocka_unit_test(as_the_model_also_over_crashes),
        cmocka_unit_test(too_many_groups_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
