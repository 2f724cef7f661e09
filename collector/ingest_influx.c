/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ingest_influx.h"

#include <string.h>

#include "base/clock.h"
#include "collector/influx_api.h"
#include "collector/intake.h"
#include "collector/request.h"
#include "model/influx_line.h"

/* a: measurement and tags, c: the field's name, both as written. */
static enum hale_rc canon(const struct collector_offer *o, struct hale_str tenant,
                          struct hale_str region, struct hale_buf *out,
                          struct hale_err *err)
{
    return hale_influx_series(o->a, o->c, tenant, region, out, err);
}

static const struct collector_form FORM = {
    .name = "influx", .id = COLLECTOR_FORM_INFLUX, .partial = true, .canon = canon};

/* Offers the numbers of a line; returns how many strings it has. */
static size_t take(struct collector_intake *in, const struct hale_influx_parser *p,
                   int64_t now_ms)
{
    struct collector_offer o = {.a = p->key,
                                .time_ms = p->has_time ? p->time_ms : now_ms};
    size_t strings = 0;

    for (unsigned i = 0; i < p->n_fields; i++) {
        const struct hale_influx_field *f = &p->fields[i];
        if (f->is_string) {
            strings++;
            continue;
        }
        o.c = f->name;
        o.value = f->value;
        if (!collector_intake_offer(in, &o))
            break; /* commit says why */
    }
    return strings;
}

static void parse(struct collector_intake *in, struct hale_str body,
                  enum hale_influx_unit unit)
{
    struct hale_influx_parser p;
    enum hale_influx_result r;
    int64_t now_ms = hale_clock_wall_ms();
    size_t strings = 0;

    hale_influx_init(&p, body, unit);
    while ((r = hale_influx_next(&p)) != HALE_INFLUX_END) {
        if (r == HALE_INFLUX_LINE)
            strings += take(in, &p, now_ms);
        else
            collector_intake_reject(in, p.reason, "%s", p.err.text);
    }
    /* Telegraf's inputs have strings in most lines: counted, but not a fault. */
    collector_rejected_count(COLLECTOR_FORM_INFLUX, "type", strings);
}

void collector_ingest_influx_post(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    struct collector_intake *in = c->intake;
    struct collector_answer answer = {.status = 204};
    enum hale_influx_unit unit;

    (void)redis;
    if (hale_influx_unit_parse(hale_http_query(req, "precision"), &unit) != HALE_OK) {
        collector_influx_error(
            req, 400, "invalid precision; it may be ns, us, ms, s, m or h (default ns)");
        return;
    }
    if (!collector_intake_begin(in, req, &FORM))
        return;
    parse(in, hale_http_body(req), unit);
    struct collector_verdict v = collector_intake_verdict(in);
    if (v.rejected > 0) {
        answer.status = 400;
        collector_influx_error_body(&answer.body, "partial write: %s dropped=%zu",
                                    v.first->text, v.rejected);
        answer.type = COLLECTOR_JSON;
    }
    collector_intake_commit(in, &answer);
}
