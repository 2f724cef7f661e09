/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_SEAL_H
#define HALE_ACTUATOR_SEAL_H
/*
 * seal - chains the journal's rows after they were written (model/chain.h, docs/adr/0031): reads what is
 * behind the sealed position and writes the links, the heads and the position by one script that
 * compares the position first. The id of a link is that of its row, so Redis refuses a second link for
 * a row, whoever writes it: two sealers, or one that is killed between any two steps, cannot fork a chain.
 * It never waits: a connection of its own, replies when they are there.
 * Heads:     now and then they go into the log (event=audit_head) and into a file, if one is configured: what is
 *            noted there shows that somebody has written the whole chain anew.
 * Threads:   one.
 */
#include <poll.h>
#include <stdint.h>

struct actuator_seal;

/* NULL: no memory. */
struct actuator_seal *actuator_seal_new(const char *redis_url);
void actuator_seal_free(struct actuator_seal *s); /* NULL allowed */
/* head_file: borrowed until the next call; NULL: none. */
void actuator_seal_set_export(struct actuator_seal *s, const char *head_file,
                              int64_t every_ms);
/* Does what can be done without waiting; now_ms is monotonic. */
void actuator_seal_tick(struct actuator_seal *s, int64_t now_ms);
void actuator_seal_pollfd(const struct actuator_seal *s, struct pollfd *out);
#endif
