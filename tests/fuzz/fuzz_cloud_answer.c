/* SPDX-License-Identifier: Apache-2.0 */
/* What a cloud may answer, any bytes: Keystone's token and catalogue, and for every driver the
 * questions and each phase of a lane; how many there are of what is scaled. The first byte chooses. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/keystone.h"
#include "actuator/size.h"
#include "actuator/vim.h"
#include "base/assert.h"

#define NOW_US 1795000000000000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *type, *action, *args;
} STEPS[] = {
    {"nova", "evacuate", "{\"host\":\"h\"}"},
    {"nova", "migrate", "{\"server\":\"s\"}"},
    {"nova", "force-up", "{\"host\":\"h\"}"},
    {"heat", "mark-unhealthy", "{\"stack\":\"s\",\"server\":\"vm\"}"},
    {"heat", "scale", "{\"stack\":\"s\",\"parameter\":\"n\",\"by\":\"1\"}"},
    {"heat", "signal", "{\"stack\":\"s\",\"resource\":\"r\"}"},
    {"masakari", "host-failed", "{\"host\":\"h\"}"},
    {"mistral", "execute", "{\"workflow\":\"w\"}"},
    {"neutron", "data-plane-status", "{\"host\":\"h\",\"status\":\"DOWN\"}"},
    {"kubernetes", "scale",
     "{\"namespace\":\"n\",\"kind\":\"deployment\",\"name\":\"x\",\"by\":\"1\"}"},
    {"kubernetes", "drain", "{\"node\":\"n\",\"unmanaged\":\"evict\"}"},
    {"kubernetes", "evict", "{\"namespace\":\"n\",\"pod\":\"x\"}"},
    {"senlin", "recover", "{\"cluster\":\"c\",\"operation\":\"rebuild\"}"},
};
#define N_STEPS (sizeof(STEPS) / sizeof(STEPS[0]))

static void check(struct actuator_run *r, struct actuator_lane *lane,
                  const struct actuator_answer *a)
{
    struct actuator_decision d;
    struct actuator_request q;
    struct actuator_lanes back;
    size_t at = lane != NULL ? (size_t)(lane - r->lanes.v) : 0;
    actuator_vim_answer(r, lane, a, NOW_US, &d);
    HALE_ASSERT(d.end != ACTUATOR_STEP_FAILED || d.text[0] != '\0');
    if (lane != NULL)
        lane = &r->lanes.v[at]; /* it may have moved */
    if (lane != NULL && d.end == ACTUATOR_GOES_ON) {
        lane->phase = (int)(d.phase == ACTUATOR_WAIT ? ACTUATOR_CALL : d.phase);
        if (actuator_step_lane_request(r, lane, NOW_US, &q) == HALE_OK)
            HALE_ASSERT(q.url.p != NULL && q.url.p[0] == '/' &&
                        strstr(q.url.p, "..") == NULL &&
                        strpbrk(q.url.p, " \r\n\\") == NULL);
        actuator_request_fini(&q);
    }
    json_t *o = actuator_lanes_encode(&r->lanes);
    if (o != NULL && actuator_lanes_decode(o, &back) == HALE_OK) {
        HALE_ASSERT(back.n == r->lanes.n);
        actuator_lanes_fini(&back);
    }
    json_decref(o);
}

static void one_step(size_t which, int64_t stage, const struct actuator_answer *a)
{
    struct actuator_run *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return;
    (void)snprintf(r->id, sizeof(r->id), "0f0e0d0c-0000-4000-8000-000000000001");
    r->plan = json_pack("[{s:s,s:s,s:s,s:o,s:i,s:i,s:i}]", "type", STEPS[which].type,
                        "cloud", "c", "action", STEPS[which].action, "args",
                        json_loads(STEPS[which].args, 0, NULL), "timeout_ms", 60000,
                        "poll_ms", 100, "retries", 3);
    r->step_us = NOW_US;
    r->lanes.stage = stage;
    r->lanes.facts = json_pack("{s:s,s:s,s:s}", "name", "n", "id", "i", "updated", "");
    check(r, NULL, a);
    for (unsigned i = 0; i < r->lanes.n && i < 4; i++)
        for (int phase = ACTUATOR_CALL; phase <= ACTUATOR_POLL; phase++) {
            r->lanes.v[i].phase = phase;
            check(r, &r->lanes.v[i], a);
        }
    struct actuator_lane *lane = NULL;
    for (int phase = ACTUATOR_CALL; phase <= ACTUATOR_POLL; phase++)
        if (actuator_lanes_add(&r->lanes, "x", &lane) == HALE_OK) {
            lane->phase = phase;
            lane->call_us = NOW_US;
            HALE_ASSERT(actuator_lane_set(lane, "path", "/stacks/n/i/resources/r") ==
                        HALE_OK);
            check(r, lane, a);
        }
    actuator_run_free(r);
}

/* The same answer to each request of a look. */
static void one_size(int kind, const struct actuator_answer *a)
{
    static char name[] = "web", part[] = "g";
    const struct actuator_size s = {.kind = (enum actuator_size_kind)kind,
                                    .cloud = name,
                                    .plural = "deployments",
                                    .thing = name,
                                    .part = part};
    struct actuator_size_look k;
    struct actuator_request q;
    unsigned requests = 0;
    actuator_size_begin(&k);
    for (; !k.over; requests++) {
        HALE_ASSERT(requests < ACTUATOR_SIZE_PAGES_MAX);
        HALE_ASSERT(actuator_size_request(&s, &k, &q) == HALE_OK);
        HALE_ASSERT(q.url.p[0] == '/' && strstr(q.url.p, "..") == NULL &&
                    strpbrk(q.url.p, " \r\n\\") == NULL);
        actuator_request_fini(&q);
        actuator_size_answer(&s, &k, a);
    }
    HALE_ASSERT(k.known ? k.size >= 0 && k.size <= ACTUATOR_SIZE_MAX
                        : k.error[0] != '\0' && !k.ready_known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = {200, 202, 302, 400, 404, 409, 500};
    static const struct actuator_cloud cloud = {.region =
                                                    (char *)(uintptr_t) "RegionOne"};
    if (size < 2)
        return 0;
    struct hale_str body = {(const char *)data + 2, size - 2};
    struct actuator_token t;
    struct hale_err err;
    if (actuator_keystone_token(&cloud, body, HALE_STR("token"), &t, &err) == HALE_OK) {
        HALE_ASSERT(t.n <= ACTUATOR_SERVICE_MAX);
        for (unsigned i = 0; i < t.n; i++)
            HALE_ASSERT(actuator_keystone_endpoint(&t, t.endpoint[i].type) != NULL);
        actuator_token_fini(&t);
    }
    const struct actuator_answer a = {.rc = HALE_OK,
                                      .sent = true,
                                      .status = statuses[data[1] % 7],
                                      .body = body,
                                      .location = body,
                                      .error = ""};
    one_step(data[0] % N_STEPS, data[1] / 64, &a);
    for (int kind = ACTUATOR_SIZE_PARAMETER; kind <= ACTUATOR_SIZE_SERVERS; kind++)
        one_size(kind, &a);
    return 0;
}
