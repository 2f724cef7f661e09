/* SPDX-License-Identifier: Apache-2.0 */
/* Influx's line protocol: what is read, what is refused and how, and which series it becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/influx_line.h"
#include "model/series.h"

static struct hale_influx_parser parser; /* large */

/* What the parser says of body, one line each: "key|field=value field=\"\"|time", "!reason text". */
static void show(struct hale_str body, enum hale_influx_unit unit, struct hale_buf *out)
{
    enum hale_influx_result r;

    hale_influx_init(&parser, body, unit);
    while ((r = hale_influx_next(&parser)) != HALE_INFLUX_END) {
        if (r == HALE_INFLUX_FAULT) {
            hale_buf_printf(out, "!%s %s\n", parser.reason, parser.err.text);
            continue;
        }
        hale_buf_add_str(out, parser.key);
        for (unsigned i = 0; i < parser.n_fields; i++) {
            hale_buf_add_char(out, i == 0 ? '|' : ' ');
            hale_buf_add_str(out, parser.fields[i].name);
            if (parser.fields[i].is_string)
                hale_buf_add_c(out, "=\"\"");
            else
                hale_buf_printf(out, "=%.17g", parser.fields[i].value);
        }
        if (parser.has_time)
            hale_buf_printf(out, "|%lld", (long long)parser.time_ms);
        hale_buf_add_char(out, '\n');
    }
}

static void reads(const char *body, size_t len, enum hale_influx_unit unit,
                  const char *want)
{
    struct hale_buf out;
    char *exact = malloc(len > 0 ? len : 1); /* nothing behind it: sanitizers look on */

    assert_non_null(exact);
    memcpy(exact, body, len);
    hale_buf_init(&out, 1u << 20);
    show((struct hale_str){exact, len}, unit, &out);
    assert_string_equal(out.p != NULL ? out.p : "", want);
    hale_buf_fini(&out);
    free(exact);
}

static void lines(void **state)
{
    static const struct {
        const char *body, *want;
    } CASES[] = {
        {"", ""},
        {"\n\r\n  \n# a comment, x=1\n#", ""},
        {"cpu value=1", "cpu|value=1\n"},
        {"cpu value=1\n", "cpu|value=1\n"},
        {"cpu value=1\r\nmem value=2\r\n", "cpu|value=1\nmem|value=2\n"},
        {"cpu value=1 5000000\r\n", "cpu|value=1|5\n"},
        {"cpu,host=a,dc=b value=1 1700000000123456789",
         "cpu,host=a,dc=b|value=1|1700000000123\n"},
        {"  cpu   value=1   7000000   \n", "cpu|value=1|7\n"},
        {"cpu a=1,b=2i,c=t,d=\"x\",e=-0.5", "cpu|a=1 b=2 c=1 d=\"\" e=-0.5\n"},
        {"#c\ncpu v=1\n# d\nmem v=2", "cpu|v=1\nmem|v=2\n"},
        {"cpu v=1 -1", "cpu|v=1|-1\n"},
        {"cpu v=1 -1000000", "cpu|v=1|-1\n"},
        /* escapes and quotes */
        {"a\\ b,t\\ 1=x\\,y\\=z f\\ 1\\,\\==3", "a\\ b,t\\ 1=x\\,y\\=z|f\\ 1\\,\\==3\n"},
        {"a,p=c:\\dir v=1", "a,p=c:\\dir|v=1\n"},
        {"a\\\\ b v=1", "a\\\\ b|v=1\n"},
        {"\\ v=1 w=2", "\\ v=1|w=2\n"},
        {"a,t=\"q\" v=1", "a,t=\"q\"|v=1\n"},
        {"a s=\"b c, d=e \\\" f\\\\\",v=2 3000000", "a|s=\"\" v=2|3\n"},
        {"a s=\"two\nlines\" 3000000\nb v=1", "a|s=\"\"|3\nb|v=1\n"},
        {"a s=\"\"", "a|s=\"\"\n"},
        {"\xc3\xa4,t=\xe2\x82\xac v=1", "\xc3\xa4,t=\xe2\x82\xac|v=1\n"},
        /* numbers */
        {"a v=12345678901234567890", "a|v=1.2345678901234567e+19\n"},
        {"a v=0.1,w=123456789.123456,x=1e3,y=1.5E-3,z=+4",
         "a|v=0.10000000000000001 w=123456789.123456 x=1000 y=0.0015 z=4\n"},
        {"a v=.5,w=5.,x=-0,y=00012", "a|v=0.5 w=5 x=-0 y=12\n"},
        {"a v=9223372036854775807i,w=-9223372036854775808i",
         "a|v=9.2233720368547758e+18 w=-9.2233720368547758e+18\n"},
        {"a v=18446744073709551615u", "a|v=1.8446744073709552e+19\n"},
        {"a v=true,w=False,x=T,y=f,z=TRUE,q=F,r=True,s=false,t=FALSE",
         "a|v=1 w=0 x=1 y=0 z=1 q=0 r=1 s=0 t=0\n"},
        {"a v=1e-400", "a|v=0\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        reads(CASES[i].body, strlen(CASES[i].body), HALE_INFLUX_NS, CASES[i].want);
    reads("a v=1\0002\nb v=1", 13, HALE_INFLUX_NS,
          "!value unable to parse 'a v=1?2': invalid number\nb|v=1\n");
}

static void faults(void **state)
{
    static const struct {
        const char *line, *reason, *text;
    } CASES[] = {
        {"cpu", "syntax", "missing fields"},
        {"cpu,host=a", "syntax", "missing fields"},
        {"cpu ", "syntax", "a field must be name=value"},
        {"cpu 1", "syntax", "a field must be name=value"},
        {",a=b v=1", "syntax", "missing measurement"},
        {"cpu =1", "syntax", "missing field name"},
        {"cpu v", "syntax", "a field must be name=value"},
        {"cpu v=", "syntax", "missing field value"},
        {"cpu v=,w=1", "syntax", "missing field value"},
        {"cpu v=1,", "syntax", "a field must be name=value"},
        {"cpu v=1,,w=1", "syntax", "a field must be name=value"},
        {"cpu v=1 w=2", "time", "invalid timestamp"},
        {"cpu v=x", "value", "invalid number"},
        {"cpu v=NaN", "value", "invalid number"},
        {"cpu v=-inf", "value", "invalid number"},
        {"cpu v=0x10", "value", "invalid number"},
        {"cpu v=1.2.3", "value", "invalid number"},
        {"cpu v=--1", "value", "invalid number"},
        {"cpu v=-", "value", "invalid number"},
        {"cpu v=i", "value", "invalid number"},
        {"cpu v=1.5i", "value", "invalid number"},
        {"cpu v=-1u", "value", "invalid number"},
        {"cpu v=tRue", "value", "invalid number"},
        {"cpu v=1e999", "value", "the number is out of range"},
        {"cpu v=9223372036854775808i", "value", "the number is out of range"},
        {"cpu v=18446744073709551616u", "value", "the number is out of range"},
        {"cpu v=\"a\"b", "syntax", "a comma or a blank must follow a value"},
        {"cpu v=1 1.5", "time", "invalid timestamp"},
        {"cpu v=1 now", "time", "invalid timestamp"},
        {"cpu v=1 9223372036854775808", "time", "the timestamp is out of range"},
        {"cpu v=1 5 6", "syntax", "more text follows the timestamp"},
        {"cpu v=1 5,w=2", "syntax", "more text follows the timestamp"},
        {"cpu v=1\rx", "syntax", "more text follows the timestamp"},
        {"cpu\\", "syntax", "missing fields"},
        {"cpu\\ v=1", "syntax", "missing fields"},
    };
    char body[300];
    char want[600];

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        /* alone, and between lines that are not touched by it */
        char shown[100];
        (void)snprintf(shown, sizeof(shown), "%s", CASES[i].line);
        for (char *p = shown; *p != '\0'; p++)
            *p = *p == '\r' ? '?' : *p;
        (void)snprintf(want, sizeof(want), "!%s unable to parse '%s': %s\n",
                       CASES[i].reason, shown, CASES[i].text);
        reads(CASES[i].line, strlen(CASES[i].line), HALE_INFLUX_NS, want);
        (void)snprintf(body, sizeof(body), "a v=1\n%s\r\nb v=2\n", CASES[i].line);
        (void)snprintf(want, sizeof(want), "a|v=1\n!%s unable to parse '%s': %s\nb|v=2\n",
                       CASES[i].reason, shown, CASES[i].text);
        reads(body, strlen(body), HALE_INFLUX_NS, want);
    }
}

/* The text of a string never counts as a line, whatever is wrong around it. */
static void strings_hide_lines(void **state)
{
    static const char AFTER[] = "a s=\"x\nb v=1\n\",v=z\nc v=3";
    static const char OPEN[] = "a v=1\na s=\"x\nb v=1\n";

    (void)state;
    reads(AFTER, strlen(AFTER), HALE_INFLUX_NS,
          "!value unable to parse 'a s=\"x': invalid number\nc|v=3\n");
    reads(OPEN, strlen(OPEN), HALE_INFLUX_NS,
          "a|v=1\n!syntax unable to parse 'a s=\"x': unbalanced quotes; nothing behind "
          "them "
          "is read\n");
}

static void units(void **state)
{
    static const struct {
        const char *unit, *time, *want; /* NULL: out of range */
    } CASES[] = {
        {NULL, "1999999", "1"},
        {"ns", "-1", "-1"},
        {"n", "9223372036854775807", "9223372036854"},
        {"ns", "-9223372036854775808", "-9223372036855"},
        {"us", "1700000000123456", "1700000000123"},
        {"u", "-1001", "-2"},
        {"\xc2\xb5", "1000", "1"},
        {"ms", "1700000000123", "1700000000123"},
        {"ms", "9223372036854", "9223372036854"},
        {"ms", "9223372036855", NULL},
        {"ms", "-9223372036855", NULL},
        {"s", "1700000000", "1700000000000"},
        {"s", "9223372037", NULL},
        {"s", "9223372036854775807", NULL},
        {"m", "28333333", "1699999980000"},
        {"h", "472222", "1699999200000"},
        {"h", "-9223372036854775808", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        enum hale_influx_unit unit;
        char body[64];
        char want[160];
        assert_int_equal(hale_influx_unit_parse(CASES[i].unit, &unit), HALE_OK);
        (void)snprintf(body, sizeof(body), "a v=1 %s", CASES[i].time);
        if (CASES[i].want != NULL)
            (void)snprintf(want, sizeof(want), "a|v=1|%s\n", CASES[i].want);
        else
            (void)snprintf(want, sizeof(want),
                           "!time unable to parse '%s': the timestamp is out of range\n",
                           body);
        reads(body, strlen(body), unit, want);
    }
    enum hale_influx_unit unit;
    assert_int_equal(hale_influx_unit_parse("", &unit), HALE_E_INVAL);
    assert_int_equal(hale_influx_unit_parse("day", &unit), HALE_E_INVAL);
}

/* Keys around the 16 bytes of a step, with what follows each at every place. */
static void every_length(void **state)
{
    char body[200];
    char want[200];

    (void)state;
    for (int n = 1; n < 70; n++) {
        for (int escape = 0; escape < n - 1; escape++) {
            char key[80];
            memset(key, 'k', (size_t)n);
            key[n] = '\0';
            key[escape] = '\\';
            key[escape + 1] = escape + 1 < n ? ' ' : 'k';
            (void)snprintf(body, sizeof(body), "%s v=1", key);
            (void)snprintf(want, sizeof(want), "%s|v=1\n", key);
            reads(body, strlen(body), HALE_INFLUX_NS, want);
        }
    }
}

static void many_fields(void **state)
{
    struct hale_buf body;

    (void)state;
    hale_buf_init(&body, 1u << 16);
    hale_buf_add_c(&body, "a f0=0");
    for (int i = 1; i < HALE_INFLUX_FIELDS_MAX; i++)
        hale_buf_printf(&body, ",f%d=%d", i, i);
    hale_influx_init(&parser, hale_buf_str(&body), HALE_INFLUX_NS);
    assert_int_equal(hale_influx_next(&parser), HALE_INFLUX_LINE);
    assert_int_equal(parser.n_fields, HALE_INFLUX_FIELDS_MAX);
    assert_true(parser.fields[HALE_INFLUX_FIELDS_MAX - 1].value == 1023.0);
    hale_buf_add_c(&body, ",more=1\nb v=1");
    hale_influx_init(&parser, hale_buf_str(&body), HALE_INFLUX_NS);
    assert_int_equal(hale_influx_next(&parser), HALE_INFLUX_FAULT);
    assert_non_null(strstr(parser.err.text, "more than 1024 fields"));
    assert_int_equal(hale_influx_next(&parser), HALE_INFLUX_LINE);
    assert_int_equal(hale_influx_next(&parser), HALE_INFLUX_END);
    hale_buf_fini(&body);
}

static void becomes_series(void **state)
{
    static const struct {
        const char *key, *field;
        const char *want; /* "name key=value ..." or "!message" */
    } CASES[] = {
        {"cpu", "value", "cpu"},
        {"cpu", "usage_idle", "cpu.usage_idle"},
        {"cpu,host=a", "value", "cpu host=a"},
        {"cpu,b=2,a=1", "x", "cpu.x a=1 b=2"},
        {"disk\\,used", "x", "!invalid characters"},
        {"m\\=", "x", "!invalid characters"},
        {"m,path=c:\\dir", "x", "!invalid characters in dimension value"},
        {"m,k\\ 1=a\\ b", "x", "m.x k 1=a b"},
        {"m,k=a\\,b\\=c", "x", "!invalid characters in dimension value a,b=c"},
        {"m,k=a\\\\", "x", "!invalid characters in dimension value"},
        {"m", "valu\\e", "!invalid characters"},
        {"m,k", "x", "!a tag must be key=value: for metric m.x"},
        {"m,k=", "x", "!a tag must be key=value"},
        {"m,=v", "x", "!invalid"},
        {"m,", "x", "!a tag must be key=value"},
        {"m,a=1,,b=2", "x", "!a tag must be key=value"},
        {"m,a=1=2", "x", "!a tag has two values"},
        {"m,a=1,a=2", "x", "!dimension key a is given twice"},
        {"m,_a=1", "x", "!invalid dimension key _a"},
        {"m,a=\xff", "x", "!"},
        {"m\xc3", "x", "!"},
        {"m,a=\xe2\x82\xac", "x", "m.x a=\xe2\x82\xac"},
        {"m,a=\"q\"", "x", "!invalid characters in dimension value"},
        {"m;", "x", "!invalid characters"},
        {"m", "a\\ b", "!invalid characters"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct hale_buf out;
        struct hale_buf text;
        struct hale_err err = {0};
        struct hale_series s;
        hale_buf_init(&out, 1u << 16);
        hale_buf_init(&text, 1u << 16);
        enum hale_rc rc =
            hale_influx_series(hale_str_from(CASES[i].key), hale_str_from(CASES[i].field),
                               HALE_STR("t1"), HALE_STR("r1"), &out, &err);
        if (CASES[i].want[0] == '!') {
            assert_int_equal(rc, HALE_E_INVAL);
            if (strstr(err.text, CASES[i].want + 1) == NULL)
                fail_msg("%s: %s", CASES[i].key, err.text);
        } else {
            if (rc != HALE_OK)
                fail_msg("%s: %s", CASES[i].key, err.text);
            assert_int_equal(hale_series_decode(hale_buf_str(&out), &s), HALE_OK);
            assert_true(hale_str_eq_c(s.tenant, "t1") && hale_str_eq_c(s.region, "r1"));
            hale_buf_add_str(&text, s.name);
            for (unsigned d = 0; d < s.n_dims; d++) {
                hale_buf_add_char(&text, ' ');
                hale_buf_add_str(&text, s.dims[d].key);
                hale_buf_add_char(&text, '=');
                hale_buf_add_str(&text, s.dims[d].value);
            }
            assert_string_equal(text.p, CASES[i].want);
        }
        hale_buf_fini(&out);
        hale_buf_fini(&text);
    }
}

static void series_ceilings(void **state)
{
    struct hale_buf key;
    struct hale_buf out;
    struct hale_err err = {0};

    (void)state;
    hale_buf_init(&key, 1u << 20);
    hale_buf_init(&out, 1u << 20);
    hale_buf_add_c(&key, "m");
    for (int i = 0; i < 64; i++)
        hale_buf_printf(&key, ",k%d=v", i);
    assert_int_equal(hale_influx_series(hale_buf_str(&key), HALE_STR("x"), HALE_STR("t"),
                                        HALE_STR("r"), &out, &err),
                     HALE_OK);
    hale_buf_add_c(&key, ",more=v");
    assert_int_equal(hale_influx_series(hale_buf_str(&key), HALE_STR("x"), HALE_STR("t"),
                                        HALE_STR("r"), &out, &err),
                     HALE_E_INVAL);
    assert_non_null(strstr(err.text, "more than 64 dimensions"));
    hale_buf_fini(&out);
    hale_buf_init(&out, 10);
    assert_int_equal(hale_influx_series(HALE_STR("m,a=b"), HALE_STR("x"), HALE_STR("t"),
                                        HALE_STR("r"), &out, &err),
                     HALE_E_LIMIT);
    hale_buf_fini(&out);
    hale_buf_fini(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(faults),
        cmocka_unit_test(strings_hide_lines),
        cmocka_unit_test(units),
        cmocka_unit_test(every_length),
        cmocka_unit_test(many_fields),
        cmocka_unit_test(becomes_series),
        cmocka_unit_test(series_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
