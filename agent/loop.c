/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

struct agent_loop {
    struct hale_http_client *http;
    struct hale_timers *timers;
    unsigned n_watches;
    struct agent_watch *watches[AGENT_WATCHES_MAX];
};

struct agent_loop *agent_loop_new(unsigned max_http_calls)
{
    struct agent_loop *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    l->http = hale_http_client_new(max_http_calls);
    l->timers = hale_timers_new(65536);
    if (l->http == NULL || l->timers == NULL) {
        agent_loop_free(l);
        return NULL;
    }
    return l;
}

void agent_loop_free(struct agent_loop *l)
{
    if (l == NULL)
        return;
    hale_http_client_free(l->http);
    hale_timers_free(l->timers);
    free(l);
}

struct hale_http_client *agent_loop_http(struct agent_loop *l)
{
    return l->http;
}

void agent_loop_arm(struct agent_loop *l, struct agent_timer *t, int64_t at_ms)
{
    t->timer.owner = t;
    HALE_ASSERT(hale_timers_arm(l->timers, &t->timer, at_ms) == HALE_OK);
}

void agent_loop_disarm(struct agent_loop *l, struct agent_timer *t)
{
    hale_timers_disarm(l->timers, &t->timer);
}

enum hale_rc agent_loop_watch(struct agent_loop *l, struct agent_watch *w)
{
    if (w->pos != 0)
        return HALE_OK;
    if (l->n_watches == AGENT_WATCHES_MAX)
        return HALE_E_LIMIT;
    l->watches[l->n_watches++] = w;
    w->pos = l->n_watches;
    return HALE_OK;
}

void agent_loop_unwatch(struct agent_loop *l, struct agent_watch *w)
{
    if (w->pos == 0)
        return;
    HALE_ASSERT(l->watches[w->pos - 1] == w);
    struct agent_watch *last = l->watches[--l->n_watches];
    l->watches[w->pos - 1] = last;
    last->pos = w->pos;
    w->pos = 0;
}

static int wait_ms(const struct agent_loop *l, int64_t max_wait_ms)
{
    int64_t next = hale_timers_next(l->timers);
    if (next == INT64_MAX)
        return (int)max_wait_ms;
    int64_t left = next - hale_clock_mono_ms();
    if (left < 0)
        left = 0;
    return (int)(left < max_wait_ms ? left : max_wait_ms);
}

void agent_loop_turn(struct agent_loop *l, int64_t max_wait_ms)
{
    struct pollfd fds[AGENT_WATCHES_MAX];
    struct agent_watch *asked[AGENT_WATCHES_MAX];
    unsigned n = l->n_watches;
    struct hale_timer *due;

    for (unsigned i = 0; i < n; i++) {
        asked[i] = l->watches[i];
        fds[i] = (struct pollfd){.fd = asked[i]->fd, .events = asked[i]->events};
    }
    if (hale_http_client_poll(l->http, fds, n, wait_ms(l, max_wait_ms)) != HALE_OK)
        hale_error("event=poll_failed");
    /* A callback may remove any watch: call only those that still stand where they were asked for. */
    for (unsigned i = 0; i < n; i++) {
        bool there = false;
        if (fds[i].revents == 0)
            continue;
        for (unsigned j = 0; j < l->n_watches && !there; j++)
            there = l->watches[j] == asked[i] && asked[i]->fd == fds[i].fd;
        if (there)
            asked[i]->ready(asked[i]->arg, fds[i].revents);
    }
    int64_t now_ms = hale_clock_mono_ms();
    while ((due = hale_timers_pop(l->timers, now_ms)) != NULL) {
        struct agent_timer *t = due->owner;
        t->fire(t->arg, now_ms);
    }
}
