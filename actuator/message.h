/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_MESSAGE_H
#define HALE_ACTUATOR_MESSAGE_H
/*
 * message - what a notification method is told about an alarm, in the words of Monasca's
 * notification engine (docs/formats/notification.md): the body of a webhook, of PagerDuty's events
 * API v1, and a letter. Pure. Threads: any.
 */
#include "base/buf.h"
#include "base/rc.h"
#include "model/alarm.h"
#include "model/method.h"

struct actuator_message {
    const struct hale_alarm *alarm;
    enum hale_state old_state;
    int64_t time_ms;    /* of the transition */
    const char *id;     /* the same for every try */
    const char *from;   /* of a letter */
    int64_t now_ms;     /* date of a letter */
    const char *thread; /* letters with the same one belong together, or NULL */
};

/* HALE_E_LIMIT: larger than out may be. */
HALE_MUST_CHECK enum hale_rc actuator_message_webhook(const struct actuator_message *m,
                                                      struct hale_buf *out);
HALE_MUST_CHECK enum hale_rc actuator_message_pagerduty(const struct actuator_message *m,
                                                        const char *service_key,
                                                        struct hale_buf *out);
/* A whole letter: head and text, lines end with CRLF, ASCII only. to: NULL-terminated. */
HALE_MUST_CHECK enum hale_rc actuator_message_email(const struct actuator_message *m,
                                                    const char *const *to,
                                                    struct hale_buf *out);
/* The same of a subject and a text of any kind; of m only id, from, now_ms and thread. */
HALE_MUST_CHECK enum hale_rc actuator_message_letter(const struct actuator_message *m,
                                                     const char *const *to,
                                                     struct hale_str subject,
                                                     struct hale_str text,
                                                     struct hale_buf *out);
#endif
