/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_EVENT_LIST_H
#define HALE_COLLECTOR_EVENT_LIST_H
/*
 * event_list - fault events of one request as encoded records (model/alarm.h), and the words that
 * the forms of events share. Threads: values.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "model/alarm.h"

#define COLLECTOR_EVENTS_MAX 1000 /* of one request */

struct collector_event_list {
    size_t n;
    struct hale_buf *v; /* one encoded fault event each */
};
/* Zeroed, with room for n; more than COLLECTOR_EVENTS_MAX is HALE_E_INVAL. */
HALE_MUST_CHECK enum hale_rc collector_event_list_init(struct collector_event_list *l,
                                                       size_t n, struct hale_err *err);
void collector_event_list_fini(struct collector_event_list *l);
/* Encodes e behind the others; there must be room. HALE_E_INVAL: longer than an event may be. */
HALE_MUST_CHECK enum hale_rc collector_event_list_add(struct collector_event_list *l,
                                                      const struct hale_event *e,
                                                      struct hale_err *err);

/* One row of a table of severity words; word NULL ends it. */
struct collector_severity_word {
    const char *word; /* compared without case */
    enum hale_severity severity;
};
/* NULL when the table has no such word. */
const struct collector_severity_word *
collector_severity_find(const struct collector_severity_word *table,
                        struct hale_str word);

/* dimensions: an object of strings, at most HALE_DIMS_MAX, that fit Monasca's rules. what: how the
 * messages call one of them ("label"). */
HALE_MUST_CHECK enum hale_rc collector_event_check_dimensions(json_t *dimensions,
                                                              const char *what,
                                                              struct hale_err *err);
/* A string's bytes; NULL for anything else. */
struct hale_str collector_json_text(const json_t *j);
#endif
