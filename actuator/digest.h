/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_DIGEST_H
#define HALE_ACTUATOR_DIGEST_H
/*
 * digest - a group of alarms in one message for people: a letter, Slack's or PagerDuty's words.
 * {"group":id,"tenant","time_ms","labels":{},"raised":n,"ended":n,"more":n,"repeat":b,"alarms":[{"raised":b,
 *  "id","definition","name","severity","reason","source","since_ms","link"}]} Pure. Threads: any.
 */
#include "actuator/group.h"
#include "actuator/profile.h"

/* What a message shows of an alarm, JSON to be freed; NULL: no memory. */
char *actuator_digest_show(const struct hale_log_record *rec);
/* New reference; NULL: no memory. */
json_t *actuator_digest_of(const struct actuator_group_message *m, int64_t now_ms);
/* n: id, key, from and to. HALE_E_INVAL: not for people; HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_digest_body(enum actuator_profile p,
                                                  const struct actuator_profile_note *n,
                                                  const json_t *digest,
                                                  struct hale_buf *out);
/* Of PagerDuty's events API v1, one incident a group: what notification methods speak. */
HALE_MUST_CHECK enum hale_rc actuator_digest_incident(const char *service_key,
                                                      const json_t *digest,
                                                      struct hale_buf *out);
#endif
