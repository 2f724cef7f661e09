/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promql_match - operators between two vectors. Rows meet by the number of their matching labels
 * (signature), which is found once per row; what meets is decided anew at every step, because
 * only rows with a value at the step count.
 */
#include <math.h>

#include "collector/promql_private.h"

struct side {
    const struct collector_promql_value *v;
    size_t *signature; /* by row */
};

struct output { /* a result row of one row of the many side */
    size_t one; /* row of the other side */
    struct collector_promql_row row;
    struct output *next;
};

struct matching {
    struct promql_eval *e;
    const struct promql_grid *g;
    const struct hale_promql_node *n;
    struct side many, one; /* left and right, turned round by group_right */
    bool turned;
    size_t *seen;            /* by signature: row of `one` at this step + 1 */
    size_t *used;            /* by signature: last step + 1 that had a result */
    struct output **outputs; /* by row of `many` */
    struct collector_promql_value *out;
};

static bool sign_rows(struct promql_eval *e, const struct hale_promql_node *n,
                      struct collector_promql_groups *groups, struct side *s)
{
    s->signature = hale_arena_array(e->arena, s->v->n, sizeof(*s->signature));
    if (s->signature == NULL)
        return promql_no_memory(e);
    for (size_t i = 0; i < s->v->n; i++) {
        const struct collector_promql_labels *l = collector_promql_labels_pick(
            e->arena, s->v->rows[i].labels, &n->labels, n->on, true);
        s->signature[i] =
            l != NULL ? collector_promql_group(groups, l) : COLLECTOR_PROMQL_NO_GROUP;
        if (s->signature[i] == COLLECTOR_PROMQL_NO_GROUP)
            return promql_no_memory(e);
    }
    return promql_tick(e, s->v->n);
}

/* --- and, or, unless ---------------------------------------------------------------------------- */

/* Copies the values of `from` at steps where its signature is (not) among the marked ones. */
static void pass(size_t i, bool wanted, const size_t *marked, const struct side *from,
                 double *const *to)
{
    for (size_t r = 0; r < from->v->n; r++) {
        double v = from->v->rows[r].v[i];
        if (!collector_promql_is_none(v) &&
            (marked[from->signature[r]] == i + 1) == wanted)
            to[r][i] = v;
    }
}

static void mark(const struct side *s, size_t i, size_t *marked)
{
    for (size_t r = 0; r < s->v->n; r++)
        if (!collector_promql_is_none(s->v->rows[r].v[i]))
            marked[s->signature[r]] = i + 1;
}

static double **new_rows(struct matching *m, const struct side *s)
{
    double **v = hale_arena_array(m->e->arena, s->v->n, sizeof(*v));

    if (v == NULL) {
        (void)promql_no_memory(m->e);
        return NULL;
    }
    for (size_t r = 0; r < s->v->n; r++) {
        v[r] = promql_row(m->e, m->g, m->out, s->v->rows[r].labels);
        if (v[r] == NULL)
            return NULL;
    }
    return v;
}

static bool set_operation(struct matching *m)
{
    bool is_or = m->n->op == HALE_PROMQL_OP_OR;
    size_t all = m->many.v->n + (is_or ? m->one.v->n : 0);

    if (!promql_vector(m->e, m->out, all))
        return false;
    double **left = new_rows(m, &m->many);
    double **right = left != NULL && is_or ? new_rows(m, &m->one) : NULL;
    if (left == NULL || (is_or && right == NULL))
        return false;
    for (size_t i = 0; i < m->g->n; i++) {
        if (is_or) {
            mark(&m->many, i, m->seen);
            pass(i, true, m->seen, &m->many, left);
            pass(i, false, m->seen, &m->one, right);
        } else {
            mark(&m->one, i, m->seen);
            pass(i, m->n->op == HALE_PROMQL_OP_AND, m->seen, &m->many, left);
        }
        if (!promql_tick(m->e, m->many.v->n + m->one.v->n))
            return false;
    }
    return promql_settle(m->e, m->g, m->out, false);
}

/* --- arithmetic and comparison ------------------------------------------------------------------ */

/* What group_left(...) takes over from the one side. */
static const struct collector_promql_labels *
include(struct matching *m, const struct collector_promql_labels *l,
        const struct collector_promql_labels *one)
{
    struct collector_promql_label v[256];
    unsigned n = 0;

    for (unsigned i = 0; i < l->n && n < 128; i++)
        if (!collector_promql_has_name(&m->n->include, l->v[i].name))
            v[n++] = l->v[i];
    for (unsigned i = 0; i < m->n->include.n; i++)
        v[n++] = (struct collector_promql_label){
            m->n->include.v[i], collector_promql_label(one, m->n->include.v[i])};
    return collector_promql_labels_new(m->e->arena, v, n);
}

static const struct collector_promql_labels *result_labels(struct matching *m,
                                                           size_t many, size_t one)
{
    const struct collector_promql_labels *l = m->many.v->rows[many].labels;
    bool drop = hale_promql_drops_name(m->n->op) || m->n->returns_bool;

    if (drop)
        l = collector_promql_labels_nameless(m->e->arena, l);
    if (l != NULL && m->n->card == HALE_PROMQL_ONE_TO_ONE)
        l = collector_promql_labels_pick(m->e->arena, l, &m->n->labels, m->n->on, false);
    if (l != NULL && m->n->include.n > 0)
        l = include(m, l, m->one.v->rows[one].labels);
    return l;
}

/* The values of the result row that these two make. */
static double *output(struct matching *m, size_t many, size_t one)
{
    struct collector_promql_value single = {0};

    /* Only what is included depends on the row of the one side. */
    for (struct output *o = m->outputs[many]; o != NULL; o = o->next)
        if (m->n->include.n == 0 || o->one == one)
            return o->row.v;
    struct output *o = hale_arena_alloc(m->e->arena, sizeof(*o));
    if (o == NULL) {
        (void)promql_no_memory(m->e);
        return NULL;
    }
    single.rows = &o->row;
    if (promql_row(m->e, m->g, &single, result_labels(m, many, one)) == NULL)
        return NULL;
    o->one = one;
    o->next = m->outputs[many];
    m->outputs[many] = o;
    return o->row.v;
}

static void labels_text(const struct collector_promql_labels *l, char *dst, size_t size)
{
    size_t n = 0;

    dst[0] = '\0';
    for (unsigned i = 0; i < l->n && n + 8 < size; i++) {
        size_t left = size - n - 8;
        size_t name = l->v[i].name.len < left / 2 ? l->v[i].name.len : left / 2;
        size_t value = l->v[i].value.len < left / 2 ? l->v[i].value.len : left / 2;
        if (i > 0)
            dst[n++] = ',';
        memcpy(dst + n, l->v[i].name.p, name);
        n += name;
        dst[n++] = '=';
        memcpy(dst + n, l->v[i].value.p, value);
        n += value;
        dst[n] = '\0';
    }
}

/* Without a value on the many side nothing meets, and nothing is wrong either. */
static bool any_many(const struct matching *m, size_t i)
{
    for (size_t r = 0; r < m->many.v->n; r++)
        if (!collector_promql_is_none(m->many.v->rows[r].v[i]))
            return true;
    return false;
}

static bool find_ones(struct matching *m, size_t i)
{
    for (size_t r = 0; r < m->one.v->n; r++) {
        size_t signature = m->one.signature[r];
        if (collector_promql_is_none(m->one.v->rows[r].v[i]))
            continue;
        size_t *seen = &m->seen[signature];
        if (*seen != 0 && !collector_promql_is_none(m->one.v->rows[*seen - 1].v[i]) &&
            *seen - 1 != r) {
            char text[160];
            labels_text(m->one.v->rows[r].labels, text, sizeof(text));
            return promql_fault(
                m->e, COLLECTOR_PROMQL_EXECUTION,
                "found duplicate series for the match group on the %s hand-side of the "
                "operation, one is {%s}; many-to-many matching not allowed: matching "
                "labels "
                "must be unique on one side",
                m->turned ? "left" : "right", text);
        }
        *seen = r + 1;
    }
    return true;
}

/* Row r of the many side at step i against its partner. */
static bool meet(struct matching *m, size_t i, size_t r)
{
    const struct hale_promql_node *n = m->n;
    size_t signature = m->many.signature[r];
    size_t partner = m->seen[signature];
    double a = m->many.v->rows[r].v[i];
    bool keep;

    if (partner == 0 || collector_promql_is_none(a))
        return true;
    double b = m->one.v->rows[partner - 1].v[i];
    if (collector_promql_is_none(b))
        return true;
    double v = m->turned ? promql_operate(n->op, b, a, &keep)
                         : promql_operate(n->op, a, b, &keep);
    if (n->returns_bool)
        v = keep ? 1 : 0;
    else if (!keep)
        return true;
    if (n->card == HALE_PROMQL_ONE_TO_ONE && m->used[signature] == i + 1)
        return promql_fault(m->e, COLLECTOR_PROMQL_EXECUTION,
                            "multiple matches for labels: many-to-one matching must be "
                            "explicit (group_left/group_right)");
    m->used[signature] = i + 1;
    double *to = output(m, r, partner - 1);
    if (to == NULL)
        return false;
    to[i] = v;
    return true;
}

static bool collect(struct matching *m)
{
    size_t n = 0;

    for (size_t r = 0; r < m->many.v->n; r++)
        for (struct output *o = m->outputs[r]; o != NULL; o = o->next)
            n++;
    if (!promql_vector(m->e, m->out, n))
        return false;
    for (size_t r = 0; r < m->many.v->n; r++)
        for (struct output *o = m->outputs[r]; o != NULL; o = o->next)
            m->out->rows[m->out->n++] = o->row;
    return promql_settle(m->e, m->g, m->out, false);
}

static bool operation(struct matching *m)
{
    m->outputs = hale_arena_array(m->e->arena, m->many.v->n, sizeof(struct output *));
    if (m->outputs == NULL)
        return promql_no_memory(m->e);
    for (size_t i = 0; i < m->g->n; i++) {
        if (!any_many(m, i))
            continue;
        if (!find_ones(m, i))
            return false;
        for (size_t r = 0; r < m->many.v->n; r++)
            if (!meet(m, i, r))
                return false;
        if (!promql_tick(m->e, m->many.v->n + m->one.v->n))
            return false;
    }
    return collect(m);
}

bool promql_match(struct promql_eval *e, const struct promql_grid *g,
                  const struct hale_promql_node *n,
                  const struct collector_promql_value *left,
                  const struct collector_promql_value *right,
                  struct collector_promql_value *out)
{
    struct collector_promql_groups groups = {.arena = e->arena};
    struct matching m = {.e = e, .g = g, .n = n, .out = out};

    m.turned = n->card == HALE_PROMQL_GROUP_RIGHT;
    m.many.v = m.turned ? right : left;
    m.one.v = m.turned ? left : right;
    if (!sign_rows(e, n, &groups, &m.many) || !sign_rows(e, n, &groups, &m.one))
        return false;
    m.seen = hale_arena_array(e->arena, groups.n, sizeof(*m.seen));
    m.used = hale_arena_array(e->arena, groups.n, sizeof(*m.used));
    if (m.seen == NULL || m.used == NULL)
        return promql_no_memory(e);
    return hale_promql_is_set_op(n->op) ? set_operation(&m) : operation(&m);
}
