/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/promql_source.h"

#include "base/clock.h"
#include "collector/reader.h"

#define LOOK_EVERY 4096 /* series between two looks at the clock */

static const struct hale_str NAME = {"__name__", 8};
static const struct hale_str REGION = {"__region__", 10};

/* --- labels ------------------------------------------------------------------------------------ */

static bool foreign(const struct collector_promql_store *s,
                    const struct hale_series *text)
{
    return !hale_str_eq_c(text->region, s->c->conf->region);
}

static bool reserved(struct hale_str name)
{
    return hale_str_eq(name, NAME) || hale_str_eq(name, REGION);
}

const struct collector_promql_labels *
collector_promql_store_labels(const struct collector_promql_store *s,
                              const struct collector_series *series,
                              struct hale_arena *arena)
{
    struct collector_promql_label v[HALE_DIMS_MAX + 2];
    struct hale_series text;
    unsigned n = 0;

    if (hale_series_decode(collector_series_text(series), &text) != HALE_OK)
        return collector_promql_labels_new(arena, NULL, 0);
    v[n++] = (struct collector_promql_label){NAME, text.name};
    if (foreign(s, &text))
        v[n++] = (struct collector_promql_label){REGION, text.region};
    for (unsigned i = 0; i < text.n_dims; i++)
        if (!reserved(text.dims[i].key))
            v[n++] =
                (struct collector_promql_label){text.dims[i].key, text.dims[i].value};
    return collector_promql_labels_new(arena, v, n);
}

static struct hale_str value_of(const struct collector_promql_store *s,
                                const struct hale_series *text, struct hale_str label)
{
    if (hale_str_eq(label, NAME))
        return text->name;
    if (hale_str_eq(label, REGION))
        return foreign(s, text) ? text->region : (struct hale_str){NULL, 0};
    return hale_series_dim(text, label);
}

/* --- selection --------------------------------------------------------------------------------- */

/* Values that the catalogue's index can look up: literals, and literals with '|' between them in
 * a regular expression, which is how the catalogue itself writes alternatives. */
static bool is_literal(struct hale_str s, bool alternatives)
{
    bool empty = true; /* the alternative under way */

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || c == '_' || c == '-' || c == ':' ||
                     c == '/' || c == ' ' || c >= 0x80;
        if (c == '|' && (empty || !alternatives))
            return false;
        if (!plain && c != '|' && alternatives)
            return false;
        empty = c == '|';
    }
    return !empty;
}

/* Narrows the catalogue's selection; matches() decides. */
static void narrow(const struct hale_promql_node *n, struct collector_selector *sel)
{
    for (unsigned i = 0; i < n->n_matchers; i++) {
        const struct hale_promql_matcher *m = &n->matchers[i];
        bool equal = m->how == HALE_PROMQL_EQUAL;
        if (!equal && m->how != HALE_PROMQL_REGEX)
            continue;
        if (hale_str_eq(m->name, NAME)) {
            if (equal && m->value.len > 0)
                sel->name = m->value;
        } else if (!hale_str_eq(m->name, REGION) && m->name.len > 0 &&
                   sel->dims.n < HALE_DIMS_MAX && is_literal(m->value, !equal)) {
            sel->dims.v[sel->dims.n++] = (struct collector_dim_filter){m->name, m->value};
        }
    }
}

static enum hale_rc matches(const struct collector_promql_store *s,
                            const struct hale_promql_node *n,
                            const struct collector_series *series, bool *yes)
{
    struct hale_series text;
    enum hale_rc rc = HALE_OK;

    *yes = hale_series_decode(collector_series_text(series), &text) == HALE_OK;
    for (unsigned i = 0; *yes && rc == HALE_OK && i < n->n_matchers; i++)
        rc = hale_promql_matches(&n->matchers[i], value_of(s, &text, n->matchers[i].name),
                                 yes);
    return rc;
}

static bool expired(void *arg)
{
    const struct collector_promql_store *s = arg;

    return hale_clock_mono_ms() >= s->deadline_ms;
}

enum hale_rc collector_promql_store_list(struct collector_promql_store *s,
                                         const struct hale_promql_node *selector,
                                         int64_t from_ms, int64_t to_ms,
                                         struct collector_series_list *out)
{
    struct collector_selector sel = {.tenant = s->tenant,
                                     .start_ms = from_ms,
                                     .end_ms = to_ms == INT64_MAX ? to_ms : to_ms + 1};
    size_t n = 0;

    narrow(selector, &sel);
    enum hale_rc rc = collector_catalog_select(s->c->catalog, &sel, out);
    for (size_t i = 0; rc == HALE_OK && i < out->n; i++) {
        bool yes = false;
        rc = matches(s, selector, out->v[i], &yes);
        if (yes)
            out->v[n++] = out->v[i];
        if (i % LOOK_EVERY == LOOK_EVERY - 1 && expired(s))
            rc = HALE_E_CLOSED;
    }
    out->n = rc == HALE_OK ? n : 0;
    return rc;
}

/* collector_promql_source.select */
static enum hale_rc select_series(void *arg, const struct hale_promql_node *selector,
                                  int64_t from_ms, int64_t to_ms,
                                  struct hale_arena *arena,
                                  struct collector_promql_found *out)
{
    struct collector_promql_store *s = arg;
    struct collector_series_list list = {0};

    enum hale_rc rc = collector_promql_store_list(s, selector, from_ms, to_ms, &list);
    if (rc == HALE_OK) {
        out->labels = hale_arena_array(arena, list.n, sizeof(*out->labels));
        out->series = hale_arena_array(arena, list.n, sizeof(*out->series));
        if (out->labels == NULL || out->series == NULL)
            rc = HALE_E_NOMEM;
    }
    for (size_t i = 0; rc == HALE_OK && i < list.n; i++) {
        out->series[i] = list.v[i];
        out->labels[i] = collector_promql_store_labels(s, list.v[i], arena);
        if (out->labels[i] == NULL)
            rc = HALE_E_NOMEM;
    }
    out->n = rc == HALE_OK ? list.n : 0;
    collector_series_list_fini(&list);
    return rc;
}

/* --- points ------------------------------------------------------------------------------------ */

/* Rows of a fifth of the time over which the points are looked at will do: a multiple of the
 * usual tiers, since the archive answers with rows of divisors. */
static int64_t step_of(int64_t window_ms)
{
    static const int64_t tiers[] = {3600, 300, 60};
    int64_t step_s = window_ms / 5000;

    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++)
        if (step_s >= tiers[i])
            return step_s / tiers[i] * tiers[i];
    return 10;
}

static double value_of_point(const struct collector_point *p,
                             enum collector_promql_what what)
{
    if (what == COLLECTOR_PROMQL_MINIMUM)
        return p->min;
    return what == COLLECTOR_PROMQL_MAXIMUM ? p->max : p->value;
}

/* A sample that came too late for its row of the archive, with the time of the row's start. */
static void join(struct collector_promql_point *p, double v, double weight,
                 enum collector_promql_what what)
{
    if (what == COLLECTOR_PROMQL_MINIMUM)
        p->value = v < p->value ? v : p->value;
    else if (what == COLLECTOR_PROMQL_MAXIMUM)
        p->value = v > p->value ? v : p->value;
    else
        p->value = (p->value * p->weight + v * weight) / (p->weight + weight);
    p->weight += weight;
}

static bool same_span(const struct collector_promql_span *a,
                      const struct collector_promql_span *b)
{
    return a->from_ms == b->from_ms && a->to_ms == b->to_ms &&
           a->window_ms == b->window_ms && a->what == b->what;
}

/* Goes on with the reading under way if it gives this series next, or else begins one. A series by
 * itself does not disturb it. */
static enum hale_rc read_one(struct collector_promql_store *s, void *const *series,
                             size_t n, const struct collector_promql_span *span)
{
    const struct collector_range range = {
        .start_ms = span->from_ms,
        .end_ms = span->to_ms + 1,
        .step_s = step_of(span->window_ms),
        .sums = span->what == COLLECTOR_PROMQL_AVERAGE,
    };

    if (s->n_ahead == 0 || s->ahead != series || !same_span(&s->span, span)) {
        if (n == 1)
            return collector_read(s->c, s->redis, series[0], &range, &s->points);
        collector_reading_free(s->reading);
        s->reading = collector_reading_new(s->c, s->redis,
                                           (struct collector_series *const *)series, n,
                                           &range, hale_clock_wall_ms());
        s->ahead = series;
        s->n_ahead = n;
        s->span = *span;
        if (s->reading == NULL)
            return HALE_E_NOMEM;
    }
    s->ahead++;
    s->n_ahead--;
    return collector_reading_next(s->reading, &s->points);
}

/* collector_promql_source.read */
static enum hale_rc read_points(void *arg, void *const *series, size_t n,
                                const struct collector_promql_span *span,
                                struct collector_promql_points *out)
{
    struct collector_promql_store *s = arg;
    enum hale_rc rc = read_one(s, series, n, span);

    if (s->points.step_s * 1000 > out->coarse_ms)
        out->coarse_ms = s->points.step_s * 1000;
    for (size_t i = 0; rc == HALE_OK && i < s->points.n; i++) {
        const struct collector_point *p = &s->points.v[i];
        double v = value_of_point(p, span->what);
        if (out->n > 0 && out->v[out->n - 1].time_ms == p->time_ms) {
            join(&out->v[out->n - 1], v, p->weight, span->what);
        } else if (!collector_promql_points_add(out, p->time_ms, v, p->weight)) {
            rc = HALE_E_NOMEM;
        }
    }
    return rc;
}

void collector_promql_store_init(struct collector_promql_store *s, struct collector *c,
                                 struct hale_redis *redis, struct hale_str tenant,
                                 int64_t deadline_ms)
{
    *s = (struct collector_promql_store){
        .c = c, .redis = redis, .tenant = tenant, .deadline_ms = deadline_ms};
    s->source = (struct collector_promql_source){s, select_series, read_points, expired};
    collector_points_init(&s->points, COLLECTOR_READ_MAX_POINTS);
}

void collector_promql_store_fini(struct collector_promql_store *s)
{
    collector_reading_free(s->reading);
    collector_points_fini(&s->points);
}
