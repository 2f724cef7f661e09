/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_SENDER_H
#define HALE_AGENT_SENDER_H
/*
 * sender - brings the sink's samples to the collector, in order, and none twice in vain.
 * Way:       what the sink holds at the end of a turn of the loop becomes a batch. With nothing under
 *            way and an empty spool it is POSTed at once; else it goes to the spool, whose head is
 *            sent as soon as the collector is back. One request at a time keeps the order.
 * Answers:   2xx: done. 400, 413, 422: the batch is halved until the refused samples stand alone; those
 *            are logged, counted and left out, the rest goes through (a bad sample never blocks).
 *            401, 403, 404, 429, 5xx, no answer: later, after 0.5 s doubling to 10 s with jitter, or
 *            Retry-After (at most 60 s).
 * Threads:   the loop's.
 */
#include "agent/loop.h"
#include "agent/sink.h"
#include "agent/spool.h"

struct agent_sender;
struct agent_sender_options {
    const char *collector; /* "http://host:port" */
    const char *token;     /* copied */
    const char *ca_file;   /* or NULL */
    const char *cert_file; /* ours, or NULL */
    const char *key_file;  /* its key, or NULL */
    int64_t timeout_ms;
    size_t max_batch; /* samples per POST */
};

/* spool and loop stay the caller's and must outlive the sender. NULL on memory failure. */
struct agent_sender *agent_sender_new(struct agent_loop *loop, struct agent_spool *spool,
                                      const struct agent_sender_options *o);
/* Ends the request under way; its batch (it may arrive twice: harmless), then what sink holds (NULL
 * allowed) go to the spool. The sender may only be freed after that. */
void agent_sender_stop(struct agent_sender *s, struct agent_sink *sink);
/* Stops it first. NULL allowed. */
void agent_sender_free(struct agent_sender *s);
/* Takes what it can out of sink; what stays (a request is under way, the disk takes nothing) comes with
 * the next turn. Call once per turn of the loop. */
void agent_sender_flush(struct agent_sender *s, struct agent_sink *sink);
/* True when the collector acknowledged the latest request, or none was needed yet. */
bool agent_sender_ok(const struct agent_sender *s);
/* Why not, for a person; "" when ok. */
const char *agent_sender_trouble(const struct agent_sender *s);
#endif
