/* SPDX-License-Identifier: Apache-2.0 */
/* size_read - the key `size` of a scaling policy (declared in size.h). */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/metric.h"
#include "actuator/policy_steps.h"
#include "actuator/read.h"
#include "actuator/size.h"
#include "actuator/template.h"

#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *
#define TEXT_MAX  256 /* of a name, with NUL */
#define META_MAX  16

struct size_raw {
    char *query;
    NODE of[5]; /* as in KINDS */
};
#define R(member) offsetof(struct size_raw, member)
static const struct hale_conf_field SIZE_FIELDS[] = {
    {"query", HALE_CONF_STRING, R(query), false, NULL, 0, 0, NULL, "PromQL"},
    {"heat", HALE_CONF_NODE, R(of[0]), false, NULL, 0, 0, NULL,
     "{cloud, stack, parameter or resource}"},
    {"kubernetes", HALE_CONF_NODE, R(of[1]), false, NULL, 0, 0, NULL,
     "{cluster, namespace, kind, name}"},
    {"senlin", HALE_CONF_NODE, R(of[2]), false, NULL, 0, 0, NULL, "{cloud, cluster}"},
    {"vnf", HALE_CONF_NODE, R(of[3]), false, NULL, 0, 0, NULL,
     "{url or cloud, vnf_instance_id, aspect_id or vdu_id}"},
    {"nova", HALE_CONF_NODE, R(of[4]), false, NULL, 0, 0, NULL,
     "{cloud, name, metadata}"},
};

struct source_raw { /* of any of them */
    char *cloud, *thing, *space, *url, *credentials;
    char *part[2];
    int kind, api;
    int64_t base;
    NODE metadata;
};
#define S(member) offsetof(struct source_raw, member)
static const struct hale_conf_field HEAT_FIELDS[] = {
    {"cloud", HALE_CONF_STRING, S(cloud), true, NULL, 0, 0, NULL, "name in 'clouds'"},
    {"stack", HALE_CONF_STRING, S(thing), true, NULL, 0, 0, NULL, "name or id"},
    {"parameter", HALE_CONF_STRING, S(part[0]), false, NULL, 0, 0, NULL,
     "its value is the size"},
    {"resource", HALE_CONF_STRING, S(part[1]), false, NULL, 0, 0, NULL,
     "group whose members are counted"},
};
static const char *const WORKLOADS[] = {"deployment", "statefulset", "replicaset", NULL};
static const char *const PLURALS[] = {"deployments", "statefulsets", "replicasets"};
static const struct hale_conf_field KUBERNETES_FIELDS[] = {
    {"cluster", HALE_CONF_STRING, S(cloud), true, NULL, 0, 0, NULL, "name in 'clusters'"},
    {"namespace", HALE_CONF_STRING, S(space), false, NULL, 0, 0, NULL,
     "else the cluster's"},
    {"kind", HALE_CONF_ENUM, S(kind), false, "deployment", 0, 0, WORKLOADS,
     "of the workload"},
    {"name", HALE_CONF_STRING, S(thing), true, NULL, 0, 0, NULL, "of the workload"},
};
static const struct hale_conf_field SENLIN_FIELDS[] = {
    {"cloud", HALE_CONF_STRING, S(cloud), true, NULL, 0, 0, NULL, "name in 'clouds'"},
    {"cluster", HALE_CONF_STRING, S(thing), true, NULL, 0, 0, NULL, "name or id"},
};
static const char *const APIS[] = {"v2", "v1", NULL};
static const struct hale_conf_field VNF_FIELDS[] = {
    {"url", HALE_CONF_STRING, S(url), false, NULL, 0, 0, NULL, "root of the VNFM's API"},
    {"cloud", HALE_CONF_STRING, S(cloud), false, NULL, 0, 0, NULL,
     "instead of url: Tacker of that cloud"},
    {"credentials", HALE_CONF_STRING, S(credentials), false, NULL, 0, 0, NULL,
     "name in 'credentials'"},
    {"api", HALE_CONF_ENUM, S(api), false, "v2", 0, 0, APIS, "of vnflcm"},
    {"vnf_instance_id", HALE_CONF_STRING, S(thing), true, NULL, 0, 0, NULL, "which VNF"},
    {"aspect_id", HALE_CONF_STRING, S(part[0]), false, NULL, 0, 0, NULL,
     "its scale level is the size"},
    {"vdu_id", HALE_CONF_STRING, S(part[1]), false, NULL, 0, 0, NULL,
     "its instances are counted"},
    {"base", HALE_CONF_INT, S(base), false, "0", 0, ACTUATOR_SIZE_MAX, NULL,
     "aspect: how many there are at level 0"},
};
static const struct hale_conf_field NOVA_FIELDS[] = {
    {"cloud", HALE_CONF_STRING, S(cloud), true, NULL, 0, 0, NULL, "name in 'clouds'"},
    {"name", HALE_CONF_STRING, S(part[0]), false, NULL, 0, 0, NULL,
     "how the servers' names begin"},
    {"metadata", HALE_CONF_NODE, S(metadata), false, NULL, 0, 0, NULL,
     "what the servers' metadata say"},
};

static const struct {
    const struct hale_conf_field *fields;
    size_t n;
    enum actuator_size_kind kind[2]; /* by which part is given */
    const char *parts;               /* one of them is needed; NULL: no part */
} KINDS[] = {
    {HEAT_FIELDS,
     N(HEAT_FIELDS),
     {ACTUATOR_SIZE_PARAMETER, ACTUATOR_SIZE_GROUP},
     "heat has exactly one of: parameter, resource"},
    {KUBERNETES_FIELDS,
     N(KUBERNETES_FIELDS),
     {ACTUATOR_SIZE_WORKLOAD, ACTUATOR_SIZE_WORKLOAD},
     NULL},
    {SENLIN_FIELDS,
     N(SENLIN_FIELDS),
     {ACTUATOR_SIZE_CLUSTER, ACTUATOR_SIZE_CLUSTER},
     NULL},
    {VNF_FIELDS,
     N(VNF_FIELDS),
     {ACTUATOR_SIZE_ASPECT, ACTUATOR_SIZE_VDU},
     "vnf has exactly one of: aspect_id, vdu_id"},
    {NOVA_FIELDS, N(NOVA_FIELDS), {ACTUATOR_SIZE_SERVERS, ACTUATOR_SIZE_SERVERS}, NULL},
};

/* A name with its variables filled in: it goes into a path or is compared. */
static enum hale_rc fill_in(NODE map, const char *key, char **text, const json_t *vars,
                            struct hale_err *err)
{
    char missing[ACTUATOR_NAME_MAX];
    struct hale_buf out;
    NODE node = hale_yaml_get(map, key);
    if (*text == NULL)
        return HALE_OK;
    enum hale_rc rc = actuator_policy_check_text(map, key, *text, false, err);
    if (rc != HALE_OK)
        return rc;
    hale_buf_init(&out, TEXT_MAX);
    rc = actuator_template_expand(hale_str_from(*text), vars, ACTUATOR_PLAIN, &out,
                                  missing);
    char *full = rc == HALE_OK ? hale_buf_take(&out) : NULL;
    hale_buf_fini(&out);
    if (rc == HALE_E_NOTFOUND)
        return hale_yaml_error(node, err,
                               "%s: there is no variable '%.60s'; there are policy, "
                               "target and tenant",
                               key, missing);
    if (rc != HALE_OK)
        return hale_yaml_error(node, err, "%s has at most %d bytes", key, TEXT_MAX - 1);
    if (full == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    free(*text);
    *text = full;
    bool fine = strcmp(full, ".") != 0 && strcmp(full, "..") != 0;
    for (const char *c = full; *c != '\0'; c++)
        fine = fine && (unsigned char)*c >= ' ' && *c != 0x7f;
    return fine && *full != '\0' ? HALE_OK
                                 : hale_yaml_error(node, err, "%s is not a name", key);
}

static enum hale_rc read_metadata(NODE map, NODE node, const json_t *vars,
                                  struct actuator_size *out, struct hale_err *err)
{
    char missing[ACTUATOR_NAME_MAX];
    struct hale_err wrong;
    json_t *filled = NULL;
    if (node == NULL && out->part == NULL)
        return hale_yaml_error(map, err,
                               "nova: name or metadata says which servers are counted");
    if (node == NULL)
        return HALE_OK;
    enum hale_rc rc = actuator_read_map(node, "metadata", true, &out->metadata, err);
    if (rc == HALE_OK && (json_object_size(out->metadata) == 0 ||
                          json_object_size(out->metadata) > META_MAX))
        return hale_yaml_error(node, err, "metadata has 1 to %d keys", META_MAX);
    if (rc == HALE_OK && actuator_template_check_json(out->metadata, &wrong) != HALE_OK)
        return hale_yaml_error(node, err, "metadata: %s", wrong.text);
    if (rc != HALE_OK)
        return rc;
    rc = actuator_template_json(out->metadata, vars, &filled, missing);
    if (rc == HALE_E_NOTFOUND)
        return hale_yaml_error(node, err,
                               "metadata: there is no variable '%.60s'; there are "
                               "policy, target and tenant",
                               missing);
    if (rc != HALE_OK)
        return hale_err_set(err, rc, "out of memory");
    json_decref(out->metadata);
    out->metadata = filled;
    return HALE_OK;
}

static enum hale_rc check_vnf(NODE map, struct actuator_size *s, struct hale_err *err)
{
    if ((s->url != NULL) == (s->cloud != NULL))
        return hale_yaml_error(
            map, err, "vnf needs url (the root of the VNFM's API) or cloud, not both");
    if (s->cloud != NULL && s->credentials != NULL)
        return hale_yaml_error(hale_yaml_get(map, "credentials"), err,
                               "credentials belong to url: a cloud has its own");
    if (s->kind == ACTUATOR_SIZE_VDU && hale_yaml_get(map, "base") != NULL)
        return hale_yaml_error(hale_yaml_get(map, "base"), err,
                               "base belongs to aspect_id");
    if (s->url != NULL && strpbrk(s->url, "?#$") != NULL)
        return hale_yaml_error(hale_yaml_get(map, "url"), err,
                               "url: neither a query nor variables");
    enum hale_rc rc = actuator_policy_check_text(map, "url", s->url, true, err);
    for (size_t n = s->url != NULL ? strlen(s->url) : 0; n > 0 && s->url[n - 1] == '/';
         n--)
        s->url[n - 1] = '\0';
    return rc;
}

static void take(struct source_raw *raw, struct actuator_size *out)
{
    out->cloud = actuator_read_move(&raw->cloud);
    out->url = actuator_read_move(&raw->url);
    out->credentials = actuator_read_move(&raw->credentials);
    out->space = actuator_read_move(&raw->space);
    out->thing = actuator_read_move(&raw->thing);
    out->part = actuator_read_move(&raw->part[raw->part[0] != NULL ? 0 : 1]);
    out->plural = PLURALS[raw->kind];
    out->v1 = raw->api == 1;
    out->base = raw->base;
}

static enum hale_rc read_source(NODE map, size_t which, const json_t *vars,
                                struct actuator_size *out, struct hale_err *err)
{
    static const char *const things[] = {"stack", "name", "cluster", "vnf_instance_id",
                                         ""};
    static const char *const parts[][2] = {{"parameter", "resource"},
                                           {"", ""},
                                           {"", ""},
                                           {"aspect_id", "vdu_id"},
                                           {"name", ""}};
    struct source_raw raw = {0};
    const struct hale_conf_field *fields = KINDS[which].fields;
    enum hale_rc rc = hale_conf_read(map, fields, KINDS[which].n, &raw, err);
    if (rc != HALE_OK)
        return rc;
    size_t part = raw.part[0] != NULL ? 0 : 1;
    if (KINDS[which].parts != NULL && (raw.part[0] == NULL) == (raw.part[1] == NULL))
        rc = hale_yaml_error(map, err, "%s", KINDS[which].parts);
    out->kind = KINDS[which].kind[part];
    take(&raw, out);
    NODE metadata = raw.metadata;
    hale_conf_fini(fields, KINDS[which].n, &raw);
    if (rc == HALE_OK)
        rc = fill_in(map, things[which], &out->thing, vars, err);
    if (rc == HALE_OK)
        rc = fill_in(map, parts[which][part], &out->part, vars, err);
    if (rc == HALE_OK)
        rc = fill_in(map, "namespace", &out->space, vars, err);
    if (rc == HALE_OK && out->kind == ACTUATOR_SIZE_SERVERS)
        rc = read_metadata(map, metadata, vars, out, err);
    if (rc == HALE_OK &&
        (out->kind == ACTUATOR_SIZE_ASPECT || out->kind == ACTUATOR_SIZE_VDU))
        rc = check_vnf(map, out, err);
    return rc;
}

enum hale_rc actuator_size_read(NODE map, const json_t *vars, struct actuator_size *out,
                                struct hale_err *err)
{
    struct size_raw raw = {0};
    struct hale_err wrong;
    memset(out, 0, sizeof(*out));
    enum hale_rc rc = hale_conf_read(map, SIZE_FIELDS, N(SIZE_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    size_t which = N(KINDS);
    unsigned given = raw.query != NULL ? 1 : 0;
    for (size_t i = 0; i < N(KINDS); i++)
        if (raw.of[i] != NULL) {
            which = i;
            given++;
        }
    out->line = hale_yaml_line(map);
    out->query = actuator_read_move(&raw.query);
    hale_conf_fini(SIZE_FIELDS, N(SIZE_FIELDS), &raw);
    if (given != 1)
        return hale_yaml_error(
            map, err,
            "size is exactly one of: query, heat, kubernetes, senlin, vnf, nova");
    if (which < N(KINDS))
        return read_source(raw.of[which], which, vars, out, err);
    if (actuator_metric_check(hale_str_from(out->query), &wrong) != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, "query"), err, "query: %s", wrong.text);
    return HALE_OK;
}
