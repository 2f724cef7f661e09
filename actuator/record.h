/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_RECORD_H
#define HALE_ACTUATOR_RECORD_H
/* record - an alarm log record as those outside are told of it: an alarm that was deleted while they
 * knew of it is OK. Pure. */
#include "model/alarm.h"

HALE_MUST_CHECK enum hale_rc actuator_record_decode(struct hale_str json,
                                                    struct hale_log_record *out);
#endif
