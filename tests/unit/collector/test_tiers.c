/* SPDX-License-Identifier: Apache-2.0 */
/* archive_tiers: which metrics keep what, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collector/tiers.h"

#define HOT_MS 7200000

static enum hale_rc read_text(const char *text, struct collector_tiers **out,
                              struct hale_err *err)
{
    struct hale_yaml *doc = NULL;

    assert_int_equal(hale_yaml_load(hale_str_from(text), "t.yaml", &doc, err), HALE_OK);
    enum hale_rc rc = collector_tiers_read(hale_yaml_root(doc), HOT_MS, out, err);
    hale_yaml_free(doc);
    return rc;
}

static void first_match_counts(void **state)
{
    static const struct {
        const char *name, *layout; /* NULL: none */
    } WANT[] = {
        {"net.in_bytes", "16 10x8640 60x10080"},
        {"net.", "16 10x8640 60x10080"},
        {"debug.x", NULL},
        {"net", "16 10x8640 60x10080 300x8928 3600x9600"},
        {"cpu.idle_perc", "16 300x8928"},
    };
    struct collector_tiers *t = NULL;
    struct hale_err err = {0};
    char text[COLLECTOR_LAYOUT_TEXT];

    (void)state;
    assert_int_equal(read_text("- match: net.*\n  tiers: [10s:1d, 1m:7d]\n"
                               "- match: debug.*\n  tiers: none\n"
                               "- match: 'cpu.[a-i]*_perc'\n  tiers: [5m:31d]\n"
                               "- match: cpu.*\n  tiers: none\n",
                               &t, &err),
                     HALE_OK);
    for (size_t i = 0; i < sizeof(WANT) / sizeof(WANT[0]); i++) {
        const struct hale_rrd_layout *l =
            collector_tiers_of(t, hale_str_from(WANT[i].name));
        struct hale_rrd_layout again;
        if (WANT[i].layout == NULL) {
            assert_null(l);
            continue;
        }
        assert_non_null(l);
        assert_string_equal(collector_layout_text(l, text), WANT[i].layout);
        assert_int_equal(collector_layout_parse(hale_str_from(text), &again), HALE_OK);
        assert_memory_equal(l, &again, sizeof(again));
    }
    collector_tiers_free(t);
    assert_int_equal(collector_tiers_read(NULL, HOT_MS, &t, &err), HALE_OK);
    assert_non_null(collector_tiers_of(t, HALE_STR("anything")));
    collector_tiers_free(t);
}

static void errors_name_line_and_fix(void **state)
{
    static const struct {
        const char *yaml, *word;
    } ROWS[] = {
        {"x", "list"},
        {"- a", "t.yaml:1"},
        {"- match: a\n", "tiers"},
        {"- match: a\n  tiers: [10s:1d]\n- match: b\n  tiers: [10s]\n", "t.yaml:4"},
        {"- match: a\n  tiers: []\n", "1 to 6"},
        {"- match: a\n  tiers: some\n", "none or a list"},
        {"- match: a\n  tiers: [10:1d]\n", "step:span"},
        {"- match: a\n  tiers: [500ms:1d]\n", "whole seconds"},
        {"- match: a\n  tiers: [10s:25s]\n", "multiple"},
        {"- match: a\n  tiers: [7s:7000s]\n", "ten minutes"},
        {"- match: a\n  tiers: [10s:1h]\n", "hot_retention"},
        {"- match: a\n  tiers: [1m:1d, 90s:7d]\n", "multiple"},
        {"- match: a\n  tiers: none\n  span: 3\n", "unknown key"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct collector_tiers *t = NULL;
        struct hale_err err = {0};
        char text[512];
        assert_int_equal(read_text(ROWS[i].yaml, &t, &err), HALE_E_INVAL);
        assert_null(t);
        if (strstr(hale_err_str(&err, text, sizeof(text)), ROWS[i].word) == NULL)
            fail_msg("'%s' gives '%s'", ROWS[i].yaml, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_match_counts),
        cmocka_unit_test(errors_name_line_and_fix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
