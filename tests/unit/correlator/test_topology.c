/* SPDX-License-Identifier: Apache-2.0 */
/* The topology's rows are all that stays, so every test looks at them, or at what is loaded from them. */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "correlator/topology.h"

#define MINUTE_MS 60000

struct world {
    struct cor_topology_limits limits;
    struct cor_topology *t;
    struct hale_map *rows; /* field -> text */
    unsigned n_put, n_del, n_settled, n_told_put, n_deleting, n_reached;
    unsigned checkpoints,
        stop_at; /* the rows written at the stop_at-th checkpoint are all that stay */
    struct hale_map *stopped;
    int64_t ms;
};

static struct hale_map *copy_rows(const struct hale_map *rows)
{
    struct hale_map *copy = hale_map_new(100000, free);
    struct hale_str key;
    const char *text;
    for (size_t it = 0; (text = hale_map_next(rows, &it, &key)) != NULL;)
        assert_int_equal(hale_map_put(copy, key, strdup(text)), HALE_OK);
    return copy;
}

static void on_put(void *arg, struct hale_str field, struct hale_str value)
{
    struct world *w = arg;
    w->n_put++;
    assert_int_equal(hale_map_put(w->rows, field, strndup(value.p, value.len)), HALE_OK);
}

static void on_del(void *arg, struct hale_str field)
{
    struct world *w = arg;
    w->n_del++;
    hale_map_del(w->rows, field);
}

static void on_checkpoint(void *arg)
{
    struct world *w = arg;
    if (++w->checkpoints == w->stop_at)
        w->stopped = copy_rows(w->rows);
}

static void told_put(void *arg, const char *tenant, struct hale_vertex *v)
{
    struct world *w = arg;
    assert_non_null(hale_vertex_entity(v));
    assert_non_null(tenant);
    w->n_told_put++;
}

static void told_deleting(void *arg, const char *tenant, struct hale_vertex *v)
{
    struct world *w = arg;
    assert_non_null(hale_vertex_entity(v));
    assert_non_null(tenant);
    w->n_deleting++;
}

static void told_reached(void *arg, const char *tenant, struct hale_vertex *v,
                         enum hale_graph_plane plane)
{
    struct world *w = arg;
    assert_non_null(tenant);
    (void)v;
    (void)plane;
    w->n_reached++;
}

static void told_settle(void *arg, const char *tenant)
{
    struct world *w = arg;
    assert_non_null(tenant);
    w->n_settled++;
}

static void start(struct world *w)
{
    const struct cor_topology_sink sink = {
        .arg = w, .put = on_put, .del = on_del, .checkpoint = on_checkpoint};
    const struct cor_topology_watch watch = {.arg = w,
                                             .put = told_put,
                                             .deleting = told_deleting,
                                             .reached = told_reached,
                                             .settle = told_settle};
    struct hale_str key;
    const char *text;
    w->t = cor_topology_new(&w->limits, &sink);
    assert_non_null(w->t);
    for (size_t it = 0; (text = hale_map_next(w->rows, &it, &key)) != NULL;) {
        for (int twice = 0; twice < 2; twice++) /* as a scan may */
            assert_int_equal(cor_topology_load(w->t, key, hale_str_from(text)), HALE_OK);
    }
    cor_topology_watch(w->t, &watch);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    w->limits = (struct cor_topology_limits){1000, 1000};
    w->rows = hale_map_new(100000, free);
    w->ms = 1000000;
    start(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    cor_topology_free(w->t);
    hale_map_free(w->rows);
    hale_map_free(w->stopped);
    free(w);
    return 0;
}

/* Thrown away and loaded from the rows, as after a crash. */
static void restart(struct world *w)
{
    cor_topology_free(w->t);
    start(w);
}

static struct hale_topology_update update_of(const char *tenant, const char *rest)
{
    struct hale_topology_update u;
    struct hale_err err = {0};
    struct hale_buf text;
    hale_buf_init(&text, 1u << 20);
    hale_buf_printf(&text,
                    "{\"v\":1,\"tenant\":\"%s\",\"source\":\"nova\",\"at_ms\":1,%s}",
                    tenant, rest);
    if (hale_topology_update_decode(hale_buf_str(&text), &u, &err) != HALE_OK)
        fail_msg("%s: %s", text.p, err.text);
    hale_buf_fini(&text);
    return u;
}

static void apply_at(struct world *w, const char *tenant, const char *rest, int64_t ms)
{
    char entry[48];
    struct hale_topology_update u = update_of(tenant, rest);
    (void)snprintf(entry, sizeof(entry), "%lld-0", (long long)ms);
    w->ms = ms;
    assert_int_equal(cor_topology_apply(w->t, &u, entry, ms), HALE_OK);
    hale_topology_update_fini(&u);
}

static void apply(struct world *w, const char *rest)
{
    apply_at(w, "t", rest, w->ms + 1);
}

static const char *row(struct world *w, const char *tenant, const char *type,
                       const char *id)
{
    struct hale_buf field;
    hale_buf_init(&field, 1000);
    hale_buf_add_c(&field, tenant);
    hale_buf_add_char(&field, '\0');
    hale_buf_add_c(&field, type);
    hale_buf_add_char(&field, '\0');
    hale_buf_add_c(&field, id);
    const char *text = hale_map_get(w->rows, hale_buf_str(&field));
    hale_buf_fini(&field);
    return text;
}

#define VM(id)         "{\"type\":\"vm\",\"id\":\"" id "\"}"
#define SYNC(id, more) "\"sync\":{\"id\":\"" id "\"" more "}"
#define BEGIN          ",\"begin\":true"
#define END            ",\"end\":true"

static void puts_patches_and_deletes(void **state)
{
    struct world *w = *state;
    apply(w, "\"put\":[{\"type\":\"vm\",\"id\":\"a\",\"name\":\"n\",\"hosted_by\":["
             "\"host/h\"]}]");
    assert_string_equal(
        row(w, "t", "vm", "a"),
        "{\"type\":\"vm\",\"id\":\"a\",\"name\":\"n\",\"source\":\"nova\","
        "\"hosted_by\":[\"host/h\"]}");
    apply(w, "\"patch\":[{\"type\":\"vm\",\"id\":\"a\",\"state\":\"down\"},"
             "{\"type\":\"vm\",\"id\":\"b\",\"hosted_by\":[\"vm/a\"]}]");
    assert_string_equal(row(w, "t", "vm", "a"),
                        "{\"type\":\"vm\",\"id\":\"a\",\"name\":\"n\",\"state\":\"down\","
                        "\"source\":\"nova\",\"hosted_by\":[\"host/h\"]}");
    assert_non_null(row(w, "t", "vm", "b"));
    assert_int_equal(w->n_reached, 1); /* b is not reachable */
    apply(w, "\"put\":[" VM("a") "]");
    assert_int_equal(w->n_reached, 2);
    assert_string_equal(row(w, "t", "vm", "a"),
                        "{\"type\":\"vm\",\"id\":\"a\",\"source\":\"nova\"}");
    apply(w, "\"delete\":[\"vm/a\",\"vm/never\"]");
    assert_null(row(w, "t", "vm", "a"));
    const struct cor_topology_stats *s = cor_topology_stats(w->t);
    assert_int_equal(s->entities, 1);
    assert_int_equal(s->added, 2);
    assert_int_equal(s->changed, 2);
    assert_int_equal(s->deleted, 1);
    assert_int_equal(w->n_told_put, 4);
    assert_int_equal(w->n_deleting, 1);
    assert_int_equal(w->n_settled, 5);
}

static void what_stays_the_same_writes_nothing(void **state)
{
    struct world *w = *state;
    apply(w, "\"put\":[" VM("a") "]");
    unsigned n = w->n_put;
    apply(w, "\"put\":[" VM("a") "],\"patch\":[" VM("a") "]");
    assert_int_equal(w->n_put, n);
    assert_int_equal(cor_topology_stats(w->t)->unchanged, 2);
}

static void tenants_do_not_see_each_other(void **state)
{
    struct world *w = *state;
    apply_at(w, "one", "\"put\":[" VM("a") "]", 10);
    apply_at(w, "two", "\"put\":[" VM("b") "]", 11);
    apply_at(w, "two", "\"delete\":[\"vm/a\"]", 12);
    assert_non_null(row(w, "one", "vm", "a"));
    assert_int_equal(hale_graph_count(cor_topology_graph(w->t, "one")), 1);
    assert_null(hale_graph_find(cor_topology_graph(w->t, "two"), HALE_STR("vm/a")));
    assert_null(cor_topology_graph(w->t, "three"));
    restart(w);
    assert_int_equal(cor_topology_stats(w->t)->entities, 2);
    assert_non_null(hale_graph_find(cor_topology_graph(w->t, "one"), HALE_STR("vm/a")));
}

/* What the source had and did not name goes; of other sources nothing. */
static void a_sync_reconciles(void **state)
{
    struct world *w = *state;
    apply(w, "\"put\":[" VM("old") "," VM("kept") "]");
    struct hale_topology_update u = update_of("t", "\"put\":[" VM("other") "]");
    free(u.source);
    u.source = strdup("heat");
    assert_int_equal(cor_topology_apply(w->t, &u, "1000002-0", 1000002), HALE_OK);
    hale_topology_update_fini(&u);
    apply(w, "\"put\":[" VM("new") "]," SYNC("s1", BEGIN));
    assert_non_null(row(w, "t", "vm", "old"));
    apply(w, "\"patch\":[" VM("kept") "]," SYNC("s1", ""));
    apply(w, SYNC("s1", END));
    assert_null(row(w, "t", "vm", "old"));
    assert_non_null(row(w, "t", "vm", "kept"));
    assert_non_null(row(w, "t", "vm", "new"));
    assert_non_null(row(w, "t", "vm", "other"));
    assert_string_equal(
        row(w, "t", "", "nova"),
        "{\"v\":1,\"source\":\"nova\",\"synced_ms\":1000004,\"named\":2}");
    const struct cor_topology_stats *s = cor_topology_stats(w->t);
    assert_int_equal(s->reconciled, 1);
    assert_int_equal(s->syncs_finished, 1);
    assert_int_equal(s->oldest_sync_ms, 1000004);
    apply(w, SYNC("s2", BEGIN END)); /* it has nothing any more: nobody waits for it */
    assert_null(row(w, "t", "vm", "kept"));
    assert_null(row(w, "t", "", "nova"));
    assert_int_equal(cor_topology_stats(w->t)->sources, 0);
}

static void a_patch_of_another_source_does_not_take_the_entity(void **state)
{
    struct world *w = *state;
    apply(w, "\"put\":[" VM("a") "]");
    struct hale_topology_update u = update_of(
        "t", "\"patch\":[{\"type\":\"vm\",\"id\":\"a\",\"state\":\"maintenance\"}]");
    free(u.source);
    u.source = strdup("ops");
    assert_int_equal(cor_topology_apply(w->t, &u, "1000002-0", 1000002), HALE_OK);
    hale_topology_update_fini(&u);
    assert_non_null(strstr(row(w, "t", "vm", "a"), "\"source\":\"nova\""));
    assert_non_null(strstr(row(w, "t", "vm", "a"), "maintenance"));
}

/* The caller gives what was applied since the sync began again; order and place do not matter. */
static void a_sync_survives_a_restart(void **state)
{
    static const char *const parts[] = {"\"put\":[" VM("a") "]," SYNC("s1", BEGIN),
                                        "\"put\":[" VM("b") "]," SYNC("s1", ""),
                                        "\"patch\":[" VM("c") "]," SYNC("s1", ""),
                                        "\"put\":[" VM("d") "]," SYNC("s1", END)};
    for (int at = 1; at <= 4; at++) {
        struct world *w = *state;
        apply(w, "\"put\":[" VM("old") "," VM("c") "]");
        int64_t first = w->ms + 1;
        for (int i = 0; i < 4; i++) {
            if (i == at) {
                char entry[48];
                restart(w);
                (void)snprintf(entry, sizeof(entry), "%lld-0", (long long)first);
                assert_string_equal(cor_topology_from(w->t), entry);
                for (int k = 0; k < at; k++) {
                    struct hale_topology_update u = update_of("t", parts[k]);
                    (void)snprintf(entry, sizeof(entry), "%lld-0", (long long)first + k);
                    assert_int_equal(cor_topology_again(w->t, &u, entry), HALE_OK);
                    hale_topology_update_fini(&u);
                }
            }
            apply(w, parts[i]);
        }
        assert_string_equal(cor_topology_from(w->t), "");
        assert_null(row(w, "t", "vm", "old"));
        assert_int_equal(cor_topology_stats(w->t)->entities, 4);
        apply(w, "\"delete\":[\"vm/a\",\"vm/b\",\"vm/c\",\"vm/d\"]");
    }
}

/* Killed after any checkpoint of any update, and the update given again: the same rows. */
static void a_part_that_was_written_is_completed(void **state)
{
    (void)state;
    for (unsigned stop = 1; stop < 9; stop++) {
        struct world *w;
        struct hale_topology_update u;
        setup((void **)&w);
        apply(w, "\"put\":[" VM("o1") "," VM("o2") "," VM("o3") "]");
        w->checkpoints = 0;
        w->stop_at = stop;
        const char *whole = "\"put\":[" VM("a") "," VM("b") "," VM(
            "c") "],\"patch\":[" VM("d") "," VM("e") "]," SYNC("s1", BEGIN END);
        u = update_of("t", whole);
        assert_int_equal(cor_topology_apply(w->t, &u, "2000000-0", 2000000), HALE_OK);
        assert_non_null(w->stopped);
        struct hale_map *wanted = w->rows;
        w->rows = w->stopped;
        w->stopped = NULL;
        restart(w);
        assert_int_equal(cor_topology_apply(w->t, &u, "2000000-0", 2000000), HALE_OK);
        assert_int_equal(hale_map_count(w->rows), hale_map_count(wanted));
        struct hale_str key;
        const char *text;
        for (size_t it = 0; (text = hale_map_next(wanted, &it, &key)) != NULL;)
            assert_string_equal(hale_map_get(w->rows, key), text);
        hale_map_free(wanted);
        hale_topology_update_fini(&u);
        teardown((void **)&w);
    }
}

static void an_unfinished_sync_deletes_nothing(void **state)
{
    struct world *w = *state;
    apply(w, "\"put\":[" VM("old") "]");
    apply(w, "\"put\":[" VM("a") "]," SYNC("s1", BEGIN));
    /* Another one begins: the first is abandoned, and its end does nothing. */
    apply(w, "\"put\":[" VM("b") "]," SYNC("s2", BEGIN));
    apply(w, SYNC("s1", END));
    assert_non_null(row(w, "t", "vm", "old"));
    const struct cor_topology_stats *s = cor_topology_stats(w->t);
    assert_int_equal(s->syncs_abandoned, 1);
    assert_int_equal(s->syncs_unknown, 1);
    /* Exactly at the time it is still alive, beyond it is not. */
    apply_at(w, "t", SYNC("s2", ""), w->ms + HALE_TOPOLOGY_SYNC_MS);
    apply_at(w, "t", SYNC("s2", END), w->ms + HALE_TOPOLOGY_SYNC_MS + 1);
    assert_non_null(row(w, "t", "vm", "old"));
    assert_int_equal(cor_topology_stats(w->t)->syncs_abandoned, 2);
    assert_int_equal(cor_topology_stats(w->t)->syncs_finished, 0);
    assert_string_equal(cor_topology_from(w->t), "");
    apply(w, SYNC("s3", END)); /* never begun */
    assert_non_null(row(w, "t", "vm", "old"));
}

/* A writer that repeats its beginning begins anew. */
static void a_sync_may_be_begun_again(void **state)
{
    struct world *w = *state;
    apply(w, "\"put\":[" VM("a") "]," SYNC("s1", BEGIN));
    apply(w, "\"put\":[" VM("b") "]," SYNC("s1", BEGIN));
    apply(w, SYNC("s1", END));
    assert_null(row(w, "t", "vm", "a"));
    assert_non_null(row(w, "t", "vm", "b"));
}

static void ceilings_refuse_and_count(void **state)
{
    struct world *w = *state;
    cor_topology_free(w->t);
    w->limits = (struct cor_topology_limits){3, 2};
    start(w);
    apply_at(w, "one", "\"put\":[" VM("a") "," VM("b") "," VM("c") "]", 1);
    assert_null(row(w, "one", "vm", "c"));
    assert_int_equal(cor_topology_stats(w->t)->refused, 1);
    apply_at(w, "two", "\"put\":[" VM("a") "," VM("b") "]", 2);
    assert_null(row(w, "two", "vm", "b"));
    assert_int_equal(cor_topology_stats(w->t)->refused, 2);
    assert_int_equal(cor_topology_stats(w->t)->entities, 3);
    apply_at(w, "one", "\"patch\":[{\"type\":\"vm\",\"id\":\"a\",\"name\":\"n\"}]", 3);
    assert_non_null(
        strstr(row(w, "one", "vm", "a"), "\"name\":\"n\"")); /* not a new one */
    apply_at(w, "one", "\"delete\":[\"vm/a\"]", 4);
    apply_at(w, "two", "\"put\":[" VM("b") "]", 5);
    assert_non_null(row(w, "two", "vm", "b"));
}

/* As JSON larger than an entity may be: each key has its ceiling, their sum has this one. */
static void a_huge_entity_is_refused(void **state)
{
    struct world *w = *state;
    struct hale_buf text;
    hale_buf_init(&text, 1u << 20);
    hale_buf_add_c(&text, "\"put\":[{\"type\":\"vm\",\"id\":\"a\",\"hosted_by\":[");
    for (int i = 0; i < HALE_TOPOLOGY_REFS_MAX; i++)
        hale_buf_printf(&text, "%s\"host/%0200d\"", i > 0 ? "," : "", i);
    hale_buf_add_c(&text, "]}]");
    apply(w, text.p);
    hale_buf_fini(&text);
    assert_int_equal(cor_topology_stats(w->t)->refused, 1);
    assert_int_equal(cor_topology_stats(w->t)->entities, 0);
}

static void rows_that_cannot_be_read(void **state)
{
    struct world *w = *state;
    const struct {
        struct hale_str field;
        const char *value;
    } cases[] = {
        {HALE_STR("t"), VM("a")},        {HALE_STR("t\0vm"), VM("a")},
        {HALE_STR("t\0vm\0"), VM("a")},  {HALE_STR("t\0vm\0a"), "{"},
        {HALE_STR("t\0vm\0a"), VM("b")}, {HALE_STR("t\0host\0a"), VM("a")},
        {HALE_STR("t\0\0a b"), "{}"},    {HALE_STR("t\0\0nova"), "{\"open\":{}}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            cor_topology_load(w->t, cases[i].field, hale_str_from(cases[i].value)),
            HALE_E_INVAL);
    assert_int_equal(cor_topology_stats(w->t)->entities, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(puts_patches_and_deletes),
        T(what_stays_the_same_writes_nothing),
        T(tenants_do_not_see_each_other),
        T(a_sync_reconciles),
        T(a_patch_of_another_source_does_not_take_the_entity),
        T(a_sync_survives_a_restart),
        cmocka_unit_test(a_part_that_was_written_is_completed),
        T(an_unfinished_sync_deletes_nothing),
        T(a_sync_may_be_begun_again),
        T(ceilings_refuse_and_count),
        T(a_huge_entity_is_refused),
        T(rows_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
