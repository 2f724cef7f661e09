/* SPDX-License-Identifier: Apache-2.0 */
/* lab_scale - looks at scaling policies in their intervals, as actuator/app_scale.c does; what they find is
 * whoever's who gives the inputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/scaling.h"
#include "cli/lab_inner.h"

struct lab_scaling { /* one policy */
    struct actuator_scaling_watch watch;
    int64_t next_ms; /* INT64_MAX: nobody says what it finds */
};
struct lab_scale {
    unsigned n;
    struct lab_scaling v[];
};

enum hale_rc lab_scale_boot(struct lab_acts *a)
{
    const struct cli_lab_conf *conf = a->lab->conf;
    unsigned n =
        conf->policies != NULL && conf->look != NULL ? conf->policies->n_scaling : 0;
    free(a->scale);
    a->scale = calloc(1, sizeof(*a->scale) + (n + 1) * sizeof(a->scale->v[0]));
    if (a->scale == NULL)
        return HALE_E_NOMEM;
    a->scale->n = n;
    for (unsigned i = 0; i < n; i++) {
        a->scale->v[i].next_ms = a->lab->now_ms;
        actuator_scaling_watch_init(&a->scale->v[i].watch, a->lab->now_ms);
    }
    return HALE_OK;
}

int64_t lab_scale_next_ms(const struct lab_acts *a)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < a->scale->n; i++)
        next = a->scale->v[i].next_ms < next ? a->scale->v[i].next_ms : next;
    return next;
}

/* How many there are since the last change: what it has ordered, if it came to a good end. */
static int64_t ordered(const struct lab_acts *a, const char *policy)
{
    char field[ACTUATOR_POLICY_NAME_MAX + 32];
    struct actuator_scaler_memory m = {.n = 0};
    (void)snprintf(field, sizeof(field), ACTUATOR_SCALING_PREFIX "%s", policy);
    const char *text = json_string_value(json_object_get(a->guards, field));
    json_t *memory = text != NULL ? json_loads(text, 0, NULL) : NULL;
    if (memory == NULL || actuator_scaler_decode(memory, &m) != HALE_OK)
        m.n = 0;
    json_decref(memory);
    if (m.n == 0)
        return -1;
    const struct actuator_change *last = &m.change[m.n - 1];
    return last->end_ms > 0 && last->good ? last->to : last->from;
}

static void look(struct lab_acts *a, const struct actuator_scaling *s,
                 struct lab_scaling *x)
{
    const struct cli_lab_conf *conf = a->lab->conf;
    const char *name = s->by[0].name;
    int64_t now_ms = a->lab->now_ms;
    struct actuator_scaling_decision d;
    struct actuator_look found = {.size = -1, .ready = -1};
    x->next_ms = now_ms + s->every_ms;
    if (!conf->look(conf->sink.arg, name, actuator_engine_scaled_ms(a->engine, s, now_ms),
                    ordered(a, name), &found)) {
        x->next_ms = INT64_MAX;
        return;
    }
    found.now_ms = found.asked_ms = now_ms;
    actuator_engine_scale(a->engine, s, &x->watch, &found, &d);
}

void lab_scale_turn(struct lab_acts *a)
{
    for (unsigned i = 0; i < a->scale->n; i++)
        if (a->scale->v[i].next_ms <= a->lab->now_ms) {
            look(a, &a->lab->conf->policies->scaling[i], &a->scale->v[i]);
            lab_acts_jobs(a);
        }
}
