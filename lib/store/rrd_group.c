/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rrd_group.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "store/rrd_group_private.h"

#define ROWS_MAX ((int64_t)10 * 1000 * 1000)
#define STEP_MAX ((int64_t)366 * 86400)

enum hale_rc hale_rrd_layout_check(const struct hale_rrd_layout *l, struct hale_err *err)
{
    if (l->slots < 1 || l->slots > HALE_RRD_SLOTS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "%u slots; 1 to %d are possible", l->slots,
                            HALE_RRD_SLOTS_MAX);
    if (l->n_tiers < 1 || l->n_tiers > HALE_RRD_TIERS_MAX)
        return hale_err_set(err, HALE_E_INVAL, "%u tiers; 1 to %d are possible",
                            l->n_tiers, HALE_RRD_TIERS_MAX);
    for (unsigned t = 0; t < l->n_tiers; t++) {
        const struct hale_rrd_tier *now = &l->tiers[t];
        const struct hale_rrd_tier *finer = t > 0 ? now - 1 : NULL;
        if (now->step_s < 1 || now->step_s > STEP_MAX || now->rows < 1 ||
            now->rows > ROWS_MAX)
            return hale_err_set(err, HALE_E_INVAL,
                                "tier %u: a step of %" PRId64 " s or %" PRId64
                                " rows is out of range (1 s to 366 days, 1 to %" PRId64
                                " rows)",
                                t + 1, now->step_s, now->rows, ROWS_MAX);
        if (finer == NULL)
            continue;
        if (now->step_s <= finer->step_s || now->step_s % finer->step_s != 0)
            return hale_err_set(err, HALE_E_INVAL,
                                "tier %u: a step of %" PRId64
                                " s is not a multiple of the %" PRId64
                                " s of the tier before",
                                t + 1, now->step_s, finer->step_s);
        if (finer->step_s * finer->rows < 2 * now->step_s)
            return hale_err_set(err, HALE_E_INVAL,
                                "tier %u keeps %" PRId64
                                " s; it must keep two steps of the next tier (%" PRId64
                                " s)",
                                t, finer->step_s * finer->rows, 2 * now->step_s);
    }
    return HALE_OK;
}

/* --- consolidation --- */

struct work {
    struct hale_rrd_file *f;
    double *rows; /* HALE_RRD_BUFFER_BYTES of base rows to write or fine rows to read */
    double *row;  /* a coarse one */
    size_t rows_max;
    struct hale_err *err;
};

/* Takes fine rows, each of `steps` base steps, into the coarse row: totals, extremes. */
static void take_rows(struct work *w, const double *fine, size_t n, double steps)
{
    size_t columns = w->f->columns;
    for (size_t r = 0; r < n; r++, fine += columns)
        switch (w->f->kind) {
        case HALE_RRD_KIND_SUM:
            for (size_t c = 0; c < columns; c += 2) {
                w->row[c] += fine[c] * steps;
                w->row[c + 1] += nearbyint(fine[c + 1] * steps);
            }
            break;
        case HALE_RRD_KIND_MIN:
            for (size_t c = 0; c < columns; c++)
                if (hale_rrd_extreme_known(fine[c]) && !(fine[c] >= w->row[c]))
                    w->row[c] = fine[c];
            break;
        case HALE_RRD_KIND_MAX:
            for (size_t c = 0; c < columns; c++)
                if (hale_rrd_extreme_known(fine[c]) && !(fine[c] <= w->row[c]))
                    w->row[c] = fine[c];
            break;
        }
}

/* Makes tier's row that begins at time_s from the rows of the tier before it. */
static enum hale_rc consolidate(struct work *w, unsigned tier, int64_t time_s)
{
    const struct hale_rrd_tier *coarse = &w->f->l->tiers[tier];
    const struct hale_rrd_tier *fine = coarse - 1;
    int64_t base_s = w->f->l->tiers[0].step_s;
    int64_t fine_steps = fine->step_s / base_s;
    int64_t steps = coarse->step_s / base_s;
    int64_t end_s = time_s + coarse->step_s;
    int64_t begin_s = hale_rrd_file_begin(w->f, tier - 1);
    bool sum = w->f->kind == HALE_RRD_KIND_SUM;
    for (size_t c = 0; c < w->f->columns; c++)
        w->row[c] = sum ? 0 : (double)NAN;
    /* Rows that a killed call has overtaken are not those of this time any more. */
    for (int64_t t = time_s < begin_s ? begin_s : time_s; t < end_s;) {
        int64_t n = (end_s - t) / fine->step_s;
        if (n > (int64_t)w->rows_max)
            n = (int64_t)w->rows_max;
        enum hale_rc rc =
            hale_rrd_file_read(w->f, tier - 1, t, (size_t)n, w->rows, w->err);
        if (rc != HALE_OK)
            return rc;
        take_rows(w, w->rows, (size_t)n, (double)fine_steps);
        t += n * fine->step_s;
    }
    for (size_t c = 0; sum && c < w->f->columns; c++)
        w->row[c] = hale_rrd_finite(w->row[c]) / (double)steps;
    return hale_rrd_file_write(w->f, tier, time_s, 1, w->row, w->err);
}

/* Rows of the coarser tiers that the base rows of [from_s, to_s) complete. */
static enum hale_rc consolidate_all(struct work *w, int64_t from_s, int64_t to_s)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned t = 1; t < w->f->l->n_tiers && rc == HALE_OK; t++) {
        int64_t step_s = w->f->l->tiers[t].step_s;
        for (int64_t at = hale_rrd_floor(from_s, step_s);
             at + step_s <= to_s && rc == HALE_OK; at += step_s)
            rc = consolidate(w, t, at);
    }
    return rc;
}

/* Most seconds to write at once: what a coarse row is made of must still be there when it is made. */
static int64_t span_max(const struct hale_rrd_layout *l, size_t rows_max)
{
    int64_t base_s = l->tiers[0].step_s;
    int64_t span_s = base_s * (int64_t)rows_max;
    if (span_s > base_s * l->tiers[0].rows)
        span_s = base_s * l->tiers[0].rows;
    for (unsigned t = 1; t < l->n_tiers; t++) {
        int64_t slack_s =
            l->tiers[t - 1].step_s * l->tiers[t - 1].rows - l->tiers[t].step_s;
        if (span_s > slack_s)
            span_s = slack_s;
    }
    return hale_rrd_floor(span_s, base_s);
}

/* --- writing --- */

static void put_row(enum hale_rrd_kind kind, const struct hale_rrd_cell *cells,
                    unsigned slots, double *row)
{
    for (unsigned s = 0; s < slots; s++) {
        const struct hale_rrd_cell *c = &cells[s];
        if (kind == HALE_RRD_KIND_SUM) {
            row[(size_t)2 * s] = c->n > 0 ? hale_rrd_finite(c->sum) : 0;
            row[(size_t)2 * s + 1] = c->n;
            continue;
        }
        double v = hale_rrd_finite(kind == HALE_RRD_KIND_MIN ? c->min : c->max);
        row[s] = c->n == 0 ? (double)NAN : v == 0 ? -0.0 : v;
    }
}

/* Base steps [from_s, to_s) and what they complete; cells NULL: without samples. */
static enum hale_rc write_steps(struct work *w, int64_t from_s, int64_t to_s,
                                const struct hale_rrd_cell *cells)
{
    struct hale_rrd_file *f = w->f;
    int64_t base_s = f->l->tiers[0].step_s;
    int64_t max_s = span_max(f->l, w->rows_max);
    enum hale_rc rc = HALE_OK;
    while (from_s < to_s && rc == HALE_OK) {
        int64_t end_s = to_s - from_s > max_s ? from_s + max_s : to_s;
        size_t n = (size_t)((end_s - from_s) / base_s);
        rc = hale_rrd_file_intend(f, end_s, w->err);
        for (size_t i = 0; cells != NULL && i < n; i++, cells += f->l->slots)
            put_row(f->kind, cells, f->l->slots, w->rows + i * f->columns);
        if (rc == HALE_OK && cells != NULL)
            rc = hale_rrd_file_write(f, 0, from_s, n, w->rows, w->err);
        if (rc == HALE_OK && cells == NULL)
            rc = hale_rrd_file_clear(f, 0, from_s, end_s, w->err);
        if (rc == HALE_OK)
            rc = consolidate_all(w, from_s, end_s);
        if (rc == HALE_OK)
            rc = hale_rrd_file_commit(f, end_s, w->err);
        from_s = end_s;
    }
    return rc;
}

/* Nothing from from_s to to_s. Step by step to where a row of each tier ends; from there on whole
 * rows of all tiers are cleared at once, however long the silence was. */
static enum hale_rc write_gap(struct work *w, int64_t from_s, int64_t to_s)
{
    const struct hale_rrd_layout *l = w->f->l;
    int64_t coarsest_s = l->tiers[l->n_tiers - 1].step_s;
    int64_t even_s = hale_rrd_floor(from_s + coarsest_s - 1, coarsest_s);
    if (even_s >= to_s)
        return write_steps(w, from_s, to_s, NULL);
    enum hale_rc rc = write_steps(w, from_s, even_s, NULL);
    if (rc == HALE_OK)
        rc = hale_rrd_file_intend(w->f, to_s, w->err);
    for (unsigned t = 0; t < l->n_tiers && rc == HALE_OK; t++)
        rc = hale_rrd_file_clear(w->f, t, even_s,
                                 hale_rrd_floor(to_s, l->tiers[t].step_s), w->err);
    return rc == HALE_OK ? hale_rrd_file_commit(w->f, to_s, w->err) : rc;
}

/* Brings one file to the end of the call; all three hold everything up to held_s, or to start_s. */
static enum hale_rc bring(struct hale_rrd_file *f, int64_t held_s, int64_t start_s,
                          size_t n_steps, const struct hale_rrd_cell *cells,
                          struct hale_err *err)
{
    int64_t base_s = f->l->tiers[0].step_s;
    int64_t end_s = start_s + (int64_t)n_steps * base_s;
    size_t row_bytes = f->columns * sizeof(double);
    enum hale_rc rc = HALE_OK;
    /* Not what this file holds but all three do not, and the caller does not repeat: a sum without
     * its extremes would be half a truth. But a silence that was written already stays. */
    if (f->state.last_s < held_s || held_s >= start_s ||
        (f->state.gap_from_s <= held_s && f->state.gap_to_s >= start_s))
        held_s = f->state.last_s;
    if (held_s >= end_s)
        return HALE_OK;
    struct work w = {.f = f, .rows_max = HALE_RRD_BUFFER_BYTES / row_bytes, .err = err};
    w.rows = malloc(HALE_RRD_BUFFER_BYTES + row_bytes);
    if (w.rows == NULL)
        return hale_err_at(err, HALE_E_NOMEM, f->path, 0, 0, "out of memory");
    w.row = w.rows + HALE_RRD_BUFFER_BYTES / sizeof(double);
    if (start_s > held_s)
        rc = hale_rrd_file_note_gap(f, held_s, start_s, err);
    if (rc == HALE_OK && start_s > held_s)
        rc = write_gap(&w, held_s, start_s);
    int64_t from_s = start_s > held_s ? start_s : held_s;
    if (rc == HALE_OK)
        rc = write_steps(&w, from_s, end_s,
                         cells + (size_t)((from_s - start_s) / base_s) * f->l->slots);
    free(w.rows);
    return rc;
}

/* --- the three files --- */

static enum hale_rc check_call(const char *path, const struct hale_rrd_layout *l,
                               int64_t start_s, size_t n_steps,
                               const struct hale_rrd_cell *cells, struct hale_err *err)
{
    enum hale_rc rc = hale_rrd_layout_check(l, err);
    if (rc != HALE_OK)
        return rc;
    int64_t base_s = l->tiers[0].step_s;
    if (start_s <= 0 || start_s % base_s != 0 || start_s > HALE_RRD_TIME_MAX ||
        n_steps > (size_t)((HALE_RRD_TIME_MAX - start_s) / base_s))
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                           "%zu steps from %" PRId64 " s on are out of range, or not on"
                           " the step of %" PRId64 " s",
                           n_steps, start_s, base_s);
    for (size_t i = 0; i < n_steps * l->slots; i++)
        if (cells[i].n > 0 &&
            (isnan(cells[i].sum) || isnan(cells[i].min) || isnan(cells[i].max)))
            return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                               "step %zu, slot %zu is not a number", i / l->slots,
                               i % l->slots);
    return HALE_OK;
}

/* Opens the files that are there. */
static enum hale_rc open_present(struct hale_rrd_file files[HALE_RRD_KINDS],
                                 struct hale_err *err)
{
    for (unsigned k = 0; k < HALE_RRD_KINDS; k++) {
        enum hale_rc rc = hale_rrd_file_open(&files[k], true, err);
        if (rc != HALE_OK && rc != HALE_E_NOTFOUND)
            return rc;
    }
    return HALE_OK;
}

static enum hale_rc create_missing(struct hale_rrd_file files[HALE_RRD_KINDS],
                                   int64_t first_s, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned k = 0; k < HALE_RRD_KINDS && rc == HALE_OK; k++)
        if (files[k].fd < 0)
            rc = hale_rrd_file_create(&files[k], first_s, err);
    return rc;
}

/* The open file that holds the most. The one behind comes last: as long as it is behind, a repeat sees
 * what the others have too much. */
static struct hale_rrd_file *furthest(struct hale_rrd_file files[HALE_RRD_KINDS])
{
    struct hale_rrd_file *best = NULL;
    for (unsigned k = 0; k < HALE_RRD_KINDS; k++)
        if (files[k].fd >= 0 &&
            (best == NULL || files[k].state.last_s > best->state.last_s))
            best = &files[k];
    return best;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are rrd_group.h's contract */
enum hale_rc hale_rrd_group_append(const char *path, const struct hale_rrd_layout *l,
                                   int64_t start_s, size_t n_steps,
                                   const struct hale_rrd_cell *cells, size_t *skipped_out,
                                   struct hale_err *err)
{
    struct hale_rrd_file files[HALE_RRD_KINDS];
    if (skipped_out != NULL)
        *skipped_out = 0;
    enum hale_rc rc = check_call(path, l, start_s, n_steps, cells, err);
    if (rc != HALE_OK || n_steps == 0)
        return rc;
    for (unsigned k = 0; k < HALE_RRD_KINDS; k++)
        files[k].fd = -1;
    for (unsigned k = 0; k < HALE_RRD_KINDS && rc == HALE_OK; k++)
        rc = hale_rrd_file_init(&files[k], path, l, (enum hale_rrd_kind)k, err);
    if (rc == HALE_OK)
        rc = open_present(files, err);
    int64_t held_s = start_s; /* by all that are there */
    for (unsigned k = 0; k < HALE_RRD_KINDS && rc == HALE_OK; k++)
        if (files[k].fd >= 0 && files[k].state.last_s < held_s)
            held_s = files[k].state.last_s;
    if (rc == HALE_OK)
        rc = create_missing(files, held_s, err);
    int64_t least_s = HALE_RRD_TIME_MAX;
    for (unsigned done = 0; done < HALE_RRD_KINDS && rc == HALE_OK; done++) {
        struct hale_rrd_file *f = furthest(files);
        least_s = f->state.last_s;
        rc = bring(f, held_s, start_s, n_steps, cells, err);
        hale_rrd_file_close(f);
    }
    for (unsigned k = 0; k < HALE_RRD_KINDS; k++)
        hale_rrd_file_close(&files[k]);
    if (skipped_out != NULL && rc == HALE_OK && least_s > start_s) {
        size_t skipped = (size_t)((least_s - start_s) / l->tiers[0].step_s);
        *skipped_out = skipped < n_steps ? skipped : n_steps;
    }
    return rc;
}
