/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_TOPOLOGY_H
#define HALE_MODEL_TOPOLOGY_H
/*
 * topology - what stands on what: records of the typed graph (docs/formats/topology.md). The graph
 * itself is model/graph.h.
 *
 * Entity: one thing, known by (tenant, type, id). A tenant has a graph of its own; nothing in it
 *   refers to another's.
 *   {"type":"vm","id":"3f...","name":s?,"state":"up"|"down"|"maintenance"|"unknown"?,
 *    "match":[{"hostname":"h1"},...]?,"attributes":{k:v}?,"source":s?,
 *    "hosted_by":["host/compute-1"]?,
 *    "depends_on":[{"group":"uplinks","mode":"all"|"any","on":["switch/s1","switch/s2"]}]?,
 *    "connects":["host/compute-1","switch/s1"]?}
 *   type: [a-z][a-z0-9_]{0,31}; known: site host switch link vm vnfc vnf service; others are the
 *     user's. id: 1..255 bytes, no control characters.
 *   match: an alarm is about the entity if its dimensions contain all pairs of one of the sets;
 *     none given: the defaults of the type (docs). A set is never empty.
 *   source: who told it last as a whole, and whose sync may delete it. Always in a stored row; in
 *     an update absent or the update's.
 *   hosted_by: hosts it (A hosts B = B is hosted_by A): down if any of them is down.
 *   depends_on: groups; "all": it needs every one of them (down if any is), "any": it needs one of
 *     them (down only if all are). There is no default: a group without mode is refused.
 *   connects: a link's ends; the link is down if any of them is. Ends are not down with the link.
 *   A reference "type/id" may name what is not (yet) there: it counts as up until it is. None is
 *   named twice in one list, and none is the entity itself.
 *
 * Update: collector, actuator -> correlator; stream HALE_KEYS_TOPOLOGY, applied as a whole.
 *   {"v":1,"tenant":s,"source":s,"by":s?,"at_ms":n,
 *    "put":[entity,...]?,        replaces the entity (of this source or any)
 *    "patch":[entity,...]?,      only the keys given change; it must exist, else it is made
 *    "delete":["type/id",...]?,
 *    "sync":{"id":s,"begin":b?,"end":b?}?}
 *   Applied in the order put, patch, delete. A patch leaves the entity with the source it has.
 *   sync: the updates with one sync id together are the whole of this source: with end, what the
 *     source had before and did not name in them (put or patch) is deleted (the reconciling
 *     count). One without end is abandoned HALE_TOPOLOGY_SYNC_MS after its last update.
 * Errors:    strict: an unknown key, a wrong type or a bad reference is HALE_E_INVAL with the
 *            place, the reason and, where known, the fix ("depends_on[0].mode: ...").
 * Ownership: values own their strings and references to JSON, which nobody changes.
 * Threads:   values.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/definition.h"

#define HALE_TOPOLOGY_TYPE_MAX  32
#define HALE_TOPOLOGY_ID_MAX    255
#define HALE_TOPOLOGY_REF_MAX   (HALE_TOPOLOGY_TYPE_MAX + 1 + HALE_TOPOLOGY_ID_MAX + 1)
#define HALE_TOPOLOGY_MATCH_MAX 16   /* sets of an entity */
#define HALE_TOPOLOGY_REFS_MAX  1024 /* references of an entity, together */
#define HALE_TOPOLOGY_UPDATE_MAX                                                         \
    1000 /* items of one update; larger ones are cut by writers */
#define HALE_TOPOLOGY_ENTITIES_MAX 1000000
#define HALE_TOPOLOGY_TEXT_MAX     1024        /* bytes of a name, key or value */
#define HALE_TOPOLOGY_SOURCE_MAX   64          /* bytes of a source and of a sync's id */
#define HALE_TOPOLOGY_ENTITY_MAX   (64u << 10) /* bytes of one as JSON */
#define HALE_TOPOLOGY_ENTRY_MAX                                                          \
    (128u << 10) /* writers cut above that; one entity may pass it */
#define HALE_TOPOLOGY_SYNC_MS (15 * 60 * 1000)

enum hale_entity_state {
    HALE_ENTITY_UP,
    HALE_ENTITY_DOWN,
    HALE_ENTITY_MAINTENANCE,
    HALE_ENTITY_UNKNOWN
};

struct hale_dependency { /* a group of depends_on */
    char *group;         /* unique in the entity */
    bool any;
    struct hale_strings on; /* "type/id" */
};

struct hale_entity {
    char *type, *id;
    char *name;   /* NULL: not given */
    char *source; /* NULL: not given */
    bool has_state;
    enum hale_entity_state state;
    json_t *match;      /* array of string maps; NULL: not given */
    json_t *attributes; /* string map; NULL: not given */
    bool has_hosted_by, has_depends_on, has_connects;
    struct hale_strings hosted_by, connects;
    unsigned n_depends_on;
    struct hale_dependency *depends_on;
};
HALE_MUST_CHECK enum hale_rc hale_entity_from_json(const json_t *object,
                                                   struct hale_entity *out,
                                                   struct hale_err *err);
HALE_MUST_CHECK enum hale_rc hale_entity_encode(const struct hale_entity *e,
                                                struct hale_buf *out);
void hale_entity_fini(struct hale_entity *e); /* may be called twice */
/* HALE_E_NOMEM: *out is empty. */
HALE_MUST_CHECK enum hale_rc hale_entity_copy(const struct hale_entity *e,
                                              struct hale_entity *out);
/* The entity that base is after the patch: its keys replace those of base, one by one; source is
 * base's if it has one. HALE_E_NOMEM: *out is empty. */
HALE_MUST_CHECK enum hale_rc hale_entity_patch(const struct hale_entity *base,
                                               const struct hale_entity *patch,
                                               struct hale_entity *out);
/* Do they say the same? Order counts in lists, not in maps. */
bool hale_entity_equal(const struct hale_entity *a, const struct hale_entity *b);

struct hale_topology_update {
    char *tenant, *source;
    char *by; /* NULL: none */
    int64_t at_ms;
    unsigned n_put, n_patch;
    struct hale_entity *put, *patch;
    struct hale_strings deleted; /* "type/id" */
    char *sync_id;               /* NULL: no sync */
    bool sync_begin, sync_end;
};
/* The error's place begins with the list: "put[3].id: ...". */
HALE_MUST_CHECK enum hale_rc hale_topology_update_decode(struct hale_str json,
                                                         struct hale_topology_update *out,
                                                         struct hale_err *err);
HALE_MUST_CHECK enum hale_rc
hale_topology_update_encode(const struct hale_topology_update *u, struct hale_buf *out);
void hale_topology_update_fini(struct hale_topology_update *u);

/* "type/id" taken apart; false: not a reference. Views into ref. */
bool hale_topology_ref(struct hale_str ref, struct hale_str *type, struct hale_str *id);
bool hale_topology_type_ok(struct hale_str type);
bool hale_topology_id_ok(struct hale_str id);
bool hale_topology_source_ok(struct hale_str source); /* also of a sync's id */
const char *hale_entity_state_text(enum hale_entity_state s);
HALE_MUST_CHECK enum hale_rc hale_entity_state_parse(struct hale_str text,
                                                     enum hale_entity_state *out);
#endif
