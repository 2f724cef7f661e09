/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_when - the condition of a rule: text to branches. Recursive descent; what is below a "not" is
 * read as its opposite, so that the result is in disjunctive normal form at once.
 */
#include <stdlib.h>
#include <string.h>

#include "model/rule.h"

struct reader {
    const struct hale_rule *rule;
    struct hale_str text;
    size_t at;
    unsigned depth;
    struct hale_err *err;
};

static const char *const relations[] = {
    [HALE_RULE_ON] = "on",
    [HALE_RULE_HOSTS] = "hosts",
    [HALE_RULE_DEPENDS_ON] = "depends_on",
    [HALE_RULE_CONNECTS] = "connects",
    NULL,
};

static enum hale_rc wrong(struct reader *r, size_t at, const char *what,
                          struct hale_str word)
{
    return hale_err_at(r->err, HALE_E_INVAL, NULL, 0, (int)at + 1, "%s%s%.*s%s", what,
                       word.p != NULL ? " '" : "", (int)word.len,
                       word.p != NULL ? word.p : "", word.p != NULL ? "'" : "");
}

static const struct hale_str nothing = {NULL, 0};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word or parenthesis; empty at the end. Does not move on. */
static struct hale_str peek(struct reader *r)
{
    while (r->at < r->text.len && is_blank(r->text.p[r->at]))
        r->at++;
    const char *p = r->text.p + r->at;
    size_t left = r->text.len - r->at, n = 0;
    if (left > 0 && (*p == '(' || *p == ')'))
        n = 1;
    else
        while (n < left && !is_blank(p[n]) && p[n] != '(' && p[n] != ')')
            n++;
    return (struct hale_str){p, n};
}

static bool take(struct reader *r, const char *word)
{
    struct hale_str next = peek(r);
    if (!hale_str_ieq_c(next, word))
        return false;
    r->at += next.len;
    return true;
}

/* --- sets of branches ---------------------------------------------------------------- */

static bool same_term(const struct hale_rule_term *x, const struct hale_rule_term *y)
{
    return x->kind == y->kind && x->negated == y->negated && x->a == y->a && x->b == y->b;
}

static bool add_term(struct hale_rule_branch *b, const struct hale_rule_term *t)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (same_term(&b->term[i], t))
            return true;
    }
    if (b->n == HALE_RULE_TERMS_MAX)
        return false;
    b->term[b->n++] = *t;
    b->entities |= 1u << t->b;
    if (t->kind != HALE_RULE_ON)
        b->entities |= 1u << t->a;
    return true;
}

static enum hale_rc unite(struct reader *r, struct hale_rule_when *a,
                          const struct hale_rule_when *b)
{
    if (a->n + b->n > HALE_RULE_BRANCHES_MAX)
        return wrong(r, r->at, "more than 16 alternatives; write several rules", nothing);
    memcpy(a->branch + a->n, b->branch, b->n * sizeof(b->branch[0]));
    a->n += b->n;
    return HALE_OK;
}

static enum hale_rc cross(struct reader *r, struct hale_rule_when *a,
                          const struct hale_rule_when *b)
{
    struct hale_rule_when *out = calloc(1, sizeof(*out));
    enum hale_rc rc = HALE_OK;
    if (out == NULL)
        return hale_err_set(r->err, HALE_E_NOMEM, "out of memory");
    for (unsigned i = 0; rc == HALE_OK && i < a->n; i++) {
        for (unsigned k = 0; rc == HALE_OK && k < b->n; k++) {
            struct hale_rule_branch both = a->branch[i];
            bool fits = out->n < HALE_RULE_BRANCHES_MAX;
            for (unsigned t = 0; fits && t < b->branch[k].n; t++)
                fits = add_term(&both, &b->branch[k].term[t]);
            if (!fits)
                rc = wrong(r, r->at,
                           "more than 16 alternatives, or terms in one of them; write "
                           "several rules",
                           nothing);
            else
                out->branch[out->n++] = both;
        }
    }
    if (rc == HALE_OK)
        *a = *out;
    free(out);
    return rc;
}

/* --- reading ------------------------------------------------------------------------- */

static int entity_of(const struct hale_rule *rule, struct hale_str word)
{
    for (unsigned i = 0; i < rule->n_entities; i++) {
        if (hale_str_eq_c(word, rule->entity[i].var))
            return (int)i;
    }
    return -1;
}

static int alarm_of(const struct hale_rule *rule, struct hale_str word)
{
    for (unsigned i = 0; i < rule->n_alarms; i++) {
        if (hale_str_eq_c(word, rule->alarm[i].var))
            return (int)i;
    }
    return -1;
}

static bool is_end_of_term(struct hale_str word)
{
    return word.len == 0 || hale_str_eq_c(word, ")") || hale_str_ieq_c(word, "and") ||
           hale_str_ieq_c(word, "or");
}

struct word {
    struct hale_str s;
    size_t at;
};

static struct word next_word(struct reader *r)
{
    struct hale_str s = peek(r);
    struct word w = {s, r->at};
    r->at += s.len;
    return w;
}

static int relation_of(struct hale_str word)
{
    for (int i = 0; relations[i] != NULL; i++) {
        if (hale_str_ieq_c(word, relations[i]))
            return i;
    }
    return -1;
}

/* "nic on host", "host hosts vm", or "host" alone: there is one. */
static enum hale_rc read_term(struct reader *r, bool negated, struct hale_rule_when *out)
{
    struct word left = next_word(r), relation = next_word(r), right;
    int kind = relation_of(relation.s);
    if (left.s.len == 0)
        return wrong(r, left.at, "a term is missing, as in: nic on host", nothing);
    if (entity_of(r->rule, left.s) >= 0 && is_end_of_term(relation.s)) {
        r->at = relation.at;
        right = left;
        kind = HALE_RULE_IS;
    } else if (kind >= 0) {
        right = next_word(r);
    } else {
        return wrong(r, relation.at, "expected on, hosts, depends_on or connects, not",
                     relation.s);
    }
    int a = kind == HALE_RULE_ON ? alarm_of(r->rule, left.s) : entity_of(r->rule, left.s);
    int b = entity_of(r->rule, right.s);
    if (a < 0)
        return wrong(r, left.at,
                     kind == HALE_RULE_ON ? "no alarm of this rule is called"
                                          : "no entity of this rule is called",
                     left.s);
    if (b < 0)
        return wrong(r, right.at, "no entity of this rule is called", right.s);
    if (negated && kind != HALE_RULE_ON)
        return wrong(r, left.at,
                     "not is possible for alarms only, as in: not nic on host", nothing);
    struct hale_rule_term t = {(uint8_t)kind, negated, (uint8_t)a, (uint8_t)b};
    memset(out, 0, sizeof(*out));
    out->n = 1;
    (void)add_term(&out->branch[0], &t);
    return HALE_OK;
}

static enum hale_rc read_or(struct reader *r, bool negated, struct hale_rule_when *out);

static enum hale_rc read_factor(struct reader *r, bool negated,
                                struct hale_rule_when *out)
{
    if (r->depth >= HALE_RULE_DEPTH_MAX)
        return wrong(r, r->at, "too many parentheses inside each other", nothing);
    r->depth++;
    enum hale_rc rc;
    if (take(r, "not")) {
        rc = read_factor(r, !negated, out);
    } else if (take(r, "(")) {
        rc = read_or(r, negated, out);
        if (rc == HALE_OK && !take(r, ")"))
            rc = wrong(r, r->at, "a ) is missing", nothing);
    } else {
        rc = read_term(r, negated, out);
    }
    r->depth--;
    return rc;
}

/* One level of the grammar: factors joined by and, or those joined by or. */
static enum hale_rc read_joined(struct reader *r, bool negated, bool is_or,
                                struct hale_rule_when *out)
{
    enum hale_rc rc =
        is_or ? read_joined(r, negated, false, out) : read_factor(r, negated, out);
    struct hale_rule_when *more = rc == HALE_OK ? calloc(1, sizeof(*more)) : NULL;
    if (rc == HALE_OK && more == NULL)
        return hale_err_set(r->err, HALE_E_NOMEM, "out of memory");
    while (rc == HALE_OK && take(r, is_or ? "or" : "and")) {
        rc = is_or ? read_joined(r, negated, false, more) : read_factor(r, negated, more);
        if (rc == HALE_OK)
            rc = is_or != negated ? unite(r, out, more) : cross(r, out, more);
    }
    free(more);
    return rc;
}

static enum hale_rc read_or(struct reader *r, bool negated, struct hale_rule_when *out)
{
    return read_joined(r, negated, true, out);
}

/* --- what a branch must be ----------------------------------------------------------- */

/* Entities that can be reached from the first one along the edges: a choice of entities is looked
 * for from one of them, not among all pairs. */
static bool hangs_together(const struct hale_rule_branch *b)
{
    unsigned seen = b->entities & (~b->entities + 1), before;
    do {
        before = seen;
        for (unsigned i = 0; i < b->n; i++) {
            const struct hale_rule_term *t = &b->term[i];
            if (t->kind == HALE_RULE_ON)
                continue;
            unsigned ends = 1u << t->a | 1u << t->b;
            if ((seen & ends) != 0)
                seen |= ends;
        }
    } while (seen != before);
    return seen == b->entities;
}

static enum hale_rc check_branch(struct reader *r, const struct hale_rule_branch *b)
{
    bool positive = false;
    for (unsigned i = 0; i < b->n; i++)
        positive |= b->term[i].kind == HALE_RULE_ON && !b->term[i].negated;
    if (!positive)
        return wrong(r, 0, "each alternative needs an alarm that is not negated",
                     nothing);
    if (!hangs_together(b))
        return wrong(r, 0,
                     "the entities of an alternative are not joined by hosts, depends_on "
                     "or connects",
                     nothing);
    return HALE_OK;
}

enum hale_rc hale_rule_when_parse(const struct hale_rule *rule, struct hale_str text,
                                  struct hale_rule_when *out, struct hale_err *err)
{
    struct reader r = {.rule = rule, .text = text, .err = err};
    memset(out, 0, sizeof(*out));
    if (text.len > HALE_RULE_WHEN_MAX)
        return hale_err_set(err, HALE_E_INVAL, "the condition is longer than %d bytes",
                            HALE_RULE_WHEN_MAX);
    enum hale_rc rc = read_or(&r, false, out);
    if (rc == HALE_OK && peek(&r).len > 0)
        rc = wrong(&r, r.at, "expected and, or, or the end, not", peek(&r));
    for (unsigned i = 0; rc == HALE_OK && i < out->n; i++)
        rc = check_branch(&r, &out->branch[i]);
    return rc;
}
