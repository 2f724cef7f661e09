/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_BUF_H
#define HALE_BASE_BUF_H
/*
 * buf - growable bytes with a ceiling. Errors latch: append freely, look at .failed once
 * (varnish vsb, curl dynbuf). After a failure further appends do nothing.
 * Ownership: the struct is the caller's; the bytes are the buffer's until hale_buf_take.
 * Invariant: p[len] == 0 whenever p != NULL, so the content can be used as a C string.
 * Threads:   one at a time.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/rc.h"
#include "base/str.h"

struct hale_buf {
    char *p;     /* owned; NULL until the first append */
    size_t len;  /* bytes used */
    size_t cap;  /* bytes allocated */
    size_t max;  /* ceiling for len, fixed at init, > 0 */
    bool failed; /* an append was refused (ceiling or memory) */
};

void hale_buf_init(struct hale_buf *b, size_t max_bytes);
void hale_buf_fini(struct hale_buf *b);  /* frees; may be called twice */
void hale_buf_reset(struct hale_buf *b); /* len = 0, failed = false, keeps the memory */
void hale_buf_add(struct hale_buf *b, const void *bytes, size_t n);
void hale_buf_add_str(struct hale_buf *b, struct hale_str s);
void hale_buf_add_c(struct hale_buf *b, const char *cstr);
void hale_buf_add_char(struct hale_buf *b, char c);
void hale_buf_printf(struct hale_buf *b, const char *fmt, ...) HALE_PRINTF(2, 3);
/* JSON string with quotes; invalid UTF-8 bytes become U+FFFD. */
void hale_buf_add_json(struct hale_buf *b, struct hale_str s);
/* Shortest decimal text that reads back as d ("2.0" for 2: always a JSON float);
 * "null" when d is not finite, since JSON has no other word for it. */
void hale_buf_add_double(struct hale_buf *b, double d);
/* Room for n more bytes after len without changing len; NULL when refused. */
char *hale_buf_reserve(struct hale_buf *b, size_t n);
/* Drops the first n bytes (n <= len). */
void hale_buf_consume(struct hale_buf *b, size_t n);
struct hale_str hale_buf_str(const struct hale_buf *b);
/* Gives the bytes (never NULL unless failed) to the caller, who frees them; b is empty after. */
char *hale_buf_take(struct hale_buf *b);
#endif
