/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/event_list.h"

#include <stdlib.h>
#include <string.h>

#include "model/limits.h"
#include "model/series.h"

enum hale_rc collector_event_list_init(struct collector_event_list *l, size_t n,
                                       struct hale_err *err)
{
    memset(l, 0, sizeof(*l));
    if (n > COLLECTOR_EVENTS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "more than %d events: send them in parts",
                            COLLECTOR_EVENTS_MAX);
    l->v = calloc(n > 0 ? n : 1, sizeof(l->v[0]));
    return l->v != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

void collector_event_list_fini(struct collector_event_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        hale_buf_fini(&l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

enum hale_rc collector_event_list_add(struct collector_event_list *l,
                                      const struct hale_event *e, struct hale_err *err)
{
    struct hale_buf *b = &l->v[l->n];

    hale_buf_init(b, HALE_EVENT_MAX_BYTES);
    if (hale_event_encode(e, b) == HALE_OK && !b->failed) {
        l->n++;
        return HALE_OK;
    }
    hale_buf_fini(b);
    return hale_err_set(err, HALE_E_INVAL, "an event may have at most %d bytes",
                        HALE_EVENT_MAX_BYTES);
}

const struct collector_severity_word *
collector_severity_find(const struct collector_severity_word *table, struct hale_str word)
{
    while (table->word != NULL && !hale_str_ieq_c(word, table->word))
        table++;
    return table->word != NULL ? table : NULL;
}

enum hale_rc collector_event_check_dimensions(json_t *dimensions, const char *what,
                                              struct hale_err *err)
{
    const char *key;
    json_t *value;

    if (json_object_size(dimensions) > HALE_DIMS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "more than %d %ss", HALE_DIMS_MAX, what);
    json_object_foreach (dimensions, key, value) {
        if (!json_is_string(value))
            return hale_err_set(err, HALE_E_INVAL, "%s %.100s must be a string", what,
                                key);
        enum hale_rc rc =
            hale_series_check_dim(hale_str_from(key), collector_json_text(value), err);
        if (rc != HALE_OK)
            return rc;
    }
    return HALE_OK;
}

struct hale_str collector_json_text(const json_t *j)
{
    return (struct hale_str){json_string_value(j), json_string_length(j)};
}
