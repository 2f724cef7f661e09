/* SPDX-License-Identifier: Apache-2.0 */
/* copies: which metrics are needed where. */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "collector/copies.h"
#include "model/series.h"

#define SHARDS 8

static struct hale_definition *definition(const char *id, const char *expression)
{
    char json[1024];
    struct hale_definition *d = NULL;
    (void)snprintf(
        json, sizeof(json),
        "{\"v\":1,\"id\":\"%s\",\"tenant\":\"t\",\"name\":\"%s\",\"description\":\"\","
        "\"expression\":\"%s\",\"match_by\":[],\"severity\":\"LOW\","
        "\"actions_enabled\":true,\"ok_actions\":[],\"alarm_actions\":[],"
        "\"undetermined_actions\":[],\"semantics\":\"hale\",\"version\":1,"
        "\"created_ms\":1,\"updated_ms\":1}",
        id, id, expression);
    assert_int_equal(hale_definition_decode(hale_str_from(json), &d, NULL), HALE_OK);
    return d;
}

static void set(struct collector_copies *c, const char *id, const char *expression)
{
    struct hale_definition *d = definition(id, expression);
    assert_int_equal(collector_copies_set(c, d), HALE_OK);
    hale_definition_free(d);
}

static unsigned home(const char *name)
{
    return hale_series_shard(HALE_STR("t"), hale_str_from(name), SHARDS);
}

static uint64_t mask(struct collector_copies *c, const char *name)
{
    return collector_copies_mask(c, HALE_STR("t"), hale_str_from(name));
}

/* m<i> of each shard. */
static void names_of(char names[SHARDS][8])
{
    unsigned found = 0;
    for (unsigned i = 0; found != (1u << SHARDS) - 1; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "m%u", i % 1000);
        memcpy(names[home(name)], name, sizeof(name));
        found |= 1u << home(name);
    }
}

static void masks_follow_the_definitions(void **state)
{
    char m[SHARDS][8], text[256];
    (void)state;
    names_of(m);
    struct collector_copies *c = collector_copies_new(SHARDS);
    assert_int_equal(collector_copies_epoch(c), 0);
    (void)snprintf(text, sizeof(text), "avg(%s) > 1 and max(%s) > 1", m[0], m[1]);
    set(c, "plain", text);
    (void)snprintf(text, sizeof(text), "avg(%s) / avg(%s{a=b}) > 1", m[2], m[2]);
    set(c, "same", text);
    assert_int_equal(collector_copies_epoch(c), 0); /* nothing crosses a shard */

    (void)snprintf(text, sizeof(text), "avg(%s) / (avg(%s) + avg(%s)) > 1", m[3], m[4],
                   m[5]);
    set(c, "one", text);
    uint32_t first = collector_copies_epoch(c);
    assert_int_not_equal(first, 0);
    assert_int_equal(mask(c, m[3]), 0);
    assert_int_equal(mask(c, m[4]), 1u << 3);
    assert_int_equal(mask(c, m[5]), 1u << 3);
    assert_int_equal(collector_copies_mask(c, HALE_STR("u"), hale_str_from(m[4])), 0);
    set(c, "one", text); /* again: nothing new */
    assert_int_equal(collector_copies_epoch(c), first);

    (void)snprintf(text, sizeof(text), "x > 1 or burn_rate(%s, %s, 99, 1h, 5m) > 1", m[6],
                   m[4]);
    set(c, "two", text);
    assert_int_not_equal(collector_copies_epoch(c), first);
    assert_int_equal(mask(c, m[4]), 1u << 3 | 1u << 6);
    collector_copies_drop(c, "one");
    assert_int_equal(mask(c, m[4]), 1u << 6);
    assert_int_equal(mask(c, m[5]), 0);
    collector_copies_drop(c, "unknown");
    collector_copies_drop(c, "two");
    assert_int_equal(collector_copies_epoch(c), 0);
    set(c, "two", text);
    assert_int_equal(mask(c, m[4]), 1u << 6);
    (void)snprintf(text, sizeof(text), "last(%s) / last(%s) > 1", m[1], m[5]);
    set(c, "two", text); /* by other hands: another one of that id */
    assert_int_equal(mask(c, m[4]), 0);
    assert_int_equal(mask(c, m[5]), 1u << 1);
    set(c, "two", "avg(x) > 1");
    assert_int_equal(collector_copies_epoch(c), 0);
    set(c, "two", text);
    assert_true(collector_copies_epoch(c) > first); /* never one that was before */
    collector_copies_free(c);
    collector_copies_free(NULL);
}

static void one_shard_needs_nothing(void **state)
{
    (void)state;
    struct collector_copies *c = collector_copies_new(1);
    set(c, "d", "avg(a) / avg(b) > 1");
    assert_int_equal(collector_copies_epoch(c), 0);
    collector_copies_drop(c, "d");
    collector_copies_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_follow_the_definitions),
        cmocka_unit_test(one_shard_needs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
