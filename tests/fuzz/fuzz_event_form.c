/* SPDX-License-Identifier: Apache-2.0 */
/* Any body of POST /v1/events: refused, or every record it became can be read back. */
#include <stdint.h>
#include <stdlib.h>

#include "collector/event_form.h"
#include "model/alarm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct collector_event_list l;
    struct hale_err err;

    if (collector_event_form_read((struct hale_str){(const char *)data, size}, "t", 1, &l,
                                  &err) != HALE_OK) {
        if (l.n != 0 || err.text[0] == '\0')
            abort();
        return 0;
    }
    for (size_t i = 0; i < l.n; i++) {
        struct hale_event e = {0};
        if (hale_event_decode(hale_buf_str(&l.v[i]), &e) != HALE_OK)
            abort();
        hale_event_fini(&e);
    }
    collector_event_list_fini(&l);
    return 0;
}
