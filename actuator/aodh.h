/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_AODH_H
#define HALE_ACTUATOR_AODH_H
/*
 * aodh - Aodh's event alarms: evaluates them against what happens to VMs and tells their addresses
 * (docs/formats/aodh.md).
 * Events:    an outage that begins is an event compute.instance.update with state "error" for each
 *            of its VMs, its end one with state "active". An alarm that such an error has raised is ok
 *            again, by itself, when no VM that it matches is out any more.
 * Cost:      alarms with an "eq" on traits.instance_id are found by it; only the others of the tenant
 *            are looked at for each event.
 * Tenants:   events go to the alarms of the tenant whose topology has the VM; if that is one of
 *            conf->infrastructure, to those of the VM's project, too.
 * Durable:   a row per alarm in HALE_KEYS_ACT_AODH (state, what it was evaluated on last, what is to
 *            be said yet), written through io.row before the position in the log moves:
 *              {"v":1,"state":s,"since_ms":n,"reason":s,"source":s,"seq":n,"sub":n,"heard":[n,n],
 *               "queue":[{"to":s,"action":n,"seq":n,"time_ms":n,"body":s}]}
 *            A record that is read again changes nothing. Delivery: at least once, in order per
 *            alarm, at most ACTUATOR_AODH_QUEUE things waiting, not longer than notify_max_age.
 * Given up:  what waits too long, is refused, not allowed or one too many is a dead letter of recipient
 *            "aodh/<tenant>" (its ceiling is the tenant's) before the row forgets it. Letters that are to be
 *            sent again go to their addresses in the order of the log, alarm by alarm.
 * Threads:   one. Callbacks of the HTTP client run inside its poll.
 */
#include <stdint.h>

#include "actuator/conf.h"
#include "actuator/deadletters.h"
#include "actuator/outage.h"
#include "model/aodh.h"
#include "net/http_client.h"

#define ACTUATOR_AODH_QUEUE     8
#define ACTUATOR_AODH_RECIPIENT "aodh/"

struct actuator_aodh;
struct actuator_aodh_io {
    void *arg;
    /* Stores the row; json.p NULL: removes it. */
    void (*row)(void *arg, const char *alarm_id, struct hale_str json);
};
/* All borrowed. NULL on memory failure. */
struct actuator_aodh *actuator_aodh_new(const struct actuator_aodh_io *io,
                                        const struct actuator_conf *conf,
                                        struct hale_http_client *http,
                                        const struct actuator_outages *outages,
                                        struct actuator_deadletters *dead);
void actuator_aodh_free(struct actuator_aodh *x); /* cancels what is under way */
void actuator_aodh_set_conf(struct actuator_aodh *x, const struct actuator_conf *conf);
/* Adds or changes an alarm; takes a. */
HALE_MUST_CHECK enum hale_rc actuator_aodh_alarm(struct actuator_aodh *x,
                                                 struct hale_aodh *a);
void actuator_aodh_drop(struct actuator_aodh *x, struct hale_str alarm_id);
/* A row as it was stored; the alarm must be there, else the row is removed. */
HALE_MUST_CHECK enum hale_rc actuator_aodh_load(struct actuator_aodh *x,
                                                struct hale_str alarm_id,
                                                struct hale_str json, int64_t now_us);
/* Alarms that no event has met yet are evaluated against the outages that there are. alarm_id NULL:
 * all such. */
void actuator_aodh_catch_up(struct actuator_aodh *x, const char *alarm_id,
                            int64_t now_us);
/* An outage begins or ends with the record seq. */
void actuator_aodh_outage(struct actuator_aodh *x, const struct actuator_outage *o,
                          bool begins, int64_t seq, int64_t now_us);
struct actuator_aodh_place {
    int64_t seq, sub;
};
/* Another event, for the alarms of one tenant; at: its place among such events, unique and growing. */
void actuator_aodh_event(struct actuator_aodh *x, const char *tenant,
                         const struct hale_aodh_event *e, struct actuator_aodh_place at,
                         int64_t now_us);
void actuator_aodh_tick(struct actuator_aodh *x, int64_t now_us);
int64_t actuator_aodh_next_us(const struct actuator_aodh *x);
#endif
