/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_SCENARIO_H
#define HALE_CLI_SCENARIO_H
/*
 * scenario - a file of `hale test` (docs/formats/scenario.md): what goes in, when, and what must
 * come out. Read strictly; an error names file, line and, where it is near, the right word.
 * Units:     times are milliseconds since the scenario's start.
 * Ownership: a scenario owns all it points to; free with cli_scenario_free.
 * Threads:   immutable after loading.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "actuator/policy.h"
#include "actuator/scaler.h"
#include "base/rc.h"
#include "base/str.h"
#include "cli/values.h"
#include "correlator/conf.h"
#include "model/alarm.h"
#include "model/yaml.h"

#define CLI_SCENARIO_LENGTH_MAX_MS INT64_C(31622400000) /* 366 days */
#define CLI_SCENARIO_INPUTS_MAX    5000000
#define CLI_SCENARIO_REPEAT_MAX    10000

/* The name of an alarm: definition (of events: the type) and part of its group. */
struct cli_alarm_ref {
    char *name;
    json_t *group; /* object of strings */
};

enum cli_op_kind {
    CLI_OP_RESTART,
    CLI_OP_DEFINE,
    CLI_OP_UNDEFINE,
    CLI_OP_TOPOLOGY,
    CLI_OP_SILENCE,
    CLI_OP_MAINTENANCE,
    CLI_OP_END,
    CLI_OP_ALARM, /* control: alarm-op */
    CLI_OP_DELETE,
    CLI_OP_SAY, /* approve, ... */
    CLI_OP_SWITCH_ON,
    CLI_OP_SWITCH_OFF,
    CLI_OP_UNLATCH
};
struct cli_op {
    enum cli_op_kind kind;
    unsigned parts; /* restart: enum cli_lab_part */
    json_t *bodies; /* define: bodies; topology: the update; silence: the body */
    char *
        name; /* undefine; silence, end: the id; say, unlatch: the policy; switch: the scope */
    char *target;             /* say; NULL: any */
    unsigned word;            /* say: enum cli_lab_word */
    struct cli_alarm_ref ref; /* alarm-op, delete */
    enum hale_alarm_op action;
    char *by, *text, *owner; /* NULL: none */
    int64_t until_ms;        /* 0: no end */
};

enum cli_input_kind { CLI_INPUT_OP, CLI_INPUT_EVENT, CLI_INPUT_SAMPLE };
struct cli_input { /* sorted by (at_ms, kind, place in the file) */
    int64_t at_ms;
    enum cli_input_kind kind;
    unsigned order;
    int line;
    unsigned index; /* of ops, events or series */
    int64_t stamp_ms;
    double value;
};

struct cli_scenario_series {
    char *metric;
    json_t *dimensions;
    int line;
};

/* What the looks at a scaling policy find. Values: from start on, one each interval; the newest counts
 * until the next one is due. */
struct cli_scenario_look {
    char *policy;
    int line;
    int64_t start_ms, interval_ms;
    struct cli_values metric, load; /* one of them; load: of all together */
    struct cli_values sizes, ready; /* n 0: none */
    int64_t size; /* without sizes: at the start, then what runs have ordered */
};

/* One line of an expectation. NULL, -1 and INT64_MIN: does not matter. */
struct cli_want {
    int line;
    int64_t at_ms, within_ms; /* of sequences: from at to at + within */
    struct cli_alarm_ref ref;
    int state, old_state, severity; /* enum, or -1 */
    char *reason;                   /* a part of it */
    bool absent;                    /* no such alarm */
    int64_t count;                  /* that many alarms; -1: at least one */
    json_t *causes, *suppressed_by; /* arrays of texts; NULL: does not matter */
    int root_cause;                 /* 0, 1 or -1 */
    char *owner, *ack, *op, *phase;
    /* actions */
    char *policy, *target, *mode, *verdict, *guard, *outcome;
    json_t *steps;
    int64_t calls; /* -1: does not matter */
    /* journal */
    char *row;      /* kind */
    json_t *guards; /* object: guard -> "yes" (allowed) or "no" */
};
enum cli_expect_kind {
    CLI_EXPECT_ALARMS,
    CLI_EXPECT_NOTIFICATIONS,
    CLI_EXPECT_TRANSITIONS,
    CLI_EXPECT_ACTIONS,
    CLI_EXPECT_JOURNAL
};
struct cli_expect {
    int line;
    enum cli_expect_kind kind;
    int64_t at_ms;          /* alarms */
    int64_t from_ms, to_ms; /* sequences */
    bool others;            /* what is not listed may be there too */
    unsigned n;
    struct cli_want *v;
};

struct cli_scenario {
    char *path, *name, *tenant;
    int64_t start_ms, length_ms, late_wait_ms;
    struct correlator_conf *correlator;
    json_t *topology;    /* update at the start; NULL: none */
    json_t *definitions; /* array of bodies */
    struct actuator_policies *policies;
    json_t *answers;
    unsigned n_series, n_events, n_ops, n_looks, n_expects;
    struct cli_scenario_series *series;
    struct hale_event *events;
    struct cli_op *ops;
    struct cli_scenario_look *looks;
    struct cli_expect *expects;
    size_t n_inputs, cap_inputs;
    struct cli_input *inputs;
};

HALE_MUST_CHECK enum hale_rc
cli_scenario_load(const char *path, struct cli_scenario **out, struct hale_err *err);
/* The same from text; path names it, and files it refers to lie beside it. */
HALE_MUST_CHECK enum hale_rc cli_scenario_read(struct hale_str text, const char *path,
                                               struct cli_scenario **out,
                                               struct hale_err *err);
void cli_scenario_free(struct cli_scenario *s); /* NULL allowed */

/* --- between scenario.c, scenario_inputs.c and scenario_wants.c --- */
enum hale_rc cli_scenario_inputs(struct cli_scenario *s,
                                 const struct hale_yaml_node *series,
                                 const struct hale_yaml_node *events,
                                 const struct hale_yaml_node *ops, int64_t interval_ms,
                                 struct hale_err *err);
void cli_scenario_inputs_fini(struct cli_scenario *s);
/* --- scenario_people.c: commands about runs, switches and latches; op->kind and op->word are set --- */
enum hale_rc cli_scenario_people(const struct cli_scenario *s,
                                 const struct hale_yaml_node *node, int64_t at_ms,
                                 struct cli_op *op, struct hale_err *err);
/* --- scenario_looks.c; after the policies were read --- */
enum hale_rc cli_scenario_looks(struct cli_scenario *s, const struct hale_yaml_node *list,
                                int64_t interval_ms, struct hale_err *err);
void cli_scenario_looks_fini(struct cli_scenario *s);
/* What a look finds at at_ms; false: nobody says. */
bool cli_scenario_look(const struct cli_scenario *s, const char *policy, int64_t at_ms,
                       int64_t changed_ms, int64_t ordered, struct actuator_look *out);
enum hale_rc cli_scenario_wants(struct cli_scenario *s, const struct hale_yaml_node *list,
                                struct hale_err *err);
void cli_scenario_wants_fini(struct cli_scenario *s);
/* The entities of a list, to be put at the start. */
enum hale_rc cli_scenario_topology(struct cli_scenario *s,
                                   const struct hale_yaml_node *entities,
                                   struct hale_err *err);
/* The update of a command. */
enum hale_rc cli_scenario_update(struct cli_scenario *s, const struct hale_yaml_node *map,
                                 int64_t at_ms, json_t **out, struct hale_err *err);
/* "${n}" in every text becomes the number. */
enum hale_rc cli_scenario_number(json_t *value, int64_t n, struct hale_err *err);
/* A node as JSON, in which every scalar is a text. */
enum hale_rc cli_scenario_json(const struct hale_yaml_node *node, json_t **out,
                               struct hale_err *err);
/* "name", "name{key=value,...}", and group: a map or NULL. */
enum hale_rc cli_scenario_ref(const struct hale_yaml_node *where, const char *text,
                              const struct hale_yaml_node *group,
                              struct cli_alarm_ref *out, struct hale_err *err);
void cli_alarm_ref_fini(struct cli_alarm_ref *ref);
/* A map of texts as a JSON object; NULL gives {}. */
enum hale_rc cli_scenario_map(const struct hale_yaml_node *map, json_t **out,
                              struct hale_err *err);
/* A text or a list of texts as an array; a NULL-kind node or an empty list: []. */
enum hale_rc cli_scenario_texts(const struct hale_yaml_node *node, json_t **out,
                                struct hale_err *err);
/* A list, each item of which is a map; NULL is empty. */
enum hale_rc cli_scenario_maps(const struct hale_yaml_node *list, const char *what,
                               struct hale_err *err);
#endif
