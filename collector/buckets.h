/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_BUCKETS_H
#define HALE_COLLECTOR_BUCKETS_H
/*
 * buckets - statistics per period. Buckets start at multiples of the period since the
 * epoch; empty ones do not exist. An archive row belongs to the bucket of its start and counts
 *            as many samples as it was made of, with their exact sum and extremes.
 * Threads: one at a time.
 */
#include "collector/points.h"

struct collector_bucket {
    int64_t start_s;
    double weight, sum, min, max;
};
struct collector_buckets {
    int64_t period_s;
    struct collector_bucket *v; /* ascending after settle */
    size_t n, cap;
    size_t
        settled; /* so many are ascending, one of a start each; the rest is as it came */
    size_t compact_at;
    bool failed;
};

void collector_buckets_init(struct collector_buckets *b, int64_t period_s);
void collector_buckets_fini(struct collector_buckets *b);
void collector_buckets_clear(struct collector_buckets *b);
/* Settled points of one series. */
void collector_buckets_add(struct collector_buckets *b, const struct collector_points *p);
void collector_buckets_settle(struct collector_buckets *b);
#endif
