/* SPDX-License-Identifier: Apache-2.0 */
#include "model/batch.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "model/metric_json_scan.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the accessors of batch.h read the little-endian columns as they lie"
#endif

#define MAGIC           0x62617463u
#define VERSION         1
#define FLAG_METAS      1u
#define HEAD_BYTES      16
#define SAMPLE_BYTES    24
#define META_HEAD_BYTES 8
#define FIRST_CAP       256
#define METAS_MAX_BYTES (32u << 20)

struct hale_batch {
    unsigned magic;
    unsigned n;
    unsigned cap; /* samples for which the columns have room */
    unsigned n_metas;
    uint64_t *ids;
    int64_t *times;
    double *values;
    struct hale_buf metas; /* encoded records */
};

struct hale_batch *hale_batch_new(void)
{
    struct hale_batch *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    b->magic = MAGIC;
    hale_buf_init(&b->metas, METAS_MAX_BYTES);
    return b;
}

void hale_batch_free(struct hale_batch *b)
{
    if (b == NULL)
        return;
    HALE_CHECK(b, MAGIC);
    free(b->ids);
    free(b->times);
    free(b->values);
    hale_buf_fini(&b->metas);
    b->magic = 0;
    free(b);
}

void hale_batch_reset(struct hale_batch *b)
{
    HALE_CHECK(b, MAGIC);
    b->n = 0;
    b->n_metas = 0;
    hale_buf_reset(&b->metas);
}

unsigned hale_batch_n(const struct hale_batch *b)
{
    HALE_CHECK(b, MAGIC);
    return b->n;
}

/* Each column keeps what it got, so that a failure half-way leaves a valid batch. */
static enum hale_rc grow(struct hale_batch *b)
{
    unsigned cap = b->cap == 0 ? FIRST_CAP : b->cap * 2;
    uint64_t *ids = realloc(b->ids, cap * sizeof(*ids));
    if (ids != NULL)
        b->ids = ids;
    int64_t *times = realloc(b->times, cap * sizeof(*times));
    if (times != NULL)
        b->times = times;
    double *values = realloc(b->values, cap * sizeof(*values));
    if (values != NULL)
        b->values = values;
    if (ids == NULL || times == NULL || values == NULL)
        return HALE_E_NOMEM;
    b->cap = cap;
    return HALE_OK;
}

static enum hale_rc add_meta(struct hale_batch *b, struct hale_str meta)
{
    size_t room = b->metas.max - b->metas.len;
    if (room < META_HEAD_BYTES || meta.len > room - META_HEAD_BYTES)
        return HALE_E_LIMIT;
    size_t bytes = META_HEAD_BYTES + meta.len;
    uint32_t head[2] = {b->n, (uint32_t)meta.len};
    char *p = hale_buf_reserve(&b->metas, bytes);
    if (p == NULL) {
        b->metas.failed = false; /* nothing was written, earlier metas are whole */
        return HALE_E_NOMEM;
    }
    memcpy(p, head, sizeof(head));
    memcpy(p + sizeof(head), meta.p, meta.len);
    b->metas.len += bytes;
    b->metas.p[b->metas.len] = '\0';
    b->n_metas++;
    return HALE_OK;
}

enum hale_rc hale_batch_add(struct hale_batch *b, uint64_t id, int64_t time_ms,
                            double value, struct hale_str meta)
{
    enum hale_rc rc = HALE_OK;
    HALE_CHECK(b, MAGIC);
    if (!isfinite(value) || (meta.len > 0 && !hale_scan_is_object(meta)))
        return HALE_E_INVAL;
    if (b->n == HALE_BATCH_MAX_SAMPLES)
        return HALE_E_LIMIT;
    if (b->n == b->cap)
        rc = grow(b);
    if (rc == HALE_OK && meta.len > 0)
        rc = add_meta(b, meta);
    if (rc != HALE_OK)
        return rc;
    b->ids[b->n] = id;
    b->times[b->n] = time_ms;
    b->values[b->n] = value;
    b->n++;
    return HALE_OK;
}

enum hale_rc hale_batch_encode(const struct hale_batch *b, int64_t accepted_us,
                               struct hale_buf *out)
{
    HALE_CHECK(b, MAGIC);
    HALE_ASSERT(b->n >= 1);
    size_t total = HEAD_BYTES + SAMPLE_BYTES * (size_t)b->n +
                   (b->n_metas > 0 ? 4 + b->metas.len : 0);
    if (out->failed || hale_buf_reserve(out, total) == NULL)
        return HALE_E_LIMIT;
    unsigned char head[4] = {VERSION, b->n_metas > 0 ? FLAG_METAS : 0, 0, 0};
    uint32_t n = b->n, n_metas = b->n_metas;
    hale_buf_add(out, head, sizeof(head));
    hale_buf_add(out, &n, sizeof(n));
    hale_buf_add(out, &accepted_us, sizeof(accepted_us));
    hale_buf_add(out, b->ids, 8 * (size_t)n);
    hale_buf_add(out, b->times, 8 * (size_t)n);
    hale_buf_add(out, b->values, 8 * (size_t)n);
    if (n_metas > 0) {
        hale_buf_add(out, &n_metas, sizeof(n_metas));
        hale_buf_add(out, b->metas.p, b->metas.len);
    }
    return out->failed ? HALE_E_LIMIT : HALE_OK;
}

/* The record at p, or false if it does not lie within end. */
static bool read_meta(const char *p, const char *end, unsigned *index_out,
                      struct hale_str *meta_out)
{
    uint32_t head[2];
    if (end - p < META_HEAD_BYTES)
        return false;
    memcpy(head, p, sizeof(head));
    if ((size_t)(end - p) - META_HEAD_BYTES < head[1])
        return false;
    *index_out = head[0];
    *meta_out = (struct hale_str){p + META_HEAD_BYTES, head[1]};
    return true;
}

/* p: at n_metas. Every record, in order, up to the last byte. */
static bool open_metas(const char *p, struct hale_batch_view *v)
{
    uint32_t n;
    if (v->end - p < 4)
        return false;
    memcpy(&n, p, 4);
    if (n == 0 || n > v->n)
        return false;
    p += 4;
    v->n_metas = n;
    v->metas = p;
    unsigned index, floor = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct hale_str meta;
        if (!read_meta(p, v->end, &index, &meta) || index < floor || index >= v->n ||
            !hale_scan_is_object(meta))
            return false;
        floor = index + 1;
        p = meta.p + meta.len;
    }
    return p == v->end;
}

/* A double is finite unless all bits of its exponent are set. */
static bool all_finite(const char *values, size_t n)
{
    const uint64_t exponent = UINT64_C(0x7ff0000000000000);
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, values + 8 * i, 8);
        bad |= (bits & exponent) == exponent;
    }
    return bad == 0;
}

enum hale_rc hale_batch_open(struct hale_str bytes, struct hale_batch_view *out)
{
    uint32_t n;
    struct hale_batch_view v = {0};
    if (bytes.len < HEAD_BYTES + SAMPLE_BYTES)
        return HALE_E_INVAL;
    const unsigned char *head = (const unsigned char *)bytes.p;
    if (head[0] != VERSION || (head[1] & ~FLAG_METAS) != 0 || head[2] != 0 ||
        head[3] != 0)
        return HALE_E_INVAL;
    memcpy(&n, bytes.p + 4, 4);
    if (n < 1 || n > HALE_BATCH_MAX_SAMPLES ||
        bytes.len < HEAD_BYTES + SAMPLE_BYTES * (size_t)n)
        return HALE_E_INVAL;
    memcpy(&v.accepted_us, bytes.p + 8, 8);
    v.n = n;
    v.ids = bytes.p + HEAD_BYTES;
    v.times = v.ids + 8 * (size_t)n;
    v.values = v.times + 8 * (size_t)n;
    v.end = bytes.p + bytes.len;
    const char *behind = v.values + 8 * (size_t)n;
    bool good = (head[1] & FLAG_METAS) != 0 ? open_metas(behind, &v) : behind == v.end;
    if (!good || !all_finite(v.values, n))
        return HALE_E_INVAL;
    *out = v;
    return HALE_OK;
}

_Bool hale_batch_next_meta(const struct hale_batch_view *v, const char **cursor,
                           unsigned *index_out, struct hale_str *meta_out)
{
    const char *p = *cursor != NULL ? *cursor : v->metas;
    if (p == NULL || p == v->end)
        return false;
    bool inside = read_meta(p, v->end, index_out, meta_out);
    HALE_ASSERT(inside); /* hale_batch_open has read it */
    *cursor = meta_out->p + meta_out->len;
    return true;
}
