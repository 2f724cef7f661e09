/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown of a run: secrets are taken out wherever they stand, steps are put in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/run_view.h"

static json_t *plan_of(const char *step)
{
    json_t *plan = json_pack("[o]", json_loads(step, 0, NULL));
    json_t *run = json_pack("{s:s,s:o}", "id", "r", "plan", plan);
    json_t *seen = collector_run_whole(run);
    json_t *out = json_incref(json_array_get(json_object_get(seen, "plan"), 0));
    json_decref(seen);
    json_decref(run);
    return out;
}

static void test_secrets(void **state)
{
    static const struct {
        const char *step, *want;
    } cases[] = {
        {"{\"headers\":{\"X-A\":\"1\",\"B\":\"2\"}}",
         "{\"headers\":{\"X-A\":\"***\",\"B\":\"***\"}}"},
        {"{\"token_file\":\"/a\",\"x\":1}", "{\"x\":1}"},
        {"{\"args\":{\"ca_file\":\"/a\",\"host\":\"h\"}}", "{\"args\":{\"host\":\"h\"}}"},
        {"{\"url\":\"https://u:p@h:1/a/b?c=d#e\"}",
         "{\"url\":\"https://***@h:1/a/b?***\"}"},
        {"{\"url\":\"http://h/a@b\"}", "{\"url\":\"http://h/a@b\"}"},
        {"{\"url\":\"http://h\"}", "{\"url\":\"http://h\"}"},
        {"{\"url\":\"http://h#u@x\"}", "{\"url\":\"http://h?***\"}"},
        {"{\"body\":{\"a\":[{\"adminPassword\":\"x\"}],\"user\":\"y\"}}",
         "{\"body\":{\"a\":[{\"adminPassword\":\"***\"}],\"user\":\"y\"}}"},
        {"{\"env\":{\"PATH\":\"x\"},\"Environment\":{\"A\":\"b\"}}",
         "{\"env\":{\"PATH\":\"***\"},\"Environment\":{\"A\":\"***\"}}"},
        {"{\"auth\":\"bearer\",\"secret\":\"\",\"api_key\":\"k\",\"tokens\":7}",
         "{\"auth\":\"bearer\",\"secret\":\"\",\"api_key\":\"***\",\"tokens\":7}"},
        {"{\"secrets\":[\"a\",\"b\"]}", "{\"secrets\":[\"***\",\"***\"]}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *seen = plan_of(cases[i].step);
        char *text = json_dumps(seen, JSON_COMPACT);
        assert_non_null(text);
        assert_string_equal(text, cases[i].want);
        free(text);
        json_decref(seen);
    }
}

static void test_steps_in_words(void **state)
{
    json_t *run = json_loads(
        "{\"id\":\"r\",\"state\":\"open\",\"vars\":{\"a\":\"b\"},\"plan\":["
        "{\"type\":\"vnflcm\",\"operation\":\"heal\",\"vnf\":\"v1\",\"url\":\"http://"
        "m\"},"
        "{\"type\":\"nova\",\"name\":\"move\",\"action\":\"evacuate\",\"args\":{\"host\":"
        "\"c1\","
        "\"n\":2}}]}",
        0, NULL);
    json_t *seen = collector_run_short(run);
    (void)state;
    char *text = json_dumps(seen, JSON_COMPACT);
    assert_non_null(text);
    assert_string_equal(
        text,
        "{\"id\":\"r\",\"state\":\"open\",\"steps\":["
        "{\"what\":\"heal v1 http://m\",\"type\":\"vnflcm\",\"name\":\"0\"},"
        "{\"what\":\"evacuate host=c1 n=2\",\"type\":\"nova\",\"name\":\"move\"}]}");
    free(text);
    json_decref(seen);
    json_decref(run);
}

/* A step of any length is shown by its first characters, whole ones. */
static void test_long_words(void **state)
{
    char url[4000];
    (void)state;
    for (size_t i = 0; i + 2 < sizeof(url); i += 2)
        memcpy(url + i, "\xc3\xa4", 3);
    json_t *run = json_pack("{s:[{s:s,s:s}]}", "plan", "type", "webhook", "url", url);
    json_t *seen = collector_run_short(run);
    const json_t *what =
        json_object_get(json_array_get(json_object_get(seen, "steps"), 0), "what");
    assert_int_equal(json_string_length(what), 1024);
    json_decref(seen);
    json_decref(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_steps_in_words),
        cmocka_unit_test(test_long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
