/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/events_api.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "collector/alert_form.h"
#include "collector/event_form.h"
#include "collector/request.h"
#include "collector/stats.h"
#include "collector/ves_form.h"
#include "store/keys.h"

#define QUEUE_MAX 1024
#define GROUP_MAX 64

struct collector_events {
    struct hale_queue *queue;
    struct hale_redis *redis;
    pthread_t thread;
};

/* How the sender wants to be answered. */
enum form { FORM_HALE, FORM_ALERTS, FORM_VES };

struct job {
    struct hale_http_req *req;
    enum form form;
    struct collector_event_list list;
    char *why; /* FORM_ALERTS: why one of them was refused; NULL: all fit */
};

static void job_free(void *p)
{
    struct job *j = p;

    collector_event_list_fini(&j->list);
    free(j->why);
    free(j);
}

static void reply_ves_error(struct hale_http_req *req, unsigned status, const char *why)
{
    struct hale_buf b;

    if (status == 503)
        hale_http_add_header(req, "Retry-After", "1");
    hale_buf_init(&b, 4096);
    collector_ves_error_body(&b, status == 503, why);
    collector_reply_buf(req, status, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

/* An Alertmanager's error is a JSON string. */
static void reply_alerts_error(struct hale_http_req *req, const char *why)
{
    struct hale_buf b;

    hale_buf_init(&b, 4096);
    hale_buf_add_json(&b, hale_str_from(why));
    collector_reply_buf(req, 400, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

static void reply_busy(struct hale_http_req *req, enum form form, const char *why)
{
    if (form == FORM_VES)
        reply_ves_error(req, 503, why);
    else
        collector_reply_busy(req, 1, why);
}

static void reply_stored(struct job *j)
{
    struct hale_buf b;

    if (j->form == FORM_ALERTS && j->why != NULL) {
        reply_alerts_error(j->req, j->why);
    } else if (j->form != FORM_HALE) {
        collector_reply_none(j->req, j->form == FORM_VES ? 202 : 200);
    } else {
        hale_buf_init(&b, 64);
        hale_buf_printf(&b, "{\"accepted\":%zu}", j->list.n);
        collector_reply_buf(j->req, 200, COLLECTOR_JSON, &b);
        hale_buf_fini(&b);
    }
}

static void answer(struct job *j, bool stored)
{
    if (stored) {
        collector_count(EVENTS, j->list.n);
        hale_counter_observe_us(COLLECTOR_STAT(EVENT_LATENCY),
                                hale_clock_wall_us() - hale_http_started_us(j->req));
        reply_stored(j);
    } else {
        reply_busy(j->req, j->form, "the store did not confirm; send again");
    }
    job_free(j);
}

static enum hale_rc append(struct hale_redis *r, const struct job *j)
{
    enum hale_rc rc = HALE_OK;

    for (size_t i = 0; rc == HALE_OK && i < j->list.n; i++)
        rc = HALE_REDIS(r, HALE_STR("XADD"), HALE_STR(HALE_KEYS_EVENTS),
                        HALE_STR("MAXLEN"), HALE_STR("~"), HALE_STR("1000000"),
                        HALE_STR("*"), HALE_STR("j"), hale_buf_str(&j->list.v[i]));
    return rc;
}

static void write_group(struct collector_events *e, struct job **jobs, size_t n)
{
    enum hale_rc rc = HALE_OK;

    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        rc = append(e->redis, jobs[i]);
    for (size_t i = 0; i < n; i++) {
        bool stored = true;
        for (size_t k = 0; rc == HALE_OK && k < jobs[i]->list.n; k++) {
            struct hale_reply *reply = NULL;
            rc = hale_redis_reply(e->redis, &reply);
            if (rc == HALE_OK && hale_reply_is_error(reply))
                stored = false;
            hale_reply_free(reply);
        }
        answer(jobs[i], stored && rc == HALE_OK);
    }
    if (rc != HALE_OK)
        collector_count(REDIS_FAILURES, 1);
}

static void *run(void *arg)
{
    struct collector_events *e = arg;

    for (void *first; (first = hale_queue_pop(e->queue, -1)) != NULL;) {
        struct job *jobs[GROUP_MAX];
        void *more[GROUP_MAX - 1];
        size_t n = hale_queue_drain(e->queue, more, GROUP_MAX - 1);
        jobs[0] = first;
        for (size_t i = 0; i < n; i++)
            jobs[i + 1] = more[i];
        write_group(e, jobs, n + 1);
    }
    return NULL;
}

enum hale_rc collector_events_start(struct collector *c, struct collector_events **out)
{
    struct collector_events *e = hale_xcalloc(1, sizeof(*e));

    e->queue = hale_queue_new(QUEUE_MAX, job_free);
    e->redis = hale_redis_new(c->conf->redis, c->conf->redis_timeout_ms);
    HALE_ASSERT(e->queue != NULL && e->redis != NULL);
    if (pthread_create(&e->thread, NULL, run, e) != 0) {
        hale_queue_free(e->queue);
        hale_redis_free(e->redis);
        free(e);
        return HALE_E_LIMIT;
    }
    *out = e;
    return HALE_OK;
}

void collector_events_stop(struct collector_events *e)
{
    if (e == NULL)
        return;
    hale_queue_close(e->queue);
    (void)pthread_join(e->thread, NULL);
    hale_queue_free(e->queue);
    hale_redis_free(e->redis);
    free(e);
}

/* --- requests ------------------------------------------------------------------------ */

static struct job *job_new(struct hale_http_req *req, enum form form)
{
    struct job *j = calloc(1, sizeof(*j));

    if (j == NULL) {
        reply_busy(req, form, "out of memory");
        return NULL;
    }
    j->req = req;
    j->form = form;
    return j;
}

/* Takes j. */
static void refuse(struct job *j, enum hale_rc rc, const struct hale_err *err)
{
    collector_count(EVENTS_REFUSED, 1);
    if (rc == HALE_E_NOMEM)
        reply_busy(j->req, j->form, err->text);
    else if (j->form == FORM_VES)
        reply_ves_error(j->req, 400, err->text);
    else if (j->form == FORM_ALERTS)
        reply_alerts_error(j->req, err->text);
    else if (err->col > 0)
        collector_reply_error(j->req, 400, "Bad request", "%s", err->text);
    else
        collector_reply_invalid(j->req, err);
    job_free(j);
}

/* Hands j to the writer. */
static void submit(struct collector *c, struct job *j)
{
    if (j->list.n == 0) {
        reply_stored(j);
        job_free(j);
    } else if (hale_queue_push(c->events->queue, j) != HALE_OK) {
        collector_count(OVERLOAD, 1);
        reply_busy(j->req, j->form, "too many events wait for the store");
        job_free(j);
    }
}

void collector_events_post(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    struct hale_err err;
    struct job *j = job_new(req, FORM_HALE);

    (void)redis;
    if (j == NULL)
        return;
    enum hale_rc rc =
        collector_event_form_read(hale_http_body(req), collector_request_of(req)->tenant,
                                  hale_clock_wall_us(), &j->list, &err);
    if (rc != HALE_OK)
        refuse(j, rc, &err);
    else
        submit(c, j);
}

void collector_events_alerts_post(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req)
{
    struct hale_err err;
    struct collector_alerts alerts;
    struct job *j = job_new(req, FORM_ALERTS);

    (void)redis;
    if (j == NULL)
        return;
    enum hale_rc rc =
        collector_alert_form_read(hale_http_body(req), collector_request_of(req)->tenant,
                                  hale_clock_wall_us(), &alerts, &err);
    if (rc == HALE_OK && alerts.refused > 0) {
        char quoted[400];
        collector_count(ALERTS_REFUSED, alerts.refused);
        hale_warn("event=alerts_refused n=%zu reason=%s", alerts.refused,
                  hale_log_quote(alerts.why, quoted, sizeof(quoted)));
        j->why = strdup(alerts.why);
        if (j->why == NULL) {
            collector_alerts_fini(&alerts);
            rc = hale_err_set(&err, HALE_E_NOMEM, "out of memory");
        }
    }
    if (rc != HALE_OK) {
        refuse(j, rc, &err);
        return;
    }
    j->list = alerts.events;
    submit(c, j);
}

static void ves_post(struct collector *c, struct hale_http_req *req, bool batch)
{
    struct hale_err err;
    struct collector_ves ves;
    struct job *j = job_new(req, FORM_VES);

    if (j == NULL)
        return;
    enum hale_rc rc = collector_ves_form_read(hale_http_body(req), batch,
                                              collector_request_of(req)->tenant,
                                              hale_clock_wall_us(), &ves, &err);
    if (rc != HALE_OK) {
        refuse(j, rc, &err);
        return;
    }
    collector_count(HEARTBEATS, ves.heartbeats);
    j->list = ves.events;
    submit(c, j);
}

void collector_events_ves_post(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)redis;
    ves_post(c, req, false);
}

void collector_events_ves_batch_post(struct collector *c, struct hale_redis *redis,
                                     struct hale_http_req *req)
{
    (void)redis;
    ves_post(c, req, true);
}
