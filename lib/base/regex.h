/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_REGEX_H
#define HALE_BASE_REGEX_H
/*
 * regex - regular expressions of users, matched against whole strings (wraps PCRE2; nobody else
 * includes it). Syntax: Perl's, UTF-8; "." is any character but a newline.
 * Limits:    HALE_REGEX_MAX_BYTES of pattern; the work of one match and its memory are bounded,
 *            so that a hostile pattern ends in HALE_E_LIMIT after about a millisecond.
 * Ownership: an object belongs to its maker. Threads: one at a time.
 */
#include <stdbool.h>

#include "base/rc.h"
#include "base/str.h"

#define HALE_REGEX_MAX_BYTES 65536

struct hale_regex;

/* HALE_E_INVAL: err->text says what is wrong and where. */
HALE_MUST_CHECK enum hale_rc
hale_regex_new(struct hale_str pattern, struct hale_regex **out, struct hale_err *err);
void hale_regex_free(struct hale_regex *r); /* NULL allowed */
/* Whether the whole of text matches. HALE_E_LIMIT: too much work, result unknown; text that is not
 * UTF-8 does not match. */
HALE_MUST_CHECK enum hale_rc hale_regex_match(struct hale_regex *r, struct hale_str text,
                                              bool *matches);
#endif
