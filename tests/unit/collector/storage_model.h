/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_UNIT_COLLECTOR_STORAGE_MODEL_H
#define HALE_TESTS_UNIT_COLLECTOR_STORAGE_MODEL_H
/*
 * storage_model - the slow, obviously right storage: a list of all samples. What the collector must
 * answer follows from three rules: of samples that are in time for the archive, or of samples that
 * are not, the last of one time counts; while raw samples are read, these two are one list; late
 * samples are gone hot_retention after the chunk of their arrival has ended.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/lateness.h"

struct model_sample {
    unsigned series;
    int64_t time_ms, arrival_ms;
    double value;
    bool late;
};
struct model {
    struct model_sample *v;
    size_t n, cap;
};
struct model_bucket {
    double n, sum, min, max;
};

static inline void model_add(struct model *m, const struct model_sample *s)
{
    if (m->n == m->cap) {
        m->cap = m->cap > 0 ? 2 * m->cap : 1024;
        m->v = realloc(m->v, m->cap * sizeof(*m->v));
        if (m->v == NULL)
            abort();
    }
    m->v[m->n++] = *s;
}

struct model_question {
    unsigned series;
    int64_t start_ms, end_ms;
    int64_t cut_ms;       /* raw samples from here on */
    int64_t retention_ms; /* of late samples */
    int64_t now_ms;
};

static inline bool model_gone(const struct model_sample *s,
                              const struct model_question *q)
{
    return s->late && (collector_chunk_of(s->arrival_ms) + 1) * COLLECTOR_CHUNK_MS +
                              q->retention_ms <=
                          q->now_ms;
}

/* Whether a later sample takes the place of number i. */
static inline bool model_replaced(const struct model *m, size_t i,
                                  const struct model_question *q)
{
    for (size_t k = i + 1; k < m->n; k++) {
        if (m->v[k].series == m->v[i].series && m->v[k].time_ms == m->v[i].time_ms &&
            (m->v[k].late == m->v[i].late || m->v[i].time_ms >= q->cut_ms) &&
            !model_gone(&m->v[k], q))
            return true;
    }
    return false;
}

static inline struct model_bucket model_ask(const struct model *m,
                                            const struct model_question *q)
{
    struct model_bucket b = {0, 0, INFINITY, -INFINITY};

    for (size_t i = 0; i < m->n; i++) {
        const struct model_sample *s = &m->v[i];
        if (s->series != q->series || s->time_ms < q->start_ms ||
            s->time_ms >= q->end_ms || model_gone(s, q) || model_replaced(m, i, q))
            continue;
        b.n++;
        b.sum += s->value;
        b.min = fmin(b.min, s->value);
        b.max = fmax(b.max, s->value);
    }
    return b;
}
#endif
