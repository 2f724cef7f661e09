/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/definitions.h"
#include "model/yaml.h"

/* What kind of file it is shows in its only key at the top. */
int cli_check(const struct cli_options *o, const char *path)
{
    struct hale_err err = {0};
    struct hale_yaml *yaml = NULL;
    json_t *bodies = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, &err);

    (void)o;
    if (rc == HALE_OK &&
        hale_yaml_get(hale_yaml_root(yaml), "alarm_definitions") != NULL) {
        rc = cli_definitions_read(hale_yaml_root(yaml), &bodies, &err);
        if (rc == HALE_OK)
            printf("%s: %zu alarm definitions, all valid\n", path,
                   json_array_size(bodies));
    } else if (rc == HALE_OK) {
        rc = hale_yaml_error(
            hale_yaml_root(yaml), &err,
            "neither alarm_definitions nor policies stand at the top (a daemon "
            "checks its own configuration: hale-collector --check-config)");
    }
    json_decref(bodies);
    hale_yaml_free(yaml);
    if (rc == HALE_OK)
        return CLI_OK;
    (void)cli_fail(&err);
    return CLI_USAGE;
}
