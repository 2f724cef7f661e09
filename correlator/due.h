/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_DUE_H
#define CORRELATOR_DUE_H
/*
 * due - what happens at a time and not at a record: one heap for all kinds, in the time of the streams.
 * A correlator that was away judges by what came meanwhile and not by how late it reads.
 * Order:     by time, then kind, then id: it depends on the rows alone, not on who was armed first.
 * Ownership: intrusive, like base/timers.h; zero-initialise and fill kind, id and owner. id lives as long.
 * Storage:   none. Whoever arms one keeps what it takes to arm it again after loading.
 * A new kind: its place below is its place among those of one time; its function in due.c.
 */
#include <stddef.h>
#include <stdint.h>

struct correlator_engine;

enum cor_due_kind {
    COR_DUE_BEGIN, /* of a silence or maintenance window: first, so that others heed it */
    COR_DUE_END,   /* of one: after the beginnings, so that nothing surfaces in between */
    COR_DUE_EXPIRY, /* an event alarm was not repeated */
    COR_DUE_DELAY,  /* of a whole expression */
    COR_DUE_ACK,    /* an acknowledgement ends */
    COR_DUE_SHELVE, /* a shelved alarm is back */
    COR_DUE_CAUSE,  /* a check was looked at, or a symptom had time to end */
    COR_DUE_FLAP,   /* an alarm that flapped is calm */
    COR_DUE_STORM   /* a tenant's storm: somebody may go, or something is to be told */
};
struct cor_due {
    enum cor_due_kind kind;
    const char *id;
    void *owner;
    int64_t at_ms;
    size_t pos; /* 1-based place in the heap; 0: not armed */
};
struct cor_dues {
    struct cor_due **heap; /* [1..n] */
    size_t n, cap;
};

/* Arms or moves; at_ms 0: disarms. No memory: latched. The second: in an order of its own. */
void cor_due_set(struct correlator_engine *e, struct cor_due *d, int64_t at_ms);
void cor_dues_set(struct correlator_engine *e, struct cor_dues *q, struct cor_due *d,
                  int64_t at_ms);
int64_t cor_due_of(const struct cor_due *d); /* 0: not armed */
void cor_due_free(struct cor_dues *dues);
#endif
