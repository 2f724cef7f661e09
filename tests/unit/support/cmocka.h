/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_UNIT_SUPPORT_CMOCKA_H
#define HALE_TESTS_UNIT_SUPPORT_CMOCKA_H
/* cmocka wants these before itself, in this order. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#endif
