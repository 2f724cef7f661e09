/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_PROCFS_H
#define HALE_AGENT_PROCFS_H
/*
 * procfs - small text files of /proc and /sys, read whole and split without allocation per line.
 * Ownership: the buffer is the caller's, reused between runs. Threads: one.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define AGENT_PROCFS_MAX_BYTES (4u << 20)

/* Reads path into b (reset first). False when it cannot be read. */
bool agent_procfs_read(struct hale_buf *b, const char *path);
/* Next blank-separated word of *rest, or an empty view at its end. */
struct hale_str agent_procfs_word(struct hale_str *rest);
/* Next word as a number; 0 when it is none. */
uint64_t agent_procfs_number(struct hale_str *rest);
/* a per second between two readings of a counter; 0 when it went backwards (reset, wrap). */
double agent_procfs_rate(uint64_t before, uint64_t after, int64_t elapsed_ms);
#endif
