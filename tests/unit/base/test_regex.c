/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <string.h>

#include "base/regex.h"

static void matches_whole_strings(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "a", true},
        {"a", "ba", false},
        {"a", "ab", false},
        {"a|ab", "ab", true},
        {"a|b", "b", true},
        {"a.c", "abc", true},
        {"a.c", "a\nc", false},
        {".*", "", true},
        {".+", "", false},
        {"[0-9]+", "123", true},
        {"a$", "a\n", false},
        {"(?i)AbC", "aBc", true},
        {"\\d{3}", "12", false},
        {"h(1|2)", "h2", true},
        {"\xc3\xa4.", "\xc3\xa4\xc3\xb6", true},
        {".", "\xc3\xa4", true},
        {"a|", "", true},
        {"^a$", "a", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_regex *r = NULL;
        bool yes;
        assert_int_equal(hale_regex_new(hale_str_from(cases[i].pattern), &r, NULL),
                         HALE_OK);
        assert_int_equal(hale_regex_match(r, hale_str_from(cases[i].text), &yes),
                         HALE_OK);
        if (yes != cases[i].matches)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
        hale_regex_free(r);
    }
}

static void refuses_what_is_no_pattern(void **state)
{
    static const char *const bad[] = {"(",   "a)",   "[",     "*a", "(*LIMIT_MATCH=9)a",
                                      "\\C", "\xff", "a{2,1}"};
    struct hale_regex *r;
    struct hale_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&err, 0, sizeof(err));
        if (hale_regex_new(hale_str_from(bad[i]), &r, &err) != HALE_E_INVAL)
            fail_msg("%s", bad[i]);
        assert_null(r);
        assert_memory_equal(err.text, "regular expression", 18);
    }
    static char long_one[HALE_REGEX_MAX_BYTES + 1];
    memset(long_one, 'a', sizeof(long_one));
    assert_int_equal(
        hale_regex_new((struct hale_str){long_one, sizeof(long_one)}, &r, &err),
        HALE_E_INVAL);
}

/* Each would take years without the limits. */
static void hostile_patterns_end(void **state)
{
    static const char *const patterns[] = {"(a+)+b", "(a|a)*b", "(.*)*(.*)*(.*)*[bc]",
                                           "((a?){30}){30}b", "(?:a|aa|aaa|aaaa)+$b"};
    char text[256];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct hale_regex *r;
        bool yes = true;
        assert_int_equal(hale_regex_new(hale_str_from(patterns[i]), &r, NULL), HALE_OK);
        enum hale_rc rc =
            hale_regex_match(r, (struct hale_str){text, sizeof(text)}, &yes);
        assert_true(rc == HALE_E_LIMIT || (rc == HALE_OK && !yes));
        assert_false(yes);
        hale_regex_free(r);
    }
    hale_regex_free(NULL);
}

static void other_bytes_do_not_match(void **state)
{
    struct hale_regex *r;
    bool yes = true;

    (void)state;
    assert_int_equal(hale_regex_new(HALE_STR(".*"), &r, NULL), HALE_OK);
    assert_int_equal(hale_regex_match(r, HALE_STR("a\xff"), &yes), HALE_OK);
    assert_false(yes);
    hale_regex_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_whole_strings),
        cmocka_unit_test(refuses_what_is_no_pattern),
        cmocka_unit_test(hostile_patterns_end),
        cmocka_unit_test(other_bytes_do_not_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
