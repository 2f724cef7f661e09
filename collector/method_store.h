/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_METHOD_STORE_H
#define HALE_COLLECTOR_METHOD_STORE_H
/*
 * method_store - notification methods in Redis: {m}:methods, {m}:methodnames, and the record on
 * {m}:control that follows each change, in one transaction. A deleted method disappears from the
 * definitions that name it in the same transaction. Threads: any, each with its own connection.
 */
#include "model/definition.h"
#include "model/method.h"
#include "store/redis.h"

/* HALE_E_NOTFOUND: unknown or another tenant's. */
HALE_MUST_CHECK enum hale_rc collector_method_load(struct hale_redis *r,
                                                   const char *tenant, const char *id,
                                                   struct hale_method **out);
struct collector_method_list {
    size_t n;
    struct hale_method **v; /* never NULL after a successful load */
};
void collector_method_list_fini(struct collector_method_list *l);
/* All of a tenant, in no order. */
HALE_MUST_CHECK enum hale_rc collector_method_load_all(struct hale_redis *r,
                                                       const char *tenant,
                                                       struct collector_method_list *out);

/* What a change makes of the stored method (NULL: there is none). Sets *after. Errors end the
 * change and are returned. May run several times. make NULL: delete. */
struct collector_method_change {
    enum hale_rc (*make)(const struct hale_method *before, struct hale_method **after,
                         void *arg, struct hale_err *err);
    void *arg;
    const char *tenant;
    const char *id;
    bool create; /* there must be none yet */
};
/* HALE_E_EXISTS: another method has the name. HALE_E_NOTFOUND. HALE_E_LIMIT: HALE_METHODS_MAX are
 * there already. HALE_E_IO/E_AGAIN: Redis. *after_out (NULL allowed) is the caller's. */
HALE_MUST_CHECK enum hale_rc
collector_method_change(struct hale_redis *r,
                        const struct collector_method_change *change,
                        struct hale_method **after_out, struct hale_err *err);

/* HALE_E_INVAL with the text of a 422 when an action of d is no method of its tenant. */
HALE_MUST_CHECK enum hale_rc
collector_method_check_actions(struct hale_redis *r, const struct hale_definition *d,
                               struct hale_err *err);
#endif
