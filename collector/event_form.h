/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_EVENT_FORM_H
#define HALE_COLLECTOR_EVENT_FORM_H
/*
 * event_form - the bodies in which fault events come (docs/formats/http.md, "Fault
 * events"): one event, a list, {"event":{}} or {"events":[]}, in Hale's form or in that of
 * OPNFV Doctor's monitors. Bytes in, encoded records (model/alarm.h) out. Threads:
 * stateless.
 */
#include "collector/event_list.h"

/* HALE_E_INVAL: not JSON (err->col = 1: 400) or breaks a rule (err->col = 0: 422). All or
 * nothing; on failure *out is empty. */
HALE_MUST_CHECK enum hale_rc collector_event_form_read(struct hale_str body,
                                                       const char *tenant, int64_t now_us,
                                                       struct collector_event_list *out,
                                                       struct hale_err *err);
#endif
