/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_COLLECTD_LIST_H
#define HALE_COLLECTOR_COLLECTD_LIST_H
/*
 * collectd_list - a value list as collectd's write_http sends it in JSON, and the series of its values:
 * name = plugin "." type, and "." data source unless that is "value"; dimensions hostname,
 * plugin_instance and type_instance, the latter two when they are not empty.
 * Ownership: views into the caller's json_t.
 * Threads:   stateless.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

enum { /* the parts of a spelling */
       COLLECTOR_COLLECTD_HOST,
       COLLECTOR_COLLECTD_PLUGIN,
       COLLECTOR_COLLECTD_PLUGIN_INSTANCE,
       COLLECTOR_COLLECTD_TYPE,
       COLLECTOR_COLLECTD_TYPE_INSTANCE,
       COLLECTOR_COLLECTD_PARTS
};

struct collector_collectd_list {
    struct hale_str part[COLLECTOR_COLLECTD_PARTS];
    const json_t *values;
    const json_t *dsnames; /* NULL: one value, named "value" */
    size_t n_values;
    bool has_time;
    int64_t time_ms;
    const char *reason; /* of a refusal: collector/rejected.h */
};

enum collector_collectd_kind {
    COLLECTOR_COLLECTD_NUMBER,
    COLLECTOR_COLLECTD_NULL, /* how collectd writes NaN: it has no value yet */
    COLLECTOR_COLLECTD_BAD
};

/* HALE_E_INVAL: not a value list; out->reason and err say why. */
HALE_MUST_CHECK enum hale_rc collector_collectd_read(const json_t *item,
                                                     struct collector_collectd_list *out,
                                                     struct hale_err *err);
/* Value i and the name of its data source. */
enum collector_collectd_kind
collector_collectd_value(const struct collector_collectd_list *l, size_t i, double *value,
                         struct hale_str *dsname);
/* Bytes of the spelling of l's parts, and that, into dst. */
size_t collector_collectd_spelling_bytes(const struct collector_collectd_list *l);
void collector_collectd_spell(const struct collector_collectd_list *l, char *dst);
/* Appends the canonical series of a spelling and a data source (collector_canon). */
HALE_MUST_CHECK enum hale_rc
collector_collectd_series(struct hale_str spelling, struct hale_str dsname,
                          struct hale_str tenant, struct hale_str region,
                          struct hale_buf *out, struct hale_err *err);
#endif
