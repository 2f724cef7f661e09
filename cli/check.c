/* SPDX-License-Identifier: Apache-2.0 */
/* check - `hale check FILE`: what kind of file it is shows in its key at the top; the daemon that
 * reads such files brings the code that checks it. */
#include <stdio.h>

#include "actuator/policy.h"
#include "cli/cli.h"
#include "cli/definitions.h"
#include "collector/token.h"
#include "model/rule.h"
#include "model/yaml.h"

static enum hale_rc count_definitions(const char *path, size_t *n, struct hale_err *err)
{
    json_t *bodies = NULL;
    enum hale_rc rc = cli_definitions_load(path, &bodies, err);
    *n = json_array_size(bodies);
    json_decref(bodies);
    return rc;
}

static enum hale_rc count_policies(const char *path, size_t *n, struct hale_err *err)
{
    struct actuator_policies *policies = NULL;
    enum hale_rc rc = actuator_policies_load_file(path, &policies, err);
    *n = policies != NULL ? policies->n + policies->n_scaling : 0;
    actuator_policies_free(policies);
    return rc;
}

static enum hale_rc count_tokens(const char *path, size_t *n, struct hale_err *err)
{
    struct collector_token_table *table = NULL;
    enum hale_rc rc = collector_token_table_load(path, &table, err);
    *n = table != NULL ? collector_token_table_count(table) : 0;
    collector_token_table_free(table);
    return rc;
}

static enum hale_rc count_rules(const char *path, size_t *n, struct hale_err *err)
{
    struct hale_rules *rules = NULL;
    enum hale_rc rc = hale_rules_load_file(path, &rules, err);
    *n = rules != NULL ? rules->n : 0;
    hale_rules_free(rules);
    return rc;
}

static const struct {
    const char *key, *one, *many;
    enum hale_rc (*count)(const char *path, size_t *n, struct hale_err *err);
} kinds[] = {
    {"alarm_definitions", "alarm definition", "alarm definitions", count_definitions},
    {"policies", "policy", "policies", count_policies},
    {"scaling", "policy", "policies", count_policies},
    {"rules", "rule", "rules", count_rules},
    {"tokens", "token", "tokens", count_tokens},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

int cli_check(const struct cli_options *o, const char *path)
{
    struct hale_err err = {0};
    struct hale_yaml *yaml = NULL;
    size_t kind = 0, n = 0;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, &err);

    (void)o;
    if (rc == HALE_OK) {
        const struct hale_yaml_node *root = hale_yaml_root(yaml);
        while (kind < N_KINDS && hale_yaml_get(root, kinds[kind].key) == NULL)
            kind++;
        rc = kind < N_KINDS
                 ? kinds[kind].count(path, &n, &err)
                 : hale_yaml_error(
                       root, &err,
                       "none of alarm_definitions, policies, rules and tokens stands at "
                       "the top "
                       "(a daemon checks its own configuration: hale-collector "
                       "--config FILE --check-config)");
    }
    hale_yaml_free(yaml);
    if (rc == HALE_OK) {
        printf("%s: %zu %s, all valid\n", path, n,
               n == 1 ? kinds[kind].one : kinds[kind].many);
        return CLI_OK;
    }
    (void)cli_fail(&err);
    return CLI_USAGE;
}
