/* SPDX-License-Identifier: Apache-2.0 */
/* check_http - one GET: http_status 0 up, 1 down (value_meta.error says why); response time in s. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check.h"
#include "net/http_client.h"

#define ANSWER_MAX_BYTES (1u << 20)

struct state {
    const struct hale_yaml_node *ignored;
    char *url, *match, *ca_file;
    int64_t timeout_ms;
    bool insecure, has_match;
    regex_t match_re;
    uint64_t call;
};
static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "url",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, url),
     .required = true,
     .help = "http or https URL; also dimension url"},
    {.key = "timeout",
     .type = HALE_CONF_DURATION,
     .offset = offsetof(struct state, timeout_ms),
     .fallback = "5s",
     .min = 10,
     .max = 60000,
     .help = "of the whole call"},
    {.key = "match",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, match),
     .help = "extended regular expression the answer must hold"},
    {.key = "ca_file",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, ca_file),
     .help = "certificates to trust instead of the system's"},
    {.key = "insecure",
     .type = HALE_CONF_BOOL,
     .offset = offsetof(struct state, insecure),
     .fallback = "false",
     .help = "do not verify TLS"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    struct state *s = c->state;
    if (!hale_http_url_ok(s->url))
        return hale_yaml_error(hale_yaml_get(map, "url"), err,
                               "'%s' is not an http or https URL with a host", s->url);
    if (s->match != NULL) {
        if (regcomp(&s->match_re, s->match, REG_EXTENDED | REG_NOSUB) != 0)
            return hale_yaml_error(hale_yaml_get(map, "match"), err,
                                   "'%s' is not a regular expression", s->match);
        s->has_match = true;
    }
    if (agent_dims_set(&c->dims, "url", s->url) != HALE_OK)
        return hale_yaml_error(map, err, "too many dimensions");
    return HALE_OK;
}

static void destroy(struct agent_check *c)
{
    struct state *s = c->state;
    if (s->call != 0)
        hale_http_client_cancel(agent_loop_http(c->ctx->loop), s->call);
    if (s->has_match)
        regfree(&s->match_re);
}

static bool matches(const struct state *s, struct hale_str body)
{
    if (!s->has_match)
        return true;
    char *text = strndup(body.p != NULL ? body.p : "", body.len);
    bool yes = text != NULL && regexec(&s->match_re, text, 0, NULL, 0) == 0;
    free(text);
    return yes;
}

static void done(const struct hale_http_result *r, void *arg)
{
    struct agent_check *c = arg;
    struct state *s = c->state;
    char why[512] = "";

    s->call = 0;
    if (r->rc != HALE_OK)
        (void)snprintf(why, sizeof(why), "%s",
                       r->error[0] != '\0' ? r->error : hale_rc_text(r->rc));
    else if (r->status >= 400)
        (void)snprintf(why, sizeof(why), "HTTP %u", r->status);
    else if (!matches(s, r->body))
        (void)snprintf(why, sizeof(why), "the answer does not match '%s'", s->match);
    agent_check_emit(c, NULL, 0, "http_status", why[0] != '\0',
                     why[0] != '\0' ? why : NULL);
    if (r->rc == HALE_OK)
        agent_check_emit(c, NULL, 0, "http_response_time", (double)r->took_us / 1e6,
                         NULL);
    agent_check_done(c);
}

static bool start(struct agent_check *c)
{
    struct state *s = c->state;
    const struct hale_http_call call = {.method = "GET",
                                        .url = s->url,
                                        .ca_file = s->ca_file,
                                        .insecure = s->insecure,
                                        .connect_timeout_ms = s->timeout_ms,
                                        .timeout_ms = s->timeout_ms,
                                        .max_response_bytes = ANSWER_MAX_BYTES};
    enum hale_rc rc =
        hale_http_client_start(agent_loop_http(c->ctx->loop), &call, done, c, &s->call);
    if (rc == HALE_OK)
        return false;
    s->call = 0;
    agent_check_emit(c, NULL, 0, "http_status", 1,
                     rc == HALE_E_LIMIT ? "too many calls under way" : hale_rc_text(rc));
    return true;
}

const struct agent_check_type agent_check_http = {
    .name = "http",
    .help = "http_status{url} (0 up, 1 down), http_response_time{url} in s",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = N_FIELDS,
    .create = create,
    .start = start,
    .destroy = destroy};
