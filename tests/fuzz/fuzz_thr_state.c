/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_thr_state - the snapshot of hale-thresholds. Input: u8 length of the field's name,
 * name, u16 little-endian length of the value, value, and so on. What loads must survive
 * samples, ticks and being saved, and what was saved must load again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "thresholds/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_MAX 64

struct store {
    size_t n;
    struct hale_str fields[4 * FIELDS_MAX], values[4 * FIELDS_MAX];
};

static void ignore(const struct thresholds_event *ev, void *arg)
{
    (void)arg;
    HALE_ASSERT(ev->definition != NULL && ev->sub < ev->definition->expr->n_subs);
}

static struct hale_str copy(struct hale_str x)
{
    char *p = malloc(x.len + 1);
    HALE_ASSERT(p != NULL);
    if (x.len > 0)
        memcpy(p, x.p, x.len);
    return (struct hale_str){p, x.len};
}

static int keep(struct hale_str field, struct hale_str value, void *arg)
{
    struct store *s = arg;
    HALE_ASSERT(value.p != NULL); /* everything is handed out, nothing removed */
    if (s->n == 4 * FIELDS_MAX)
        return 1;
    s->fields[s->n] = copy(field);
    s->values[s->n++] = copy(value);
    return 0;
}

static void store_clear(struct store *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free((void *)(uintptr_t)s->fields[i].p);
        free((void *)(uintptr_t)s->values[i].p);
    }
    s->n = 0;
}

static size_t split(const uint8_t *data, size_t size, struct hale_str *fields,
                    struct hale_str *values)
{
    size_t n = 0;
    while (n < FIELDS_MAX && size > 0) {
        size_t name = data[0];
        if (size < 3 + name)
            break;
        size_t len = data[1 + name] + 256u * data[2 + name];
        if (size < 3 + name + len)
            break;
        fields[n] = (struct hale_str){(const char *)data + 1, name};
        values[n++] = (struct hale_str){(const char *)data + 3 + name, len};
        data += 3 + name + len;
        size -= 3 + name + len;
    }
    return n;
}

static struct thresholds_engine *engine(void)
{
    struct thresholds_limits limits = thresholds_limits_default();
    limits.max_definitions = 100;
    limits.max_series = 1000;
    limits.max_subalarms = 1000;
    limits.max_slots = 20000;
    struct thresholds_engine *e = thresholds_engine_new(&limits, ignore, NULL);
    HALE_ASSERT(e != NULL);
    return e;
}

static void use(struct thresholds_engine *e)
{
    static const char *const names[] = {"x", "y", "cpu"};
    const int64_t base = INT64_C(1704067200000);
    struct hale_buf b;
    hale_buf_init(&b, 65536);
    for (unsigned i = 0; i < 12; i++) {
        struct thresholds_series *s = NULL;
        struct hale_series view = {.tenant = HALE_STR("t"),
                                   .region = HALE_STR("r"),
                                   .name = hale_str_from(names[i % 3]),
                                   .n_dims = i % 2,
                                   .dims = {{HALE_STR("host"), HALE_STR("a")}}};
        hale_buf_reset(&b);
        HALE_ASSERT(hale_series_encode(&view, &b) == HALE_OK);
        int64_t now = base + (int64_t)i * 45000;
        thresholds_engine_tick(e, now - 1);
        if (thresholds_engine_series(e, hale_series_id(hale_buf_str(&b)),
                                     hale_buf_str(&b), now, &s) == HALE_OK)
            thresholds_engine_sample(e, s, now, i, now, 1);
    }
    hale_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct store first, second;
    struct hale_str fields[FIELDS_MAX], values[FIELDS_MAX];
    size_t n = split(data, size, fields, values);
    struct thresholds_engine *e = engine();
    if (thresholds_engine_load(e, n, fields, values, NULL) == HALE_OK &&
        thresholds_engine_save(e, true, keep, &first) == HALE_OK) {
        struct thresholds_engine *again = engine();
        HALE_ASSERT(thresholds_engine_load(again, first.n, first.fields, first.values,
                                           NULL) == HALE_OK);
        HALE_ASSERT(thresholds_engine_save(again, true, keep, &second) == HALE_OK);
        HALE_ASSERT(first.n == second.n);
        thresholds_engine_free(again);
        use(e);
    }
    store_clear(&first);
    store_clear(&second);
    thresholds_engine_free(e);
    return 0;
}
