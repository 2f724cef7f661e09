/* SPDX-License-Identifier: Apache-2.0 */
/* Who knows of which alarm, over restarts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/raised.h"
#include "base/id.h"
#include "base/map.h"
#include "support/cmocka.h"

static void write_field(void *arg, const char *field, struct hale_str value)
{
    struct hale_map *store = arg;
    if (value.p == NULL)
        hale_map_del(store, hale_str_from(field));
    else
        assert_int_equal(
            hale_map_put(store, hale_str_from(field), strndup(value.p, value.len)),
            HALE_OK);
}

static struct actuator_raised *start(struct hale_map *store, int64_t start_ms)
{
    struct actuator_raised *r = actuator_raised_new(store, write_field, start_ms);
    struct hale_str key;
    size_t it = 0;
    const char *value;
    assert_non_null(r);
    while ((value = hale_map_next(store, &it, &key)) != NULL)
        actuator_raised_load(r, key, hale_str_from(value));
    return r;
}

static void told_is_kept_where_it_is_asked_for(void **state)
{
    struct hale_map *store = hale_map_new(100, free);
    struct actuator_raised *r = start(store, 1000);
    (void)state;
    actuator_raised_queued(r, "s/a", "1");
    assert_int_equal(actuator_raised_get(r, "s/a", "1"), ACTUATOR_RAISED_QUEUED);
    actuator_raised_told(r, "s/a", "1", true);
    actuator_raised_told(r, "s/b", "1", false);
    assert_int_equal(hale_map_count(store), 1);
    actuator_raised_free(r);
    r = start(store, 2000);
    assert_int_equal(actuator_raised_get(r, "s/a", "1"), ACTUATOR_RAISED_TOLD);
    assert_int_equal(actuator_raised_get(r, "s/b", "1"), ACTUATOR_RAISED_UNKNOWN);
    actuator_raised_ended(r, "s/a", "1");
    assert_int_equal(hale_map_count(store), 0);
    actuator_raised_free(r);
    hale_map_free(store);
}

static void dead_only_when_it_is_sure(void **state)
{
    struct hale_map *store = hale_map_new(100, free);
    struct actuator_raised *r = start(store, 1000);
    (void)state;
    actuator_raised_died(r, "s", "out of OK", true, 1);
    actuator_raised_died(r, "s", "born here", false, 1000);
    actuator_raised_died(r, "s", "older", false, 999); /* may have been told before */
    actuator_raised_told(r, "s", "told", false);
    actuator_raised_died(r, "s", "told", false, 2000); /* back after a gap: it was told */
    assert_int_equal(actuator_raised_get(r, "s", "out of OK"), ACTUATOR_RAISED_DEAD);
    assert_int_equal(actuator_raised_get(r, "s", "born here"), ACTUATOR_RAISED_DEAD);
    assert_int_equal(actuator_raised_get(r, "s", "older"), ACTUATOR_RAISED_UNKNOWN);
    assert_int_equal(actuator_raised_get(r, "s", "told"), ACTUATOR_RAISED_TOLD);
    assert_int_equal(hale_map_count(store), 2);
    actuator_raised_free(r);
    hale_map_free(store);
}

static void the_end_waits_for_its_begin(void **state)
{
    static const char letter[] = "00000000-0000-0000-0000-000000000001";
    struct hale_map *store = hale_map_new(100, free);
    struct actuator_raised *r = start(store, 1000);
    char id[HALE_UUID_TEXT];
    (void)state;
    actuator_raised_died(r, "s", "1", true, 1);
    assert_false(actuator_raised_letter(r, "s", "1", id));
    actuator_raised_unraised(r, "s", "1", letter);
    actuator_raised_free(r);
    r = start(store, 2000);
    assert_int_equal(actuator_raised_get(r, "s", "1"), ACTUATOR_RAISED_DEAD);
    assert_true(actuator_raised_letter(r, "s", "1", id));
    assert_string_equal(id, letter);
    actuator_raised_told(r, "s", "1", false); /* sent again */
    assert_false(actuator_raised_letter(r, "s", "1", id));
    assert_int_equal(hale_map_count(store), 0);
    actuator_raised_free(r);
    hale_map_free(store);
}

static void at_the_ceiling_the_end_is_told(void **state)
{
    struct hale_map *store = hale_map_new(10, free);
    struct actuator_raised *r = start(store, 1000);
    char id[24];
    (void)state;
    for (int i = 0; i <= ACTUATOR_RAISED_MAX; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        actuator_raised_told(r, "s", id, false);
    }
    actuator_raised_died(r, "s", "one more", false,
                         5000); /* nobody knows what it was told */
    assert_int_equal(actuator_raised_get(r, "s", "one more"), ACTUATOR_RAISED_UNKNOWN);
    assert_int_equal(hale_map_count(store), 0);
    actuator_raised_free(r);
    hale_map_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_is_kept_where_it_is_asked_for),
        cmocka_unit_test(dead_only_when_it_is_sure),
        cmocka_unit_test(the_end_waits_for_its_begin),
        cmocka_unit_test(at_the_ceiling_the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
