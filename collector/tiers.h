/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TIERS_H
#define HALE_COLLECTOR_TIERS_H
/*
 * tiers - how long the archive keeps which metrics: the configuration key archive_tiers, a list of
 * {match: glob on the metric name, tiers: [10s:1d, 1m:7d, ...] or none}. The first match counts;
 * what matches nothing gets 10 s for a day, 1 min for 7 days, 5 min for 31 days, 1 h for 400 days.
 * Limits:    100 rules, HALE_RRD_TIERS_MAX tiers. The first step divides ten minutes (a chunk).
 * Threads:   immutable after read.
 */
#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/yaml.h"
#include "store/rrd_group.h"

#define COLLECTOR_GROUP_SLOTS 16
#define COLLECTOR_LAYOUT_TEXT 160

struct collector_tiers;

/* node: NULL or a NULL-kind node for the default alone. The first tier must span hot_ms, so that
 * rows and raw samples meet without a gap. Errors name file and line. */
HALE_MUST_CHECK enum hale_rc collector_tiers_read(const struct hale_yaml_node *node,
                                                  int64_t hot_ms,
                                                  struct collector_tiers **out,
                                                  struct hale_err *err);
void collector_tiers_free(struct collector_tiers *t);
/* NULL: metrics of this name are not archived. */
const struct hale_rrd_layout *collector_tiers_of(const struct collector_tiers *t,
                                                 struct hale_str name);
/* A layout as text, "16 10x8640 60x10080", and back. */
const char *collector_layout_text(const struct hale_rrd_layout *l,
                                  char dst[COLLECTOR_LAYOUT_TEXT]);
HALE_MUST_CHECK enum hale_rc collector_layout_parse(struct hale_str s,
                                                    struct hale_rrd_layout *out);
#endif
