/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/courier_private.h"
#include "actuator/dispatch.h"
#include "actuator/record.h"
#include "base/clock.h"
#include "base/log.h"

#define BACKOFF_FIRST_US 500000
#define BACKOFF_MAX_US   60000000
#define S_US             1000000

/* --- repeats ------------------------------------------------------------------------- */

void actuator_courier_forget_repeats(struct actuator_courier_target *t)
{
    if (t->repeats == NULL)
        return;
    t->owner->n_repeats -= hale_map_count(t->repeats);
    actuator_courier_count(ACTUATOR_STAT_METHOD_REPEATS,
                           -(int64_t)hale_map_count(t->repeats));
    hale_map_free(t->repeats);
    t->repeats = NULL;
    t->repeat_us = INT64_MAX;
}

static void repeat_from(struct actuator_courier_target *t, const char *alarm_id,
                        enum hale_state state, enum hale_state old_state, int64_t next_us)
{
    struct actuator_courier *c = t->owner;
    struct hale_str id = hale_str_from(alarm_id);
    if (t->method->period_s == 0)
        return;
    if (t->repeats == NULL)
        t->repeats = hale_map_new(ACTUATOR_COURIER_REPEATS, free);
    struct actuator_courier_repeat *r =
        t->repeats != NULL ? hale_map_get(t->repeats, id) : NULL;
    if (r == NULL) {
        r = t->repeats != NULL && c->n_repeats < ACTUATOR_COURIER_REPEATS
                ? calloc(1, sizeof(*r))
                : NULL;
        if (r == NULL || hale_map_put(t->repeats, id, r) != HALE_OK) {
            free(r);
            actuator_courier_count(ACTUATOR_STAT_METHOD_REPEATS_LOST, 1);
            return;
        }
        c->n_repeats++;
        actuator_courier_count(ACTUATOR_STAT_METHOD_REPEATS, 1);
    }
    *r = (struct actuator_courier_repeat){state, old_state, next_us};
    t->repeat_us = next_us < t->repeat_us ? next_us : t->repeat_us;
}

static void forget_repeat(struct actuator_courier_target *t, struct hale_str alarm_id)
{
    hale_map_del(t->repeats, alarm_id);
    t->owner->n_repeats--;
    actuator_courier_count(ACTUATOR_STAT_METHOD_REPEATS, -1);
}

bool actuator_courier_repeats(const struct actuator_courier *c)
{
    size_t it = 0;
    const struct actuator_courier_target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL)
        if (t->method->period_s > 0)
            return true;
    return false;
}

void actuator_courier_resume(struct actuator_courier *c, const struct hale_alarm *a,
                             int64_t now_us)
{
    const struct hale_strings *ids =
        actuator_contacts_get(c->p.contacts, a->definition_id, a->state);
    for (unsigned i = 0; a->actions_enabled && ids != NULL && i < ids->n; i++) {
        struct actuator_courier_target *t =
            hale_map_get(c->targets, hale_str_from(ids->v[i]));
        struct hale_log_record rec;
        if (t == NULL || t->method->period_s == 0)
            continue;
        enum hale_state old = a->state;
        if (c->p.io.record(c->p.io.arg, a->seq, &rec) == HALE_OK) {
            old = rec.old_state;
            hale_log_record_fini(&rec);
        }
        repeat_from(t, a->id, a->state, old, now_us + t->method->period_s * S_US);
    }
}

/* --- sending ------------------------------------------------------------------------- */

void actuator_courier_retry_later(struct actuator_courier_target *t, int64_t now_us)
{
    int64_t us = BACKOFF_FIRST_US;
    uint32_t dice;
    for (int64_t i = 0; i < t->tries && us < BACKOFF_MAX_US; i++)
        us *= 2;
    us = us > BACKOFF_MAX_US ? BACKOFF_MAX_US : us;
    hale_id_random(&dice, sizeof(dice));
    t->tries++;
    t->retry_us = now_us + us / 2 + (int64_t)(dice % (uint32_t)(us / 2 + 1));
    actuator_courier_count(ACTUATOR_STAT_METHOD_ERRORS, 1);
}

void actuator_courier_complain(struct actuator_courier_target *t, unsigned status,
                               const char *detail)
{
    char name[96], why[160];
    if (!t->failing)
        hale_warn("event=method_failing id=%s name=%s type=%s status=%u detail=%s",
                  t->method->id, hale_log_quote(t->method->name, name, sizeof(name)),
                  hale_method_type_text(t->method->type), status,
                  hale_log_quote(detail, why, sizeof(why)));
    t->failing = true;
}

/* --- giving up ----------------------------------------------------------------------- */

static void message_id(const struct actuator_courier_target *t, int64_t seq,
                       char id[HALE_UUID_TEXT])
{
    char key[128];
    int len = snprintf(key, sizeof(key), "%s\n%lld", t->method->id, (long long)seq);
    hale_id_uuid_from(key, (size_t)len, id);
}

static void bury(struct actuator_courier_target *t, const struct hale_log_record *rec,
                 enum actuator_dead_reason reason, const char *detail, int64_t now_us)
{
    struct actuator_raised *raised = t->owner->p.raised;
    const struct hale_alarm *a = &rec->alarm;
    char id[HALE_UUID_TEXT];
    bool fresh = rec->old_state == HALE_STATE_OK || rec->kind == HALE_ALARM_CREATED;
    message_id(t, rec->seq, id);
    const struct actuator_letter letter = {.id = id,
                                           .recipient = t->recipient,
                                           .name = t->method->name,
                                           .tenant = t->method->tenant,
                                           .alarm_id = a->id,
                                           .alarm_name = a->definition_name,
                                           .state = a->state,
                                           .severity = a->severity,
                                           .seq = rec->seq,
                                           .logged_ms = rec->time_ms,
                                           .reason = reason,
                                           .detail = detail,
                                           .tries = t->tries};
    actuator_deadletters_bury(t->owner->p.dead, &letter, now_us / 1000);
    if (a->state == HALE_STATE_ALARM)
        actuator_raised_died(raised, t->recipient, a->id, fresh, a->created_ms);
    else if (reason == ACTUATOR_DEAD_UNRAISED)
        actuator_raised_unraised(raised, t->recipient, a->id, id);
}

/* The first of the queue, whose record is not at hand. */
static void bury_first(struct actuator_courier_target *t,
                       enum actuator_dead_reason reason, const char *detail,
                       int64_t now_us)
{
    struct hale_log_record rec;
    int64_t seq = t->queue[t->head];
    if (t->owner->p.io.record(t->owner->p.io.arg, seq, &rec) == HALE_OK) {
        rec.seq = seq;
        bury(t, &rec, reason, detail, now_us);
        hale_log_record_fini(&rec);
    }
    actuator_courier_pop(t);
}

static void end_replay(struct actuator_courier_target *t, bool was_taken)
{
    actuator_deadletters_settle(t->owner->p.dead, t->recipient, t->replay_id, was_taken);
    t->replay_id[0] = '\0';
    t->tries = 0;
    t->retry_us = 0;
}

/* The recipient knows it now; of a begin that is sent late, the end follows. */
static void known(struct actuator_courier_target *t, int64_t now_us)
{
    struct actuator_raised *raised = t->owner->p.raised;
    char end_id[HALE_UUID_TEXT];
    if (t->told[0] == HALE_STATE_ALARM) {
        if (t->replay_id[0] != '\0' &&
            actuator_raised_letter(raised, t->recipient, t->telling, end_id))
            actuator_deadletters_follow(t->owner->p.dead, t->recipient, end_id, t->seq,
                                        now_us / 1000);
        actuator_raised_told(raised, t->recipient, t->telling, false);
    } else if (t->told[0] == HALE_STATE_OK) {
        actuator_raised_ended(raised, t->recipient, t->telling);
    }
}

static void taken(struct actuator_courier_target *t, int64_t now_us)
{
    if (t->failing)
        hale_info("event=method_back id=%s", t->method->id);
    t->failing = false;
    actuator_courier_count(
        t->repeating ? ACTUATOR_STAT_METHOD_REPEATED : ACTUATOR_STAT_METHOD_SENT, 1);
    if (!t->repeating)
        known(t, now_us);
    if (t->replay_id[0] != '\0') {
        end_replay(t, true);
        return;
    }
    if (t->digest != NULL) {
        actuator_courier_group_end(t, ACTUATOR_GROUP_TOLD, now_us);
        return;
    }
    repeat_from(t, t->telling, t->told[0], t->told[1],
                now_us + t->method->period_s * S_US);
    if (!t->repeating)
        actuator_courier_pop(t);
}

/* It will never be taken. */
static void refused(struct actuator_courier_target *t, enum actuator_receipt receipt,
                    const char *text, int64_t now_us)
{
    enum actuator_dead_reason reason =
        receipt == ACTUATOR_FORBIDDEN ? ACTUATOR_DEAD_DENIED : ACTUATOR_DEAD_REFUSED;
    if (receipt == ACTUATOR_FORBIDDEN)
        actuator_courier_count(ACTUATOR_STAT_METHOD_DENIED, 1);
    if (t->repeating)
        actuator_courier_forget_repeats(t);
    else if (t->replay_id[0] != '\0')
        end_replay(t, false);
    else if (t->digest != NULL) {
        actuator_courier_group_bury(t, reason, text, now_us);
        actuator_courier_group_end(t, ACTUATOR_GROUP_GIVEN_UP, now_us);
    } else
        bury_first(t, reason, text, now_us);
}

void actuator_courier_done(const struct hale_http_result *r, void *arg)
{
    struct actuator_courier_target *t = arg;
    char text[256];
    int64_t now_us = hale_clock_wall_us();
    enum actuator_receipt receipt = actuator_dispatch_receipt(t->method, r);
    t->call = 0;
    if (receipt == ACTUATOR_TAKEN) {
        taken(t, now_us);
    } else {
        actuator_courier_complain(t, r->status,
                                  actuator_receipt_text(r, text, sizeof(text)));
        if (receipt != ACTUATOR_AGAIN) {
            refused(t, receipt, text, now_us);
        } else if (t->repeating) { /* the next one will be the next try */
            actuator_courier_count(ACTUATOR_STAT_METHOD_ERRORS, 1);
        } else {
            t->replay_id[0] = '\0'; /* what came meanwhile goes first */
            actuator_courier_retry_later(t, now_us);
            if (t->digest != NULL)
                actuator_courier_group_end(t, ACTUATOR_GROUP_LATER, now_us);
        }
    }
    actuator_courier_send(t, NULL, now_us);
}

/* HALE_OK: the call was started; HALE_E_AGAIN: t->retry_us says when to try again; HALE_E_DENIED,
 * HALE_E_INVAL: it never will be, why says why not. */
static enum hale_rc tell(struct actuator_courier_target *t, const struct hale_alarm *a,
                         enum hale_state old_state, int64_t time_ms, int64_t seq,
                         const char **why)
{
    char id[HALE_UUID_TEXT];
    message_id(t, seq, id);
    struct actuator_message m = {
        .alarm = a, .old_state = old_state, .time_ms = time_ms, .id = id};
    (void)snprintf(t->telling, sizeof(t->telling), "%s", a->id);
    t->told[0] = a->state;
    t->told[1] = old_state;
    t->seq = seq;
    const struct actuator_send send = {t->owner->p.http, &t->owner->p.conf->methods,
                                       t->method, actuator_courier_done, t};
    enum hale_rc rc = actuator_dispatch(&send, &m, &t->call, why);
    if (rc == HALE_OK)
        return rc;
    t->call = 0;
    if (rc == HALE_E_DENIED || rc == HALE_E_INVAL) {
        actuator_courier_complain(t, 0, *why);
        actuator_courier_count(ACTUATOR_STAT_METHOD_DENIED, 1);
        return rc;
    }
    actuator_courier_retry_later(t, hale_clock_wall_us());
    return HALE_E_AGAIN;
}

/* What is given up without a try. */
static bool given_up(struct actuator_courier_target *t, const struct hale_log_record *rec,
                     int64_t now_us)
{
    if (now_us / 1000 - rec->time_ms > t->owner->p.conf->notify_max_age_ms) {
        actuator_courier_count(ACTUATOR_STAT_METHOD_EXPIRED, 1);
        bury(t, rec, ACTUATOR_DEAD_EXPIRED, "older than notify_max_age", now_us);
        return true;
    }
    if (rec->alarm.state != HALE_STATE_OK ||
        actuator_raised_get(t->owner->p.raised, t->recipient, rec->alarm.id) !=
            ACTUATOR_RAISED_DEAD)
        return false;
    bury(t, rec, ACTUATOR_DEAD_UNRAISED, "its begin was not told", now_us);
    return true;
}

static void send_record(struct actuator_courier_target *t,
                        const struct hale_log_record *rec, int64_t now_us)
{
    const char *why = "";
    t->repeating = false;
    if (given_up(t, rec, now_us)) {
        actuator_courier_pop(t);
        return;
    }
    enum hale_rc rc = tell(t, &rec->alarm, rec->old_state, rec->time_ms, rec->seq, &why);
    if (rc == HALE_OK || rc == HALE_E_AGAIN)
        return;
    bury(t, rec, ACTUATOR_DEAD_DENIED, why, now_us);
    actuator_courier_pop(t);
}

/* rec: the record of the first in the queue if it is at hand. */
static void send_first(struct actuator_courier_target *t,
                       const struct hale_log_record *rec, int64_t now_us)
{
    struct hale_log_record own;
    int64_t seq = t->queue[t->head];
    if (rec != NULL && rec->seq == seq) {
        send_record(t, rec, now_us);
        return;
    }
    enum hale_rc rc = t->owner->p.io.record(t->owner->p.io.arg, seq, &own);
    if (rc == HALE_E_NOTFOUND) { /* trimmed away: nothing is left to tell */
        actuator_courier_count(ACTUATOR_STAT_METHOD_EXPIRED, 1);
        actuator_courier_pop(t);
    } else if (rc != HALE_OK) {
        actuator_courier_retry_later(t, now_us);
    } else {
        own.seq = seq;
        send_record(t, &own, now_us);
        hale_log_record_fini(&own);
    }
}

/* As tell. */
static enum hale_rc tell_letter(struct actuator_courier_target *t,
                                const struct actuator_replay *letter)
{
    struct hale_log_record rec;
    const char *why = "";
    enum hale_rc rc = HALE_E_INVAL;
    if (letter->group) {
        json_t *root = json_loadb(letter->text.p, letter->text.len, 0, NULL);
        const json_t *digest = json_object_get(root, "group");
        if (digest != NULL)
            rc = actuator_courier_group_tell(t, letter->id, digest, &why);
        json_decref(root);
        return rc;
    }
    memset(&rec, 0, sizeof(rec));
    if (actuator_record_decode(hale_buf_str(&letter->text), &rec) == HALE_OK)
        rc = tell(t, &rec.alarm, rec.old_state, rec.time_ms, rec.seq, &why);
    hale_log_record_fini(&rec);
    return rc;
}

/* The next letter that somebody wants sent again. */
static void send_replay(struct actuator_courier_target *t, int64_t now_us)
{
    struct actuator_replay letter;
    enum hale_rc rc = actuator_deadletters_first(t->owner->p.dead, t->recipient, &letter);
    if (rc != HALE_OK) {
        if (rc != HALE_E_NOTFOUND)
            actuator_courier_retry_later(t, now_us);
        return;
    }
    memcpy(t->replay_id, letter.id, sizeof(t->replay_id));
    t->repeating = false;
    rc = now_us / 1000 - letter.at_ms > t->owner->p.conf->notify_max_age_ms
             ? HALE_E_INVAL
             : tell_letter(t, &letter);
    if (rc == HALE_E_AGAIN)
        t->replay_id[0] = '\0';
    else if (rc != HALE_OK)
        end_replay(t, false);
    hale_buf_fini(&letter.text);
}

static bool suppressed(const struct hale_alarm *a)
{
    return json_array_size(json_object_get(a->life, "suppressed_by")) > 0;
}

/* One due repeat, if there is one. */
static void send_repeat(struct actuator_courier_target *t, int64_t now_us)
{
    struct actuator_courier *c = t->owner;
    struct hale_str id;
    struct actuator_courier_repeat *r;
    size_t it = 0;
    int64_t earliest = INT64_MAX;
    while (t->call == 0 && (r = hale_map_next(t->repeats, &it, &id)) != NULL) {
        struct hale_alarm a;
        char alarm_id[64];
        if (r->next_us > now_us) {
            earliest = r->next_us < earliest ? r->next_us : earliest;
            continue;
        }
        (void)snprintf(alarm_id, sizeof(alarm_id), "%.*s", (int)id.len, id.p);
        enum hale_rc rc = c->p.io.alarm(c->p.io.arg, alarm_id, &a);
        if (rc != HALE_OK && rc != HALE_E_NOTFOUND)
            return;
        bool lasts = rc == HALE_OK && a.state == r->state && a.actions_enabled &&
                     actuator_contacts_names(c->p.contacts, a.definition_id, a.state,
                                             t->method->id);
        r->next_us = now_us + t->method->period_s * S_US;
        t->repeating = true;
        if (lasts && suppressed(&a)) {
            hale_alarm_fini(&a);
            continue; /* until that ends, or the alarm */
        }
        const char *why = "";
        enum hale_rc told =
            lasts ? tell(t, &a, r->old_state, a.state_updated_ms, now_us, &why)
                  : HALE_E_INVAL;
        if (told != HALE_OK && told != HALE_E_AGAIN) {
            forget_repeat(t, hale_str_from(alarm_id));
            it = 0; /* the map has moved */
        }
        if (rc == HALE_OK)
            hale_alarm_fini(&a);
    }
    t->repeat_us = t->call != 0 ? now_us : earliest;
}

void actuator_courier_send(struct actuator_courier_target *t,
                           const struct hale_log_record *rec, int64_t now_us)
{
    while (t->n > 0 && t->call == 0 && t->retry_us <= now_us)
        send_first(t, rec, now_us);
    if (t->groups != NULL && t->n == 0)
        actuator_courier_group_send(t, now_us);
    while (t->n == 0 && t->call == 0 && !t->behind && t->retry_us <= now_us &&
           actuator_deadletters_waiting(t->owner->p.dead, t->recipient))
        send_replay(t, now_us);
    if (t->n == 0 && t->call == 0 && !t->behind && t->repeat_us <= now_us)
        send_repeat(t, now_us);
}
