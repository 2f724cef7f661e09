/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_topology - the actuator's one copy of the topology, for the guards and for those who find out
 * who is affected. The guards wait for all that was written before they ask; for a notification a
 * topology that is being read anew is not waited for, and it is kept current in pieces.
 */
#include "actuator/app.h"
#include "base/clock.h"
#include "base/log.h"

#define REFRESH_US 500000

static bool lost(struct app *app)
{
    hale_warn("event=redis_failed what=topology detail=\"%s\"",
              hale_redis_error(app->ask));
    app->failed = true;
    return false;
}

enum hale_rc app_topology_load(struct app *app)
{
    if (app->topology.copy != NULL)
        return HALE_OK;
    app->topology.copy = hale_entities_new();
    if (app->topology.copy == NULL)
        return HALE_E_NOMEM;
    return hale_entities_refresh(app->topology.copy, app->ask);
}

void app_topology_unload(struct app *app)
{
    hale_entities_free(app->topology.copy);
    app->topology = (struct app_topology){.copy = NULL};
}

struct hale_graph *app_topology(void *arg, const char *tenant)
{
    struct app *app = arg;
    if (!app->watches)
        return NULL;
    if (hale_entities_refresh(app->topology.copy, app->ask) != HALE_OK) {
        (void)lost(app);
        return NULL;
    }
    return hale_entities_graph(app->topology.copy, hale_str_from(tenant));
}

bool app_topology_current(struct app *app)
{
    struct app_topology *t = &app->topology;
    t->more = true;
    while (t->more && !hale_entities_loading(t->copy))
        if (hale_entities_refresh_piece(t->copy, app->ask, &t->more) != HALE_OK)
            return lost(app);
    return true;
}

void app_topology_tick(struct app *app, int64_t now_us)
{
    struct app_topology *t = &app->topology;
    if (!t->more && now_us < t->refresh_us)
        return;
    t->refresh_us = now_us + REFRESH_US;
    if (hale_entities_refresh_piece(t->copy, app->ask, &t->more) != HALE_OK)
        (void)lost(app);
}

int64_t app_topology_next_us(const struct app *app)
{
    return app->topology.more ? 0 : app->topology.refresh_us;
}
