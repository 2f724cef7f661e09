/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/meters.h"

#include "base/assert.h"

#define C(what, help) HALE_COUNTER_INIT("hale_correlator_" what "_total", NULL, help)
#define K(what, label, help)                                                             \
    HALE_COUNTER_INIT("hale_correlator_" what "_total", label, help)

static struct hale_counter meters[CORRELATOR_METERS] = {
    [CORRELATOR_BATCHES] = C("batches", "Transactions written"),
    [CORRELATOR_RECORDS_SUB] =
        K("records", "stream=\"subalarms\"", "Stream entries processed"),
    [CORRELATOR_RECORDS_EVENT] =
        K("records", "stream=\"events\"", "Stream entries processed"),
    [CORRELATOR_RECORDS_CONTROL] =
        K("records", "stream=\"control\"", "Stream entries processed"),
    [CORRELATOR_RECORDS_TOPOLOGY] =
        K("records", "stream=\"topology\"", "Stream entries processed"),
    [CORRELATOR_POISON] = C("poison_records", "Stream entries that cannot be decoded"),
    [CORRELATOR_RELOADS] = C("reloads", "State loaded from Redis"),
    [CORRELATOR_COMMIT_FAILURES] = C("commit_failures", "Transactions that failed"),
    [CORRELATOR_LOGGED] = C("log_records", "Alarm log records written"),
};

/* One per count of struct correlator_stats. */
enum engine_meter {
    CREATED,
    TRANSITIONS,
    UPDATED,
    DELETED,
    NO_DEFINITION,
    UNKNOWN_SUB,
    INVALID,
    REFUSED_ALARMS,
    REFUSED_SUBS,
    REFUSED_METRICS,
    REFUSED_MUTES,
    REFUSED_WINDOWS,
    REPEATED,
    RATIONED,
    OLD,
    CLEAR_IDLE,
    EXPIRED,
    EVICTED,
    UNKNOWN_ALARM,
    RULES_CUT,
    FLAPS_BEGUN,
    FLAPS_ENDED,
    STORM_HELD,
    REFUSED_STORMS,
    ENGINE_METERS
};

static struct hale_counter engine_meters[ENGINE_METERS] = {
    [CREATED] = C("alarms_created", "Alarms that came into being"),
    [TRANSITIONS] = C("transitions", "State changes of alarms"),
    [UPDATED] = C("alarms_updated", "Other logged changes of alarms"),
    [DELETED] = C("alarms_deleted", "Alarms removed"),
    [NO_DEFINITION] =
        K("ignored", "why=\"no_definition\"", "Records without effect, by reason"),
    [UNKNOWN_SUB] =
        K("ignored", "why=\"unknown_sub\"", "Records without effect, by reason"),
    [INVALID] = K("ignored", "why=\"invalid\"", "Records without effect, by reason"),
    [REFUSED_ALARMS] = K("refused", "what=\"alarm\"", "Refused at a ceiling"),
    [REFUSED_SUBS] = K("refused", "what=\"sub_alarm\"", "Refused at a ceiling"),
    [REFUSED_METRICS] = K("refused", "what=\"metric\"", "Refused at a ceiling"),
    [REFUSED_WINDOWS] = K("refused", "what=\"silence\"", "Refused at a ceiling"),
    [REFUSED_MUTES] = K("refused", "what=\"suppression\"", "Refused at a ceiling"),
    [REPEATED] =
        K("ignored", "why=\"event_repeated\"", "Records without effect, by reason"),
    [RATIONED] =
        K("ignored", "why=\"event_rationed\"", "Records without effect, by reason"),
    [OLD] = K("ignored", "why=\"event_old\"", "Records without effect, by reason"),
    [CLEAR_IDLE] =
        K("ignored", "why=\"event_clear_idle\"", "Records without effect, by reason"),
    [EXPIRED] =
        C("alarms_expired", "Event alarms cleared because no repeat came in time"),
    [EVICTED] = C("alarms_evicted", "Cleared event alarms removed to make room"),
    [UNKNOWN_ALARM] =
        K("ignored", "why=\"unknown_alarm\"", "Records without effect, by reason"),
    [RULES_CUT] =
        C("rules_cut", "Inputs after which rules had more to do than was allowed"),
    [FLAPS_BEGUN] = C("flaps_begun", "Alarms that began to flap"),
    [STORM_HELD] = C("storm_held", "Raises that had to wait, as there were too many"),
    [REFUSED_STORMS] = K("refused", "what=\"storm\"", "Refused at a ceiling"),
    [FLAPS_ENDED] = C("flaps_ended", "Alarms that were calm again"),
};

static struct hale_counter gauges[] = {
    HALE_GAUGE_INIT("hale_correlator_alarms", "state=\"OK\"", "Alarms by state"),
    HALE_GAUGE_INIT("hale_correlator_alarms", "state=\"UNDETERMINED\"",
                    "Alarms by state"),
    HALE_GAUGE_INIT("hale_correlator_alarms", "state=\"ALARM\"", "Alarms by state"),
    HALE_GAUGE_INIT("hale_correlator_sub_alarms", NULL, "Sub-alarms known"),
    HALE_GAUGE_INIT("hale_correlator_flapping", NULL, "Alarms that flap"),
    HALE_GAUGE_INIT("hale_correlator_storm_waiting", NULL,
                    "Alarms that wait for their announcement, as there are too many"),
};

static struct hale_counter latency[] = {
    HALE_HISTOGRAM_INIT("hale_correlator_event_seconds", NULL,
                        "Fault event accepted to transition written"),
    HALE_HISTOGRAM_INIT("hale_correlator_sample_seconds", NULL,
                        "Deciding sample accepted to transition written"),
};

void correlator_meters_register(void)
{
    hale_counter_register_all(meters, CORRELATOR_METERS);
    hale_counter_register_all(engine_meters, ENGINE_METERS);
    hale_counter_register_all(gauges, sizeof(gauges) / sizeof(gauges[0]));
    correlator_meters_topology_register();
    hale_counter_register_all(latency, sizeof(latency) / sizeof(latency[0]));
}

void correlator_meters_add(enum correlator_meter m, int64_t n)
{
    HALE_ASSERT(m < CORRELATOR_METERS);
    hale_counter_add(&meters[m], n);
}

void correlator_meters_event_us(int64_t us)
{
    hale_counter_observe_us(&latency[0], us);
}

void correlator_meters_sample_us(int64_t us)
{
    hale_counter_observe_us(&latency[1], us);
}

static void list(const struct correlator_stats *s, uint64_t out[ENGINE_METERS])
{
    out[CREATED] = s->created;
    out[TRANSITIONS] = s->transitions;
    out[UPDATED] = s->updated;
    out[DELETED] = s->deleted;
    out[NO_DEFINITION] = s->no_definition;
    out[UNKNOWN_SUB] = s->unknown_sub;
    out[INVALID] = s->invalid;
    out[REFUSED_ALARMS] = s->refused_alarms;
    out[REFUSED_SUBS] = s->refused_subs;
    out[REFUSED_METRICS] = s->refused_metrics;
    out[REFUSED_WINDOWS] = s->refused_windows;
    out[REFUSED_MUTES] = s->mutes_refused;
    out[REPEATED] = s->events_repeated;
    out[RATIONED] = s->events_rationed;
    out[OLD] = s->events_old;
    out[CLEAR_IDLE] = s->events_clear_idle;
    out[EXPIRED] = s->events_expired;
    out[EVICTED] = s->evicted;
    out[UNKNOWN_ALARM] = s->unknown_alarm;
    out[RULES_CUT] = s->rules_cut;
    out[FLAPS_BEGUN] = s->flaps_begun;
    out[FLAPS_ENDED] = s->flaps_ended;
    out[STORM_HELD] = s->storm_held;
    out[REFUSED_STORMS] = s->refused_storms;
}

void correlator_meters_publish(const struct correlator_stats *now,
                               struct correlator_stats *last)
{
    uint64_t a[ENGINE_METERS], b[ENGINE_METERS];
    list(now, a);
    list(last, b);
    for (unsigned i = 0; i < ENGINE_METERS; i++) {
        if (a[i] != b[i])
            hale_counter_add(&engine_meters[i], (int64_t)(a[i] - b[i]));
    }
    for (unsigned i = 0; i < 3; i++)
        hale_counter_set(&gauges[i], (int64_t)now->by_state[i]);
    hale_counter_set(&gauges[3], (int64_t)now->subs);
    hale_counter_set(&gauges[4], (int64_t)now->flapping);
    hale_counter_set(&gauges[5], (int64_t)now->storm_waiting);
    *last = *now;
}
