/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_FORGET_H
#define HALE_COLLECTOR_FORGET_H
/*
 * forget - removes series: from the catalogue, from Redis, from the archive; and the sweep that
 * does so with those that have not reported for series_expire.
 * Order:     in the writer's thread, slice by slice, after the store has taken all that was written
 *            before: (1) one transaction removes the text and notes the series in
 *            hale:{sN}:forgotten; (2) samples in memory, chunks and the place in the archive go;
 *            (3) it becomes invisible; (4) the note goes. Killed before (1) the series is there
 *            whole, after it the next start completes the rest from the note.
 * Samples:   those acknowledged before belong to the series and go with it (with idle_before_ms
 *            it stays if one of them is newer); those acknowledged after bring it back as new.
 * Threads:   collector_forget from threads that may wait; the sweep has its own.
 */
#include "collector/app.h"
#include "collector/catalog.h"

/* Removes those of the list that are still visible and, unless idle_before_ms is 0, still without
 * a sample from then on. *n_out: removed. HALE_E_AGAIN, HALE_E_IO, HALE_E_LIMIT: not all, repeat. */
HALE_MUST_CHECK enum hale_rc collector_forget(struct collector *c,
                                              const struct collector_series_list *list,
                                              int64_t idle_before_ms, size_t *n_out);

struct collector_sweep;

/* First completes what a crash interrupted. */
HALE_MUST_CHECK enum hale_rc collector_sweep_start(struct collector *c,
                                                   struct collector_sweep **out);
void collector_sweep_stop(struct collector_sweep *s);
#endif
