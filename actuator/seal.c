/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/stats.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "model/chain.h"
#include "model/journal.h"
#include "store/keys.h"
#include "store/redis.h"

#define PAGE        128
#define EVERY_MS    500  /* between looks at a journal that does not grow */
#define RETRY_MS    1000 /* after a failure */
#define WAIT_MS     5000 /* for a reply */
#define TENANTS_MAX 100000
#define HEAD_TEXT   (24 + HALE_CHAIN_HEX + HALE_CHAIN_ID_MAX)
#define FIXED_ARGS  9
#define EXPORT_MAX  ((size_t)64 << 20)

/* Returns 0: done; 1: another was faster; else an error: nothing done.
 * KEYS: chain heads. ARGV: position found, position after, most links kept, number of links, id and link
 * of each, tenant and head of each that moved. */
static const char SCRIPT[] =
    "if (redis.call('HGET',KEYS[2],'*') or '')~=ARGV[1] then return 1 end\n"
    "local n,i=tonumber(ARGV[4]),5\n"
    "for k=1,n do\n"
    " local r=redis.pcall('XADD',KEYS[1],'MAXLEN','~',ARGV[3],ARGV[i],'c',ARGV[i+1])\n"
    " if type(r)=='table' and r.err then return redis.error_reply(r.err) end\n"
    " i=i+2\n"
    "end\n"
    "while i<#ARGV do redis.call('HSET',KEYS[2],ARGV[i],ARGV[i+1]) i=i+2 end\n"
    "redis.call('HSET',KEYS[2],'*',ARGV[2])\n"
    "return 0\n";

struct head {
    struct hale_chain_link link;
    char id[HALE_STREAM_ID_TEXT];
    bool moved, told; /* moved: in the commit under way; told: exported as it is */
};
struct row {
    char id[HALE_STREAM_ID_TEXT];
    char text[HALE_CHAIN_TEXT];
};
enum phase { IDLE, LOADING, READING, SEALING };
struct actuator_seal {
    struct hale_redis *redis;
    char *url;
    enum phase phase;
    bool loaded;
    int64_t due_ms, since_ms;        /* next look; when the question was asked */
    struct hale_map *heads;          /* tenant -> struct head */
    char found[HALE_STREAM_ID_TEXT]; /* position as Redis has it, "" = none */
    struct hale_stream_id at;        /* rows up to here have their links */
    struct row row[PAGE];
    unsigned n, seen;
    bool failed;
    const char *head_file;
    int64_t every_ms, export_ms;
};

struct actuator_seal *actuator_seal_new(const char *redis_url)
{
    struct actuator_seal *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->url = strdup(redis_url);
    s->redis = hale_redis_new(redis_url, WAIT_MS);
    if (s->redis == NULL || s->url == NULL) {
        actuator_seal_free(s);
        return NULL;
    }
    return s;
}

void actuator_seal_free(struct actuator_seal *s)
{
    if (s == NULL)
        return;
    hale_redis_free(s->redis);
    hale_map_free(s->heads);
    free(s->url);
    free(s);
}

void actuator_seal_set_export(struct actuator_seal *s, const char *head_file,
                              int64_t every_ms)
{
    s->head_file = head_file;
    s->every_ms = every_ms;
}

void actuator_seal_pollfd(const struct actuator_seal *s, struct pollfd *out)
{
    hale_redis_pollfd(s->redis, out);
}

/* What is known comes from Redis again. */
static void start_anew(struct actuator_seal *s, int64_t due_ms)
{
    struct hale_redis *fresh = hale_redis_new(s->url, WAIT_MS);
    if (fresh != NULL) { /* nobody waits for what the old one still owes */
        hale_redis_free(s->redis);
        s->redis = fresh;
    }
    s->phase = IDLE;
    s->loaded = false;
    s->due_ms = due_ms;
}

static void broken(struct actuator_seal *s, const char *what, int64_t now_ms)
{
    char quoted[300];
    if (!s->failed)
        hale_warn("event=audit_waits what=%s detail=%s", what,
                  hale_log_quote(hale_redis_error(s->redis), quoted, sizeof(quoted)));
    s->failed = true;
    start_anew(s, now_ms + RETRY_MS);
}

/* --- asking -------------------------------------------------------------------------- */

static enum hale_rc ask_state(struct actuator_seal *s)
{
    enum hale_rc rc =
        HALE_REDIS(s->redis, HALE_STR("HGETALL"), HALE_STR(HALE_KEYS_HEADS));
    if (rc == HALE_OK)
        rc = HALE_REDIS(s->redis, HALE_STR("XREVRANGE"), HALE_STR(HALE_KEYS_CHAIN),
                        HALE_STR("+"), HALE_STR("-"), HALE_STR("COUNT"), HALE_STR("1"));
    s->phase = LOADING;
    return rc;
}

static enum hale_rc ask_rows(struct actuator_seal *s)
{
    char from[HALE_STREAM_ID_TEXT + 1] = "(", count[8];
    (void)hale_stream_id_text(s->at, from + 1);
    (void)snprintf(count, sizeof(count), "%d", PAGE);
    s->phase = READING;
    s->n = s->seen = 0;
    return HALE_REDIS(s->redis, HALE_STR("XRANGE"), HALE_STR(HALE_KEYS_JOURNAL),
                      hale_str_from(from), HALE_STR("+"), HALE_STR("COUNT"),
                      hale_str_from(count));
}

/* --- the state ----------------------------------------------------------------------- */

static struct head *head_of(struct actuator_seal *s, struct hale_str tenant)
{
    struct hale_str key = tenant.p != NULL ? tenant : HALE_STR("");
    struct head *h = hale_map_get(s->heads, key);
    if (h != NULL)
        return h;
    h = calloc(1, sizeof(*h));
    if (h != NULL && hale_map_put(s->heads, key, h) != HALE_OK) {
        free(h);
        return NULL;
    }
    return h;
}

static void copy_id(char dst[HALE_STREAM_ID_TEXT], struct hale_str id)
{
    (void)snprintf(dst, HALE_STREAM_ID_TEXT, "%.*s",
                   (int)(id.len < HALE_STREAM_ID_TEXT ? id.len : HALE_STREAM_ID_TEXT - 1),
                   id.p != NULL ? id.p : "");
}

static enum hale_rc take_head(struct actuator_seal *s, struct hale_str tenant,
                              struct hale_str text)
{
    struct hale_chain_link link;
    struct hale_str id;
    if (hale_str_eq_c(tenant, "*")) {
        copy_id(s->found, text);
        if (hale_stream_id_parse(text, &s->at) != HALE_OK)
            hale_error("event=audit_position_unreadable");
        return HALE_OK;
    }
    if (hale_chain_head_parse(text, &link, &id) != HALE_OK) {
        hale_error("event=audit_head_unreadable tenant=%.*s", (int)tenant.len, tenant.p);
        return HALE_OK;
    }
    struct head *h = head_of(s, tenant);
    if (h == NULL)
        return HALE_E_NOMEM;
    h->link = link;
    copy_id(h->id, id);
    return HALE_OK;
}

static int take_last(unsigned stream, struct hale_stream_id id, struct hale_str field,
                     struct hale_str value, void *arg)
{
    struct actuator_seal *s = arg;
    (void)stream, (void)field, (void)value;
    if (hale_stream_id_cmp(id, s->at) > 0) {
        hale_error("event=audit_chain_changed detail=\"the chain is ahead of its "
                   "position: somebody else has written it\"");
        s->at = id;
    }
    return 1;
}

static enum hale_rc load(struct actuator_seal *s, const struct hale_reply *heads)
{
    enum hale_rc rc = HALE_OK;
    hale_map_free(s->heads);
    s->heads = hale_map_new(TENANTS_MAX, free);
    s->found[0] = '\0';
    s->at = (struct hale_stream_id){0, 0};
    if (s->heads == NULL)
        return HALE_E_NOMEM;
    for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(heads); i += 2)
        rc = take_head(s, hale_reply_str(hale_reply_at(heads, i)),
                       hale_reply_str(hale_reply_at(heads, i + 1)));
    return rc;
}

/* --- sealing ------------------------------------------------------------------------- */

static int seal_row(unsigned stream, struct hale_stream_id id, struct hale_str field,
                    struct hale_str value, void *arg)
{
    struct actuator_seal *s = arg;
    struct hale_journal_row decoded = {0};
    struct row *row = &s->row[s->n];
    (void)stream, (void)field;
    /* What cannot be read is of the house. */
    struct hale_str tenant = hale_journal_decode(value, &decoded) == HALE_OK
                                 ? hale_str_from(decoded.tenant)
                                 : HALE_STR("");
    if (tenant.len > HALE_TENANT_MAX_BYTES)
        tenant = HALE_STR("");
    struct head *h = head_of(s, tenant);
    (void)hale_stream_id_text(id, row->id);
    bool ok = h != NULL && hale_chain_next(&h->link, tenant, hale_str_from(row->id),
                                           value, &h->link) == HALE_OK;
    if (ok) {
        (void)hale_chain_text(&h->link, tenant, row->text);
        copy_id(h->id, hale_str_from(row->id));
        h->moved = true;
        h->told = false;
        s->at = id;
        s->n++;
    }
    hale_journal_fini(&decoded);
    return ok && s->n < PAGE ? 0 : 1;
}

/* Arguments that must live until the command is queued: texts of heads. */
struct commit {
    struct hale_str args[FIXED_ARGS + 4 * PAGE];
    char heads[PAGE][HEAD_TEXT];
    unsigned n, n_heads;
};

static void add_heads(struct actuator_seal *s, struct commit *c)
{
    size_t it = 0;
    struct head *h;
    struct hale_str tenant;
    while ((h = hale_map_next(s->heads, &it, &tenant)) != NULL) {
        char hash[HALE_CHAIN_HEX], *text = c->heads[c->n_heads];
        if (!h->moved)
            continue;
        h->moved = false;
        (void)snprintf(text, HEAD_TEXT, "%" PRId64 " %s %s", h->link.n,
                       hale_chain_hex(h->link.hash, hash), h->id);
        c->args[c->n++] = tenant;
        c->args[c->n++] = hale_str_from(text);
        c->n_heads++;
    }
}

static enum hale_rc ask_commit(struct actuator_seal *s)
{
    char after[HALE_STREAM_ID_TEXT], max[24], count[8];
    struct commit *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return HALE_E_NOMEM;
    (void)snprintf(max, sizeof(max), "%d", HALE_KEYS_LOG_MAX);
    (void)snprintf(count, sizeof(count), "%u", s->n);
    const struct hale_str fixed[FIXED_ARGS] = {
        HALE_STR("EVAL"),
        HALE_STR(SCRIPT),
        HALE_STR("2"),
        HALE_STR(HALE_KEYS_CHAIN),
        HALE_STR(HALE_KEYS_HEADS),
        hale_str_from(s->found),
        hale_str_from(hale_stream_id_text(s->at, after)),
        hale_str_from(max),
        hale_str_from(count)};
    memcpy(c->args, fixed, sizeof(fixed));
    c->n = FIXED_ARGS;
    for (unsigned i = 0; i < s->n; i++) {
        c->args[c->n++] = hale_str_from(s->row[i].id);
        c->args[c->n++] = hale_str_from(s->row[i].text);
    }
    add_heads(s, c);
    s->phase = SEALING;
    enum hale_rc rc = hale_redis_append(s->redis, c->n, c->args);
    free(c);
    return rc;
}

/* --- the heads elsewhere ------------------------------------------------------------- */

static void add_head(struct hale_buf *b, struct hale_str tenant, const struct head *h)
{
    char hash[HALE_CHAIN_HEX];
    hale_buf_add_c(b, "{\"tenant\":");
    hale_buf_add_json(b, tenant);
    hale_buf_printf(b, ",\"n\":%" PRId64 ",\"id\":\"%s\",\"hash\":\"%s\"}\n", h->link.n,
                    h->id, hale_chain_hex(h->link.hash, hash));
}

/* One JSON object a line; of those that have moved since, a line in the log, too. */
static void export_heads(struct actuator_seal *s)
{
    char hash[HALE_CHAIN_HEX];
    struct hale_err err = {0};
    struct hale_str tenant;
    struct hale_buf b;
    struct head *h;
    size_t it = 0, moved = 0;
    hale_buf_init(&b, EXPORT_MAX);
    while ((h = hale_map_next(s->heads, &it, &tenant)) != NULL) {
        add_head(&b, tenant, h);
        if (h->told)
            continue;
        h->told = true;
        moved++;
        hale_info("event=audit_head tenant=%.*s n=%" PRId64 " id=%s hash=%s",
                  (int)tenant.len, tenant.p, h->link.n, h->id,
                  hale_chain_hex(h->link.hash, hash));
    }
    if (moved > 0 && s->head_file != NULL &&
        (b.failed || hale_fs_write(s->head_file, b.p, b.len, 0640, &err) != HALE_OK))
        hale_error("event=audit_export_failed detail=\"%s\"", err.text);
    hale_buf_fini(&b);
}

/* --- the turn ------------------------------------------------------------------------ */

static void on_state(struct actuator_seal *s, const struct hale_reply *heads,
                     int64_t now_ms)
{
    struct hale_reply *last = NULL;
    enum hale_rc rc = load(s, heads);
    if (rc == HALE_OK)
        rc = hale_redis_reply(s->redis, &last);
    if (rc == HALE_OK && !hale_reply_is_error(last))
        (void)hale_reply_range(last, take_last, s);
    hale_reply_free(last);
    if (rc != HALE_OK) {
        broken(s, "heads", now_ms);
        return;
    }
    s->loaded = true;
    s->phase = IDLE;
    s->due_ms = now_ms;
}

static void on_rows(struct actuator_seal *s, const struct hale_reply *rows,
                    int64_t now_ms)
{
    (void)hale_reply_range(rows, seal_row, s);
    if (s->n == 0) {
        s->phase = IDLE;
        s->due_ms = now_ms + EVERY_MS;
        s->failed = false;
        if (now_ms >= s->export_ms) {
            s->export_ms = now_ms + s->every_ms;
            export_heads(s);
        }
    } else if (ask_commit(s) != HALE_OK) {
        broken(s, "rows", now_ms);
    }
}

static void on_sealed(struct actuator_seal *s, const struct hale_reply *reply,
                      int64_t now_ms)
{
    if (hale_reply_is_error(reply)) {
        struct hale_str text = hale_reply_str(reply);
        if (!s->failed)
            hale_error("event=audit_chain_refused detail=\"%.*s\"",
                       (int)(text.len < 200 ? text.len : 200), text.p);
        hale_counter_add(actuator_stat(ACTUATOR_STAT_SEAL_REFUSED), 1);
        s->failed = true;
        start_anew(s, now_ms + RETRY_MS);
    } else if (hale_reply_int(reply) != 0) {
        start_anew(s, now_ms + EVERY_MS); /* another actuator seals, too */
    } else {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_SEALED), s->n);
        (void)hale_stream_id_text(s->at, s->found);
        s->phase = IDLE;
        s->due_ms = s->n == PAGE ? now_ms : now_ms + EVERY_MS;
    }
}

static void on_reply(struct actuator_seal *s, const struct hale_reply *reply,
                     int64_t now_ms)
{
    if (hale_reply_is_error(reply) && s->phase != SEALING)
        broken(s, "reply", now_ms);
    else if (s->phase == LOADING)
        on_state(s, reply, now_ms);
    else if (s->phase == READING)
        on_rows(s, reply, now_ms);
    else
        on_sealed(s, reply, now_ms);
}

static void ask(struct actuator_seal *s, int64_t now_ms)
{
    s->since_ms = now_ms;
    enum hale_rc rc = s->loaded ? ask_rows(s) : ask_state(s);
    if (rc != HALE_OK)
        broken(s, "question", now_ms);
}

void actuator_seal_tick(struct actuator_seal *s, int64_t now_ms)
{
    if (s->phase == IDLE && now_ms >= s->due_ms)
        ask(s, now_ms);
    while (s->phase != IDLE) {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = hale_redis_try_reply(s->redis, &reply);
        if (rc == HALE_E_NOTFOUND && now_ms - s->since_ms <= WAIT_MS)
            return;
        if (rc != HALE_OK) {
            broken(s, "reply", now_ms);
            return;
        }
        s->since_ms = now_ms;
        on_reply(s, reply, now_ms);
        hale_reply_free(reply);
    }
}
