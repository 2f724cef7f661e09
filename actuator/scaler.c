/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/scaler.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"

#define ROUND_OFF 1e-9 /* 3.0000000000000004 instances are three */

static int64_t low_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t high_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t round_up(double x)
{
    double up = ceil(x - ROUND_OFF);
    return up > ACTUATOR_SIZE_MAX ? ACTUATOR_SIZE_MAX : up < 0 ? 0 : (int64_t)up;
}

static int64_t round_down(double x)
{
    double down = floor(x + ROUND_OFF);
    return down > ACTUATOR_SIZE_MAX ? ACTUATOR_SIZE_MAX : down < 0 ? 0 : (int64_t)down;
}

/* --- capacity ---------------------------------------------------------------------- */

struct capacity {
    int64_t now;     /* what there is, or is coming */
    int64_t warming; /* of them, those that do not carry load yet */
    int64_t broken;  /* and those that are not ready for another reason */
};

static bool warm_up_lasts(const struct actuator_scaler_rules *rules,
                          const struct actuator_change *c, int64_t now_ms)
{
    return c->good && low_of(c->end_ms, now_ms) + rules->warm_up_ms > now_ms;
}

static struct capacity capacity(const struct actuator_scaler_rules *rules,
                                const struct actuator_scaler_memory *m,
                                const struct actuator_look *look)
{
    struct capacity c = {.now = look->size};
    for (unsigned i = 0; i < m->n; i++)
        if (m->change[i].to > m->change[i].from &&
            warm_up_lasts(rules, &m->change[i], look->now_ms))
            c.warming += m->change[i].to - m->change[i].from;
    if (m->n > 0 && warm_up_lasts(rules, &m->change[m->n - 1], look->now_ms)) {
        const struct actuator_change *last = &m->change[m->n - 1];
        c.now =
            last->to > last->from ? high_of(c.now, last->to) : low_of(c.now, last->to);
    }
    c.warming = low_of(c.warming, c.now);
    if (look->ready_known)
        c.broken = c.now - c.warming - high_of(0, low_of(look->ready, c.now - c.warming));
    return c;
}

/* --- recommendation ---------------------------------------------------------------- */

static int64_t ready_of(struct capacity c)
{
    return c.now - c.warming - c.broken;
}

static int64_t track(const struct actuator_scaler_rules *rules, struct capacity c,
                     double metric)
{
    int64_t share = rules->total ? c.now : ready_of(c);
    if (share > 0) {
        double usage = metric / rules->value / (rules->total ? (double)share : 1.0);
        if (fabs(usage - 1.0) <= rules->tolerance + ROUND_OFF)
            return c.now;
        int64_t need = round_up(usage * (double)share);
        if (rules->total || c.broken == 0)
            return need;
        /* the broken ones may come back, or be those that are left */
        return usage > 1.0 ? high_of(need, c.now) : need + c.broken;
    }
    /* none carries load: an average says nothing, a sum does */
    return rules->total ? round_up(metric / rules->value) : c.now;
}

static int64_t amount(const struct actuator_amount *a, int64_t of, bool up)
{
    if (!a->percent)
        return a->n;
    double part = (double)of * (double)a->n / 100.0;
    return high_of(1, up ? round_up(part) : round_down(part));
}

/* The step that is furthest out of those the metric has passed. */
static const struct actuator_scaler_step *
passed(const struct actuator_scaler_rules *rules, double metric)
{
    const struct actuator_scaler_step *best = NULL;
    for (unsigned i = 0; i < rules->n_steps; i++) {
        const struct actuator_scaler_step *s = &rules->step[i];
        if (s->below ? metric >= s->bound : metric <= s->bound)
            continue;
        if (best == NULL || (s->below ? s->bound < best->bound : s->bound > best->bound))
            best = s;
    }
    return best;
}

static int64_t take_steps(const struct actuator_scaler_rules *rules, struct capacity c,
                          double metric)
{
    const struct actuator_scaler_step *s = passed(rules, metric);
    int64_t ready = ready_of(c);
    if (s == NULL)
        return c.now;
    if (s->act == ACTUATOR_ADD) /* what is on its way was added for this already */
        return high_of(c.now, ready + amount(&s->by, ready, true));
    if (s->act == ACTUATOR_REMOVE)
        return high_of(0, c.now - amount(&s->by, c.now, false));
    return s->by.n;
}

static int64_t within(const struct actuator_scaler_rules *rules, int64_t size)
{
    return high_of(rules->min, low_of(rules->max, size));
}

/* --- window ------------------------------------------------------------------------ */

void actuator_scaler_window_init(struct actuator_scaler_window *w, int64_t now_ms)
{
    memset(w, 0, sizeof(*w));
    w->hole_ms = now_ms;
}

static void note(struct actuator_scaler_window *w,
                 const struct actuator_scaler_rules *rules, int64_t now_ms,
                 int64_t wanted)
{
    int64_t longer = high_of(rules->window_ms[0], rules->window_ms[1]);
    int64_t width = (longer + ACTUATOR_SCALER_SLOTS - 9) / (ACTUATOR_SCALER_SLOTS - 8);
    struct actuator_slot *newest =
        w->n > 0 ? &w->slot[(w->head + w->n - 1) % ACTUATOR_SCALER_SLOTS] : NULL;
    if (newest != NULL && now_ms - newest->first_ms < width) {
        newest->last_ms = high_of(newest->last_ms, now_ms);
        newest->low = low_of(newest->low, wanted);
        newest->high = high_of(newest->high, wanted);
        return;
    }
    if (w->n ==
        ACTUATOR_SCALER_SLOTS) { /* older than the window: slots are a width apart */
        w->head = (w->head + 1) % ACTUATOR_SCALER_SLOTS;
        w->n--;
    }
    w->slot[(w->head + w->n++) % ACTUATOR_SCALER_SLOTS] =
        (struct actuator_slot){now_ms, now_ms, wanted, wanted};
}

/* The size nearest to what there is that the window allows. */
static int64_t safest(const struct actuator_scaler_window *w,
                      const struct actuator_scaler_rules *rules, int64_t now_ms,
                      int64_t have, int64_t wanted)
{
    int64_t low = wanted, high = wanted;
    for (unsigned i = 0; i < w->n; i++) {
        const struct actuator_slot *s = &w->slot[(w->head + i) % ACTUATOR_SCALER_SLOTS];
        if (s->last_ms > now_ms - rules->window_ms[ACTUATOR_UP])
            low = low_of(low, s->low);
        if (s->last_ms > now_ms - rules->window_ms[ACTUATOR_DOWN])
            high = high_of(high, s->high);
    }
    if (w->hole_ms > now_ms - rules->window_ms[ACTUATOR_UP])
        low = low_of(low, have);
    if (w->hole_ms > now_ms - rules->window_ms[ACTUATOR_DOWN])
        high = high_of(high, have);
    return have < low ? low : have > high ? high : have;
}

/* --- rates ------------------------------------------------------------------------- */

/* How far it may still go in this direction. */
static int64_t room(const struct actuator_scaler_rules *rules,
                    const struct actuator_scaler_memory *m, enum actuator_direction d,
                    int64_t now_ms, int64_t have)
{
    int64_t least = ACTUATOR_SIZE_MAX;
    for (unsigned k = 0; k < rules->n_rates[d]; k++) {
        const struct actuator_rate *rate = &rules->rate[d][k];
        int64_t gone = 0, allowed = rate->max.n;
        for (unsigned i = 0; i < m->n; i++) {
            const struct actuator_change *c = &m->change[i];
            int64_t by = d == ACTUATOR_UP ? c->to - c->from : c->from - c->to;
            if (by > 0 && c->at_ms > now_ms - rate->per_ms)
                gone += by;
        }
        if (rate->max.percent) { /* of what there was when the period began */
            int64_t then = d == ACTUATOR_UP ? high_of(0, have - gone) : have + gone;
            allowed = high_of(1, round_up((double)then * (double)allowed / 100.0));
        }
        least = low_of(least, high_of(0, allowed - gone));
    }
    return least;
}

/* --- memory ------------------------------------------------------------------------ */

static bool matters(const struct actuator_change *c,
                    const struct actuator_scaler_rules *rules, int64_t now_ms)
{
    int64_t horizon = rules->warm_up_ms;
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = 0; i < rules->n_rates[d]; i++)
            horizon = high_of(horizon, rules->rate[d][i].per_ms);
    return c->end_ms == 0 || high_of(c->at_ms, c->end_ms) + horizon > now_ms;
}

static bool busy(const struct actuator_scaler_rules *rules,
                 const struct actuator_scaler_memory *m, int64_t now_ms)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->n; i++)
        n += matters(&m->change[i], rules, now_ms) ? 1u : 0u;
    return n == ACTUATOR_CHANGES_MAX || (m->n > 0 && m->change[m->n - 1].end_ms == 0);
}

void actuator_scaler_began(struct actuator_scaler_memory *m,
                           const struct actuator_scaler_rules *rules, int64_t now_ms,
                           int64_t from, int64_t to)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < m->n; i++)
        if (matters(&m->change[i], rules, now_ms))
            m->change[kept++] = m->change[i];
    m->n = kept;
    if (m->n == ACTUATOR_CHANGES_MAX) { /* not decided by us: the oldest gives way */
        memmove(&m->change[0], &m->change[1], (m->n - 1) * sizeof(m->change[0]));
        m->n--;
    }
    m->change[m->n++] = (struct actuator_change){.at_ms = now_ms, .from = from, .to = to};
}

void actuator_scaler_ended(struct actuator_scaler_memory *m, int64_t now_ms, bool good)
{
    if (m->n == 0 || m->change[m->n - 1].end_ms != 0)
        return;
    m->change[m->n - 1].end_ms = now_ms;
    m->change[m->n - 1].good = good;
}

enum hale_rc actuator_scaler_encode(const struct actuator_scaler_memory *m,
                                    json_t *object)
{
    json_t *list = json_array();
    int rc = list != NULL ? 0 : -1;
    for (unsigned i = 0; i < m->n && rc == 0; i++) {
        const struct actuator_change *c = &m->change[i];
        rc = json_array_append_new(
            list, json_pack("{s:I,s:I,s:I,s:I,s:b}", "at_ms", (json_int_t)c->at_ms,
                            "end_ms", (json_int_t)c->end_ms, "from", (json_int_t)c->from,
                            "to", (json_int_t)c->to, "good", c->good ? 1 : 0));
    }
    if (rc == 0)
        rc = json_object_set(object, "changes", list);
    if (rc == 0)
        rc = json_object_set_new(object, "decision", json_integer(m->decision));
    json_decref(list);
    return rc == 0 ? HALE_OK : HALE_E_NOMEM;
}

static bool read_change(const json_t *o, struct actuator_change *c)
{
    json_int_t at, end, from, to;
    int good;
    if (json_unpack((json_t *)(uintptr_t)o, "{s:I,s:I,s:I,s:I,s:b}", "at_ms", &at,
                    "end_ms", &end, "from", &from, "to", &to, "good", &good) != 0)
        return false;
    *c = (struct actuator_change){at, end, from, to, good != 0};
    return at >= 0 && end >= 0 && from >= 0 && to >= 0 && from <= ACTUATOR_SIZE_MAX &&
           to <= ACTUATOR_SIZE_MAX;
}

enum hale_rc actuator_scaler_decode(const json_t *object,
                                    struct actuator_scaler_memory *out)
{
    const json_t *number = json_object_get(object, "decision");
    const json_t *list = json_object_get(object, "changes");
    memset(out, 0, sizeof(*out));
    if (number == NULL && list == NULL)
        return HALE_OK;
    if (!json_is_integer(number) || json_integer_value(number) < 0 ||
        !json_is_array(list) || json_array_size(list) > ACTUATOR_CHANGES_MAX)
        return HALE_E_INVAL;
    out->decision = json_integer_value(number);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!read_change(json_array_get(list, i), &out->change[out->n++]))
            return HALE_E_INVAL;
    return HALE_OK;
}

/* --- the decision ------------------------------------------------------------------ */

static void hold(struct actuator_scaling_decision *d, enum actuator_hold why)
{
    d->hold = why;
    d->to = d->from;
}

/* What was wanted and what of it may be done, for a metric that is known. */
static void weigh(const struct actuator_scaler_rules *rules,
                  const struct actuator_scaler_memory *m,
                  const struct actuator_scaler_window *w,
                  const struct actuator_look *look, struct capacity c,
                  struct actuator_scaling_decision *d)
{
    d->to = safest(w, rules, look->now_ms, c.now, d->wanted);
    d->direction = d->wanted < c.now ? ACTUATOR_DOWN : ACTUATOR_UP;
    if (d->wanted == c.now) {
        hold(d, ACTUATOR_HOLD_FINE);
    } else if (d->wanted < c.now && c.warming > 0) {
        hold(d, ACTUATOR_HOLD_WARM_UP);
    } else if (d->to == c.now) {
        hold(d, ACTUATOR_HOLD_WINDOW);
    } else {
        int64_t most = room(rules, m, d->direction, look->now_ms, c.now);
        d->to = d->direction == ACTUATOR_UP ? low_of(d->to, c.now + most)
                                            : high_of(d->to, c.now - most);
        if (d->to == c.now)
            hold(d, ACTUATOR_HOLD_RATE);
    }
}

void actuator_scaler_decide(const struct actuator_scaler_rules *rules,
                            const struct actuator_scaler_memory *memory,
                            struct actuator_scaler_window *w,
                            const struct actuator_look *look,
                            struct actuator_scaling_decision *out)
{
    memset(out, 0, sizeof(*out));
    bool metric = look->metric_known && isfinite(look->metric);
    if (!look->size_known || look->size < 0 || look->size > ACTUATOR_SIZE_MAX) {
        w->hole_ms = look->now_ms;
        hold(out, ACTUATOR_HOLD_SIZE);
        return;
    }
    struct capacity c = capacity(rules, memory, look);
    out->from = out->to = out->wanted = c.now;
    if (metric) {
        out->wanted = within(rules, rules->tracking ? track(rules, c, look->metric)
                                                    : take_steps(rules, c, look->metric));
        note(w, rules, look->now_ms, out->wanted);
        weigh(rules, memory, w, look, c, out);
    } else {
        w->hole_ms = look->now_ms;
        hold(out, ACTUATOR_HOLD_METRIC);
    }
    if (c.now < rules->min &&
        out->to < rules->min) { /* needs no reason, and no patience */
        out->direction = ACTUATOR_UP;
        out->to = rules->min;
        out->wanted = high_of(out->wanted, rules->min);
        out->hold = ACTUATOR_HOLD_NONE;
    }
    if (busy(rules, memory, look->now_ms))
        hold(out, ACTUATOR_HOLD_BUSY);
}

const char *actuator_hold_text(enum actuator_hold hold)
{
    static const char *const words[] = {
        "acts",      "fine", "size_unknown", "metric_unknown", "warm_up",
        "stabilise", "rate", "busy",         "guard",          "told"};
    return words[hold];
}
