/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_METERS_H
#define CORRELATOR_METERS_H
/*
 * meters - the correlator's own numbers (GET /metrics). Threads: add and publish from the loop.
 */
#include "base/counters.h"
#include "correlator/engine.h"
#include "correlator/topology.h"

enum correlator_meter {
    CORRELATOR_BATCHES,
    CORRELATOR_RECORDS_SUB,
    CORRELATOR_RECORDS_EVENT,
    CORRELATOR_RECORDS_CONTROL,
    CORRELATOR_RECORDS_TOPOLOGY,
    CORRELATOR_POISON,
    CORRELATOR_RELOADS,
    CORRELATOR_COMMIT_FAILURES,
    CORRELATOR_LOGGED,
    CORRELATOR_METERS
};

void correlator_meters_register(void);
void correlator_meters_add(enum correlator_meter m, int64_t n);
/* Accepted to written, of fault events' transitions and of sub-alarms decided by a sample. */
void correlator_meters_event_us(int64_t us);
void correlator_meters_sample_us(int64_t us);
/* Adds what the engine counted since *last, and makes *last now. Gauges are set. */
void correlator_meters_publish(const struct correlator_stats *now,
                               struct correlator_stats *last);
/* The same of the topology (meters_topology.c). */
void correlator_meters_topology_register(void);
void correlator_meters_topology(const struct cor_topology_stats *now,
                                struct cor_topology_stats *last);
#endif
