/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf_subscribers.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/conf_grouping.h"
#include "actuator/read.h"
#include "base/fs.h"
#include "model/alarm.h"

#define N(fields)        (sizeof(fields) / sizeof((fields)[0]))
#define NODE             const struct hale_yaml_node *
#define SECRET_MAX_BYTES 4096

static const char *const SEVERITIES[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
static const char *const STATES[] = {"OK", "UNDETERMINED", "ALARM", NULL};

struct subscriber_raw {
    char *name, *url, *secret_file;
    int64_t timeout;
    int profile;
    NODE states;
    NODE severity;
    NODE headers;
    NODE to;
    NODE snmp;
    struct actuator_grouping_raw grouping;
};
#define S(member) offsetof(struct subscriber_raw, member)
static const struct hale_conf_field SUBSCRIBER_FIELDS[] = {
    {"name", HALE_CONF_STRING, S(name), true, NULL, 0, 0, NULL,
     "unique; its cursor is kept by it"},
    {"url", HALE_CONF_STRING, S(url), false, NULL, 0, 0, NULL, "where to POST"},
    {"to", HALE_CONF_NODE, S(to), false, NULL, 0, 0, NULL,
     "profile email: an address or a list of them"},
    {"profile", HALE_CONF_ENUM, S(profile), false, "hale", 0, 0, actuator_profile_words,
     "form of the body"},
    {"states", HALE_CONF_NODE, S(states), false, NULL, 0, 0, NULL, "new states to tell"},
    {"severity", HALE_CONF_NODE, S(severity), false, NULL, 0, 0, NULL,
     "severities to tell"},
    {"headers", HALE_CONF_NODE, S(headers), false, NULL, 0, 0, NULL, "name: value"},
    {"secret_file", HALE_CONF_STRING, S(secret_file), false, NULL, 0, 0, NULL,
     "key of X-Hale-Signature; profile pagerduty: the routing key"},
    {"timeout", HALE_CONF_DURATION, S(timeout), false, "5s", 100, 60000, NULL, "one try"},
    {"snmp", HALE_CONF_NODE, S(snmp), false, NULL, 0, 0, NULL,
     "profile snmp: version, kind, community_file, user, auth, auth_file, priv, "
     "priv_file, engine_id, oid"},
    ACTUATOR_GROUPING_FIELDS(S(grouping)),
};

static void subscriber_fini(struct actuator_subscriber *s)
{
    free(s->name);
    free(s->url);
    for (unsigned i = 0; i < s->n_to; i++)
        free(s->to[i]);
    actuator_grouping_fini(&s->grouping);
    actuator_snmp_conf_free(s->snmp);
    json_decref(s->headers);
    if (s->secret != NULL)
        explicit_bzero(s->secret, s->secret_len);
    free(s->secret);
}

static enum hale_rc read_secret(NODE map, const char *path, struct actuator_subscriber *s,
                                struct hale_err *err)
{
    struct hale_buf buf;
    struct hale_err wrong;
    if (path == NULL)
        return HALE_OK;
    hale_buf_init(&buf, SECRET_MAX_BYTES);
    enum hale_rc rc = hale_fs_read(path, &buf, &wrong);
    while (rc == HALE_OK && buf.len > 0 &&
           (buf.p[buf.len - 1] == '\n' || buf.p[buf.len - 1] == '\r'))
        buf.p[--buf.len] = '\0';
    if (rc != HALE_OK) {
        rc = hale_yaml_error(hale_yaml_get(map, "secret_file"), err, "secret_file: %s",
                             wrong.text);
    } else if (buf.len == 0) {
        rc = hale_yaml_error(hale_yaml_get(map, "secret_file"), err,
                             "secret_file is empty");
    } else {
        s->secret_len = buf.len;
        s->secret = hale_buf_take(&buf);
        rc = s->secret != NULL ? HALE_OK : HALE_E_NOMEM;
    }
    hale_buf_fini(&buf);
    return rc;
}

static enum hale_rc check_subscriber(NODE map, const struct actuator_subscribers *all,
                                     const struct actuator_subscriber *s,
                                     struct hale_err *err)
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    struct hale_str host;
    unsigned port;
    if (s->name[0] == '\0' || strlen(s->name) > 64 ||
        s->name[strspn(s->name, fine)] != '\0')
        return hale_yaml_error(hale_yaml_get(map, "name"), err,
                               "name must be 1 to 64 characters of A-Z a-z 0-9 _ . -");
    for (unsigned i = 0; i < all->n; i++)
        if (&all->v[i] != s && strcmp(all->v[i].name, s->name) == 0)
            return hale_yaml_error(hale_yaml_get(map, "name"), err,
                                   "the name '%s' is used twice", s->name);
    if (s->profile == ACTUATOR_PROFILE_EMAIL || s->profile == ACTUATOR_PROFILE_SNMP)
        return HALE_OK;
    if (s->url == NULL)
        return hale_yaml_error(map, err, "url is required");
    if (actuator_allow_split(s->url, &host, &port) != HALE_OK)
        return hale_yaml_error(
            hale_yaml_get(map, "url"), err,
            "url must be an http:// or https:// address with a host and "
            "without user information");
    return HALE_OK;
}

static enum hale_rc add_address(NODE item, void *arg, struct hale_err *err)
{
    struct actuator_subscriber *s = arg;
    struct hale_str text = hale_yaml_text(item);
    bool good = text.len > 2 && text.len <= 254 && memchr(text.p, '@', text.len) != NULL;
    for (size_t i = 0; good && i < text.len; i++)
        good = (unsigned char)text.p[i] > ' ' && text.p[i] != 0x7f &&
               strchr("<>,;\"()\\", text.p[i]) == NULL;
    if (!good)
        return hale_yaml_error(item, err,
                               "to: '%.*s' is not an address such as anna@example.org",
                               (int)(text.len > 60 ? 60 : text.len), text.p);
    if (s->n_to == ACTUATOR_TO_MAX)
        return hale_yaml_error(item, err, "to: at most %d addresses", ACTUATOR_TO_MAX);
    s->to[s->n_to] = strndup(text.p, text.len);
    if (s->to[s->n_to] == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    s->n_to++;
    return HALE_OK;
}

static enum hale_rc read_to(NODE map, NODE to, const char *from,
                            struct actuator_subscriber *s, struct hale_err *err)
{
    bool letters = s->profile == ACTUATOR_PROFILE_EMAIL;
    if (!letters && hale_yaml_kind(to) != HALE_YAML_NULL)
        return hale_yaml_error(to, err, "to is for profile email");
    if (!letters)
        return HALE_OK;
    s->from = from;
    if (s->url != NULL)
        return hale_yaml_error(hale_yaml_get(map, "url"), err,
                               "profile email has no url: the mail server is in smtp");
    if (hale_yaml_kind(to) == HALE_YAML_NULL)
        return hale_yaml_error(map, err, "profile email needs to, an address or a list");
    if (from == NULL)
        return hale_yaml_error(map, err,
                               "profile email needs a mail server: add 'smtp: {url: "
                               "smtp://mail.example.org, from: hale@example.org}'");
    return actuator_read_each(to, "to", err, add_address, s);
}

static enum hale_rc read_grouping(NODE map, const struct subscriber_raw *raw,
                                  struct actuator_subscriber *s, struct hale_err *err)
{
    enum hale_rc rc = actuator_grouping_read(map, &raw->grouping, &s->grouping, err);
    if (rc != HALE_OK || !s->grouping.on)
        return rc;
    for (size_t i = 0; i < ACTUATOR_GROUPING_KEYS; i++) {
        NODE node = hale_yaml_get(map, actuator_grouping_keys[i]);
        if (hale_yaml_kind(node) != HALE_YAML_NULL &&
            !actuator_profile_for_people(s->profile))
            return hale_yaml_error(node, err,
                                   "%s is for people (profiles email, slack, pagerduty): "
                                   "machines are told everything at once; take it out",
                                   actuator_grouping_keys[i]);
    }
    if ((s->states & 1u << HALE_STATE_OK) == 0 ||
        (s->states & 1u << HALE_STATE_ALARM) == 0)
        return hale_yaml_error(hale_yaml_get(map, "states"), err,
                               "groups need the states ALARM and OK");
    return HALE_OK;
}

static enum hale_rc read_snmp(NODE map, const struct actuator_subscribers *all,
                              struct actuator_subscriber *s, struct hale_err *err)
{
    static const char *const of_http[] = {"headers", "secret_file"};
    NODE snmp = hale_yaml_get(map, "snmp");
    if (s->profile != ACTUATOR_PROFILE_SNMP)
        return hale_yaml_kind(snmp) == HALE_YAML_NULL
                   ? HALE_OK
                   : hale_yaml_error(snmp, err, "snmp is for profile snmp");
    for (size_t i = 0; i < N(of_http); i++)
        if (hale_yaml_kind(hale_yaml_get(map, of_http[i])) != HALE_YAML_NULL)
            return hale_yaml_error(hale_yaml_get(map, of_http[i]), err,
                                   "%s is for HTTP: profile snmp has its secrets in snmp",
                                   of_http[i]);
    enum hale_rc rc = actuator_snmp_conf_read(map, s->url, &s->snmp, err);
    for (unsigned i = 0; rc == HALE_OK && i < all->n; i++)
        if (&all->v[i] != s && all->v[i].snmp != NULL &&
            actuator_snmp_conf_differs(all->v[i].snmp, s->snmp))
            rc = hale_yaml_error(
                snmp, err,
                "subscriber %s has this manager and user with other keys: a "
                "manager knows one set of keys of a user",
                all->v[i].name);
    return rc;
}

static enum hale_rc read_subscriber(NODE map, const char *from,
                                    struct actuator_subscribers *all,
                                    struct hale_err *err)
{
    struct subscriber_raw raw = {0};
    enum hale_rc rc =
        hale_conf_read(map, SUBSCRIBER_FIELDS, N(SUBSCRIBER_FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    struct actuator_subscriber *s = &all->v[all->n++];
    s->name = actuator_read_move(&raw.name);
    s->url = actuator_read_move(&raw.url);
    s->timeout_ms = raw.timeout;
    s->profile = (enum actuator_profile)raw.profile;
    rc = check_subscriber(map, all, s, err);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.states, "states", STATES, 7, &s->states, err);
    if (rc == HALE_OK)
        rc = actuator_read_mask(raw.severity, "severity", SEVERITIES, 15, &s->severities,
                                err);
    if (rc == HALE_OK)
        rc = actuator_read_map(raw.headers, "headers", true, &s->headers, err);
    if (rc == HALE_OK)
        rc = actuator_read_check_headers(raw.headers, s->headers, err);
    if (rc == HALE_OK)
        rc = read_secret(map, raw.secret_file, s, err);
    if (rc == HALE_OK)
        rc = read_to(map, raw.to, from, s, err);
    if (rc == HALE_OK)
        rc = read_snmp(map, all, s, err);
    if (rc == HALE_OK)
        rc = read_grouping(map, &raw, s, err);
    if (rc == HALE_OK && s->profile == ACTUATOR_PROFILE_PAGERDUTY && s->secret == NULL)
        rc = hale_yaml_error(map, err,
                             "profile pagerduty needs the routing key in secret_file");
    hale_conf_fini(SUBSCRIBER_FIELDS, N(SUBSCRIBER_FIELDS), &raw);
    return rc;
}

enum hale_rc actuator_subscribers_read(NODE list, const char *from,
                                       struct actuator_subscribers *out,
                                       struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    if (hale_yaml_kind(list) == HALE_YAML_NULL)
        return HALE_OK;
    if (hale_yaml_kind(list) != HALE_YAML_LIST)
        return hale_yaml_error(list, err, "subscribers must be a list ('- name: ...')");
    if (hale_yaml_count(list) > ACTUATOR_SUBSCRIBERS_MAX)
        return hale_yaml_error(list, err, "at most %d subscribers",
                               ACTUATOR_SUBSCRIBERS_MAX);
    for (size_t i = 0; i < hale_yaml_count(list) && rc == HALE_OK; i++)
        rc = read_subscriber(hale_yaml_item(list, i), from, out, err);
    return rc;
}

void actuator_subscribers_fini(struct actuator_subscribers *s)
{
    for (unsigned i = 0; i < s->n; i++)
        subscriber_fini(&s->v[i]);
    s->n = 0;
}
