/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_LABELS_H
#define HALE_COLLECTOR_LABELS_H
/*
 * labels - from other people's labels and attributes to a series under Monasca's rules: what does not
 * fit is refused with the reason, never changed. A label without value is none.
 * Use:       begin, name and put in any order, finish. The first fault latches.
 * Ownership: names and values stay the caller's, until finish.
 * Threads:   values of the caller.
 */
#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/series.h"

struct collector_labels {
    struct hale_series series;
    struct hale_err *err;
    enum hale_rc rc;
};

void collector_labels_begin(struct collector_labels *l, struct hale_str tenant,
                            struct hale_str region, struct hale_err *err);
void collector_labels_name(struct collector_labels *l, struct hale_str name);
void collector_labels_put(struct collector_labels *l, struct hale_str key,
                          struct hale_str value);
/* Refuses for a reason of the caller's. */
void collector_labels_refuse(struct collector_labels *l, const char *fmt, ...)
    HALE_PRINTF(2, 3);
/* Appends the canonical series. HALE_E_INVAL with the reason and the metric's name in err;
 * HALE_E_NOMEM: out takes no more. */
HALE_MUST_CHECK enum hale_rc collector_labels_finish(struct collector_labels *l,
                                                     struct hale_buf *out);
#endif
