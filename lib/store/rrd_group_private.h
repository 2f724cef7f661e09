/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_STORE_RRD_GROUP_PRIVATE_H
#define HALE_STORE_RRD_GROUP_PRIVATE_H
/*
 * rrd_group_private - between the files of rrd_group: the format (RRD version 0003 as librrd writes
 * it on this machine) and one open file of the three. docs/formats/archive.md has the layout.
 * Threads:   as rrd_group.h.
 */
#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/rrd_group.h"

enum hale_rrd_kind { HALE_RRD_KIND_SUM, HALE_RRD_KIND_MIN, HALE_RRD_KIND_MAX };
#define HALE_RRD_KINDS        3
#define HALE_RRD_BUFFER_BYTES ((size_t)64 * 1024) /* rows read or written at once */
#define HALE_RRD_PATH_MAX     1024
#define HALE_RRD_TIME_MAX     ((int64_t)1 << 40) /* seconds; later is refused or damage */

/* --- the format (rrd_group_format.c); no input or output --- */

/* What the header says that changes. */
struct hale_rrd_state {
    int64_t first_s;  /* begin of the file's first step */
    int64_t last_s;   /* end of the last step held */
    int64_t intent_s; /* rows up to here may have been written, or were about to be */
    int64_t gap_from_s, gap_to_s; /* the last silence that was written */
};
/* Where the changing parts of a header lie, bytes from the file's begin. */
struct hale_rrd_places {
    size_t notes;  /* 32 bytes: intent_s, first_s, gap_from_s, gap_to_s */
    size_t live;   /* 16 bytes: last update, its microseconds */
    size_t rows;   /* 8 bytes a tier: index of the row written last */
    size_t header; /* length of all of it */
};
#define HALE_RRD_FIXED_BYTES 128 /* the part that does not depend on the layout */

size_t hale_rrd_format_columns(const struct hale_rrd_layout *l, enum hale_rrd_kind kind);
void hale_rrd_format_places(const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                            struct hale_rrd_places *out);
/* The whole header of a file that begins at first_s; dst has places.header bytes. */
void hale_rrd_format_header(const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                            int64_t first_s, unsigned char *dst);
/* head: the first places.live + 16 bytes of a file, and as much again to work in. HALE_E_IO,
 * HALE_E_CONFLICT; source is the file's name for err. */
HALE_MUST_CHECK enum hale_rc
hale_rrd_format_parse(const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                      unsigned char *head, const char *source, struct hale_rrd_state *out,
                      struct hale_err *err);
/* Without a layout: where the last update lies; false when these are not HALE_RRD_FIXED_BYTES of a
 * file of ours. */
bool hale_rrd_format_live_at(const unsigned char *fixed, size_t *out);
/* Rows of a tier are where their time says: row n (n = time / step) is number n modulo rows. */
void hale_rrd_format_row_numbers(const struct hale_rrd_layout *l, int64_t last_s,
                                 uint64_t out[HALE_RRD_TIERS_MAX]);

static inline int64_t hale_rrd_floor(int64_t t, int64_t step) /* t >= 0 */
{
    return t - t % step;
}

/* --- one file (rrd_group_file.c) --- */

struct hale_rrd_file {
    const struct hale_rrd_layout *l;
    enum hale_rrd_kind kind;
    int fd; /* -1: closed */
    char path[HALE_RRD_PATH_MAX];
    size_t columns;
    struct hale_rrd_places at;
    int64_t tier_at[HALE_RRD_TIERS_MAX];
    int64_t bytes; /* of the whole file */
    struct hale_rrd_state state;
};
/* Fills the struct, does not open: fd is -1. HALE_E_INVAL: path too long. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_init(struct hale_rrd_file *f, const char *path,
                                                const struct hale_rrd_layout *l,
                                                enum hale_rrd_kind kind,
                                                struct hale_err *err);
/* HALE_E_NOTFOUND, HALE_E_CONFLICT, HALE_E_IO. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_open(struct hale_rrd_file *f, bool writable,
                                                struct hale_err *err);
/* Makes the file whole or not at all and opens it. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_create(struct hale_rrd_file *f,
                                                  int64_t first_s, struct hale_err *err);
void hale_rrd_file_close(struct hale_rrd_file *f);
/* First second that tier still has for sure. */
int64_t hale_rrd_file_begin(const struct hale_rrd_file *f, unsigned tier);
/* n rows from the one that begins at time_s on, at most a ring of them. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_read(const struct hale_rrd_file *f,
                                                unsigned tier, int64_t time_s, size_t n,
                                                double *rows, struct hale_err *err);
HALE_MUST_CHECK enum hale_rc hale_rrd_file_write(const struct hale_rrd_file *f,
                                                 unsigned tier, int64_t time_s, size_t n,
                                                 const double *rows,
                                                 struct hale_err *err);
/* Empties the rows of [from_s, to_s), both on the tier's steps; gives the disk back if it is much. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_clear(const struct hale_rrd_file *f,
                                                 unsigned tier, int64_t from_s,
                                                 int64_t to_s, struct hale_err *err);
/* Says in the file that rows up to end_s are being written. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_intend(struct hale_rrd_file *f, int64_t end_s,
                                                  struct hale_err *err);
/* Says that [from_s, to_s) is a silence; counts only once to_s is committed. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_note_gap(struct hale_rrd_file *f,
                                                    int64_t from_s, int64_t to_s,
                                                    struct hale_err *err);
/* Says that rows up to end_s are written. */
HALE_MUST_CHECK enum hale_rc hale_rrd_file_commit(struct hale_rrd_file *f, int64_t end_s,
                                                  struct hale_err *err);

/* --- values --- */

/* In files of extremes +0 is "nothing" (what a hole reads as) and a real zero is -0. */
static inline bool hale_rrd_extreme_known(double v)
{
    union {
        double d;
        uint64_t bits;
    } u = {v};
    return u.bits != 0 && v == v;
}

/* Totals may overflow; opposite infinities give 0. */
static inline double hale_rrd_finite(double v)
{
    if (v > DBL_MAX)
        return DBL_MAX;
    if (v < -DBL_MAX)
        return -DBL_MAX;
    return v == v ? v : 0;
}
#endif
