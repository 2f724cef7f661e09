/* SPDX-License-Identifier: Apache-2.0 */
/* Files of other systems: any bytes are refused or imported, and what is written can be applied. */
#include <stdint.h>

#include "actuator/policy.h"
#include "base/assert.h"
#include "cli/definitions.h"
#include "cli/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_policies(const struct cli_import *i, struct hale_buf *out)
{
    struct actuator_policies *policies = NULL;
    struct hale_err err = {0};
    hale_buf_reset(out);
    cli_import_write_policies(i, out);
    enum hale_rc rc = actuator_policies_load(hale_buf_str(out), "out", &policies, &err);
    HALE_ASSERT(rc == HALE_OK && policies->n == json_array_size(i->policies));
    actuator_policies_free(policies);
}

static void check(const struct cli_import *i)
{
    struct hale_buf out;
    struct hale_yaml *yaml = NULL;
    struct hale_err err = {0};
    json_t *bodies = NULL;
    hale_buf_init(&out, 64u << 20);
    cli_import_write(i, &out);
    enum hale_rc rc = hale_yaml_load(hale_buf_str(&out), "out", &yaml, &err);
    if (rc == HALE_OK)
        rc = cli_definitions_read(hale_yaml_root(yaml), &bodies, &err);
    HALE_ASSERT(rc == HALE_OK && json_equal(bodies, i->definitions));
    json_decref(bodies);
    hale_yaml_free(yaml);
    check_policies(i, &out);
    hale_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hale_str text = {(const char *)data, size};
    static const char *const match_by[] = {NULL, "instance,job"};
    struct hale_err err = {0};
    struct cli_import i;
    if (size > 100000)
        return 0;
    for (unsigned k = 0; k < 6; k++) {
        cli_import_init(&i);
        enum hale_rc rc =
            k == 5   ? cli_import_onap(text, "fuzz", &i, &err)
            : k == 4 ? cli_import_tacker(text, "fuzz", &i, &err)
            : k == 3 ? cli_import_osm(text, "fuzz", &i, &err)
            : k == 2 ? cli_import_monasca(text, "fuzz", &i, &err)
                     : cli_import_prometheus(text, "fuzz", match_by[k], &i, &err);
        if (rc == HALE_OK)
            check(&i);
        else
            HALE_ASSERT(err.text[0] != '\0');
        cli_import_fini(&i);
    }
    return 0;
}
