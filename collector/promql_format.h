/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROMQL_FORMAT_H
#define HALE_COLLECTOR_PROMQL_FORMAT_H
/*
 * promql_format - results in the JSON of Prometheus' API. Threads: stateless.
 */
#include "base/buf.h"
#include "collector/promql_eval.h"

/* The shortest decimal text that reads back as d, without exponent between 1e-6 and 1e21, as Go
 * writes it: "0.1", "1e+21", "NaN", "+Inf". */
void collector_promql_add_number(struct hale_buf *b, double d);
/* {"__name__":"m","k":"v"} */
void collector_promql_add_labels(struct hale_buf *b,
                                 const struct collector_promql_labels *l);
/* {"resultType":..,"result":..} of an instant query at time_ms, or of a range. */
void collector_promql_add_result(struct hale_buf *b,
                                 const struct collector_promql_result *r,
                                 const struct collector_promql_options *o);
#endif
