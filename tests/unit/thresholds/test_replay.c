/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay: an engine that is killed at random moments, loaded from its last snapshot and
 * fed again from there says exactly what an engine says that was never killed. Snapshots
 * are incremental, as in the daemon, and are taken at each change of definitions.
 */
#include "base/assert.h"
#include "base/fs.h"
#include "base/map.h"
#include "world.h"

#define CASES 60
#define OPS   500
#define HOSTS 12

static uint64_t random_state;

static unsigned dice(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 20) % n);
}

enum op_kind { OP_ENTRY, OP_TICK, OP_DEFINE, OP_DROP, OP_FORGET };
struct op {
    enum op_kind kind;
    int64_t now_ms;
    uint64_t seed; /* of everything random in the operation */
};

/* --- the script --------------------------------------------------------------------- */

static void expression_of(char *dst, size_t size, bool monasca)
{
    static const char *const levels[] = {"", "", " high at 12",
                                         " high at 12 critical at 13"};
    static const char *const delays[] = {"", "", " for 40s", " clear 0",
                                         " for 5s clear 0 for 30s"};
    static const char *const funcs[] = {"max", "min", "avg", "sum", "count", "last"};
    static const char *const dims[] = {"", "", "{host=h1}", "{zone=z1}",
                                       "{host=h2,zone=z0}"};
    static const char *const left[] = {"sum(x", "last(x", "max(y", "(count(x", "rate(x"};
    static const char *const middle[] = {", 60) / rate(y", ") - last(y",
                                         ", 60 every 15) + avg(x", ", 15) + sum(x",
                                         ", 30) / rate(x"};
    static const char *const right[] = {")", ")", ")", ")) * 2", ")"};
    static const struct {
        const char *func, *before, *behind, *tail;
    } more[] = {{"percentile", ", 90", "", ""},
                {"stddev", ", deterministic", "", " for 40s"},
                {"baseline", "", ", 3d", " high at 10 clear 0"},
                {"baseline", ", absolute", "", " times 2"},
                {"forecast", "", ", 10m", " times 2"}};
    char one[2][128];
    for (unsigned i = 0; i < 2; i++) {
        if (!monasca && dice(3) == 0) {
            unsigned kind = dice(5), first = dice(5), second = dice(5);
            snprintf(one[i], sizeof(one[i]), "%s%s%s%s%s > %u%s", left[kind], dims[first],
                     middle[kind], dims[second], right[kind], dice(12), delays[dice(5)]);
            continue;
        }
        if (!monasca && dice(6) == 0) {
            snprintf(one[i], sizeof(one[i]), "absent(%c%s, %u)", "xy"[dice(2)],
                     dims[dice(5)], 1 + dice(100));
            continue;
        }
        if (!monasca && dice(3) == 0) {
            unsigned k = dice(5);
            snprintf(one[i], sizeof(one[i]), "%s(%c%s%s, %u%s) > %u%s", more[k].func,
                     "xy"[dice(2)], dims[dice(5)], more[k].before, 10 + 50 * dice(4),
                     more[k].behind, dice(9), more[k].tail);
            continue;
        }
        snprintf(one[i], sizeof(one[i]), "%s(%c%s%s, %u) > %u%s times %u%s",
                 !monasca && dice(6) == 0 ? "rate" : funcs[dice(6)], "xy"[dice(2)],
                 dims[dice(5)], dice(3) == 0 ? ", deterministic" : "",
                 dice(3) == 0               ? 120
                 : !monasca && dice(3) == 0 ? 15
                                            : 60,
                 dice(12), monasca ? "" : levels[dice(4)], 1 + dice(3),
                 monasca ? "" : delays[dice(5)]);
    }
    bool both = dice(2) == 0;
    snprintf(dst, size, "%s%s%s", one[0], both ? " and " : "", both ? one[1] : "");
}

static void do_define(struct thresholds_engine *e, const struct op *op)
{
    static const char *const missing[] = {
        "", "", "\"on_missing\":\"alarm\",\"missing_after\":70,",
        "\"on_missing\":\"keep\",", "\"on_missing\":\"undetermined\","};
    static const char *const match_by[] = {"[]", "[\"host\"]", "[\"host\",\"zone\"]"};
    char id[16], text[512];
    random_state = op->seed;
    snprintf(id, sizeof(id), "d%u", dice(8));
    const struct hale_definition *old =
        thresholds_engine_definition(e, hale_str_from(id));
    int version = old != NULL ? (int)old->version + 1 : 1;
    unsigned kind = dice(3);
    const char *by = match_by[dice(3)];
    bool monasca = dice(2) == 0;
    expression_of(text, sizeof(text), monasca);
    if (old != NULL && kind == 0) { /* the same with another threshold */
        snprintf(text, sizeof(text), "%s", old->expression);
        char *gt = strstr(text, "> ");
        if (gt != NULL)
            gt[2] = (char)('0' + dice(10));
        if (gt != NULL && gt[3] >= '0' && gt[3] <= '9')
            gt[2] = '1', gt[3] = (char)('0' + dice(2));
        by = old->match_by.n == 0   ? match_by[0]
             : old->match_by.n == 1 ? match_by[1]
                                    : match_by[2];
        monasca = old->semantics == HALE_SEMANTICS_MONASCA;
    }
    assert_int_equal(thresholds_engine_set_definition(
                         e,
                         make_definition_with(id, text, by, monasca, version,
                                              monasca ? "" : missing[dice(5)]),
                         op->now_ms),
                     HALE_OK);
}

static void do_forget(struct thresholds_engine *e, const struct op *op)
{
    char id[16], host[16];
    random_state = op->seed;
    snprintf(id, sizeof(id), "d%u", dice(8));
    snprintf(host, sizeof(host), "h%u", dice(HOSTS));
    struct hale_dim dim = {HALE_STR("host"), hale_str_from(host)};
    (void)thresholds_engine_forget(e, hale_str_from(id), &dim, dice(3) == 0 ? 0 : 1);
}

static void do_entry(struct thresholds_engine *e, const struct op *op)
{
    char dims[64];
    random_state = op->seed;
    thresholds_engine_tick(e, op->now_ms - 1);
    for (unsigned n = 1 + dice(20); n > 0; n--) {
        unsigned host = dice(HOSTS);
        bool zone = dice(4) != 0;
        snprintf(dims, sizeof(dims), zone ? "host=h%u,zone=z%u" : "host=h%u", host,
                 host % 2);
        struct thresholds_series *s = introduce(e, dice(2) ? "x" : "y", dims, op->now_ms);
        int64_t stamp = op->now_ms - (int64_t)dice(100000) + (dice(9) == 0 ? 60000 : 0);
        thresholds_engine_sample(e, s, stamp, dice(14), op->now_ms, 1);
    }
}

static void do_op(struct thresholds_engine *e, const struct op *op)
{
    char id[16];
    switch (op->kind) {
    case OP_ENTRY: do_entry(e, op); break;
    case OP_TICK: thresholds_engine_tick(e, op->now_ms); break;
    case OP_DEFINE: do_define(e, op); break;
    case OP_FORGET: do_forget(e, op); break;
    case OP_DROP:
        snprintf(id, sizeof(id), "d%u", (unsigned)(op->seed % 8));
        thresholds_engine_drop_definition(e, hale_str_from(id));
        break;
    }
}

/* days: long enough for a baseline to have days to compare with. */
static void make_script(struct op *ops, bool days)
{
    int64_t now = BASE_MS + dice(60000);
    for (unsigned i = 0; i < OPS; i++) {
        unsigned k = dice(100);
        now +=
            dice(50) == 0 ? (int64_t)dice(1200000) : (int64_t)dice(days ? 2400000 : 9000);
        ops[i].kind = i < 4 || k < 4 ? OP_DEFINE
                      : k < 5        ? OP_DROP
                      : k < 8        ? OP_FORGET
                      : k < 20       ? OP_TICK
                                     : OP_ENTRY;
        ops[i].now_ms = now;
        ops[i].seed = ((uint64_t)dice(1u << 30) << 20) + i + 1;
    }
}

/* --- the store ---------------------------------------------------------------------- */

struct blob {
    size_t len;
    char bytes[];
};

static int store_field(struct hale_str field, struct hale_str value, void *arg)
{
    struct hale_map *store = arg;
    if (value.p == NULL) {
        hale_map_del(store, field);
        return 0;
    }
    struct blob *b = malloc(sizeof(*b) + value.len);
    assert_non_null(b);
    b->len = value.len;
    memcpy(b->bytes, value.p, value.len);
    assert_int_equal(hale_map_put(store, field, b), HALE_OK);
    return 0;
}

static struct thresholds_engine *load(const struct hale_map *store, struct lines *out)
{
    struct thresholds_limits limits = thresholds_limits_default();
    struct thresholds_engine *e = thresholds_engine_new(&limits, lines_emit, out);
    size_t n = hale_map_count(store), it = 0;
    struct hale_str *fields = calloc(n + 1, sizeof(*fields));
    struct hale_str *values = calloc(n + 1, sizeof(*values));
    struct hale_err err = {0};
    struct blob *b;
    assert_non_null(e);
    HALE_ASSERT(fields != NULL && values != NULL);
    for (size_t i = 0; (b = hale_map_next(store, &it, &fields[i])) != NULL; i++)
        values[i] = (struct hale_str){b->bytes, b->len};
    if (thresholds_engine_load(e, n, fields, values, &err) != HALE_OK)
        fail_msg("load: %s", err.text);
    free(fields);
    free(values);
    return e;
}

static void save(struct thresholds_engine *e, struct hale_map *store)
{
    assert_int_equal(thresholds_engine_save(e, false, store_field, store), HALE_OK);
    thresholds_engine_saved(e);
}

/* --- the test ----------------------------------------------------------------------- */

static size_t line_bytes(const struct lines *l)
{
    return l->text.len;
}

static void run_case(unsigned number)
{
    struct op ops[OPS];
    struct lines want, got;
    struct thresholds_limits limits = thresholds_limits_default();
    random_state = 0x853c49e6748fea9bu + number;
    (void)dice(2);
    make_script(ops, number % 5 == 0);
    uint64_t chaos = random_state;

    lines_init(&want);
    hale_buf_add_c(&want.text, "");
    struct thresholds_engine *e = thresholds_engine_new(&limits, lines_emit, &want);
    assert_non_null(e);
    for (unsigned i = 0; i < OPS; i++)
        do_op(e, &ops[i]);
    thresholds_engine_free(e);

    /* got is cut back to the length at the snapshot when the engine dies: what the replay
     * writes must be what was cut off, and goes on from there. */
    struct hale_map *store = hale_map_new(100000, free);
    assert_non_null(store);
    lines_init(&got);
    hale_buf_add_c(&got.text, "");
    e = thresholds_engine_new(&limits, lines_emit, &got);
    assert_non_null(e);
    save(e, store);
    unsigned at = 0, saved_at = 0, deaths = 0;
    size_t saved_len = 0;
    while (at < OPS) {
        do_op(e, &ops[at]);
        bool control = ops[at].kind != OP_ENTRY && ops[at].kind != OP_TICK;
        at++;
        random_state = chaos;
        unsigned k = dice(30);
        chaos = random_state;
        if (control || k < 3) {
            save(e, store);
            saved_at = at;
            saved_len = line_bytes(&got);
        } else if (k == 3) {
            thresholds_engine_free(e);
            e = load(store, &got);
            at = saved_at;
            got.text.len = saved_len;
            got.text.p[saved_len] = '\0';
            deaths++;
        }
    }
    thresholds_engine_free(e);
    assert_true(deaths > 0 && want.n > 0);
    assert_string_equal(got.text.p, want.text.p);
    hale_map_free(store);
    hale_buf_fini(&got.text);
    hale_buf_fini(&want.text);
}

static void test_killed_engine_says_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CASES; i++)
        run_case(i);
}

/* A snapshot read and written again is the same, byte for byte. */
static void test_round_trip(void **state)
{
    (void)state;
    struct op ops[OPS];
    struct lines out;
    struct thresholds_limits limits = thresholds_limits_default();
    random_state = 12345;
    make_script(ops, false);
    lines_init(&out);
    struct thresholds_engine *e = thresholds_engine_new(&limits, lines_emit, &out);
    assert_non_null(e);
    for (unsigned i = 0; i < OPS; i++)
        do_op(e, &ops[i]);
    struct hale_map *first = hale_map_new(100000, free);
    struct hale_map *second = hale_map_new(100000, free);
    assert_true(first != NULL && second != NULL);
    assert_int_equal(thresholds_engine_save(e, true, store_field, first), HALE_OK);
    struct thresholds_engine *again = load(first, &out);
    assert_int_equal(thresholds_engine_save(again, true, store_field, second), HALE_OK);
    assert_int_equal(hale_map_count(first), hale_map_count(second));
    assert_true(hale_map_count(first) > 4);
    size_t it = 0;
    struct hale_str field;
    struct blob *b;
    while ((b = hale_map_next(first, &it, &field)) != NULL) {
        struct blob *c = hale_map_get(second, field);
        assert_non_null(c);
        assert_int_equal(b->len, c->len);
        assert_memory_equal(b->bytes, c->bytes, b->len);
    }
    assert_int_equal(thresholds_engine_next_tick(e), thresholds_engine_next_tick(again));
    hale_map_free(first);
    hale_map_free(second);
    thresholds_engine_free(e);
    thresholds_engine_free(again);
    hale_buf_fini(&out.text);
}

/* A snapshot of version 1, as a daemon of that version left it, is read and goes on. */
static void test_first_version(void **state)
{
    (void)state;
    struct hale_buf text;
    struct lines out;
    struct hale_err err = {0};
    struct hale_map *store = hale_map_new(100, free);
    hale_buf_init(&text, 1u << 20);
    lines_init(&out);
    assert_non_null(store);
    assert_int_equal(
        hale_fs_read(HALE_TEST_DIR "/fuzz/corpus/thr_state/snapshot", &text, &err),
        HALE_OK);
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.len;
    while (p < end) { /* the form of the fuzz harness */
        struct hale_str field = {(const char *)p + 1, p[0]};
        size_t len = p[1 + field.len] + 256u * p[2 + field.len];
        struct hale_str value = {(const char *)p + 3 + field.len, len};
        assert_int_equal(value.p[0], 1);
        assert_int_equal(store_field(field, value, store), 0);
        p += 3 + field.len + len;
    }
    struct thresholds_engine *e = load(store, &out);
    assert_true(thresholds_engine_stats(e)->subalarms > 3);
    thresholds_engine_tick(e, thresholds_engine_next_tick(e) + 3600000);
    assert_true(out.n > 0);
    thresholds_engine_free(e);
    hale_map_free(store);
    hale_buf_fini(&text);
    hale_buf_fini(&out.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_engine_says_the_same),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_first_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
