/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_STORM_H
#define CORRELATOR_STORM_H
/*
 * storm - too many alarms at once: how many raises of a tenant are announced in a minute, and what becomes of
 * the others (docs/formats/lifecycle.md, docs/adr/0022-storms-and-flapping.md).
 * Bucket:    storm_burst raises at once, storm_rate a minute; storm_reserve percent of both are for CRITICAL
 *            alarms that nothing explains. A raise is an announcement of ALARM or UNDETERMINED.
 * Beyond:    the alarm gets a mute (kind storm) and waits, the most severe first, of these the oldest; it is
 *            announced when there is room, or never if it clears before. None is forgotten: who waits is known
 *            by the mute in its row, and there are no more of them than alarms.
 * Told:      one event alarm "hale.storm" of the tenant, with counts by severity and definition; raised at the
 *            first one that waits or that max_alarms refused, refreshed every 10 s, cleared when nothing has
 *            waited or been refused for a minute. It passes by the bucket and by max_alarms.
 * State:     row b:<tenant>, gone when the bucket is full and no storm is on.
 * Time:      of the streams.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "correlator/due.h"
#include "model/expr.h"

#define COR_STORM_TYPE  "hale.storm"
#define COR_STORM_NAMES 32 /* definitions counted by name in one storm; others together */

struct correlator_engine;
struct cor_alarm;
struct cor_life;
struct cor_storm; /* of one tenant */

/* A source of the gate, the last one. */
void cor_storm_source(struct correlator_engine *e, struct cor_alarm *a,
                      enum hale_state from);
/* a is about to be announced as a problem, by the end of what muted it: may mute it. */
void cor_storm_ask(struct correlator_engine *e, struct cor_alarm *a);
/* It waits no more: deleted. */
void cor_storm_leave(struct correlator_engine *e, struct cor_life *life);
/* Its record changes: severity, by which it waits. */
void cor_storm_moved(struct correlator_engine *e, struct cor_alarm *a);
/* max_alarms refused an alarm. */
void cor_storm_refused(struct correlator_engine *e, const char *tenant, const char *name,
                       enum hale_severity severity);
void cor_storm_due(struct correlator_engine *e, void *storm, int64_t at_ms);

/* --- rows --- */
void cor_storm_flush(struct correlator_engine *e);
/* HALE_E_INVAL: not such a row. */
enum hale_rc cor_storm_load(struct correlator_engine *e, struct hale_str tenant,
                            struct hale_str value);
void cor_storm_loaded(struct correlator_engine *e); /* alarms are there: who waits */
void cor_storm_free_all(struct correlator_engine *e);
#endif
