/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_series - hale_series_decode on any bytes: what it accepts is encoded to the same bytes,
 * its sorting changes nothing, and the checks and look-ups run on it.
 */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "model/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ids(struct hale_str bytes)
{
    char text[HALE_SERIES_ID_TEXT];
    uint64_t id = hale_series_id(bytes), again = 0;
    hale_series_id_text(id, text);
    HALE_ASSERT(hale_series_id_parse(hale_str_from(text), &again) == HALE_OK);
    HALE_ASSERT(again == id);
    if (hale_series_id_parse(bytes, &id) == HALE_OK) {
        hale_series_id_text(id, text);
        HALE_ASSERT(hale_str_eq_c(bytes, text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hale_series s;
    struct hale_str bytes = {(const char *)data, size};
    struct hale_err err;
    check_ids(bytes);
    if (hale_series_check_name(bytes, &err) == HALE_OK)
        HALE_ASSERT(size >= 1 && size <= 4 * HALE_NAME_MAX_CHARS);
    if (hale_series_decode(bytes, &s) != HALE_OK)
        return 0;
    struct hale_buf out;
    hale_buf_init(&out, 1u << 20);
    HALE_ASSERT(hale_series_sort(&s, &err) == HALE_OK);
    HALE_ASSERT(hale_series_encode(&s, &out) == HALE_OK);
    HALE_ASSERT(out.len == size && memcmp(out.p, data, size) == 0);
    for (unsigned i = 0; i < s.n_dims; i++) {
        struct hale_str value = hale_series_dim(&s, s.dims[i].key);
        HALE_ASSERT(value.p == s.dims[i].value.p);
        (void)!hale_series_check_dim(s.dims[i].key, s.dims[i].value, &err);
    }
    HALE_ASSERT(hale_series_shard(s.tenant, s.name, 7) < 7);
    hale_buf_fini(&out);
    return 0;
}
