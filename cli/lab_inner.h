/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_LAB_INNER_H
#define HALE_CLI_LAB_INNER_H
/*
 * lab_inner - what lab.c (inputs, time), lab_correlator.c (its tables and restart), lab_acts.c
 * (the actuator with a ledger in memory), lab_people.c (what is said to it) and lab_scale.c (its looks)
 * share. Nobody else includes it.
 */
#include "actuator/engine.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/map.h"
#include "cli/lab.h"
#include "correlator/engine.h"

#define LAB_TABLES   3 /* enum correlator_table */
#define LAB_TEXT_MAX (8u << 20)

struct lab_queue { /* texts, first in first out */
    char **v;
    size_t head, n, cap;
};

struct lab_series {
    uint64_t id;
    struct hale_buf canonical;
};

struct lab_job { /* a commit's answer or a call's, on its way to the actuator */
    struct lab_job *next;
    int64_t at_ms;
    char run_id[HALE_UUID_TEXT];
    bool is_commit;
    enum actuator_commit_result result;
    int64_t token;
    char holder[80];
    enum hale_rc rc;
    bool sent;
    unsigned status;
    char *body, *location;
};

struct lab_acts {
    struct cli_lab *lab;
    struct actuator_engine *engine;
    json_t *runs, *guards;   /* id, target -> text */
    json_t *leases;          /* target -> "<token>:<run id>" */
    json_t *verdicts;        /* "<run id>:proposal", ... -> text */
    json_t *switches;        /* scope, "unlatch/<policy>" -> text */
    struct lab_scale *scale; /* since the last start */
    int64_t fence;
    struct lab_job *jobs;     /* by time, then by age */
    struct hale_graph *graph; /* of the correlator's rows, when it was asked for last */
    struct lab_queue faults;  /* events of the loops, on their way to the correlator */
    unsigned n_operations;
};

struct cli_lab {
    const struct cli_lab_conf *conf;
    int64_t now_ms;
    uint64_t entries; /* stream entries so far: makes their ids unique */
    enum hale_rc failed;
    struct thresholds_engine *thresholds;
    struct correlator_engine *correlator;
    json_t *tables[LAB_TABLES]; /* of the correlator: field -> text */
    int64_t seq;                /* of the alarm log */
    int64_t stream_ms;          /* what was due until then has happened */
    json_t *silences[2];        /* and maintenance: id -> text as stored */
    json_t *definitions;        /* name -> text as stored */
    struct lab_queue subs, logs;
    unsigned n_series, cap_series;
    struct lab_series *series;
    struct lab_acts acts;
    struct hale_buf scratch;
};

/* --- lab.c --- */
enum hale_rc lab_push(struct cli_lab *lab, struct lab_queue *q, struct hale_str text);
char *lab_pop(struct lab_queue *q); /* NULL: empty; the caller frees it */
/* Latches and returns rc unless it is HALE_OK. */
enum hale_rc lab_note(struct cli_lab *lab, enum hale_rc rc);

/* --- lab_correlator.c --- */
/* A new engine from tables and definitions. */
enum hale_rc lab_correlator_boot(struct cli_lab *lab);
/* Those that are stored, into a new engine. */
enum hale_rc lab_silences_load(struct cli_lab *lab);
/* The place of the next entry. */
const struct correlator_input *lab_correlator_in(struct cli_lab *lab,
                                                 struct correlator_input *in, char *id,
                                                 size_t size);
/* What is due by now, then the sub-alarm records that wait, then all that follows of them. */
enum hale_rc lab_correlator_turn(struct cli_lab *lab);
/* After an input of the correlator: its tables and what follows of its log. */
enum hale_rc lab_correlator_commit(struct cli_lab *lab);

/* --- lab_acts.c --- */
enum hale_rc lab_acts_boot(struct lab_acts *a, struct cli_lab *lab);
void lab_acts_fini(struct lab_acts *a);
void lab_acts_record(struct lab_acts *a, const struct hale_log_record *r);
int64_t lab_acts_next_ms(const struct lab_acts *a);
void lab_acts_turn(struct lab_acts *a);
/* Gives the correlator what the loops raised. */
enum hale_rc lab_acts_faults(struct lab_acts *a);
enum hale_rc lab_acts_restart(struct lab_acts *a);
/* Jobs that are due now. */
void lab_acts_jobs(struct lab_acts *a);

/* --- lab_people.c --- */
/* All that was said and thrown, into a new engine. */
void lab_people_load(struct lab_acts *a);
/* For actuator_engine_io. */
void lab_people_verdicts(void *acts, const char *run_id);
/* Verdicts that a commit has carried out (bits). */
void lab_people_settle(struct lab_acts *a, const char *run_id, unsigned settled);

/* --- lab_scale.c --- */
enum hale_rc lab_scale_boot(struct lab_acts *a); /* also anew, after a restart */
int64_t lab_scale_next_ms(const struct lab_acts *a);
void lab_scale_turn(struct lab_acts *a);

#endif
