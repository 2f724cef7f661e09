/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files from any bytes; what is accepted keeps its own bounds. */
#include <stdint.h>

#include "base/assert.h"
#include "model/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_rules *rules = NULL;
    struct hale_err err = {0};
    if (hale_rules_load((struct hale_str){(const char *)data, size}, "fuzz", &rules,
                        &err) != HALE_OK)
        return 0;
    for (unsigned i = 0; i < rules->n; i++) {
        const struct hale_rule *r = &rules->v[i];
        HALE_ASSERT(r->n_actions >= 1 && r->n_actions <= HALE_RULE_ACTIONS_MAX);
        HALE_ASSERT(r->when.n >= 1 && r->when.n <= HALE_RULE_BRANCHES_MAX);
        for (unsigned b = 0; b < r->when.n; b++) {
            HALE_ASSERT(r->when.branch[b].n >= 1);
            HALE_ASSERT(r->when.branch[b].entities >> r->n_entities == 0);
        }
    }
    hale_rules_free(rules);
    return 0;
}
