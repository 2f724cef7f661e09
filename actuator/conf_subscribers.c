/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf_subscribers.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/allow.h"
#include "actuator/read.h"
#include "base/fs.h"
#include "model/alarm.h"

#define N(fields)        (sizeof(fields) / sizeof((fields)[0]))
#define NODE             const struct hale_yaml_node *
#define SECRET_MAX_BYTES 4096
#define DAY_MS           86400000.0

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
    NODE group_by;
    int64_t group_wait, group_interval, repeat_interval;
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
    {"group_by", HALE_CONF_NODE, S(group_by), false, NULL, 0, 0, NULL,
     "people: labels whose alarms come in one message, [] for all in one, '...' for each "
     "alone"},
    {"group_wait", HALE_CONF_DURATION, S(group_wait), false, "30s", 0, DAY_MS, NULL,
     "people: the first message of a group waits for others"},
    {"group_interval", HALE_CONF_DURATION, S(group_interval), false, "5m", 1000, DAY_MS,
     NULL, "people: between messages of a group that has changed"},
    {"repeat_interval", HALE_CONF_DURATION, S(repeat_interval), false, "4h", 1000,
     30 * DAY_MS, NULL, "people: the same again while alarms are raised"},
};

static void subscriber_fini(struct actuator_subscriber *s)
{
    free(s->name);
    free(s->url);
    for (unsigned i = 0; i < s->n_to; i++)
        free(s->to[i]);
    actuator_grouping_fini(&s->grouping);
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
    if (s->profile == ACTUATOR_PROFILE_EMAIL)
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

static enum hale_rc add_label(NODE item, void *arg, struct hale_err *err)
{
    struct actuator_grouping *g = arg;
    struct hale_str text = hale_yaml_text(item);
    if (hale_str_eq_c(text, "...")) {
        g->by_all = true;
        return HALE_OK;
    }
    if (text.len == 0 || text.len > 255)
        return hale_yaml_error(item, err, "group_by: a label has 1 to 255 bytes");
    if (g->n_by == ACTUATOR_GROUP_BY_MAX)
        return hale_yaml_error(item, err, "group_by: at most %d labels",
                               ACTUATOR_GROUP_BY_MAX);
    g->by[g->n_by] = strndup(text.p, text.len);
    if (g->by[g->n_by] == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    g->n_by++;
    return HALE_OK;
}

/* Any of the keys makes groups; without them everything is told at once. */
static enum hale_rc read_grouping(NODE map, const struct subscriber_raw *raw,
                                  struct actuator_subscriber *s, struct hale_err *err)
{
    static const char *const keys[] = {"group_by", "group_wait", "group_interval",
                                       "repeat_interval"};
    struct actuator_grouping *g = &s->grouping;
    for (size_t i = 0; i < N(keys); i++) {
        NODE node = hale_yaml_get(map, keys[i]);
        if (hale_yaml_kind(node) == HALE_YAML_NULL)
            continue;
        if (!actuator_profile_for_people(s->profile))
            return hale_yaml_error(node, err,
                                   "%s is for people (profiles email, slack, pagerduty): "
                                   "machines are told everything at once; take it out",
                                   keys[i]);
        g->on = true;
    }
    if (!g->on)
        return HALE_OK;
    g->wait_ms = raw->group_wait;
    g->interval_ms = raw->group_interval;
    g->repeat_ms = raw->repeat_interval;
    if ((s->states & 1u << HALE_STATE_OK) == 0 ||
        (s->states & 1u << HALE_STATE_ALARM) == 0)
        return hale_yaml_error(hale_yaml_get(map, "states"), err,
                               "groups need the states ALARM and OK");
    if (hale_yaml_kind(raw->group_by) == HALE_YAML_NULL ||
        (hale_yaml_kind(raw->group_by) == HALE_YAML_LIST &&
         hale_yaml_count(raw->group_by) == 0))
        return HALE_OK;
    return actuator_read_each(raw->group_by, "group_by", err, add_label, g);
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
