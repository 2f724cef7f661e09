/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_RECORD_H
#define HALE_THRESHOLDS_RECORD_H
/*
 * record - an event of the engine as a sub-alarm record (model/alarm.h). Stateless.
 */
#include "base/buf.h"
#include "thresholds/engine.h"

/* Appends the JSON. HALE_E_NOMEM, HALE_E_LIMIT. */
HALE_MUST_CHECK enum hale_rc thresholds_record_encode(const struct thresholds_event *ev,
                                                      int64_t decided_us,
                                                      struct hale_buf *out);
#endif
