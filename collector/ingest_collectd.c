/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/ingest_collectd.h"

#include "base/clock.h"
#include "collector/arena.h"
#include "collector/collectd_list.h"
#include "collector/intake.h"
#include "collector/request.h"

#define ARENA_SPARE ((size_t)128 << 10) /* a block that is hardly used */

/* a: host to type_instance (collectd_list.h), c: the data source. */
static enum hale_rc canon(const struct collector_offer *o, struct hale_str tenant,
                          struct hale_str region, struct hale_buf *out,
                          struct hale_err *err)
{
    return collector_collectd_series(o->a, o->c, tenant, region, out, err);
}

static const struct collector_form FORM = {
    .name = "collectd", .id = COLLECTOR_FORM_COLLECTD, .partial = true, .canon = canon};

/* Offers the numbers of a value list; returns how many values are null. */
static size_t take_list(struct collector_intake *in, const json_t *item, int64_t now_ms,
                        struct collector_arena *arena)
{
    struct collector_collectd_list l;
    struct hale_err err;
    size_t nulls = 0;

    if (collector_collectd_read(item, &l, &err) != HALE_OK) {
        collector_intake_reject(in, l.reason, "%s", err.text);
        return 0;
    }
    size_t n = collector_collectd_spelling_bytes(&l);
    char *spelling = collector_arena_get(arena, n);
    if (spelling == NULL) {
        collector_intake_reject(in, "other", "out of memory");
        return 0;
    }
    collector_collectd_spell(&l, spelling);
    struct collector_offer o = {.a = {spelling, n},
                                .time_ms = l.has_time ? l.time_ms : now_ms};
    for (size_t i = 0; i < l.n_values; i++) {
        switch (collector_collectd_value(&l, i, &o.value, &o.c)) {
        case COLLECTOR_COLLECTD_NULL: nulls++; break;
        case COLLECTOR_COLLECTD_NUMBER: (void)collector_intake_offer(in, &o); break;
        case COLLECTOR_COLLECTD_BAD:
            collector_intake_reject(in, "value",
                                    "values must be numbers and dsnames texts: for "
                                    "metric %s.%s",
                                    l.part[COLLECTOR_COLLECTD_PLUGIN].p,
                                    l.part[COLLECTOR_COLLECTD_TYPE].p);
            break;
        }
    }
    return nulls;
}

static void take_all(struct collector_intake *in, const json_t *root,
                     struct collector_arena *arena)
{
    int64_t now_ms = hale_clock_wall_ms();
    size_t nulls = 0;

    if (json_is_array(root)) {
        for (size_t i = 0; i < json_array_size(root); i++)
            nulls += take_list(in, json_array_get(root, i), now_ms, arena);
    } else {
        nulls = take_list(in, root, now_ms, arena);
    }
    /* A counter's first reading has no rate: counted, but not a fault. */
    collector_rejected_count(COLLECTOR_FORM_COLLECTD, "stale", nulls);
}

void collector_ingest_collectd_post(struct collector *c, struct hale_redis *redis,
                                    struct hale_http_req *req)
{
    struct collector_intake *in = c->intake;
    struct collector_answer answer = {.status = 204};
    struct collector_arena arena;

    (void)redis;
    json_t *root = collector_request_json(req);
    if (root == NULL)
        return;
    /* Decoded texts with their NULs are not longer than the body; half of a block may be lost. */
    collector_arena_init(&arena, 2 * hale_http_body(req).len + ARENA_SPARE);
    if (collector_intake_begin(in, req, &FORM)) {
        take_all(in, root, &arena);
        struct collector_verdict v = collector_intake_verdict(in);
        if (v.rejected > 0) {
            answer.status = 422;
            answer.type = COLLECTOR_JSON;
            collector_error_body(&answer.body, 422, "Unprocessable Entity",
                                 "%zu of %zu values were not taken: %s", v.rejected,
                                 v.rejected + v.taken, v.first->text);
        }
        collector_intake_commit(in, &answer);
    }
    collector_arena_fini(&arena);
    json_decref(root);
}
