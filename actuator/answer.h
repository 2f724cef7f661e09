/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_ANSWER_H
#define HALE_ACTUATOR_ANSWER_H
/* answer - what came back over HTTP, as engines and drivers see it. Borrowed from r. Any thread. */
#include "actuator/step.h"
#include "net/http_client.h"

/* now_ms: wall time, against which the sender's clock (header Date) is held. */
struct actuator_answer actuator_answer_of(const struct hale_http_result *r,
                                          int64_t now_ms);
#endif
