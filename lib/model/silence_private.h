/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_SILENCE_PRIVATE_H
#define HALE_MODEL_SILENCE_PRIVATE_H
/*
 * silence_private - what silence.c and silence_form.c share. Private to lib/model.
 */
#include "model/silence.h"

extern const char *const hale_silence_repeats[]; /* by enum hale_repeat */
extern const char *const hale_silence_days[7];
HALE_MUST_CHECK enum hale_rc
hale_silence_repeat_read(const json_t *o, struct hale_silence *s, struct hale_err *err);
#endif
