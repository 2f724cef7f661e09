/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_CLI_H
#define HALE_CLI_CLI_H
/*
 * cli - what the commands of `hale` share: the options and the table of commands.
 * Exit codes: CLI_OK fine; CLI_FAILED the thing asked about is not fine, or the call failed;
 *             CLI_USAGE wrong arguments or an invalid file.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/rc.h"
#include "cli/api.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_options {
    struct cli_api api;
    bool json;            /* print the server's JSON instead of tables */
    bool dry_run;         /* apply: say what would change */
    bool merge;           /* metric query: one series from all that match */
    const char *file;     /* -f */
    const char *name;     /* --name */
    const char *state;    /* --state */
    const char *severity; /* --severity */
    const char *since;    /* --since, a duration; "10m" */
    const char *idle;     /* --idle, a duration */
    const char *stat;     /* --stat avg,min,... */
    const char *period;   /* --period, seconds */
    const char *tenant;   /* --tenant */
    const char *expires;  /* --expires, a duration or a time */
    const char *reload;   /* --reload, a pid or a file with one */
    unsigned n_roles;
    const char *roles[8];   /* --role */
    const char *range;      /* query: --range, a duration; NULL: an instant */
    const char *step;       /* query: --step, a duration; "1m" */
    const char *definition; /* --definition, a name or an id */
    const char *group;      /* --group k=v,... */
    bool verbose;           /* test: -v, the whole course */
    const char *junit;      /* test: --junit, a file */
    long kill_seed;         /* test: --kill-seed; 0: not given */
    const char *match_by;   /* import prometheus: --match-by a,b */
    const char *policies;   /* backtest: --policies, a file */
    const char *from, *to;  /* backtest: --from, --to, times or durations before now */
    long limit;             /* --limit */
    const char *duration;   /* --for, a duration */
    const char *comment;    /* --comment */
    const char *starts;     /* --starts, a time */
    const char *workflow;   /* --workflow, of a maintenance session */
    const char *entity;     /* --entity type/id */
    const char *zone;       /* --zone, a time zone */
    const char *repeat;     /* --repeat day, week:mon,.., month:n */
    const char *owner;      /* --owner */
    const char *sync;       /* topology apply: --sync SOURCE */
    const char *type;       /* topology list: --type */
    const char *source;     /* topology list: --source */
    const char *recipient;  /* dead-letter: --recipient subscriber/NAME, method/ID */
    bool apply;             /* topology import: --apply */
    const char *policy;     /* run list, audit: --policy */
    const char *target;     /* run list, audit: --target */
    const char *alarm;      /* run list, audit: --alarm, an id */
    const char *run;        /* audit: --run, an id */
    const char *kind;       /* audit: --kind call,answer */
    const char *reason;     /* switch: --reason */
    const char *heads;      /* audit verify: --heads, a file */
    unsigned n_dims;
    const char *dims[32]; /* --dim key=value */
};

/* Prints "hale: ..." on standard error and returns CLI_FAILED. */
int cli_fail(const struct hale_err *err);
/* Prints json indented on standard output; returns CLI_OK. */
int cli_print_json(const json_t *json);
/* "k1=v1 k2=v2" of a JSON object of strings into dst; returns dst. */
const char *cli_dims_text(const json_t *dims, char *dst, size_t dst_size);
/* Text of a string member, or "". */
const char *cli_text(const json_t *object, const char *key);
/* The --dim options as Monasca's "k:v,k:v" into dst (empty when none). HALE_E_INVAL: not key=value. */
HALE_MUST_CHECK enum hale_rc cli_dims_query(const struct cli_options *o, char *dst,
                                            size_t dst_size, struct hale_err *err);

/* A time, or a duration before now. */
HALE_MUST_CHECK enum hale_rc cli_time(const char *text, const char *option,
                                      int64_t now_ms, int64_t *out, struct hale_err *err);

int cli_alarm_list(const struct cli_options *o);
int cli_alarm_show(const struct cli_options *o, const char *id);
int cli_alarm_why(const struct cli_options *o, const char *id);
int cli_definition_why(const struct cli_options *o); /* of o->definition */
/* Is it one of the things people do to alarms? */
bool cli_alarm_can(const char *verb);
int cli_alarm_operate(const struct cli_options *o, const char *verb, int n, char **ids);
/* words: what follows the verb. */
/* Maintenance sessions: start, list, show, done, failed, cancel. */
int cli_session(const struct cli_options *o, const char *verb, int n, char **words);
int cli_silence(const struct cli_options *o, bool maintenance, const char *verb, int n,
                char **words);
/* The same for runs, switches, policies and the journal. */
int cli_run(const struct cli_options *o, const char *verb, int n, char **words);
int cli_switch(const struct cli_options *o, const char *verb, int n, char **words);
int cli_policy(const struct cli_options *o, const char *verb, int n, char **words);
int cli_audit(const struct cli_options *o, const char *verb, int n, char **words);
int cli_metric_list(const struct cli_options *o);
int cli_metric_query(const struct cli_options *o, const char *name);
int cli_series_list(const struct cli_options *o);
int cli_series_delete(const struct cli_options *o);
int cli_query(const struct cli_options *o, const char *expression);
int cli_apply(const struct cli_options *o);
int cli_check(const struct cli_options *o, const char *path);
int cli_token_create(const struct cli_options *o, const char *name);
int cli_dead_letter(const struct cli_options *o, const char *verb, int n, char **words);
int cli_token_list(const struct cli_options *o);
int cli_token_revoke(const struct cli_options *o, const char *name);
int cli_status(const struct cli_options *o);
int cli_import(const struct cli_options *o, const char *kind, const char *path);
/* path NULL: the definition of --definition. */
int cli_backtest(const struct cli_options *o, const char *path);
/* n >= 1 scenario files. CLI_FAILED: not as expected; CLI_USAGE: a file could not be run. */
int cli_test(const struct cli_options *o, int n, char **paths);
#endif
