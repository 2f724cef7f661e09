/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_PROFILE_H
#define HALE_ACTUATOR_PROFILE_H
/*
 * profile - what a subscriber is told about an alarm, in the words that it knows
 * (docs/formats/notification.md, "Profiles"). Pure. Threads: any.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/rc.h"
#include "model/alarm.h"

enum actuator_profile {
    ACTUATOR_PROFILE_HALE,         /* our own */
    ACTUATOR_PROFILE_MONASCA,      /* Monasca's webhook */
    ACTUATOR_PROFILE_ALERTMANAGER, /* Alertmanager's webhook receiver, version 4 */
    ACTUATOR_PROFILE_CLOUDEVENTS,  /* CloudEvents 1.0, structured; data is our own */
    ACTUATOR_PROFILE_AODH,         /* Aodh's REST notifier */
    ACTUATOR_PROFILE_VES,          /* ONAP VES 7.2 fault event */
    ACTUATOR_PROFILE_PAGERDUTY,    /* PagerDuty's events API v2 */
    ACTUATOR_PROFILE_SLACK,        /* Slack's incoming webhooks */
    ACTUATOR_PROFILE_EMAIL,        /* a letter */
    ACTUATOR_PROFILE_TACKER,       /* Alertmanager's alert for Tacker's /alert */
    ACTUATOR_PROFILE_SNMP,         /* an SNMP inform or trap; body: actuator/varbinds.h */
    ACTUATOR_PROFILES
};
/* NULL-terminated words of the configuration, by enum. */
extern const char *const actuator_profile_words[];

struct actuator_profile_note {
    const struct hale_log_record *rec;
    const char *id;         /* of the notification: the same for every try */
    const char *subscriber; /* its name */
    const char *key;        /* pagerduty: the routing key; else NULL */
    const char *from;       /* email */
    const char *const *to;  /* email: NULL-terminated */
};
/* Somebody reads it: alarms may come in groups. */
bool actuator_profile_for_people(enum actuator_profile p);
/* Labels of an alarm as Alertmanager's users know them: the group, alertname, severity, tenant. New; NULL:
 * no memory. */
json_t *actuator_profile_labels(const struct hale_alarm *a);
/* The thing that the alarm is about, for a person. */
const char *actuator_profile_source(const struct hale_alarm *a);

/* Slack's own signs & < > as entities. */
void actuator_profile_slack_text(struct hale_buf *out, const char *text);
/* False: the profile has no words for this state (alertmanager, ves, pagerduty and tacker know no
 * UNDETERMINED: what is told is ALARM and its end). */
bool actuator_profile_tells(enum actuator_profile p, enum hale_state state);
/* Do all subscribers of the profile get the same bytes? */
bool actuator_profile_shared(enum actuator_profile p);
const char *actuator_profile_content_type(enum actuator_profile p);
/* HALE_E_LIMIT: larger than out may be; HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_profile_body(enum actuator_profile p,
                                                   const struct actuator_profile_note *n,
                                                   struct hale_buf *out);

/* --- profile_tacker.c; NULL without memory --- */
json_t *actuator_profile_tacker(const struct actuator_profile_note *n);
#endif
