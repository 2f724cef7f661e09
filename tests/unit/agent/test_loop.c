/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/loop.h"
#include "base/clock.h"

#define N 4

struct item {
    struct agent_loop *loop;
    struct agent_watch watch;
    struct agent_timer timer;
    unsigned ready, fired;
    unsigned turn; /* how many had been called before, in all */
    short revents;
    int64_t fired_ms;
    struct item *removes; /* the watch, and timer, of this one */
    int64_t again_ms;     /* arms its timer anew so much later; 0 = not */
};

static unsigned calls;

static void on_ready(void *arg, short revents)
{
    struct item *it = arg;
    it->ready++;
    it->turn = calls++;
    it->revents = revents;
    if (it->removes != NULL)
        agent_loop_unwatch(it->loop, &it->removes->watch);
}

static void on_fire(void *arg, int64_t now_ms)
{
    struct item *it = arg;
    it->fired++;
    it->fired_ms = now_ms;
    if (it->removes != NULL)
        agent_loop_disarm(it->loop, &it->removes->timer);
    if (it->again_ms > 0)
        agent_loop_arm(it->loop, &it->timer, now_ms + it->again_ms);
}

/* N items with a readable descriptor each; watched by nobody yet. */
static int setup(void **state)
{
    struct item *items = calloc(N, sizeof(*items));
    assert_non_null(items);
    struct agent_loop *loop = agent_loop_new(4);
    assert_non_null(loop);
    for (int i = 0; i < N; i++) {
        items[i].loop = loop;
        items[i].watch =
            (struct agent_watch){.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK),
                                 .events = POLLIN,
                                 .ready = on_ready,
                                 .arg = &items[i]};
        items[i].timer = (struct agent_timer){.fire = on_fire, .arg = &items[i]};
        assert_true(items[i].watch.fd >= 0);
    }
    *state = items;
    return 0;
}

static int teardown(void **state)
{
    struct item *items = *state;
    agent_loop_free(items[0].loop);
    for (int i = 0; i < N; i++)
        (void)close(items[i].watch.fd);
    free(items);
    return 0;
}

static void watch_all(struct item *items)
{
    for (int i = 0; i < N; i++)
        assert_int_equal(agent_loop_watch(items[i].loop, &items[i].watch), HALE_OK);
}

static void test_timers_in_order(void **state)
{
    struct item *items = *state;
    struct agent_loop *l = items[0].loop;
    int64_t now = hale_clock_mono_ms();
    agent_loop_arm(l, &items[0].timer, now + 60);
    agent_loop_arm(l, &items[1].timer, now - 5);
    agent_loop_arm(l, &items[2].timer, now + 20);
    agent_loop_arm(l, &items[3].timer, now + 3600000);
    while (items[0].fired == 0)
        agent_loop_turn(l, 10000); /* wakes for the next timer, not after 10 s */
    assert_true(hale_clock_mono_ms() - now < 5000);
    assert_int_equal(items[1].fired, 1);
    assert_int_equal(items[2].fired, 1);
    assert_int_equal(items[3].fired, 0);
    assert_true(items[0].fired_ms >= now + 60);
    assert_true(items[2].fired_ms >= now + 20);
    assert_true(items[1].fired_ms <= items[2].fired_ms);
    assert_true(items[2].fired_ms <= items[0].fired_ms);
}

static void test_timer_moves_and_ends(void **state)
{
    struct item *items = *state;
    struct agent_loop *l = items[0].loop;
    int64_t now = hale_clock_mono_ms();
    agent_loop_arm(l, &items[0].timer, now + 3600000);
    agent_loop_arm(l, &items[0].timer, now); /* earlier */
    agent_loop_arm(l, &items[1].timer, now);
    agent_loop_disarm(l, &items[1].timer);
    agent_loop_disarm(l, &items[1].timer); /* twice is fine */
    agent_loop_turn(l, 0);
    agent_loop_turn(l, 0);
    assert_int_equal(items[0].fired, 1);
    assert_int_equal(items[1].fired, 0);
}

/* A timer may end another that is due in the same turn, and arm itself anew. */
static void test_timers_in_callbacks(void **state)
{
    struct item *items = *state;
    struct agent_loop *l = items[0].loop;
    int64_t now = hale_clock_mono_ms();
    items[0].removes = &items[1];
    items[0].again_ms = 3600000;
    agent_loop_arm(l, &items[0].timer, now - 2);
    agent_loop_arm(l, &items[1].timer, now - 1);
    agent_loop_turn(l, 0);
    assert_int_equal(items[0].fired, 1);
    assert_int_equal(items[1].fired, 0);
}

static void test_watches_all_that_are_ready(void **state)
{
    struct item *items = *state;
    watch_all(items);
    watch_all(items); /* twice is fine */
    agent_loop_turn(items[0].loop, 1000);
    for (int i = 0; i < N; i++) {
        assert_int_equal(items[i].ready, 1);
        assert_int_equal(items[i].revents, POLLIN);
    }
}

/* Each of n items removes another in its callback: the removed ones that had not had their turn
 * are not called, whatever the order. */
static void test_watch_removed_in_a_callback(void **state)
{
    struct item *items = *state;
    struct agent_loop *l = items[0].loop;
    for (int removed = 0; removed < N; removed++) {
        for (int i = 0; i < N; i++) {
            items[i].ready = 0;
            items[i].removes = &items[removed];
        }
        watch_all(items);
        calls = 0;
        agent_loop_turn(l, 1000);
        for (int i = 0; i < N; i++)
            assert_true(items[i].ready == 1 || i == removed);
        /* The first call removed it, so that it had no turn unless the first was its own. */
        assert_true(items[removed].ready == 0 || items[removed].turn == 0);
        assert_int_equal(items[removed].watch.pos, 0);
        for (int i = 0; i < N; i++)
            items[i].ready = 0;
        agent_loop_turn(l, 1000);
        for (int i = 0; i < N; i++)
            assert_int_equal(items[i].ready, i != removed);
        for (int i = 0; i < N; i++)
            agent_loop_unwatch(l, &items[i].watch);
    }
}

static void test_watch_removes_itself(void **state)
{
    struct item *items = *state;
    struct agent_loop *l = items[0].loop;
    for (int i = 0; i < N; i++)
        items[i].removes = &items[i];
    watch_all(items);
    agent_loop_turn(l, 1000);
    int64_t began = hale_clock_mono_ms();
    agent_loop_turn(l, 30); /* nothing to wait for but the time */
    assert_true(hale_clock_mono_ms() - began >= 29);
    for (int i = 0; i < N; i++)
        assert_int_equal(items[i].ready, 1);
}

static void test_ceiling(void **state)
{
    struct item *items = *state;
    struct agent_loop *l = items[0].loop;
    struct agent_watch *many = calloc(AGENT_WATCHES_MAX, sizeof(*many));
    assert_non_null(many);
    for (int i = 0; i < AGENT_WATCHES_MAX; i++) {
        many[i].fd = -1; /* poll passes over it */
        assert_int_equal(agent_loop_watch(l, &many[i]), HALE_OK);
    }
    assert_int_equal(agent_loop_watch(l, &items[0].watch), HALE_E_LIMIT);
    agent_loop_turn(l, 0);
    agent_loop_unwatch(l, &many[7]);
    assert_int_equal(agent_loop_watch(l, &items[0].watch), HALE_OK);
    agent_loop_turn(l, 1000);
    assert_int_equal(items[0].ready, 1);
    for (int i = 0; i < AGENT_WATCHES_MAX; i++)
        agent_loop_unwatch(l, &many[i]);
    free(many);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH(test_timers_in_order),
        WITH(test_timer_moves_and_ends),
        WITH(test_timers_in_callbacks),
        WITH(test_watches_all_that_are_ready),
        WITH(test_watch_removed_in_a_callback),
        WITH(test_watch_removes_itself),
        WITH(test_ceiling),
    };
    return cmocka_run_group_tests_name("agent.loop", tests, NULL, NULL);
}
