/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_APP_H
#define HALE_ACTUATOR_APP_H
/*
 * app - the running actuator: what loop.c, app_call.c, app_load.c and app_log.c share.
 * Nobody else includes it.
 * Failure:   whatever goes wrong with Redis sets `failed`; the loop then unloads and
 *            loads anew, as after a crash: what is known is what is in Redis.
 * Threads:   the main thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "actuator/access.h"
#include "actuator/conf.h"
#include "actuator/contacts.h"
#include "actuator/courier.h"
#include "actuator/deadletters.h"
#include "actuator/engine.h"
#include "actuator/inventory.h"
#include "actuator/ledger.h"
#include "actuator/notify.h"
#include "actuator/process.h"
#include "actuator/raised.h"
#include "actuator/roles.h"
#include "actuator/seal.h"
#include "actuator/session.h"
#include "base/map.h"
#include "net/daemon.h"
#include "net/http_client.h"
#include "store/entities.h"
#include "store/redis.h"

#define APP_CALLS_MAX 1024

struct call { /* a request of the engine's, under way */
    struct app *app;
    char key[HALE_UUID_TEXT + 16]; /* of app.calls: run id, and the lane's number */
    int lane;
    bool of_cloud;  /* id is the session's */
    bool of_access; /* id is the access's */
    bool of_process;
    uint64_t id;
};
struct app {
    struct hale_daemon *daemon;
    struct actuator_conf *conf;
    struct hale_http_client *http;
    struct hale_map *calls; /* run id and lane -> struct call */
    struct actuator_sessions *sessions;
    struct actuator_access *access;
    struct actuator_processes *processes;
    struct hale_redis *read, *ask;
    struct actuator_ledger *ledger;
    struct actuator_engine *engine;
    struct actuator_deadletters *dead;
    struct actuator_raised *raised;
    struct actuator_notify *notify;
    struct actuator_contacts *contacts;
    struct actuator_courier *courier;
    struct app_doctor *doctor;
    struct actuator_inventory *inventory; /* its thread */
    struct actuator_seal *seal;
    struct actuator_engine_stats counted;
    struct app_scalings *scalings; /* app_scale.c's */
    struct app_upkeep *upkeep;     /* app_upkeep.c's */
    struct hale_stream_id says;    /* what sessions say is told up to here */
    struct actuator_roles *roles;
    struct app_topology {           /* app_topology.c's */
        struct hale_entities *copy; /* lent to the doctor; NULL: nobody asks for it */
        bool more;                  /* of it is to be read */
        int64_t refresh_us;         /* when it is looked at next */
    } topology;
    bool watches; /* a policy asks for the topology: the engine knows all open alarms */
    bool acts, tells;    /* the roles this load is for; what belongs to another is not
                                      there: notify, courier and contacts are NULL, the engine has
                                      no policies and no runs */
    bool standby;        /* others have the roles, as Redis says */
    bool loaded;         /* the state of Redis is in memory */
    bool reading;        /* an XREAD is out */
    bool failed;         /* load anew */
    int64_t read_us;     /* since when */
    int64_t seen;        /* alarm log read up to here */
    int64_t acted, told; /* positions in Redis, at least: records up to there are old to
                                      the engine, to those who are told */
    struct hale_stream_id control; /* control records handled up to here */
    unsigned n_control;            /* of the read being handled */
    int64_t health_us, recover_us;
    int64_t clock_us; /* hale_clock_set_back_us's */
    int64_t back_us;  /* the wall clock was set back: for the next load */
};

/* --- app_call.c: requests of the engine --- */
void app_call(void *app, const char *run_id, const struct actuator_request *q);
void app_call_cancel(void *app, const char *run_id);
void app_call_cancel_all(struct app *app);

/* --- app_load.c: from Redis into memory and back to nothing --- */
bool app_load(struct app *app); /* false: call app_unload, try again later */
void app_unload(struct app *app);
/* Those of the configuration, or none without the role act. */
const struct actuator_policies *app_policies(const struct app *app);
/* The alarm as it is now. false: not known (Redis failed: app->failed; or it cannot be read). */
bool app_alarm_now(struct app *app, const char *alarm_id, struct hale_alarm *out,
                   bool *gone);

/* --- app_scale.c: looks at the scaling policies --- */
#define APP_SCALE_KEY "scale:" /* of its calls, where runs have their id */
/* Also for a new configuration; what was said is kept. false: no memory. */
bool app_scale_load(struct app *app);
void app_scale_unload(struct app *app);
void app_scale_tick(struct app *app, int64_t now_us);
int64_t app_scale_next_us(const struct app *app);
void app_scale_answered(struct app *app, const char *key,
                        const struct actuator_answer *a);
/* --- app_deadletters.c --- */
struct actuator_notify *app_notify_new(struct app *app); /* for app->conf */
bool app_load_groups(struct app *app);                   /* after that, and the methods */
/* A field of HALE_KEYS_GROUPS. */
void app_store_group(void *app, const char *field, struct hale_str value);
bool app_load_dead(struct app *app);    /* before notify and courier */
bool app_load_replays(struct app *app); /* after them, and when there are new ones */
void app_unload_dead(struct app *app);
/* --- app_declare.c: what people are told of our policies --- */
/* Publishes them, and a row `configured` when they are other ones than before. False: Redis failed. */
bool app_declare(struct app *app);

/* --- app_methods.c: control records, notification methods --- */
/* Where the control stream ends now. */
HALE_MUST_CHECK enum hale_rc app_load_control(struct app *app);
bool app_load_methods(struct app *app, int64_t log_end);
void app_control(struct app *app, struct hale_str json);
/* Methods that are behind get older records, a few at a time. */
void app_refill_methods(struct app *app);

/* --- app_doctor.c: who is affected, and event alarms of Aodh's form --- */
struct app_doctor;
bool app_doctor_load(struct app *app); /* after app_load_methods */
void app_doctor_unload(struct app *app);
/* A record that is to be told. First: rec's alarm gets life.affected. */
void app_doctor_record(struct app *app, struct hale_log_record *rec, int64_t now_us);
void app_doctor_control(struct app *app, struct hale_str alarm_id);
void app_doctor_tick(struct app *app, int64_t now_us);
int64_t app_doctor_next_us(const struct app *app);
void app_doctor_set_conf(struct app *app);
/* For a record that is read again. */
void app_doctor_affected(const struct app *app, struct hale_log_record *rec);
/* --- app_topology.c: the one copy of the topology --- */
/* There is a copy, as current as Redis was. The first of several calls makes it. */
HALE_MUST_CHECK enum hale_rc app_topology_load(struct app *app);
void app_topology_unload(struct app *app); /* after those it is lent to */
/* For actuator_engine_io: as it is now. NULL without a policy that asks for it. */
struct hale_graph *app_topology(void *app, const char *tenant);
/* What was written before is known after; a topology that is being read anew is not waited for.
 * False: Redis failed. */
bool app_topology_current(struct app *app);
void app_topology_tick(struct app *app, int64_t now_us); /* a piece, where there is one */
int64_t app_topology_next_us(const struct app *app);
/* --- app_world.c: what the guards ask about --- */
/* Kill switches, and with a topology all open alarms. */
HALE_MUST_CHECK enum hale_rc app_load_world(struct app *app);
void app_unload_world(struct app *app);
/* A field of the switches has changed. */
void app_switch(struct app *app, const char *field);

/* --- app_verdict.c: what people say about runs --- */
void app_load_verdict(struct app *app, struct hale_str field, struct hale_str value);
/* All that was said about this run. */
void app_read_verdicts(struct app *app, const char *run_id);

/* --- app_upkeep.c: maintenance sessions --- */
#define APP_UPKEEP_KEY "upkeep:"       /* of its calls, where runs have their id */
bool app_upkeep_load(struct app *app); /* after the engine's start */
void app_upkeep_unload(struct app *app);
/* Somebody has said something about a session (role act), or one says something (role tell). */
void app_upkeep_control(struct app *app, const char *id);
void app_upkeep_tick(struct app *app, int64_t now_us);
int64_t app_upkeep_next_us(const struct app *app);
void app_upkeep_answered(struct app *app, const char *key,
                         const struct actuator_answer *a);
/* --- app_upkeep_say.c: what sessions say, to event alarms of Aodh's form (role tell) --- */
bool app_upkeep_say_load(struct app *app);
void app_upkeep_say(struct app *app);
/* An event for the alarms of a tenant (app_doctor.c). */
void app_doctor_event(struct app *app, const char *tenant, const char *type,
                      json_t *traits, struct hale_stream_id id);

/* --- app_log.c: the alarm log --- */
/* A record as those outside are told of it: an alarm that was deleted while they knew of it is OK. */
HALE_MUST_CHECK enum hale_rc app_record_decode(struct hale_str json,
                                               struct hale_log_record *out);
void app_read_log(struct app *app, int64_t now_us);
/* Subscribers that are behind get older records, a few at a time. */
void app_refill(struct app *app);
#endif
