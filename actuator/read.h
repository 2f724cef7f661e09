/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_READ_H
#define HALE_ACTUATOR_READ_H
/*
 * read - pieces of YAML that policies and configuration share. Errors name file, line
 * and fix.
 * Threads: stateless.
 */
#include <jansson.h>

#include "base/rc.h"
#include "model/yaml.h"

/* One scalar or a non-empty list of scalars: calls each with every one, stops at a
 * failure. */
HALE_MUST_CHECK enum hale_rc
actuator_read_each(const struct hale_yaml_node *node, const char *key,
                   struct hale_err *err,
                   enum hale_rc (*each)(const struct hale_yaml_node *item, void *arg,
                                        struct hale_err *err),
                   void *arg);
/* One word or a list of words (3 or 4, NULL-terminated) as a mask, bit i for words[i]. */
HALE_MUST_CHECK enum hale_rc actuator_read_mask(const struct hale_yaml_node *node,
                                                const char *what,
                                                const char *const *words,
                                                unsigned fallback, unsigned *out,
                                                struct hale_err *err);
/* A map of scalars as a JSON object (new; also set on failure). as_text: every value is
 * text; else true, false and numbers that are not quoted become JSON's. */
HALE_MUST_CHECK enum hale_rc actuator_read_map(const struct hale_yaml_node *map,
                                               const char *what, bool as_text,
                                               json_t **out, struct hale_err *err);
/* Header names are tokens, values templates without control characters. */
HALE_MUST_CHECK enum hale_rc actuator_read_check_headers(const struct hale_yaml_node *map,
                                                         const json_t *headers,
                                                         struct hale_err *err);
#endif
