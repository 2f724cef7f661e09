/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_UNIT_SUPPORT_ROUNDS_H
#define HALE_TESTS_UNIT_SUPPORT_ROUNDS_H
/* rounds - how many rounds a random test plays: the usual number, or HALE_TEST_ROUNDS for long runs. */
#include <stdlib.h>

#include "base/str.h"
#include "cmocka.h"

static inline uint64_t rounds(uint64_t usual)
{
    const char *text = getenv("HALE_TEST_ROUNDS");
    uint64_t n = usual;
    if (text != NULL && (hale_str_u64(hale_str_from(text), &n) != HALE_OK || n == 0))
        fail_msg("HALE_TEST_ROUNDS=%s: a number from 1 on is wanted", text);
    return n;
}

#endif
