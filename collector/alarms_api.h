/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ALARMS_API_H
#define HALE_COLLECTOR_ALARMS_API_H
/*
 * alarms_api - Monasca's alarms. Reading is from the view's table. A change is a control
 * record; the answer comes when the alarm log shows that the correlator has done it (at
 * most 5 s, then 503: the change stays on its way). Threads: query and change threads.
 */
#include "collector/alarm_table.h"
#include "collector/app.h"
#include "collector/params.h"

struct collector_alarm_filter {
    const char *definition_id, *lifecycle_state, *link; /* NULL: any */
    struct hale_str metric_name;                        /* {NULL,0}: any */
    struct collector_dims dims;
    bool has_state;
    enum hale_state state;
    struct hale_str severities; /* "A|B"; {NULL,0}: any */
    int64_t since_ms;           /* state updated at or after */
};
/* Answers and returns false when a parameter is wrong. */
bool collector_alarm_filter_read(struct hale_http_req *req,
                                 struct collector_alarm_filter *f);
bool collector_alarm_filter_fits(const struct collector_alarm_filter *f,
                                 const struct hale_alarm *a);
/* The tenant's alarms that fit. False: answered (503). The caller finis the list. */
bool collector_alarms_select(struct collector *c, struct hale_http_req *req,
                             const struct collector_alarm_filter *f,
                             struct collector_alarm_list *out);

void collector_alarms_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_alarm_get_one(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_alarm_put_one(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_alarm_patch(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_alarm_delete(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_alarms_count_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req); /* alarm_count.c */
#endif
