/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"

#define STACK_BYTES (1u << 20)

struct shared { /* ours and of every thread that is still under way */
    atomic_uint refs;
    struct hale_queue *done; /* struct actuator_addresses */
};
struct actuator_lookup {
    struct shared *shared;
    uint64_t ids;
    unsigned under_way;
};
struct question {
    struct shared *shared;
    uint64_t id;
    char port[8];
    char host[];
};

static void put(struct shared *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    hale_queue_free(s->done);
    free(s);
}

static void keep(struct actuator_addresses *out, const struct addrinfo *found)
{
    for (; found != NULL && out->n < ACTUATOR_LOOKUP_ADDRESSES; found = found->ai_next) {
        if (found->ai_addrlen > sizeof(out->v[0].addr))
            continue;
        struct actuator_address *a = &out->v[out->n++];
        memcpy(&a->addr, found->ai_addr, found->ai_addrlen);
        a->len = found->ai_addrlen;
    }
}

static void *ask(void *arg)
{
    struct question *q = arg;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct actuator_addresses *answer = calloc(1, sizeof(*answer));
    if (answer != NULL) {
        int rc = getaddrinfo(q->host, q->port, &hints, &found);
        answer->id = q->id;
        if (rc == 0)
            keep(answer, found);
        if (answer->n == 0)
            (void)snprintf(answer->error, sizeof(answer->error), "%s",
                           rc != 0 ? gai_strerror(rc) : "the name has no address");
        if (found != NULL)
            freeaddrinfo(found);
        if (hale_queue_push(q->shared->done, answer) != HALE_OK)
            free(answer); /* closed: nobody waits */
    }
    put(q->shared);
    free(q);
    return NULL;
}

struct actuator_lookup *actuator_lookup_new(void)
{
    struct actuator_lookup *l = calloc(1, sizeof(*l));
    struct shared *s = calloc(1, sizeof(*s));
    if (s != NULL)
        s->done = hale_queue_new(ACTUATOR_LOOKUPS_MAX, free);
    if (l == NULL || s == NULL || s->done == NULL) {
        free(s);
        free(l);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    l->shared = s;
    return l;
}

void actuator_lookup_free(struct actuator_lookup *l)
{
    if (l == NULL)
        return;
    hale_queue_close(l->shared->done);
    put(l->shared);
    free(l);
}

bool actuator_lookup_number(const char *host, unsigned port, struct actuator_address *out)
{
    struct addrinfo *found = NULL;
    struct actuator_addresses one = {.n = 0};
    char text[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                                   .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    (void)snprintf(text, sizeof(text), "%u", port % 65536);
    if (getaddrinfo(host, text, &hints, &found) != 0)
        return false;
    keep(&one, found);
    freeaddrinfo(found);
    *out = one.v[0];
    return one.n > 0;
}

enum hale_rc actuator_lookup_start(struct actuator_lookup *l, const char *host,
                                   unsigned port, uint64_t *id_out)
{
    pthread_attr_t attr;
    pthread_t thread;
    if (l->under_way >= ACTUATOR_LOOKUPS_MAX)
        return HALE_E_LIMIT;
    struct question *q = calloc(1, sizeof(*q) + strlen(host) + 1);
    if (q == NULL)
        return HALE_E_NOMEM;
    q->shared = l->shared;
    q->id = ++l->ids;
    memcpy(q->host, host, strlen(host) + 1);
    (void)snprintf(q->port, sizeof(q->port), "%u", port % 65536);
    *id_out = q->id;
    (void)atomic_fetch_add(&l->shared->refs, 1);
    bool started = pthread_attr_init(&attr) == 0;
    if (started) {
        started = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
                  pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
                  pthread_create(&thread, &attr, ask, q) == 0;
        (void)pthread_attr_destroy(&attr);
    }
    if (!started) {
        put(l->shared);
        free(q);
        return HALE_E_NOMEM;
    }
    l->under_way++;
    return HALE_OK;
}

int actuator_lookup_fd(const struct actuator_lookup *l)
{
    return hale_queue_fd(l->shared->done);
}

bool actuator_lookup_next(struct actuator_lookup *l, struct actuator_addresses *out)
{
    void *item = NULL;
    if (hale_queue_drain(l->shared->done, &item, 1) == 0)
        return false;
    memcpy(out, item, sizeof(*out));
    free(item);
    l->under_way--;
    return true;
}
