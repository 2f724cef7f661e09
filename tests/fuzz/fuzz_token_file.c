/* SPDX-License-Identifier: Apache-2.0 */
/* Any tokens file: refused, or a token can be put in and taken out again and the others stay as they are. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/token_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct collector_token_table *read_buf(const struct hale_buf *b)
{
    struct collector_token_table *t = NULL;
    struct hale_err err;

    if (collector_token_table_read(hale_buf_str(b), "fuzz", &t, &err) != HALE_OK)
        abort();
    return t;
}

static void check_same(const struct collector_token_table *a,
                       const struct collector_token_table *b)
{
    if (collector_token_table_count(a) != collector_token_table_count(b))
        abort();
    for (size_t i = 0; i < collector_token_table_count(a); i++) {
        struct collector_identity x, y;
        int64_t ex, ey;
        char hx[65], hy[65];
        collector_token_table_row(a, i, &x, &ex, hx);
        collector_token_table_row(b, i, &y, &ey, hy);
        if (strcmp(x.name, y.name) != 0 || strcmp(x.tenant, y.tenant) != 0 ||
            x.roles != y.roles || ex / 1000 != ey / 1000 || strcmp(hx, hy) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_str text = {(const char *)data, size};
    struct collector_token_table *old = NULL;
    struct hale_err err = {0};
    struct hale_buf more, less;
    const struct collector_token_entry entry = {
        .who = {"t", "a # name: -", COLLECTOR_AGENT}, .expires_ms = INT64_MAX};

    if (collector_token_table_read(text, "fuzz", &old, &err) != HALE_OK)
        return 0;
    hale_buf_init(&more, 1 << 20);
    hale_buf_init(&less, 1 << 20);
    enum hale_rc rc = collector_token_text_add(text, &entry, HEX, &more, &err);
    if (rc == HALE_OK) {
        struct collector_token_table *grown = read_buf(&more);
        if (collector_token_table_count(grown) != collector_token_table_count(old) + 1)
            abort();
        collector_token_table_free(grown);
        if (collector_token_text_remove(hale_buf_str(&more), entry.who.name, &less,
                                        &err) != HALE_OK)
            abort();
        struct collector_token_table *back = read_buf(&less);
        check_same(old, back);
        collector_token_table_free(back);
    } else if (err.text[0] == '\0') {
        abort();
    }
    for (size_t i = 0; i < collector_token_table_count(old) && i < 4; i++) {
        struct collector_identity who;
        int64_t expires_ms;
        collector_token_table_row(old, i, &who, &expires_ms, NULL);
        hale_buf_reset(&less);
        if (collector_token_text_remove(text, who.name, &less, &err) != HALE_OK)
            abort();
        collector_token_table_free(read_buf(&less));
    }
    hale_buf_fini(&more);
    hale_buf_fini(&less);
    collector_token_table_free(old);
    return 0;
}
