/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_TEMPLATE_H
#define HALE_ACTUATOR_TEMPLATE_H
/*
 * template - text with ${name} in it, filled from an object of strings.
 * Syntax:    ${name}, name of 1..255 bytes without '}', '$', '{', blanks and control
 *            bytes; "$${" stands for a literal "${"; a lone '$' is itself. Values are
 *            never expanded again.
 * Safety:    where a value goes decides how it is written: percent-encoded in URLs (where "." and
 *            ".." are no values: they would lead elsewhere), without control bytes in headers; JSON bodies are expanded in the parsed
 *            tree, so that a value can never leave its string.
 * Threads:   stateless.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

#define ACTUATOR_NAME_MAX 256 /* of a variable, with NUL */

/* QUERY: inside a string of PromQL, which the value cannot leave. PATTERN: means itself in a pattern of
 * expect.h. */
enum actuator_escape {
    ACTUATOR_PLAIN,
    ACTUATOR_URL,
    ACTUATOR_HEADER,
    ACTUATOR_QUERY,
    ACTUATOR_PATTERN
};

/* HALE_E_INVAL with err->text for a person. */
HALE_MUST_CHECK enum hale_rc actuator_template_check(struct hale_str text,
                                                     struct hale_err *err);
/* Appends the expansion. HALE_E_NOTFOUND: a variable has no value for this, its name is in missing
 * (ACTUATOR_NAME_MAX bytes). HALE_E_INVAL: bad syntax. HALE_E_LIMIT: out refused. */
HALE_MUST_CHECK enum hale_rc actuator_template_expand(struct hale_str text,
                                                      const json_t *vars,
                                                      enum actuator_escape escape,
                                                      struct hale_buf *out,
                                                      char *missing);
/* The same, but variables whose names begin with later stay as they are written, and so does "$${": for a
 * second expansion. */
HALE_MUST_CHECK enum hale_rc
actuator_template_expand_but(struct hale_str text, const json_t *vars,
                             enum actuator_escape escape, const char *later,
                             struct hale_buf *out, char *missing);
/* A copy of tree with every string value (not the keys) expanded; the caller owns it. */
HALE_MUST_CHECK enum hale_rc actuator_template_json(const json_t *tree,
                                                    const json_t *vars, json_t **out,
                                                    char *missing);
/* actuator_template_check for every string value of tree. */
HALE_MUST_CHECK enum hale_rc actuator_template_check_json(const json_t *tree,
                                                          struct hale_err *err);
#endif
