/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/aodh_private.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"

#define PREFIX     "letter/"
#define LOOKS      64 /* letters read in one turn */
#define LETTER_MAX (4u << 20)
#define KEY_MAX    128

/* --- giving up ----------------------------------------------------------------------- */

static enum hale_severity severity_of(const struct hale_aodh *a)
{
    switch (a->severity) {
    case HALE_AODH_LOW: break;
    case HALE_AODH_MODERATE: return HALE_SEV_MEDIUM;
    case HALE_AODH_CRITICAL: return HALE_SEV_CRITICAL;
    }
    return HALE_SEV_LOW;
}

/* The same whenever it is made: of the alarm, the notice and the address. */
static void id_of(const struct aodh_entry *n, const struct aodh_item *q, unsigned action,
                  char id[HALE_UUID_TEXT])
{
    char key[192];
    int len = snprintf(key, sizeof(key), "aodh\n%.64s\n%lld\n%u\n%u\n%llx", n->a->id,
                       (long long)q->time_ms, (unsigned)q->to, action,
                       (unsigned long long)hale_id_hash64(q->body, strlen(q->body)));
    hale_id_uuid_from(key, (size_t)len, id);
}

static void bury(struct actuator_aodh *x, const struct aodh_entry *n,
                 const struct aodh_item *q, unsigned action,
                 enum actuator_dead_reason reason, const char *detail)
{
    char id[HALE_UUID_TEXT], recipient[ACTUATOR_RECIPIENT_MAX];
    const char *url = json_string_value(json_array_get(n->a->actions[q->to], action));
    json_t *notice =
        url != NULL ? json_pack("{s:s, s:s}", "url", url, "body", q->body) : NULL;
    char *text = notice != NULL ? json_dumps(notice, JSON_COMPACT) : NULL;
    json_decref(notice);
    if (text == NULL) /* the alarm does not name that address any more */
        return;
    (void)snprintf(recipient, sizeof(recipient), ACTUATOR_AODH_RECIPIENT "%.64s",
                   n->a->tenant);
    id_of(n, q, action, id);
    const struct actuator_letter letter = {.id = id,
                                           .recipient = recipient,
                                           .name = url,
                                           .tenant = n->a->tenant,
                                           .alarm_id = n->a->id,
                                           .alarm_name = n->a->name,
                                           .state = q->to,
                                           .severity = severity_of(n->a),
                                           .seq = q->seq,
                                           .logged_ms = q->time_ms,
                                           .reason = reason,
                                           .detail = detail,
                                           .tries = q->tries,
                                           .notice = hale_str_from(text)};
    actuator_deadletters_bury(x->dead, &letter, hale_clock_wall_ms());
    free(text);
}

void aodh_letter_bury(struct actuator_aodh *x, const struct aodh_entry *n,
                      const struct aodh_item *q, enum actuator_dead_reason reason,
                      const char *detail)
{
    bury(x, n, q, q->action, reason, detail);
}

void aodh_letter_bury_all(struct actuator_aodh *x, const struct aodh_entry *n,
                          const struct aodh_item *q, enum actuator_dead_reason reason,
                          const char *detail)
{
    for (unsigned i = q->action; i < json_array_size(n->a->actions[q->to]); i++)
        bury(x, n, q, i, reason, detail);
}

/* --- sent again ---------------------------------------------------------------------- */

struct wish {
    struct wish *next; /* of the same alarm */
    int64_t at_ms;
    char id[HALE_UUID_TEXT], recipient[ACTUATOR_RECIPIENT_MAX];
};
struct line { /* of an alarm */
    struct wish *first, *last;
};
struct aodh_letters {
    struct hale_map *lines;  /* the herald's key -> struct line */
    struct hale_map *wishes; /* letter's id -> struct wish, of a line */
};

static void line_free(void *arg)
{
    struct line *line = arg;
    while (line->first != NULL) {
        struct wish *w = line->first;
        line->first = w->next;
        free(w);
    }
    free(line);
}

struct aodh_letters *aodh_letters_new(void)
{
    struct aodh_letters *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    l->lines = hale_map_new(ACTUATOR_DEADLETTERS_ALL, line_free);
    l->wishes = hale_map_new(ACTUATOR_DEADLETTERS_ALL, NULL);
    if (l->lines == NULL || l->wishes == NULL) {
        aodh_letters_free(l);
        return NULL;
    }
    return l;
}

void aodh_letters_free(struct aodh_letters *l)
{
    if (l == NULL)
        return;
    hale_map_free(l->wishes);
    hale_map_free(l->lines);
    free(l);
}

static enum hale_rc append(struct aodh_letters *l, const char *key, struct wish *w)
{
    struct line *line = hale_map_get(l->lines, hale_str_from(key));
    enum hale_rc rc = HALE_OK;
    if (line == NULL) {
        line = calloc(1, sizeof(*line));
        rc = line != NULL ? hale_map_put(l->lines, hale_str_from(key), line)
                          : HALE_E_NOMEM;
        if (rc != HALE_OK) {
            free(line);
            return rc;
        }
    }
    rc = hale_map_put(l->wishes, hale_str_from(w->id), w);
    if (rc != HALE_OK)
        return rc;
    if (line->last != NULL)
        line->last->next = w;
    else
        line->first = w;
    line->last = w;
    return HALE_OK;
}

static struct line *line_of(const struct actuator_aodh *x, const char *key)
{
    return hale_map_get(x->letters->lines, hale_str_from(key));
}

/* The first of the line is over. */
static void settle(struct actuator_aodh *x, struct line *line, bool was_taken)
{
    struct wish *w = line->first;
    line->first = w->next;
    if (line->first == NULL)
        line->last = NULL;
    hale_map_del(x->letters->wishes, hale_str_from(w->id));
    actuator_deadletters_settle(x->dead, w->recipient, w->id, was_taken);
    free(w);
}

static void enlist(struct actuator_aodh *x, const char *recipient,
                   const struct actuator_replay *letter, int64_t now_us)
{
    char key[KEY_MAX];
    struct wish *w = NULL;
    json_t *root = json_loadb(letter->text.p, letter->text.len, 0, NULL);
    const char *alarm_id = json_string_value(json_object_get(root, "alarm_id"));
    const char *url =
        json_string_value(json_object_get(json_object_get(root, "notice"), "url"));
    if (alarm_id != NULL && url != NULL && (w = calloc(1, sizeof(*w))) != NULL) {
        (void)snprintf(key, sizeof(key), PREFIX "%.100s", alarm_id);
        memcpy(w->id, letter->id, sizeof(w->id));
        (void)snprintf(w->recipient, sizeof(w->recipient), "%s", recipient);
        w->at_ms = letter->at_ms;
        if (append(x->letters, key, w) != HALE_OK) {
            free(w);
            w = NULL;
        }
    }
    if (w == NULL) {
        hale_error("event=replay_unusable recipient=%s id=%s", recipient, letter->id);
        actuator_deadletters_settle(x->dead, recipient, letter->id, false);
    } else if (actuator_herald_add(x->herald, key, url, now_us) != HALE_OK) {
        hale_error("event=aodh_notice_delayed alarm=%s", alarm_id);
    }
    json_decref(root);
}

bool aodh_letters_waiting(const struct actuator_aodh *x)
{
    char recipient[ACTUATOR_RECIPIENT_MAX];
    return actuator_deadletters_whom(x->dead, ACTUATOR_AODH_RECIPIENT, recipient) != NULL;
}

void aodh_letters_look(struct actuator_aodh *x, int64_t now_us)
{
    char recipient[ACTUATOR_RECIPIENT_MAX];
    struct actuator_replay letter;
    for (int i = 0; i < LOOKS && actuator_deadletters_whom(
                                     x->dead, ACTUATOR_AODH_RECIPIENT, recipient) != NULL;
         i++) {
        enum hale_rc rc = actuator_deadletters_take(x->dead, recipient, &letter);
        if (rc == HALE_E_NOTFOUND)
            continue;
        if (rc != HALE_OK)
            return;
        if (hale_map_get(x->letters->wishes, hale_str_from(letter.id)) == NULL)
            enlist(x, recipient, &letter, now_us);
        hale_buf_fini(&letter.text);
    }
}

/* --- what the herald asks ------------------------------------------------------------- */

bool aodh_letter_is(const char *key)
{
    return strncmp(key, PREFIX, sizeof(PREFIX) - 1) == 0;
}

/* HALE_E_NOTFOUND: there is no such letter any more. */
static enum hale_rc read_notice(struct actuator_aodh *x, const char *id,
                                struct hale_buf *url, struct hale_buf *body)
{
    struct hale_buf text;
    hale_buf_init(&text, LETTER_MAX);
    enum hale_rc rc = actuator_deadletters_read(x->dead, id, &text);
    json_t *root = rc == HALE_OK ? json_loadb(text.p, text.len, 0, NULL) : NULL;
    const json_t *notice = json_object_get(root, "notice");
    const char *to = json_string_value(json_object_get(notice, "url"));
    const char *what = json_string_value(json_object_get(notice, "body"));
    if (to != NULL && what != NULL) {
        hale_buf_add_c(url, to);
        hale_buf_add_c(body, what);
    } else if (rc == HALE_OK) {
        rc = HALE_E_NOTFOUND;
    }
    json_decref(root);
    hale_buf_fini(&text);
    return rc;
}

bool aodh_letter_next(struct actuator_aodh *x, const char *key, struct hale_buf *url,
                      struct hale_buf *body)
{
    struct line *line = line_of(x, key);
    while (line != NULL && line->first != NULL) {
        const struct wish *w = line->first;
        enum hale_rc rc = HALE_E_NOTFOUND;
        if (hale_clock_wall_ms() - w->at_ms <= x->conf->notify_max_age_ms)
            rc = read_notice(x, w->id, url, body);
        if (rc != HALE_E_NOTFOUND) /* else Redis does not answer: all is loaded anew */
            return rc == HALE_OK;
        settle(x, line, false);
    }
    hale_map_del(x->letters->lines, hale_str_from(key));
    return false;
}

void aodh_letter_done(struct actuator_aodh *x, const char *key,
                      enum actuator_herald_end end)
{
    struct line *line = line_of(x, key);
    if (line != NULL && line->first != NULL && end != ACTUATOR_HERALD_FAILED)
        settle(x, line, end == ACTUATOR_HERALD_TAKEN);
}
