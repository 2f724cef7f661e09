/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "model/yaml.h"
#include "support/fail_alloc.h"

struct settings {
    char *redis;
    bool verbose;
    int64_t port;
    double ratio;
    int64_t wait_ms;
    int64_t memory_bytes;
    int mode;
    const struct hale_yaml_node *section;
    char *token;
};

static const char *const modes[] = {"observe", "auto", NULL};
#define AT(field) offsetof(struct settings, field)
static const struct hale_conf_field fields[] = {
    {"redis", HALE_CONF_STRING, AT(redis), false, "unix:/run/redis", 0, 0, NULL,
     "address"},
    {"verbose", HALE_CONF_BOOL, AT(verbose), false, "yes", 0, 0, NULL, "say more"},
    {"port", HALE_CONF_INT, AT(port), false, "8070", 1, 65535, NULL, "TCP port"},
    {"ratio", HALE_CONF_DOUBLE, AT(ratio), false, "0.5", 0, 1, NULL, "part"},
    {"wait", HALE_CONF_DURATION, AT(wait_ms), false, "10s", 1000, 3600000, NULL,
     "patience"},
    {"memory", HALE_CONF_BYTES, AT(memory_bytes), false, "64m", 1024, 1 << 30, NULL,
     "ceiling"},
    {"mode", HALE_CONF_ENUM, AT(mode), false, "observe", 0, 0, modes, "what to do"},
    {"section", HALE_CONF_NODE, AT(section), false, NULL, 0, 0, NULL, "more settings"},
    {"token", HALE_CONF_STRING, AT(token), false, NULL, 0, 0, NULL, "secret"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static enum hale_rc read_text(const char *text, struct settings *out,
                              struct hale_err *err)
{
    struct hale_yaml *y;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_yaml_load(hale_str_from(text), "t.yaml", &y, err);
    if (rc == HALE_OK)
        rc = hale_conf_read(hale_yaml_root(y), fields, N_FIELDS, out, err);
    out->section = NULL; /* dies with the document */
    hale_yaml_free(y);
    return rc;
}

static void errors_name_the_place_and_the_fix(void **state)
{
    static const struct {
        const char *text;
        const char *error; /* beginning of hale_err_str */
    } cases[] = {
        {"redsi: x\n", "t.yaml:1: unknown key 'redsi' - did you mean 'redis'?"},
        {"port: 1\n\nfoo: 1\n",
         "t.yaml:3: unknown key 'foo'; known here: redis, verbose, port"},
        {"port: 0\n", "t.yaml:1: port must be between 1 and 65535, got '0'"},
        {"port: 65536\n", "t.yaml:1: port must be between 1 and 65535, got '65536'"},
        {"port: 80a\n", "t.yaml:1: port must be a whole number, got '80a'"},
        {"port: 99999999999999999999\n",
         "t.yaml:1: port must be a whole number that fits"},
        {"ratio: 1.5\n", "t.yaml:1: ratio must be between 0 and 1, got '1.5'"},
        {"ratio: half\n", "t.yaml:1: ratio must be a number, got 'half'"},
        {"wait: 10\n", "t.yaml:1: wait needs a unit: write '10s'"},
        {"wait: 1ms\n", "t.yaml:1: wait must be between 1s and 1h, got '1ms'"},
        {"wait: soon\n", "t.yaml:1: wait must be a duration such as"},
        {"memory: 1x\n", "t.yaml:1: memory must be a size in bytes such as"},
        {"memory: 1\n", "t.yaml:1: memory must be between 1k and 1g, got '1'"},
        {"mode: auot\n", "t.yaml:1: mode cannot be 'auot' - did you mean 'auto'?"},
        {"mode: banana\n",
         "t.yaml:1: mode cannot be 'banana'; it is one of: observe, auto"},
        {"verbose: maybe\n", "t.yaml:1: verbose must be true or false, got 'maybe'"},
        {"redis: [1]\n", "t.yaml:1: redis must be a single value (text), not a list"},
        {"redis:\n  a: 1\n", "t.yaml:2: redis must be a single value (text), not a map"},
        {"redis: \"a\\0b\"\n", "t.yaml:1: redis must not contain a NUL"},
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3: key 'a' is given twice (first in line 1)"},
        {"\tredis: x\n", "t.yaml:1:1: a tab in the indentation; use blanks"},
        {"section:\n\tx: 1\n", "t.yaml:2:1: a tab in the indentation; use blanks"},
        {"redis: a: b\n", "t.yaml:1:9: ': ' is not expected here"},
        {"port: 1\nredis: 'abc\n", "t.yaml:2:8: the quotes opened here are never closed"},
        {"redis: @x\n", "t.yaml:1:8: a plain value cannot start with this character"},
        {"redis: *x\n", "t.yaml:1:8: aliases ('*name') are not supported"},
        {"redis: &x a\ntoken: *x\n", "t.yaml:2:8: aliases ('*name') are not supported"},
        {"redis: !secret x\n", "t.yaml:1:8: tags ('!...') are not supported"},
        {"hello\n",
         "t.yaml:1: expected a map of settings ('key: value' lines), not a single"},
        {"- 1\n",
         "t.yaml:1: expected a map of settings ('key: value' lines), not a list"},
        {"section: [1, 2\n", "t.yaml:2:1: a ',' or the closing ']' is missing"},
        {"a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document"},
        {"port: 1\nredis: \xff\n", "t.yaml:2:1: the text is not UTF-8"},
        {"section:\n  b: 1\n c: 2\n",
         "t.yaml:3:2: the indentation of this line does not fit"},
        {"{a: 1}: 2\n", "t.yaml:1:1: a key must be plain text"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct settings s;
        struct hale_err err = {0};
        char text[512];
        assert_int_equal(read_text(cases[i].text, &s, &err), HALE_E_INVAL);
        (void)hale_err_str(&err, text, sizeof(text));
        if (strncmp(text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s gave: %s\nwanted: %s", cases[i].text, text, cases[i].error);
        assert_null(s.redis);
        assert_null(s.token);
    }
}

static void defaults_and_values_are_read(void **state)
{
    struct settings s;
    (void)state;
    static const char *const empty[] = {"", "# nothing\n", "---\n", "{}\n",
                                        "redis:\nport: ~\n"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        assert_int_equal(read_text(empty[i], &s, NULL), HALE_OK);
        assert_string_equal(s.redis, "unix:/run/redis");
        assert_true(s.verbose);
        assert_int_equal(s.port, 8070);
        assert_true(s.ratio == 0.5);
        assert_int_equal(s.wait_ms, 10000);
        assert_int_equal(s.memory_bytes, 64 << 20);
        assert_int_equal(s.mode, 0);
        assert_null(s.token);
        hale_conf_fini(fields, N_FIELDS, &s);
    }
    assert_int_equal(
        read_text("redis: 'tcp:[::1]:6379'\nverbose: Off\nport: 65535\nratio: 1\n"
                  "wait: 1m30s\nmemory: 2k\nmode: auto\ntoken: \"\"\n",
                  &s, NULL),
        HALE_OK);
    assert_string_equal(s.redis, "tcp:[::1]:6379");
    assert_false(s.verbose);
    assert_int_equal(s.port, 65535);
    assert_int_equal(s.wait_ms, 90000);
    assert_int_equal(s.memory_bytes, 2048);
    assert_int_equal(s.mode, 1);
    assert_string_equal(s.token, "");
    hale_conf_fini(fields, N_FIELDS, &s);
    assert_null(s.redis);
}

static void required_keys_are_asked_for(void **state)
{
    static const struct hale_conf_field need[] = {
        {"redis", HALE_CONF_STRING, AT(redis), true, NULL, 0, 0, NULL,
         "address of Redis"},
        {"section", HALE_CONF_NODE, AT(section), true, NULL, 0, 0, NULL, "the rules"},
    };
    static const char *const cases[][2] = {
        {"section: [1]\n", "t.yaml:1: missing key 'redis' (address of Redis)"},
        {"section: [1]\nredis:\n", "t.yaml:2: no value for 'redis' (address of Redis)"},
        {"redis: a\n", "t.yaml:1: the section 'section' is missing (the rules)"},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct hale_yaml *y;
        struct settings s = {0};
        struct hale_err err = {0};
        char text[512];
        assert_int_equal(hale_yaml_load(hale_str_from(cases[i][0]), "t.yaml", &y, &err),
                         HALE_OK);
        assert_int_equal(hale_conf_read(hale_yaml_root(y), need, 2, &s, &err),
                         HALE_E_INVAL);
        assert_string_equal(hale_err_str(&err, text, sizeof(text)), cases[i][1]);
        hale_yaml_free(y);
    }
}

static void the_tree_knows_lines_kinds_and_quotes(void **state)
{
    struct hale_yaml *y;
    struct hale_str key;
    int line;
    (void)state;
    assert_int_equal(
        hale_yaml_load(HALE_STR("a: '1'\nb:\n  - x\n  - ~\n  - {c: d}\n"), "f", &y, NULL),
        HALE_OK);
    const struct hale_yaml_node *root = hale_yaml_root(y), *b = hale_yaml_get(root, "b");
    assert_int_equal(hale_yaml_kind(root), HALE_YAML_MAP);
    assert_int_equal(hale_yaml_count(root), 2);
    assert_true(hale_yaml_quoted(hale_yaml_get(root, "a")));
    assert_int_equal(hale_yaml_kind(b), HALE_YAML_LIST);
    assert_int_equal(hale_yaml_count(b), 3);
    assert_true(hale_str_eq_c(hale_yaml_text(hale_yaml_item(b, 0)), "x"));
    assert_false(hale_yaml_quoted(hale_yaml_item(b, 0)));
    assert_int_equal(hale_yaml_kind(hale_yaml_item(b, 1)), HALE_YAML_NULL);
    const struct hale_yaml_node *d = hale_yaml_pair(hale_yaml_item(b, 2), 0, &key, &line);
    assert_true(hale_str_eq_c(key, "c"));
    assert_int_equal(line, 5);
    assert_int_equal(hale_yaml_line(d), 5);
    assert_string_equal(hale_yaml_source(d), "f");
    assert_null(hale_yaml_item(b, 3));
    assert_null(hale_yaml_pair(root, 2, &key, &line));
    assert_null(hale_yaml_get(root, "z"));
    assert_null(hale_yaml_get(b, "a"));
    assert_int_equal(hale_yaml_kind(NULL), HALE_YAML_NULL);
    hale_yaml_free(y);
    hale_yaml_free(NULL);
}

static void limits_hold(void **state)
{
    struct hale_yaml *y;
    struct hale_err err = {0};
    struct hale_buf text;
    (void)state;
    hale_buf_init(&text, 8u << 20);
    for (int i = 0; i < 33; i++)
        hale_buf_add_char(&text, '[');
    assert_int_equal(hale_yaml_load(hale_buf_str(&text), "t", &y, &err), HALE_E_LIMIT);
    assert_null(y);
    hale_buf_reset(&text);
    for (int i = 0; i < 200001; i++)
        hale_buf_add_c(&text, "- 1\n");
    assert_int_equal(hale_yaml_load(hale_buf_str(&text), "t", &y, &err), HALE_E_LIMIT);
    assert_non_null(strstr(err.text, "200000"));
    hale_buf_reset(&text);
    assert_non_null(hale_buf_reserve(&text, (4u << 20) + 1));
    memset(text.p, '#', (4u << 20) + 1);
    struct hale_str large = {text.p, (4u << 20) + 1};
    assert_int_equal(hale_yaml_load(large, "t", &y, &err), HALE_E_LIMIT);
    hale_buf_fini(&text);
}

static void files_are_read(void **state)
{
    char path[] = "/tmp/hale-test-yaml-XXXXXX";
    struct hale_yaml *y;
    struct hale_err err = {0};
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd,
                           "\xef\xbb\xbf"
                           "a: 1\n",
                           8),
                     8);
    assert_int_equal(close(fd), 0);
    assert_int_equal(hale_yaml_load_file(path, &y, &err), HALE_OK);
    assert_non_null(hale_yaml_get(hale_yaml_root(y), "a"));
    assert_string_equal(hale_yaml_source(hale_yaml_root(y)), path);
    hale_yaml_free(y);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(hale_yaml_load_file(path, &y, &err), HALE_E_NOTFOUND);
    assert_null(y);
}

static void describe_lists_every_key(void **state)
{
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 4096);
    hale_conf_describe(fields, N_FIELDS, &out);
    assert_false(out.failed);
    assert_non_null(strstr(out.p, "  wait     duration  10s              patience\n"));
    assert_non_null(strstr(out.p, "what to do (observe, auto)\n"));
    hale_buf_fini(&out);
}

static void every_failed_allocation_is_survived(void **state)
{
    struct settings s;
    struct hale_err err;
    bool hit = true;
    (void)state;
    for (unsigned long n = 1; hit; n++) {
        fail_alloc_in = n;
        enum hale_rc rc = read_text("redis: a\nsection: [1, {b: c, d: [e]}]\n", &s, &err);
        hit = fail_alloc_in == 0;
        fail_alloc_in = 0;
        assert_int_equal(rc, hit ? HALE_E_NOMEM : HALE_OK);
        assert_true(n < 1000);
    }
    hale_conf_fini(fields, N_FIELDS, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_the_place_and_the_fix),
        cmocka_unit_test(defaults_and_values_are_read),
        cmocka_unit_test(required_keys_are_asked_for),
        cmocka_unit_test(the_tree_knows_lines_kinds_and_quotes),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(describe_lists_every_key),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
