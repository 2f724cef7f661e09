/* SPDX-License-Identifier: Apache-2.0 */
/* What every check has in common, and what the checks of this host emit from the real /proc. */
#include "world.h"

#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static void test_configuration_errors(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *yaml, *error;
    } cases[] = {
        {"- cpu\n", "a.yaml:1: a check (a map with a type) is wanted here"},
        {"interval: 1s\n", "a.yaml:1: a check needs a type, like `type: cpu`"},
        {"type: [cpu]\n", "a.yaml:1: a check needs a type, like `type: cpu`"},
        {"interval: 5s\ntype: cup\n",
         "a.yaml:2: unknown check type 'cup' - did you mean 'cpu'? (known: cpu, load, "
         "memory, disk, net, process, http, tcp, icmp, statsd)"},
        {"type: zebra\n", "a.yaml:1: unknown check type 'zebra' (known: cpu, load, "
                          "memory, disk, net, process, http, tcp, icmp, statsd)"},
        {"type: cpu\ninterval: 5\n",
         "a.yaml:2: interval '5' is not a duration: write 1s, 30s, 5m"},
        {"type: cpu\ninterval: 500ms\n", "a.yaml:2: interval must be from 1s to 1d"},
        {"type: cpu\ninterval: 2d\n", "a.yaml:2: interval must be from 1s to 1d"},
        {"type: cpu\ndimensions: dns\n",
         "a.yaml:2: dimensions are a map, like {service: dns}"},
        {"type: cpu\ndimensions:\n  a: b\n  _x: y\n",
         "a.yaml:4: invalid dimension key _x: it must not start with '_'"},
        {"type: cpu\ndimensions:\n  a: 'x=y'\n",
         "a.yaml:3: invalid characters in dimension value x=y"},
        {"type: cpu\nper_cor: true\n",
         "a.yaml:2: unknown key 'per_cor' - did you mean 'per_core'?"},
        {"type: cpu\nper_core: maybe\n",
         "a.yaml:2: per_core must be true or false, got 'maybe'"},
        {"type: load\nexclude: x\n",
         "a.yaml:2: unknown key 'exclude'; known here: type, interval, dimensions"},
        {"type: memory\ndetailed: true\n",
         "a.yaml:2: unknown key 'detailed'; known here: type, interval, dimensions"},
        {"type: disk\nexclude: '('\n", "a.yaml:2: '(' is not a regular expression"},
        {"type: disk\nexcldue: /x\n",
         "a.yaml:2: unknown key 'excldue' - did you mean 'exclude'?"},
        {"type: net\n\nexclude: '[a'\n", "a.yaml:3: '[a' is not a regular expression"},
        {"type: net\ndevice: eth0\n", "a.yaml:2: unknown key 'device'; known here: type, "
                                      "interval, dimensions, exclude"},
        {"type: process\n",
         "a.yaml:1: a process check needs name, pid_file or pid_files"},
        {"type: process\npid_file: /a\npid_files: /b/*\n",
         "a.yaml:1: pid_file and pid_files exclude each other"},
        {"type: process\nname: x\npid_file_dimension: 'a b;'\n",
         "a.yaml:3: invalid characters in dimension key a b;"},
        {"type: process\nnmae: x\n",
         "a.yaml:2: unknown key 'nmae' - did you mean 'name'?"},
        {"type: http\n",
         "a.yaml:1: missing key 'url' (http or https URL; also dimension url)"},
        {"type: http\nurl: ftp://h/\n",
         "a.yaml:2: 'ftp://h/' is not an http or https URL with a host"},
        {"type: http\nurl: http://h/\nmatch: '*'\n",
         "a.yaml:3: '*' is not a regular expression"},
        {"type: http\nurl: http://h/\ntimeout: 1ms\n",
         "a.yaml:3: timeout must be between 10ms and 1m, got '1ms'"},
        {"type: tcp\nhost: h\n", "a.yaml:1: missing key 'port' (TCP port)"},
        {"type: tcp\nhost: h\nport: 65536\n",
         "a.yaml:3: port must be between 1 and 65535, got '65536'"},
        {"type: tcp\nhost: h\nport: 1\ntimeout: 2m\n",
         "a.yaml:4: timeout must be between 10ms and 1m, got '2m'"},
        {"type: icmp\n", "a.yaml:1: missing key 'host' (name or address)"},
        {"type: icmp\nhost: h\ntimeuot: 1s\n",
         "a.yaml:3: unknown key 'timeuot' - did you mean 'timeout'?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_yaml *yaml = NULL;
        struct hale_err err = {0};
        struct agent_check *check = NULL;
        const struct agent_dims none = {0};
        char text[512];
        assert_int_equal(
            hale_yaml_load(hale_str_from(cases[i].yaml), "a.yaml", &yaml, &err), HALE_OK);
        assert_int_equal(
            agent_check_new(&w->ctx, &none, hale_yaml_root(yaml), &check, &err),
            HALE_E_INVAL);
        assert_null(check);
        assert_string_equal(hale_err_str(&err, text, sizeof(text)), cases[i].error);
        hale_yaml_free(yaml);
    }
}

static void test_common_keys(void **state)
{
    struct world *w = *state;
    world_make(w, "type: load\n"
                  "interval: 1m\n"
                  "dimensions: {service: dns, hostname: other}\n");
    assert_int_equal(w->check->interval_ms, 60000);
    world_run(w);
    const json_t *dims = json_object_get(
        world_sample(w, "load.avg_1_min", "hostname", "other"), "dimensions");
    assert_string_equal(json_string_value(json_object_get(dims, "service")), "dns");
    assert_int_equal(json_object_size(dims), 2);
    world_make(w, "type: load\n");
    assert_int_equal(w->check->interval_ms, 10000);
}

static void count_start(void *arg, int64_t now_ms)
{
    int64_t *at = arg;
    *at = now_ms;
}

/* All checks of one interval are due at the same multiple of it, whenever they were scheduled. */
static void test_due_at_multiples(void **state)
{
    struct world *w = *state;
    int64_t at = 0;
    world_make(w, "type: load\ninterval: 5s\n");
    w->check->timer.fire = count_start;
    w->check->timer.arg = &at;
    static const struct {
        int64_t now, due;
    } cases[] = {{0, 5000}, {1, 5000}, {4999, 5000}, {5000, 10000}, {12345, 15000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        agent_check_schedule(w->check, cases[i].now);
        assert_int_equal(w->check->due_ms, cases[i].due);
        assert_int_equal(w->check->timer.timer.at, cases[i].due);
    }
    agent_loop_turn(w->ctx.loop, 0); /* long past on the monotonic clock: due at once */
    assert_true(at > 15000);
}

/* Keeps a processor busy for ms of its time. */
static void burn(long ms)
{
    clock_t end = clock() + CLOCKS_PER_SEC * ms / 1000;
    while (clock() < end)
        ;
}

static void expect_shares(struct world *w, const char *prefix, const char *key,
                          const char *value)
{
    static const char *const parts[] = {"idle", "wait", "stolen", "system", "user"};
    char name[64];
    double sum = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)snprintf(name, sizeof(name), "%s.%s_perc", prefix, parts[i]);
        double share = world_value(w, name, key, value);
        assert_true(share >= 0 && share <= 100);
        sum += share;
    }
    assert_true(sum > 99.99 && sum < 100.01);
    (void)snprintf(name, sizeof(name), "%s.percent", prefix);
    double busy = world_value(w, name, key, value);
    assert_true(busy >= 0 && busy <= 100);
}

static void test_cpu(void **state)
{
    struct world *w = *state;
    world_make(w, "type: cpu\nper_core: true\n");
    world_run(w); /* shares need two readings, totals one */
    assert_null(world_sample(w, "cpu.idle_perc", NULL, NULL));
    assert_true(world_value(w, "cpu.total_logical_cores", NULL, NULL) ==
                (double)sysconf(_SC_NPROCESSORS_ONLN));
    double user_s = world_value(w, "cpu.user_time", NULL, NULL);
    int64_t deadline = hale_clock_mono_ms() + 20000;
    do { /* the kernel counts by ticks: until it has counted some of ours */
        assert_true(hale_clock_mono_ms() < deadline);
        burn(100);
        world_run(w);
        expect_shares(w, "cpu", "hostname", "me");
    } while (world_value(w, "cpu.user_time", NULL, NULL) < user_s + 0.2 ||
             world_value(w, "cpu.user_perc", NULL, NULL) <= 0);
    const json_t *host = world_sample(w, "cpu.idle_perc", NULL, NULL);
    assert_int_equal(json_object_size(json_object_get(host, "dimensions")), 1);
    assert_non_null(world_sample(w, "cpu.core.percent", "core", "0"));
}

static void test_cpu_without_cores(void **state)
{
    struct world *w = *state;
    world_make(w, "type: cpu\n");
    world_run(w);
    burn(50);
    world_run(w);
    assert_non_null(world_sample(w, "cpu.percent", NULL, NULL));
    assert_null(world_sample(w, "cpu.core.percent", NULL, NULL));
}

static void test_load(void **state)
{
    struct world *w = *state;
    double load[3];
    world_make(w, "type: load\n");
    assert_int_equal(getloadavg(load, 3), 3);
    world_run(w);
    assert_int_equal(json_array_size(w->samples), 3);
    double per_core = load[2] / (double)sysconf(_SC_NPROCESSORS_ONLN);
    double is = world_value(w, "load.avg_15_min", NULL, NULL);
    assert_true(is > per_core - 0.1 && is < per_core + 0.1);
}

static void test_memory(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {
        "mem.total_mb",     "mem.free_mb",       "mem.usable_mb",    "mem.usable_perc",
        "mem.used_buffers", "mem.used_cache",    "mem.used_shared",  "mem.used_slab_mb",
        "mem.used_real_mb", "mem.swap_total_mb", "mem.swap_free_mb", "mem.swap_used_mb"};
    world_make(w, "type: memory\n");
    world_run(w);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(world_value(w, names[i], NULL, NULL) >= 0);
    double pages_mb =
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1048576;
    double total = world_value(w, "mem.total_mb", NULL, NULL);
    assert_true(total > pages_mb * 0.99 - 1 && total < pages_mb * 1.01 + 1);
    assert_true(world_value(w, "mem.usable_perc", NULL, NULL) <= 100);
    double swap = world_value(w, "mem.swap_total_mb", NULL, NULL);
    assert_true((swap > 0) ==
                (world_sample(w, "mem.swap_free_perc", NULL, NULL) != NULL));
}

/* Every file system that is reported is there, and its figures are those of statvfs. */
static void test_disk(void **state)
{
    struct world *w = *state;
    size_t i, n = 0;
    json_t *sample;
    world_make(w, "type: disk\n");
    world_run(w);
    json_array_foreach (w->samples, i, sample) {
        struct statvfs st;
        const json_t *dims = json_object_get(sample, "dimensions");
        if (strcmp(json_string_value(json_object_get(sample, "name")),
                   "disk.space_used_perc") != 0)
            continue;
        const char *mount = json_string_value(json_object_get(dims, "mount_point"));
        assert_non_null(json_object_get(dims, "device"));
        assert_int_equal(statvfs(mount, &st), 0);
        double used = (double)(st.f_blocks - st.f_bfree);
        double want = 100 * used / (used + (double)st.f_bavail);
        double is = json_number_value(json_object_get(sample, "value"));
        assert_true(is > want - 1 && is < want + 1);
        n++;
    }
    double total = world_value(w, "disk.total_space_mb", NULL, NULL);
    double used = world_value(w, "disk.total_used_space_mb", NULL, NULL);
    assert_true((n > 0) == (total > 0) && used <= total);
    assert_null(world_sample(w, "io.read_req_sec", NULL, NULL)); /* needs two readings */
    world_make(w, "type: disk\nexclude: '.*'\n");
    world_run(w);
    assert_null(world_sample(w, "disk.space_used_perc", NULL, NULL));
}

/* A configured dimension never merges the devices of a check. */
static void test_net(void **state)
{
    struct world *w = *state;
    world_make(w, "type: net\n"
                  "exclude: ''\n"
                  "dimensions: {device: all}\n");
    world_run(w);
    assert_true(world_value(w, "net.int_status", "device", "lo") == 0);
    assert_null(world_sample(w, "net.int_status", "device", "all"));
    assert_null(world_sample(w, "net.in_bytes_sec", NULL, NULL)); /* needs two readings */
    world_run(w);
    assert_true(world_value(w, "net.in_bytes_sec", "device", "lo") >= 0);
    assert_true(world_value(w, "net.out_packets_dropped_sec", "device", "lo") >= 0);
    world_make(w, "type: net\n"); /* without lo by default */
    world_run(w);
    assert_null(world_sample(w, "net.int_status", "device", "lo"));
}

static void test_rates(void **state)
{
    static const struct {
        uint64_t before, after;
        int64_t elapsed_ms;
        double rate;
    } cases[] = {{0, 10, 1000, 10}, {5, 10, 500, 10}, {10, 5, 1000, 0}, {7, 7, 1000, 0},
                 {0, 10, 0, 0},     {0, 10, -5, 0},   {0, 1, 2000, 0.5}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(agent_procfs_rate(cases[i].before, cases[i].after,
                                      cases[i].elapsed_ms) == cases[i].rate);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_configuration_errors),
        IN_WORLD(test_common_keys),
        IN_WORLD(test_due_at_multiples),
        IN_WORLD(test_cpu),
        IN_WORLD(test_cpu_without_cores),
        IN_WORLD(test_load),
        IN_WORLD(test_memory),
        IN_WORLD(test_disk),
        IN_WORLD(test_net),
        cmocka_unit_test(test_rates),
    };
    return cmocka_run_group_tests_name("agent.check", tests, NULL, NULL);
}
