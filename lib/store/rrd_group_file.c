/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rrd_group_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

#define FILE_MODE   0640
#define PUNCH_BYTES ((int64_t)64 * 1024) /* smaller gaps are written as zeros */
#define COLUMN      sizeof(double)

static const char *const suffixes[HALE_RRD_KINDS] = {".sum.rrd", ".min.rrd", ".max.rrd"};

static enum hale_rc failed(const char *path, const char *what, int error,
                           struct hale_err *err)
{
    enum hale_rc rc =
        error == ENOENT || error == ENOMEM ? hale_rc_from_errno(error) : HALE_E_IO;
    bool full = error == ENOSPC || error == EDQUOT;
    return hale_err_at(
        err, rc, path, 0, 0, "cannot %s: %s%s", what, strerrordesc_np(error),
        full ? "; free some disk or keep the archive for a shorter time" : "");
}

enum hale_rc hale_rrd_file_init(struct hale_rrd_file *f, const char *path,
                                const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                                struct hale_err *err)
{
    int n = snprintf(f->path, sizeof(f->path), "%s%s", path, suffixes[kind]);
    f->fd = -1;
    /* Room for the temporary name, too. */
    if (n < 0 || (size_t)n + sizeof(".new") > sizeof(f->path))
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                           "the path is longer than %d bytes", HALE_RRD_PATH_MAX - 16);
    f->kind = kind;
    f->l = l;
    f->state = (struct hale_rrd_state){.first_s = 0};
    if (l == NULL)
        return HALE_OK;
    f->columns = hale_rrd_format_columns(l, kind);
    hale_rrd_format_places(l, kind, &f->at);
    int64_t at = (int64_t)f->at.header;
    for (unsigned t = 0; t < l->n_tiers; t++) {
        f->tier_at[t] = at;
        at += l->tiers[t].rows * (int64_t)(f->columns * COLUMN);
    }
    f->bytes = at;
    return HALE_OK;
}

void hale_rrd_file_close(struct hale_rrd_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd); /* nothing is buffered by us: each write was checked */
    f->fd = -1;
}

static enum hale_rc read_at(const struct hale_rrd_file *f, void *dst, size_t n,
                            int64_t at, struct hale_err *err)
{
    unsigned char *p = dst;
    while (n > 0) {
        ssize_t got = pread(f->fd, p, n, (off_t)at);
        if (got == 0)
            return hale_err_at(err, HALE_E_IO, f->path, 0, 0,
                               "the file is cut off; remove it or restore it");
        if (got < 0 && errno != EINTR)
            return failed(f->path, "read", errno, err);
        if (got > 0) {
            p += got;
            at += got;
            n -= (size_t)got;
        }
    }
    return HALE_OK;
}

static enum hale_rc write_at(const struct hale_rrd_file *f, const void *src, size_t n,
                             int64_t at, struct hale_err *err)
{
    const unsigned char *p = src;
    while (n > 0) {
        ssize_t put = pwrite(f->fd, p, n, (off_t)at);
        if (put < 0 && errno != EINTR)
            return failed(f->path, "write", errno, err);
        if (put > 0) {
            p += put;
            at += put;
            n -= (size_t)put;
        }
    }
    return HALE_OK;
}

/* Header and size of the open file. */
static enum hale_rc check_file(struct hale_rrd_file *f, struct hale_err *err)
{
    struct stat st;
    size_t n = f->at.live + 2 * sizeof(int64_t);
    if (fstat(f->fd, &st) != 0)
        return failed(f->path, "look at it", errno, err);
    if (!S_ISREG(st.st_mode) || st.st_size < HALE_RRD_FIXED_BYTES)
        return hale_err_at(err, HALE_E_IO, f->path, 0, 0,
                           "not a round-robin file; remove it or restore it");
    unsigned char *head = calloc(2, n);
    if (head == NULL)
        return hale_err_at(err, HALE_E_NOMEM, f->path, 0, 0, "out of memory");
    /* A shorter file stays zeroes at its end and does not compare. */
    size_t there = (uint64_t)st.st_size < n ? (size_t)st.st_size : n;
    enum hale_rc rc = read_at(f, head, there, 0, err);
    if (rc == HALE_OK)
        rc = hale_rrd_format_parse(f->l, f->kind, head, f->path, &f->state, err);
    free(head);
    if (rc == HALE_OK && st.st_size != f->bytes)
        rc = hale_err_at(err, HALE_E_IO, f->path, 0, 0,
                         "damaged: %jd bytes instead of %" PRId64
                         "; remove the file or restore it",
                         (intmax_t)st.st_size, f->bytes);
    return rc;
}

enum hale_rc hale_rrd_file_open(struct hale_rrd_file *f, bool writable,
                                struct hale_err *err)
{
    HALE_ASSERT(f->fd < 0 && f->l != NULL);
    f->fd = open(f->path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0)
        return failed(f->path, "open", errno, err);
    enum hale_rc rc = check_file(f, err);
    if (rc != HALE_OK)
        hale_rrd_file_close(f);
    return rc;
}

/* The header, the size, and then the name. */
static enum hale_rc make(struct hale_rrd_file *f, const char *temporary,
                         const unsigned char *header, struct hale_err *err)
{
    enum hale_rc rc = write_at(f, header, f->at.header, 0, err);
    if (rc == HALE_OK && ftruncate(f->fd, (off_t)f->bytes) != 0)
        rc = failed(f->path, "size", errno, err);
    if (rc == HALE_OK && rename(temporary, f->path) != 0)
        rc = failed(f->path, "make", errno, err);
    if (rc != HALE_OK)
        (void)unlink(temporary); /* the error is told already */
    return rc;
}

enum hale_rc hale_rrd_file_create(struct hale_rrd_file *f, int64_t first_s,
                                  struct hale_err *err)
{
    char temporary[HALE_RRD_PATH_MAX + sizeof(".new")];
    HALE_ASSERT(f->fd < 0 && f->l != NULL);
    (void)snprintf(temporary, sizeof(temporary), "%s.new", f->path);
    unsigned char *header = malloc(f->at.header);
    if (header == NULL)
        return hale_err_at(err, HALE_E_NOMEM, f->path, 0, 0, "out of memory");
    hale_rrd_format_header(f->l, f->kind, first_s, header);
    enum hale_rc rc = HALE_OK;
    (void)unlink(
        temporary); /* what a killed creation left; if it cannot go, open says why */
    f->fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (f->fd < 0)
        rc = failed(f->path, "make", errno, err);
    else
        rc = make(f, temporary, header, err);
    free(header);
    f->state = (struct hale_rrd_state){first_s, first_s, first_s, 0, 0};
    if (rc != HALE_OK)
        hale_rrd_file_close(f);
    return rc;
}

int64_t hale_rrd_file_begin(const struct hale_rrd_file *f, unsigned tier)
{
    const struct hale_rrd_tier *t = &f->l->tiers[tier];
    return hale_rrd_floor(f->state.intent_s, t->step_s) - t->rows * t->step_s;
}

/* The piece of n rows from number on that does not wrap around. */
static size_t piece(const struct hale_rrd_file *f, unsigned tier, int64_t number,
                    size_t n, int64_t *at)
{
    int64_t rows = f->l->tiers[tier].rows;
    int64_t index = number % rows;
    *at = f->tier_at[tier] + index * (int64_t)(f->columns * COLUMN);
    return (int64_t)n < rows - index ? n : (size_t)(rows - index);
}

enum hale_rc hale_rrd_file_read(const struct hale_rrd_file *f, unsigned tier,
                                int64_t time_s, size_t n, double *rows,
                                struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    int64_t number = time_s / f->l->tiers[tier].step_s;
    while (n > 0 && rc == HALE_OK) {
        int64_t at;
        size_t now = piece(f, tier, number, n, &at);
        rc = read_at(f, rows, now * f->columns * COLUMN, at, err);
        rows += now * f->columns;
        number += (int64_t)now;
        n -= now;
    }
    return rc;
}

enum hale_rc hale_rrd_file_write(const struct hale_rrd_file *f, unsigned tier,
                                 int64_t time_s, size_t n, const double *rows,
                                 struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    int64_t number = time_s / f->l->tiers[tier].step_s;
    while (n > 0 && rc == HALE_OK) {
        int64_t at;
        size_t now = piece(f, tier, number, n, &at);
        rc = write_at(f, rows, now * f->columns * COLUMN, at, err);
        rows += now * f->columns;
        number += (int64_t)now;
        n -= now;
    }
    return rc;
}

/* Much of it becomes a hole where the file system can do that; the rest is zeros. */
static enum hale_rc zero(const struct hale_rrd_file *f, int64_t at, int64_t n,
                         struct hale_err *err)
{
    static const unsigned char zeros[4096];
    if (n >= PUNCH_BYTES && fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                      (off_t)at, (off_t)n) == 0)
        return HALE_OK;
    enum hale_rc rc = HALE_OK;
    for (int64_t done = 0; done < n && rc == HALE_OK; done += (int64_t)sizeof(zeros)) {
        int64_t rest = n - done;
        rc = write_at(f, zeros,
                      rest < (int64_t)sizeof(zeros) ? (size_t)rest : sizeof(zeros),
                      at + done, err);
    }
    return rc;
}

enum hale_rc hale_rrd_file_clear(const struct hale_rrd_file *f, unsigned tier,
                                 int64_t from_s, int64_t to_s, struct hale_err *err)
{
    const struct hale_rrd_tier *t = &f->l->tiers[tier];
    int64_t rows = to_s > from_s ? (to_s - from_s) / t->step_s : 0;
    int64_t number = from_s / t->step_s;
    enum hale_rc rc = HALE_OK;
    if (rows > t->rows)
        rows = t->rows;
    for (size_t n = (size_t)rows; n > 0 && rc == HALE_OK;) {
        int64_t at;
        size_t now = piece(f, tier, number, n, &at);
        rc = zero(f, at, (int64_t)(now * f->columns * COLUMN), err);
        number += (int64_t)now;
        n -= now;
    }
    return rc;
}

enum hale_rc hale_rrd_file_intend(struct hale_rrd_file *f, int64_t end_s,
                                  struct hale_err *err)
{
    if (end_s <= f->state.intent_s)
        return HALE_OK;
    f->state.intent_s = end_s;
    return write_at(f, &end_s, sizeof(end_s), (int64_t)f->at.notes, err);
}

enum hale_rc hale_rrd_file_note_gap(struct hale_rrd_file *f, int64_t from_s, int64_t to_s,
                                    struct hale_err *err)
{
    int64_t gap[] = {from_s, to_s};
    f->state.gap_from_s = from_s;
    f->state.gap_to_s = to_s;
    return write_at(f, gap, sizeof(gap), (int64_t)(f->at.notes + 2 * sizeof(int64_t)),
                    err);
}

enum hale_rc hale_rrd_file_commit(struct hale_rrd_file *f, int64_t end_s,
                                  struct hale_err *err)
{
    uint64_t numbers[HALE_RRD_TIERS_MAX];
    hale_rrd_format_row_numbers(f->l, end_s, numbers);
    /* We find rows by their time; the numbers are for RRDtool, so their order does not matter. */
    enum hale_rc rc = write_at(f, numbers, f->l->n_tiers * sizeof(numbers[0]),
                               (int64_t)f->at.rows, err);
    if (rc == HALE_OK)
        rc = write_at(f, &end_s, sizeof(end_s), (int64_t)f->at.live, err);
    if (rc == HALE_OK)
        f->state.last_s = end_s;
    return rc;
}
