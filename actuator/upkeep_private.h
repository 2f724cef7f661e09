/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_UPKEEP_PRIVATE_H
#define HALE_ACTUATOR_UPKEEP_PRIVATE_H
/*
 * upkeep_private - between upkeep.c (the session's life), upkeep_host.c (one host, from disabling to giving back),
 * upkeep_say.c (questions, events, rows) and upkeep_record.c (its record). Nobody else includes it.
 */
#include "actuator/upkeep.h"
#include "model/upkeep.h"

enum upkeep_state { /* Fenix' words */
                    UPKEEP_MAINTENANCE,
                    UPKEEP_SCALE_IN,
                    UPKEEP_PREPARE,
                    UPKEEP_START,
                    UPKEEP_PLANNED,
                    UPKEEP_COMPLETE,
                    UPKEEP_DONE,
                    UPKEEP_FAILED
};
enum upkeep_phase {
    UPKEEP_P_BEGIN,    /* look at everything: who is concerned? */
    UPKEEP_P_ASK,      /* every project is asked; then until at_ms */
    UPKEEP_P_PLAN,     /* look at everything: which host is next? */
    UPKEEP_P_DISABLE,  /* hosts are being disabled */
    UPKEEP_P_LOOK,     /* look at the host: is it empty? */
    UPKEEP_P_EMPTY,    /* its instances are asked about and moved */
    UPKEEP_P_WORK,     /* it is worked on */
    UPKEEP_P_ENABLE,   /* it is being enabled */
    UPKEEP_P_FINISH,   /* every project is told that all is over */
    UPKEEP_P_ROLLBACK, /* failed: what we disabled is enabled again */
    UPKEEP_P_ENDED
};
enum upkeep_host_state { UPKEEP_TODO, UPKEEP_EMPTYING, UPKEEP_WORK, UPKEEP_MAINTAINED };
struct upkeep_host {
    char *name;
    enum upkeep_host_state state;
    bool disabled;     /* by us, or it is being */
    int64_t window_ms; /* of its maintenance window: since; 0: none */
};
enum upkeep_instance_state {
    UPKEEP_STANDS, /* where it is */
    UPKEEP_ASKED,
    UPKEEP_AGREED,
    UPKEEP_ACTING, /* being moved; its project moves it, when action is OWN_ACTION */
    UPKEEP_MOVED,
    UPKEEP_GONE /* it is no more */
};
struct upkeep_instance {
    char *id, *name, *project, *host, *group; /* group "": none */
    enum upkeep_instance_state state;
    const char *action; /* hale_upkeep_action: static; "" none yet */
    const char *type;   /* migration_type of its constraint, or "" */
    int64_t max_impacted, recovery_ms, lead_ms;
    int64_t since_ms; /* in this state */
    int64_t free_ms;  /* until then it counts as impacted */
    bool fell_back;
    bool seen; /* in this look; not stored */
};
struct upkeep_question {
    int64_t n;
    char state[32];
    char *project;  /* "": the administrator's */
    char *instance; /* "": for all */
    char *host;     /* "": none */
    json_t *ids;    /* array, or NULL: all of the project's */
    int64_t until_ms;
    char answer[12]; /* "" open; ack, nack, silent, withdrawn */
    char *by;        /* NULL: nobody */
};
enum upkeep_act_state {
    UPKEEP_ACT_OPEN,
    UPKEEP_ACT_AGAIN,
    UPKEEP_ACT_GOOD,
    UPKEEP_ACT_BAD
};
struct upkeep_act {
    int64_t n;
    enum actuator_upkeep_kind kind;
    char *host, *instance; /* instance "": of the host */
    enum upkeep_act_state state;
    char text[200];
    int64_t since_ms, again_ms;
    unsigned tries;
};
struct actuator_upkeep_session {
    char id[HALE_UUID_TEXT];
    char *tenant, *by, *reason;
    int64_t created_ms, updated_ms, at_ms;
    bool vnf; /* each instance is asked about by itself */
    json_t *metadata;
    enum upkeep_state state;
    enum upkeep_phase phase;
    int64_t number;   /* of the last question or act */
    int64_t since_ms; /* in this phase */
    int64_t look_ms;  /* when to look; 0: not */
    int64_t seen_ms;  /* the last look that saw something */
    int64_t cur;      /* the host that it is about, or -1 */
    int64_t rounds;   /* looks at it that found instances */
    int64_t scaled;   /* times that projects were asked to scale in */
    struct actuator_upkeep_rules rules;
    json_t *projects; /* array of strings */
    unsigned n_hosts, n_instances, n_questions, n_acts;
    struct upkeep_host *host;
    struct upkeep_instance *instance;
    struct upkeep_question *question;
    struct upkeep_act *act;
    /* not stored */
    int64_t now_ms;
    struct actuator_upkeep_out out;
    bool nomem;
};
extern const char *const upkeep_states[];
extern const char *const upkeep_phases[];
extern const char *const upkeep_kinds[];

/* --- upkeep.c --- */
void upkeep_enter(struct actuator_upkeep_session *s, enum upkeep_phase phase);
void upkeep_set_state(struct actuator_upkeep_session *s, enum upkeep_state state);
void upkeep_fail(struct actuator_upkeep_session *s, const char *fmt, ...)
    HALE_PRINTF(2, 3);
struct upkeep_host *upkeep_find_host(const struct actuator_upkeep_session *s,
                                     const char *name);
struct upkeep_instance *upkeep_find_instance(const struct actuator_upkeep_session *s,
                                             const char *id);
/* What a look says of instances: new ones are added, others followed. all: of every host, not of one. */
void upkeep_note_servers(struct actuator_upkeep_session *s,
                         const struct actuator_upkeep_world *w, const char *only);
/* --- upkeep_look.c --- */
void upkeep_look_begin(struct actuator_upkeep_session *s,
                       const struct actuator_upkeep_world *w);
void upkeep_look_plan(struct actuator_upkeep_session *s,
                      const struct actuator_upkeep_world *w);

/* --- upkeep.c --- */
/* A new action. */
void upkeep_act(struct actuator_upkeep_session *s, enum actuator_upkeep_kind kind,
                const char *host, const char *instance);
unsigned upkeep_acts_open(const struct actuator_upkeep_session *s);
/* Next: another host, or the end. */
void upkeep_plan(struct actuator_upkeep_session *s);

/* --- upkeep_host.c --- */
/* The host is next: it is disabled, and with the first one that stands behind maintained ones all that are left. */
void upkeep_host_begin(struct actuator_upkeep_session *s, struct upkeep_host *h);
void upkeep_host_saw(struct actuator_upkeep_session *s,
                     const struct actuator_upkeep_world *w);
/* Does what can be done for the host now. */
void upkeep_host_pump(struct actuator_upkeep_session *s);
void upkeep_host_answered(struct actuator_upkeep_session *s,
                          const struct upkeep_question *q, const json_t *actions);
void upkeep_host_acted(struct actuator_upkeep_session *s, struct upkeep_act *act,
                       bool good);
/* The host is given back; *failed: without its work. */
void upkeep_host_over(struct actuator_upkeep_session *s, struct upkeep_host *h);

/* --- upkeep_say.c --- */
void upkeep_row(struct actuator_upkeep_session *s, json_t *detail, const char *fmt, ...)
    HALE_PRINTF(3, 4);
/* Asks a project (and tells it) about ids (taken; NULL: all that it has), until then at least. */
struct upkeep_ask {
    const char *state, *project, *instance, *host;
    json_t *ids;
    bool actions; /* it may choose */
    int64_t until_ms;
};
void upkeep_ask(struct actuator_upkeep_session *s, const struct upkeep_ask *a);
/* Every project. */
void upkeep_ask_all(struct actuator_upkeep_session *s, const char *state,
                    int64_t until_ms);
/* The administrator, about the work on a host; nothing is told. */
void upkeep_ask_work(struct actuator_upkeep_session *s, const char *host,
                     int64_t until_ms);
void upkeep_tell_done(struct actuator_upkeep_session *s, const struct upkeep_instance *x);
void upkeep_tell_host(struct actuator_upkeep_session *s, const char *host,
                      const char *state);
/* To all projects, when it has failed. */
void upkeep_tell_failed(struct actuator_upkeep_session *s);
void upkeep_window(struct actuator_upkeep_session *s, struct upkeep_host *h, bool begins);
unsigned upkeep_questions_open(const struct actuator_upkeep_session *s);
/* Questions and acts that are over are forgotten. */
void upkeep_sweep(struct actuator_upkeep_session *s);
#endif
