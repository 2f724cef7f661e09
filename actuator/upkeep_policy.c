/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/upkeep_policy.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/policy_steps.h"
#include "model/yaml.h"

#define N(fields) (sizeof(fields) / sizeof((fields)[0]))
#define NODE      const struct hale_yaml_node *
#define DAY_MS    86400000.0
#define URL_MAX   100 /* bytes: with the ids it must fit into a trait */

static const char *const SILENCES[] = {"fail", "migrate", "live-migrate", NULL};
static const char *const SILENT_ACTIONS[] = {"fail", "MIGRATE", "LIVE_MIGRATE"};
static const char *const FALLBACKS[] = {"fail", "migrate", NULL};
static const char *const FALLBACK_ACTIONS[] = {"fail", "MIGRATE"};

struct raw {
    char *cloud, *url;
    int64_t reply, action, work, poll, parallel;
    double cpu_ratio, ram_ratio;
    int silence, fallback;
    NODE hook;
};
#define R(member) offsetof(struct raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"cloud", HALE_CONF_STRING, R(cloud), true, NULL, 0, 0, NULL,
     "whose hosts: one of the configuration's clouds"},
    {"url", HALE_CONF_STRING, R(url), true, NULL, 0, 0, NULL,
     "the collector, as projects reach it: it stands in the messages"},
    {"reply", HALE_CONF_DURATION, R(reply), false, "120s", 1000, DAY_MS, NULL,
     "that a project has to answer, at least"},
    {"silence", HALE_CONF_ENUM, R(silence), false, "fail", 0, 0, SILENCES,
     "what no answer means"},
    {"fallback", HALE_CONF_ENUM, R(fallback), false, "fail", 0, 0, FALLBACKS,
     "after a live migration that failed"},
    {"action", HALE_CONF_DURATION, R(action), false, "10m", 1000, DAY_MS, NULL,
     "that one action may take"},
    {"work", HALE_CONF_DURATION, R(work), false, "12h", 1000, DAY_MS, NULL,
     "that a host may be worked on"},
    {"poll", HALE_CONF_DURATION, R(poll), false, "5s", 100, 600000, NULL,
     "between looks at a host"},
    {"parallel", HALE_CONF_INT, R(parallel), false, "8", 1, 64, NULL,
     "instances moved at once"},
    {"cpu_ratio", HALE_CONF_DOUBLE, R(cpu_ratio), false, "16", 0, 1000, NULL,
     "cpu_allocation_ratio; 0: capacity is not looked at"},
    {"ram_ratio", HALE_CONF_DOUBLE, R(ram_ratio), false, "1.5", 0, 1000, NULL,
     "ram_allocation_ratio"},
    {"hook", HALE_CONF_NODE, R(hook), false, NULL, 0, 0, NULL,
     "steps that are the work on a host; without: the administrator's word"},
};

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

void actuator_upkeep_conf_free(struct actuator_upkeep_conf *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < ACTUATOR_UPKEEP_KINDS; i++)
        actuator_policy_fini(&c->by[i]);
    free(c);
}

/* A policy that nothing but a session triggers. */
static enum hale_rc init_policy(struct actuator_policy *p, const char *target,
                                struct hale_err *err)
{
    p->name = strdup(ACTUATOR_UPKEEP_POLICY);
    p->target = strdup(target);
    p->version = strdup("");
    p->mode = ACTUATOR_AUTO;
    p->states = 1u << HALE_STATE_OK;
    p->guards.ignore_maintenance = p->guards.ignore_parent = true;
    p->verify.within_ms = 60000;
    return p->name != NULL && p->target != NULL && p->version != NULL ? HALE_OK
                                                                      : nomem(err);
}

static enum hale_rc one_step(NODE map, const struct actuator_upkeep_rules *r,
                             const char *action, const char *what,
                             struct actuator_policy *p, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    struct hale_buf text;
    hale_buf_init(&text, 4096);
    hale_buf_add_c(&text, "[{nova: {cloud: ");
    hale_buf_add_json(&text, hale_str_from(r->cloud));
    hale_buf_printf(&text, ", action: %s, %s, timeout: %lldms, poll: %lldms}}]", action,
                    what, (long long)r->action_ms,
                    (long long)(r->poll_ms < 1000 ? r->poll_ms : 1000));
    enum hale_rc rc =
        text.failed ? nomem(err)
                    : hale_yaml_load(hale_buf_str(&text), "maintenance", &yaml, err);
    if (rc == HALE_OK)
        rc = actuator_policy_read_steps(hale_yaml_root(yaml), p, err);
    for (unsigned i = 0; rc == HALE_OK && i < p->n_steps; i++)
        p->step[i].line = hale_yaml_line(hale_yaml_get(map, "cloud"));
    hale_yaml_free(yaml);
    hale_buf_fini(&text);
    return rc;
}

static enum hale_rc make_policies(NODE map, NODE hook, struct actuator_upkeep_conf *c,
                                  struct hale_err *err)
{
    static const struct {
        const char *action, *what, *target;
    } kinds[] = {
        [ACTUATOR_UPKEEP_DISABLE] = {"disable",
                                     "host: \"${host}\", reason: \"maintenance session "
                                     "${session}\"",
                                     "host/${host}"},
        [ACTUATOR_UPKEEP_ENABLE] = {"enable", "host: \"${host}\"", "host/${host}"},
        [ACTUATOR_UPKEEP_MIGRATE] = {"migrate", "server: \"${instance}\"",
                                     "vm/${instance}"},
        [ACTUATOR_UPKEEP_LIVE_MIGRATE] = {"live-migrate", "server: \"${instance}\"",
                                          "vm/${instance}"},
        [ACTUATOR_UPKEEP_HOOK] = {NULL, NULL, "host/${host}"}};
    enum hale_rc rc = HALE_OK;
    for (int i = 0; i < ACTUATOR_UPKEEP_KINDS && rc == HALE_OK; i++) {
        struct actuator_policy *p = &c->by[i];
        rc = init_policy(p, kinds[i].target, err);
        if (rc == HALE_OK && kinds[i].action != NULL)
            rc = one_step(map, &c->rules, kinds[i].action, kinds[i].what, p, err);
        else if (rc == HALE_OK && hale_yaml_kind(hook) != HALE_YAML_NULL)
            rc = actuator_policy_read_steps(hook, p, err);
    }
    c->rules.hook = c->by[ACTUATOR_UPKEEP_HOOK].n_steps > 0;
    return rc;
}

static enum hale_rc fill(NODE map, const struct raw *raw, struct actuator_upkeep_rules *r,
                         struct hale_err *err)
{
    struct hale_str host;
    unsigned port;
    size_t n = strlen(raw->url);
    if (n > URL_MAX || actuator_allow_split(raw->url, &host, &port) != HALE_OK ||
        strpbrk(raw->url, "?#") != NULL)
        return hale_yaml_error(hale_yaml_get(map, "url"), err,
                               "url must be an http:// or https:// address of at most %d "
                               "bytes, without query",
                               URL_MAX);
    if (strlen(raw->cloud) >= sizeof(r->cloud))
        return hale_yaml_error(hale_yaml_get(map, "cloud"), err, "cloud is too long");
    *r = (struct actuator_upkeep_rules){.reply_ms = raw->reply,
                                        .action_ms = raw->action,
                                        .work_ms = raw->work,
                                        .poll_ms = raw->poll,
                                        .parallel = raw->parallel,
                                        .cpu_ratio = raw->cpu_ratio,
                                        .ram_ratio = raw->ram_ratio,
                                        .silence = SILENT_ACTIONS[raw->silence],
                                        .fallback = FALLBACK_ACTIONS[raw->fallback]};
    (void)snprintf(r->cloud, sizeof(r->cloud), "%s", raw->cloud);
    while (n > 0 && raw->url[n - 1] == '/')
        n--;
    (void)snprintf(r->url, sizeof(r->url), "%.*s", (int)n, raw->url);
    return HALE_OK;
}

enum hale_rc actuator_upkeep_read(NODE map, struct actuator_policies *set,
                                  struct hale_err *err)
{
    struct raw raw = {0};
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    if (actuator_policies_find(set, ACTUATOR_UPKEEP_POLICY) != NULL)
        return hale_yaml_error(map, err,
                               "the name '" ACTUATOR_UPKEEP_POLICY
                               "' is that of sessions: give the policy another one");
    enum hale_rc rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    struct actuator_upkeep_conf *c = calloc(1, sizeof(*c));
    set->upkeep = c;
    if (c == NULL) {
        rc = nomem(err);
    } else {
        rc = fill(map, &raw, &c->rules, err);
        if (rc == HALE_OK)
            rc = make_policies(map, raw.hook, c, err);
    }
    free(raw.cloud);
    free(raw.url);
    return rc;
}
