/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_THRESHOLDS_REFERENCE_H
#define HALE_TESTS_THRESHOLDS_REFERENCE_H
/*
 * reference - percentile, deviation, baseline and forecast as their definitions read, over lists of
 * values, without any regard to cost. Included by exactly one .c of each test program.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static inline int reference_order(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static inline double reference_median(double *v, unsigned n)
{
    qsort(v, n, sizeof(v[0]), reference_order);
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* The smallest value that at least `percent` of all are not above. */
static inline double reference_percentile(const double *v, unsigned n, double percent)
{
    double best = INFINITY;
    for (unsigned i = 0; i < n; i++) {
        unsigned below = 0;
        for (unsigned k = 0; k < n; k++)
            below += v[k] <= v[i];
        if ((double)below * 100 >= percent * n - 1e-6 && v[i] < best)
            best = v[i];
    }
    return best;
}

static inline double reference_stddev(const double *v, unsigned n)
{
    double mean = 0, squares = 0;
    for (unsigned i = 0; i < n; i++)
        mean += v[i] / n;
    for (unsigned i = 0; i < n; i++)
        squares += (v[i] - mean) * (v[i] - mean);
    return sqrt(squares / n);
}

/* means: of the hours `hour` - 24 * days - 1 to `hour` + 1, NAN: no data. */
static inline bool reference_baseline(const double *means, unsigned days, double average,
                                      double *out)
{
    double rest[100], usual = 0;
    unsigned n_rest = 0;
    for (int j = -1; j <= 1; j++) {
        double same[30], copy[30];
        unsigned n = 0;
        for (unsigned day = 1; day <= days; day++) {
            double mean = means[24 * (days - day) + 1 + (unsigned)(j + 1) - 1];
            if (!isnan(mean))
                same[n++] = mean;
        }
        if (n < 3 && j == 0)
            return false;
        if (n < 3)
            continue;
        for (unsigned i = 0; i < n; i++)
            copy[i] = same[i];
        double median = reference_median(copy, n);
        for (unsigned i = 0; i < n; i++)
            rest[n_rest++] = fabs(same[i] - median);
        if (j == 0)
            usual = median;
    }
    double sigma = fmax(1.4826 * reference_median(rest, n_rest), fabs(usual) / 100);
    if (sigma == 0)
        *out = average > usual ? 1000 : average < usual ? -1000 : 0;
    else
        *out = fmax(-1000, fmin(1000, (average - usual) / sigma));
    return true;
}

/* Points (t, y) in order, t in seconds before the end of a period of `steps` x `step_s`. */
static inline bool reference_forecast(const double *t, const double *y, unsigned n,
                                      double period_s, double horizon_s, double *out)
{
    double slopes[1000], rest[100];
    unsigned n_slopes = 0;
    if (n < 5 || t[n - 1] < -period_s / 2 || t[n - 1] - t[0] < period_s / 2)
        return false;
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = i + 1; k < n; k++)
            slopes[n_slopes++] = (y[k] - y[i]) / (t[k] - t[i]);
    double slope = reference_median(slopes, n_slopes);
    for (unsigned i = 0; i < n; i++)
        rest[i] = y[i] - slope * t[i];
    *out = reference_median(rest, n) + slope * horizon_s;
    return true;
}
#endif
