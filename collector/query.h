/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_QUERY_H
#define HALE_COLLECTOR_QUERY_H
/*
 * query - what measurements and statistics have in common: parameters, the choice of
 * series, their grouping into elements, and paging over elements. Element ids are a letter
 * and 16 hex digits, never '_': s = one series, m = merged, g = a group.
 * Threads: query threads, a value per request.
 */
#include "collector/app.h"
#include "collector/catalog.h"
#include "collector/params.h"
#include "collector/points.h"
#include "collector/reader.h"

#define COLLECTOR_ELEMENT_ID 18

struct collector_element {
    char id[COLLECTOR_ELEMENT_ID];
    size_t first, n; /* series: indices into the query's list */
};

struct collector_query {
    struct collector_selector sel;
    size_t limit;
    struct collector_cursor cursor;
    bool merge;
    struct collector_list group_by;
    struct collector_series_list series;
    size_t n_elements;
    struct collector_element *elements; /* by id */
    struct collector_reading *reading;  /* of the elements' series, one after the other */
    struct collector_range range;       /* of the reading */
};

/* Reads the parameters and finds the series. On failure the request is answered and false
 * returned. Fini in any case. */
bool collector_query_open(struct collector *c, struct hale_http_req *req,
                          struct collector_query *q);
void collector_query_fini(struct collector_query *q);
/* Where element i starts after the cursor, or false when it lies before it. */
bool collector_query_start(const struct collector_query *q, size_t i, int64_t *start_ms);
/* Makes q->reading give the points of element i's series next; elements in order, all series of
 * each. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc collector_query_read(struct collector *c,
                                                  struct hale_redis *redis,
                                                  struct collector_query *q, size_t i,
                                                  const struct collector_range *range);
/* "id":..,"name":..,"dimensions":{..} of element i. */
void collector_query_head(const struct collector_query *q, size_t i,
                          struct hale_buf *out);
/* Answers a failed read. */
void collector_query_failed(struct hale_http_req *req, enum hale_rc rc);
/* {"k":"v",...} */
void collector_dims_json(const struct hale_series *s, struct hale_buf *out);

/* Handlers. */
void collector_measurements_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_statistics_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
/* Headers X-Hale-Resolution and X-Hale-Resolution-Until of an answer (docs/formats/http.md). */
struct collector_points;
struct collector_resolution { /* zero-initialise */
    int64_t step_s;
    int64_t until_ms;
};
void collector_resolution_add(struct collector_resolution *r,
                              const struct collector_points *points);
void collector_resolution_say(const struct collector_resolution *r,
                              struct hale_http_req *req);
#endif
