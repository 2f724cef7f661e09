/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_batch - hale_batch_open on any bytes: what it accepts can be read through the accessors
 * and, written again sample by sample, gives the same bytes.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "model/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct hale_batch_view *v, struct hale_batch *b)
{
    const char *cursor = NULL;
    unsigned index = 0;
    struct hale_str meta = {NULL, 0};
    bool more = hale_batch_next_meta(v, &cursor, &index, &meta);
    for (unsigned i = 0; i < v->n; i++) {
        bool mine = more && index == i;
        struct hale_str m = mine ? meta : (struct hale_str){NULL, 0};
        HALE_ASSERT(isfinite(hale_batch_value(v, i)));
        HALE_ASSERT(hale_batch_add(b, hale_batch_id(v, i), hale_batch_time(v, i),
                                   hale_batch_value(v, i), m) == HALE_OK);
        if (mine)
            more = hale_batch_next_meta(v, &cursor, &index, &meta);
    }
    HALE_ASSERT(!more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_batch_view v;
    if (hale_batch_open((struct hale_str){(const char *)data, size}, &v) != HALE_OK)
        return 0;
    struct hale_batch *b = hale_batch_new();
    struct hale_buf out;
    HALE_ASSERT(b != NULL);
    hale_buf_init(&out, 64u << 20);
    write_again(&v, b);
    HALE_ASSERT(hale_batch_n(b) == v.n);
    HALE_ASSERT(hale_batch_encode(b, v.accepted_us, &out) == HALE_OK);
    HALE_ASSERT(out.len == size && memcmp(out.p, data, size) == 0);
    hale_buf_fini(&out);
    hale_batch_free(b);
    return 0;
}
