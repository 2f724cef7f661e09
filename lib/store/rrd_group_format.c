/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rrd_group_private.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* RRD version 0003: the structures of librrd's rrd_format.h, in their order in the file. */
#define COOKIE       "RRD"
#define VERSION      "0003"
#define FLOAT_COOKIE 8.642135E130
#define N_PARAMETERS 10
#define NAME_BYTES   20
#define XFF          (1023.0 / 1024.0) /* a coarse row is known when one fine row is */

union value {
    uint64_t count;
    double number;
};
struct fixed_head {
    char cookie[4];
    char version[5];
    double float_cookie;
    uint64_t n_ds, n_rra, step_s;
    /* RRDtool calls them "unused at the moment"; the first four are struct notes. */
    union value parameters[N_PARAMETERS];
};
struct notes {
    int64_t intent_s, first_s, gap_from_s, gap_to_s;
};
struct ds_head {
    char name[NAME_BYTES];
    char type[NAME_BYTES];
    union value parameters[N_PARAMETERS]; /* heartbeat, minimum, maximum */
};
struct rra_head {
    char cf[NAME_BYTES];
    uint64_t rows, steps_per_row;
    union value parameters[N_PARAMETERS]; /* xff */
};
struct live_head {
    int64_t last_s, last_us;
};
struct pdp_head {
    char last[30];
    union value scratch[10]; /* unknown seconds, value */
};
struct cdp_head {
    union value scratch[10]; /* value, unknown steps */
};
_Static_assert(sizeof(struct fixed_head) == HALE_RRD_FIXED_BYTES, "RRD format");
_Static_assert(sizeof(struct ds_head) == 120 && sizeof(struct rra_head) == 120,
               "RRD format");
_Static_assert(sizeof(struct live_head) == 16 && sizeof(struct pdp_head) == 112,
               "RRD format");
_Static_assert(sizeof(struct cdp_head) == 80 && sizeof(union value) == 8, "RRD format");

static const char *const cf_names[HALE_RRD_KINDS] = {"AVERAGE", "MIN", "MAX"};

size_t hale_rrd_format_columns(const struct hale_rrd_layout *l, enum hale_rrd_kind kind)
{
    return kind == HALE_RRD_KIND_SUM ? (size_t)2 * l->slots : l->slots;
}

void hale_rrd_format_places(const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                            struct hale_rrd_places *out)
{
    size_t columns = hale_rrd_format_columns(l, kind);
    out->notes = offsetof(struct fixed_head, parameters);
    out->live = sizeof(struct fixed_head) + columns * sizeof(struct ds_head) +
                l->n_tiers * sizeof(struct rra_head);
    out->rows = out->live + sizeof(struct live_head) + columns * sizeof(struct pdp_head) +
                l->n_tiers * columns * sizeof(struct cdp_head);
    out->header = out->rows + l->n_tiers * sizeof(uint64_t);
}

/* "sum12" without snprintf: this runs at each opening. */
static void ds_name(enum hale_rrd_kind kind, size_t column, char *dst)
{
    static const char *const words[] = {"sum", "count", "min", "max"};
    size_t slot = kind == HALE_RRD_KIND_SUM ? column / 2 : column;
    const char *word =
        kind == HALE_RRD_KIND_SUM ? words[column % 2] : words[(size_t)kind + 1];
    size_t n = 0;
    for (; word[n] != '\0'; n++)
        dst[n] = word[n];
    if (slot >= 10)
        dst[n++] = (char)('0' + slot / 10);
    dst[n] = (char)('0' + slot % 10);
}

/* The part that never changes but for the parameters of fixed_head; dst is zeroed. */
static void build_definitions(const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                              unsigned char *dst)
{
    size_t columns = hale_rrd_format_columns(l, kind);
    struct fixed_head fixed;
    struct ds_head ds;
    struct rra_head rra;
    memset(&fixed, 0, sizeof(fixed));
    memcpy(fixed.cookie, COOKIE, sizeof(COOKIE));
    memcpy(fixed.version, VERSION, sizeof(VERSION));
    fixed.float_cookie = FLOAT_COOKIE;
    fixed.n_ds = columns;
    fixed.n_rra = l->n_tiers;
    fixed.step_s = (uint64_t)l->tiers[0].step_s;
    memcpy(dst, &fixed, sizeof(fixed));
    dst += sizeof(fixed);
    for (size_t c = 0; c < columns; c++) {
        memset(&ds, 0, sizeof(ds));
        ds_name(kind, c, ds.name);
        memcpy(ds.type, "GAUGE", sizeof("GAUGE"));
        ds.parameters[0].count = 2 * (uint64_t)l->tiers[0].step_s;
        ds.parameters[1].number = (double)NAN;
        ds.parameters[2].number = (double)NAN;
        memcpy(dst, &ds, sizeof(ds));
        dst += sizeof(ds);
    }
    for (unsigned t = 0; t < l->n_tiers; t++) {
        memset(&rra, 0, sizeof(rra));
        memcpy(rra.cf, cf_names[kind], strlen(cf_names[kind]));
        rra.rows = (uint64_t)l->tiers[t].rows;
        rra.steps_per_row = (uint64_t)(l->tiers[t].step_s / l->tiers[0].step_s);
        rra.parameters[0].number = XFF;
        memcpy(dst, &rra, sizeof(rra));
        dst += sizeof(rra);
    }
}

void hale_rrd_format_header(const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                            int64_t first_s, unsigned char *dst)
{
    size_t columns = hale_rrd_format_columns(l, kind);
    struct hale_rrd_places at;
    struct live_head live = {.last_s = first_s};
    struct notes notes = {.intent_s = first_s, .first_s = first_s};
    struct pdp_head pdp;
    struct cdp_head cdp;
    uint64_t rows[HALE_RRD_TIERS_MAX];
    hale_rrd_format_places(l, kind, &at);
    memset(dst, 0, at.header);
    build_definitions(l, kind, dst);
    memcpy(dst + at.notes, &notes, sizeof(notes));
    memcpy(dst + at.live, &live, sizeof(live));
    unsigned char *p = dst + at.live + sizeof(live);
    memset(&pdp, 0, sizeof(pdp));
    memcpy(pdp.last, "U", sizeof("U"));
    memset(&cdp, 0, sizeof(cdp));
    cdp.scratch[0].number = (double)NAN;
    for (size_t c = 0; c < columns; c++, p += sizeof(pdp))
        memcpy(p, &pdp, sizeof(pdp));
    for (size_t c = 0; c < columns * l->n_tiers; c++, p += sizeof(cdp))
        memcpy(p, &cdp, sizeof(cdp));
    hale_rrd_format_row_numbers(l, first_s, rows);
    memcpy(p, rows, l->n_tiers * sizeof(rows[0]));
    HALE_ASSERT(p + l->n_tiers * sizeof(rows[0]) == dst + at.header);
}

static bool is_rrd(const struct fixed_head *fixed)
{
    return memcmp(fixed->cookie, COOKIE, sizeof(COOKIE)) == 0 &&
           memcmp(fixed->version, VERSION, sizeof(VERSION)) == 0 &&
           fixed->float_cookie == FLOAT_COOKIE;
}

static bool time_ok(int64_t t, int64_t step_s)
{
    return t > 0 && t <= HALE_RRD_TIME_MAX && t % step_s == 0;
}

enum hale_rc hale_rrd_format_parse(const struct hale_rrd_layout *l,
                                   enum hale_rrd_kind kind, unsigned char *head,
                                   const char *source, struct hale_rrd_state *out,
                                   struct hale_err *err)
{
    struct hale_rrd_places at;
    struct fixed_head fixed;
    struct live_head live;
    struct notes notes;
    int64_t step_s = l->tiers[0].step_s;
    hale_rrd_format_places(l, kind, &at);
    unsigned char *scratch = head + at.live + sizeof(live);
    memcpy(&fixed, head, sizeof(fixed));
    if (!is_rrd(&fixed))
        return hale_err_at(
            err, HALE_E_IO, source, 0, 0,
            "not a round-robin file of this machine; remove it or restore it");
    memset(scratch, 0, at.live);
    build_definitions(l, kind, scratch);
    memcpy(&notes, head + at.notes, sizeof(notes));
    memcpy(scratch + at.notes, &notes, sizeof(notes));
    if (memcmp(scratch, head, at.live) != 0)
        return hale_err_at(err, HALE_E_CONFLICT, source, 0, 0,
                           "the file has another layout (%" PRIu64
                           " data sources, %" PRIu64 " tiers, step %" PRIu64
                           " s) than asked for (%zu, %u, %" PRId64
                           " s), or is damaged; remove it or restore it",
                           fixed.n_ds, fixed.n_rra, fixed.step_s,
                           hale_rrd_format_columns(l, kind), l->n_tiers, step_s);
    memcpy(&live, head + at.live, sizeof(live));
    *out = (struct hale_rrd_state){notes.first_s, live.last_s, notes.intent_s,
                                   notes.gap_from_s, notes.gap_to_s};
    if (!time_ok(out->first_s, step_s) || !time_ok(out->last_s, step_s) ||
        !time_ok(out->intent_s, step_s) || live.last_us != 0 ||
        out->first_s > out->last_s || out->last_s > out->intent_s)
        return hale_err_at(err, HALE_E_IO, source, 0, 0,
                           "damaged: first step %" PRId64 ", last update %" PRId64
                           ", written up to %" PRId64
                           " do not fit; remove the file or restore it",
                           out->first_s, out->last_s, out->intent_s);
    return HALE_OK;
}

bool hale_rrd_format_live_at(const unsigned char *fixed, size_t *out)
{
    struct fixed_head head;
    memcpy(&head, fixed, sizeof(head));
    if (!is_rrd(&head) || head.n_ds < 1 || head.n_ds > 2 * (uint64_t)HALE_RRD_SLOTS_MAX ||
        head.n_rra < 1 || head.n_rra > HALE_RRD_TIERS_MAX)
        return false;
    *out = sizeof(struct fixed_head) + (size_t)head.n_ds * sizeof(struct ds_head) +
           (size_t)head.n_rra * sizeof(struct rra_head);
    return true;
}

void hale_rrd_format_row_numbers(const struct hale_rrd_layout *l, int64_t last_s,
                                 uint64_t out[HALE_RRD_TIERS_MAX])
{
    for (unsigned t = 0; t < l->n_tiers; t++) {
        int64_t n = last_s / l->tiers[t].step_s; /* rows that are over */
        int64_t rows = l->tiers[t].rows;
        out[t] = (uint64_t)((n + rows - 1) % rows);
    }
}
