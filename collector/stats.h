/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_STATS_H
#define HALE_COLLECTOR_STATS_H
/*
 * stats - every counter of the collector in one table: COLLECTOR_STAT(name) is a
 * struct hale_counter *. Threads: any.
 */
#include "base/counters.h"

/* X(id, kind, metric name, labels, help) */
#define COLLECTOR_STATS(X)                                                               \
    X(REQ_2XX, COUNTER, "hale_collector_requests_total", "code=\"2xx\"",                 \
      "HTTP answers by class of status")                                                 \
    X(REQ_4XX, COUNTER, "hale_collector_requests_total", "code=\"4xx\"",                 \
      "HTTP answers by class of status")                                                 \
    X(REQ_5XX, COUNTER, "hale_collector_requests_total", "code=\"5xx\"",                 \
      "HTTP answers by class of status")                                                 \
    X(SAMPLES, COUNTER, "hale_collector_samples_total", NULL,                            \
      "Samples acknowledged: they are in the Redis stream")                              \
    X(SAMPLES_REFUSED, COUNTER, "hale_collector_samples_refused_total", NULL,            \
      "Samples of requests that were refused as invalid")                                \
    X(SAMPLES_UNKNOWN, COUNTER, "hale_collector_samples_unconfirmed_total", NULL,        \
      "Samples answered 503 because Redis did not confirm them")                         \
    X(POSTS, COUNTER, "hale_collector_posts_total", NULL,                                \
      "Acknowledged POSTs of metrics")                                                   \
    X(BATCHES, COUNTER, "hale_collector_batches_total", NULL, "Stream entries written")  \
    X(SAMPLES_COPIED, COUNTER, "hale_collector_samples_copied_total", NULL,              \
      "Samples appended to another shard too, for definitions with metrics of several")  \
    X(ROUND_TRIPS, COUNTER, "hale_collector_commits_total", NULL,                        \
      "Pipelines sent by the sample writer (many requests each)")                        \
    X(LIMITED_RATE, COUNTER, "hale_collector_limited_requests_total", "reason=\"rate\"", \
      "Requests refused by a tenant's limit of samples")                                 \
    X(LIMITED_BURST, COUNTER, "hale_collector_limited_requests_total",                   \
      "reason=\"burst\"", "Requests refused by a tenant's limit of samples")             \
    X(INFLATED_FROM, COUNTER, "hale_collector_inflated_input_bytes_total", NULL,         \
      "Compressed bytes of request bodies")                                              \
    X(INFLATED_TO, COUNTER, "hale_collector_inflated_bytes_total", NULL,                 \
      "What they became")                                                                \
    X(OVERLOAD, COUNTER, "hale_collector_overload_total", "reason=\"queue\"",            \
      "Requests answered 503 by reason")                                                 \
    X(OVERLOAD_MEMORY, COUNTER, "hale_collector_overload_total",                         \
      "reason=\"redis_memory\"", "Requests answered 503 by reason")                      \
    X(OVERLOAD_SERIES, COUNTER, "hale_collector_overload_total",                         \
      "reason=\"max_series\"", "Requests answered 503 by reason")                        \
    X(OVERLOAD_QUERY, COUNTER, "hale_collector_overload_total", "reason=\"query\"",      \
      "Requests answered 503 by reason")                                                 \
    X(REDIS_FAILURES, COUNTER, "hale_collector_redis_failures_total", NULL,              \
      "Pipelines that Redis did not confirm")                                            \
    X(REDIS_UP, GAUGE, "hale_collector_redis_up", NULL, "1 while Redis answers")         \
    X(REDIS_MEMORY, GAUGE, "hale_collector_redis_used_memory_bytes", NULL,               \
      "used_memory of Redis")                                                            \
    X(QUEUE_LEN, GAUGE, "hale_collector_ingest_queue_requests", NULL,                    \
      "Requests waiting for the sample writer")                                          \
    X(QUEUE_BYTES, GAUGE, "hale_collector_ingest_queue_bytes", NULL,                     \
      "Encoded bytes waiting for the sample writer")                                     \
    X(SERIES, GAUGE, "hale_collector_series", NULL, "Series in the catalogue")           \
    X(SERIES_NEW, COUNTER, "hale_collector_series_created_total", NULL,                  \
      "Series first seen by this process")                                               \
    X(SERIES_DELETED, COUNTER, "hale_collector_series_forgotten_total",                  \
      "reason=\"deleted\"", "Series removed, by reason")                                 \
    X(SERIES_EXPIRED, COUNTER, "hale_collector_series_forgotten_total",                  \
      "reason=\"expired\"", "Series removed, by reason")                                 \
    X(COLLISIONS, COUNTER, "hale_collector_series_collisions_total", NULL,               \
      "Requests refused because two series have one id")                                 \
    X(CACHE_HITS, COUNTER, "hale_collector_spelling_hits_total", NULL,                   \
      "Samples whose series was found by its text")                                      \
    X(CACHE_MISSES, COUNTER, "hale_collector_spelling_misses_total", NULL,               \
      "Samples whose series had to be decoded")                                          \
    X(CACHE_CLEARS, COUNTER, "hale_collector_spelling_clears_total", NULL,               \
      "Times the spelling cache was full and emptied")                                   \
    X(CACHE_ENTRIES, GAUGE, "hale_collector_spelling_entries", NULL,                     \
      "Entries of the spelling cache")                                                   \
    X(EVENTS, COUNTER, "hale_collector_events_total", NULL,                              \
      "Fault events acknowledged: they are in the Redis stream")                         \
    X(EVENTS_REFUSED, COUNTER, "hale_collector_event_requests_refused_total", NULL,      \
      "Event requests that broke a rule")                                                \
    X(ALERTS_REFUSED, COUNTER, "hale_collector_alerts_refused_total", NULL,              \
      "Alerts of Prometheus' form that do not fit; the others of their requests count")  \
    X(HEARTBEATS, COUNTER, "hale_collector_ves_heartbeats_total", NULL,                  \
      "Heartbeats of VES senders: accepted and ignored")                                 \
    X(STORE_SAMPLES, COUNTER, "hale_collector_stored_samples_total", NULL,               \
      "Samples taken from the stream by the store")                                      \
    X(STORE_BAD, COUNTER, "hale_collector_store_bad_entries_total", NULL,                \
      "Stream entries that are not a batch")                                             \
    X(STORE_ORPHANS, COUNTER, "hale_collector_store_orphan_samples_total", NULL,         \
      "Samples whose series is not in the catalogue")                                    \
    X(HOT_FLUSHES, COUNTER, "hale_collector_hot_flushes_total", NULL,                    \
      "Flushes of raw samples into Redis chunks")                                        \
    X(HOT_FAILURES, COUNTER, "hale_collector_hot_flush_failures_total", NULL,            \
      "Flushes that Redis did not confirm (they are repeated)")                          \
    X(HOT_BYTES, GAUGE, "hale_collector_hot_pending_bytes", NULL,                        \
      "Raw samples in memory, not yet in chunks")                                        \
    X(STORE_LATE, COUNTER, "hale_collector_late_samples_total", NULL,                    \
      "Samples that came later than archive_delay: only in the hot store")               \
    X(STORE_BEYOND, COUNTER, "hale_collector_store_impossible_times_total", NULL,        \
      "Samples of times that no chunk can have: dropped")                                \
    X(ARCHIVE_GROUPS, COUNTER, "hale_collector_archive_group_writes_total", NULL,        \
      "Groups of series written to their files")                                         \
    X(ARCHIVE_SAMPLES, COUNTER, "hale_collector_archive_samples_total", NULL,            \
      "Raw samples rolled into the archive")                                             \
    X(ARCHIVE_STEPS, COUNTER, "hale_collector_archive_steps_total", NULL,                \
      "Steps with samples given to the archive's files")                                 \
    X(ARCHIVE_SKIPPED, COUNTER, "hale_collector_archive_repeated_steps_total", NULL,     \
      "Steps that the files had already (after a crash or a restore)")                   \
    X(ARCHIVE_FAILURES, COUNTER, "hale_collector_archive_failures_total", NULL,          \
      "Writes of a group that failed (they are repeated)")                               \
    X(ARCHIVE_LOST, COUNTER, "hale_collector_archive_lost_chunks_total", NULL,           \
      "Chunks whose raw samples may have expired before they were archived")             \
    X(ARCHIVE_SLOTS, GAUGE, "hale_collector_archive_series", NULL,                       \
      "Series that have a place in the archive's files")                                 \
    X(ARCHIVE_BEHIND, GAUGE, "hale_collector_archive_behind_seconds", NULL,              \
      "How long the oldest chunk that can be archived has been waiting")                 \
    X(QUERIES, COUNTER, "hale_collector_queries_total", NULL,                            \
      "Requests answered by a query thread")                                             \
    X(QUERY_QUEUE, GAUGE, "hale_collector_query_queue_requests", NULL,                   \
      "Requests waiting for a query thread")                                             \
    X(PROMQL_QUERIES, COUNTER, "hale_collector_promql_queries_total", NULL,              \
      "PromQL queries evaluated")                                                        \
    X(PROMQL_FAILED, COUNTER, "hale_collector_promql_failed_total", NULL,                \
      "PromQL queries answered 422: a limit, or data that do not fit the query")         \
    X(PROMQL_TIMEOUTS, COUNTER, "hale_collector_promql_timeouts_total", NULL,            \
      "PromQL queries ended by promql_timeout")                                          \
    X(ALARMS, GAUGE, "hale_collector_alarms", NULL, "Alarms in the view")                \
    X(LOG_RECORDS, COUNTER, "hale_collector_alarm_log_records_total", NULL,              \
      "Alarm log records seen")                                                          \
    X(LOG_BAD, COUNTER, "hale_collector_alarm_log_bad_records_total", NULL,              \
      "Alarm log or journal records that could not be read")                             \
    X(SSE_CLIENTS, GAUGE, "hale_collector_live_clients", NULL, "Open live streams")      \
    X(SSE_EVENTS, COUNTER, "hale_collector_live_events_total", NULL,                     \
      "Events written to live streams")                                                  \
    X(SSE_CUT, COUNTER, "hale_collector_live_clients_cut_total", NULL,                   \
      "Live streams that ended because the client left or did not read")                 \
    X(METADATA_DROPPED, COUNTER, "hale_collector_metadata_dropped_total", NULL,          \
      "Types and helps of metrics that found no room in memory")                         \
    X(TLS_EXPIRES, GAUGE, "hale_collector_tls_certificate_expires_seconds", NULL,        \
      "Unix time at which the collector's certificate ends; 0 without TLS")              \
    X(TOKENS, GAUGE, "hale_collector_tokens", NULL, "Tokens loaded")                     \
    X(KEYSTONE_UP, GAUGE, "hale_collector_keystone_up", NULL,                            \
      "1 while Keystone answers and lets the collector validate tokens")                 \
    X(KEYSTONE_HITS, COUNTER, "hale_collector_keystone_hits_total", NULL,                \
      "Requests whose token was judged by the cache")                                    \
    X(KEYSTONE_GOOD, COUNTER, "hale_collector_keystone_answers_total",                   \
      "result=\"valid\"", "Tokens Keystone was asked about, by its answer")              \
    X(KEYSTONE_BAD, COUNTER, "hale_collector_keystone_answers_total",                    \
      "result=\"invalid\"", "Tokens Keystone was asked about, by its answer")            \
    X(KEYSTONE_FAILED, COUNTER, "hale_collector_keystone_answers_total",                 \
      "result=\"none\"", "Tokens Keystone was asked about, by its answer")               \
    X(KEYSTONE_LOGINS, COUNTER, "hale_collector_keystone_logins_total", NULL,            \
      "Tokens the collector got for itself")                                             \
    X(KEYSTONE_CACHED, GAUGE, "hale_collector_keystone_cached_tokens", NULL,             \
      "Tokens in the cache, valid and invalid")                                          \
    X(KEYSTONE_WAITING, GAUGE, "hale_collector_keystone_waiting_requests", NULL,         \
      "Requests waiting for Keystone's answer")                                          \
    X(OVERLOAD_KEYSTONE, COUNTER, "hale_collector_overload_total",                       \
      "reason=\"keystone\"", "Requests answered 503 by reason")                          \
    X(UNAUTHORIZED, COUNTER, "hale_collector_unauthorized_total", NULL,                  \
      "Requests answered 401")                                                           \
    X(POST_LATENCY, HISTOGRAM, "hale_collector_post_seconds", NULL,                      \
      "Last body byte of a metrics POST to its answer")                                  \
    X(EVENT_LATENCY, HISTOGRAM, "hale_collector_event_seconds", NULL,                    \
      "Last body byte of an event POST to its answer")                                   \
    X(KEYSTONE_LATENCY, HISTOGRAM, "hale_collector_keystone_seconds", NULL,              \
      "Question to Keystone to its answer")                                              \
    X(QUERY_LATENCY, HISTOGRAM, "hale_collector_query_seconds", NULL,                    \
      "Arrival of a query to its answer")

enum collector_stat {
#define COLLECTOR_STAT_ENUM(id, kind, name, labels, help) COLLECTOR_STAT_##id,
    COLLECTOR_STATS(COLLECTOR_STAT_ENUM)
#undef COLLECTOR_STAT_ENUM
        COLLECTOR_STAT_N
};
extern struct hale_counter collector_stats[COLLECTOR_STAT_N];
#define COLLECTOR_STAT(id)     (&collector_stats[COLLECTOR_STAT_##id])
#define collector_count(id, n) hale_counter_add(COLLECTOR_STAT(id), (int64_t)(n))
#define collector_gauge(id, v) hale_counter_set(COLLECTOR_STAT(id), (int64_t)(v))

/* Registers all; once, before threads start. */
void collector_stats_init(void);
#endif
