/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/counters.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#define BACKOFF_MIN_MS      500
#define BACKOFF_MAX_MS      10000
#define RETRY_AFTER_MAX_MS  60000
#define SINK_PATIENCE_BYTES (1u << 20)

/* The batch under way: lines of one JSON object each. */
struct batch {
    struct hale_buf lines;
    size_t pos;      /* bytes of lines that are settled */
    size_t chunk;    /* lines to send next */
    size_t left;     /* lines not settled */
    size_t sent_len; /* bytes of the lines in the request under way */
    size_t sent_n;   /* and their number */
    bool from_spool;
    bool active;
};

struct agent_sender {
    struct agent_loop *loop;
    struct agent_spool *spool;
    char *url, *token_header, *ca_file, *cert_file, *key_file;
    int64_t timeout_ms;
    size_t max_batch;
    struct batch batch;
    struct hale_buf body;
    uint64_t call; /* under way, 0 = none */
    int64_t started_us;
    int64_t backoff_ms; /* 0: not backing off */
    struct agent_timer retry;
    bool waiting;
    char trouble[256];
};

static void send_next(struct agent_sender *s);

static void retry_fire(void *arg, int64_t now_ms)
{
    struct agent_sender *s = arg;
    (void)now_ms;
    s->waiting = false;
    send_next(s);
}

static bool copy_text(char **dst, const char *text)
{
    *dst = text != NULL ? strdup(text) : NULL;
    return text == NULL || *dst != NULL;
}

struct agent_sender *agent_sender_new(struct agent_loop *loop, struct agent_spool *spool,
                                      const struct agent_sender_options *o)
{
    struct agent_sender *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->loop = loop;
    s->spool = spool;
    s->timeout_ms = o->timeout_ms;
    s->max_batch = o->max_batch;
    s->retry.fire = retry_fire;
    s->retry.arg = s;
    hale_buf_init(&s->batch.lines, AGENT_SINK_MAX_BYTES);
    hale_buf_init(&s->body, AGENT_SINK_MAX_BYTES + 16);
    if (asprintf(&s->url, "%s/v2.0/metrics", o->collector) < 0)
        s->url = NULL;
    if (asprintf(&s->token_header, "X-Auth-Token: %s", o->token) < 0)
        s->token_header = NULL;
    if (s->url == NULL || s->token_header == NULL ||
        !copy_text(&s->ca_file, o->ca_file) || !copy_text(&s->cert_file, o->cert_file) ||
        !copy_text(&s->key_file, o->key_file)) {
        agent_sender_free(s);
        return NULL;
    }
    return s;
}

static size_t count_lines(struct hale_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.p[i] == '\n';
    return n;
}

/* The unsettled rest of a batch that came from memory goes to the spool, where it is the oldest
 * record: batches are taken from memory only while the spool is empty. */
static enum hale_rc spool_rest(struct agent_sender *s)
{
    struct batch *b = &s->batch;
    if (b->from_spool || b->pos == b->lines.len)
        return HALE_OK;
    enum hale_rc rc = agent_spool_push(
        s->spool, (struct hale_str){b->lines.p + b->pos, b->lines.len - b->pos});
    if (rc != HALE_OK)
        hale_error("event=spool_write_failed error=\"%s\" samples=%zu", hale_rc_text(rc),
                   b->left);
    return rc;
}

static void forget_batch(struct agent_sender *s)
{
    s->batch.active = false;
    hale_buf_reset(&s->batch.lines);
}

/* The request under way goes on, but its batch waits on disk from now on, so that newer samples
 * can go behind it. */
static enum hale_rc park_batch(struct agent_sender *s)
{
    struct batch *b = &s->batch;
    struct hale_buf copy;
    if (b->from_spool)
        return HALE_OK;
    enum hale_rc rc = spool_rest(s);
    if (rc != HALE_OK)
        return rc;
    hale_buf_init(&copy, AGENT_SINK_MAX_BYTES);
    rc = agent_spool_peek(s->spool, &copy); /* so that settling takes it off again */
    hale_buf_fini(&copy);
    b->from_spool = true;
    return rc;
}

void agent_sender_stop(struct agent_sender *s, struct agent_sink *sink)
{
    size_t lost = 0;
    if (s->call != 0)
        hale_http_client_cancel(agent_loop_http(s->loop), s->call);
    s->call = 0;
    if (s->batch.active && spool_rest(s) != HALE_OK)
        lost += s->batch.left;
    forget_batch(s);
    if (sink != NULL && sink->n > 0) {
        if (agent_spool_push(s->spool, hale_buf_str(&sink->lines)) != HALE_OK)
            lost += sink->n;
        agent_sink_clear(sink);
    }
    if (lost > 0)
        hale_error("event=samples_lost samples=%zu reason=\"the spool takes nothing\"",
                   lost);
}

void agent_sender_free(struct agent_sender *s)
{
    if (s == NULL)
        return;
    agent_sender_stop(s, NULL);
    agent_loop_disarm(s->loop, &s->retry);
    hale_buf_fini(&s->batch.lines);
    hale_buf_fini(&s->body);
    free(s->url);
    free(s->token_header);
    free(s->ca_file);
    free(s->cert_file);
    free(s->key_file);
    free(s);
}

static void begin_batch(struct agent_sender *s, bool from_spool)
{
    struct batch *b = &s->batch;
    b->pos = 0;
    b->left = count_lines(hale_buf_str(&b->lines));
    b->chunk = b->left < s->max_batch ? b->left : s->max_batch;
    b->from_spool = from_spool;
    b->active = true;
}

/* "[" line "," line "]" of the next chunk lines into body. False when memory is out. */
static bool render_body(struct agent_sender *s)
{
    struct batch *b = &s->batch;
    size_t pos = b->pos;
    hale_buf_reset(&s->body);
    hale_buf_add_char(&s->body, '[');
    for (b->sent_n = 0; b->sent_n < b->chunk && pos < b->lines.len; b->sent_n++) {
        const char *end = memchr(b->lines.p + pos, '\n', b->lines.len - pos);
        size_t len =
            end != NULL ? (size_t)(end - (b->lines.p + pos)) : b->lines.len - pos;
        if (b->sent_n > 0)
            hale_buf_add_char(&s->body, ',');
        hale_buf_add(&s->body, b->lines.p + pos, len);
        pos += len + (end != NULL);
    }
    hale_buf_add_char(&s->body, ']');
    b->sent_len = pos - b->pos;
    return !s->body.failed;
}

static void back_off(struct agent_sender *s, int64_t at_least_ms)
{
    uint32_t noise;
    s->backoff_ms = s->backoff_ms == 0 ? BACKOFF_MIN_MS : s->backoff_ms * 2;
    if (s->backoff_ms > BACKOFF_MAX_MS)
        s->backoff_ms = BACKOFF_MAX_MS;
    hale_id_random(&noise, sizeof(noise));
    int64_t wait_ms =
        s->backoff_ms / 2 + (int64_t)(noise % (uint32_t)(s->backoff_ms / 2 + 1));
    if (wait_ms < at_least_ms)
        wait_ms = at_least_ms;
    s->waiting = true;
    agent_loop_arm(s->loop, &s->retry, hale_clock_mono_ms() + wait_ms);
}

/* Lines [pos, pos+sent_len) are done with, one way or the other. */
static void settle(struct agent_sender *s)
{
    struct batch *b = &s->batch;
    b->pos += b->sent_len;
    b->left -= b->sent_n;
    if (b->left > 0) {
        b->chunk = b->chunk * 2 < b->left ? b->chunk * 2 : b->left;
        if (b->chunk > s->max_batch)
            b->chunk = s->max_batch;
        return;
    }
    if (b->from_spool)
        agent_spool_take(s->spool);
    forget_batch(s);
}

static void refused(struct agent_sender *s, const struct hale_http_result *r)
{
    struct batch *b = &s->batch;
    hale_counter_add(&agent_counter_post_failures, 1);
    if (b->sent_n > 1) {
        b->chunk = b->sent_n / 2;
        return;
    }
    char why[512], text[400];
    (void)snprintf(text, sizeof(text), "%.*s",
                   (int)(r->body.len < 399 ? r->body.len : 399),
                   r->body.p != NULL ? r->body.p : "");
    hale_warn("event=sample_refused status=%u answer=%s", r->status,
              hale_log_quote(text, why, sizeof(why)));
    hale_counter_add(&agent_counter_refused, 1);
    settle(s);
}

/* Later. What is in memory goes to disk meanwhile; while the disk takes nothing it stays. */
static void postpone(struct agent_sender *s, int64_t at_least_ms)
{
    hale_counter_add(&agent_counter_post_failures, 1);
    if (spool_rest(s) == HALE_OK)
        forget_batch(s);
    back_off(s, at_least_ms);
}

static void unavailable(struct agent_sender *s, const struct hale_http_result *r)
{
    int64_t retry_ms = 0;
    uint64_t seconds;
    struct hale_str after = hale_http_result_header(r, "Retry-After");
    if (after.p != NULL && hale_str_u64(after, &seconds) == HALE_OK)
        retry_ms = seconds < RETRY_AFTER_MAX_MS / 1000 ? (int64_t)seconds * 1000
                                                       : RETRY_AFTER_MAX_MS;
    if (r->status != 0)
        (void)snprintf(s->trouble, sizeof(s->trouble), "the collector answers %u",
                       r->status);
    else
        (void)snprintf(s->trouble, sizeof(s->trouble), "no answer: %s", r->error);
    char why[sizeof(s->trouble) * 2];
    hale_warn("event=collector_away reason=%s spool_bytes=%zu",
              hale_log_quote(s->trouble, why, sizeof(why)), agent_spool_bytes(s->spool));
    postpone(s, retry_ms);
}

static void done(const struct hale_http_result *r, void *arg)
{
    struct agent_sender *s = arg;
    s->call = 0;
    if (r->rc == HALE_OK && r->status >= 200 && r->status < 300) {
        hale_counter_observe_us(&agent_counter_post_seconds,
                                hale_clock_mono_us() - s->started_us);
        hale_counter_add(&agent_counter_sent, (int64_t)s->batch.sent_n);
        if (s->backoff_ms > 0)
            hale_info("event=collector_back spool_bytes=%zu",
                      agent_spool_bytes(s->spool));
        s->backoff_ms = 0;
        s->trouble[0] = '\0';
        settle(s);
    } else if (r->rc == HALE_OK &&
               (r->status == 400 || r->status == 413 || r->status == 422)) {
        refused(s, r);
    } else {
        unavailable(s, r);
        return;
    }
    send_next(s);
}

/* Starts the next request if there is something to send and nothing forbids it. */
static void send_next(struct agent_sender *s)
{
    struct batch *b = &s->batch;
    if (s->call != 0 || s->waiting)
        return;
    if (!b->active) {
        hale_buf_reset(&b->lines);
        if (agent_spool_peek(s->spool, &b->lines) != HALE_OK || b->lines.len == 0)
            return;
        begin_batch(s, true);
    }
    if (!render_body(s)) {
        (void)snprintf(s->trouble, sizeof(s->trouble), "out of memory");
        postpone(s, 0);
        return;
    }
    const char *const headers[] = {s->token_header, "Content-Type: application/json",
                                   NULL};
    const struct hale_http_call call = {.method = "POST",
                                        .url = s->url,
                                        .headers = headers,
                                        .body = hale_buf_str(&s->body),
                                        .ca_file = s->ca_file,
                                        .cert_file = s->cert_file,
                                        .key_file = s->key_file,
                                        .timeout_ms = s->timeout_ms};
    s->started_us = hale_clock_mono_us();
    enum hale_rc rc =
        hale_http_client_start(agent_loop_http(s->loop), &call, done, s, &s->call);
    if (rc == HALE_OK) {
        hale_counter_add(&agent_counter_posts, 1);
        return;
    }
    s->call = 0;
    (void)snprintf(s->trouble, sizeof(s->trouble), "cannot start a request: %s",
                   hale_rc_text(rc));
    postpone(s, 0);
}

void agent_sender_flush(struct agent_sender *s, struct agent_sink *sink)
{
    struct batch *b = &s->batch;
    bool healthy = agent_spool_empty(s->spool) && !s->waiting;
    if (healthy && b->active && sink->lines.len < SINK_PATIENCE_BYTES)
        return; /* waits for the end of the request; the next turn brings it here */
    if (sink->n > 0 && healthy && !b->active) {
        struct hale_buf empty = b->lines;
        b->lines = sink->lines;
        sink->lines = empty;
        begin_batch(s, false);
        agent_sink_clear(sink);
    } else if (sink->n > 0 && (!b->active || park_batch(s) == HALE_OK)) {
        enum hale_rc rc = agent_spool_push(s->spool, hale_buf_str(&sink->lines));
        if (rc == HALE_OK)
            agent_sink_clear(sink);
        else /* the sink keeps them, and drops and counts what does not fit */
            hale_error("event=spool_write_failed error=\"%s\" samples=%zu",
                       hale_rc_text(rc), sink->n);
    }
    send_next(s);
}

bool agent_sender_ok(const struct agent_sender *s)
{
    return s->trouble[0] == '\0';
}

const char *agent_sender_trouble(const struct agent_sender *s)
{
    return s->trouble;
}
