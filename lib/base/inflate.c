/* SPDX-License-Identifier: Apache-2.0 */
#include "base/inflate.h"

#include <stdint.h>
#include <zlib.h>

#define GZIP_MIN_BYTES 18 /* head, empty block, trailer */
#define STEP_BYTES     ((size_t)256 << 10)
#define CODED_MAX      ((size_t)1 << 30) /* zlib counts in unsigned int */

static int window_bits(enum hale_inflate_kind kind, struct hale_str coded)
{
    const unsigned char *p = (const unsigned char *)coded.p;

    if (kind == HALE_INFLATE_GZIP)
        return MAX_WBITS + 16;
    if (coded.len >= 2 && (p[0] & 0x0f) == Z_DEFLATED && (p[0] << 8 | p[1]) % 31 == 0)
        return MAX_WBITS;
    return -MAX_WBITS;
}

/* What the last gzip member says its size is (modulo 4 GiB): never more than all of it. */
static size_t admitted(enum hale_inflate_kind kind, struct hale_str coded)
{
    const unsigned char *p = (const unsigned char *)coded.p;

    if (kind != HALE_INFLATE_GZIP || coded.len < GZIP_MIN_BYTES || p[0] != 0x1f ||
        p[1] != 0x8b)
        return 0;
    p += coded.len - 4;
    return p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* Room for the next step; at the ceiling one byte of *spill, which must stay unused. */
static bool make_room(z_stream *z, struct hale_buf *out, size_t left, Bytef *spill)
{
    size_t step = left < STEP_BYTES ? left : STEP_BYTES;

    if (step == 0) {
        z->next_out = spill;
        z->avail_out = 1;
        return true;
    }
    z->next_out = (Bytef *)hale_buf_reserve(out, step);
    z->avail_out = (uInt)step;
    return z->next_out != NULL;
}

static enum hale_rc run(z_stream *z, bool members, size_t max_bytes, struct hale_buf *out)
{
    size_t end = out->len + max_bytes;
    Bytef spill;

    for (;;) {
        if (!make_room(z, out, end - out->len, &spill))
            return HALE_E_NOMEM;
        uInt room = z->avail_out;
        int status = inflate(z, Z_NO_FLUSH);
        if (out->len == end && z->avail_out < room)
            return HALE_E_LIMIT;
        out->len += room - z->avail_out;
        if (status == Z_MEM_ERROR)
            return HALE_E_NOMEM;
        if (status == Z_STREAM_END && z->avail_in == 0)
            return HALE_OK;
        if (status == Z_STREAM_END && (!members || inflateReset(z) != Z_OK))
            return HALE_E_INVAL;
        /* Z_BUF_ERROR: the input ended. */
        if (status != Z_OK && status != Z_STREAM_END)
            return HALE_E_INVAL;
    }
}

enum hale_rc hale_inflate(enum hale_inflate_kind kind, struct hale_str coded,
                          size_t max_bytes, struct hale_buf *out)
{
    z_stream z = {0};
    size_t hint = admitted(kind, coded);

    if (coded.len == 0 || coded.len > CODED_MAX)
        return HALE_E_INVAL;
    /* A trailer may lie; deflate makes at most 1032 bytes of one. */
    if (hint <= max_bytes && hint / 1032 <= coded.len &&
        hale_buf_reserve(out, hint) == NULL)
        return HALE_E_NOMEM;
    /* zlib's interface lacks the const; it only reads here. */
    z.next_in = (Bytef *)(uintptr_t)coded.p;
    z.avail_in = (uInt)coded.len;
    if (inflateInit2(&z, window_bits(kind, coded)) != Z_OK)
        return HALE_E_NOMEM;
    enum hale_rc rc = run(&z, kind == HALE_INFLATE_GZIP, max_bytes, out);
    (void)inflateEnd(&z);
    if (out->p != NULL)
        out->p[out->len] = '\0';
    return rc;
}
