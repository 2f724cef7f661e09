/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_READER_H
#define HALE_COLLECTOR_READER_H
/*
 * reader - the measurements of one series in a time range, from memory, Redis chunks and archive, as
 * if they were one store. Chunk by chunk it is either raw samples or archive rows (the younger of
 * "still in the hot store" and "not archived yet" decides), so nothing is there twice or missing;
 * samples that came too late for the archive are added to both.
 * Rows:      a row stands at its start with weight = samples, exact sum and extremes. It is from
 *            the coarsest tier that step_s is a multiple of, finer at ragged edges, coarser where
 *            the tier does not reach back.
 * Many:      a reading gives one series after the other; their chunks are asked for together, as many
 *            as their answers take about COLLECTOR_READ_ROUND_BYTES, in one round trip. Between two
 *            calls nothing is under way on the connection.
 * Threads:   query threads; a reading belongs to one.
 */
#include "collector/app.h"
#include "collector/catalog.h"
#include "collector/points.h"

#define COLLECTOR_READ_MAX_POINTS  4000000
#define COLLECTOR_READ_ROUND_BYTES ((size_t)4 << 20)

struct collector_range {
    int64_t start_ms, end_ms; /* [start, end) */
    int64_t step_s; /* rows of this step, or of a divisor of it, will do; >= 1 */
    bool sums;      /* minima and maxima of rows are not looked at and not read */
};
struct collector_reading;
/* The list must stay until _free. now_ms: the wall clock. NULL: no memory. */
struct collector_reading *
collector_reading_new(struct collector *c, struct hale_redis *redis,
                      struct collector_series *const *series, size_t n,
                      const struct collector_range *range, int64_t now_ms);
void collector_reading_free(struct collector_reading *r); /* NULL allowed */
/* The next series' points by time into out (cleared first); out->step_s and coarse_until_ms say
 * where they are archive rows. Not to be called more than n times, or after an error. HALE_E_IO /
 * HALE_E_AGAIN: Redis; HALE_E_LIMIT: more than COLLECTOR_READ_MAX_POINTS of one series. */
HALE_MUST_CHECK enum hale_rc collector_reading_next(struct collector_reading *r,
                                                    struct collector_points *out);
/* One series. */
HALE_MUST_CHECK enum hale_rc collector_read(struct collector *c, struct hale_redis *redis,
                                            struct collector_series *s,
                                            const struct collector_range *range,
                                            struct collector_points *out);
#endif
