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
 * Threads:   query threads.
 */
#include "collector/app.h"
#include "collector/catalog.h"
#include "collector/points.h"

#define COLLECTOR_READ_MAX_POINTS 4000000

struct collector_range {
    int64_t start_ms, end_ms; /* [start, end) */
    int64_t step_s; /* rows of this step, or of a divisor of it, will do; >= 1 */
};
/* Points by time into out (cleared first); out->step_s and coarse_until_ms say where they are
 * archive rows. HALE_E_IO / HALE_E_AGAIN: Redis; HALE_E_LIMIT:
 * more than COLLECTOR_READ_MAX_POINTS. */
HALE_MUST_CHECK enum hale_rc collector_read(struct collector *c, struct hale_redis *redis,
                                            const struct collector_series *s,
                                            const struct collector_range *range,
                                            struct collector_points *out);
/* The same at a given time of the wall clock, for tests. */
HALE_MUST_CHECK enum hale_rc
collector_read_at(struct collector *c, struct hale_redis *redis,
                  const struct collector_series *s, const struct collector_range *range,
                  int64_t now_ms, struct collector_points *out);
#endif
