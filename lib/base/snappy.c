/* SPDX-License-Identifier: Apache-2.0 */
#include "base/snappy.h"

#include <snappy-c.h>

#define HEAD_MAX 5 /* bytes of the length in front */

/* The densest element is a copy of 64 bytes in 3. */
static bool can_hold(size_t block_len, size_t plain_len)
{
    return plain_len / 64 <= block_len / 3 + HEAD_MAX;
}

enum hale_rc hale_snappy_decode(struct hale_str block, size_t max_bytes,
                                struct hale_buf *out)
{
    size_t len;
    if (snappy_uncompressed_length(block.p, block.len, &len) != SNAPPY_OK)
        return HALE_E_INVAL;
    if (!can_hold(block.len, len))
        return HALE_E_INVAL;
    if (len > max_bytes)
        return HALE_E_LIMIT;
    char *dst = hale_buf_reserve(out, len);
    if (dst == NULL)
        return HALE_E_NOMEM;
    if (snappy_uncompress(block.p, block.len, dst, &len) != SNAPPY_OK)
        return HALE_E_INVAL;
    out->len += len;
    out->p[out->len] = '\0';
    return HALE_OK;
}

enum hale_rc hale_snappy_encode(struct hale_str plain, struct hale_buf *out)
{
    size_t len = snappy_max_compressed_length(plain.len);
    char *dst = hale_buf_reserve(out, len);
    if (dst == NULL || snappy_compress(plain.p, plain.len, dst, &len) != SNAPPY_OK)
        return HALE_E_NOMEM;
    out->len += len;
    out->p[out->len] = '\0';
    return HALE_OK;
}
