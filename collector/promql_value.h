/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROMQL_VALUE_H
#define HALE_COLLECTOR_PROMQL_VALUE_H
/*
 * promql_value - what PromQL expressions have as values: label sets and one number per step.
 * A vector is dense: each row has a double for every step of the evaluation; where the series has
 * no value stands COLLECTOR_PROMQL_NONE, a NaN that no computation yields.
 * Ownership: everything lives in the evaluation's arena. Threads: one at a time.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "model/promql.h"

struct collector_promql_label {
    struct hale_str name, value;
};
struct collector_promql_labels { /* sorted by name, values not empty */
    uint64_t hash;
    unsigned n;
    struct collector_promql_label v[];
};

struct collector_promql_row {
    const struct collector_promql_labels *labels;
    double *v; /* one per step */
};

struct collector_promql_value {
    enum hale_promql_type type;
    size_t n; /* rows of a vector */
    struct collector_promql_row *rows;
    double *scalar; /* one per step */
    struct hale_str text;
};

static inline uint64_t collector_promql_bits(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof(bits));
    return bits;
}
#define COLLECTOR_PROMQL_NONE_BITS UINT64_C(0x7ff8000048414c45)
static inline bool collector_promql_is_none(double d)
{
    return collector_promql_bits(d) == COLLECTOR_PROMQL_NONE_BITS;
}
static inline double collector_promql_none(void)
{
    uint64_t bits = COLLECTOR_PROMQL_NONE_BITS;
    double d;

    memcpy(&d, &bits, sizeof(d));
    return d;
}

/* Sorts, leaves out empty values, hashes; v is copied, its strings are not. NULL: no memory. */
const struct collector_promql_labels *
collector_promql_labels_new(struct hale_arena *a, const struct collector_promql_label *v,
                            unsigned n);
/* {NULL,0} when absent. */
struct hale_str collector_promql_label(const struct collector_promql_labels *l,
                                       struct hale_str name);
bool collector_promql_labels_eq(const struct collector_promql_labels *a,
                                const struct collector_promql_labels *b);
/* Prometheus' order of results: label by label, name before value. */
int collector_promql_labels_cmp(const struct collector_promql_labels *a,
                                const struct collector_promql_labels *b);
bool collector_promql_has_name(const struct hale_promql_names *names,
                               struct hale_str name);
/* Only the labels named, or (keep false) all but these; __name__ stays only if drop_name is
 * false or keep names it. NULL: no memory. */
const struct collector_promql_labels *collector_promql_labels_pick(
    struct hale_arena *a, const struct collector_promql_labels *l,
    const struct hale_promql_names *names, bool keep, bool drop_name);
/* Without __name__: l itself when it has none. */
const struct collector_promql_labels *
collector_promql_labels_nameless(struct hale_arena *a,
                                 const struct collector_promql_labels *l);

/* Numbers for label sets, in order of appearance. */
struct collector_promql_groups {
    struct hale_arena *arena;
    size_t n, cap, mask;
    const struct collector_promql_labels **labels; /* by number */
    uint32_t *slots;                               /* number + 1, 0: free */
};
#define COLLECTOR_PROMQL_NO_GROUP SIZE_MAX
/* The number of l, new or known; COLLECTOR_PROMQL_NO_GROUP: no memory. */
size_t collector_promql_group(struct collector_promql_groups *g,
                              const struct collector_promql_labels *l);
#endif
