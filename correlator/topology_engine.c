/* SPDX-License-Identifier: Apache-2.0 */
/* topology_engine - the engine's topology: rows to its sink, updates as one more input. */
#include "correlator/parts.h"

static void on_put(void *arg, struct hale_str field, struct hale_str value)
{
    struct correlator_engine *e = arg;
    e->sink.put(e->sink.arg, CORRELATOR_ENTITIES, field, value);
}

static void on_del(void *arg, struct hale_str field)
{
    struct correlator_engine *e = arg;
    e->sink.del(e->sink.arg, CORRELATOR_ENTITIES, field);
}

static void on_checkpoint(void *arg)
{
    cor_checkpoint(arg);
}

bool cor_topology_attach(struct correlator_engine *e)
{
    const size_t all = e->limits.max_entities, one = e->limits.max_entities_per_tenant;
    const struct cor_topology_limits limits = {
        .max_entities = all > 0 ? all : HALE_TOPOLOGY_ENTITIES_MAX,
        .max_entities_per_tenant = one > 0 ? one : HALE_TOPOLOGY_ENTITIES_MAX};
    const struct cor_topology_sink sink = {
        .arg = e, .put = on_put, .del = on_del, .checkpoint = on_checkpoint};
    e->topology = cor_topology_new(&limits, &sink);
    return e->topology != NULL;
}

enum hale_rc correlator_engine_topology(struct correlator_engine *e,
                                        const struct hale_topology_update *u,
                                        const struct correlator_input *in)
{
    cor_begin(e, in, 0, in->now_us);
    return cor_result(e, cor_topology_apply(e->topology, u, in->entry_id, in->entry_ms));
}

enum hale_rc correlator_engine_topology_again(struct correlator_engine *e,
                                              const struct hale_topology_update *u,
                                              const char *entry_id)
{
    return cor_topology_again(e->topology, u, entry_id);
}

const char *correlator_engine_topology_from(const struct correlator_engine *e)
{
    return cor_topology_from(e->topology);
}

const struct cor_topology_stats *
correlator_engine_topology_stats(const struct correlator_engine *e)
{
    return cor_topology_stats(e->topology);
}
