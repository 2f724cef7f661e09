/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_BYTES_H
#define HALE_THRESHOLDS_BYTES_H
/*
 * bytes - numbers of the snapshot to bytes and back, little-endian. A reader that runs out of
 * bytes, or meets what can never have been written, latches `bad` and reads zeros from then on.
 */
#include <math.h>
#include <string.h>

#include "thresholds/inner.h"

static inline void put(struct hale_buf *b, uint64_t x, unsigned bytes)
{
    unsigned char raw[8];
    for (unsigned i = 0; i < bytes; i++)
        raw[i] = (unsigned char)(x >> (8 * i));
    hale_buf_add(b, raw, bytes);
}

static inline void put_double(struct hale_buf *b, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    put(b, bits, 8);
}

struct cursor {
    const unsigned char *p, *end;
    bool bad; /* latched */
    unsigned version;
};

static inline uint64_t get(struct cursor *c, unsigned bytes)
{
    uint64_t x = 0;
    if ((size_t)(c->end - c->p) < bytes) {
        c->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        x |= (uint64_t)c->p[i] << (8 * i);
    c->p += bytes;
    return x;
}

static inline double get_double(struct cursor *c)
{
    uint64_t bits = get(c, 8);
    double x;
    memcpy(&x, &bits, sizeof(x));
    if (isnan(x))
        c->bad = true;
    return x;
}

static inline int64_t get_time(struct cursor *c, int64_t max)
{
    int64_t x = (int64_t)get(c, 8);
    if (x != NO_TIME && (x > max || x < -max))
        c->bad = true;
    return x;
}

static inline struct hale_str get_bytes(struct cursor *c, size_t n)
{
    struct hale_str s = {(const char *)c->p, n};
    if ((size_t)(c->end - c->p) < n) {
        c->bad = true;
        return (struct hale_str){NULL, 0};
    }
    c->p += n;
    return s;
}
#endif
