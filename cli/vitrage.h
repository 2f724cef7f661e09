/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_VITRAGE_H
#define HALE_CLI_VITRAGE_H
/*
 * vitrage - a template of OpenStack Vitrage (version 3) becomes a file of rules
 * (docs/formats/rules.md, "From Vitrage").
 * Threads: any.
 */
#include "base/buf.h"
#include "base/rc.h"

/* Appends the rules as YAML to out, and a line to left_out for each thing that has no counterpart
 * ("f.yaml:12: execute_mistral: ..."): a scenario or an action is translated whole or not at all.
 * What was appended is a valid file of rules, perhaps an empty one. HALE_E_INVAL: not a template of
 * version 3. */
HALE_MUST_CHECK enum hale_rc cli_vitrage_rules(struct hale_str text, const char *source,
                                               struct hale_buf *out,
                                               struct hale_buf *left_out,
                                               struct hale_err *err);
#endif
