/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PULSE_H
#define HALE_COLLECTOR_PULSE_H
/*
 * pulse - once a second: does Redis answer, how full is it (then ingest refuses), does it
 * fsync; every three seconds the health record. Threads: main.
 */
#include "collector/app.h"

struct collector_pulse {
    struct hale_redis *redis;
    unsigned beats;
    uint64_t checked_generation; /* connection whose durability was checked */
};

void collector_pulse_init(struct collector_pulse *p, struct collector *c);
void collector_pulse_fini(struct collector_pulse *p);
void collector_pulse_beat(struct collector_pulse *p, struct collector *c);
#endif
