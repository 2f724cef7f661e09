/* SPDX-License-Identifier: Apache-2.0 */
/* Any body for the VES listener, single or batch by its first byte: refused with a reason that makes
 * a JSON error body, or every record it became can be read back. */
#include <stdint.h>
#include <stdlib.h>

#include "collector/ves_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct hale_err *err)
{
    struct hale_buf b;

    hale_buf_init(&b, 65536);
    collector_ves_error_body(&b, false, err->text);
    json_t *o = b.failed ? NULL : json_loadb(b.p, b.len, 0, NULL);
    if (err->text[0] == '\0' || o == NULL)
        abort();
    json_decref(o);
    hale_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct collector_ves v;
    struct hale_err err;
    bool batch = size > 0 && data[0] == 'b';
    struct hale_str body = {(const char *)data, size};

    if (size > 0 && (batch || data[0] == 's'))
        body = (struct hale_str){(const char *)data + 1, size - 1};
    if (collector_ves_form_read(body, batch, "t", 1795270663182000, &v, &err) !=
        HALE_OK) {
        if (v.events.n != 0 || v.heartbeats != 0)
            abort();
        check_refusal(&err);
        return 0;
    }
    for (size_t i = 0; i < v.events.n; i++) {
        struct hale_event e = {0};
        if (hale_event_decode(hale_buf_str(&v.events.v[i]), &e) != HALE_OK)
            abort();
        hale_event_fini(&e);
    }
    collector_ves_fini(&v);
    return 0;
}
