/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <errno.h>
#include <string.h>

#include "base/rc.h"

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(hale_rc_text(HALE_OK), "ok");
    assert_string_equal(hale_rc_text(HALE_E_CLOSED), "closed");
    assert_string_equal(hale_rc_text((enum hale_rc)77), "unknown result");
}

static void test_errno(void **state)
{
    static const struct {
        int err;
        enum hale_rc rc;
    } rows[] = {
        {0, HALE_OK},
        {EAGAIN, HALE_E_AGAIN},
        {EINVAL, HALE_E_INVAL},
        {ENOSPC, HALE_E_LIMIT},
        {EMFILE, HALE_E_LIMIT},
        {ENOENT, HALE_E_NOTFOUND},
        {EEXIST, HALE_E_EXISTS},
        {EIO, HALE_E_IO},
        {ENOMEM, HALE_E_NOMEM},
        {EACCES, HALE_E_DENIED},
        {EBUSY, HALE_E_CONFLICT},
        {EPIPE, HALE_E_CLOSED},
        {123456, HALE_E_IO},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(hale_rc_from_errno(rows[i].err), rows[i].rc);
}

static void test_err_places(void **state)
{
    struct hale_err err;
    char text[512];
    (void)state;

    assert_int_equal(hale_err_set(&err, HALE_E_INVAL, "no %s", "good"), HALE_E_INVAL);
    assert_string_equal(hale_err_str(&err, text, sizeof(text)), "no good");
    (void)hale_err_at(&err, HALE_E_IO, "a.conf", 0, 0, "lost");
    assert_string_equal(hale_err_str(&err, text, sizeof(text)), "a.conf: lost");
    (void)hale_err_at(&err, HALE_E_IO, "a.conf", 12, 0, "lost");
    assert_string_equal(hale_err_str(&err, text, sizeof(text)), "a.conf:12: lost");
    (void)hale_err_at(&err, HALE_E_IO, "a.conf", 12, 3, "two\nlines");
    assert_string_equal(hale_err_str(&err, text, sizeof(text)), "a.conf:12:3: two lines");
    (void)hale_err_at(&err, HALE_E_IO, err.source, 13, 0, "same file");
    assert_string_equal(hale_err_str(&err, text, sizeof(text)), "a.conf:13: same file");
    assert_int_equal(hale_err_at(NULL, HALE_E_IO, NULL, 1, 1, "x"), HALE_E_IO);
    assert_int_equal(hale_err_set(NULL, HALE_E_LIMIT, "x"), HALE_E_LIMIT);
}

static void test_err_truncates(void **state)
{
    struct hale_err err;
    char longer[1000];
    char text[8];
    (void)state;

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    (void)hale_err_at(&err, HALE_E_INVAL, longer, 1, 1, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(strlen(err.source), sizeof(err.source) - 1);
    assert_int_equal(strlen(hale_err_str(&err, text, sizeof(text))), sizeof(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_err_places),
        cmocka_unit_test(test_err_truncates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
