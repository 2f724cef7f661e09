/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/chain_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/params.h"
#include "collector/request.h"
#include "model/chain.h"
#include "model/journal.h"
#include "store/keys.h"

#define ANSWER_MAX ((size_t)256 << 20)
#define PAGE       500
#define LIMIT_MAX  1000
#define SCAN_MAX   100000 /* entries looked at for one answer */

struct entry {
    struct hale_stream_id id;
    struct hale_str value;
};
struct entries {
    size_t n;
    struct entry v[PAGE];
};
struct walk {
    const char *tenant;
    size_t limit, n, looked;
    bool from_start, whole;
    struct hale_stream_id after; /* exclusive */
    int64_t until_ms;
    bool done;
    struct entries rows, links;
    struct hale_buf out;
};

static int take(unsigned stream, struct hale_stream_id id, struct hale_str field,
                struct hale_str value, void *arg)
{
    struct entries *e = arg;
    (void)stream, (void)field;
    e->v[e->n++] = (struct entry){id, value};
    return e->n == PAGE ? 1 : 0;
}

/* --- one row ------------------------------------------------------------------------- */

static void add_text(struct hale_buf *b, struct hale_str text)
{
    if (text.p == NULL)
        hale_buf_add_c(b, "null");
    else
        hale_buf_add_json(b, text);
}

static void add(struct walk *w, struct hale_str tenant, struct hale_stream_id id,
                const struct hale_chain_link *l, struct hale_str row)
{
    char text[HALE_STREAM_ID_TEXT], prev[HALE_CHAIN_HEX], hash[HALE_CHAIN_HEX];
    hale_buf_printf(&w->out, "%s{\"id\":\"%s\",\"tenant\":", w->n++ > 0 ? "," : "",
                    hale_stream_id_text(id, text));
    hale_buf_add_json(&w->out, tenant);
    if (l != NULL)
        hale_buf_printf(&w->out, ",\"n\":%" PRId64 ",\"prev\":\"%s\",\"hash\":\"%s\"",
                        l->n, hale_chain_hex(l->prev, prev),
                        hale_chain_hex(l->hash, hash));
    hale_buf_add_c(&w->out, ",\"text\":");
    add_text(&w->out, row);
    hale_buf_add_char(&w->out, '}');
}

static bool own(const struct walk *w, struct hale_str tenant)
{
    return tenant.len == 0 || hale_str_eq_c(tenant, w->tenant);
}

/* row.p or link.p NULL: there is none. A row belongs to whom its link says; without one, to whom it says. */
static void look(struct walk *w, struct hale_stream_id id, struct hale_str row,
                 struct hale_str link)
{
    struct hale_chain_link l;
    struct hale_str tenant;
    struct hale_journal_row decoded = {0};
    if (link.p != NULL && hale_chain_parse(link, &l, &tenant) == HALE_OK) {
        if (own(w, tenant))
            add(w, tenant, id, &l, row);
        return;
    }
    if (row.p != NULL && hale_journal_decode(row, &decoded) == HALE_OK &&
        own(w, hale_str_from(decoded.tenant)))
        add(w, hale_str_from(decoded.tenant), id, NULL, row);
    hale_journal_fini(&decoded);
}

/* --- a page -------------------------------------------------------------------------- */

static enum hale_rc append_range(struct hale_redis *redis, const char *key,
                                 const struct walk *w)
{
    char from[HALE_STREAM_ID_TEXT + 1] = "(", to[24] = "+", count[8];
    (void)hale_stream_id_text(w->after, from + 1);
    (void)snprintf(count, sizeof(count), "%d", PAGE);
    if (w->until_ms != INT64_MAX)
        (void)snprintf(to, sizeof(to), "%" PRId64, w->until_ms > 0 ? w->until_ms : 0);
    return HALE_REDIS(redis, HALE_STR("XRANGE"), hale_str_from(key), hale_str_from(from),
                      hale_str_from(to), HALE_STR("COUNT"), hale_str_from(count));
}

static bool is_past(const struct walk *w)
{
    return w->n == w->limit;
}

/* Both lists in the order of their ids, up to where both are known. */
static void merge(struct walk *w)
{
    const struct entries *a = &w->rows, *b = &w->links;
    size_t i = 0, k = 0;
    while ((i < a->n || k < b->n) && !is_past(w)) {
        if ((i == a->n && a->n == PAGE) || (k == b->n && b->n == PAGE))
            break;
        int order = i == a->n   ? 1
                    : k == b->n ? -1
                                : hale_stream_id_cmp(a->v[i].id, b->v[k].id);
        const struct hale_str none = {NULL, 0};
        w->after = order <= 0 ? a->v[i].id : b->v[k].id;
        look(w, w->after, order <= 0 ? a->v[i].value : none,
             order >= 0 ? b->v[k].value : none);
        i += order <= 0;
        k += order >= 0;
    }
    w->looked += i + k;
    /* Rows after the last link are new: they are told once, and the next call begins there. */
    w->done = k == b->n && b->n < PAGE && (i == a->n || !is_past(w));
}

static enum hale_rc read_page(struct hale_redis *redis, struct walk *w)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = hale_redis_begin(redis);
    if (rc == HALE_OK)
        rc = append_range(redis, HALE_KEYS_JOURNAL, w);
    if (rc == HALE_OK)
        rc = append_range(redis, HALE_KEYS_CHAIN, w);
    if (rc == HALE_OK)
        rc = hale_redis_exec(redis, &reply);
    if (rc == HALE_OK) {
        w->rows.n = w->links.n = 0;
        (void)hale_reply_range(hale_reply_at(reply, 0), take, &w->rows);
        (void)hale_reply_range(hale_reply_at(reply, 1), take, &w->links);
        merge(w);
    }
    hale_reply_free(reply);
    return rc;
}

/* --- where it begins ----------------------------------------------------------------- */

static int first_id(unsigned stream, struct hale_stream_id id, struct hale_str field,
                    struct hale_str value, void *arg)
{
    (void)stream, (void)field, (void)value;
    *(struct hale_stream_id *)arg = id;
    return 1;
}

/* Rows and links are trimmed each for itself: begins where both are there. */
static enum hale_rc begin(struct hale_redis *redis, struct walk *w)
{
    struct hale_reply *reply = NULL;
    struct hale_stream_id rows = {0, 0}, links = {0, 0};
    const struct hale_str key[] = {HALE_STR(HALE_KEYS_JOURNAL),
                                   HALE_STR(HALE_KEYS_CHAIN)};
    enum hale_rc rc = hale_redis_begin(redis);
    for (unsigned i = 0; rc == HALE_OK && i < 2; i++) {
        rc = HALE_REDIS(redis, HALE_STR("XLEN"), key[i]);
        if (rc == HALE_OK)
            rc = HALE_REDIS(redis, HALE_STR("XRANGE"), key[i], HALE_STR("-"),
                            HALE_STR("+"), HALE_STR("COUNT"), HALE_STR("1"));
    }
    if (rc == HALE_OK)
        rc = hale_redis_exec(redis, &reply);
    if (rc == HALE_OK) {
        (void)hale_reply_range(hale_reply_at(reply, 1), first_id, &rows);
        (void)hale_reply_range(hale_reply_at(reply, 3), first_id, &links);
        w->whole = hale_reply_int(hale_reply_at(reply, 0)) < HALE_KEYS_LOG_MAX &&
                   hale_reply_int(hale_reply_at(reply, 2)) < HALE_KEYS_LOG_MAX;
        struct hale_stream_id later = hale_stream_id_cmp(rows, links) > 0 ? rows : links;
        if (!w->whole && (later.ms > 0 || later.seq > 0)) {
            w->after = later;
            if (later.seq > 0)
                w->after.seq--;
            else
                w->after = (struct hale_stream_id){later.ms - 1, UINT64_MAX};
        }
    }
    hale_reply_free(reply);
    return rc;
}

/* "heads":{tenant: "n hash id"} of the tenant and of the house. */
static enum hale_rc add_heads(struct hale_redis *redis, struct walk *w)
{
    struct hale_reply *reply = NULL;
    const struct hale_str names[] = {HALE_STR(""), hale_str_from(w->tenant)};
    bool first = true;
    enum hale_rc rc = HALE_REDIS_CMD(redis, &reply, HALE_STR("HMGET"),
                                     HALE_STR(HALE_KEYS_HEADS), names[0], names[1]);
    hale_buf_add_c(&w->out, "{\"heads\":{");
    for (size_t i = 0; rc == HALE_OK && i < 2; i++) {
        if (hale_reply_is_nil(hale_reply_at(reply, i)))
            continue;
        hale_buf_add_c(&w->out, first ? "" : ",");
        hale_buf_add_json(&w->out, names[i]);
        hale_buf_add_char(&w->out, ':');
        hale_buf_add_json(&w->out, hale_reply_str(hale_reply_at(reply, i)));
        first = false;
    }
    hale_buf_add_char(&w->out, '}');
    hale_reply_free(reply);
    return rc;
}

static enum hale_rc read_walk(struct hale_http_req *req, struct walk *w,
                              struct hale_err *err)
{
    const char *after = hale_http_query(req, "after");
    int64_t since_ms = 0;
    w->tenant = collector_request_of(req)->tenant;
    w->until_ms = INT64_MAX;
    enum hale_rc rc =
        collector_params_limit(hale_http_query(req, "limit"), &w->limit, err);
    if (w->limit > LIMIT_MAX)
        w->limit = LIMIT_MAX;
    if (rc == HALE_OK && after != NULL &&
        hale_stream_id_parse(hale_str_from(after), &w->after) != HALE_OK)
        rc = hale_err_set(err, HALE_E_INVAL, "after must be the id of a journal row");
    if (rc == HALE_OK)
        rc =
            collector_params_time(hale_http_query(req, "since"), "since", &since_ms, err);
    if (rc == HALE_OK)
        rc = collector_params_time(hale_http_query(req, "until"), "until", &w->until_ms,
                                   err);
    w->from_start = after == NULL && since_ms <= 0;
    if (after == NULL && since_ms > 0)
        w->after = (struct hale_stream_id){(uint64_t)since_ms - 1, UINT64_MAX};
    return rc;
}

/* The heads come first: rows up to them are there when the pages are read. */
static enum hale_rc answer(struct hale_redis *redis, struct walk *w)
{
    char id[HALE_STREAM_ID_TEXT];
    enum hale_rc rc = w->from_start ? begin(redis, w) : HALE_OK;
    if (rc == HALE_OK)
        rc = add_heads(redis, w);
    hale_buf_printf(&w->out, ",\"whole\":%s,\"elements\":[",
                    w->from_start && w->whole ? "true" : "false");
    while (rc == HALE_OK && !w->done && !is_past(w) && w->looked < SCAN_MAX)
        rc = read_page(redis, w);
    hale_buf_add_char(&w->out, ']');
    if (!w->done)
        hale_buf_printf(&w->out, ",\"next\":\"%s\"", hale_stream_id_text(w->after, id));
    hale_buf_add_char(&w->out, '}');
    return rc;
}

void collector_chain_get(struct collector *c, struct hale_redis *redis,
                         struct hale_http_req *req)
{
    struct hale_err err = {0};
    struct walk *w = calloc(1, sizeof(*w));
    (void)c;
    if (w == NULL) {
        collector_reply_busy(req, 5, "out of memory");
        return;
    }
    hale_buf_init(&w->out, ANSWER_MAX);
    if (read_walk(req, w, &err) != HALE_OK)
        collector_reply_invalid(req, &err);
    else if (answer(redis, w) != HALE_OK)
        collector_reply_busy(req, 2, "the store does not answer; try again");
    else
        collector_reply_buf(req, 200, COLLECTOR_JSON, &w->out);
    hale_buf_fini(&w->out);
    free(w);
}
