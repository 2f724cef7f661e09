/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/hot_record.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"

#define HEAD_BYTES 12
#define META_BITS  21

void collector_hot_record_add(struct hale_buf *out, const struct collector_sample *s)
{
    int64_t base = collector_chunk_of(s->time_ms) * COLLECTOR_CHUNK_MS;
    uint32_t offset = htole32((uint32_t)(s->time_ms - base));
    uint64_t bits;
    uint64_t len = s->meta.len;

    HALE_ASSERT(len < (1u << META_BITS));
    memcpy(&bits, &s->value, sizeof(bits));
    bits = htole64(bits);
    hale_buf_add(out, &offset, sizeof(offset));
    hale_buf_add(out, &bits, sizeof(bits));
    while (len >= 0x80) {
        hale_buf_add_char(out, (char)((len & 0x7f) | 0x80));
        len >>= 7;
    }
    hale_buf_add_char(out, (char)len);
    hale_buf_add(out, s->meta.p, s->meta.len);
}

static bool read_varint(struct hale_str *rest, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < META_BITS && rest->len > 0; shift += 7) {
        unsigned char byte = (unsigned char)rest->p[0];
        rest->p++;
        rest->len--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

bool collector_hot_record_next(struct hale_str *rest, int64_t chunk,
                               struct collector_sample *out, bool *bad)
{
    uint32_t offset;
    uint64_t bits;
    uint64_t len;

    if (rest->len == 0)
        return false;
    *bad = true;
    if (rest->len <= HEAD_BYTES)
        return false;
    memcpy(&offset, rest->p, sizeof(offset));
    memcpy(&bits, rest->p + 4, sizeof(bits));
    offset = le32toh(offset);
    bits = le64toh(bits);
    memcpy(&out->value, &bits, sizeof(bits));
    rest->p += HEAD_BYTES;
    rest->len -= HEAD_BYTES;
    if (offset >= COLLECTOR_CHUNK_MS || !isfinite(out->value) ||
        !read_varint(rest, &len) || len > rest->len)
        return false;
    out->time_ms = chunk * COLLECTOR_CHUNK_MS + offset;
    out->meta = (struct hale_str){len > 0 ? rest->p : NULL, (size_t)len};
    rest->p += len;
    rest->len -= len;
    *bad = false;
    return true;
}
