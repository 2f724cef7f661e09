/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_expr - an accepted expression, printed sub by sub, parses to the same subs. Thresholds
 * that Java prints with an exponent, which the grammar does not know, are printed out first.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "model/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sub(const struct hale_subexpr *s, struct hale_buf *text)
{
    struct hale_subexpr plain = *s;
    struct hale_expr *again;
    struct hale_err err;
    double a = fabs(s->threshold);
    bool plain_text = a == 0 || (a >= 1e-3 && a < 1e7);
    HALE_ASSERT(isfinite(a) && s->period_s > 0 && s->times > 0);
    for (unsigned i = 0; i < s->n_levels; i++)
        plain_text = plain_text && fabs(s->levels[i].threshold) < 1e7 &&
                     fabs(s->levels[i].threshold) >= 1e-3;
    plain_text =
        plain_text && fabs(s->clear) < 1e7 && (!s->has_clear || fabs(s->clear) >= 1e-3);
    if (!plain_text && s->func != HALE_FUNC_ABSENT) { /* a text would have an exponent */
        plain.threshold = 1;
        plain.n_levels = 0;
        plain.has_clear = false;
    }
    hale_buf_reset(text);
    hale_subexpr_format(&plain, text);
    HALE_ASSERT(!text->failed);
    HALE_ASSERT(hale_expr_parse(hale_buf_str(text), &again, &err) == HALE_OK);
    HALE_ASSERT(again->n_subs == 1);
    const struct hale_subexpr *t = &again->subs[0];
    HALE_ASSERT(t->func == s->func && t->op == s->op &&
                t->deterministic == s->deterministic);
    HALE_ASSERT(t->period_s == s->period_s && t->times == s->times);
    HALE_ASSERT(t->percent == s->percent && t->absolute == s->absolute);
    HALE_ASSERT(t->days == s->days && t->horizon_s == s->horizon_s);
    HALE_ASSERT(t->threshold == plain.threshold);
    HALE_ASSERT(t->n_levels == plain.n_levels && t->has_clear == plain.has_clear);
    HALE_ASSERT(t->for_s == s->for_s && t->clear_for_s == s->clear_for_s);
    HALE_ASSERT(!t->has_clear || t->clear == s->clear);
    for (unsigned i = 0; i < t->n_levels; i++)
        HALE_ASSERT(t->levels[i].severity == s->levels[i].severity &&
                    t->levels[i].threshold == s->levels[i].threshold);
    HALE_ASSERT(t->every_s == s->every_s && hale_arith_equal(t->arith, s->arith));
    HALE_ASSERT(hale_subexpr_terms(t) == hale_subexpr_terms(s));
    for (unsigned i = 0; i < hale_subexpr_terms(s); i++) {
        struct hale_term x = hale_subexpr_term(s, i), y = hale_subexpr_term(t, i);
        HALE_ASSERT(hale_term_equal(&x, &y) && x.func == y.func);
    }
    if (s->arith != NULL) {
        static const double ones[HALE_ARITH_MAX_TERMS] = {1, 1, 1, 1, 1, 1, 1, 1};
        HALE_ASSERT(!isinf(hale_arith_value(s->arith, ones)));
    }
    hale_expr_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hale_expr *e;
    struct hale_err err = {0};
    struct hale_str in = {(const char *)data, size};
    enum hale_rc rc = hale_expr_parse(in, &e, &err);
    if (rc != HALE_OK) {
        HALE_ASSERT(e == NULL && err.rc == rc && err.text[0] != '\0' && err.col >= 1);
        return 0;
    }
    HALE_ASSERT(e->n_subs >= 1 && e->n_subs <= HALE_EXPR_MAX_SUBS);
    struct hale_buf text;
    enum hale_state states[HALE_EXPR_MAX_SUBS];
    hale_buf_init(&text, 1u << 20);
    for (unsigned i = 0; i < e->n_subs; i++) {
        check_sub(&e->subs[i], &text);
        states[i] = (enum hale_state)(i % 3);
    }
    (void)hale_expr_eval(e, states, HALE_SEMANTICS_MONASCA);
    (void)hale_expr_eval(e, states, HALE_SEMANTICS_HALE);
    hale_buf_fini(&text);
    hale_expr_free(e);
    return 0;
}
