/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf_methods.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/conf_grouping.h"
#include "actuator/read.h"
#include "base/fs.h"

#define N(fields)          (sizeof(fields) / sizeof((fields)[0]))
#define NODE               const struct hale_yaml_node *
#define PASSWORD_MAX_BYTES 4096
#define PAGERDUTY          "https://events.pagerduty.com/generic/2010-04-15/create_event.json"

static const char *const REACH[] = {"remote", "listed", NULL};
static const char *const STARTTLS[] = {"off", "try", "required", NULL};

struct methods_raw {
    int reach;
    NODE allow;
    char *pagerduty_url, *secret_file;
    int64_t timeout;
    NODE email;
    NODE pagerduty;
};
#define M(member) offsetof(struct methods_raw, member)
static const struct hale_conf_field METHODS[] = {
    {"reach", HALE_CONF_ENUM, M(reach), false, "remote", 0, 0, REACH,
     "hosts that webhooks of tenants may call"},
    {"allow", HALE_CONF_NODE, M(allow), false, NULL, 0, 0, NULL,
     "hosts they may call whatever reach says"},
    {"pagerduty_url", HALE_CONF_STRING, M(pagerduty_url), false, PAGERDUTY, 0, 0, NULL,
     "events API v1"},
    {"timeout", HALE_CONF_DURATION, M(timeout), false, "5s", 100, 60000, NULL, "one try"},
    {"secret_file", HALE_CONF_STRING, M(secret_file), false, NULL, 0, 0, NULL,
     "webhooks are signed with keys that come from its content, at least 16 bytes"},
    {"email", HALE_CONF_NODE, M(email), false, NULL, 0, 0, NULL,
     "EMAIL: alarms in groups; group_by, group_wait, group_interval, repeat_interval"},
    {"pagerduty", HALE_CONF_NODE, M(pagerduty), false, NULL, 0, 0, NULL,
     "PAGERDUTY: the same"},
};

static const struct hale_conf_field GROUPING[] = {ACTUATOR_GROUPING_FIELDS(0)};

struct smtp_raw {
    char *url, *from, *user, *password_file, *ca_file;
    int starttls;
    int64_t timeout;
};
#define P(member) offsetof(struct smtp_raw, member)
static const struct hale_conf_field SMTP[] = {
    {"url", HALE_CONF_STRING, P(url), true, NULL, 0, 0, NULL,
     "smtp:// or smtps://host[:port]"},
    {"from", HALE_CONF_STRING, P(from), true, NULL, 0, 0, NULL, "sender's address"},
    {"user", HALE_CONF_STRING, P(user), false, NULL, 0, 0, NULL, "login"},
    {"password_file", HALE_CONF_STRING, P(password_file), false, NULL, 0, 0, NULL,
     "file with its password"},
    {"ca_file", HALE_CONF_STRING, P(ca_file), false, NULL, 0, 0, NULL,
     "certificates to trust instead of the system's"},
    {"starttls", HALE_CONF_ENUM, P(starttls), false, "try", 0, 0, STARTTLS,
     "encrypt a smtp:// connection"},
    {"timeout", HALE_CONF_DURATION, P(timeout), false, "20s", 100, 300000, NULL,
     "one try"},
};

static enum hale_rc add_allowed(NODE item, void *arg, struct hale_err *err)
{
    struct hale_str text = hale_yaml_text(item);
    enum hale_rc rc = actuator_allow_add(arg, text);
    if (rc == HALE_E_INVAL)
        return hale_yaml_error(
            item, err,
            "allow: '%.*s' is not host, host:port or *.domain (no scheme, no path)",
            (int)(text.len > 60 ? 60 : text.len), text.p);
    return rc == HALE_OK ? rc
                         : hale_yaml_error(item, err, "allow: at most %d patterns",
                                           ACTUATOR_ALLOW_MAX);
}

static enum hale_rc read_grouping(NODE map, struct actuator_grouping *out,
                                  struct hale_err *err)
{
    struct actuator_grouping_raw raw = {0};
    if (hale_yaml_kind(map) == HALE_YAML_NULL)
        return HALE_OK;
    enum hale_rc rc = hale_conf_read(map, GROUPING, N(GROUPING), &raw, err);
    if (rc == HALE_OK)
        rc = actuator_grouping_read(map, &raw, out, err);
    return rc;
}

static enum hale_rc read_secret(NODE map, const char *path,
                                struct hale_method_secret *out, struct hale_err *err)
{
    struct hale_err wrong = {0};
    if (path == NULL)
        return HALE_OK;
    enum hale_rc rc = hale_method_secret_load(path, out, &wrong);
    return rc == HALE_OK ? rc
                         : hale_yaml_error(hale_yaml_get(map, "secret_file"), err,
                                           "secret_file: %s", wrong.text);
}

static enum hale_rc read_methods(NODE map, struct actuator_methods_conf *out,
                                 struct hale_err *err)
{
    struct methods_raw raw = {0};
    struct hale_str host;
    unsigned port;
    enum hale_rc rc = hale_conf_read(map, METHODS, N(METHODS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    out->listed_only = raw.reach;
    out->timeout_ms = raw.timeout;
    out->pagerduty_url = actuator_read_move(&raw.pagerduty_url);
    if (hale_yaml_kind(raw.allow) != HALE_YAML_NULL)
        rc = actuator_read_each(raw.allow, "allow", err, add_allowed, &out->allow);
    if (rc == HALE_OK &&
        actuator_allow_split(out->pagerduty_url, &host, &port) != HALE_OK)
        rc = hale_yaml_error(hale_yaml_get(map, "pagerduty_url"), err,
                             "pagerduty_url must be an http:// or https:// address");
    if (rc == HALE_OK)
        rc = read_secret(map, raw.secret_file, &out->secret, err);
    if (rc == HALE_OK)
        rc = read_grouping(raw.email, &out->email, err);
    if (rc == HALE_OK)
        rc = read_grouping(raw.pagerduty, &out->pagerduty, err);
    hale_conf_fini(METHODS, N(METHODS), &raw);
    return rc;
}

static enum hale_rc read_password(NODE map, const char *path, char **out,
                                  struct hale_err *err)
{
    struct hale_buf buf;
    struct hale_err wrong;
    hale_buf_init(&buf, PASSWORD_MAX_BYTES);
    enum hale_rc rc = hale_fs_read(path, &buf, &wrong);
    while (rc == HALE_OK && buf.len > 0 &&
           (buf.p[buf.len - 1] == '\n' || buf.p[buf.len - 1] == '\r'))
        buf.p[--buf.len] = '\0';
    if (rc != HALE_OK)
        rc = hale_yaml_error(hale_yaml_get(map, "password_file"), err,
                             "password_file: %s", wrong.text);
    else if ((*out = hale_buf_take(&buf)) == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    hale_buf_fini(&buf);
    return rc;
}

static enum hale_rc read_smtp(NODE map, struct actuator_methods_conf *out,
                              struct hale_err *err)
{
    struct smtp_raw raw = {0};
    enum hale_rc rc = hale_conf_read(map, SMTP, N(SMTP), &raw, err);
    if (rc != HALE_OK)
        return rc;
    out->smtp_url = actuator_read_move(&raw.url);
    out->smtp_from = actuator_read_move(&raw.from);
    out->smtp_user = actuator_read_move(&raw.user);
    out->smtp_ca_file = actuator_read_move(&raw.ca_file);
    out->smtp_starttls = (enum hale_mail_tls)raw.starttls;
    out->smtp_timeout_ms = raw.timeout;
    if (strncmp(out->smtp_url, "smtp://", 7) != 0 &&
        strncmp(out->smtp_url, "smtps://", 8) != 0)
        rc = hale_yaml_error(hale_yaml_get(map, "url"), err,
                             "url must be smtp://host[:port] or smtps://host[:port]");
    else if (strchr(out->smtp_from, '@') == NULL ||
             strpbrk(out->smtp_from, "<> \t\r\n") != NULL)
        rc = hale_yaml_error(hale_yaml_get(map, "from"), err,
                             "from must be an address such as hale@example.org");
    else if (raw.password_file != NULL)
        rc = read_password(map, raw.password_file, &out->smtp_password, err);
    hale_conf_fini(SMTP, N(SMTP), &raw);
    return rc;
}

enum hale_rc actuator_methods_conf_read(NODE methods, NODE smtp,
                                        struct actuator_methods_conf *out,
                                        struct hale_err *err)
{
    enum hale_rc rc = read_methods(methods, out, err);
    if (rc == HALE_OK && hale_yaml_kind(smtp) != HALE_YAML_NULL)
        rc = read_smtp(smtp, out, err);
    return rc;
}

void actuator_methods_conf_fini(struct actuator_methods_conf *c)
{
    actuator_allow_fini(&c->allow);
    hale_method_secret_fini(&c->secret);
    actuator_grouping_fini(&c->email);
    actuator_grouping_fini(&c->pagerduty);
    free(c->pagerduty_url);
    free(c->smtp_url);
    free(c->smtp_from);
    free(c->smtp_user);
    if (c->smtp_password != NULL)
        explicit_bzero(c->smtp_password, strlen(c->smtp_password));
    free(c->smtp_password);
    free(c->smtp_ca_file);
}
