/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_VES_FORM_H
#define HALE_COLLECTOR_VES_FORM_H
/*
 * ves_form - events of the VES event listener 7.x (docs/formats/events.md): {"event":{}} or
 * {"eventList":[]} with events of the domains fault and heartbeat. Bytes in, encoded fault events
 * out, all or nothing. Threads: stateless.
 */
#include <stdbool.h>

#include "collector/event_list.h"

struct collector_ves {
    struct collector_event_list events;
    size_t heartbeats;
};
void collector_ves_fini(struct collector_ves *v);

/* batch: the body of eventBatch. HALE_E_INVAL: err says which event and why; *out is empty then. */
HALE_MUST_CHECK enum hale_rc collector_ves_form_read(struct hale_str body, bool batch,
                                                     const char *tenant, int64_t now_us,
                                                     struct collector_ves *out,
                                                     struct hale_err *err);
/* {"requestError":{"serviceException":{...}}} with the reason as its variable. */
void collector_ves_error_body(struct hale_buf *body, bool busy, const char *why);
#endif
