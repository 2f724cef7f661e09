/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PromQL parser on any text, and what it accepts evaluated over made-up series with small
 * limits: neither may crash, and both must come to an end.
 */
#include <math.h>

#include "base/assert.h"
#include "collector/promql_eval.h"
#include "collector/promql_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SERIES 5

struct world {
    size_t reads; /* the deadline: counted, not timed */
};

static struct collector_promql_label labels[SERIES][4];

/* Every selector finds all series that satisfy it; names a..c with dimensions. */
static void make_labels(void)
{
    static const char *const names[SERIES] = {"x", "x", "up", "load", "b_bucket"};
    static const char *const hosts[SERIES] = {"h1", "h2", "h1", "x", "h2"};
    static const char *const les[SERIES] = {"", "", "zone", "1", "+Inf"};

    for (unsigned i = 0; i < SERIES; i++) {
        labels[i][0] = (struct collector_promql_label){HALE_STR("__name__"),
                                                       hale_str_from(names[i])};
        labels[i][1] =
            (struct collector_promql_label){HALE_STR("host"), hale_str_from(hosts[i])};
        labels[i][2] =
            (struct collector_promql_label){HALE_STR("le"), hale_str_from(les[i])};
    }
}

static enum hale_rc select_series(void *arg, const struct hale_promql_node *selector,
                                  int64_t from_ms, int64_t to_ms,
                                  struct hale_arena *arena,
                                  struct collector_promql_found *out)
{
    (void)arg;
    HALE_ASSERT(from_ms <= to_ms);
    out->labels = hale_arena_array(arena, SERIES, sizeof(*out->labels));
    out->series = hale_arena_array(arena, SERIES, sizeof(*out->series));
    for (unsigned i = 0; i < SERIES; i++) {
        const struct collector_promql_labels *l =
            collector_promql_labels_new(arena, labels[i], 3);
        if (out->labels == NULL || out->series == NULL || l == NULL)
            return HALE_E_NOMEM;
        bool yes = true;
        for (unsigned m = 0; yes && m < selector->n_matchers; m++) {
            const struct hale_promql_matcher *one = &selector->matchers[m];
            enum hale_rc rc =
                hale_promql_matches(one, collector_promql_label(l, one->name), &yes);
            if (rc != HALE_OK)
                return rc;
        }
        if (!yes)
            continue;
        out->labels[out->n] = l;
        out->series[out->n++] = labels[i];
    }
    return HALE_OK;
}

static enum hale_rc read_points(void *arg, void *const *some, size_t n,
                                const struct collector_promql_span *span,
                                struct collector_promql_points *out)
{
    struct world *w = arg;
    size_t which = (size_t)((struct collector_promql_label(*)[4])some[0] - labels);

    (void)n;
    w->reads++;
    for (int64_t t = 0; t < 600000; t += 7000 + 1000 * (int64_t)which) {
        if (t < span->from_ms || t > span->to_ms)
            continue;
        double v = t % 70000 == 0 ? 0 : (double)t / (double)(which + 1) - 1e5;
        if (!collector_promql_points_add(out, t, v, 1))
            return HALE_E_NOMEM;
    }
    return HALE_OK;
}

static bool expired(void *arg)
{
    return ((struct world *)arg)->reads > 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {0};
    const struct collector_promql_source source = {&w, select_series, read_points,
                                                   expired};
    const struct hale_str text = {(const char *)data, size};
    struct hale_promql q;
    struct hale_err err = {0};

    make_labels();
    if (hale_promql_parse(text, &q, &err) != HALE_OK)
        HALE_ASSERT(err.text[0] != '\0' && err.line > 0 && err.col > 0);
    for (size_t steps = 1; q.root != NULL && steps <= 6; steps += 5) {
        struct collector_promql_options o = {.source = &source,
                                             .start_ms = 300000,
                                             .step_ms = 15000,
                                             .n_steps = steps,
                                             .end_ms = 300000 + 5 * 15000,
                                             .lookback_ms = 300000,
                                             .max_samples = 20000,
                                             .instant = steps == 1};
        struct collector_promql_result r;
        struct hale_buf b;
        if (steps > 1 && q.root->type != HALE_PROMQL_SCALAR &&
            q.root->type != HALE_PROMQL_VECTOR)
            break;
        collector_promql_evaluate(q.root, &o, &r);
        hale_buf_init(&b, 1 << 24);
        if (r.fault == COLLECTOR_PROMQL_FINE)
            collector_promql_add_result(&b, &r, &o);
        else
            HALE_ASSERT(r.error[0] != '\0');
        hale_buf_fini(&b);
        collector_promql_result_fini(&r);
    }
    hale_promql_fini(&q);
    return 0;
}
