/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/assert.h"
#include "base/str.h"

void hale_id_random(void *dst, size_t n)
{
    unsigned char *p = dst;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        HALE_ASSERT(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

/* Stamps version and variant into 16 bytes and writes 8-4-4-4-12. */
static void write_uuid(unsigned char bytes[16], unsigned version,
                       char dst[HALE_UUID_TEXT])
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    bytes[6] = (unsigned char)((bytes[6] & 0x0fu) | version << 4);
    bytes[8] = (unsigned char)((bytes[8] & 0x3fu) | 0x80u);
    for (size_t i = 0, from = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (i > 0)
            *dst++ = '-';
        hale_str_hex(bytes + from, groups[i], dst);
        dst += 2 * groups[i];
        from += groups[i];
    }
}

void hale_id_uuid_random(char dst[HALE_UUID_TEXT])
{
    unsigned char bytes[16];
    hale_id_random(bytes, sizeof(bytes));
    write_uuid(bytes, 4, dst);
}

void hale_id_uuid_from(const void *bytes, size_t n, char dst[HALE_UUID_TEXT])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(n > 0 ? bytes : "", n));
    write_uuid(canonical.digest, 8, dst);
}

uint64_t hale_id_hash64(const void *bytes, size_t n)
{
    return XXH3_64bits(n > 0 ? bytes : "", n);
}

uint64_t hale_id_hash64_seed(const void *bytes, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(n > 0 ? bytes : "", n, seed);
}
