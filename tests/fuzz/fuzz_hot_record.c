/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a chunk: what can be read as records is written back as the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/hot_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hale_str all = {(const char *)data, size};
    struct hale_str rest = all;
    struct collector_sample s;
    struct hale_buf b;
    bool bad = false;

    hale_buf_init(&b, size + 1);
    while (collector_hot_record_next(&rest, 7, &s, &bad)) {
        size_t used = size - rest.len;
        size_t before = b.len;
        collector_hot_record_add(&b, &s);
        /* A length may come in a longer form than needed: then only it differs. */
        if (b.failed || b.len > used || memcmp(b.p + before, &data[before], 12) != 0)
            abort();
        hale_buf_reset(&b);
        hale_buf_add(&b, data, used);
    }
    if (!bad && rest.len != 0)
        abort();
    hale_buf_fini(&b);
    return 0;
}
