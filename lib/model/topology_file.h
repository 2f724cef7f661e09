/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_TOPOLOGY_FILE_H
#define HALE_MODEL_TOPOLOGY_FILE_H
/*
 * topology_file - the topology as people write it, in YAML (docs/formats/topology.md, "File").
 * Errors:    HALE_E_INVAL with file, line and a suggestion.
 * Threads:   stateless.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/rc.h"
#include "model/yaml.h"

/* The body of POST /v1/topology that says the same: {"source","put":[...]}. *out is a new reference. */
HALE_MUST_CHECK enum hale_rc hale_topology_file_read(const struct hale_yaml_node *root,
                                                     json_t **out, struct hale_err *err);
/* Entities (of the API's list) as such a file, without their sources. */
void hale_topology_file_write(const json_t *entities, const char *source,
                              struct hale_buf *out);
#endif
