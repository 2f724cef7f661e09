/* SPDX-License-Identifier: Apache-2.0 */
/* Any body for a silence ('s' first) or a maintenance window: refused with a reason, or it can be stored, read
 * back the same, asked at any time, and changes only forwards. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/silence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1795270663182)

static void store(const struct hale_silence *s, struct hale_buf *out)
{
    hale_buf_init(out, 8u << 20);
    if (hale_silence_encode(s, out) != HALE_OK)
        abort();
}

static void ask(const struct hale_silence *s)
{
    int64_t at = NOW_MS, change;
    for (unsigned i = 0; i < 8; i++) {
        bool on = hale_silence_at(s, at, &change);
        if (change <= at || (on && change == INT64_MAX))
            abort();
        if (change == INT64_MAX)
            return;
        at = change;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool maintenance = size > 0 && data[0] == 'm';
    struct hale_silence *s = NULL, *again = NULL;
    struct hale_err err = {0};
    struct hale_buf a, b;
    json_t *body = size > 0 ? json_loadb((const char *)data + 1, size - 1,
                                         JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                            : NULL;
    if (body == NULL)
        return 0;
    enum hale_rc rc = hale_silence_from_api(body, maintenance, NOW_MS, &s, &err);
    json_decref(body);
    if (rc != HALE_OK) {
        if (s != NULL || err.text[0] == '\0')
            abort();
        return 0;
    }
    s->id = strdup("i");
    s->tenant = strdup("t");
    s->author = strdup("ann");
    store(s, &a);
    if (hale_silence_decode(hale_buf_str(&a), maintenance, &again, &err) != HALE_OK)
        abort();
    store(again, &b);
    if (a.len != b.len || memcmp(a.p, b.p, a.len) != 0)
        abort();
    ask(again);
    hale_buf_fini(&a);
    hale_buf_fini(&b);
    hale_silence_free(s);
    hale_silence_free(again);
    return 0;
}
