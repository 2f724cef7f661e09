/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rrd_group.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/rrd_group_private.h"

struct span { /* what all three files hold of one tier: [begin_s, end_s) */
    unsigned tier;
    int64_t begin_s, end_s;
    bool reaches;
};

static struct span span_of(const struct hale_rrd_file files[HALE_RRD_KINDS],
                           unsigned tier, int64_t start_s)
{
    const struct hale_rrd_layout *l = files[0].l;
    int64_t step_s = l->tiers[tier].step_s;
    int64_t ring_s = 0;
    int64_t first_s = 0;
    int64_t last_s = HALE_RRD_TIME_MAX;
    bool same = true;
    for (unsigned k = 0; k < HALE_RRD_KINDS; k++) {
        int64_t begin_s = hale_rrd_file_begin(&files[k], tier);
        if (begin_s > ring_s)
            ring_s = begin_s;
        same = same && files[k].state.first_s == files[0].state.first_s;
        if (files[k].state.first_s > first_s)
            first_s = files[k].state.first_s;
        if (files[k].state.last_s < last_s)
            last_s = files[k].state.last_s;
    }
    /* Of files that do not begin together (one was lost), the first row is not the same time. */
    first_s = hale_rrd_floor(same ? first_s : first_s + step_s - 1, step_s);
    return (struct span){
        .tier = tier,
        .begin_s = ring_s > first_s ? ring_s : first_s,
        .end_s = hale_rrd_floor(last_s, step_s),
        .reaches = ring_s <= start_s || ring_s <= first_s,
    };
}

static struct span choose(const struct hale_rrd_file files[HALE_RRD_KINDS],
                          int64_t start_s, int64_t step_s)
{
    const struct hale_rrd_layout *l = files[0].l;
    unsigned t = 0;
    while (t + 1 < l->n_tiers && l->tiers[t].step_s < step_s)
        t++;
    struct span best = span_of(files, t, start_s);
    while (!best.reaches && ++t < l->n_tiers) {
        struct span next = span_of(files, t, start_s);
        if (next.reaches || next.begin_s < best.begin_s)
            best = next;
    }
    return best;
}

/* One slot's column of n rows from time_s on into the cells. */
static void pick(const struct hale_rrd_file *f, unsigned slot, double steps,
                 const double *rows, size_t n, struct hale_rrd_cell *cells)
{
    for (size_t i = 0; i < n; i++, rows += f->columns) {
        struct hale_rrd_cell *c = &cells[i];
        if (f->kind == HALE_RRD_KIND_SUM) {
            double number = nearbyint(rows[(size_t)2 * slot + 1] * steps);
            c->sum = hale_rrd_finite(rows[(size_t)2 * slot] * steps);
            c->n = number >= (double)UINT32_MAX ? UINT32_MAX
                   : number >= 1                ? (uint32_t)number
                                                : 0;
        } else if (!hale_rrd_extreme_known(rows[slot])) {
            c->n = 0;
        } else if (f->kind == HALE_RRD_KIND_MIN) {
            c->min = rows[slot] + 0.0; /* -0 is how a zero is stored */
        } else {
            c->max = rows[slot] + 0.0;
        }
    }
}

static enum hale_rc read_slot(const struct hale_rrd_file *f, unsigned slot, unsigned tier,
                              struct hale_rrd_rows *out, double *buffer,
                              struct hale_err *err)
{
    size_t most = HALE_RRD_BUFFER_BYTES / (f->columns * sizeof(double));
    int64_t steps = out->step_s / f->l->tiers[0].step_s;
    enum hale_rc rc = HALE_OK;
    for (size_t done = 0; done < out->n && rc == HALE_OK;) {
        size_t n = out->n - done < most ? out->n - done : most;
        rc = hale_rrd_file_read(f, tier, out->start_s + (int64_t)done * out->step_s, n,
                                buffer, err);
        if (rc == HALE_OK)
            pick(f, slot, (double)steps, buffer, n, out->cells + done);
        done += n;
    }
    return rc;
}

static enum hale_rc read_rows(const struct hale_rrd_file *files, unsigned kinds,
                              unsigned slot, unsigned tier, struct hale_rrd_rows *out,
                              struct hale_err *err)
{
    double *buffer = malloc(HALE_RRD_BUFFER_BYTES);
    enum hale_rc rc = HALE_OK;
    out->cells = calloc(out->n, sizeof(*out->cells));
    if (buffer == NULL || out->cells == NULL) {
        free(buffer);
        return hale_err_at(err, HALE_E_NOMEM, files[0].path, 0, 0, "out of memory");
    }
    for (unsigned k = 0; k < kinds && rc == HALE_OK; k++)
        rc = read_slot(&files[k], slot, tier, out, buffer, err);
    for (size_t i = 0; rc == HALE_OK && i < out->n; i++)
        if (out->cells[i].n == 0)
            out->cells[i] = (struct hale_rrd_cell){.n = 0};
    free(buffer);
    return rc;
}

/* The rows of the span that [start_s, end_s) touches. */
static void clip(const struct span *span, int64_t step_s, int64_t start_s, int64_t end_s,
                 struct hale_rrd_rows *out)
{
    if (start_s < span->begin_s)
        start_s = span->begin_s;
    if (end_s > span->end_s)
        end_s = span->end_s;
    out->step_s = step_s;
    out->start_s = hale_rrd_floor(start_s, step_s);
    if (end_s > start_s)
        out->n = (size_t)((end_s - out->start_s + step_s - 1) / step_s);
}

static enum hale_rc open_all(struct hale_rrd_file files[HALE_RRD_KINDS], const char *path,
                             const struct hale_rrd_layout *l, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned k = 0; k < HALE_RRD_KINDS; k++)
        files[k].fd = -1;
    for (unsigned k = 0; k < HALE_RRD_KINDS && rc == HALE_OK; k++) {
        rc = hale_rrd_file_init(&files[k], path, l, (enum hale_rrd_kind)k, err);
        if (rc == HALE_OK)
            rc = hale_rrd_file_open(&files[k], false, err);
    }
    return rc;
}

struct wanted {
    unsigned kinds; /* the first of the three: sums come first */
    unsigned slot;
    int64_t start_s, end_s, step_s;
};

static enum hale_rc fetch(const char *path, const struct hale_rrd_layout *l,
                          const struct wanted *w, struct hale_rrd_rows *out,
                          struct hale_err *err)
{
    struct hale_rrd_file files[HALE_RRD_KINDS];
    *out = (struct hale_rrd_rows){.n = 0};
    enum hale_rc rc = hale_rrd_layout_check(l, err);
    if (rc == HALE_OK &&
        (w->slot >= l->slots || w->start_s < 0 || w->end_s <= w->start_s))
        rc = hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                         "no slot %u of %u, or the span is empty", w->slot, l->slots);
    if (rc != HALE_OK)
        return rc;
    rc = open_all(files, path, l, err);
    if (rc == HALE_OK) {
        struct span span = choose(files, w->start_s, w->step_s);
        clip(&span, l->tiers[span.tier].step_s, w->start_s, w->end_s, out);
        if (out->n > 0)
            rc = read_rows(files, w->kinds, w->slot, span.tier, out, err);
    }
    for (unsigned k = 0; k < HALE_RRD_KINDS; k++)
        hale_rrd_file_close(&files[k]);
    if (rc != HALE_OK) {
        free(out->cells);
        *out = (struct hale_rrd_rows){.n = 0};
    }
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are rrd_group.h's contract */
enum hale_rc hale_rrd_group_fetch(const char *path, const struct hale_rrd_layout *l,
                                  unsigned slot, int64_t start_s, int64_t end_s,
                                  int64_t step_s, struct hale_rrd_rows *out,
                                  struct hale_err *err)
{
    const struct wanted w = {HALE_RRD_KINDS, slot, start_s, end_s, step_s};
    return fetch(path, l, &w, out, err);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are rrd_group.h's contract */
enum hale_rc hale_rrd_group_fetch_sums(const char *path, const struct hale_rrd_layout *l,
                                       unsigned slot, int64_t start_s, int64_t end_s,
                                       int64_t step_s, struct hale_rrd_rows *out,
                                       struct hale_err *err)
{
    const struct wanted w = {HALE_RRD_KIND_SUM + 1, slot, start_s, end_s, step_s};
    return fetch(path, l, &w, out, err);
}

static enum hale_rc last_of(const char *path, int64_t *out_s, struct hale_err *err)
{
    unsigned char fixed[HALE_RRD_FIXED_BYTES];
    size_t at;
    enum hale_rc rc = HALE_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return hale_err_at(err, errno == ENOENT ? HALE_E_NOTFOUND : HALE_E_IO, path, 0, 0,
                           "cannot open: %s", strerrordesc_np(errno));
    if (pread(fd, fixed, sizeof(fixed), 0) != (ssize_t)sizeof(fixed) ||
        !hale_rrd_format_live_at(fixed, &at) ||
        pread(fd, out_s, sizeof(*out_s), (off_t)at) != (ssize_t)sizeof(*out_s) ||
        *out_s <= 0 || *out_s > HALE_RRD_TIME_MAX)
        rc = hale_err_at(err, HALE_E_IO, path, 0, 0,
                         "not a round-robin file of Hale, or damaged; remove it or "
                         "restore it");
    (void)close(fd);
    return rc;
}

enum hale_rc hale_rrd_group_last(const char *path, int64_t *out_s, struct hale_err *err)
{
    struct hale_rrd_file f;
    enum hale_rc rc = HALE_OK;
    *out_s = HALE_RRD_TIME_MAX;
    for (unsigned k = 0; k < HALE_RRD_KINDS && rc == HALE_OK; k++) {
        int64_t last_s = 0;
        rc = hale_rrd_file_init(&f, path, NULL, (enum hale_rrd_kind)k, err);
        if (rc == HALE_OK)
            rc = last_of(f.path, &last_s, err);
        if (rc == HALE_OK && last_s < *out_s)
            *out_s = last_s;
    }
    return rc;
}

static enum hale_rc remove_file(const char *path, struct hale_err *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return HALE_OK;
    return hale_err_at(err, HALE_E_IO, path, 0, 0, "cannot remove: %s",
                       strerrordesc_np(errno));
}

enum hale_rc hale_rrd_group_remove(const char *path, struct hale_err *err)
{
    struct hale_rrd_file f;
    char temporary[HALE_RRD_PATH_MAX + sizeof(".new")];
    enum hale_rc rc = HALE_OK;
    for (unsigned k = 0; k < HALE_RRD_KINDS && rc == HALE_OK; k++) {
        rc = hale_rrd_file_init(&f, path, NULL, (enum hale_rrd_kind)k, err);
        (void)snprintf(temporary, sizeof(temporary), "%s.new", f.path);
        if (rc == HALE_OK)
            rc = remove_file(f.path, err);
        if (rc == HALE_OK) /* a killed creation's */
            rc = remove_file(temporary, err);
    }
    return rc;
}
