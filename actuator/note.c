/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/digest.h"
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
    const struct actuator_profile_note what = {.rec = rec,
                                               .id = id,
                                               .subscriber = s->name,
                                               .key = s->secret,
                                               .from = s->from,
                                               .to = (const char *const *)s->to};
    actuator_note_id(s->name, rec->seq, id);
    hale_buf_init(&body, BODY_MAX_BYTES);
    if (actuator_profile_body(s->profile, &what, &body) == HALE_OK && body.p != NULL)
        note = pack(rec, &body);
    hale_buf_fini(&body);
    return note;
}

/* digest: the message; borrowed. */
static struct actuator_note *of_digest(const struct actuator_subscriber *s,
                                       const char *id, const json_t *digest)
{
    const json_t *first = json_array_get(json_object_get(digest, "alarms"), 0);
    const char *tenant = json_string_value(json_object_get(digest, "tenant"));
    const char *name = json_string_value(json_object_get(first, "name"));
    const struct actuator_profile_note what = {.id = id,
                                               .subscriber = s->name,
                                               .key = s->secret,
                                               .from = s->from,
                                               .to = (const char *const *)s->to};
    struct hale_buf body;
    struct actuator_note *note = NULL;
    char *group = json_dumps(digest, JSON_COMPACT);
    hale_buf_init(&body, BODY_MAX_BYTES);
    tenant = tenant != NULL ? tenant : "";
    name = name != NULL ? name : "";
    if (group != NULL &&
        actuator_digest_body(s->profile, &what, digest, &body) == HALE_OK)
        note = malloc(sizeof(*note) + strlen(tenant) + strlen(name) + strlen(group) + 4 +
                      body.len + 1);
    if (note != NULL) {
        char *at = (char *)(note + 1);
        int64_t ms = json_integer_value(json_object_get(digest, "time_ms"));
        bool raised = json_integer_value(json_object_get(digest, "raised")) > 0;
        *note = (struct actuator_note){.refs = 1,
                                       .logged_us = ms * 1000,
                                       .state = raised ? HALE_STATE_ALARM : HALE_STATE_OK,
                                       .len = body.len};
        (void)snprintf(note->id, sizeof(note->id), "%s", id);
        note->alarm_id = keep(&at, "");
        note->tenant = keep(&at, tenant);
        note->name = keep(&at, name);
        note->group = hale_str_from(keep(&at, group));
        note->body = at;
        memcpy(at, body.p, body.len + 1);
    }
    free(group);
    hale_buf_fini(&body);
    return note;
}

struct actuator_note *actuator_note_of_group(const struct actuator_subscriber *s,
                                             const struct actuator_group_message *m,
                                             int64_t now_us)
{
    json_t *digest = actuator_digest_of(m, now_us / 1000);
    struct actuator_note *note = digest != NULL ? of_digest(s, m->id, digest) : NULL;
    json_decref(digest);
    return note;
}

struct actuator_note *actuator_note_from_letter(const struct actuator_subscriber *s,
                                                struct hale_str letter)
{
    json_t *root = json_loadb(letter.p, letter.len, 0, NULL);
    const char *id = json_string_value(json_object_get(root, "id"));
    const json_t *digest = json_object_get(root, "group");
    struct actuator_note *note = NULL;
    if (id != NULL && digest != NULL && actuator_profile_for_people(s->profile))
        note = of_digest(s, id, digest);
    json_decref(root);
    return note;
}
