/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_GUARD_WHEN_H
#define HALE_ACTUATOR_GUARD_WHEN_H
/*
 * guard_when - when and on what a policy may act at all: hours of the week in a time zone, and
 * targets that are taboo, for good or for a while. Pure.
 * Hours:     from inclusive, to exclusive, of each of the days, by the clock on the wall of the
 *            zone; to <= from: into the next day. Allowed is what any of the spans has; none
 *            given: always.
 * Blackout:  holds while now is in [from, until) for targets of which one pattern fits the whole
 *            ("*": any text, "?": one character) and alarms whose dimensions have all labels. Of
 *            patterns and labels at least one is given; what is not given fits.
 * Units:     wall milliseconds. Ownership: a when owns what it points to. Threads: immutable
 *            after reading.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/zone.h"
#include "model/definition.h"
#include "model/yaml.h"

#define ACTUATOR_HOURS_MAX     16
#define ACTUATOR_BLACKOUTS_MAX 16

struct actuator_hours {
    unsigned days;        /* bit 0 = Monday */
    int from_min, to_min; /* 0..1440 */
    struct hale_zone *zone;
};
struct actuator_blackout {
    struct hale_strings targets;
    json_t *labels;            /* object of strings or NULL */
    int64_t from_ms, until_ms; /* 0: from ever; INT64_MAX: for ever */
};
struct actuator_when {
    unsigned n_hours, n_blackouts;
    struct actuator_hours *hours;
    struct actuator_blackout *blackout;
};
void actuator_when_fini(struct actuator_when *w);

/* until_ms: when it is allowed next (within the coming eight days; else a week from now). */
bool actuator_when_hours(const struct actuator_when *w, int64_t now_ms,
                         int64_t *until_ms);
/* false: taboo until *until_ms (INT64_MAX: for good). */
bool actuator_when_blackout(const struct actuator_when *w, const char *target,
                            const json_t *vars, int64_t now_ms, int64_t *until_ms);
#endif
