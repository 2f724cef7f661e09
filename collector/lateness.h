/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_LATENESS_H
#define HALE_COLLECTOR_LATENESS_H
/*
 * lateness - which samples come too late for the archive: a pure function of the chunk they
 * belong to and of their arrival (the time in their stream id), so that a replay after a crash
 * decides as the first run did. Late samples have keys of their own in the hot store, hence the
 * archive holds exactly what the other keys held, and nothing is counted twice or missed.
 * Grace:     after the collector was away for long, senders bring what they have spooled. For
 *            arrivals from grace_ms on, chunks behind grace_chunk (what was archived by then) end
 *            at grace_ms at the earliest.
 * Threads:   values.
 */
#include "collector/hot_record.h"

struct collector_lateness {
    int64_t delay_ms;    /* archive_delay */
    int64_t grace_ms;    /* 0: none */
    int64_t grace_chunk; /* archived up to when grace began */
};

/* First chunk that is in time for an arrival. */
static inline int64_t collector_lateness_first(const struct collector_lateness *l,
                                               int64_t arrival_ms)
{
    int64_t first = collector_chunk_of(arrival_ms - l->delay_ms);

    if (l->grace_ms != 0 && arrival_ms >= l->grace_ms &&
        arrival_ms < l->grace_ms + l->delay_ms && l->grace_chunk + 1 < first)
        return l->grace_chunk + 1;
    return first;
}
/* Arrivals from then on are late for the chunk: it can be archived once all before are flushed. */
static inline int64_t collector_lateness_deadline(const struct collector_lateness *l,
                                                  int64_t chunk)
{
    int64_t end_ms = (chunk + 1) * COLLECTOR_CHUNK_MS;

    if (l->grace_ms != 0 && chunk > l->grace_chunk && end_ms < l->grace_ms)
        end_ms = l->grace_ms;
    return end_ms + l->delay_ms;
}
#endif
