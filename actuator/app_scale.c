/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_scale - looks at the scaling policies in their intervals: asks the collector for the metric of
 * each, and it or the thing itself for the size, side by side, and hands what they say to the engine
 * (declared in app.h). Whoever says nothing is asked again at the next look.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/app.h"
#include "actuator/metric.h"
#include "actuator/scaling.h"
#include "actuator/stats.h"
#include "actuator/template.h"
#include "base/clock.h"
#include "base/log.h"

#define SPREAD_US 50000 /* between the first looks of two policies */

enum question { SIZE, METRIC, QUESTIONS };

struct app_scaling { /* one policy */
    char name[ACTUATOR_POLICY_NAME_MAX + 1];
    struct actuator_scaling_watch watch;
    int64_t next_us;
    unsigned asked;  /* questions under way */
    uint64_t number; /* of the look: answers to others are too late */
    int64_t asked_ms;
    struct actuator_size_look size; /* when the thing itself is asked */
    struct actuator_metric said[QUESTIONS];
    int hold; /* of the last look, for the log; -1: none yet */
};
struct app_scalings {
    unsigned n;
    uint64_t
        looks; /* number of the last look, of whichever policy, also before a reload */
    struct app_scaling v[];
};

static void begin(struct app_scaling *x, const struct actuator_scaling *s, int64_t at_us)
{
    memset(x, 0, sizeof(*x));
    (void)snprintf(x->name, sizeof(x->name), "%s", s->by[0].name);
    x->next_us = at_us;
    x->hold = -1;
    actuator_scaling_watch_init(&x->watch, at_us / 1000);
}

/* What was said is kept; what was seen was seen by other rules, perhaps: a gap. */
static void take_over(struct app_scaling *x, const struct app_scalings *old)
{
    for (unsigned i = 0; old != NULL && i < old->n; i++) {
        const struct app_scaling *o = &old->v[i];
        if (strcmp(o->name, x->name) != 0)
            continue;
        x->watch = o->watch;
        actuator_scaler_window_init(&x->watch.window, x->next_us / 1000);
        x->hold = o->hold;
    }
}

bool app_scale_load(struct app *app)
{
    const struct actuator_policies *p = app_policies(app);
    struct app_scalings *old = app->scalings;
    struct app_scalings *fresh =
        calloc(1, sizeof(*fresh) + (p->n_scaling + 1) * sizeof(fresh->v[0]));
    int64_t now_us = hale_clock_wall_us();
    if (fresh == NULL)
        return false;
    fresh->n = p->n_scaling;
    fresh->looks = old != NULL ? old->looks : 0;
    for (unsigned i = 0; i < p->n_scaling; i++) {
        begin(&fresh->v[i], &p->scaling[i], now_us + i * SPREAD_US);
        take_over(&fresh->v[i], old);
    }
    app->scalings = fresh;
    free(old);
    return true;
}

void app_scale_unload(struct app *app)
{
    free(app->scalings);
    app->scalings = NULL;
}

/* --- a look ------------------------------------------------------------------------ */

/* One number for one thing; anything else is as good as nothing. */
static bool usable(struct actuator_metric *m)
{
    if (m->known && (m->n != 1 || !isfinite(m->value))) {
        m->known = false;
        if (m->n > 1)
            (void)snprintf(m->error, sizeof(m->error),
                           "the query has %u series: aggregate them into one", m->n);
        else
            (void)snprintf(m->error, sizeof(m->error), "no data");
    }
    return m->known;
}

static const char *size_error(const struct app_scaling *x)
{
    return x->size.over ? x->size.error : x->said[SIZE].error;
}

static void note(struct app_scaling *x, const struct actuator_look *look,
                 const struct actuator_scaling_decision *d)
{
    const char *bad = !look->size_known     ? size_error(x)
                      : !look->metric_known ? x->said[METRIC].error
                                            : NULL;
    char why[200] = "";
    hale_counter_add(actuator_stat(ACTUATOR_STAT_SCALING_LOOKS), 1);
    if (bad != NULL)
        hale_counter_add(actuator_stat(ACTUATOR_STAT_SCALING_BLIND), 1);
    if (d->hold == ACTUATOR_HOLD_NONE)
        hale_counter_add(actuator_stat(ACTUATOR_STAT_SCALING_DECISIONS), 1);
    if ((int)d->hold == x->hold && d->hold != ACTUATOR_HOLD_NONE)
        return; /* the log has it already */
    x->hold = (int)d->hold;
    hale_info("event=scaling policy=%s result=%s size=%lld capacity=%lld wanted=%lld "
              "to=%lld metric=%g%s%s",
              x->name, actuator_hold_text(d->hold), (long long)look->size,
              (long long)d->from, (long long)d->wanted, (long long)d->to, look->metric,
              bad != NULL ? " detail=" : "",
              bad != NULL ? hale_log_quote(bad, why, sizeof(why)) : "");
}

static void decide(struct app *app, struct app_scaling *x,
                   const struct actuator_scaling *s)
{
    struct actuator_scaling_decision d;
    struct actuator_look look = {.now_ms = hale_clock_wall_us() / 1000,
                                 .asked_ms = x->asked_ms,
                                 .metric_known = usable(&x->said[METRIC]),
                                 .metric = x->said[METRIC].value};
    if (s->size.kind == ACTUATOR_SIZE_QUERY) {
        look.size_known = usable(&x->said[SIZE]);
        double size = look.size_known ? round(x->said[SIZE].value) : -1;
        look.size_known = look.size_known && size >= 0 && size <= ACTUATOR_SIZE_MAX;
        look.size = look.size_known ? (int64_t)size : -1;
    } else {
        look.size_known = x->size.known;
        look.ready_known = x->size.ready_known;
        look.size = x->size.size;
        look.ready = x->size.ready;
    }
    actuator_engine_scale(app->engine, s, &x->watch, &look, &d);
    note(x, &look, &d);
}

static void look_key(const struct app_scaling *x, unsigned i, char key[HALE_UUID_TEXT])
{
    (void)snprintf(key, HALE_UUID_TEXT, APP_SCALE_KEY "%u:%" PRIu64, i, x->number);
}

/* The next request to the thing itself; its answer may come before this returns. */
static void ask_thing(struct app *app, unsigned i)
{
    const struct actuator_size *s = &app_policies(app)->scaling[i].size;
    struct app_scaling *x = &app->scalings->v[i];
    const struct actuator_answer failed = {
        .rc = HALE_E_INVAL, .error = "the request is too long", .lane = SIZE};
    struct actuator_request q;
    char key[HALE_UUID_TEXT];
    look_key(x, i, key);
    if (actuator_size_request(s, &x->size, &q) == HALE_OK) {
        q.lane = SIZE;
        app_call(app, key, &q);
    } else {
        app_scale_answered(app, key, &failed);
    }
    actuator_request_fini(&q);
}

static void answered(struct app *app, unsigned i, unsigned which, uint64_t number,
                     const struct actuator_answer *a)
{
    const struct actuator_scaling *s = &app_policies(app)->scaling[i];
    struct app_scaling *x = &app->scalings->v[i];
    if (number != x->number || x->asked == 0)
        return;
    if (which == METRIC || s->size.kind == ACTUATOR_SIZE_QUERY) {
        actuator_metric_answer(a, &x->said[which]);
    } else {
        actuator_size_answer(&s->size, &x->size, a);
        if (!x->size.over) {
            ask_thing(app, i);
            return;
        }
    }
    if (--x->asked == 0)
        decide(app, x, s);
}

void app_scale_answered(struct app *app, const char *key, const struct actuator_answer *a)
{
    char *end = NULL;
    unsigned which = (unsigned)a->lane;
    unsigned long i = strtoul(key + strlen(APP_SCALE_KEY), &end, 10);
    if (app->scalings == NULL || app->engine == NULL || *end != ':' ||
        i >= app->scalings->n || which >= QUESTIONS)
        return;
    answered(app, (unsigned)i, which, strtoull(end + 1, NULL, 10), a);
}

static void ask(struct app *app, unsigned i, unsigned which, const char *template,
                const json_t *vars, int64_t age_ms)
{
    struct actuator_request q;
    struct app_scaling *x = &app->scalings->v[i];
    struct actuator_answer failed = {
        .rc = HALE_E_INVAL, .error = "the query is too long", .lane = (int)which};
    char key[HALE_UUID_TEXT], missing[ACTUATOR_NAME_MAX], *text = NULL;
    look_key(x, i, key);
    enum hale_rc rc = actuator_metric_expand(template, vars, &text, missing);
    if (rc == HALE_OK)
        rc = actuator_metric_request(&app->conf->collector, text, &q);
    free(text);
    if (rc != HALE_OK) {
        app_scale_answered(app, key, &failed);
        return;
    }
    hale_buf_printf(&q.url, "&lookback_delta=%.3f", (double)age_ms / 1000);
    q.lane = (int)which;
    if (q.url.failed)
        app_scale_answered(app, key, &failed);
    else
        app_call(app, key, &q);
    actuator_request_fini(&q);
}

/* How old a sample may be: it must be fresh, and newer than the last change. */
static int64_t age_ms(const struct app *app, const struct actuator_scaling *s,
                      int64_t now_ms)
{
    int64_t since = now_ms - actuator_engine_scaled_ms(app->engine, s, now_ms);
    return since < 1 ? 1 : since < s->fresh_ms ? since : s->fresh_ms;
}

static void start(struct app *app, unsigned i, int64_t now_us)
{
    const struct actuator_scaling *s = &app_policies(app)->scaling[i];
    struct app_scaling *x = &app->scalings->v[i];
    json_t *vars = actuator_scaling_vars(s);
    x->next_us = now_us + s->every_ms * 1000;
    if (x->asked > 0 || vars == NULL) { /* slower than the interval: that one counts */
        json_decref(vars);
        return;
    }
    x->number = ++app->scalings->looks;
    x->asked = QUESTIONS;
    x->asked_ms = now_us / 1000;
    actuator_size_begin(&x->size);
    int64_t age = age_ms(app, s, x->asked_ms);
    if (s->size.kind == ACTUATOR_SIZE_QUERY)
        ask(app, i, SIZE, s->size.query, vars, age);
    else
        ask_thing(app, i);
    ask(app, i, METRIC, s->query, vars, age);
    json_decref(vars);
}

void app_scale_tick(struct app *app, int64_t now_us)
{
    for (unsigned i = 0; app->scalings != NULL && i < app->scalings->n; i++)
        if (app->scalings->v[i].next_us <= now_us)
            start(app, i, now_us);
}

int64_t app_scale_next_us(const struct app *app)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; app->scalings != NULL && i < app->scalings->n; i++)
        next = app->scalings->v[i].next_us < next ? app->scalings->v[i].next_us : next;
    return next;
}
