/* SPDX-License-Identifier: Apache-2.0 */
/* Tails: blocks by key in order, consumed in part, forgotten and made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "collector/tail.h"

static void add(struct collector_tail *t, int64_t chunk, bool late, int64_t time_ms)
{
    const struct collector_sample s = {time_ms, (double)time_ms, {NULL, 0}};
    size_t added = 0;
    assert_int_equal(collector_tail_add(t, chunk, late, &s, &added), HALE_OK);
    assert_true(added > 0);
}

/* Samples of a block; the last is what time_ms says. */
static size_t count(const struct collector_tail_block *b, int64_t last_ms)
{
    struct collector_hot_reader r;
    struct collector_sample s = {0};
    size_t n = 0;

    collector_hot_reader_init_block(&r, b->body, b->base_ms, b->span_ms);
    while (collector_hot_reader_next(&r, &s))
        n++;
    assert_false(r.bad);
    assert_true(s.time_ms == last_ms);
    return n;
}

static void blocks(void **state)
{
    struct collector_series series = {.id = 9};
    struct collector_tails *all = collector_tails_new(2);
    struct collector_tail *t = collector_tails_get(all, &series);
    struct collector_tail_block b;
    uint32_t at = 0;

    (void)state;
    assert_true(t != NULL && collector_tails_find(all, 9) == t);
    add(t, 5, false, 3000001);
    add(t, 5, false, 3000002);
    add(t, 6, false, 3600000);
    add(t, 6, true, -77);
    add(t, -1, false, -1);
    assert_true(collector_tail_next(t, &at, &b) && b.chunk == 5 && !b.late);
    assert_int_equal(count(&b, 3000002), 2);
    assert_int_equal(b.framed.p[0], 2);
    uint32_t second = at;
    assert_true(collector_tail_next(t, &at, &b) && b.chunk == 6 && !b.late);
    assert_true(collector_tail_next(t, &at, &b) && b.chunk == 6 && b.late);
    assert_int_equal(count(&b, -77), 1);
    assert_true(collector_tail_next(t, &at, &b) && b.chunk == -1 && !b.late);
    assert_int_equal(count(&b, -1), 1);
    assert_false(collector_tail_next(t, &at, &b));

    collector_tail_consume(t, second);
    add(t, -1, false, -2); /* the open block goes on */
    at = 0;
    assert_true(collector_tail_peek(t, &at, &b) && b.chunk == 6);
    assert_true(collector_tail_peek(t, &at, &b) && b.late);
    assert_true(collector_tail_peek(t, &at, &b));
    assert_int_equal(count(&b, -2), 2);
    collector_tail_trim(t); /* not empty: stays */
    HALE_ASSERT(t != NULL);
    assert_true(t->len > 0);
    collector_tail_consume(t, t->len);
    add(t, -1, false, -3);
    at = 0;
    assert_true(collector_tail_peek(t, &at, &b));
    assert_int_equal(count(&b, -3), 1);
    collector_tail_consume(t, t->len);
    collector_tail_trim(t);
    assert_null(t->buf);
    collector_tails_free(all);
}

static void ceilings(void **state)
{
    struct collector_series one = {.id = 1};
    struct collector_series two = {.id = 2};
    struct collector_series three = {.id = 3};
    struct collector_tails *all = collector_tails_new(2);
    struct collector_sample s = {0, 1, {NULL, 2000000}};
    char *meta = calloc(1, s.meta.len);
    size_t added;

    (void)state;
    s.meta.p = meta;
    struct collector_tail *t = collector_tails_get(all, &one);
    HALE_ASSERT(t != NULL);
    assert_non_null(collector_tails_get(all, &two));
    assert_null(collector_tails_get(all, &three));
    enum hale_rc rc = HALE_OK;
    for (int i = 0; i < 40 && rc == HALE_OK; i++)
        rc = collector_tail_add(t, 0, false, &s, &added);
    assert_int_equal(rc, HALE_E_LIMIT);
    assert_true(t->len <= COLLECTOR_TAIL_MAX);
    assert_true(collector_tails_forget(all, 1));
    assert_false(collector_tails_forget(all, 1));
    assert_true(collector_tails_get(all, &three) == t); /* the place is used again */
    assert_int_equal(t->len, 0);
    assert_int_equal(collector_tails_count(all), 2);
    free(meta);
    collector_tails_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),
        cmocka_unit_test(ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
