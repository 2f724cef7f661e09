/* SPDX-License-Identifier: Apache-2.0 */
/* hale - the command line: arguments, environment, table of commands. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/secrets.h"
#include "cli/cli.h"
#include "cli/topology.h"
#include "cli/usage.h"

#ifndef HALE_VERSION
#define HALE_VERSION "0.1.0"
#endif

enum {
    OPT_URL = 256,
    OPT_TOKEN,
    OPT_TOKEN_FILE,
    OPT_CA_FILE,
    OPT_TIMEOUT,
    OPT_JSON,
    OPT_NAME,
    OPT_STATE,
    OPT_SEVERITY,
    OPT_SINCE,
    OPT_IDLE,
    OPT_STAT,
    OPT_PERIOD,
    OPT_RANGE,
    OPT_STEP,
    OPT_LIMIT,
    OPT_FOR,
    OPT_COMMENT,
    OPT_OWNER,
    OPT_STARTS,
    OPT_WORKFLOW,
    OPT_ENTITY,
    OPT_ZONE,
    OPT_REPEAT,
    OPT_DIM,
    OPT_DRY_RUN,
    OPT_MERGE,
    OPT_TENANT,
    OPT_ROLE,
    OPT_EXPIRES,
    OPT_RELOAD,
    OPT_DEFINITION,
    OPT_GROUP,
    OPT_JUNIT,
    OPT_KILL_SEED,
    OPT_SYNC,
    OPT_TYPE,
    OPT_SOURCE,
    OPT_APPLY,
    OPT_MATCH_BY,
    OPT_FROM,
    OPT_TO,
    OPT_POLICIES,
    OPT_RECIPIENT,
    OPT_POLICY,
    OPT_TARGET,
    OPT_ALARM,
    OPT_RUN,
    OPT_KIND,
    OPT_REASON,
    OPT_HEADS,
    OPT_VERSION
};
static const struct option longs[] = {
    {"url", required_argument, NULL, OPT_URL},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
    {"ca-file", required_argument, NULL, OPT_CA_FILE},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"json", no_argument, NULL, OPT_JSON},
    {"name", required_argument, NULL, OPT_NAME},
    {"state", required_argument, NULL, OPT_STATE},
    {"severity", required_argument, NULL, OPT_SEVERITY},
    {"since", required_argument, NULL, OPT_SINCE},
    {"idle", required_argument, NULL, OPT_IDLE},
    {"stat", required_argument, NULL, OPT_STAT},
    {"period", required_argument, NULL, OPT_PERIOD},
    {"range", required_argument, NULL, OPT_RANGE},
    {"step", required_argument, NULL, OPT_STEP},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"for", required_argument, NULL, OPT_FOR},
    {"comment", required_argument, NULL, OPT_COMMENT},
    {"owner", required_argument, NULL, OPT_OWNER},
    {"starts", required_argument, NULL, OPT_STARTS},
    {"workflow", required_argument, NULL, OPT_WORKFLOW},
    {"entity", required_argument, NULL, OPT_ENTITY},
    {"zone", required_argument, NULL, OPT_ZONE},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"dim", required_argument, NULL, OPT_DIM},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"merge", no_argument, NULL, OPT_MERGE},
    {"tenant", required_argument, NULL, OPT_TENANT},
    {"role", required_argument, NULL, OPT_ROLE},
    {"expires", required_argument, NULL, OPT_EXPIRES},
    {"reload", required_argument, NULL, OPT_RELOAD},
    {"definition", required_argument, NULL, OPT_DEFINITION},
    {"group", required_argument, NULL, OPT_GROUP},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"policies", required_argument, NULL, OPT_POLICIES},
    {"recipient", required_argument, NULL, OPT_RECIPIENT},
    {"policy", required_argument, NULL, OPT_POLICY},
    {"target", required_argument, NULL, OPT_TARGET},
    {"alarm", required_argument, NULL, OPT_ALARM},
    {"run", required_argument, NULL, OPT_RUN},
    {"kind", required_argument, NULL, OPT_KIND},
    {"reason", required_argument, NULL, OPT_REASON},
    {"heads", required_argument, NULL, OPT_HEADS},
    {"match-by", required_argument, NULL, OPT_MATCH_BY},
    {"junit", required_argument, NULL, OPT_JUNIT},
    {"kill-seed", required_argument, NULL, OPT_KILL_SEED},
    {"sync", required_argument, NULL, OPT_SYNC},
    {"type", required_argument, NULL, OPT_TYPE},
    {"source", required_argument, NULL, OPT_SOURCE},
    {"apply", no_argument, NULL, OPT_APPLY},
    {"verbose", no_argument, NULL, 'v'},
    {"file", required_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int wrong(const char *what, const char *word)
{
    (void)fprintf(stderr, "hale: %s '%s'\n      hale --help shows the commands\n", what,
                  word);
    return CLI_USAGE;
}

/* Keeps the token of --token-file for the life of the process. */
static struct hale_buf token_file;

static int read_token_file(struct cli_options *o, const char *path)
{
    struct hale_err err = {0};
    hale_buf_fini(&token_file);
    hale_buf_init(&token_file, 4096);
    if (hale_fs_read(path, &token_file, &err) != HALE_OK) {
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    while (token_file.len > 0 && (unsigned char)token_file.p[token_file.len - 1] <= ' ')
        token_file.p[--token_file.len] = '\0';
    o->api.token = token_file.p != NULL ? token_file.p : "";
    return CLI_OK;
}

static int set_number(long *dst, const char *text, long min, long max, const char *name)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < min || value > max) {
        (void)fprintf(stderr, "hale: --%s '%s' is not a number from %ld to %ld\n", name,
                      text, min, max);
        return CLI_USAGE;
    }
    *dst = value;
    return CLI_OK;
}

static int set_option(struct cli_options *o, int option)
{
    long seconds = 0;
    switch (option) {
    case OPT_URL: o->api.url = optarg; break;
    case OPT_TOKEN: o->api.token = optarg; break;
    case OPT_TOKEN_FILE: return read_token_file(o, optarg);
    case OPT_CA_FILE: o->api.ca_file = optarg; break;
    case OPT_TIMEOUT:
        if (set_number(&seconds, optarg, 1, 3600, "timeout") != CLI_OK)
            return CLI_USAGE;
        o->api.timeout_ms = seconds * 1000;
        break;
    case OPT_JSON: o->json = true; break;
    case OPT_NAME: o->name = optarg; break;
    case OPT_STATE: o->state = optarg; break;
    case OPT_SEVERITY: o->severity = optarg; break;
    case OPT_SINCE: o->since = optarg; break;
    case OPT_IDLE: o->idle = optarg; break;
    case OPT_STAT: o->stat = optarg; break;
    case OPT_PERIOD: o->period = optarg; break;
    case OPT_RANGE: o->range = optarg; break;
    case OPT_STEP: o->step = optarg; break;
    case OPT_LIMIT: return set_number(&o->limit, optarg, 1, 1000000, "limit");
    case OPT_FOR: o->duration = optarg; break;
    case OPT_COMMENT: o->comment = optarg; break;
    case OPT_OWNER: o->owner = optarg; break;
    case OPT_STARTS: o->starts = optarg; break;
    case OPT_WORKFLOW: o->workflow = optarg; break;
    case OPT_ENTITY: o->entity = optarg; break;
    case OPT_ZONE: o->zone = optarg; break;
    case OPT_REPEAT: o->repeat = optarg; break;
    case OPT_DIM:
        if (o->n_dims == sizeof(o->dims) / sizeof(o->dims[0]))
            return wrong("too many --dim at", optarg);
        o->dims[o->n_dims++] = optarg;
        break;
    case OPT_TENANT: o->tenant = optarg; break;
    case OPT_ROLE:
        if (o->n_roles == sizeof(o->roles) / sizeof(o->roles[0]))
            return wrong("too many --role at", optarg);
        o->roles[o->n_roles++] = optarg;
        break;
    case OPT_EXPIRES: o->expires = optarg; break;
    case OPT_RELOAD: o->reload = optarg; break;
    case OPT_DEFINITION: o->definition = optarg; break;
    case OPT_GROUP: o->group = optarg; break;
    case OPT_DRY_RUN: o->dry_run = true; break;
    case OPT_MERGE: o->merge = true; break;
    case OPT_FROM: o->from = optarg; break;
    case OPT_TO: o->to = optarg; break;
    case OPT_POLICIES: o->policies = optarg; break;
    case OPT_RECIPIENT: o->recipient = optarg; break;
    case OPT_POLICY: o->policy = optarg; break;
    case OPT_TARGET: o->target = optarg; break;
    case OPT_ALARM: o->alarm = optarg; break;
    case OPT_RUN: o->run = optarg; break;
    case OPT_KIND: o->kind = optarg; break;
    case OPT_REASON: o->reason = optarg; break;
    case OPT_HEADS: o->heads = optarg; break;
    case OPT_MATCH_BY: o->match_by = optarg; break;
    case OPT_JUNIT: o->junit = optarg; break;
    case OPT_KILL_SEED: return set_number(&o->kill_seed, optarg, 1, INT_MAX, "kill-seed");
    case OPT_SYNC: o->sync = optarg; break;
    case OPT_TYPE: o->type = optarg; break;
    case OPT_SOURCE: o->source = optarg; break;
    case OPT_APPLY: o->apply = true; break;
    case 'v': o->verbose = true; break;
    case 'f': o->file = optarg; break;
    default:
        (void)fprintf(stderr, "      hale --help shows the options\n");
        return CLI_USAGE;
    }
    return CLI_OK;
}

static int dispatch_token(const struct cli_options *o, int n, char **words,
                          const char *verb)
{
    if (strcmp(verb, "list") == 0 && n == 2)
        return cli_token_list(o);
    if (strcmp(verb, "create") == 0)
        return n == 3 ? cli_token_create(o, words[2])
                      : wrong("token create wants", "one name");
    if (strcmp(verb, "revoke") == 0)
        return n == 3 ? cli_token_revoke(o, words[2])
                      : wrong("token revoke wants", "one name");
    return wrong("unknown command: token", verb);
}

static int dispatch_series(const struct cli_options *o, int n, const char *verb)
{
    if (strcmp(verb, "list") == 0 && n == 2)
        return cli_series_list(o);
    if (strcmp(verb, "delete") == 0 && n == 2)
        return cli_series_delete(o);
    return wrong("unknown command: series", verb);
}

static int dispatch_alarm(const struct cli_options *o, int n, char **words,
                          const char *verb)
{
    if (strcmp(verb, "list") == 0 && n == 2)
        return cli_alarm_list(o);
    if (strcmp(verb, "show") == 0)
        return n == 3 ? cli_alarm_show(o, words[2])
                      : wrong("alarm show wants", "one alarm id");
    if (strcmp(verb, "why") == 0 && n == 2 && o->definition != NULL)
        return cli_definition_why(o);
    if (strcmp(verb, "why") == 0)
        return n == 3 ? cli_alarm_why(o, words[2])
                      : wrong("alarm why wants", "one alarm id, or --definition");
    if (cli_alarm_can(verb))
        return cli_alarm_operate(o, verb, n - 2, words + 2);
    return wrong("unknown command", "alarm");
}

static int dispatch_metric(const struct cli_options *o, int n, char **words,
                           const char *verb)
{
    if (strcmp(verb, "list") == 0 && n == 2)
        return cli_metric_list(o);
    if (strcmp(verb, "query") == 0)
        return n == 3 ? cli_metric_query(o, words[2])
                      : wrong("metric query wants", "one metric name");
    return wrong("unknown command", "metric");
}

/* What the actuator does, and who may stop it. False: none of these nouns. */
static bool dispatch_actuator(const struct cli_options *o, int n, char **words,
                              const char *verb, int *code)
{
    static const struct {
        const char *noun;
        int (*run)(const struct cli_options *o, const char *verb, int n, char **words);
    } nouns[] = {{"run", cli_run},
                 {"switch", cli_switch},
                 {"policy", cli_policy},
                 {"audit", cli_audit},
                 {"session", cli_session}};
    for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++)
        if (strcmp(words[0], nouns[i].noun) == 0) {
            *code = nouns[i].run(o, verb, n > 2 ? n - 2 : 0, words + 2);
            return true;
        }
    return false;
}

/* Nouns with verbs. */
static int dispatch_noun(const struct cli_options *o, int n, char **words,
                         const char *verb)
{
    const char *noun = words[0];
    int code;
    if (dispatch_actuator(o, n, words, verb, &code))
        return code;
    if (strcmp(noun, "alarm") == 0)
        return dispatch_alarm(o, n, words, verb);
    if (strcmp(noun, "silence") == 0 || strcmp(noun, "maintenance") == 0)
        return cli_silence(o, noun[0] == 'm', verb, n > 2 ? n - 2 : 0, words + 2);
    if (strcmp(noun, "dead-letter") == 0)
        return cli_dead_letter(o, verb, n > 2 ? n - 2 : 0, words + 2);
    if (strcmp(noun, "metric") == 0)
        return dispatch_metric(o, n, words, verb);
    if (strcmp(noun, "token") == 0)
        return dispatch_token(o, n, words, verb);
    if (strcmp(noun, "series") == 0)
        return dispatch_series(o, n, verb);
    if (strcmp(noun, "topology") == 0)
        return cli_topology(o, n - 1, words + 1);
    return wrong("unknown command", noun);
}

/* What reads one file. */
static int dispatch_file(const struct cli_options *o, int n, char **words,
                         const char *verb)
{
    const char *noun = words[0];
    if (strcmp(noun, "check") == 0)
        return n == 2 ? cli_check(o, verb)
                      : wrong("check wants one file, got", n > 2 ? words[2] : "none");
    if (strcmp(noun, "backtest") == 0)
        return n <= 2 ? cli_backtest(o, n == 2 ? verb : NULL)
                      : wrong("backtest wants one file, got", words[2]);
    if (strcmp(noun, "import") == 0)
        return n == 3 ? cli_import(o, verb, words[2])
                      : wrong("import wants monasca, prometheus, vitrage, osm, tacker or "
                              "onap and one "
                              "file, got",
                              n > 1 ? verb : "none");
    return dispatch_noun(o, n, words, verb);
}

static int dispatch(const struct cli_options *o, int n, char **words)
{
    const char *noun = words[0], *verb = n > 1 ? words[1] : "";
    if (strcmp(noun, "status") == 0 && n == 1)
        return cli_status(o);
    if (strcmp(noun, "apply") == 0 && n == 1)
        return cli_apply(o);
    if (strcmp(noun, "test") == 0)
        return n > 1 ? cli_test(o, n - 1, words + 1)
                     : wrong("test wants scenario files, got", "none");
    if (strcmp(noun, "query") == 0)
        return n == 2
                   ? cli_query(o, verb)
                   : wrong("query wants one expression, got", n > 2 ? words[2] : "none");
    return dispatch_file(o, n, words, verb);
}

/* Paths begin with a slash: none may stand at the end of the URL. */
static void trim_url(struct cli_options *o, char *dst, size_t dst_size)
{
    size_t len = strlen(o->api.url);
    while (len > 0 && o->api.url[len - 1] == '/')
        len--;
    if (len >= dst_size) /* the call will say that it is no URL */
        return;
    memcpy(dst, o->api.url, len);
    dst[len] = '\0';
    o->api.url = dst;
}

int main(int argc, char **argv)
{
    const char *url = getenv("HALE_URL"), *token = getenv("HALE_TOKEN");
    const char *ca_file = getenv("HALE_CA_FILE");
    struct cli_options o = {
        .api = {.url = url != NULL && *url != '\0' ? url : "http://127.0.0.1:8070",
                .token = token != NULL ? token : "",
                .ca_file = ca_file != NULL && *ca_file != '\0' ? ca_file : NULL,
                .timeout_ms = 10000},
        .since = "10m",
        .period = "60",
        .step = "1m",
        .limit = 10000};
    char url_text[2048];
    int option, code;

    hale_secrets_keep_in();
    while ((option = getopt_long(argc, argv, "f:hv", longs, NULL)) != -1) {
        if (option == 'h') {
            cli_usage(stdout);
            return CLI_OK;
        }
        if (option == OPT_VERSION) {
            puts("hale " HALE_VERSION);
            return CLI_OK;
        }
        if (set_option(&o, option) != CLI_OK)
            return CLI_USAGE;
    }
    if (optind == argc) {
        cli_usage(stderr);
        return CLI_USAGE;
    }
    trim_url(&o, url_text, sizeof(url_text));
    code = dispatch(&o, argc - optind, argv + optind);
    hale_buf_fini(&token_file);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* what was asked for did not arrive */
        (void)fprintf(stderr, "hale: cannot write to standard output\n");
        return code != CLI_OK ? code : CLI_FAILED;
    }
    return code;
}
