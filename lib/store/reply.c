/* SPDX-License-Identifier: Apache-2.0 */
#include <hiredis/hiredis.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/redis_private.h"

/* The reader keeps its buffer between replies up to this size instead of allocating anew. */
#define READER_IDLE_BYTES (4 * 1024 * 1024)
#define XREAD_STREAMS_MAX 128

/* --- building: called by hiredis' reader ------------------------------------------------------ */

static struct hale_reply *node_new(const redisReadTask *task, enum hale_reply_type type,
                                   size_t payload)
{
    struct hale_reply *p = malloc(sizeof(*p) + payload);
    if (p == NULL)
        return NULL;
    memset(p, 0, sizeof(*p));
    p->magic = HALE_REPLY_MAGIC;
    p->type = type;
    if (task->parent != NULL) {
        struct hale_reply *up = task->parent->obj;
        HALE_CHECK(up, HALE_REPLY_MAGIC);
        HALE_ASSERT(up->type == HALE_REPLY_ARRAY && task->idx >= 0 &&
                    (size_t)task->idx < up->n);
        up->item[task->idx] = p;
        p->nested = true;
    }
    return p;
}

static void *build_string(const redisReadTask *task, char *bytes, size_t len)
{
    enum hale_reply_type type = HALE_REPLY_STRING;
    if (task->type == REDIS_REPLY_ERROR)
        type = HALE_REPLY_ERROR;
    else if (task->type == REDIS_REPLY_STATUS)
        type = HALE_REPLY_STATUS;
    struct hale_reply *p = node_new(task, type, len + 1);
    if (p == NULL)
        return NULL;
    p->text = (char *)(p + 1);
    memcpy(p->text, bytes, len);
    p->text[len] = '\0';
    p->n = len;
    return p;
}

static void *build_array(const redisReadTask *task, int n)
{
    if (n < 0 || n > HALE_REPLY_ITEMS_MAX)
        return NULL;
    size_t bytes = (size_t)n * sizeof(struct hale_reply *);
    struct hale_reply *p = node_new(task, HALE_REPLY_ARRAY, bytes);
    if (p == NULL)
        return NULL;
    p->item = (struct hale_reply **)(void *)(p + 1);
    memset(p->item, 0, bytes);
    p->n = (size_t)n;
    return p;
}

static void *build_integer(const redisReadTask *task, long long value)
{
    struct hale_reply *p = node_new(task, HALE_REPLY_INT, 0);
    if (p != NULL)
        p->integer = value;
    return p;
}

static void *build_nil(const redisReadTask *task)
{
    return node_new(task, HALE_REPLY_NIL, 0);
}

/* Depth is bounded by the reader's stack (9). */
static void node_free(void *ptr)
{
    struct hale_reply *p = ptr;
    if (p == NULL)
        return;
    HALE_CHECK(p, HALE_REPLY_MAGIC);
    if (p->type == HALE_REPLY_ARRAY)
        for (size_t i = 0; i < p->n; i++)
            node_free(p->item[i]);
    p->magic = 0;
    free(p);
}

struct redisReader *hale_reply_reader_new(void)
{
    static redisReplyObjectFunctions functions = {
        .createString = build_string,
        .createArray = build_array,
        .createInteger = build_integer,
        .createNil = build_nil,
        .freeObject = node_free,
    };
    redisReader *reader = redisReaderCreateWithFunctions(&functions);
    if (reader != NULL)
        reader->maxbuf = READER_IDLE_BYTES;
    return reader;
}

/* --- reading ---------------------------------------------------------------------------------- */

void hale_reply_free(struct hale_reply *p)
{
    HALE_ASSERT(p == NULL || !p->nested);
    node_free(p);
}

bool hale_reply_is_nil(const struct hale_reply *p)
{
    return p == NULL || p->type == HALE_REPLY_NIL;
}

bool hale_reply_is_error(const struct hale_reply *p)
{
    return p != NULL && p->type == HALE_REPLY_ERROR;
}

static bool starts_with(const struct hale_reply *p, const char *word)
{
    size_t len = strlen(word);
    return p->n >= len && memcmp(p->text, word, len) == 0 &&
           (p->n == len || p->text[len] == ' ');
}

bool hale_reply_is_retry(const struct hale_reply *p)
{
    return hale_reply_is_error(p) &&
           (starts_with(p, "LOADING") || starts_with(p, "BUSY") ||
            starts_with(p, "MASTERDOWN"));
}

struct hale_str hale_reply_str(const struct hale_reply *p)
{
    if (p == NULL || p->text == NULL)
        return (struct hale_str){NULL, 0};
    return (struct hale_str){p->text, p->n};
}

int64_t hale_reply_int(const struct hale_reply *p)
{
    int64_t value = 0;
    if (p == NULL)
        return 0;
    if (p->type == HALE_REPLY_INT)
        return p->integer;
    if (p->type == HALE_REPLY_STRING &&
        hale_str_i64(hale_reply_str(p), &value) != HALE_OK)
        return 0;
    return value;
}

size_t hale_reply_n(const struct hale_reply *p)
{
    return p != NULL && p->type == HALE_REPLY_ARRAY ? p->n : 0;
}

const struct hale_reply *hale_reply_at(const struct hale_reply *p, size_t i)
{
    return i < hale_reply_n(p) ? p->item[i] : NULL;
}

/* --- streams ---------------------------------------------------------------------------------- */

const char *hale_stream_id_text(struct hale_stream_id id, char *dst)
{
    (void)snprintf(dst, HALE_STREAM_ID_TEXT, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
    return dst;
}

enum hale_rc hale_stream_id_parse(struct hale_str s, struct hale_stream_id *out)
{
    struct hale_stream_id id = {0, 0};
    struct hale_str rest = s;
    if (s.len == 0 || s.len >= HALE_STREAM_ID_TEXT)
        return HALE_E_INVAL;
    struct hale_str ms = hale_str_split(&rest, '-');
    if (hale_str_u64(ms, &id.ms) != HALE_OK)
        return HALE_E_INVAL;
    if (rest.p != NULL && hale_str_u64(rest, &id.seq) != HALE_OK)
        return HALE_E_INVAL;
    *out = id;
    return HALE_OK;
}

int hale_stream_id_cmp(struct hale_stream_id a, struct hale_stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return 0;
}

typedef int (*entry_fn)(unsigned stream, struct hale_stream_id id, struct hale_str field,
                        struct hale_str value, void *arg);

struct entry {
    struct hale_stream_id id;
    struct hale_str field, value;
};

/* Entries: [[id, [field, value, ...]], ...]. The first from *at on that is one, and *at after it:
 * deleted entries (nil) and anything of another shape are passed over. */
static bool next_entry(const struct hale_reply *list, size_t *at, struct entry *out)
{
    while (*at < hale_reply_n(list)) {
        const struct hale_reply *entry = hale_reply_at(list, (*at)++);
        const struct hale_reply *pairs = hale_reply_at(entry, 1);
        if (hale_reply_n(pairs) < 2 ||
            hale_stream_id_parse(hale_reply_str(hale_reply_at(entry, 0)), &out->id) !=
                HALE_OK)
            continue;
        out->field = hale_reply_str(hale_reply_at(pairs, 0));
        out->value = hale_reply_str(hale_reply_at(pairs, 1));
        return true;
    }
    return false;
}

static int walk_entries(const struct hale_reply *list, unsigned stream, entry_fn each,
                        void *arg)
{
    struct entry x;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && next_entry(list, &at, &x))
        rc = each(stream, x.id, x.field, x.value, arg);
    return rc;
}

int hale_reply_entries(const struct hale_reply *p, unsigned n, const char *const *keys,
                       entry_fn each, void *arg)
{
    unsigned next =
        0; /* Redis answers in the order of the keys, without the empty ones */
    for (size_t i = 0; i < hale_reply_n(p); i++) {
        const struct hale_reply *one = hale_reply_at(p, i);
        struct hale_str name = hale_reply_str(hale_reply_at(one, 0));
        while (next < n && !hale_str_eq_c(name, keys[next]))
            next++;
        if (next == n)
            return 0;
        int rc = walk_entries(hale_reply_at(one, 1), next, each, arg);
        if (rc != 0)
            return rc;
        next++;
    }
    return 0;
}

struct source {
    const struct hale_reply *list;
    unsigned stream;
    size_t at;
    bool left; /* there is a next one */
    struct entry next;
};

/* Finds the streams of the reply; what of them is in order ends at *end. */
static unsigned open_sources(const struct hale_reply *p, const struct hale_merge *m,
                             struct source *v, struct hale_stream_id *end)
{
    unsigned n_sources = 0, key = 0;
    *end = (struct hale_stream_id){UINT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < hale_reply_n(p) && n_sources < HALE_REPLY_STREAMS_MAX; i++) {
        const struct hale_reply *one = hale_reply_at(p, i);
        struct hale_str name = hale_reply_str(hale_reply_at(one, 0));
        while (key < m->n && !hale_str_eq_c(name, m->keys[key]))
            key++;
        if (key == m->n)
            break;
        struct source *s = &v[n_sources++];
        *s = (struct source){.list = hale_reply_at(one, 1), .stream = key++};
        size_t len = hale_reply_n(s->list), last = len - 1;
        struct entry x;
        if (len >= m->count && s->stream != m->loose && next_entry(s->list, &last, &x) &&
            hale_stream_id_cmp(x.id, *end) < 0)
            *end = x.id;
        s->left = next_entry(s->list, &s->at, &s->next);
    }
    return n_sources;
}

int hale_reply_merge(const struct hale_reply *p, struct hale_merge *m, entry_fn each,
                     void *arg)
{
    struct source v[HALE_REPLY_STREAMS_MAX];
    struct hale_stream_id end;
    unsigned n_sources = open_sources(p, m, v, &end);
    m->all = end.ms == UINT64_MAX;
    for (;;) {
        struct source *first = NULL;
        for (unsigned i = 0; i < n_sources; i++)
            if (v[i].left &&
                (first == NULL || hale_stream_id_cmp(v[i].next.id, first->next.id) < 0))
                first = &v[i];
        if (first == NULL || (hale_stream_id_cmp(first->next.id, end) > 0))
            return 0;
        int rc = each(first->stream, first->next.id, first->next.field, first->next.value,
                      arg);
        if (rc != 0)
            return rc;
        first->left = next_entry(first->list, &first->at, &first->next);
    }
}

int hale_reply_range(const struct hale_reply *p, entry_fn each, void *arg)
{
    return walk_entries(p, 0, each, arg);
}

enum hale_rc hale_redis_xread(struct hale_redis *r, unsigned n, const char *const *keys,
                              const struct hale_stream_id *after, unsigned count,
                              int64_t block_ms)
{
    struct hale_str args[6 + 2 * XREAD_STREAMS_MAX];
    char ids[XREAD_STREAMS_MAX][HALE_STREAM_ID_TEXT];
    char count_text[16];
    char block_text[24];
    unsigned at = 0;
    HALE_ASSERT(n > 0 && n <= XREAD_STREAMS_MAX);
    (void)snprintf(count_text, sizeof(count_text), "%u", count);
    args[at++] = HALE_STR("XREAD");
    args[at++] = HALE_STR("COUNT");
    args[at++] = hale_str_from(count_text);
    if (block_ms >= 0) {
        (void)snprintf(block_text, sizeof(block_text), "%" PRId64, block_ms);
        args[at++] = HALE_STR("BLOCK");
        args[at++] = hale_str_from(block_text);
    }
    args[at++] = HALE_STR("STREAMS");
    for (unsigned i = 0; i < n; i++) {
        args[at + i] = hale_str_from(keys[i]);
        args[at + n + i] = hale_str_from(hale_stream_id_text(after[i], ids[i]));
    }
    return hale_redis_append(r, at + 2 * n, args);
}
