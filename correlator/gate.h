/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_GATE_H
#define CORRELATOR_GATE_H
/*
 * gate - who is told. States are always true and always logged; the gate decides whether those outside
 * (subscribers, methods, policies) hear of them: the record's `announce`.
 *   - A transition of an alarm without mutes is announced, one of a muted alarm is not;
 *   - but whoever was told of a problem is told of its end, muted or not (of a flapping one when it is calm);
 *   - when the last mute ends and the state is another than was announced, an `updated` record announces
 *     it, once; if the problem came and went meanwhile, nothing is said. A mute that begins after the
 *     announcement says nothing.
 *   - a deleted alarm that was announced as ALARM is announced once more: it is over.
 * Without mutes the announced state is that of the alarm, but for one born UNDETERMINED.
 *
 * Before a transition's record is written every source is asked, in the order of gate.c, so that the record
 * has the verdict already. A source calls cor_mute_set and cor_mute_end for this alarm and nothing else.
 * Sources that act later, by themselves, do the same and then call cor_gate_settle.
 */
#include "correlator/life.h"

/* Adds the mute, or changes until_ms (0: none) and text (NULL: none). True when anything changed. Emits
 * nothing. At the ceiling it is refused and counted (mutes_refused). */
bool cor_mute_set(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_mute_kind kind, const char *id, int64_t until_ms,
                  const char *text);
/* id NULL: all of the kind. True when there was one. Emits nothing. */
bool cor_mute_end(struct correlator_engine *e, struct cor_alarm *a,
                  enum cor_mute_kind kind, const char *id);
const struct cor_mute *cor_mute_get(const struct cor_alarm *a, enum cor_mute_kind kind,
                                    const char *id); /* id NULL: the first of the kind */
/* One `updated` record about what changed since the last one, if anything did. by NULL: Hale itself. */
void cor_gate_settle(struct correlator_engine *e, struct cor_alarm *a, const char *op,
                     const char *by);
/* --- for record.c --- */
/* A transition is about to be written. */
void cor_gate_ask(struct correlator_engine *e, struct cor_alarm *a, enum hale_state from);
/* Is this record announced? Keeps what was. */
bool cor_gate_announce(struct correlator_engine *e, struct cor_alarm *a,
                       enum hale_log_kind kind);
#endif
