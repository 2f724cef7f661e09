/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/stats.h"

#include "base/assert.h"

#define RUNS        "hale_actuator_runs_total"
#define RUNS_HELP   "runs that ended, by outcome"
#define METHOD      "hale_actuator_methods_told_total"
#define METHOD_HELP "notifications that a notification method has taken"
#define GUARD       "hale_actuator_suppressed_total"
#define GUARD_HELP  "triggers a guard refused"

static struct hale_counter counters[ACTUATOR_STAT_N] = {
    [ACTUATOR_STAT_VERIFIED] = HALE_COUNTER_INIT(RUNS, "outcome=\"verified\"", RUNS_HELP),
    [ACTUATOR_STAT_FAILED] = HALE_COUNTER_INIT(RUNS, "outcome=\"failed\"", RUNS_HELP),
    [ACTUATOR_STAT_OBSERVED] = HALE_COUNTER_INIT(RUNS, "outcome=\"observed\"", RUNS_HELP),
    [ACTUATOR_STAT_REJECTED] = HALE_COUNTER_INIT(RUNS, "outcome=\"rejected\"", RUNS_HELP),
    [ACTUATOR_STAT_EXPIRED] = HALE_COUNTER_INIT(RUNS, "outcome=\"expired\"", RUNS_HELP),
    [ACTUATOR_STAT_SUGGESTED] =
        HALE_COUNTER_INIT(RUNS, "outcome=\"suggested\"", RUNS_HELP),
    [ACTUATOR_STAT_ABORTED] = HALE_COUNTER_INIT(RUNS, "outcome=\"aborted\"", RUNS_HELP),
    [ACTUATOR_STAT_PROPOSED] =
        HALE_COUNTER_INIT("hale_actuator_proposals_total", NULL,
                          "runs that waited for approval (modes suggest, approve)"),
    [ACTUATOR_STAT_APPROVED] = HALE_COUNTER_INIT("hale_actuator_approvals_total", NULL,
                                                 "proposals that were approved and ran"),
    [ACTUATOR_STAT_SUPPRESSED_COOLDOWN] =
        HALE_COUNTER_INIT(GUARD, "guard=\"cooldown\"", GUARD_HELP),
    [ACTUATOR_STAT_SUPPRESSED_FREQUENCY] =
        HALE_COUNTER_INIT(GUARD, "guard=\"frequency\"", GUARD_HELP),
    [ACTUATOR_STAT_SUPPRESSED_LEASE] =
        HALE_COUNTER_INIT(GUARD, "guard=\"lease\"", GUARD_HELP),
    [ACTUATOR_STAT_SUPPRESSED_OTHER] =
        HALE_COUNTER_INIT(GUARD, "guard=\"other\"", GUARD_HELP),
    [ACTUATOR_STAT_LATCHED] =
        HALE_COUNTER_INIT("hale_actuator_latched_total", NULL,
                          "policies that only suggest since they oscillated or failed"),
    [ACTUATOR_STAT_STORMS] =
        HALE_COUNTER_INIT("hale_actuator_storms_total", NULL,
                          "fleets below their floor: policies that did nothing"),
    [ACTUATOR_STAT_BORN] = HALE_COUNTER_INIT("hale_actuator_runs_born_total", NULL,
                                             "runs that began to act"),
    [ACTUATOR_STAT_OPEN] =
        HALE_GAUGE_INIT("hale_actuator_runs_open", NULL, "runs under way or waiting"),
    [ACTUATOR_STAT_CALLS] = HALE_COUNTER_INIT(
        "hale_actuator_calls_total", NULL, "requests to VNFMs and webhooks of policies"),
    [ACTUATOR_STAT_CALLS_DENIED] =
        HALE_COUNTER_INIT("hale_actuator_calls_denied_total", NULL,
                          "requests to hosts that are not allowed (not sent)"),
    [ACTUATOR_STAT_TOKENS] =
        HALE_COUNTER_INIT("hale_actuator_tokens_total", NULL, "tokens got from Keystone"),
    [ACTUATOR_STAT_TOKENS_FAILED] =
        HALE_COUNTER_INIT("hale_actuator_tokens_failed_total", NULL,
                          "tries to get a token from Keystone that failed"),
    [ACTUATOR_STAT_TOKENS_REFUSED] = HALE_COUNTER_INIT(
        "hale_actuator_tokens_refused_total", NULL,
        "calls a cloud's service refused with 401 (made again with a new "
        "token)"),
    [ACTUATOR_STAT_NOTIFIED] =
        HALE_COUNTER_INIT("hale_actuator_notifications_total", NULL,
                          "notifications that were answered with 2xx"),
    [ACTUATOR_STAT_NOTIFY_ERRORS] =
        HALE_COUNTER_INIT("hale_actuator_notification_errors_total", NULL,
                          "tries of notifications that failed and are repeated"),
    [ACTUATOR_STAT_NOTIFY_EXPIRED] =
        HALE_COUNTER_INIT("hale_actuator_notifications_expired_total", NULL,
                          "notifications given up because of their age"),
    [ACTUATOR_STAT_NOTIFY_QUEUED] = HALE_GAUGE_INIT(
        "hale_actuator_notifications_queued", NULL, "notifications waiting in memory"),
    [ACTUATOR_STAT_METHODS] =
        HALE_GAUGE_INIT("hale_actuator_methods", NULL, "notification methods known"),
    [ACTUATOR_STAT_METHOD_SENT] =
        HALE_COUNTER_INIT(METHOD, "what=\"transition\"", METHOD_HELP),
    [ACTUATOR_STAT_METHOD_REPEATED] =
        HALE_COUNTER_INIT(METHOD, "what=\"repeat\"", METHOD_HELP),
    [ACTUATOR_STAT_METHOD_ERRORS] =
        HALE_COUNTER_INIT("hale_actuator_method_errors_total", NULL,
                          "tries to tell a notification method that failed"),
    [ACTUATOR_STAT_METHOD_EXPIRED] =
        HALE_COUNTER_INIT("hale_actuator_method_expired_total", NULL,
                          "transitions a notification method was not told: too old"),
    [ACTUATOR_STAT_METHOD_DENIED] = HALE_COUNTER_INIT(
        "hale_actuator_method_denied_total", NULL,
        "transitions a notification method was not told: its address is not allowed, or "
        "smtp is not configured"),
    [ACTUATOR_STAT_METHOD_QUEUED] =
        HALE_GAUGE_INIT("hale_actuator_method_queued", NULL,
                        "transitions waiting in memory for notification methods"),
    [ACTUATOR_STAT_METHOD_REPEATS] = HALE_GAUGE_INIT(
        "hale_actuator_method_repeats", NULL, "alarms that are told again and again"),
    [ACTUATOR_STAT_METHOD_REPEATS_LOST] =
        HALE_COUNTER_INIT("hale_actuator_method_repeats_lost_total", NULL,
                          "alarms that are not told again: too many already"),
    [ACTUATOR_STAT_GROUPS_LOST] =
        HALE_COUNTER_INIT("hale_actuator_group_alarms_lost_total", NULL,
                          "alarms that people are not told of: too many groups already"),
    [ACTUATOR_STAT_OUTAGES] =
        HALE_GAUGE_INIT("hale_actuator_outages", NULL,
                        "announced alarms with things out because of them"),
    [ACTUATOR_STAT_OUTAGES_LOST] =
        HALE_COUNTER_INIT("hale_actuator_outages_lost_total", NULL,
                          "alarms whose affected things could not be kept: too many"),
    [ACTUATOR_STAT_AODH_ALARMS] = HALE_GAUGE_INIT(
        "hale_actuator_aodh_alarms", NULL, "event alarms of Aodh's form that are known"),
    [ACTUATOR_STAT_AODH_TOLD] =
        HALE_COUNTER_INIT("hale_actuator_aodh_told_total", NULL,
                          "notices of such alarms that their addresses have taken"),
    [ACTUATOR_STAT_AODH_ERRORS] =
        HALE_COUNTER_INIT("hale_actuator_aodh_errors_total", NULL,
                          "tries to deliver such a notice that failed"),
    [ACTUATOR_STAT_AODH_EXPIRED] =
        HALE_COUNTER_INIT("hale_actuator_aodh_expired_total", NULL,
                          "notices given up: too old, or too many of one alarm"),
    [ACTUATOR_STAT_AODH_DENIED] =
        HALE_COUNTER_INIT("hale_actuator_aodh_denied_total", NULL,
                          "notices not sent: the address is not allowed"),
    [ACTUATOR_STAT_AODH_WAITING] = HALE_GAUGE_INIT(
        "hale_actuator_aodh_waiting", NULL, "such alarms with something to say yet"),
    [ACTUATOR_STAT_DEAD] =
        HALE_COUNTER_INIT("hale_actuator_dead_letters_total", NULL,
                          "notifications given up that went to the dead letters"),
    [ACTUATOR_STAT_DEAD_REPLAYED] =
        HALE_COUNTER_INIT("hale_actuator_dead_letters_replayed_total", NULL,
                          "dead letters that were sent again and taken"),
    [ACTUATOR_STAT_DEAD_DROPPED] =
        HALE_COUNTER_INIT("hale_actuator_dead_letters_dropped_total", NULL,
                          "dead letters that went because there were too many"),
    [ACTUATOR_STAT_INVENTORY_SYNCS] =
        HALE_COUNTER_INIT("hale_actuator_inventory_syncs_total", NULL,
                          "inventories of a cloud's service or a VNFM handed on whole"),
    [ACTUATOR_STAT_INVENTORY_FAILURES] =
        HALE_COUNTER_INIT("hale_actuator_inventory_failures_total", NULL,
                          "inventories abandoned; nothing was changed"),
    [ACTUATOR_STAT_RECORDS] = HALE_COUNTER_INIT("hale_actuator_log_records_total", NULL,
                                                "alarm log records read"),
    [ACTUATOR_STAT_RECORDS_BAD] =
        HALE_COUNTER_INIT("hale_actuator_log_records_bad_total", NULL,
                          "alarm log records that could not be read and were skipped"),
    [ACTUATOR_STAT_RELOADS] = HALE_COUNTER_INIT(
        "hale_actuator_recoveries_total", NULL,
        "times the state was loaded from Redis (start, lost connection)"),
    [ACTUATOR_STAT_SCALING_LOOKS] = HALE_COUNTER_INIT("hale_actuator_scaling_looks_total",
                                                      NULL, "looks at scaling policies"),
    [ACTUATOR_STAT_SCALING_BLIND] =
        HALE_COUNTER_INIT("hale_actuator_scaling_blind_total", NULL,
                          "looks without the size or the metric"),
    [ACTUATOR_STAT_SCALING_DECISIONS] =
        HALE_COUNTER_INIT("hale_actuator_scaling_decisions_total", NULL,
                          "looks that led to a run, whatever became of it"),
    [ACTUATOR_STAT_NOTIFY_SECONDS] =
        HALE_HISTOGRAM_INIT("hale_actuator_notify_latency_seconds", NULL,
                            "sample or event accepted until a subscriber has answered"),
    [ACTUATOR_STAT_CALL_SECONDS] =
        HALE_HISTOGRAM_INIT("hale_actuator_call_latency_seconds", NULL,
                            "sample or event accepted until a run's first call leaves"),
    [ACTUATOR_STAT_SEALED] = HALE_COUNTER_INIT("hale_actuator_journal_sealed_total", NULL,
                                               "rows of the journal put into the chain"),
    [ACTUATOR_STAT_SEAL_REFUSED] = HALE_COUNTER_INIT(
        "hale_actuator_journal_seal_refused_total", NULL,
        "times Redis refused links: somebody else has written the chain"),
};

void actuator_stats_register(void)
{
    hale_counter_register_all(counters, ACTUATOR_STAT_N);
}

struct hale_counter *actuator_stat(enum actuator_stat which)
{
    HALE_ASSERT(which < ACTUATOR_STAT_N);
    return &counters[which];
}
