/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_SNAPPY_H
#define HALE_BASE_SNAPPY_H
/*
 * snappy - blocks of the Snappy compression (wraps libsnappy; nobody else includes it). Not the
 * framed stream format.
 * Limits:    a block says its length in its head. One that claims more than max, or more than its
 *            bytes can hold (64 for each 3), is refused before anything is allocated.
 * Threads:   stateless.
 */
#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

/* Appends the decoded bytes to out. HALE_E_INVAL: damaged. HALE_E_LIMIT: longer than max_bytes.
 * HALE_E_NOMEM: out takes no more. */
HALE_MUST_CHECK enum hale_rc hale_snappy_decode(struct hale_str block, size_t max_bytes,
                                                struct hale_buf *out);
/* Appends plain as a block. HALE_E_NOMEM: out takes no more. */
HALE_MUST_CHECK enum hale_rc hale_snappy_encode(struct hale_str plain,
                                                struct hale_buf *out);
#endif
