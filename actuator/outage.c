/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/outage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/stats.h"
#include "base/log.h"
#include "base/map.h"

#define ROW_MAX (4u << 20)
#define VMS_MAX 1000000

struct member { /* a VM of a tenant that is in so many outages */
    unsigned n;
};
struct actuator_outages {
    struct actuator_outages_io io;
    const struct hale_entities *topology; /* borrowed */
    struct hale_map *outages;             /* alarm id -> struct actuator_outage */
    struct hale_map *vms;                 /* tenant \n VM id -> struct member */
};

static void outage_free(void *arg)
{
    struct actuator_outage *x = arg;
    if (x == NULL)
        return;
    for (unsigned i = 0; i < x->n; i++) {
        free(x->v[i].ref);
        free(x->v[i].name);
        free(x->v[i].project);
        free(x->v[i].host);
    }
    free(x->v);
    free(x->alarm_id);
    free(x->tenant);
    free(x->ref);
    free(x);
}

struct actuator_outages *actuator_outages_new(const struct actuator_outages_io *io,
                                              const struct hale_entities *topology)
{
    struct actuator_outages *o = calloc(1, sizeof(*o));
    if (o == NULL)
        return NULL;
    o->io = *io;
    o->topology = topology;
    o->outages = hale_map_new(ACTUATOR_OUTAGES_MAX, outage_free);
    o->vms = hale_map_new(VMS_MAX, free);
    if (o->outages == NULL || o->vms == NULL) {
        actuator_outages_free(o);
        return NULL;
    }
    return o;
}

void actuator_outages_free(struct actuator_outages *o)
{
    if (o == NULL)
        return;
    if (o->outages != NULL)
        hale_counter_add(actuator_stat(ACTUATOR_STAT_OUTAGES),
                         -(int64_t)hale_map_count(o->outages));
    hale_map_free(o->outages);
    hale_map_free(o->vms);
    free(o);
}

const char *actuator_affected_vm(const struct actuator_affected *a)
{
    return strncmp(a->ref, "vm/", 3) == 0 ? a->ref + 3 : NULL;
}

/* --- which VMs ------------------------------------------------------------------------ */

static const char *vm_key(const char *tenant, const char *vm_id, char *dst, size_t size)
{
    (void)snprintf(dst, size, "%s\n%s", tenant, vm_id);
    return dst;
}

static enum hale_rc count_vms(struct actuator_outages *o, const struct actuator_outage *x)
{
    char key[HALE_TOPOLOGY_REF_MAX + 80];
    for (unsigned i = 0; i < x->n; i++) {
        const char *id = actuator_affected_vm(&x->v[i]);
        if (id == NULL)
            continue;
        struct hale_str k = hale_str_from(vm_key(x->tenant, id, key, sizeof(key)));
        struct member *m = hale_map_get(o->vms, k);
        if (m == NULL) {
            m = calloc(1, sizeof(*m));
            enum hale_rc rc = m != NULL ? hale_map_put(o->vms, k, m) : HALE_E_NOMEM;
            if (rc != HALE_OK) {
                free(m);
                return rc;
            }
        }
        m->n++;
    }
    return HALE_OK;
}

static void uncount_vms(struct actuator_outages *o, const struct actuator_outage *x)
{
    char key[HALE_TOPOLOGY_REF_MAX + 80];
    for (unsigned i = 0; i < x->n; i++) {
        const char *id = actuator_affected_vm(&x->v[i]);
        struct hale_str k = id != NULL
                                ? hale_str_from(vm_key(x->tenant, id, key, sizeof(key)))
                                : (struct hale_str){NULL, 0};
        struct member *m = id != NULL ? hale_map_get(o->vms, k) : NULL;
        if (m != NULL && --m->n == 0)
            hale_map_del(o->vms, k);
    }
}

unsigned actuator_outages_of(const struct actuator_outages *o, const char *tenant,
                             const char *vm_id)
{
    char key[HALE_TOPOLOGY_REF_MAX + 80];
    const struct member *m =
        hale_map_get(o->vms, hale_str_from(vm_key(tenant, vm_id, key, sizeof(key))));
    return m != NULL ? m->n : 0;
}

static enum hale_rc keep(struct actuator_outages *o, struct actuator_outage *x)
{
    enum hale_rc rc = hale_map_put(o->outages, hale_str_from(x->alarm_id), x);
    if (rc == HALE_OK) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_OUTAGES), 1);
        rc = count_vms(o, x);
    } else {
        outage_free(x);
    }
    return rc;
}

/* --- rows ---------------------------------------------------------------------------- */

static char *text_at(const json_t *list, size_t i)
{
    const char *text = json_string_value(json_array_get(list, i));
    return strdup(text != NULL ? text : "");
}

static struct actuator_outage *new_outage(struct hale_str alarm_id, const char *tenant,
                                          const char *ref, int64_t seq, size_t room)
{
    struct actuator_outage *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    x->alarm_id = strndup(alarm_id.p, alarm_id.len);
    x->tenant = strdup(tenant);
    x->ref = strdup(ref);
    x->seq = seq;
    x->v = calloc(room + 1, sizeof(*x->v));
    if (x->alarm_id == NULL || x->tenant == NULL || x->ref == NULL || x->v == NULL) {
        outage_free(x);
        return NULL;
    }
    return x;
}

static enum hale_rc read_entities(const json_t *list, size_t n, struct actuator_outage *x)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(list, i);
        struct actuator_affected *a = &x->v[x->n++];
        *a = (struct actuator_affected){text_at(row, 0), text_at(row, 1), text_at(row, 2),
                                        text_at(row, 3)};
        if (a->ref == NULL || a->name == NULL || a->project == NULL || a->host == NULL)
            return HALE_E_NOMEM;
    }
    return HALE_OK;
}

enum hale_rc actuator_outages_load(struct actuator_outages *o, struct hale_str alarm_id,
                                   struct hale_str json)
{
    const char *tenant, *ref;
    json_int_t seq;
    json_t *list;
    int cut = 0;
    json_t *root = json_loadb(json.p, json.len, 0, NULL);
    if (root == NULL ||
        json_unpack(root, "{s:s, s:s, s:I, s?b, s:o}", "tenant", &tenant, "ref", &ref,
                    "seq", &seq, "cut", &cut, "entities", &list) != 0) {
        json_decref(root);
        return HALE_E_INVAL;
    }
    size_t n = json_array_size(list);
    n = n < ACTUATOR_OUTAGE_ENTITIES_MAX ? n : ACTUATOR_OUTAGE_ENTITIES_MAX;
    struct actuator_outage *x = new_outage(alarm_id, tenant, ref, seq, n);
    enum hale_rc rc = x != NULL ? read_entities(list, n, x) : HALE_E_NOMEM;
    json_decref(root);
    if (rc != HALE_OK) {
        outage_free(x);
        return rc;
    }
    x->cut = cut != 0;
    return keep(o, x);
}

static void write_row(struct actuator_outages *o, const struct actuator_outage *x)
{
    struct hale_buf b;
    hale_buf_init(&b, ROW_MAX);
    hale_buf_add_c(&b, "{\"v\":1,\"tenant\":");
    hale_buf_add_json(&b, hale_str_from(x->tenant));
    hale_buf_add_c(&b, ",\"ref\":");
    hale_buf_add_json(&b, hale_str_from(x->ref));
    hale_buf_printf(&b, ",\"seq\":%lld,\"cut\":%s,\"entities\":[", (long long)x->seq,
                    x->cut ? "true" : "false");
    for (unsigned i = 0; i < x->n; i++) {
        const char *const texts[] = {x->v[i].ref, x->v[i].name, x->v[i].project,
                                     x->v[i].host};
        for (unsigned k = 0; k < 4; k++) {
            hale_buf_add_c(&b, k > 0 ? "," : i > 0 ? ",[" : "[");
            hale_buf_add_json(&b, hale_str_from(texts[k]));
        }
        hale_buf_add_char(&b, ']');
    }
    hale_buf_add_c(&b, "]}");
    if (!b.failed)
        o->io.row(o->io.arg, x->alarm_id, hale_buf_str(&b));
    else
        hale_error("event=outage_not_kept alarm=%s", x->alarm_id);
    hale_buf_fini(&b);
}

/* --- topology ------------------------------------------------------------------------ */

static const char *attribute(const struct hale_entity *e, const char *key)
{
    const char *text = json_string_value(json_object_get(e->attributes, key));
    return text != NULL ? text : "";
}

struct gathering {
    struct actuator_outage *x;
    enum hale_rc rc;
};

static bool gather(struct hale_vertex *v, struct hale_vertex *via, unsigned depth,
                   void *arg)
{
    struct gathering *g = arg;
    const struct hale_entity *e = hale_vertex_entity(v);
    const char *host = "";
    (void)via, (void)depth;
    if (e == NULL)
        return true;
    if (g->x->n == ACTUATOR_OUTAGE_ENTITIES_MAX) {
        g->x->cut = true;
        return false;
    }
    for (unsigned i = 0; e->has_hosted_by && i < e->hosted_by.n; i++)
        if (strncmp(e->hosted_by.v[i], "host/", 5) == 0)
            host = e->hosted_by.v[i] + 5;
    struct actuator_affected *a = &g->x->v[g->x->n++];
    *a = (struct actuator_affected){strdup(hale_vertex_ref(v)),
                                    strdup(e->name != NULL ? e->name : ""),
                                    strdup(attribute(e, "project_id")), strdup(host)};
    if (a->ref == NULL || a->name == NULL || a->project == NULL || a->host == NULL)
        g->rc = HALE_E_NOMEM;
    return g->rc == HALE_OK;
}

/* The claim says that it has failed; what is out with it, it takes along. */
static enum hale_rc gather_all(struct hale_graph *g, struct hale_vertex *v,
                               struct actuator_outage *x)
{
    struct gathering w = {x, HALE_OK};
    hale_graph_claim(g, v, HALE_GRAPH_DOWN);
    hale_graph_victims(g, &v, 1, HALE_GRAPH_DOWN, gather, &w);
    hale_graph_unclaim(g, v, HALE_GRAPH_DOWN);
    struct actuator_affected *less = realloc(x->v, (x->n + 1) * sizeof(*x->v));
    x->v = less != NULL ? less : x->v;
    return w.rc;
}

static struct hale_vertex *vertex_of(struct hale_graph *g, const struct hale_alarm *a)
{
    char ref[HALE_TOPOLOGY_REF_MAX];
    const json_t *entity = json_object_get(a->life, "entity");
    const char *type = json_string_value(json_object_get(entity, "type"));
    const char *id = json_string_value(json_object_get(entity, "id"));
    if (type == NULL || id == NULL)
        return hale_graph_match(g, a->group);
    (void)snprintf(ref, sizeof(ref), "%s/%s", type, id);
    return hale_graph_find(g, hale_str_from(ref));
}

/* --- records ------------------------------------------------------------------------- */

static bool says_down(const struct hale_log_record *rec, enum hale_impact given)
{
    enum hale_impact impact = given;
    const json_t *event = json_object_get(rec->evidence, "event");
    const char *text =
        json_string_value(json_object_get(json_object_get(event, "details"), "impact"));
    if (rec->alarm.from_event &&
        (text == NULL || hale_impact_parse(hale_str_from(text), &impact) != HALE_OK))
        impact = HALE_IMPACT_DEFAULT;
    if (impact == HALE_IMPACT_DEFAULT)
        return rec->alarm.severity == HALE_SEV_CRITICAL;
    return impact == HALE_IMPACT_DOWN;
}

bool actuator_outages_wants(const struct actuator_outages *o,
                            const struct hale_log_record *rec, enum hale_impact given)
{
    return rec->announce && rec->alarm.state == HALE_STATE_ALARM &&
           says_down(rec, given) && actuator_outages_find(o, rec->alarm.id) == NULL;
}

static struct actuator_outage *begin(struct actuator_outages *o,
                                     const struct hale_log_record *rec)
{
    struct hale_graph *g =
        hale_entities_graph(o->topology, hale_str_from(rec->alarm.tenant));
    struct hale_vertex *v = g != NULL ? vertex_of(g, &rec->alarm) : NULL;
    if (v == NULL)
        return NULL;
    struct actuator_outage *x =
        new_outage(hale_str_from(rec->alarm.id), rec->alarm.tenant, hale_vertex_ref(v),
                   rec->seq, ACTUATOR_OUTAGE_ENTITIES_MAX);
    enum hale_rc rc = x != NULL ? gather_all(g, v, x) : HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = keep(o, x);
    else
        outage_free(x);
    if (rc != HALE_OK) {
        hale_counter_add(actuator_stat(ACTUATOR_STAT_OUTAGES_LOST), 1);
        hale_error("event=outage_lost alarm=%s rc=%d", rec->alarm.id, (int)rc);
        return NULL;
    }
    write_row(o, x);
    return x;
}

enum actuator_outage_change actuator_outages_record(struct actuator_outages *o,
                                                    const struct hale_log_record *rec,
                                                    enum hale_impact given,
                                                    struct actuator_outage **out)
{
    struct actuator_outage *x = hale_map_get(o->outages, hale_str_from(rec->alarm.id));
    *out = x;
    if (x != NULL && x->seq == rec->seq) /* read again after a crash */
        return ACTUATOR_OUTAGE_BEGINS;
    if (x != NULL && rec->seq > x->seq &&
        (rec->kind == HALE_ALARM_DELETED ||
         (rec->announce && rec->alarm.state == HALE_STATE_OK))) {
        uncount_vms(o, x);
        return ACTUATOR_OUTAGE_ENDS;
    }
    if (x != NULL || !actuator_outages_wants(o, rec, given))
        return ACTUATOR_OUTAGE_NONE;
    *out = begin(o, rec);
    return *out != NULL ? ACTUATOR_OUTAGE_BEGINS : ACTUATOR_OUTAGE_NONE;
}

void actuator_outages_over(struct actuator_outages *o, struct actuator_outage *x)
{
    o->io.row(o->io.arg, x->alarm_id, (struct hale_str){NULL, 0});
    hale_counter_add(actuator_stat(ACTUATOR_STAT_OUTAGES), -1);
    (void)hale_map_take(o->outages, hale_str_from(x->alarm_id));
    outage_free(x);
}

const struct actuator_outage *actuator_outages_find(const struct actuator_outages *o,
                                                    const char *alarm_id)
{
    return hale_map_get(o->outages, hale_str_from(alarm_id));
}

const struct actuator_outage *actuator_outages_next(const struct actuator_outages *o,
                                                    size_t *it)
{
    return hale_map_next(o->outages, it, NULL);
}

size_t actuator_outages_count(const struct actuator_outages *o)
{
    return hale_map_count(o->outages);
}

json_t *actuator_outage_json(const struct actuator_outage *x)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < x->n && i < ACTUATOR_OUTAGE_TOLD_MAX; i++) {
        const struct actuator_affected *a = &x->v[i];
        size_t type = strcspn(a->ref, "/");
        json_t *e =
            json_pack("{s:s%, s:s}", "type", a->ref, type, "id", a->ref + type + 1);
        if (e != NULL && *a->name != '\0' &&
            json_object_set_new(e, "name", json_string(a->name)) != 0) {
            json_decref(e);
            e = NULL;
        }
        if (json_array_append_new(list, e) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:i, s:o}", "count", (int)x->n, "entities", list);
}
