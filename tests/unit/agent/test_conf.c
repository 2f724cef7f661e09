/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/conf.h"
#include "base/buf.h"

static char dir[64], conf_path[128], token_path[128];

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-conf-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(conf_path, sizeof(conf_path), "%s/agent.yaml", dir);
    (void)snprintf(token_path, sizeof(token_path), "%s/token", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(conf_path);
    (void)unlink(token_path);
    return rmdir(dir);
}

/* Loads text with "@" replaced by the token file's path. */
static enum hale_rc load(const char *text, struct agent_conf **out, struct hale_err *err)
{
    struct hale_buf b;
    hale_buf_init(&b, 1u << 20);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '@')
            hale_buf_add_c(&b, token_path);
        else
            hale_buf_add_char(&b, *p);
    }
    write_file(conf_path, b.p);
    hale_buf_fini(&b);
    void *conf = NULL;
    enum hale_rc rc = agent_conf_load(conf_path, &conf, err);
    *out = conf;
    return rc;
}

static void test_defaults(void **state)
{
    struct agent_conf *c = NULL;
    struct hale_err err = {0};
    char host[256] = "";
    (void)state;
    write_file(token_path, "  secret-1\n");
    assert_int_equal(load("collector: http://127.0.0.1:8070//\n"
                          "token_file: @\n"
                          "checks: [{type: load}]\n",
                          &c, &err),
                     HALE_OK);
    assert_string_equal(c->collector, "http://127.0.0.1:8070");
    assert_string_equal(c->token, "secret-1");
    assert_string_equal(c->listen, "127.0.0.1:8074");
    assert_string_equal(c->spool_dir, "/var/lib/hale/agent/spool");
    assert_int_equal(c->spool_max_bytes, 64 << 20);
    assert_int_equal(c->timeout_ms, 10000);
    assert_int_equal(c->max_batch, 5000);
    assert_int_equal(c->log_level, HALE_LOG_INFO);
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_string_equal(c->hostname, host);
    agent_conf_free(c);
}

static void test_all_keys(void **state)
{
    struct agent_conf *c = NULL;
    struct agent_dims dims = {0};
    struct hale_err err = {0};
    (void)state;
    write_file(token_path, "t");
    assert_int_equal(load("collector: https://h\ntoken_file: @\nspool_dir: /s\n"
                          "spool_max: 2m\nhostname: h1\ndimensions: {region: east}\n"
                          "listen: 127.0.0.1:0\nca_file: /ca\ntimeout: 1s\n"
                          "max_batch: 7\nlog_level: warn\nchecks: []\n",
                          &c, &err),
                     HALE_OK);
    assert_int_equal(c->spool_max_bytes, 2 << 20);
    assert_int_equal(c->timeout_ms, 1000);
    assert_int_equal(c->max_batch, 7);
    assert_int_equal(c->log_level, HALE_LOG_WARN);
    assert_string_equal(c->ca_file, "/ca");
    assert_int_equal(agent_conf_dims(c, &dims, &err), HALE_OK);
    assert_int_equal(dims.n, 2);
    assert_string_equal(dims.values[0], "h1");
    assert_string_equal(dims.keys[1], "region");
    agent_dims_fini(&dims);
    agent_conf_free(c);
}

static void test_errors(void **state)
{
#define HEAD "collector: http://h\ntoken_file: @\n"
    static const struct {
        const char *token, *yaml;
        int line;
        const char *text;
    } cases[] = {
        {"t", "token_file: @\nchecks: []\n", 1,
         "missing key 'collector' (URL of the collector, like http://127.0.0.1:8070)"},
        {"t", "collector: h:80\ntoken_file: @\nchecks: []\n", 1,
         "'h:80' is not an http or https URL with a host"},
        {"t", HEAD "cheks: []\n", 3, "unknown key 'cheks' - did you mean 'checks'?"},
        {"t", HEAD "checks: cpu\n", 3, "checks is a list, like `- type: cpu`"},
        {"t", HEAD "checks:\n- type: cpu\n- type: laod\n", 5,
         "unknown check type 'laod' - did you mean 'load'? (known: cpu, load, memory, "
         "disk, net, process, http, tcp, icmp, statsd)"},
        {"t", HEAD "checks:\n- type: tcp\n  host: h\n  port: x\n", 6,
         "port must be a whole number, got 'x'"},
        {"t", HEAD "checks: []\ndimensions: {a: 'b;'}\n", 4,
         "invalid characters in dimension value b;"},
        {"t", HEAD "checks: []\ndimensions: [a]\n", 4,
         "dimensions are a map, like {service: dns}"},
        {"t", HEAD "checks: []\nspool_max: 1m\n", 4,
         "spool_max must be between 2m and 1024g, got '1m'"},
        {"t", HEAD "checks: []\nlog_level: loud\n", 4,
         "log_level cannot be 'loud'; it is one of: debug, info, warn, error"},
        {"t", HEAD "checks: []\ncollector: http://b\n", 4, NULL},
        {" \n", HEAD "checks: []\n", 0, "the token file is empty"},
        {"a b", HEAD "checks: []\n", 0,
         "a token is one line of printable characters without blanks"},
        {"a\r\nX-Evil: 1", HEAD "checks: []\n", 0,
         "a token is one line of printable characters without blanks"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent_conf *c = NULL;
        struct hale_err err = {0};
        write_file(token_path, cases[i].token);
        assert_int_equal(load(cases[i].yaml, &c, &err), HALE_E_INVAL);
        assert_null(c);
        if (cases[i].text != NULL)
            assert_string_equal(err.text, cases[i].text);
        assert_int_equal(err.line, cases[i].line);
        assert_string_equal(err.source, cases[i].line > 0 ? conf_path : token_path);
    }
}

static void test_missing_files(void **state)
{
    struct agent_conf *c = NULL;
    struct hale_err err = {0};
    void *conf = NULL;
    (void)state;
    assert_int_equal(load(HEAD "checks: []\n", &c, &err), HALE_E_NOTFOUND);
    assert_non_null(strstr(err.source, token_path));
    (void)unlink(conf_path);
    assert_int_equal(agent_conf_load(conf_path, &conf, &err), HALE_E_NOTFOUND);
    assert_null(conf);
}

static void test_too_many_checks(void **state)
{
    struct agent_conf *c = NULL;
    struct hale_err err = {0};
    struct hale_buf b;
    (void)state;
    write_file(token_path, "t");
    hale_buf_init(&b, 1u << 20);
    hale_buf_add_c(&b, HEAD "checks:\n");
    for (int i = 0; i <= AGENT_CHECKS_MAX; i++)
        hale_buf_add_c(&b, "- type: load\n");
    assert_int_equal(load(b.p, &c, &err), HALE_E_INVAL);
    assert_string_equal(err.text, "at most 10000 checks");
    hale_buf_fini(&b);
}

/* Every key and every type is in --help. */
static void test_describe(void **state)
{
    static const char *const words[] = {
        "collector", "token_file",      "spool_dir",
        "spool_max", "hostname",        "check type cpu",
        "per_core",  "check type load", "check type process",
        "pid_files", "check type icmp", "interval (1s..1d, default 10s)"};
    struct hale_buf b;
    (void)state;
    hale_buf_init(&b, 65536);
    agent_conf_describe(&b);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(b.p, words[i]) == NULL)
            fail_msg("--help does not say %s", words[i]);
    hale_buf_fini(&b);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(test_defaults),      WITH(test_all_keys),        WITH(test_errors),
        WITH(test_missing_files), WITH(test_too_many_checks), WITH(test_describe),
    };
    return cmocka_run_group_tests_name("agent.conf", tests, NULL, NULL);
}
