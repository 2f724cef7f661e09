/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_SCENARIO_ROWS_H
#define HALE_CLI_SCENARIO_ROWS_H
/*
 * scenario_rows - how the readers of a scenario's inputs and of its expectations write the tables that
 * hale_conf_read takes. Private to cli/scenario_*.c.
 */
#include <stddef.h>

#include "cli/scenario.h"
#include "model/yaml.h"

typedef const struct hale_yaml_node *NODE;

#define TIME_MAX ((double)CLI_SCENARIO_LENGTH_MAX_MS)
#define ROW(type_, key, kind, member, required, fallback, min, max, choices, help)       \
    {                                                                                    \
        key, kind, offsetof(struct type_, member), required, fallback, min, max,         \
            choices, help                                                                \
    }
#endif
