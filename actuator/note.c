/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/profile.h"

#define BODY_MAX_BYTES (1u << 20)

void actuator_note_id(const char *subscriber, int64_t seq, char id[HALE_UUID_TEXT])
{
    char key[128];
    int len = snprintf(key, sizeof(key), "%s\n%lld", subscriber, (long long)seq);
    hale_id_uuid_from(key, (size_t)len, id);
}

void actuator_note_put(struct actuator_note *note)
{
    if (note != NULL && --note->refs == 0)
        free(note);
}

/* Copies the text to *at, behind what is there. */
static const char *keep(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = memcpy(*at, text, n);
    *at += n;
    return copy;
}

static struct actuator_note *pack(const struct hale_log_record *rec,
                                  const struct hale_buf *body)
{
    const struct hale_alarm *a = &rec->alarm;
    size_t texts = strlen(a->id) + strlen(a->tenant) + strlen(a->definition_name) + 3;
    struct actuator_note *note = malloc(sizeof(*note) + texts + body->len + 1);
    if (note == NULL)
        return NULL;
    char *at = (char *)(note + 1);
    *note = (struct actuator_note){
        .refs = 1,
        .seq = rec->seq,
        .accepted_us = rec->accepted_us,
        .logged_us = rec->logged_us > 0 ? rec->logged_us : rec->time_ms * 1000,
        .created_ms = a->created_ms,
        .state = a->state,
        .severity = a->severity,
        .fresh = rec->old_state == HALE_STATE_OK || rec->kind == HALE_ALARM_CREATED,
        .len = body->len};
    note->alarm_id = keep(&at, a->id);
    note->tenant = keep(&at, a->tenant);
    note->name = keep(&at, a->definition_name);
    note->body = at;
    memcpy(at, body->p, body->len + 1);
    return note;
}

struct actuator_note *actuator_note_new(const struct actuator_subscriber *s,
                                        const struct hale_log_record *rec)
{
    char id[HALE_UUID_TEXT];
    struct hale_buf body;
    struct actuator_note *note = NULL;
    const struct actuator_profile_note what = {
        .rec = rec, .id = id, .subscriber = s->name, .key = s->secret};
    actuator_note_id(s->name, rec->seq, id);
    hale_buf_init(&body, BODY_MAX_BYTES);
    if (actuator_profile_body(s->profile, &what, &body) == HALE_OK && body.p != NULL)
        note = pack(rec, &body);
    hale_buf_fini(&body);
    return note;
}
