/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_nslcm - bodies of SOL 005 and of OSM's northbound interface (declared in policy_lcm.h).
 */
#include <stddef.h>
#include <string.h>

#include "actuator/policy_lcm.h"

#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *
#define VNFS_MAX  64

static const char *const DEGREES[] = {"HEAL_RESTORE", "HEAL_QOS", "HEAL_RESET",
                                      "PARTIAL_HEALING", NULL};
static const char *const DIRECTIONS[] = {"SCALE_OUT", "SCALE_IN", NULL};
static const char *const VNF_TYPES[] = {"SCALE_OUT", "SCALE_IN",
                                        "SCALE_TO_INSTANTIATION_LEVEL",
                                        "SCALE_TO_SCALE_LEVEL(S)", NULL};
enum { OUT, IN, TO_LEVEL, TO_LEVELS };

struct raw {
    char *vnf, *cause, *script, *aspect, *level, *vdu, *steps, *index;
    int degree, direction, type;
    bool day1;
    NODE actions;
    NODE params;
    NODE levels;
};
#define R(member) offsetof(struct raw, member)
static const struct hale_conf_field HEAL_VNF[] = {
    {"vnf_instance_id", HALE_CONF_STRING, R(vnf), true, NULL, 0, 0, NULL, "the VNF"},
    {"cause", HALE_CONF_STRING, R(cause), false, NULL, 0, 0, NULL, "text"},
    {"additional_params", HALE_CONF_NODE, R(params), false, NULL, 0, 0, NULL,
     "map of scalars"},
    {"vdu_id", HALE_CONF_STRING, R(vdu), false, NULL, 0, 0, NULL, "osm: which VDU"},
    {"count_index", HALE_CONF_STRING, R(index), false, "0", 0, 0, NULL,
     "osm: which of its machines"},
    {"run_day1", HALE_CONF_BOOL, R(day1), false, "false", 0, 0, NULL,
     "osm: day-1 primitives again"},
};
static const struct hale_conf_field HEAL_NS[] = {
    {"degree", HALE_CONF_ENUM, R(degree), true, NULL, 0, 0, DEGREES, "degreeHealing"},
    {"actions", HALE_CONF_NODE, R(actions), false, NULL, 0, 0, NULL, "actionsHealing"},
    {"script", HALE_CONF_STRING, R(script), false, NULL, 0, 0, NULL, "healScript"},
    {"additional_params", HALE_CONF_NODE, R(params), false, NULL, 0, 0, NULL,
     "map of scalars"},
};
static const struct hale_conf_field SCALE_VNF[] = {
    {"vnf_instance_id", HALE_CONF_STRING, R(vnf), true, NULL, 0, 0, NULL,
     "the VNF; osm: its member-vnf-index"},
    {"type", HALE_CONF_ENUM, R(type), true, NULL, 0, 0, VNF_TYPES, "scaleVnfType"},
    {"aspect_id", HALE_CONF_STRING, R(aspect), false, NULL, 0, 0, NULL,
     "by steps: aspect; osm: scaling group"},
    {"number_of_steps", HALE_CONF_STRING, R(steps), false, "1", 0, 0, NULL, "by steps"},
    {"instantiation_level_id", HALE_CONF_STRING, R(level), false, NULL, 0, 0, NULL,
     "to a level"},
    {"scale_info", HALE_CONF_NODE, R(levels), false, NULL, 0, 0, NULL,
     "to levels: {aspect: level}"},
    {"additional_params", HALE_CONF_NODE, R(params), false, NULL, 0, 0, NULL,
     "map of scalars"},
};
static const struct hale_conf_field SCALE_NS[] = {
    {"direction", HALE_CONF_ENUM, R(direction), false, "SCALE_OUT", 0, 0, DIRECTIONS,
     "by steps"},
    {"aspect_id", HALE_CONF_STRING, R(aspect), false, NULL, 0, 0, NULL,
     "by steps: aspect"},
    {"number_of_steps", HALE_CONF_STRING, R(steps), false, "1", 0, 0, NULL, "by steps"},
    {"instantiation_level_id", HALE_CONF_STRING, R(level), false, NULL, 0, 0, NULL,
     "to a level"},
    {"scale_info", HALE_CONF_NODE, R(levels), false, NULL, 0, 0, NULL,
     "to levels: {aspect: level}"},
};

static const struct policy_lcm_number STEPS = {"number_of_steps", "numberOfSteps", 1,
                                               100};
static const struct policy_lcm_number INDEX = {"count_index", "count-index", 0, 10000};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static bool set(json_t *o, const char *key, json_t *value)
{
    return json_object_set_new(o, key, value) == 0;
}

/* A new object at o[key] (or a new item of the list o); NULL without memory. */
static json_t *object_in(json_t *o, const char *key)
{
    json_t *in = json_object();
    int rc = key != NULL ? json_object_set_new(o, key, in) : json_array_append_new(o, in);
    return rc == 0 ? in : NULL;
}

/* --- heal -------------------------------------------------------------------------- */

static enum hale_rc heal_vnf(NODE map, bool osm, const struct raw *raw, json_t *o,
                             struct hale_err *err)
{
    if (!osm &&
        (raw->vdu != NULL || raw->day1 || hale_yaml_get(map, "count_index") != NULL))
        return hale_yaml_error(map, err,
                               "vdu_id, count_index and run_day1 belong to dialect osm");
    enum hale_rc rc =
        policy_lcm_text(map, "vnf_instance_id", raw->vnf, o, "vnfInstanceId", err);
    if (rc == HALE_OK)
        rc = policy_lcm_text(map, "cause", raw->cause, o, "cause", err);
    if (rc == HALE_OK)
        rc = policy_lcm_params(raw->params, "additional_params", o, "additionalParams",
                               err);
    if (rc != HALE_OK || (raw->vdu == NULL && !raw->day1))
        return rc;
    json_t *params = json_object_get(o, "additionalParams");
    if (params == NULL)
        params = object_in(o, "additionalParams");
    if (params == NULL || !set(params, "run-day1", json_boolean(raw->day1)))
        return nomem(err);
    if (raw->vdu == NULL)
        return HALE_OK;
    json_t *list = json_array();
    json_t *vdu = set(params, "vdu", list) ? object_in(list, NULL) : NULL;
    if (vdu == NULL)
        return nomem(err);
    rc = policy_lcm_number(map, &INDEX, raw->index, vdu, err);
    if (rc != HALE_OK)
        return rc;
    return policy_lcm_text(map, "vdu_id", raw->vdu, vdu, "vdu-id", err);
}

static enum hale_rc heal_ns(NODE map, const struct raw *raw, json_t *o,
                            struct hale_err *err)
{
    if (raw->script != NULL && hale_yaml_kind(raw->actions) != HALE_YAML_NULL)
        return hale_yaml_error(map, err, "heal_ns: actions or script, not both");
    if (!set(o, "degreeHealing", json_string(DEGREES[raw->degree])))
        return nomem(err);
    enum hale_rc rc = policy_lcm_texts(raw->actions, "actions", o, "actionsHealing", err);
    if (rc == HALE_OK)
        rc = policy_lcm_text(map, "script", raw->script, o, "healScript", err);
    if (rc == HALE_OK)
        rc = policy_lcm_params(raw->params, "additional_params", o,
                               "additionalParamsforNs", err);
    return rc;
}

/* --- scale ------------------------------------------------------------------------- */

/* How a level is said of a VNF and of a NS. */
struct level_names {
    const char *level, *info, *aspect, *scale;
};
static const struct level_names VNF_LEVEL = {"vnfInstantiationLevelId", "vnfScaleInfo",
                                             "aspectId", "scaleLevel"};
static const struct level_names NS_LEVEL = {"nsInstantiationLevel", "nsScaleInfo",
                                            "nsScalingAspectId", "nsScaleLevelId"};

static enum hale_rc to_level(NODE map, const struct raw *raw,
                             const struct level_names *names, json_t *o,
                             struct hale_err *err)
{
    bool info = hale_yaml_kind(raw->levels) != HALE_YAML_NULL;
    if ((raw->level != NULL) == info || raw->aspect != NULL)
        return hale_yaml_error(map, err,
                               "to a level: instantiation_level_id or scale_info, and no "
                               "aspect_id");
    return info ? policy_lcm_levels(raw->levels, o, names->info, names->aspect,
                                    names->scale, err)
                : policy_lcm_text(map, "instantiation_level_id", raw->level, o,
                                  names->level, err);
}

static enum hale_rc by_steps(NODE map, const struct raw *raw, json_t *o,
                             struct hale_err *err)
{
    if (raw->aspect == NULL || raw->level != NULL ||
        hale_yaml_kind(raw->levels) != HALE_YAML_NULL)
        return hale_yaml_error(map, err,
                               "by steps: aspect_id, and neither instantiation_level_id "
                               "nor scale_info");
    enum hale_rc rc = policy_lcm_number(map, &STEPS, raw->steps, o, err);
    if (rc != HALE_OK)
        return rc;
    return policy_lcm_text(map, "aspect_id", raw->aspect, o, "aspectId", err);
}

/* OSM's own words, and one VNF at a time. */
static enum hale_rc osm_scale(NODE map, const struct raw *raw, json_t *o,
                              struct hale_err *err)
{
    json_t *by = object_in(o, "scaleByStepData");
    if (raw->type > IN || raw->aspect == NULL || strcmp(raw->steps, "1") != 0)
        return hale_yaml_error(map, err,
                               "OSM scales by one step: type SCALE_OUT or SCALE_IN, and "
                               "aspect_id (the scaling group)");
    if (by == NULL)
        return nomem(err);
    enum hale_rc rc = policy_lcm_text(map, "aspect_id", raw->aspect, by,
                                      "scaling-group-descriptor", err);
    if (rc == HALE_OK)
        rc = policy_lcm_text(map, "vnf_instance_id", raw->vnf, by, "member-vnf-index",
                             err);
    return rc;
}

static enum hale_rc scale_vnf(NODE map, bool osm, const struct raw *raw, json_t *o,
                              struct hale_err *err)
{
    enum hale_rc rc;
    if (!set(o, "scaleVnfType", json_string(VNF_TYPES[raw->type])))
        return nomem(err);
    if (osm)
        return osm_scale(map, raw, o, err);
    bool steps = raw->type <= IN;
    json_t *in = object_in(o, steps ? "scaleByStepData" : "scaleToLevelData");
    if (in == NULL)
        return nomem(err);
    rc = policy_lcm_text(map, "vnf_instance_id", raw->vnf, o, "vnfInstanceId", err);
    if (rc == HALE_OK)
        rc =
            steps ? by_steps(map, raw, in, err) : to_level(map, raw, &VNF_LEVEL, in, err);
    if (rc == HALE_OK && raw->type == TO_LEVEL && raw->level == NULL)
        rc = hale_yaml_error(map, err, "type %s needs instantiation_level_id",
                             VNF_TYPES[TO_LEVEL]);
    if (rc == HALE_OK && raw->type == TO_LEVELS && raw->level != NULL)
        rc = hale_yaml_error(map, err, "type %s needs scale_info", VNF_TYPES[TO_LEVELS]);
    if (rc == HALE_OK)
        rc = policy_lcm_params(raw->params, "additional_params", in, "additionalParams",
                               err);
    return rc;
}

static enum hale_rc scale_ns(NODE map, const struct raw *raw, json_t *o,
                             struct hale_err *err)
{
    bool steps = raw->aspect != NULL;
    json_t *in = object_in(o, steps ? "scaleNsByStepsData" : "scaleNsToLevelData");
    if (in == NULL)
        return nomem(err);
    if (!steps)
        return to_level(map, raw, &NS_LEVEL, in, err);
    if (!set(in, "scalingDirection", json_string(DIRECTIONS[raw->direction])))
        return nomem(err);
    return by_steps(map, raw, in, err);
}

/* --- bodies ------------------------------------------------------------------------ */

struct form { /* what reads one map into one object */
    const struct hale_conf_field *fields;
    size_t n;
    int which; /* 0 heal_vnf, 1 heal_ns, 2 scale_vnf, 3 scale_ns */
};
static const struct form FORMS[] = {{HEAL_VNF, N(HEAL_VNF), 0},
                                    {HEAL_NS, N(HEAL_NS), 1},
                                    {SCALE_VNF, N(SCALE_VNF), 2},
                                    {SCALE_NS, N(SCALE_NS), 3}};

static enum hale_rc read_one(NODE map, bool osm, const struct form *form, json_t *o,
                             struct hale_err *err)
{
    struct raw raw = {0};
    if (o == NULL)
        return nomem(err);
    enum hale_rc rc = hale_conf_read(map, form->fields, form->n, &raw, err);
    if (rc != HALE_OK)
        return rc;
    switch (form->which) {
    case 0: rc = heal_vnf(map, osm, &raw, o, err); break;
    case 1: rc = heal_ns(map, &raw, o, err); break;
    case 2: rc = scale_vnf(map, osm, &raw, o, err); break;
    default: rc = scale_ns(map, &raw, o, err); break;
    }
    hale_conf_fini(form->fields, form->n, &raw);
    return rc;
}

/* A map, or a list of maps. */
static enum hale_rc read_vnfs(NODE node, bool osm, const struct form *form, json_t *body,
                              const char *name, struct hale_err *err)
{
    bool list = hale_yaml_kind(node) == HALE_YAML_LIST;
    size_t n = list ? hale_yaml_count(node) : 1;
    enum hale_rc rc = HALE_OK;
    if (n == 0 || n > VNFS_MAX)
        return hale_yaml_error(node, err, "1 to %d VNFs", VNFS_MAX);
    if (osm && form->which == 2) {
        if (n > 1)
            return hale_yaml_error(node, err, "OSM scales one VNF at a time");
        return read_one(list ? hale_yaml_item(node, 0) : node, osm, form,
                        object_in(body, name), err);
    }
    json_t *out = json_array();
    if (!set(body, name, out))
        return nomem(err);
    for (size_t i = 0; i < n && rc == HALE_OK; i++)
        rc = read_one(list ? hale_yaml_item(node, i) : node, osm, form,
                      object_in(out, NULL), err);
    return rc;
}

enum hale_rc policy_nslcm_body(NODE map, const struct policy_nslcm_raw *raw, json_t *body,
                               struct hale_err *err)
{
    static const char *const names[] = {"healVnfData", "healNsData", "scaleVnfData",
                                        "scaleNsData"};
    NODE given[] = {raw->heal_vnf, raw->heal_ns, raw->scale_vnf, raw->scale_ns};
    bool osm = raw->dialect == POLICY_LCM_OSM;
    int which = -1;
    for (int i = 0; i < 4; i++) {
        if (hale_yaml_kind(given[i]) == HALE_YAML_NULL)
            continue;
        if (i / 2 != raw->operation || which >= 0)
            return hale_yaml_error(
                map, err, "operation %s takes %s, one of them and nothing else",
                raw->operation == 0 ? "heal" : "scale",
                raw->operation == 0 ? "heal_vnf or heal_ns" : "scale_vnf or scale_ns");
        which = i;
    }
    if (which < 0)
        return hale_yaml_error(
            map, err, "operation %s needs %s", raw->operation == 0 ? "heal" : "scale",
            raw->operation == 0 ? "heal_vnf or heal_ns" : "scale_vnf or scale_ns");
    if (osm && which % 2 == 1)
        return hale_yaml_error(given[which], err, "OSM heals and scales VNFs only");
    if (raw->operation == 1 &&
        !set(body, "scaleType", json_string(which == 2 ? "SCALE_VNF" : "SCALE_NS")))
        return nomem(err);
    if (which % 2 == 0)
        return read_vnfs(given[which], osm, &FORMS[which], body, names[which], err);
    return read_one(given[which], osm, &FORMS[which], object_in(body, names[which]), err);
}
