/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_NOTIFIER_H
#define HALE_MODEL_NOTIFIER_H
/*
 * notifier - a VM's registration at the Server Notifier that Tacker looks for (docs/formats/tacker.md): which
 * address of Tacker's is told when the VM is out. It is kept, found, told and repeated as an event alarm of
 * Aodh's form (aodh.h) on that VM's failure, whose `faults` say that it is one; only its body differs.
 * Threads:   stateless.
 */
#include "model/aodh.h"

#define HALE_NOTIFIER_FAULTS_MAX 16
#define HALE_NOTIFIER_FAULT_LEN  4  /* characters of a fault's id */
#define HALE_NOTIFIER_SERVER_MAX 64 /* bytes of a server's id */

/* From the body of POST .../servers/{server}/alarms. Identity and times are left NULL and 0. HALE_E_INVAL
 * with the text of the 400. */
HALE_MUST_CHECK enum hale_rc hale_notifier_from_api(const json_t *body,
                                                    struct hale_str server,
                                                    struct hale_aodh **out,
                                                    struct hale_err *err);
/* {"alarm_id","fault_action","fault_id"}. A new reference; NULL: no memory. */
json_t *hale_notifier_to_api(const struct hale_aodh *a);
/* What Tacker is told of the event. A new reference; NULL: no memory. */
json_t *hale_notifier_body(const struct hale_aodh *a, const struct hale_aodh_event *e);
#endif
