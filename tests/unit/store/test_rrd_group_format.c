/* SPDX-License-Identifier: Apache-2.0 */
/* Our headers against those librrd makes for the same layout; what is refused. */
#include "support/cmocka.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RRD_EXPORT_DEPRECATED
#include <rrd.h>

#include "store/rrd_group_private.h"

#define T0 INT64_C(1700006400)

static const struct hale_rrd_layout layouts[] = {
    {1, 1, {{1, 10}}},
    {3, 2, {{10, 100}, {60, 50}}},
    {16, 4, {{10, 864}, {60, 1008}, {300, 892}, {3600, 960}}},
    {64, 6, {{1, 100}, {2, 90}, {4, 80}, {8, 70}, {16, 60}, {32, 50}}},
};
#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

/* The header librrd writes; *n_out bytes, malloc'ed. */
static unsigned char *of_librrd(const struct hale_rrd_layout *l, enum hale_rrd_kind kind,
                                size_t n)
{
    static const char *const cf[] = {"AVERAGE", "MIN", "MAX"};
    static const char *const name[] = {"min", "max"};
    char text[2 * HALE_RRD_SLOTS_MAX + HALE_RRD_TIERS_MAX][64];
    const char *args[2 * HALE_RRD_SLOTS_MAX + HALE_RRD_TIERS_MAX];
    char path[] = "/tmp/hale-rrd-format-XXXXXX";
    size_t c = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (unsigned s = 0; s < l->slots; s++)
        if (kind == HALE_RRD_KIND_SUM) {
            (void)snprintf(text[c++], 64, "DS:sum%u:GAUGE:%ld:U:U", s,
                           (long)(2 * l->tiers[0].step_s));
            (void)snprintf(text[c++], 64, "DS:count%u:GAUGE:%ld:U:U", s,
                           (long)(2 * l->tiers[0].step_s));
        } else {
            (void)snprintf(text[c++], 64, "DS:%s%u:GAUGE:%ld:U:U", name[kind - 1], s,
                           (long)(2 * l->tiers[0].step_s));
        }
    for (unsigned t = 0; t < l->n_tiers; t++)
        (void)snprintf(text[c++], 64, "RRA:%s:0.9990234375:%ld:%ld", cf[kind],
                       (long)(l->tiers[t].step_s / l->tiers[0].step_s),
                       (long)l->tiers[t].rows);
    for (size_t i = 0; i < c; i++)
        args[i] = text[i];
    if (rrd_create_r2(path, (unsigned long)l->tiers[0].step_s, T0, 0, NULL, NULL, (int)c,
                      args) != 0)
        fail_msg("%s", rrd_get_error());
    assert_int_equal(close(fd), 0);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    unsigned char *bytes = malloc(n);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, n, 0), n);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    return bytes;
}

static void same_value(unival a, unival b)
{
    if (!(isnan(a.u_val) && isnan(b.u_val)))
        assert_int_equal(a.u_cnt, b.u_cnt);
}

static void compare(const struct hale_rrd_layout *l, enum hale_rrd_kind kind)
{
    struct hale_rrd_places at;
    hale_rrd_format_places(l, kind, &at);
    size_t columns = hale_rrd_format_columns(l, kind);
    size_t want_bytes = sizeof(stat_head_t) + columns * sizeof(ds_def_t) +
                        l->n_tiers * sizeof(rra_def_t) + sizeof(live_head_t) +
                        columns * sizeof(pdp_prep_t) +
                        columns * l->n_tiers * sizeof(cdp_prep_t) +
                        l->n_tiers * sizeof(rra_ptr_t);
    assert_int_equal(at.header, want_bytes);
    unsigned char *mine = malloc(at.header);
    assert_non_null(mine);
    memset(mine, 0xa5, at.header);
    hale_rrd_format_header(l, kind, T0, mine);
    unsigned char *theirs = of_librrd(l, kind, at.header);
    /* Where we note what RRDtool does not use. */
    memset(theirs + at.notes, 0, 32);
    assert_int_not_equal(memcmp(mine + at.notes, theirs + at.notes, 32), 0);
    memset(mine + at.notes, 0, 32);
    assert_memory_equal(mine, theirs, sizeof(stat_head_t));
    size_t p = sizeof(stat_head_t);
    for (size_t c = 0; c < columns; c++, p += sizeof(ds_def_t)) {
        const ds_def_t *a = (void *)(mine + p), *b = (void *)(theirs + p);
        assert_string_equal(a->ds_nam, b->ds_nam);
        assert_string_equal(a->dst, b->dst);
        for (size_t i = 0; i < 10; i++)
            same_value(a->par[i], b->par[i]);
    }
    assert_memory_equal(mine + p, theirs + p, at.live + sizeof(live_head_t) - p);
    p = at.live + sizeof(live_head_t);
    for (size_t c = 0; c < columns; c++, p += sizeof(pdp_prep_t)) {
        const pdp_prep_t *a = (void *)(mine + p), *b = (void *)(theirs + p);
        assert_string_equal(a->last_ds, b->last_ds);
        same_value(a->scratch[PDP_unkn_sec_cnt], b->scratch[PDP_unkn_sec_cnt]);
    }
    for (size_t c = 0; c < columns * l->n_tiers; c++, p += sizeof(cdp_prep_t)) {
        const cdp_prep_t *a = (void *)(mine + p), *b = (void *)(theirs + p);
        same_value(a->scratch[CDP_val], b->scratch[CDP_val]);
    }
    for (unsigned t = 0; t < l->n_tiers; t++, p += sizeof(rra_ptr_t))
        assert_true(((const rra_ptr_t *)(void *)(mine + p))->cur_row <
                    (unsigned long)l->tiers[t].rows);
    assert_int_equal(p, at.header);
    free(mine);
    free(theirs);
}

static void test_as_librrd(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_LAYOUTS; i++)
        for (unsigned k = 0; k < HALE_RRD_KINDS; k++)
            compare(&layouts[i], (enum hale_rrd_kind)k);
}

static void test_parse(void **state)
{
    static const struct {
        size_t at; /* 0: from the live head on */
        int64_t value;
        enum hale_rc rc;
        const char *text;
    } rows[] = {
        {0, T0, HALE_OK, ""},
        {0, T0 + 500, HALE_E_IO, "do not fit"},          /* beyond intent */
        {0, T0 - 10, HALE_E_IO, "do not fit"},           /* before the first step */
        {0, T0 + 1, HALE_E_IO, "do not fit"},            /* off the step */
        {0, INT64_MAX, HALE_E_IO, "do not fit"},         /* */
        {0, -1, HALE_E_IO, "do not fit"},                /* */
        {128, 0x41, HALE_E_CONFLICT, "another layout"},  /* a name */
        {32, 1000000, HALE_E_CONFLICT, "1000000 tiers"}, /* number of RRAs */
        {8, 0, HALE_E_IO, "round-robin file of this machine"},
        {0x10, 0, HALE_E_IO, "round-robin file of this machine"}, /* the float cookie */
    };
    const struct hale_rrd_layout *l = &layouts[1];
    struct hale_rrd_places at;
    struct hale_rrd_state s;
    hale_rrd_format_places(l, HALE_RRD_KIND_SUM, &at);
    unsigned char *head = malloc(2 * at.header);
    assert_non_null(head);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hale_err err = {.text = ""};
        hale_rrd_format_header(l, HALE_RRD_KIND_SUM, T0, head);
        memcpy(head + (rows[i].at == 0 ? at.live : rows[i].at), &rows[i].value, 8);
        if (rows[i].at == 8) /* the version's last bytes */
            hale_rrd_format_header(l, HALE_RRD_KIND_SUM, T0, head), head[7] = '9';
        assert_int_equal(hale_rrd_format_parse(l, HALE_RRD_KIND_SUM, head, "f", &s, &err),
                         rows[i].rc);
        if (strstr(err.text, rows[i].text) == NULL)
            fail_msg("row %zu: %s", i, err.text);
    }
    /* Another kind, other tiers: refused as well. */
    struct hale_err err;
    hale_rrd_format_header(l, HALE_RRD_KIND_MIN, T0, head);
    assert_int_equal(hale_rrd_format_parse(l, HALE_RRD_KIND_MAX, head, "f", &s, &err),
                     HALE_E_CONFLICT);
    struct hale_rrd_layout other = *l;
    other.tiers[1].rows++;
    assert_int_equal(
        hale_rrd_format_parse(&other, HALE_RRD_KIND_MIN, head, "f", &s, &err),
        HALE_E_CONFLICT);
    free(head);
}

static void test_row_numbers(void **state)
{
    static const struct {
        int64_t last_s;
        uint64_t fine, coarse;
    } rows[] = {
        {T0, (T0 / 10 - 1) % 100, (T0 / 60 - 1) % 50},
        {T0 + 50, (T0 / 10 + 4) % 100, (T0 / 60 - 1) % 50},
        {T0 + 60, (T0 / 10 + 5) % 100, (T0 / 60) % 50},
        {10, 0, 49},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got[HALE_RRD_TIERS_MAX];
        hale_rrd_format_row_numbers(&layouts[1], rows[i].last_s, got);
        assert_int_equal(got[0], rows[i].fine);
        assert_int_equal(got[1], rows[i].coarse);
    }
}

static void test_live_at(void **state)
{
    struct hale_rrd_places at;
    (void)state;
    for (size_t i = 0; i < N_LAYOUTS; i++) {
        size_t got = 0;
        hale_rrd_format_places(&layouts[i], HALE_RRD_KIND_SUM, &at);
        unsigned char *head = malloc(at.header);
        assert_non_null(head);
        hale_rrd_format_header(&layouts[i], HALE_RRD_KIND_SUM, T0, head);
        assert_true(hale_rrd_format_live_at(head, &got));
        assert_int_equal(got, at.live);
        for (size_t field = 24; field <= 32; field += 8) { /* data sources, RRAs */
            uint64_t was, many = UINT64_MAX / 2;
            memcpy(&was, head + field, 8);
            memcpy(head + field, &many, 8);
            assert_false(hale_rrd_format_live_at(head, &got));
            many = 0;
            memcpy(head + field, &many, 8);
            assert_false(hale_rrd_format_live_at(head, &got));
            memcpy(head + field, &was, 8);
        }
        head[0] = 'r';
        assert_false(hale_rrd_format_live_at(head, &got));
        free(head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_librrd),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_row_numbers),
        cmocka_unit_test(test_live_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
