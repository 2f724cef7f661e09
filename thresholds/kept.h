/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_THRESHOLDS_KEPT_H
#define HALE_THRESHOLDS_KEPT_H
/*
 * kept - what percentile, stddev, baseline and forecast keep beside the slots of their window.
 * Their slots are judged when a window closes, never per sample. Included by kept.c and the files of
 * the functions; the engine itself asks inner.h's thresholds_kept_*.
 */
#include "thresholds/bytes.h"

/* --- baseline.c ----------------------------------------------------------------------- */
struct history *thresholds_history_new(const struct hale_subexpr *x);
size_t thresholds_history_bytes(const struct history *h);
/* A slot left the window: in the order of time. */
void thresholds_history_learn(struct history *h, int64_t start_s, const struct slot *s);
/* Robust deviations, signed; false: not enough history. */
bool thresholds_history_deviation(struct history *h, int64_t start_s, double average,
                                  double *out);
void thresholds_history_put(const struct history *h, struct hale_buf *out);
bool thresholds_history_get(struct history *h, struct cursor *c);
/* Of n > 0 values, which are sorted by it. */
double thresholds_median(double *v, unsigned n);

/* --- forecast.c ----------------------------------------------------------------------- */
unsigned thresholds_forecast_steps(const struct hale_subexpr *x);
struct points *thresholds_points_new(void);
size_t thresholds_points_bytes(void);
void thresholds_points_learn(struct points *p, int64_t start_s, const struct slot *s);
bool thresholds_points_since(const struct points *p, int64_t from_s);
/* The line that ends with slot `last`; false: too few points. */
bool thresholds_points_forecast(struct sub *a, unsigned last,
                                const struct hale_subexpr *x, double *out);
void thresholds_points_put(const struct points *p, struct hale_buf *out);
/* All of before_s, in order. */
bool thresholds_points_get(struct points *p, struct cursor *c, int64_t before_s);
#endif
