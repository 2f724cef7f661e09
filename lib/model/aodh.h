/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_AODH_H
#define HALE_MODEL_AODH_H
/*
 * aodh - an event alarm as OpenStack's Aodh has them: which event of a VM is to be told to whom
 * (docs/formats/aodh.md). Stored as JSON in the hash HALE_KEYS_AODH, by id; the collector writes:
 *   {"v":1,"id":uuid,"tenant":s,"user":s,"name":s,"description":s,"enabled":b,
 *    "severity":"low"|"moderate"|"critical","event_type":pattern,
 *    "query":[{"field":s,"op":"eq"|"ne"|"lt"|"le"|"gt"|"ge","type":s,"value":s}],
 *    "alarm_actions":[url],"ok_actions":[url],"insufficient_data_actions":[url],
 *    "repeat_actions":b,"created_ms":n,"updated_ms":n,"set":{"state":s,"at_ms":n}?,"faults":[s]?}
 * faults: it is a registration at the Server Notifier (notifier.h) with these ids.
 * set: the state that somebody gave it by hand, and when. The state that follows from events is the
 * actuator's (HALE_KEYS_ACT_AODH); of the two the later counts.
 * Ownership: an alarm is its own heap object; free with hale_aodh_free.
 * Threads:   immutable after creation.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/expr.h"

#define HALE_AODH_MAX         100000 /* alarms of all tenants */
#define HALE_AODH_QUERY_MAX   16     /* conditions of one */
#define HALE_AODH_ACTIONS_MAX 10     /* addresses of one state */
#define HALE_AODH_URL_MAX     2048   /* bytes of an address */
#define HALE_AODH_TEXT_MAX    1024   /* bytes of any other text */
#define HALE_AODH_TRAIT_MAX                                                              \
    255 /* characters of a trait; longer text is cropped, as in Ceilometer */

enum hale_aodh_severity { HALE_AODH_LOW, HALE_AODH_MODERATE, HALE_AODH_CRITICAL };
struct hale_aodh {
    char *id, *tenant, *user;
    char *name, *description, *event_type;
    bool enabled, repeat;
    enum hale_aodh_severity severity;
    json_t *query;      /* array of string maps */
    json_t *actions[3]; /* arrays of strings, by enum hale_state */
    int64_t created_ms, updated_ms;
    enum hale_state set; /* if set_ms > 0 */
    int64_t set_ms;
    json_t *faults; /* array of strings, or NULL */
};
void hale_aodh_free(struct hale_aodh *a); /* NULL allowed */

/* "ok", "alarm", "insufficient data". */
const char *hale_aodh_state_text(enum hale_state s);
HALE_MUST_CHECK enum hale_rc hale_aodh_state_parse(struct hale_str text,
                                                   enum hale_state *out);
const char *hale_aodh_severity_text(enum hale_aodh_severity s);

/* http:// or https:// with a host, without blanks. */
bool hale_aodh_is_address(const char *url);
/* From the stored JSON, and back. */
HALE_MUST_CHECK enum hale_rc hale_aodh_decode(struct hale_str json,
                                              struct hale_aodh **out);
HALE_MUST_CHECK enum hale_rc hale_aodh_encode(const struct hale_aodh *a,
                                              struct hale_buf *out);
/* From the body of a POST or PUT: what is not given has its default; what Aodh itself fills in
 * (alarm_id, project_id, timestamps ...) is ignored. Identity and times are left NULL and 0; a state
 * that is given is in set, with set_ms 1. HALE_E_INVAL with the text of the 400. */
HALE_MUST_CHECK enum hale_rc hale_aodh_from_api(json_t *body, struct hale_aodh **out,
                                                struct hale_err *err);
/* As the API shows it. state, since_ms, reason: as they are now. A new reference; NULL: no memory. */
json_t *hale_aodh_to_api(const struct hale_aodh *a, enum hale_state state,
                         int64_t since_ms, const char *reason);

/* --- events --- */
/* traits: a map of strings. Conditions are all to be true; one on a trait that is not there is
 * false, but for "ne". */
bool hale_aodh_matches(const struct hale_aodh *a, const char *event_type,
                       const json_t *traits);
/* The VM whose events alone can match: the value of an "eq" on traits.instance_id; NULL: any. */
const char *hale_aodh_instance(const struct hale_aodh *a);
/* What is said to a registration's address (notifier.h), or what the REST notifier says about the event that brought the alarm to a state: exactly the keys
 * of Aodh's body. A new reference; NULL: no memory. */
struct hale_aodh_event {
    const char *message_id, *type;
    int64_t time_ms;
    json_t *traits; /* map of strings */
};
json_t *hale_aodh_body(const struct hale_aodh *a, enum hale_state previous,
                       enum hale_state current, const struct hale_aodh_event *e);
/* The reason in it, into a string that the caller frees; NULL: no memory. */
char *hale_aodh_reason(const struct hale_aodh *a, enum hale_state current,
                       const struct hale_aodh_event *e);
#endif
