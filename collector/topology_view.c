/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/topology_view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/request.h"

#define PREFIX "/v1/topology/"

struct collector_topology {
    pthread_mutex_t lock;
    struct hale_entities *copy;
};

struct collector_topology *collector_topology_new(void)
{
    struct collector_topology *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->copy = hale_entities_new();
    if (t->copy == NULL || pthread_mutex_init(&t->lock, NULL) != 0) {
        hale_entities_free(t->copy);
        free(t);
        return NULL;
    }
    return t;
}

void collector_topology_free(struct collector_topology *t)
{
    if (t == NULL)
        return;
    (void)pthread_mutex_destroy(&t->lock);
    hale_entities_free(t->copy);
    free(t);
}

const struct hale_entities *collector_topology_enter(struct collector *c,
                                                     struct hale_redis *redis,
                                                     struct hale_http_req *req)
{
    (void)pthread_mutex_lock(&c->topology->lock);
    if (hale_entities_refresh(c->topology->copy, redis) == HALE_OK)
        return c->topology->copy;
    collector_topology_leave(c);
    collector_reply_busy(req, 2, "the store does not answer; try again");
    return NULL;
}

void collector_topology_leave(struct collector *c)
{
    (void)pthread_mutex_unlock(&c->topology->lock);
}

struct hale_graph *collector_topology_graph(const struct hale_entities *x,
                                            const struct hale_http_req *req)
{
    return hale_entities_graph(x, hale_str_from(collector_request_of(req)->tenant));
}

/* The two parts after the prefix; what follows them ("/dependents") is not theirs. */
static struct hale_str of_path(const char *path)
{
    struct hale_str ref = {NULL, 0};

    if (strncmp(path, PREFIX, sizeof(PREFIX) - 1) != 0)
        return ref;
    ref.p = path + sizeof(PREFIX) - 1;
    size_t type = strcspn(ref.p, "/");
    ref.len = ref.p[type] == '/' ? type + 1 + strcspn(ref.p + type + 1, "/") : type;
    return ref;
}

bool collector_topology_ref(struct hale_http_req *req, char *dst)
{
    const char *asked = hale_http_query(req, "ref");
    struct hale_str ref =
        asked != NULL ? hale_str_from(asked) : of_path(hale_http_path(req));
    struct hale_str type, id;

    if (!hale_topology_ref(ref, &type, &id)) {
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "ref must be type/id, like host/compute-1");
        return false;
    }
    (void)snprintf(dst, HALE_TOPOLOGY_REF_MAX, "%.*s", (int)ref.len, ref.p);
    return true;
}
