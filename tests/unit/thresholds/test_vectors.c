/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timing vectors: every tests/vectors/thresholds/ *.txt (format in
 * docs/formats/thresholds.md) must give exactly the states it expects, under its
 * semantics.
 */
#include <dirent.h>

#include "base/fs.h"
#include "world.h"

#define MAX_POINTS 100000

struct point {
    int64_t at_ms, stamp_ms;
    double value;
};

struct vector {
    char name[256];
    bool monasca;
    char expression[512];
    char missing[128]; /* keys of the definition */
    int64_t created_ms, until_ms;
    struct thresholds_limits limits;
    struct point *points; /* in order of arrival */
    size_t n_points;
    struct hale_buf expected;
};

/* "m:ss", "m:ss.mmm" or "-28h" to milliseconds after BASE_MS. */
static int64_t clock_ms(struct hale_str s)
{
    int64_t ms, m = 0;
    double sec = 0;
    bool negative = s.len > 0 && s.p[0] == '-';
    struct hale_str rest = {s.p + negative, s.len - negative};
    if (hale_str_duration_ms(rest, &ms) == HALE_OK)
        return BASE_MS + (negative ? -ms : ms);
    struct hale_str minutes = hale_str_split(&rest, ':');
    if (hale_str_i64(minutes, &m) != HALE_OK || hale_str_double(rest, &sec) != HALE_OK)
        fail_msg("bad time %.*s", (int)s.len, s.p);
    return BASE_MS + m * 60000 + (int64_t)(sec * 1000 + 0.5);
}

static struct hale_str word(struct hale_str *line)
{
    return hale_str_split(line, ' ');
}

static double number(struct hale_str s)
{
    double x;
    if (hale_str_double(s, &x) != HALE_OK)
        fail_msg("bad number %.*s", (int)s.len, s.p);
    return x;
}

/* Lines may come in any order; points with the same arrival keep theirs. */
static void add_point(struct vector *v, int64_t at_ms, int64_t stamp_ms, double value)
{
    assert_true(v->n_points < MAX_POINTS);
    size_t i = v->n_points++;
    for (; i > 0 && v->points[i - 1].at_ms > at_ms; i--)
        v->points[i] = v->points[i - 1];
    v->points[i] = (struct point){at_ms, stamp_ms, value};
}

/* "20 every 15s from 0:10 to 5:00": at the start, then each step while not beyond the
 * end. */
static void read_points(struct vector *v, struct hale_str line)
{
    int64_t step;
    double value = number(word(&line));
    (void)word(&line);
    assert_int_equal(hale_str_duration_ms(word(&line), &step), HALE_OK);
    (void)word(&line);
    int64_t from = clock_ms(word(&line));
    (void)word(&line);
    int64_t to = clock_ms(word(&line));
    for (int64_t t = from; t <= to; t += step)
        add_point(v, t, t, value);
}

/* "1:15 20 stamped 0:55" */
static void read_point(struct vector *v, struct hale_str line)
{
    int64_t at = clock_ms(word(&line));
    double value = number(word(&line));
    int64_t stamp = at;
    if (hale_str_eq_c(word(&line), "stamped"))
        stamp = clock_ms(word(&line));
    add_point(v, at, stamp, value);
}

/* "ALARM/HIGH 1:40 [20.0, 21.0] since 1:10", of which severity and since may be missing. */
static void read_expect(struct vector *v, struct hale_str line)
{
    struct hale_str state = word(&line);
    int64_t at = clock_ms(word(&line));
    size_t values = 0;
    while (values < line.len && line.p[values] != ']')
        values++;
    assert_true(values < line.len);
    hale_buf_printf(&v->expected, "%.*s %" PRId64 " %.*s]", (int)state.len, state.p,
                    at - BASE_MS, (int)values, line.p);
    struct hale_str rest = {line.p + values + 1, line.len - values - 1};
    if (hale_str_eq_c(rest, " missing")) {
        hale_buf_add_c(&v->expected, " missing");
    } else if (hale_str_eq_c(rest, " learning")) {
        hale_buf_add_c(&v->expected, " learning");
    } else if (rest.len > 0) {
        (void)word(&rest);
        assert_true(hale_str_eq_c(word(&rest), "since"));
        hale_buf_printf(&v->expected, " since %" PRId64, clock_ms(rest) - BASE_MS);
    }
    hale_buf_add_char(&v->expected, '\n');
}

/* "alarm 3m" or "keep" */
static void read_missing(struct vector *v, struct hale_str line)
{
    struct hale_str policy = word(&line);
    int64_t after = 0;
    if (line.len > 0)
        assert_int_equal(hale_str_duration_ms(line, &after), HALE_OK);
    snprintf(v->missing, sizeof(v->missing),
             "\"on_missing\":\"%.*s\",\"missing_after\":%" PRId64 ",", (int)policy.len,
             policy.p, after / 1000);
}

static void read_line(struct vector *v, struct hale_str line)
{
    struct hale_str key = word(&line);
    if (key.len == 0 || key.p[0] == '#')
        return;
    if (hale_str_eq_c(key, "semantics"))
        v->monasca = hale_str_eq_c(line, "monasca");
    else if (hale_str_eq_c(key, "expression"))
        snprintf(v->expression, sizeof(v->expression), "%.*s", (int)line.len, line.p);
    else if (hale_str_eq_c(key, "on_missing"))
        read_missing(v, line);
    else if (hale_str_eq_c(key, "created"))
        v->created_ms = clock_ms(line);
    else if (hale_str_eq_c(key, "ticks"))
        v->limits.tick_phase_s = clock_ms(line) / 1000;
    else if (hale_str_eq_c(key, "late_wait"))
        assert_int_equal(hale_str_duration_ms(line, &v->limits.late_wait_ms), HALE_OK);
    else if (hale_str_eq_c(key, "points"))
        read_points(v, line);
    else if (hale_str_eq_c(key, "point"))
        read_point(v, line);
    else if (hale_str_eq_c(key, "until"))
        v->until_ms = clock_ms(line);
    else if (hale_str_eq_c(key, "expect"))
        read_expect(v, line);
    else
        fail_msg("%s: unknown line %.*s", v->name, (int)key.len, key.p);
}

static void note_state(const struct thresholds_event *ev, void *arg)
{
    struct hale_buf *out = arg;
    if (ev->kind != HALE_SUB_STATE)
        return;
    hale_buf_printf(
        out, "%s%s%s %" PRId64 " [", hale_state_text(ev->state),
        ev->severity >= 0 ? "/" : "",
        ev->severity >= 0 ? hale_severity_text((enum hale_severity)ev->severity) : "",
        ev->at_ms - BASE_MS);
    for (unsigned i = 0; i < ev->n_values; i++) {
        hale_buf_add_c(out, i > 0 ? ", " : "");
        hale_buf_add_double(out, ev->values[i]);
    }
    hale_buf_add_char(out, ']');
    if (ev->since_ms != 0)
        hale_buf_printf(out, " since %" PRId64, ev->since_ms - BASE_MS);
    hale_buf_add_c(out, ev->missing ? " missing\n" : ev->learning ? " learning\n" : "\n");
}

static void run_vector(const struct vector *v)
{
    struct hale_buf got;
    hale_buf_init(&got, 1u << 20);
    hale_buf_add_c(&got, "");
    struct thresholds_engine *e = thresholds_engine_new(&v->limits, note_state, &got);
    assert_non_null(e);
    assert_int_equal(
        thresholds_engine_set_definition(
            e, make_definition_with("d", v->expression, "[]", v->monasca, 1, v->missing),
            v->created_ms),
        HALE_OK);
    struct thresholds_series *s = introduce(e, "x", "", v->created_ms);
    for (size_t i = 0; i < v->n_points; i++) {
        const struct point *p = &v->points[i];
        thresholds_engine_tick(e, p->at_ms - 1);
        thresholds_engine_sample(e, s, p->stamp_ms, p->value, p->at_ms, 1);
    }
    thresholds_engine_tick(e, v->until_ms);
    print_message("%s\n", v->name);
    assert_string_equal(got.p, v->expected.p != NULL ? v->expected.p : "");
    thresholds_engine_free(e);
    hale_buf_fini(&got);
}

static void run_file(const char *path, const char *name)
{
    struct hale_err err = {0};
    struct hale_buf text;
    hale_buf_init(&text, 1u << 20);
    if (hale_fs_read(path, &text, &err) != HALE_OK)
        fail_msg("%s", err.text);
    struct vector v = {.limits = thresholds_limits_default()};
    snprintf(v.name, sizeof(v.name), "%s", name);
    v.points = malloc(MAX_POINTS * sizeof(*v.points));
    assert_non_null(v.points);
    hale_buf_init(&v.expected, 1u << 20);
    struct hale_str rest = hale_buf_str(&text);
    while (rest.p != NULL)
        read_line(&v, hale_str_split(&rest, '\n'));
    run_vector(&v);
    hale_buf_fini(&v.expected);
    hale_buf_fini(&text);
    free(v.points);
}

static int is_vector(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 4 && strcmp(d->d_name + n - 4, ".txt") == 0;
}

static void test_vectors(void **state)
{
    (void)state;
    struct dirent **names = NULL;
    int n = scandir(HALE_TEST_DIR "/vectors/thresholds", &names, is_vector, alphasort);
    assert_true(n >= 68);
    for (int i = 0; i < n; i++) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/vectors/thresholds/%s", HALE_TEST_DIR,
                 names[i]->d_name);
        run_file(path, names[i]->d_name);
        free(names[i]);
    }
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
