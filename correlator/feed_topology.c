/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_topology - the topology's part of the feed: a large update must not make alarms wait, so of
 * what a read gave, a batch takes FEED_TOPOLOGY_BYTES; the reply is held for the next ones.
 */
#include <string.h>

#include "base/log.h"
#include "correlator/feed_inner.h"
#include "correlator/meters.h"

#define AGAIN_COUNT "100"

bool correlator_feed_topology_full(struct correlator_feed *f)
{
    if (f->topology_bytes < FEED_TOPOLOGY_BYTES)
        return false;
    f->topology_left = true;
    return true;
}

enum hale_rc correlator_feed_topology_take(struct correlator_feed *f,
                                           struct hale_str json,
                                           const struct correlator_input *in)
{
    struct hale_topology_update u;
    struct hale_err err = {0};
    f->topology_bytes += json.len;
    enum hale_rc rc = hale_topology_update_decode(json, &u, &err);
    if (rc != HALE_OK) {
        char quoted[400];
        if (rc == HALE_E_INVAL)
            hale_warn("event=bad_topology_update id=%s reason=%s", in->entry_id,
                      hale_log_quote(err.text, quoted, sizeof(quoted)));
        return rc;
    }
    correlator_meters_add(CORRELATOR_RECORDS_TOPOLOGY, 1);
    rc = correlator_engine_topology(f->engine, &u, in);
    hale_topology_update_fini(&u);
    return rc;
}

/* --- what a read gave too much of ------------------------------------------------------ */

struct rest {
    struct correlator_feed *f;
    int (*each)(unsigned stream, struct hale_stream_id id, struct hale_str field,
                struct hale_str value, void *arg);
};

static int take_rest(unsigned stream, struct hale_stream_id id, struct hale_str field,
                     struct hale_str value, void *arg)
{
    const struct rest *r = arg;
    if (stream != FEED_STREAM_TOPOLOGY ||
        hale_stream_id_cmp(id, r->f->done[FEED_STREAM_TOPOLOGY]) <= 0)
        return 0;
    return r->each(stream, id, field, value, r->f);
}

int correlator_feed_topology_rest(struct correlator_feed *f,
                                  int (*each)(unsigned stream, struct hale_stream_id id,
                                              struct hale_str field,
                                              struct hale_str value, void *arg))
{
    struct rest r = {f, each};
    f->topology_left = false;
    int stopped = hale_reply_entries(f->held, f->n_streams, f->keys, take_rest, &r);
    if (!f->topology_left)
        correlator_feed_topology_drop(f);
    return stopped;
}

void correlator_feed_topology_drop(struct correlator_feed *f)
{
    hale_reply_free(f->held);
    f->held = NULL;
}

/* --- after loading --------------------------------------------------------------------- */

struct again {
    struct correlator_feed *f;
    enum hale_rc rc;
    struct hale_stream_id last;
    bool any;
};

static int again_entry(unsigned stream, struct hale_stream_id id, struct hale_str field,
                       struct hale_str value, void *arg)
{
    struct again *a = arg;
    struct hale_topology_update u;
    char text[HALE_STREAM_ID_TEXT];
    (void)stream;
    if (hale_stream_id_cmp(id, a->f->done[FEED_STREAM_TOPOLOGY]) > 0)
        return 1; /* not applied yet: it will be read */
    a->last = id;
    a->any = true;
    if (!hale_str_eq_c(field, "j") ||
        hale_topology_update_decode(value, &u, NULL) != HALE_OK)
        return 0; /* counted when it was applied */
    a->rc =
        correlator_engine_topology_again(a->f->engine, &u, hale_stream_id_text(id, text));
    hale_topology_update_fini(&u);
    return a->rc != HALE_OK;
}

enum hale_rc correlator_feed_topology_again(struct correlator_feed *f)
{
    struct again a = {.f = f};
    const char *from = correlator_engine_topology_from(f->engine);
    char start[HALE_STREAM_ID_TEXT + 1];
    if (from[0] == '\0')
        return HALE_OK;
    (void)snprintf(start, sizeof(start), "%s", from);
    do {
        struct hale_reply *reply = NULL;
        enum hale_rc rc =
            HALE_REDIS_CMD(f->writer, &reply, HALE_STR("XRANGE"),
                           HALE_STR(HALE_KEYS_TOPOLOGY), hale_str_from(start),
                           HALE_STR("+"), HALE_STR("COUNT"), HALE_STR(AGAIN_COUNT));
        if (rc != HALE_OK)
            return rc;
        a.any = false;
        int stopped = hale_reply_range(reply, again_entry, &a);
        hale_reply_free(reply);
        if (stopped != 0 || a.rc != HALE_OK)
            return a.rc;
        char text[HALE_STREAM_ID_TEXT];
        (void)snprintf(start, sizeof(start), "(%s", hale_stream_id_text(a.last, text));
    } while (a.any);
    return HALE_OK;
}

/* A sync under way needs its updates again after a restart. */
void correlator_feed_topology_keep(const struct correlator_feed *f,
                                   struct hale_stream_id *to)
{
    const char *from = correlator_engine_topology_from(f->engine);
    struct hale_stream_id id;
    if (from[0] != '\0' && hale_stream_id_parse(hale_str_from(from), &id) == HALE_OK &&
        hale_stream_id_cmp(id, *to) < 0)
        *to = id;
}

/* --- the log of changed rows ----------------------------------------------------------- */

void correlator_feed_rows_add(struct correlator_feed *f, struct hale_str field)
{
    f->n_rows++;
    if (f->n_rows > FEED_ROWS_MAX)
        return;
    if (f->rows.len > 0)
        hale_buf_add_char(&f->rows, '\n');
    hale_buf_add_str(&f->rows, field);
}

void correlator_feed_rows_write(struct correlator_feed *f)
{
    bool all = f->n_rows > FEED_ROWS_MAX || f->rows.failed;
    if (f->n_rows > 0)
        correlator_tx_add(f->tx, CORRELATOR_XADD, HALE_KEYS_ENTITYLOG, HALE_STR("*"),
                          all ? HALE_STR("*") : hale_buf_str(&f->rows));
    correlator_feed_rows_reset(f);
}

void correlator_feed_rows_reset(struct correlator_feed *f)
{
    hale_buf_reset(&f->rows);
    f->n_rows = 0;
}
