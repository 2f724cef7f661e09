/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf_inventory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/read.h"
#include "model/limits.h"

#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *

struct inventory_raw {
    char *tenant;
    int64_t every;
    NODE fetch;
    NODE clouds;
    NODE vnfms;
};
#define I(member) offsetof(struct inventory_raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"tenant", HALE_CONF_STRING, I(tenant), true, NULL, 0, 0, NULL,
     "whose topology it becomes"},
    {"every", HALE_CONF_DURATION, I(every), false, "60s", 1000, 86400000, NULL,
     "time between two rounds"},
    {"fetch", HALE_CONF_NODE, I(fetch), false, NULL, 0, 0, NULL,
     "of the clouds: nova, neutron, heat; default: all"},
    {"clouds", HALE_CONF_NODE, I(clouds), false, NULL, 0, 0, NULL,
     "which of the clouds; default: all"},
    {"vnfms", HALE_CONF_NODE, I(vnfms), false, NULL, 0, 0, NULL,
     "list: name, url (of vnflcm), credentials"},
};

struct vnfm_raw {
    char *name, *url, *credentials;
};
#define V(member) offsetof(struct vnfm_raw, member)
static const struct hale_conf_field VNFM[] = {
    {"name", HALE_CONF_STRING, V(name), true, NULL, 0, 0, NULL, "unique"},
    {"url", HALE_CONF_STRING, V(url), true, NULL, 0, 0, NULL,
     "of the VNF LCM interface: http://vnfm:9890/vnflcm/v2"},
    {"credentials", HALE_CONF_STRING, V(credentials), false, "", 0, 0, NULL,
     "name of credentials"},
};

void actuator_strings_fini(struct hale_strings *s)
{
    for (unsigned i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    memset(s, 0, sizeof(*s));
}

static enum hale_rc add_string(struct hale_strings *s, struct hale_str text,
                               struct hale_err *err)
{
    char **more = realloc(s->v, (s->n + 1) * sizeof(*more));
    if (more == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    s->v = more;
    s->v[s->n] = strndup(text.p != NULL ? text.p : "", text.len);
    if (s->v[s->n] == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    s->n++;
    return HALE_OK;
}

static enum hale_rc add_tenant(NODE item, void *arg, struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(item);
    if (text.len == 0 || text.len > HALE_TENANT_MAX_BYTES)
        return hale_yaml_error(item, err, "a tenant has 1 to %d bytes",
                               HALE_TENANT_MAX_BYTES);
    return add_string(arg, text, err);
}

enum hale_rc actuator_infrastructure_read(NODE list, struct hale_strings *out,
                                          struct hale_err *err)
{
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    return actuator_read_each(list, "infrastructure", err, add_tenant, out);
}

static enum hale_rc add_kind(NODE item, void *arg, struct hale_err *err)
{
    struct actuator_inventory_conf *c = arg;
    struct hale_str text = hale_yaml_text(item);
    if (hale_str_eq_c(text, "nova"))
        c->nova = true;
    else if (hale_str_eq_c(text, "neutron"))
        c->neutron = true;
    else if (hale_str_eq_c(text, "heat"))
        c->heat = true;
    else
        return hale_yaml_error(item, err, "fetch: nova, neutron or heat");
    return HALE_OK;
}

struct naming {
    const struct actuator_clouds *clouds;
    struct actuator_inventory_conf *out;
};

static enum hale_rc add_cloud(NODE item, void *arg, struct hale_err *err)
{
    struct naming *n = arg;
    char name[128], near[160];
    struct hale_str text = hale_yaml_text(item);
    (void)snprintf(name, sizeof(name), "%.*s", (int)text.len,
                   text.p != NULL ? text.p : "");
    if (actuator_clouds_find(n->clouds, name) == NULL)
        return hale_yaml_error(
            item, err, "'clouds' has no '%.64s'%s", name,
            actuator_clouds_suggest(n->clouds, name, near, sizeof(near)));
    return add_string(&n->out->clouds, text, err);
}

static enum hale_rc read_vnfm(NODE map, const struct actuator_credentials *credentials,
                              struct actuator_inventory_conf *out, struct hale_err *err)
{
    struct vnfm_raw raw = {0};
    struct hale_str host;
    unsigned port;
    enum hale_rc rc = hale_conf_read(map, VNFM, N(VNFM), &raw, err);
    if (rc != HALE_OK)
        return rc;
    struct actuator_vnfm *v = &out->vnfm[out->n_vnfms++];
    *v = (struct actuator_vnfm){actuator_read_move(&raw.name),
                                actuator_read_move(&raw.url),
                                actuator_read_move(&raw.credentials)};
    size_t len = strlen(v->url);
    while (len > 0 && v->url[len - 1] == '/')
        v->url[--len] = '\0';
    if (actuator_allow_split(v->url, &host, &port) != HALE_OK)
        rc = hale_yaml_error(hale_yaml_get(map, "url"), err,
                             "url must be an http:// or https:// address");
    else if (v->credentials[0] != '\0' &&
             actuator_credentials_find(credentials, v->credentials) == NULL)
        rc = hale_yaml_error(hale_yaml_get(map, "credentials"), err,
                             "there are no credentials '%.64s'", v->credentials);
    for (unsigned i = 0; rc == HALE_OK && i + 1 < out->n_vnfms; i++)
        if (strcmp(out->vnfm[i].name, v->name) == 0)
            rc = hale_yaml_error(map, err, "two VNFMs have the name '%.64s'", v->name);
    hale_conf_fini(VNFM, N(VNFM), &raw);
    return rc;
}

static enum hale_rc read_vnfms(NODE list, const struct actuator_credentials *credentials,
                               struct actuator_inventory_conf *out, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(list) != HALE_YAML_LIST ||
        hale_yaml_count(list) > ACTUATOR_VNFMS_MAX)
        return hale_yaml_error(list, err, "vnfms must be a list of at most %d",
                               ACTUATOR_VNFMS_MAX);
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(list); i++)
        rc = read_vnfm(hale_yaml_item(list, i), credentials, out, err);
    return rc;
}

enum hale_rc actuator_inventory_conf_read(NODE map, const struct actuator_clouds *clouds,
                                          const struct actuator_credentials *credentials,
                                          struct actuator_inventory_conf *out,
                                          struct hale_err *err)
{
    struct inventory_raw raw = {0};
    struct naming naming = {clouds, out};
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    out->tenant = actuator_read_move(&raw.tenant);
    out->every_ms = raw.every;
    if (strlen(out->tenant) == 0 || strlen(out->tenant) > HALE_TENANT_MAX_BYTES)
        rc = hale_yaml_error(hale_yaml_get(map, "tenant"), err,
                             "a tenant has 1 to %d bytes", HALE_TENANT_MAX_BYTES);
    if (rc == HALE_OK && hale_yaml_kind(raw.fetch) == HALE_YAML_NULL)
        out->nova = out->neutron = out->heat = true;
    else if (rc == HALE_OK)
        rc = actuator_read_each(raw.fetch, "fetch", err, add_kind, out);
    if (rc == HALE_OK && hale_yaml_kind(raw.clouds) != HALE_YAML_NULL)
        rc = actuator_read_each(raw.clouds, "clouds", err, add_cloud, &naming);
    for (unsigned i = 0;
         rc == HALE_OK && i < clouds->n && hale_yaml_kind(raw.clouds) == HALE_YAML_NULL;
         i++)
        rc = add_string(&out->clouds, hale_str_from(clouds->v[i].name), err);
    if (rc == HALE_OK)
        rc = read_vnfms(raw.vnfms, credentials, out, err);
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    return rc;
}

void actuator_inventory_conf_fini(struct actuator_inventory_conf *c)
{
    free(c->tenant);
    actuator_strings_fini(&c->clouds);
    for (unsigned i = 0; i < c->n_vnfms; i++) {
        free(c->vnfm[i].name);
        free(c->vnfm[i].url);
        free(c->vnfm[i].credentials);
    }
    memset(c, 0, sizeof(*c));
}
