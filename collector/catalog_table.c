/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/catalog_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* --- arena ----------------------------------------------------------------------------- */

#define UNIT_BYTES  8u
#define CHUNK_BITS  17u /* units: 1 MiB */
#define CHUNK_UNITS (1u << CHUNK_BITS)
#define CHUNKS_MAX  (1u << (32u - CHUNK_BITS))

static bool add_chunk(struct catalog_arena *a)
{
    if (a->n_chunks == CHUNKS_MAX)
        return false;
    if (a->n_chunks == a->cap) {
        uint32_t cap = a->cap > 0 ? 2 * a->cap : 16;
        char **v = realloc(a->chunks, cap * sizeof(v[0]));
        if (v == NULL)
            return false;
        a->chunks = v;
        a->cap = cap;
    }
    char *chunk = calloc(CHUNK_UNITS, UNIT_BYTES);
    if (chunk == NULL)
        return false;
    a->chunks[a->n_chunks++] = chunk;
    a->used = 0;
    return true;
}

static uint32_t units_of(size_t bytes)
{
    return (uint32_t)((bytes + UNIT_BYTES - 1) / UNIT_BYTES);
}

void *catalog_arena_add(struct catalog_arena *a, size_t bytes, uint32_t *ref_out)
{
    HALE_ASSERT(bytes <= CHUNK_UNITS);
    uint32_t units = units_of(bytes);

    if ((a->n_chunks == 0 || a->used + units > CHUNK_UNITS) && !add_chunk(a))
        return NULL;
    *ref_out = (a->n_chunks - 1) << CHUNK_BITS | a->used;
    a->used += units;
    return catalog_arena_at(a, *ref_out);
}

void *catalog_arena_at(const struct catalog_arena *a, uint32_t ref)
{
    return a->chunks[ref >> CHUNK_BITS] + (size_t)(ref & (CHUNK_UNITS - 1)) * UNIT_BYTES;
}

void catalog_arena_undo(struct catalog_arena *a, size_t bytes)
{
    a->used -= units_of(bytes);
    memset(a->chunks[a->n_chunks - 1] + (size_t)a->used * UNIT_BYTES, 0,
           (size_t)units_of(bytes) * UNIT_BYTES);
}

void *catalog_arena_get(const struct catalog_arena *a, uint32_t ref)
{
    uint32_t chunk = ref >> CHUNK_BITS;
    uint32_t unit = ref & (CHUNK_UNITS - 1);

    if (chunk >= a->n_chunks || (chunk + 1 == a->n_chunks && unit >= a->used))
        return NULL;
    return catalog_arena_at(a, ref);
}

uint32_t catalog_arena_next(uint32_t ref, size_t bytes)
{
    return ref + units_of(bytes); /* a full chunk leads to the next one's first unit */
}

uint32_t catalog_arena_next_chunk(const struct catalog_arena *a, uint32_t ref)
{
    uint32_t chunk = (ref >> CHUNK_BITS) + 1;

    return chunk < a->n_chunks ? chunk << CHUNK_BITS : CATALOG_NONE;
}

size_t catalog_arena_bytes(const struct catalog_arena *a)
{
    return (size_t)a->n_chunks * CHUNK_UNITS * UNIT_BYTES;
}

void catalog_arena_fini(struct catalog_arena *a)
{
    for (uint32_t i = 0; i < a->n_chunks; i++)
        free(a->chunks[i]);
    free(a->chunks);
    memset(a, 0, sizeof(*a));
}

/* --- table ----------------------------------------------------------------------------- */

struct catalog_slot {
    uint32_t hash;
    uint32_t number; /* + 1; 0: empty */
};

#define FIRST_SLOTS 8u

uint32_t catalog_table_find(const struct catalog_table *t, uint32_t hash,
                            catalog_same same, const void *owner, const void *what)
{
    if (t->slots == NULL)
        return CATALOG_NONE;
    for (uint32_t i = hash & t->mask; t->slots[i].number != 0; i = (i + 1) & t->mask) {
        if (t->slots[i].hash == hash && same(owner, t->slots[i].number - 1, what))
            return t->slots[i].number - 1;
    }
    return CATALOG_NONE;
}

static void place(struct catalog_slot *slots, uint32_t mask, struct catalog_slot s)
{
    uint32_t i = s.hash & mask;

    while (slots[i].number != 0)
        i = (i + 1) & mask;
    slots[i] = s;
}

static enum hale_rc grow_table(struct catalog_table *t)
{
    uint32_t n = t->slots != NULL ? 2 * (t->mask + 1) : FIRST_SLOTS;
    struct catalog_slot *slots = n > t->n ? calloc(n, sizeof(*slots)) : NULL;

    if (slots == NULL)
        return HALE_E_NOMEM;
    for (uint32_t i = 0; t->slots != NULL && i <= t->mask; i++) {
        if (t->slots[i].number != 0)
            place(slots, n - 1, t->slots[i]);
    }
    free(t->slots);
    t->slots = slots;
    t->mask = n - 1;
    return HALE_OK;
}

enum hale_rc catalog_table_add(struct catalog_table *t, uint32_t hash, uint32_t number)
{
    if (t->slots == NULL || t->n + 1 > (t->mask + 1) / 4 * 3) {
        enum hale_rc rc = grow_table(t);
        if (rc != HALE_OK)
            return rc;
    }
    place(t->slots, t->mask, (struct catalog_slot){hash, number + 1});
    t->n++;
    return HALE_OK;
}

size_t catalog_table_bytes(const struct catalog_table *t)
{
    return t->slots != NULL ? ((size_t)t->mask + 1) * sizeof(t->slots[0]) : 0;
}

void catalog_table_fini(struct catalog_table *t)
{
    free(t->slots);
    memset(t, 0, sizeof(*t));
}

/* --- list ------------------------------------------------------------------------------ */

enum hale_rc catalog_list_reserve(struct catalog_list *l)
{
    if (l->n < l->cap)
        return HALE_OK;
    if (l->cap > CATALOG_NONE / 2)
        return HALE_E_NOMEM;
    uint32_t cap = l->cap > 0 ? l->cap + l->cap / 2 + 1 : 4;
    uint32_t *v = realloc(l->v, (size_t)cap * sizeof(v[0]));
    if (v == NULL)
        return HALE_E_NOMEM;
    l->v = v;
    l->cap = cap;
    return HALE_OK;
}

void catalog_list_fini(struct catalog_list *l)
{
    free(l->v);
    memset(l, 0, sizeof(*l));
}

/* --- order ----------------------------------------------------------------------------- */

struct texts {
    catalog_text text;
    const void *owner;
};

static int by_text(const void *a, const void *b, void *arg)
{
    const struct texts *t = arg;

    return hale_str_cmp(t->text(t->owner, *(const uint32_t *)a),
                        t->text(t->owner, *(const uint32_t *)b));
}

/* Index of the first of the n first that is greater than s. */
static uint32_t upper(const uint32_t *v, uint32_t n, struct hale_str s,
                      const struct texts *t)
{
    uint32_t lo = 0;
    uint32_t hi = n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (hale_str_cmp(t->text(t->owner, v[mid]), s) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Merges from the back: each addition moves the run behind its place once. Without memory
 * for a copy of the additions all is sorted anew, which is slower and as good. */
void catalog_order_settle(struct catalog_order *o, catalog_text text, const void *owner)
{
    struct texts t = {text, owner};
    uint32_t *v = o->list.v;
    uint32_t n = o->sorted;
    uint32_t more = o->list.n - n;
    uint32_t *added = more > 0 && n > 0 ? malloc((size_t)more * sizeof(v[0])) : NULL;

    o->sorted = o->list.n;
    if (more == 0)
        return;
    if (added == NULL) {
        qsort_r(v, o->list.n, sizeof(v[0]), by_text, &t);
        return;
    }
    memcpy(added, v + n, (size_t)more * sizeof(v[0]));
    qsort_r(added, more, sizeof(v[0]), by_text, &t);
    for (uint32_t hi = n; more > 0; more--) {
        uint32_t at = upper(v, hi, text(owner, added[more - 1]), &t);
        memmove(v + at + more, v + at, (size_t)(hi - at) * sizeof(v[0]));
        v[at + more - 1] = added[more - 1];
        hi = at;
    }
    free(added);
}

uint32_t catalog_order_after(const struct catalog_order *o, struct hale_str after,
                             catalog_text text, const void *owner)
{
    struct texts t = {text, owner};

    return after.p != NULL ? upper(o->list.v, o->sorted, after, &t) : 0;
}
