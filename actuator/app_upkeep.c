/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_upkeep - maintenance sessions at work: their records and what was said to them from Redis, looks at Nova, actions as
 * runs of the engine, everything that comes of it in one commit (declared in app.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/app.h"
#include "actuator/run.h"
#include "actuator/upkeep.h"
#include "actuator/upkeep_policy.h"
#include "actuator/upkeep_world.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/journal.h"
#include "model/silence.h"
#include "model/upkeep.h"
#include "store/keys.h"

#define SESSIONS_MAX 1000
#define RECORD_MAX   ((size_t)8 << 20)
#define ROW_MAX      ((size_t)1 << 20)

#define ROUNDS_MAX 64 /* of one tick: what follows from each other at once */

struct slot {
    struct actuator_upkeep_session *s;
    int64_t ended_ms; /* it is kept until all that was written of it is surely there */
    bool looking;
    uint64_t number; /* of the look: answers to others are too late */
    struct actuator_upkeep_look look;
};
struct app_upkeep {
    unsigned n;
    struct slot *v[SESSIONS_MAX];
    uint64_t number;
};

static int64_t now_ms(void)
{
    return hale_clock_wall_ms();
}

/* --- commits ------------------------------------------------------------------------------ */

/* Texts for one commit. */
struct texts {
    unsigned n;
    char **own;
    struct hale_str *v;
};

static bool texts_init(struct texts *t, size_t most)
{
    *t = (struct texts){0, calloc(most + 1, sizeof(char *)),
                        calloc(most + 1, sizeof(struct hale_str))};
    return t->own != NULL && t->v != NULL;
}

static bool texts_add(struct texts *t, char *text) /* taken */
{
    if (text == NULL || t->v == NULL || t->own == NULL) {
        free(text);
        return false;
    }
    t->own[t->n] = text;
    t->v[t->n++] = hale_str_from(text);
    return true;
}

static void texts_fini(struct texts *t)
{
    for (unsigned i = 0; t->own != NULL && i < t->n; i++)
        free(t->own[i]);
    free(t->own);
    free(t->v);
}

static char *word(const char *text)
{
    return (char *)(uintptr_t)text; /* rows only read their strings */
}

static char *row_text(const struct actuator_upkeep_session *s, json_t *row)
{
    char alarm_id[HALE_UUID_TEXT + 16];
    struct hale_buf b;
    (void)snprintf(alarm_id, sizeof(alarm_id), ACTUATOR_UPKEEP_PREFIX "%s",
                   actuator_upkeep_id(s));
    const struct hale_journal_row r = {
        .time_ms = now_ms(),
        .kind = word("maintenance"),
        .run_id = word(actuator_upkeep_id(s)),
        .policy = word(ACTUATOR_UPKEEP_POLICY),
        .mode = word("auto"),
        .tenant = word(actuator_upkeep_tenant(s)),
        .alarm_id = alarm_id,
        .alarm_name = word(ACTUATOR_UPKEEP_POLICY),
        .target = word(""),
        .step = -1,
        .step_type = word(""),
        .text = word(json_string_value(json_object_get(row, "text"))),
        .detail = json_object_get(row, "detail"),
    };
    hale_buf_init(&b, ROW_MAX);
    char *text = hale_journal_encode(&r, &b) == HALE_OK ? hale_buf_take(&b) : NULL;
    hale_buf_fini(&b);
    return text;
}

/* As the collector makes it of an event maintenance.host: the same window has the same id. */
static bool add_window(struct texts *t, const struct actuator_upkeep_session *s,
                       const json_t *w)
{
    char key[1024], ref[HALE_UPKEEP_HOST_MAX + 16], id[HALE_UUID_TEXT];
    struct hale_silence *window = NULL;
    struct hale_err err = {0};
    struct hale_buf b;
    int64_t starts = (int64_t)json_integer_value(json_object_get(w, "starts_ms"));
    int64_t ends = (int64_t)json_integer_value(json_object_get(w, "ends_ms"));
    (void)snprintf(ref, sizeof(ref), "host/%s",
                   json_string_value(json_object_get(w, "host")));
    int n = snprintf(key, sizeof(key), "upkeep\n%s\n%s", actuator_upkeep_tenant(s), ref);
    hale_id_uuid_from(key, (size_t)n, id);
    json_t *body = json_pack("{s:s, s:s, s:s}", "entity", ref, "for", "24h", "reason",
                             "maintenance.host IN_MAINTENANCE");
    if (body == NULL ||
        hale_silence_from_api(body, true, starts, &window, &err) != HALE_OK) {
        hale_error("event=no_window entity=%s detail=\"%s\"", ref, err.text);
        json_decref(body);
        return true; /* a host that no topology can have: nothing would be suppressed */
    }
    json_decref(body);
    window->id = strdup(id);
    window->tenant = strdup(actuator_upkeep_tenant(s));
    window->author = strdup("maintenance session");
    window->created_ms = window->updated_ms = starts;
    if (ends > 0) {
        (void)hale_silence_end(window, ends);
        window->updated_ms = ends;
    }
    hale_buf_init(&b, ROW_MAX);
    bool ok = window->id != NULL && window->tenant != NULL && window->author != NULL &&
              hale_silence_encode(window, &b) == HALE_OK && texts_add(t, strdup(id)) &&
              texts_add(t, hale_buf_take(&b));
    hale_buf_fini(&b);
    hale_silence_free(window);
    return ok;
}

static bool add_settled(struct texts *t, const struct actuator_upkeep_session *s,
                        const char *what)
{
    char *field = NULL;
    return asprintf(&field, "%s:%s", actuator_upkeep_id(s), what) >= 0 &&
           texts_add(t, field);
}

/* All that came of the session since the last commit, in one. */
static void commit(struct app *app, struct actuator_upkeep_session *s)
{
    struct actuator_upkeep_out out;
    struct texts settled, events, windows, rows;
    struct hale_buf record;
    size_t i;
    json_t *x;
    actuator_upkeep_take(s, &out);
    if (!out.dirty)
        return;
    hale_buf_init(&record, RECORD_MAX);
    bool ok = actuator_upkeep_encode(s, &record) == HALE_OK;
    ok = texts_init(&settled, json_array_size(out.settled)) && ok;
    ok = texts_init(&events, json_array_size(out.events)) && ok;
    ok = texts_init(&windows, 2 * json_array_size(out.windows)) && ok;
    ok = texts_init(&rows, json_array_size(out.rows)) && ok;
    json_array_foreach (out.settled, i, x)
        ok = ok && add_settled(&settled, s, json_string_value(x));
    json_array_foreach (out.events, i, x)
        ok = ok && texts_add(&events, json_dumps(x, JSON_COMPACT));
    json_array_foreach (out.windows, i, x)
        ok = ok && add_window(&windows, s, x);
    json_array_foreach (out.rows, i, x)
        ok = ok && texts_add(&rows, row_text(s, x));
    const struct actuator_upkeep_commit c = {
        .id = actuator_upkeep_id(s),
        .record = hale_buf_str(&record),
        .n_settled = settled.n,
        .n_events = events.n,
        .n_windows = windows.n / 2,
        .n_rows = rows.n,
        .settled = settled.v,
        .event = events.v,
        .window = windows.v,
        .row = rows.v,
    };
    if (!ok)
        hale_error("event=session_not_kept session=%s", actuator_upkeep_id(s));
    if (!ok || actuator_ledger_upkeep(app->ledger, &c) != HALE_OK)
        app->failed = true; /* loads it as it was */
    texts_fini(&settled);
    texts_fini(&events);
    texts_fini(&windows);
    texts_fini(&rows);
    hale_buf_fini(&record);
    actuator_upkeep_out_fini(&out);
}

/* Words about a session that is no more, or is over. */
static void drop_word(struct app *app, const char *id, const char *field, bool forget)
{
    const struct hale_str own = hale_str_from(field);
    const struct actuator_upkeep_commit c = {
        .id = id, .keep = !forget, .n_settled = 1, .settled = &own};
    if (actuator_ledger_upkeep(app->ledger, &c) != HALE_OK)
        app->failed = true;
}

/* --- sessions ------------------------------------------------------------------------------ */

static struct slot *find(const struct app *app, const char *id)
{
    for (unsigned i = 0; i < app->upkeep->n; i++)
        if (strcmp(actuator_upkeep_id(app->upkeep->v[i]->s), id) == 0)
            return app->upkeep->v[i];
    return NULL;
}

static void free_slot(struct slot *slot)
{
    if (slot->looking)
        actuator_upkeep_look_fini(&slot->look);
    actuator_upkeep_free(slot->s);
    free(slot);
}

static struct slot *add(struct app *app, struct actuator_upkeep_session *s)
{
    struct slot *slot = app->upkeep->n < SESSIONS_MAX ? calloc(1, sizeof(*slot)) : NULL;
    if (slot == NULL) {
        hale_error("event=session_not_loaded session=%s", actuator_upkeep_id(s));
        actuator_upkeep_free(s);
        return NULL;
    }
    slot->s = s;
    app->upkeep->v[app->upkeep->n++] = slot;
    return slot;
}

static void load_session(struct app *app, struct hale_str id, struct hale_str json)
{
    struct actuator_upkeep_session *s = NULL;
    if (actuator_upkeep_decode(json, &s) != HALE_OK)
        hale_error("event=session_unreadable session=%.*s",
                   (int)(id.len < 40 ? id.len : 40), id.p);
    else if (actuator_upkeep_ended(s))
        actuator_upkeep_free(s);
    else
        (void)add(app, s);
}

/* Why the session may not have its hosts, or NULL. */
static const char *clash(const struct app *app, const struct actuator_upkeep_session *s,
                         char dst[200])
{
    for (unsigned i = 0; i < app->upkeep->n; i++) {
        const struct actuator_upkeep_session *other = app->upkeep->v[i]->s;
        for (size_t k = 0; other != s && k < actuator_upkeep_hosts(s); k++) {
            if (!actuator_upkeep_holds(other, actuator_upkeep_host(s, k)))
                continue;
            (void)snprintf(dst, 200, "host %.100s is in session %s already",
                           actuator_upkeep_host(s, k), actuator_upkeep_id(other));
            return dst;
        }
    }
    return NULL;
}

static void start(struct app *app, const char *id, const json_t *word)
{
    static const struct actuator_upkeep_rules none = {
        .silence = "fail", .fallback = "fail", .poll_ms = 1000};
    const struct actuator_upkeep_conf *conf = app->conf->policies->upkeep;
    char why[200];
    struct actuator_upkeep_session *s = actuator_upkeep_new(
        id, word, conf != NULL ? &conf->rules : &none,
        conf != NULL ? NULL
                     : "sessions are not configured: add `maintenance: {cloud, url}` to "
                       "the policies",
        now_ms());
    if (s == NULL) {
        app->failed = true;
        return;
    }
    struct slot *slot = add(app, s);
    if (slot == NULL)
        return;
    if (clash(app, s, why) != NULL)
        actuator_upkeep_refuse(s, why, now_ms());
    json_t *nothing = json_object();
    actuator_upkeep_said(s, "start", nothing, now_ms());
    json_decref(nothing);
    commit(app, s);
}

static void take_word(struct app *app, struct hale_str field, struct hale_str value)
{
    char id[HALE_UUID_TEXT], own[HALE_UUID_TEXT + 40];
    const char *what = own + HALE_UUID_TEXT;
    json_t *o = json_loadb(value.p != NULL ? value.p : "", value.len, 0, NULL);
    if (field.len <= HALE_UUID_TEXT || field.len >= sizeof(own) ||
        field.p[HALE_UUID_TEXT - 1] != ':') {
        json_decref(o);
        return;
    }
    (void)snprintf(own, sizeof(own), "%.*s", (int)field.len, field.p);
    (void)snprintf(id, sizeof(id), "%.*s", HALE_UUID_TEXT - 1, own);
    struct slot *slot = find(app, id);
    if (slot == NULL && strcmp(what, "start") == 0) {
        start(app, id, o);
    } else if (slot == NULL || strcmp(what, "forget") == 0) {
        drop_word(app, id, own,
                  strcmp(what, "forget") == 0 &&
                      (slot == NULL || actuator_upkeep_ended(slot->s)));
    } else {
        actuator_upkeep_said(slot->s, what, o, now_ms());
        commit(app, slot->s);
    }
    json_decref(o);
}

static bool each(struct app *app, const char *key,
                 void (*fn)(struct app *app, struct hale_str field,
                            struct hale_str value))
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HGETALL"), hale_str_from(key));
    for (size_t i = 0; rc == HALE_OK && i + 1 < hale_reply_n(reply); i += 2)
        fn(app, hale_reply_str(hale_reply_at(reply, i)),
           hale_reply_str(hale_reply_at(reply, i + 1)));
    hale_reply_free(reply);
    return rc == HALE_OK;
}

bool app_upkeep_load(struct app *app)
{
    if (!app->acts)
        return true;
    app->upkeep = calloc(1, sizeof(*app->upkeep));
    return app->upkeep != NULL && each(app, HALE_KEYS_UPKEEP, load_session) &&
           each(app, HALE_KEYS_UPKEEP_SAID, take_word) && !app->failed;
}

void app_upkeep_unload(struct app *app)
{
    for (unsigned i = 0; app->upkeep != NULL && i < app->upkeep->n; i++)
        free_slot(app->upkeep->v[i]);
    free(app->upkeep);
    app->upkeep = NULL;
}

void app_upkeep_control(struct app *app, const char *id)
{
    (void)id; /* what waits is little: it is read whole */
    if (app->tells && app->doctor != NULL)
        app_upkeep_say(app);
    if (app->upkeep != NULL && !app->failed &&
        !each(app, HALE_KEYS_UPKEEP_SAID, take_word))
        app->failed = true;
}

/* --- looks ----------------------------------------------------------------------------------- */

static json_t *read_limit(const struct hale_reply *reply, size_t i)
{
    struct hale_str text = hale_reply_str(hale_reply_at(reply, i));
    json_t *o = json_loadb(text.p != NULL ? text.p : "", text.len, 0, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

static json_t *ask_limit(struct app *app, const char *kind, const char *project,
                         const char *id)
{
    char field[400];
    struct hale_reply *reply = NULL;
    (void)snprintf(field, sizeof(field), "%s/%s/%s", kind, project, id);
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HMGET"),
                       HALE_STR(HALE_KEYS_UPKEEP_LIMITS),
                       hale_str_from(field)) != HALE_OK)
        app->failed = true;
    json_t *o = reply != NULL ? read_limit(reply, 0) : NULL;
    hale_reply_free(reply);
    return o;
}

/* What the projects demand for the servers that were seen. */
static void add_constraints(struct app *app, struct actuator_upkeep_world *w)
{
    struct hale_reply *reply = NULL;
    if (HALE_REDIS_CMD(app->ask, &reply, HALE_STR("HLEN"),
                       HALE_STR(HALE_KEYS_UPKEEP_LIMITS)) != HALE_OK)
        app->failed = true;
    bool some = reply != NULL && hale_reply_int(reply) > 0;
    hale_reply_free(reply);
    for (unsigned i = 0; some && !app->failed && i < w->n_servers; i++) {
        struct actuator_upkeep_server *v = &w->server[i];
        v->constraint = ask_limit(app, "instance", v->project, v->id);
        const char *group = json_string_value(json_object_get(v->constraint, "group_id"));
        if (group != NULL)
            (void)json_object_set_new(v->constraint, "group",
                                      ask_limit(app, "group", v->project, group));
    }
}

static void ask(struct app *app, struct slot *slot)
{
    char key[HALE_UUID_TEXT];
    struct actuator_request q;
    if (actuator_upkeep_look_request(&slot->look, actuator_upkeep_rules(slot->s)->cloud,
                                     &q)) {
        slot->number = ++app->upkeep->number;
        (void)snprintf(key, sizeof(key), APP_UPKEEP_KEY "%llu",
                       (unsigned long long)slot->number);
        app_call(app, key, &q); /* may be answered, and the look be over, already */
        actuator_request_fini(&q);
        return;
    }
    if (slot->look.world.why[0] == '\0')
        add_constraints(app, &slot->look.world);
    slot->looking = false;
    if (!app->failed) {
        actuator_upkeep_saw(slot->s, &slot->look.world, now_ms());
        commit(app, slot->s);
    }
    actuator_upkeep_look_fini(&slot->look);
}

void app_upkeep_answered(struct app *app, const char *key,
                         const struct actuator_answer *a)
{
    unsigned long long number = strtoull(key + strlen(APP_UPKEEP_KEY), NULL, 10);
    for (unsigned i = 0; app->upkeep != NULL && i < app->upkeep->n; i++) {
        struct slot *slot = app->upkeep->v[i];
        if (!slot->looking || slot->number != number)
            continue;
        slot->number = 0;
        actuator_upkeep_look_answer(&slot->look, a);
        ask(app, slot);
        return;
    }
}

static void look(struct app *app, struct slot *slot)
{
    const char *host = NULL;
    if (slot->looking || !actuator_upkeep_looks(slot->s, now_ms(), &host))
        return;
    if (!actuator_upkeep_look_init(&slot->look, slot->s, host)) {
        actuator_upkeep_look_fini(&slot->look);
        app->failed = true;
        return;
    }
    slot->looking = true;
    ask(app, slot);
}

/* --- actions ---------------------------------------------------------------------------------- */

/* The first action that is not under way, or is over. True: there was one. */
static bool act(struct app *app, struct slot *slot, int64_t now_us)
{
    const struct actuator_upkeep_conf *conf = app->conf->policies->upkeep;
    char alarm_id[HALE_UUID_TEXT + 16], run[HALE_UUID_TEXT];
    struct actuator_upkeep_act a;
    const char *why = "";
    size_t it = 0;
    (void)snprintf(alarm_id, sizeof(alarm_id), ACTUATOR_UPKEEP_PREFIX "%s",
                   actuator_upkeep_id(slot->s));
    while (actuator_upkeep_acts(slot->s, &it, &a)) {
        actuator_run_id(ACTUATOR_UPKEEP_POLICY, alarm_id, a.n, 0, run);
        const char *end = actuator_engine_outcome(app->engine, run, &why);
        if (end == NULL && conf != NULL) {
            actuator_engine_upkeep(app->engine, &conf->by[a.kind], slot->s, &a, now_us);
            continue;
        }
        if (end != NULL && strcmp(end, "open") == 0)
            continue;
        actuator_upkeep_acted(slot->s, a.n, end != NULL ? end : "suppressed",
                              end != NULL ? why : "sessions are not configured",
                              now_ms());
        return true;
    }
    return false;
}

void app_upkeep_tick(struct app *app, int64_t now_us)
{
    for (unsigned i = 0; app->upkeep != NULL && i < app->upkeep->n && !app->failed; i++) {
        struct slot *slot = app->upkeep->v[i];
        actuator_upkeep_tick(slot->s, now_us / 1000);
        commit(app, slot->s);
        for (int round = 0; round < ROUNDS_MAX && !app->failed && act(app, slot, now_us);
             round++)
            commit(app, slot->s);
        if (!app->failed)
            look(app, slot);
        if (app->failed || !actuator_upkeep_ended(slot->s) || slot->looking)
            continue;
        if (slot->ended_ms == 0)
            slot->ended_ms = now_us / 1000;
        if (now_us / 1000 - slot->ended_ms < 2 * (int64_t)ACTUATOR_LEDGER_WAIT_MS)
            continue;
        free_slot(slot);
        app->upkeep->v[i--] = app->upkeep->v[--app->upkeep->n];
    }
}

int64_t app_upkeep_next_us(const struct app *app)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; app->upkeep != NULL && i < app->upkeep->n; i++) {
        const struct slot *slot = app->upkeep->v[i];
        int64_t at = actuator_upkeep_next_ms(slot->s);
        if (!slot->looking && at < next / 1000)
            next = at * 1000;
    }
    return next;
}
