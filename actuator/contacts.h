/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONTACTS_H
#define HALE_ACTUATOR_CONTACTS_H
/*
 * contacts - which notification methods an alarm definition names for which state: the actions of
 * the definitions that have any. Filled from Redis, kept current by control records.
 * Ownership: owns its copies. Threads: one.
 */
#include "base/rc.h"
#include "model/alarm.h"

struct actuator_contacts;

struct actuator_contacts *actuator_contacts_new(void); /* NULL on memory failure */
void actuator_contacts_free(struct actuator_contacts *c);
/* The stored JSON of a definition; json.p NULL: it is gone. HALE_E_INVAL, HALE_E_NOMEM and
 * HALE_E_LIMIT: it has no actions then. */
HALE_MUST_CHECK enum hale_rc actuator_contacts_set(struct actuator_contacts *c,
                                                   struct hale_str id,
                                                   struct hale_str json);
/* Ids of methods, or NULL. Valid until the next set. */
const struct hale_strings *actuator_contacts_get(const struct actuator_contacts *c,
                                                 const char *definition_id,
                                                 enum hale_state state);
/* What the definition says of what it is about; HALE_IMPACT_DEFAULT: nothing. */
enum hale_impact actuator_contacts_impact(const struct actuator_contacts *c,
                                          const char *definition_id);
/* True when the definition names the method for that state. */
bool actuator_contacts_names(const struct actuator_contacts *c, const char *definition_id,
                             enum hale_state state, const char *method_id);
#endif
