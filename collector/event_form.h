/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_EVENT_FORM_H
#define HALE_COLLECTOR_EVENT_FORM_H
/*
 * event_form - the bodies in which fault events come (docs/formats/http.md, "Fault
 * events"): one event, a list, {"event":{}} or {"events":[]}, in Hale's form or in that of
 * OPNFV Doctor's monitors. Bytes in, encoded records (model/alarm.h) out. Threads:
 * stateless.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"

#define COLLECTOR_EVENTS_MAX       1000
#define COLLECTOR_EVENTS_MAX_BYTES (1u << 20)

struct collector_event_list {
    size_t n;
    struct hale_buf *v; /* one encoded fault event each */
};
void collector_event_list_fini(struct collector_event_list *l);

/* HALE_E_INVAL: not JSON (err->col = 1: 400) or breaks a rule (err->col = 0: 422). All or
 * nothing; on failure *out is empty. */
HALE_MUST_CHECK enum hale_rc collector_event_form_read(struct hale_str body,
                                                       const char *tenant, int64_t now_us,
                                                       struct collector_event_list *out,
                                                       struct hale_err *err);
#endif
