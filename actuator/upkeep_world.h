/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_UPKEEP_WORLD_H
#define HALE_ACTUATOR_UPKEEP_WORLD_H
/*
 * upkeep_world - a look at Nova for a maintenance session, question by question: services, hypervisors, the servers of each
 * host. Pure; questions only, so nothing of it is journalled and a crash loses nothing.
 * Ownership: a look owns what it has seen. Threads: one.
 */
#include "actuator/step.h"
#include "actuator/upkeep.h"

struct actuator_upkeep_look {
    struct actuator_upkeep_world world;
    char **host;          /* whose servers are asked for */
    unsigned n_hosts, at; /* at: the one that is asked for */
    int stage;            /* 0 services, 1 hypervisors, 2 servers, 3 done */
    bool whole, sized;
    char marker[HALE_UUID_TEXT];
};

/* At the servers of one host, or (only NULL) at everything. False: no memory; _fini is fine. */
bool actuator_upkeep_look_init(struct actuator_upkeep_look *l,
                               const struct actuator_upkeep_session *s, const char *only);
void actuator_upkeep_look_fini(struct actuator_upkeep_look *l);
/* The next question; false: there is none, the world is complete (or world.why says why not). */
bool actuator_upkeep_look_request(const struct actuator_upkeep_look *l, const char *cloud,
                                  struct actuator_request *out);
void actuator_upkeep_look_answer(struct actuator_upkeep_look *l,
                                 const struct actuator_answer *a);
#endif
