/* SPDX-License-Identifier: Apache-2.0 */
/* The copy of the topology against a real redis-server: the whole, what changed, and both in pieces. */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/entities.h"
#include "store/keys.h"
#include "store/redis_fixture.h"

#define MANY 5000 /* several pages of rows */

static struct redis_fixture server;
static struct hale_redis *redis;

static void run(unsigned n, const struct hale_str *args)
{
    struct hale_reply *reply = NULL;
    assert_int_equal(hale_redis_cmd(redis, n, args, &reply), HALE_OK);
    hale_reply_free(reply);
}

/* A row of tenant "t"; name NULL: deleted. */
static void put(unsigned i, const char *name)
{
    char field[64], row[160];
    int n = snprintf(field, sizeof(field), "t%cvm%cv%u", '\0', '\0', i);
    struct hale_str f = {field, (size_t)n};
    if (name == NULL) {
        const struct hale_str del[] = {HALE_STR("HDEL"), HALE_STR(HALE_KEYS_ENTITIES), f};
        run(3, del);
        return;
    }
    (void)snprintf(row, sizeof(row), "{\"type\":\"vm\",\"id\":\"v%u\",\"name\":\"%s\"}",
                   i, name);
    const struct hale_str set[] = {HALE_STR("HSET"), HALE_STR(HALE_KEYS_ENTITIES), f,
                                   hale_str_from(row)};
    run(4, set);
}

static void say(const char *lines, size_t len)
{
    const struct hale_str add[] = {HALE_STR("XADD"),
                                   HALE_STR(HALE_KEYS_ENTITYLOG),
                                   HALE_STR("*"),
                                   HALE_STR("j"),
                                   {lines, len}};
    run(5, add);
}

/* As the correlator: the row, then the log. */
static void change(unsigned i, const char *name)
{
    char line[64];
    put(i, name);
    int n = snprintf(line, sizeof(line), "t%cvm%cv%u", '\0', '\0', i);
    say(line, (size_t)n);
}

static const char *name_of(const struct hale_entities *x, unsigned i)
{
    char ref[32];
    struct hale_graph *g = hale_entities_graph(x, HALE_STR("t"));
    (void)snprintf(ref, sizeof(ref), "vm/v%u", i);
    struct hale_vertex *v = g != NULL ? hale_graph_find(g, hale_str_from(ref)) : NULL;
    const struct hale_entity *e = v != NULL ? hale_vertex_entity(v) : NULL;
    return e != NULL ? e->name : NULL;
}

static void piece(struct hale_entities *x, bool *more)
{
    assert_int_equal(hale_entities_refresh_piece(x, redis, more), HALE_OK);
}

/* How many pieces it took. */
static unsigned pieces(struct hale_entities *x)
{
    unsigned n = 0;
    for (bool more = true; more; n++)
        piece(x, &more);
    return n;
}

static int set_up(void **state)
{
    (void)state;
    assert_true(redis_fixture_start(&server));
    redis = hale_redis_new(server.url, 5000);
    assert_non_null(redis);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hale_redis_free(redis);
    redis_fixture_remove(&server);
    return 0;
}

static void test_in_pieces_as_in_one(void **state)
{
    struct hale_entities *one = hale_entities_new(), *other = hale_entities_new();
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        put(i, "old");
    say("*", 1);
    assert_true(hale_entities_loading(other));
    assert_int_equal(hale_entities_refresh(one, redis), HALE_OK);
    assert_in_range(pieces(other), 5, 200);
    assert_false(hale_entities_loading(other));
    change(7, "new");
    change(8, NULL);
    change(MANY, "more");
    assert_int_equal(pieces(other), 1); /* what changed is read, nothing else */
    assert_int_equal(hale_entities_refresh(one, redis), HALE_OK);
    for (unsigned i = 0; i <= MANY; i++) {
        const char *a = name_of(one, i), *b = name_of(other, i);
        assert_string_equal(a != NULL ? a : "none", b != NULL ? b : "none");
        assert_string_equal(b != NULL ? b : "none", i == 7      ? "new"
                                                    : i == 8    ? "none"
                                                    : i == MANY ? "more"
                                                                : "old");
    }
    hale_entities_free(one);
    hale_entities_free(other);
}

/* While everything is read anew, the copy is the old one; then it has what was written meanwhile. */
static void test_anew(void **state)
{
    struct hale_entities *x = hale_entities_new();
    bool more = true;
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        put(i, "old");
    say("*", 1);
    (void)pieces(x);
    for (unsigned i = 0; i < MANY; i++)
        put(i, "new");
    say("*", 1);
    for (int i = 0; i < 3; i++) { /* sees the star, a page, a page */
        piece(x, &more);
        assert_true(more);
        assert_true(hale_entities_loading(x));
        assert_string_equal(name_of(x, 1), "old");
        assert_string_equal(name_of(x, MANY - 1), "old");
    }
    change(1, "newer");
    change(2, NULL);
    (void)pieces(x);
    assert_false(hale_entities_loading(x));
    assert_string_equal(name_of(x, 1), "newer");
    assert_null(name_of(x, 2));
    assert_string_equal(name_of(x, MANY - 1), "new");
    hale_entities_free(x);
}

/* Whoever cannot wait for pieces reads the whole, also in the middle of them. */
static void test_whole_between_pieces(void **state)
{
    struct hale_entities *x = hale_entities_new();
    bool more = true;
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        put(i, "old");
    say("*", 1);
    piece(x, &more);
    piece(x, &more);
    change(3, "new");
    assert_int_equal(hale_entities_refresh(x, redis), HALE_OK);
    assert_false(hale_entities_loading(x));
    assert_string_equal(name_of(x, 3), "new");
    assert_string_equal(name_of(x, MANY - 1), "old");
    assert_int_equal(pieces(x), 1);
    hale_entities_free(x);
}

/* A log that no longer has the copy's place in it: everything again. */
static void test_trimmed_log(void **state)
{
    const struct hale_str trim[] = {HALE_STR("XTRIM"), HALE_STR(HALE_KEYS_ENTITYLOG),
                                    HALE_STR("MAXLEN"), HALE_STR("1")};
    struct hale_entities *x = hale_entities_new();
    bool more = true;
    (void)state;
    change(1, "old");
    (void)pieces(x);
    change(1, "new");
    change(2, "other");
    run(4, trim);
    piece(x, &more);
    assert_true(more && hale_entities_loading(x));
    (void)pieces(x);
    assert_string_equal(name_of(x, 1), "new");
    assert_string_equal(name_of(x, 2), "other");
    hale_entities_free(x);
}

/* Redis goes away between two pieces and comes back empty but for one row. */
static void test_lost_redis(void **state)
{
    struct hale_entities *x = hale_entities_new();
    bool more = true;
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        put(i, "old");
    say("*", 1);
    piece(x, &more);
    piece(x, &more);
    redis_fixture_kill(&server);
    assert_int_not_equal(hale_entities_refresh_piece(x, redis, &more), HALE_OK);
    assert_true(hale_entities_loading(x));
    assert_true(redis_fixture_start(&server));
    hale_redis_free(redis);
    redis = hale_redis_new(server.url, 5000);
    change(5, "new");
    (void)pieces(x);
    assert_false(hale_entities_loading(x));
    assert_string_equal(name_of(x, 5), "new");
    assert_null(name_of(x, 1));
    hale_entities_free(x);
}

int main(void)
{
    if (!redis_fixture_present()) {
        print_message("SKIPPED: /usr/bin/redis-server is not installed\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_pieces_as_in_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whole_between_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trimmed_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost_redis, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
