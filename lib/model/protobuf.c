/* SPDX-License-Identifier: Apache-2.0 */
#include "model/protobuf.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#include "base/assert.h"

#define HEAD_MAX    16 /* a tag and a varint */
#define LEN_BYTES   4  /* of a message's length that is filled in later */
#define LEN_CEILING (UINT32_C(1) << (7 * LEN_BYTES))

struct hale_pb hale_pb_open(struct hale_str message)
{
    const unsigned char *p = (const unsigned char *)message.p;
    return (struct hale_pb){.p = p, .end = message.len > 0 ? p + message.len : p};
}

static struct hale_str span(const unsigned char *from, const unsigned char *to)
{
    return (struct hale_str){(const char *)from, (size_t)(to - from)};
}

/* Reads what follows the tag; s stands behind it afterwards. */
static bool read_content(pb_istream_t *s, pb_wire_type_t type, const unsigned char *end,
                         struct hale_pb_field *out)
{
    uint32_t n;
    switch ((int)type) {
    case PB_WT_VARINT: out->kind = HALE_PB_VARINT; return pb_decode_varint(s, &out->bits);
    case PB_WT_64BIT:
        out->kind = HALE_PB_FIXED64;
        return pb_decode_fixed64(s, &out->bits);
    case PB_WT_32BIT:
        out->kind = HALE_PB_FIXED32;
        if (!pb_decode_fixed32(s, &n))
            return false;
        out->bits = n;
        return true;
    case PB_WT_STRING:
        out->kind = HALE_PB_BYTES;
        if (!pb_decode_varint32(s, &n) || n > s->bytes_left)
            return false;
        out->bytes = span(end - s->bytes_left, end - s->bytes_left + n);
        return pb_read(s, NULL, n);
    default: return false;
    }
}

bool hale_pb_next(struct hale_pb *r, struct hale_pb_field *out)
{
    if (r->damaged || r->p == r->end)
        return false;
    pb_istream_t s = pb_istream_from_buffer(r->p, (size_t)(r->end - r->p));
    pb_wire_type_t type;
    bool eof;
    *out = (struct hale_pb_field){.number = 0};
    if (!pb_decode_tag(&s, &type, &out->number, &eof) || out->number == 0 ||
        !read_content(&s, type, r->end, out)) {
        r->damaged = true;
        return false;
    }
    out->whole = span(r->p, r->end - s.bytes_left);
    r->p = r->end - s.bytes_left;
    return true;
}

bool hale_pb_is(const struct hale_pb_field *f, uint32_t number, enum hale_pb_kind kind)
{
    return f->number == number && f->kind == kind;
}

static double as_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

double hale_pb_double(const struct hale_pb_field *f)
{
    return as_double(f->bits);
}

uint64_t hale_pb_packed64(struct hale_str bytes, size_t i)
{
    const unsigned char *p = (const unsigned char *)bytes.p + 8 * i;
    uint64_t v = 0;
    HALE_ASSERT(i < bytes.len / 8);
    for (unsigned k = 0; k < 8; k++)
        v |= (uint64_t)p[k] << (8 * k);
    return v;
}

double hale_pb_packed_double(struct hale_str bytes, size_t i)
{
    return as_double(hale_pb_packed64(bytes, i));
}

/* --- writing ------------------------------------------------------------------------------- */

void hale_pb_put_varint(struct hale_buf *out, uint32_t number, uint64_t v)
{
    pb_byte_t head[HEAD_MAX];
    pb_ostream_t s = pb_ostream_from_buffer(head, sizeof(head));
    HALE_ASSERT(pb_encode_tag(&s, PB_WT_VARINT, number) && pb_encode_varint(&s, v));
    hale_buf_add(out, head, s.bytes_written);
}

void hale_pb_put_fixed64(struct hale_buf *out, uint32_t number, uint64_t bits)
{
    pb_byte_t head[HEAD_MAX];
    pb_ostream_t s = pb_ostream_from_buffer(head, sizeof(head));
    HALE_ASSERT(pb_encode_tag(&s, PB_WT_64BIT, number) && pb_encode_fixed64(&s, &bits));
    hale_buf_add(out, head, s.bytes_written);
}

void hale_pb_put_double(struct hale_buf *out, uint32_t number, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    hale_pb_put_fixed64(out, number, bits);
}

void hale_pb_put_bytes(struct hale_buf *out, uint32_t number, struct hale_str bytes)
{
    pb_byte_t head[HEAD_MAX];
    pb_ostream_t s = pb_ostream_from_buffer(head, sizeof(head));
    HALE_ASSERT(pb_encode_tag(&s, PB_WT_STRING, number) &&
                pb_encode_varint(&s, bytes.len));
    hale_buf_add(out, head, s.bytes_written);
    hale_buf_add_str(out, bytes);
}

size_t hale_pb_begin(struct hale_buf *out, uint32_t number)
{
    pb_byte_t head[HEAD_MAX];
    pb_ostream_t s = pb_ostream_from_buffer(head, sizeof(head));
    HALE_ASSERT(pb_encode_tag(&s, PB_WT_STRING, number));
    hale_buf_add(out, head, s.bytes_written);
    hale_buf_add(out, "\0\0\0\0", LEN_BYTES);
    return out->len;
}

void hale_pb_end(struct hale_buf *out, size_t begun)
{
    if (out->failed)
        return;
    size_t len = out->len - begun;
    if (len >= LEN_CEILING) {
        out->failed = true;
        return;
    }
    for (unsigned i = 0; i < LEN_BYTES; i++)
        out->p[begun - LEN_BYTES + i] =
            (char)((len >> (7 * i) & 0x7f) | (i + 1 < LEN_BYTES ? 0x80 : 0));
}
