/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_THRESHOLDS_WORLD_H
#define HALE_TESTS_THRESHOLDS_WORLD_H
/*
 * world - what the tests of the engine share: definitions and series from text, and
 * events written down as one line each. Included by exactly one .c of each test program.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "thresholds/engine.h"

#define BASE_MS INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */

struct lines { /* events as text, one a line */
    struct hale_buf text;
    unsigned n;
    bool operands; /* say what the newest value was calculated of */
};

static inline void lines_init(struct lines *l)
{
    hale_buf_init(&l->text, 256u << 20);
    l->n = 0;
    l->operands = false;
}

static inline void lines_emit(const struct thresholds_event *ev, void *arg)
{
    static const char *const kinds[] = {"create", "metric", "state"};
    struct lines *l = arg;
    l->n++;
    hale_buf_printf(&l->text, "%s %s/%u", kinds[ev->kind], ev->definition->id, ev->sub);
    for (unsigned i = 0; i < ev->n_group; i++)
        hale_buf_printf(&l->text, " %.*s=%.*s", (int)ev->group[i].key.len,
                        ev->group[i].key.p, (int)ev->group[i].value.len,
                        ev->group[i].value.p);
    hale_buf_printf(&l->text, " %s at %" PRId64 "%s [", hale_state_text(ev->state),
                    ev->at_ms - BASE_MS, ev->by_tick ? "t" : "");
    for (unsigned i = 0; i < ev->n_values; i++) {
        hale_buf_add_c(&l->text, i > 0 ? ", " : "");
        hale_buf_add_double(&l->text, ev->values[i]);
    }
    for (unsigned i = 0; l->operands && i < ev->n_operands; i++) {
        hale_buf_add_c(&l->text, i == 0 ? " of " : ", ");
        hale_buf_add_double(&l->text, ev->operands[i]);
    }
    hale_buf_printf(&l->text, "] %" PRId64 "..%" PRId64, ev->window_start_ms - BASE_MS,
                    ev->window_end_ms - BASE_MS);
    hale_buf_add_c(&l->text, ev->learning ? " learning" : "");
    if (ev->series != NULL)
        hale_buf_printf(&l->text, " series %.*s", (int)ev->series->name.len,
                        ev->series->name.p);
    hale_buf_add_char(&l->text, '\n');
}

/* match_by: JSON list. */
/* extra: more keys, each with a comma behind it. */
static inline struct hale_definition *
make_definition_with(const char *id, const char *expression, const char *match_by,
                     bool monasca, int version, const char *extra)
{
    char json[4096];
    struct hale_err err = {0};
    struct hale_definition *d = NULL;
    snprintf(
        json, sizeof(json),
        "{\"v\":1,\"id\":\"%s\",\"tenant\":\"t\",\"name\":\"n-%s\",\"description\":\"\","
        "\"expression\":\"%s\",\"match_by\":%s,\"severity\":\"LOW\","
        "\"actions_enabled\":true,\"ok_actions\":[],\"alarm_actions\":[],"
        "\"undetermined_actions\":[],\"semantics\":\"%s\",%s\"version\":%d,"
        "\"created_ms\":1,\"updated_ms\":1}",
        id, id, expression, match_by, monasca ? "monasca" : "hale", extra, version);
    if (hale_definition_decode(hale_str_from(json), &d, &err) != HALE_OK)
        fail_msg("%s: %s", expression, err.text);
    return d;
}

static inline struct hale_definition *make_definition(const char *id,
                                                      const char *expression,
                                                      const char *match_by, bool monasca,
                                                      int version)
{
    return make_definition_with(id, expression, match_by, monasca, version, "");
}

/* dims: "a=1,b=2" sorted by key, or "". Appends the canonical form to out; returns the
 * id. */
static inline uint64_t make_series(const char *name, const char *dims,
                                   struct hale_buf *out)
{
    struct hale_series s = {.tenant = HALE_STR("t"), .region = HALE_STR("r")};
    s.name = hale_str_from(name);
    struct hale_str rest = hale_str_from(dims);
    while (rest.p != NULL && rest.len > 0) {
        struct hale_str value = hale_str_split(&rest, ',');
        struct hale_str key = hale_str_split(&value, '=');
        s.dims[s.n_dims++] = (struct hale_dim){key, value};
    }
    size_t start = out->len;
    assert_int_equal(hale_series_encode(&s, out), HALE_OK);
    return hale_series_id((struct hale_str){out->p + start, out->len - start});
}

static inline struct thresholds_series *
introduce(struct thresholds_engine *e, const char *name, const char *dims, int64_t now_ms)
{
    struct hale_buf b;
    hale_buf_init(&b, HALE_SERIES_MAX_BYTES);
    uint64_t id = make_series(name, dims, &b);
    struct thresholds_series *s = thresholds_engine_find(e, id);
    if (s == NULL)
        assert_int_equal(thresholds_engine_series(e, id, hale_buf_str(&b), now_ms, &s),
                         HALE_OK);
    hale_buf_fini(&b);
    return s;
}
#endif
