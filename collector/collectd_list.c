/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/collectd_list.h"

#include <math.h>
#include <string.h>

#include "collector/labels.h"

#define TIME_MAX_S 9223372036.0 /* the years 1678 to 2262, as in the other formats */
#define NAME_MAX   2048

static enum hale_rc refuse(struct collector_collectd_list *l, struct hale_err *err,
                           const char *reason, const char *text)
{
    l->reason = reason;
    return hale_err_set(err, HALE_E_INVAL, "%s", text);
}

static bool read_part(const json_t *item, const char *key, bool needed,
                      struct hale_str *out)
{
    const json_t *v = json_object_get(item, key);

    *out = (struct hale_str){"", 0};
    if (v == NULL || json_is_null(v))
        return !needed;
    if (!json_is_string(v))
        return false;
    *out = (struct hale_str){json_string_value(v), json_string_length(v)};
    return !needed || out->len > 0;
}

static enum hale_rc read_time(const json_t *v, struct collector_collectd_list *l,
                              struct hale_err *err)
{
    l->has_time = v != NULL && !json_is_null(v);
    if (!l->has_time)
        return HALE_OK;
    double seconds = json_number_value(v);
    if (!json_is_number(v) || !(fabs(seconds) <= TIME_MAX_S))
        return refuse(l, err, "time", "time must be a number of seconds");
    l->time_ms = llround(seconds * 1000);
    return HALE_OK;
}

enum hale_rc collector_collectd_read(const json_t *item,
                                     struct collector_collectd_list *out,
                                     struct hale_err *err)
{
    static const struct {
        const char *key;
        bool needed;
    } PARTS[COLLECTOR_COLLECTD_PARTS] = {
        {"host", true}, {"plugin", true},         {"plugin_instance", false},
        {"type", true}, {"type_instance", false},
    };

    *out = (struct collector_collectd_list){0};
    for (size_t i = 0; i < COLLECTOR_COLLECTD_PARTS; i++) {
        if (!read_part(item, PARTS[i].key, PARTS[i].needed, &out->part[i]))
            return refuse(out, err, "syntax",
                          "a value list needs the texts host, plugin and type "
                          "(notifications are not taken)");
    }
    out->values = json_object_get(item, "values");
    out->n_values = json_array_size(out->values);
    if (out->n_values == 0)
        return refuse(out, err, "syntax", "values must be a list of numbers");
    out->dsnames = json_object_get(item, "dsnames");
    if (out->dsnames == NULL ? out->n_values != 1
                             : json_array_size(out->dsnames) != out->n_values)
        return refuse(out, err, "syntax", "dsnames must name each of the values");
    return read_time(json_object_get(item, "time"), out, err);
}

enum collector_collectd_kind
collector_collectd_value(const struct collector_collectd_list *l, size_t i, double *value,
                         struct hale_str *dsname)
{
    const json_t *v = json_array_get(l->values, i);

    *dsname = HALE_STR("value");
    if (l->dsnames != NULL) {
        const json_t *name = json_array_get(l->dsnames, i);
        if (!json_is_string(name) || json_string_length(name) == 0)
            return COLLECTOR_COLLECTD_BAD;
        *dsname = (struct hale_str){json_string_value(name), json_string_length(name)};
    }
    if (json_is_null(v))
        return COLLECTOR_COLLECTD_NULL;
    *value = json_number_value(v);
    return json_is_number(v) && isfinite(*value) ? COLLECTOR_COLLECTD_NUMBER
                                                 : COLLECTOR_COLLECTD_BAD;
}

/* --- series ---------------------------------------------------------------------------- */

/* The parts, a NUL behind each: jansson lets none into a text. */
size_t collector_collectd_spelling_bytes(const struct collector_collectd_list *l)
{
    size_t n = COLLECTOR_COLLECTD_PARTS;

    for (size_t i = 0; i < COLLECTOR_COLLECTD_PARTS; i++)
        n += l->part[i].len;
    return n;
}

void collector_collectd_spell(const struct collector_collectd_list *l, char *dst)
{
    for (size_t i = 0; i < COLLECTOR_COLLECTD_PARTS; i++) {
        memcpy(dst, l->part[i].p, l->part[i].len);
        dst += l->part[i].len;
        *dst++ = '\0';
    }
}

static void make_name(const struct hale_str *part, struct hale_str dsname,
                      struct hale_buf *name)
{
    hale_buf_add_str(name, part[COLLECTOR_COLLECTD_PLUGIN]);
    hale_buf_add_char(name, '.');
    hale_buf_add_str(name, part[COLLECTOR_COLLECTD_TYPE]);
    if (hale_str_eq_c(dsname, "value"))
        return;
    hale_buf_add_char(name, '.');
    hale_buf_add_str(name, dsname);
}

enum hale_rc collector_collectd_series(struct hale_str spelling, struct hale_str dsname,
                                       struct hale_str tenant, struct hale_str region,
                                       struct hale_buf *out, struct hale_err *err)
{
    struct collector_labels l;
    struct hale_str part[COLLECTOR_COLLECTD_PARTS];
    struct hale_buf name;

    for (size_t i = 0; i < COLLECTOR_COLLECTD_PARTS; i++)
        part[i] = hale_str_split(&spelling, '\0');
    hale_buf_init(&name, NAME_MAX);
    make_name(part, dsname, &name);
    collector_labels_begin(&l, tenant, region, err);
    if (name.failed)
        collector_labels_refuse(&l, "the name is too long");
    collector_labels_name(&l, hale_buf_str(&name));
    collector_labels_put(&l, HALE_STR("hostname"), part[COLLECTOR_COLLECTD_HOST]);
    collector_labels_put(&l, HALE_STR("plugin_instance"),
                         part[COLLECTOR_COLLECTD_PLUGIN_INSTANCE]);
    collector_labels_put(&l, HALE_STR("type_instance"),
                         part[COLLECTOR_COLLECTD_TYPE_INSTANCE]);
    enum hale_rc rc = collector_labels_finish(&l, out);
    hale_buf_fini(&name);
    return rc;
}
