/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ALARM_TABLE_H
#define HALE_COLLECTOR_ALARM_TABLE_H
/*
 * alarm_table - the current alarms and the index of their transitions, as the alarm log
 * tells them. Written by the view thread, read by query threads.
 * Ownership: alarms are immutable and reference-counted; what list and get return must be
 *            put back. A change makes a new object.
 * Limits:    ALARMS_MAX alarms; history_max transitions, the oldest go first.
 * Threads:   any; one mutex, held for pointer work only.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "model/alarm.h"

struct collector_alarm {
    _Atomic unsigned refs;
    struct hale_alarm a;
    char *metrics; /* JSON text of a.metrics */
};
struct collector_alarm *collector_alarm_get(struct collector_alarm *a);
void collector_alarm_put(struct collector_alarm *a); /* NULL allowed */

struct collector_alarm_counts {
    size_t ok, alarm, undetermined;
};

struct collector_transition {
    int64_t seq;
    int64_t time_ms;
    uint64_t alarm; /* hash of the id */
};

struct collector_alarm_list {
    size_t n, cap;
    struct collector_alarm **v;
    bool failed;
};
void collector_alarm_list_fini(struct collector_alarm_list *l); /* puts all */

struct collector_table;

struct collector_table *collector_table_new(size_t history_max); /* exits on no memory */
void collector_table_free(struct collector_table *t);
void collector_table_clear(struct collector_table *t);
size_t collector_table_count(struct collector_table *t);

/* Puts an alarm as the hash of alarms has it; takes *a (zeroed) when HALE_OK. */
HALE_MUST_CHECK enum hale_rc collector_table_load(struct collector_table *t,
                                                  struct hale_alarm *a);
/* Applies a record of the log; takes r->alarm where it is newer than what is known. */
void collector_table_apply(struct collector_table *t, struct hale_log_record *r);
/* Puts a transition in front of those known (loading backwards). False: full. */
bool collector_table_load_transition(struct collector_table *t,
                                     const struct hale_log_record *r);

/* NULL: not there or another tenant's. */
struct collector_alarm *collector_table_get(struct collector_table *t, const char *tenant,
                                            const char *id);
/* All alarms of a tenant, in no order. */
void collector_table_list(struct collector_table *t, const char *tenant,
                          struct collector_alarm_list *out);
void collector_table_counts(struct collector_table *t, const char *tenant,
                            struct collector_alarm_counts *out);
struct collector_period {
    int64_t start_ms, end_ms; /* both inclusive */
    int64_t after_ms;         /* exclusive */
};
/* Transitions in the period of the alarms in l (all of them), oldest first. Returns the
 * number written to out (at most max; allocated by the caller). */
size_t collector_table_transitions(struct collector_table *t,
                                   const struct collector_alarm_list *l,
                                   const struct collector_period *p,
                                   struct collector_transition *out, size_t max);
/* Waits until done(alarm or NULL, arg) or the time is over; false then. Called with the
 * lock held: it must only look. */
bool collector_table_wait(struct collector_table *t, const char *id,
                          bool (*done)(const struct collector_alarm *a, void *arg),
                          void *arg, int64_t timeout_ms);
void collector_table_close(struct collector_table *t); /* ends all waits */
#endif
