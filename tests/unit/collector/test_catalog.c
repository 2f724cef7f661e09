/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue against a naive scan: random series, deaths, revivals, selections and pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/assert.h"
#include "collector/catalog.h"

#define MODEL_MAX 40000
#define KEYS      4

struct row { /* what the naive model knows of a series */
    char tenant[8], name[16], values[KEYS][16]; /* "" = without this key */
    bool visible, dead, doubt;
    int64_t first_ms, last_ms;
    struct collector_series *series;
};

static struct row rows[MODEL_MAX];
static size_t n_rows;
static uint64_t noise = 88172645463325252u;

static unsigned any(unsigned n)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return (unsigned)(noise >> 33) % n;
}

static const char *const KEY[KEYS] = {"device", "host", "Host", "zone"};

static void canonical(const struct row *r, struct hale_buf *out)
{
    struct hale_series s = {.tenant = hale_str_from(r->tenant),
                            .region = HALE_STR("R"),
                            .name = hale_str_from(r->name)};
    struct hale_err err;

    for (unsigned k = 0; k < KEYS; k++)
        if (r->values[k][0] != '\0')
            s.dims[s.n_dims++] =
                (struct hale_dim){hale_str_from(KEY[k]), hale_str_from(r->values[k])};
    assert_int_equal(hale_series_sort(&s, &err), HALE_OK);
    hale_buf_reset(out);
    assert_int_equal(hale_series_encode(&s, out), HALE_OK);
}

/* --- the naive scan ------------------------------------------------------------------------ */

static const char *value_of(const struct row *r, struct hale_str key)
{
    for (unsigned k = 0; k < KEYS; k++)
        if (hale_str_eq_c(key, KEY[k]) && r->values[k][0] != '\0')
            return r->values[k];
    return NULL;
}

static bool fits(const struct row *r, const struct collector_selector *sel)
{
    if (!r->visible || !hale_str_eq_c(sel->tenant, r->tenant) ||
        (sel->name.p != NULL && !hale_str_eq_c(sel->name, r->name)))
        return false;
    if (r->last_ms != COLLECTOR_NEVER_MS &&
        (r->last_ms < sel->start_ms || r->first_ms >= sel->end_ms))
        return false;
    if (sel->idle_before_ms != 0 &&
        (r->last_ms == COLLECTOR_NEVER_MS || r->last_ms >= sel->idle_before_ms))
        return false;
    for (unsigned i = 0; i < sel->dims.n; i++) {
        const char *v = value_of(r, sel->dims.v[i].key);
        if (v == NULL || !collector_alternative(sel->dims.v[i].value, hale_str_from(v)))
            return false;
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = (*(struct collector_series *const *)a)->id;
    uint64_t y = (*(struct collector_series *const *)b)->id;

    return x < y ? -1 : x > y;
}

static int by_text(const void *a, const void *b)
{
    return hale_str_cmp(*(const struct hale_str *)a, *(const struct hale_str *)b);
}

static void count_one(struct collector_series *s, const struct hale_series *text,
                      void *arg)
{
    assert_non_null(text);
    assert_true(text->name.len > 0 && s->len > 0);
    ++*(size_t *)arg;
}

static void count_any(struct collector_series *s, const struct hale_series *text,
                      void *arg)
{
    assert_null(text);
    assert_int_equal(s->id, hale_series_id(collector_series_text(s)));
    ++*(size_t *)arg;
}

static void check_series(struct collector_catalog *c,
                         const struct collector_selector *sel)
{
    static struct collector_series *want[MODEL_MAX];
    struct collector_series_list got = {0};
    size_t n = 0;
    size_t each = 0;

    for (size_t i = 0; i < n_rows; i++)
        if (fits(&rows[i], sel))
            want[n++] = rows[i].series;
    qsort(want, n, sizeof(want[0]), by_id);
    assert_int_equal(collector_catalog_select(c, sel, &got), HALE_OK);
    assert_int_equal(got.n, n);
    if (n > 0)
        assert_memory_equal(got.v, want, n * sizeof(want[0]));
    collector_series_list_fini(&got);
    collector_catalog_each(c, sel, count_one, &each);
    assert_int_equal(each, n);

    /* A page after a random id, which need not exist. */
    uint64_t after = n > 0 ? want[any((unsigned)n)]->id - any(2) : any(100);
    size_t max = 1 + any(10);
    size_t at = 0;
    bool first = any(3) == 0;
    while (!first && at < n && want[at]->id <= after)
        at++;
    assert_int_equal(collector_catalog_page(c, sel, first ? NULL : &after, max, &got),
                     HALE_OK);
    size_t left = n - at < max ? n - at : max;
    assert_int_equal(got.n, left);
    if (left > 0)
        assert_memory_equal(got.v, want + at, left * sizeof(want[0]));
    collector_series_list_fini(&got);
}

enum kind { NAMES, THE_KEYS, VALUES };

static void check_words(struct collector_catalog *c, const struct collector_selector *sel,
                        enum kind kind, struct hale_str key)
{
    static struct hale_str want[MODEL_MAX * KEYS];
    struct collector_words got;
    struct collector_words_page page = {{NULL, 0}, 0};
    size_t n = 0;
    size_t m = 0;

    for (size_t i = 0; i < n_rows; i++) {
        const struct row *r = &rows[i];
        if (!fits(r, sel))
            continue;
        if (kind == NAMES)
            want[n++] = hale_str_from(r->name);
        for (unsigned k = 0; kind == THE_KEYS && k < KEYS; k++)
            if (r->values[k][0] != '\0')
                want[n++] = hale_str_from(KEY[k]);
        if (kind == VALUES && value_of(r, key) != NULL)
            want[n++] = hale_str_from(value_of(r, key));
    }
    qsort(want, n, sizeof(want[0]), by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !hale_str_eq(want[i], want[i - 1]))
            want[m++] = want[i];
    size_t at = 0;
    if (any(2) == 0) {
        static const char *const AFTER[] = {"", "a", "h1", "m2", "v3", "zz", "host"};
        page.after = hale_str_from(AFTER[any(7)]);
        page.max = 1 + any(5);
        while (at < m && hale_str_cmp(want[at], page.after) <= 0)
            at++;
        m = m - at < page.max ? m : at + page.max;
    }
    enum hale_rc rc = kind == NAMES ? collector_catalog_names(c, sel, &page, &got)
                      : kind == THE_KEYS
                          ? collector_catalog_keys(c, sel, &page, &got)
                          : collector_catalog_values(c, sel, key, &page, &got);
    assert_int_equal(rc, HALE_OK);
    assert_int_equal(got.n, m - at);
    for (size_t i = 0; i < got.n; i++)
        if (!hale_str_eq(got.v[i], want[at + i]))
            fail_msg("word %zu is %.*s", i, (int)got.v[i].len, got.v[i].p);
    collector_words_fini(&got);
}

static const char *const DIMS[] = {
    "host:h1",        "host:h1|h2|h1|nobody",
    "zone:z0",        "zone:z0,host:h3",
    "host",           "device",
    "zone:z1|z0",     "zone:z9",
    "nokey",          "nokey:x",
    "Host:v3",        "host:h1,device:d0|d1",
    "host,zone,Host", "zone:none",
    "device:d2|d2",
};

static void check_all(struct collector_catalog *c)
{
    static const char *const TENANTS[] = {"a", "b", "c"};
    static const char *const NAMES_[] = {"m0", "m1", "m2", "unknown"};
    struct collector_selector sel = {.tenant = hale_str_from(TENANTS[any(3)]),
                                     .start_ms = INT64_MIN,
                                     .end_ms = INT64_MAX};
    struct hale_err err;

    if (any(2) == 0)
        sel.name = hale_str_from(NAMES_[any(4)]);
    if (any(2) == 0)
        assert_int_equal(collector_params_dims(DIMS[any(sizeof(DIMS) / sizeof(DIMS[0]))],
                                               &sel.dims, &err),
                         HALE_OK);
    if (any(2) == 0) {
        sel.start_ms = any(1000);
        sel.end_ms = sel.start_ms + 1 + any(300);
    }
    if (any(5) == 0)
        sel.idle_before_ms = 1 + any(1000);
    check_series(c, &sel);
    check_words(c, &sel, NAMES, HALE_STR(""));
    check_words(c, &sel, THE_KEYS, HALE_STR(""));
    check_words(c, &sel, VALUES, hale_str_from(any(20) == 0 ? "nokey" : KEY[any(KEYS)]));
}

/* --- changes ------------------------------------------------------------------------------- */

static void put_row(struct collector_catalog *c, struct row *r, bool confirm)
{
    struct collector_series *s = NULL;
    struct hale_buf text;

    hale_buf_init(&text, HALE_SERIES_MAX_BYTES + 1);
    canonical(r, &text);
    assert_int_equal(
        collector_catalog_put(c, hale_buf_str(&text), COLLECTOR_SERIES_NEW, &s), HALE_OK);
    r->series = s;
    for (size_t i = 0; i < n_rows; i++) {
        if (rows[i].series == s) { /* again: the row that is there already */
            r = &rows[i];
            break;
        }
    }
    if (r == &rows[n_rows]) {
        r->first_ms = r->last_ms = COLLECTOR_NEVER_MS;
        n_rows++;
    }
    if (confirm) {
        assert_int_equal(collector_catalog_confirm(c, s), HALE_OK);
        r->visible = true;
        r->dead = r->doubt = false;
    }
    hale_buf_fini(&text);
}

static void new_row(struct collector_catalog *c, unsigned spread)
{
    struct row *r = &rows[n_rows];

    memset(r, 0, sizeof(*r));
    (void)snprintf(r->tenant, sizeof(r->tenant), "%c", (int)('a' + any(2)));
    (void)snprintf(r->name, sizeof(r->name), "m%u", any(3));
    if (any(10) > 0)
        (void)snprintf(r->values[0], sizeof(r->values[0]), "d%u", any(4));
    if (any(10) > 0)
        (void)snprintf(r->values[1], sizeof(r->values[1]), "h%u", any(spread));
    if (any(4) == 0)
        (void)snprintf(r->values[2], sizeof(r->values[2]), "v%u", any(spread));
    if (any(10) > 0)
        (void)snprintf(r->values[3], sizeof(r->values[3]), "z%u", any(100) == 0);
    put_row(c, r, any(10) > 0);
}

static void change(struct collector_catalog *c)
{
    struct row *r = &rows[any((unsigned)n_rows)];
    uint64_t before = collector_catalog_deaths(c);

    switch (any(5)) {
    case 0:
        collector_catalog_kill(c, r->series);
        assert_int_equal(collector_catalog_deaths(c) > before, r->visible);
        if (r->visible) {
            r->dead = true;
            r->visible = r->doubt = false;
            r->first_ms = r->last_ms = COLLECTOR_NEVER_MS;
        }
        break;
    case 1:
        collector_catalog_doubt(c, r->series);
        assert_int_equal(collector_catalog_deaths(c) > before, r->visible && !r->doubt);
        r->doubt = r->visible;
        break;
    case 2:
        assert_int_equal(collector_catalog_confirm(c, r->series), HALE_OK);
        r->visible = true;
        r->dead = r->doubt = false;
        break;
    case 3:
        collector_catalog_revive(c, r->series);
        r->dead = false;
        break;
    default: {
        int64_t ms = any(1000);
        collector_series_seen(r->series, ms);
        r->last_ms = ms > r->last_ms ? ms : r->last_ms;
        r->first_ms =
            ms < r->first_ms || r->first_ms == COLLECTOR_NEVER_MS ? ms : r->first_ms;
    }
    }
}

static void against_naive_scan(void **state)
{
    struct collector_catalog *c = collector_catalog_new(MODEL_MAX, 4);

    (void)state;
    assert_non_null(c);
    n_rows = 0;
    for (unsigned step = 0; step < 6000; step++) {
        if (n_rows == 0 || (n_rows < 1500 && any(3) == 0))
            new_row(c, 10 + (unsigned)n_rows / 10);
        else
            change(c);
        if (step % 3 == 0)
            check_all(c);
    }
    size_t alive = 0;
    for (size_t i = 0; i < n_rows; i++)
        alive += !rows[i].dead;
    assert_int_equal(collector_catalog_count(c), alive);
    size_t all = 0;
    collector_catalog_all(c, count_any, &all);
    assert_int_equal(all, n_rows);
    collector_catalog_free(c);
}

/* Terms so common that they have no list of series. */
static void common_terms(void **state)
{
    struct collector_catalog *c = collector_catalog_new(MODEL_MAX, 1);

    (void)state;
    n_rows = 0;
    while (n_rows < 12000) {
        struct row *r = &rows[n_rows];
        memset(r, 0, sizeof(*r));
        (void)snprintf(r->tenant, sizeof(r->tenant), "a");
        (void)snprintf(r->name, sizeof(r->name), "m%zu", n_rows % 3);
        (void)snprintf(r->values[0], sizeof(r->values[0]), "d%zu", n_rows);
        (void)snprintf(r->values[1], sizeof(r->values[1]), "h%zu", n_rows % 50);
        (void)snprintf(r->values[3], sizeof(r->values[3]), "z%u", any(100) == 0);
        struct hale_buf text;
        struct collector_series *s;
        hale_buf_init(&text, 4096);
        canonical(r, &text);
        assert_int_equal(
            collector_catalog_put(c, hale_buf_str(&text), COLLECTOR_SERIES_STORED, &s),
            HALE_OK);
        hale_buf_fini(&text);
        r->series = s;
        r->visible = true;
        r->first_ms = r->last_ms = any(1000);
        collector_series_seen(s, r->first_ms);
        n_rows++;
    }
    for (unsigned i = 0; i < 120; i++) {
        check_all(c);
        change(c);
    }
    assert_true(collector_catalog_memory(c) / n_rows < 400);
    size_t all = 0; /* more than one chunk of the arena, more than one lock */
    collector_catalog_all(c, count_any, &all);
    assert_int_equal(all, n_rows);
    collector_catalog_free(c);
}

/* --- several threads ----------------------------------------------------------------------- */

static struct collector_catalog *shared;
static _Atomic bool over;

static void put_number(unsigned i, int state, struct collector_series **out)
{
    struct hale_buf text;
    char name[16];
    char host[16];
    struct hale_series s = {
        .tenant = HALE_STR("a"), .region = HALE_STR("R"), .n_dims = 1};

    (void)snprintf(name, sizeof(name), "m%u", i % 7);
    (void)snprintf(host, sizeof(host), "h%u", i);
    s.name = hale_str_from(name);
    s.dims[0] = (struct hale_dim){HALE_STR("host"), hale_str_from(host)};
    hale_buf_init(&text, 4096);
    HALE_ASSERT(hale_series_encode(&s, &text) == HALE_OK &&
                collector_catalog_put(shared, hale_buf_str(&text), state, out) ==
                    HALE_OK);
    hale_buf_fini(&text);
}

static void *enter(void *arg) /* the network and writer threads */
{
    struct collector_series *s = NULL;

    (void)arg;
    for (unsigned i = 0; i < 4000; i++) {
        put_number(i, COLLECTOR_SERIES_NEW, &s);
        HALE_ASSERT(collector_catalog_confirm(shared, s) == HALE_OK);
        collector_series_seen(s, i);
        if (i % 3 == 0)
            collector_catalog_kill(shared, s);
        if (i % 6 == 0) {
            collector_catalog_revive(shared, s);
            HALE_ASSERT(collector_catalog_confirm(shared, s) == HALE_OK);
        }
    }
    atomic_store(&over, true);
    return NULL;
}

static void *look(void *arg) /* a query thread */
{
    struct collector_selector sel = {
        .tenant = HALE_STR("a"), .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    size_t n = 0;

    (void)arg;
    for (unsigned i = 0; !atomic_load(&over); i++) {
        struct collector_words w;
        struct collector_series_list l = {0};
        sel.name = i % 2 == 0 ? HALE_STR("m3") : (struct hale_str){NULL, 0};
        HALE_ASSERT(collector_catalog_values(shared, &sel, HALE_STR("host"), NULL, &w) ==
                    HALE_OK);
        for (size_t k = 1; k < w.n; k++)
            HALE_ASSERT(hale_str_cmp(w.v[k - 1], w.v[k]) < 0);
        collector_words_fini(&w);
        HALE_ASSERT(collector_catalog_names(shared, &sel, NULL, &w) == HALE_OK);
        collector_words_fini(&w);
        HALE_ASSERT(collector_catalog_keys(shared, &sel, NULL, &w) == HALE_OK);
        collector_words_fini(&w);
        HALE_ASSERT(collector_catalog_page(shared, &sel, NULL, 20, &l) == HALE_OK);
        collector_series_list_fini(&l);
        collector_catalog_all(shared, count_any, &n);
    }
    return NULL;
}

static void several_threads(void **state)
{
    const struct collector_selector sel = {
        .tenant = HALE_STR("a"), .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct collector_series_list l = {0};
    pthread_t threads[3];

    (void)state;
    shared = collector_catalog_new(10000, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? enter : look, NULL),
                         0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(collector_catalog_select(shared, &sel, &l), HALE_OK);
    assert_int_equal(l.n, 4000 - 1334 + 667);
    collector_series_list_fini(&l);
    collector_catalog_free(shared);
}

/* --- single cases --------------------------------------------------------------------------- */

static struct collector_series *put(struct collector_catalog *c, const char *name, int st,
                                    enum hale_rc want)
{
    struct row r = {.tenant = "a"};
    struct collector_series *s = NULL;
    struct hale_buf text;

    (void)snprintf(r.name, sizeof(r.name), "%s", name);
    hale_buf_init(&text, 4096);
    canonical(&r, &text);
    assert_int_equal(collector_catalog_put(c, hale_buf_str(&text), st, &s), want);
    hale_buf_fini(&text);
    return s;
}

static void ceiling(void **state)
{
    struct collector_catalog *c = collector_catalog_new(2, 1);

    (void)state;
    struct collector_series *one = put(c, "one", COLLECTOR_SERIES_STORED, HALE_OK);
    (void)put(c, "two", COLLECTOR_SERIES_STORED, HALE_OK);
    (void)put(c, "three", COLLECTOR_SERIES_STORED, HALE_E_LIMIT);
    (void)put(c, "two", COLLECTOR_SERIES_NEW, HALE_OK);
    collector_catalog_kill(c, one); /* makes room */
    struct collector_series *three = put(c, "three", COLLECTOR_SERIES_STORED, HALE_OK);
    (void)put(c, "one", COLLECTOR_SERIES_NEW, HALE_E_LIMIT); /* no room to come back */
    collector_catalog_kill(c, three);
    assert_ptr_equal(put(c, "one", COLLECTOR_SERIES_STORED, HALE_OK), one);
    assert_int_equal(collector_catalog_count(c), 2);
    collector_catalog_kill(c, one);
    (void)put(c, "four", COLLECTOR_SERIES_STORED, HALE_OK);
    collector_catalog_kill(c, put(c, "four", COLLECTOR_SERIES_NEW, HALE_OK));
    (void)put(c, "five", COLLECTOR_SERIES_STORED,
              HALE_E_LIMIT); /* the dead count twice max */
    (void)put(c, "three", COLLECTOR_SERIES_STORED, HALE_OK);
    collector_catalog_free(c);
}

static void new_is_in_no_list(void **state)
{
    struct collector_catalog *c = collector_catalog_new(10, 1);
    const struct collector_selector sel = {
        .tenant = HALE_STR("a"), .start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct collector_words w;

    (void)state;
    struct collector_series *s = put(c, "m", COLLECTOR_SERIES_NEW, HALE_OK);
    assert_int_equal(collector_catalog_names(c, &sel, NULL, &w), HALE_OK);
    assert_int_equal(w.n, 0);
    collector_words_fini(&w);
    assert_ptr_equal(collector_catalog_find(c, s->id), s);
    collector_catalog_kill(c, s); /* what is not stored cannot be removed */
    assert_int_equal(atomic_load(&s->state), COLLECTOR_SERIES_NEW);
    assert_int_equal(collector_catalog_confirm(c, s), HALE_OK);
    assert_int_equal(collector_catalog_names(c, &sel, NULL, &w), HALE_OK);
    assert_int_equal(w.n, 1);
    collector_words_fini(&w);
    collector_catalog_free(c);
}

static void times_survive(void **state)
{
    char path[] = "/tmp/hale-catalog-XXXXXX";
    struct collector_catalog *c = collector_catalog_new(10, 1);
    struct hale_err err = {0};

    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct collector_series *s = put(c, "m", COLLECTOR_SERIES_STORED, HALE_OK);
    struct collector_series *dead = put(c, "dead", COLLECTOR_SERIES_STORED, HALE_OK);
    collector_series_seen(s, 70);
    collector_series_seen(s, 30);
    collector_catalog_kill(c, dead);
    collector_series_seen(dead, 5);
    assert_int_equal(collector_catalog_save(c, path, &err), HALE_OK);
    collector_catalog_free(c);

    c = collector_catalog_new(10, 1);
    s = put(c, "m", COLLECTOR_SERIES_STORED, HALE_OK);
    dead = put(c, "dead", COLLECTOR_SERIES_STORED, HALE_OK);
    assert_int_equal(collector_catalog_load(c, path, &err), HALE_OK);
    assert_int_equal(atomic_load(&s->first_ms), 30);
    assert_int_equal(atomic_load(&s->last_ms), 70);
    assert_true(atomic_load(&dead->last_ms) == COLLECTOR_NEVER_MS);
    collector_catalog_free(c);
    assert_int_equal(remove(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_naive_scan),
        cmocka_unit_test(common_terms),
        cmocka_unit_test(ceiling),
        cmocka_unit_test(new_is_in_no_list),
        cmocka_unit_test(times_survive),
        cmocka_unit_test(several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
