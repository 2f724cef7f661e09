/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_otlp - OTLP metrics from bytes to canonical series. Input whose first byte is odd is JSON, other is
 * protobuf. JSON that is taken gives a message that is not damaged; points that are found good give
 * samples whose spelling is either a canonical series or refused with a reason; spans lie in the message
 * or in the arena; nothing grows beyond the ceilings.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "collector/otlp.h"
#include "collector/otlp_json.h"
#include "collector/otlp_series.h"
#include "model/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_BYTES ((size_t)1 << 20)
#define JSON_BYTES  ((size_t)1 << 20)

struct run {
    const struct collector_otlp_point *point;
    struct collector_arena *arena;
    volatile unsigned char sink;
};

static void touch(struct run *r, struct hale_str s)
{
    for (size_t i = 0; i < s.len; i++)
        r->sink ^= (unsigned char)s.p[i];
}

static bool sample(const struct collector_otlp_sample *s, void *arg)
{
    struct run *r = arg;
    const struct hale_str spelling[3] = {r->point->resource, s->part,
                                         r->point->attributes};
    struct hale_buf out;
    struct hale_err err = {0};
    struct hale_series text;
    touch(r, s->part);
    hale_buf_init(&out, HALE_SERIES_MAX_BYTES);
    enum hale_rc rc =
        collector_otlp_canon(spelling, HALE_STR("t"), HALE_STR("r"), &out, &err);
    if (rc == HALE_OK)
        HALE_ASSERT(hale_series_decode(hale_buf_str(&out), &text) == HALE_OK);
    else
        HALE_ASSERT(rc == HALE_E_INVAL && err.text[0] != '\0' && out.len == 0);
    hale_buf_fini(&out);
    return true;
}

static bool point(const struct collector_otlp_point *p, void *arg)
{
    struct run *r = arg;
    r->point = p;
    touch(r, p->resource);
    touch(r, p->name);
    touch(r, p->attributes);
    HALE_ASSERT(p->counts.len % 8 == 0 && p->bounds.len % 8 == 0);
    if (collector_otlp_check(p) != COLLECTOR_OTLP_GOOD)
        return true;
    return collector_otlp_expand(p, r->arena, sample, r) == COLLECTOR_OTLP_GOOD;
}

static enum collector_otlp_end walk(struct hale_str message)
{
    struct collector_arena arena;
    struct run r = {.arena = &arena};
    collector_arena_init(&arena, ARENA_BYTES);
    enum collector_otlp_end end = collector_otlp_walk(message, &arena, point, &r);
    HALE_ASSERT(arena.left <= ARENA_BYTES);
    collector_arena_fini(&arena);
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_buf message;
    struct hale_err err = {0};
    if (size == 0)
        return 0;
    struct hale_str body = {(const char *)data + 1, size - 1};
    if ((data[0] & 1) == 0) {
        (void)walk(body);
        return 0;
    }
    hale_buf_init(&message, JSON_BYTES);
    enum hale_rc rc = collector_otlp_json_read(body, &message, &err);
    if (rc == HALE_OK)
        HALE_ASSERT(walk(hale_buf_str(&message)) != COLLECTOR_OTLP_DAMAGED);
    else
        HALE_ASSERT(err.text[0] != '\0');
    hale_buf_fini(&message);
    return 0;
}
