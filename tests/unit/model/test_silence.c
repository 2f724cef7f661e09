/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/silence.h"

static int64_t ms(const char *iso)
{
    int64_t out = 0;
    assert_int_equal(hale_clock_parse_iso(hale_str_from(iso), &out), HALE_OK);
    return out;
}

static enum hale_rc form(const char *body, bool maintenance, const char *now,
                         struct hale_silence **out, struct hale_err *err)
{
    json_t *o = json_loads(body, JSON_DECODE_ANY, NULL);
    assert_non_null(o);
    enum hale_rc rc = hale_silence_from_api(o, maintenance, ms(now), out, err);
    json_decref(o);
    return rc;
}

#define NOW "2026-03-27T00:00:00Z"

static void test_forms(void **state)
{
    static const struct {
        const char *body;
        bool maintenance;
        const char *error; /* NULL: good */
    } cases[] = {
        {"{\"matchers\":[\"host=h1\"],\"for\":\"2h\"}", false, NULL},
        {"{\"matchers\":[{\"name\":\"a\",\"value\":\"b\"}],\"ends\":\"2026-03-28\"}",
         false, NULL},
        {"{\"matchers\":[{\"name\":\"a\",\"value\":\"b\",\"isRegex\":true,\"isEqual\":"
         "true}],"
         "\"startsAt\":\"2026-03-01T00:00:00Z\",\"endsAt\":\"2026-03-28T00:00:00.000Z\","
         "\"createdBy\":\"x\",\"comment\":\"y\"}",
         false, NULL},
        {"{\"matchers\":[\"host=h1\"]}", false, "ends or for"},
        {"{\"matchers\":[\"host=h1\"],\"for\":\"2h\",\"ends\":1}", false, "ends or for"},
        {"{\"matchers\":[\"host=h1\"],\"ends\":\"2026-03-26\"}", false, "later than now"},
        {"{\"matchers\":[\"host=h1\"],\"for\":\"400d\"}", false, "366 days"},
        {"{\"matchers\":[],\"for\":\"2h\"}", false, "1 to 32"},
        {"{\"matchers\":[\"host=~.*\"],\"for\":\"2h\"}", false, "without any label"},
        {"{\"matchers\":[\"host!=x\",\"b=\"],\"for\":\"2h\"}", false,
         "without any label"},
        {"{\"matchers\":[\"host=~(\"],\"for\":\"2h\"}", false, "matchers[0]"},
        {"{\"matchers\":[\"host\"],\"for\":\"2h\"}", false, "name=value"},
        {"{\"matchers\":[{\"name\":\"a\",\"value\":\"b\",\"op\":\"<\"}],\"for\":\"2h\"}",
         false, "op must be"},
        {"{\"matchers\":[{\"name\":\"a\",\"valu\":\"b\"}],\"for\":\"2h\"}", false,
         "unknown key 'valu'"},
        {"{\"matchers\":[\"host=h1\"],\"for\":\"2h\",\"zone\":\"UTC\"}", false,
         "unknown key 'zone'"},
        {"[]", false, "must be an object"},
        {"{\"matchers\":[\"host=h1\"],\"for\":\"2h\",\"reason\":1}", false, "reason"},
        {"{\"entity\":\"host/h1\",\"for\":\"2h\"}", true, NULL},
        {"{\"entity\":\"host/h1\",\"matchers\":[\"a=b\"],\"for\":\"2h\"}", true, NULL},
        {"{\"for\":\"2h\"}", true, "1 to 32"},
        {"{\"entity\":\"host\",\"for\":\"2h\"}", true, "type/id"},
        {"{\"entity\":\"host/h1\"}", true, "for must be"},
        {"{\"entity\":\"host/h1\",\"for\":\"2h\",\"zone\":\"Mars/Base\"}", true,
         "Mars/Base"},
        {"{\"entity\":\"host/h1\",\"for\":\"24h\",\"repeat\":{\"every\":\"day\"}}", true,
         "less than 1 days"},
        {"{\"entity\":\"host/h1\",\"for\":\"2h\",\"repeat\":{\"every\":\"year\"}}", true,
         "repeat.every"},
        {"{\"entity\":\"host/h1\",\"for\":\"2h\",\"repeat\":{\"every\":\"week\","
         "\"days\":[\"moon\"]}}",
         true, "repeat.days"},
        {"{\"entity\":\"host/"
         "h1\",\"for\":\"2h\",\"repeat\":{\"every\":\"day\",\"day\":1}}",
         true, "days is a list"},
        {"{\"entity\":\"host/h1\",\"for\":\"2h\",\"starts\":\"2026-01-01\","
         "\"until\":\"2026-01-05\",\"repeat\":{\"every\":\"day\"}}",
         true, "never begins again"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_silence *s = NULL, *again = NULL;
        struct hale_err err = {0};
        enum hale_rc rc = form(cases[i].body, cases[i].maintenance, NOW, &s, &err);
        if (cases[i].error != NULL) {
            assert_int_equal(rc, HALE_E_INVAL);
            assert_null(s);
            if (strstr(err.text, cases[i].error) == NULL)
                fail_msg("%s: %s", cases[i].body, err.text);
            continue;
        }
        if (rc != HALE_OK)
            fail_msg("%s: %s", cases[i].body, err.text);
        /* Stored and read it is the same. */
        struct hale_buf a, b;
        hale_buf_init(&a, 1 << 20);
        hale_buf_init(&b, 1 << 20);
        s->id = strdup("i");
        s->tenant = strdup("t");
        s->author = strdup("ann");
        assert_int_equal(hale_silence_encode(s, &a), HALE_OK);
        rc = hale_silence_decode(hale_buf_str(&a), cases[i].maintenance, &again, &err);
        if (rc != HALE_OK)
            fail_msg("%s: %s", a.p, err.text);
        assert_int_equal(hale_silence_encode(again, &b), HALE_OK);
        assert_string_equal(a.p, b.p);
        hale_buf_fini(&a);
        hale_buf_fini(&b);
        hale_silence_free(s);
        hale_silence_free(again);
    }
}

/* From there on: the moments at which it changes. */
static void test_when(void **state)
{
    static const struct {
        const char *body, *from;
        const char *changes[6]; /* begin, end, begin ... */
    } cases[] = {
        /* A night that is an hour shorter, and one that is an hour longer: the clock's time holds. */
        {"{\"entity\":\"h/1\",\"zone\":\"Europe/Berlin\",\"starts\":\"2026-03-28T22:00\","
         "\"for\":\"6h\",\"repeat\":{\"every\":\"day\"}}",
         "2026-03-28T00:00:00Z",
         {"2026-03-28T21:00:00Z", "2026-03-29T03:00:00Z", "2026-03-29T20:00:00Z",
          "2026-03-30T02:00:00Z", "2026-03-30T20:00:00Z"}},
        {"{\"entity\":\"h/1\",\"zone\":\"Europe/Berlin\",\"starts\":\"2026-10-24T22:00\","
         "\"for\":\"6h\",\"repeat\":{\"every\":\"day\"}}",
         "2026-10-24T00:00:00Z",
         {"2026-10-24T20:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T21:00:00Z",
          "2026-10-26T03:00:00Z"}},
        /* A beginning that the clock skips, and one that it shows twice. */
        {"{\"entity\":\"h/1\",\"zone\":\"Europe/Berlin\",\"starts\":\"2026-03-28T02:30\","
         "\"for\":\"30m\",\"repeat\":{\"every\":\"day\"}}",
         "2026-03-28T12:00:00Z",
         {"2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z", "2026-03-30T00:30:00Z"}},
        {"{\"entity\":\"h/1\",\"zone\":\"Europe/Berlin\",\"starts\":\"2026-10-24T02:30\","
         "\"for\":\"30m\",\"repeat\":{\"every\":\"day\"}}",
         "2026-10-24T12:00:00Z",
         {"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-26T01:30:00Z"}},
        {"{\"entity\":\"h/1\",\"starts\":\"2026-11-02T10:00:00Z\",\"for\":\"1h\","
         "\"repeat\":{\"every\":\"week\",\"days\":[\"tue\",\"sat\"]}}",
         "2026-11-02T00:00:00Z",
         {"2026-11-03T10:00:00Z", "2026-11-03T11:00:00Z", "2026-11-07T10:00:00Z",
          "2026-11-07T11:00:00Z", "2026-11-10T10:00:00Z"}},
        {"{\"entity\":\"h/1\",\"starts\":\"2026-11-02T10:00:00Z\",\"for\":\"1h\","
         "\"repeat\":{\"every\":\"week\"}}",
         "2026-11-02T10:30:00Z",
         {"2026-11-02T11:00:00Z", "2026-11-09T10:00:00Z"}}, /* already on */
        {"{\"entity\":\"h/1\",\"starts\":\"2026-01-31T10:00:00Z\",\"for\":\"1h\","
         "\"repeat\":{\"every\":\"month\"}}",
         "2026-02-01T00:00:00Z",
         {"2026-03-31T10:00:00Z", "2026-03-31T11:00:00Z", "2026-05-31T10:00:00Z"}},
        {"{\"entity\":\"h/1\",\"starts\":\"2026-01-31T10:00:00Z\",\"for\":\"1h\","
         "\"repeat\":{\"every\":\"month\",\"day\":-1}}",
         "2026-02-01T00:00:00Z",
         {"2026-02-28T10:00:00Z", "2026-02-28T11:00:00Z", "2026-03-31T10:00:00Z"}},
        /* Over midnight, over the days' border, touching each other; and the end of all. */
        {"{\"entity\":\"h/1\",\"starts\":\"2026-11-02T23:00:00Z\",\"for\":\"2h\","
         "\"until\":\"2026-11-04T00:00:00Z\",\"repeat\":{\"every\":\"day\"}}",
         "2026-11-03T00:30:00Z",
         {"2026-11-03T01:00:00Z", "2026-11-03T23:00:00Z", "2026-11-04T00:00:00Z",
          "never"}},
        {"{\"entity\":\"h/1\",\"starts\":\"2026-11-02T23:00:00Z\",\"for\":\"2h\"}",
         "2026-11-02T00:00:00Z",
         {"2026-11-02T23:00:00Z", "2026-11-03T01:00:00Z", "never"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_silence *s = NULL;
        struct hale_err err = {0};
        char iso[HALE_CLOCK_ISO_MAX];
        int64_t t = ms(cases[i].from), change;
        if (form(cases[i].body, true, "2026-01-01T00:00:00Z", &s, &err) != HALE_OK)
            fail_msg("%s: %s", cases[i].body, err.text);
        bool on = hale_silence_at(s, t, &change);
        for (size_t k = 0; k < 6 && cases[i].changes[k] != NULL; k++) {
            const char *got =
                change == INT64_MAX ? "never" : hale_clock_iso_s(change, iso);
            if (strcmp(got, cases[i].changes[k]) != 0)
                fail_msg("%s: change %zu is %s, not %s", cases[i].body, k, got,
                         cases[i].changes[k]);
            if (change == INT64_MAX)
                break;
            int64_t next;
            assert_int_equal(hale_silence_at(s, change - 1, &next), on);
            assert_int_equal(next, change);
            on = !on;
            assert_int_equal(hale_silence_at(s, change, &next), on);
            change = next;
        }
        hale_silence_free(s);
    }
}

static void test_end(void **state)
{
    struct hale_silence *s = NULL;
    struct hale_err err = {0};
    int64_t change;
    (void)state;
    assert_int_equal(
        form("{\"matchers\":[\"a=b\"],\"starts\":\"2026-03-28\",\"for\":\"1h\"}", false,
             NOW, &s, &err),
        HALE_OK);
    assert_false(hale_silence_at(s, ms(NOW), &change));
    assert_int_equal(change, ms("2026-03-28"));
    assert_true(hale_silence_end(s, ms(NOW))); /* before it began */
    assert_false(hale_silence_at(s, ms(NOW), &change));
    assert_int_equal(change, INT64_MAX);
    assert_false(hale_silence_end(s, ms(NOW)));
    hale_silence_free(s);
    assert_int_equal(
        form("{\"entity\":\"a/b\",\"for\":\"1h\",\"repeat\":{\"every\":\"day\"}}", true,
             NOW, &s, &err),
        HALE_OK);
    assert_true(hale_silence_at(s, ms(NOW) + 5000, &change));
    assert_true(hale_silence_end(s, ms(NOW) + 5000));
    assert_true(hale_silence_at(s, ms(NOW) + 4999, &change));
    assert_false(hale_silence_at(s, ms(NOW) + 5000, &change));
    assert_int_equal(change, INT64_MAX);
    hale_silence_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_when),
                                       cmocka_unit_test(test_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
