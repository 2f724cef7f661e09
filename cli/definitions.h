/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_DEFINITIONS_H
#define HALE_CLI_DEFINITIONS_H
/*
 * definitions - a YAML file of alarm definitions, read strictly:
 *   alarm_definitions:
 *   - name: cpu-high                 # required, unique in the file
 *     expression: avg(cpu.idle_perc) < 5 times 3      # required
 *     description, severity, match_by, actions_enabled, ok_actions, alarm_actions,
 *     undetermined_actions, semantics, on_missing, missing_after, flap_detection, impact    # as in POST /v2.0/alarm-definitions
 * Every definition is checked by the code the collector uses. Errors name file and line.
 * Ownership: *out is an array of request bodies; the caller decrefs it. Threads: one.
 */
#include <jansson.h>

#include "base/rc.h"
#include "model/yaml.h"

HALE_MUST_CHECK enum hale_rc cli_definitions_load(const char *path, json_t **out,
                                                  struct hale_err *err);
/* The same from the document's root node. */
HALE_MUST_CHECK enum hale_rc cli_definitions_read(const struct hale_yaml_node *root,
                                                  json_t **out, struct hale_err *err);
/* The same from the list of definitions alone. */
HALE_MUST_CHECK enum hale_rc cli_definitions_list(const struct hale_yaml_node *list,
                                                  json_t **out, struct hale_err *err);
#endif
