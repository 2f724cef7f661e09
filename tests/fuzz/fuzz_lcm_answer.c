/* SPDX-License-Identifier: Apache-2.0 */
/* What a VNFM, an NFVO, a webhook or a token endpoint may answer, any bytes: in every phase of a step. The first byte chooses step and status, the second what was said before. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actuator/lcm.h"
#include "actuator/oauth.h"
#include "base/assert.h"

#define NOW_US 1795000000000000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const STEPS[] = {
    "{\"type\":\"vnflcm\",\"url\":\"http://"
    "h\",\"operation\":\"heal\",\"vnf\":\"v\",\"body\":{"
    "\"vnfcInstanceId\":[\"b\"]},\"timeout_ms\":60000,\"poll_ms\":100,\"retries\":3}",
    "{\"type\":\"nslcm\",\"url\":\"http://"
    "h\",\"operation\":\"scale\",\"ns\":\"n\",\"body\":{"
    "\"scaleType\":\"SCALE_NS\"},\"timeout_ms\":60000,\"poll_ms\":100,\"retries\":3,"
    "\"failed_temp\":3}",
    "{\"type\":\"vnflcm\",\"url\":\"http://"
    "h\",\"operation\":\"heal\",\"vnf\":\"v\",\"body\":{"
    "\"vnfcInstanceId\":[\"b\"]},\"timeout_ms\":60000,\"poll_ms\":100,\"retries\":3,"
    "\"call\":{\"way\":\"auto_healing\",\"body\":{}},\"appear_ms\":0,\"failed_temp\":1}",
    "{\"type\":\"webhook\",\"url\":\"http://h/a/"
    "b\",\"method\":\"POST\",\"timeout_ms\":5000,"
    "\"retries\":3,\"expect\":{\"/a\":[\"*\",null]},\"until\":{\"every_ms\":100,"
    "\"within_ms\":60000,\"expect\":{\"/a/0\":[\"x*y\",3]},\"fail\":{\"/b\":[true]}}}",
    "{\"type\":\"webhook\",\"url\":\"http://h/"
    "a\",\"method\":\"POST\",\"timeout_ms\":5000,"
    "\"retries\":3,\"until\":{\"url\":\"http://h/x/${answer:/a}\",\"every_ms\":100,"
    "\"within_ms\":60000,\"success\":[[200,299]]}}"};
#define N_STEPS (sizeof(STEPS) / sizeof(STEPS[0]))

static bool taken(const char *op_id, void *arg)
{
    (void)arg;
    return strcmp(op_id, "taken") == 0;
}

/* A segment of dots alone leads elsewhere; "o-.." is an id like others. */
static bool climbs(const char *url)
{
    size_t len = strlen(url);
    return strstr(url, "/../") != NULL || strstr(url, "/./") != NULL ||
           (len >= 3 && strcmp(url + len - 3, "/..") == 0);
}

static void one_phase(const char *step, enum actuator_phase phase, unsigned said,
                      const struct actuator_answer *a)
{
    static const char *const words[] = {"", "retry", "rollback", "fail"};
    struct actuator_run *r = calloc(1, sizeof(*r));
    struct actuator_decision d;
    struct actuator_request q;
    if (r == NULL)
        return;
    (void)snprintf(r->id, sizeof(r->id), "0f0e0d0c-0000-4000-8000-000000000001");
    (void)snprintf(r->op_occ, sizeof(r->op_occ), "op-1");
    (void)snprintf(r->settle, sizeof(r->settle), "%s", words[said % 4]);
    r->settled = (said & 4) != 0;
    r->queries = said / 8 % 8;
    r->plan = json_pack("[o]", json_loads(step, 0, NULL));
    r->step_us = r->call_us = NOW_US;
    r->phase = phase;
    if (phase == ACTUATOR_POLL && strstr(step, "webhook") != NULL)
        r->follow = strdup("http://h/j");
    actuator_step_answer(r, a, NOW_US, taken, NULL, &d);
    HALE_ASSERT(d.text[0] != '\0' || a->rc != HALE_OK);
    HALE_ASSERT(strlen(r->op_occ) < ACTUATOR_OP_ID_MAX);
    if (d.end == ACTUATOR_GOES_ON) {
        r->phase = d.phase;
        HALE_ASSERT(d.delay_us >= 0);
        if (actuator_step_request(r, NOW_US, &q) == HALE_OK)
            HALE_ASSERT(strncasecmp(q.url.p, "http://h", 8) == 0 &&
                        (r->follow != NULL || !climbs(q.url.p)) &&
                        strchr("/?#:", q.url.p[8]) != NULL &&
                        strpbrk(q.url.p, " \r\n\\") == NULL);
        actuator_request_fini(&q);
    }
    actuator_run_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = {200, 202, 204, 302, 400, 404, 409, 429, 500};
    static const enum actuator_phase phases[] = {
        ACTUATOR_CALL, ACTUATOR_ASK, ACTUATOR_CONFLICT, ACTUATOR_POLL, ACTUATOR_SETTLE};
    if (size < 2)
        return 0;
    struct hale_str body = {(const char *)data + 2, size - 2};
    struct actuator_bearer b;
    struct hale_err err;
    if (actuator_oauth_token(body, NOW_US, &b, &err) == HALE_OK) {
        HALE_ASSERT(b.text != NULL && strpbrk(b.text, " \r\n") == NULL &&
                    b.renew_us > NOW_US);
        actuator_bearer_fini(&b);
    }
    const struct actuator_answer a = {.rc = HALE_OK,
                                      .sent = true,
                                      .status = statuses[data[0] / N_STEPS % 9],
                                      .body = body,
                                      .location = body,
                                      .retry_after = body,
                                      .error = ""};
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
        one_phase(STEPS[data[0] % N_STEPS], phases[i], data[1], &a);
    return 0;
}
