/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_METADATA_H
#define HALE_COLLECTOR_METADATA_H
/*
 * metadata - what senders say about metrics besides values: type, help and unit of a metric name, per
 * tenant. In memory only: senders repeat it (Prometheus every minute), so a restart loses it for that
 * long.
 * Limits:    COLLECTOR_METADATA_TENANTS tenants with COLLECTOR_METADATA_NAMES names each; texts are
 *            cut to COLLECTOR_METADATA_TEXT bytes. What finds no room is counted
 *            (hale_collector_metadata_dropped_total).
 * Threads:   any; the table has a lock of its own. Callbacks run under it and must not call back.
 */
#include <stdbool.h>

#include "base/str.h"

#define COLLECTOR_METADATA_TENANTS 256
#define COLLECTOR_METADATA_NAMES   10000
#define COLLECTOR_METADATA_TEXT    512

struct collector_metadata;

struct collector_metadata_entry {
    struct hale_str name;
    struct hale_str type; /* as Prometheus' API has it: "counter", ..., "unknown" */
    struct hale_str help, unit;
};

struct collector_metadata *collector_metadata_new(void); /* exits on no memory */
void collector_metadata_free(struct collector_metadata *m);
/* Remembers e for tenant. An entry like the one there costs a look-up. A name that is no metric's name
 * and texts that are not UTF-8 are not kept. */
void collector_metadata_put(struct collector_metadata *m, struct hale_str tenant,
                            const struct collector_metadata_entry *e);

typedef bool (*collector_metadata_each_fn)(const struct collector_metadata_entry *e,
                                           void *arg);
/* Calls each for the tenant's entry of name, or for all its entries, in no order, when name is empty;
 * until it gives false. */
void collector_metadata_each(struct collector_metadata *m, struct hale_str tenant,
                             struct hale_str name, collector_metadata_each_fn each,
                             void *arg);
#endif
