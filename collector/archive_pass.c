/* SPDX-License-Identifier: Apache-2.0 */
/* archive_pass - one chunk of one shard into the archive's files, a few groups per step. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "collector/archive_private.h"
#include "collector/hot.h"
#include "collector/roll.h"
#include "collector/stats.h"
#include "collector/tiers.h"

#define IDLE_MS     1000 /* nothing is ready */
#define FAILED_MS   5000 /* before failed groups are tried again */
#define REDIS_MS    500
#define PAUSE_MAX   2000
#define WINDOW_MS   (COLLECTOR_CHUNK_MS / 10 * 8) /* for a chunk of all shards */
#define PROBES      1000
#define STAY_MS     (2 * (int64_t)COLLECTOR_CHUNK_MS) /* readers are done by then */
#define GATHER_STEP 1024
#define OPEN_MAX_MS (31LL * 86400000) /* coarser rows of silent groups stay open */

/* --- which series ----------------------------------------------------------------------- */

struct gather {
    struct collector_archive *a;
    int64_t start_ms, end_ms, oldest_ms;
    struct collector_candidate *v; /* without a place */
    size_t n, cap;
    size_t cap_members;
    bool failed;
};

static void *grow(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    size_t more = *cap > 0 ? 2 * *cap : GATHER_STEP;
    void *p = realloc(v, more * size);
    if (p != NULL)
        *cap = more;
    return p;
}

static void add_member(struct gather *g, uint64_t id, const struct collector_place *p)
{
    struct collector_pass *pass = &g->a->pass;
    struct collector_member *v =
        grow(pass->members, pass->n, &g->cap_members, sizeof(*v));

    if (v == NULL) {
        g->failed = true;
        return;
    }
    pass->members = v;
    v[pass->n++] = (struct collector_member){id, *p};
}

/* What an operator would call one thing: the resource, or else the host. */
static uint64_t object_of(const struct hale_series *text)
{
    struct hale_str which = hale_series_dim(text, HALE_STR("resource_id"));

    if (which.p == NULL)
        which = hale_series_dim(text, HALE_STR("hostname"));
    uint64_t h = hale_id_hash64_seed(text->tenant.p, text->tenant.len, 1);
    return hale_id_hash64_seed(which.p, which.len, h);
}

static void add_candidate(struct gather *g, const struct collector_series *s)
{
    struct hale_series text;

    if (hale_series_decode(collector_series_text(s), &text) != HALE_OK)
        return;
    const struct hale_rrd_layout *l =
        collector_tiers_of(g->a->app->conf->tiers, text.name);
    if (l == NULL)
        return;
    struct collector_candidate *v = grow(g->v, g->n, &g->cap, sizeof(*v));
    if (v == NULL) {
        g->failed = true;
        return;
    }
    g->v = v;
    v[g->n++] = (struct collector_candidate){s->id, object_of(&text), l};
}

/* A coarse row is there once its last step was appended. So when one ends in this chunk, groups
 * that fell silent inside of it are appended to as well. Returns the beginning of that row. */
static int64_t oldest_open_ms(const struct collector_pass *pass,
                              const struct hale_rrd_layout *l)
{
    int64_t coarsest_s = l->tiers[l->n_tiers - 1].step_s;
    int64_t start_s = pass->chunk * (COLLECTOR_CHUNK_MS / 1000);
    int64_t end_s = start_s + COLLECTOR_CHUNK_MS / 1000;
    int64_t row_end_s = end_s / coarsest_s * coarsest_s;

    return row_end_s > start_s && row_end_s - coarsest_s < start_s
               ? (row_end_s - coarsest_s) * 1000
               : start_s * 1000;
}

static void gather_one(struct collector_series *s, const struct hale_series *text,
                       void *arg)
{
    struct gather *g = arg;
    struct collector_place p;
    int64_t first = atomic_load_explicit(&s->first_ms, memory_order_relaxed);
    int64_t last = atomic_load_explicit(&s->last_ms, memory_order_relaxed);

    (void)text;
    if (s->shard != g->a->pass.shard || last < g->oldest_ms || first >= g->end_ms)
        return;
    if (!collector_slots_find(g->a->slots, s->id, &p)) {
        if (last >= g->start_ms)
            add_candidate(g, s);
        return;
    }
    const struct hale_rrd_layout l =
        collector_slots_layout(g->a->slots, s->shard, p.layout);
    if (last >= oldest_open_ms(&g->a->pass, &l))
        add_member(g, s->id, &p);
}

/* A place is for good, so only a series that has samples gets one. */
static enum hale_rc drop_empty(struct gather *g, struct hale_redis *redis)
{
    const struct collector_pass *pass = &g->a->pass;
    char key[HALE_KEY_MAX];
    enum hale_rc rc = HALE_OK;
    size_t kept = 0;

    for (size_t i = 0; rc == HALE_OK && i < g->n; i += PROBES) {
        size_t n = g->n - i < PROBES ? g->n - i : PROBES;
        for (size_t k = 0; rc == HALE_OK && k < n; k++)
            rc = HALE_REDIS(redis, HALE_STR("STRLEN"),
                            hale_str_from(hale_keys_hot(pass->shard, g->v[i + k].id,
                                                        pass->chunk, key)));
        for (size_t k = 0; rc == HALE_OK && k < n; k++) {
            struct hale_reply *reply = NULL;
            rc = hale_redis_reply(redis, &reply);
            if (rc == HALE_OK && hale_reply_int(reply) > 0)
                g->v[kept++] = g->v[i + k];
            hale_reply_free(reply);
        }
    }
    g->n = kept;
    return rc;
}

static int by_place(const void *a, const void *b)
{
    const struct collector_place *x = &((const struct collector_member *)a)->place;
    const struct collector_place *y = &((const struct collector_member *)b)->place;

    if (x->layout != y->layout)
        return x->layout < y->layout ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (int)x->slot - (int)y->slot;
}

static enum hale_rc begin(struct collector_archive *a, struct hale_redis *redis,
                          int64_t now_ms)
{
    struct collector_pass *pass = &a->pass;
    struct gather g = {.a = a,
                       .start_ms = pass->chunk * COLLECTOR_CHUNK_MS,
                       .end_ms = (pass->chunk + 1) * COLLECTOR_CHUNK_MS,
                       .oldest_ms = (pass->chunk + 1) * COLLECTOR_CHUNK_MS - OPEN_MAX_MS};
    struct collector_place p;

    free(pass->members);
    pass->members = NULL;
    pass->n = pass->at = pass->kept = 0;
    pass->retry_ms = 0;
    collector_catalog_all(a->app->catalog, gather_one, &g);
    enum hale_rc rc = g.failed ? HALE_E_NOMEM : drop_empty(&g, redis);
    if (rc == HALE_OK)
        rc = collector_slots_assign(a->slots, redis, pass->shard, g.v, g.n);
    for (size_t i = 0; rc == HALE_OK && i < g.n; i++) {
        if (collector_slots_find(a->slots, g.v[i].id, &p))
            add_member(&g, g.v[i].id, &p);
    }
    if (rc == HALE_OK && g.failed)
        rc = HALE_E_NOMEM;
    free(g.v);
    if (rc != HALE_OK)
        return rc;
    if (pass->n > 1)
        qsort(pass->members, pass->n, sizeof(pass->members[0]), by_place);
    pass->begun_ms = now_ms;
    pass->running = true;
    collector_gauge(ARCHIVE_SLOTS, collector_slots_count(a->slots));
    return HALE_OK;
}

/* --- one group -------------------------------------------------------------------------- */

static size_t unit_length(const struct collector_pass *pass, size_t at)
{
    const struct collector_place *p = &pass->members[at].place;
    size_t n = 1;

    while (at + n < pass->n && n < HALE_RRD_SLOTS_MAX &&
           pass->members[at + n].place.layout == p->layout &&
           pass->members[at + n].place.group == p->group)
        n++;
    return n;
}

static enum hale_rc ask(const struct collector_pass *pass, struct hale_redis *redis,
                        size_t at, size_t n)
{
    char keys[HALE_RRD_SLOTS_MAX][HALE_KEY_MAX];
    struct hale_str args[HALE_RRD_SLOTS_MAX + 1] = {HALE_STR("MGET")};

    for (size_t i = 0; i < n; i++)
        args[i + 1] = hale_str_from(
            hale_keys_hot(pass->shard, pass->members[at + i].id, pass->chunk, keys[i]));
    return hale_redis_append(redis, (unsigned)n + 1, args);
}

/* Damaged files are set aside, so that one of them does not hold up all others. */
static void set_aside(const char *path, const struct hale_err *why)
{
    static const char *const KINDS[] = {"sum", "min", "max"};
    char from[PATH_MAX + 16];
    char to[PATH_MAX + 32];

    hale_error("event=archive_damaged path=%s detail=\"%s; set aside as *.damaged, a new "
               "one begins\"",
               path, why->text);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(from, sizeof(from), "%s.%s.rrd", path, KINDS[i]);
        (void)snprintf(to, sizeof(to), "%s.damaged", from);
        if (rename(from, to) != 0)
            hale_warn("event=archive_not_set_aside path=%s", from);
    }
}

static enum hale_rc append(struct collector_archive *a, const struct collector_place *p,
                           const struct hale_rrd_layout *l, struct hale_err *err)
{
    const struct collector_pass *pass = &a->pass;
    int64_t step_s = l->tiers[0].step_s;
    int64_t start_s = pass->chunk * (COLLECTOR_CHUNK_MS / 1000);
    size_t n_steps = (size_t)(COLLECTOR_CHUNK_MS / 1000 / step_s);
    char path[PATH_MAX];
    char dir[PATH_MAX];
    struct hale_err why = {0};
    size_t skipped = 0;
    int64_t last_s;

    if (collector_slots_used(a->slots, pass->shard, p) == 0)
        return HALE_OK; /* all were deleted meanwhile */
    collector_archive_path(a, pass->shard, p, false, path);
    enum hale_rc rc =
        hale_rrd_group_append(path, l, start_s, n_steps, a->cells, &skipped, err);
    if (rc == HALE_E_NOTFOUND) {
        collector_archive_path(a, pass->shard, p, true, dir);
        rc = hale_fs_mkdirs(dir, err);
        if (rc == HALE_OK)
            rc =
                hale_rrd_group_append(path, l, start_s, n_steps, a->cells, &skipped, err);
    }
    if (rc == HALE_E_CONFLICT ||
        (rc != HALE_OK && hale_rrd_group_last(path, &last_s, &why) == HALE_E_IO)) {
        set_aside(path, err);
        rc = hale_rrd_group_append(path, l, start_s, n_steps, a->cells, &skipped, err);
    }
    collector_count(ARCHIVE_SKIPPED, skipped);
    return rc;
}

/* Whether an empty chunk completes a coarse row that the group's files have begun. */
static bool completes(const struct collector_archive *a, const struct collector_place *p,
                      const struct hale_rrd_layout *l)
{
    char path[PATH_MAX];
    struct hale_err err = {0};
    int64_t last_s;

    collector_archive_path(a, a->pass.shard, p, false, path);
    return hale_rrd_group_last(path, &last_s, &err) == HALE_OK &&
           last_s * 1000 > oldest_open_ms(&a->pass, l);
}

static size_t roll_all(struct collector_archive *a, size_t at, size_t n,
                       const struct hale_rrd_layout *l, const struct hale_reply *reply)
{
    const struct collector_pass *pass = &a->pass;
    int64_t base_ms = pass->chunk * COLLECTOR_CHUNK_MS;
    size_t n_steps = (size_t)(COLLECTOR_CHUNK_MS / 1000 / l->tiers[0].step_s);
    size_t taken = 0;

    memset(a->cells, 0, n_steps * l->slots * sizeof(a->cells[0]));
    for (size_t i = 0; i < n; i++) {
        const struct hale_reply *one = hale_reply_at(reply, i);
        struct collector_hot_reader reader;
        struct collector_sample s;
        if (one == NULL || hale_reply_is_nil(one))
            continue;
        collector_points_clear(&a->points);
        collector_hot_reader_init(&reader, hale_reply_str(one), base_ms,
                                  COLLECTOR_CHUNK_MS);
        while (collector_hot_reader_next(&reader, &s)) {
            s.meta.len = 0;
            collector_points_add(&a->points, &s);
        }
        if (reader.bad || a->points.failed)
            hale_error("event=archive_chunk_damaged id=%016" PRIx64 " chunk=%" PRId64,
                       pass->members[at + i].id, pass->chunk);
        a->points.failed = false;
        collector_points_settle(&a->points);
        const struct collector_roll_grid grid = {base_ms / 1000, l->tiers[0].step_s,
                                                 n_steps, l->slots,
                                                 pass->members[at + i].place.slot};
        taken += collector_roll(&a->points, &grid, a->cells);
    }
    return taken;
}

static void remember_expiry(struct collector_pass *pass, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t *v = grow(pass->expire, pass->n_expire, &pass->cap_expire, sizeof(*v));
        if (v == NULL)
            return; /* they expire later */
        pass->expire = v;
        v[pass->n_expire++] = pass->members[at + i].id;
    }
}

/* The reply of the group's MGET has come. */
static void do_unit(struct collector_archive *a, size_t at, size_t n,
                    const struct hale_reply *reply)
{
    struct collector_pass *pass = &a->pass;
    const struct collector_place p = pass->members[at].place;
    const struct hale_rrd_layout l =
        collector_slots_layout(a->slots, pass->shard, p.layout);
    struct hale_err err = {0};
    char text[512];
    size_t samples = roll_all(a, at, n, &l, reply);
    enum hale_rc rc = HALE_OK;

    (void)pthread_mutex_lock(collector_archive_stripe(a, &p));
    if (samples > 0 || completes(a, &p, &l))
        rc = append(a, &p, &l, &err);
    (void)pthread_mutex_unlock(collector_archive_stripe(a, &p));
    if (rc != HALE_OK) {
        collector_count(ARCHIVE_FAILURES, 1);
        hale_error("event=archive_failed layout=%u group=%u detail=\"%s\"",
                   (unsigned)p.layout, p.group, hale_err_str(&err, text, sizeof(text)));
        memmove(&pass->members[pass->kept], &pass->members[at],
                n * sizeof(pass->members[0]));
        pass->kept += n;
        collector_archive_health(a, false);
        return;
    }
    if (samples == 0)
        return;
    collector_count(ARCHIVE_GROUPS, 1);
    collector_count(ARCHIVE_SAMPLES, samples);
    remember_expiry(pass, at, n);
}

/* --- steps ------------------------------------------------------------------------------ */

/* What is in files may expire as soon as readers take it from there. */
static enum hale_rc send_expiry(struct collector_archive *a, struct hale_redis *redis,
                                int64_t now_ms)
{
    struct collector_pass *pass = &a->pass;
    char key[HALE_KEY_MAX];
    char when[32];
    int64_t at_ms =
        (pass->chunk + 1) * COLLECTOR_CHUNK_MS + a->app->conf->hot_retention_ms;
    enum hale_rc rc = HALE_OK;

    if (at_ms < now_ms + STAY_MS)
        at_ms = now_ms + STAY_MS;
    (void)snprintf(when, sizeof(when), "%" PRId64, at_ms / 1000);
    for (size_t i = 0; rc == HALE_OK && i < pass->n_expire; i++)
        rc = HALE_REDIS(
            redis, HALE_STR("EXPIREAT"),
            hale_str_from(hale_keys_hot(pass->shard, pass->expire[i], pass->chunk, key)),
            hale_str_from(when));
    return rc;
}

static enum hale_rc take_expiry(struct collector_pass *pass, struct hale_redis *redis)
{
    for (; pass->n_expire > 0; pass->n_expire--) {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = hale_redis_reply(redis, &reply);
        if (rc != HALE_OK)
            return rc;
        hale_reply_free(reply);
    }
    return HALE_OK;
}

static enum hale_rc do_batch(struct collector_archive *a, struct hale_redis *redis,
                             int64_t now_ms)
{
    struct collector_pass *pass = &a->pass;
    size_t lengths[COLLECTOR_ARCHIVE_BATCH];
    size_t units = 0;
    enum hale_rc rc = send_expiry(a, redis, now_ms);

    for (size_t at = pass->at;
         rc == HALE_OK && at < pass->n && units < COLLECTOR_ARCHIVE_BATCH; units++) {
        lengths[units] = unit_length(pass, at);
        rc = ask(pass, redis, at, lengths[units]);
        at += lengths[units];
    }
    if (rc == HALE_OK)
        rc = take_expiry(pass, redis);
    for (size_t u = 0; rc == HALE_OK && u < units; u++) {
        struct hale_reply *reply = NULL;
        rc = hale_redis_reply(redis, &reply);
        if (rc != HALE_OK)
            break;
        if (hale_reply_is_error(reply))
            rc = HALE_E_AGAIN;
        else
            do_unit(a, pass->at, lengths[u], reply);
        hale_reply_free(reply);
        if (rc == HALE_OK)
            pass->at += lengths[u];
    }
    return rc;
}

static bool is_ready(const struct collector_archive *a, unsigned shard, int64_t chunk,
                     int64_t now_ms)
{
    int64_t deadline_ms = collector_lateness_deadline(&a->lateness[shard], chunk);

    return deadline_ms <= now_ms &&
           collector_hot_flushed_ms(a->app->hot, shard) >= deadline_ms;
}

/* Chunks whose raw samples have expired meanwhile cannot be archived any more. */
static enum hale_rc give_up_old(struct collector_archive *a, struct hale_redis *redis,
                                unsigned shard, int64_t now_ms)
{
    int64_t oldest = collector_chunk_of(now_ms - a->app->conf->hot_retention_ms -
                                        a->app->conf->archive_backlog_ms);
    int64_t archived = atomic_load(&a->archived[shard]);

    if (archived + 1 >= oldest)
        return HALE_OK;
    hale_error("event=archive_chunks_lost shard=%u count=%" PRId64
               " detail=\"raw samples expired before they were archived\"",
               shard, oldest - archived - 1);
    collector_count(ARCHIVE_LOST, oldest - archived - 1);
    if (a->pass.running && a->pass.shard == shard) {
        a->pass.running = false;
        a->pass.n_expire = 0;
    }
    return collector_archive_save(a, redis, shard, oldest - 1);
}

/* Chooses a shard that has something to do. False: none. */
static bool pick(struct collector_archive *a, int64_t now_ms)
{
    int64_t behind_ms = 0;
    bool found = false;

    for (unsigned s = 0; s < a->n_shards; s++) {
        int64_t chunk = atomic_load(&a->archived[s]) + 1;
        int64_t late_ms = now_ms - collector_lateness_deadline(&a->lateness[s], chunk);
        if (late_ms > behind_ms)
            behind_ms = late_ms;
        if (!found && is_ready(a, s, chunk, now_ms)) {
            found = true;
            a->pass.shard = s;
            a->pass.chunk = chunk;
        }
    }
    collector_gauge(ARCHIVE_BEHIND, behind_ms / 1000);
    return found;
}

/* The end of a pass, or of its first go. Returns the wait. */
static int64_t end(struct collector_archive *a, struct hale_redis *redis, int64_t now_ms)
{
    struct collector_pass *pass = &a->pass;

    if (pass->kept > 0) {
        pass->n = pass->kept;
        pass->at = pass->kept = 0;
        pass->retry_ms = now_ms + FAILED_MS;
        return FAILED_MS;
    }
    enum hale_rc rc = send_expiry(a, redis, now_ms);
    if (rc == HALE_OK)
        rc = take_expiry(pass, redis);
    if (rc == HALE_OK)
        rc = collector_archive_save(a, redis, pass->shard, pass->chunk);
    if (rc != HALE_OK)
        return REDIS_MS;
    collector_archive_health(a, true);
    pass->running = false;
    return 0;
}

/* What one shard's chunk may take. */
static int64_t window_ms(const struct collector_archive *a)
{
    HALE_ASSERT(a->n_shards > 0);
    return WINDOW_MS / (int64_t)a->n_shards;
}

/* Members that should be done by now; all when the next chunk is waiting already. */
static size_t due(const struct collector_archive *a, int64_t now_ms)
{
    const struct collector_pass *pass = &a->pass;
    int64_t window = window_ms(a);

    if (pass->retry_ms != 0 || is_ready(a, pass->shard, pass->chunk + 1, now_ms) ||
        now_ms - pass->begun_ms >= window || now_ms < pass->begun_ms)
        return pass->n;
    return (size_t)((double)pass->n * (double)(now_ms - pass->begun_ms) /
                    (double)window) +
           1;
}

static int64_t step(struct collector_archive *a, struct hale_redis *redis, int64_t now_ms)
{
    struct collector_pass *pass = &a->pass;

    for (unsigned s = 0; s < a->n_shards; s++)
        if (give_up_old(a, redis, s, now_ms) != HALE_OK)
            return REDIS_MS;
    if (!pass->running) {
        if (!pick(a, now_ms))
            return IDLE_MS;
        return begin(a, redis, now_ms) == HALE_OK ? 0 : REDIS_MS;
    }
    if (pass->at == pass->n)
        return end(a, redis, now_ms);
    if (now_ms < pass->retry_ms)
        return pass->retry_ms - now_ms;
    if (pass->at < due(a, now_ms))
        return do_batch(a, redis, now_ms) == HALE_OK ? 0 : REDIS_MS;
    int64_t pause_ms = window_ms(a) * COLLECTOR_ARCHIVE_BATCH * COLLECTOR_GROUP_SLOTS /
                       (int64_t)(pass->n + 1);
    return pause_ms > PAUSE_MAX ? PAUSE_MAX : pause_ms < 1 ? 1 : pause_ms;
}

int64_t collector_archive_step(struct collector_archive *a, struct hale_redis *redis,
                               int64_t now_ms)
{
    int64_t wait_ms = step(a, redis, now_ms);

    hale_redis_drain(redis); /* of a pipeline that was given up */
    return wait_ms;
}
