/* SPDX-License-Identifier: Apache-2.0 */
/* lab_correlator - the correlator's side of the lab: what correlator/feed.c and load.c do with Redis. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lab_inner.h"
#include "model/definition.h"
#include "model/topology.h"

static void on_log(void *arg, const struct hale_log_record *r)
{
    struct cli_lab *lab = arg;
    hale_buf_reset(&lab->scratch);
    enum hale_rc rc = hale_log_record_encode(r, &lab->scratch);
    if (lab_note(lab, rc) == HALE_OK)
        (void)lab_push(lab, &lab->logs, hale_buf_str(&lab->scratch));
}

/* A field as a key of a JSON object, where NUL ends it; no field has an \x01. */
#define KEY_NUL '\x01'

static char *key_of(struct hale_str field)
{
    char *key = malloc(field.len + 1);
    for (size_t i = 0; key != NULL && i < field.len; i++)
        key[i] = field.p[i] == '\0' ? KEY_NUL : field.p[i];
    if (key != NULL)
        key[field.len] = '\0';
    return key;
}

static void field_of(char *key, size_t len)
{
    for (size_t i = 0; i < len; i++)
        key[i] = key[i] == KEY_NUL ? '\0' : key[i];
}

static void on_put(void *arg, enum correlator_table table, struct hale_str field,
                   struct hale_str value)
{
    struct cli_lab *lab = arg;
    char *key = key_of(field);
    if (key == NULL || json_object_set_new(lab->tables[table], key,
                                           json_stringn(value.p, value.len)) != 0)
        (void)lab_note(lab, HALE_E_NOMEM);
    free(key);
}

static void on_del(void *arg, enum correlator_table table, struct hale_str field)
{
    struct cli_lab *lab = arg;
    char *key = key_of(field);
    if (key == NULL)
        (void)lab_note(lab, HALE_E_NOMEM);
    else
        (void)json_object_del(lab->tables[table], key);
    free(key);
}

const struct correlator_input *
lab_correlator_in(struct cli_lab *lab, struct correlator_input *in, char *id, size_t size)
{
    (void)snprintf(id, size, "%" PRId64 "-%" PRIu64, lab->now_ms, lab->entries++);
    *in = (struct correlator_input){
        .entry_id = id, .entry_ms = lab->now_ms, .now_us = lab->now_ms * 1000};
    return in;
}

/* As the daemon: what no entry brings takes no place among them, so a restart moves no later one. */
static struct correlator_input no_entry(const struct cli_lab *lab, int64_t entry_ms)
{
    return (struct correlator_input){
        .entry_id = "0-0", .entry_ms = entry_ms, .now_us = lab->now_ms * 1000};
}

/* --- loading ----------------------------------------------------------------------- */

static enum hale_rc load_definitions(struct cli_lab *lab)
{
    const char *name;
    json_t *text;
    enum hale_rc rc = HALE_OK;
    json_object_foreach (lab->definitions, name, text) {
        struct hale_definition *d = NULL;
        if (rc == HALE_OK)
            rc = hale_definition_decode(hale_str_from(json_string_value(text)), &d, NULL);
        if (rc == HALE_OK)
            rc = correlator_engine_define(lab->correlator, d, NULL);
    }
    return rc;
}

static enum hale_rc load_row(struct cli_lab *lab, enum correlator_table table,
                             const char *key, const json_t *value)
{
    const struct hale_str text = {json_string_value(value), json_string_length(value)};
    size_t len = strlen(key);
    char *field = strdup(key);
    if (field == NULL)
        return HALE_E_NOMEM;
    field_of(field, len);
    enum hale_rc rc = correlator_engine_load(lab->correlator, table,
                                             (struct hale_str){field, len}, text);
    free(field);
    return rc;
}

static enum hale_rc load_table(struct cli_lab *lab, enum correlator_table table)
{
    const char *key;
    json_t *value;
    enum hale_rc rc = HALE_OK;
    json_t *rows = json_copy(lab->tables[table]); /* loading may change the table */
    json_object_foreach (rows, key, value)
        if (rc == HALE_OK)
            rc = load_row(lab, table, key, value);
    json_decref(rows);
    return rc;
}

enum hale_rc lab_correlator_boot(struct cli_lab *lab)
{
    const struct correlator_sink sink = {
        .arg = lab, .log = on_log, .put = on_put, .del = on_del};
    const struct correlator_input in = no_entry(lab, lab->stream_ms);
    lab->correlator = correlator_engine_new(&lab->conf->correlator, &sink);
    if (lab->correlator == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = load_definitions(lab);
    if (rc == HALE_OK)
        rc = load_table(lab, CORRELATOR_ENTITIES);
    if (rc == HALE_OK)
        rc = lab_silences_load(lab);
    if (rc == HALE_OK)
        rc = load_table(lab, CORRELATOR_SUBS);
    if (rc == HALE_OK)
        rc = load_table(lab, CORRELATOR_ALARMS);
    if (rc == HALE_OK)
        rc = correlator_engine_loaded(lab->correlator, lab->seq, &in);
    return rc == HALE_OK ? lab_correlator_commit(lab) : rc;
}

/* --- inputs ------------------------------------------------------------------------ */

static void tell(struct cli_lab *lab, const char *text)
{
    const struct cli_lab_sink *sink = &lab->conf->sink;
    struct hale_log_record r;
    if (lab_note(lab, hale_log_record_decode(hale_str_from(text), &r)) != HALE_OK)
        return;
    if (sink->log != NULL)
        sink->log(sink->arg, &r);
    lab_acts_record(&lab->acts, &r);
    hale_log_record_fini(&r);
}

enum hale_rc lab_correlator_commit(struct cli_lab *lab)
{
    char *text;
    enum hale_rc rc = lab_note(lab, correlator_engine_flush(lab->correlator));
    lab->seq = correlator_engine_seq(lab->correlator);
    lab->stream_ms = correlator_engine_stream_ms(lab->correlator);
    while ((text = lab_pop(&lab->logs)) != NULL) {
        if (rc == HALE_OK)
            tell(lab, text);
        free(text);
    }
    return lab->failed;
}

static enum hale_rc do_due(struct cli_lab *lab)
{
    const struct correlator_input in = no_entry(lab, lab->now_ms);
    if (correlator_engine_next_due(lab->correlator) > lab->now_ms)
        return HALE_OK;
    enum hale_rc rc = correlator_engine_due(lab->correlator, lab->now_ms, &in);
    return rc == HALE_OK ? lab_correlator_commit(lab) : rc;
}

static enum hale_rc take_sub(struct cli_lab *lab, const char *text)
{
    struct hale_sub_record r;
    struct correlator_input in;
    char id[48];
    enum hale_rc rc = hale_sub_record_decode(hale_str_from(text), &r);
    if (rc != HALE_OK)
        return rc;
    rc = correlator_engine_sub(lab->correlator, &r,
                               lab_correlator_in(lab, &in, id, sizeof(id)));
    if (rc == HALE_E_INVAL) /* of a definition that has changed since: no effect */
        rc = HALE_OK;
    hale_sub_record_fini(&r);
    return rc == HALE_OK ? lab_correlator_commit(lab) : rc;
}

enum hale_rc lab_correlator_turn(struct cli_lab *lab)
{
    char *text;
    enum hale_rc rc = do_due(lab);
    while ((text = lab_pop(&lab->subs)) != NULL) {
        if (rc == HALE_OK)
            rc = take_sub(lab, text);
        free(text);
    }
    return lab_note(lab, rc);
}

enum hale_rc cli_lab_topology(struct cli_lab *lab, struct hale_str update,
                              struct hale_err *err)
{
    struct hale_topology_update u;
    struct correlator_input in;
    char id[48];
    enum hale_rc rc = hale_topology_update_decode(update, &u, err);
    if (rc != HALE_OK)
        return rc;
    rc = lab_correlator_turn(lab);
    if (rc == HALE_OK)
        rc = correlator_engine_topology(lab->correlator, &u,
                                        lab_correlator_in(lab, &in, id, sizeof(id)));
    if (rc == HALE_OK)
        rc = lab_correlator_commit(lab);
    hale_topology_update_fini(&u);
    return lab_note(lab, rc);
}
