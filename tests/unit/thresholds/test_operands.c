/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operands: arithmetic between metrics. A property test against a slow model that keeps every
 * sample and computes each window from them, with a restart from the snapshot at random moments;
 * and who takes part.
 */
#include <math.h>

#include "world.h"

/* --- the model ------------------------------------------------------------------------ */

#define NAMES   3
#define HOSTS   2
#define SAMPLES 3000
#define CASES   400

static uint64_t random_state;

static unsigned dice(unsigned n) /* 0..n-1, xorshift */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 20) % n);
}

struct heard { /* one accepted sample of a series */
    int64_t ms;
    double value;
    int64_t from_ms; /* rate: what the value, an increase, is spread over, up to ms */
};

struct feed { /* of one operand: what it got in one group */
    unsigned n;
    struct heard v[SAMPLES];
    bool based[2]; /* rate: per series of the group */
    struct heard base[2];
};

struct group {
    bool made;
    int64_t joined_ms; /* from here on the other operands take part */
    int64_t view_end_s, data_end_s;
    enum hale_state state;
    bool reported;
    struct feed feeds[HALE_ARITH_MAX_TERMS];
};

struct model {
    const struct hale_subexpr *x;
    int64_t late_wait_ms;
    unsigned width_s, span;
    struct group groups[HOSTS];
    struct hale_buf *out;
};

static int64_t down(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return (a % b < 0 ? q - 1 : q) * b;
}

static int64_t wait_ms(const struct model *m)
{
    return m->width_s >= 60 ? m->late_wait_ms : m->late_wait_ms * m->width_s / 60;
}

static unsigned future_slots(const struct model *m)
{
    int64_t need =
        (int64_t)ceil(ceil((double)wait_ms(m) / 1000.0) / (double)m->width_s) + 1;
    return need > 2 ? (unsigned)need : 2;
}

/* Value of operand t over [from_s, to_s). */
static bool feed_value(const struct model *m, const struct group *g, unsigned t,
                       int64_t from_s, int64_t to_s, double *out)
{
    enum hale_func func = hale_subexpr_term(m->x, t).func;
    const struct feed *f = &g->feeds[t];
    double sum = 0, least = INFINITY, most = -INFINITY;
    unsigned n = 0;
    for (unsigned i = 0; i < f->n; i++) {
        const struct heard *h = &f->v[i];
        if (func == HALE_FUNC_RATE) {
            int64_t lo = h->from_ms > from_s * 1000 ? h->from_ms : from_s * 1000;
            int64_t hi = h->ms < to_s * 1000 ? h->ms : to_s * 1000;
            n += lo < hi;
            sum +=
                lo < hi ? h->value * (double)(hi - lo) / (double)(h->ms - h->from_ms) : 0;
            continue;
        }
        if (h->ms < from_s * 1000 || h->ms >= to_s * 1000)
            continue;
        n++;
        sum += h->value;
        least = fmin(least, h->value);
        most = fmax(most, h->value);
    }
    *out = func == HALE_FUNC_MAX     ? most
           : func == HALE_FUNC_MIN   ? least
           : func == HALE_FUNC_AVG   ? sum / n
           : func == HALE_FUNC_COUNT ? n
           : func == HALE_FUNC_RATE  ? sum / (double)(to_s - from_s)
                                     : sum;
    return n > 0;
}

/* Reads the postfix form with a stack of its own making. */
static bool calculate(const struct hale_arith *a, const double *terms, double *out)
{
    double stack[HALE_ARITH_MAX_STEPS] = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < a->n_steps; i++) {
        double r = 0, l = 0;
        if (a->steps[i].kind > HALE_ARITH_TERM) {
            r = stack[--n];
            l = stack[--n];
        }
        switch (a->steps[i].kind) {
        case HALE_ARITH_NUMBER: l = a->steps[i].number; break;
        case HALE_ARITH_TERM: l = terms[a->steps[i].term]; break;
        case HALE_ARITH_ADD: l += r; break;
        case HALE_ARITH_SUBTRACT: l -= r; break;
        case HALE_ARITH_MULTIPLY: l *= r; break;
        case HALE_ARITH_DIVIDE:
            if (fpclassify(r) == FP_ZERO)
                return false;
            l /= r;
            break;
        }
        if (!isfinite(l))
            return false;
        stack[n++] = l;
    }
    *out = stack[0];
    return true;
}

static bool window_value(const struct model *m, const struct group *g, unsigned back,
                         double *out)
{
    int64_t end_s = g->view_end_s - (int64_t)back * m->width_s;
    double terms[HALE_ARITH_MAX_TERMS];
    for (unsigned t = 0; t < hale_subexpr_terms(m->x); t++) {
        if (!feed_value(m, g, t, end_s - (int64_t)m->width_s * m->span, end_s, &terms[t]))
            return false;
    }
    return calculate(m->x->arith, terms, out);
}

static void tell(struct model *m, unsigned host, enum hale_state state, int64_t at_ms,
                 const double *v, unsigned n)
{
    struct group *g = &m->groups[host];
    if (g->reported && g->state == state)
        return;
    g->reported = true;
    g->state = state;
    hale_buf_printf(m->out, "h%u %s %" PRId64, host, hale_state_text(state),
                    at_ms - BASE_MS);
    for (unsigned i = 0; i < n; i++)
        hale_buf_printf(m->out, " %.9g", v[i]);
    hale_buf_add_char(m->out, '\n');
}

static void close_window(struct model *m, unsigned host, int64_t at_ms)
{
    struct group *g = &m->groups[host];
    double v[64];
    unsigned known = 0;
    bool ok = false, full = true;
    for (unsigned back = m->x->times; back-- > 0;) {
        double value;
        if (!window_value(m, g, back, &value)) {
            full = false;
            continue;
        }
        int64_t end_s = g->view_end_s - (int64_t)back * m->width_s;
        g->data_end_s = end_s > g->data_end_s ? end_s : g->data_end_s;
        if (ok)
            continue; /* only data_end */
        v[known++] = value;
        ok = !hale_op_holds(m->x->op, value, m->x->threshold);
    }
    if (ok)
        tell(m, host, HALE_STATE_OK, at_ms, v, known);
    else if (full)
        tell(m, host, HALE_STATE_ALARM, at_ms, v, known);
    else if (m->x->deterministic)
        tell(m, host, HALE_STATE_OK, at_ms, v, known);
    else if (g->view_end_s - g->data_end_s >= 2 * (int64_t)m->width_s * m->x->times)
        tell(m, host, HALE_STATE_UNDETERMINED, at_ms, v, known);
    g->view_end_s += m->width_s;
}

/* All windows that close in (.., until_ms], the earliest first, those of a moment in order of
 * creation, which is kept in order[]. */
static void sweep(struct model *m, const unsigned *order, unsigned n, int64_t until_ms)
{
    for (;;) {
        int64_t first = INT64_MAX;
        for (unsigned i = 0; i < n; i++) {
            int64_t at = m->groups[order[i]].view_end_s * 1000 + wait_ms(m);
            first = at < first ? at : first;
        }
        if (first > until_ms)
            return;
        for (unsigned i = 0; i < n; i++) {
            if (m->groups[order[i]].view_end_s * 1000 + wait_ms(m) == first)
                close_window(m, order[i], first);
        }
    }
}

static void hear(struct model *m, struct group *g, unsigned t, unsigned series,
                 int64_t ms, double value, int64_t now_ms)
{
    struct feed *f = &g->feeds[t];
    int64_t begin_s = g->view_end_s - (int64_t)m->width_s * (m->x->times + m->span - 1);
    if (hale_subexpr_term(m->x, t).func == HALE_FUNC_RATE) {
        ms = ms < now_ms ? ms : now_ms;
        struct heard before = f->base[series];
        if (f->based[series] && ms <= before.ms)
            return;
        f->base[series] = (struct heard){.ms = ms, .value = value};
        if (f->based[series] && ms > begin_s * 1000)
            f->v[f->n++] = (struct heard){
                ms, value < before.value ? value : value - before.value, before.ms};
        f->based[series] = true;
        return;
    }
    int64_t s = down(ms, 1000) / 1000;
    if (s >= begin_s && s < g->view_end_s + (int64_t)future_slots(m) * m->width_s)
        f->v[f->n++] = (struct heard){.ms = ms, .value = value};
}

/* --- the property ----------------------------------------------------------------------- */

struct play {
    struct thresholds_limits limits;
    struct thresholds_engine *e;
    struct hale_definition *d; /* the model's */
    struct model *m;
    struct hale_buf got, want;
    unsigned order[HOSTS], n_order;
};

static void note(const struct thresholds_event *ev, void *arg)
{
    struct hale_buf *out = arg;
    if (ev->kind != HALE_SUB_STATE)
        return;
    assert_int_equal(ev->n_group, 1);
    hale_buf_printf(out, "h%.*s %s %" PRId64, (int)ev->group[0].value.len,
                    ev->group[0].value.p, hale_state_text(ev->state),
                    ev->at_ms - BASE_MS);
    for (unsigned i = 0; i < ev->n_values; i++)
        hale_buf_printf(out, " %.9g", ev->values[i]);
    hale_buf_add_char(out, '\n');
}

static unsigned write_operand(char *dst, size_t size, bool first, const char *tail)
{
    static const char *const funcs[] = {"max", "min", "avg", "sum", "count", "rate"};
    return (unsigned)snprintf(dst, size, "%s(m%u%s%s)", funcs[dice(6)],
                              first ? 0 : dice(NAMES), dice(4) == 0 ? "{d=0}" : "", tail);
}

static void random_expression(char *dst, size_t size)
{
    static const unsigned periods[] = {10, 30, 60, 60, 120, 7};
    static const char *const ops[] = {"<", "<=", ">", ">="};
    char tail[64];
    unsigned period = periods[dice(6)], n = 0;
    if (dice(3) == 0)
        snprintf(tail, sizeof(tail), "%s, %u every %u",
                 dice(4) == 0 ? ", deterministic" : "", period * (2 + dice(6)), period);
    else
        snprintf(tail, sizeof(tail), "%s, %u", dice(4) == 0 ? ", deterministic" : "",
                 period);
    unsigned operands = 2 + dice(3);
    bool bracket = dice(3) == 0;
    n += (unsigned)snprintf(dst, size, "%s", bracket ? "(" : "");
    for (unsigned i = 0; i < operands; i++) {
        n += write_operand(dst + n, size - n, i == 0, tail);
        if (bracket && i == 1)
            n += (unsigned)snprintf(dst + n, size - n, ")");
        if (dice(4) == 0)
            n +=
                (unsigned)snprintf(dst + n, size - n, " %c %u", "+-*/"[dice(4)], dice(4));
        if (i + 1 < operands)
            n += (unsigned)snprintf(dst + n, size - n, " %c ", "+-*/"[dice(4)]);
    }
    snprintf(dst + n, size - n, " %s %u times %u", ops[dice(4)], dice(4), 1 + dice(3));
}

static void start(struct play *p)
{
    static const int64_t waits[] = {0, 1000, 30000, 30000, 90000, 200000};
    char text[400];
    *p = (struct play){.limits = thresholds_limits_default()};
    p->limits.late_wait_ms = waits[dice(6)];
    hale_buf_init(&p->got, 64u << 20);
    hale_buf_init(&p->want, 64u << 20);
    hale_buf_add_c(&p->got, "");
    hale_buf_add_c(&p->want, "");
    p->e = thresholds_engine_new(&p->limits, note, &p->got);
    p->m = calloc(1, sizeof(*p->m));
    assert_non_null(p->e);
    assert_non_null(p->m);
    random_expression(text, sizeof(text));
    p->d = make_definition("d", text, "[\"h\"]", false, 1);
    assert_int_equal(thresholds_engine_set_definition(
                         p->e, make_definition("d", text, "[\"h\"]", false, 1), BASE_MS),
                     HALE_OK);
    struct model *m = p->m;
    m->x = &p->d->expr->subs[0];
    m->late_wait_ms = p->limits.late_wait_ms;
    m->width_s = m->x->every_s > 0 ? m->x->every_s : m->x->period_s;
    m->span = m->x->every_s > 0 ? m->x->period_s / m->x->every_s : 1;
    m->out = &p->want;
}

struct fields {
    size_t n;
    struct hale_str field[64], value[64];
};

static struct hale_str copy(struct hale_str s)
{
    char *p = malloc(s.len + 1);
    assert_non_null(p);
    memcpy(p, s.p, s.len);
    return (struct hale_str){p, s.len};
}

static int keep(struct hale_str field, struct hale_str value, void *arg)
{
    struct fields *f = arg;
    assert_true(f->n < 64);
    f->field[f->n] = copy(field);
    f->value[f->n++] = copy(value);
    return 0;
}

/* As after a kill: all that is known is the snapshot. */
static struct thresholds_engine *again(struct thresholds_engine *e,
                                       const struct thresholds_limits *limits,
                                       thresholds_emit_fn emit, void *arg)
{
    struct fields f = {0};
    struct hale_err err = {0};
    assert_int_equal(thresholds_engine_save(e, true, keep, &f), HALE_OK);
    thresholds_engine_free(e);
    e = thresholds_engine_new(limits, emit, arg);
    assert_non_null(e);
    if (thresholds_engine_load(e, f.n, f.field, f.value, &err) != HALE_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < f.n; i++) {
        free((void *)(uintptr_t)f.field[i].p);
        free((void *)(uintptr_t)f.value[i].p);
    }
    return e;
}

/* Which sub-alarms the sample reaches, in the model. */
static void model_sample(struct play *p, unsigned name, unsigned host, unsigned series,
                         int64_t ms, double value, int64_t now_ms)
{
    struct model *m = p->m;
    struct group *g = &m->groups[host];
    char text[4];
    snprintf(text, sizeof(text), "m%u", name);
    bool first = false;
    for (unsigned t = 0; t < hale_subexpr_terms(m->x); t++) {
        struct hale_term term = hale_subexpr_term(m->x, t);
        bool mine = hale_str_eq_c(term.name, text) && (term.n_dims == 0 || series == 0);
        first = first || (mine && t == 0);
        if (mine && first && !g->made) {
            int64_t grid = 60, rest = m->width_s;
            while (rest != 0) {
                int64_t r = grid % rest;
                grid = rest;
                rest = r;
            }
            g->made = true;
            g->joined_ms = now_ms;
            g->state = m->x->deterministic ? HALE_STATE_OK : HALE_STATE_UNDETERMINED;
            g->view_end_s = down(down(now_ms, 1000) / 1000 + m->width_s, grid);
            g->data_end_s = g->view_end_s - m->width_s;
            p->order[p->n_order++] = host;
        }
        if (mine && g->made)
            hear(m, g, t, series, ms, value, now_ms);
    }
}

static size_t lines; /* bytes of all outcomes: the property is about something */

static void run_case(unsigned number)
{
    struct play p;
    random_state = 0x9e3779b97f4a7c15u + number;
    (void)dice(2);
    start(&p);
    int64_t now = BASE_MS + 60000 + (int64_t)dice(60000);
    double counter = 0;
    unsigned n = 100 + dice(500);
    for (unsigned i = 0; i < n; i++) {
        unsigned name = dice(NAMES), host = dice(HOSTS), series = dice(2);
        char text[16], dims[32];
        now += dice(60) == 0 ? (int64_t)dice(1200000) : (int64_t)dice(8000);
        int64_t stamp = now;
        if (dice(6) == 0)
            stamp += (int64_t)dice(200000) - (int64_t)dice(300000);
        counter = dice(30) == 0 ? 0 : counter + dice(5);
        double value = dice(2) == 0 ? counter : dice(6);
        snprintf(text, sizeof(text), "m%u", name);
        snprintf(dims, sizeof(dims), "d=%u,h=%u", series, host);
        sweep(p.m, p.order, p.n_order, now - 1);
        thresholds_engine_tick(p.e, now - 1);
        thresholds_engine_sample(p.e, introduce(p.e, text, dims, now), stamp, value, now,
                                 1);
        model_sample(&p, name, host, series, stamp, value, now);
        if (dice(40) == 0)
            p.e = again(p.e, &p.limits, note, &p.got);
    }
    sweep(p.m, p.order, p.n_order, now + 7200000);
    thresholds_engine_tick(p.e, now + 7200000);
    if (strcmp(p.got.p, p.want.p) != 0) {
        size_t i = 0, line = 0;
        for (; p.got.p[i] == p.want.p[i]; i++)
            line = p.got.p[i] == '\n' ? i + 1 : line;
        fail_msg("case %u: %s late_wait %" PRId64 "\nengine:\n%.300s\nmodel:\n%.300s",
                 number, p.d->expression, p.limits.late_wait_ms, p.got.p + line,
                 p.want.p + line);
    }
    lines += p.want.len;
    thresholds_engine_free(p.e);
    hale_definition_free(p.d);
    hale_buf_fini(&p.got);
    hale_buf_fini(&p.want);
    free(p.m);
}

static void engine_equals_model(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CASES; i++)
        run_case(i);
    assert_true(lines > CASES * (size_t)100);
}

/* --- who takes part --------------------------------------------------------------------- */

struct world {
    struct thresholds_limits limits;
    struct thresholds_engine *e;
    struct lines out;
};

static void build(struct world *w)
{
    *w = (struct world){.limits = thresholds_limits_default()};
    w->limits.late_wait_ms = 0;
    lines_init(&w->out);
    hale_buf_add_c(&w->out.text, "");
    w->e = thresholds_engine_new(&w->limits, lines_emit, &w->out);
    assert_non_null(w->e);
}

static void clear(struct world *w)
{
    thresholds_engine_free(w->e);
    hale_buf_fini(&w->out.text);
}

static void define_at(struct world *w, const char *expression, const char *by,
                      int version, int64_t at_s)
{
    assert_int_equal(thresholds_engine_set_definition(
                         w->e, make_definition("d", expression, by, false, version),
                         BASE_MS + at_s * 1000),
                     HALE_OK);
}

static void define(struct world *w, const char *expression, const char *by, int version)
{
    define_at(w, expression, by, version, 0);
}

static void sample(struct world *w, const char *name, const char *dims, double value,
                   int64_t at_s)
{
    int64_t now = BASE_MS + at_s * 1000;
    thresholds_engine_tick(w->e, now - 1);
    thresholds_engine_sample(w->e, introduce(w->e, name, dims, now), now, value, now, 1);
}

static void until(struct world *w, int64_t at_s)
{
    thresholds_engine_tick(w->e, BASE_MS + at_s * 1000);
}

/* The lines since the last call, without what is behind the time. */
static void expect(struct world *w, const char *text)
{
    struct hale_buf brief;
    hale_buf_init(&brief, 1u << 20);
    hale_buf_add_c(&brief, "");
    struct hale_str rest = hale_buf_str(&w->out.text);
    while (rest.len > 0) {
        struct hale_str line = hale_str_split(&rest, '\n');
        struct hale_str values = line;
        struct hale_str head = hale_str_split(&values, '[');
        struct hale_str end = values;
        struct hale_str v = hale_str_split(&end, ']');
        hale_buf_printf(&brief, "%.*s[%.*s]\n", (int)head.len, head.p, (int)v.len, v.p);
    }
    assert_string_equal(brief.p, text);
    hale_buf_fini(&brief);
    hale_buf_reset(&w->out.text);
    hale_buf_add_c(&w->out.text, "");
}

static void groups_meet_only_with_all_keys(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    define(&w, "avg(used, 10) / avg(total, 10) * 100 > 90", "[\"host\",\"disk\"]", 1);
    sample(&w, "total", "disk=a,host=x", 10, 0); /* alone makes nothing */
    sample(&w, "used", "disk=a", 9, 1);          /* lacks a key, as the next does: */
    sample(&w, "total", "disk=a", 9, 1);         /* both are nobody's */
    expect(&w, "");
    sample(&w, "used", "disk=a,host=x", 9.5, 2);
    expect(&w, "create d/0 disk=a host=x UNDETERMINED at 2000 []\n");
    sample(&w, "total", "disk=a,host=x", 10, 3);
    expect(&w, "metric d/0 disk=a host=x UNDETERMINED at 3000 []\n");
    sample(&w, "total", "disk=b,host=x", 1, 4); /* another group */
    sample(&w, "used", "disk=a,host=x,zone=z", 9.3, 5);
    expect(&w, "metric d/0 disk=a host=x UNDETERMINED at 5000 []\n");
    until(&w, 10);
    expect(&w, "state d/0 disk=a host=x ALARM at 10000t [94.0]\n");
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 1);
    clear(&w);
}

static void what_it_is_calculated_of_is_said(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    w.out.operands = true;
    define(&w, "avg(used, 10) / avg(total, 10) * 100 > 90", "[]", 1);
    sample(&w, "used", "", 9, 1);
    sample(&w, "used", "", 10, 2);
    sample(&w, "total", "", 10, 3);
    until(&w, 10);
    expect(&w, "create d/0 UNDETERMINED at 1000 []\nmetric d/0 UNDETERMINED at 3000 []\n"
               "state d/0 ALARM at 10000t [95.0 of 9.5, 10.0]\n");
    sample(&w, "used", "", 1, 11);
    sample(&w, "total", "", 10, 11);
    until(&w, 20);
    expect(&w, "state d/0 OK at 20000t [10.0 of 1.0, 10.0]\n");
    until(&w, 60); /* nothing any more: nothing it was calculated of */
    expect(&w, "state d/0 UNDETERMINED at 40000t []\n");
    clear(&w);
}

static void no_value_neither_ok_nor_alarm(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    define(&w, "sum(a, 10) / sum(b, 10) > 1", "[]", 1);
    sample(&w, "a", "", 1, 1);
    sample(&w, "b", "", 1, 2);
    until(&w, 10);
    expect(&w, "create d/0 UNDETERMINED at 1000 []\nmetric d/0 UNDETERMINED at 2000 []\n"
               "state d/0 OK at 10000t [1.0]\n");
    sample(&w, "a", "", 5, 11); /* no b, then b is 0 */
    sample(&w, "a", "", 5, 21);
    sample(&w, "b", "", 0, 22);
    until(&w, 29);
    expect(&w, "");
    until(&w, 30); /* two periods without a value */
    expect(&w, "state d/0 UNDETERMINED at 30000t []\n");
    sample(&w, "a", "", 5, 31);
    sample(&w, "b", "", 4, 32);
    until(&w, 40);
    expect(&w, "state d/0 ALARM at 40000t [1.25]\n");
    clear(&w);
}

static void one_series_may_be_several_operands(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    define(&w, "max(x, 10) - min(x, 10) > 5", "[]", 1);
    sample(&w, "x", "a=1", 3, 1);
    sample(&w, "x", "a=2", 9, 2);
    until(&w, 10);
    expect(&w, "create d/0 UNDETERMINED at 1000 []\nmetric d/0 UNDETERMINED at 2000 []\n"
               "state d/0 ALARM at 10000t [6.0]\n");
    assert_int_equal(thresholds_engine_stats(w.e)->samples, 2);
    clear(&w);
}

static void last_is_computed_at_arrival(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    define(&w, "last(a) - last(b) > 1 times 2", "[]", 1);
    sample(&w, "a", "", 5, 1);
    sample(&w, "b", "", 5, 2);
    expect(&w, "create d/0 UNDETERMINED at 1000 []\nmetric d/0 UNDETERMINED at 2000 []\n"
               "state d/0 OK at 2000 [0.0]\n");
    sample(&w, "a", "", 7, 3);
    expect(&w, "");
    sample(&w, "b", "", 4, 4);
    expect(&w, "state d/0 ALARM at 4000 [2.0, 3.0]\n");
    int64_t now = BASE_MS + 5000; /* older than b's newest: refused */
    thresholds_engine_sample(w.e, introduce(w.e, "b", "", now), now - 3000, 99, now, 1);
    expect(&w, "");
    assert_int_equal(thresholds_engine_stats(w.e)->late, 1);
    sample(&w, "a", "", 4, 6);
    expect(&w, "state d/0 OK at 6000 [0.0]\n");
    clear(&w);
}

static void windows_that_overlap(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    define(&w, "sum(x, 30 every 10) > 5", "[]", 1);
    sample(&w, "x", "", 1, 1);
    until(&w, 10);
    expect(&w, "create d/0 UNDETERMINED at 1000 []\nstate d/0 OK at 10000t [1.0]\n");
    sample(&w, "x", "", 3, 12);
    sample(&w, "x", "", 2, 25);
    until(&w, 29);
    expect(&w, "");
    thresholds_engine_tick(w.e, BASE_MS + 30000); /* 0 to 30: 1 + 3 + 2 */
    assert_non_null(strstr(w.out.text.p, "ALARM at 30000t [6.0] 0..30000"));
    expect(&w, "state d/0 ALARM at 30000t [6.0]\n");
    until(&w, 40);
    expect(&w, "state d/0 OK at 40000t [5.0]\n");
    until(&w, 69); /* 25 is in the window until 50 */
    expect(&w, "");
    until(&w, 70);
    expect(&w, "state d/0 UNDETERMINED at 70000t []\n");
    clear(&w);
}

static void a_look_sees_the_values_of_now(void **state)
{
    (void)state;
    struct world w;
    struct thresholds_look look;
    build(&w);
    define(&w, "sum(a, 20 every 10) / sum(b) > 1 times 2", "[]", 1);
    sample(&w, "a", "", 6, 1);
    sample(&w, "b", "", 2, 2);
    assert_int_equal(thresholds_engine_look(w.e, HALE_STR("d"), 0, NULL, 0, &look),
                     HALE_OK);
    assert_int_equal(look.n_values, 2);
    assert_true(isnan(look.values[0]) && fabs(look.values[1] - 3) < 1e-9);
    assert_int_equal(look.window_start_ms - BASE_MS, -20000);
    assert_int_equal(look.window_end_ms - BASE_MS, 10000);
    assert_int_equal(look.series, 2);
    until(&w, 30);
    expect(&w, "create d/0 UNDETERMINED at 1000 []\nmetric d/0 UNDETERMINED at 2000 []\n"
               "state d/0 ALARM at 20000t [3.0, 3.0]\n");
    clear(&w);
}

static void changes_keep_the_members(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    define(&w, "sum(a, 10) / sum(b, 10) > 1", "[]", 1);
    sample(&w, "a", "", 3, 1);
    sample(&w, "b", "", 2, 2);
    until(&w, 10);
    expect(&w, "create d/0 UNDETERMINED at 1000 []\nmetric d/0 UNDETERMINED at 2000 []\n"
               "state d/0 ALARM at 10000t [1.5]\n");
    sample(&w, "a", "", 3, 11); /* another threshold: the data stay */
    define_at(&w, "sum(a, 10) / sum(b, 10) > 2", "[]", 2, 11);
    sample(&w, "b", "", 2, 12);
    until(&w, 20);
    expect(&w, "state d/0 OK at 20000t [1.5]\n");
    sample(&w, "a", "", 3, 21); /* another calculation: the window is empty */
    define_at(&w, "sum(a, 10) / sum(b, 10) * 100 > 2", "[]", 3, 21);
    sample(&w, "b", "", 2, 22);
    until(&w, 30);
    expect(&w, "");
    sample(&w, "a", "", 4, 31);
    sample(&w, "b", "", 2, 32);
    until(&w, 40);
    expect(&w, "state d/0 ALARM at 40000t [200.0]\n"); /* the members were known */
    define_at(&w, "sum(a, 10) / sum(c, 10) > 2", "[]", 4, 40); /* another metric: anew */
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 0);
    assert_int_equal(thresholds_engine_stats(w.e)->slots, 0);
    clear(&w);
}

/* Whether series were known before or are met anew, an entry with both metrics comes out the
 * same: the other metric joins with the next entry. */
static void the_order_within_an_entry_is_no_matter(void **state)
{
    struct hale_buf texts[2];
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct world w;
        build(&w);
        define(&w, "sum(a, 10) / sum(b, 10) > 1", "[]", 1);
        if (known)
            sample(&w, "b", "", 100, 0);
        int64_t now = BASE_MS + 1000;
        thresholds_engine_tick(w.e, now - 1);
        struct thresholds_series *a = introduce(w.e, "a", "", now);
        struct thresholds_series *b = introduce(w.e, "b", "", now);
        thresholds_engine_sample(w.e, a, now, 3, now, 1);
        thresholds_engine_sample(w.e, b, now, 2, now, 1);
        sample(&w, "b", "", 1, 2);
        until(&w, 10);
        hale_buf_init(&texts[known], 1u << 20);
        hale_buf_add_str(&texts[known], hale_buf_str(&w.out.text));
        expect(&w,
               "create d/0 UNDETERMINED at 1000 []\n"
               "metric d/0 UNDETERMINED at 2000 []\nstate d/0 ALARM at 10000t [3.0]\n");
        clear(&w);
    }
    assert_true(hale_str_eq(hale_buf_str(&texts[0]), hale_buf_str(&texts[1])));
    hale_buf_fini(&texts[0]);
    hale_buf_fini(&texts[1]);
}

static void snapshots_have_members_and_counters(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    define(&w, "rate(bad, 10) / rate(all, 10) > 0.4", "[]", 1);
    sample(&w, "bad", "", 0, 1);
    w.e = again(w.e, &w.limits, lines_emit, &w.out); /* the others join all the same */
    sample(&w, "all", "", 0, 1);
    expect(&w,
           "create d/0 UNDETERMINED at 1000 []\nmetric d/0 UNDETERMINED at 1000 []\n");
    w.e = again(w.e, &w.limits, lines_emit, &w.out);
    sample(&w, "bad", "", 8, 9);
    sample(&w, "all", "", 16, 9);
    expect(&w, ""); /* known as members */
    until(&w, 10);
    expect(&w, "state d/0 ALARM at 10000t [0.5]\n");
    clear(&w);
}

static void ceilings_hold(void **state)
{
    (void)state;
    struct world w;
    build(&w);
    thresholds_engine_free(w.e);
    w.limits.max_slots = 3 * 8; /* (own + two operands) of 10 s: 1 + 2 slots, so 9 */
    w.e = thresholds_engine_new(&w.limits, lines_emit, &w.out);
    define(&w, "sum(a, 10) / sum(b, 10) > 1", "[\"h\"]", 1);
    for (int i = 0; i < 4; i++) {
        char dims[16];
        snprintf(dims, sizeof(dims), "h=%d", i);
        sample(&w, "a", dims, 1, i);
    }
    assert_int_equal(thresholds_engine_stats(w.e)->subalarms, 2);
    assert_int_equal(thresholds_engine_stats(w.e)->slots, 18);
    assert_int_equal(thresholds_engine_stats(w.e)->refused_subalarms, 2);
    clear(&w);

    build(&w);
    define(&w, "sum(a, 10) / sum(b, 10) > 1", "[]", 1);
    sample(&w, "a", "", 1, 0);
    for (int i = 0; i < 4100; i++) {
        char dims[16];
        snprintf(dims, sizeof(dims), "n=%d", i);
        sample(&w, "b", dims, 1, 1);
    }
    assert_int_equal(thresholds_engine_stats(w.e)->refused_series, 4100 - 4095);
    clear(&w);
}

/* The first metric says where a sub-expression lives; elsewhere nobody feeds it. */
static void each_shard_has_its_own(void **state)
{
    (void)state;
    unsigned made = 0;
    for (unsigned shard = 0; shard < 3; shard++) {
        struct world w;
        build(&w);
        thresholds_engine_free(w.e);
        w.limits.shard = shard;
        w.limits.shards = 3;
        w.e = thresholds_engine_new(&w.limits, lines_emit, &w.out);
        define(&w, "last(a) / last(b) > 1 or last(b) > 1", "[]", 1);
        sample(&w, "a", "", 1, 0);
        sample(&w, "b", "", 1, 1);
        bool home_a = hale_series_shard(HALE_STR("t"), HALE_STR("a"), 3) == shard;
        bool home_b = hale_series_shard(HALE_STR("t"), HALE_STR("b"), 3) == shard;
        assert_int_equal(strstr(w.out.text.p, "create d/0") != NULL, home_a);
        assert_int_equal(strstr(w.out.text.p, "state d/0 OK") != NULL, home_a);
        assert_int_equal(strstr(w.out.text.p, "create d/1") != NULL, home_b);
        made += (unsigned)thresholds_engine_stats(w.e)->subalarms;
        clear(&w);
    }
    assert_int_equal(made, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_equals_model),
        cmocka_unit_test(groups_meet_only_with_all_keys),
        cmocka_unit_test(what_it_is_calculated_of_is_said),
        cmocka_unit_test(no_value_neither_ok_nor_alarm),
        cmocka_unit_test(one_series_may_be_several_operands),
        cmocka_unit_test(last_is_computed_at_arrival),
        cmocka_unit_test(windows_that_overlap),
        cmocka_unit_test(a_look_sees_the_values_of_now),
        cmocka_unit_test(changes_keep_the_members),
        cmocka_unit_test(the_order_within_an_entry_is_no_matter),
        cmocka_unit_test(snapshots_have_members_and_counters),
        cmocka_unit_test(ceilings_hold),
        cmocka_unit_test(each_shard_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
