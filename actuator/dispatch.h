/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_DISPATCH_H
#define HALE_ACTUATOR_DISPATCH_H
/*
 * dispatch - starts the call that tells a notification method about an alarm, or a group of them: the address checked
 * against the reach of methods, the words of message.h, the transport of the type. Threads: one.
 */
#include "actuator/conf_methods.h"
#include "actuator/message.h"
#include "actuator/receipt.h"
#include "model/method.h"

struct actuator_send { /* all borrowed */
    struct hale_http_client *http;
    const struct actuator_methods_conf *conf;
    const struct hale_method *method;
    hale_http_done done;
    void *arg;
};
/* HALE_E_DENIED, HALE_E_INVAL: may not or cannot be sent at all, *why_out says why; anything else:
 * try again. m->from and m->now_ms are filled in. */
HALE_MUST_CHECK enum hale_rc actuator_dispatch(const struct actuator_send *s,
                                               struct actuator_message *m,
                                               uint64_t *call_out, const char **why_out);
/* The same of a group's message (digest.h). A WEBHOOK is told of no groups: HALE_E_INVAL. */
HALE_MUST_CHECK enum hale_rc actuator_dispatch_group(const struct actuator_send *s,
                                                     const char *id, const json_t *digest,
                                                     uint64_t *call_out,
                                                     const char **why_out);
enum actuator_receipt actuator_dispatch_receipt(const struct hale_method *method,
                                                const struct hale_http_result *r);
#endif
