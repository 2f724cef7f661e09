/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/expr.h"
#include "support/fail_alloc.h"

/* ---- vectors ---- */

/* "{{hh}}" to bytes. */
static void unescape(const char *text, struct hale_buf *out)
{
    hale_buf_reset(out);
    while (*text != '\0') {
        unsigned char byte;
        if (strncmp(text, "{{", 2) == 0 && strlen(text) >= 6 &&
            strncmp(text + 4, "}}", 2) == 0 &&
            hale_str_unhex((struct hale_str){text + 2, 2}, &byte, 1) == HALE_OK) {
            hale_buf_add(out, &byte, 1);
            text += 6;
        } else {
            hale_buf_add_char(out, *text++);
        }
    }
}

static void write_normal(const struct hale_expr *e, const struct hale_node *n,
                         struct hale_buf *out)
{
    if (n->kind == HALE_NODE_SUB) {
        hale_subexpr_format(&e->subs[n->sub], out);
        return;
    }
    if (n->kind == HALE_NODE_NOT) {
        hale_buf_add_c(out, "not (");
        write_normal(e, n->left, out);
        hale_buf_add_char(out, ')');
        return;
    }
    hale_buf_add_char(out, '(');
    write_normal(e, n->left, out);
    hale_buf_add_c(out, n->kind == HALE_NODE_AND ? " and " : " or ");
    write_normal(e, n->right, out);
    hale_buf_add_char(out, ')');
}

/* Parses an exact heap copy, so that a sanitizer sees a read beyond the end. */
static enum hale_rc parse_copy(struct hale_str text, struct hale_expr **out,
                               struct hale_err *err)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);
    assert_non_null(copy);
    if (text.len > 0)
        memcpy(copy, text.p, text.len);
    enum hale_rc rc = hale_expr_parse((struct hale_str){copy, text.len}, out, err);
    free(copy); /* the tree has strings of its own */
    return rc;
}

static void check_valid(char *line, int number)
{
    char *wanted = strchr(line, '\t');
    struct hale_buf text, normal;
    struct hale_expr *e;
    struct hale_err err = {0};
    assert_non_null(wanted);
    *wanted++ = '\0';
    hale_buf_init(&text, 1u << 16);
    hale_buf_init(&normal, 1u << 16);
    unescape(line, &text);
    if (parse_copy(hale_buf_str(&text), &e, &err) != HALE_OK)
        fail_msg("valid.txt:%d refused: column %d: %s", number, err.col, err.text);
    write_normal(e, e->root, &normal);
    assert_string_equal(normal.p, wanted);
    hale_expr_free(e);
    hale_buf_fini(&text);
    hale_buf_fini(&normal);
}

static void check_invalid(char *line, int number)
{
    char *reason = strchr(line, '\t');
    char *expression = reason != NULL ? strchr(reason + 1, '\t') : NULL;
    struct hale_buf text;
    struct hale_expr *e;
    struct hale_err err = {0};
    if (expression == NULL) {
        fail_msg("invalid.txt:%d: no three columns", number);
        return;
    }
    *reason++ = '\0';
    *expression++ = '\0';
    hale_buf_init(&text, 1u << 16);
    unescape(expression, &text);
    if (parse_copy(hale_buf_str(&text), &e, &err) == HALE_OK)
        fail_msg("invalid.txt:%d accepted: %s", number, expression);
    assert_null(e);
    if (err.col != strtol(line, NULL, 10) || strcmp(err.text, reason) != 0)
        fail_msg("invalid.txt:%d: column %d: %s", number, err.col, err.text);
    hale_buf_fini(&text);
}

static int run_vectors(const char *path, void (*check)(char *line, int number))
{
    char line[4096];
    int number = 0, cases = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        check(line, number);
        cases++;
    }
    assert_int_equal(fclose(f), 0);
    return cases;
}

static void valid_vectors_give_their_normal_form(void **state)
{
    (void)state;
    assert_true(run_vectors(HALE_TEST_DIR "/vectors/expr/valid.txt", check_valid) >= 80);
}

static void invalid_vectors_give_column_and_reason(void **state)
{
    (void)state;
    assert_true(run_vectors(HALE_TEST_DIR "/vectors/expr/invalid.txt", check_invalid) >=
                100);
}

/* ---- parts ---- */

static void fields_are_filled(void **state)
{
    struct hale_expr *e;
    (void)state;
    assert_int_equal(
        hale_expr_parse(HALE_STR("count(x{b=2, a=1}, deterministic, 120) >= 1.5 "
                                 "times 3 or y < -2"),
                        &e, NULL),
        HALE_OK);
    assert_int_equal(e->n_subs, 2);
    assert_false(e->deterministic);
    const struct hale_subexpr *s = &e->subs[0];
    assert_int_equal(s->func, HALE_FUNC_COUNT);
    assert_int_equal(s->op, HALE_OP_GTE);
    assert_true(s->deterministic);
    assert_false(s->bare);
    assert_int_equal(s->period_s, 120);
    assert_int_equal(s->times, 3);
    assert_true(s->threshold == 1.5);
    assert_int_equal(s->n_dims, 2);
    assert_true(hale_str_eq_c(s->dims[0].key, "a"));
    assert_true(hale_str_eq_c(s->dims[1].value, "2"));
    s = &e->subs[1];
    assert_int_equal(s->func, HALE_FUNC_MIN);
    assert_true(s->bare);
    assert_int_equal(s->period_s, 60);
    assert_int_equal(s->times, 1);
    assert_int_equal(e->root->kind, HALE_NODE_OR);
    assert_int_equal(e->root->left->sub, 0);
    assert_int_equal(e->root->right->sub, 1);
    hale_expr_free(e);
    hale_expr_free(NULL);
    assert_int_equal(hale_expr_parse(HALE_STR("max(x, deterministic) > 1 and "
                                              "min(x, deterministic) < 1"),
                                     &e, NULL),
                     HALE_OK);
    assert_true(e->deterministic);
    hale_expr_free(e);
}

static void repeat(struct hale_buf *b, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        hale_buf_add_c(b, text);
}

static void limits_hold(void **state)
{
    static const struct {
        const char *head, *unit, *tail;
        int n; /* this many units are accepted, one more is not */
    } cases[] = {
        {"x > 1", " and y > 2", "", HALE_EXPR_MAX_SUBS - 1},
        {"", "n", " > 1", HALE_NAME_MAX_CHARS},
        {"", "\xe5\x85\xac", " > 1", HALE_NAME_MAX_CHARS},
        {"x{k=", "v", "} > 1", HALE_DIM_VALUE_MAX_CHARS},
        {"x{", "k", "=v} > 1", HALE_DIM_KEY_MAX_CHARS},
        {"x > 1", " ", "", HALE_EXPR_MAX_BYTES - 5},
        {"x > 1", "0", "", 308},
    };
    struct hale_buf text;
    struct hale_expr *e;
    (void)state;
    hale_buf_init(&text, 1u << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int extra = 0; extra <= 1; extra++) {
            hale_buf_reset(&text);
            hale_buf_add_c(&text, cases[i].head);
            repeat(&text, cases[i].unit, cases[i].n + extra);
            hale_buf_add_c(&text, cases[i].tail);
            enum hale_rc rc = parse_copy(hale_buf_str(&text), &e, NULL);
            assert_int_equal(rc, extra ? HALE_E_LIMIT : HALE_OK);
            hale_expr_free(e);
        }
    }
    for (int extra = 0; extra <= 1; extra++) { /* parentheses */
        hale_buf_reset(&text);
        repeat(&text, "(", HALE_EXPR_MAX_DEPTH + extra);
        hale_buf_add_c(&text, "x > 1");
        repeat(&text, ")", HALE_EXPR_MAX_DEPTH + extra);
        assert_int_equal(parse_copy(hale_buf_str(&text), &e, NULL),
                         extra ? HALE_E_LIMIT : HALE_OK);
        hale_expr_free(e);
    }
    for (int extra = 0; extra <= 1; extra++) { /* dimensions */
        hale_buf_reset(&text);
        hale_buf_add_c(&text, "x{");
        for (int i = 0; i < HALE_DIMS_MAX + extra; i++)
            hale_buf_printf(&text, "%sk%d=v", i > 0 ? "," : "", i);
        hale_buf_add_c(&text, "} > 1");
        assert_int_equal(parse_copy(hale_buf_str(&text), &e, NULL),
                         extra ? HALE_E_LIMIT : HALE_OK);
        hale_expr_free(e);
    }
    hale_buf_fini(&text);
}

static void matching_needs_name_and_every_dimension(void **state)
{
    static const struct {
        const char *expression;
        bool matches;
    } cases[] = {
        {"x > 1", true},
        {"X > 1", false},
        {"x{a=1} > 1", true},
        {"x{a=2} > 1", false},
        {"x{c=3} > 1", true},
        {"x{a=1,c=3} > 1", true},
        {"x{a=1,b=2,c=3} > 1", true},
        {"x{a=1,d=4} > 1", false},
        {"x{0=1} > 1", false},
        {"x{bb=2} > 1", false},
        {"x{a=1,b=2,c=3,d=4} > 1", false},
    };
    struct hale_series series = {
        .name = HALE_STR("x"),
        .n_dims = 3,
        .dims = {{HALE_STR("a"), HALE_STR("1")},
                 {HALE_STR("b"), HALE_STR("2")},
                 {HALE_STR("c"), HALE_STR("3")}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_expr *e;
        assert_int_equal(hale_expr_parse(hale_str_from(cases[i].expression), &e, NULL),
                         HALE_OK);
        if (hale_subexpr_matches(&e->subs[0], &series) != cases[i].matches)
            fail_msg("%s", cases[i].expression);
        hale_expr_free(e);
    }
}

static void operators_hold(void **state)
{
    (void)state;
    for (int v = -1; v <= 1; v++) {
        assert_int_equal(hale_op_holds(HALE_OP_LT, v, 0), v < 0);
        assert_int_equal(hale_op_holds(HALE_OP_LTE, v, 0), v <= 0);
        assert_int_equal(hale_op_holds(HALE_OP_GT, v, 0), v > 0);
        assert_int_equal(hale_op_holds(HALE_OP_GTE, v, 0), v >= 0);
    }
    for (int op = HALE_OP_LT; op <= (int)HALE_OP_GTE; op++)
        assert_false(hale_op_holds((enum hale_op)op, NAN, 0));
}

static void texts_are_monascas(void **state)
{
    enum hale_state s;
    (void)state;
    assert_string_equal(hale_func_text(HALE_FUNC_COUNT), "COUNT");
    assert_string_equal(hale_op_text(HALE_OP_LTE), "LTE");
    assert_string_equal(hale_op_symbol(HALE_OP_GTE), ">=");
    assert_int_equal(hale_state_parse(HALE_STR("undetermined"), &s), HALE_OK);
    assert_int_equal(s, HALE_STATE_UNDETERMINED);
    assert_int_equal(hale_state_parse(HALE_STR("ALARM"), &s), HALE_OK);
    assert_string_equal(hale_state_text(s), "ALARM");
    assert_int_equal(hale_state_parse(HALE_STR("ALARMS"), &s), HALE_E_INVAL);
}

/* What Double.toString prints; 1e23 as from JDK 19 (JDK-4511638), before that it was longer. */
static void thresholds_print_as_java_doubles(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-5, "-5.0"},
        {0.25, "0.25"},
        {0.001, "0.001"},
        {0.01, "0.01"},
        {0.00099, "9.9E-4"},
        {9999999, "9999999.0"},
        {1e7, "1.0E7"},
        {12345678, "1.2345678E7"},
        {1e23, "1.0E23"},
        {1234567.5, "1234567.5"},
        {0.1, "0.1"},
        {100, "100.0"},
        {1e-300, "1.0E-300"},
        {1.7976931348623157e308, "1.7976931348623157E308"},
        {1.0 / 3, "0.3333333333333333"},
    };
    struct hale_buf out;
    (void)state;
    hale_buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_subexpr s = {.func = HALE_FUNC_MAX,
                                 .op = HALE_OP_GT,
                                 .period_s = 60,
                                 .times = 1,
                                 .name = HALE_STR("x"),
                                 .threshold = cases[i].value};
        hale_buf_reset(&out);
        hale_subexpr_format(&s, &out);
        assert_string_equal(out.p + strlen("max(x) > "), cases[i].text);
    }
    hale_buf_fini(&out);
}

/* ---- evaluation ---- */

static void two_operands_follow_the_tables(void **state)
{
    static const enum hale_state O = HALE_STATE_OK, U = HALE_STATE_UNDETERMINED,
                                 A = HALE_STATE_ALARM;
    const struct {
        enum hale_state a, b, monasca_and, monasca_or, hale_and, hale_or;
    } rows[] = {
        {O, O, O, O, O, O}, {O, A, O, A, O, A}, {A, O, O, A, O, A},
        {A, A, A, A, A, A}, {O, U, U, U, O, U}, {U, O, U, U, O, U},
        {A, U, U, U, U, A}, {U, A, U, U, U, A}, {U, U, U, U, U, U},
    };
    struct hale_expr *both, *any;
    (void)state;
    assert_int_equal(hale_expr_parse(HALE_STR("a > 1 and b > 1"), &both, NULL), HALE_OK);
    assert_int_equal(hale_expr_parse(HALE_STR("a > 1 or b > 1"), &any, NULL), HALE_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const enum hale_state in[2] = {rows[i].a, rows[i].b};
        assert_int_equal(hale_expr_eval(both, in, HALE_SEMANTICS_MONASCA),
                         rows[i].monasca_and);
        assert_int_equal(hale_expr_eval(any, in, HALE_SEMANTICS_MONASCA),
                         rows[i].monasca_or);
        assert_int_equal(hale_expr_eval(both, in, HALE_SEMANTICS_HALE), rows[i].hale_and);
        assert_int_equal(hale_expr_eval(any, in, HALE_SEMANTICS_HALE), rows[i].hale_or);
    }
    hale_expr_free(both);
    hale_expr_free(any);
}

static uint64_t random_state = 0x9e3779b97f4a7c15u;
static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % n;
}

/* Random text of an expression over at most 8 subs "m0 > 1", "m1 > 1", ... */
static void write_random(struct hale_buf *out, unsigned depth, unsigned *n_subs)
{
    if (depth == 0 || *n_subs >= 7 || random_below(3) == 0) {
        hale_buf_printf(out, "m%u > 1", (*n_subs)++);
        return;
    }
    if (random_below(4) == 0)
        hale_buf_add_c(out, "not ");
    hale_buf_add_char(out, '(');
    write_random(out, depth - 1, n_subs);
    hale_buf_add_c(out, random_below(2) ? " and " : " or ");
    write_random(out, depth - 1, n_subs);
    hale_buf_add_char(out, ')');
}

static bool holds(const struct hale_node *n, unsigned alarms)
{
    if (n->kind == HALE_NODE_SUB)
        return (alarms >> n->sub & 1) != 0;
    bool a = holds(n->left, alarms);
    if (n->kind == HALE_NODE_NOT)
        return !a;
    bool b = holds(n->right, alarms);
    return n->kind == HALE_NODE_AND ? a && b : a || b;
}

/*
 * The naive model knows only true and false. An unknown may turn out either way: it tries all
 * ways. As each sub-expression stands once in the text and so counts in one direction, the
 * three-valued result is ALARM if all ways give true, OK if none does, else UNDETERMINED.
 */
static enum hale_state model_eval(const struct hale_expr *e, const enum hale_state *in,
                                  enum hale_semantics semantics)
{
    unsigned known = 0, unknown = 0, n_true = 0, n_ways = 0;
    for (unsigned i = 0; i < e->n_subs; i++) {
        if (in[i] == HALE_STATE_ALARM)
            known |= 1u << i;
        if (in[i] == HALE_STATE_UNDETERMINED)
            unknown |= 1u << i;
    }
    if (semantics == HALE_SEMANTICS_MONASCA && unknown != 0)
        return HALE_STATE_UNDETERMINED;
    for (unsigned ways = unknown;; ways = (ways - 1) & unknown) {
        n_ways++;
        n_true += holds(e->root, known | ways);
        if (ways == 0)
            break;
    }
    if (n_true == n_ways)
        return HALE_STATE_ALARM;
    return n_true == 0 ? HALE_STATE_OK : HALE_STATE_UNDETERMINED;
}

static void evaluation_agrees_with_a_naive_model(void **state)
{
    struct hale_buf text;
    (void)state;
    hale_buf_init(&text, 4096);
    for (int round = 0; round < 3000; round++) {
        unsigned n_subs = 0;
        struct hale_expr *e;
        enum hale_state in[16] = {HALE_STATE_OK};
        hale_buf_reset(&text);
        write_random(&text, 4, &n_subs);
        assert_int_equal(hale_expr_parse(hale_buf_str(&text), &e, NULL), HALE_OK);
        assert_int_equal(e->n_subs, n_subs);
        for (int k = 0; k < 20; k++) {
            for (unsigned i = 0; i < n_subs; i++)
                in[i] = (enum hale_state)random_below(3);
            for (int m = 0; m < 2; m++) {
                enum hale_semantics how =
                    m ? HALE_SEMANTICS_MONASCA : HALE_SEMANTICS_HALE;
                if (hale_expr_eval(e, in, how) != model_eval(e, in, how))
                    fail_msg("%s differs, semantics %d", text.p, m);
            }
        }
        hale_expr_free(e);
    }
    hale_buf_fini(&text);
}

static void a_failed_allocation_is_reported(void **state)
{
    struct hale_expr *e;
    (void)state;
    fail_alloc_in = 1;
    enum hale_rc rc = hale_expr_parse(HALE_STR("x{a=b} > 1"), &e, NULL);
    assert_int_equal(fail_alloc_in, 0);
    assert_int_equal(rc, HALE_E_NOMEM);
    assert_null(e);
    fail_alloc_in = 2;
    rc = hale_expr_parse(HALE_STR("avg(x) / avg(y) > 1"), &e, NULL);
    assert_int_equal(fail_alloc_in, 0);
    assert_int_equal(rc, HALE_E_NOMEM);
    assert_null(e);
}

static void functions_of_ours_are_extensions(void **state)
{
    static const char *const texts[][2] = {
        {"percentile(x, 95) > 1", "there is no function 'percentile'"},
        {"stddev(x) > 1", "there is no function 'stddev'"},
        {"baseline(x) > 1", "there is no function 'baseline'"},
        {"forecast(x, 600, 1h) > 1", "there is no function 'forecast'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct hale_expr *e;
        struct hale_err err = {0};
        assert_int_equal(hale_expr_parse(hale_str_from(texts[i][0]), &e, &err), HALE_OK);
        assert_int_equal(e->extension_col, 1);
        assert_string_equal(e->extension, texts[i][1]);
        hale_expr_free(e);
    }
}

static void arithmetic_computes(void **state)
{
    static const struct {
        const char *left;
        double a, b, c, value; /* NAN: none */
    } cases[] = {
        {"avg(a) / avg(b) * 100", 45, 50, 0, 90},
        {"(avg(a) - avg(b)) / avg(c)", 5, 3, 4, 0.5},
        {"avg(a) - avg(b) - avg(c)", 5, 3, 4, -2},
        {"avg(a) - (avg(b) - avg(c))", 5, 3, 4, 6},
        {"avg(a) + avg(b) * avg(c)", 5, 3, 4, 17},
        {"100 - avg(a) / avg(b)", 5, 2, 0, 97.5},
        {"2*avg(a)", 5, 0, 0, NAN}, /* a function of that name */
        {"avg(a)*2 - -1", 5, 0, 0, 11},
        {"avg(a) / avg(b)", 1, 0, 0, NAN},
        {"avg(a) / avg(b)", 1, -0.0, 0, NAN},
        {"1 / (avg(a) / avg(b))", 1, 0, 0, NAN},
        {"avg(a) * avg(b) / avg(b)", 1e300, 1e300, 0, NAN},
        {"avg(a) / avg(b)", 0, 5, 0, 0},
    };
    char text[200];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_expr *e;
        (void)snprintf(text, sizeof(text), "%s > 1", cases[i].left);
        if (hale_expr_parse(hale_str_from(text), &e, NULL) != HALE_OK) {
            assert_true(isnan(cases[i].value));
            continue;
        }
        const double in[HALE_ARITH_MAX_TERMS] = {cases[i].a, cases[i].b, cases[i].c};
        double value = hale_arith_value(e->subs[0].arith, in);
        if (isnan(cases[i].value) != isnan(value) ||
            (!isnan(value) && fabs(value - cases[i].value) > 0))
            fail_msg("%s: %g", text, value);
        assert_true(e->extension_col == 1);
        assert_string_equal(e->extension, "there is no arithmetic between metrics");
        hale_expr_free(e);
    }
}

static void terms_of_a_comparison(void **state)
{
    struct hale_expr *e;
    (void)state;
    assert_int_equal(hale_expr_parse(HALE_STR("sum(a{k=v}, 30) / last2 > 1"), &e, NULL),
                     HALE_E_INVAL);
    assert_int_equal(
        hale_expr_parse(HALE_STR("sum(a{k=v}, 30) / rate(b) > 1 and last(c) < 2 and "
                                 "last(d) - last(e{f=g}) > 0"),
                        &e, NULL),
        HALE_OK);
    const struct hale_subexpr *s = &e->subs[0];
    assert_int_equal(s->func, HALE_FUNC_ARITHMETIC);
    assert_string_equal(hale_func_text(s->func), "ARITHMETIC");
    assert_true(hale_str_eq_c(s->name, "a"));
    assert_int_equal(s->n_dims, 1);
    assert_int_equal(s->period_s, 30);
    assert_int_equal(hale_subexpr_terms(s), 2);
    assert_int_equal(hale_subexpr_term(s, 0).func, HALE_FUNC_SUM);
    assert_int_equal(hale_subexpr_term(s, 1).func, HALE_FUNC_RATE);
    assert_true(hale_str_eq_c(hale_subexpr_term(s, 1).name, "b"));
    assert_false(hale_subexpr_is_last(s));
    assert_int_equal(hale_subexpr_terms(&e->subs[1]), 1);
    assert_true(hale_subexpr_is_last(&e->subs[1]));
    assert_true(hale_subexpr_is_last(&e->subs[2]));
    assert_false(hale_arith_equal(s->arith, e->subs[2].arith));
    assert_true(hale_arith_equal(s->arith, s->arith));
    assert_false(hale_arith_equal(s->arith, e->subs[1].arith));
    hale_expr_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_ours_are_extensions),
        cmocka_unit_test(valid_vectors_give_their_normal_form),
        cmocka_unit_test(invalid_vectors_give_column_and_reason),
        cmocka_unit_test(fields_are_filled),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(matching_needs_name_and_every_dimension),
        cmocka_unit_test(operators_hold),
        cmocka_unit_test(texts_are_monascas),
        cmocka_unit_test(thresholds_print_as_java_doubles),
        cmocka_unit_test(two_operands_follow_the_tables),
        cmocka_unit_test(evaluation_agrees_with_a_naive_model),
        cmocka_unit_test(arithmetic_computes),
        cmocka_unit_test(terms_of_a_comparison),
        cmocka_unit_test(a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
