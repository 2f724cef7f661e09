/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "collector/alarm_view.h"
#include "collector/request.h"
#include "collector/stats.h"
#include "model/journal.h"
#include "store/keys.h"

#define QUEUED_MAX   ((size_t)1 << 20)
#define EVENT_MAX    ((size_t)1 << 20)
#define PAGE         "100" /* entries per range and client and round */
#define BEAT_MS      10000
#define POSITION_MAX (24 + HALE_STREAM_ID_TEXT)

struct collector_live_client {
    struct hale_http_stream *stream;
    char tenant[HALE_TENANT_MAX_BYTES + 1];
    struct collector_position at;
    bool resumes; /* at was given by the client */
    bool current; /* at equals the view's position */
    bool closed;
};

struct collector_live {
    struct collector_live_client *v[COLLECTOR_LIVE_MAX];
    size_t n;
    int64_t beat_at_ms;
    struct hale_buf text;
};

struct collector_live *collector_live_new(void)
{
    struct collector_live *l = hale_xcalloc(1, sizeof(*l));

    hale_buf_init(&l->text, EVENT_MAX);
    return l;
}

void collector_live_client_free(struct collector_live_client *c)
{
    hale_http_stream_close(c->stream);
    free(c);
}

void collector_live_free(struct collector_live *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n; i++)
        collector_live_client_free(l->v[i]);
    hale_buf_fini(&l->text);
    free(l);
}

static const char *position_text(const struct collector_position *p, char *dst)
{
    char id[HALE_STREAM_ID_TEXT];

    (void)snprintf(dst, POSITION_MAX, "%lld.%s", (long long)p->seq,
                   hale_stream_id_text(p->journal, id));
    return dst;
}

/* Removes clients that were closed; they are freed here and nowhere else. */
static void sweep(struct collector_live *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i]->closed)
            collector_live_client_free(l->v[i]);
        else
            l->v[n++] = l->v[i];
    }
    if (n != l->n)
        collector_gauge(SSE_CLIENTS, n);
    l->n = n;
}

static void send_text(struct collector_live_client *c, const struct hale_buf *text)
{
    if (c->closed || text->failed)
        return;
    if (hale_http_stream_write(c->stream, hale_buf_str(text)) != HALE_OK) {
        c->closed = true;
        collector_count(SSE_CUT, 1);
    }
}

static void compose(struct hale_buf *b, const char *event,
                    const struct collector_position *at, struct hale_str json)
{
    char position[POSITION_MAX];
    char id[HALE_STREAM_ID_TEXT];

    hale_buf_reset(b);
    hale_buf_printf(b, "id: %s\nevent: %s\ndata: ", position_text(at, position), event);
    if (event[1] == 'c') { /* action: the row gets its entry id */
        hale_buf_printf(b, "{\"id\":\"%s\",", hale_stream_id_text(at->journal, id));
        json.p++;
        json.len--;
    }
    hale_buf_add_str(b, json);
    hale_buf_add_c(b, "\n\n");
}

void collector_live_add(struct collector_live *l, struct collector_live_client *c,
                        const struct collector_position *view)
{
    char now[POSITION_MAX];
    char start[POSITION_MAX];

    if (l->n == COLLECTOR_LIVE_MAX) {
        collector_live_client_free(c);
        return;
    }
    if (!c->resumes || c->at.seq > view->seq ||
        hale_stream_id_cmp(c->at.journal, view->journal) > 0)
        c->at = *view; /* a position of the future is none of this log */
    l->v[l->n++] = c;
    collector_gauge(SSE_CLIENTS, l->n);
    hale_buf_reset(&l->text);
    hale_buf_printf(&l->text,
                    "event: hello\ndata: {\"id\":\"%s\",\"version\":\"%s\"}\nid: %s\n\n",
                    position_text(view, now), HALE_VERSION, position_text(&c->at, start));
    send_text(c, &l->text);
}

static void broadcast(struct collector_live *l, const struct collector_position *view,
                      const char *event, const char *tenant, struct hale_str json)
{
    bool composed = false;

    for (size_t i = 0; i < l->n; i++) {
        struct collector_live_client *c = l->v[i];
        if (!c->current)
            continue;
        c->at = *view;
        if (tenant == NULL || (tenant[0] != '\0' && strcmp(c->tenant, tenant) != 0))
            continue;
        if (!composed)
            compose(&l->text, event, view, json);
        composed = true;
        send_text(c, &l->text);
        collector_count(SSE_EVENTS, 1);
    }
    sweep(l);
}

void collector_live_alarm(struct collector_live *l, const struct collector_position *view,
                          const char *tenant, struct hale_str json)
{
    broadcast(l, view, "alarm", tenant, json);
}

void collector_live_action(struct collector_live *l,
                           const struct collector_position *view, const char *tenant,
                           struct hale_str json)
{
    broadcast(l, view, "action", tenant, json);
}

/* --- catching up -------------------------------------------------------------------------- */

struct feed {
    struct collector_live *live;
    struct collector_live_client *client;
    const struct collector_position *view;
    bool actions;
    size_t n;
};

static bool belongs(const struct feed *f, struct hale_str json)
{
    struct hale_log_record r = {0};
    struct hale_journal_row row = {0};
    bool own = false;

    if (f->actions) {
        own = hale_journal_decode(json, &row) == HALE_OK &&
              (row.tenant[0] == '\0' || strcmp(row.tenant, f->client->tenant) == 0);
        hale_journal_fini(&row);
    } else {
        own = hale_log_record_decode(json, &r) == HALE_OK &&
              strcmp(r.alarm.tenant, f->client->tenant) == 0;
        hale_log_record_fini(&r);
    }
    return own;
}

/* hale_reply_range callback. What the view has not read yet comes from the view. */
static int feed_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                      struct hale_str value, void *arg)
{
    struct feed *f = arg;

    (void)stream;
    (void)field;
    if (f->actions ? hale_stream_id_cmp(id, f->view->journal) > 0
                   : (int64_t)id.ms > f->view->seq)
        return 1;
    f->n++;
    if (f->actions)
        f->client->at.journal = id;
    else
        f->client->at.seq = (int64_t)id.ms;
    if (belongs(f, value)) {
        compose(&f->live->text, f->actions ? "action" : "alarm", &f->client->at, value);
        send_text(f->client, &f->live->text);
        collector_count(SSE_EVENTS, 1);
    }
    return f->client->closed ? 1 : 0;
}

static enum hale_rc feed_range(struct feed *f, struct hale_redis *redis)
{
    char after[HALE_STREAM_ID_TEXT + 1] = "(";
    struct hale_stream_id from = {(uint64_t)f->client->at.seq, 0};
    struct hale_reply *reply = NULL;

    if (f->actions)
        from = f->client->at.journal;
    (void)hale_stream_id_text(from, after + 1);
    enum hale_rc rc = HALE_REDIS_CMD(
        redis, &reply, HALE_STR("XRANGE"),
        f->actions ? HALE_STR(HALE_KEYS_JOURNAL) : HALE_STR(HALE_KEYS_ALARMLOG),
        hale_str_from(after), HALE_STR("+"), HALE_STR("COUNT"), HALE_STR(PAGE));
    if (rc != HALE_OK)
        return rc;
    f->n = 0;
    (void)hale_reply_range(reply, feed_entry, f);
    hale_reply_free(reply);
    return HALE_OK;
}

/* One page for one client. */
static void feed_client(struct collector_live *l, struct collector_live_client *c,
                        struct hale_redis *redis, const struct collector_position *view)
{
    struct feed f = {l, c, view, false, 0};

    if (c->at.seq < view->seq) {
        if (feed_range(&f, redis) == HALE_OK && f.n == 0 && !c->closed)
            c->at.seq = view->seq; /* trimmed away: nothing there any more */
        return;
    }
    f.actions = true;
    if (hale_stream_id_cmp(c->at.journal, view->journal) < 0) {
        if (feed_range(&f, redis) == HALE_OK && f.n == 0 && !c->closed)
            c->at.journal = view->journal;
        return;
    }
    c->current = true;
}

bool collector_live_catch_up(struct collector_live *l, struct hale_redis *redis,
                             const struct collector_position *view)
{
    bool behind = false;

    for (size_t i = 0; i < l->n; i++) {
        if (!l->v[i]->current && !l->v[i]->closed) {
            feed_client(l, l->v[i], redis, view);
            behind = behind || !l->v[i]->current;
        }
    }
    sweep(l);
    return behind;
}

void collector_live_beat(struct collector_live *l, int64_t now_mono_ms)
{
    if (now_mono_ms < l->beat_at_ms)
        return;
    l->beat_at_ms = now_mono_ms + BEAT_MS;
    hale_buf_reset(&l->text);
    hale_buf_add_c(&l->text, ": alive\n\n");
    for (size_t i = 0; i < l->n; i++)
        send_text(l->v[i], &l->text);
    sweep(l);
}

/* --- GET /v1/live --------------------------------------------------------------------------- */

/* "57.1763730000000-0" */
static bool parse_position(const char *text, struct collector_position *out)
{
    struct hale_str rest = hale_str_from(text);
    struct hale_str seq = hale_str_split(&rest, '.');

    return rest.p != NULL && hale_str_i64(seq, &out->seq) == HALE_OK && out->seq >= 0 &&
           hale_stream_id_parse(rest, &out->journal) == HALE_OK;
}

void collector_live_get(struct collector *c, struct hale_redis *redis,
                        struct hale_http_req *req)
{
    const char *last = hale_http_header(req, "Last-Event-ID");
    struct collector_live_client *client;

    (void)redis;
    if (last == NULL || last[0] == '\0')
        last = hale_http_query(req, "last_event_id");
    if (!collector_view_ready(c->view)) {
        collector_reply_busy(req, 1, "the alarms are still being loaded");
        return;
    }
    client = calloc(1, sizeof(*client));
    if (client == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    client->resumes = last != NULL;
    if (last != NULL && !parse_position(last, &client->at)) {
        free(client);
        collector_reply_error(req, 422, "Unprocessable Entity",
                              "the event id must be <seq>.<journal id>, such as 0.0-0");
        return;
    }
    memcpy(client->tenant, collector_request_of(req)->tenant, sizeof(client->tenant));
    hale_http_add_header(req, "Cache-Control", "no-store");
    hale_http_add_header(req, "X-Accel-Buffering", "no");
    hale_http_add_header(req, "X-Openstack-Request-Id",
                         collector_request_of(req)->request_id);
    client->stream = hale_http_stream_begin(req, "text/event-stream", QUEUED_MAX);
    collector_request_count(200);
    if (client->stream == NULL) {
        free(client);
        return;
    }
    if (collector_view_join(c->view, client) != HALE_OK)
        collector_live_client_free(client);
}
