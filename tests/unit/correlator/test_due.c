/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include "correlator/parts.h"
#include "world.h"

#define N 200

static uint64_t rng = 20251;

static unsigned dice(unsigned n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

static const struct cor_due *first_of(const struct cor_due *d)
{
    const struct cor_due *best = NULL;
    for (unsigned i = 0; i < N; i++) {
        if (d[i].pos == 0)
            continue;
        if (best == NULL || d[i].at_ms < best->at_ms ||
            (d[i].at_ms == best->at_ms &&
             (d[i].kind < best->kind ||
              (d[i].kind == best->kind && strcmp(d[i].id, best->id) < 0))))
            best = &d[i];
    }
    return best;
}

/* Whatever is armed, moved and disarmed: the first is that of (time, kind, id). */
static void test_order(void **state)
{
    static struct cor_due d[N];
    static char id[N][8];
    struct world w;
    (void)state;
    world_init(&w);
    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(id[i], sizeof(id[i]), "%u", i * 7919 % N);
        d[i] = (struct cor_due){.kind = i % 2 == 0 ? COR_DUE_EXPIRY : COR_DUE_ACK,
                                .id = id[i]};
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = dice(N);
        int64_t at = dice(3) == 0 ? 0 : 1 + (int64_t)dice(20);
        cor_due_set(w.e, &d[i], at);
        assert_int_equal(cor_due_of(&d[i]), at);
        const struct cor_due *first = first_of(d);
        assert_int_equal(correlator_engine_next_due(w.e),
                         first != NULL ? first->at_ms : INT64_MAX);
        if (first != NULL)
            assert_ptr_equal(w.e->due.heap[1], first);
    }
    for (unsigned i = 0; i < N; i++)
        cor_due_set(w.e, &d[i], 0);
    assert_int_equal(w.e->due.n, 0);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
