/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TENANT_LIMIT_H
#define HALE_COLLECTOR_TENANT_LIMIT_H
/*
 * tenant_limit - what each tenant may send, kept to: a token bucket of samples per tenant, and its
 * ceilings of body and series.
 * Time:      an argument; monotonic nanoseconds.
 * Limits:    COLLECTOR_LIMITED_TENANTS_MAX buckets. A full bucket says nothing and is forgotten when
 *            room is needed; if none is full, further tenants share one bucket.
 * Threads:   any; a mutex of its own, taken alone.
 */
#include "base/str.h"
#include "collector/limits_config.h"

#define COLLECTOR_LIMITED_TENANTS_MAX 10000

struct collector_tenant_limits;

struct collector_tenant_limits *collector_tenant_limits_new(void); /* NULL: no memory */
void collector_tenant_limits_free(struct collector_tenant_limits *l);
/* Takes over another configuration (copied); how full the buckets are stays. HALE_E_NOMEM: as before. */
HALE_MUST_CHECK enum hale_rc
collector_tenant_limits_set(struct collector_tenant_limits *l,
                            const struct collector_limits_config *conf);
struct collector_limit collector_tenant_limits_of(struct collector_tenant_limits *l,
                                                  struct hale_str tenant);
/* n samples of a request, all or none. HALE_E_AGAIN: not before *wait_ns. HALE_E_LIMIT: more than
 * the burst, never. */
HALE_MUST_CHECK enum hale_rc
collector_tenant_limits_take(struct collector_tenant_limits *l, struct hale_str tenant,
                             size_t n, int64_t now_ns, int64_t *wait_ns);
#endif
