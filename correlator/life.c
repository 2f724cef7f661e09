/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/life.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

static const char *const mute_kinds[] = {
    [COR_MUTE_CAUSE] = "cause",     [COR_MUTE_HOLD] = "hold",
    [COR_MUTE_SILENCE] = "silence", [COR_MUTE_MAINTENANCE] = "maintenance",
    [COR_MUTE_SHELVE] = "shelve",   [COR_MUTE_FLAP] = "flap",
    [COR_MUTE_STORM] = "storm",
};
static const char *const phases[] = {NULL, "pending", "clearing"};
#define MUTE_KINDS (sizeof(mute_kinds) / sizeof(mute_kinds[0]))

const char *cor_mute_text(enum cor_mute_kind kind)
{
    HALE_ASSERT((unsigned)kind < MUTE_KINDS);
    return mute_kinds[kind];
}

/* --- out ----------------------------------------------------------------------------- */

/* Steals v; latches when it could not be stored. */
static void set(struct correlator_engine *e, json_t *object, const char *key, json_t *v)
{
    if (object == NULL || v == NULL || json_object_set_new(object, key, v) != 0)
        e->nomem = true;
}

static void append(struct correlator_engine *e, json_t *array, json_t *v)
{
    if (array == NULL || v == NULL || json_array_append_new(array, v) != 0)
        e->nomem = true;
}

static json_t *mutes_json(struct correlator_engine *e, const struct cor_life *l)
{
    json_t *list = cor_got(e, json_array());
    for (unsigned i = 0; i < l->n_mutes; i++) {
        const struct cor_mute *m = &l->mutes[i];
        json_t *o = json_pack("{s:s,s:s,s:I}", "kind", cor_mute_text(m->kind), "id",
                              m->id, "since_ms", (json_int_t)m->since_ms);
        if (m->until_ms != 0)
            set(e, o, "until_ms", json_integer(m->until_ms));
        if (m->text != NULL)
            set(e, o, "text", json_string(m->text));
        append(e, list, o);
    }
    return list;
}

static json_t *word_json(struct correlator_engine *e, const struct cor_word *w)
{
    return cor_got(e,
                   json_pack("{s:s,s:I,s:s}", "by", w->by, "at_ms", (json_int_t)w->at_ms,
                             "text", w->text != NULL ? w->text : ""));
}

json_t *cor_life_json(struct correlator_engine *e, const struct cor_alarm *a)
{
    const struct cor_life *l = &a->life;
    json_t *o = cor_got(e, json_object());
    if (l->phase != COR_PHASE_NONE) {
        set(e, o, "phase", json_string(phases[l->phase]));
        set(e, o, "phase_until_ms", json_integer(cor_due_of(&l->phase_due)));
    }
    if (l->announced != HALE_STATE_OK)
        set(e, o, "announced", json_string(hale_state_text(l->announced)));
    if (l->surfaced != NULL)
        set(e, o, "surfaced", json_string(l->surfaced));
    if (l->n_mutes > 0)
        set(e, o, "suppressed_by", mutes_json(e, l));
    if (l->ack.by != NULL) {
        json_t *ack = word_json(e, &l->ack);
        set(e, ack, "severity", json_string(hale_severity_text(l->ack_severity)));
        if (cor_due_of(&l->ack_due) != 0)
            set(e, ack, "until_ms", json_integer(cor_due_of(&l->ack_due)));
        set(e, o, "ack", ack);
    }
    if (l->shelved.by != NULL) {
        json_t *shelved = word_json(e, &l->shelved);
        set(e, shelved, "until_ms", json_integer(cor_due_of(&l->shelve_due)));
        set(e, o, "shelved", shelved);
    }
    json_t *flap = cor_flap_json(e, &l->flap);
    if (flap != NULL)
        set(e, o, "flap", flap);
    if (l->owner != NULL)
        set(e, o, "owner", json_string(l->owner));
    if (l->n_comments > 0) {
        json_t *list = cor_got(e, json_array());
        for (unsigned i = 0; i < l->n_comments; i++)
            append(e, list, word_json(e, &l->comments[i]));
        set(e, o, "comments", list);
    }
    cor_cause_json(e, a, o);
    if (json_object_size(o) > 0)
        return o;
    json_decref(o);
    return NULL;
}

/* --- in ------------------------------------------------------------------------------ */

static const char *text_of(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static int64_t int_of(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

static char *copy_of(struct correlator_engine *e, const json_t *o, const char *key)
{
    const char *text = text_of(o, key);
    return text != NULL ? cor_strdup(e, text) : NULL;
}

static void load_mute(struct correlator_engine *e, struct cor_alarm *a, const json_t *o)
{
    const char *kind = text_of(o, "kind"), *id = text_of(o, "id");
    for (unsigned k = 0; kind != NULL && id != NULL && k < MUTE_KINDS; k++) {
        if (strcmp(kind, mute_kinds[k]) != 0)
            continue;
        cor_mute_set(e, a, (enum cor_mute_kind)k, id, int_of(o, "until_ms"),
                     text_of(o, "text"));
        for (unsigned i = 0; i < a->life.n_mutes; i++) {
            struct cor_mute *m = &a->life.mutes[i];
            if ((unsigned)m->kind == k && strcmp(m->id, id) == 0)
                m->since_ms = int_of(o, "since_ms");
        }
    }
}

static struct cor_word word_of(struct correlator_engine *e, const json_t *o)
{
    const char *text = text_of(o, "text");
    return (struct cor_word){copy_of(e, o, "by"),
                             text != NULL && text[0] != '\0' ? cor_strdup(e, text) : NULL,
                             int_of(o, "at_ms")};
}

static void load_comments(struct correlator_engine *e, struct cor_life *l,
                          const json_t *list)
{
    size_t n = json_array_size(list);
    n = n > COR_COMMENTS_MAX ? COR_COMMENTS_MAX : n;
    if (n == 0 || (l->comments = cor_got(
                       e, calloc(COR_COMMENTS_MAX, sizeof(*l->comments)))) == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        l->comments[l->n_comments] = word_of(e, json_array_get(list, i));
        if (l->comments[l->n_comments].by == NULL)
            free(l->comments[l->n_comments].text);
        else
            l->n_comments++;
    }
}

void cor_life_init(struct cor_alarm *a)
{
    a->life.storm = (struct cor_due){.kind = COR_DUE_STORM, .id = a->id, .owner = a};
    a->life.flap.due = (struct cor_due){.kind = COR_DUE_FLAP, .id = a->id, .owner = a};
    a->life.phase_due = (struct cor_due){.kind = COR_DUE_DELAY, .id = a->id, .owner = a};
    a->life.ack_due = (struct cor_due){.kind = COR_DUE_ACK, .id = a->id, .owner = a};
    a->life.shelve_due =
        (struct cor_due){.kind = COR_DUE_SHELVE, .id = a->id, .owner = a};
}

void cor_life_load(struct correlator_engine *e, struct cor_alarm *a, const json_t *life)
{
    struct cor_life *l = &a->life;
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(life, "suppressed_by"), i, item)
        load_mute(e, a, item);
    const char *announced = text_of(life, "announced");
    if (announced == NULL ||
        hale_state_parse(hale_str_from(announced), &l->announced) != HALE_OK)
        /* A row from before there were mutes: everybody was told. */
        l->announced = l->n_mutes == 0 && a->state == HALE_STATE_ALARM ? HALE_STATE_ALARM
                                                                       : HALE_STATE_OK;
    const char *phase = text_of(life, "phase");
    for (unsigned p = COR_PHASE_PENDING; phase != NULL && p <= COR_PHASE_CLEARING; p++) {
        if (a->node == NULL || strcmp(phase, phases[p]) != 0)
            continue;
        l->phase = (enum cor_phase)p;
        cor_due_set(e, &l->phase_due, int_of(life, "phase_until_ms"));
    }
    l->surfaced = copy_of(e, life, "surfaced");
    l->owner = copy_of(e, life, "owner");
    const json_t *ack = json_object_get(life, "ack");
    if (text_of(ack, "by") != NULL) {
        l->ack = word_of(e, ack);
        const char *severity = text_of(ack, "severity");
        if (severity == NULL ||
            hale_severity_parse(hale_str_from(severity), &l->ack_severity) != HALE_OK)
            l->ack_severity = HALE_SEV_CRITICAL;
        cor_due_set(e, &l->ack_due, int_of(ack, "until_ms"));
    }
    const json_t *shelved = json_object_get(life, "shelved");
    if (text_of(shelved, "by") != NULL) {
        l->shelved = word_of(e, shelved);
        cor_due_set(e, &l->shelve_due, int_of(shelved, "until_ms"));
    }
    cor_flap_load(e, a, json_object_get(life, "flap"));
    load_comments(e, l, json_object_get(life, "comments"));
    cor_cause_load(e, a, life);
    l->changed = false;
}

/* --- its end ------------------------------------------------------------------------- */

void cor_word_fini(struct cor_word *w)
{
    free(w->by);
    free(w->text);
    *w = (struct cor_word){0};
}

void cor_life_disarm(struct correlator_engine *e, struct cor_life *life)
{
    cor_due_set(e, &life->phase_due, 0);
    cor_due_set(e, &life->ack_due, 0);
    cor_due_set(e, &life->shelve_due, 0);
    cor_storm_leave(e, life);
    cor_due_set(e, &life->flap.due, 0);
    e->stats.flapping -= life->flap.since_ms != 0;
}

void cor_life_fini(struct cor_life *life)
{
    for (unsigned i = 0; i < life->n_mutes; i++) {
        free(life->mutes[i].id);
        free(life->mutes[i].text);
    }
    for (unsigned i = 0; i < life->n_comments; i++)
        cor_word_fini(&life->comments[i]);
    free(life->mutes);
    free(life->comments);
    free(life->flap.times);
    free(life->surfaced);
    free(life->ended_id);
    free(life->ended_text);
    free(life->owner);
    cor_word_fini(&life->ack);
    cor_word_fini(&life->shelved);
}

/* --- what ends by itself ------------------------------------------------------------- */

bool cor_life_unack(struct correlator_engine *e, struct cor_life *l)
{
    bool was = l->ack.by != NULL;
    cor_due_set(e, &l->ack_due, 0);
    cor_word_fini(&l->ack);
    l->changed |= was;
    return was;
}

bool cor_life_unshelve(struct correlator_engine *e, struct cor_alarm *a)
{
    bool was = a->life.shelved.by != NULL;
    cor_due_set(e, &a->life.shelve_due, 0);
    cor_word_fini(&a->life.shelved);
    cor_mute_end(e, a, COR_MUTE_SHELVE, NULL);
    a->life.changed |= was;
    return was;
}

/* Whoever acknowledged an alarm spoke of this problem, not of the next. */
void cor_life_source(struct correlator_engine *e, struct cor_alarm *a,
                     enum hale_state from)
{
    (void)from;
    if (a->state == HALE_STATE_OK)
        (void)cor_life_unack(e, &a->life);
}

void cor_life_severity(struct correlator_engine *e, struct cor_alarm *a)
{
    if (a->life.ack.by != NULL && cor_severity_of(a) > a->life.ack_severity)
        (void)cor_life_unack(e, &a->life);
}

void cor_life_shelve_due(struct correlator_engine *e, void *alarm, int64_t at_ms)
{
    struct cor_alarm *a = alarm;
    (void)at_ms;
    (void)cor_life_unshelve(e, a);
    cor_gate_settle(e, a, "unshelve", NULL);
}

void cor_life_ack_due(struct correlator_engine *e, void *alarm, int64_t at_ms)
{
    struct cor_alarm *a = alarm;
    (void)at_ms;
    (void)cor_life_unack(e, &a->life);
    cor_gate_settle(e, a, "unack", NULL);
}
