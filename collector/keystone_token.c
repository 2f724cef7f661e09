/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keystone_token.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* --- access rules ------------------------------------------------------------------------ */

/* One element of a pattern: what it may swallow, and where the next one begins. */
enum element { LITERAL, SEGMENT, ANYTHING };

static enum element read_element(const char *p, const char **next)
{
    if (p[0] == '*' && p[1] == '*') {
        *next = p + 2;
        return ANYTHING;
    }
    if (p[0] == '*') {
        *next = p + 1;
        return SEGMENT;
    }
    const char *close = p[0] == '{' ? strchr(p, '}') : NULL;
    *next = close != NULL ? close + 1 : p + 1;
    return close != NULL ? SEGMENT : LITERAL;
}

/* The set of places of the pattern that the text read so far may have come to, as in a
 * non-deterministic automaton: time is pattern times text, whatever the stars. */
#define PATTERN_MAX 256 /* elements */

struct automaton {
    size_t n;
    enum element kind[PATTERN_MAX];
    char c[PATTERN_MAX];
    bool at[PATTERN_MAX + 1]; /* before element i */
    bool inside[PATTERN_MAX +
                1]; /* element i, a SEGMENT, has had at least one character */
};

static bool compile(const char *pattern, struct automaton *a)
{
    memset(a, 0, sizeof(*a));
    for (const char *next; *pattern != '\0'; pattern = next) {
        if (a->n == PATTERN_MAX)
            return false;
        a->kind[a->n] = read_element(pattern, &next);
        a->c[a->n++] = *pattern;
    }
    return true;
}

/* What is reached without reading a character. */
static void spread(struct automaton *a)
{
    for (size_t i = 0; i < a->n; i++) {
        if ((a->at[i] && a->kind[i] == ANYTHING) || a->inside[i])
            a->at[i + 1] = true;
    }
}

static void step(struct automaton *a, char c)
{
    bool at[PATTERN_MAX + 1] = {false};
    bool inside[PATTERN_MAX + 1] = {false};

    for (size_t i = 0; i < a->n; i++) {
        if (!a->at[i] && !a->inside[i])
            continue;
        switch (a->kind[i]) {
        case LITERAL: at[i + 1] = at[i + 1] || c == a->c[i]; break;
        case SEGMENT: inside[i] = c != '/'; break;
        case ANYTHING: at[i] = true; break;
        }
    }
    memcpy(a->at, at, sizeof(at));
    memcpy(a->inside, inside, sizeof(inside));
    spread(a);
}

bool collector_access_path_matches(const char *pattern, const char *path)
{
    struct automaton a;

    if (!compile(pattern, &a))
        return false;
    a.at[0] = true;
    spread(&a);
    for (; *path != '\0'; path++)
        step(&a, *path);
    return a.at[a.n];
}

bool collector_keystone_token_allows(const struct collector_keystone_token *t,
                                     const char *method, const char *path, int64_t now_ms)
{
    if (now_ms >= t->expires_ms)
        return false;
    if (!t->restricted)
        return true;
    for (size_t i = 0; i < t->n_rules; i++) {
        const struct collector_access_rule *r = &t->rules[i];
        if (strcmp(r->method, method) == 0 && strcmp(r->service, t->service_type) == 0 &&
            collector_access_path_matches(r->path, path))
            return true;
    }
    return false;
}

/* What is missing becomes "", which no request has: such a rule allows nothing. */
static bool copy_text(const json_t *object, const char *key, char **out)
{
    const char *text = json_string_value(json_object_get(object, key));

    *out = strdup(text != NULL ? text : "");
    return *out != NULL;
}

static enum hale_rc read_rules(const struct collector_keystone_config *conf,
                               const json_t *list, struct collector_keystone_token *t,
                               struct hale_err *err)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list))
        return hale_err_set(err, HALE_E_INVAL, "access_rules is not a list");
    if (n > COLLECTOR_ACCESS_RULES_MAX)
        return hale_err_set(err, HALE_E_DENIED, "more than %d access rules",
                            COLLECTOR_ACCESS_RULES_MAX);
    t->restricted = true;
    t->service_type = strdup(conf->service_type);
    t->rules = calloc(n > 0 ? n : 1, sizeof(*t->rules));
    if (t->rules == NULL || t->service_type == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct collector_access_rule *r = &t->rules[t->n_rules++];
        const json_t *rule = json_array_get(list, i);
        if (!copy_text(rule, "service", &r->service) ||
            !copy_text(rule, "method", &r->method) || !copy_text(rule, "path", &r->path))
            return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    return HALE_OK;
}

/* --- the token ----------------------------------------------------------------------------- */

static bool has_role(const struct collector_role_names *names, const char *role)
{
    for (size_t i = 0; i < names->n; i++) {
        if (hale_str_ieq_c(hale_str_from(role), names->v[i]))
            return true;
    }
    return false;
}

static unsigned read_roles(const struct collector_keystone_config *conf,
                           const json_t *list)
{
    unsigned roles = 0;
    size_t i;
    json_t *role;

    json_array_foreach ((json_t *)(uintptr_t)list, i, role) {
        const char *name = json_string_value(json_object_get(role, "name"));
        if (name == NULL)
            continue;
        roles |= has_role(&conf->operators, name) ? COLLECTOR_OPERATOR : 0;
        roles |= has_role(&conf->agents, name) ? COLLECTOR_AGENT : 0;
        roles |= has_role(&conf->readers, name) ? COLLECTOR_READER : 0;
        roles |= has_role(&conf->delegates, name) ? COLLECTOR_DELEGATE : 0;
    }
    return roles;
}

/* The user's name where it fits, else the id: for logs and records. */
static void read_name(const json_t *user, struct collector_identity *who)
{
    const char *name = json_string_value(json_object_get(user, "name"));

    if (name == NULL || name[0] == '\0' || strlen(name) > COLLECTOR_TOKEN_NAME_MAX)
        name = json_string_value(json_object_get(user, "id"));
    if (name != NULL && strlen(name) <= COLLECTOR_TOKEN_NAME_MAX)
        memcpy(who->name, name, strlen(name) + 1);
}

static enum hale_rc read_token(const struct collector_keystone_config *conf,
                               const json_t *token, struct collector_keystone_token *t,
                               struct hale_err *err)
{
    const char *expires = json_string_value(json_object_get(token, "expires_at"));
    const json_t *project = json_object_get(token, "project");
    const char *id = json_string_value(json_object_get(project, "id"));
    const json_t *app = json_object_get(token, "application_credential");
    const json_t *rules = json_object_get(app, "access_rules");

    if (expires == NULL ||
        hale_clock_parse_iso(hale_str_from(expires), &t->expires_ms) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL, "the answer has no token with expires_at");
    if (project == NULL)
        return hale_err_set(err, HALE_E_DENIED, "the token has no project");
    if (id == NULL)
        return hale_err_set(err, HALE_E_INVAL, "the token's project has no id");
    if (!collector_tenant_ok(id))
        return hale_err_set(err, HALE_E_DENIED, "the project's id cannot be a tenant");
    memcpy(t->who.tenant, id, strlen(id) + 1);
    read_name(json_object_get(token, "user"), &t->who);
    t->who.roles = read_roles(conf, json_object_get(token, "roles"));
    if (rules != NULL && !json_is_null(rules))
        return read_rules(conf, rules, t, err);
    return HALE_OK;
}

enum hale_rc collector_keystone_token_read(const struct collector_keystone_config *conf,
                                           struct hale_str body,
                                           struct collector_keystone_token *out,
                                           struct hale_err *err)
{
    json_error_t why;

    memset(out, 0, sizeof(*out));
    json_t *doc = body.len > 0 ? json_loadb(body.p, body.len, 0, &why) : NULL;
    const json_t *token = json_object_get(doc, "token");
    enum hale_rc rc = json_is_object(token)
                          ? read_token(conf, token, out, err)
                          : hale_err_set(err, HALE_E_INVAL, "the answer is not a token");
    json_decref(doc);
    return rc;
}

void collector_keystone_token_fini(struct collector_keystone_token *t)
{
    for (size_t i = 0; i < t->n_rules; i++) {
        free(t->rules[i].service);
        free(t->rules[i].method);
        free(t->rules[i].path);
    }
    free(t->rules);
    free(t->service_type);
    memset(t, 0, sizeof(*t));
}
