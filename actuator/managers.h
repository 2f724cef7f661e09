/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_MANAGERS_H
#define HALE_ACTUATOR_MANAGERS_H
/*
 * managers - notifications on their way to SNMP managers: names, sockets, deadlines, one notification
 * at a time to each. The counterpart of net/http_client for SNMP, in the same loop: one descriptor to poll,
 * callbacks inside _tick only.
 * Tries:     one message each. What comes of a lost one is the caller's back-off, whose next try
 *            tells the same notification id. A try that failed closes the session: the next one looks the
 *            name up anew, takes its next address, and asks the manager for its engine again.
 * Limits:    ACTUATOR_SUBSCRIBERS_MAX managers, a notification each.
 * Threads:   one.
 */
#include <poll.h>
#include <stdint.h>

#include "actuator/conf_snmp.h"
#include "net/http_client.h"

struct actuator_managers;
struct actuator_manager_call {
    const struct actuator_snmp_conf
        *to;              /* borrowed until _free: its address is the manager's */
    struct hale_str body; /* of actuator_varbinds_write; copied */
    int64_t timeout_ms;   /* name, connection, engine and answer together */
    hale_http_done done;  /* rc as actuator_snmp_result says */
    void *arg;
};

struct actuator_managers *actuator_managers_new(void); /* NULL: no memory */
/* Cancels what is under way without calling back. */
void actuator_managers_free(struct actuator_managers *m);
/* HALE_E_LIMIT: one is under way there. */
HALE_MUST_CHECK enum hale_rc
actuator_managers_start(struct actuator_managers *m,
                        const struct actuator_manager_call *call, uint64_t *id_out);
void actuator_managers_cancel(struct actuator_managers *m, uint64_t id);
/* Readable: _tick has something to do. */
void actuator_managers_pollfd(const struct actuator_managers *m, struct pollfd *out);
void actuator_managers_tick(struct actuator_managers *m);
#endif
