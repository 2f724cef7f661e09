/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/pulse.h"

#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "collector/copies.h"
#include "collector/stats.h"
#include "store/keys.h"

#define TIMEOUT_MS 1000

void collector_pulse_init(struct collector_pulse *p, struct collector *c)
{
    memset(p, 0, sizeof(*p));
    p->redis = hale_redis_new(c->conf->redis, TIMEOUT_MS);
    HALE_ASSERT(p->redis != NULL);
    hale_daemon_health_set(c->daemon, "redis", false, "not asked yet");
}

void collector_pulse_fini(struct collector_pulse *p)
{
    hale_redis_free(p->redis);
    p->redis = NULL;
}

/* Number after "used_memory:" of INFO's text; -1 if there is none. */
static int64_t used_memory(struct hale_str info)
{
    int64_t bytes;

    while (info.p != NULL) {
        struct hale_str line = hale_str_trim(hale_str_split(&info, '\n'));
        struct hale_str key = hale_str_split(&line, ':');
        if (hale_str_eq_c(key, "used_memory") && hale_str_i64(line, &bytes) == HALE_OK)
            return bytes;
    }
    return -1;
}

static void watch_memory(struct collector *c, struct hale_str info)
{
    int64_t bytes = used_memory(info);
    bool full = bytes > c->conf->redis_memory_max;

    if (bytes < 0)
        return;
    collector_gauge(REDIS_MEMORY, bytes);
    atomic_store(&c->redis_memory, bytes);
    if (full != atomic_exchange(&c->overloaded, full))
        hale_warn("event=%s used_memory=%lld max=%lld",
                  full ? "redis_full" : "redis_has_room", (long long)bytes,
                  (long long)c->conf->redis_memory_max);
    hale_daemon_health_set(c->daemon, "redis_memory", !full,
                           full ? "above redis_memory_max: ingest is refused" : "room");
}

static bool config_is(struct hale_redis *r, const char *key, const char *want)
{
    struct hale_reply *reply = NULL;
    bool same = true; /* CONFIG may be forbidden: then nobody can tell */

    if (HALE_REDIS_CMD(r, &reply, HALE_STR("CONFIG"), HALE_STR("GET"),
                       hale_str_from(key)) != HALE_OK)
        return true;
    if (hale_reply_n(reply) == 2)
        same = hale_str_eq_c(hale_reply_str(hale_reply_at(reply, 1)), want);
    hale_reply_free(reply);
    return same;
}

static void check_durability(struct collector_pulse *p)
{
    if (p->checked_generation == hale_redis_generation(p->redis))
        return;
    p->checked_generation = hale_redis_generation(p->redis);
    if (!config_is(p->redis, "appendonly", "yes") ||
        !config_is(p->redis, "appendfsync", "always"))
        hale_warn(
            "event=redis_not_durable detail=\"set appendonly yes and appendfsync "
            "always: until then an acknowledged sample can be lost with the host\"");
}

static void write_health(struct collector_pulse *p, struct collector *c)
{
    char key[HALE_KEY_MAX];
    struct hale_reply *reply = NULL;
    struct hale_buf b;

    hale_buf_init(&b, 65536);
    hale_daemon_health_json(c->daemon, &b);
    if (HALE_REDIS_CMD(p->redis, &reply, HALE_STR("SET"),
                       hale_str_from(hale_keys_health("hale-collector", key)),
                       hale_buf_str(&b), HALE_STR("EX"), HALE_STR("10")) == HALE_OK)
        hale_reply_free(reply);
    hale_buf_fini(&b);
}

void collector_pulse_beat(struct collector_pulse *p, struct collector *c)
{
    struct hale_reply *reply = NULL;

    enum hale_rc rc =
        HALE_REDIS_CMD(p->redis, &reply, HALE_STR("INFO"), HALE_STR("memory"));
    bool ok = rc == HALE_OK;
    if (ok) {
        watch_memory(c, hale_reply_str(reply));
        hale_reply_free(reply);
        check_durability(p);
        if (collector_copies_follow(c->copies, p->redis) != HALE_OK)
            hale_warn("event=definitions_not_followed detail=\"%s\"",
                      hale_redis_error(p->redis));
    }
    collector_gauge(REDIS_UP, ok ? 1 : 0);
    if (ok != atomic_exchange(&c->redis_ok, ok))
        hale_warn("event=%s detail=\"%s\"", ok ? "redis_up" : "redis_down",
                  ok ? "" : hale_redis_error(p->redis));
    hale_daemon_health_set(c->daemon, "redis", ok,
                           ok ? "answers" : hale_redis_error(p->redis));
    if (ok && p->beats % 3 == 0)
        write_health(p, c);
    p->beats++;
}
