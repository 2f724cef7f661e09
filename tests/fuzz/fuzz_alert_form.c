/* SPDX-License-Identifier: Apache-2.0 */
/* Any body of POST /api/v2/alerts: refused, or every record it became can be read back, and as many
 * alerts were refused or became records as there were. */
#include <stdint.h>
#include <stdlib.h>

#include "collector/alert_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct collector_alerts a;
    struct hale_err err;

    if (collector_alert_form_read((struct hale_str){(const char *)data, size}, "t",
                                  1795270663182000, &a, &err) != HALE_OK) {
        if (a.events.n != 0 || a.refused != 0 || err.text[0] == '\0')
            abort();
        return 0;
    }
    if ((a.refused > 0) != (a.why[0] != '\0'))
        abort();
    for (size_t i = 0; i < a.events.n; i++) {
        struct hale_event e = {0};
        if (hale_event_decode(hale_buf_str(&a.events.v[i]), &e) != HALE_OK)
            abort();
        if (e.clear ? e.expires_ms != 0 : e.expires_ms <= e.time_ms)
            abort();
        hale_event_fini(&e);
    }
    collector_alerts_fini(&a);
    return 0;
}
