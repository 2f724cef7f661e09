/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/statsd_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/statsd.h"
#include "base/assert.h"
#include "base/map.h"
#include "model/series.h"

#define TEXT_MAX_BYTES 16384 /* decoded name and tags of a line */

struct metric {
    enum agent_statsd_type type;
    unsigned n_dims;
    struct agent_dim dims[AGENT_DIMS_MAX]; /* into text */
    unsigned idle;                         /* flushes without a value */
    uint64_t n;                            /* values since the last flush */
    double sum, last, first;
    int64_t first_ms, last_ms;
    char text[]; /* name, then keys and values, each with a NUL */
};

struct agent_statsd_table {
    struct hale_map *metrics;
    struct hale_buf key;  /* of the line at hand */
    struct hale_buf text; /* of a new metric */
};

struct agent_statsd_table *agent_statsd_table_new(size_t max_metrics)
{
    struct agent_statsd_table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    hale_buf_init(&t->key, TEXT_MAX_BYTES);
    hale_buf_init(&t->text, TEXT_MAX_BYTES);
    t->metrics = hale_map_new(max_metrics, free);
    if (t->metrics == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

void agent_statsd_table_free(struct agent_statsd_table *t)
{
    if (t == NULL)
        return;
    hale_map_free(t->metrics);
    hale_buf_fini(&t->key);
    hale_buf_fini(&t->text);
    free(t);
}

size_t agent_statsd_table_count(const struct agent_statsd_table *t)
{
    return hale_map_count(t->metrics);
}

/* Whether a tag before the one at offset `at` has its key. */
static bool is_double(const struct agent_statsd_table *t, size_t at, const char *key)
{
    const char *p = t->text.p + strlen(t->text.p) + 1;

    while (p < t->text.p + at) {
        if (strcmp(p, key) == 0)
            return true;
        p += strlen(p) + 1; /* the value */
        p += strlen(p) + 1;
    }
    return false;
}

static enum hale_rc decode(struct agent_statsd_table *t,
                           const struct agent_statsd_line *line, unsigned *n_out,
                           struct hale_err *err)
{
    struct hale_str rest = line->tags;
    enum hale_rc rc = hale_series_check_name(line->name, err);

    if (rc != HALE_OK)
        return rc;
    hale_buf_reset(&t->text);
    hale_buf_add(&t->text, line->name.p, line->name.len);
    hale_buf_add_char(&t->text, '\0');
    for (*n_out = 0;; (*n_out)++) {
        size_t at = t->text.len;
        rc = agent_statsd_next_tag(line->tags_form, &rest, &t->text);
        if (rc == HALE_E_CLOSED)
            return HALE_OK;
        if (rc != HALE_OK)
            return hale_err_set(err, HALE_E_INVAL, "the dimensions cannot be read");
        if (*n_out == AGENT_DIMS_MAX)
            return hale_err_set(err, HALE_E_INVAL, "more than %d dimensions",
                                AGENT_DIMS_MAX);
        const char *key = t->text.p + at;
        const char *value = key + strlen(key) + 1;
        rc = hale_series_check_dim(hale_str_from(key), hale_str_from(value), err);
        if (rc == HALE_OK && is_double(t, at, key))
            rc = hale_err_set(err, HALE_E_INVAL, "dimension %s twice", key);
        if (rc != HALE_OK)
            return rc;
    }
}

/* NULL: err says why. */
static struct metric *new_metric(struct agent_statsd_table *t,
                                 const struct agent_statsd_line *line,
                                 struct hale_err *err)
{
    unsigned n = 0;

    if (decode(t, line, &n, err) != HALE_OK)
        return NULL;
    struct metric *m = calloc(1, sizeof(*m) + t->text.len);
    if (m == NULL) {
        (void)hale_err_set(err, HALE_E_NOMEM, "out of memory");
        return NULL;
    }
    memcpy(m->text, t->text.p, t->text.len);
    m->type = line->type;
    m->n_dims = n;
    const char *p = m->text + strlen(m->text) + 1;
    for (unsigned i = 0; i < n; i++) {
        m->dims[i].key = p;
        p += strlen(p) + 1;
        m->dims[i].value = p;
        p += strlen(p) + 1;
    }
    enum hale_rc rc = hale_map_put(t->metrics, hale_buf_str(&t->key), m);
    if (rc != HALE_OK) {
        free(m);
        (void)hale_err_set(err, rc,
                           rc == HALE_E_LIMIT
                               ? "more metrics than max_metrics; raise it, or send "
                                 "fewer dimensions"
                               : "out of memory");
        return NULL;
    }
    return m;
}

/* The numbers are checked before a metric is made, so that a bad line leaves nothing behind. */
static enum hale_rc check_values(struct hale_str values, struct hale_err *err)
{
    double v;

    while (values.p != NULL) {
        if (hale_str_double(hale_str_split(&values, ':'), &v) != HALE_OK)
            return hale_err_set(err, HALE_E_INVAL, "the value is not a finite number");
    }
    return HALE_OK;
}

static void take(struct metric *m, double v, double rate, int64_t now_ms)
{
    if (m->n == 0) {
        m->sum = 0;
        m->first = v;
        m->first_ms = now_ms;
    }
    m->sum += v / rate;
    m->last = v;
    m->last_ms = now_ms;
    m->n++;
}

enum hale_rc agent_statsd_table_add(struct agent_statsd_table *t, struct hale_str text,
                                    int64_t now_ms, struct hale_err *err)
{
    struct agent_statsd_line line;
    const char *why = "";

    if (memchr(text.p, '\0', text.len) != NULL)
        return hale_err_set(err, HALE_E_INVAL, "a NUL character");
    if (agent_statsd_parse(text, &line, &why) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL, "%s", why);
    enum hale_rc rc = check_values(line.values, err);
    if (rc != HALE_OK)
        return rc;
    hale_buf_reset(&t->key);
    hale_buf_add_char(&t->key, (char)('0' + line.type));
    hale_buf_add_char(&t->key, (char)('0' + line.tags_form));
    hale_buf_add(&t->key, line.name.p, line.name.len);
    hale_buf_add_char(&t->key, '\0');
    hale_buf_add(&t->key, line.tags.p, line.tags.len);
    if (t->key.failed) {
        t->key.failed = false;
        return hale_err_set(err, HALE_E_INVAL, "the line is too long");
    }
    struct metric *m = hale_map_get(t->metrics, hale_buf_str(&t->key));
    if (m == NULL)
        m = new_metric(t, &line, err);
    t->text.failed = false;
    if (m == NULL)
        return err->rc;
    struct hale_str rest = line.values;
    while (rest.p != NULL) {
        double v = 0;
        enum hale_rc number = hale_str_double(hale_str_split(&rest, ':'), &v);
        HALE_ASSERT(number == HALE_OK); /* checked above */
        take(m, v, line.rate, now_ms);
    }
    return HALE_OK;
}

/* False: nothing to say. */
static bool value_of(const struct metric *m, double *out)
{
    switch (m->type) {
    case AGENT_STATSD_COUNTER: *out = round(m->sum); return true;
    case AGENT_STATSD_GAUGE:
    case AGENT_STATSD_TIMER: *out = m->last; return true;
    case AGENT_STATSD_RATE:
        if (m->last_ms == m->first_ms)
            return false;
        *out = (m->last - m->first) * 1000 / (double)(m->last_ms - m->first_ms);
        return true;
    }
    return false;
}

void agent_statsd_table_flush(struct agent_statsd_table *t,
                              void (*emit)(const char *name, const struct agent_dim *dims,
                                           unsigned n_dims, double value, void *arg),
                              void *arg)
{
    struct hale_str key;
    size_t it = 0;

    for (struct metric *m; (m = hale_map_next(t->metrics, &it, &key)) != NULL;) {
        double value;
        if (m->n > 0) {
            if (value_of(m, &value))
                emit(m->text, m->dims, m->n_dims, value, arg);
            m->n = 0;
            m->idle = 0;
        } else if (++m->idle >= AGENT_STATSD_IDLE_FLUSHES) {
            hale_map_del(t->metrics, key);
        }
    }
}
