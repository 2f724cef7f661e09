/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/notify.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/profile.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#define BODY_MAX_BYTES   (1u << 20)
#define BACKOFF_FIRST_US 500000
#define BACKOFF_MAX_US   60000000
#define HEADERS_MAX      40

struct note { /* one record as text, shared by subscribers */
    unsigned refs;
    int64_t seq, accepted_us, logged_us;
    size_t len;
    char body[];
};
struct target {
    const struct actuator_subscriber *conf;
    struct actuator_notify *owner;
    struct note *queue[ACTUATOR_NOTIFY_QUEUE]; /* ring */
    unsigned head, n;
    int64_t cursor;  /* all up to here is done */
    int64_t read_to; /* all up to here is in the queue or done */
    bool behind;     /* there is more in the log after read_to */
    bool moved;
    bool failing;  /* the last try failed: one log line per change */
    uint64_t call; /* under way, or 0 */
    int64_t tries;
    int64_t retry_us; /* next try, 0 = at once */
};
struct actuator_notify {
    const struct actuator_conf *conf;
    struct hale_http_client *http;
    int64_t seen;
    unsigned n;
    struct target *target;
};

static void note_put(struct note *note)
{
    if (note != NULL && --note->refs == 0)
        free(note);
}

struct actuator_notify *actuator_notify_new(const struct actuator_conf *conf,
                                            struct hale_http_client *http, int64_t seen)
{
    struct actuator_notify *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return NULL;
    n->conf = conf;
    n->http = http;
    n->seen = seen;
    n->n = conf->n_subscribers;
    n->target = calloc(n->n > 0 ? n->n : 1, sizeof(*n->target));
    if (n->target == NULL) {
        free(n);
        return NULL;
    }
    for (unsigned i = 0; i < n->n; i++) {
        n->target[i].conf = &conf->subscriber[i];
        n->target[i].owner = n;
        n->target[i].cursor = n->target[i].read_to = seen;
    }
    return n;
}

static void drop_first(struct target *t)
{
    note_put(t->queue[t->head]);
    t->head = (t->head + 1) % ACTUATOR_NOTIFY_QUEUE;
    t->n--;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_QUEUED), -1);
}

void actuator_notify_free(struct actuator_notify *n)
{
    if (n == NULL)
        return;
    for (unsigned i = 0; i < n->n; i++) {
        struct target *t = &n->target[i];
        hale_http_client_cancel(n->http, t->call);
        while (t->n > 0)
            drop_first(t);
    }
    free(n->target);
    free(n);
}

void actuator_notify_set_cursor(struct actuator_notify *n, unsigned i, int64_t cursor)
{
    struct target *t = &n->target[i];
    t->cursor = t->read_to = cursor < n->seen ? cursor : n->seen;
    t->behind = t->cursor < n->seen;
}

int64_t actuator_notify_cursor(const struct actuator_notify *n, unsigned i)
{
    return n->target[i].cursor;
}

bool actuator_notify_moved(struct actuator_notify *n, unsigned i)
{
    bool moved = n->target[i].moved;
    n->target[i].moved = false;
    return moved;
}

/* --- signature --------------------------------------------------------------------- */

void actuator_notify_sign(const void *key, size_t key_len, struct hale_str body,
                          char *dst)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    memcpy(dst, "sha256=", 8);
    if (HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)body.p, body.len,
             mac, &len) != NULL)
        hale_str_hex(mac, len, dst + 7);
}

/* --- sending ----------------------------------------------------------------------- */

static int64_t backoff_us(const struct target *t)
{
    int64_t us = BACKOFF_FIRST_US;
    for (int64_t i = 1; i < t->tries && us < BACKOFF_MAX_US; i++)
        us *= 2;
    us = us > BACKOFF_MAX_US ? BACKOFF_MAX_US : us;
    uint32_t dice;
    hale_id_random(&dice, sizeof(dice));
    return us / 2 + (int64_t)(dice % (uint32_t)(us / 2 + 1));
}

static void send_next(struct target *t, int64_t now_us);

static void finished(struct target *t, int64_t seq)
{
    t->cursor = seq;
    t->moved = true;
    t->tries = 0;
    t->retry_us = 0;
    drop_first(t);
    if (t->n == 0 && !t->behind && t->read_to > t->cursor)
        t->cursor = t->read_to; /* what followed did not concern it */
}

static void on_done(const struct hale_http_result *r, void *arg)
{
    struct target *t = arg;
    int64_t now_us = hale_clock_wall_us();
    const struct note *note = t->queue[t->head];
    t->call = 0;
    if (r->rc == HALE_OK && r->status >= 200 && r->status < 300) {
        if (note->accepted_us > 0)
            hale_counter_observe_us(actuator_stat(ACTUATOR_STAT_NOTIFY_SECONDS),
                                    now_us - note->accepted_us);
        hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFIED), 1);
        if (t->failing)
            hale_info("event=subscriber_back subscriber=%s", t->conf->name);
        t->failing = false;
        finished(t, note->seq);
    } else {
        char why[128];
        t->tries++;
        t->retry_us = now_us + backoff_us(t);
        hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_ERRORS), 1);
        if (!t->failing)
            hale_warn("event=subscriber_failing subscriber=%s status=%u detail=%s",
                      t->conf->name, r->status,
                      hale_log_quote(r->error, why, sizeof(why)));
        t->failing = true;
    }
    send_next(t, now_us);
}

/* The same for every try of one record to one subscriber, also after a restart. */
static void notification_id(const struct target *t, int64_t seq, char *id)
{
    char key[128];
    int len = snprintf(key, sizeof(key), "%s\n%lld", t->conf->name, (long long)seq);
    hale_id_uuid_from(key, (size_t)len, id);
}

static enum hale_rc start_call(struct target *t, const struct note *note)
{
    char id[HALE_UUID_TEXT], line_id[HALE_UUID_TEXT + 32], signature[96] = "";
    char sign_line[128], type[64];
    char *custom[HEADERS_MAX];
    const char *lines[HEADERS_MAX + 4];
    unsigned n = 0, n_custom = 0;
    (void)snprintf(type, sizeof(type), "Content-Type: %s",
                   actuator_profile_content_type(t->conf->profile));
    notification_id(t, note->seq, id);
    (void)snprintf(line_id, sizeof(line_id), "X-Hale-Notification: %s", id);
    lines[n++] = type;
    lines[n++] = line_id;
    if (t->conf->secret != NULL && t->conf->profile != ACTUATOR_PROFILE_PAGERDUTY) {
        actuator_notify_sign(t->conf->secret, t->conf->secret_len,
                             (struct hale_str){note->body, note->len}, signature);
        (void)snprintf(sign_line, sizeof(sign_line), "X-Hale-Signature: %s", signature);
        lines[n++] = sign_line;
    }
    const char *name;
    json_t *value;
    json_object_foreach (t->conf->headers, name, value) {
        if (n_custom == HEADERS_MAX ||
            asprintf(&custom[n_custom], "%s: %s", name, json_string_value(value)) < 0)
            break;
        lines[n++] = custom[n_custom++];
    }
    lines[n] = NULL;
    const struct hale_http_call call = {.method = "POST",
                                        .url = t->conf->url,
                                        .headers = lines,
                                        .body = {note->body, note->len},
                                        .timeout_ms = t->conf->timeout_ms,
                                        .max_response_bytes = 65536};
    enum hale_rc rc = hale_http_client_start(t->owner->http, &call, on_done, t, &t->call);
    for (unsigned i = 0; i < n_custom; i++)
        free(custom[i]);
    return rc;
}

static void send_next(struct target *t, int64_t now_us)
{
    int64_t max_age_us = t->owner->conf->notify_max_age_ms * 1000;
    while (t->n > 0 && t->call == 0) {
        const struct note *note = t->queue[t->head];
        if (now_us - note->logged_us > max_age_us) {
            hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_EXPIRED), 1);
            hale_warn("event=notification_expired subscriber=%s seq=%lld", t->conf->name,
                      (long long)note->seq);
            finished(t, note->seq);
            continue;
        }
        if (t->retry_us > now_us)
            return;
        if (start_call(t, note) != HALE_OK) {
            t->call = 0;
            t->tries++;
            t->retry_us = now_us + backoff_us(t);
            return;
        }
    }
}

/* --- records ----------------------------------------------------------------------- */

static bool concerns(const struct target *t, const struct hale_log_record *rec)
{
    const struct hale_alarm *a = &rec->alarm;
    return rec->announce && a->actions_enabled &&
           actuator_profile_tells(t->conf->profile, a->state) &&
           (t->conf->states & 1u << a->state) != 0 &&
           (t->conf->severities & 1u << a->severity) != 0;
}

static struct note *make_note(const struct target *t, const struct hale_log_record *rec)
{
    char id[HALE_UUID_TEXT];
    struct hale_buf body;
    struct note *note = NULL;
    const struct actuator_profile_note what = {
        .rec = rec, .id = id, .subscriber = t->conf->name, .key = t->conf->secret};
    notification_id(t, rec->seq, id);
    hale_buf_init(&body, BODY_MAX_BYTES);
    if (actuator_profile_body(t->conf->profile, &what, &body) == HALE_OK)
        note = malloc(sizeof(*note) + body.len + 1);
    if (note != NULL) {
        *note = (struct note){.refs = 1,
                              .seq = rec->seq,
                              .accepted_us = rec->accepted_us,
                              .logged_us = rec->logged_us > 0 ? rec->logged_us
                                                              : rec->time_ms * 1000,
                              .len = body.len};
        memcpy(note->body, body.p, body.len + 1);
    } else {
        hale_error("event=notification_lost seq=%lld", (long long)rec->seq);
    }
    hale_buf_fini(&body);
    return note;
}

/* Takes one reference. */
static void push(struct target *t, struct note *note)
{
    note->refs++;
    t->queue[(t->head + t->n++) % ACTUATOR_NOTIFY_QUEUE] = note;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_QUEUED), 1);
}

static void settle_cursor(struct target *t)
{
    if (t->n == 0 && !t->behind && t->read_to > t->cursor) {
        t->cursor = t->read_to;
        t->moved = true;
    }
}

void actuator_notify_record(struct actuator_notify *n, const struct hale_log_record *rec,
                            int64_t now_us)
{
    struct note *shared[ACTUATOR_PROFILES] = {NULL};
    n->seen = rec->seq > n->seen ? rec->seq : n->seen;
    for (unsigned i = 0; i < n->n; i++) {
        struct target *t = &n->target[i];
        if (t->behind || rec->seq <= t->read_to)
            continue;
        if (!concerns(t, rec)) {
            t->read_to = rec->seq;
            settle_cursor(t);
            continue;
        }
        if (t->n == ACTUATOR_NOTIFY_QUEUE) {
            t->behind = true;
            continue;
        }
        struct note *note = shared[t->conf->profile];
        if (note == NULL && (note = make_note(t, rec)) == NULL)
            break;
        push(t, note);
        if (actuator_profile_shared(t->conf->profile))
            shared[t->conf->profile] = note;
        else
            note_put(note);
        t->read_to = rec->seq;
        send_next(t, now_us);
    }
    for (unsigned i = 0; i < ACTUATOR_PROFILES; i++)
        note_put(shared[i]);
}

bool actuator_notify_wants(const struct actuator_notify *n, unsigned i,
                           int64_t *after_out)
{
    const struct target *t = &n->target[i];
    *after_out = t->read_to;
    return t->behind && t->n == 0;
}

void actuator_notify_offer(struct actuator_notify *n, unsigned i,
                           const struct hale_log_record *rec, int64_t now_us)
{
    struct target *t = &n->target[i];
    if (rec->seq <= t->read_to || t->n == ACTUATOR_NOTIFY_QUEUE)
        return;
    if (concerns(t, rec)) {
        struct note *note = make_note(t, rec);
        if (note == NULL)
            return;
        push(t, note);
        note_put(note);
    }
    t->read_to = rec->seq;
    send_next(t, now_us);
}

void actuator_notify_offered(struct actuator_notify *n, unsigned i, int64_t seq,
                             bool read_all)
{
    struct target *t = &n->target[i];
    t->read_to = seq > t->read_to ? seq : t->read_to;
    if (read_all && t->read_to < n->seen)
        t->read_to = n->seen; /* trimmed away: nothing is left to tell */
    if (t->read_to >= n->seen)
        t->behind = false;
    settle_cursor(t);
}

void actuator_notify_tick(struct actuator_notify *n, int64_t now_us)
{
    for (unsigned i = 0; i < n->n; i++)
        send_next(&n->target[i], now_us);
}

int64_t actuator_notify_next_us(const struct actuator_notify *n)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < n->n; i++) {
        const struct target *t = &n->target[i];
        if (t->n > 0 && t->call == 0 && t->retry_us < next)
            next = t->retry_us;
    }
    return next;
}
