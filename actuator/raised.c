/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/raised.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/map.h"

#define KEY_MAX 192

struct mark {
    enum actuator_raised_word word;
    bool stored;
    char letter[HALE_UUID_TEXT]; /* of the end, or "" */
};
struct actuator_raised {
    void *arg;
    void (*write)(void *arg, const char *field, struct hale_str value);
    int64_t start_ms;
    struct hale_map *marks; /* "<recipient>\n<alarm id>" -> struct mark */
    bool full;              /* something was not remembered */
};

struct actuator_raised *actuator_raised_new(void *arg,
                                            void (*write)(void *arg, const char *field,
                                                          struct hale_str value),
                                            int64_t start_ms)
{
    struct actuator_raised *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    *r = (struct actuator_raised){.arg = arg, .write = write, .start_ms = start_ms};
    r->marks = hale_map_new(ACTUATOR_RAISED_MAX, free);
    if (r->marks == NULL) {
        free(r);
        return NULL;
    }
    return r;
}

void actuator_raised_free(struct actuator_raised *r)
{
    if (r == NULL)
        return;
    hale_map_free(r->marks);
    free(r);
}

static struct hale_str key_of(const char *recipient, const char *alarm_id, char *dst)
{
    int len = snprintf(dst, KEY_MAX, "%.90s\n%.90s", recipient, alarm_id);
    return (struct hale_str){dst, (size_t)len};
}

static struct mark *mark_of(struct actuator_raised *r, struct hale_str key)
{
    struct mark *m = hale_map_get(r->marks, key);
    if (m != NULL)
        return m;
    m = calloc(1, sizeof(*m));
    if (m == NULL || hale_map_put(r->marks, key, m) != HALE_OK) {
        free(m);
        r->full = true;
        return NULL;
    }
    return m;
}

void actuator_raised_load(struct actuator_raised *r, struct hale_str field,
                          struct hale_str value)
{
    struct mark *m = field.len < KEY_MAX ? mark_of(r, field) : NULL;
    if (m == NULL)
        return;
    bool dead = value.len >= 4 && memcmp(value.p, "dead", 4) == 0;
    m->word = dead ? ACTUATOR_RAISED_DEAD : ACTUATOR_RAISED_TOLD;
    m->stored = true;
    if (dead && value.len == 4 + HALE_UUID_TEXT) /* a blank, no NUL */
        memcpy(m->letter, value.p + 5, HALE_UUID_TEXT - 1);
}

enum actuator_raised_word actuator_raised_get(const struct actuator_raised *r,
                                              const char *recipient, const char *alarm_id)
{
    char text[KEY_MAX];
    const struct mark *m = hale_map_get(r->marks, key_of(recipient, alarm_id, text));
    return m != NULL ? m->word : ACTUATOR_RAISED_UNKNOWN;
}

void actuator_raised_queued(struct actuator_raised *r, const char *recipient,
                            const char *alarm_id)
{
    char text[KEY_MAX];
    struct mark *m = mark_of(r, key_of(recipient, alarm_id, text));
    if (m != NULL && m->word == ACTUATOR_RAISED_UNKNOWN)
        m->word = ACTUATOR_RAISED_QUEUED;
}

void actuator_raised_told(struct actuator_raised *r, const char *recipient,
                          const char *alarm_id, bool durable)
{
    char text[KEY_MAX];
    struct mark *m = mark_of(r, key_of(recipient, alarm_id, text));
    if (m == NULL)
        return;
    bool was_dead = m->word == ACTUATOR_RAISED_DEAD && m->stored;
    m->word = ACTUATOR_RAISED_TOLD;
    m->letter[0] = '\0';
    if (durable && (!m->stored || was_dead))
        r->write(r->arg, text, HALE_STR("told"));
    else if (was_dead)
        r->write(r->arg, text, (struct hale_str){NULL, 0});
    m->stored = durable;
}

void actuator_raised_died(struct actuator_raised *r, const char *recipient,
                          const char *alarm_id, bool fresh, int64_t created_ms)
{
    char text[KEY_MAX];
    struct hale_str key = key_of(recipient, alarm_id, text);
    const struct mark *known = hale_map_get(r->marks, key);
    bool new = known == NULL || known->word == ACTUATOR_RAISED_QUEUED;
    bool sure = fresh || (new && !r->full &&created_ms >= r->start_ms);
    if (!sure)
        return;
    struct mark *m = mark_of(r, key);
    if (m == NULL)
        return;
    if (m->word != ACTUATOR_RAISED_DEAD || !m->stored || m->letter[0] != '\0')
        r->write(r->arg, text, HALE_STR("dead"));
    *m = (struct mark){.word = ACTUATOR_RAISED_DEAD, .stored = true};
}

void actuator_raised_unraised(struct actuator_raised *r, const char *recipient,
                              const char *alarm_id, const char *letter_id)
{
    char text[KEY_MAX], value[HALE_UUID_TEXT + 8];
    struct mark *m = mark_of(r, key_of(recipient, alarm_id, text));
    if (m == NULL)
        return;
    *m = (struct mark){.word = ACTUATOR_RAISED_DEAD, .stored = true};
    (void)snprintf(m->letter, sizeof(m->letter), "%s", letter_id);
    (void)snprintf(value, sizeof(value), "dead %s", m->letter);
    r->write(r->arg, text, hale_str_from(value));
}

bool actuator_raised_letter(const struct actuator_raised *r, const char *recipient,
                            const char *alarm_id, char *id_out)
{
    char text[KEY_MAX];
    const struct mark *m = hale_map_get(r->marks, key_of(recipient, alarm_id, text));
    if (m == NULL || m->letter[0] == '\0')
        return false;
    memcpy(id_out, m->letter, HALE_UUID_TEXT);
    return true;
}

void actuator_raised_ended(struct actuator_raised *r, const char *recipient,
                           const char *alarm_id)
{
    char text[KEY_MAX];
    struct hale_str key = key_of(recipient, alarm_id, text);
    const struct mark *m = hale_map_get(r->marks, key);
    if (m != NULL && m->stored)
        r->write(r->arg, text, (struct hale_str){NULL, 0});
    hale_map_del(r->marks, key);
}
