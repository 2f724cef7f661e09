/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_ALARM_JSON_H
#define HALE_MODEL_ALARM_JSON_H
/*
 * alarm_json - what the codecs of alarm.h share beyond json_util. Private to lib/model.
 */
#include "model/alarm.h"

/* Texts by value of enum hale_state and enum hale_severity, NULL-terminated. */
extern const char *const hale_state_choices[];
extern const char *const hale_severity_choices[];

/* Decodes an already parsed alarm record. *out is zeroed on failure. */
HALE_MUST_CHECK enum hale_rc hale_alarm_from_json(json_t *object, struct hale_alarm *out);
#endif
