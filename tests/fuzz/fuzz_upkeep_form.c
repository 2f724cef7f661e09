/* SPDX-License-Identifier: Apache-2.0 */
/* Any body of a maintenance session: a start ('s' first), a reply ('r'), a constraint of an instance ('i') or of a group ('g').
 * Refused with a reason, or a session takes it and its record is read back the same; 'R': any record. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/upkeep.h"
#include "model/upkeep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1795270663182)
#define ID     "11111111-2222-4333-8444-555555555555"

static void same(const struct actuator_upkeep_session *s)
{
    struct actuator_upkeep_session *again = NULL;
    struct hale_buf a, b;
    hale_buf_init(&a, 8u << 20);
    hale_buf_init(&b, 8u << 20);
    if (actuator_upkeep_encode(s, &a) == HALE_OK) {
        if (actuator_upkeep_decode(hale_buf_str(&a), &again) != HALE_OK ||
            actuator_upkeep_encode(again, &b) != HALE_OK || a.len != b.len ||
            memcmp(a.p, b.p, a.len) != 0)
            abort();
    }
    actuator_upkeep_free(again);
    hale_buf_fini(&a);
    hale_buf_fini(&b);
}

static void lead(const json_t *start)
{
    static const struct actuator_upkeep_rules rules = {.reply_ms = 1000,
                                                       .action_ms = 1000,
                                                       .poll_ms = 100,
                                                       .parallel = 1,
                                                       .silence = "fail",
                                                       .fallback = "fail",
                                                       .url = "http://h"};
    struct actuator_upkeep_out out;
    struct actuator_upkeep_session *s =
        actuator_upkeep_new(ID, start, &rules, NULL, NOW_MS);
    if (s == NULL)
        return;
    same(s);
    actuator_upkeep_said(s, "1", start, NOW_MS);
    actuator_upkeep_said(s, "cancel", start, NOW_MS);
    same(s);
    actuator_upkeep_take(s, &out);
    actuator_upkeep_out_fini(&out);
    actuator_upkeep_free(s);
}

static void read_record(const uint8_t *data, size_t size)
{
    struct actuator_upkeep_session *s = NULL;
    if (actuator_upkeep_decode((struct hale_str){(const char *)data, size}, &s) !=
        HALE_OK)
        return;
    actuator_upkeep_tick(s, NOW_MS);
    actuator_upkeep_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_err err = {0};
    json_t *body, *out = NULL;
    if (size == 0)
        return 0;
    if (data[0] == 'R') {
        read_record(data + 1, size - 1);
        return 0;
    }
    body = json_loadb((const char *)data + 1, size - 1, JSON_DECODE_ANY | JSON_ALLOW_NUL,
                      NULL);
    if (body == NULL)
        return 0;
    enum hale_rc rc = data[0] == 's' ? hale_upkeep_start(body, &out, &err)
                      : data[0] == 'r'
                          ? hale_upkeep_reply(body, &out, &err)
                          : hale_upkeep_constraint(body, data[0] == 'g', "x", &out, &err);
    if ((rc == HALE_OK) != (out != NULL) || (rc != HALE_OK && err.text[0] == '\0'))
        abort();
    if (rc == HALE_OK && data[0] == 's')
        lead(out);
    json_decref(out);
    json_decref(body);
    return 0;
}
