/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/conf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/check.h"
#include "base/fs.h"
#include "net/http_client.h"

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct hale_conf_field fields[] = {
    {.key = "collector",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, collector),
     .required = true,
     .help = "URL of the collector, like http://127.0.0.1:8070"},
    {.key = "token_file",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, token_file),
     .required = true,
     .help = "file with the agent's token"},
    {.key = "spool_dir",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, spool_dir),
     .fallback = "/var/lib/hale/agent/spool",
     .help = "where samples wait while the collector is away"},
    {.key = "spool_max",
     .type = HALE_CONF_BYTES,
     .offset = offsetof(struct agent_conf, spool_max_bytes),
     .fallback = "64m",
     .min = 2097152,
     .max = 1099511627776.0,
     .help = "ceiling of the spool; the oldest go first"},
    {.key = "hostname",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, hostname),
     .help = "dimension hostname of everything (default: the machine's name)"},
    {.key = "dimensions",
     .type = HALE_CONF_NODE,
     .offset = offsetof(struct agent_conf, dimensions),
     .help = "map of dimensions for everything this agent sends"},
    {.key = "checks",
     .type = HALE_CONF_NODE,
     .offset = offsetof(struct agent_conf, checks),
     .required = true,
     .help = "list of checks, see below"},
    {.key = "listen",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, listen),
     .fallback = "127.0.0.1:8074",
     .help = "own metrics and health (GET /metrics, /healthz)"},
    {.key = "ca_file",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, ca_file),
     .help = "certificates to trust for https instead of the system's"},
    {.key = "cert_file",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, cert_file),
     .help = "our certificate (PEM), for a collector that asks clients for one"},
    {.key = "key_file",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct agent_conf, key_file),
     .help = "its key (default: in cert_file)"},
    {.key = "timeout",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct agent_conf, timeout_ms),
     .fallback = "10s",
     .min = 100,
     .max = 300000,
     .help = "of one POST"},
    {.key = "max_batch",
     .type = HALE_CONF_INT,
     .offset = offsetof(struct agent_conf, max_batch),
     .fallback = "5000",
     .min = 1,
     .max = 50000,
     .help = "samples per POST"},
    {.key = "log_level",
     .type = HALE_CONF_ENUM,
     .offset = offsetof(struct agent_conf, log_level),
     .fallback = "info",
     .choices = levels,
     .help = "debug, info, warn or error"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool is_token(struct hale_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return true;
}

static enum hale_rc read_token(struct agent_conf *c, struct hale_err *err)
{
    struct hale_buf text;
    hale_buf_init(&text, 4096);
    enum hale_rc rc = hale_fs_read(c->token_file, &text, err);
    if (rc == HALE_OK) {
        struct hale_str token = hale_str_trim(hale_buf_str(&text));
        if (token.len == 0)
            rc = hale_err_at(err, HALE_E_INVAL, c->token_file, 0, 0,
                             "the token file is empty");
        else if (!is_token(token))
            rc =
                hale_err_at(err, HALE_E_INVAL, c->token_file, 0, 0,
                            "a token is one line of printable characters without blanks");
        else if ((c->token = strndup(token.p, token.len)) == NULL)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    hale_buf_fini(&text);
    return rc;
}

static enum hale_rc default_hostname(struct agent_conf *c, struct hale_err *err)
{
    char name[256] = "";
    if (c->hostname != NULL)
        return HALE_OK;
    if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
        return hale_err_set(err, HALE_E_IO, "this machine has no name: set hostname");
    c->hostname = strdup(name);
    return c->hostname != NULL ? HALE_OK
                               : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

enum hale_rc agent_conf_dims(const struct agent_conf *c, struct agent_dims *out,
                             struct hale_err *err)
{
    if (agent_dims_set(out, "hostname", c->hostname) != HALE_OK)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return c->dimensions == NULL ? HALE_OK : agent_dims_read(out, c->dimensions, err);
}

/* Builds and drops every check: what is wrong with one shows before anything runs. */
static enum hale_rc try_checks(const struct agent_conf *c, struct hale_err *err)
{
    struct agent_dims dims = {0};
    struct agent_context ctx = {.loop = agent_loop_new(1), .hostname = c->hostname};
    enum hale_rc rc = ctx.loop == NULL ? hale_err_set(err, HALE_E_NOMEM, "out of memory")
                                       : agent_conf_dims(c, &dims, err);
    if (rc == HALE_OK && hale_yaml_kind(c->checks) != HALE_YAML_LIST)
        rc = hale_yaml_error(c->checks, err, "checks is a list, like `- type: cpu`");
    if (rc == HALE_OK && hale_yaml_count(c->checks) > AGENT_CHECKS_MAX)
        rc = hale_yaml_error(c->checks, err, "at most %d checks", AGENT_CHECKS_MAX);
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(c->checks); i++) {
        struct agent_check *check = NULL;
        rc = agent_check_new(&ctx, &dims, hale_yaml_item(c->checks, i), &check, err);
        agent_check_free(check);
    }
    agent_dims_fini(&dims);
    hale_buf_fini(&ctx.text);
    agent_loop_free(ctx.loop);
    return rc;
}

enum hale_rc agent_conf_load(const char *path, void **conf_out, struct hale_err *err)
{
    struct agent_conf *c = calloc(1, sizeof(*c));
    *conf_out = NULL;
    if (c == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    enum hale_rc rc = hale_yaml_load_file(path, &c->yaml, err);
    if (rc == HALE_OK)
        rc = hale_conf_read(hale_yaml_root(c->yaml), fields, N_FIELDS, c, err);
    if (rc == HALE_OK && !hale_http_url_ok(c->collector))
        rc =
            hale_yaml_error(hale_yaml_get(hale_yaml_root(c->yaml), "collector"), err,
                            "'%s' is not an http or https URL with a host", c->collector);
    if (rc == HALE_OK) {
        size_t len = strlen(c->collector);
        while (len > 0 && c->collector[len - 1] == '/')
            c->collector[--len] = '\0';
        rc = read_token(c, err);
    }
    if (rc == HALE_OK)
        rc = default_hostname(c, err);
    if (rc == HALE_OK)
        rc = try_checks(c, err);
    if (rc != HALE_OK) {
        agent_conf_free(c);
        return rc;
    }
    *conf_out = c;
    return HALE_OK;
}

void agent_conf_free(void *conf)
{
    struct agent_conf *c = conf;
    if (c == NULL)
        return;
    hale_conf_fini(fields, N_FIELDS, c);
    hale_yaml_free(c->yaml);
    free(c->token);
    free(c);
}

void agent_conf_describe(struct hale_buf *out)
{
    hale_conf_describe(fields, N_FIELDS, out);
    for (size_t i = 0; agent_check_types[i] != NULL; i++) {
        const struct agent_check_type *t = agent_check_types[i];
        hale_buf_printf(out, "\ncheck type %s: %s\n", t->name, t->help);
        /* The three common keys come first in every table: shown once, here by their own words. */
        hale_buf_add_c(out, "  interval (1s..1d, default 10s), dimensions (map)\n");
        hale_conf_describe(t->fields + 3, t->n_fields - 3, out);
    }
}
