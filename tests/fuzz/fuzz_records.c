/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_records - every record decoder of lib/model reads every input. What one accepts it must
 * be able to write, and the text it writes must come back as the same text.
 */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "model/alarm.h"
#include "model/definition.h"
#include "model/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum hale_rc trip_fn(struct hale_str json, struct hale_buf *out);

#define TRIP(name, type, prefix)                                                         \
    static enum hale_rc name(struct hale_str json, struct hale_buf *out)                 \
    {                                                                                    \
        struct type value;                                                               \
        enum hale_rc rc = prefix##_decode(json, &value);                                 \
        if (rc == HALE_OK)                                                               \
            HALE_ASSERT(prefix##_encode(&value, out) == HALE_OK);                        \
        prefix##_fini(&value);                                                           \
        return rc;                                                                       \
    }
TRIP(trip_alarm, hale_alarm, hale_alarm)
TRIP(trip_sub, hale_sub_record, hale_sub_record)
TRIP(trip_event, hale_event, hale_event)
TRIP(trip_log, hale_log_record, hale_log_record)
TRIP(trip_control, hale_control, hale_control)
TRIP(trip_journal, hale_journal_row, hale_journal)

static enum hale_rc trip_definition(struct hale_str json, struct hale_buf *out)
{
    struct hale_definition *d;
    struct hale_err err = {0};
    enum hale_rc rc = hale_definition_decode(json, &d, &err);
    if (rc == HALE_OK)
        HALE_ASSERT(hale_definition_encode(d, out) == HALE_OK);
    else
        HALE_ASSERT(d == NULL && err.text[0] != '\0');
    hale_definition_free(d);
    return rc;
}

static trip_fn *const trips[] = {trip_alarm,   trip_sub,     trip_event,     trip_log,
                                 trip_control, trip_journal, trip_definition};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_str in = {(const char *)data, size};
    struct hale_buf first, second;
    hale_buf_init(&first, 64u << 20);
    hale_buf_init(&second, 64u << 20);
    for (size_t i = 0; i < sizeof(trips) / sizeof(trips[0]); i++) {
        hale_buf_reset(&first);
        hale_buf_reset(&second);
        if (trips[i](in, &first) != HALE_OK)
            continue;
        HALE_ASSERT(trips[i](hale_buf_str(&first), &second) == HALE_OK);
        HALE_ASSERT(hale_str_eq(hale_buf_str(&first), hale_buf_str(&second)));
    }
    hale_buf_fini(&first);
    hale_buf_fini(&second);
    return 0;
}
