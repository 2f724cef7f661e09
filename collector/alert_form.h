/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ALERT_FORM_H
#define HALE_COLLECTOR_ALERT_FORM_H
/*
 * alert_form - the body of POST /api/v2/alerts as Prometheus and its kin send it to an Alertmanager
 * (docs/formats/events.md): bytes in, encoded fault events out. An alert that does not fit is
 * refused alone, with its reason; the others count. Threads: stateless.
 */
#include "collector/event_list.h"

#define COLLECTOR_ALERT_RESOLVE_MS 300000 /* an alert without endsAt lasts so long */

struct collector_alerts {
    struct collector_event_list events;
    size_t refused;
    char why[300]; /* of the first refused one */
};
void collector_alerts_fini(struct collector_alerts *a);

/* HALE_E_INVAL: not JSON (err->col = 1), no array or too many (err->col = 0); *out is empty then. */
HALE_MUST_CHECK enum hale_rc collector_alert_form_read(struct hale_str body,
                                                       const char *tenant, int64_t now_us,
                                                       struct collector_alerts *out,
                                                       struct hale_err *err);
#endif
