/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - the snapshot: engine to fields of a hash and back. Little-endian; every value
 * begins with its version (docs/formats/thresholds.md). Reading trusts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "thresholds/bytes.h"

#define VERSION        2 /* 1: without level and what waits */
#define PAGE_MAX_BYTES (16u << 20)
#define FIELD_MAX      128
/* A window of the farthest time may end some periods later. */
#define TIME_MAX_S (THRESHOLDS_TIME_MAX_MS / 1000 + HALE_EXPR_MAX_PERIOD_S * 2000)

enum {
    FLAG_STATE = 3,
    FLAG_REPORTED = 4,
    FLAG_CHANGED = 8,
    FLAG_ASLEEP = 16,
    FLAGS = 31
};

/* --- writing ------------------------------------------------------------------------ */

static void put_sub(struct hale_buf *b, const struct sub *a)
{
    unsigned flags = a->state | (a->reported ? (unsigned)FLAG_REPORTED : 0) |
                     (a->changed ? (unsigned)FLAG_CHANGED : 0) |
                     (a->asleep ? (unsigned)FLAG_ASLEEP : 0);
    put(b, a->place % SUBS_PER_PAGE, 1);
    put(b, a->def->uid, 8);
    put(b, a->index, 1);
    put(b, flags, 1);
    put(b, a->uid, 8);
    put(b, a->born, 8);
    put(b, (uint64_t)a->recheck_ms, 8);
    put(b, (uint64_t)a->view_end_s, 8);
    put(b, (uint64_t)a->data_end_s, 8);
    put(b, (uint64_t)a->last_ms, 8);
    put(b, a->empty, 4);
    put(b, a->level, 1);
    put(b, a->pend, 1);
    put(b, (uint64_t)a->pend_ms, 8);
    put(b, a->n_last, 2);
    put(b, a->n_group, 2);
    put(b, a->group_len, 2);
    hale_buf_add_str(b, sub_group(a));
    put(b, a->n_slots, 2);
    for (unsigned i = 0; i < a->n_slots; i++) {
        unsigned k = (a->head + i) % a->n_slots;
        put(b, a->slots[k].n, 4);
        if (a->slots[k].n > 0) {
            put_double(b, a->slots[k].acc);
            thresholds_kept_put_slot(a, k, b);
        }
    }
    if (a->calculated)
        thresholds_operands_put(a, b);
    if (keeps_more(a))
        thresholds_kept_put(a, b);
    if (a->func != HALE_FUNC_RATE)
        return;
    uint32_t n = a->counters != NULL ? a->counters->n : 0;
    put(b, n, 2);
    for (uint32_t i = 0; i < n; i++) {
        put(b, a->counters->v[i].id, 8);
        put(b, (uint64_t)a->counters->v[i].ms, 8);
        put_double(b, a->counters->v[i].value);
    }
}

struct saver {
    struct hale_buf value;
    char field[FIELD_MAX];
    thresholds_save_fn fn;
    void *arg;
};

/* Hands out the field `prefix` + rest; nothing in value means: remove it. */
static enum hale_rc hand_out(struct saver *sv, char prefix, const char *rest, bool remove)
{
    int n = snprintf(sv->field, sizeof(sv->field), "%c%s", prefix, rest);
    if (n <= 0 || (size_t)n >= sizeof(sv->field) || sv->value.failed)
        return HALE_E_LIMIT;
    struct hale_str value =
        remove ? (struct hale_str){NULL, 0} : hale_buf_str(&sv->value);
    return sv->fn((struct hale_str){sv->field, (size_t)n}, value, sv->arg) == 0
               ? HALE_OK
               : HALE_E_CLOSED;
}

static void begin(struct saver *sv)
{
    hale_buf_reset(&sv->value);
    put(&sv->value, VERSION, 1);
}

static enum hale_rc save_definitions(struct thresholds_engine *e, bool all,
                                     struct saver *sv)
{
    enum hale_rc rc = HALE_OK;
    for (struct def *def = e->dropped; rc == HALE_OK && def != NULL;
         def = def->next_dropped) {
        if (hale_map_get(e->defs, hale_str_from(def->d->id)) == NULL)
            rc = hand_out(sv, 'd', def->d->id, true);
    }
    size_t it = 0;
    struct def *def;
    while (rc == HALE_OK && (def = hale_map_next(e->defs, &it, NULL)) != NULL) {
        if (!all && !def->dirty)
            continue;
        begin(sv);
        put(&sv->value, def->uid, 8);
        rc = hale_definition_encode(def->d, &sv->value);
        if (rc == HALE_OK)
            rc = hand_out(sv, 'd', def->d->id, false);
    }
    return rc;
}

static enum hale_rc save_sub_page(struct thresholds_engine *e, size_t page, bool all,
                                  struct saver *sv)
{
    unsigned n = 0;
    size_t first = page * SUBS_PER_PAGE;
    for (size_t i = first; i < first + SUBS_PER_PAGE && i < e->n_places; i++)
        n += e->subs[i] != NULL;
    if (n == 0 && all)
        return HALE_OK;
    begin(sv);
    put(&sv->value, n, 2);
    for (size_t i = first; i < first + SUBS_PER_PAGE && i < e->n_places; i++) {
        if (e->subs[i] != NULL)
            put_sub(&sv->value, e->subs[i]);
    }
    char rest[24];
    (void)snprintf(rest, sizeof(rest), "%zu", page);
    return hand_out(sv, 'p', rest, n == 0);
}

static enum hale_rc save_series_page(struct thresholds_engine *e, size_t page,
                                     struct saver *sv)
{
    size_t first = page * SERIES_PER_PAGE;
    size_t n = e->n_kept - first < SERIES_PER_PAGE ? e->n_kept - first : SERIES_PER_PAGE;
    begin(sv);
    put(&sv->value, n, 2);
    for (size_t i = first; i < first + n; i++) {
        put(&sv->value, e->kept[i]->id, 8);
        put(&sv->value, e->kept[i]->gen, 8);
    }
    char rest[24];
    (void)snprintf(rest, sizeof(rest), "%zu", page);
    return hand_out(sv, 's', rest, false);
}

enum hale_rc thresholds_engine_save(struct thresholds_engine *e, bool all,
                                    thresholds_save_fn fn, void *arg)
{
    thresholds_settle(e);
    struct saver sv = {.fn = fn, .arg = arg};
    hale_buf_init(&sv.value, PAGE_MAX_BYTES);
    enum hale_rc rc = HALE_OK;
    begin(&sv);
    put(&sv.value, e->gen, 8);
    put(&sv.value, e->next_uid, 8);
    put(&sv.value, (uint64_t)e->ticked_ms, 8);
    rc = hand_out(&sv, 'h', "", false);
    if (rc == HALE_OK)
        rc = save_definitions(e, all, &sv);
    for (size_t p = 0; rc == HALE_OK && p * SUBS_PER_PAGE < e->n_places; p++) {
        if (all || e->sub_dirty[p])
            rc = save_sub_page(e, p, all, &sv);
    }
    for (size_t p = 0; rc == HALE_OK && p * SERIES_PER_PAGE < e->n_kept; p++) {
        if (all || e->series_dirty[p])
            rc = save_series_page(e, p, &sv);
    }
    hale_buf_fini(&sv.value);
    return rc;
}

void thresholds_engine_saved(struct thresholds_engine *e)
{
    if (e->cap_places > 0)
        memset(e->sub_dirty, 0, e->cap_places / SUBS_PER_PAGE);
    if (e->cap_kept > 0)
        memset(e->series_dirty, 0, e->cap_kept / SERIES_PER_PAGE);
    size_t it = 0;
    struct def *def;
    while ((def = hale_map_next(e->defs, &it, NULL)) != NULL)
        def->dirty = false;
    while ((def = e->dropped) != NULL) {
        e->dropped = def->next_dropped;
        thresholds_def_free(def);
    }
}

/* --- reading ------------------------------------------------------------------------ */

static struct cursor open_value(struct hale_str v)
{
    struct cursor c = {(const unsigned char *)v.p, (const unsigned char *)v.p + v.len,
                       false, 0};
    c.version = (unsigned)get(&c, 1);
    if (c.version == 0 || c.version > VERSION)
        c.bad = true;
    return c;
}

static bool group_fine(struct hale_str group, unsigned n)
{
    struct cursor c = {(const unsigned char *)group.p,
                       (const unsigned char *)group.p + group.len,
                       n > THRESHOLDS_GROUP_MAX, VERSION};
    for (unsigned i = 0; i < n && !c.bad; i++) {
        size_t len = (size_t)get(&c, 2);
        len += (size_t)get(&c, 2);
        (void)get_bytes(&c, len);
    }
    return !c.bad && c.p == c.end;
}

static bool get_slots(struct cursor *c, struct sub *a)
{
    unsigned n_slots = (unsigned)get(c, 2);
    bool last = a->func == HALE_FUNC_LAST;
    /* Another late_wait gives another number of future slots: keep what fits. */
    if (c->bad || (last ? n_slots != a->n_slots : n_slots <= a->times))
        return false;
    for (unsigned i = 0; i < n_slots && !c->bad; i++) {
        struct slot s = {.n = (uint32_t)get(c, 4)};
        if (s.n > 0)
            s.acc = get_double(c);
        if (i < a->n_slots)
            a->slots[i] = s;
        if (s.n > 0 && keeps_more(a) && !thresholds_kept_get_slot(a, c, i, s.n))
            return false;
    }
    for (unsigned i = 0; last && i < a->n_last && !c->bad; i++) {
        if (a->slots[i].n != 1)
            return false;
    }
    return !c->bad && (!keeps_more(a) || thresholds_kept_get(a, c));
}

static bool get_counters(struct cursor *c, struct sub *a)
{
    if (a->func != HALE_FUNC_RATE)
        return true;
    unsigned n = (unsigned)get(c, 2);
    for (unsigned i = 0; i < n && !c->bad; i++) {
        struct counter one = {.id = get(c, 8)};
        one.ms = get_time(c, THRESHOLDS_TIME_MAX_MS);
        one.value = get_double(c);
        /* By id, each once: so each comes to stand behind the others. */
        if (c->bad || isinf(one.value) || (i > 0 && a->counters->v[i - 1].id >= one.id) ||
            thresholds_rate_join(a, one.id) != HALE_OK)
            return false;
        a->counters->v[i] = one;
    }
    return !c->bad;
}

/* No data ends behind the slots there are (fewer than before with a shorter late_wait): else
 * the window would seem to have data, and close period after period, until that time. */
static int64_t data_end_within(const struct sub *a, int64_t data_end_s)
{
    int64_t end_s = window_start_s(a) + (int64_t)a->n_slots * a->width_s;
    return no_window(a) || data_end_s < end_s ? data_end_s : end_s;
}

/* The rest of a record after its definition is known. NULL: not a record. */
static struct sub *get_sub(struct thresholds_engine *e, struct cursor *c, struct def *def)
{
    unsigned index = (unsigned)get(c, 1);
    unsigned flags = (unsigned)get(c, 1);
    struct sub head = {.uid = get(c, 8)};
    head.born = get(c, 8);
    head.recheck_ms = get_time(c, TIME_MAX_S * 1000);
    head.view_end_s = get_time(c, TIME_MAX_S);
    head.data_end_s = get_time(c, TIME_MAX_S);
    head.last_ms = get_time(c, TIME_MAX_S * 1000);
    head.empty = (uint32_t)get(c, 4);
    if (c->version > 1) {
        head.level = (uint8_t)get(c, 1);
        head.pend = (uint8_t)get(c, 1);
        head.pend_ms = get_time(c, TIME_MAX_S * 1000);
    } else {
        head.level = (flags & FLAG_STATE) == HALE_STATE_ALARM;
    }
    head.n_last = (uint16_t)get(c, 2);
    unsigned n_group = (unsigned)get(c, 2);
    struct hale_str group = get_bytes(c, (size_t)get(c, 2));
    if (c->bad || index >= def->d->expr->n_subs || (flags & ~(unsigned)FLAGS) != 0 ||
        (flags & FLAG_STATE) > HALE_STATE_ALARM ||
        (head.level > 0) != ((flags & FLAG_STATE) == HALE_STATE_ALARM) ||
        head.level > def->d->expr->subs[index].n_levels + 1 ||
        head.pend > 1 + HALE_STATE_ALARM || !group_fine(group, n_group) ||
        head.view_end_s == NO_TIME || head.data_end_s == NO_TIME ||
        head.uid >= e->next_uid || head.born > e->gen ||
        thresholds_sub_find(e, def, index, group) != NULL)
        return NULL;
    struct sub *a = thresholds_sub_alloc(e, def, index, group, n_group);
    if (a == NULL)
        return NULL;
    a->uid = head.uid;
    a->born = head.born;
    a->recheck_ms = head.recheck_ms;
    a->view_end_s = head.view_end_s;
    a->data_end_s = data_end_within(a, head.data_end_s);
    a->last_ms = head.last_ms;
    a->empty = head.empty;
    a->n_last = head.n_last;
    a->state = (uint8_t)(flags & FLAG_STATE);
    a->reported = (flags & FLAG_REPORTED) != 0;
    a->changed = (flags & FLAG_CHANGED) != 0;
    a->asleep = (flags & FLAG_ASLEEP) != 0;
    a->level = head.level;
    a->pend = head.pend;
    a->pend_ms = head.pend_ms;
    thresholds_verdict_refresh(a);
    bool last = a->func == HALE_FUNC_LAST;
    bool fine = a->n_last <= (last ? a->n_slots : 0) &&
                (!last || (a->n_last > 0) == (a->last_ms != NO_TIME)) &&
                get_slots(c, a) && get_counters(c, a) &&
                (!a->calculated || thresholds_operands_get(a, c));
    if (!fine) {
        thresholds_sub_free(e, a);
        return NULL;
    }
    return a;
}

static bool load_page(struct thresholds_engine *e, struct hale_str rest,
                      struct hale_str value)
{
    uint64_t page;
    struct cursor c = open_value(value);
    if (hale_str_u64(rest, &page) != HALE_OK ||
        page > e->limits.max_subalarms / SUBS_PER_PAGE)
        return false;
    unsigned n = (unsigned)get(&c, 2);
    for (unsigned i = 0; i < n && !c.bad; i++) {
        uint64_t place = get(&c, 1);
        uint64_t uid = get(&c, 8);
        struct def *def = hale_u64map_get(e->defs_by_uid, uid);
        struct sub *a =
            def == NULL || place >= SUBS_PER_PAGE ? NULL : get_sub(e, &c, def);
        if (a == NULL)
            return false;
        if (thresholds_sub_adopt(e, a, (size_t)(page * SUBS_PER_PAGE + place)) !=
            HALE_OK) {
            thresholds_sub_free(e, a);
            return false;
        }
        thresholds_schedule(e, a);
    }
    return !c.bad && c.p == c.end;
}

static bool load_series(struct thresholds_engine *e, struct hale_str value)
{
    struct cursor c = open_value(value);
    unsigned n = (unsigned)get(&c, 2);
    for (unsigned i = 0; i < n && !c.bad; i++) {
        uint64_t id = get(&c, 8);
        uint64_t gen = get(&c, 8);
        if (c.bad || gen > e->gen || thresholds_series_restore(e, id, gen) != HALE_OK)
            return false;
    }
    return !c.bad && c.p == c.end;
}

static bool load_definition(struct thresholds_engine *e, struct hale_str id,
                            struct hale_str value)
{
    struct cursor c = open_value(value);
    uint64_t uid = get(&c, 8);
    struct hale_definition *d = NULL;
    if (c.bad || uid >= e->next_uid || hale_u64map_get(e->defs_by_uid, uid) != NULL)
        return false;
    struct hale_str json = {(const char *)c.p, (size_t)(c.end - c.p)};
    if (hale_definition_decode(json, &d, NULL) != HALE_OK)
        return false;
    if (!hale_str_eq_c(id, d->id) || thresholds_engine_definition(e, id) != NULL) {
        hale_definition_free(d);
        return false;
    }
    return thresholds_def_add(e, d, uid) == HALE_OK;
}

static bool load_header(struct thresholds_engine *e, struct hale_str value)
{
    struct cursor c = open_value(value);
    e->gen = get(&c, 8);
    e->next_uid = get(&c, 8);
    e->ticked_ms = (int64_t)get(&c, 8);
    return !c.bad && c.p == c.end && e->gen > 0 && e->gen < UINT64_MAX / 2 &&
           e->next_uid < UINT64_MAX / 2 / HALE_EXPR_MAX_SUBS;
}

static bool load_field(struct thresholds_engine *e, struct hale_str field,
                       struct hale_str value)
{
    struct hale_str rest = {field.p + 1, field.len - 1};
    switch (field.p[0]) {
    case 'h': return rest.len == 0 && load_header(e, value);
    case 'd': return load_definition(e, rest, value);
    case 'p': return load_page(e, rest, value);
    default: return load_series(e, value);
    }
}

enum hale_rc thresholds_engine_load(struct thresholds_engine *e, size_t n,
                                    const struct hale_str *fields,
                                    const struct hale_str *values, struct hale_err *err)
{
    HALE_ASSERT(e->stats.definitions == 0 && e->stats.subalarms == 0 && e->n_kept == 0);
    size_t done = 0;
    for (const char *kind = "hdps"; *kind != '\0'; kind++) {
        for (size_t i = 0; i < n; i++) {
            if (fields[i].len == 0 || fields[i].p[0] != *kind)
                continue;
            done++;
            if (!load_field(e, fields[i], values[i]))
                return hale_err_set(err, HALE_E_INVAL, "field %.*s cannot be read",
                                    fields[i].len < 60 ? (int)fields[i].len : 60,
                                    fields[i].p);
        }
    }
    if (done != n)
        return hale_err_set(err, HALE_E_INVAL, "unknown field");
    for (size_t i = e->n_places; i > 0; i--) {
        if (e->subs[i - 1] == NULL)
            e->free_places[e->n_free++] = (uint32_t)(i - 1);
    }
    thresholds_engine_saved(e);
    return HALE_OK;
}
