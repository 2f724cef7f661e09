/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and the stored run record from any bytes; what is accepted must be usable. */
#include <stdint.h>

#include "actuator/policy.h"
#include "actuator/run.h"
#include "actuator/template.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_str text = {(const char *)data, size};
    struct actuator_policies *policies = NULL;
    struct actuator_run *run = NULL;
    struct hale_err err = {0};
    char missing[ACTUATOR_NAME_MAX];

    if (actuator_policies_load(text, "fuzz", &policies, &err) == HALE_OK) {
        json_t *vars =
            json_pack("{s:s,s:s}", "vnf_id", "v\"1", "alarm.reason", "a/b\r\n");
        for (unsigned i = 0; i < actuator_policies_count(policies); i++) {
            json_t *plan = NULL;
            enum hale_rc rc = actuator_policy_plan(actuator_policies_at(policies, i),
                                                   vars, &plan, missing);
            HALE_ASSERT((rc == HALE_OK) == (plan != NULL));
            json_decref(plan);
        }
        json_decref(vars);
        actuator_policies_free(policies);
    } else {
        HALE_ASSERT(err.text[0] != '\0');
    }
    if (actuator_run_decode(text, &run) == HALE_OK) {
        struct hale_buf out;
        struct actuator_run *again = NULL;
        hale_buf_init(&out, 1u << 22);
        HALE_ASSERT(actuator_run_encode(run, &out) == HALE_OK);
        HALE_ASSERT(actuator_run_decode(hale_buf_str(&out), &again) == HALE_OK);
        actuator_run_free(again);
        hale_buf_fini(&out);
        actuator_run_free(run);
    }
    return 0;
}
