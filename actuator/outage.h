/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_OUTAGE_H
#define HALE_ACTUATOR_OUTAGE_H
/*
 * outage - what is out of order because of an announced alarm whose impact is "down": the entity
 * that it is about and all that the topology says is unreachable with it (a switch with a second
 * uplink takes nobody along). Kept from the alarm's announcement to that of its end, and so the same
 * things are told of the end that were told of the beginning, wherever they have moved meanwhile.
 * Durable:   a row per outage in the hash HALE_KEYS_ACT_OUTAGES, written through io.row:
 *              {"v":1,"tenant":s,"ref":s,"seq":n,"entities":[[ref,name,project,host],...]}
 *            so a restart knows them without the topology of then.
 * Topology:  a copy (store/entities.h) of the caller's, who makes it current before a record that
 *            _wants it.
 * Limits:    ACTUATOR_OUTAGES_MAX; of one the first ACTUATOR_OUTAGE_ENTITIES_MAX, nearest first.
 * Threads:   one.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "model/alarm.h"
#include "store/entities.h"

#define ACTUATOR_OUTAGES_MAX         10000
#define ACTUATOR_OUTAGE_ENTITIES_MAX 5000
#define ACTUATOR_OUTAGE_TOLD_MAX     100 /* entities in the body of a notification */

struct actuator_affected { /* texts are "" when not known */
    char *ref;             /* "vm/3f0c..." */
    char *name;
    char *project; /* attribute project_id */
    char *host;    /* id of the host that it stands on, a VM's */
};
struct actuator_outage {
    char *alarm_id, *tenant, *ref;
    int64_t seq; /* of the record that announced it */
    bool cut;    /* there are more than are listed */
    unsigned n;
    struct actuator_affected *v;
};
/* The id of a VM, or NULL for another thing. */
const char *actuator_affected_vm(const struct actuator_affected *a);

struct actuator_outages;
struct actuator_outages_io {
    void *arg;
    /* Stores the row; json.p NULL: removes it. */
    void (*row)(void *arg, const char *alarm_id, struct hale_str json);
};
/* topology: borrowed; asked when an outage begins. */
struct actuator_outages *actuator_outages_new(const struct actuator_outages_io *io,
                                              const struct hale_entities *topology);
void actuator_outages_free(struct actuator_outages *o);
/* A row as it was stored. HALE_E_INVAL, HALE_E_NOMEM, HALE_E_LIMIT. */
HALE_MUST_CHECK enum hale_rc actuator_outages_load(struct actuator_outages *o,
                                                   struct hale_str alarm_id,
                                                   struct hale_str json);

enum actuator_outage_change {
    ACTUATOR_OUTAGE_NONE,
    ACTUATOR_OUTAGE_BEGINS,
    ACTUATOR_OUTAGE_ENDS
};
/* Would the record begin an outage, so that the topology should be current first? */
bool actuator_outages_wants(const struct actuator_outages *o,
                            const struct hale_log_record *rec, enum hale_impact given);
/* What a record of the log means. given: the impact that the alarm's definition says, if any. *out:
 * the outage; of one that ends until _over is called. A record that is seen twice means the same. */
enum actuator_outage_change actuator_outages_record(struct actuator_outages *o,
                                                    const struct hale_log_record *rec,
                                                    enum hale_impact given,
                                                    struct actuator_outage **out);
/* Everybody has been told: the outage is forgotten, in memory and in Redis. */
void actuator_outages_over(struct actuator_outages *o, struct actuator_outage *x);
/* How many outages the VM of a tenant is in. */
unsigned actuator_outages_of(const struct actuator_outages *o, const char *tenant,
                             const char *vm_id);
const struct actuator_outage *actuator_outages_find(const struct actuator_outages *o,
                                                    const char *alarm_id);
/* *it starts at 0; NULL at the end. */
const struct actuator_outage *actuator_outages_next(const struct actuator_outages *o,
                                                    size_t *it);
size_t actuator_outages_count(const struct actuator_outages *o);
/* {"count":n,"entities":[{"type","id","name"?}]}: for a notification. New; NULL: no memory. */
json_t *actuator_outage_json(const struct actuator_outage *x);
#endif
