/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/counters.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/series.h"

#define TYPES_MAX       31
#define INTERVAL_MIN_MS 1000
#define INTERVAL_MAX_MS 86400000

extern const struct agent_check_type agent_check_cpu, agent_check_load,
    agent_check_memory, agent_check_disk, agent_check_net, agent_check_process,
    agent_check_http, agent_check_tcp, agent_check_icmp, agent_check_statsd;
const struct agent_check_type *const agent_check_types[] = {&agent_check_cpu,
                                                            &agent_check_load,
                                                            &agent_check_memory,
                                                            &agent_check_disk,
                                                            &agent_check_net,
                                                            &agent_check_process,
                                                            &agent_check_http,
                                                            &agent_check_tcp,
                                                            &agent_check_icmp,
                                                            &agent_check_statsd,
                                                            NULL};

static void fire(void *arg, int64_t now_ms)
{
    struct agent_check *c = arg;
    hale_counter_observe_us(&agent_counter_late_seconds, (now_ms - c->due_ms) * 1000);
    agent_check_schedule(c, now_ms);
    if (c->running) {
        hale_counter_add(&agent_counter_overruns, 1);
        return;
    }
    agent_check_start(c, hale_clock_wall_ms());
}

void agent_check_start(struct agent_check *c, int64_t now_ms)
{
    HALE_ASSERT(!c->running);
    c->time_ms = now_ms;
    c->running = true;
    if (c->type->start(c))
        c->running = false;
}

void agent_check_schedule(struct agent_check *c, int64_t now_mono_ms)
{
    c->due_ms = (now_mono_ms / c->interval_ms + 1) * c->interval_ms;
    agent_loop_arm(c->ctx->loop, &c->timer, c->due_ms);
}

void agent_check_done(struct agent_check *c)
{
    HALE_ASSERT(c->running);
    c->running = false;
}

void agent_check_emit(struct agent_check *c, const struct agent_dim *extra,
                      unsigned n_extra, const char *name, double value, const char *error)
{
    const struct agent_sample sample = {.name = name,
                                        .time_ms = c->time_ms,
                                        .value = value,
                                        .error = error,
                                        .extra = extra,
                                        .n_extra = n_extra};
    agent_sink_add(c->ctx->sink, &c->dims, &sample);
}

const char *agent_check_errno(int error)
{
    const char *text = strerrordesc_np(error);
    return text != NULL ? text : "unknown error";
}

static const struct agent_check_type *find_type(const struct hale_yaml_node *map,
                                                struct hale_err *err)
{
    const struct hale_yaml_node *node = hale_yaml_get(map, "type");
    const char *names[TYPES_MAX + 1] = {NULL};
    char known[256] = "";
    size_t used = 0;
    if (node == NULL || hale_yaml_kind(node) != HALE_YAML_SCALAR) {
        (void)hale_yaml_error(map, err, "a check needs a type, like `type: cpu`");
        return NULL;
    }
    for (size_t i = 0; agent_check_types[i] != NULL; i++) {
        HALE_ASSERT(i < TYPES_MAX);
        names[i] = agent_check_types[i]->name;
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                 i > 0 ? ", " : "", names[i]);
        HALE_ASSERT(used < sizeof(known));
        if (hale_str_eq_c(hale_yaml_text(node), names[i]))
            return agent_check_types[i];
    }
    struct hale_str text = hale_yaml_text(node);
    const char *near = hale_str_suggest(text, names);
    (void)hale_yaml_error(node, err, "unknown check type '%.*s'%s%s%s (known: %s)",
                          (int)text.len, text.p, near != NULL ? " - did you mean '" : "",
                          near != NULL ? near : "", near != NULL ? "'?" : "", known);
    return NULL;
}

static enum hale_rc read_dimensions(struct agent_check *c,
                                    const struct hale_yaml_node *map,
                                    struct hale_err *err)
{
    const struct hale_yaml_node *dims = hale_yaml_get(map, "dimensions");
    return dims == NULL ? HALE_OK : agent_dims_read(&c->dims, dims, err);
}

static enum hale_rc read_interval(struct agent_check *c, const struct hale_yaml_node *map,
                                  struct hale_err *err)
{
    const struct hale_yaml_node *node = hale_yaml_get(map, "interval");
    c->interval_ms = 10000;
    if (node == NULL)
        return HALE_OK;
    struct hale_str text = hale_yaml_text(node);
    if (hale_str_duration_ms(text, &c->interval_ms) != HALE_OK)
        return hale_yaml_error(node, err,
                               "interval '%.*s' is not a duration: write 1s, 30s, 5m",
                               (int)text.len, text.p != NULL ? text.p : "");
    if (c->interval_ms < INTERVAL_MIN_MS || c->interval_ms > INTERVAL_MAX_MS)
        return hale_yaml_error(node, err, "interval must be from 1s to 1d");
    return HALE_OK;
}

enum hale_rc agent_check_new(struct agent_context *ctx, const struct agent_dims *common,
                             const struct hale_yaml_node *map, struct agent_check **out,
                             struct hale_err *err)
{
    *out = NULL;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "a check (a map with a type) is wanted here");
    const struct agent_check_type *type = find_type(map, err);
    if (type == NULL)
        return err->rc;
    struct agent_check *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    c->type = type;
    c->ctx = ctx;
    c->timer.fire = fire;
    c->timer.arg = c;
    c->state = calloc(1, type->state_bytes);
    enum hale_rc rc = c->state == NULL ? HALE_E_NOMEM : agent_dims_copy(&c->dims, common);
    if (rc != HALE_OK)
        (void)hale_err_set(err, rc, "out of memory");
    if (rc == HALE_OK)
        rc = read_interval(c, map, err);
    if (rc == HALE_OK)
        rc = hale_conf_read(map, type->fields, type->n_fields, c->state, err);
    if (rc == HALE_OK && type->create != NULL) {
        c->created = true;
        rc = type->create(c, map, err);
    }
    if (rc == HALE_OK)
        rc = read_dimensions(c, map, err); /* the operator's word comes last */
    if (rc != HALE_OK) {
        agent_check_free(c);
        return rc;
    }
    *out = c;
    return HALE_OK;
}

void agent_check_free(struct agent_check *c)
{
    if (c == NULL)
        return;
    agent_loop_disarm(c->ctx->loop, &c->timer);
    if (c->created && c->type->destroy != NULL)
        c->type->destroy(c);
    if (c->state != NULL)
        hale_conf_fini(c->type->fields, c->type->n_fields, c->state);
    free(c->state);
    agent_dims_fini(&c->dims);
    free(c);
}

enum hale_rc agent_dims_read(struct agent_dims *d, const struct hale_yaml_node *map,
                             struct hale_err *err)
{
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(map, err, "dimensions are a map, like {service: dns}");
    for (size_t i = 0; i < hale_yaml_count(map); i++) {
        struct hale_str key;
        struct hale_err why = {0};
        char key_text[256], value_text[256];
        const struct hale_yaml_node *node = hale_yaml_pair(map, i, &key, NULL);
        struct hale_str value = hale_yaml_text(node);
        if (hale_series_check_dim(key, value, &why) != HALE_OK)
            return hale_yaml_error(node, err, "%s", why.text);
        if (key.len >= sizeof(key_text) || value.len >= sizeof(value_text))
            return hale_yaml_error(node, err,
                                   "a dimension may have at most 255 bytes here");
        memcpy(key_text, key.p, key.len);
        key_text[key.len] = '\0';
        memcpy(value_text, value.p, value.len);
        value_text[value.len] = '\0';
        if (agent_dims_set(d, key_text, value_text) != HALE_OK)
            return hale_yaml_error(node, err, "too many dimensions (at most %d)",
                                   AGENT_DIMS_MAX);
    }
    return HALE_OK;
}
