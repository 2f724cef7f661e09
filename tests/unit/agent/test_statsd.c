/* SPDX-License-Identifier: Apache-2.0 */
/* The statsd protocol: lines, what they add up to, and the check on a real socket. */
#include "world.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/counters.h"
#include "agent/statsd.h"
#include "agent/statsd_table.h"

/* --- what a flush says ------------------------------------------------------------------- */

static void render(const char *name, const struct agent_dim *dims, unsigned n_dims,
                   double value, void *arg)
{
    struct hale_buf *out = arg;

    hale_buf_add_c(out, name);
    for (unsigned i = 0; i < n_dims; i++)
        hale_buf_printf(out, "[%s=%s]", dims[i].key, dims[i].value);
    hale_buf_printf(out, " %.10g\n", value);
}

static void expect_flush(struct agent_statsd_table *t, const char *wanted)
{
    struct hale_buf out;

    hale_buf_init(&out, 1 << 20);
    agent_statsd_table_flush(t, render, &out);
    assert_string_equal(out.p != NULL ? out.p : "", wanted);
    hale_buf_fini(&out);
}

static void add(struct agent_statsd_table *t, const char *line, int64_t now_ms)
{
    struct hale_err err = {0};

    if (agent_statsd_table_add(t, hale_str_from(line), now_ms, &err) != HALE_OK)
        fail_msg("%s: %s", line, err.text);
}

static void test_lines(void **state)
{
    static const struct {
        const char *line, *flushed;
    } cases[] = {
        {"a:1|c", "a 1\n"},
        {"a:1|c|@0.1", "a 10\n"},
        {"a:3|c|@0.7", "a 4\n"}, /* 4.29: counters are integers */
        {"a:-5|g", "a -5\n"},
        {"a:+5|g", "a 5\n"}, /* no change by 5, as in Monasca */
        {"a.b:12.5|ms", "a.b 12.5\n"},
        {"a:1e3|h|@0.5", "a 1000\n"},
        {"a:7|d", "a 7\n"},
        {"a:1:2:3|c", "a 6\n"},
        {"a:1|c|#{}", "a 1\n"},
        {"a:1|c|#{'k': 'v'}", "a[k=v] 1\n"},
        {"a:1|c|@0.5|#{'k': 'v', 'x y': \"it's\"}", "a[k=v][x y=it's] 2\n"},
        {"a:1|c|#{'k': 'v|w'}|@0.5", "a[k=v|w] 2\n"},
        {"a:1|c|#{'k': 5, 'l': True}", "a[k=5][l=True] 1\n"},
        {"a:1|c|#{'k': '\\xe9\\u516c\\'\\n'}", "a[k=é公'\n] 1\n"},
        {"a:1|g|#env:prod,flag,url:http://h:1",
         "a[env=prod][flag=True][url=http://h:1] 1\n"},
        {"a:1|g|#env:prod|c:ci-1|T1700000000", "a[env=prod] 1\n"},
        {"a,k=v,l=w:1|g", "a[k=v][l=w] 1\n"},
        {"_sc|svc.ok|2|d:1700|h:me|#k:v|m:text", "svc.ok[k=v] 2\n"},
        {"公:1|g", "公 1\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent_statsd_table *t = agent_statsd_table_new(10);
        assert_non_null(t);
        add(t, cases[i].line, 0);
        expect_flush(t, cases[i].flushed);
        expect_flush(t, "");
        agent_statsd_table_free(t);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"a", "no '|' before the type"},
        {"a|c", "no ':' and value after the name"},
        {"a:|c", "no ':' and value after the name"},
        {":1|c", "metric name"},
        {"a b:1|c", "invalid characters in metric name a b"},
        {"a:x|c", "the value is not a finite number"},
        {"a:1:x|c", "the value is not a finite number"},
        {"a:nan|g", "the value is not a finite number"},
        {"a:1|s", "sets are not taken"},
        {"a:1|q", "the type is none of c, g, r, ms, h, d"},
        {"a:1|c|@0", "the sample rate is not above 0 and at most 1"},
        {"a:1|c|@2", "the sample rate is not above 0 and at most 1"},
        {"a:1|c|@x", "the sample rate is not above 0 and at most 1"},
        {"a:1|c|#{'k': 'v'", "dimensions without closing brace"},
        {"a:1|c|#{'k': 'v'}x", "text after the dimensions"},
        {"a:1|c|#{'k' 'v'}", "the dimensions cannot be read"},
        {"a:1|c|#{'k': 'v}", "the dimensions cannot be read"},
        {"a:1|c|#{'k': '\\q'}", "the dimensions cannot be read"},
        {"a:1|c|#{'k': '\\x00'}", "the dimensions cannot be read"},
        {"a:1|c|#{'k': '\\ud800'}", "the dimensions cannot be read"},
        {"a:1|c|#{'k': 'a=b'}", "invalid characters in dimension value a=b"},
        {"a:1|c|#{'_k': 'a'}", "dimension key _k"},
        {"a:1|c|#{'k': ''}", "dimension"},
        {"a:1|c|#k:v,k:w", "dimension k twice"},
        {"_sc|x", "a service check needs a name and a status"},
        {"_e{1,1}:a|b", "events are not taken"},
    };
    (void)state;
    struct agent_statsd_table *t = agent_statsd_table_new(10);
    assert_non_null(t);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_err err = {0};
        assert_int_equal(agent_statsd_table_add(t, hale_str_from(cases[i].line), 0, &err),
                         HALE_E_INVAL);
        if (strstr(err.text, cases[i].why) == NULL)
            fail_msg("%s: '%s' does not say '%s'", cases[i].line, err.text, cases[i].why);
    }
    struct hale_err err = {0};
    assert_int_equal(agent_statsd_table_add(t, HALE_STR("a\0b:1|c"), 0, &err),
                     HALE_E_INVAL);
    assert_int_equal(agent_statsd_table_count(t), 0); /* nothing was left behind */
    expect_flush(t, "");
    agent_statsd_table_free(t);
}

static void test_sums(void **state)
{
    (void)state;
    struct agent_statsd_table *t = agent_statsd_table_new(10);
    assert_non_null(t);
    add(t, "c:1|c", 0);
    add(t, "c:2|c", 5);
    expect_flush(t, "c 3\n");
    add(t, "c:4|c", 10); /* begins anew */
    expect_flush(t, "c 4\n");
    add(t, "r:100|r", 1000);
    expect_flush(t, ""); /* one value is no rate */
    add(t, "r:100|r", 2000);
    add(t, "r:150|r", 4000);
    expect_flush(t, "r 25\n");
    add(t, "g:1|g", 0);
    add(t, "g:9|g", 0);
    add(t, "g:2|g|#{'k': 'v'}", 0);
    assert_int_equal(agent_statsd_table_count(t), 4);
    struct hale_buf out;
    hale_buf_init(&out, 4096);
    agent_statsd_table_flush(t, render, &out);
    assert_non_null(strstr(out.p, "g 9\n"));
    assert_non_null(strstr(out.p, "g[k=v] 2\n"));
    hale_buf_fini(&out);
    for (unsigned i = 0; i < AGENT_STATSD_IDLE_FLUSHES; i++)
        expect_flush(t, "");
    assert_int_equal(agent_statsd_table_count(t), 0);
    agent_statsd_table_free(t);
}

static void test_ceiling(void **state)
{
    struct hale_err err = {0};

    (void)state;
    struct agent_statsd_table *t = agent_statsd_table_new(2);
    assert_non_null(t);
    add(t, "a:1|g", 0);
    add(t, "b:1|g", 0);
    assert_int_equal(agent_statsd_table_add(t, HALE_STR("c:1|g"), 0, &err), HALE_E_LIMIT);
    assert_non_null(strstr(err.text, "max_metrics"));
    add(t, "a:2|g", 0); /* known ones go on */
    agent_statsd_table_free(t);
    char line[20000];
    memset(line, 'x', sizeof(line));
    memcpy(line + sizeof(line) - 5, ":1|c", 5);
    t = agent_statsd_table_new(2);
    assert_non_null(t);
    assert_int_equal(agent_statsd_table_add(t, hale_str_from(line), 0, &err),
                     HALE_E_INVAL);
    add(t, "a:1|g", 0); /* an overlong line spoils nothing */
    expect_flush(t, "a 1\n");
    agent_statsd_table_free(t);
}

/* --- the check ---------------------------------------------------------------------------- */

static unsigned free_udp_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

static void send_to(unsigned port, const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a)),
                     (ssize_t)strlen(text));
    (void)close(fd);
}

static void test_check(void **state)
{
    struct world *w = *state;
    char text[100];
    unsigned port = free_udp_port();
    int64_t refused = hale_counter_get(&agent_counter_statsd_refused);

    (void)snprintf(text, sizeof(text),
                   "{type: statsd, port: %u, dimensions: {service: web}}", port);
    world_make(w, text);
    send_to(port, "hits:1|c|#{'page': 'a'}\nnonsense\nhits:2|c|#{'page': 'a'}\n");
    send_to(port, "temp:20.5|g");
    world_run(w);
    assert_int_equal(json_array_size(w->samples), 2);
    assert_float_equal(world_value(w, "hits", "page", "a"), 3, 0);
    assert_float_equal(world_value(w, "temp", "service", "web"), 20.5, 0);
    assert_non_null(world_sample(w, "temp", "hostname", "me"));
    assert_int_equal(hale_counter_get(&agent_counter_statsd_refused), refused + 1);
    world_run(w);
    assert_int_equal(json_array_size(w->samples), 0);
}

/* A reload makes the new check while the old one runs; what the old one had goes to the sink. */
static void test_reload(void **state)
{
    struct world *w = *state;
    struct hale_err err = {0};
    struct agent_dims common = {0};
    struct agent_check *next = NULL;
    char text[100];
    unsigned port = free_udp_port();

    (void)snprintf(text, sizeof(text), "{type: statsd, port: %u}", port);
    world_make(w, text);
    assert_int_not_equal(
        agent_check_new(&w->ctx, &common, hale_yaml_root(w->yaml), &next, &err),
        HALE_OK); /* twice in one configuration */
    assert_non_null(strstr(err.text, "cannot listen on UDP 127.0.0.1 port"));
    agent_check_schedule(w->check, hale_clock_mono_ms());
    send_to(port, "early:1|c");
    agent_loop_turn(w->ctx.loop, 1000);
    assert_int_equal(
        agent_check_new(&w->ctx, &common, hale_yaml_root(w->yaml), &next, &err), HALE_OK);
    agent_sink_clear(&w->sink);
    agent_check_free(w->check);
    w->check = next;
    assert_non_null(strstr(w->sink.lines.p, "\"early\""));
    send_to(port, "late:1|c");
    world_run(w);
    assert_non_null(world_sample(w, "late", NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test_setup_teardown(test_check, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_reload, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
