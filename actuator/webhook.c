/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actuator/allow.h"
#include "actuator/expect.h"
#include "actuator/template.h"

#define URL_MAX_BYTES  8192
#define PART_MAX_BYTES 512 /* of an answer's value in an address */
#define WHY_MAX        300
#define CALL_MIN_MS    100
#define BACKOFF_MAX_US 10000000

static const json_t *until_of(const struct actuator_run *r)
{
    return json_object_get(actuator_run_step(r), "until");
}

static int64_t until_ms(const struct actuator_run *r, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(until_of(r), key));
}

bool actuator_webhook_follows(const struct actuator_run *r)
{
    return r->follow != NULL && r->follow[0] != '\0';
}

int64_t actuator_webhook_deadline_us(const struct actuator_run *r)
{
    if (actuator_webhook_follows(r))
        return r->follow_us + until_ms(r, "within_ms") * 1000;
    return r->step_us +
           (actuator_run_step_int(r, "retries") + 1) *
               (actuator_run_step_int(r, "timeout_ms") * 1000 + BACKOFF_MAX_US);
}

/* --- requests ---------------------------------------------------------------------- */

static bool add_header(struct actuator_request *q, const char *name, const char *value)
{
    return json_object_set_new(q->headers, name, json_string(value)) == 0;
}

static bool is_tls(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0;
}

static bool same_origin(const char *a, const char *b)
{
    struct hale_str host[2];
    unsigned port[2];
    return actuator_allow_split(a, &host[0], &port[0]) == HALE_OK &&
           actuator_allow_split(b, &host[1], &port[1]) == HALE_OK && port[0] == port[1] &&
           is_tls(a) == is_tls(b) && host[0].len == host[1].len &&
           strncasecmp(host[0].p, host[1].p, host[0].len) == 0;
}

/* A question about what the call began. It changes nothing, so it has no key. */
static enum hale_rc poll_request(const struct actuator_run *r, int64_t now_us,
                                 struct actuator_request *q)
{
    int64_t left_ms = (actuator_webhook_deadline_us(r) - now_us) / 1000;
    int rc = 0;
    q->method = "GET";
    hale_buf_add_c(&q->url, r->follow);
    q->timeout_ms = actuator_run_step_int(r, "timeout_ms");
    if (left_ms < q->timeout_ms)
        q->timeout_ms = left_ms < CALL_MIN_MS ? CALL_MIN_MS : left_ms;
    if (same_origin(r->follow, actuator_run_step_text(r, "url"))) {
        rc = json_object_update(q->headers,
                                json_object_get(actuator_run_step(r), "headers"));
        (void)json_object_del(q->headers, "Content-Type");
    } else {
        q->token_file = q->credentials = "";
    }
    if (json_object_get(q->headers, "Accept") == NULL)
        rc |= json_object_set_new(q->headers, "Accept", json_string("application/json"));
    return rc == 0 ? HALE_OK : HALE_E_NOMEM;
}

/* The key is the same for every try of this step, also after a crash. */
static enum hale_rc call_request(const struct actuator_run *r, struct actuator_request *q)
{
    const json_t *step = actuator_run_step(r);
    char text[HALE_UUID_TEXT + 24];
    bool ok = json_object_update(q->headers, json_object_get(step, "headers")) == 0;
    (void)snprintf(text, sizeof(text), "%s-%lld", r->id, (long long)r->step);
    ok = ok && add_header(q, "Idempotency-Key", text);
    (void)snprintf(text, sizeof(text), "%lld", (long long)r->token);
    ok = ok && add_header(q, "X-Hale-Fencing-Token", text);
    q->method = actuator_run_step_text(r, "method");
    hale_buf_add_c(&q->url, actuator_run_step_text(r, "url"));
    const json_t *body = json_object_get(step, "body");
    if (body != NULL) {
        char *dump = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
        if (dump == NULL)
            return HALE_E_NOMEM;
        hale_buf_add_c(&q->body, dump);
        free(dump);
        if (json_object_get(q->headers, "Content-Type") == NULL)
            ok = ok && add_header(q, "Content-Type", "application/json");
    }
    q->timeout_ms = actuator_run_step_int(r, "timeout_ms");
    return ok ? HALE_OK : HALE_E_NOMEM;
}

enum hale_rc actuator_webhook_request(const struct actuator_run *r, int64_t now_us,
                                      struct actuator_request *q)
{
    return r->phase == ACTUATOR_POLL ? poll_request(r, now_us, q) : call_request(r, q);
}

/* --- what is polled ---------------------------------------------------------------- */

/* What stands in an address for a value of the answer: never a path of its own. */
static bool part_ok(const char *text)
{
    return text[0] != '\0' && strlen(text) < PART_MAX_BYTES && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

/* vars[name]: the text of what the answer has at the name's pointer. */
static bool add_var(json_t *vars, const char *name, const json_t *answer)
{
    const json_t *value =
        actuator_pointer_get(answer, name + strlen(ACTUATOR_WEBHOOK_ANSWER));
    char number[32];
    const char *text = json_string_value(value);
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
                       json_integer_value(value));
        text = number;
    }
    return text != NULL && part_ok(text) &&
           json_object_set_new(vars, name, json_string(text)) == 0;
}

static bool url_of_answer(const char *written, const struct actuator_answer *a,
                          struct hale_buf *url, struct actuator_decision *d)
{
    char missing[ACTUATOR_NAME_MAX];
    json_t *answer = a->body.len > 0
                         ? json_loadb(a->body.p, a->body.len, JSON_DECODE_ANY, NULL)
                         : NULL;
    json_t *vars = json_object();
    enum hale_rc rc;
    bool known = true;
    do {
        hale_buf_reset(url);
        rc = actuator_template_expand(hale_str_from(written), vars, ACTUATOR_URL, url,
                                      missing);
        if (rc == HALE_E_NOTFOUND)
            known = add_var(vars, missing, answer);
    } while (rc == HALE_E_NOTFOUND && known);
    json_decref(answer);
    json_decref(vars);
    if (rc == HALE_OK)
        return true;
    if (rc == HALE_E_NOTFOUND)
        actuator_decide_fail(d,
                             "answered %u, but has no text or number at %.100s: what it "
                             "began cannot be followed",
                             a->status, missing + strlen(ACTUATOR_WEBHOOK_ANSWER));
    else
        actuator_decide_fail(d, "the address to follow is too long");
    return false;
}

/* A Location is resolved against the call's address and may not leave its host. */
static bool url_of_location(const char *call, struct hale_str location,
                            struct hale_buf *url)
{
    struct hale_str to = hale_str_trim(location);
    const char *authority = strstr(call, "://");
    if (to.len == 0 || authority == NULL)
        return false;
    for (size_t i = 0; i < to.len; i++) {
        if (to.p[i] == '#')
            to.len = i;
        else if ((unsigned char)to.p[i] <= ' ' || (unsigned char)to.p[i] >= 0x7f ||
                 to.p[i] == '\\')
            return false;
    }
    size_t root = (size_t)(authority + 3 - call) + strcspn(authority + 3, "/?#");
    size_t path = strcspn(call, "?#");
    while (path > root && call[path - 1] != '/')
        path--;
    const char *scheme = memchr(to.p, ':', to.len);
    bool whole = scheme != NULL && memchr(to.p, '/', (size_t)(scheme - to.p)) == NULL &&
                 memchr(to.p, '?', (size_t)(scheme - to.p)) == NULL;
    if (to.len > 1 && to.p[0] == '/' && to.p[1] == '/')
        return false;
    hale_buf_reset(url);
    if (!whole)
        hale_buf_add(url, call, to.p[0] == '/' ? root : path);
    if (!whole && to.p[0] != '/' && path == root)
        hale_buf_add_char(url, '/');
    hale_buf_add_str(url, to);
    return !url->failed && same_origin(url->p, call);
}

/* The call is taken: what it began is followed. */
static void follow(struct actuator_run *r, const struct actuator_answer *a,
                   int64_t now_us, struct actuator_decision *d)
{
    const char *written = json_string_value(json_object_get(until_of(r), "url"));
    struct hale_buf url;
    hale_buf_init(&url, URL_MAX_BYTES);
    bool ok = true;
    if (written != NULL) {
        ok = url_of_answer(written, a, &url, d);
    } else if (!url_of_location(actuator_run_step_text(r, "url"), a->location, &url)) {
        actuator_decide_fail(d,
                             "answered %u without a Location on the same host: what it "
                             "began cannot be followed",
                             a->status);
        ok = false;
    }
    char *text = ok ? hale_buf_take(&url) : NULL;
    hale_buf_fini(&url);
    if (ok && text == NULL)
        actuator_decide_fail(d, "out of memory");
    if (text == NULL)
        return;
    free(r->follow);
    r->follow = text;
    r->follow_us = now_us;
    r->queries = 0;
    actuator_decide(d, ACTUATOR_POLL, until_ms(r, "every_ms") * 1000,
                    "answered %u: following %.*s", a->status, (int)strcspn(text, "?"),
                    text);
    d->note = true;
}

/* --- answers ----------------------------------------------------------------------- */

/* success: array of [from, to], or NULL: 2xx. */
static bool counts_as_done(const json_t *success, unsigned status)
{
    if (success == NULL)
        return status >= 200 && status < 300;
    for (size_t i = 0; i < json_array_size(success); i++) {
        const json_t *range = json_array_get(success, i);
        if (status >= (unsigned)json_integer_value(json_array_get(range, 0)) &&
            status <= (unsigned)json_integer_value(json_array_get(range, 1)))
            return true;
    }
    return false;
}

static bool is_for_later(unsigned status)
{
    return status >= 500 || status == 408 || status == 425 || status == 429;
}

/* Whether the body holds what is wanted; expect NULL: nothing is. */
static bool holds(const json_t *expect, const struct actuator_answer *a, char *why,
                  size_t size)
{
    if (expect == NULL)
        return true;
    json_t *doc = a->body.len > 0
                      ? json_loadb(a->body.p, a->body.len, JSON_DECODE_ANY, NULL)
                      : NULL;
    bool ok = doc != NULL && actuator_expect_all(expect, doc, why, size);
    if (doc == NULL)
        (void)snprintf(why, size, "the answer is not JSON");
    json_decref(doc);
    return ok;
}

static void call_answer(struct actuator_run *r, const struct actuator_answer *a,
                        int64_t now_us, struct actuator_decision *d)
{
    char detail[256], why[WHY_MAX];
    const json_t *step = actuator_run_step(r);
    int64_t backoff = actuator_step_backoff_us(r, r->failures + 1);
    d->note = true;
    if (a->rc == HALE_E_INVAL || a->rc == HALE_E_DENIED || a->rc == HALE_E_LIMIT) {
        actuator_decide_fail(d, "%s", a->error);
    } else if (a->rc != HALE_OK) {
        actuator_decide(d, ACTUATOR_WAIT, backoff, "no answer: %s", a->error);
        d->counts = true;
    } else if (counts_as_done(json_object_get(step, "success"), a->status)) {
        if (!holds(json_object_get(step, "expect"), a, why, sizeof(why))) {
            actuator_decide(d, ACTUATOR_WAIT, backoff, "answered %u, but %s", a->status,
                            why);
            d->counts = true;
        } else if (until_of(r) != NULL) {
            follow(r, a, now_us, d);
        } else {
            (void)snprintf(d->text, sizeof(d->text), "answered %u", a->status);
            d->end = ACTUATOR_STEP_DONE;
        }
    } else if (is_for_later(a->status)) {
        actuator_decide(d, ACTUATOR_WAIT, actuator_retry_after_us(a, backoff),
                        "answered %u%s", a->status,
                        actuator_problem_text(a, detail, sizeof(detail)));
        d->counts = true;
    } else {
        actuator_decide_fail(d, "answered %u%s", a->status,
                             actuator_problem_text(a, detail, sizeof(detail)));
    }
}

/* True: the answer says that it has failed. */
static bool says_failed(const struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char why[WHY_MAX];
    const json_t *fail = json_object_get(until_of(r), "fail");
    json_t *doc = fail != NULL && a->body.len > 0
                      ? json_loadb(a->body.p, a->body.len, JSON_DECODE_ANY, NULL)
                      : NULL;
    bool failed = doc != NULL && actuator_expect_any(fail, doc, why, sizeof(why));
    json_decref(doc);
    if (failed)
        actuator_decide_fail(d, "it has failed: %s", why);
    return failed;
}

static void poll_answer(struct actuator_run *r, const struct actuator_answer *a,
                        struct actuator_decision *d)
{
    char detail[256], why[WHY_MAX];
    int64_t every_us = until_ms(r, "every_ms") * 1000;
    int64_t backoff = actuator_step_backoff_us(r, r->queries + 1);
    const char *unlucky = NULL;
    if (a->rc == HALE_E_INVAL || a->rc == HALE_E_DENIED || a->rc == HALE_E_LIMIT) {
        actuator_decide_fail(d, "%s", a->error);
        return;
    }
    if (backoff < every_us)
        backoff = every_us;
    if (a->rc != HALE_OK)
        unlucky = a->error;
    if (unlucky == NULL && says_failed(r, a, d))
        return;
    if (unlucky == NULL &&
        counts_as_done(json_object_get(until_of(r), "success"), a->status)) {
        r->queries = 0;
        if (holds(json_object_get(until_of(r), "expect"), a, why, sizeof(why))) {
            (void)snprintf(d->text, sizeof(d->text), "it is done: answered %u",
                           a->status);
            d->end = ACTUATOR_STEP_DONE;
            d->note = true;
        } else {
            actuator_decide(d, ACTUATOR_POLL, every_us, "%s", why);
        }
    } else if (unlucky != NULL || is_for_later(a->status)) {
        r->queries++;
        actuator_decide(d, ACTUATOR_POLL, actuator_retry_after_us(a, backoff),
                        unlucky != NULL ? "no answer: %s" : "answered %s",
                        unlucky != NULL ? unlucky : "that it is busy");
    } else if (a->status >= 200 && a->status < 300) {
        actuator_decide(d, ACTUATOR_POLL, every_us, "answered %u", a->status);
    } else {
        actuator_decide_fail(d, "following it was answered %u%s", a->status,
                             actuator_problem_text(a, detail, sizeof(detail)));
    }
}

void actuator_webhook_answer(struct actuator_run *r, const struct actuator_answer *a,
                             int64_t now_us, struct actuator_decision *d)
{
    if (r->phase == ACTUATOR_POLL)
        poll_answer(r, a, d);
    else
        call_answer(r, a, now_us, d);
}
