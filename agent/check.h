/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_CHECK_H
#define HALE_AGENT_CHECK_H
/*
 * check - what the scheduler knows of a check: a table of four functions per type and the context
 * it runs in. One file per type, everything in it static but the table entry.
 * Contract of a type:
 *   state   of state_bytes, zeroed, then its keys are read from the configuration map by the table
 *           `fields` (strictly: the common keys type, interval and dimensions are allowed besides).
 *   create  (NULL: nothing to do) checks the keys further and builds what the state needs besides;
 *           errors name file and line. Without ctx->resolver the configuration is only being tried.
 *   start   begins one run, whose samples are all of c->time_ms. A check that is finished when start returns says so
 *           by returning true; one that waits for the network returns false and calls
 *           agent_check_done later, after at most its own timeout.
 *   destroy (NULL: nothing to do) frees what create and start made, also in the middle of a run and
 *           when create failed half-way; the keys and the state itself are not its business.
 * Manners: no forks, nothing that can block for more than a few ms (statvfs is only asked of local
 *   block devices); a failing probe emits a status sample, never nothing.
 * Threads: the loop's, except that the resolver works on its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/loop.h"
#include "agent/sink.h"
#include "model/yaml.h"

struct agent_resolver;
struct agent_check;

struct agent_context { /* shared by all checks; owned by main */
    struct agent_loop *loop;
    struct agent_sink *sink;
    struct agent_resolver *resolver;
    const char *hostname;
    struct hale_buf text; /* what start reads into; free again when start returns */
};

struct agent_check_type {
    const char *name; /* "cpu" */
    const char *help; /* one line for the man page: what it emits */
    size_t state_bytes;
    const struct hale_conf_field *fields;
    size_t n_fields;
    enum hale_rc (*create)(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err);
    bool (*start)(struct agent_check *c);
    void (*destroy)(struct agent_check *c);
};

struct agent_check {
    const struct agent_check_type *type;
    struct agent_context *ctx;
    struct agent_dims dims; /* hostname, the agent's, the check's */
    int64_t interval_ms;
    int64_t due_ms; /* monotonic */
    struct agent_timer timer;
    int64_t time_ms; /* of the run: its samples' timestamp */
    bool created, running;
    void *state; /* the type's */
};

/* All types, NULL-terminated. */
extern const struct agent_check_type *const agent_check_types[];

/* Reads one item of `checks:`. The check is not started. HALE_E_INVAL with line and fix. */
HALE_MUST_CHECK enum hale_rc agent_check_new(struct agent_context *ctx,
                                             const struct agent_dims *common,
                                             const struct hale_yaml_node *map,
                                             struct agent_check **out,
                                             struct hale_err *err);
void agent_check_free(struct agent_check *c);
/* Arms the first run: at the next multiple of the interval (all checks of one interval share a
 * batch). */
void agent_check_schedule(struct agent_check *c, int64_t now_mono_ms);
/* Begins a run at wall time now_ms; none may be under way. */
void agent_check_start(struct agent_check *c, int64_t now_ms);
/* The run that start left open is over. */
void agent_check_done(struct agent_check *c);
/* Sets every pair of a configuration map, checked by Monasca's rules for dimensions. */
HALE_MUST_CHECK enum hale_rc agent_dims_read(struct agent_dims *d,
                                             const struct hale_yaml_node *map,
                                             struct hale_err *err);
/* The fields every check has besides its own; put them first in the type's table. */
#define AGENT_CHECK_COMMON_FIELDS(STATE)                                                 \
    {.key = "type", .type = HALE_CONF_NODE, .offset = offsetof(STATE, ignored)},         \
        {.key = "interval", .type = HALE_CONF_NODE, .offset = offsetof(STATE, ignored)}, \
    {                                                                                    \
        .key = "dimensions", .type = HALE_CONF_NODE, .offset = offsetof(STATE, ignored)  \
    }
/* Text of an errno value; never NULL. */
const char *agent_check_errno(int error);
/* Emits one sample of the run with the check's dimensions and extra ones (NULL, 0: none). error: see
 * struct agent_sample. */
void agent_check_emit(struct agent_check *c, const struct agent_dim *extra,
                      unsigned n_extra, const char *name, double value,
                      const char *error);
#endif
