/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/status_api.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "collector/alarm_view.h"
#include "collector/catalog.h"
#include "collector/request.h"
#include "collector/stats.h"
#include "store/keys.h"

#define ANSWER_MAX (1u << 20)

/* Their health keys carry the program's name, the answer the room's. */
#define PREFIX "hale-"
static const char *const DAEMONS[] = {PREFIX "collector",  PREFIX "thresholds",
                                      PREFIX "correlator", PREFIX "actuator",
                                      PREFIX "actuator-2", PREFIX "agent"};
#define N_DAEMONS (sizeof(DAEMONS) / sizeof(DAEMONS[0]))

static void add_version(struct collector *c, struct hale_http_req *req,
                        struct hale_buf *b)
{
    hale_buf_add_c(b, "{\"id\":\"v2.0\",");
    collector_links_to(req, c->conf->trust_forwarded, "/v2.0", "", b);
    hale_buf_add_c(b,
                   ",\"status\":\"CURRENT\",\"updated\":\"2013-03-06T00:00:00.000Z\"}");
}

void collector_versions_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    struct hale_buf b;

    (void)redis;
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_add_char(&b, '{');
    collector_links_self(req, c->conf->trust_forwarded, NULL, &b);
    hale_buf_add_c(&b, ",\"elements\":[");
    add_version(c, req, &b);
    hale_buf_add_c(&b, "]}");
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_version_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    struct hale_buf b;

    (void)redis;
    hale_buf_init(&b, ANSWER_MAX);
    add_version(c, req, &b);
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}

void collector_healthz_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    struct hale_buf b;

    (void)redis;
    hale_buf_init(&b, ANSWER_MAX);
    hale_daemon_health_json(c->daemon, &b);
    collector_reply_buf(req, hale_daemon_healthy(c->daemon) ? 200 : 503, COLLECTOR_JSON,
                        &b);
    hale_buf_fini(&b);
}

/* Monasca's form: HEAD 204, GET with the state of the parts. */
void collector_healthcheck_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)redis;
    hale_http_add_header(req, "Cache-Control", "must-revalidate,no-cache,no-store");
    if (strcmp(hale_http_method(req), "HEAD") == 0) {
        collector_reply_none(req, 204);
        return;
    }
    bool ok = atomic_load(&c->redis_ok);
    struct hale_str body =
        ok ? HALE_STR("{\"redis\":\"OK\"}") : HALE_STR("{\"redis\":\"does not answer\"}");
    collector_reply_bytes(req, ok ? 200 : 503, COLLECTOR_JSON, body);
}

static bool is_loopback(const char *peer)
{
    return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0 ||
           strncmp(peer, "::ffff:127.", 11) == 0;
}

void collector_own_metrics_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    struct hale_buf b;

    (void)c;
    (void)redis;
    if (!is_loopback(hale_http_peer(req))) {
        collector_reply_not_found(req);
        return;
    }
    hale_buf_init(&b, ANSWER_MAX);
    hale_counter_render(&b, "hale-collector");
    collector_reply_buf(req, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
    hale_buf_fini(&b);
}

static void add_roles(unsigned roles, struct hale_buf *b)
{
    bool first = true;

    hale_buf_add_c(b, "\"roles\":[");
    for (unsigned bit = 1; bit <= COLLECTOR_DELEGATE; bit <<= 1) {
        if ((roles & bit) == 0)
            continue;
        hale_buf_printf(b, "%s\"%s\"", first ? "" : ",", collector_role_text(bit));
        first = false;
    }
    hale_buf_add_c(b, "]");
}

static void add_daemons(struct hale_redis *redis, struct hale_buf *b)
{
    char keys[N_DAEMONS][HALE_KEY_MAX];
    struct hale_str args[N_DAEMONS + 1] = {HALE_STR("MGET")};
    struct hale_reply *reply = NULL;
    bool first = true;

    for (size_t i = 0; i < N_DAEMONS; i++)
        args[i + 1] = hale_str_from(hale_keys_health(DAEMONS[i], keys[i]));
    hale_buf_add_c(b, "\"daemons\":{");
    if (hale_redis_cmd(redis, N_DAEMONS + 1, args, &reply) == HALE_OK) {
        for (size_t i = 0; i < N_DAEMONS; i++) {
            struct hale_str json = hale_reply_str(hale_reply_at(reply, i));
            if (json.len == 0 || json.p[0] != '{')
                continue;
            hale_buf_printf(b, "%s\"%s\":", first ? "" : ",",
                            DAEMONS[i] + sizeof(PREFIX) - 1);
            hale_buf_add_str(b, json);
            first = false;
        }
        hale_reply_free(reply);
    }
    hale_buf_add_c(b, "}");
}

void collector_status_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    struct collector_alarm_counts counts;
    struct hale_buf b;

    collector_view_counts(c->view, r->tenant, &counts);
    hale_buf_init(&b, ANSWER_MAX);
    hale_buf_printf(&b, "{\"version\":\"%s\",\"time_ms\":%lld,\"tenant\":\"%s\",",
                    HALE_VERSION, (long long)hale_clock_wall_ms(), r->tenant);
    add_roles(r->who.roles, &b);
    hale_buf_add_char(&b, ',');
    add_daemons(redis, &b);
    hale_buf_printf(&b,
                    ",\"redis\":{\"ok\":%s,\"used_memory_bytes\":%lld},\"series\":%zu,"
                    "\"alarms\":{\"OK\":%zu,\"ALARM\":%zu,\"UNDETERMINED\":%zu}}",
                    atomic_load(&c->redis_ok) ? "true" : "false",
                    (long long)atomic_load(&c->redis_memory),
                    collector_catalog_tenant_count(c->catalog, hale_str_from(r->tenant)),
                    counts.ok, counts.alarm, counts.undetermined);
    collector_reply_buf(req, 200, COLLECTOR_JSON, &b);
    hale_buf_fini(&b);
}
