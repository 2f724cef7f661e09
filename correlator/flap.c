/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/flap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "correlator/gate.h"
#include "correlator/parts.h"

#define ID          "dampening"
#define WEIGHT_NEW  1.15
#define WEIGHT_OLD  0.8
#define TEXT_MAX    128
#define CHANGES_MAX INT64_C(1000000000000)

double cor_flap_score(unsigned n)
{
    double sum = 0;
    for (unsigned i = 0; i < n && i < COR_FLAP_SLOTS; i++)
        sum += WEIGHT_NEW - (WEIGHT_NEW - WEIGHT_OLD) * i / (COR_FLAP_SLOTS - 1);
    return 100.0 * sum / COR_FLAP_SLOTS;
}

static bool is_on(const struct correlator_engine *e, const struct cor_alarm *a)
{
    return e->limits.flap_window_ms > 0 &&
           (a->node == NULL || !a->node->def->d->flap_off);
}

static void drop_old(struct cor_flap *f, int64_t since_ms)
{
    unsigned n = 0;
    while (n < f->n && f->times[n] <= since_ms)
        n++;
    if (n == 0)
        return;
    memmove(f->times, f->times + n, (f->n - n) * sizeof(*f->times));
    f->n -= n;
}

static bool push(struct correlator_engine *e, struct cor_flap *f, int64_t at_ms)
{
    if (f->n == COR_FLAP_SLOTS)
        drop_old(f, f->times[0]);
    if (f->n == f->cap) {
        unsigned cap = f->n < 2 ? 2 : (f->n < 8 ? 8 : COR_FLAP_SLOTS);
        int64_t *grown = realloc(f->times, cap * sizeof(*grown));
        if (grown == NULL) {
            e->nomem = true;
            return false;
        }
        f->times = grown;
        f->cap = cap;
    }
    f->times[f->n++] = at_ms;
    return true;
}

/* When so many of the changes have left the window that it is calm. */
static int64_t calm_at(const struct correlator_engine *e, const struct cor_flap *f)
{
    unsigned left = f->n;
    while (left > 0 && cor_flap_score(left) >= e->limits.flap_stop)
        left--;
    if (left == f->n) /* it is already */
        return f->times[f->n - 1];
    return f->times[f->n - left - 1] + e->limits.flap_window_ms;
}

static void say(struct cor_flap *f, char text[TEXT_MAX])
{
    char since[HALE_CLOCK_ISO_MAX];
    (void)snprintf(text, TEXT_MAX, "%lld changes of state since %s",
                   (long long)f->changes, hale_clock_iso_ms(f->first_ms, since));
}

static void calm(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_flap *f = &a->life.flap;
    char text[TEXT_MAX], whole[TEXT_MAX + sizeof(ID) + 8];
    say(f, text);
    if (cor_mute_end(e, a, COR_MUTE_FLAP, NULL)) {
        (void)snprintf(whole, sizeof(whole), ID " after %s", text);
        free(a->life.ended_id);
        a->life.ended_id = cor_strdup(e, whole);
        e->stats.flapping--;
        e->stats.flaps_ended++;
    }
    cor_due_set(e, &f->due, 0);
    f->since_ms = f->first_ms = f->changes = 0;
}

void cor_flap_source(struct correlator_engine *e, struct cor_alarm *a,
                     enum hale_state from)
{
    struct cor_flap *f = &a->life.flap;
    int64_t now_ms = cor_stream_ms(e);
    char text[TEXT_MAX];
    (void)from;
    f->begins = false;
    if (!is_on(e, a)) {
        if (f->since_ms != 0)
            calm(e, a);
        f->n = 0;
        return;
    }
    if (f->n > 0 && now_ms < f->times[f->n - 1])
        now_ms = f->times[f->n - 1]; /* streams are not read in one order of time */
    drop_old(f, now_ms - e->limits.flap_window_ms);
    if (!push(e, f, now_ms))
        return;
    if (f->since_ms != 0) {
        f->changes += f->changes < CHANGES_MAX;
    } else if (cor_flap_score(f->n) > e->limits.flap_start) {
        f->begins = true;
        f->since_ms = now_ms;
        f->first_ms = f->times[0];
        f->changes = f->n;
        e->stats.flapping++;
        e->stats.flaps_begun++;
    }
    if (f->since_ms == 0)
        return;
    say(f, text);
    cor_mute_set(e, a, COR_MUTE_FLAP, ID, 0, text);
    cor_due_set(e, &f->due, calm_at(e, f));
}

void cor_flap_due(struct correlator_engine *e, void *alarm, int64_t at_ms)
{
    struct cor_alarm *a = alarm;
    drop_old(&a->life.flap, at_ms - e->limits.flap_window_ms);
    calm(e, a);
    cor_gate_settle(e, a, cor_mute_text(COR_MUTE_FLAP), NULL);
}

/* --- out and in ------------------------------------------------------------------------ */

json_t *cor_flap_json(struct correlator_engine *e, const struct cor_flap *f)
{
    if (f->n == 0 && f->since_ms == 0)
        return NULL;
    json_t *times = cor_got(e, json_array());
    for (unsigned i = 0; i < f->n; i++) {
        if (json_array_append_new(times, json_integer(f->times[i])) != 0)
            e->nomem = true;
    }
    double score = (double)(int)(10 * cor_flap_score(f->n)) / 10;
    json_t *o = cor_got(e, json_pack("{s:f, s:o}", "score", score, "times", times));
    if (f->since_ms != 0 && o != NULL &&
        (json_object_set_new(o, "since_ms", json_integer(f->since_ms)) != 0 ||
         json_object_set_new(o, "first_ms", json_integer(f->first_ms)) != 0 ||
         json_object_set_new(o, "changes", json_integer(f->changes)) != 0))
        e->nomem = true;
    return o;
}

void cor_flap_load(struct correlator_engine *e, struct cor_alarm *a, const json_t *o)
{
    struct cor_flap *f = &a->life.flap;
    size_t i;
    const json_t *v;
    json_array_foreach (json_object_get(o, "times"), i, v) {
        int64_t ms = (int64_t)json_integer_value(v);
        if (ms > 0 && (f->n == 0 || ms >= f->times[f->n - 1]))
            (void)push(e, f, ms);
    }
    f->since_ms = (int64_t)json_integer_value(json_object_get(o, "since_ms"));
    f->first_ms = (int64_t)json_integer_value(json_object_get(o, "first_ms"));
    f->changes = (int64_t)json_integer_value(json_object_get(o, "changes"));
    if (f->since_ms == 0)
        return;
    e->stats.flapping++;
    /* Switched off meanwhile: at once. */
    cor_due_set(e, &f->due, is_on(e, a) && f->n > 0 ? calm_at(e, f) : f->since_ms);
}
