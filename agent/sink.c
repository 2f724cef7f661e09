/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/counters.h"
#include "base/assert.h"
#include "base/log.h"
#include "model/limits.h"

#define ERROR_MAX_BYTES 1024

/* Percent-escapes what a dimension value may not hold. */
static char *clean_value(const char *value)
{
    struct hale_buf b;
    hale_buf_init(&b, strlen(value) * 3 + 2);
    for (const char *p = value; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || strchr("<>={},\"\\;&", *p) != NULL)
            hale_buf_printf(&b, "%%%02X", (unsigned char)*p);
        else
            hale_buf_add_char(&b, *p);
    }
    size_t chars;
    while (b.len > 0 && (hale_str_utf8_count(hale_buf_str(&b), &chars) != HALE_OK ||
                         chars > HALE_DIM_VALUE_MAX_CHARS))
        b.p[--b.len] = '\0';
    if (b.len == 0)
        hale_buf_add_char(&b, '-');
    if (b.failed) { /* memory */
        hale_buf_fini(&b);
        return NULL;
    }
    return hale_buf_take(&b);
}

enum hale_rc agent_dims_set(struct agent_dims *d, const char *key, const char *value)
{
    unsigned i = 0;
    char *clean = clean_value(value);
    if (clean == NULL)
        return HALE_E_NOMEM;
    while (i < d->n && strcmp(d->keys[i], key) != 0)
        i++;
    if (i == d->n) {
        char *copy = i < AGENT_DIMS_MAX ? strdup(key) : NULL;
        if (copy == NULL) {
            free(clean);
            return i < AGENT_DIMS_MAX ? HALE_E_NOMEM : HALE_E_LIMIT;
        }
        d->keys[i] = copy;
        d->n++;
    } else {
        free(d->values[i]);
    }
    d->values[i] = clean;
    return HALE_OK;
}

enum hale_rc agent_dims_copy(struct agent_dims *dst, const struct agent_dims *src)
{
    for (unsigned i = 0; i < src->n; i++) {
        enum hale_rc rc = agent_dims_set(dst, src->keys[i], src->values[i]);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

void agent_dims_fini(struct agent_dims *d)
{
    for (unsigned i = 0; i < d->n; i++) {
        free(d->keys[i]);
        free(d->values[i]);
    }
    d->n = 0;
}

void agent_sink_init(struct agent_sink *s)
{
    hale_buf_init(&s->lines, AGENT_SINK_MAX_BYTES);
    s->n = 0;
}

void agent_sink_clear(struct agent_sink *s)
{
    hale_buf_reset(&s->lines);
    s->n = 0;
}

void agent_sink_fini(struct agent_sink *s)
{
    hale_buf_fini(&s->lines);
}

static void add_dim(struct hale_buf *b, bool first, const char *key, const char *value)
{
    if (!first)
        hale_buf_add_char(b, ',');
    hale_buf_add_json(b, hale_str_from(key));
    hale_buf_add_char(b, ':');
    hale_buf_add_json(b, hale_str_from(value));
}

/* A key stands once: what tells a check's series apart wins over what was configured. */
static void add_dims(struct hale_buf *b, const struct agent_dims *dims,
                     const struct agent_dim *extra, unsigned n_extra)
{
    bool first = true;
    for (unsigned i = 0; i < dims->n; i++) {
        bool replaced = false;
        for (unsigned k = 0; k < n_extra && !replaced; k++)
            replaced = strcmp(dims->keys[i], extra[k].key) == 0;
        if (replaced)
            continue;
        add_dim(b, first, dims->keys[i], dims->values[i]);
        first = false;
    }
    for (unsigned i = 0; i < n_extra; i++) {
        char *clean = clean_value(extra[i].value);
        add_dim(b, first, extra[i].key, clean != NULL ? clean : "-");
        free(clean);
        first = false;
    }
}

static void add_error(struct hale_buf *b, const char *error)
{
    struct hale_str text = hale_str_from(error);
    if (text.len > ERROR_MAX_BYTES)
        text.len = ERROR_MAX_BYTES;
    hale_buf_add_c(b, ",\"value_meta\":{\"error\":");
    hale_buf_add_json(b, text);
    hale_buf_add_char(b, '}');
}

void agent_sink_add(struct agent_sink *s, const struct agent_dims *dims,
                    const struct agent_sample *sample)
{
    struct hale_buf *b = &s->lines;
    size_t before = b->len;

    if (!isfinite(sample->value)) {
        hale_counter_add(&agent_counter_dropped_invalid, 1);
        return;
    }
    hale_buf_add_c(b, "{\"name\":");
    hale_buf_add_json(b, hale_str_from(sample->name));
    hale_buf_add_c(b, ",\"dimensions\":{");
    add_dims(b, dims, sample->extra, sample->n_extra);
    hale_buf_printf(b, "},\"timestamp\":%" PRId64 ",\"value\":", sample->time_ms);
    hale_buf_add_double(b, sample->value);
    if (sample->error != NULL)
        add_error(b, sample->error);
    hale_buf_add_c(b, "}\n");
    if (b->failed) { /* full: take the half line back */
        b->len = before;
        if (b->p != NULL)
            b->p[before] = '\0';
        b->failed = false;
        hale_counter_add(&agent_counter_dropped_sink, 1);
        hale_warn("event=sink_full");
        return;
    }
    s->n++;
    hale_counter_add(&agent_counter_samples, 1);
}
