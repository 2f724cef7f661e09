/* SPDX-License-Identifier: Apache-2.0 */
/* cause - the verdict: what explains an alarm, and what follows from that. */
#include "correlator/cause.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

#define TEXT_MAX 600

bool cor_cause_live(const struct cor_alarm *a)
{
    return a->state == HALE_STATE_ALARM ||
           (a->state == HALE_STATE_UNDETERMINED && a->state_updated_ms != a->created_ms);
}

static int64_t onset_of(const struct cor_alarm *a)
{
    return a->about.onset_ms != 0 ? a->about.onset_ms : a->state_updated_ms;
}

/* --- what explains it ---------------------------------------------------------------- */

static bool stands_under(const struct cor_alarm *c, const struct cor_alarm *a)
{
    struct hale_vertex *list[COR_CANDIDATES_MAX];
    const struct hale_vertex *v = a->about.place->vertex;
    size_t n = hale_graph_causes(hale_vertex_graph(v), v, HALE_GRAPH_DOWN, list,
                                 COR_CANDIDATES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (list[i] == c->about.place->vertex)
            return true;
    }
    return false;
}

static bool earlier(const struct cor_alarm *a, const struct cor_alarm *b)
{
    int64_t x = onset_of(a), y = onset_of(b);
    return x != y ? x < y : strcmp(a->id, b->id) < 0;
}

/* c is a claim on what a's entity fails by. In time? In a cycle, where each is below the other, the
 * first one is the cause. */
static bool explains(const struct correlator_engine *e, const struct cor_alarm *c,
                     const struct cor_alarm *a)
{
    if (onset_of(c) - onset_of(a) > e->limits.cause_window_ms)
        return false;
    return !a->about.claims ||
           !hale_vertex_out(c->about.place->vertex, HALE_GRAPH_DOWN) ||
           !stands_under(a, c) || earlier(c, a);
}

/* Is c a symptom of another one of the list? */
static bool explained(const struct correlator_engine *e, struct cor_alarm *const *list,
                      unsigned n, const struct cor_alarm *c)
{
    if (!hale_vertex_out(c->about.place->vertex, HALE_GRAPH_DOWN))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (list[i]->about.place != c->about.place && stands_under(list[i], c) &&
            explains(e, list[i], c))
            return true;
    }
    return false;
}

static void add_claims(const struct correlator_engine *e, const struct cor_place *p,
                       const struct cor_alarm *a, struct cor_alarm **list, unsigned *n)
{
    for (unsigned i = 0; p != NULL && i < p->n_claims && *n < COR_CANDIDATES_MAX; i++) {
        if (p->claims[i] != a && explains(e, p->claims[i], a))
            list[(*n)++] = p->claims[i];
    }
}

static int by_onset(const void *x, const void *y)
{
    const struct cor_alarm *a = *(struct cor_alarm *const *)x;
    const struct cor_alarm *b = *(struct cor_alarm *const *)y;
    return a == b ? 0 : earlier(a, b) ? -1 : 1;
}

static unsigned wanted(const struct correlator_engine *e, const struct cor_alarm *a,
                       struct cor_alarm **out)
{
    struct cor_alarm *list[COR_CANDIDATES_MAX], *roots[COR_CANDIDATES_MAX];
    struct hale_vertex *down[COR_CANDIDATES_MAX];
    unsigned n = 0, n_roots = 0;
    if (a->about.place == NULL || !cor_cause_live(a))
        return 0;
    const struct hale_vertex *v = a->about.place->vertex;
    if (!a->about.claims)
        add_claims(e, a->about.place, a, list, &n);
    if (hale_vertex_out(v, HALE_GRAPH_DOWN)) {
        size_t n_down = hale_graph_causes(hale_vertex_graph(v), v, HALE_GRAPH_DOWN, down,
                                          COR_CANDIDATES_MAX);
        for (size_t i = 0; i < n_down; i++)
            add_claims(e, cor_place_of(down[i]), a, list, &n);
    }
    cor_rules_causes(e, a, list, &n, COR_CANDIDATES_MAX);
    for (unsigned i = 0; i < n; i++) {
        if (n == 1 || !explained(e, list, n, list[i]))
            roots[n_roots++] = list[i];
    }
    qsort(roots, n_roots, sizeof(struct cor_alarm *), by_onset);
    n_roots = n_roots < COR_CAUSES_MAX ? n_roots : COR_CAUSES_MAX;
    memcpy(out, roots, n_roots * sizeof(struct cor_alarm *));
    return n_roots;
}

/* --- what follows -------------------------------------------------------------------- */

void cor_cause_arm(struct correlator_engine *e, struct cor_alarm *a)
{
    int64_t due = 0;
    for (unsigned i = 0; i < a->life.n_mutes; i++) {
        const struct cor_mute *m = &a->life.mutes[i];
        if ((m->kind == COR_MUTE_CAUSE || m->kind == COR_MUTE_HOLD) && m->until_ms != 0 &&
            (due == 0 || m->until_ms < due))
            due = m->until_ms;
    }
    a->about.due.kind = COR_DUE_CAUSE;
    a->about.due.id = a->id;
    a->about.due.owner = a;
    cor_due_set(e, &a->about.due, due);
}

static const char *text_of(const struct cor_alarm *c, char *text)
{
    (void)snprintf(text, TEXT_MAX, "%.255s (%.300s)", cor_alarm_name(c), c->about.entity);
    return text;
}

static bool is_one_of(const char *id, struct cor_alarm *const *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(id, list[i]->id) == 0)
            return true;
    }
    return false;
}

/* The entities by which the root makes the alarm's own unreachable: what the verdict was found by. NULL
 * where it was not found in the graph (the same entity, or a rule). */
static char *path_of(struct correlator_engine *e, const struct cor_alarm *a,
                     const struct cor_alarm *root)
{
    struct hale_vertex *way[COR_PATH_MAX + 1];
    const struct cor_place *from = a->about.place, *to = root->about.place;
    struct hale_buf text;
    if (from == NULL || to == NULL || from == to)
        return NULL;
    size_t n = hale_graph_path(hale_vertex_graph(from->vertex), from->vertex, to->vertex,
                               HALE_GRAPH_DOWN, way, COR_PATH_MAX + 1);
    if (n == 0)
        return NULL;
    hale_buf_init(&text, (COR_PATH_MAX + 1) * (HALE_TOPOLOGY_REF_MAX + 1));
    for (size_t i = 0; i + 1 < n; i++)
        hale_buf_printf(&text, "%s\n", hale_vertex_ref(way[i]));
    char *path = cor_got(e, text.failed ? NULL : hale_buf_take(&text));
    hale_buf_fini(&text);
    return path;
}

static void name_causes(struct correlator_engine *e, struct cor_alarm *a,
                        struct cor_alarm *const *list, unsigned n)
{
    struct cor_about *b = &a->about;
    bool same = b->n_links[COR_LINK_CAUSE] == n;
    for (unsigned i = 0; same && i < n; i++)
        same = b->links[COR_LINK_CAUSE][i].to == list[i];
    b->ended_ms = 0;
    if (same && b->path == NULL)
        b->path = path_of(e, a, list[0]);
    if (same)
        return;
    cor_link_clear(e, a, COR_LINK_CAUSE);
    for (unsigned i = 0; i < n; i++)
        cor_link_add(e, a, COR_LINK_CAUSE, list[i]->id, list[i]);
    b->caused_ms = cor_stream_ms(e);
    free(b->root_entity);
    b->root_entity = cor_strdup(e, list[0]->about.entity);
    free(b->path);
    b->path = path_of(e, a, list[0]);
    a->life.changed = true;
}

static void explain(struct correlator_engine *e, struct cor_alarm *a,
                    struct cor_alarm *const *list, unsigned n)
{
    char text[TEXT_MAX];
    name_causes(e, a, list, n);
    for (unsigned i = 0; i < n; i++)
        cor_mute_set(e, a, COR_MUTE_CAUSE, list[i]->id, 0, text_of(list[i], text));
    for (unsigned i = 0; i < a->life.n_mutes;) {
        const struct cor_mute *m = &a->life.mutes[i];
        if (m->kind != COR_MUTE_CAUSE || is_one_of(m->id, list, n)) {
            i++;
            continue;
        }
        char id[HALE_UUID_TEXT];
        (void)snprintf(id, sizeof(id), "%s", m->id);
        (void)cor_mute_end(e, a, COR_MUTE_CAUSE, id);
        i = 0;
    }
    cor_hold_end(e, a);
}

/* Nothing explains it any more: what had done so mutes on until it was looked at again. */
static void extend(struct correlator_engine *e, struct cor_alarm *a)
{
    int64_t now = cor_stream_ms(e);
    char text[TEXT_MAX + 32];
    for (unsigned i = 0; i < a->life.n_mutes && !e->nomem; i++) {
        const struct cor_mute *m = &a->life.mutes[i];
        if (m->kind != COR_MUTE_CAUSE || m->until_ms != 0)
            continue;
        const struct cor_alarm *c = hale_map_get(e->alarms, hale_str_from(m->id));
        (void)snprintf(text, sizeof(text), "%s %s",
                       c != NULL && c->about.claims ? "end of the dependency on"
                                                    : "recovery of",
                       m->text != NULL ? m->text : m->id);
        a->about.ended_ms = now;
        cor_mute_set(e, a, COR_MUTE_CAUSE, m->id, now + cor_clear_hold_ms(e, a), text);
    }
}

/* Those that still claim go first: what is named as ended last is a cause that has ended. */
static void end_causes(struct correlator_engine *e, struct cor_alarm *a)
{
    char id[HALE_UUID_TEXT];
    for (unsigned i = 0; i < a->life.n_mutes;) {
        const struct cor_mute *m = &a->life.mutes[i++];
        const struct cor_alarm *c = m->kind == COR_MUTE_CAUSE
                                        ? hale_map_get(e->alarms, hale_str_from(m->id))
                                        : NULL;
        if (c == NULL || !c->about.claims)
            continue;
        (void)snprintf(id, sizeof(id), "%s", m->id);
        (void)cor_mute_end(e, a, COR_MUTE_CAUSE, id);
        i = 0;
    }
    (void)cor_mute_end(e, a, COR_MUTE_CAUSE, NULL);
    a->about.ended_ms = 0;
}

/* --- maintenance of entities --------------------------------------------------------- */

/* Ends those of the entities that are not in the list. */
static void end_maintenance(struct correlator_engine *e, struct cor_alarm *a,
                            struct hale_vertex *const *list, size_t n)
{
    char id[sizeof(COR_ENTITY_ID) + HALE_TOPOLOGY_REF_MAX];
    for (unsigned i = 0; i < a->life.n_mutes;) {
        const struct cor_mute *m = &a->life.mutes[i++];
        if (m->kind != COR_MUTE_MAINTENANCE ||
            strncmp(m->id, COR_ENTITY_ID, strlen(COR_ENTITY_ID)) != 0)
            continue;
        bool keep = false;
        for (size_t k = 0; k < n && !keep; k++)
            keep = strcmp(m->id + strlen(COR_ENTITY_ID), hale_vertex_ref(list[k])) == 0;
        if (keep)
            continue;
        (void)snprintf(id, sizeof(id), "%s", m->id);
        (void)cor_mute_end(e, a, COR_MUTE_MAINTENANCE, id);
        i = 0;
    }
}

static void maintain(struct correlator_engine *e, struct cor_alarm *a)
{
    struct hale_vertex *list[COR_CAUSES_MAX + 1];
    char id[sizeof(COR_ENTITY_ID) + HALE_TOPOLOGY_REF_MAX];
    size_t n = 0;
    if (a->about.place != NULL && cor_cause_live(a)) {
        struct hale_vertex *v = a->about.place->vertex;
        if (hale_vertex_failed(v, HALE_GRAPH_MAINTENANCE))
            list[n++] = v;
        if (hale_vertex_out(v, HALE_GRAPH_MAINTENANCE))
            n += hale_graph_causes(hale_vertex_graph(v), v, HALE_GRAPH_MAINTENANCE,
                                   list + n, COR_CAUSES_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(id, sizeof(id), COR_ENTITY_ID "%s", hale_vertex_ref(list[i]));
        cor_mute_set(e, a, COR_MUTE_MAINTENANCE, id, 0, NULL);
    }
    end_maintenance(e, a, list, n);
}

/* --- a transition -------------------------------------------------------------------- */

static void verdict(struct correlator_engine *e, struct cor_alarm *a, bool onset)
{
    struct cor_alarm *list[COR_CAUSES_MAX];
    unsigned n = wanted(e, a, list);
    if (n > 0)
        explain(e, a, list, n);
    else
        extend(e, a);
    maintain(e, a);
    if (n == 0 && onset)
        cor_hold_begin(e, a);
    cor_cause_arm(e, a);
}

/* A new problem: what was said of the last one is over. */
static void begin_onset(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_about *b = &a->about;
    b->onset_ms = cor_stream_ms(e);
    b->caused_ms = b->ended_ms = 0;
    cor_link_clear(e, a, COR_LINK_CAUSE);
    cor_link_orphan(e, a, COR_LINK_CAUSE);
    free(b->root_entity);
    free(b->path);
    b->root_entity = b->path = NULL;
}

void cor_cause_source(struct correlator_engine *e, struct cor_alarm *a,
                      enum hale_state from)
{
    if (!e->causes.active && a->about.onset_ms == 0)
        return;
    bool live = cor_cause_live(a);
    /* One that was just born UNDETERMINED had no problem yet. */
    bool onset = live && (from == HALE_STATE_OK || a->about.onset_ms == 0);
    if (onset)
        begin_onset(e, a);
    cor_place_claim(e, a);
    cor_rules_touch_alarm(e, a);
    if (onset)
        cor_rules_onset(e, a);
    if (live) {
        verdict(e, a, onset);
        return;
    }
    (void)cor_mute_end(e, a, COR_MUTE_CAUSE, NULL);
    cor_hold_end(e, a);
    end_maintenance(e, a, NULL, 0);
    a->about.ended_ms = 0;
    cor_cause_arm(e, a);
}

void cor_cause_born(struct correlator_engine *e, struct cor_alarm *a)
{
    if (!e->causes.active)
        return;
    cor_pairs_add(e, a);
    cor_place_find(e, a);
}

void cor_cause_refresh(struct correlator_engine *e, struct cor_alarm *a)
{
    if (!e->causes.settling)
        cor_place_claim(e, a);
    if (e->causes.active)
        cor_rules_touch_alarm(e, a);
}

/* --- looked at again ----------------------------------------------------------------- */

/* Those that waited for the check a, by id. */
static void release(struct correlator_engine *e, struct cor_alarm *a, int64_t decided_ms)
{
    struct cor_backs *b = &a->about.backs[COR_LINK_HOLD];
    for (bool again = b->n > 0; again && !e->nomem;) {
        struct cor_alarm *first = NULL;
        for (size_t i = 0; i < b->n; i++) {
            struct cor_alarm *w = b->v[i].from;
            if (onset_of(w) < decided_ms &&
                (first == NULL || strcmp(w->id, first->id) < 0))
                first = w;
        }
        again = first != NULL;
        if (!again)
            break;
        (void)cor_mute_end(e, first, COR_MUTE_HOLD, a->id);
        cor_link_cut(e, first, COR_LINK_HOLD, a->id);
        cor_cause_arm(e, first);
        cor_gate_settle(e, first, "hold", NULL);
        cor_checkpoint(e);
    }
}

void cor_cause_evaluated(struct correlator_engine *e, struct cor_alarm *a,
                         int64_t decided_ms, int64_t from_ms)
{
    if (a->about.ended_ms != 0 && from_ms > a->about.ended_ms) {
        end_causes(e, a);
        cor_cause_arm(e, a);
        cor_gate_settle(e, a, "cause", NULL);
    }
    if (!a->about.claims)
        release(e, a, decided_ms);
}

void cor_cause_sub_evaluated(struct correlator_engine *e, struct cor_alarm *a,
                             const struct cor_sub *s)
{
    bool window = s->window_end_ms > s->window_start_ms;
    if (s->reported)
        cor_cause_evaluated(e, a, s->at_ms, window ? s->window_start_ms : s->at_ms);
}

void cor_cause_due(struct correlator_engine *e, void *alarm, int64_t at_ms)
{
    struct cor_alarm *a = alarm;
    bool cause = false;
    char id[HALE_UUID_TEXT];
    for (unsigned i = 0; i < a->life.n_mutes;) {
        const struct cor_mute *m = &a->life.mutes[i++];
        enum cor_mute_kind kind = m->kind;
        if ((kind != COR_MUTE_CAUSE && kind != COR_MUTE_HOLD) || m->until_ms == 0 ||
            m->until_ms > at_ms)
            continue;
        i = 0;
        if (kind == COR_MUTE_CAUSE) { /* they all end at one time */
            end_causes(e, a);
            cause = true;
            continue;
        }
        (void)snprintf(id, sizeof(id), "%s", m->id);
        (void)cor_mute_end(e, a, kind, id);
        cor_link_cut(e, a, COR_LINK_HOLD, id);
    }
    cor_cause_arm(e, a);
    cor_gate_settle(e, a, cause ? "cause" : "hold", NULL);
}

/* --- the end of an input ------------------------------------------------------------- */

void cor_cause_queue(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_causes *c = &e->causes;
    if (a->about.pending != 0 || c->quiet)
        return;
    if (c->n_pending == c->cap_pending) {
        size_t cap = c->cap_pending == 0 ? 64 : c->cap_pending * 2;
        struct cor_alarm **grown =
            cor_got(e, realloc(c->pending, cap * sizeof(struct cor_alarm *)));
        if (grown == NULL)
            return;
        c->pending = grown;
        c->cap_pending = cap;
    }
    c->pending[c->n_pending++] = a;
    a->about.pending = c->n_pending;
}

/* An input is about one tenant, so all seeds are of one graph. */
static void queue_reached(struct correlator_engine *e)
{
    struct cor_causes *c = &e->causes;
    for (int p = 0; p < HALE_GRAPH_PLANES && c->n_seeds > 0; p++)
        hale_graph_victims(hale_vertex_graph(c->seeds[0]), c->seeds, c->n_seeds,
                           (enum hale_graph_plane)p, cor_place_queue, e);
    c->n_seeds = 0;
}

static void queue_all(struct correlator_engine *e)
{
    size_t it = 0;
    struct cor_alarm *a;
    e->causes.recheck = false;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        if (a->about.gone || (a->about.place != NULL && cor_cause_live(a)))
            cor_cause_queue(e, a);
        if (cor_root_untold(a))
            cor_root_touch(e, a);
    }
}

static int by_id_down(const void *x, const void *y)
{
    const struct cor_alarm *a = *(struct cor_alarm *const *)x;
    const struct cor_alarm *b = *(struct cor_alarm *const *)y;
    return strcmp(b->id, a->id);
}

/* By id, taken from the end; one that is met by what another did comes after. */
static void handle_pending(struct correlator_engine *e)
{
    struct cor_causes *c = &e->causes;
    if (c->n_pending > 1)
        qsort(c->pending, c->n_pending, sizeof(struct cor_alarm *), by_id_down);
    for (size_t i = 0; i < c->n_pending; i++)
        c->pending[i]->about.pending = i + 1;
    while (c->n_pending > 0 && c->n_seeds == 0 && !e->nomem) {
        struct cor_alarm *a = c->pending[--c->n_pending];
        a->about.pending = 0;
        if (a->about.gone)
            cor_place_gone(e, a);
        if (cor_cause_live(a))
            verdict(e, a, false);
        cor_gate_settle(e, a, "cause", NULL);
        cor_checkpoint(e);
    }
}

void cor_cause_settle(struct correlator_engine *e)
{
    struct cor_causes *c = &e->causes;
    if (c->settling || e->loading || e->nomem)
        return;
    unsigned steps = 0;
    if (!c->recheck && c->n_seeds == 0 && c->n_pending == 0 && c->n_roots == 0 &&
        !cor_rules_waiting(e))
        return;
    c->settling = true;
    if (c->recheck)
        queue_all(e);
    while ((c->n_seeds > 0 || c->n_pending > 0 || cor_rules_waiting(e)) && !e->nomem) {
        cor_rules_settle(e,
                         &steps); /* what they raise, clear and explain is judged then */
        queue_reached(e);
        handle_pending(e);
    }
    cor_root_settle(e);
    c->settling = false;
}

static void drop_from(struct cor_alarm **list, size_t *n, size_t place, bool pending)
{
    if (place == 0)
        return;
    struct cor_alarm *last = list[--*n];
    if (place - 1 == *n)
        return;
    list[place - 1] = last;
    if (pending)
        last->about.pending = place;
    else
        last->about.touched = place;
}

void cor_cause_forget(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_causes *c = &e->causes;
    struct cor_about *b = &a->about;
    for (size_t i = 0; i < b->backs[COR_LINK_HOLD].n; i++) {
        struct cor_alarm *w = b->backs[COR_LINK_HOLD].v[i].from;
        (void)cor_mute_end(e, w, COR_MUTE_HOLD, a->id);
        cor_cause_queue(e, w);
    }
    cor_link_orphan(e, a, COR_LINK_HOLD);
    cor_link_orphan(e, a, COR_LINK_CAUSE);
    cor_link_clear(e, a, COR_LINK_HOLD);
    cor_link_clear(e, a, COR_LINK_CAUSE);
    cor_due_set(e, &b->due, 0);
    cor_place_leave(e, a);
    cor_pairs_drop(e, a);
    drop_from(c->pending, &c->n_pending, b->pending, true);
    drop_from(c->roots, &c->n_roots, b->touched, false);
    b->pending = b->touched = 0;
}
