/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/queue.h"

#define NAMES_MAX        4096
#define STOP_PATIENCE_MS 1000

/* A look-up on its way to the worker and back; owned by whoever holds it. */
struct job {
    struct agent_name *name; /* not touched by the worker */
    char *host, port[8];
    struct sockaddr_storage addr;
    socklen_t len; /* 0: failed */
    int error;     /* of getaddrinfo */
};

struct agent_name {
    struct agent_resolver *resolver;
    char *host;
    unsigned port;
    struct sockaddr_storage addr;
    socklen_t len;    /* 0: none */
    int64_t asked_ms; /* 0: never */
    bool pending, failed;
    char why[128];
    struct agent_name *next;
};

struct agent_resolver {
    struct agent_loop *loop;
    struct hale_queue *jobs, *answers;
    struct agent_watch watch;
    struct agent_name *names;
    unsigned n_names;
    pthread_t worker;
    bool running;
};

static void job_free(void *item)
{
    struct job *j = item;
    free(j->host);
    free(j);
}

static void look_up(struct job *j, int flags)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = flags | AI_NUMERICSERV};
    j->error = getaddrinfo(j->host, j->port, &hints, &found);
    if (j->error == 0 && found != NULL && found->ai_addrlen <= sizeof(j->addr)) {
        memcpy(&j->addr, found->ai_addr, found->ai_addrlen);
        j->len = found->ai_addrlen;
    }
    if (found != NULL)
        freeaddrinfo(found);
}

static void *work(void *arg)
{
    struct agent_resolver *r = arg;
    struct job *j;
    while ((j = hale_queue_pop(r->jobs, -1)) != NULL) {
        look_up(j, 0);
        if (hale_queue_push(r->answers, j) != HALE_OK)
            job_free(j);
    }
    return NULL;
}

static void settle(struct agent_name *n, const struct job *j)
{
    n->pending = false;
    n->failed = j->len == 0;
    if (j->len > 0) {
        n->addr = j->addr;
        n->len = j->len;
    } else {
        n->len = 0;
        (void)snprintf(n->why, sizeof(n->why), "cannot look up %.60s: %.40s", n->host,
                       gai_strerror(j->error));
    }
}

static void answered(void *arg, short revents)
{
    struct agent_resolver *r = arg;
    struct job *j;
    (void)revents;
    while ((j = hale_queue_pop(r->answers, 0)) != NULL) {
        settle(j->name, j);
        job_free(j);
    }
}

struct agent_resolver *agent_resolver_new(struct agent_loop *loop)
{
    struct agent_resolver *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->loop = loop;
    r->jobs = hale_queue_new(NAMES_MAX, job_free);
    r->answers = hale_queue_new(NAMES_MAX, job_free);
    if (r->jobs != NULL && r->answers != NULL) {
        r->watch = (struct agent_watch){.fd = hale_queue_fd(r->answers),
                                        .events = POLLIN,
                                        .ready = answered,
                                        .arg = r};
        r->running = agent_loop_watch(loop, &r->watch) == HALE_OK &&
                     pthread_create(&r->worker, NULL, work, r) == 0;
    }
    if (!r->running) {
        agent_resolver_free(r);
        return NULL;
    }
    return r;
}

static bool worker_ended(struct agent_resolver *r)
{
    int64_t end_ms = hale_clock_wall_ms() + STOP_PATIENCE_MS;
    const struct timespec end = {.tv_sec = end_ms / 1000,
                                 .tv_nsec = end_ms % 1000 * 1000000};
    return pthread_timedjoin_np(r->worker, NULL, &end) == 0;
}

void agent_resolver_free(struct agent_resolver *r)
{
    if (r == NULL)
        return;
    struct job *j;
    while (r->jobs != NULL && (j = hale_queue_pop(r->jobs, 0)) != NULL)
        job_free(j);
    if (r->jobs != NULL)
        hale_queue_close(r->jobs);
    agent_loop_unwatch(r->loop, &r->watch);
    if (r->running && !worker_ended(r))
        return; /* a name server does not answer: the end of the process ends the worker */
    hale_queue_free(r->jobs);
    hale_queue_free(r->answers);
    while (r->names != NULL) {
        struct agent_name *n = r->names;
        r->names = n->next;
        free(n->host);
        free(n);
    }
    free(r);
}

static struct job *job_new(struct agent_name *n)
{
    struct job *j = calloc(1, sizeof(*j));
    if (j == NULL || (j->host = strdup(n->host)) == NULL) {
        free(j);
        return NULL;
    }
    j->name = n;
    (void)snprintf(j->port, sizeof(j->port), "%u", n->port);
    return j;
}

struct agent_name *agent_resolver_name(struct agent_resolver *r, const char *host,
                                       unsigned port)
{
    struct agent_name *n = r->names;
    while (n != NULL && (n->port != port || strcmp(n->host, host) != 0))
        n = n->next;
    if (n !=
        NULL) /* shared by the checks that ask for it, and by the next configuration */
        return n;
    n = calloc(1, sizeof(*n));
    if (n == NULL || r->n_names == NAMES_MAX || (n->host = strdup(host)) == NULL) {
        free(n);
        return NULL;
    }
    n->resolver = r;
    n->port = port;
    n->next = r->names;
    r->names = n;
    r->n_names++;
    return n;
}

enum hale_rc agent_resolver_get(struct agent_name *n, int64_t now_mono_ms,
                                struct sockaddr_storage *out, socklen_t *len_out,
                                const char **why)
{
    bool due = n->asked_ms == 0 || now_mono_ms - n->asked_ms >= AGENT_RESOLVER_TTL_MS ||
               (n->failed && now_mono_ms - n->asked_ms >= AGENT_RESOLVER_TTL_MS / 12);
    if (due && !n->pending) {
        struct job *j = job_new(n);
        if (j != NULL) {
            n->asked_ms = now_mono_ms;
            look_up(j, AI_NUMERICHOST);
            if (j->len > 0) {
                settle(n, j);
                job_free(j);
            } else if (hale_queue_push(n->resolver->jobs, j) == HALE_OK) {
                n->pending = true;
            } else {
                job_free(j);
            }
        }
    }
    if (n->len > 0) {
        memcpy(out, &n->addr, n->len);
        *len_out = n->len;
        return HALE_OK;
    }
    *why = n->failed ? n->why : "the name is being looked up";
    return n->failed ? HALE_E_NOTFOUND : HALE_E_AGAIN;
}
