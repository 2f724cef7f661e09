/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_DEFINITION_PRIVATE_H
#define HALE_MODEL_DEFINITION_PRIVATE_H
/*
 * definition_private - what definition.c and definition_words.c share. Private to lib/model.
 */
#include "model/definition.h"

extern const char *const hale_semantics_choices[];
extern const char *const hale_missing_choices[];
/* A key of the API's form: absent leaves *out_s, null is 0. */
HALE_MUST_CHECK enum hale_rc hale_definition_seconds(const json_t *body, const char *key,
                                                     int64_t max_s, int64_t *out_s,
                                                     struct hale_err *err);
#endif
