/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_READER_H
#define HALE_COLLECTOR_READER_H
/*
 * reader - the measurements of one series in a time range, from memory, Redis chunks and
 * archive, as if they were one store. Raw samples win: a ten-minute chunk that has any is
 * not filled from the archive. Threads: query threads.
 */
#include "collector/app.h"
#include "collector/catalog.h"
#include "collector/points.h"

#define COLLECTOR_READ_MAX_POINTS 4000000

struct collector_range {
    int64_t start_ms, end_ms; /* [start, end) */
    int64_t step_s;           /* coarsest archive step that will do, >= 10 */
    bool extremes;            /* minimum and maximum of archive rows are wanted too */
};
/* Settled points into out (cleared first). HALE_E_IO / HALE_E_AGAIN: Redis; HALE_E_LIMIT:
 * more than COLLECTOR_READ_MAX_POINTS. */
HALE_MUST_CHECK enum hale_rc collector_read(struct collector *c, struct hale_redis *redis,
                                            const struct collector_series *s,
                                            const struct collector_range *range,
                                            struct collector_points *out);
#endif
