/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/metadata.h"

#include <stdio.h>
#include <string.h>

#include "collector/stats.h"
#include "support/cmocka.h"

struct seen {
    size_t n, stop_after;
    char help[2 * COLLECTOR_METADATA_TEXT];
};

static bool see(const struct collector_metadata_entry *e, void *arg)
{
    struct seen *s = arg;
    s->n++;
    (void)snprintf(s->help, sizeof(s->help), "%.*s:%.*s", (int)e->name.len, e->name.p,
                   (int)e->help.len, e->help.p);
    return s->n != s->stop_after;
}

static void put(struct collector_metadata *m, const char *tenant, const char *name,
                const char *help)
{
    const struct collector_metadata_entry e = {hale_str_from(name), HALE_STR("gauge"),
                                               hale_str_from(help), HALE_STR("s")};
    collector_metadata_put(m, hale_str_from(tenant), &e);
}

static size_t count(struct collector_metadata *m, const char *tenant, const char *name,
                    struct seen *s)
{
    memset(s, 0, sizeof(*s));
    collector_metadata_each(m, hale_str_from(tenant), hale_str_from(name), see, s);
    return s->n;
}

static void keeps_the_last_of_each_tenant(void **state)
{
    struct collector_metadata *m = collector_metadata_new();
    struct seen s;
    (void)state;
    put(m, "a", "up", "old");
    put(m, "a", "up", "new");
    put(m, "a", "down", "x");
    put(m, "b", "up", "other");
    put(m, "a", "a bad name", "x");
    assert_int_equal(count(m, "a", "", &s), 2);
    assert_int_equal(count(m, "a", "up", &s), 1);
    assert_string_equal(s.help, "up:new");
    assert_int_equal(count(m, "b", "", &s), 1);
    assert_string_equal(s.help, "up:other");
    assert_int_equal(count(m, "b", "down", &s), 0);
    assert_int_equal(count(m, "c", "", &s), 0);
    s = (struct seen){.stop_after = 1};
    collector_metadata_each(m, HALE_STR("a"), HALE_STR(""), see, &s);
    assert_int_equal(s.n, 1);
    collector_metadata_free(m);
}

static void texts_are_cut_between_code_points(void **state)
{
    struct collector_metadata *m = collector_metadata_new();
    char help[COLLECTOR_METADATA_TEXT + 10];
    struct seen s;
    (void)state;
    memset(help, 'x', sizeof(help));
    memcpy(help + COLLECTOR_METADATA_TEXT - 1, "\xc3\xa4", 3);
    put(m, "a", "up", help);
    assert_int_equal(count(m, "a", "up", &s), 1);
    assert_int_equal(strlen(s.help), 3 + COLLECTOR_METADATA_TEXT - 1);
    put(m, "a", "up", "\xff");
    assert_int_equal(count(m, "a", "up", &s), 1);
    assert_string_equal(s.help, "up:");
    collector_metadata_free(m);
}

static void has_ceilings(void **state)
{
    struct collector_metadata *m = collector_metadata_new();
    struct seen s;
    char name[32];
    (void)state;
    int64_t before = hale_counter_get(COLLECTOR_STAT(METADATA_DROPPED));
    for (unsigned i = 0; i < COLLECTOR_METADATA_NAMES + 3; i++) {
        (void)snprintf(name, sizeof(name), "m%u", i);
        put(m, "a", name, "h");
    }
    assert_int_equal(count(m, "a", "", &s), COLLECTOR_METADATA_NAMES);
    assert_int_equal(hale_counter_get(COLLECTOR_STAT(METADATA_DROPPED)) - before, 3);
    put(m, "a", "m1", "still changes");
    assert_int_equal(count(m, "a", "m1", &s), 1);
    assert_string_equal(s.help, "m1:still changes");
    for (unsigned i = 0; i < COLLECTOR_METADATA_TENANTS; i++) {
        (void)snprintf(name, sizeof(name), "t%u", i);
        put(m, name, "up", "h");
    }
    assert_int_equal(hale_counter_get(COLLECTOR_STAT(METADATA_DROPPED)) - before, 4);
    collector_metadata_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_last_of_each_tenant),
        cmocka_unit_test(texts_are_cut_between_code_points),
        cmocka_unit_test(has_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
