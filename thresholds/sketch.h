/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_SKETCH_H
#define HALE_THRESHOLDS_SKETCH_H
/*
 * sketch - the samples of one slot, for a percentile of them. Up to SKETCH_MAX samples are kept as
 * they are; more become counts of buckets: a bucket is a range of doubles that agree in sign,
 * exponent and the first 6 bits of the mantissa, so what a bucket stands for is off by 1/128 at
 * most. If there are more than SKETCH_MAX buckets, all become twice as wide (and the error twice as
 * large): 1/128 as long as the samples lie within 8 powers of two, 1/64 within 16, 1/32 within 32,
 * and so on. No logarithm is taken, so the answer is the same on every machine.
 * Memory: at most SKETCH_MAX x 8 bytes; grows by doubling and is kept for the next samples, so a
 *         sample does not allocate. Without memory the buckets become wider instead.
 * Threads: one at a time.
 */
#include "base/rc.h"
#include "thresholds/bytes.h"

#define SKETCH_MAX 512

struct sketch {
    /* shift 0: samples as keys in the order of doubles; else buckets, rising: key << 32 | samples */
    uint64_t *v;
    double min, max;
    uint16_t n, cap;
    uint16_t sorted; /* the first of the samples that are in order */
    uint8_t shift;   /* bits of a key that a bucket leaves out */
};

HALE_MUST_CHECK enum hale_rc thresholds_sketch_init(struct sketch *k);
void thresholds_sketch_fini(struct sketch *k);
/* Forgets the samples, keeps the memory. */
void thresholds_sketch_clear(struct sketch *k);
/* value: finite */
void thresholds_sketch_add(struct sketch *k, double value);
/* The smallest sample that `percent` (0..100) of the `total` > 0 samples do not exceed. */
double thresholds_sketch_percentile(struct sketch *k, double percent, uint32_t total);
void thresholds_sketch_put(const struct sketch *k, struct hale_buf *out);
/* Of `total` samples; false: nothing that put wrote. */
bool thresholds_sketch_get(struct sketch *k, struct cursor *c, uint32_t total);
#endif
