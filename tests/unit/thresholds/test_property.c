/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Property: the engine says what a slow model says, for random expressions under both
 * semantics and random arrivals (bursts, pauses, late, out of order, from the future).
 * The model keeps every accepted sample in a list, computes each slot from the list
 * whenever it looks at it, looks at all slots each time, and runs a sweep over all
 * sub-alarms each second.
 */
#include <math.h>

#include "reference.h"
#include "support/rounds.h"
#include "world.h"

#define CASES   300 /* usually */
#define SUBS    6
#define SAMPLES 4000

struct sample {
    int64_t ms;
    double value;
    int64_t from_ms, to_ms; /* rate: what the value, an increase, is spread over */
};

struct model {
    const struct hale_subexpr *x;
    bool monasca;
    unsigned width_s; /* of a slot: the period, but for forecast */
    int64_t given_s;  /* what a window covers */
    int64_t late_wait_ms, delay_s, phase_s;
    enum hale_missing policy;
    int64_t missing_after_s;
    int64_t arrived_ms;    /* of the newest sample: last, absent */
    struct sample counter; /* rate: the newest sample */
    bool counts;
    int64_t view_end_s, created_end_s;
    struct sample taken[SAMPLES];
    unsigned n;
    enum hale_state state;
    unsigned level;  /* of an ALARM, from 1 */
    int pend;        /* state that waits, -1: none */
    int64_t pend_ms; /* since when */
    bool reported;
    unsigned empty;
    struct lines *out;
    char id[16];
};

static uint64_t random_state;

static unsigned dice(unsigned n) /* 0..n-1, xorshift */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 20) % n);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

/* late_wait, or the share of it that the period has in a minute. */
static int64_t model_wait_ms(const struct model *m)
{
    if (m->width_s >= 60)
        return m->late_wait_ms;
    return (int64_t)floor((double)m->late_wait_ms * m->width_s / 60.0 + 1e-9);
}

/* The grid of window ends: the largest number of seconds that divides minute and period. */
static int64_t model_grid_s(unsigned period_s)
{
    for (int64_t g = 60; g > 1; g--) {
        if (60 % g == 0 && period_s % g == 0)
            return g;
    }
    return 1;
}

static unsigned model_slots(const struct model *m)
{
    unsigned future = 2;
    if (!m->monasca) {
        unsigned need =
            (unsigned)ceil(ceil((double)model_wait_ms(m) / 1000.0) / m->width_s) + 1;
        future = need > future ? need : future;
    }
    return m->x->times + future;
}

static int64_t slot_start(const struct model *m, unsigned i)
{
    return m->view_end_s + ((int64_t)i - (int64_t)m->x->times) * (int64_t)m->width_s;
}

static bool model_rate(const struct model *m, int64_t from_ms, int64_t to_ms, double *out)
{
    unsigned n = 0;
    double sum = 0;
    for (unsigned i = 0; i < m->n; i++) {
        const struct sample *s = &m->taken[i];
        int64_t lo = s->from_ms > from_ms ? s->from_ms : from_ms;
        int64_t hi = s->to_ms < to_ms ? s->to_ms : to_ms;
        if (lo >= hi)
            continue;
        n++;
        sum += s->value * (double)(hi - lo) / (double)(s->to_ms - s->from_ms);
    }
    *out = sum / m->width_s;
    return n > 0;
}

/* Samples of [from, to), in seconds, into v; returns their number. */
static unsigned model_within(const struct model *m, int64_t from, int64_t to, double *v)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->n; i++) {
        if (m->taken[i].ms >= from * 1000 && m->taken[i].ms < to * 1000)
            v[n++] = m->taken[i].value;
    }
    return n;
}

static double average_of(const double *v, unsigned n)
{
    double sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += v[i];
    return sum / n;
}

/* Hour means of what has left the window, by the hour in which the slot began. */
static bool model_baseline(const struct model *m, int64_t from, double average,
                           double *out)
{
    double means[24 * 28 + 3];
    unsigned days = m->x->days, counts[24 * 28 + 3] = {0};
    int64_t hour = floor_div(from, 3600), oldest = hour - 24 * (int64_t)days - 1;
    int64_t first = m->created_end_s - (int64_t)m->x->times * m->width_s;
    memset(means, 0, sizeof(means));
    for (unsigned i = 0; i < m->n; i++) {
        int64_t at_s = floor_div(m->taken[i].ms, 1000);
        int64_t start = first + floor_div(at_s - first, m->width_s) * m->width_s;
        int64_t of = floor_div(start, 3600) - oldest;
        if (start + m->width_s > slot_start(m, 0) || of < 0 || of >= 24 * (int)days + 3)
            continue;
        means[of] += m->taken[i].value;
        counts[of]++;
    }
    for (unsigned i = 0; i < 24 * days + 3; i++)
        means[i] = counts[i] > 0 ? means[i] / counts[i] : (double)NAN;
    if (!reference_baseline(means, days, average, out))
        return false;
    *out = m->x->absolute ? fabs(*out) : *out;
    return true;
}

static bool model_forecast(const struct model *m, int64_t end, double *out)
{
    double t[100], y[100], sum[100] = {0};
    unsigned n = 0, steps = (m->x->period_s + m->width_s - 1) / m->width_s;
    unsigned samples[100] = {0};
    int64_t width_ms = m->width_s * INT64_C(1000),
            from_ms = end * 1000 - steps * width_ms;
    for (unsigned i = 0; i < m->n; i++) {
        int64_t k =
            m->taken[i].ms >= from_ms ? (m->taken[i].ms - from_ms) / width_ms : 99;
        if (k >= steps)
            continue;
        sum[k] += m->taken[i].value;
        samples[k]++;
    }
    for (unsigned k = 0; k < steps; k++) {
        if (samples[k] == 0)
            continue;
        t[n] = ((double)k + 0.5 - steps) * m->width_s;
        y[n++] = sum[k] / samples[k];
    }
    return reference_forecast(t, y, n, (double)steps * m->width_s, m->x->horizon_s, out);
}

/* percentile and what comes after it */
static bool model_more(const struct model *m, int64_t from, double *out)
{
    double v[SAMPLES];
    int64_t to = from + m->width_s;
    if (m->x->func == HALE_FUNC_FORECAST)
        return model_forecast(m, to, out);
    unsigned n = model_within(m, from, to, v);
    if (n == 0)
        return false;
    if (m->x->func == HALE_FUNC_BASELINE)
        return model_baseline(m, from, average_of(v, n), out);
    *out = m->x->func == HALE_FUNC_STDDEV ? reference_stddev(v, n)
                                          : reference_percentile(v, n, m->x->percent);
    return true;
}

/* False: empty. */
static bool model_value(const struct model *m, unsigned slot, double *out)
{
    int64_t from = slot_start(m, slot), to = from + m->width_s;
    unsigned n = 0;
    double sum = 0, min = INFINITY, max = -INFINITY;
    if (m->x->func == HALE_FUNC_RATE)
        return model_rate(m, from * 1000, to * 1000, out);
    if (m->x->func >= HALE_FUNC_PERCENTILE)
        return model_more(m, from, out);
    for (unsigned i = 0; i < m->n; i++) {
        int64_t at_s = floor_div(m->taken[i].ms, 1000);
        if (at_s < from || at_s >= to)
            continue;
        n++;
        sum += m->taken[i].value;
        min = fmin(min, m->taken[i].value);
        max = fmax(max, m->taken[i].value);
    }
    switch (m->x->func) {
    case HALE_FUNC_MAX: *out = max; break;
    case HALE_FUNC_MIN: *out = min; break;
    case HALE_FUNC_AVG: *out = sum / n; break;
    case HALE_FUNC_SUM: *out = sum; break;
    case HALE_FUNC_COUNT: *out = n; break;
    case HALE_FUNC_PERCENTILE:
    case HALE_FUNC_STDDEV:
    case HALE_FUNC_BASELINE:
    case HALE_FUNC_FORECAST:
    case HALE_FUNC_RATE:
    case HALE_FUNC_LAST:
    case HALE_FUNC_ABSENT:
    case HALE_FUNC_ARITHMETIC: break;
    }
    return n > 0;
}

/* How many thresholds v is beyond; those that were reached already count with their hysteresis. */
static unsigned reach(const struct model *m, double v)
{
    unsigned l = 0;
    for (; l <= m->x->n_levels; l++) {
        double own = l == 0 ? m->x->threshold : m->x->levels[l - 1].threshold;
        if (m->x->has_clear && l < m->level)
            own = l == 0 ? m->x->clear : own - (m->x->threshold - m->x->clear);
        if (!hale_op_holds(m->x->op, v, own))
            break;
    }
    return l;
}

static bool holds(const struct model *m, double v)
{
    return reach(m, v) > 0;
}

static unsigned reach_all(const struct model *m, const double *v, unsigned n)
{
    unsigned lowest = 99;
    for (unsigned i = 0; i < n; i++) {
        unsigned l = reach(m, v[i]);
        lowest = l < lowest ? l : lowest;
    }
    return lowest;
}

static void model_tell(struct model *m, enum hale_state state, unsigned level,
                       int64_t at_ms, bool tick, const double *values, unsigned n,
                       int64_t since_ms, const char *how)
{
    m->pend = -1;
    if (m->reported && m->state == state && m->level == level)
        return;
    m->reported = true;
    m->state = state;
    m->level = level;
    hale_buf_printf(&m->out->text, "%s %s/%d%s since %" PRId64 " %" PRId64 "%s", m->id,
                    hale_state_text(state),
                    level < 2 ? -1 : (int)m->x->levels[level - 2].severity, how, since_ms,
                    at_ms - BASE_MS, tick ? "t" : "");
    for (unsigned i = 0; i < n; i++) {
        hale_buf_add_char(&m->out->text, ' ');
        hale_buf_printf(&m->out->text, "%.9g", values[i]);
    }
    hale_buf_add_char(&m->out->text, '\n');
}

/* What the policy says; nothing waits. */
static void model_missing(struct model *m, int64_t at_ms, bool tick, const double *values,
                          unsigned n)
{
    bool ok = m->policy == HALE_MISSING_OK, alarm = m->policy == HALE_MISSING_ALARM;
    model_tell(m,
               ok      ? HALE_STATE_OK
               : alarm ? HALE_STATE_ALARM
                       : HALE_STATE_UNDETERMINED,
               !alarm                         ? 0
               : m->state == HALE_STATE_ALARM ? m->level
                                              : 1,
               at_ms, tick, values, n, 0, ok || alarm ? " missing" : "");
}

static void model_report(struct model *m, enum hale_state state, int64_t at_ms, bool tick,
                         const double *values, unsigned n)
{
    unsigned level = state == HALE_STATE_ALARM ? reach_all(m, values, n) : 0;
    int64_t delay_ms = state == HALE_STATE_ALARM && m->state != HALE_STATE_ALARM
                           ? m->x->for_s * INT64_C(1000)
                       : state == HALE_STATE_OK && m->state == HALE_STATE_ALARM
                           ? m->x->clear_for_s * INT64_C(1000)
                           : 0;
    if (delay_ms > 0 && m->pend != (int)state) {
        m->pend = (int)state;
        m->pend_ms = at_ms;
    }
    if (delay_ms > 0 && at_ms < m->pend_ms + delay_ms)
        return;
    int64_t since_ms = delay_ms > 0 ? m->pend_ms - BASE_MS : 0;
    model_tell(m, state, level, at_ms, tick, values, n, since_ms, "");
}

/* Rules 1 and 2 over the whole window. Returns whether one applied. */
static bool model_immediate(struct model *m, int64_t at_ms, bool tick)
{
    bool less = m->x->op == HALE_OP_LT || m->x->op == HALE_OP_LTE;
    bool rises = m->x->func == HALE_FUNC_MAX || m->x->func == HALE_FUNC_COUNT ||
                 m->x->func == HALE_FUNC_RATE;
    bool rule1 = (rises && !less) || (m->x->func == HALE_FUNC_MIN && less);
    bool rule2 = (rises && less) || (m->x->func == HALE_FUNC_MIN && !less);
    double v[2000] = {0};
    for (unsigned level = m->x->n_levels + 1; rule1 && level > 0; level--) {
        unsigned n = 0;
        for (unsigned i = 0; i < model_slots(m); i++) {
            double x;
            if (model_value(m, i, &x) && reach(m, x) >= level)
                v[n++] = x;
            else
                n = 0;
            if (n == m->x->times) {
                model_report(m, HALE_STATE_ALARM, at_ms, tick, v, n);
                return true;
            }
        }
    }
    for (unsigned i = 0; rule2 && i < model_slots(m); i++) {
        double x;
        if (model_value(m, i, &x) && !holds(m, x)) {
            model_report(m, HALE_STATE_OK, at_ms, tick, &x, 1);
            return true;
        }
    }
    return false;
}

static bool silent_for_long(const struct model *m)
{
    if (m->monasca)
        return m->empty >= m->width_s / 60 * m->x->times * 2;
    /* No sample since so long before the end of the view (by default 2 * times periods), and the
     * sub-alarm was there for as long. A slot counts whole. */
    if (m->policy == HALE_MISSING_KEEP)
        return false;
    int64_t from = m->view_end_s - m->missing_after_s;
    if (from < m->created_end_s - m->width_s)
        return false;
    for (unsigned i = 0; i < m->n; i++) {
        int64_t slots =
            floor_div(m->view_end_s - 1 - floor_div(m->taken[i].ms, 1000), m->width_s);
        if (m->view_end_s - slots * (int64_t)m->width_s > from)
            return false;
    }
    return true;
}

static void model_rule3(struct model *m, int64_t at_ms, bool tick)
{
    double v[2000] = {0}, samples[SAMPLES];
    unsigned n = 0;
    bool unknown = false; /* samples of which the function cannot say anything yet */
    for (unsigned i = 0; i < m->x->times; i++) {
        if (!model_value(m, i, &v[n])) {
            int64_t from = slot_start(m, i);
            unknown |= model_within(m, from, from + m->width_s, samples) > 0;
            continue;
        }
        m->empty = 0;
        if (!holds(m, v[n++])) {
            model_report(m, HALE_STATE_OK, at_ms, tick, v, n);
            return;
        }
    }
    if (n == m->x->times) {
        model_report(m, HALE_STATE_ALARM, at_ms, tick, v, n);
        return;
    }
    m->empty++;
    if (m->x->deterministic)
        model_report(m, HALE_STATE_OK, at_ms, tick, v, n);
    else if (silent_for_long(m))
        model_missing(m, at_ms, tick, v, n);
    else if (!m->reported && m->state == HALE_STATE_UNDETERMINED && unknown)
        model_tell(m, HALE_STATE_UNDETERMINED, 0, at_ms, tick, v, n, 0, " learning");
    else
        m->pend = -1; /* no data: the wait is over */
}

static void model_slide(struct model *m, int64_t now_s)
{
    if (!m->monasca) {
        m->view_end_s += m->width_s;
        return;
    }
    int64_t d = now_s - m->view_end_s;
    int64_t w = m->width_s;
    if (d > m->delay_s)
        m->view_end_s += (d / w + (d % w > m->delay_s ? 1 : 0)) * w;
}

static void model_last_decide(struct model *m, int64_t at_ms, bool tick)
{
    unsigned need = m->x->times, run = 0;
    double v[2000] = {0};
    while (run < need && run < m->n && holds(m, m->taken[m->n - 1 - run].value))
        run++;
    if (run == 0) {
        model_report(m, HALE_STATE_OK, at_ms, tick, &m->taken[m->n - 1].value, 1);
    } else if (run == need && (!m->monasca || need == 1)) {
        for (unsigned i = 0; i < need; i++)
            v[i] = m->taken[m->n - need + i].value;
        model_report(m, HALE_STATE_ALARM, at_ms, tick, v, need);
    } else {
        m->pend = -1;
    }
}

static void model_last(struct model *m, int64_t time_ms, double value, int64_t now_ms)
{
    if (m->monasca)
        time_ms = floor_div(time_ms, 1000) * 1000;
    else if (time_ms > now_ms)
        time_ms = now_ms;
    if (m->n > 0 && time_ms < m->taken[m->n - 1].ms)
        return;
    m->taken[m->n++] = (struct sample){.ms = time_ms, .value = value};
    m->arrived_ms = now_ms;
    model_last_decide(m, now_ms, false);
}

static void model_counter(struct model *m, int64_t time_ms, double value, int64_t now_ms)
{
    struct sample before = m->counter;
    if (m->counts && time_ms <= before.ms)
        return;
    m->counter = (struct sample){.ms = time_ms, .value = value};
    if (!m->counts) {
        m->counts = true;
        return;
    }
    if (time_ms <= slot_start(m, 0) * 1000)
        return;
    m->taken[m->n++] =
        (struct sample){time_ms - 1, value < before.value ? value : value - before.value,
                        before.ms, time_ms};
    (void)model_immediate(m, now_ms, false);
}

static void model_sample(struct model *m, int64_t time_ms, double value, int64_t now_ms)
{
    if (m->x->func == HALE_FUNC_ABSENT) {
        m->arrived_ms = now_ms;
        model_tell(m, HALE_STATE_OK, 0, now_ms, false, NULL, 0, 0, "");
        return;
    }
    if (m->x->func == HALE_FUNC_LAST) {
        model_last(m, time_ms, value, now_ms);
        return;
    }
    if (m->x->func == HALE_FUNC_RATE) {
        model_counter(m, time_ms < now_ms ? time_ms : now_ms, value, now_ms);
        return;
    }
    int64_t at_s = floor_div(time_ms, 1000);
    if (at_s < slot_start(m, 0) || at_s >= slot_start(m, model_slots(m)))
        return;
    m->taken[m->n++] = (struct sample){.ms = time_ms, .value = value};
    int64_t stamp_s = floor_div(time_ms, 1000);
    bool closing = m->monasca && stamp_s > m->view_end_s + m->delay_s;
    if (!model_immediate(m, now_ms, false) && closing)
        model_rule3(m, now_ms, false);
    if (closing)
        model_slide(m, stamp_s);
}

/* When its window closes if nothing was closed after `after_ms`. */
static int64_t model_closes(const struct model *m, int64_t after_ms)
{
    if (m->x->func == HALE_FUNC_LAST || m->x->func == HALE_FUNC_ABSENT)
        return INT64_MAX;
    if (!m->monasca)
        return m->view_end_s * 1000 + model_wait_ms(m);
    int64_t s = m->view_end_s + m->delay_s + 1;
    if (s <= floor_div(after_ms, 1000))
        s = floor_div(after_ms, 1000) + 1;
    while ((s - m->phase_s) % 60 != 0)
        s++;
    return s * 1000;
}

/* Can it be decided without a window's end? Then what waits is looked at again in time. */
static bool decides_at_once(const struct model *m)
{
    return m->x->func == HALE_FUNC_LAST || m->x->func == HALE_FUNC_MAX ||
           m->x->func == HALE_FUNC_MIN || m->x->func == HALE_FUNC_COUNT ||
           m->x->func == HALE_FUNC_RATE;
}

/* When the silence since the newest arrival has lasted long enough. */
static int64_t model_silent_ms(const struct model *m)
{
    if (m->arrived_ms == INT64_MAX)
        return INT64_MAX;
    if (m->x->func == HALE_FUNC_ABSENT)
        return m->arrived_ms + m->width_s * INT64_C(1000);
    if (m->x->func != HALE_FUNC_LAST || m->policy == HALE_MISSING_KEEP)
        return INT64_MAX;
    return -floor_div(-m->arrived_ms, 1000) * 1000 + m->missing_after_s * 1000;
}

static int64_t model_next(const struct model *m, int64_t after_ms)
{
    int64_t at = model_closes(m, after_ms);
    int64_t silent = model_silent_ms(m);
    at = silent > after_ms && silent < at ? silent : at;
    if (m->pend < 0 || !decides_at_once(m))
        return at;
    unsigned delay_s = m->pend == HALE_STATE_ALARM ? m->x->for_s : m->x->clear_for_s;
    int64_t due = m->pend_ms + delay_s * INT64_C(1000);
    return due > after_ms && due < at ? due : at;
}

static void model_close(struct model *m, int64_t at_ms, int64_t after_ms)
{
    int64_t now_s = at_ms / 1000;
    if (at_ms == model_silent_ms(m) && m->x->func == HALE_FUNC_ABSENT) {
        double silence = m->width_s;
        model_tell(m, HALE_STATE_ALARM, 1, at_ms, true, &silence, 1, 0, "");
        return;
    }
    if (at_ms == model_silent_ms(m)) {
        model_missing(m, at_ms, true, NULL, 0);
        return;
    }
    if (model_closes(m, after_ms) != at_ms) {
        if (m->x->func == HALE_FUNC_LAST)
            model_last_decide(m, at_ms, true);
        else
            (void)model_immediate(m, at_ms, true);
        return;
    }
    if (!model_immediate(m, at_ms, true))
        model_rule3(m, at_ms, true);
    model_slide(m, now_s);
}

static void note_state(const struct thresholds_event *ev, void *arg)
{
    struct lines *l = arg;
    if (ev->kind != HALE_SUB_STATE)
        return;
    l->n++;
    hale_buf_printf(&l->text, "%s %s/%d%s%s since %" PRId64 " %" PRId64 "%s",
                    ev->definition->id, hale_state_text(ev->state), ev->severity,
                    ev->missing ? " missing" : "", ev->learning ? " learning" : "",
                    ev->since_ms != 0 ? ev->since_ms - BASE_MS : 0, ev->at_ms - BASE_MS,
                    ev->by_tick ? "t" : "");
    for (unsigned i = 0; i < ev->n_values; i++) {
        hale_buf_add_char(&l->text, ' ');
        hale_buf_printf(&l->text, "%.9g", ev->values[i]);
    }
    hale_buf_add_char(&l->text, '\n');
}

static size_t random_more(char *dst, size_t size, const char *deterministic,
                          unsigned period)
{
    static const char *const percents[] = {"50", "95", "99.9", "1", "33.3"};
    switch (dice(4)) {
    case 0:
        return (size_t)snprintf(dst, size, "percentile(x%s, %s, %u)", deterministic,
                                percents[dice(5)], period);
    case 1: return (size_t)snprintf(dst, size, "stddev(x%s, %u)", deterministic, period);
    case 2:
        return (size_t)snprintf(dst, size, "baseline(x%s%s, %u, %ud)", deterministic,
                                dice(2) == 0 ? ", absolute" : "", period, 3 + dice(5));
    default:
        return (size_t)snprintf(dst, size, "forecast(x%s, %u, %us)", deterministic,
                                10 + period * dice(8), 1 + dice(4000));
    }
}

static void random_expression(char *dst, size_t size, bool monasca, bool days)
{
    static const char *const funcs[] = {"max", "min", "avg", "sum", "count", "last"};
    static const char *const ops[] = {"<", "<=", ">", ">="};
    static const unsigned periods[] = {60, 60, 60, 120, 180, 300};
    static const unsigned odd[] = {1, 2, 7, 10, 15, 30, 45, 61, 90, 100};
    if (!monasca && dice(12) == 0) {
        snprintf(dst, size, "absent(x, %u)", 1 + dice(300));
        return;
    }
    const char *func = funcs[dice(6)];
    if (!monasca && dice(6) == 0)
        func = "rate";
    const char *deterministic = dice(3) == 0 ? ", deterministic" : "";
    unsigned period = periods[dice(6)];
    if (!monasca && dice(2) == 0)
        period = odd[dice(10)];
    if (days)
        period = 600 * (1 + dice(6));
    const char *op = ops[dice(4)];
    unsigned threshold = func[0] == 'r' ? dice(2) : dice(12);
    bool more = !monasca && dice(3) == 0;
    size_t n =
        more ? random_more(dst, size, deterministic, period)
             : (size_t)snprintf(dst, size, "%s(x%s, %u)", func, deterministic, period);
    n += (size_t)snprintf(dst + n, size - n, " %s %u%s", op, threshold,
                          more ? ".37" : ""); /* not hit by rounding */
    int step = op[0] == '<' ? -1 : 1;
    int high = (int)threshold + step * (1 + (int)dice(3));
    if (!monasca && dice(3) == 0)
        n += (size_t)snprintf(dst + n, size - n, " high at %d", high);
    if (!monasca && dice(6) == 0)
        n += (size_t)snprintf(dst + n, size - n, " critical at %d", high + step * 2);
    n += (size_t)snprintf(dst + n, size - n, " times %u", 1 + dice(dice(3) == 0 ? 5 : 2));
    if (!monasca && dice(3) == 0)
        n += (size_t)snprintf(dst + n, size - n, " for %u", 1 + dice(150));
    bool gap = !monasca && dice(3) == 0, wait = !monasca && dice(3) == 0;
    if (gap || wait)
        n += (size_t)snprintf(dst + n, size - n, " clear");
    if (gap)
        n += (size_t)snprintf(dst + n, size - n, " %d%s",
                              (int)threshold - step * (int)dice(4), more ? ".37" : "");
    if (wait)
        snprintf(dst + n, size - n, " for %u", 1 + dice(150));
}

struct world {
    struct thresholds_engine *e;
    struct thresholds_limits limits;
    struct hale_definition *defs[SUBS];
    struct model *models; /* SUBS */
    struct lines got, want;
};

static void world_build(struct world *w, struct thresholds_series **s, bool days)
{
    static const char *const policies[] = {"keep", "undetermined", "ok", "alarm"};
    int64_t waits[] = {0, 1000, 30000, 30000, 90000, 200000};
    w->limits = thresholds_limits_default();
    w->limits.late_wait_ms = waits[dice(6)];
    w->limits.tick_phase_s = dice(60);
    lines_init(&w->got);
    lines_init(&w->want);
    hale_buf_add_c(&w->got.text, "");
    hale_buf_add_c(&w->want.text, "");
    w->e = thresholds_engine_new(&w->limits, note_state, &w->got);
    w->models = calloc(SUBS, sizeof(*w->models));
    assert_non_null(w->e);
    assert_non_null(w->models);
    int64_t now = BASE_MS + dice(60000);
    for (unsigned i = 0; i < SUBS; i++) {
        char text[200], id[16];
        bool monasca = dice(2) == 0;
        struct model *m = &w->models[i];
        random_expression(text, sizeof(text), monasca, days);
        snprintf(id, sizeof(id), "d%u", i);
        char extra[100] = "";
        if (!monasca && dice(2) == 0)
            snprintf(extra, sizeof(extra), "\"on_missing\":\"%s\",\"missing_after\":%u,",
                     policies[dice(4)], dice(2) == 0 ? 0 : 1 + dice(500));
        w->defs[i] = make_definition_with(id, text, "[]", monasca, 1, extra);
        assert_int_equal(
            thresholds_engine_set_definition(
                w->e, make_definition_with(id, text, "[]", monasca, 1, extra), now),
            HALE_OK);
        m->x = &w->defs[i]->expr->subs[0];
        m->width_s = m->x->period_s;
        m->given_s = (int64_t)m->width_s * m->x->times;
        if (m->x->func == HALE_FUNC_FORECAST) {
            m->given_s = m->width_s;
            m->width_s = (unsigned)ceil(m->x->period_s / 30.0);
        }
        m->policy = w->defs[i]->on_missing;
        if (m->policy == HALE_MISSING_DEFAULT)
            m->policy = m->x->func == HALE_FUNC_LAST ? HALE_MISSING_KEEP
                                                     : HALE_MISSING_UNDETERMINED;
        if (m->x->func == HALE_FUNC_LAST && m->x->deterministic)
            m->policy = HALE_MISSING_KEEP;
        m->missing_after_s = w->defs[i]->missing_after_s;
        if (m->missing_after_s == 0)
            m->missing_after_s = 2 * m->given_s;
        m->arrived_ms = INT64_MAX;
        m->monasca = monasca;
        m->late_wait_ms = w->limits.late_wait_ms;
        m->delay_s = w->limits.delay_s;
        m->phase_s = w->limits.tick_phase_s;
        int64_t grid = model_grid_s(m->width_s);
        m->view_end_s = floor_div(now / 1000 + m->width_s, grid) * grid;
        m->created_end_s = m->view_end_s;
        m->pend = -1;
        m->state = m->x->deterministic ? HALE_STATE_OK : HALE_STATE_UNDETERMINED;
        m->out = &w->want;
        snprintf(m->id, sizeof(m->id), "%s", id);
    }
    *s = introduce(w->e, "x", "", now);
}

static void world_clear(struct world *w)
{
    thresholds_engine_free(w->e);
    for (unsigned i = 0; i < SUBS; i++)
        hale_definition_free(w->defs[i]);
    free(w->models);
    hale_buf_fini(&w->got.text);
    hale_buf_fini(&w->want.text);
}

/* All closes in (from, to], the earliest first, of one moment in the order of creation. */
static void sweep(struct world *w, int64_t from_ms, int64_t to_ms)
{
    for (;;) {
        int64_t at = INT64_MAX;
        for (unsigned i = 0; i < SUBS; i++) {
            int64_t next = model_next(&w->models[i], from_ms);
            at = next < at ? next : at;
        }
        if (at > to_ms)
            return;
        for (unsigned i = 0; i < SUBS; i++) {
            if (model_next(&w->models[i], from_ms) == at)
                model_close(&w->models[i], at, from_ms);
        }
        from_ms = at;
    }
}

static void run_case(unsigned number)
{
    struct world w;
    struct thresholds_series *s;
    random_state = 0x9e3779b97f4a7c15u + number;
    (void)dice(2);
    bool days = number % 75 == 0; /* a quarter of an hour from one sample to the next */
    world_build(&w, &s, days);
    int64_t now = BASE_MS + 60000, swept = BASE_MS;
    unsigned n = 50 + dice(400) + (days ? 1000 : 0);
    for (unsigned i = 0; i < n; i++) {
        /* Mostly a few seconds, now and then a silence of up to an hour. */
        now += dice(40) == 0 ? (int64_t)dice(3600000)
                             : (int64_t)dice(days ? 1800000 : 20000);
        int64_t stamp = now;
        unsigned kind = dice(10);
        if (kind == 0)
            stamp -= dice(400000);
        else if (kind == 1)
            stamp += dice(200000);
        else if (kind == 2)
            stamp -= dice(90000);
        double value = dice(14);
        sweep(&w, swept, now - 1);
        swept = now - 1;
        thresholds_engine_tick(w.e, now - 1);
        thresholds_engine_sample(w.e, s, stamp, value, now, 1);
        for (unsigned k = 0; k < SUBS; k++)
            model_sample(&w.models[k], stamp, value, now);
        if (dice(8) == 0) { /* as after an empty read */
            int64_t until = now + (int64_t)dice(15000);
            thresholds_engine_tick(w.e, until);
            sweep(&w, swept, until);
            swept = now = until;
        }
    }
    thresholds_engine_tick(w.e, now + 4 * 3600000);
    sweep(&w, swept, now + 4 * 3600000);
    if (strcmp(w.got.text.p, w.want.text.p) != 0) {
        for (unsigned i = 0; i < SUBS; i++)
            print_message("d%u %s %s\n", i, w.defs[i]->expression,
                          w.models[i].monasca ? "monasca" : "hale");
        print_message("case %u late_wait %" PRId64 " phase %" PRId64 "\n", number,
                      w.limits.late_wait_ms, w.limits.tick_phase_s);
        size_t i = 0, line = 0;
        for (; w.got.text.p[i] == w.want.text.p[i]; i++)
            line = w.got.text.p[i] == '\n' ? i + 1 : line;
        fail_msg("engine:\n%.200s\nmodel:\n%.200s", w.got.text.p + line,
                 w.want.text.p + line);
    }
    assert_true(w.got.n > 0);
    world_clear(&w);
}

static void test_engine_equals_model(void **state)
{
    (void)state;
    const uint64_t n = rounds(CASES);
    for (unsigned i = 0; i < n; i++)
        run_case(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_engine_equals_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
