/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORRELATOR_STORM_PARTS_H
#define CORRELATOR_STORM_PARTS_H
/* storm_parts - a tenant's storm, shared by storm.c (who waits) and storm_tell.c (alarm, rows). */
#include <jansson.h>

#include "correlator/storm.h"
#include "model/definition.h"

/* One raise, in the unit of the bucket: rate (a minute) x percent x milliseconds. */
#define COR_STORM_ONE INT64_C(6000000)

struct cor_storm_counts {
    int64_t held, announced, cleared, refused;
    int64_t by_severity[HALE_SEV_CRITICAL + 1];
    unsigned n_names;
    struct {
        char *name;
        int64_t n;
    } names[COR_STORM_NAMES];
    int64_t others; /* of further definitions */
};

struct cor_storm {
    char *tenant;
    struct cor_due due;
    struct cor_dues waiting; /* cor_life.storm of alarms, by cor_storm_rank */
    int64_t level, reserve;  /* of the bucket's parts, at level_ms */
    int64_t level_ms;
    int64_t since_ms;  /* a storm since; 0: none */
    int64_t last_ms;   /* when the last one had to wait or was refused */
    int64_t report_ms; /* when the alarm is looked at next */
    bool told;         /* the alarm has these counts */
    struct cor_storm_counts counts;
    bool dirty, gone;
    struct cor_storm *next_dirty;
};

/* --- storm.c --- */
/* Finds or makes; NULL: no memory (latched), or too many tenants (counted). */
struct cor_storm *cor_storm_of(struct correlator_engine *e, struct hale_str tenant);
void cor_storm_rearm(struct correlator_engine *e, struct cor_storm *s);
/* --- storm_tell.c --- */
void cor_storm_dirty(struct correlator_engine *e, struct cor_storm *s);
void cor_storm_free(struct cor_storm *s);
void cor_storm_count(struct correlator_engine *e, struct cor_storm_counts *c,
                     const char *name, enum hale_severity severity);
/* Raises, refreshes or clears the alarm, if it is time. */
void cor_storm_tell(struct correlator_engine *e, struct cor_storm *s, int64_t at_ms);
#endif
