/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's chain: a link against a known hash, texts back and forth, and what a check finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/chain.h"

#define ROWS 6

static struct hale_chain_link link_v[ROWS];
static char id_v[ROWS][24], row_v[ROWS][32];

static void make(void)
{
    struct hale_chain_link head = {0};
    for (int i = 0; i < ROWS; i++) {
        (void)snprintf(id_v[i], sizeof(id_v[i]), "%d-0", 10 + i);
        (void)snprintf(row_v[i], sizeof(row_v[i]), "{\"i\":%d}", i);
        assert_int_equal(hale_chain_next(&head, HALE_STR("t"), hale_str_from(id_v[i]),
                                         hale_str_from(row_v[i]), &link_v[i]),
                         HALE_OK);
        head = link_v[i];
    }
}

static void test_known_hash(void **state)
{
    /* sha256(32 zero bytes + "t\n1\n1-1\n{}") */
    char hex[HALE_CHAIN_HEX];
    struct hale_chain_link none = {0}, l;
    (void)state;
    assert_int_equal(
        hale_chain_next(&none, HALE_STR("t"), HALE_STR("1-1"), HALE_STR("{}"), &l),
        HALE_OK);
    assert_int_equal(l.n, 1);
    assert_string_equal(
        hale_chain_hex(l.hash, hex),
        "3625fef44079f92e1636acbd5083b942285bea6d80fc90c7a4c1c157f972491a");
}

static void test_texts(void **state)
{
    char text[HALE_CHAIN_TEXT];
    struct hale_chain_link l;
    struct hale_str tenant;
    (void)state;
    make();
    assert_int_equal(hale_chain_parse(hale_str_from(hale_chain_text(
                                          &link_v[2], HALE_STR("ten"), text)),
                                      &l, &tenant),
                     HALE_OK);
    assert_memory_equal(&l, &link_v[2], sizeof(l));
    assert_true(hale_str_eq_c(tenant, "ten"));
    assert_int_equal(
        hale_chain_parse(hale_str_from(hale_chain_text(&link_v[2], HALE_STR(""), text)),
                         &l, &tenant),
        HALE_OK);
    assert_int_equal(tenant.len, 0);
    static const char *const bad[] = {"", "1", "0 a b t", "x", "1 00 00 t"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(hale_chain_parse(hale_str_from(bad[i]), &l, &tenant),
                         HALE_E_INVAL);
    text[4] = 'G';
    assert_int_equal(hale_chain_parse(hale_str_from(text), &l, &tenant), HALE_E_INVAL);
}

/* One change of what was written, and the words that find it; "" when nothing is wrong. */
struct change {
    bool whole;
    int from, to; /* rows that are read */
    int gone;     /* this row's text */
    int unlinked; /* this row's link */
    int changed;  /* this row's text is another */
    int out;      /* this row and its link */
    int expects;  /* head of this row was noted; + 100: with another hash */
    const char *want;
};

static enum hale_rc check(const struct change *x, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    struct hale_chain_check *c = hale_chain_check_new(x->whole);
    assert_non_null(c);
    if (x->expects >= 0) {
        struct hale_chain_link head = link_v[x->expects % 100];
        if (x->expects >= 100)
            head.hash[0] ^= 1;
        assert_int_equal(hale_chain_check_expect(c, HALE_STR("t"), &head), HALE_OK);
    }
    for (int i = x->from; i < x->to && rc == HALE_OK; i++) {
        struct hale_str row = hale_str_from(row_v[i]);
        if (i == x->out)
            continue;
        if (i == x->gone)
            row = (struct hale_str){NULL, 0};
        if (i == x->changed)
            row = HALE_STR("{\"i\":9}");
        rc = hale_chain_check_row(c, HALE_STR("t"), hale_str_from(id_v[i]),
                                  i == x->unlinked ? NULL : &link_v[i], row, err);
    }
    if (rc == HALE_OK)
        rc = hale_chain_check_end(c, err);
    hale_chain_check_free(c);
    return rc;
}

static void test_what_a_check_finds(void **state)
{
    static const struct change changes[] = {
        {true, 0, 6, -1, -1, -1, -1, -1, ""},
        {true, 0, 0, -1, -1, -1, -1, -1, ""},
        {true, 0, 6, 3, -1, -1, -1, -1, "13-0: row 4 is gone"},
        {true, 0, 6, 0, -1, -1, -1, -1, "10-0: row 1 is gone"},
        {true, 0, 6, -1, 3, -1, -1, -1, "13-0: the row was inserted"},
        {true, 0, 6, -1, 5, -1, -1, -1, ""}, /* new, not sealed yet */
        {true, 0, 6, -1, -1, 2, -1, -1, "12-0: row 3 was changed"},
        {true, 0, 6, -1, -1, -1, 2, -1, "13-0: row 4 follows row 2"},
        {true, 2, 6, -1, -1, -1, -1, -1, "12-0: it is row 3"},
        {false, 2, 6, -1, -1, -1, -1, -1, ""}, /* trimmed */
        {false, 2, 6, -1, -1, 4, -1, -1, "14-0: row 5 was changed"},
        {true, 0, 6, -1, -1, -1, -1, 4, ""},
        {true, 0, 6, -1, -1, -1, -1, 104, "written anew"},
        {true, 0, 4, -1, -1, -1, -1, 4, "ends before row 5"},
        {true, 0, 0, -1, -1, -1, -1, 4, "ends before row 5"},
        {false, 3, 6, -1, -1, -1, -1, 1, ""}, /* noted before what is kept begins */
    };
    (void)state;
    make();
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct hale_err err = {0};
        enum hale_rc rc = check(&changes[i], &err);
        if (changes[i].want[0] == '\0')
            assert_int_equal(rc, HALE_OK);
        else if (rc != HALE_E_INVAL || strstr(err.text, changes[i].want) == NULL)
            fail_msg("%zu: %s, not %s", i, err.text, changes[i].want);
    }
}

static void test_tenants_have_chains_of_their_own(void **state)
{
    struct hale_chain_link none = {0}, l;
    struct hale_err err = {0};
    struct hale_chain_check *c = hale_chain_check_new(true);
    (void)state;
    make();
    assert_int_equal(
        hale_chain_next(&none, HALE_STR(""), HALE_STR("11-5"), HALE_STR("{}"), &l),
        HALE_OK);
    assert_int_equal(hale_chain_check_row(c, HALE_STR("t"), hale_str_from(id_v[0]),
                                          &link_v[0], hale_str_from(row_v[0]), &err),
                     HALE_OK);
    assert_int_equal(
        hale_chain_check_row(c, HALE_STR(""), HALE_STR("11-5"), &l, HALE_STR("{}"), &err),
        HALE_OK);
    assert_int_equal(hale_chain_check_row(c, HALE_STR("t"), hale_str_from(id_v[1]),
                                          &link_v[1], hale_str_from(row_v[1]), &err),
                     HALE_OK);
    /* a row of one tenant is none of the other's */
    assert_int_equal(hale_chain_check_row(c, HALE_STR(""), hale_str_from(id_v[2]),
                                          &link_v[2], hale_str_from(row_v[2]), &err),
                     HALE_E_INVAL);
    struct hale_chain_totals t = hale_chain_check_totals(c);
    assert_int_equal(t.rows, 3);
    assert_string_equal(t.first, "10-0");
    assert_string_equal(t.last, "11-0");
    hale_chain_check_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_hash),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_what_a_check_finds),
        cmocka_unit_test(test_tenants_have_chains_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
