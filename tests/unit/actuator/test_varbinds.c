/* SPDX-License-Identifier: Apache-2.0 */
/* What SNMP managers are told about an alarm: objects, numbers, ceilings. */
#include "actuator/varbinds.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/cmocka.h"

static struct hale_log_record *record(const char *changes)
{
    static const char base[] =
        "{\"v\":1,\"seq\":4294967303,\"kind\":\"transition\",\"time_ms\":1700000000500,"
        "\"old_state\":\"OK\",\"alarm\":{\"v\":1,\"id\":\"a1\",\"tenant\":\"t\","
        "\"source\":"
        "\"metric\",\"definition_id\":\"d1\",\"definition_name\":\"dns slow\","
        "\"description\":\"\",\"severity\":\"HIGH\",\"actions_enabled\":true,\"group\":"
        "{\"hostname\":\"h1\"},\"metrics\":[],\"state\":\"ALARM\",\"reason\":\"x\","
        "\"sub_alarms\":[],\"created_ms\":1600000000000,\"updated_ms\":1700000000500,"
        "\"state_updated_ms\":1700000000500,\"seq\":7},\"accepted_us\":1,\"decided_us\":"
        "2,"
        "\"logged_us\":3}";
    static struct hale_log_record rec;
    json_t *all = json_loads(base, 0, NULL), *more = json_loads(changes, 0, NULL);
    assert_non_null(all);
    assert_non_null(more);
    json_t *alarm = json_object_get(more, "alarm");
    if (alarm != NULL)
        assert_int_equal(json_object_update(json_object_get(all, "alarm"), alarm), 0);
    (void)json_object_del(more, "alarm");
    assert_int_equal(json_object_update(all, more), 0);
    char *text = json_dumps(all, JSON_COMPACT);
    assert_int_equal(hale_log_record_decode(hale_str_from(text), &rec), HALE_OK);
    free(text);
    json_decref(all);
    json_decref(more);
    return &rec;
}

static void tell(struct hale_log_record *rec, struct actuator_varbinds *out)
{
    const struct actuator_profile_note n = {
        .rec = rec, .id = "0f5b4a3e-0000-4000-8000-000000000001", .subscriber = "nms"};
    struct hale_buf body;
    hale_buf_init(&body, 1u << 16);
    assert_int_equal(actuator_profile_body(ACTUATOR_PROFILE_SNMP, &n, &body), HALE_OK);
    assert_int_equal(actuator_varbinds_read(hale_buf_str(&body), out), HALE_OK);
    hale_buf_fini(&body);
    hale_log_record_fini(rec);
}

static const struct actuator_varbind *of(const struct actuator_varbinds *v,
                                         unsigned object)
{
    for (unsigned i = 0; i < v->n; i++)
        if (v->v[i].object == object)
            return &v->v[i];
    return NULL;
}

static void is_text(const struct actuator_varbinds *v, unsigned object,
                    const char *wanted)
{
    const struct actuator_varbind *one = of(v, object);
    assert_non_null(one);
    assert_int_equal(one->type, ACTUATOR_VAR_TEXT);
    assert_int_equal(one->text.len, strlen(wanted));
    assert_memory_equal(one->text.p, wanted, one->text.len);
}

static void is_number(const struct actuator_varbinds *v, unsigned object,
                      enum actuator_vartype type, int64_t wanted)
{
    const struct actuator_varbind *one = of(v, object);
    assert_non_null(one);
    assert_int_equal(one->type, type);
    assert_int_equal(one->number, wanted);
}

static void all_objects(void **state)
{
    (void)state;
    struct actuator_varbinds v;
    tell(record("{}"), &v);
    assert_int_equal(v.notification, 1);
    assert_int_equal(v.n, 18); /* those that HALE-MIB lists, in its order */
    for (unsigned i = 0; i < v.n; i++)
        assert_int_equal(v.v[i].object, i + 1);
    is_text(&v, 1, "0f5b4a3e-0000-4000-8000-000000000001");
    is_number(&v, 2, ACTUATOR_VAR_COUNTER, 4294967303);
    is_text(&v, 3, "a1");
    is_text(&v, 4, "d1");
    is_text(&v, 5, "dns slow");
    is_text(&v, 6, "");
    is_text(&v, 7, "t");
    is_number(&v, 8, ACTUATOR_VAR_INTEGER, 4);
    is_number(&v, 9, ACTUATOR_VAR_INTEGER, 3);
    is_number(&v, 10, ACTUATOR_VAR_INTEGER, 3);
    is_number(&v, 11, ACTUATOR_VAR_INTEGER, 549);
    is_text(&v, 12, "h1");
    is_text(&v, 13, "{\"hostname\":\"h1\"}");
    is_number(&v, 14, ACTUATOR_VAR_INTEGER, 3);
    is_number(&v, 15, ACTUATOR_VAR_INTEGER, 1);
    is_text(&v, 16, "x");
    is_number(&v, 17, ACTUATOR_VAR_DATE, 1700000000500);
    is_number(&v, 18, ACTUATOR_VAR_DATE, 1600000000000);
    actuator_varbinds_fini(&v);
}

static void life(void **state)
{
    (void)state;
    struct actuator_varbinds v;
    tell(
        record(
            "{\"alarm\":{\"lifecycle_state\":\"OPEN\",\"link\":\"https://w/1\",\"life\":{"
            "\"entity\":{\"type\":\"host\",\"id\":\"c1\"},\"onset_ms\":1700000000000,"
            "\"causes\":[\"a9\",\"a8\"],\"root_entity\":{\"type\":\"switch\",\"id\":"
            "\"s1\"},"
            "\"symptoms\":12,\"affected\":{\"count\":3,\"entities\":[]}}}}"),
        &v);
    is_text(&v, 12, "c1");
    is_text(&v, 19, "host");
    is_number(&v, 20, ACTUATOR_VAR_DATE, 1700000000000);
    is_text(&v, 21, "a9");
    is_text(&v, 22, "switch/s1");
    is_number(&v, 23, ACTUATOR_VAR_GAUGE, 12);
    is_number(&v, 24, ACTUATOR_VAR_GAUGE, 3);
    is_text(&v, 25, "OPEN");
    is_text(&v, 26, "https://w/1");
    actuator_varbinds_fini(&v);
}

static void notifications_and_severities(void **state)
{
    (void)state;
    static const struct {
        const char *changes;
        unsigned notification;
        int64_t perceived;
    } cases[] = {
        {"{\"alarm\":{\"severity\":\"LOW\"}}", 1, 6},
        {"{\"alarm\":{\"severity\":\"MEDIUM\"}}", 1, 5},
        {"{\"alarm\":{\"severity\":\"CRITICAL\"}}", 1, 3},
        {"{\"kind\":\"created\",\"old_state\":\"ALARM\"}", 1, 4},
        {"{\"old_state\":\"UNDETERMINED\"}", 1, 4},
        {"{\"kind\":\"updated\",\"old_state\":\"ALARM\"}", 2, 4},
        {"{\"old_state\":\"ALARM\",\"alarm\":{\"state\":\"UNDETERMINED\"}}", 2, 2},
        {"{\"old_state\":\"ALARM\",\"alarm\":{\"state\":\"OK\"}}", 3, 1},
        {"{\"old_state\":\"ALARM\",\"kind\":\"deleted\"}", 3, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_varbinds v;
        tell(record(cases[i].changes), &v);
        assert_int_equal(v.notification, cases[i].notification);
        is_number(&v, 8, ACTUATOR_VAR_INTEGER, cases[i].perceived);
        actuator_varbinds_fini(&v);
    }
}

static void classes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *source;
        int64_t event_type, cause;
    } cases[] = {{"compute.host.down", "event", 5, 514},
                 {"compute.vm", "event", 4, 554},
                 {"nic.down", "metric", 2, 505},
                 {"net.errors", "metric", 3, 532},
                 {"disk.failed", "event", 5, 73},
                 {"power.lost", "event", 6, 533},
                 {"fan", "event", 6, 107},
                 {"temperature.high", "metric", 6, 548},
                 {"service.down", "event", 4, 546},
                 {"vnfc.down", "event", 1, 1024}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct actuator_varbinds v;
        char changes[128];
        (void)snprintf(changes, sizeof(changes),
                       "{\"alarm\":{\"definition_name\":\"%s\",\"source\":\"%s\"}}",
                       cases[i].name, cases[i].source);
        tell(record(changes), &v);
        is_number(&v, 10, ACTUATOR_VAR_INTEGER, cases[i].event_type);
        is_number(&v, 11, ACTUATOR_VAR_INTEGER, cases[i].cause);
        actuator_varbinds_fini(&v);
    }
}

static void hostile_text(void **state)
{
    (void)state;
    struct actuator_varbinds v;
    tell(record(
             "{\"alarm\":{\"definition_name\":\"a\\r\\nb\\u001b[2Jc\\u0085d\\u007f\\\"\","
             "\"reason\":\"%s%n\\u20ac\"}}"),
         &v);
    is_text(&v, 5, "a  b [2Jc d \"");
    is_text(&v, 16, "%s%n\xe2\x82\xac");
    actuator_varbinds_fini(&v);
}

/* Bytes of the list on the wire, with the default arc. */
static size_t wire_bytes(const struct actuator_varbinds *v)
{
    size_t n = 50;
    for (unsigned i = 0; i < v->n; i++) {
        const struct actuator_varbind *one = &v->v[i];
        size_t len = one->type == ACTUATOR_VAR_TEXT   ? one->text.len
                     : one->type == ACTUATOR_VAR_DATE ? 11
                                                      : 9;
        size_t value = len + (len < 128 ? 2 : len < 256 ? 3 : 4);
        size_t pair = 18 + value;
        n += pair + (pair < 128 ? 2 : pair < 256 ? 3 : 4);
    }
    return n;
}

static void well_formed(const struct actuator_varbinds *v)
{
    for (unsigned i = 0; i < v->n; i++)
        for (size_t at = 0; at < v->v[i].text.len;) {
            size_t step = hale_utf8_step(v->v[i].text.p + at, v->v[i].text.len - at);
            assert_true(step > 0);
            at += step;
        }
}

/* n characters of three bytes, after `shift` of one. */
static const char *long_text(char *dst, size_t n, size_t shift)
{
    memset(dst, 'x', shift);
    for (size_t i = 0; i < n; i++)
        memcpy(dst + shift + 3 * i, "\xe5\x85\xac", 3);
    dst[shift + 3 * n] = '\0';
    return dst;
}

static void ceilings(void **state)
{
    (void)state;
    char reason[4096], short_text[300], changes[16384];
    for (size_t shift = 0; shift < 3; shift++) {
        struct actuator_varbinds v;
        (void)snprintf(changes, sizeof(changes), "{\"alarm\":{\"reason\":\"%s\"}}",
                       long_text(reason, 1000, shift));
        tell(record(changes), &v);
        const struct hale_str cut = of(&v, 16)->text;
        assert_true(cut.len > 500 && cut.len <= 1024);
        assert_memory_equal(cut.p + cut.len - 3, "\xe2\x80\xa6", 3);
        well_formed(&v);
        assert_in_range(wire_bytes(&v), 1, ACTUATOR_VARBINDS_BYTES);
        actuator_varbinds_fini(&v);

        long_text(short_text, 85, shift);
        (void)snprintf(
            changes, sizeof(changes),
            "{\"alarm\":{\"id\":\"%.40s\",\"tenant\":\"%s\",\"definition_id\":\"%s\","
            "\"definition_name\":\"%s\",\"description\":\"%s\",\"group\":{\"hostname\":"
            "\"%s\"},\"reason\":\"%s\",\"lifecycle_state\":\"%s\",\"link\":\"%s\","
            "\"life\":{"
            "\"entity\":{\"type\":\"%s\",\"id\":\"%s\"},\"onset_ms\":1,\"causes\":[\"%"
            "s\"],"
            "\"root_entity\":{\"type\":\"%s\",\"id\":\"%s\"},\"symptoms\":9,\"affected\":"
            "{"
            "\"count\":1}}}}",
            "0f5b4a3e-0000-4000-8000-000000000001", short_text, short_text, short_text,
            reason, short_text, reason, short_text, short_text, short_text, short_text,
            short_text, short_text, short_text);
        tell(record(changes), &v);
        assert_int_equal(v.n, 26);
        well_formed(&v);
        assert_in_range(wire_bytes(&v), 1, ACTUATOR_VARBINDS_BYTES);
        is_text(&v, 3, "0f5b4a3e-0000-4000-8000-000000000001");
        assert_true(of(&v, 16)->text.len >=
                    90); /* something of the reason is always told */
        assert_int_equal(of(&v, 6)->text.len, 0);
        actuator_varbinds_fini(&v);
    }
}

static void date(void **state)
{
    (void)state;
    unsigned char got[ACTUATOR_DATE_BYTES];
    static const unsigned char wanted[] = {0x07, 0xe7, 11, 14, 22, 13, 20, 5, '+', 0, 0};
    actuator_varbinds_date(1700000000599, got);
    assert_memory_equal(got, wanted, sizeof(wanted));
}

static void foreign_bodies(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "{}",
        "[]",
        "{\"notification\":1}",
        "{\"notification\":0,\"vars\":[]}",
        "{\"notification\":1,\"vars\":[[1,\"x\",1]]}",
        "{\"notification\":1,\"vars\":[[1,\"s\",1]]}",
        "{\"notification\":1,\"vars\":[[1,\"i\",\"1\"]]}",
        "{\"notification\":1,\"vars\":[7]}",
        "{\"notification\":1,\"vars\":[[\"1\",\"i\",1]]}",
        "{\"notification\":1,\"vars\":[[1,\"\",1]]}"};
    struct actuator_varbinds v;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_int_equal(actuator_varbinds_read(hale_str_from(bodies[i]), &v),
                         HALE_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_objects),
        cmocka_unit_test(life),
        cmocka_unit_test(notifications_and_severities),
        cmocka_unit_test(classes),
        cmocka_unit_test(hostile_text),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(date),
        cmocka_unit_test(foreign_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
