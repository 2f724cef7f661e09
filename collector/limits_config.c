/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/limits_config.h"

#include <stdlib.h>
#include <string.h>

#define BURST_S 10 /* seconds of the rate that may come at once by default */

struct raw {
    char *tenant;
    struct collector_limit limit;
    const struct hale_yaml_node *tenants;
};
#define AT(field) offsetof(struct raw, limit.field)

/* clang-format off */
#define LIMIT_FIELDS                                                                     \
    {"samples_per_second", HALE_CONF_INT, AT(samples_per_second), false, NULL, 0, 1e8, NULL, \
     "samples a tenant may send per second on the average; beyond it 429; 0: any"},      \
    {"samples_burst", HALE_CONF_INT, AT(samples_burst), false, NULL, 0, 1e9, NULL,      \
     "samples that may come at once; 0: those of 10 s"},                                 \
    {"max_body", HALE_CONF_BYTES, AT(max_body), false, NULL, 0, 268435456, NULL,         \
     "ceiling of a tenant's request with samples; beyond it 413; 0: only the common one"}, \
    {"max_series", HALE_CONF_INT, AT(max_series), false, NULL, 0, 50000000, NULL,        \
     "series a tenant may have; samples of further ones are refused; 0: any"}

static const struct hale_conf_field SECTION[] = {
    LIMIT_FIELDS,
    {"tenants", HALE_CONF_NODE, offsetof(struct raw, tenants), false, NULL, 0, 0, NULL,
     "list of tenants with limits of their own: tenant, and the keys that differ"},
};
static const struct hale_conf_field ROW[] = {
    {"tenant", HALE_CONF_STRING, offsetof(struct raw, tenant), true, NULL, 0, 0, NULL,
     "the tenant's id"},
    LIMIT_FIELDS,
};
/* clang-format on */
#define N_SECTION (sizeof(SECTION) / sizeof(SECTION[0]))
#define N_ROW     (sizeof(ROW) / sizeof(ROW[0]))

static enum hale_rc complete(const struct hale_yaml_node *node, struct collector_limit *l,
                             struct hale_err *err)
{
    if (l->samples_per_second == 0 && hale_yaml_get(node, "samples_burst") != NULL &&
        l->samples_burst > 0)
        return hale_yaml_error(node, err,
                               "samples_burst without samples_per_second limits nothing");
    if (l->samples_per_second > 0 && l->samples_burst == 0)
        l->samples_burst = BURST_S * l->samples_per_second;
    return HALE_OK;
}

/* Keys that a row does not have are those of the section. A rate of its own does not take the
 * section's burst, which belongs to another rate. */
static void inherit(const struct hale_yaml_node *node, const struct collector_limit *each,
                    struct collector_limit *l)
{
    bool rate = hale_yaml_get(node, "samples_per_second") != NULL;

    if (!rate)
        l->samples_per_second = each->samples_per_second;
    if (!rate && hale_yaml_get(node, "samples_burst") == NULL)
        l->samples_burst = each->samples_burst;
    if (hale_yaml_get(node, "max_body") == NULL)
        l->max_body = each->max_body;
    if (hale_yaml_get(node, "max_series") == NULL)
        l->max_series = each->max_series;
}

static enum hale_rc read_row(const struct hale_yaml_node *node,
                             struct collector_limits_config *out, struct hale_err *err)
{
    struct raw raw = {0};
    struct collector_limit_row *row = &out->rows[out->n_rows];

    if (hale_yaml_kind(node) != HALE_YAML_MAP)
        return hale_yaml_error(
            node, err, "tenants must be a list of maps, each with the key tenant");
    enum hale_rc rc = hale_conf_read(node, ROW, N_ROW, &raw, err);
    if (rc != HALE_OK)
        return rc;
    size_t len = strlen(raw.tenant);
    if (len == 0 || len > HALE_TENANT_MAX_BYTES) {
        rc = hale_yaml_error(node, err, "a tenant has 1 to %d bytes",
                             HALE_TENANT_MAX_BYTES);
    } else {
        memcpy(row->tenant, raw.tenant, len + 1);
        row->limit = raw.limit;
        inherit(node, &out->each, &row->limit);
        rc = complete(node, &row->limit, err);
    }
    hale_conf_fini(ROW, N_ROW, &raw);
    for (size_t i = 0; rc == HALE_OK && i < out->n_rows; i++) {
        if (strcmp(out->rows[i].tenant, row->tenant) == 0)
            rc = hale_yaml_error(node, err, "tenant %s has two rows", row->tenant);
    }
    out->n_rows += rc == HALE_OK;
    return rc;
}

static enum hale_rc read_rows(const struct hale_yaml_node *list,
                              struct collector_limits_config *out, struct hale_err *err)
{
    size_t n = hale_yaml_count(list);
    enum hale_rc rc = HALE_OK;

    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(
            list, err, "tenants must be a list of maps, each with the key tenant");
    if (n > COLLECTOR_LIMITS_TENANTS_MAX)
        return hale_yaml_error(list, err, "more than %d tenants",
                               COLLECTOR_LIMITS_TENANTS_MAX);
    out->rows = calloc(n + 1, sizeof(*out->rows));
    if (out->rows == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == HALE_OK && i < n; i++)
        rc = read_row(hale_yaml_item(list, i), out, err);
    return rc;
}

enum hale_rc collector_limits_config_read(const struct hale_yaml_node *node,
                                          struct collector_limits_config *out,
                                          struct hale_err *err)
{
    struct raw raw = {0};

    memset(out, 0, sizeof(*out));
    if (node == NULL)
        return HALE_OK;
    if (hale_yaml_kind(node) != HALE_YAML_MAP)
        return hale_yaml_error(node, err, "limits must have keys below it");
    enum hale_rc rc = hale_conf_read(node, SECTION, N_SECTION, &raw, err);
    if (rc != HALE_OK)
        return rc;
    out->each = raw.limit;
    rc = complete(node, &out->each, err);
    if (rc == HALE_OK && raw.tenants != NULL)
        rc = read_rows(raw.tenants, out, err);
    return rc;
}

void collector_limits_config_fini(struct collector_limits_config *c)
{
    free(c->rows);
    memset(c, 0, sizeof(*c));
}

void collector_limits_config_describe(struct hale_buf *out)
{
    hale_conf_describe(SECTION, N_SECTION, out);
}
