/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf_grouping.h"

#include <string.h>

#include "actuator/read.h"

const char *const actuator_grouping_keys[ACTUATOR_GROUPING_KEYS] = {
    "group_by", "group_wait", "group_interval", "repeat_interval"};

static enum hale_rc add_label(const struct hale_yaml_node *item, void *arg,
                              struct hale_err *err)
{
    struct actuator_grouping *g = arg;
    struct hale_str text = hale_yaml_text(item);
    if (hale_str_eq_c(text, "...")) {
        g->by_all = true;
        return HALE_OK;
    }
    if (text.len == 0 || text.len > 255)
        return hale_yaml_error(item, err, "group_by: a label has 1 to 255 bytes");
    if (g->n_by == ACTUATOR_GROUP_BY_MAX)
        return hale_yaml_error(item, err, "group_by: at most %d labels",
                               ACTUATOR_GROUP_BY_MAX);
    g->by[g->n_by] = strndup(text.p, text.len);
    if (g->by[g->n_by] == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    g->n_by++;
    return HALE_OK;
}

enum hale_rc actuator_grouping_read(const struct hale_yaml_node *map,
                                    const struct actuator_grouping_raw *raw,
                                    struct actuator_grouping *g, struct hale_err *err)
{
    for (size_t i = 0; i < ACTUATOR_GROUPING_KEYS; i++)
        g->on = g->on || hale_yaml_kind(hale_yaml_get(map, actuator_grouping_keys[i])) !=
                             HALE_YAML_NULL;
    if (!g->on)
        return HALE_OK;
    g->wait_ms = raw->group_wait;
    g->interval_ms = raw->group_interval;
    g->repeat_ms = raw->repeat_interval;
    if (hale_yaml_kind(raw->group_by) == HALE_YAML_NULL ||
        (hale_yaml_kind(raw->group_by) == HALE_YAML_LIST &&
         hale_yaml_count(raw->group_by) == 0))
        return HALE_OK;
    return actuator_read_each(raw->group_by, "group_by", err, add_label, g);
}
