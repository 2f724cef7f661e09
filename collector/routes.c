/* SPDX-License-Identifier: Apache-2.0 */
/* The collector's routes: the one place that knows them all. */
#include "collector/alarms_api.h"
#include "collector/alerts_api.h"
#include "collector/aodh_api.h"
#include "collector/chain_api.h"
#include "collector/dead_letters_api.h"
#include "collector/definitions_api.h"
#include "collector/events_api.h"
#include "collector/history_api.h"
#include "collector/influx_api.h"
#include "collector/ingest_collectd.h"
#include "collector/ingest_influx.h"
#include "collector/ingest_json.h"
#include "collector/ingest_otlp.h"
#include "collector/ingest_remote.h"
#include "collector/live.h"
#include "collector/methods_api.h"
#include "collector/metrics_api.h"
#include "collector/notifier_api.h"
#include "collector/operate_api.h"
#include "collector/policies_api.h"
#include "collector/promql_api.h"
#include "collector/query.h"
#include "collector/router.h"
#include "collector/runs_api.h"
#include "collector/series_api.h"
#include "collector/sessions_api.h"
#include "collector/silences_api.h"
#include "collector/status_api.h"
#include "collector/switches_api.h"
#include "collector/token.h"
#include "collector/topology_api.h"
#include "collector/upkeep_api.h"
#include "collector/why_api.h"

#define OPEN  0u
#define WRITE COLLECTOR_OPERATOR
#define READ  (COLLECTOR_OPERATOR | COLLECTOR_READER)
#define FEED  (COLLECTOR_OPERATOR | COLLECTOR_AGENT)
#define ASK   (READ | FEED)
#define NET   COLLECTOR_ON_NETWORK
#define TAKES COLLECTOR_ON_INTAKE
#define QUERY COLLECTOR_ON_QUERY
#define WAITS COLLECTOR_ON_CHANGE

/* clang-format off */
const struct collector_route collector_routes[] = {
    {"POST",   "/v2.0/metrics",                         FEED,  TAKES, collector_ingest_json_post},
    {"POST",   "/api/v1/write",                         FEED,  TAKES, collector_ingest_remote_post},
    {"POST",   "/v1/metrics",                           FEED,  TAKES, collector_ingest_otlp_post},
    {"POST",   "/otlp/v1/metrics",                      FEED,  TAKES, collector_ingest_otlp_post},
    {"GET",    "/v2.0/metrics",                         READ,  QUERY, collector_metrics_get},
    {"GET",    "/v2.0/metrics/measurements",            READ,  QUERY, collector_measurements_get},
    {"GET",    "/v2.0/metrics/statistics",              READ,  QUERY, collector_statistics_get},
    {"GET",    "/v2.0/metrics/names",                   READ,  QUERY, collector_metric_names_get},
    {"GET",    "/v2.0/metrics/dimensions/names",        READ,  QUERY, collector_dimension_names_get},
    {"GET",    "/v2.0/metrics/dimensions/names/values", READ,  QUERY, collector_dimension_values_get},
    {"GET",    "/v2.0/notification-methods",            READ,  QUERY, collector_methods_get},
    {"POST",   "/v2.0/notification-methods",            WRITE, WAITS, collector_methods_post},
    {"GET",    "/v2.0/notification-methods/types",      READ,  QUERY, collector_method_types_get},
    {"GET",    "/v2.0/notification-methods/{id}",       READ,  QUERY, collector_method_get},
    {"PUT",    "/v2.0/notification-methods/{id}",       WRITE, WAITS, collector_method_put},
    {"PATCH",  "/v2.0/notification-methods/{id}",       WRITE, WAITS, collector_method_patch},
    {"DELETE", "/v2.0/notification-methods/{id}",       WRITE, WAITS, collector_method_delete},
    {"GET",    "/v2.0/alarm-definitions",               READ,  QUERY, collector_definitions_get},
    {"POST",   "/v2.0/alarm-definitions",               WRITE, WAITS, collector_definitions_post},
    {"GET",    "/v2.0/alarm-definitions/{id}",          READ,  QUERY, collector_definition_get},
    {"PUT",    "/v2.0/alarm-definitions/{id}",          WRITE, WAITS, collector_definition_put},
    {"PATCH",  "/v2.0/alarm-definitions/{id}",          WRITE, WAITS, collector_definition_patch},
    {"DELETE", "/v2.0/alarm-definitions/{id}",          WRITE, WAITS, collector_definition_delete},
    {"GET",    "/v2.0/alarms",                          READ,  QUERY, collector_alarms_get},
    {"GET",    "/v2.0/alarms/count",                    READ,  QUERY, collector_alarms_count_get},
    {"GET",    "/v2.0/alarms/state-history",            READ,  QUERY, collector_state_history_get},
    {"GET",    "/v2.0/alarms/{id}",                     READ,  QUERY, collector_alarm_get_one},
    {"PUT",    "/v2.0/alarms/{id}",                     WRITE, WAITS, collector_alarm_put_one},
    {"PATCH",  "/v2.0/alarms/{id}",                     WRITE, WAITS, collector_alarm_patch},
    {"DELETE", "/v2.0/alarms/{id}",                     WRITE, WAITS, collector_alarm_delete},
    {"GET",    "/v2.0/alarms/{id}/state-history",       READ,  QUERY, collector_alarm_history_get},
    {"GET",    "/v2/alarms",                            READ,  QUERY, collector_aodh_get},
    {"POST",   "/v2/alarms",                            WRITE, WAITS, collector_aodh_post},
    {"GET",    "/v2/alarms/{id}",                       READ,  QUERY, collector_aodh_get_one},
    {"PUT",    "/v2/alarms/{id}",                       WRITE, WAITS, collector_aodh_put_one},
    {"DELETE", "/v2/alarms/{id}",                       WRITE, WAITS, collector_aodh_delete},
    {"GET",    "/v2/alarms/{id}/state",                 READ,  QUERY, collector_aodh_state_get},
    {"PUT",    "/v2/alarms/{id}/state",                 WRITE, WAITS, collector_aodh_state_put},
    {"GET",    "/v2/{id}/servers/{id}/alarms",          READ,  QUERY, collector_notifier_get},
    {"POST",   "/v2/{id}/servers/{id}/alarms",          FEED,  WAITS, collector_notifier_post},
    {"DELETE", "/v2/{id}/servers/{id}/alarms/{id}",     FEED,  WAITS, collector_notifier_delete},
    {"POST",   "/v1/events",                            FEED,  NET,   collector_events_post},
    {"PUT",    "/v1/events",                            FEED,  NET,   collector_events_post},
    {"POST",   "/v1/event",                             FEED,  NET,   collector_events_post},
    {"POST",   "/events",                               FEED,  NET,   collector_events_post},
    {"PUT",    "/events",                               FEED,  NET,   collector_events_post},
    {"POST",   "/maintenance",                          WRITE, WAITS, collector_upkeep_post},
    {"GET",    "/maintenance/{id}",                    READ,  QUERY, collector_session_get},
    {"PUT",    "/maintenance/{id}",                    WRITE, WAITS, collector_session_put},
    {"DELETE", "/maintenance/{id}",                    WRITE, WAITS, collector_session_delete},
    {"GET",    "/maintenance/{id}/{id}",               READ,  QUERY, collector_session_part_get},
    {"PUT",    "/maintenance/{id}/{id}",               WRITE, WAITS, collector_session_part_put},
    {"GET",    "/maintenance/{id}/{id}/{id}",          READ,  QUERY, collector_session_part_get},
    {"PUT",    "/maintenance/{id}/{id}/{id}",          WRITE, WAITS, collector_session_part_put},
    {"GET",    "/fenix/v1/maintenance",                READ,  QUERY, collector_sessions_get},
    {"POST",   "/fenix/v1/maintenance",                WRITE, WAITS, collector_sessions_post},
    {"GET",    "/fenix/v1/maintenance/{id}",           READ,  QUERY, collector_session_get},
    {"PUT",    "/fenix/v1/maintenance/{id}",           WRITE, WAITS, collector_session_put},
    {"DELETE", "/fenix/v1/maintenance/{id}",           WRITE, WAITS, collector_session_delete},
    {"GET",    "/fenix/v1/maintenance/{id}/{id}",      READ,  QUERY, collector_session_part_get},
    {"PUT",    "/fenix/v1/maintenance/{id}/{id}",      WRITE, WAITS, collector_session_part_put},
    {"GET",    "/fenix/v1/maintenance/{id}/{id}/{id}", READ,  QUERY, collector_session_part_get},
    {"PUT",    "/fenix/v1/maintenance/{id}/{id}/{id}", WRITE, WAITS, collector_session_part_put},
    {"GET",    "/fenix/v1/instance/{id}",              READ,  QUERY, collector_constraint_get},
    {"PUT",    "/fenix/v1/instance/{id}",              WRITE, WAITS, collector_constraint_put},
    {"DELETE", "/fenix/v1/instance/{id}",              WRITE, WAITS, collector_constraint_delete},
    {"GET",    "/fenix/v1/instance_group/{id}",        READ,  QUERY, collector_constraint_get},
    {"PUT",    "/fenix/v1/instance_group/{id}",        WRITE, WAITS, collector_constraint_put},
    {"DELETE", "/fenix/v1/instance_group/{id}",        WRITE, WAITS, collector_constraint_delete},
    {"POST",   "/api/v2/alerts",                        FEED,  NET,   collector_events_alerts_post},
    {"GET",    "/api/v2/alerts",                        READ,  QUERY, collector_alerts_get},
    {"GET",    "/api/v2/status",                        READ,  QUERY, collector_alerts_status_get},
    {"POST",   "/eventListener/v7",                     FEED,  NET,   collector_events_ves_post},
    {"POST",   "/eventListener/v7/eventBatch",          FEED,  NET,   collector_events_ves_batch_post},
    {"POST",   "/write",                                FEED,  TAKES, collector_ingest_influx_post},
    {"POST",   "/api/v2/write",                         FEED,  TAKES, collector_ingest_influx_post},
    {"POST",   "/collectd",                             FEED,  TAKES, collector_ingest_collectd_post},
    {"GET",    "/query",                                ASK,   NET,   collector_influx_query},
    {"POST",   "/query",                                FEED,  NET,   collector_influx_query},
    {"GET",    "/ping",                                 OPEN,  NET,   collector_influx_ping_get},
    {"GET",    "/v1/live",                              READ,  NET,   collector_live_get},
    {"GET",    "/v1/alarm-log",                         READ,  QUERY, collector_alarm_log_get},
    {"GET",    "/v1/journal",                           READ,  QUERY, collector_journal_get},
    {"GET",    "/v1/runs",                              READ,  QUERY, collector_runs_get},
    {"GET",    "/v1/runs/{id}",                         READ,  QUERY, collector_run_get},
    {"POST",   "/v1/runs/{id}/approve",                 WRITE, WAITS, collector_run_approve},
    {"POST",   "/v1/runs/{id}/reject",                  WRITE, WAITS, collector_run_reject},
    {"POST",   "/v1/runs/{id}/acknowledge",             WRITE, WAITS, collector_run_acknowledge},
    {"POST",   "/v1/runs/{id}/abort",                   WRITE, WAITS, collector_run_abort},
    {"GET",    "/v1/switches",                          READ,  QUERY, collector_switches_get},
    {"GET",    "/v1/switches/all",                      READ,  QUERY, collector_switch_get},
    {"PUT",    "/v1/switches/all",                      WRITE, WAITS, collector_switch_put},
    {"DELETE", "/v1/switches/all",                      WRITE, WAITS, collector_switch_delete},
    {"GET",    "/v1/switches/site/{id}",                READ,  QUERY, collector_switch_get},
    {"PUT",    "/v1/switches/site/{id}",                WRITE, WAITS, collector_switch_put},
    {"DELETE", "/v1/switches/site/{id}",                WRITE, WAITS, collector_switch_delete},
    {"GET",    "/v1/switches/policy/{id}",              READ,  QUERY, collector_switch_get},
    {"PUT",    "/v1/switches/policy/{id}",              WRITE, WAITS, collector_switch_put},
    {"DELETE", "/v1/switches/policy/{id}",              WRITE, WAITS, collector_switch_delete},
    {"GET",    "/v1/policies",                          READ,  QUERY, collector_policies_get},
    {"POST",   "/v1/policies/{id}/unlatch",             WRITE, WAITS, collector_policy_unlatch},
    {"GET",    "/v1/journal/chain",                     READ,  QUERY, collector_chain_get},
    {"GET",    "/v1/alarms/{id}",                       READ,  QUERY, collector_alarm_story_get},
    {"GET",    "/v1/alarms/{id}/why",                   READ,  QUERY, collector_alarm_why_get},
    {"GET",    "/v1/alarm-definitions/{id}/why",        READ,  QUERY, collector_definition_why_get},
    {"GET",    "/v1/silences",                          READ,  QUERY, collector_silences_get},
    {"POST",   "/v1/silences",                          WRITE, WAITS, collector_silences_post},
    {"GET",    "/v1/silences/{id}",                     READ,  QUERY, collector_silence_get},
    {"PUT",    "/v1/silences/{id}",                     WRITE, WAITS, collector_silence_put_one},
    {"DELETE", "/v1/silences/{id}",                     WRITE, WAITS, collector_silence_delete},
    {"GET",    "/v1/maintenance",                       READ,  QUERY, collector_maintenances_get},
    {"POST",   "/v1/maintenance",                       WRITE, WAITS, collector_maintenances_post},
    {"GET",    "/v1/maintenance/{id}",                  READ,  QUERY, collector_maintenance_get},
    {"PUT",    "/v1/maintenance/{id}",                  WRITE, WAITS, collector_maintenance_put},
    {"DELETE", "/v1/maintenance/{id}",                  WRITE, WAITS, collector_maintenance_delete},
    {"GET",    "/v1/notification-methods/{id}/secret",  WRITE, QUERY, collector_method_secret_get},
    {"GET",    "/api/v2/silences",                      READ,  QUERY, collector_am_silences_get},
    {"POST",   "/api/v2/silences",                      WRITE, WAITS, collector_am_silences_post},
    {"GET",    "/api/v2/silence/{id}",                  READ,  QUERY, collector_am_silence_get},
    {"DELETE", "/api/v2/silence/{id}",                  WRITE, WAITS, collector_am_silence_delete},
    {"GET",    "/api/v2/dead-letters",                  READ,  QUERY, collector_dead_letters_get},
    {"DELETE", "/api/v2/dead-letters",                  WRITE, WAITS, collector_dead_letters_delete},
    {"POST",   "/api/v2/dead-letters/replay",           WRITE, WAITS, collector_dead_letters_replay},
    {"GET",    "/api/v2/dead-letters/{id}",             READ,  QUERY, collector_dead_letter_get},
    {"DELETE", "/api/v2/dead-letters/{id}",             WRITE, WAITS, collector_dead_letter_delete},
    {"POST",   "/api/v2/dead-letters/{id}/replay",      WRITE, WAITS, collector_dead_letter_replay},
    {"POST",   "/v1/alarms/actions",                    WRITE, WAITS, collector_operate_many},
    {"POST",   "/v1/alarms/{id}/ack",                   WRITE, WAITS, collector_operate_ack},
    {"POST",   "/v1/alarms/{id}/unack",                 WRITE, WAITS, collector_operate_unack},
    {"POST",   "/v1/alarms/{id}/assign",                WRITE, WAITS, collector_operate_assign},
    {"POST",   "/v1/alarms/{id}/comment",               WRITE, WAITS, collector_operate_comment},
    {"POST",   "/v1/alarms/{id}/shelve",                WRITE, WAITS, collector_operate_shelve},
    {"POST",   "/v1/alarms/{id}/unshelve",              WRITE, WAITS, collector_operate_unshelve},
    {"GET",    "/v1/series",                            READ,  QUERY, collector_series_get},
    {"DELETE", "/v1/series",                            WRITE, WAITS, collector_series_delete},
    {"GET",    "/v1/topology",                          READ,  QUERY, collector_topology_get},
    {"POST",   "/v1/topology",                          WRITE, WAITS, collector_topology_post},
    {"POST",   "/v1/topology/check",                    WRITE, WAITS, collector_topology_check_post},
    {"GET",    "/v1/topology/sources",                  READ,  QUERY, collector_topology_sources_get},
    {"GET",    "/v1/topology/dependents",               READ,  QUERY, collector_topology_dependents_get},
    {"GET",    "/v1/topology/supports",                 READ,  QUERY, collector_topology_supports_get},
    {"GET",    "/v1/topology/{id}/{id}",                READ,  QUERY, collector_topology_get_one},
    {"PUT",    "/v1/topology/{id}/{id}",                WRITE, WAITS, collector_topology_put_one},
    {"PATCH",  "/v1/topology/{id}/{id}",                WRITE, WAITS, collector_topology_patch_one},
    {"DELETE", "/v1/topology/{id}/{id}",                WRITE, WAITS, collector_topology_delete_one},
    {"GET",    "/v1/topology/{id}/{id}/dependents",     READ,  QUERY, collector_topology_dependents_get},
    {"GET",    "/v1/topology/{id}/{id}/supports",       READ,  QUERY, collector_topology_supports_get},
    {"GET",    "/v1/status",                            READ,  QUERY, collector_status_get},
    {"GET",    "/api/v1/query",                         READ,  QUERY, collector_promql_query},
    {"POST",   "/api/v1/query",                         READ,  QUERY, collector_promql_query},
    {"GET",    "/api/v1/query_range",                   READ,  QUERY, collector_promql_query_range},
    {"POST",   "/api/v1/query_range",                   READ,  QUERY, collector_promql_query_range},
    {"GET",    "/api/v1/series",                        READ,  QUERY, collector_promql_series},
    {"POST",   "/api/v1/series",                        READ,  QUERY, collector_promql_series},
    {"GET",    "/api/v1/labels",                        READ,  QUERY, collector_promql_label_names},
    {"POST",   "/api/v1/labels",                        READ,  QUERY, collector_promql_label_names},
    {"GET",    "/api/v1/label/{id}/values",             READ,  QUERY, collector_promql_label_values},
    {"GET",    "/api/v1/metadata",                      READ,  QUERY, collector_promql_metadata},
    {"GET",    "/api/v1/status/buildinfo",              READ,  QUERY, collector_promql_buildinfo},
    {"GET",    "/api/v1/buildinfo",                     READ,  QUERY, collector_promql_buildinfo},
    {"GET",    "/",                                     OPEN,  NET,   collector_versions_get},
    {"GET",    "/v2.0",                                 OPEN,  NET,   collector_version_get},
    {"GET",    "/healthcheck",                          OPEN,  NET,   collector_healthcheck_get},
    {"GET",    "/healthz",                              OPEN,  NET,   collector_healthz_get},
    {"GET",    "/metrics",                              OPEN,  NET,   collector_own_metrics_get},
};
/* clang-format on */
const size_t collector_routes_n = sizeof(collector_routes) / sizeof(collector_routes[0]);
