/* SPDX-License-Identifier: Apache-2.0 */
/* Limits per tenant: the section of the configuration, and the buckets, in time that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/tenant_limit.h"

#define S  INT64_C(1000000000)
#define MS INT64_C(1000000)

static enum hale_rc read(const char *text, struct collector_limits_config *out,
                         struct hale_err *err)
{
    struct hale_yaml *doc = NULL;

    assert_int_equal(hale_yaml_load(hale_str_from(text), "t.yaml", &doc, err), HALE_OK);
    enum hale_rc rc = collector_limits_config_read(
        hale_yaml_get(hale_yaml_root(doc), "limits"), out, err);
    hale_yaml_free(doc);
    return rc;
}

static struct collector_tenant_limits *limits(const char *text)
{
    struct collector_limits_config conf;
    struct hale_err err = {0};
    struct collector_tenant_limits *l = collector_tenant_limits_new();

    assert_non_null(l);
    if (read(text, &conf, &err) != HALE_OK)
        fail_msg("%s", err.text);
    assert_int_equal(collector_tenant_limits_set(l, &conf), HALE_OK);
    collector_limits_config_fini(&conf);
    return l;
}

static void is(struct collector_tenant_limits *l, const char *tenant, int64_t rate,
               int64_t burst, int64_t body, int64_t series)
{
    struct collector_limit limit = collector_tenant_limits_of(l, hale_str_from(tenant));

    assert_int_equal(limit.samples_per_second, rate);
    assert_int_equal(limit.samples_burst, burst);
    assert_int_equal(limit.max_body, body);
    assert_int_equal(limit.max_series, series);
}

static void sections(void **state)
{
    struct collector_tenant_limits *l = limits("a: 1\n");

    (void)state;
    is(l, "x", 0, 0, 0, 0);
    collector_tenant_limits_free(l);
    l = limits("limits:\n  samples_per_second: 100\n  max_body: 1m\n  max_series: 7\n"
               "  tenants:\n"
               "  - tenant: a\n    samples_per_second: 5\n"
               "  - tenant: b\n    max_series: 0\n    samples_burst: 50\n"
               "  - tenant: c\n    samples_per_second: 0\n    max_body: 4k\n");
    is(l, "x", 100, 1000, 1 << 20, 7);
    is(l, "a", 5, 50, 1 << 20, 7);
    is(l, "b", 100, 50, 1 << 20, 0);
    is(l, "c", 0, 0, 4096, 7);
    collector_tenant_limits_free(l);
}

static void wrong_sections(void **state)
{
    static const struct {
        const char *text, *want;
    } CASES[] = {
        {"limits: 5\n", "limits must have keys below it"},
        {"limits:\n  sample_per_second: 5\n", "samples_per_second"},
        {"limits:\n  samples_per_second: -1\n", "samples_per_second"},
        {"limits:\n  samples_burst: 5\n", "without samples_per_second"},
        {"limits:\n  tenants: 5\n", "must be a list of maps"},
        {"limits:\n  tenants: [a]\n", "must be a list of maps"},
        {"limits:\n  tenants:\n  - max_series: 5\n", "tenant"},
        {"limits:\n  tenants:\n  - tenant: \"\"\n", "1 to 64 bytes"},
        {"limits:\n  tenants:\n  - tenant: a\n  - tenant: a\n", "two rows"},
        {"limits:\n  tenants:\n  - tenant: a\n    maxseries: 1\n", "max_series"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct collector_limits_config conf;
        struct hale_err err = {0};
        assert_int_equal(read(CASES[i].text, &conf, &err), HALE_E_INVAL);
        collector_limits_config_fini(&conf);
        if (strstr(err.text, CASES[i].want) == NULL)
            fail_msg("%s: %s", CASES[i].text, err.text);
    }
}

static void takes(struct collector_tenant_limits *l, const char *tenant, size_t n,
                  int64_t at, enum hale_rc want, int64_t want_wait)
{
    int64_t wait;

    assert_int_equal(collector_tenant_limits_take(l, hale_str_from(tenant), n, at, &wait),
                     want);
    assert_int_equal(wait, want_wait);
}

static void buckets(void **state)
{
    struct collector_tenant_limits *l =
        limits("limits:\n  samples_per_second: 10\n  samples_burst: 20\n  tenants:\n"
               "  - tenant: free\n    samples_per_second: 0\n");
    int64_t t = 1000 * S;

    (void)state;
    takes(l, "a", 0, t, HALE_OK, 0);
    takes(l, "a", 21, t, HALE_E_LIMIT, 0);
    takes(l, "a", 15, t, HALE_OK, 0);
    takes(l, "a", 6, t, HALE_E_AGAIN, 100 * MS);
    takes(l, "a", 20, t, HALE_E_AGAIN, 1500 * MS);
    takes(l, "a", 5, t, HALE_OK, 0); /* what was refused cost nothing */
    takes(l, "a", 1, t, HALE_E_AGAIN, 100 * MS);
    takes(l, "a", 1, t + 99 * MS, HALE_E_AGAIN, 1 * MS);
    takes(l, "a", 1, t + 100 * MS, HALE_OK, 0);
    takes(l, "b", 20, t, HALE_OK, 0); /* others have their own */
    takes(l, "free", 1000000000, t, HALE_OK, 0);
    /* a long pause gives one burst, not more */
    takes(l, "a", 20, t + 3600 * S, HALE_OK, 0);
    takes(l, "a", 1, t + 3600 * S, HALE_E_AGAIN, 100 * MS);
    /* in a second, the rate */
    int64_t taken = 0;
    for (int64_t i = 1; i <= 1000; i++) {
        int64_t wait;
        taken += collector_tenant_limits_take(l, HALE_STR("a"), 1, t + 3600 * S + i * MS,
                                              &wait) == HALE_OK;
    }
    assert_int_equal(taken, 10);
    collector_tenant_limits_free(l);
}

static void another_configuration(void **state)
{
    struct collector_tenant_limits *l =
        limits("limits:\n  samples_per_second: 10\n  samples_burst: 10\n");
    struct collector_limits_config none = {0};
    struct collector_limits_config tight = {
        .each = {.samples_per_second = 1, .samples_burst = 1}};
    int64_t t = 5 * S;

    (void)state;
    takes(l, "a", 10, t, HALE_OK, 0);
    takes(l, "a", 1, t, HALE_E_AGAIN, 100 * MS);
    assert_int_equal(collector_tenant_limits_set(l, &none), HALE_OK);
    takes(l, "a", 1000, t, HALE_OK, 0);
    assert_int_equal(collector_tenant_limits_set(l, &tight), HALE_OK);
    takes(l, "a", 1, t, HALE_E_AGAIN, 1 * S); /* still what it has used up */
    takes(l, "a", 1, t + 1 * S, HALE_OK, 0);
    collector_tenant_limits_free(l);
}

/* Beyond the ceiling of buckets the tenants share one, until others are full again. */
static void many_tenants(void **state)
{
    struct collector_tenant_limits *l =
        limits("limits:\n  samples_per_second: 1\n  samples_burst: 1\n");
    char tenant[32];

    (void)state;
    for (int i = 0; i < COLLECTOR_LIMITED_TENANTS_MAX; i++) {
        (void)snprintf(tenant, sizeof(tenant), "t%d", i);
        takes(l, tenant, 1, S, HALE_OK, 0);
    }
    takes(l, "more", 1, S, HALE_OK, 0);
    takes(l, "evenmore", 1, S, HALE_E_AGAIN, S); /* the shared one */
    takes(l, "t5", 1, S, HALE_E_AGAIN, S);       /* is not forgotten */
    takes(l, "evenmore", 1, 3 * S, HALE_OK, 0);
    takes(l, "yetmore", 1, 3 * S, HALE_OK, 0); /* each its own again */
    takes(l, "yetmore", 1, 3 * S, HALE_E_AGAIN, S);
    collector_tenant_limits_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections),     cmocka_unit_test(wrong_sections),
        cmocka_unit_test(buckets),      cmocka_unit_test(another_configuration),
        cmocka_unit_test(many_tenants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
