/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actuator/scaler.h"

#define T0    1795000000000LL
#define MIN_S 60000

static struct actuator_scaler_memory memory;
static struct actuator_scaler_window window;

static struct actuator_scaler_rules track(double value)
{
    return (struct actuator_scaler_rules){
        .tracking = true, .value = value, .tolerance = 0.1, .min = 1, .max = 20};
}

static struct actuator_scaling_decision look(const struct actuator_scaler_rules *r,
                                             int64_t at_ms, int64_t size, double metric)
{
    struct actuator_scaling_decision d;
    const struct actuator_look l = {.now_ms = T0 + at_ms,
                                    .size_known = size >= 0,
                                    .metric_known = !isnan(metric),
                                    .size = size,
                                    .metric = metric};
    actuator_scaler_decide(r, &memory, &window, &l, &d);
    return d;
}

static void fresh(void)
{
    memset(&memory, 0, sizeof(memory));
    actuator_scaler_window_init(&window, T0 - 3600000);
}

static void change(const struct actuator_scaler_rules *r, int64_t at_ms, int64_t took_ms,
                   int64_t from, int64_t to, bool good)
{
    actuator_scaler_began(&memory, r, T0 + at_ms, from, to);
    actuator_scaler_ended(&memory, T0 + at_ms + took_ms, good);
}

static void test_tracking(void **state)
{
    static const struct {
        int64_t size;
        double metric;
        int64_t to;
        enum actuator_hold hold;
    } rows[] = {
        {4, 50, 4, ACTUATOR_HOLD_FINE},
        {4, 55, 4, ACTUATOR_HOLD_FINE}, /* 10 % is in */
        {4, 55.1, 5, ACTUATOR_HOLD_NONE},
        {4, 45, 4, ACTUATOR_HOLD_FINE},
        {4, 44.9, 4, ACTUATOR_HOLD_FINE}, /* ceil(3.59) */
        {4, 37, 3, ACTUATOR_HOLD_NONE},
        {4, 100, 8, ACTUATOR_HOLD_NONE},
        {4, 0, 1, ACTUATOR_HOLD_NONE},
        {4, 1e300, 20, ACTUATOR_HOLD_NONE},
        {4, -5, 1, ACTUATOR_HOLD_NONE},
        {1, 0, 1, ACTUATOR_HOLD_FINE},
        {3, 100.0 / 3 * 2, 4, ACTUATOR_HOLD_NONE}, /* 4.0000000000000001 are four */
        {20, 500, 20, ACTUATOR_HOLD_FINE},
        {25, 50, 20, ACTUATOR_HOLD_NONE},
        {0, 50, 1, ACTUATOR_HOLD_NONE},
        {4, NAN, 4, ACTUATOR_HOLD_METRIC},
        {0, NAN, 1, ACTUATOR_HOLD_NONE}, /* below min needs no metric */
        {25, NAN, 25, ACTUATOR_HOLD_METRIC},
        {-1, 50, 0, ACTUATOR_HOLD_SIZE},
        {4, INFINITY, 4, ACTUATOR_HOLD_METRIC},
    };
    struct actuator_scaler_rules r = track(50);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fresh();
        struct actuator_scaling_decision d = look(&r, 0, rows[i].size, rows[i].metric);
        if (d.to != rows[i].to || d.hold != rows[i].hold)
            fail_msg("%zu: to %lld, %s", i, (long long)d.to, actuator_hold_text(d.hold));
    }
}

static void test_total(void **state)
{
    struct actuator_scaler_rules r = track(100);
    (void)state;
    r.total = true;
    r.min = 0;
    fresh();
    assert_int_equal(look(&r, 0, 3, 320).to, 3); /* 7 % over */
    assert_int_equal(look(&r, 1000, 3, 340).to, 4);
    assert_int_equal(look(&r, 2000, 0, 1).to, 1); /* out of nothing */
    assert_int_equal(look(&r, 3000, 2, 0).to, 0);
}

static void test_steps(void **state)
{
    struct actuator_scaler_rules r = {.n_steps = 4,
                                      .step = {{false, 80, ACTUATOR_ADD, {1, false}},
                                               {false, 95, ACTUATOR_ADD, {50, true}},
                                               {true, 20, ACTUATOR_REMOVE, {1, false}},
                                               {true, 5, ACTUATOR_SET, {2, false}}},
                                      .min = 1,
                                      .max = 12};
    static const struct {
        int64_t size;
        double metric;
        int64_t to;
    } rows[] = {{5, 80, 5}, {5, 81, 6}, {5, 96, 8}, {1, 96, 2}, {10, 96, 12},
                {5, 20, 5}, {5, 19, 4}, {1, 19, 1}, {5, 4, 2},  {1, 4, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fresh();
        assert_int_equal(look(&r, 0, rows[i].size, rows[i].metric).to, rows[i].to);
    }
}

static void test_warm_up(void **state)
{
    struct actuator_scaler_rules r = track(50);
    (void)state;
    r.warm_up_ms = MIN_S;
    fresh();
    change(&r, 0, 5000, 2, 4, true);
    /* the new two are not in the size yet, and do not take load: nothing is added for them */
    struct actuator_scaling_decision d = look(&r, 6000, 2, 100);
    assert_int_equal(d.from, 4);
    assert_int_equal(d.hold, ACTUATOR_HOLD_FINE);
    /* more load is more than was ordered */
    assert_int_equal(look(&r, 7000, 2, 150).to, 6);
    /* less is none of it while they warm up */
    assert_int_equal(look(&r, 8000, 4, 20).hold, ACTUATOR_HOLD_WARM_UP);
    assert_int_equal(look(&r, 64999, 4, 20).hold, ACTUATOR_HOLD_WARM_UP);
    assert_int_equal(look(&r, 65000, 4, 20).to, 2);
    /* a change that failed is believed by nobody */
    fresh();
    change(&r, 0, 5000, 2, 4, false);
    assert_int_equal(look(&r, 6000, 2, 100).to, 4);
    /* after a scale-in the old size may still be told */
    fresh();
    change(&r, 0, 5000, 5, 3, true);
    d = look(&r, 6000, 5, 50);
    assert_int_equal(d.from, 3);
    assert_int_equal(d.hold, ACTUATOR_HOLD_FINE);
}

static void test_those_that_are_not_ready(void **state)
{
    static const struct {
        int64_t size, ready;
        double metric;
        int64_t to;
    } rows[] = {
        {4, 4, 100, 8},  {4, 9, 100, 8},                 /* more than there are: all */
        {4, 2, 55, 4},   {4, 2, 75, 4},  {4, 2, 100, 4}, /* those that come will do */
        {4, 2, 130, 6},                                  /* they will not */
        {4, 2, 30, 4},   {4, 2, 25, 3}, /* what goes could be a ready one */
        {4, 2, 0, 2},    {4, 1, 10, 4},  {4, 0, 100, 4}, /* no average of nobody */
        {4, -5, 100, 4}, {0, 0, 100, 1},
    };
    struct actuator_scaler_rules r = track(50);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct actuator_scaling_decision d;
        const struct actuator_look l = {.now_ms = T0,
                                        .size_known = true,
                                        .ready_known = true,
                                        .metric_known = true,
                                        .size = rows[i].size,
                                        .ready = rows[i].ready,
                                        .metric = rows[i].metric};
        fresh();
        actuator_scaler_decide(&r, &memory, &window, &l, &d);
        if (d.to != rows[i].to || d.from != rows[i].size)
            fail_msg("%zu: to %lld, %s", i, (long long)d.to, actuator_hold_text(d.hold));
    }
}

static void test_window(void **state)
{
    struct actuator_scaler_rules r = track(50);
    (void)state;
    r.window_ms[ACTUATOR_DOWN] = 5 * MIN_S;
    r.window_ms[ACTUATOR_UP] = 10000;
    fresh();
    actuator_scaler_window_init(&window, T0); /* a start */
    assert_int_equal(look(&r, 1000, 4, 100).hold, ACTUATOR_HOLD_WINDOW);
    assert_int_equal(look(&r, 9999, 4, 75).hold, ACTUATOR_HOLD_WINDOW);
    assert_int_equal(look(&r, 10999, 4, 100).to, 6); /* the least of the last 10 s */
    assert_int_equal(look(&r, 20000, 4, 10).hold, ACTUATOR_HOLD_WINDOW);
    assert_int_equal(look(&r, 310999 - 3000, 4, 10).hold, ACTUATOR_HOLD_WINDOW);
    /* a gap speaks for what there is */
    assert_int_equal(look(&r, 309000, 4, NAN).hold, ACTUATOR_HOLD_METRIC);
    assert_int_equal(look(&r, 320000, 4, 10).hold, ACTUATOR_HOLD_WINDOW);
    assert_int_equal(look(&r, 608999, 4, 10).hold, ACTUATOR_HOLD_WINDOW);
    assert_int_equal(look(&r, 609000, 4, 10).to, 1);
}

static void test_rates(void **state)
{
    struct actuator_scaler_rules r = track(50);
    (void)state;
    r.n_rates[ACTUATOR_UP] = 2;
    r.rate[ACTUATOR_UP][0] = (struct actuator_rate){{4, false}, 15000};
    r.rate[ACTUATOR_UP][1] = (struct actuator_rate){{100, true}, 30000};
    r.n_rates[ACTUATOR_DOWN] = 1;
    r.rate[ACTUATOR_DOWN][0] = (struct actuator_rate){{10, true}, MIN_S};
    fresh();
    assert_int_equal(look(&r, 0, 2, 500).to, 4); /* 100 % */
    change(&r, 0, 1000, 2, 4, true);
    assert_int_equal(look(&r, 2000, 4, 500).hold, ACTUATOR_HOLD_RATE); /* still of two */
    assert_int_equal(look(&r, 15000, 4, 500).hold, ACTUATOR_HOLD_RATE);
    assert_int_equal(look(&r, 30000, 4, 500).to, 8);
    assert_int_equal(look(&r, 30001, 10, 500).to, 14);
    assert_int_equal(look(&r, 30002, 10, 5).to, 9);
    change(&r, 31000, 1000, 10, 9, true);
    assert_int_equal(look(&r, 33000, 9, 5).hold, ACTUATOR_HOLD_RATE);
    /* what is below min is brought there at once */
    r.min = 10;
    assert_int_equal(look(&r, 34000, 2, 5).to, 10);
}

static void test_busy_and_ceiling(void **state)
{
    struct actuator_scaler_rules r = track(50);
    (void)state;
    r.warm_up_ms = 3600000;
    fresh();
    actuator_scaler_began(&memory, &r, T0, 2, 4);
    assert_int_equal(look(&r, 1000, 2, 500).hold, ACTUATOR_HOLD_BUSY);
    assert_int_equal(look(&r, 1000, 2, 500).to, 4 - 2);
    actuator_scaler_ended(&memory, T0 + 2000, true);
    assert_int_equal(look(&r, 3000, 2, 500).hold, ACTUATOR_HOLD_NONE);
    for (int i = 0; i < ACTUATOR_CHANGES_MAX + 10; i++)
        change(&r, 10000 + i, 0, 2, 3, true);
    assert_int_equal(memory.n, ACTUATOR_CHANGES_MAX);
    assert_int_equal(look(&r, 20000, 2, 500).hold, ACTUATOR_HOLD_BUSY);
    assert_int_equal(look(&r, 20000 + 3600000, 2, 500).hold, ACTUATOR_HOLD_NONE);
}

static void test_memory_as_json(void **state)
{
    struct actuator_scaler_rules r = track(50);
    struct actuator_scaler_memory back;
    json_t *o = json_pack("{s:i}", "v", 1);
    (void)state;
    fresh();
    assert_int_equal(actuator_scaler_decode(o, &back), HALE_OK);
    assert_memory_equal(&back, &memory, sizeof(back));
    r.warm_up_ms = MIN_S;
    change(&r, 0, 1000, 2, 4, true);
    actuator_scaler_began(&memory, &r, T0 + 2000, 4, 3);
    memory.decision = 7;
    assert_int_equal(actuator_scaler_encode(&memory, o), HALE_OK);
    assert_int_equal(actuator_scaler_decode(o, &back), HALE_OK);
    assert_memory_equal(&back, &memory, sizeof(back));
    assert_int_equal(json_integer_value(json_object_get(o, "v")), 1);
    json_decref(o);

    static const char too_far[] =
        "{\"decision\":1,\"changes\":[{\"at_ms\":1,\"end_ms\":1,"
        "\"from\":1,\"to\":999999,\"good\":true}]}";
    static const char *const wrong[] = {"{\"decision\":1}",
                                        "{\"decision\":-1,\"changes\":[]}",
                                        "{\"decision\":\"1\",\"changes\":[]}",
                                        "{\"decision\":1,\"changes\":[{}]}", too_far};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        o = json_loads(wrong[i], 0, NULL);
        assert_non_null(o);
        assert_int_equal(actuator_scaler_decode(o, &back), HALE_E_INVAL);
        json_decref(o);
    }
}

/* --- against a slow reference -------------------------------------------------------- */
/* All that ever happened is kept; the size is found by trying every one. */

#define LOOKS_MAX 400
struct past {
    int64_t at_ms, wanted;
    bool hole;
};
struct reference {
    const struct actuator_scaler_rules *r;
    unsigned n_past, n_changes;
    struct past past[LOOKS_MAX + 1];
    struct actuator_change change[LOOKS_MAX];
};

static bool ref_warm(const struct reference *f, const struct actuator_change *c,
                     int64_t now)
{
    return c->good && now - c->end_ms < f->r->warm_up_ms;
}

static int64_t ref_wanted(const struct reference *f, int64_t have, int64_t ready,
                          int64_t broken, double metric)
{
    const struct actuator_scaler_rules *r = f->r;
    int64_t n = have;
    if (r->tracking) {
        if (r->total && have > 0 && metric >= 0.9 * r->value * (double)have - 1e-6 &&
            metric <= 1.1 * r->value * (double)have + 1e-6)
            return have;
        if (!r->total && (ready == 0 || (metric >= 0.9 * r->value - 1e-6 &&
                                         metric <= 1.1 * r->value + 1e-6)))
            return have;
        /* the least number that brings each to the value */
        double load = r->total ? metric : metric * (double)ready;
        bool cautious = !r->total && broken > 0;
        n = cautious && metric > r->value ? have : 0;
        while (n < 100000 &&
               (double)(cautious && n < have ? n - broken : n) * r->value < load - 1e-6)
            n++;
        return cautious && n < broken ? broken : n;
    }
    double bound = NAN;
    for (unsigned i = 0; i < r->n_steps; i++) {
        const struct actuator_scaler_step *s = &r->step[i];
        if (!s->below && metric > s->bound && !(s->bound < bound)) {
            bound = s->bound;
            n = ready + (s->by.percent ? (ready * s->by.n + 99) / 100 : s->by.n);
            if (s->by.percent && ready * s->by.n == 0)
                n = ready + 1;
            n = n > have ? n : have;
        }
        if (s->below && metric < s->bound && !(s->bound > bound)) {
            bound = s->bound;
            int64_t by = s->by.percent ? have * s->by.n / 100 : s->by.n;
            n = have - (by > 0 ? by : 1);
        }
    }
    return n < 0 ? 0 : n;
}

static bool ref_may(const struct reference *f, int64_t now, int64_t have, int64_t to)
{
    unsigned d = to > have ? ACTUATOR_UP : ACTUATOR_DOWN;
    for (unsigned i = 0; i < f->n_past; i++) {
        int64_t rec = f->past[i].hole ? have : f->past[i].wanted;
        if (f->past[i].at_ms > now - f->r->window_ms[d] &&
            (to > have ? to > rec : to < rec))
            return false;
    }
    for (unsigned k = 0; k < f->r->n_rates[d]; k++) {
        const struct actuator_rate *rate = &f->r->rate[d][k];
        int64_t gone = 0, then;
        for (unsigned i = 0; i < f->n_changes; i++) {
            const struct actuator_change *c = &f->change[i];
            if (now - c->at_ms < rate->per_ms && (to > have) == (c->to > c->from))
                gone += llabs(c->to - c->from);
        }
        then = to > have ? have - gone : have + gone;
        then = then > 0 ? then : 0;
        int64_t most = rate->max.percent ? (then * rate->max.n + 99) / 100 : rate->max.n;
        most = rate->max.percent && most < 1 ? 1 : most;
        if (gone + llabs(to - have) > most)
            return false;
    }
    return true;
}

static int64_t ref_decide(struct reference *f, const struct actuator_look *l)
{
    const struct actuator_scaler_rules *r = f->r;
    int64_t have = l->size, warming = 0;
    f->past[f->n_past] = (struct past){l->now_ms, 0, true};
    if (!l->size_known) {
        f->n_past++;
        return -1;
    }
    for (unsigned i = 0; i < f->n_changes; i++)
        if (f->change[i].to > f->change[i].from && ref_warm(f, &f->change[i], l->now_ms))
            warming += f->change[i].to - f->change[i].from;
    const struct actuator_change *last =
        f->n_changes > 0 ? &f->change[f->n_changes - 1] : NULL;
    if (last != NULL && ref_warm(f, last, l->now_ms)) {
        if (last->to > last->from && have < last->to)
            have = last->to;
        if (last->to < last->from && have > last->to)
            have = last->to;
    }
    warming = warming < have ? warming : have;
    int64_t to = have;
    if (l->metric_known) {
        int64_t ready = have - warming, broken = 0;
        for (; l->ready_known && ready > l->ready && ready > 0; ready--)
            broken++;
        int64_t wanted = ref_wanted(f, have, ready, broken, l->metric);
        wanted = wanted < r->min ? r->min : wanted > r->max ? r->max : wanted;
        f->past[f->n_past] = (struct past){l->now_ms, wanted, false};
        for (int64_t n = have + 1; n <= wanted; n++)
            if (ref_may(f, l->now_ms, have, n))
                to = n;
        for (int64_t n = have - 1; n >= wanted && warming == 0; n--)
            if (ref_may(f, l->now_ms, have, n))
                to = n;
    }
    f->n_past++;
    return have < r->min && to < r->min ? r->min : to;
}

static uint64_t dice;
static int64_t roll(int64_t n)
{
    dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int64_t)((dice >> 33) % (uint64_t)n);
}

static void random_rules(struct actuator_scaler_rules *r)
{
    memset(r, 0, sizeof(*r));
    r->tracking = roll(2) == 0;
    if (r->tracking) {
        r->total = roll(3) == 0;
        r->value = (double)(10 + roll(90));
        r->tolerance = 0.1;
    } else {
        int64_t middle = 30 + roll(40);
        for (int i = 0; i < 2; i++) {
            r->step[r->n_steps++] =
                (struct actuator_scaler_step){false,
                                              (double)(middle + 5 + i * 20),
                                              ACTUATOR_ADD,
                                              {1 + roll(60), roll(2) == 0}};
            r->step[r->n_steps++] =
                (struct actuator_scaler_step){true,
                                              (double)(middle - 5 - i * 20),
                                              ACTUATOR_REMOVE,
                                              {1 + roll(60), roll(2) == 0}};
        }
    }
    r->min = roll(4);
    r->max = r->min + 1 + roll(30);
    r->warm_up_ms = roll(3) * 20000;
    for (unsigned d = 0; d < 2; d++) {
        r->window_ms[d] = roll(4) * 30000; /* slots of at most a second: exact */
        r->n_rates[d] = (unsigned)roll(3);
        for (unsigned k = 0; k < r->n_rates[d]; k++)
            r->rate[d][k] = (struct actuator_rate){{1 + roll(50), roll(2) == 0},
                                                   1000 + roll(60) * 1000};
    }
}

static void compare(struct reference *f, const struct actuator_look *l, uint64_t seed)
{
    struct actuator_scaling_decision d;
    int64_t want = ref_decide(f, l);
    actuator_scaler_decide(f->r, &memory, &window, l, &d);
    if (want < 0) {
        assert_int_equal(d.hold, ACTUATOR_HOLD_SIZE);
        return;
    }
    if (d.to != want)
        fail_msg("seed %llu at %lld: %lld, the reference says %lld (from %lld, %s)",
                 (unsigned long long)seed, (long long)(l->now_ms - T0), (long long)d.to,
                 (long long)want, (long long)d.from, actuator_hold_text(d.hold));
    assert_true((d.hold == ACTUATOR_HOLD_NONE) == (d.to != d.from));
    /* whatever happens: no scale-in without the metric, none beyond the bounds */
    if (!l->metric_known)
        assert_true(d.to >= d.from);
    assert_true(d.to <= f->r->max || d.to <= d.from);
    assert_true(d.to >= f->r->min || d.to >= d.from);
}

static void play(uint64_t seed, struct reference *f)
{
    struct actuator_scaler_rules r;
    dice = seed;
    random_rules(&r);
    memset(f, 0, sizeof(*f));
    memset(&memory, 0, sizeof(memory));
    f->r = &r;
    f->past[f->n_past++] = (struct past){T0, 0, true};
    actuator_scaler_window_init(&window, T0);
    int64_t now = T0, size = roll(12), metric = roll(120);
    for (int i = 0; i < LOOKS_MAX - 1; i++) {
        now += 1000 + roll(4000);
        metric += roll(31) - 15;
        metric = metric < 0 ? 0 : metric;
        int64_t scale = r.tracking && r.total ? 10 : 1;
        const struct actuator_look l = {.now_ms = now,
                                        .size_known = roll(20) != 0,
                                        .metric_known = roll(15) != 0,
                                        .ready_known = seed % 3 == 0,
                                        .ready = roll(3) != 0 ? size : roll(14) - 1,
                                        .size = size,
                                        .metric = (double)(metric * scale)};
        compare(f, &l, seed);
        struct actuator_scaling_decision d;
        struct actuator_scaler_window copy = window;
        actuator_scaler_decide(&r, &memory, &copy, &l, &d);
        if (d.hold == ACTUATOR_HOLD_NONE) {
            bool good = roll(5) != 0;
            f->change[f->n_changes] =
                (struct actuator_change){now, now + 500, d.from, d.to, good};
            f->n_changes++;
            actuator_scaler_began(&memory, &r, now, d.from, d.to);
            actuator_scaler_ended(&memory, now + 500, good);
            if (good && roll(4) != 0)
                size = d.to; /* else it is told later */
        } else if (roll(10) == 0) {
            size = roll(12);
        }
    }
}

static void test_against_the_reference(void **state)
{
    struct reference *f = malloc(sizeof(*f));
    unsigned acted = 0;
    (void)state;
    assert_non_null(f);
    for (uint64_t seed = 1; seed <= 500; seed++) {
        play(seed, f);
        acted += f->n_changes;
    }
    assert_true(acted > 2000); /* it is no proof when nothing happens */
    free(f);
}

/* A load that follows the capacity: what is added takes its share at once, what is removed gives
 * it back. It comes to rest. */
static void test_a_steady_load_comes_to_rest(void **state)
{
    struct actuator_scaler_rules r = track(60);
    (void)state;
    r.warm_up_ms = 30000;
    r.window_ms[ACTUATOR_DOWN] = 60000;
    for (int64_t load = 0; load <= 1200; load += 13) {
        fresh();
        int64_t size = 3, changes = 0, last_at = 0;
        for (int64_t at = 0; at < 30 * MIN_S; at += 5000) {
            struct actuator_scaling_decision d =
                look(&r, at, size, (double)load / (double)size);
            if (d.hold != ACTUATOR_HOLD_NONE)
                continue;
            change(&r, at, 1000, d.from, d.to, true);
            size = d.to;
            changes++;
            last_at = at;
        }
        assert_true(changes <= 3);
        assert_true(last_at < 10 * MIN_S);
        assert_true(size == 20 || (double)load / (double)size <= 66.0 + 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tracking),
        cmocka_unit_test(test_total),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_warm_up),
        cmocka_unit_test(test_those_that_are_not_ready),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_busy_and_ceiling),
        cmocka_unit_test(test_memory_as_json),
        cmocka_unit_test(test_against_the_reference),
        cmocka_unit_test(test_a_steady_load_comes_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
