/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_EXPECT_H
#define HALE_ACTUATOR_EXPECT_H
/*
 * expect - what a JSON answer must hold: a map of JSON pointers (RFC 6901) to the values of which one
 * must be there.
 * Form:      {"/status":["ACTIVE","DON*"],"/n":[3],"/error":[null]}, in YAML also one value instead of
 *            a list.
 * Values:    text is a pattern ('*' any text, '?' any character, '\' before one that means itself) and
 *            is compared with the text of a number, true or false, too; "*" alone: anything but null.
 *            Numbers are compared as numbers. null: null, or not there.
 * Limits:    ACTUATOR_EXPECT_MAX pointers, as many values for each.
 * Threads:   stateless.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/yaml.h"

#define ACTUATOR_EXPECT_MAX  16
#define ACTUATOR_POINTER_MAX 256 /* bytes, with NUL */

/* "" or "/a/b": HALE_E_INVAL with the fix in err->text. */
HALE_MUST_CHECK enum hale_rc actuator_pointer_check(struct hale_str pointer,
                                                    struct hale_err *err);
/* What is there (borrowed), or NULL. */
const json_t *actuator_pointer_get(const json_t *doc, const char *pointer);

/* A map of pointers to values, key names it in errors; strings are templates. *out is new. */
HALE_MUST_CHECK enum hale_rc actuator_expect_read(const struct hale_yaml_node *map,
                                                  const char *key, json_t **out,
                                                  struct hale_err *err);
/* A copy with the variables filled in; their values mean themselves in patterns. */
HALE_MUST_CHECK enum hale_rc actuator_expect_plan(const json_t *expect,
                                                  const json_t *vars, json_t **out,
                                                  char *missing);
/* Every pointer has one of its values. If not, why says which has not. */
bool actuator_expect_all(const json_t *expect, const json_t *doc, char *why, size_t size);
/* Some pointer has one of its values; why says which. */
bool actuator_expect_any(const json_t *expect, const json_t *doc, char *why, size_t size);
#endif
