/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_STATSD_H
#define HALE_AGENT_STATSD_H
/*
 * statsd - one line of the statsd protocol, in the dialects that reach a Monasca agent:
 *   name:value[:value...]|type[|@rate][|#tags]
 *   type     c counter, g gauge, r rate, ms and d and h timer
 *   tags     {'k': 'v'}        a Python dict's text: monasca-statsd
 *            k:v,k2            DogStatsD; a tag without value gets "True", as in Monasca
 *   name,k=v:1|g               InfluxDB's form of tags
 *   _sc|name|status[|...]      DogStatsD service check: a gauge
 * Sets (s) and events (_e{...}) are refused. A signed gauge is a value, not a change, as in Monasca.
 * Threads:   pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

enum agent_statsd_type {
    AGENT_STATSD_COUNTER,
    AGENT_STATSD_GAUGE,
    AGENT_STATSD_RATE,
    AGENT_STATSD_TIMER
};
enum agent_statsd_tags {
    AGENT_STATSD_NO_TAGS,
    AGENT_STATSD_PYTHON,
    AGENT_STATSD_DOGSTATSD,
    AGENT_STATSD_INFLUX
};
struct agent_statsd_line { /* views of the line */
    struct hale_str name;
    struct hale_str values; /* numbers, separated by ':' */
    struct hale_str tags;   /* undecoded, without '#', '{' and '}' */
    enum agent_statsd_tags tags_form;
    enum agent_statsd_type type;
    double rate; /* 0 < rate <= 1 */
};
/* Takes the line apart; the numbers of `values` are not looked at. HALE_E_INVAL: *why_out is a
 * literal. */
HALE_MUST_CHECK enum hale_rc agent_statsd_parse(struct hale_str line,
                                                struct agent_statsd_line *out,
                                                const char **why_out);
/* Takes the next tag off *rest (line->tags at first) and appends its decoded key and value, each
 * with a NUL, to text; HALE_E_CLOSED after the last, HALE_E_INVAL, HALE_E_LIMIT (text is full). */
HALE_MUST_CHECK enum hale_rc agent_statsd_next_tag(enum agent_statsd_tags form,
                                                   struct hale_str *rest,
                                                   struct hale_buf *text);
#endif
