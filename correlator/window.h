/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_WINDOW_H
#define CORRELATOR_WINDOW_H
/*
 * window - silences and maintenance windows (model/silence.h): when they are on, and whom they mute.
 *
 * An alarm's onset asks those that are on: the ones with an equality matcher are found by it, the others, and
 * those of entities, are tried one after the other. When one begins, changes or ends, the alarms that are not OK
 * are looked through once, by id; an alarm that is OK is muted by its next onset.
 * Depth:     each window is a mute of its own, so the last one to end surfaces the alarm.
 * Labels:    the alarm's dimensions (match_by; of the sub-expressions those whose value is the same in all
 *            of them; of an event its dimensions), and alarmname, severity, definition_id, entity before a dimension of
 *            that name. A window with an entity fits the alarms about it and about all that stands on it.
 * Storage:   rows of the collector's hashes; what has happened already follows from the time up to which dues
 *            are done (correlator_engine_stream_ms).
 * Limits:    2 * HALE_SILENCES_MAX.
 */
#include "base/map.h"
#include "correlator/life.h"
#include "model/silence.h"

struct cor_window {
    struct hale_silence *s;
    enum cor_mute_kind kind; /* SILENCE or MAINTENANCE */
    bool on;
    struct cor_due due;
    struct cor_condition *bucket; /* of the index, where it is; NULL: nowhere */
};
struct cor_windows {
    struct hale_map *by_id; /* kind, id -> struct cor_window */
    struct hale_map *index; /* tenant and condition -> struct cor_condition */
};

bool cor_windows_init(struct cor_windows *w);
void cor_windows_fini(struct cor_windows *w);
/* After loading: those that are on already are; mutes of windows that are gone end. */
void cor_windows_loaded(struct correlator_engine *e);
/* A source of the gate. */
void cor_window_source(struct correlator_engine *e, struct cor_alarm *a,
                       enum hale_state from);
void cor_window_due(struct correlator_engine *e, void *window, int64_t at_ms);

/* --- window_index.c --- */
struct cor_labels;
/* Labels of the alarm; NULL: no memory (latched). */
struct cor_labels *cor_labels_new(struct correlator_engine *e, const struct cor_alarm *a);
void cor_labels_free(struct cor_labels *l);
const char *cor_labels_tenant(const struct cor_labels *l);
bool cor_window_fits(struct correlator_engine *e, const struct cor_window *w,
                     struct cor_labels *l);
/* While it is on. False: no memory (latched). */
bool cor_window_enter(struct correlator_engine *e, struct cor_window *w);
void cor_window_leave(struct correlator_engine *e, struct cor_window *w);
/* Calls each for every window that is on and fits. */
void cor_windows_each(struct correlator_engine *e, struct cor_labels *l,
                      void (*each)(struct correlator_engine *e, struct cor_window *w,
                                   void *arg),
                      void *arg);
#endif
