/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_BATCH_H
#define HALE_MODEL_BATCH_H
/*
 * batch - samples as they travel on the stream: binary, columnar, little-endian
 * (docs/formats/batch.md). 24 bytes a sample.
 *   0  u8  version = 1          1  u8 flags (bit 0: has metas)      2  u16 zero
 *   4  u32 n (1..HALE_BATCH_MAX_SAMPLES)
 *   8  i64 accepted_us          wall time at which the collector accepted the request
 *   16 u64 id[n]                series ids
 *   .. i64 time_ms[n]           sample times
 *   .. f64 value[n]             finite
 *   if bit 0: u32 n_metas, then per meta: u32 index (ascending), u32 len, len bytes of JSON object
 * Unknown version or any inconsistency: HALE_E_INVAL for the whole entry (counted, skipped).
 * Threads:   one at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/limits.h"

struct hale_batch; /* writer */

struct hale_batch *hale_batch_new(void); /* NULL on memory failure */
void hale_batch_free(struct hale_batch *b);
void hale_batch_reset(struct hale_batch *b);
unsigned hale_batch_n(const struct hale_batch *b);
/* meta: JSON object text or {NULL,0}; copied. HALE_E_LIMIT when full (samples, or 32 MiB of
 * metas), HALE_E_NOMEM, HALE_E_INVAL if value is not finite or meta not one JSON object (what
 * hale_batch_open would refuse). The batch is unchanged then.
 * O(1) amortised, allocation only on growth. */
HALE_MUST_CHECK enum hale_rc hale_batch_add(struct hale_batch *b, uint64_t id,
                                            int64_t time_ms, double value,
                                            struct hale_str meta);
/* Appends the encoded form; n must be >= 1. HALE_E_LIMIT when out takes no more. */
HALE_MUST_CHECK enum hale_rc hale_batch_encode(const struct hale_batch *b,
                                               int64_t accepted_us, struct hale_buf *out);

/* Reader: a view over entry bytes (which must stay). Access by index without alignment needs. */
struct hale_batch_view {
    unsigned n;
    unsigned n_metas;
    int64_t accepted_us;
    const char *ids; /* use the accessors */
    const char *times;
    const char *values;
    const char *metas; /* first meta record, or NULL */
    const char *end;
};
HALE_MUST_CHECK enum hale_rc hale_batch_open(struct hale_str bytes,
                                             struct hale_batch_view *out);
static inline uint64_t hale_batch_id(const struct hale_batch_view *v, unsigned i);
static inline int64_t hale_batch_time(const struct hale_batch_view *v, unsigned i);
static inline double hale_batch_value(const struct hale_batch_view *v, unsigned i);
/* Iterates metas in order of index: *cursor starts NULL; returns false at the end. */
_Bool hale_batch_next_meta(const struct hale_batch_view *v, const char **cursor,
                           unsigned *index_out, struct hale_str *meta_out);

#include <string.h>
static inline uint64_t hale_batch_id(const struct hale_batch_view *v, unsigned i)
{
    uint64_t x;
    memcpy(&x, v->ids + 8 * (size_t)i, 8);
    return x;
}
static inline int64_t hale_batch_time(const struct hale_batch_view *v, unsigned i)
{
    int64_t x;
    memcpy(&x, v->times + 8 * (size_t)i, 8);
    return x;
}
static inline double hale_batch_value(const struct hale_batch_view *v, unsigned i)
{
    double x;
    memcpy(&x, v->values + 8 * (size_t)i, 8);
    return x;
}
#endif
