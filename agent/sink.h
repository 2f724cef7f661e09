/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_SINK_H
#define HALE_AGENT_SINK_H
/*
 * sink - where checks put their samples: one JSON object per line, in Monasca's form, ready to be
 * joined into a body. The same series always renders to the same bytes up to its timestamp, so the
 * collector finds it in its cache.
 * Limits:    AGENT_SINK_MAX_BYTES; beyond it samples are dropped and counted (the sender empties
 *            the sink at every turn of the loop, so that means a check gone wild).
 * Threads:   one.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define AGENT_SINK_MAX_BYTES (4u << 20)
#define AGENT_DIMS_MAX       32

struct agent_dim {
    const char *key;
    const char *value;
};

/* A set of dimensions rendered once; setting a key again replaces its value. */
struct agent_dims {
    unsigned n;
    char *keys[AGENT_DIMS_MAX]; /* owned */
    char *values[AGENT_DIMS_MAX];
};
/* Values are cut to 255 characters; characters that Monasca forbids in them (<>={},"\;&) and
 * control bytes become percent escapes ("%3D"). HALE_E_LIMIT when full, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc agent_dims_set(struct agent_dims *d, const char *key,
                                            const char *value);
HALE_MUST_CHECK enum hale_rc agent_dims_copy(struct agent_dims *dst,
                                             const struct agent_dims *src);
void agent_dims_fini(struct agent_dims *d);

struct agent_sink {
    struct hale_buf lines;
    size_t n;
};
void agent_sink_init(struct agent_sink *s);
void agent_sink_fini(struct agent_sink *s);
void agent_sink_clear(struct agent_sink *s); /* forgets the samples, keeps the memory */
struct agent_sample {
    const char *name;
    int64_t time_ms;
    double value;      /* one that is not finite is dropped and counted */
    const char *error; /* text for value_meta.error, or NULL */
    const struct agent_dim
        *extra; /* besides the sink's dims; they replace those of the same key */
    unsigned n_extra;
};
/* Adds a sample with the dimensions dims and its own. */
void agent_sink_add(struct agent_sink *s, const struct agent_dims *dims,
                    const struct agent_sample *sample);
#endif
