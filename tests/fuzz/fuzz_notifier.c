/* SPDX-License-Identifier: Apache-2.0 */
/* Any server and body of a registration at the Server Notifier: refused with a reason, or it is stored,
 * read back the same and told in Tacker's form. The first line is the server. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/notifier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(const struct hale_aodh *a)
{
    const struct hale_aodh_event e = {
        "m", a->event_type, 1,
        json_pack("{s:s,s:s}", "host", "h", "hale_entity", "host/h")};
    json_t *body = hale_aodh_body(a, HALE_STATE_OK, HALE_STATE_ALARM, &e);
    const json_t *n = json_object_get(body, "notification");
    HALE_ASSERT(json_string_length(json_object_get(n, "fault_id")) ==
                HALE_NOTIFIER_FAULT_LEN);
    HALE_ASSERT(json_string_length(json_object_get(n, "fault_type")) == 2);
    HALE_ASSERT(json_object_size(body) == 1);
    json_decref(body);
    json_decref(e.traits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_str body = {(const char *)data, size}, server;
    struct hale_aodh *a = NULL, *again = NULL;
    struct hale_err err = {0};
    struct hale_buf text;

    server = hale_str_split(&body, '\n');
    json_t *j = body.len > 0 ? json_loadb(body.p, body.len, 0, NULL) : NULL;
    if (j == NULL)
        return 0;
    if (hale_notifier_from_api(j, server, &a, &err) != HALE_OK) {
        HALE_ASSERT(a == NULL && err.text[0] != '\0');
        json_decref(j);
        return 0;
    }
    json_decref(j);
    const char *vm = hale_aodh_instance(a);
    HALE_ASSERT(vm != NULL && hale_str_eq_c(server, vm));
    a->id = strdup("0f0e0d0c-0000-4000-8000-000000000001");
    a->tenant = strdup("t");
    a->user = strdup("u");
    hale_buf_init(&text, 1u << 20);
    HALE_ASSERT(hale_aodh_encode(a, &text) == HALE_OK);
    HALE_ASSERT(hale_aodh_decode(hale_buf_str(&text), &again) == HALE_OK);
    HALE_ASSERT(json_equal(a->faults, again->faults));
    tell(again);
    json_t *shown = hale_notifier_to_api(again);
    HALE_ASSERT(json_object_size(shown) == 3);
    json_decref(shown);
    hale_buf_fini(&text);
    hale_aodh_free(a);
    hale_aodh_free(again);
    return 0;
}
