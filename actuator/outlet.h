/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_OUTLET_H
#define HALE_ACTUATOR_OUTLET_H
/*
 * outlet - the way out of the house for a subscriber's notification: an HTTP call, a letter, or an SNMP
 * inform or trap.
 * Threads: one; done runs inside the HTTP client's poll, or inside actuator_managers_tick.
 */
#include "actuator/conf.h"
#include "actuator/managers.h"
#include "actuator/receipt.h"
#include "net/http_client.h"

struct actuator_outlet { /* all borrowed */
    struct hale_http_client *http;
    const struct actuator_conf *conf;
    struct actuator_managers *managers; /* NULL: no subscriber is one */
};
struct actuator_parcel { /* borrowed, copied by start */
    const struct actuator_subscriber *to;
    const char *id;
    struct hale_str body;
    hale_http_done done;
    void *arg;
};
HALE_MUST_CHECK enum hale_rc actuator_outlet_start(const struct actuator_outlet *o,
                                                   const struct actuator_parcel *p,
                                                   uint64_t *call_out);
void actuator_outlet_cancel(const struct actuator_outlet *o,
                            const struct actuator_subscriber *s, uint64_t call);
enum actuator_receipt actuator_outlet_receipt(const struct actuator_subscriber *s,
                                              const struct hale_http_result *r);
/* "sha256=<hex>" of the body under the key, into dst (80 bytes). */
void actuator_outlet_sign(const void *key, size_t key_len, struct hale_str body,
                          char *dst);
#endif
