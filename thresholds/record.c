/* SPDX-License-Identifier: Apache-2.0 */
#include "thresholds/record.h"

#include <jansson.h>

static json_t *dims_json(const struct hale_dim *dims, unsigned n)
{
    char key[4 * HALE_DIM_KEY_MAX_CHARS + 1];
    json_t *o = json_object();
    for (unsigned i = 0; o != NULL && i < n; i++) {
        size_t len = dims[i].key.len < sizeof(key) ? dims[i].key.len : sizeof(key) - 1;
        memcpy(key, dims[i].key.p, len);
        key[len] = '\0';
        if (json_object_set_new(o, key,
                                json_stringn(dims[i].value.p, dims[i].value.len)) != 0) {
            json_decref(o);
            o = NULL;
        }
    }
    return o;
}

static json_t *values_json(const double *values, unsigned n)
{
    json_t *a = json_array();
    for (unsigned i = 0; a != NULL && i < n; i++) {
        if (json_array_append_new(a, json_real(values[i])) != 0) {
            json_decref(a);
            a = NULL;
        }
    }
    return a;
}

static json_t *metrics_json(const struct thresholds_event *ev)
{
    if (ev->series == NULL)
        return json_array();
    json_t *dims = dims_json(ev->series->dims, ev->series->n_dims);
    if (dims == NULL)
        return NULL;
    return json_pack("[{s:s%,s:o}]", "name", ev->series->name.p, ev->series->name.len,
                     "dimensions", dims);
}

enum hale_rc thresholds_record_encode(const struct thresholds_event *ev,
                                      int64_t decided_us, struct hale_buf *out)
{
    struct hale_sub_record r = {
        .kind = ev->kind,
        .definition_id = ev->definition->id,
        .definition_version = ev->definition->version,
        .sub = ev->sub,
        .group = dims_json(ev->group, ev->n_group),
        .state = ev->state,
        .at_ms = ev->at_ms,
        .values = values_json(ev->values, ev->n_values),
        .operands = values_json(ev->operands, ev->n_operands),
        .window_start_ms = ev->window_start_ms,
        .window_end_ms = ev->window_end_ms,
        .metrics = metrics_json(ev),
        .accepted_us = ev->accepted_us,
        .decided_us = decided_us,
        .severity = ev->severity,
        .since_ms = ev->since_ms,
        .missing = ev->missing,
        .learning = ev->learning,
    };
    enum hale_rc rc = HALE_E_NOMEM;
    if (r.group != NULL && r.values != NULL && r.operands != NULL && r.metrics != NULL)
        rc = hale_sub_record_encode(&r, out);
    json_decref(r.group);
    json_decref(r.values);
    json_decref(r.operands);
    json_decref(r.metrics);
    return rc;
}
