/* SPDX-License-Identifier: Apache-2.0 */
#include "base/assert.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef HALE_VERSION
#define HALE_VERSION "unknown"
#endif

_Noreturn void hale_assert_fail(const char *expr, const char *file, int line)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "%s:%d: assertion failed: %s (hale %s)\n", file,
                     line, expr, HALE_VERSION);
    if (n > 0) {
        size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
        if (write(STDERR_FILENO, text, len) < 0)
            abort();
    }
    void *frames[32];
    backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
    abort();
}

static _Noreturn void die_of_memory(void)
{
    (void)fputs("out of memory at start\n", stderr);
    exit(EXIT_FAILURE);
}

void *hale_xcalloc(unsigned long n, unsigned long size)
{
    /* A zero-sized request still gets a unique pointer. */
    void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);
    if (p == NULL)
        die_of_memory();
    return p;
}

char *hale_xstrdup(const char *s)
{
    char *copy = strdup(s);
    if (copy == NULL)
        die_of_memory();
    return copy;
}
