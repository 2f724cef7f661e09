/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_UNIT_SUPPORT_FAIL_ALLOC_H
#define HALE_TESTS_UNIT_SUPPORT_FAIL_ALLOC_H
/*
 * fail_alloc - lets the n-th allocation from now fail, once. Include it in exactly one .c of a
 * test and put beside the test a test_<file>.cmake with
 *   target_link_options(${HALE_TEST_TARGET} PRIVATE ${HALE_WRAP_ALLOC})
 * It covers malloc, calloc, realloc, aligned_alloc and strdup called from our own objects; what
 * shared libraries allocate is theirs.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static unsigned long fail_alloc_in; /* 0: never; n: the n-th from now fails */

static int fail_alloc_now(void)
{
    return fail_alloc_in > 0 && --fail_alloc_in == 0;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
    return fail_alloc_now() ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return fail_alloc_now() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
    return fail_alloc_now() ? NULL : __real_realloc(p, n);
}

void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return fail_alloc_now() ? NULL : __real_aligned_alloc(align, n);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *__wrap_strdup(const char *s)
{
    return fail_alloc_now() ? NULL : __real_strdup(s);
}
#endif
