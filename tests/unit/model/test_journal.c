/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/journal.h"
#include "support/fail_alloc.h"

#define ROW                                                                              \
    "{\"v\":1,\"time_ms\":1425359095202,\"kind\":\"call\",\"run_id\":\"r\",\"policy\":"  \
    "\"p\","                                                                             \
    "\"mode\":\"auto\",\"tenant\":\"t\",\"alarm_id\":\"a\",\"alarm_name\":\"cpu\","      \
    "\"alarm_seq\":4,"                                                                   \
    "\"target\":\"vnf-1\",\"step\":0,\"step_type\":\"heal\",\"attempt\":1,\"text\":"     \
    "\"POST\","                                                                          \
    "\"detail\":{\"method\":\"POST\",\"url\":\"http://x/\",\"took_ms\":1.5}}"

static const char *const required[] = {"v",          "time_ms",   "kind",   "run_id",
                                       "policy",     "mode",      "tenant", "alarm_id",
                                       "alarm_name", "alarm_seq", "step"};

static bool is_required(const char *key)
{
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (strcmp(required[i], key) == 0)
            return true;
    return false;
}

static enum hale_rc trip(struct hale_str json, struct hale_buf *out)
{
    struct hale_journal_row row;
    enum hale_rc rc = hale_journal_decode(json, &row);
    if (rc == HALE_OK)
        rc = hale_journal_encode(&row, out);
    hale_journal_fini(&row);
    hale_journal_fini(&row);
    return rc;
}

static void rows_come_back_as_they_were(void **state)
{
    struct hale_buf out;
    struct hale_journal_row row;
    (void)state;
    hale_buf_init(&out, 4096);
    assert_int_equal(trip(HALE_STR(ROW), &out), HALE_OK);
    assert_string_equal(out.p, ROW);
    hale_buf_fini(&out);
    assert_int_equal(hale_journal_decode(HALE_STR(ROW), &row), HALE_OK);
    assert_string_equal(row.kind, "call");
    assert_string_equal(row.target, "vnf-1");
    assert_int_equal(row.alarm_seq, 4);
    assert_int_equal(row.attempt, 1);
    hale_journal_fini(&row);
}

static void each_key_matters_or_has_a_default(void **state)
{
    json_t *whole = json_loads(ROW, 0, NULL), *value;
    const char *key;
    (void)state;
    json_object_foreach (whole, key, value) {
        json_t *less = json_copy(whole);
        struct hale_buf out;
        hale_buf_init(&out, 4096);
        for (int spoil = 0; spoil <= 1; spoil++) {
            if (spoil)
                assert_int_equal(json_object_set_new(less, key, json_true()), 0);
            else
                assert_int_equal(json_object_del(less, key), 0);
            char *text = json_dumps(less, 0);
            enum hale_rc wanted = spoil || is_required(key) ? HALE_E_INVAL : HALE_OK;
            if (trip(hale_str_from(text), &out) != wanted)
                fail_msg("%s, spoilt %d", key, spoil);
            free(text);
        }
        hale_buf_fini(&out);
        json_decref(less);
    }
    json_decref(whole);
}

static void kinds_and_modes_are_checked(void **state)
{
    static const struct {
        const char *key, *value;
        enum hale_rc rc;
    } cases[] = {
        {"kind", "triggered", HALE_OK}, {"kind", "suppressed", HALE_OK},
        {"kind", "observed", HALE_OK},  {"kind", "answer", HALE_OK},
        {"kind", "verifying", HALE_OK}, {"kind", "verified", HALE_OK},
        {"kind", "failed", HALE_OK},    {"kind", "Failed", HALE_E_INVAL},
        {"kind", "proposed", HALE_OK},  {"kind", "latched", HALE_OK},
        {"mode", "observe", HALE_OK},   {"mode", "manual", HALE_E_INVAL},
        {"mode", "suggest", HALE_OK},   {"mode", "approve", HALE_OK},
        {"run_id", "", HALE_E_INVAL},   {"target", "", HALE_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *row = json_loads(ROW, 0, NULL);
        struct hale_buf out;
        hale_buf_init(&out, 4096);
        assert_int_equal(
            json_object_set_new(row, cases[i].key, json_string(cases[i].value)), 0);
        char *text = json_dumps(row, 0);
        if (trip(hale_str_from(text), &out) != cases[i].rc)
            fail_msg("%s: %s", cases[i].key, cases[i].value);
        free(text);
        hale_buf_fini(&out);
        json_decref(row);
    }
    struct hale_journal_row bad = {0};
    struct hale_buf out;
    hale_buf_init(&out, 4096);
    assert_int_equal(hale_journal_encode(&bad, &out), HALE_E_INVAL);
    hale_buf_fini(&out);
}

static void rows_that_stand_alone_need_no_run(void **state)
{
    static const char *const may_be_empty[] = {"run_id", "tenant", "alarm_id", NULL};
    static const char *const kinds[] = {"switched",   "latched", "unlatched",
                                        "configured", "call",    NULL};
    (void)state;
    for (size_t k = 0; kinds[k] != NULL; k++) {
        json_t *row = json_loads(ROW, 0, NULL);
        struct hale_buf out;
        hale_buf_init(&out, 4096);
        assert_int_equal(json_object_set_new(row, "kind", json_string(kinds[k])), 0);
        for (size_t i = 0; may_be_empty[i] != NULL; i++)
            assert_int_equal(json_object_set_new(row, may_be_empty[i], json_string("")),
                             0);
        char *text = json_dumps(row, JSON_COMPACT);
        bool alone = strcmp(kinds[k], "call") != 0;
        assert_int_equal(trip(hale_str_from(text), &out), alone ? HALE_OK : HALE_E_INVAL);
        if (alone)
            assert_string_equal(out.p, text);
        free(text);
        assert_int_equal(json_object_set_new(row, "policy", json_string("")), 0);
        text = json_dumps(row, JSON_COMPACT);
        assert_int_equal(trip(hale_str_from(text), &out), HALE_E_INVAL);
        free(text);
        hale_buf_fini(&out);
        json_decref(row);
    }
}

/* Those of jansson too, which survives the loss of some: only our own must be reported. */
static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    for (int with_json = 0; with_json <= 1; with_json++) {
        bool hit = true;
        json_set_alloc_funcs(with_json ? __wrap_malloc : __real_malloc, free);
        for (unsigned long n = 1; hit; n++) {
            struct hale_buf out;
            hale_buf_init(&out, 4096);
            fail_alloc_in = n;
            enum hale_rc rc = trip(HALE_STR(ROW), &out);
            hit = fail_alloc_in == 0;
            fail_alloc_in = 0;
            if (hit ? rc == HALE_OK && !with_json : rc != HALE_OK)
                fail_msg("allocation %lu gave %d", n, rc);
            hale_buf_fini(&out);
        }
    }
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_were),
        cmocka_unit_test(each_key_matters_or_has_a_default),
        cmocka_unit_test(kinds_and_modes_are_checked),
        cmocka_unit_test(rows_that_stand_alone_need_no_run),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
