/* SPDX-License-Identifier: Apache-2.0 */
/* meters_topology - the topology's own numbers. */
#include "correlator/meters.h"

enum {
    UPDATES,
    ADDED,
    CHANGED,
    DELETED,
    UNCHANGED,
    RECONCILED,
    REFUSED,
    FINISHED,
    ABANDONED,
    UNKNOWN,
    COUNTS
};
enum { ENTITIES, TENANTS, SOURCES, OLDEST, GAUGES };

#define ENTITIES_HELP "Entities of the topology, by what an update did"
#define SYNCS_HELP    "Syncs of the topology's sources, by how they ended"
#define C(what, label, help)                                                             \
    HALE_COUNTER_INIT("hale_correlator_topology_" what "_total", label, help)
#define G(what, help) HALE_GAUGE_INIT("hale_correlator_topology_" what, NULL, help)

static struct hale_counter counts[COUNTS] = {
    [UPDATES] = C("updates", NULL, "Updates of the topology applied"),
    [ADDED] = C("changes", "what=\"added\"", ENTITIES_HELP),
    [CHANGED] = C("changes", "what=\"changed\"", ENTITIES_HELP),
    [DELETED] = C("changes", "what=\"deleted\"", ENTITIES_HELP),
    [UNCHANGED] = C("changes", "what=\"unchanged\"", ENTITIES_HELP),
    [REFUSED] = C("changes", "what=\"refused\"", ENTITIES_HELP),
    [RECONCILED] =
        C("reconciled", NULL, "Entities deleted because a sync did not name them"),
    [FINISHED] = C("syncs", "how=\"finished\"", SYNCS_HELP),
    [ABANDONED] = C("syncs", "how=\"abandoned\"", SYNCS_HELP),
    [UNKNOWN] = C("syncs", "how=\"unknown\"", SYNCS_HELP),
};
static struct hale_counter gauges[GAUGES] = {
    [ENTITIES] = G("entities", "Entities known"),
    [TENANTS] = G("tenants", "Tenants with a graph"),
    [SOURCES] = G("sources", "Sources that have begun a sync"),
    [OLDEST] = G("oldest_sync_timestamp_seconds",
                 "When the source that waits longest finished its last sync; 0: none"),
};

void correlator_meters_topology_register(void)
{
    hale_counter_register_all(counts, COUNTS);
    hale_counter_register_all(gauges, GAUGES);
}

static void list(const struct cor_topology_stats *s, uint64_t out[COUNTS])
{
    out[UPDATES] = s->updates;
    out[ADDED] = s->added;
    out[CHANGED] = s->changed;
    out[DELETED] = s->deleted;
    out[UNCHANGED] = s->unchanged;
    out[RECONCILED] = s->reconciled;
    out[REFUSED] = s->refused;
    out[FINISHED] = s->syncs_finished;
    out[ABANDONED] = s->syncs_abandoned;
    out[UNKNOWN] = s->syncs_unknown;
}

void correlator_meters_topology(const struct cor_topology_stats *now,
                                struct cor_topology_stats *last)
{
    uint64_t a[COUNTS], b[COUNTS];
    list(now, a);
    list(last, b);
    for (unsigned i = 0; i < COUNTS; i++) {
        if (a[i] != b[i])
            hale_counter_add(&counts[i], (int64_t)(a[i] - b[i]));
    }
    hale_counter_set(&gauges[ENTITIES], (int64_t)now->entities);
    hale_counter_set(&gauges[TENANTS], (int64_t)now->tenants);
    hale_counter_set(&gauges[SOURCES], (int64_t)now->sources);
    hale_counter_set(&gauges[OLDEST], now->oldest_sync_ms / 1000);
    *last = *now;
}
