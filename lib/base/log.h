/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_LOG_H
#define HALE_BASE_LOG_H
/*
 * log - structured, rationed lines on stderr:
 *   2026-11-21T13:05:00.123Z warn hale-collector event=redis_down detail="..." suppressed=41
 * Rationing: each call site may write 5 lines in 10 s; further ones are counted and reported as
 * suppressed=N on the next line that passes. error and above are never rationed away wholly:
 * one line a second per site passes.
 * Values with blanks, quotes or control bytes are quoted and escaped only if the caller
 * passes them through hale_log_quote; control bytes that remain are written as '?', so that one
 * event is one line.
 * Secrets never go here: tokens are logged as their first 4 hex digits of a hash.
 * Threads:   any.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

enum hale_log_level { HALE_LOG_DEBUG, HALE_LOG_INFO, HALE_LOG_WARN, HALE_LOG_ERROR };

/* Once at start; name must outlive the process (a literal). */
void hale_log_init(const char *daemon_name, enum hale_log_level min_level);
void hale_log_set_level(enum hale_log_level min_level);
/* "debug" | "info" | "warn" | "error" */
HALE_MUST_CHECK enum hale_rc hale_log_level_parse(const char *text,
                                                  enum hale_log_level *out);

struct hale_log_site { /* one static per call site, zero-initialised */
    int64_t window_start_ms;
    unsigned in_window;
    unsigned suppressed;
};
void hale_log_at(struct hale_log_site *site, enum hale_log_level level, const char *fmt,
                 ...) HALE_PRINTF(3, 4);
/* text quoted for a key=value pair into dst; returns dst. Truncates to dst_size. */
const char *hale_log_quote(const char *text, char *dst, size_t dst_size);

/* fmt starts with "event=name", then key=value pairs. */
#define HALE_LOG(level, ...)                                                             \
    do {                                                                                 \
        static struct hale_log_site hale_log_site_;                                      \
        hale_log_at(&hale_log_site_, (level), __VA_ARGS__);                              \
    } while (0)
#define hale_debug(...) HALE_LOG(HALE_LOG_DEBUG, __VA_ARGS__)
#define hale_info(...)  HALE_LOG(HALE_LOG_INFO, __VA_ARGS__)
#define hale_warn(...)  HALE_LOG(HALE_LOG_WARN, __VA_ARGS__)
#define hale_error(...) HALE_LOG(HALE_LOG_ERROR, __VA_ARGS__)
#endif
