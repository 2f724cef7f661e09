/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_BASE64_H
#define HALE_BASE_BASE64_H
/* base64 - of RFC 4648, with or without padding. Threads: stateless. */
#include <stddef.h>

#include "base/rc.h"
#include "base/str.h"

/* text into dst, with a NUL behind; size counts it. HALE_E_INVAL: not base64; HALE_E_LIMIT: does not fit. */
HALE_MUST_CHECK enum hale_rc hale_base64_decode(struct hale_str text, char *dst,
                                                size_t size, size_t *len_out);
#endif
