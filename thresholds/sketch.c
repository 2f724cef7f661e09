/* SPDX-License-Identifier: Apache-2.0 */
#include "thresholds/sketch.h"

#include <float.h>
#include <stdlib.h>

#include "base/assert.h"

#define FIRST_CAP   16
#define FIRST_SHIFT 46 /* of the 52 bits of a mantissa 6 are left */
#define LAST_SHIFT  63
#define SIGN        (UINT64_C(1) << 63)
#define COUNT_MAX   UINT32_MAX

/* Numbers in the order of the doubles. */
static uint64_t key_of(double x)
{
    uint64_t bits;
    x += 0.0; /* -0 is 0 */
    memcpy(&bits, &x, sizeof(bits));
    return (bits & SIGN) != 0 ? ~bits : bits | SIGN;
}

/* Keys beyond the finite doubles become the last of them. */
static double double_of(uint64_t key)
{
    uint64_t bits = (key & SIGN) != 0 ? key & ~SIGN : ~key;
    double x;
    memcpy(&x, &bits, sizeof(x));
    if (isfinite(x))
        return x;
    return (key & SIGN) != 0 ? DBL_MAX : -DBL_MAX;
}

enum hale_rc thresholds_sketch_init(struct sketch *k)
{
    *k = (struct sketch){.cap = FIRST_CAP, .v = malloc(FIRST_CAP * sizeof(*k->v))};
    return k->v != NULL ? HALE_OK : HALE_E_NOMEM;
}

void thresholds_sketch_fini(struct sketch *k)
{
    free(k->v);
    k->v = NULL;
}

void thresholds_sketch_clear(struct sketch *k)
{
    k->n = k->sorted = 0;
    k->shift = 0;
}

static bool grow(struct sketch *k)
{
    HALE_ASSERT(k->cap > 0);
    if (k->cap == SKETCH_MAX)
        return false;
    uint64_t *v = realloc(k->v, 2 * (size_t)k->cap * sizeof(*v));
    if (v == NULL)
        return false;
    k->v = v;
    k->cap = (uint16_t)(2 * k->cap);
    return true;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void sort(struct sketch *k)
{
    if (k->shift == 0 && k->sorted < k->n)
        qsort(k->v, k->n, sizeof(k->v[0]), by_number);
    k->sorted = k->n;
}

static uint64_t plus(uint64_t bucket, uint64_t samples)
{
    uint64_t count = (bucket & COUNT_MAX) + (samples & COUNT_MAX);
    return (bucket & ~(uint64_t)COUNT_MAX) | (count < COUNT_MAX ? count : COUNT_MAX);
}

/* Entries in order, as (key, samples), become buckets of the present width. */
static void merge(struct sketch *k)
{
    unsigned n = 0;
    for (unsigned i = 0; i < k->n; i++) {
        if (n > 0 && k->v[n - 1] >> 32 == k->v[i] >> 32)
            k->v[n - 1] = plus(k->v[n - 1], k->v[i]);
        else
            k->v[n++] = k->v[i];
    }
    k->n = (uint16_t)n;
}

/* Makes room for one bucket more. */
static void widen(struct sketch *k)
{
    if (k->shift == 0) {
        sort(k);
        k->shift = FIRST_SHIFT;
        for (unsigned i = 0; i < k->n; i++)
            k->v[i] = (k->v[i] >> FIRST_SHIFT) << 32 | 1;
        merge(k);
    }
    while (k->n == k->cap && k->shift < LAST_SHIFT) {
        k->shift++;
        for (unsigned i = 0; i < k->n; i++)
            k->v[i] = (k->v[i] >> 33) << 32 | (k->v[i] & COUNT_MAX);
        merge(k);
    }
}

/* Place of the first entry that is not below x. */
static unsigned place_of(const struct sketch *k, uint64_t x)
{
    unsigned lo = 0, hi = k->n;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (k->v[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void thresholds_sketch_add(struct sketch *k, double value)
{
    if (k->n == 0)
        k->min = k->max = value;
    k->min = value < k->min ? value : k->min;
    k->max = value > k->max ? value : k->max;
    uint64_t key = key_of(value);
    if (k->shift == 0 && (k->n < k->cap || grow(k))) {
        k->v[k->n++] = key;
        return;
    }
    if (k->shift == 0)
        widen(k);
    uint64_t bucket = (key >> k->shift) << 32;
    unsigned i = place_of(k, bucket);
    if (i < k->n && k->v[i] >> 32 == bucket >> 32) {
        k->v[i] = plus(k->v[i], 1);
        return;
    }
    if (k->n == k->cap && !grow(k)) {
        widen(k);
        bucket = (key >> k->shift) << 32;
        i = place_of(k, bucket);
        if (i < k->n && k->v[i] >> 32 == bucket >> 32) {
            k->v[i] = plus(k->v[i], 1);
            return;
        }
    }
    memmove(&k->v[i + 1], &k->v[i], (k->n - i) * sizeof(k->v[0]));
    k->v[i] = bucket | 1;
    k->n++;
}

double thresholds_sketch_percentile(struct sketch *k, double percent, uint32_t total)
{
    double exact = ceil(percent * (double)total / 100.0 - 1e-9);
    uint64_t rank = exact < 1 ? 1 : (uint64_t)exact;
    if (k->shift == 0) {
        sort(k);
        return double_of(k->v[rank < k->n ? rank - 1 : k->n - 1u]);
    }
    unsigned i = 0;
    for (uint64_t seen = k->v[0] & COUNT_MAX; seen < rank && i + 1u < k->n;)
        seen += k->v[++i] & COUNT_MAX;
    uint64_t first = (k->v[i] >> 32) << k->shift;
    double lo = double_of(first), hi = double_of(first | ((UINT64_C(1) << k->shift) - 1));
    double middle = first == SIGN ? 0 : lo / 2 + hi / 2; /* next to nothing is nothing */
    return middle < k->min ? k->min : middle > k->max ? k->max : middle;
}

void thresholds_sketch_put(const struct sketch *k, struct hale_buf *out)
{
    put(out, k->shift, 1);
    put(out, k->n, 2);
    put_double(out, k->min);
    put_double(out, k->max);
    for (unsigned i = 0; i < k->n; i++)
        put(out, k->v[i], 8);
}

bool thresholds_sketch_get(struct sketch *k, struct cursor *c, uint32_t total)
{
    k->shift = (uint8_t)get(c, 1);
    unsigned n = (unsigned)get(c, 2);
    k->min = get_double(c);
    k->max = get_double(c);
    k->n = k->sorted = 0;
    if (c->bad || n == 0 || n > SKETCH_MAX || isinf(k->min) || isinf(k->max) ||
        k->min > k->max || (k->shift == 0 && n != total) ||
        (k->shift != 0 && (k->shift < FIRST_SHIFT || k->shift > LAST_SHIFT)))
        return false;
    while (k->cap < n) {
        if (!grow(k))
            return false;
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < n && !c->bad; i++) {
        uint64_t x = get(c, 8);
        bool fine =
            k->shift == 0
                ? key_of(double_of(x)) == x && x >= key_of(k->min) && x <= key_of(k->max)
                : x >> 32 <= UINT64_MAX >> k->shift && (x & COUNT_MAX) > 0 &&
                      (i == 0 || k->v[i - 1] >> 32 < x >> 32);
        if (!fine)
            return false;
        sum += x & COUNT_MAX;
        k->v[k->n++] = x;
    }
    return !c->bad && (k->shift == 0 || sum >= total);
}
