/* SPDX-License-Identifier: Apache-2.0 */
/* promql_selector - {matchers}, ranges and the modifiers offset and @. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "model/promql_private.h"

#define MATCHERS_MAX 128

static const struct hale_str NAME = {"__name__", 8};

enum hale_rc hale_promql_matches(const struct hale_promql_matcher *m,
                                 struct hale_str value, bool *yes)
{
    enum hale_rc rc = HALE_OK;

    switch (m->how) {
    case HALE_PROMQL_EQUAL: *yes = hale_str_eq(m->value, value); break;
    case HALE_PROMQL_NOT_EQUAL: *yes = !hale_str_eq(m->value, value); break;
    case HALE_PROMQL_REGEX: rc = hale_regex_match(m->regex, value, yes); break;
    case HALE_PROMQL_NOT_REGEX:
        rc = hale_regex_match(m->regex, value, yes);
        *yes = !*yes;
        break;
    }
    return rc;
}

/* --- matchers ------------------------------------------------------------------------------ */

static bool compile(struct promql_parser *p, struct hale_promql_matcher *m, size_t at)
{
    struct hale_err err = {0};
    struct hale_promql_regexes *link = hale_arena_alloc(&p->out->memory, sizeof(*link));

    if (link == NULL)
        return promql_fail(&p->lex, at, "the query takes too much memory");
    if (hale_regex_new(m->value, &m->regex, &err) != HALE_OK)
        return promql_fail(&p->lex, at, "%s", err.text);
    *link = (struct hale_promql_regexes){p->out->regexes, m->regex};
    p->out->regexes = link;
    return true;
}

/* After the label: operator and value. */
static bool comparison(struct promql_parser *p, struct hale_promql_matcher *m)
{
    bool not_equal = p->lex.token == PROMQL_OPERATOR && p->lex.op == HALE_PROMQL_OP_NE;

    if (p->lex.token != PROMQL_MATCH && !not_equal)
        return promql_unexpected(&p->lex, "label matching", "label matching operator");
    m->how = not_equal ? HALE_PROMQL_NOT_EQUAL : p->lex.match;
    if (!promql_lex_next(&p->lex))
        return false;
    size_t at = p->lex.at;
    if (p->lex.token != PROMQL_STRING)
        return promql_unexpected(&p->lex, "label matching", "string");
    m->value = p->lex.value;
    bool regex = m->how == HALE_PROMQL_REGEX || m->how == HALE_PROMQL_NOT_REGEX;
    return (!regex || compile(p, m, at)) && promql_lex_next(&p->lex);
}

static bool set_name(struct promql_parser *p, struct hale_str *name,
                     struct hale_str value, size_t at)
{
    if (name->p != NULL)
        return promql_fail(&p->lex, at,
                           "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                           (int)(name->len < 60 ? name->len : 60), name->p,
                           (int)(value.len < 60 ? value.len : 60), value.p);
    *name = value;
    return true;
}

/* One item of the braces: label op "value", "label" op "value", or "metric name". */
static bool item(struct promql_parser *p, struct hale_promql_matcher *m,
                 struct hale_str *name)
{
    size_t at = p->lex.at;
    bool quoted = p->lex.token == PROMQL_STRING;

    if (p->lex.token != PROMQL_WORD && !quoted)
        return promql_unexpected(&p->lex, "label matching", "identifier or \"}\"");
    m->name = p->lex.value;
    if (!promql_lex_next(&p->lex))
        return false;
    if (quoted && (promql_is(&p->lex, ',') || promql_is(&p->lex, '}'))) {
        if (!set_name(p, name, m->name, at))
            return false;
        m->value = m->name;
        m->name = NAME;
        m->how = HALE_PROMQL_EQUAL;
        return true;
    }
    if (!comparison(p, m))
        return false;
    if (hale_str_eq(m->name, NAME) && m->how == HALE_PROMQL_EQUAL)
        return set_name(p, name, m->value, at);
    return true;
}

static bool braces(struct promql_parser *p, struct hale_promql_matcher *v, unsigned *n,
                   struct hale_str *name)
{
    if (!promql_lex_next(&p->lex))
        return false;
    while (!promql_is(&p->lex, '}')) {
        if (*n == MATCHERS_MAX)
            return promql_fail(&p->lex, p->lex.at, "more than %d label matchers",
                               MATCHERS_MAX);
        if (!item(p, &v[*n], name))
            return false;
        ++*n;
        if (promql_is(&p->lex, '}'))
            break;
        if (!promql_expect(p, ',', "label matching"))
            return false;
    }
    return promql_lex_next(&p->lex);
}

/* At least one matcher must not take the empty string, lest all series be selected. */
static bool selects_all(const struct hale_promql_matcher *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool empty = true;
        if (hale_promql_matches(&v[i], HALE_STR(""), &empty) != HALE_OK || !empty)
            return false;
    }
    return true;
}

struct hale_promql_node *promql_selector(struct promql_parser *p, struct hale_str name,
                                         size_t at)
{
    struct hale_promql_matcher v[MATCHERS_MAX];
    unsigned n = 0;

    memset(v, 0, sizeof(v));
    if (name.p != NULL)
        v[n++] = (struct hale_promql_matcher){NAME, name, HALE_PROMQL_EQUAL, NULL};
    if (promql_is(&p->lex, '{') && !braces(p, v, &n, &name))
        return NULL;
    if (selects_all(v, n)) {
        (void)promql_fail(&p->lex, at,
                          "vector selector must contain at least one non-empty matcher");
        return NULL;
    }
    struct hale_promql_node *node = promql_node(p, HALE_PROMQL_SELECTOR, at, 0);
    if (node == NULL)
        return NULL;
    node->n_matchers = n;
    node->matchers = hale_arena_array(&p->out->memory, n, sizeof(*v));
    if (node->matchers == NULL) {
        (void)promql_fail(&p->lex, at, "the query takes too much memory");
        return NULL;
    }
    memcpy(node->matchers, v, n * sizeof(*v));
    return promql_check(p, node) ? node : NULL;
}

/* --- what may follow ----------------------------------------------------------------------- */

static bool duration(struct promql_parser *p, int64_t *out, const char *where)
{
    if (p->lex.token != PROMQL_DURATION)
        return promql_unexpected(&p->lex, where, "duration");
    *out = p->lex.duration_ms;
    if (*out == 0)
        return promql_fail(&p->lex, p->lex.at, "duration must be greater than 0");
    return promql_lex_next(&p->lex);
}

static struct hale_promql_node *range(struct promql_parser *p, struct hale_promql_node *n)
{
    size_t at = p->lex.at;
    int64_t range_ms = 0;
    int64_t step_ms = 0;

    if (!promql_lex_next(&p->lex) ||
        !duration(p, &range_ms, "range or subquery selector"))
        return NULL;
    bool subquery = promql_is(&p->lex, ':');
    if (subquery) {
        if (!promql_lex_next(&p->lex))
            return NULL;
        if (!promql_is(&p->lex, ']') && !duration(p, &step_ms, "subquery selector"))
            return NULL;
    }
    if (!promql_expect(p, ']', "range or subquery selector"))
        return NULL;
    if (subquery) {
        struct hale_promql_node *s = promql_node(p, HALE_PROMQL_SUBQUERY, n->at, 1);
        if (s == NULL)
            return NULL;
        s->args[0] = n;
        s->range_ms = range_ms;
        s->step_ms = step_ms;
        return promql_check(p, s) ? s : NULL;
    }
    if (n->kind != HALE_PROMQL_SELECTOR || n->range_ms > 0)
        (void)promql_fail(&p->lex, at, "ranges only allowed for vector selectors");
    else if (n->has_offset)
        (void)promql_fail(&p->lex, at, "no offset modifiers allowed before range");
    else if (n->at_kind != HALE_PROMQL_AT_EVALUATION)
        (void)promql_fail(&p->lex, at, "no @ modifiers allowed before range");
    n->range_ms = range_ms;
    return p->lex.err->rc == HALE_OK && promql_check(p, n) ? n : NULL;
}

static bool takes_modifier(struct promql_parser *p, const struct hale_promql_node *n,
                           const char *what)
{
    if (n->kind == HALE_PROMQL_SELECTOR || n->kind == HALE_PROMQL_SUBQUERY)
        return true;
    return promql_fail(
        &p->lex, p->lex.at,
        "%s modifier must be preceded by an instant vector selector or range "
        "vector selector or a subquery",
        what);
}

static bool sign(struct promql_parser *p, int *out)
{
    *out = 1;
    if (p->lex.token != PROMQL_OPERATOR ||
        (p->lex.op != HALE_PROMQL_OP_ADD && p->lex.op != HALE_PROMQL_OP_SUB))
        return true;
    *out = p->lex.op == HALE_PROMQL_OP_SUB ? -1 : 1;
    return promql_lex_next(&p->lex);
}

static bool offset(struct promql_parser *p, struct hale_promql_node *n)
{
    int way;

    if (!takes_modifier(p, n, "offset"))
        return false;
    if (n->has_offset)
        return promql_fail(&p->lex, p->lex.at, "offset may not be set multiple times");
    if (!promql_lex_next(&p->lex) || !sign(p, &way))
        return false;
    if (p->lex.token != PROMQL_DURATION)
        return promql_unexpected(&p->lex, "offset", "duration");
    n->has_offset = true;
    n->offset_ms = way * p->lex.duration_ms;
    return promql_lex_next(&p->lex);
}

static bool at_time(struct promql_parser *p, struct hale_promql_node *n)
{
    double seconds;
    int way;

    if (!takes_modifier(p, n, "@"))
        return false;
    if (n->at_kind != HALE_PROMQL_AT_EVALUATION)
        return promql_fail(&p->lex, p->lex.at,
                           "@ <timestamp> may not be set multiple times");
    if (!promql_lex_next(&p->lex) || !sign(p, &way))
        return false;
    bool start = promql_is_word(&p->lex, "start");
    if (start || promql_is_word(&p->lex, "end")) {
        n->at_kind = start ? HALE_PROMQL_AT_START : HALE_PROMQL_AT_END;
        return promql_lex_next(&p->lex) && promql_expect(p, '(', "@") &&
               promql_expect(p, ')', "@");
    }
    if (p->lex.token != PROMQL_NUMBER)
        return promql_unexpected(&p->lex, "@", "timestamp");
    if (!promql_number(p, &seconds))
        return false;
    if (seconds > 9e12)
        return promql_fail(&p->lex, p->lex.at, "timestamp out of bounds for @ modifier");
    n->at_kind = HALE_PROMQL_AT_TIME;
    n->at_ms = way * llround(seconds * 1000);
    return promql_lex_next(&p->lex);
}

struct hale_promql_node *promql_postfix(struct promql_parser *p,
                                        struct hale_promql_node *n)
{
    while (n != NULL) {
        if (promql_is(&p->lex, '[')) {
            n = range(p, n);
        } else if (promql_is_word(&p->lex, "offset")) {
            if (!offset(p, n))
                return NULL;
        } else if (promql_is(&p->lex, '@')) {
            if (!at_time(p, n))
                return NULL;
        } else {
            break;
        }
    }
    return n;
}

/* --- durations ------------------------------------------------------------------------------ */

enum hale_rc hale_promql_duration(struct hale_str s, int64_t *out_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"y", 31536000000}, {"w", 604800000}, {"d", 86400000}, {"h", 3600000},
                 {"m", 60000},       {"s", 1000},      {"ms", 1}};
    const size_t n_units = sizeof(units) / sizeof(units[0]);
    size_t next = 0; /* units come in this order, each at most once */

    *out_ms = 0;
    if (s.len == 0)
        return HALE_E_INVAL;
    while (s.len > 0) {
        size_t n = 0;
        size_t letters = 0;
        uint64_t count;
        int64_t part;
        while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
            n++;
        while (n + letters < s.len && s.p[n + letters] >= 'a' && s.p[n + letters] <= 'z')
            letters++;
        while (next < n_units &&
               !hale_str_eq_c((struct hale_str){s.p + n, letters}, units[next].name))
            next++;
        if (next == n_units ||
            hale_str_u64((struct hale_str){s.p, n}, &count) != HALE_OK ||
            count > INT64_MAX / 4 ||
            __builtin_mul_overflow((int64_t)count, units[next].ms, &part) ||
            __builtin_add_overflow(*out_ms, part, out_ms) ||
            *out_ms > INT64_MAX / 1000000)
            return HALE_E_INVAL;
        next++;
        s.p += n + letters;
        s.len -= n + letters;
    }
    return HALE_OK;
}
