/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_alarm - alarms about the loops themselves: fault events that leave with the engine's next
 * commit, so that a crash neither loses nor repeats one (declared in engine_private.h).
 */
#include <stdio.h>

#include "actuator/engine_private.h"
#include "base/log.h"
#include "base/utf8.h"

static char *word(const char *text)
{
    return (char *)(uintptr_t)text; /* the encoder only reads them */
}

void loop_alarm(struct actuator_engine *e, const struct loop_alarm *a)
{
    char text[ACTUATOR_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s", a->text != NULL ? a->text : "");
    (void)hale_utf8_clean(text); /* a text that was cut must not cost the alarm */
    struct hale_event event = {
        .tenant = word(a->tenant),
        .type = word(a->type),
        .time_ms = e->now_us / 1000,
        .severity = HALE_SEV_HIGH,
        .clear = a->clear,
        .dimensions = json_pack("{s:s,s:s}", "policy", a->policy, "target", a->target),
        .details = json_pack("{s:s}", "text", text),
        .accepted_us = e->now_us,
    };
    bool ok = e->n_events < ACTUATOR_EVENTS_MAX && event.dimensions != NULL &&
              event.details != NULL;
    if (ok) {
        struct hale_buf *buf = &e->event_buf[e->n_events];
        hale_buf_reset(buf);
        ok = hale_event_encode(&event, buf) == HALE_OK;
    }
    if (ok)
        e->n_events++;
    else
        hale_error("event=loop_alarm_lost type=%s policy=%s", a->type, a->policy);
    json_decref(event.dimensions);
    json_decref(event.details);
}

unsigned loop_alarm_take(struct actuator_engine *e,
                         struct hale_str out[ACTUATOR_EVENTS_MAX])
{
    unsigned n = e->n_events;
    for (unsigned i = 0; i < n; i++)
        out[i] = hale_buf_str(&e->event_buf[i]);
    e->n_events = 0;
    return n;
}
