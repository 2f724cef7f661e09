/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum hale_rc append(struct cli_values *out, double value, size_t times,
                           double step, struct hale_err *err)
{
    if (times > CLI_VALUES_MAX - out->n)
        return hale_err_set(err, HALE_E_LIMIT, "more than %d samples in one series",
                            CLI_VALUES_MAX);
    double *v = realloc(out->v, (out->n + times + 1) * sizeof(*v));
    if (v == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    out->v = v;
    for (size_t i = 0; i < times; i++)
        v[out->n++] = value + step * (double)i;
    return HALE_OK;
}

/* Bytes of the number at the start of s; a sign belongs to it only there or in its exponent. */
static size_t number_len(struct hale_str s)
{
    size_t i = 0;
    while (i < s.len) {
        char c = s.p[i];
        bool sign = c == '+' || c == '-';
        bool in_exponent = i > 0 && (s.p[i - 1] == 'e' || s.p[i - 1] == 'E');
        bool part = (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E';
        if (!part && !(sign && (i == 0 || in_exponent)))
            break;
        i++;
    }
    return i;
}

static struct hale_str after(struct hale_str s, size_t n)
{
    return (struct hale_str){s.p + n, s.len - n};
}

/* "xN" or nothing: how many more. */
static enum hale_rc read_times(struct hale_str s, uint64_t *out)
{
    *out = 0;
    if (s.len == 0)
        return HALE_OK;
    if (s.p[0] != 'x' || hale_str_u64(after(s, 1), out) != HALE_OK ||
        *out > CLI_VALUES_MAX)
        return HALE_E_INVAL;
    return HALE_OK;
}

static enum hale_rc read_word(struct hale_str word, struct cli_values *out,
                              struct hale_err *err)
{
    double value, step = 0;
    uint64_t times = 0;
    if (hale_str_ieq_c(word, "nan"))
        return append(out, NAN, 1, 0, err);
    if (word.p[0] == '_') {
        if (read_times(after(word, 1), &times) != HALE_OK)
            return HALE_E_INVAL;
        return append(out, NAN, word.len > 1 ? times : 1, 0, err);
    }
    size_t n = number_len(word);
    if (hale_str_double((struct hale_str){word.p, n}, &value) != HALE_OK)
        return HALE_E_INVAL;
    struct hale_str rest = after(word, n);
    if (rest.len > 0 && (rest.p[0] == '+' || rest.p[0] == '-')) {
        size_t sign = rest.p[0] == '+' ? 1 : 0;
        struct hale_str by = after(rest, sign);
        n = number_len(by);
        if (hale_str_double((struct hale_str){by.p, n}, &step) != HALE_OK)
            return HALE_E_INVAL;
        rest = after(by, n);
        if (rest.len == 0) /* "1+2" alone says nothing */
            return HALE_E_INVAL;
    }
    if (read_times(rest, &times) != HALE_OK)
        return HALE_E_INVAL;
    return append(out, value, (size_t)times + 1, step, err);
}

enum hale_rc cli_values_read(struct hale_str text, struct cli_values *out,
                             struct hale_err *err)
{
    size_t i = 0;
    *out = (struct cli_values){0};
    while (i < text.len) {
        size_t start = i;
        while (i < text.len && text.p[i] != ' ' && text.p[i] != '\n' && text.p[i] != '\t')
            i++;
        struct hale_str word = {text.p + start, i - start};
        enum hale_rc rc = word.len > 0 ? read_word(word, out, err) : HALE_OK;
        if (rc == HALE_E_INVAL)
            rc = hale_err_at(
                err, rc, NULL, 0, (int)start + 1,
                hale_str_eq_c(word, "stale")
                    ? "'%.*s': a series has no end here; write _ for samples that "
                      "do not come"
                    : "'%.*s' is not a value; write 7, 0+10x5, 5x2, _, _x3 or NaN",
                (int)(word.len < 40 ? word.len : 40), word.p);
        if (rc != HALE_OK) {
            cli_values_fini(out);
            return rc;
        }
        i++;
    }
    return HALE_OK;
}

void cli_values_fini(struct cli_values *v)
{
    free(v->v);
    *v = (struct cli_values){0};
}
