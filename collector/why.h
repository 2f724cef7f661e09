/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_WHY_H
#define HALE_COLLECTOR_WHY_H
/*
 * why - from facts about an alarm, or about a group of a definition that has none, to the answers a
 * person needs: why it fired, why nobody was told, why it has not fired. It reads what others
 * decided and decides nothing (docs/formats/why.md).
 * Facts:     the object that GET .../why answers with, without "answers":
 *              {"time_ms":n,"definition":{...}|null,"group":{},"alarm":{record}|null,
 *               "transition":{log record}|null,"causes":[{"id","definition_name","group","state"}]?,"evaluation":"live"|"unanswered",
 *               "subs":[{"sub":n,"expression":s,"window_s":n,"operands":[{"metric":s,
 *                 "dimensions":{},"series":n,"metric_series":n,"newest_ms":n|null}],
 *                 "groups":[{"group":{},"series":n,"newest_ms":n|null,"stored":{...}|null,
 *                            "live":{...}|null}]}]}
 * Threads:   values; pure.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/rc.h"

/* Adds "answers":[{"code":s,"text":s,"sub":n?,...}], the most important first. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc collector_why_conclude(json_t *facts);
#endif
