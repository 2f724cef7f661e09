/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lab_inner.h"
#include "model/definition.h"
#include "thresholds/record.h"

#define SERIES_MAX 1000000

/* --- queues ------------------------------------------------------------------------ */

enum hale_rc lab_note(struct cli_lab *lab, enum hale_rc rc)
{
    if (rc != HALE_OK && lab->failed == HALE_OK)
        lab->failed = rc;
    return rc;
}

enum hale_rc lab_push(struct cli_lab *lab, struct lab_queue *q, struct hale_str text)
{
    if (q->head > 0 && q->head == q->n)
        q->head = q->n = 0;
    if (q->n == q->cap) {
        size_t cap = q->cap == 0 ? 64 : q->cap * 2;
        char **v = realloc(q->v, cap * sizeof(*v));
        if (v == NULL)
            return lab_note(lab, HALE_E_NOMEM);
        q->v = v;
        q->cap = cap;
    }
    q->v[q->n] = strndup(text.p, text.len);
    if (q->v[q->n] == NULL)
        return lab_note(lab, HALE_E_NOMEM);
    q->n++;
    return HALE_OK;
}

char *lab_pop(struct lab_queue *q)
{
    return q->head < q->n ? q->v[q->head++] : NULL;
}

static void queue_fini(struct lab_queue *q)
{
    char *text;
    while ((text = lab_pop(q)) != NULL)
        free(text);
    free(q->v);
}

/* --- making ------------------------------------------------------------------------ */

static void on_sub(const struct thresholds_event *ev, void *arg)
{
    struct cli_lab *lab = arg;
    hale_buf_reset(&lab->scratch);
    enum hale_rc rc = thresholds_record_encode(ev, lab->now_ms * 1000, &lab->scratch);
    if (lab_note(lab, rc) == HALE_OK)
        (void)lab_push(lab, &lab->subs, hale_buf_str(&lab->scratch));
}

static struct thresholds_engine *thresholds_make(struct cli_lab *lab)
{
    struct thresholds_limits limits = thresholds_limits_default();
    limits.late_wait_ms = lab->conf->late_wait_ms;
    return thresholds_engine_new(&limits, on_sub, lab);
}

struct cli_lab *cli_lab_new(const struct cli_lab_conf *conf)
{
    struct cli_lab *lab = calloc(1, sizeof(*lab));
    if (lab == NULL)
        return NULL;
    lab->conf = conf;
    lab->now_ms = conf->start_ms;
    hale_buf_init(&lab->scratch, LAB_TEXT_MAX);
    bool tables = true;
    for (unsigned i = 0; i < LAB_TABLES; i++) {
        lab->tables[i] = json_object();
        tables = tables && lab->tables[i] != NULL;
    }
    for (unsigned i = 0; i < 2; i++) {
        lab->silences[i] = json_object();
        tables = tables && lab->silences[i] != NULL;
    }
    lab->definitions = json_object();
    lab->thresholds = thresholds_make(lab);
    enum hale_rc rc = lab->thresholds != NULL && tables && lab->definitions != NULL
                          ? lab_correlator_boot(lab)
                          : HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = lab_acts_boot(&lab->acts, lab);
    if (rc != HALE_OK) {
        cli_lab_free(lab);
        return NULL;
    }
    return lab;
}

void cli_lab_free(struct cli_lab *lab)
{
    if (lab == NULL)
        return;
    lab_acts_fini(&lab->acts);
    correlator_engine_free(lab->correlator);
    thresholds_engine_free(lab->thresholds);
    for (unsigned i = 0; i < lab->n_series; i++)
        hale_buf_fini(&lab->series[i].canonical);
    free(lab->series);
    queue_fini(&lab->subs);
    queue_fini(&lab->logs);
    for (unsigned i = 0; i < LAB_TABLES; i++)
        json_decref(lab->tables[i]);
    json_decref(lab->silences[0]);
    json_decref(lab->silences[1]);
    json_decref(lab->definitions);
    hale_buf_fini(&lab->scratch);
    free(lab);
}

int64_t cli_lab_now_ms(const struct cli_lab *lab)
{
    return lab->now_ms;
}

const json_t *cli_lab_alarms(const struct cli_lab *lab)
{
    return lab->tables[CORRELATOR_ALARMS];
}

const struct thresholds_stats *cli_lab_thresholds(const struct cli_lab *lab)
{
    return thresholds_engine_stats(lab->thresholds);
}

/* --- definitions ------------------------------------------------------------------- */

static struct hale_definition *stored(const struct cli_lab *lab, const char *name)
{
    const char *text = json_string_value(json_object_get(lab->definitions, name));
    struct hale_definition *d = NULL;
    if (text == NULL || hale_definition_decode(hale_str_from(text), &d, NULL) != HALE_OK)
        return NULL;
    return d;
}

/* What the collector adds to a body. The id follows from the name: the same in every run. */
static enum hale_rc complete(const struct cli_lab *lab, struct hale_definition *d,
                             int64_t version)
{
    if (d->id == NULL) {
        char id[HALE_UUID_TEXT];
        hale_id_uuid_from(d->name, strlen(d->name), id);
        d->id = strdup(id);
        d->tenant = strdup(lab->conf->tenant);
        d->created_ms = lab->now_ms;
    }
    d->version = version > 0 ? version : d->version + 1;
    d->updated_ms = lab->now_ms;
    return d->id != NULL && d->tenant != NULL ? HALE_OK : HALE_E_NOMEM;
}

static enum hale_rc tell_engines(struct cli_lab *lab, struct hale_str text)
{
    struct hale_definition *d = NULL;
    struct correlator_input in;
    char id[48];
    enum hale_rc rc = hale_definition_decode(text, &d, NULL);
    if (rc == HALE_OK)
        rc = thresholds_engine_set_definition(lab->thresholds, d, lab->now_ms);
    if (rc == HALE_OK)
        rc = hale_definition_decode(text, &d, NULL);
    if (rc == HALE_OK)
        rc = correlator_engine_define(lab->correlator, d,
                                      lab_correlator_in(lab, &in, id, sizeof(id)));
    return rc;
}

enum hale_rc cli_lab_define(struct cli_lab *lab, const json_t *body, int64_t version,
                            struct hale_err *err)
{
    const char *name = json_string_value(json_object_get(body, "name"));
    struct hale_definition *base = name != NULL ? stored(lab, name) : NULL, *d = NULL;
    struct hale_buf text;
    hale_buf_init(&text, 1u << 20);
    enum hale_rc rc = hale_definition_from_api(body, base, base != NULL, &d, err);
    if (rc == HALE_OK && base != NULL)
        rc = hale_definition_check_update(base, d, err);
    if (rc == HALE_OK)
        rc = complete(lab, d, version);
    if (rc == HALE_OK)
        rc = hale_definition_encode(d, &text);
    if (rc == HALE_OK && json_object_set_new(lab->definitions, d->name,
                                             json_stringn(text.p, text.len)) != 0)
        rc = HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = tell_engines(lab, hale_buf_str(&text));
    if (rc == HALE_OK)
        rc = lab_correlator_commit(lab);
    if (rc == HALE_OK)
        rc = lab_correlator_turn(lab);
    hale_definition_free(base);
    hale_definition_free(d);
    hale_buf_fini(&text);
    return rc;
}

enum hale_rc cli_lab_undefine(struct cli_lab *lab, const char *name)
{
    struct hale_definition *d = stored(lab, name);
    struct correlator_input in;
    char id[48];
    if (d == NULL)
        return HALE_E_NOTFOUND;
    (void)json_object_del(lab->definitions, name);
    thresholds_engine_drop_definition(lab->thresholds, hale_str_from(d->id));
    enum hale_rc rc = correlator_engine_undefine(
        lab->correlator, d->id, lab_correlator_in(lab, &in, id, sizeof(id)));
    if (rc == HALE_OK)
        rc = lab_correlator_commit(lab);
    hale_definition_free(d);
    return lab_note(lab, rc);
}

/* --- samples ----------------------------------------------------------------------- */

static enum hale_rc read_dims(const json_t *dims, struct hale_series *s,
                              struct hale_err *err)
{
    const char *key;
    json_t *value;
    enum hale_rc rc = HALE_OK;
    json_object_foreach ((json_t *)(uintptr_t)dims, key, value) {
        if (s->n_dims == HALE_DIMS_MAX)
            return hale_err_set(err, HALE_E_LIMIT, "more than %d dimensions",
                                HALE_DIMS_MAX);
        struct hale_dim *d = &s->dims[s->n_dims++];
        *d = (struct hale_dim){hale_str_from(key),
                               {json_string_value(value), json_string_length(value)}};
        rc = hale_series_check_dim(d->key, d->value, err);
        if (rc != HALE_OK)
            return rc;
    }
    return hale_series_sort(s, err);
}

enum hale_rc cli_lab_series(struct cli_lab *lab, const char *name, const json_t *dims,
                            unsigned *out, struct hale_err *err)
{
    struct hale_series s = {.tenant = hale_str_from(lab->conf->tenant),
                            .name = hale_str_from(name)};
    enum hale_rc rc = hale_series_check_name(s.name, err);
    if (rc == HALE_OK)
        rc = read_dims(dims, &s, err);
    if (rc != HALE_OK)
        return rc;
    if (lab->n_series == lab->cap_series) {
        unsigned cap = lab->cap_series == 0 ? 64 : lab->cap_series * 2;
        struct lab_series *grown =
            cap <= SERIES_MAX ? realloc(lab->series, cap * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return hale_err_set(err, HALE_E_LIMIT, "too many series");
        lab->series = grown;
        lab->cap_series = cap;
    }
    struct lab_series *at = &lab->series[lab->n_series];
    hale_buf_init(&at->canonical, HALE_SERIES_MAX_BYTES);
    rc = hale_series_encode(&s, &at->canonical);
    if (rc != HALE_OK) {
        hale_buf_fini(&at->canonical);
        return hale_err_set(err, rc, "the series is too long");
    }
    at->id = hale_series_id(hale_buf_str(&at->canonical));
    *out = lab->n_series++;
    return HALE_OK;
}

enum hale_rc cli_lab_sample(struct cli_lab *lab, unsigned series, int64_t time_ms,
                            double value)
{
    struct lab_series *s = &lab->series[series];
    thresholds_engine_tick(lab->thresholds, lab->now_ms - 1);
    thresholds_engine_trim(lab->thresholds);
    struct thresholds_series *known = thresholds_engine_find(lab->thresholds, s->id);
    enum hale_rc rc = HALE_OK;
    if (known == NULL)
        rc = thresholds_engine_series(lab->thresholds, s->id, hale_buf_str(&s->canonical),
                                      lab->now_ms, &known);
    if (rc == HALE_OK)
        thresholds_engine_sample(lab->thresholds, known, time_ms, value, lab->now_ms,
                                 lab->now_ms * 1000);
    if (lab_note(lab, rc) == HALE_OK && lab->subs.head < lab->subs.n)
        (void)lab_correlator_turn(lab); /* latches its failure */
    return lab->failed;
}

/* --- events and commands ----------------------------------------------------------- */

enum hale_rc cli_lab_event(struct cli_lab *lab, const struct hale_event *ev)
{
    struct correlator_input in;
    struct hale_event read;
    char id[48];
    hale_buf_reset(&lab->scratch);
    enum hale_rc rc = hale_event_encode(ev, &lab->scratch);
    if (rc == HALE_OK)
        rc = hale_event_decode(hale_buf_str(&lab->scratch), &read);
    if (rc != HALE_OK)
        return lab_note(lab, rc);
    rc = lab_correlator_turn(lab);
    if (rc == HALE_OK)
        rc = correlator_engine_event(lab->correlator, &read,
                                     lab_correlator_in(lab, &in, id, sizeof(id)));
    if (rc == HALE_OK)
        rc = lab_correlator_commit(lab);
    hale_event_fini(&read);
    return lab_note(lab, rc);
}

static void forget(struct cli_lab *lab, const struct hale_control *c)
{
    struct hale_dim dims[HALE_DIMS_MAX];
    unsigned n = 0;
    const char *key;
    json_t *value;
    json_object_foreach (c->group, key, value) {
        if (n < HALE_DIMS_MAX && json_is_string(value))
            dims[n++] =
                (struct hale_dim){hale_str_from(key),
                                  {json_string_value(value), json_string_length(value)}};
    }
    (void)thresholds_engine_forget(lab->thresholds, hale_str_from(c->definition_id), dims,
                                   n);
}

enum hale_rc cli_lab_control(struct cli_lab *lab, const struct hale_control *c)
{
    struct correlator_input in;
    struct hale_control read;
    char id[48];
    hale_buf_reset(&lab->scratch);
    enum hale_rc rc = hale_control_encode(c, &lab->scratch);
    if (rc == HALE_OK)
        rc = hale_control_decode(hale_buf_str(&lab->scratch), &read);
    if (rc != HALE_OK)
        return lab_note(lab, rc);
    rc = lab_correlator_turn(lab);
    if (rc == HALE_OK)
        rc = correlator_engine_control(lab->correlator, &read,
                                       lab_correlator_in(lab, &in, id, sizeof(id)));
    if (rc == HALE_OK && read.op == HALE_CONTROL_ALARM_DELETE &&
        read.definition_id != NULL && read.group != NULL)
        forget(lab, &read);
    if (rc == HALE_OK)
        rc = lab_correlator_commit(lab);
    hale_control_fini(&read);
    return lab_note(lab, rc);
}

/* --- time -------------------------------------------------------------------------- */

static int64_t next_ms(const struct cli_lab *lab)
{
    int64_t next = thresholds_engine_next_tick(lab->thresholds);
    int64_t due = correlator_engine_next_due(lab->correlator);
    int64_t act = lab_acts_next_ms(&lab->acts);
    next = due < next ? due : next;
    return act < next ? act : next;
}

static enum hale_rc do_due(struct cli_lab *lab)
{
    thresholds_engine_tick(lab->thresholds, lab->now_ms);
    enum hale_rc rc = lab_note(lab, lab_correlator_turn(lab));
    if (rc == HALE_OK)
        lab_acts_turn(&lab->acts);
    return lab_note(lab, rc == HALE_OK ? lab_acts_faults(&lab->acts) : rc);
}

enum hale_rc cli_lab_advance(struct cli_lab *lab, int64_t until_ms)
{
    int64_t next;
    while (lab->failed == HALE_OK && (next = next_ms(lab)) < until_ms) {
        lab->now_ms = next > lab->now_ms ? next : lab->now_ms;
        (void)do_due(lab);
    }
    if (until_ms > lab->now_ms)
        lab->now_ms = until_ms;
    return lab->failed;
}

enum hale_rc cli_lab_settle(struct cli_lab *lab)
{
    while (lab->failed == HALE_OK && next_ms(lab) <= lab->now_ms)
        (void)do_due(lab);
    return lab->failed;
}

/* --- restarts ---------------------------------------------------------------------- */

struct fields {
    size_t n, cap;
    struct hale_str *field, *value;
};

static char *bytes_of(struct hale_str s)
{
    char *copy = malloc(s.len + 1);
    if (copy != NULL)
        memcpy(copy, s.len > 0 ? s.p : "", s.len);
    return copy;
}

static int keep_field(struct hale_str field, struct hale_str value, void *arg)
{
    struct fields *f = arg;
    if (f->n == f->cap) {
        size_t cap = f->cap == 0 ? 64 : f->cap * 2;
        struct hale_str *names = realloc(f->field, cap * sizeof(*names));
        if (names != NULL)
            f->field = names;
        struct hale_str *values = realloc(f->value, cap * sizeof(*values));
        if (values != NULL)
            f->value = values;
        if (names == NULL || values == NULL)
            return 1;
        f->cap = cap;
    }
    f->field[f->n] = (struct hale_str){bytes_of(field), field.len};
    f->value[f->n] = (struct hale_str){bytes_of(value), value.len};
    f->n++;
    return f->field[f->n - 1].p != NULL && f->value[f->n - 1].p != NULL ? 0 : 1;
}

static enum hale_rc thresholds_restart(struct cli_lab *lab)
{
    struct fields f = {0};
    enum hale_rc rc = thresholds_engine_save(lab->thresholds, true, keep_field, &f);
    struct thresholds_engine *fresh = rc == HALE_OK ? thresholds_make(lab) : NULL;
    if (rc == HALE_OK && fresh == NULL)
        rc = HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = thresholds_engine_load(fresh, f.n, f.field, f.value, NULL);
    if (rc == HALE_OK) {
        thresholds_engine_free(lab->thresholds);
        lab->thresholds = fresh;
    } else {
        thresholds_engine_free(fresh);
    }
    for (size_t i = 0; i < f.n; i++) {
        free((char *)(uintptr_t)f.field[i].p);
        free((char *)(uintptr_t)f.value[i].p);
    }
    free(f.field);
    free(f.value);
    return rc;
}

enum hale_rc cli_lab_restart(struct cli_lab *lab, unsigned parts)
{
    enum hale_rc rc = HALE_OK;
    if ((parts & CLI_LAB_THRESHOLDS) != 0)
        rc = thresholds_restart(lab);
    if (rc == HALE_OK && (parts & CLI_LAB_CORRELATOR) != 0) {
        correlator_engine_free(lab->correlator);
        lab->correlator = NULL;
        rc = lab_correlator_boot(lab);
    }
    if (rc == HALE_OK && (parts & CLI_LAB_ACTUATOR) != 0)
        rc = lab_acts_restart(&lab->acts);
    return lab_note(lab, rc);
}
