/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_UNIT_AGENT_WORLD_H
#define HALE_TESTS_UNIT_AGENT_WORLD_H
/*
 * world - what a check needs to run in a test: a loop, a sink, a resolver; and words to ask what it
 * emitted. Everything is checked with cmocka's asserts.
 */
#include "support/cmocka.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check.h"
#include "agent/procfs.h"
#include "agent/resolver.h"
#include "base/clock.h"

#define WORLD_NOW_MS 1763730000123

struct world {
    struct agent_context ctx;
    struct agent_sink sink;
    struct hale_yaml *yaml; /* of the check made last */
    struct agent_check *check;
    json_t *samples; /* of the run made last */
};

static inline int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    agent_sink_init(&w->sink);
    hale_buf_init(&w->ctx.text, AGENT_PROCFS_MAX_BYTES);
    w->ctx.sink = &w->sink;
    w->ctx.hostname = "me";
    w->ctx.loop = agent_loop_new(8);
    assert_non_null(w->ctx.loop);
    w->ctx.resolver = agent_resolver_new(w->ctx.loop);
    assert_non_null(w->ctx.resolver);
    *state = w;
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    agent_check_free(w->check);
    agent_resolver_free(w->ctx.resolver);
    agent_loop_free(w->ctx.loop);
    hale_yaml_free(w->yaml);
    agent_sink_fini(&w->sink);
    hale_buf_fini(&w->ctx.text);
    json_decref(w->samples);
    free(w);
    return 0;
}

/* Makes the check that text (a YAML map) describes; the former one goes. */
static inline void world_make(struct world *w, const char *text)
{
    struct hale_err err = {0};
    struct agent_dims common = {0};
    agent_check_free(w->check);
    w->check = NULL;
    hale_yaml_free(w->yaml);
    w->yaml = NULL;
    assert_int_equal(agent_dims_set(&common, "hostname", "me"), HALE_OK);
    if (hale_yaml_load(hale_str_from(text), "a.yaml", &w->yaml, &err) != HALE_OK ||
        agent_check_new(&w->ctx, &common, hale_yaml_root(w->yaml), &w->check, &err) !=
            HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    agent_dims_fini(&common);
}

/* One run of the check to its end, at most 5 s; its samples are in w->samples. */
static inline void world_run(struct world *w)
{
    int64_t deadline = hale_clock_mono_ms() + 5000;
    json_decref(w->samples);
    w->samples = json_array();
    agent_sink_clear(&w->sink);
    agent_check_start(w->check, WORLD_NOW_MS);
    while (w->check->running) {
        assert_true(hale_clock_mono_ms() < deadline);
        agent_loop_turn(w->ctx.loop, 20);
    }
    struct hale_str rest = hale_buf_str(&w->sink.lines);
    while (rest.len > 0) {
        struct hale_str line = hale_str_split(&rest, '\n');
        json_t *sample = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(sample);
        assert_int_equal(json_integer_value(json_object_get(sample, "timestamp")),
                         WORLD_NOW_MS);
        assert_int_equal(json_array_append_new(w->samples, sample), 0);
    }
}

/* The first sample of that name whose dimension key (NULL: none asked) has that value, or NULL. */
static inline json_t *world_sample(const struct world *w, const char *name,
                                   const char *key, const char *value)
{
    size_t i;
    json_t *sample;
    json_array_foreach (w->samples, i, sample) {
        const char *is = key == NULL ? NULL
                                     : json_string_value(json_object_get(
                                           json_object_get(sample, "dimensions"), key));
        if (strcmp(json_string_value(json_object_get(sample, "name")), name) == 0 &&
            (key == NULL || (is != NULL && strcmp(is, value) == 0)))
            return sample;
    }
    return NULL;
}

/* Its value; fails the test when it is not there. */
static inline double world_value(const struct world *w, const char *name, const char *key,
                                 const char *value)
{
    json_t *sample = world_sample(w, name, key, value);
    if (sample == NULL)
        fail_msg("no sample %s{%s=%s}", name, key != NULL ? key : "",
                 key != NULL ? value : "");
    return json_number_value(json_object_get(sample, "value"));
}

/* value_meta.error of that sample, or "". */
static inline const char *world_error(const struct world *w, const char *name)
{
    const char *text = json_string_value(json_object_get(
        json_object_get(world_sample(w, name, NULL, NULL), "value_meta"), "error"));
    return text != NULL ? text : "";
}
#endif
