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
/* A plain YAML value as JSON (new): true, false and numbers that are not quoted become JSON's, all else is
 * text. NULL: not UTF-8, or no memory. */
json_t *actuator_read_scalar(const struct hale_yaml_node *node);
/* A map of scalars as a JSON object (new; also set on failure). as_text: every value is
 * text; else true, false and numbers that are not quoted become JSON's. */
HALE_MUST_CHECK enum hale_rc actuator_read_map(const struct hale_yaml_node *map,
                                               const char *what, bool as_text,
                                               json_t **out, struct hale_err *err);
/* Header names are tokens, values templates without control characters. */
HALE_MUST_CHECK enum hale_rc actuator_read_check_headers(const struct hale_yaml_node *map,
                                                         const json_t *headers,
                                                         struct hale_err *err);
/* Takes the text out of *from. */
char *actuator_read_move(char **from);
/* The file of the map's key must be readable now and hold something: what cannot work is found at the
 * start. Its content is not kept. path NULL: nothing to look at. */
HALE_MUST_CHECK enum hale_rc actuator_read_file(const struct hale_yaml_node *map,
                                                const char *key, const char *path,
                                                size_t max_bytes, struct hale_err *err);
/* A map of named things, `key: {name: {...}}`, names of 1 to 64 bytes: calls add with each, stops at a
 * failure. A node of NULL kind: none. */
struct actuator_named {
    const char *key, *item; /* "clouds", "a cloud" */
    const char *example;    /* keys of one, for the error */
    size_t max;
};
HALE_MUST_CHECK enum hale_rc actuator_read_named(
    const struct hale_yaml_node *map, const struct actuator_named *kind,
    enum hale_rc (*add)(const struct hale_yaml_node *map, struct hale_str name, void *arg,
                        struct hale_err *err),
    void *arg, struct hale_err *err);
/* ", did you mean 'x'?" of names (NULL-terminated), or ""; points into dst. */
const char *actuator_read_near(const char *const *names, const char *name, char *dst,
                               size_t size);
#endif
