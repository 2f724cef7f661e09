/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "actuator/notify_private.h"
#include "actuator/record.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#define BACKOFF_FIRST_US 500000
#define BACKOFF_MAX_US   60000000

/* --- sending ----------------------------------------------------------------------- */

static int64_t backoff_us(const struct actuator_notify_target *t)
{
    int64_t us = BACKOFF_FIRST_US;
    for (int64_t i = 1; i < t->tries && us < BACKOFF_MAX_US; i++)
        us *= 2;
    us = us > BACKOFF_MAX_US ? BACKOFF_MAX_US : us;
    uint32_t dice;
    hale_id_random(&dice, sizeof(dice));
    return us / 2 + (int64_t)(dice % (uint32_t)(us / 2 + 1));
}

static void finished(struct actuator_notify_target *t, int64_t seq)
{
    t->cursor = seq;
    t->moved = true;
    t->tries = 0;
    t->retry_us = 0;
    actuator_notify_drop_first(t);
    if (t->n == 0 && !t->behind && t->read_to > t->cursor)
        t->cursor = t->read_to; /* what followed did not concern it */
}

static const char *id_of(const struct actuator_notify_target *t,
                         const struct actuator_note *note, char id[HALE_UUID_TEXT])
{
    if (note->group.len > 0)
        memcpy(id, note->id, HALE_UUID_TEXT);
    else
        actuator_note_id(t->conf->name, note->seq, id);
    return id;
}

/* The letter keeps what is known of the note; the record comes from the log. */
static void bury(struct actuator_notify_target *t, const struct actuator_note *note,
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
    if (note->group.len > 0 || !actuator_notify_hears_ends(t))
        return; /* its groups know; or there is nothing to know */
    if (note->state == HALE_STATE_ALARM)
        actuator_raised_died(raised, t->recipient, note->alarm_id, note->fresh,
                             note->created_ms);
    else if (reason == ACTUATOR_DEAD_UNRAISED)
        actuator_raised_unraised(raised, t->recipient, note->alarm_id, id);
}

/* The recipient knows it now; of a begin that is sent late, the end follows. */
static void known(struct actuator_notify_target *t, const struct actuator_note *note,
                  int64_t now_us)
{
    struct actuator_raised *raised = t->owner->p.raised;
    char end_id[HALE_UUID_TEXT];
    if (note->group.len > 0 || !actuator_notify_hears_ends(t))
        return;
    if (note->state == HALE_STATE_ALARM) {
        if (t->replay != NULL &&
            actuator_raised_letter(raised, t->recipient, note->alarm_id, end_id))
            actuator_deadletters_follow(t->owner->p.dead, t->recipient, end_id, note->seq,
                                        now_us / 1000);
        actuator_raised_told(raised, t->recipient, note->alarm_id,
                             t->conf->severities != ACTUATOR_ALL_SEVERITIES);
    } else if (note->state == HALE_STATE_OK) {
        actuator_raised_ended(raised, t->recipient, note->alarm_id);
    }
}

static void end_replay(struct actuator_notify_target *t, bool was_taken)
{
    actuator_deadletters_settle(t->owner->p.dead, t->recipient, t->replay_id, was_taken);
    actuator_note_put(t->replay);
    t->replay = NULL;
    t->tries = 0;
    t->retry_us = 0;
}

/* LATER: at t->retry_us. */
static void end_group(struct actuator_notify_target *t, enum actuator_group_end end,
                      int64_t now_us)
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

static void taken(struct actuator_notify_target *t, const struct actuator_note *note,
                  int64_t now_us)
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

static void complain(struct actuator_notify_target *t, const struct hale_http_result *r,
                     const char *text)
{
    char why[256];
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_ERRORS), 1);
    if (!t->failing)
        hale_warn("event=subscriber_failing subscriber=%s status=%u detail=%s",
                  t->conf->name, r->status, hale_log_quote(text, why, sizeof(why)));
    t->failing = true;
    (void)snprintf(t->why, sizeof(t->why), "%s", text);
}

/* It will be tried again. */
static void put_off(struct actuator_notify_target *t, int64_t now_us)
{
    t->retry_us = now_us + backoff_us(t);
    actuator_note_put(t->replay); /* what came meanwhile goes first */
    t->replay = NULL;
    if (t->group != NULL)
        end_group(t, ACTUATOR_GROUP_LATER, now_us);
}

/* It will never be taken. */
static void refused(struct actuator_notify_target *t, const struct actuator_note *note,
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
    struct actuator_notify_target *t = arg;
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
    actuator_notify_send(t, now_us);
}

/* True when it is under way; false: t->retry_us says when to try again. */
static bool try_now(struct actuator_notify_target *t, const struct actuator_note *note,
                    int64_t now_us)
{
    char id[HALE_UUID_TEXT];
    const struct actuator_parcel parcel = {.to = t->conf,
                                           .id = id_of(t, note, id),
                                           .body = {note->body, note->len},
                                           .done = on_done,
                                           .arg = t};
    if (actuator_outlet_start(&t->owner->out, &parcel, &t->call) == HALE_OK)
        return true;
    t->call = 0;
    t->tries++;
    t->retry_us = now_us + backoff_us(t);
    return false;
}

static bool is_old(const struct actuator_notify_target *t, int64_t since_us,
                   int64_t now_us)
{
    return now_us - since_us > t->owner->p.conf->notify_max_age_ms * 1000;
}

/* The next letter that somebody wants sent again. false: none is to be had now. */
static bool take_replay(struct actuator_notify_target *t)
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

static void send_replay(struct actuator_notify_target *t, int64_t now_us)
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

static void send_group(struct actuator_notify_target *t, int64_t now_us)
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

/* With what the last try ended in, if it failed. */
static void bury_expired(struct actuator_notify_target *t,
                         const struct actuator_note *note, const char *what,
                         int64_t now_us)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s%s%s", what, t->failing ? "; " : "",
                   t->failing ? t->why : "");
    bury(t, note, ACTUATOR_DEAD_EXPIRED, text, now_us);
}

/* What is given up without another try. */
static bool given_up(struct actuator_notify_target *t, const struct actuator_note *note,
                     int64_t now_us)
{
    if (is_old(t, note->logged_us, now_us))
        bury_expired(t, note, "older than notify_max_age", now_us);
    else if (note->state == HALE_STATE_OK &&
             actuator_raised_get(t->owner->p.raised, t->recipient, note->alarm_id) ==
                 ACTUATOR_RAISED_DEAD)
        bury(t, note, ACTUATOR_DEAD_UNRAISED, "its begin was not told", now_us);
    else
        return false;
    finished(t, note->seq);
    return true;
}

void actuator_notify_send(struct actuator_notify_target *t, int64_t now_us)
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
    if (t->draining && t->call == 0 && actuator_groups_next_ms(t->groups) == INT64_MAX) {
        actuator_groups_free(t->groups);
        t->groups = NULL;
        t->draining = false;
    }
    if (t->n == 0)
        send_replay(t, now_us);
}

void actuator_notify_drain(struct actuator_notify_target *t)
{
    actuator_groups_set_conf(t->groups, &actuator_grouping_at_once);
    actuator_groups_drain(t->groups);
    t->draining = true;
    t->drained_to = actuator_groups_upto(t->groups);
}

void actuator_notify_adopt(struct actuator_notify *n, struct actuator_notify *old,
                           int64_t now_us)
{
    for (unsigned i = 0; i < n->n; i++)
        for (unsigned k = 0; k < old->n; k++) {
            struct actuator_notify_target *t = &n->target[i], *from = &old->target[k];
            if (strcmp(t->recipient, from->recipient) != 0)
                continue;
            actuator_notify_set_cursor(n, i, from->cursor, INT64_MAX);
            if (from->groups == NULL)
                continue;
            if (from->group != NULL)
                end_group(from, ACTUATOR_GROUP_LATER, now_us);
            actuator_groups_free(t->groups);
            t->groups = from->groups;
            from->groups = NULL;
            if (t->conf->grouping.on)
                actuator_groups_set_conf(t->groups, &t->conf->grouping);
            else
                actuator_notify_drain(t);
        }
}
