/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_DEFINITION_STORE_H
#define HALE_COLLECTOR_DEFINITION_STORE_H
/*
 * definition_store - definitions in Redis: {m}:definitions, {m}:defnames, and the record
 * on {m}:control that follows each change, in one transaction. Threads: any, each with its
 * own connection.
 */
#include "model/alarm.h"
#include "model/definition.h"
#include "store/redis.h"

/* HALE_E_NOTFOUND: unknown or another tenant's. */
HALE_MUST_CHECK enum hale_rc collector_definition_load(struct hale_redis *r,
                                                       const char *tenant, const char *id,
                                                       struct hale_definition **out);
struct collector_definition_list {
    size_t n, cap;
    struct hale_definition **v;
};
void collector_definition_list_fini(struct collector_definition_list *l);
/* All of a tenant, in no order. */
HALE_MUST_CHECK enum hale_rc
collector_definition_load_all(struct hale_redis *r, const char *tenant,
                              struct collector_definition_list *out);

/* What a change makes of the stored definition (NULL: there is none). Sets *after (NULL:
 * delete). Errors end the change and are returned. May run several times. */
struct collector_definition_change {
    enum hale_rc (*make)(const struct hale_definition *before,
                         struct hale_definition **after, void *arg, struct hale_err *err);
    void *arg;
    const char *tenant;
    const char *id;
    bool create; /* there must be none yet */
};
/* HALE_E_EXISTS: another definition has the name. HALE_E_NOTFOUND. HALE_E_IO/E_AGAIN:
 * Redis. *after_out (NULL allowed) is the caller's. */
HALE_MUST_CHECK enum hale_rc
collector_definition_change(struct hale_redis *r,
                            const struct collector_definition_change *change,
                            struct hale_definition **after_out, struct hale_err *err);
/* Queues what stores d (and its name), and the control record that tells of it. */
HALE_MUST_CHECK enum hale_rc collector_definition_append(struct hale_redis *r,
                                                         const struct hale_definition *d);
/* Queues XADD of a control record that has nothing but its op and an id. */
HALE_MUST_CHECK enum hale_rc collector_control_append_id(struct hale_redis *r,
                                                         enum hale_control_op op,
                                                         const char *id);
/* Ends a WATCH that led to nothing. */
void collector_store_unwatch(struct hale_redis *r);
/* Queues XADD of a control record. */
HALE_MUST_CHECK enum hale_rc collector_control_append(struct hale_redis *r,
                                                      const struct hale_buf *record);
#endif
