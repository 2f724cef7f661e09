/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_AODH_STORE_H
#define HALE_COLLECTOR_AODH_STORE_H
/*
 * aodh_store - event alarms of Aodh's form in Redis: {m}:aodh and the record on {m}:control that follows each
 * change, in one transaction; and the state that the actuator keeps of them ({m}:act:aodh). Threads: any, each with its
 * own connection.
 */
#include "model/aodh.h"
#include "store/redis.h"

/* Both are kept in one place; whoever asks for one kind never sees the other. */
enum collector_aodh_kind { COLLECTOR_AODH_ALARM, COLLECTOR_AODH_NOTIFIER };
struct collector_aodh { /* an alarm and its state now */
    struct hale_aodh *a;
    enum hale_state state;
    int64_t since_ms;
    char *reason;
};
void collector_aodh_fini(struct collector_aodh *x);
/* HALE_E_NOTFOUND: unknown, of the other kind, or another tenant's. */
HALE_MUST_CHECK enum hale_rc collector_aodh_load(struct hale_redis *r, const char *tenant,
                                                 const char *id,
                                                 enum collector_aodh_kind kind,
                                                 struct collector_aodh *out);
struct collector_aodh_list {
    size_t n;
    struct collector_aodh *v;
};
void collector_aodh_list_fini(struct collector_aodh_list *l);
/* All of a tenant, the newest first. */
HALE_MUST_CHECK enum hale_rc collector_aodh_load_all(struct hale_redis *r,
                                                     const char *tenant,
                                                     enum collector_aodh_kind kind,
                                                     struct collector_aodh_list *out);
/* A new one. HALE_E_LIMIT: HALE_AODH_MAX are there. */
HALE_MUST_CHECK enum hale_rc collector_aodh_create(struct hale_redis *r,
                                                   const struct hale_aodh *a);
/* What a change makes of the alarm x->a. An error ends the change and is returned. May run several times. */
typedef enum hale_rc (*collector_aodh_make)(struct collector_aodh *x, void *arg,
                                            struct hale_err *err);
struct collector_aodh_change {
    const char *tenant, *id;
    collector_aodh_make make; /* NULL: delete */
    void *arg;
    enum collector_aodh_kind kind;
    /* Before it is deleted; NULL: it may. */
    enum hale_rc (*may_drop)(const struct collector_aodh *x, void *arg);
};
/* HALE_E_NOTFOUND; HALE_E_IO, HALE_E_AGAIN: Redis. *out (NULL allowed): the alarm after it, the caller's. */
HALE_MUST_CHECK enum hale_rc collector_aodh_change(struct hale_redis *r,
                                                   const struct collector_aodh_change *ch,
                                                   struct collector_aodh *out,
                                                   struct hale_err *err);
#endif
