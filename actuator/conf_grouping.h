/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONF_GROUPING_H
#define HALE_ACTUATOR_CONF_GROUPING_H
/*
 * conf_grouping - the keys that put alarms for people into one message (group.h), of subscribers and of
 * notification methods. Any of them turns it on. Threads: stateless.
 */
#include <stdint.h>

#include "actuator/group.h"
#include "model/yaml.h"

struct actuator_grouping_raw {
    const struct hale_yaml_node *group_by;
    int64_t group_wait, group_interval, repeat_interval;
};
#define ACTUATOR_GROUPING_KEYS 4
extern const char *const actuator_grouping_keys[ACTUATOR_GROUPING_KEYS];
#define ACTUATOR_GROUPING_DAY_MS 86400000.0
/* Rows of a table of fields whose struct has a struct actuator_grouping_raw at `at`. */
#define ACTUATOR_GROUPING_FIELDS(at)                                                     \
    {"group_by",                                                                         \
     HALE_CONF_NODE,                                                                     \
     (at) + offsetof(struct actuator_grouping_raw, group_by),                            \
     false,                                                                              \
     NULL,                                                                               \
     0,                                                                                  \
     0,                                                                                  \
     NULL,                                                                               \
     "people: labels whose alarms come in one message, [] for all in one, '...' for "    \
     "each alone"},                                                                      \
        {"group_wait",                                                                   \
         HALE_CONF_DURATION,                                                             \
         (at) + offsetof(struct actuator_grouping_raw, group_wait),                      \
         false,                                                                          \
         "30s",                                                                          \
         0,                                                                              \
         ACTUATOR_GROUPING_DAY_MS,                                                       \
         NULL,                                                                           \
         "people: the first message of a group waits for others"},                       \
        {"group_interval",                                                               \
         HALE_CONF_DURATION,                                                             \
         (at) + offsetof(struct actuator_grouping_raw, group_interval),                  \
         false,                                                                          \
         "5m",                                                                           \
         1000,                                                                           \
         ACTUATOR_GROUPING_DAY_MS,                                                       \
         NULL,                                                                           \
         "people: between messages of a group that has changed"},                        \
    {                                                                                    \
        "repeat_interval", HALE_CONF_DURATION,                                           \
            (at) + offsetof(struct actuator_grouping_raw, repeat_interval), false, "4h", \
            1000, 30 * ACTUATOR_GROUPING_DAY_MS, NULL,                                   \
            "people: the same again while alarms are raised"                             \
    }

/* map: the one that raw was read from. Fills g, which is all zero. */
HALE_MUST_CHECK enum hale_rc
actuator_grouping_read(const struct hale_yaml_node *map,
                       const struct actuator_grouping_raw *raw,
                       struct actuator_grouping *g, struct hale_err *err);
#endif
