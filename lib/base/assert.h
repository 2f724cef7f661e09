/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_ASSERT_H
#define HALE_BASE_ASSERT_H
/*
 * assert - always-on check of what cannot happen. Never use it on input: bad input gets an
 * error code and a counter. On failure prints file, line, expression and build, then aborts.
 */
#include <stddef.h>

#define HALE_ASSERT(expr)                                                                \
    do {                                                                                 \
        if (__builtin_expect(!(expr), 0))                                                \
            hale_assert_fail(#expr, __FILE__, __LINE__);                                 \
    } while (0)

/* Object magic (varnish habit): first field `unsigned magic;` of every long-lived struct. */
#define HALE_CHECK(obj, MAGIC) HALE_ASSERT((obj) != NULL && (obj)->magic == (MAGIC))

_Noreturn void hale_assert_fail(const char *expr, const char *file, int line);
/* Boot-time helpers: allocate or exit with a message. Not for paths that serve requests. */
void *hale_xcalloc(unsigned long n, unsigned long size);
char *hale_xstrdup(const char *s);
#endif
