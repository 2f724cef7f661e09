/* SPDX-License-Identifier: Apache-2.0 */
/* collectd's value lists: what they are called here, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/collectd_list.h"
#include "model/series.h"

#define CPU "\"host\":\"h1\",\"plugin\":\"cpu\",\"type\":\"percent\""

static void add_series(const struct collector_collectd_list *l, struct hale_str dsname,
                       struct hale_buf *out)
{
    char spelling[512];
    struct hale_buf canonical;
    struct hale_series s;
    struct hale_err err = {0};
    size_t n = collector_collectd_spelling_bytes(l);

    assert_true(n <= sizeof(spelling));
    collector_collectd_spell(l, spelling);
    hale_buf_init(&canonical, 65536);
    if (collector_collectd_series((struct hale_str){spelling, n}, dsname, HALE_STR("t"),
                                  HALE_STR("r"), &canonical, &err) != HALE_OK) {
        hale_buf_printf(out, "!%s", err.text);
    } else {
        assert_int_equal(hale_series_decode(hale_buf_str(&canonical), &s), HALE_OK);
        hale_buf_add_str(out, s.name);
        for (unsigned i = 0; i < s.n_dims; i++)
            hale_buf_printf(out, " %.*s=%.*s", (int)s.dims[i].key.len, s.dims[i].key.p,
                            (int)s.dims[i].value.len, s.dims[i].value.p);
    }
    hale_buf_fini(&canonical);
}

/* "series=value@ms; ..." of one list, "!reason text" of a refused one. */
static void show(const json_t *item, struct hale_buf *out)
{
    struct collector_collectd_list l;
    struct hale_err err = {0};

    if (collector_collectd_read(item, &l, &err) != HALE_OK) {
        hale_buf_printf(out, "!%s %s", l.reason, err.text);
        return;
    }
    for (size_t i = 0; i < l.n_values; i++) {
        double value = 0;
        struct hale_str dsname;
        enum collector_collectd_kind kind =
            collector_collectd_value(&l, i, &value, &dsname);
        if (i > 0)
            hale_buf_add_c(out, "; ");
        if (kind == COLLECTOR_COLLECTD_NUMBER) {
            add_series(&l, dsname, out);
            hale_buf_printf(out, "=%.17g", value);
        } else {
            hale_buf_add_c(out, kind == COLLECTOR_COLLECTD_NULL ? "null" : "bad");
        }
    }
    if (l.has_time)
        hale_buf_printf(out, "@%lld", (long long)l.time_ms);
}

static void lists(void **state)
{
    static const struct {
        const char *json, *want;
    } CASES[] = {
        {"{" CPU
         ",\"plugin_instance\":\"0\",\"type_instance\":\"idle\",\"dsnames\":[\"value\"],"
         "\"values\":[98.5],\"time\":1700000000.123,\"interval\":10,\"meta\":{\"x\":true}"
         "}",
         "cpu.percent hostname=h1 plugin_instance=0 "
         "type_instance=idle=98.5@1700000000123"},
        {"{" CPU ",\"plugin_instance\":\"\",\"type_instance\":\"\",\"values\":[1]}",
         "cpu.percent hostname=h1=1"},
        {"{" CPU ",\"dsnames\":[\"rx\",\"tx\"],\"values\":[1,2]}",
         "cpu.percent.rx hostname=h1=1; cpu.percent.tx hostname=h1=2"},
        {"{" CPU ",\"dsnames\":[\"a\",\"b\",\"c\"],\"values\":[null,2,null],\"time\":1}",
         "null; cpu.percent.b hostname=h1=2; null@1000"},
        {"{" CPU ",\"values\":[18446744073709551615]}", "!parse"},
        {"{" CPU ",\"values\":[9223372036854775807]}",
         "cpu.percent hostname=h1=9.2233720368547758e+18"},
        {"{" CPU ",\"values\":[\"1\"]}", "bad"},
        {"{" CPU ",\"values\":[true]}", "bad"},
        {"{" CPU ",\"dsnames\":[1],\"values\":[1]}", "bad"},
        {"{" CPU ",\"dsnames\":[\"\"],\"values\":[1]}", "bad"},
        {"{" CPU ",\"values\":[1],\"time\":-0.0004}", "cpu.percent hostname=h1=1@0"},
        {"{" CPU ",\"values\":[1],\"time\":null}", "cpu.percent hostname=h1=1"},
        {"{" CPU ",\"values\":[1],\"time\":\"1\"}",
         "!time time must be a number of seconds"},
        {"{" CPU ",\"values\":[1],\"time\":1e10}",
         "!time time must be a number of seconds"},
        {"{" CPU ",\"values\":[1,2]}", "!syntax dsnames must name each of the values"},
        {"{" CPU ",\"dsnames\":[\"a\"],\"values\":[1,2]}",
         "!syntax dsnames must name each of the values"},
        {"{" CPU ",\"dsnames\":\"a\",\"values\":[1]}",
         "!syntax dsnames must name each of the values"},
        {"{" CPU ",\"values\":[]}", "!syntax values must be a list of numbers"},
        {"{" CPU ",\"values\":1}", "!syntax values must be a list of numbers"},
        {"{" CPU "}", "!syntax values must be a list of numbers"},
        {"{\"host\":\"h\",\"plugin\":\"p\",\"values\":[1]}",
         "!syntax a value list needs the texts host, plugin and type (notifications are "
         "not "
         "taken)"},
        {"{\"host\":\"\",\"plugin\":\"p\",\"type\":\"t\",\"values\":[1]}",
         "!syntax a value list needs the texts host, plugin and type (notifications are "
         "not "
         "taken)"},
        {"{" CPU ",\"type_instance\":5,\"values\":[1]}",
         "!syntax a value list needs the texts host, plugin and type (notifications are "
         "not "
         "taken)"},
        {"7", "!syntax a value list needs the texts host, plugin and type (notifications "
              "are not "
              "taken)"},
        {"{" CPU ",\"type_instance\":\"a;b\",\"values\":[1]}",
         "!invalid characters in dimension value a;b: for metric cpu.percent=1"},
        {"{\"host\":\"h\",\"plugin\":\"p q\",\"type\":\"t\",\"values\":[1]}",
         "!invalid characters in metric name p q.t: for metric p q.t=1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf out;
        hale_buf_init(&out, 65536);
        json_t *item =
            json_loadb(CASES[i].json, strlen(CASES[i].json), JSON_DECODE_ANY, NULL);
        if (item == NULL)
            hale_buf_add_c(&out, "!parse");
        else
            show(item, &out);
        assert_string_equal(out.p, CASES[i].want);
        json_decref(item);
        hale_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
