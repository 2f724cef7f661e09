/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_SILENCE_H
#define HALE_MODEL_SILENCE_H
/*
 * silence - a time in which nobody is told of the alarms that fit; and a maintenance window, which is a
 * silence with a duration, an entity perhaps, and a repetition in a time zone. Of one tenant, for its alarms
 * alone. Stored as JSON in the hashes HALE_KEYS_SILENCES and HALE_KEYS_MAINTENANCE:
 *   {"v":1,"id":uuid,"tenant":s,"matchers":[...],"starts_ms":n,"ends_ms":n,"author":s,"reason":s,
 *    "created_ms":n,"updated_ms":n}
 * and for maintenance:
 *    "entity":"type/id"?,           it and what stands on it (model/topology.h); beside or instead of matchers
 *    "duration_s":n,"zone":s,       zone: IANA name
 *    "repeat":{"every":"day"|"week"|"month","days":["mon",..]?,"day":n?}?
 * Times: [starts_ms, ends_ms). Maintenance begins at starts_ms and, if it repeats, at the same time of the
 *   clock in its zone on the days that repeat names (week: those of days, default that of the first; month: day,
 *   1..31 in months that have it, or -1 = the last; default that of the first), and lasts duration_s real seconds.
 *   A beginning that the clock skips (summer time) is as much later; one that it shows twice is the first. No part
 *   of it lies at or after ends_ms (0: no end).
 * Limits:    HALE_SILENCES_MAX of each kind, all tenants together; a duration is shorter than the distance of
 *            repetitions (day 24 h, week 7 d, month 28 d), without repetition 366 d.
 * Ownership: its own heap object. Threads: one at a time (its expressions are).
 */
#include "base/zone.h"
#include "model/matcher.h"

#define HALE_SILENCES_MAX       10000
#define HALE_SILENCE_REASON_MAX 1024 /* bytes */
#define HALE_SILENCE_MAX_MS     (INT64_C(366) * 86400000)
#define HALE_SILENCE_ENTITY_MAX 300 /* bytes */

enum hale_repeat {
    HALE_REPEAT_NOT,
    HALE_REPEAT_DAY,
    HALE_REPEAT_WEEK,
    HALE_REPEAT_MONTH
};
struct hale_silence {
    bool maintenance;
    char *id, *tenant;
    struct hale_matchers matchers;
    int64_t starts_ms, ends_ms;
    char *author, *reason;
    int64_t created_ms, updated_ms;
    /* maintenance */
    char *entity; /* NULL: none */
    int64_t duration_ms;
    char *zone;
    struct hale_zone *tz;
    enum hale_repeat repeat;
    unsigned days; /* bit 0: Monday; 0: the first's */
    int day;       /* 0: the first's */
};
void hale_silence_free(struct hale_silence *s); /* NULL allowed */
/* From the stored JSON. */
HALE_MUST_CHECK enum hale_rc hale_silence_decode(struct hale_str json, bool maintenance,
                                                 struct hale_silence **out,
                                                 struct hale_err *err);
HALE_MUST_CHECK enum hale_rc hale_silence_encode(const struct hale_silence *s,
                                                 struct hale_buf *out);
/* From the body of a POST or PUT: matchers, starts (ISO 8601 or ms; default now, never before), ends or for
 * (duration), reason; Alertmanager's startsAt, endsAt, comment and createdBy (ignored). Maintenance: starts without
 * an offset is of its zone and may lie in the past if it repeats; for, entity, zone, repeat, until (its ends). Who and which
 * is left NULL/0 for the caller. HALE_E_INVAL with the text of the 422. */
HALE_MUST_CHECK enum hale_rc hale_silence_from_api(const json_t *body, bool maintenance,
                                                   int64_t now_ms,
                                                   struct hale_silence **out,
                                                   struct hale_err *err);
/* Is it on at that time? *change_ms: when that will be different, INT64_MAX: never. */
bool hale_silence_at(const struct hale_silence *s, int64_t at_ms, int64_t *change_ms);
/* Ends it at that time if it does not anyway. False: it was over. */
bool hale_silence_end(struct hale_silence *s, int64_t at_ms);
#endif
