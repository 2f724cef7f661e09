/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a chunk: what can be read as samples is written and read back as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/hot_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct hale_str bytes, int64_t base_ms, int64_t span_ms)
{
    struct collector_hot_reader r;
    struct collector_hot_reader again;
    struct collector_hot_coder coder;
    struct collector_sample s;
    struct collector_sample t;

    collector_hot_coder_init(&coder, base_ms);
    collector_hot_reader_init(&r, bytes, base_ms, span_ms);
    while (collector_hot_reader_next(&r, &s)) {
        char *one = malloc(COLLECTOR_SAMPLE_MAX + s.meta.len);
        struct collector_hot_coder before = coder;
        size_t n = s.meta.len > 0
                       ? collector_hot_sample_put_meta(one, &coder, &s)
                       : collector_hot_sample_put(one, &coder, s.time_ms, s.value);
        collector_hot_reader_init_block(&again, (struct hale_str){one, n}, base_ms,
                                        span_ms);
        again.at = before;
        if (!collector_hot_reader_next(&again, &t) || t.time_ms != s.time_ms ||
            memcmp(&t.value, &s.value, sizeof(s.value)) != 0 ||
            t.meta.len != s.meta.len || again.block.len != 0)
            abort();
        if (s.meta.len > 0 && memcmp(t.meta.p, s.meta.p, s.meta.len) != 0)
            abort();
        free(one);
    }
    if (r.rest.len != 0 || r.block.len != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hale_str all = {(const char *)data, size};

    check(all, 7 * (int64_t)COLLECTOR_CHUNK_MS, COLLECTOR_CHUNK_MS);
    check(all, 0, 0);
    return 0;
}
