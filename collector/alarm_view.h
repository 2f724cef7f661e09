/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ALARM_VIEW_H
#define HALE_COLLECTOR_ALARM_VIEW_H
/*
 * alarm_view - the thread that follows the alarm log and the actuator's journal: keeps the
 * table of alarms and feeds the live streams. It starts from the hash of alarms, read
 * after the log's last sequence number, and applies newer records: whatever was written in
 * between is applied twice at most, which the records' seq makes harmless.
 * Threads: its own; the functions from any.
 */
#include "collector/alarm_table.h"
#include "collector/app.h"
#include "store/redis.h"

struct collector_view;

HALE_MUST_CHECK enum hale_rc collector_view_start(struct collector *c,
                                                  struct collector_view **out);
void collector_view_stop(struct collector_view *v); /* ends the thread, cuts streams */
void collector_view_free(struct collector_view *v); /* when nobody reads any more */
struct collector_table *collector_view_table(struct collector_view *v);
/* The table is loaded; until then alarm calls answer 503. */
bool collector_view_ready(const struct collector_view *v);
void collector_view_counts(struct collector_view *v, const char *tenant,
                           struct collector_alarm_counts *out);

struct collector_live_client;
/* Hands a new stream to the view thread (takes it). HALE_E_LIMIT. */
HALE_MUST_CHECK enum hale_rc collector_view_join(struct collector_view *v,
                                                 struct collector_live_client *client);
#endif
