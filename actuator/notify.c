/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/digest.h"
#include "actuator/note.h"
#include "actuator/outlet.h"
#include "actuator/profile.h"
#include "actuator/receipt.h"
#include "actuator/record.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/log.h"

#define BACKOFF_FIRST_US 500000
#define BACKOFF_MAX_US   60000000
#define ALL_SEVERITIES   15u

struct target {
    const struct actuator_subscriber *conf;
    struct actuator_notify *owner;
    char recipient[ACTUATOR_RECIPIENT_MAX];
    struct actuator_note *queue[ACTUATOR_NOTIFY_QUEUE]; /* ring */
    unsigned head, n;
    struct actuator_groups *groups; /* NULL: everything is told at once */
    struct actuator_note *group;    /* the message that is under way */
    int64_t group_since_us;         /* it has failed since then, or 0 */
    struct actuator_note *replay;   /* a dead letter that is sent again, or NULL */
    char replay_id[HALE_UUID_TEXT];
    int64_t replay_ms; /* when that was asked for */
    int64_t cursor;    /* all up to here is done */
    int64_t read_to;   /* all up to here is in the queue or done */
    bool behind;       /* there is more in the log after read_to */
    bool moved;
    bool failing;  /* the last try failed: one log line per change */
    uint64_t call; /* under way, or 0 */
    int64_t tries;
    int64_t retry_us; /* next try, 0 = at once */
};
struct actuator_notify {
    struct actuator_notify_parts p;
    struct actuator_outlet out;
    int64_t seen;
    unsigned n;
    struct target *target;
};

struct actuator_notify *actuator_notify_new(const struct actuator_notify_parts *parts,
                                            int64_t seen)
{
    struct actuator_notify *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return NULL;
    n->p = *parts;
    n->out = (struct actuator_outlet){parts->http, parts->conf};
    n->seen = seen;
    n->n = parts->conf->subscribers.n;
    n->target = calloc(n->n > 0 ? n->n : 1, sizeof(*n->target));
    if (n->target == NULL) {
        free(n);
        return NULL;
    }
    for (unsigned i = 0; i < n->n; i++) {
        struct target *t = &n->target[i];
        t->conf = &parts->conf->subscribers.v[i];
        t->owner = n;
        t->cursor = t->read_to = seen;
        (void)snprintf(t->recipient, sizeof(t->recipient), "subscriber/%s",
                       t->conf->name);
        if (!t->conf->grouping.on)
            continue;
        t->groups = actuator_groups_new(&t->conf->grouping, t->conf->name, parts->arg,
                                        parts->store_group);
        if (t->groups == NULL) {
            actuator_notify_free(n);
            return NULL;
        }
    }
    return n;
}

bool actuator_notify_has(const struct actuator_notify *n, const char *recipient)
{
    for (unsigned i = 0; i < n->n; i++)
        if (strcmp(n->target[i].recipient, recipient) == 0)
            return true;
    return false;
}

static void drop_first(struct target *t)
{
    actuator_note_put(t->queue[t->head]);
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
        if (t->call != 0)
            actuator_outlet_cancel(&n->out, t->conf, t->call);
        actuator_note_put(t->replay);
        actuator_note_put(t->group);
        actuator_groups_free(t->groups);
        while (t->n > 0)
            drop_first(t);
    }
    free(n->target);
    free(n);
}

void actuator_notify_set_cursor(struct actuator_notify *n, unsigned i, int64_t cursor,
                                int64_t log_end)
{
    struct target *t = &n->target[i];
    t->cursor = t->read_to = cursor <= log_end ? cursor : n->seen;
    t->behind = t->cursor < n->seen;
}

bool actuator_notify_load_group(struct actuator_notify *n, struct hale_str field,
                                struct hale_str value)
{
    bool taken_by_one = false;
    for (unsigned i = 0; i < n->n; i++)
        if (n->target[i].groups != NULL)
            taken_by_one |= actuator_groups_load(n->target[i].groups, field, value);
    return taken_by_one;
}

void actuator_notify_groups_loaded(struct actuator_notify *n)
{
    for (unsigned i = 0; i < n->n; i++)
        if (n->target[i].groups != NULL)
            actuator_groups_loaded(n->target[i].groups);
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

static const char *id_of(const struct target *t, const struct actuator_note *note,
                         char id[HALE_UUID_TEXT])
{
    if (note->group.len > 0)
        memcpy(id, note->id, HALE_UUID_TEXT);
    else
        actuator_note_id(t->conf->name, note->seq, id);
    return id;
}

/* The letter keeps what is known of the note; the record comes from the log. */
static void bury(struct target *t, const struct actuator_note *note,
                 enum actuator_dead_reason reason, const char *detail, int64_t now_us)
{
    struct actuator_raised *raised = t->owner->p.raised;
    char id[HALE_UUID_TEXT];
    const struct actuator_letter letter = {.id = id_of(t, note, id),
                                           .recipient = t->recipient,
                                           .name = t->conf->name,
                                           .tenant = note->tenant,
                                           .alarm_id = note->alarm_id,
                                           .alarm_name = note->name,
                                           .state = note->state,
                                           .severity = note->severity,
                                           .seq = note->seq,
                                           .logged_ms = note->logged_us / 1000,
                                           .reason = reason,
                                           .detail = detail,
                                           .tries = t->tries,
                                           .group = note->group};
    actuator_deadletters_bury(t->owner->p.dead, &letter, now_us / 1000);
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_EXPIRED), 1);
    if (note->group.len > 0)
        return; /* its groups know */
    if (note->state == HALE_STATE_ALARM)
        actuator_raised_died(raised, t->recipient, note->alarm_id, note->fresh,
                             note->created_ms);
    else if (reason == ACTUATOR_DEAD_UNRAISED)
        actuator_raised_unraised(raised, t->recipient, note->alarm_id, id);
}

/* The recipient knows it now; of a begin that is sent late, the end follows. */
static void known(struct target *t, const struct actuator_note *note, int64_t now_us)
{
    struct actuator_raised *raised = t->owner->p.raised;
    char end_id[HALE_UUID_TEXT];
    if (note->group.len > 0)
        return;
    if (note->state == HALE_STATE_ALARM) {
        if (t->replay != NULL &&
            actuator_raised_letter(raised, t->recipient, note->alarm_id, end_id))
            actuator_deadletters_follow(t->owner->p.dead, t->recipient, end_id, note->seq,
                                        now_us / 1000);
        actuator_raised_told(raised, t->recipient, note->alarm_id,
                             t->conf->severities != ALL_SEVERITIES);
    } else if (note->state == HALE_STATE_OK) {
        actuator_raised_ended(raised, t->recipient, note->alarm_id);
    }
}

static void end_replay(struct target *t, bool was_taken)
{
    actuator_deadletters_settle(t->owner->p.dead, t->recipient, t->replay_id, was_taken);
    actuator_note_put(t->replay);
    t->replay = NULL;
    t->tries = 0;
    t->retry_us = 0;
}

/* LATER: at t->retry_us. */
static void end_group(struct target *t, enum actuator_group_end end, int64_t now_us)
{
    actuator_groups_done(t->groups, end, now_us / 1000, t->retry_us / 1000);
    actuator_note_put(t->group);
    t->group = NULL;
    if (end != ACTUATOR_GROUP_LATER) {
        t->tries = 0;
        t->retry_us = 0;
        t->group_since_us = 0;
    } else if (t->group_since_us == 0) {
        t->group_since_us = now_us;
    }
}

static void taken(struct target *t, const struct actuator_note *note, int64_t now_us)
{
    if (note->accepted_us > 0 && t->replay == NULL)
        hale_counter_observe_us(actuator_stat(ACTUATOR_STAT_NOTIFY_SECONDS),
                                now_us - note->accepted_us);
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFIED), 1);
    if (t->failing)
        hale_info("event=subscriber_back subscriber=%s", t->conf->name);
    t->failing = false;
    known(t, note, now_us);
    if (t->replay != NULL)
        end_replay(t, true);
    else if (t->group != NULL)
        end_group(t, ACTUATOR_GROUP_TOLD, now_us);
    else
        finished(t, note->seq);
}

static void complain(struct target *t, const struct hale_http_result *r, const char *text)
{
    char why[256];
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_ERRORS), 1);
    if (!t->failing)
        hale_warn("event=subscriber_failing subscriber=%s status=%u detail=%s",
                  t->conf->name, r->status, hale_log_quote(text, why, sizeof(why)));
    t->failing = true;
}

/* It will be tried again. */
static void put_off(struct target *t, int64_t now_us)
{
    t->retry_us = now_us + backoff_us(t);
    actuator_note_put(t->replay); /* what came meanwhile goes first */
    t->replay = NULL;
    if (t->group != NULL)
        end_group(t, ACTUATOR_GROUP_LATER, now_us);
}

/* It will never be taken. */
static void refused(struct target *t, const struct actuator_note *note,
                    enum actuator_receipt receipt, const char *text, int64_t now_us)
{
    if (t->replay != NULL) {
        end_replay(t, false);
        return;
    }
    bury(t, note,
         receipt == ACTUATOR_REFUSED ? ACTUATOR_DEAD_REFUSED : ACTUATOR_DEAD_DENIED, text,
         now_us);
    if (t->group != NULL)
        end_group(t, ACTUATOR_GROUP_GIVEN_UP, now_us);
    else
        finished(t, note->seq);
}

static void on_done(const struct hale_http_result *r, void *arg)
{
    struct target *t = arg;
    char text[256];
    int64_t now_us = hale_clock_wall_us();
    const struct actuator_note *note = t->replay != NULL  ? t->replay
                                       : t->group != NULL ? t->group
                                                          : t->queue[t->head];
    enum actuator_receipt receipt = actuator_outlet_receipt(t->conf, r);
    t->call = 0;
    t->tries++;
    if (receipt == ACTUATOR_TAKEN) {
        taken(t, note, now_us);
    } else {
        complain(t, r, actuator_receipt_text(r, text, sizeof(text)));
        if (receipt == ACTUATOR_AGAIN)
            put_off(t, now_us);
        else
            refused(t, note, receipt, text, now_us);
    }
    send_next(t, now_us);
}

/* True when it is under way; false: t->retry_us says when to try again. */
static bool try_now(struct target *t, const struct actuator_note *note, int64_t now_us)
{
    const struct hale_str body = {note->body, note->len};
    char id[HALE_UUID_TEXT];
    if (actuator_outlet_start(&t->owner->out, t->conf, id_of(t, note, id), body, on_done,
                              t, &t->call) == HALE_OK)
        return true;
    t->call = 0;
    t->tries++;
    t->retry_us = now_us + backoff_us(t);
    return false;
}

static bool is_old(const struct target *t, int64_t since_us, int64_t now_us)
{
    return now_us - since_us > t->owner->p.conf->notify_max_age_ms * 1000;
}

/* The next letter that somebody wants sent again. false: none is to be had now. */
static bool take_replay(struct target *t)
{
    struct actuator_replay letter;
    struct hale_log_record rec;
    if (actuator_deadletters_first(t->owner->p.dead, t->recipient, &letter) != HALE_OK)
        return false;
    memset(&rec, 0, sizeof(rec));
    memcpy(t->replay_id, letter.id, sizeof(t->replay_id));
    t->replay_ms = letter.at_ms;
    if (letter.group) {
        t->replay = actuator_note_from_letter(t->conf, hale_buf_str(&letter.text));
    } else if (actuator_record_decode(hale_buf_str(&letter.text), &rec) == HALE_OK) {
        t->replay = actuator_note_new(t->conf, &rec);
        hale_log_record_fini(&rec);
    }
    hale_buf_fini(&letter.text);
    if (t->replay == NULL) {
        hale_error("event=replay_unusable recipient=%s id=%s", t->recipient,
                   t->replay_id);
        end_replay(t, false);
    }
    return true;
}

static void send_replay(struct target *t, int64_t now_us)
{
    while (t->call == 0 && t->retry_us <= now_us &&
           actuator_deadletters_waiting(t->owner->p.dead, t->recipient)) {
        if (!take_replay(t))
            return;
        if (t->replay == NULL)
            continue;
        if (is_old(t, t->replay_ms * 1000, now_us)) {
            end_replay(t, false);
        } else if (!try_now(t, t->replay, now_us)) {
            actuator_note_put(t->replay);
            t->replay = NULL;
            return;
        }
    }
}

static void send_group(struct target *t, int64_t now_us)
{
    while (t->call == 0 && t->retry_us <= now_us) {
        const struct actuator_group_message *m =
            actuator_groups_due(t->groups, now_us / 1000);
        if (m == NULL)
            return;
        t->group = actuator_note_of_group(t->conf, m, now_us);
        if (t->group == NULL) {
            hale_error("event=notification_lost subscriber=%s", t->conf->name);
            hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_EXPIRED), 1);
            end_group(t, ACTUATOR_GROUP_GIVEN_UP, now_us);
        } else if (t->group_since_us != 0 && is_old(t, t->group_since_us, now_us)) {
            bury(t, t->group, ACTUATOR_DEAD_EXPIRED, "not taken within notify_max_age",
                 now_us);
            end_group(t, ACTUATOR_GROUP_GIVEN_UP, now_us);
        } else if (!try_now(t, t->group, now_us)) {
            end_group(t, ACTUATOR_GROUP_LATER, now_us);
        }
    }
}

/* What is given up without another try. */
static bool given_up(struct target *t, const struct actuator_note *note, int64_t now_us)
{
    if (is_old(t, note->logged_us, now_us))
        bury(t, note, ACTUATOR_DEAD_EXPIRED, "older than notify_max_age", now_us);
    else if (note->state == HALE_STATE_OK &&
             actuator_raised_get(t->owner->p.raised, t->recipient, note->alarm_id) ==
                 ACTUATOR_RAISED_DEAD)
        bury(t, note, ACTUATOR_DEAD_UNRAISED, "its begin was not told", now_us);
    else
        return false;
    finished(t, note->seq);
    return true;
}

static void send_next(struct target *t, int64_t now_us)
{
    while (t->n > 0 && t->call == 0) {
        const struct actuator_note *note = t->queue[t->head];
        if (given_up(t, note, now_us))
            continue;
        if (t->retry_us > now_us || !try_now(t, note, now_us))
            return;
    }
    if (t->groups != NULL)
        send_group(t, now_us);
    if (t->n == 0)
        send_replay(t, now_us);
}

/* --- records ----------------------------------------------------------------------- */

/* Groups know of whom they were told. */
static void take_into_group(struct target *t, const struct hale_log_record *rec,
                            int64_t now_us)
{
    const struct hale_alarm *a = &rec->alarm;
    bool raised = a->state == HALE_STATE_ALARM;
    if (!rec->announce || !a->actions_enabled || a->state == HALE_STATE_UNDETERMINED ||
        (raised && (t->conf->severities & 1u << a->severity) == 0))
        return;
    json_t *labels = actuator_profile_labels(a);
    char *show = actuator_digest_show(rec);
    if (labels != NULL && show != NULL)
        actuator_groups_take(t->groups,
                             &(struct actuator_group_alarm){.tenant = a->tenant,
                                                            .id = a->id,
                                                            .labels = labels,
                                                            .raised = raised,
                                                            .seq = rec->seq,
                                                            .show = hale_str_from(show)},
                             now_us / 1000);
    free(show);
    json_decref(labels);
}

/* Whoever is told that it began is told of its end, whatever its severity is then. */
static bool concerns(const struct target *t, const struct hale_log_record *rec)
{
    const struct hale_alarm *a = &rec->alarm;
    if (!rec->announce || !a->actions_enabled ||
        !actuator_profile_tells(t->conf->profile, a->state) ||
        (t->conf->states & 1u << a->state) == 0)
        return false;
    if (t->conf->severities == ALL_SEVERITIES)
        return true;
    if ((t->conf->severities & 1u << a->severity) != 0) {
        if (a->state == HALE_STATE_ALARM)
            actuator_raised_queued(t->owner->p.raised, t->recipient, a->id);
        return true;
    }
    return a->state == HALE_STATE_OK &&
           actuator_raised_get(t->owner->p.raised, t->recipient, a->id) !=
               ACTUATOR_RAISED_UNKNOWN;
}

/* NULL: it cannot be written, and will not be told. */
static struct actuator_note *make_note(struct target *t,
                                       const struct hale_log_record *rec)
{
    struct actuator_note *note = actuator_note_new(t->conf, rec);
    if (note == NULL) {
        hale_error("event=notification_lost subscriber=%s seq=%lld", t->conf->name,
                   (long long)rec->seq);
        hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_EXPIRED), 1);
    }
    return note;
}

/* Takes one reference. */
static void push(struct target *t, struct actuator_note *note)
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
    struct actuator_note *shared[ACTUATOR_PROFILES] = {NULL};
    n->seen = rec->seq > n->seen ? rec->seq : n->seen;
    for (unsigned i = 0; i < n->n; i++) {
        struct target *t = &n->target[i];
        if (t->behind || rec->seq <= t->read_to)
            continue;
        if (t->groups != NULL)
            take_into_group(t, rec, now_us);
        if (t->groups != NULL || !concerns(t, rec)) {
            t->read_to = rec->seq;
            settle_cursor(t);
            if (t->groups != NULL)
                send_next(t, now_us);
            continue;
        }
        if (t->n == ACTUATOR_NOTIFY_QUEUE) {
            t->behind = true;
            continue;
        }
        struct actuator_note *note = shared[t->conf->profile];
        if (note == NULL && (note = make_note(t, rec)) == NULL) {
            t->read_to = rec->seq;
            continue;
        }
        push(t, note);
        if (actuator_profile_shared(t->conf->profile))
            shared[t->conf->profile] = note;
        else
            actuator_note_put(note);
        t->read_to = rec->seq;
        send_next(t, now_us);
    }
    for (unsigned i = 0; i < ACTUATOR_PROFILES; i++)
        actuator_note_put(shared[i]);
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
    if (t->groups != NULL) {
        take_into_group(t, rec, now_us);
    } else if (concerns(t, rec)) {
        struct actuator_note *note = make_note(t, rec);
        if (note == NULL)
            return;
        push(t, note);
        actuator_note_put(note);
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
        bool replays = t->n == 0 && actuator_deadletters_waiting(n->p.dead, t->recipient);
        if (t->call != 0)
            continue;
        if ((t->n > 0 || replays) && t->retry_us < next)
            next = t->retry_us;
        if (t->groups != NULL) {
            int64_t due_ms = actuator_groups_next_ms(t->groups);
            int64_t due_us = due_ms < INT64_MAX / 1000 ? due_ms * 1000 : INT64_MAX;
            due_us = due_us > t->retry_us ? due_us : t->retry_us;
            next = due_us < next ? due_us : next;
        }
    }
    return next;
}

void actuator_notify_adopt(struct actuator_notify *n, struct actuator_notify *old,
                           int64_t now_us)
{
    for (unsigned i = 0; i < n->n; i++)
        for (unsigned k = 0; k < old->n; k++) {
            struct target *t = &n->target[i], *from = &old->target[k];
            if (strcmp(t->recipient, from->recipient) != 0)
                continue;
            actuator_notify_set_cursor(n, i, from->cursor, INT64_MAX);
            if (t->groups == NULL || from->groups == NULL)
                continue;
            if (from->group != NULL)
                end_group(from, ACTUATOR_GROUP_LATER, now_us);
            actuator_groups_free(t->groups);
            t->groups = from->groups;
            from->groups = NULL;
            actuator_groups_set_conf(t->groups, &t->conf->grouping);
        }
}
