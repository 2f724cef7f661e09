/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upkeep_look - what a look at Nova means for a maintenance session: whose instances there are, which host is next, whether its
 * instances find room elsewhere (upkeep_private.h).
 */
#include <stdlib.h>
#include <string.h>

#include "actuator/upkeep_private.h"

#define SCALE_IN_MAX 3

/* --- instances ------------------------------------------------------------------------------ */

static bool set_text(char **dst, const char *text)
{
    char *copy;
    if (*dst != NULL && strcmp(*dst, text) == 0)
        return true;
    copy = strdup(text);
    if (copy == NULL)
        return false;
    free(*dst);
    *dst = copy;
    return true;
}

static struct upkeep_instance *add_instance(struct actuator_upkeep_session *s,
                                            const char *id)
{
    struct upkeep_instance *grown, *x;
    if (s->n_instances >= ACTUATOR_UPKEEP_INSTANCES_MAX) {
        upkeep_fail(s, "more than %d instances: name fewer hosts",
                    ACTUATOR_UPKEEP_INSTANCES_MAX);
        return NULL;
    }
    grown = realloc(s->instance, (s->n_instances + 1) * sizeof(*grown));
    if (grown == NULL) {
        s->nomem = true;
        return NULL;
    }
    s->instance = grown;
    x = &grown[s->n_instances++];
    memset(x, 0, sizeof(*x));
    x->action = x->type = "";
    x->id = strdup(id);
    x->name = strdup("");
    x->project = strdup("");
    x->host = strdup("");
    x->group = strdup("");
    if (x->id == NULL || x->name == NULL || x->project == NULL || x->host == NULL ||
        x->group == NULL)
        s->nomem = true; /* and the session is given up: nothing of it is stored */
    return x;
}

static int64_t seconds(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key)) * 1000;
}

static void apply_constraint(struct actuator_upkeep_session *s, struct upkeep_instance *x,
                             const json_t *c)
{
    const json_t *group = json_object_get(c, "group");
    const char *id = json_string_value(json_object_get(c, "group_id"));
    const char *type =
        hale_upkeep_action(json_string_value(json_object_get(c, "migration_type")));
    if (!set_text(&x->group, id != NULL ? id : ""))
        s->nomem = true;
    x->type = type != NULL ? type : "";
    x->lead_ms = seconds(c, "lead_time");
    x->recovery_ms = seconds(group, "recovery_time");
    x->max_impacted =
        (int64_t)json_integer_value(json_object_get(group, "max_impacted_members"));
}

static void add_project(struct actuator_upkeep_session *s, const char *project)
{
    json_t *name;
    size_t i;
    json_array_foreach (s->projects, i, name)
        if (strcmp(json_string_value(name), project) == 0)
            return;
    if (json_array_append_new(s->projects, json_string(project)) != 0)
        s->nomem = true;
}

static void note_server(struct actuator_upkeep_session *s,
                        const struct actuator_upkeep_server *v, bool all)
{
    struct upkeep_instance *x = upkeep_find_instance(s, v->id);
    if (x == NULL)
        x = add_instance(s, v->id);
    if (x == NULL || s->nomem)
        return;
    bool back = x->state == UPKEEP_MOVED || x->state == UPKEEP_GONE;
    if (!set_text(&x->name, v->name) || !set_text(&x->project, v->project) ||
        !set_text(&x->host, v->host))
        s->nomem = true;
    apply_constraint(s, x, v->constraint);
    add_project(s, x->project);
    if (all || back) {
        x->state = UPKEEP_STANDS;
        x->action = "";
        x->fell_back = false;
    }
    x->seen = true;
}

/* It is not where it was. */
static void note_absent(struct actuator_upkeep_session *s, struct upkeep_instance *x,
                        const char *only)
{
    bool own = strcmp(x->action, "OWN_ACTION") == 0;
    if (x->state == UPKEEP_MOVED || x->state == UPKEEP_GONE ||
        (only != NULL && strcmp(x->host, only) != 0))
        return;
    if (x->state == UPKEEP_ACTING && !own)
        return; /* its run tells */
    x->state = x->state == UPKEEP_ACTING ? UPKEEP_MOVED : UPKEEP_GONE;
    x->free_ms = x->state == UPKEEP_MOVED ? s->now_ms + x->recovery_ms : x->free_ms;
    upkeep_row(s, json_pack("{s:s, s:s}", "instance", x->id, "project", x->project),
               "instance %s of project %s has left %s", x->id, x->project, x->host);
}

void upkeep_note_servers(struct actuator_upkeep_session *s,
                         const struct actuator_upkeep_world *w, const char *only)
{
    for (unsigned i = 0; i < s->n_instances; i++)
        s->instance[i].seen = false;
    for (unsigned i = 0;
         i < w->n_servers && s->phase != UPKEEP_P_ROLLBACK && s->phase != UPKEEP_P_ENDED;
         i++)
        if (only == NULL || strcmp(w->server[i].host, only) == 0)
            note_server(s, &w->server[i], only == NULL);
    for (unsigned i = 0; i < s->n_instances; i++)
        if (!s->instance[i].seen)
            note_absent(s, &s->instance[i], only);
    s->out.dirty = true;
}

/* --- plan --------------------------------------------------------------------------------------- */

void upkeep_plan(struct actuator_upkeep_session *s)
{
    s->cur = -1;
    upkeep_enter(s, UPKEEP_P_PLAN);
    s->look_ms = s->now_ms;
}

static void finish(struct actuator_upkeep_session *s)
{
    upkeep_sweep(s);
    upkeep_set_state(s, UPKEEP_COMPLETE);
    upkeep_enter(s, UPKEEP_P_FINISH);
    upkeep_row(s, NULL, "every host is maintained");
    upkeep_ask_all(s, "MAINTENANCE_COMPLETE", s->now_ms + s->rules.reply_ms);
}

static unsigned load_of(const struct actuator_upkeep_session *s,
                        const struct upkeep_host *h)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_instances; i++)
        n += s->instance[i].state == UPKEEP_STANDS &&
             strcmp(s->instance[i].host, h->name) == 0;
    return n;
}

static const struct actuator_upkeep_node *node_of(const struct actuator_upkeep_world *w,
                                                  const char *name)
{
    for (unsigned i = 0; i < w->n_nodes; i++)
        if (strcmp(w->node[i].name, name) == 0)
            return &w->node[i];
    return NULL;
}

/* Whether what stands on the host fits onto the others, as far as Nova's figures tell. */
static bool fits(const struct actuator_upkeep_session *s,
                 const struct actuator_upkeep_world *w, const struct upkeep_host *h)
{
    const struct actuator_upkeep_node *own = node_of(w, h->name);
    double vcpus = 0, ram = 0;
    if (own == NULL || !own->sized || s->rules.cpu_ratio <= 0)
        return true;
    for (unsigned i = 0; i < w->n_nodes; i++) {
        const struct actuator_upkeep_node *n = &w->node[i];
        if (n == own || !n->up || !n->enabled)
            continue;
        if (!n->sized)
            return true;
        vcpus += (double)n->vcpus * s->rules.cpu_ratio - (double)n->vcpus_used;
        ram += (double)n->ram * s->rules.ram_ratio - (double)n->ram_used;
    }
    return vcpus >= (double)own->vcpus_used && ram >= (double)own->ram_used;
}

/* An empty host, else the one with the fewest instances; NULL: all are maintained. */
static struct upkeep_host *choose(const struct actuator_upkeep_session *s, unsigned *load)
{
    struct upkeep_host *best = NULL;
    *load = 0;
    for (unsigned i = 0; i < s->n_hosts; i++) {
        unsigned n = load_of(s, &s->host[i]);
        if (s->host[i].state != UPKEEP_TODO || (best != NULL && n >= *load))
            continue;
        best = &s->host[i];
        *load = n;
    }
    return best;
}

void upkeep_look_plan(struct actuator_upkeep_session *s,
                      const struct actuator_upkeep_world *w)
{
    unsigned load = 0;
    struct upkeep_host *h = choose(s, &load);
    if (h == NULL) {
        finish(s);
    } else if (load == 0 || fits(s, w, h)) {
        upkeep_host_begin(s, h);
    } else if (s->scaled++ < SCALE_IN_MAX) {
        upkeep_set_state(s, UPKEEP_SCALE_IN);
        upkeep_enter(s, UPKEEP_P_ASK);
        upkeep_row(s, json_pack("{s:s}", "host", h->name),
                   "what stands on %s does not fit onto the others", h->name);
        upkeep_ask_all(s, "SCALE_IN", s->now_ms + s->rules.reply_ms);
    } else {
        upkeep_fail(s,
                    "what stands on %s does not fit onto the others, though projects "
                    "have scaled in",
                    h->name);
    }
}

/* --- looks --------------------------------------------------------------------------------------- */

static bool add_hosts(struct actuator_upkeep_session *s,
                      const struct actuator_upkeep_world *w)
{
    if (w->n_nodes > HALE_UPKEEP_HOSTS_MAX || w->n_nodes == 0) {
        upkeep_fail(s, "Nova has %u hosts with nova-compute: name at most %d", w->n_nodes,
                    HALE_UPKEEP_HOSTS_MAX);
        return false;
    }
    s->host = calloc(w->n_nodes, sizeof(*s->host));
    for (unsigned i = 0; s->host != NULL && i < w->n_nodes; i++) {
        s->host[i].name = strdup(w->node[i].name);
        if (s->host[i].name == NULL)
            break;
        s->n_hosts++;
    }
    if (s->n_hosts < w->n_nodes)
        s->nomem = true;
    s->look_ms = s->now_ms; /* now for their servers */
    s->out.dirty = true;
    return true;
}

void upkeep_look_begin(struct actuator_upkeep_session *s,
                       const struct actuator_upkeep_world *w)
{
    if (s->n_hosts == 0) {
        (void)add_hosts(s, w);
        return;
    }
    for (unsigned i = 0; i < s->n_hosts; i++) {
        const struct actuator_upkeep_node *n = node_of(w, s->host[i].name);
        if (n == NULL || !n->up || !n->enabled) {
            upkeep_fail(s, "nova-compute on %s %s", s->host[i].name,
                        n == NULL ? "is not known to Nova"
                        : !n->up
                            ? "is down"
                            : "is disabled already: nobody would know who enables it");
            return;
        }
    }
    upkeep_note_servers(s, w, NULL);
    if (s->phase != UPKEEP_P_BEGIN)
        return; /* there were too many */
    upkeep_enter(s, UPKEEP_P_ASK);
    upkeep_row(s, NULL, "%u hosts with %u instances of %zu projects", s->n_hosts,
               s->n_instances, json_array_size(s->projects));
    int64_t until = s->now_ms + s->rules.reply_ms;
    upkeep_ask_all(s, "MAINTENANCE", s->at_ms > until ? s->at_ms : until);
}
