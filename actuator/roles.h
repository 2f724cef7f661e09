/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_ROLES_H
#define HALE_ACTUATOR_ROLES_H
/*
 * roles - which part of the work this process does when several actuators share one Redis
 * (docs/adr/0027): `act` (policies and all that they call) and `tell` (subscribers and methods).
 * Each role has one holder. A process alone holds both; of two, each holds one; what a holder
 * leaves, by its end or its silence, is taken by the other.
 * In Redis:  hale:{m}:role:<role> = holder's id, with expiry ACTUATOR_ROLE_MS: who holds it.
 *            hale:{m}:roles, field <role> = how often it changed hands: the fencing number. Writes
 *            carry it, so that one who has lost a role unnoticed can write nothing more.
 *            hale:{m}:role:idle = id of a process without a role, with expiry.
 * Errors:    while Redis does not answer, a role is held until its lease must have run out.
 * Units:     now_ms is monotonic. Threads: one; actuator_roles_tick waits for Redis.
 */
#include <stdbool.h>
#include <stdint.h>

#define ACTUATOR_ROLE_MS 3000

enum actuator_role { ACTUATOR_ROLE_ACT, ACTUATOR_ROLE_TELL, ACTUATOR_ROLES };

struct actuator_roles;

/* Who we are: made of this machine, its name and listen, so that a process that is started again is
 * the one before it and waits for no lease. NULL on memory failure. */
struct actuator_roles *actuator_roles_new(const char *redis_url, const char *listen);
/* Gives back what is held, so that nobody has to wait. NULL allowed. */
void actuator_roles_free(struct actuator_roles *r);
/* Renews, takes what is free, and leaves one of two to a process that has none: what is done in a
 * role that is gone after this call has to stop before the next one. Does nothing before _next_ms.
 */
void actuator_roles_tick(struct actuator_roles *r, int64_t now_ms);
int64_t actuator_roles_next_ms(const struct actuator_roles *r);
bool actuator_roles_has(const struct actuator_roles *r, enum actuator_role role);
/* What is held now is another's at the earliest then: whoever was kept waiting for longer since the last
 * tick (Redis, the scheduler) must not call anybody before the next one. */
int64_t actuator_roles_until_ms(const struct actuator_roles *r);
/* Redis answered the last time. */
bool actuator_roles_sure(const struct actuator_roles *r);
/* The fencing number; 0 without the role. */
int64_t actuator_roles_fence(const struct actuator_roles *r, enum actuator_role role);
const char *actuator_role_text(enum actuator_role role); /* "act", "tell" */
#endif
