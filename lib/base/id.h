/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_ID_H
#define HALE_BASE_ID_H
/*
 * id - identities: random UUIDs, UUIDs derived from bytes (same bytes, same UUID: replay-safe),
 * and the 64-bit hash used for series ids and tables (XXH3, seedable).
 * Threads:   any.
 */
#include <stddef.h>
#include <stdint.h>

#define HALE_UUID_TEXT 37 /* 36 characters and NUL */

void hale_id_uuid_random(char dst[HALE_UUID_TEXT]);
/* RFC 9562 version 8 layout over the 128-bit XXH3 of the bytes. */
void hale_id_uuid_from(const void *bytes, size_t n, char dst[HALE_UUID_TEXT]);
uint64_t hale_id_hash64(const void *bytes, size_t n);
uint64_t hale_id_hash64_seed(const void *bytes, size_t n, uint64_t seed);
/* n random bytes from the kernel; aborts if the kernel has none. */
void hale_id_random(void *dst, size_t n);
#endif
