/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_SPOOL_H
#define HALE_AGENT_SPOOL_H
/*
 * spool - batches on disk while the collector is away, first in, first out.
 * Format:    files <dir>/<20 digits>.spool of up to AGENT_SPOOL_SEGMENT_BYTES; a record is u32 length,
 *            u32 checksum (low half of XXH3 of the bytes), bytes; little-endian. A torn or damaged
 *            record ends its file: what stands before it is kept.
 * Position:  a file is deleted when its last record has been taken; after a crash the file under way
 *            is sent again from its beginning, which is harmless (same series, same time).
 * Durability: survives kill -9 of the agent at any instant; files are synced when full.
 * Limits:    cap_bytes in all: the oldest file goes when a new record does not fit, counted
 *            (hale_agent_spool_dropped_batches_total). A record is at most AGENT_SINK_MAX_BYTES.
 * Threads:   one.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/rc.h"

#define AGENT_SPOOL_SEGMENT_BYTES (1u << 20)

struct agent_spool;

/* Creates dir if need be, locks it and finds what a former life left. HALE_E_CONFLICT: another process
 * has it. */
HALE_MUST_CHECK enum hale_rc agent_spool_open(const char *dir, size_t cap_bytes,
                                              struct agent_spool **out,
                                              struct hale_err *err);
void agent_spool_close(struct agent_spool *s); /* syncs; NULL allowed */
bool agent_spool_empty(const struct agent_spool *s);
size_t agent_spool_bytes(const struct agent_spool *s);
void agent_spool_set_cap(struct agent_spool *s,
                         size_t cap_bytes); /* from the next push on */
HALE_MUST_CHECK enum hale_rc agent_spool_push(struct agent_spool *s,
                                              struct hale_str record);
/* Appends the oldest record to out without taking it. HALE_E_NOTFOUND when empty. */
HALE_MUST_CHECK enum hale_rc agent_spool_peek(struct agent_spool *s,
                                              struct hale_buf *out);
/* Takes the record last peeked. */
void agent_spool_take(struct agent_spool *s);
#endif
