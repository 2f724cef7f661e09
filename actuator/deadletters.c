/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/deadletters.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/stats.h"
#include "base/log.h"
#include "base/map.h"
#include "store/keys.h"

#define HEAD_MAX       (1u << 20)
#define TEXT_MAX       (4u << 20)
#define RECIPIENTS_MAX 4096
#define FIELD_MAX      (HALE_UUID_TEXT + 8)

/* KEYS: letters, ids of the recipient's, alarm log, replays. ARGV: id, letter, seq of its record or 0,
 * ms, ceilings. Returns how many letters went for want of room. */
static const char BURY[] =
    "local id,lost=ARGV[1],0\n"
    "redis.call('HDEL',KEYS[4],id)\n"
    "if redis.call('HEXISTS',KEYS[1],id)==0 then\n"
    " local n,all=redis.call('ZCARD',KEYS[2]),redis.call('HLEN',KEYS[1])\n"
    " while n>0 and (n>=tonumber(ARGV[5]) or all+2>tonumber(ARGV[6])*2) do\n"
    "  local old=redis.call('ZRANGE',KEYS[2],0,0)[1]\n"
    "  redis.call('ZREM',KEYS[2],old)\n"
    "  all=all-redis.call('HDEL',KEYS[1],old,old..':r')\n"
    "  redis.call('HDEL',KEYS[4],old)\n"
    "  n,lost=n-1,lost+1\n"
    " end\n"
    " if all+2>tonumber(ARGV[6])*2 then return {0,lost+1,''} end\n"
    " if ARGV[3]~='0' then\n"
    "  local e=redis.call('XRANGE',KEYS[3],ARGV[3]..'-0',ARGV[3]..'-0')\n"
    "  if e[1] then redis.call('HSET',KEYS[1],id..':r',e[1][2][2]) end\n"
    " end\n"
    "end\n"
    "redis.call('HSET',KEYS[1],id,ARGV[2])\n"
    "redis.call('ZADD',KEYS[2],ARGV[4],id)\n"
    "return {0,lost,''}\n";
/* KEYS: letters, ids of the recipient's, replays. ARGV: id, 1 when the letter goes, too. */
static const char SETTLE[] = "if ARGV[2]=='1' then\n"
                             " redis.call('HDEL',KEYS[1],ARGV[1],ARGV[1]..':r')\n"
                             " redis.call('ZREM',KEYS[2],ARGV[1])\n"
                             "end\n"
                             "redis.call('HDEL',KEYS[3],ARGV[1])\n"
                             "return {0,0,''}\n";
/* KEYS: replays. ARGV: id, wish. */
static const char WISH[] = "redis.call('HSET',KEYS[1],ARGV[1],ARGV[2])\n"
                           "return {0,0,''}\n";

struct replay {
    char id[HALE_UUID_TEXT];
    int64_t seq, at_ms;
};
struct pile { /* of one recipient, by seq */
    size_t n, cap;
    struct replay *v;
};
struct actuator_deadletters {
    struct actuator_deadletters_io io;
    struct hale_map *piles; /* recipient -> struct pile */
};

static void pile_free(void *arg)
{
    struct pile *p = arg;
    free(p->v);
    free(p);
}

struct actuator_deadletters *
actuator_deadletters_new(const struct actuator_deadletters_io *io)
{
    struct actuator_deadletters *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->io = *io;
    d->piles = hale_map_new(RECIPIENTS_MAX, pile_free);
    if (d->piles == NULL) {
        free(d);
        return NULL;
    }
    return d;
}

void actuator_deadletters_free(struct actuator_deadletters *d)
{
    if (d == NULL)
        return;
    hale_map_free(d->piles);
    free(d);
}

/* --- burying ------------------------------------------------------------------------- */

static const char *reason_text(enum actuator_dead_reason reason)
{
    switch (reason) {
    case ACTUATOR_DEAD_EXPIRED: return "expired";
    case ACTUATOR_DEAD_REFUSED: return "refused";
    case ACTUATOR_DEAD_DENIED: return "denied";
    case ACTUATOR_DEAD_UNRAISED: return "unraised";
    case ACTUATOR_DEAD_LOST: return "lost";
    }
    return "";
}

static void add(struct hale_buf *out, const char *key, const char *text)
{
    hale_buf_printf(out, ",\"%s\":", key);
    hale_buf_add_json(out, hale_str_from(text));
}

static void encode(const struct actuator_letter *l, int64_t now_ms, struct hale_buf *out)
{
    hale_buf_printf(out, "{\"v\":1,\"id\":\"%s\"", l->id);
    add(out, "recipient", l->recipient);
    add(out, "name", l->name);
    add(out, "reason", reason_text(l->reason));
    add(out, "detail", l->detail);
    add(out, "tenant", l->tenant);
    add(out, "alarm_id", l->alarm_id);
    add(out, "alarm_name", l->alarm_name);
    add(out, "state", hale_state_text(l->state));
    add(out, "severity", hale_severity_text(l->severity));
    hale_buf_printf(out,
                    ",\"seq\":%lld,\"logged_ms\":%lld,\"died_ms\":%lld,\"tries\":%lld",
                    (long long)l->seq, (long long)l->logged_ms, (long long)now_ms,
                    (long long)l->tries);
    if (l->group.len > 0) {
        hale_buf_add_c(out, ",\"group\":");
        hale_buf_add_str(out, l->group);
    }
    if (l->notice.len > 0) {
        hale_buf_add_c(out, ",\"notice\":");
        hale_buf_add_str(out, l->notice);
    }
    hale_buf_add_char(out, '}');
}

static struct hale_str number(int64_t value, char dst[24])
{
    (void)snprintf(dst, 24, "%lld", (long long)value);
    return hale_str_from(dst);
}

static bool has_record(const struct actuator_letter *l)
{
    return l->group.len == 0 && l->notice.len == 0;
}

void actuator_deadletters_bury(struct actuator_deadletters *d,
                               const struct actuator_letter *l, int64_t now_ms)
{
    char key[HALE_KEY_MAX], seq[24], ms[24], max[24], all[24];
    struct hale_buf head;
    hale_buf_init(&head, HEAD_MAX);
    encode(l, now_ms, &head);
    if (head.failed) {
        hale_error("event=dead_letter_lost recipient=%s id=%s", l->recipient, l->id);
    } else {
        const struct hale_str keys[] = {HALE_STR(HALE_KEYS_DEADLETTERS),
                                        hale_str_from(hale_keys_dead(l->recipient, key)),
                                        HALE_STR(HALE_KEYS_ALARMLOG),
                                        HALE_STR(HALE_KEYS_REPLAYS)};
        const struct hale_str args[] = {hale_str_from(l->id),
                                        hale_buf_str(&head),
                                        number(has_record(l) ? l->seq : 0, seq),
                                        number(now_ms, ms),
                                        number(ACTUATOR_DEADLETTERS_MAX, max),
                                        number(ACTUATOR_DEADLETTERS_ALL, all)};
        d->io.write(d->io.arg, BURY, 4, keys, 6, args);
    }
    hale_buf_fini(&head);
    hale_counter_add(actuator_stat(ACTUATOR_STAT_DEAD), 1);
    hale_warn("event=notification_given_up recipient=%s seq=%lld reason=%s", l->recipient,
              (long long)l->seq, reason_text(l->reason));
}

/* --- replays ------------------------------------------------------------------------- */

static void settle(struct actuator_deadletters *d, const char *recipient, const char *id,
                   bool taken)
{
    char key[HALE_KEY_MAX];
    const struct hale_str keys[] = {HALE_STR(HALE_KEYS_DEADLETTERS),
                                    hale_str_from(hale_keys_dead(recipient, key)),
                                    HALE_STR(HALE_KEYS_REPLAYS)};
    const struct hale_str args[] = {hale_str_from(id),
                                    taken ? HALE_STR("1") : HALE_STR("0")};
    d->io.write(d->io.arg, SETTLE, 3, keys, 2, args);
}

static struct pile *pile_of(struct actuator_deadletters *d, const char *recipient)
{
    struct hale_str key = hale_str_from(recipient);
    struct pile *p = hale_map_get(d->piles, key);
    if (p == NULL && (p = calloc(1, sizeof(*p))) != NULL &&
        hale_map_put(d->piles, key, p) != HALE_OK) {
        free(p);
        p = NULL;
    }
    return p;
}

static bool insert(struct pile *p, const struct replay *r)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->v[i].id, r->id) == 0)
            return true;
    if (p->n == p->cap) {
        size_t cap = p->cap > 0 ? p->cap * 2 : 16;
        struct replay *grown = cap <= 2 * ACTUATOR_DEADLETTERS_MAX
                                   ? realloc(p->v, cap * sizeof(*grown))
                                   : NULL;
        if (grown == NULL)
            return false;
        p->v = grown;
        p->cap = cap;
    }
    size_t at = p->n;
    while (at > 0 && p->v[at - 1].seq > r->seq)
        at--;
    memmove(&p->v[at + 1], &p->v[at], (p->n - at) * sizeof(p->v[0]));
    p->v[at] = *r;
    p->n++;
    return true;
}

void actuator_deadletters_load(struct actuator_deadletters *d, struct hale_str id,
                               struct hale_str json)
{
    struct replay r = {.seq = 0};
    json_t *root = json_loadb(json.p != NULL ? json.p : "", json.len, 0, NULL);
    const char *recipient = json_string_value(json_object_get(root, "recipient"));
    r.seq = json_integer_value(json_object_get(root, "seq"));
    r.at_ms = json_integer_value(json_object_get(root, "at_ms"));
    (void)snprintf(r.id, sizeof(r.id), "%.*s", (int)(id.len < 36 ? id.len : 36), id.p);
    struct pile *p = recipient != NULL && strlen(recipient) < ACTUATOR_RECIPIENT_MAX
                         ? pile_of(d, recipient)
                         : NULL;
    if (p == NULL || !insert(p, &r)) {
        hale_error("event=replay_unusable id=%s", r.id);
        settle(d, "", r.id, false);
    }
    json_decref(root);
}

void actuator_deadletters_follow(struct actuator_deadletters *d, const char *recipient,
                                 const char *letter_id, int64_t seq, int64_t at_ms)
{
    struct hale_buf json;
    hale_buf_init(&json, 1024);
    hale_buf_add_c(&json, "{\"v\":1");
    add(&json, "recipient", recipient);
    add(&json, "by", "hale-actuator");
    hale_buf_printf(&json, ",\"seq\":%lld,\"at_ms\":%lld}", (long long)seq,
                    (long long)at_ms);
    const struct hale_str keys[] = {HALE_STR(HALE_KEYS_REPLAYS)};
    const struct hale_str args[] = {hale_str_from(letter_id), hale_buf_str(&json)};
    if (!json.failed) {
        d->io.write(d->io.arg, WISH, 1, keys, 2, args);
        actuator_deadletters_load(d, hale_str_from(letter_id), hale_buf_str(&json));
    }
    hale_buf_fini(&json);
}

bool actuator_deadletters_waiting(const struct actuator_deadletters *d,
                                  const char *recipient)
{
    const struct pile *p = hale_map_get(d->piles, hale_str_from(recipient));
    return p != NULL && p->n > 0;
}

/* The letter's record, or itself if it says all. HALE_E_NOTFOUND: neither. */
static enum hale_rc read_letter(struct actuator_deadletters *d, const char *id,
                                struct actuator_replay *out)
{
    char field[FIELD_MAX];
    (void)snprintf(field, sizeof(field), "%s:r", id);
    enum hale_rc rc = d->io.read(d->io.arg, HALE_KEYS_DEADLETTERS, field, &out->text);
    if (rc != HALE_E_NOTFOUND)
        return rc;
    hale_buf_reset(&out->text);
    rc = d->io.read(d->io.arg, HALE_KEYS_DEADLETTERS, id, &out->text);
    if (rc != HALE_OK)
        return rc;
    json_t *root = json_loadb(out->text.p, out->text.len, 0, NULL);
    bool whole = json_is_object(json_object_get(root, "group")) ||
                 json_is_object(json_object_get(root, "notice"));
    json_decref(root);
    out->group = whole;
    return whole ? HALE_OK : HALE_E_NOTFOUND;
}

static void remove_at(struct pile *p, size_t i)
{
    p->n--;
    memmove(&p->v[i], &p->v[i + 1], (p->n - i) * sizeof(p->v[0]));
}

enum hale_rc actuator_deadletters_first(struct actuator_deadletters *d,
                                        const char *recipient,
                                        struct actuator_replay *out)
{
    struct pile *p = hale_map_get(d->piles, hale_str_from(recipient));
    while (p != NULL && p->n > 0) {
        const struct replay *r = &p->v[0];
        memset(out, 0, sizeof(*out));
        memcpy(out->id, r->id, sizeof(out->id));
        out->at_ms = r->at_ms;
        hale_buf_init(&out->text, TEXT_MAX);
        enum hale_rc rc = read_letter(d, r->id, out);
        if (rc == HALE_OK)
            return rc;
        hale_buf_fini(&out->text);
        if (rc != HALE_E_NOTFOUND)
            return rc;
        hale_warn("event=replay_gone recipient=%s id=%s", recipient, r->id);
        settle(d, recipient, r->id, false);
        remove_at(p, 0);
    }
    return HALE_E_NOTFOUND;
}

enum hale_rc actuator_deadletters_take(struct actuator_deadletters *d,
                                       const char *recipient, struct actuator_replay *out)
{
    enum hale_rc rc = actuator_deadletters_first(d, recipient, out);
    if (rc == HALE_OK)
        remove_at(hale_map_get(d->piles, hale_str_from(recipient)), 0);
    return rc;
}

enum hale_rc actuator_deadletters_read(struct actuator_deadletters *d, const char *id,
                                       struct hale_buf *out)
{
    return d->io.read(d->io.arg, HALE_KEYS_DEADLETTERS, id, out);
}

const char *actuator_deadletters_whom(const struct actuator_deadletters *d,
                                      const char *prefix,
                                      char dst[ACTUATOR_RECIPIENT_MAX])
{
    size_t it = 0, n = strlen(prefix);
    struct hale_str key;
    const struct pile *p;
    while ((p = hale_map_next(d->piles, &it, &key)) != NULL) {
        if (p->n == 0 || key.len < n || memcmp(key.p, prefix, n) != 0)
            continue;
        (void)snprintf(dst, ACTUATOR_RECIPIENT_MAX, "%.*s", (int)key.len, key.p);
        return dst;
    }
    return NULL;
}

void actuator_deadletters_settle(struct actuator_deadletters *d, const char *recipient,
                                 const char *id, bool taken)
{
    struct pile *p = hale_map_get(d->piles, hale_str_from(recipient));
    for (size_t i = 0; p != NULL && i < p->n; i++)
        if (strcmp(p->v[i].id, id) == 0) {
            remove_at(p, i);
            break;
        }
    if (taken)
        hale_counter_add(actuator_stat(ACTUATOR_STAT_DEAD_REPLAYED), 1);
    settle(d, recipient, id, taken);
}

void actuator_deadletters_sweep(struct actuator_deadletters *d, void *arg,
                                bool (*known)(void *arg, const char *recipient))
{
    struct hale_str key;
    struct pile *p;
    size_t it = 0;
    while ((p = hale_map_next(d->piles, &it, &key)) != NULL) {
        char recipient[ACTUATOR_RECIPIENT_MAX];
        (void)snprintf(recipient, sizeof(recipient), "%.*s", (int)key.len, key.p);
        if (p->n > 0 && known(arg, recipient))
            continue;
        if (p->n > 0)
            hale_warn("event=replay_without_recipient recipient=%s letters=%zu",
                      recipient, p->n);
        for (size_t i = 0; i < p->n; i++)
            settle(d, recipient, p->v[i].id, false);
        hale_map_del(d->piles, key);
    }
}
