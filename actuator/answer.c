/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/answer.h"

/* Date has whole seconds, and the answer was under way for a part of took_us: less is no difference. */
#define DATE_SLACK_MS 1500

static int64_t behind_ms(const struct hale_http_result *r, int64_t now_ms)
{
    int64_t date_ms = hale_http_result_date_ms(r);
    int64_t behind = now_ms - date_ms;
    return date_ms > 0 && behind > r->took_us / 1000 + DATE_SLACK_MS ? behind : 0;
}

struct actuator_answer actuator_answer_of(const struct hale_http_result *r,
                                          int64_t now_ms)
{
    return (struct actuator_answer){.rc = r->rc,
                                    .sent = r->sent,
                                    .status = r->status,
                                    .body = r->body,
                                    .location = hale_http_result_header(r, "Location"),
                                    .retry_after =
                                        hale_http_result_header(r, "Retry-After"),
                                    .link = hale_http_result_header(r, "Link"),
                                    .took_us = r->took_us,
                                    .behind_ms = behind_ms(r, now_ms),
                                    .error = r->error};
}
