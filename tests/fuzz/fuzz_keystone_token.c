/* SPDX-License-Identifier: Apache-2.0 */
/* Any answer of Keystone: refused with a reason, or a token whose tenant is one and whose access rules can
 * be asked about. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/keystone_login.h"
#include "collector/keystone_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char service[] = "monitoring", role[] = "monasca-user";
    struct collector_keystone_config conf = {.service_type = service,
                                             .operators = {{role}, 1}};
    struct collector_keystone_token t;
    struct hale_err err = {0};
    struct hale_str body = {(const char *)data, size};
    int64_t expires_ms = 0;

    enum hale_rc rc = collector_keystone_token_read(&conf, body, &t, &err);
    if (rc != HALE_OK) {
        if (err.text[0] == '\0')
            abort();
    } else {
        if (!collector_tenant_ok(t.who.tenant) ||
            t.restricted != (t.service_type != NULL))
            abort();
        bool may = collector_keystone_token_allows(&t, "GET", "/v2.0/metrics/names",
                                                   t.expires_ms - 1);
        if (!t.restricted && !may)
            abort();
        if (collector_keystone_token_allows(&t, "GET", "/", t.expires_ms))
            abort();
        for (size_t i = 0; i < t.n_rules;
             i++) /* a path without wildcards matches itself */
            if (strpbrk(t.rules[i].path, "*{}") == NULL &&
                strlen(t.rules[i].path) < 256 &&
                !collector_access_path_matches(t.rules[i].path, t.rules[i].path))
                abort();
    }
    collector_keystone_token_fini(&t);
    /* A token that is one by the one reader has an end by the other. */
    if (collector_keystone_login_expiry(body, &expires_ms) != HALE_OK && rc == HALE_OK)
        abort();
    return 0;
}
