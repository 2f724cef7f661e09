/* SPDX-License-Identifier: Apache-2.0 */
#include "model/metric_json.h"

#include <stdatomic.h>
#include <string.h>

#include "model/metric_json_scan.h"

static hale_scan_walk_fn walk_first;
static _Atomic(hale_scan_walk_fn *) walk = walk_first;

bool hale_scan_choose(bool avx2)
{
    hale_scan_walk_fn *choice = hale_scan_walk_portable;
#if HALE_SCAN_HAVE_AVX2
    bool have = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
    if (avx2 && have)
        choice = hale_scan_walk_avx2;
#endif
    if (avx2 && choice == hale_scan_walk_portable)
        return false;
    atomic_store_explicit(&walk, choice, memory_order_relaxed);
    return true;
}

/* The first object of the process chooses; threads that meet here choose the same. */
static const char *walk_first(struct hale_scan *s, const char *p,
                              struct hale_metric_view *out)
{
    if (!hale_scan_choose(true))
        (void)hale_scan_choose(false);
    return atomic_load_explicit(&walk, memory_order_relaxed)(s, p, out);
}

void hale_metric_parser_init(struct hale_metric_parser *p, struct hale_str body)
{
    memset(p, 0, sizeof(*p));
    /* no arithmetic on NULL: an empty body may come as {NULL,0} */
    p->start = body.p != NULL ? body.p : "";
    p->pos = p->start;
    p->end = p->start + body.len;
}

static enum hale_metric_fault fail_json(struct hale_metric_parser *p, const char *at,
                                        const char *text)
{
    size_t offset = (size_t)(at - p->start);
    (void)hale_err_at(&p->err, HALE_E_INVAL, NULL, 0, (int)(offset + 1),
                      "the body is not valid JSON: %s at byte %zu", text, offset + 1);
    p->failed = true;
    p->pos = at;
    p->fault = HALE_METRIC_BAD_JSON;
    return p->fault;
}

/* Behind the top-level value nothing but blanks may follow. */
static enum hale_metric_fault finish(struct hale_metric_parser *p, const char *at)
{
    p->pos = hale_scan_ws(at, p->end);
    if (p->pos != p->end)
        return fail_json(p, p->pos, "more text follows the value");
    p->done = true;
    p->fault = HALE_METRIC_END;
    return p->fault;
}

/* Behind an item of the array: moves to the next one (OK) or to the end (END). */
static enum hale_metric_fault next_item(struct hale_metric_parser *p, const char *at)
{
    at = hale_scan_ws(at, p->end);
    if (at == p->end)
        return fail_json(p, at, "the input ends inside an array");
    if (*at == ']')
        return finish(p, at + 1);
    if (*at != ',')
        return fail_json(p, at, "a comma or a closing bracket is missing");
    p->pos = hale_scan_ws(at + 1, p->end);
    return HALE_METRIC_OK;
}

/* Reads the item at p->pos. NULL: not JSON, *s has the fault. Otherwise s->schema tells whether
 * *out is fit for use. */
static const char *read_item(struct hale_metric_parser *p, struct hale_scan *s,
                             struct hale_metric_view *out)
{
    s->end = p->end;
    if (p->pos < p->end && *p->pos == '{')
        return atomic_load_explicit(&walk, memory_order_relaxed)(s, p->pos, out);
    memset(out, 0, sizeof(*out));
    s->schema = "a metric must be an object";
    return hale_scan_value(s, p->pos);
}

/* The decoded name for a message; one too long for that is shown as it is written. */
static const char *show_name(struct hale_str name_raw, char *dst, size_t size)
{
    char decoded[256];
    if (name_raw.p == NULL)
        return "(no name)";
    if (name_raw.len > sizeof(decoded))
        return hale_scan_show(name_raw, dst, size);
    struct hale_str name = {decoded, hale_scan_unescape(name_raw, decoded)};
    return hale_scan_show(name, dst, size);
}

/* A rule is broken by the item that starts at `at` and ends before p->pos. Not being JSON is
 * the graver fault, so the rest is read first. */
static enum hale_metric_fault fail_schema(struct hale_metric_parser *p, const char *at,
                                          const char *text, struct hale_str name_raw)
{
    struct hale_metric_view ignored;
    enum hale_metric_fault f = p->in_array ? next_item(p, p->pos) : finish(p, p->pos);
    while (f == HALE_METRIC_OK) {
        struct hale_scan s = {0};
        const char *behind = read_item(p, &s, &ignored);
        f = behind == NULL ? fail_json(p, s.fault_at, s.fault) : next_item(p, behind);
    }
    if (f == HALE_METRIC_BAD_JSON)
        return f;
    char name[160];
    (void)hale_err_at(&p->err, HALE_E_INVAL, NULL, 0, (int)(at - p->start + 1),
                      "%s: for metric %s", text, show_name(name_raw, name, sizeof(name)));
    p->done = false;
    p->failed = true;
    p->fault = HALE_METRIC_BAD_SCHEMA;
    return p->fault;
}

/* Moves to the first byte of the first item. */
static enum hale_metric_fault start(struct hale_metric_parser *p)
{
    p->started = true;
    p->pos = hale_scan_ws(p->pos, p->end);
    if (p->pos == p->end)
        return fail_json(p, p->pos, "it is empty");
    if (*p->pos != '[')
        return HALE_METRIC_OK;
    p->in_array = true;
    p->pos = hale_scan_ws(p->pos + 1, p->end);
    if (p->pos < p->end && *p->pos == ']')
        return finish(p, p->pos + 1);
    return HALE_METRIC_OK;
}

enum hale_metric_fault hale_metric_parser_next(struct hale_metric_parser *p,
                                               struct hale_metric_view *out)
{
    enum hale_metric_fault f;
    if (p->failed || p->done)
        return p->fault;
    if (!p->started)
        f = start(p);
    else
        f = p->in_array ? next_item(p, p->pos) : finish(p, p->pos);
    if (f != HALE_METRIC_OK)
        return f;

    struct hale_scan s = {0};
    const char *at = p->pos;
    p->pos = read_item(p, &s, out);
    if (p->pos == NULL)
        return fail_json(p, s.fault_at, s.fault);
    if (s.schema != NULL)
        return fail_schema(p, at, s.schema, out->name_raw);
    return HALE_METRIC_OK;
}
