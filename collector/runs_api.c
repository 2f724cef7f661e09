/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/runs_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collector/history_api.h"
#include "collector/params.h"
#include "collector/request.h"
#include "collector/run_store.h"
#include "collector/run_view.h"
#include "model/json_util.h"

#define ANSWER_MAX   ((size_t)256 << 20)
#define COMMENT_MAX  4096 /* characters */
#define CURSOR_MAX   80
#define ROWS_DEFAULT 100

static void reply_no_store(struct hale_http_req *req)
{
    collector_reply_busy(req, 2, "the store does not answer; try again");
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static int64_t born_of(const json_t *run)
{
    return (int64_t)json_integer_value(json_object_get(run, "born_us"));
}

static void reply_json(struct hale_http_req *req, json_t *answer)
{
    struct hale_buf b;
    hale_buf_init(&b, ANSWER_MAX);
    if (answer == NULL || !hale_json_write(answer, &b))
        b.failed = true;
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    json_decref(answer);
}

/* --- list ---------------------------------------------------------------------------- */

struct listing {
    struct collector_list states;
    const char *policy, *target, *alarm;
    int64_t since_us;
    size_t limit;
    bool has_after;
    int64_t after_us; /* the last one seen */
    const char *after_id;
    json_t *runs;
};

/* "<born_us>.<id>": of the last run of the page before. */
static bool read_cursor(const char *text, struct listing *l)
{
    struct hale_str rest = hale_str_from(text);
    struct hale_str born = hale_str_split(&rest, '.');
    l->has_after = true;
    l->after_id = rest.p;
    return rest.p != NULL && hale_str_i64(born, &l->after_us) == HALE_OK;
}

static enum hale_rc read_states(const char *text, struct listing *l, struct hale_err *err)
{
    static const char *const known[] = {"proposed", "open", "verifying", "waiting",
                                        "done"};
    enum hale_rc rc = collector_params_list(text, "state", &l->states, err);
    for (unsigned i = 0; rc == HALE_OK && i < l->states.n; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            found = found || hale_str_eq_c(l->states.v[i], known[k]);
        if (!found)
            rc =
                hale_err_set(err, HALE_E_INVAL,
                             "state must be of proposed, open, verifying, waiting, done");
    }
    return rc;
}

static bool read_listing(struct hale_http_req *req, struct listing *l)
{
    const char *offset = hale_http_query(req, "offset");
    struct hale_err err = {0};
    int64_t since_ms = 0;
    *l = (struct listing){.policy = hale_http_query(req, "policy"),
                          .target = hale_http_query(req, "target"),
                          .alarm = hale_http_query(req, "alarm")};
    enum hale_rc rc = read_states(hale_http_query(req, "state"), l, &err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "since"), "since", &since_ms,
                                   &err);
    if (rc == HALE_OK)
        rc = collector_params_limit(hale_http_query(req, "limit"), &l->limit, &err);
    if (rc == HALE_OK && offset != NULL && !read_cursor(offset, l))
        rc = hale_err_set(&err, HALE_E_INVAL, "offset must be that of a next link");
    if (hale_http_query(req, "limit") == NULL)
        l->limit = ROWS_DEFAULT;
    l->since_us = since_ms * 1000;
    if (rc != HALE_OK)
        collector_reply_invalid(req, &err);
    return rc == HALE_OK;
}

/* Newest first; of the same moment by id. */
static int order(int64_t a_us, const char *a_id, int64_t b_us, const char *b_id)
{
    if (a_us != b_us)
        return a_us > b_us ? -1 : 1;
    return strcmp(a_id, b_id);
}

static bool fits(const struct listing *l, const json_t *run)
{
    struct hale_str state = hale_str_from(text_of(run, "state"));
    bool in = l->states.n == 0;
    for (unsigned i = 0; i < l->states.n; i++)
        in = in || hale_str_eq(l->states.v[i], state);
    return in && (l->policy == NULL || strcmp(l->policy, text_of(run, "policy")) == 0) &&
           (l->target == NULL || strcmp(l->target, text_of(run, "target")) == 0) &&
           (l->alarm == NULL || strcmp(l->alarm, text_of(run, "alarm_id")) == 0) &&
           born_of(run) >= l->since_us &&
           (!l->has_after ||
            order(l->after_us, l->after_id, born_of(run), text_of(run, "id")) < 0);
}

static void take(json_t *run, void *arg)
{
    struct listing *l = arg;
    if (fits(l, run))
        (void)json_array_append(l->runs, run);
}

static int by_age(const void *x, const void *y)
{
    const json_t *a = *(json_t *const *)x, *b = *(json_t *const *)y;
    return order(born_of(a), text_of(a, "id"), born_of(b), text_of(b, "id"));
}

static void add_runs(const struct listing *l, json_t **sorted, size_t n,
                     struct hale_buf *b)
{
    hale_buf_add_c(b, "{\"elements\":[");
    for (size_t i = 0; i < n && i < l->limit; i++) {
        json_t *seen = collector_run_short(sorted[i]);
        if (i > 0)
            hale_buf_add_char(b, ',');
        if (seen == NULL || !hale_json_write(seen, b))
            b->failed = true;
        json_decref(seen);
    }
    hale_buf_add_c(b, "],");
}

static void reply_runs(struct collector *c, struct hale_http_req *req,
                       const struct listing *l)
{
    char next[CURSOR_MAX];
    struct hale_buf b;
    size_t n = json_array_size(l->runs);
    json_t **sorted = calloc(n + 1, sizeof(json_t *));
    if (sorted == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(l->runs, i);
    if (n > 1)
        qsort(sorted, n, sizeof(json_t *), by_age);
    hale_buf_init(&b, ANSWER_MAX);
    add_runs(l, sorted, n, &b);
    if (n > l->limit)
        (void)snprintf(next, sizeof(next), "%" PRId64 ".%.40s",
                       born_of(sorted[l->limit - 1]),
                       text_of(sorted[l->limit - 1], "id"));
    collector_links_self(req, c->conf->trust_forwarded, n > l->limit ? next : NULL, &b);
    hale_buf_add_char(&b, '}');
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
    free(sorted);
}

void collector_runs_get(struct collector *c, struct hale_redis *redis,
                        struct hale_http_req *req)
{
    struct listing l;
    if (!read_listing(req, &l))
        return;
    l.runs = json_array();
    if (l.runs == NULL ||
        collector_run_each(redis, collector_request_of(req)->tenant, take, &l) != HALE_OK)
        reply_no_store(req);
    else
        reply_runs(c, req, &l);
    json_decref(l.runs);
}

/* --- one ----------------------------------------------------------------------------- */

/* {"run","verdicts","journal"}; NULL: the store does not answer. */
static json_t *story(struct hale_redis *redis, const struct collector_request *r,
                     const json_t *run)
{
    json_t *verdicts = NULL, *rows = NULL;
    if (collector_run_verdicts(redis, r->param, &verdicts) != HALE_OK ||
        collector_history_of_run(redis, r->tenant, r->param, &rows) != HALE_OK) {
        json_decref(verdicts);
        return NULL;
    }
    return json_pack("{s:o,s:o,s:o}", "run", collector_run_whole(run), "verdicts",
                     verdicts, "journal", rows);
}

void collector_run_get(struct collector *c, struct hale_redis *redis,
                       struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    json_t *run = NULL;
    (void)c;
    enum hale_rc rc = collector_run_load(redis, r->tenant, r->param, &run);
    json_t *answer = rc == HALE_OK ? story(redis, r, run) : NULL;
    if (rc == HALE_E_NOTFOUND)
        collector_reply_not_found(req);
    else if (answer == NULL)
        reply_no_store(req);
    else
        reply_json(req, answer);
    json_decref(run);
}

/* --- decisions ----------------------------------------------------------------------- */

/* The body is {} or {"comment": text}; false: answered. */
static bool read_comment(struct hale_http_req *req, json_t **body, const char **comment)
{
    size_t n = 0;
    const char *key;
    json_t *v;
    struct hale_err err = {0};
    enum hale_rc rc = HALE_OK;
    *comment = "";
    *body = hale_http_body(req).len > 0 ? collector_request_json(req) : json_object();
    if (*body == NULL)
        return false;
    if (!json_is_object(*body))
        rc = hale_err_set(&err, HALE_E_INVAL, "the body must be an object");
    json_object_foreach (*body, key, v) {
        struct hale_str s = {json_string_value(v), json_string_length(v)};
        if (strcmp(key, "comment") != 0)
            rc = hale_err_set(&err, HALE_E_INVAL, "unknown key '%.64s'", key);
        else if (!json_is_string(v) || strlen(s.p) != s.len ||
                 hale_str_utf8_count(s, &n) != HALE_OK || n > COMMENT_MAX)
            rc = hale_err_set(&err, HALE_E_INVAL,
                              "comment must be a string of at most %d characters",
                              COMMENT_MAX);
        else
            *comment = s.p;
    }
    if (rc != HALE_OK)
        collector_reply_invalid(req, &err);
    return rc == HALE_OK;
}

static const char *past(const char *verdict)
{
    static const char *const words[][2] = {{"approve", "approved"},
                                           {"reject", "rejected"},
                                           {"acknowledge", "acknowledged"},
                                           {"abort", "aborted"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(verdict, words[i][0]) == 0)
            return words[i][1];
    return "decided";
}

static void reply_beaten(struct hale_http_req *req, const json_t *first)
{
    char iso[HALE_CLOCK_ISO_MAX];
    int64_t at_ms = (int64_t)json_integer_value(json_object_get(first, "at_ms"));
    collector_reply_error(req, 409, "Conflict", "already %s by %.64s at %s",
                          past(text_of(first, "verdict")), text_of(first, "by"),
                          hale_clock_iso_ms(at_ms, iso));
}

/* Who decided about a run that has gone on since; NULL: nobody, or no longer in the journal. */
static const json_t *who_decided(const json_t *rows)
{
    for (size_t i = json_array_size(rows); i > 0; i--) {
        const json_t *row = json_array_get(rows, i - 1);
        const char *kind = text_of(row, "kind");
        if (strcmp(kind, "approved") == 0 || strcmp(kind, "rejected") == 0 ||
            strcmp(kind, "acknowledged") == 0 || strcmp(kind, "aborted") == 0)
            return row;
    }
    return NULL;
}

static void reply_not_now(struct hale_redis *redis, struct hale_http_req *req,
                          enum collector_verdict v, const json_t *run)
{
    const struct collector_request *r = collector_request_of(req);
    json_t *rows = NULL;
    char iso[HALE_CLOCK_ISO_MAX];
    if (collector_history_of_run(redis, r->tenant, r->param, &rows) != HALE_OK)
        rows = NULL;
    const json_t *who = who_decided(rows);
    const char *by = text_of(json_object_get(who, "detail"), "by");
    if (by[0] != '\0')
        collector_reply_error(
            req, 409, "Conflict", "already %s by %.64s at %s; the run is %s %s",
            text_of(who, "kind"), by,
            hale_clock_iso_ms(
                (int64_t)json_integer_value(json_object_get(who, "time_ms")), iso),
            text_of(run, "state"), text_of(run, "outcome"));
    else if (v == COLLECTOR_ACKNOWLEDGE && strcmp(text_of(run, "state"), "done") != 0)
        collector_reply_error(req, 409, "Conflict",
                              "the run does not wait for an acknowledgement");
    else
        collector_reply_error(req, 409, "Conflict", "the run is %s %s: %s is too late",
                              text_of(run, "state"), text_of(run, "outcome"),
                              collector_verdict_text(v));
    json_decref(rows);
}

static void reply_decided(struct hale_http_req *req, enum collector_verdict v,
                          int64_t now_us)
{
    const struct collector_request *r = collector_request_of(req);
    reply_json(req, json_pack("{s:s,s:s,s:s,s:I}", "id", r->param, "verdict",
                              collector_verdict_text(v), "by", r->who.name, "at_ms",
                              (json_int_t)(now_us / 1000)));
}

static void decide(struct hale_redis *redis, struct hale_http_req *req,
                   enum collector_verdict v)
{
    const struct collector_request *r = collector_request_of(req);
    const char *comment;
    enum collector_decision decision;
    json_t *body, *first = NULL;
    int64_t now_us = hale_clock_wall_us();
    if (!read_comment(req, &body, &comment)) {
        json_decref(body);
        return;
    }
    const struct collector_said said = {.tenant = r->tenant,
                                        .id = r->param,
                                        .verdict = v,
                                        .by = r->who.name,
                                        .comment = comment,
                                        .now_us = now_us};
    enum hale_rc rc = collector_run_decide(redis, &said, &decision, &first);
    if (rc != HALE_OK) {
        collector_reply_busy(req, 2, "the store does not answer; look before you repeat");
    } else {
        switch (decision) {
        case COLLECTOR_DECIDED: reply_decided(req, v, now_us); break;
        case COLLECTOR_NO_RUN: collector_reply_not_found(req); break;
        case COLLECTOR_NOT_NOW: reply_not_now(redis, req, v, first); break;
        case COLLECTOR_TOO_LATE:
            collector_reply_error(req, 410, "Gone",
                                  "the proposal has expired: nobody decided in time");
            break;
        case COLLECTOR_BEATEN: reply_beaten(req, first); break;
        }
    }
    json_decref(first);
    json_decref(body);
}

void collector_run_approve(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    (void)c;
    decide(redis, req, COLLECTOR_APPROVE);
}

void collector_run_reject(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    (void)c;
    decide(redis, req, COLLECTOR_REJECT);
}

void collector_run_acknowledge(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)c;
    decide(redis, req, COLLECTOR_ACKNOWLEDGE);
}

void collector_run_abort(struct collector *c, struct hale_redis *redis,
                         struct hale_http_req *req)
{
    (void)c;
    decide(redis, req, COLLECTOR_ABORT);
}
