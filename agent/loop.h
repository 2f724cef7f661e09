/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_LOOP_H
#define HALE_AGENT_LOOP_H
/*
 * loop - the agent's one thread: timers, foreign descriptors and HTTP calls in one wait.
 * Time:      monotonic milliseconds.
 * Ownership: timers and watches are embedded in their owner, who disarms or removes them before
 *            freeing itself.
 * Limits:    AGENT_WATCHES_MAX descriptors, 65536 timers. Threads: one.
 */
#include <stdint.h>

#include "base/timers.h"
#include "net/http_client.h"

#define AGENT_WATCHES_MAX 1024

struct agent_loop;

struct agent_timer {
    struct hale_timer timer;
    void (*fire)(void *arg, int64_t now_ms);
    void *arg;
};
struct agent_watch {
    int fd;       /* -1 = not watched */
    short events; /* POLLIN, POLLOUT */
    void (*ready)(void *arg, short revents);
    void *arg;
    unsigned pos; /* index+1 in the loop, 0 = not watched; zero-initialise */
};

struct agent_loop *agent_loop_new(unsigned max_http_calls); /* NULL on memory failure */
void agent_loop_free(struct agent_loop *l);
struct hale_http_client *agent_loop_http(struct agent_loop *l);
/* Arms or moves; a full heap is impossible (one timer per check) and asserted. */
void agent_loop_arm(struct agent_loop *l, struct agent_timer *t, int64_t at_ms);
void agent_loop_disarm(struct agent_loop *l, struct agent_timer *t);
/* HALE_E_LIMIT when AGENT_WATCHES_MAX are watched. */
HALE_MUST_CHECK enum hale_rc agent_loop_watch(struct agent_loop *l,
                                              struct agent_watch *w);
void agent_loop_unwatch(struct agent_loop *l,
                        struct agent_watch *w); /* unwatched is fine */
/* Waits for the next thing and does all that is due; at most max_wait_ms. */
void agent_loop_turn(struct agent_loop *l, int64_t max_wait_ms);
#endif
