/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_INFLATE_H
#define HALE_BASE_INFLATE_H
/*
 * inflate - bytes of HTTP's codings gzip and deflate (wraps zlib; nobody else includes it).
 * Limits:    the plain text is written straight into the caller's buffer and never passes
 *            max_bytes: a bomb is refused at that byte.
 * Threads:   stateless.
 */
#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

enum hale_inflate_kind {
    HALE_INFLATE_GZIP, /* RFC 1952, any number of members */
    HALE_INFLATE_DEFLATE /* RFC 1950; the bare RFC 1951 that some clients send is taken too */
};

/* Appends the plain bytes to out. HALE_E_INVAL: damaged, cut short, or more follows. HALE_E_LIMIT:
 * more than max_bytes. HALE_E_NOMEM: no memory, or out takes no more. */
HALE_MUST_CHECK enum hale_rc hale_inflate(enum hale_inflate_kind kind,
                                          struct hale_str coded, size_t max_bytes,
                                          struct hale_buf *out);
#endif
