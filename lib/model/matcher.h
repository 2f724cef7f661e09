/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_MATCHER_H
#define HALE_MODEL_MATCHER_H
/*
 * matcher - conditions on the labels of an alarm, all of which must hold.
 *   [{"name":s,"op":"="|"!="|"=~"|"!~","value":s}, ...]
 * also read: "name=value" as a string, and Alertmanager's {"name","value","isRegex","isEqual"?}.
 * A label that is absent is "", so = "" and != "x" hold without it. Matchers that would all hold for an
 * alarm without any label are refused: they say nothing. Regular expressions are those of base/regex.h, of
 * the whole value; one that is too much work does not match.
 * Limits:    HALE_MATCHERS_MAX matchers.
 * Threads:   one at a time.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/regex.h"
#include "base/str.h"

#define HALE_MATCHERS_MAX      32
#define HALE_MATCHER_NAME_MAX  255  /* bytes */
#define HALE_MATCHER_VALUE_MAX 4096 /* bytes */

enum hale_matcher_op { HALE_MATCH_EQ, HALE_MATCH_NE, HALE_MATCH_RE, HALE_MATCH_NOT_RE };
struct hale_matcher {
    enum hale_matcher_op op;
    char *name, *value;
    struct hale_regex *regex; /* of the last two */
};
struct hale_matchers {
    unsigned n;
    struct hale_matcher v[HALE_MATCHERS_MAX];
};

/* list: a JSON array. *out is empty after a failure. */
HALE_MUST_CHECK enum hale_rc
hale_matchers_read(const json_t *list, struct hale_matchers *out, struct hale_err *err);
void hale_matchers_fini(struct hale_matchers *m);
void hale_matchers_add_json(const struct hale_matchers *m, struct hale_buf *out);
/* Alertmanager's form. */
void hale_matchers_add_am_json(const struct hale_matchers *m, struct hale_buf *out);
/* label: value of that name, {NULL,0}: absent. */
bool hale_matchers_fit(const struct hale_matchers *m,
                       struct hale_str (*label)(void *arg, const char *name), void *arg);
#endif
