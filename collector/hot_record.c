/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/hot_record.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"

#define VERSION     2
#define META_BITS   21
#define FORM_MASK   0x3f
#define HAS_TIME    0x40
#define HAS_META    0x80
#define VARINT_MAX  10
#define FORMS       37 /* 0: the value before again */
#define BLOCK_BYTES (1u << 28)

/* Forms 1..36: bytes kept (1..8), then zero bytes cut off at the low end (0..8 - kept). */
static const uint8_t FIRST_FORM[9] = {0, 1, 9, 16, 22, 27, 31, 34, 36};
static const struct {
    uint8_t kept, cut;
} FORM[FORMS] = {
    {0, 0}, {1, 0}, {1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {1, 7}, {2, 0},
    {2, 1}, {2, 2}, {2, 3}, {2, 4}, {2, 5}, {2, 6}, {3, 0}, {3, 1}, {3, 2}, {3, 3},
    {3, 4}, {3, 5}, {4, 0}, {4, 1}, {4, 2}, {4, 3}, {4, 4}, {5, 0}, {5, 1}, {5, 2},
    {5, 3}, {6, 0}, {6, 1}, {6, 2}, {7, 0}, {7, 1}, {8, 0},
};

void collector_hot_coder_init(struct collector_hot_coder *c, int64_t base_ms)
{
    *c = (struct collector_hot_coder){0, base_ms, 0, true};
}

/* --- writing ---------------------------------------------------------------------------- */

static size_t put_varint(char *dst, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        dst[n++] = (char)((v & 0x7f) | 0x80);
        v >>= 7;
    }
    dst[n++] = (char)v;
    return n;
}

/* Differences wrap, so any two times can follow each other. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static void advance(struct collector_hot_coder *c, int64_t time_ms, int64_t delta_ms)
{
    bool fits = delta_ms >= INT32_MIN && delta_ms <= INT32_MAX;

    c->delta_ms = c->first || !fits ? 0 : (int32_t)delta_ms;
    c->time_ms = time_ms;
    c->first = false;
}

static size_t put(char *dst, struct collector_hot_coder *c, int64_t time_ms, double value,
                  unsigned flags)
{
    uint64_t bits;
    size_t n = 1;
    unsigned form = 0;

    memcpy(&bits, &value, sizeof(bits));
    uint64_t x = bits ^ c->bits;
    c->bits = bits;
    int64_t delta = minus(time_ms, c->time_ms);
    int64_t change = minus(delta, c->delta_ms);
    if (change != 0) {
        flags |= HAS_TIME;
        n += put_varint(dst + n, ((uint64_t)change << 1) ^ (uint64_t)(change >> 63));
    }
    advance(c, time_ms, delta);
    if (x != 0) {
        unsigned cut = (unsigned)__builtin_ctzll(x) / 8;
        unsigned kept = 8 - cut - (unsigned)__builtin_clzll(x) / 8;
        uint64_t le = htole64(x >> (8 * cut));
        memcpy(dst + n, &le, sizeof(le));
        n += kept;
        form = FIRST_FORM[kept] + cut;
    }
    dst[0] = (char)(form | flags);
    return n;
}

size_t collector_hot_sample_put(char *dst, struct collector_hot_coder *c, int64_t time_ms,
                                double value)
{
    return put(dst, c, time_ms, value, 0);
}

size_t collector_hot_sample_put_meta(char *dst, struct collector_hot_coder *c,
                                     const struct collector_sample *s)
{
    HALE_ASSERT(s->meta.len > 0 && s->meta.len < (1u << META_BITS));
    size_t n = put(dst, c, s->time_ms, s->value, HAS_META);
    n += put_varint(dst + n, s->meta.len);
    memcpy(dst + n, s->meta.p, s->meta.len);
    return n + s->meta.len;
}

char *collector_hot_frame(char *end, uint32_t n)
{
    char length[VARINT_MAX];
    size_t len = put_varint(length, n);
    char *p = end - len - 1;

    HALE_ASSERT(n < BLOCK_BYTES);
    p[0] = VERSION;
    memcpy(p + 1, length, len);
    return p;
}

/* --- reading ---------------------------------------------------------------------------- */

static bool take_varint(struct hale_str *rest, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && rest->len > 0; shift += 7) {
        unsigned char byte = (unsigned char)rest->p[0];
        rest->p++;
        rest->len--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

void collector_hot_reader_init(struct collector_hot_reader *r, struct hale_str blocks,
                               int64_t base_ms, int64_t span_ms)
{
    memset(r, 0, sizeof(*r));
    r->rest = blocks;
    r->base_ms = base_ms;
    r->span_ms = span_ms;
}

void collector_hot_reader_init_block(struct collector_hot_reader *r,
                                     struct hale_str block, int64_t base_ms,
                                     int64_t span_ms)
{
    collector_hot_reader_init(r, (struct hale_str){NULL, 0}, base_ms, span_ms);
    r->block = block;
    collector_hot_coder_init(&r->at, base_ms);
}

static bool next_block(struct collector_hot_reader *r)
{
    uint64_t n;

    if (r->rest.len == 0)
        return false;
    bool ok = r->rest.p[0] == VERSION;
    r->rest.p++;
    r->rest.len--;
    if (!ok || !take_varint(&r->rest, &n) || n > r->rest.len) {
        r->bad = true;
        r->rest.len = 0;
        return false;
    }
    r->block = (struct hale_str){r->rest.p, (size_t)n};
    r->rest.p += n;
    r->rest.len -= (size_t)n;
    collector_hot_coder_init(&r->at, r->base_ms);
    return true;
}

/* Where a block is read: a local copy, so that it can stay in registers. */
struct cursor {
    const char *p, *end;
    int64_t base_ms, span_ms;
    uint64_t bits;
    int64_t time_ms, delta_ms;
};

static inline bool get_varint(struct cursor *c, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && c->p < c->end; shift += 7) {
        unsigned char byte = (unsigned char)*c->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = v;
            return true;
        }
    }
    return false;
}

static inline bool get_meta(struct cursor *c, struct hale_str *out)
{
    uint64_t len = 0;

    if (!get_varint(c, &len) || len == 0 || len > (size_t)(c->end - c->p) ||
        len >= (1u << META_BITS))
        return false;
    *out = (struct hale_str){c->p, (size_t)len};
    c->p += len;
    return true;
}

/* The bytes that the form kept, in their place. */
static inline bool get_value(struct cursor *c, unsigned form, uint64_t *x)
{
    uint64_t le = 0;

    if (form >= FORMS || FORM[form].kept > (size_t)(c->end - c->p))
        return false;
    unsigned kept = FORM[form].kept;
    if (kept == 0) {
        *x = 0;
        return true;
    }
    if ((size_t)(c->end - c->p) >= sizeof(le)) { /* a whole word is there: no call */
        memcpy(&le, c->p, sizeof(le));
        *x = le64toh(le) & (UINT64_MAX >> (64 - 8 * kept));
    } else {
        memcpy(&le, c->p, kept);
        *x = le64toh(le);
    }
    *x <<= 8 * FORM[form].cut;
    c->p += kept;
    return true;
}

/* The caller has seen that a byte is there. */
static inline bool get(struct cursor *c, struct collector_sample *out)
{
    unsigned control = (unsigned char)*c->p++;
    uint64_t x;

    if (control & HAS_TIME) {
        uint64_t change;
        if (!get_varint(c, &change))
            return false;
        int64_t dod = (int64_t)(change >> 1) ^ -(int64_t)(change & 1);
        c->delta_ms = (int64_t)((uint64_t)c->delta_ms + (uint64_t)dod);
    }
    if (!get_value(c, control & FORM_MASK, &x))
        return false;
    c->bits ^= x;
    c->time_ms = (int64_t)((uint64_t)c->time_ms + (uint64_t)c->delta_ms);
    out->time_ms = c->time_ms;
    memcpy(&out->value, &c->bits, sizeof(out->value));
    out->meta = (struct hale_str){NULL, 0};
    if ((control & HAS_META) != 0 && !get_meta(c, &out->meta))
        return false;
    return isfinite(out->value) &&
           (c->span_ms == 0 ||
            (out->time_ms >= c->base_ms && out->time_ms - c->base_ms < c->span_ms));
}

/* Samples of the block under way. */
static size_t take_block(struct collector_hot_reader *r, struct collector_sample *out,
                         size_t max)
{
    struct cursor c = {r->block.p,    r->block.p + r->block.len,
                       r->base_ms,    r->span_ms,
                       r->at.bits,    r->at.time_ms,
                       r->at.delta_ms};
    size_t n = 0;

    while (n < max && c.p < c.end) {
        if (!get(&c, &out[n])) {
            r->bad = true;
            c.p = c.end;
            break;
        }
        /* As advance() has it: the first time of a block is no step. */
        if (r->at.first || c.delta_ms != (int32_t)c.delta_ms)
            c.delta_ms = 0;
        r->at.first = false;
        n++;
    }
    r->block = (struct hale_str){c.p, (size_t)(c.end - c.p)};
    r->at.bits = c.bits;
    r->at.time_ms = c.time_ms;
    r->at.delta_ms = (int32_t)c.delta_ms;
    return n;
}

size_t collector_hot_reader_take(struct collector_hot_reader *r,
                                 struct collector_sample *out, size_t max)
{
    size_t n = 0;

    while (n < max && (r->block.len > 0 || next_block(r)))
        n += take_block(r, out + n, max - n);
    return n;
}

bool collector_hot_reader_next(struct collector_hot_reader *r,
                               struct collector_sample *out)
{
    return collector_hot_reader_take(r, out, 1) == 1;
}
