/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/promql_params.h"

#include <math.h>

#include "base/clock.h"
#include "model/promql.h"

#define MEMORY_MAX ((size_t)4 << 20)
#define TIME_MAX_S 4503599627370.0 /* 2^52 ms */

void collector_promql_params_init(struct collector_promql_params *p)
{
    hale_arena_init(&p->arena, MEMORY_MAX);
    p->n = 0;
    p->failed = false;
}

void collector_promql_params_fini(struct collector_promql_params *p)
{
    hale_arena_fini(&p->arena);
}

void collector_promql_params_add(struct collector_promql_params *p, struct hale_str name,
                                 struct hale_str value)
{
    name = hale_arena_str(&p->arena, name);
    value = hale_arena_str(&p->arena, value);
    p->failed = p->failed || name.p == NULL || value.p == NULL ||
                p->n == COLLECTOR_PROMQL_PARAMS_MAX;
    if (!p->failed)
        p->v[p->n++] = (struct collector_promql_param){name, value};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct hale_str decode(struct hale_arena *a, struct hale_str s)
{
    char *out = hale_arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (out == NULL)
        return (struct hale_str){NULL, 0};
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '%' && s.len - i > 2 && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
            c = (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[n++] = c;
    }
    return (struct hale_str){out, n};
}

void collector_promql_params_form(struct collector_promql_params *p, struct hale_str form)
{
    while (form.p != NULL && !p->failed) {
        struct hale_str value = hale_str_split(&form, '&');
        if (value.len == 0)
            continue;
        struct hale_str name = hale_str_split(&value, '=');
        collector_promql_params_add(p, decode(&p->arena, name), decode(&p->arena, value));
    }
}

struct hale_str collector_promql_param(const struct collector_promql_params *p,
                                       const char *name)
{
    for (unsigned i = 0; i < p->n; i++)
        if (hale_str_eq_c(p->v[i].name, name))
            return p->v[i].value;
    return (struct hale_str){NULL, 0};
}

enum hale_rc collector_promql_time(struct hale_str s, int64_t *out_ms)
{
    double seconds;

    if (hale_str_double(s, &seconds) != HALE_OK)
        return hale_clock_parse_iso(s, out_ms);
    if (!(fabs(seconds) < TIME_MAX_S))
        return HALE_E_INVAL;
    double whole;
    double fraction = modf(seconds, &whole);
    *out_ms = (int64_t)whole * 1000 + llround(fraction * 1000);
    return HALE_OK;
}

enum hale_rc collector_promql_duration(struct hale_str s, int64_t *out_ms)
{
    double seconds;

    if (hale_str_double(s, &seconds) != HALE_OK)
        return hale_promql_duration(s, out_ms);
    if (!(fabs(seconds) < TIME_MAX_S))
        return HALE_E_INVAL;
    *out_ms = (int64_t)(seconds * 1000);
    return HALE_OK;
}

/* "_" hex "_" at s: the number of bytes, 0 if it is none. */
static size_t escaped(struct hale_str s, size_t at, char *out)
{
    unsigned code = 0;
    size_t i = at + 1;

    for (; i < s.len && i < at + 4 && hex(s.p[i]) >= 0; i++)
        code = code * 16 + (unsigned)hex(s.p[i]);
    if (i == at + 1 || i >= s.len || s.p[i] != '_' || code > 127)
        return 0;
    *out = (char)code;
    return i + 1 - at;
}

struct hale_str collector_promql_label_name(struct hale_arena *a, struct hale_str s)
{
    char *out = hale_arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (out == NULL)
        return (struct hale_str){NULL, 0};
    bool escapes = s.len > 3 && s.p[0] == 'U' && s.p[1] == '_' && s.p[2] == '_';
    for (size_t i = escapes ? 3 : 0; i < s.len;) {
        char c = s.p[i];
        size_t len = 1;
        if (escapes && c == '_' && i + 1 < s.len && s.p[i + 1] == '_')
            len = 2;
        else if (escapes && c == '_')
            len = escaped(s, i, &c);
        out[n++] = c;
        i += len > 0 ? len : 1;
    }
    return (struct hale_str){out, n};
}
