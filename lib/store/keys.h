/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_STORE_KEYS_H
#define HALE_STORE_KEYS_H
/*
 * keys - every Redis key of Hale and who may write it. Hash tags: {sN} = shard N of the samples,
 * {m} = everything about alarms and actions, so that each lives whole in one cluster slot.
 *
 * | key                        | type   | writer     | content                                   |
 * |----------------------------|--------|------------|-------------------------------------------|
 * | hale:{sN}:samples          | stream | collector  | field b = batch (model/batch.h); cM = copy of one of shard M |
 * | hale:{sN}:series           | hash   | collector  | 8-byte id (big-endian) -> canonical series|
 * | hale:{sN}:forgotten        | hash   | collector  | 8-byte id -> series removed but for its samples and archive |
 * | hale:{sN}:hot:<id16>:<c>   | string | collector  | packed raw samples of chunk c (docs/formats/hot.md) |
 * | hale:{sN}:late:<id16>:<c>  | string | collector  | the same that arrived in chunk c, too late for the archive |
 * | hale:{sN}:cp:hot           | string | collector  | stream id processed up to                 |
 * | hale:{sN}:cp:archive       | string | collector  | chunk archived up to (docs/formats/archive.md) |
 * | hale:{sN}:slots            | hash   | collector  | 8-byte id (big-endian) -> place in the archive's files |
 * | hale:{sN}:thr:state        | hash   | thresholds | snapshot of sub-alarm windows             |
 * | hale:{sN}:thr:meta         | hash   | thresholds | positions: snapshot, output, control      |
 * | hale:{sN}:subalarms        | stream | thresholds | field j = sub-alarm record                |
 * | hale:{m}:definitions       | hash   | collector  | id -> definition JSON                     |
 * | hale:{m}:defnames          | hash   | collector  | tenant \0 name -> id                      |
 * | hale:{m}:methods           | hash   | collector  | id -> notification method JSON            |
 * | hale:{m}:methodnames       | hash   | collector  | tenant \0 name -> id                      |
 * | hale:{m}:control           | stream | collector, actuator | field j = control record                  |
 * | hale:{m}:events            | stream | collector, actuator | field j = fault event            |
 * | hale:{m}:silences          | hash   | collector  | id -> silence JSON (model/silence.h)      |
 * | hale:{m}:maintenance       | hash   | collector, actuator | id -> maintenance window JSON (model/silence.h) |
 * | hale:{m}:topology          | stream | collector, actuator | field j = topology update (model/topology.h) |
 * | hale:{m}:entities          | hash   | correlator | tenant \0 type \0 id -> entity JSON; type empty: a source |
 * | hale:{m}:entitylog         | stream | correlator | field j = fields of entities that changed, by line; "*": many |
 * | hale:{m}:alarms            | hash   | correlator | id -> alarm JSON                          |
 * | hale:{m}:subs              | hash   | correlator | sub-alarm states                          |
 * | hale:{m}:cor:meta          | hash   | correlator | positions and the last seq                |
 * | hale:{m}:alarmlog          | stream | correlator | id <seq>-0, field j = alarm log record    |
 * | hale:{m}:runs              | hash   | actuator   | run id -> run JSON (open and recent runs) |
 * | hale:{m}:guards            | hash   | actuator   | what guards remember (docs/formats/run.md) |
 * | hale:{m}:verdicts          | hash   | collector  | <run id>:<what> -> who decided what about a run |
 * | hale:{m}:switches          | hash   | collector  | scope -> kill switch; unlatch/<policy>    |
 * | hale:{m}:aodh              | hash   | collector  | id -> event alarm of Aodh's form, or registration (model/notifier.h) |
 * | hale:{m}:lease:<target>    | string | actuator   | <fencing token>:<run id>, PX               |
 * | hale:{m}:fence             | string | actuator   | INCR: fencing tokens                      |
 * | hale:{m}:act:meta          | hash   | actuator   | positions in alarmlog: `alarmlog` acted on, `told` |
 * | hale:{m}:role:<role>       | string | actuator   | id of the process that has the role, PX (actuator/roles.h) |
 * | hale:{m}:role:idle         | string | actuator   | id of a process without a role, PX        |
 * | hale:{m}:roles             | hash   | actuator   | role -> fencing number of its holder      |
 * | hale:{m}:cursor:<sub>      | string | actuator   | last seq delivered to the subscriber      |
 * | hale:{m}:act:methods       | hash   | actuator   | method id -> what it was told (courier.h) |
 * | hale:{m}:act:policies      | string | actuator   | its policies, for people to look at (JSON array) |
 * | hale:{m}:act:outages       | hash   | actuator   | alarm id -> what is out because of it (outage.h) |
 * | hale:{m}:act:aodh          | hash   | actuator   | id -> state of an event alarm of Aodh's form (aodh.h) |
 * | hale:{m}:journal           | stream | actuator, collector | field j = journal row            |
 * | hale:{m}:chain             | stream | actuator   | id of a journal row, field c = its link (model/chain.h) |
 * | hale:{m}:chain:heads       | hash   | actuator   | tenant -> its newest link; "*" -> id sealed up to |
 * | hale:{m}:deadletters       | hash   | actuator   | id -> letter, id:r -> its record (docs/formats/deadletter.md) |
 * | hale:{m}:dead:<recipient>  | zset   | actuator   | ids of its letters by when they were given up |
 * | hale:{m}:replays           | hash   | collector  | letter id -> who wants it sent again; the actuator deletes |
 * | hale:{m}:groups            | hash   | actuator   | messages for people: groups and their alarms (actuator/group.h) |
 * | hale:{m}:upkeep            | hash   | actuator   | id -> maintenance session (actuator/upkeep.h) |
 * | hale:{m}:upkeep:said       | hash   | collector  | <session>:<what> -> what was said and is not carried out yet (model/upkeep.h) |
 * | hale:{m}:upkeep:limits     | hash   | collector  | instance/<project>/<id>, group/<project>/<id> -> constraint |
 * | hale:{m}:upkeep:says       | stream | actuator   | field j = event for a tenant's event alarms |
 * | hale:{m}:told              | hash   | actuator   | recipient and alarm -> told or dead (raised.h) |
 * | hale:{m}:ask              | stream | collector  | field j = question about sub-alarms (docs/formats/why.md) |
 * | hale:{m}:answer:<id>       | list   | thresholds | answers to it, one per shard, EX 10       |
 * | hale:{m}:health:<daemon>   | string | each       | health JSON, EX 10, refreshed every 3 s   |
 *
 * Ceilings: samples and subalarms are trimmed (XTRIM MINID) by their last consumer's position;
 * alarmlog, journal and chain keep HALE_KEYS_LOG_MAX entries, entitylog HALE_KEYS_ENTITYLOG_MAX
 * (approximate trimming).
 * All functions write a NUL-terminated key into dst (HALE_KEY_MAX bytes) and return dst.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define HALE_KEY_MAX            256
#define HALE_SHARDS_MAX         64
#define HALE_KEYS_LOG_MAX       1000000
#define HALE_KEYS_ENTITYLOG_MAX 10000

#define HALE_KEYS_DEFINITIONS   "hale:{m}:definitions"
#define HALE_KEYS_DEFNAMES      "hale:{m}:defnames"
#define HALE_KEYS_METHODS       "hale:{m}:methods"
#define HALE_KEYS_METHODNAMES   "hale:{m}:methodnames"
#define HALE_KEYS_CONTROL       "hale:{m}:control"
#define HALE_KEYS_EVENTS        "hale:{m}:events"
#define HALE_KEYS_SILENCES      "hale:{m}:silences"
#define HALE_KEYS_MAINTENANCE   "hale:{m}:maintenance"
#define HALE_KEYS_TOPOLOGY      "hale:{m}:topology"
#define HALE_KEYS_ENTITIES      "hale:{m}:entities"
#define HALE_KEYS_ENTITYLOG     "hale:{m}:entitylog"
#define HALE_KEYS_ALARMS        "hale:{m}:alarms"
#define HALE_KEYS_SUBS          "hale:{m}:subs"
#define HALE_KEYS_COR_META      "hale:{m}:cor:meta"
#define HALE_KEYS_ALARMLOG      "hale:{m}:alarmlog"
#define HALE_KEYS_RUNS          "hale:{m}:runs"
#define HALE_KEYS_GUARDS        "hale:{m}:guards"
#define HALE_KEYS_VERDICTS      "hale:{m}:verdicts"
#define HALE_KEYS_SWITCHES      "hale:{m}:switches"
#define HALE_KEYS_AODH          "hale:{m}:aodh"
#define HALE_KEYS_FENCE         "hale:{m}:fence"
#define HALE_KEYS_ACT_META      "hale:{m}:act:meta"
#define HALE_KEYS_ROLE_ACT      "hale:{m}:role:act"
#define HALE_KEYS_ROLE_TELL     "hale:{m}:role:tell"
#define HALE_KEYS_ROLE_IDLE     "hale:{m}:role:idle"
#define HALE_KEYS_ROLES         "hale:{m}:roles"
#define HALE_KEYS_ACT_METHODS   "hale:{m}:act:methods"
#define HALE_KEYS_ACT_OUTAGES   "hale:{m}:act:outages"
#define HALE_KEYS_ACT_AODH      "hale:{m}:act:aodh"
#define HALE_KEYS_DEADLETTERS   "hale:{m}:deadletters"
#define HALE_KEYS_REPLAYS       "hale:{m}:replays"
#define HALE_KEYS_TOLD          "hale:{m}:told"
#define HALE_KEYS_GROUPS        "hale:{m}:groups"
#define HALE_KEYS_UPKEEP        "hale:{m}:upkeep"
#define HALE_KEYS_UPKEEP_SAID   "hale:{m}:upkeep:said"
#define HALE_KEYS_UPKEEP_LIMITS "hale:{m}:upkeep:limits"
#define HALE_KEYS_UPKEEP_SAYS   "hale:{m}:upkeep:says"
#define HALE_KEYS_JOURNAL       "hale:{m}:journal"
#define HALE_KEYS_POLICIES      "hale:{m}:act:policies"
#define HALE_KEYS_CHAIN         "hale:{m}:chain"
#define HALE_KEYS_HEADS         "hale:{m}:chain:heads"
#define HALE_KEYS_ASK           "hale:{m}:ask"
#define HALE_KEYS_ASK_MAX       "256" /* questions kept; an answer is waited for 1 s */

const char *hale_keys_samples(unsigned shard, char *dst);
#define HALE_KEYS_BATCH "b" /* field of a batch in its own shard */
/* Field of a batch of shard `from` in the stream of another one; and is it such a field? */
const char *hale_keys_copy_field(unsigned from, char *dst);
bool hale_keys_is_copy(struct hale_str field, unsigned *from);
const char *hale_keys_series(unsigned shard, char *dst);
const char *hale_keys_forgotten(unsigned shard, char *dst);
const char *hale_keys_hot(unsigned shard, uint64_t series_id, int64_t chunk, char *dst);
const char *hale_keys_late(unsigned shard, uint64_t series_id, int64_t chunk, char *dst);
const char *hale_keys_slots(unsigned shard, char *dst);
const char *hale_keys_checkpoint(unsigned shard, const char *consumer, char *dst);
const char *hale_keys_thr_state(unsigned shard, char *dst);
const char *hale_keys_thr_meta(unsigned shard, char *dst);
const char *hale_keys_subalarms(unsigned shard, char *dst);
const char *hale_keys_lease(const char *target, char *dst);
const char *hale_keys_cursor(const char *subscriber, char *dst);
const char *hale_keys_dead(const char *recipient, char *dst);
const char *hale_keys_answer(const char *question, char *dst);
const char *hale_keys_health(const char *daemon, char *dst);
#endif
