/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_check - expected beside got. An observation is a JSON object:
 *   alarm, notification, transition: {"at_ms","name","group","state","old_state","severity","reason",
 *     "causes":[names],"suppressed_by":[kinds],"op","life":{}}
 *   action: {"at_ms","name","group","policy","target","mode","verdict","guard","steps":[],"calls",
 *     "outcome"} */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario_run.h"
#include "model/expr.h"

#define NAME_BYTES  2048
#define TABLE_CELLS (16u << 20)

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static const char *name_of(const json_t *got, char *dst)
{
    return cli_alarm_text(text_of(got, "name"), json_object_get(got, "group"), dst,
                          NAME_BYTES);
}

/* --- one field --------------------------------------------------------------------- */

/* The name without its group fits every group. */
static bool name_fits(const char *want, const char *got)
{
    size_t n = strcspn(got, "{");
    return strcmp(want, got) == 0 ||
           (strchr(want, '{') == NULL && strlen(want) == n && strncmp(want, got, n) == 0);
}

static bool sets_equal(const json_t *want, const json_t *got)
{
    bool used[256] = {false};
    size_t n = json_array_size(want);
    if (n != json_array_size(got) || n > sizeof(used) / sizeof(used[0]))
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < n &&
               (used[k] || !name_fits(json_string_value(json_array_get(want, i)),
                                      json_string_value(json_array_get(got, k)))))
            k++;
        if (k == n)
            return false;
        used[k] = true;
    }
    return true;
}

static bool steps_fit(const json_t *want, const json_t *got)
{
    size_t n = json_array_size(want);
    if (n != json_array_size(got))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strstr(json_string_value(json_array_get(got, i)),
                   json_string_value(json_array_get(want, i))) == NULL)
            return false;
    return true;
}

static void add_list(struct hale_buf *b, const json_t *list)
{
    hale_buf_add_char(b, '[');
    for (size_t i = 0; i < json_array_size(list); i++)
        hale_buf_printf(b, "%s%s", i > 0 ? ", " : "",
                        json_string_value(json_array_get(list, i)));
    hale_buf_add_char(b, ']');
}

/* What differs goes into `why` (NULL: only the answer is wanted). */
struct compare {
    struct hale_buf *why;
    bool fits;
};

static void differ(struct compare *c, const char *key, const char *want, const char *got)
{
    if (c->why != NULL)
        hale_buf_printf(c->why, "%s%s: expected '%s', got '%s'", c->fits ? "" : "; ", key,
                        want, got);
    c->fits = false;
}

static void differ_lists(struct compare *c, const char *key, const json_t *want,
                         const json_t *got)
{
    if (c->why != NULL) {
        hale_buf_printf(c->why, "%s%s: expected ", c->fits ? "" : "; ", key);
        add_list(c->why, want);
        hale_buf_add_c(c->why, ", got ");
        add_list(c->why, got);
    }
    c->fits = false;
}

static void same_text(struct compare *c, const char *key, const char *want,
                      const char *got)
{
    if (want != NULL && strcmp(want, got) != 0)
        differ(c, key, want, got);
}

static void compare_state(struct compare *c, const struct cli_want *w, const json_t *got)
{
    enum hale_state state = (enum hale_state)int_of(got, "state");
    enum hale_state old = (enum hale_state)int_of(got, "old_state");
    enum hale_severity severity = (enum hale_severity)int_of(got, "severity");
    if (w->state >= 0 && (int)state != w->state)
        differ(c, "state", hale_state_text((enum hale_state)w->state),
               hale_state_text(state));
    if (w->old_state >= 0 && (int)old != w->old_state)
        differ(c, "old_state", hale_state_text((enum hale_state)w->old_state),
               hale_state_text(old));
    if (w->severity >= 0 && (int)severity != w->severity)
        differ(c, "severity", hale_severity_text((enum hale_severity)w->severity),
               hale_severity_text(severity));
    if (w->reason != NULL && strstr(text_of(got, "reason"), w->reason) == NULL)
        differ(c, "reason", w->reason, text_of(got, "reason"));
    same_text(c, "op", w->op, text_of(got, "op"));
}

static void compare_life(struct compare *c, const struct cli_want *w, const json_t *got)
{
    const json_t *life = json_object_get(got, "life");
    bool root = json_is_true(json_object_get(life, "root_cause"));
    if (w->causes != NULL && !sets_equal(w->causes, json_object_get(got, "causes")))
        differ_lists(c, "causes", w->causes, json_object_get(got, "causes"));
    if (w->suppressed_by != NULL &&
        !sets_equal(w->suppressed_by, json_object_get(got, "suppressed_by")))
        differ_lists(c, "suppressed_by", w->suppressed_by,
                     json_object_get(got, "suppressed_by"));
    if (w->root_cause >= 0 && root != (w->root_cause == 1))
        differ(c, "root_cause", w->root_cause == 1 ? "yes" : "no", root ? "yes" : "no");
    same_text(c, "owner", w->owner, text_of(life, "owner"));
    same_text(c, "ack", w->ack, text_of(json_object_get(life, "ack"), "by"));
    same_text(c, "phase", w->phase, text_of(life, "phase"));
}

static void compare_action(struct compare *c, const struct cli_want *w, const json_t *got)
{
    char number[2][24];
    same_text(c, "policy", w->policy, text_of(got, "policy"));
    same_text(c, "target", w->target, text_of(got, "target"));
    same_text(c, "mode", w->mode, text_of(got, "mode"));
    same_text(c, "verdict", w->verdict, text_of(got, "verdict"));
    same_text(c, "guard", w->guard, text_of(got, "guard"));
    same_text(c, "outcome", w->outcome, text_of(got, "outcome"));
    same_text(c, "row", w->row, text_of(got, "row"));
    if (w->steps != NULL && !steps_fit(w->steps, json_object_get(got, "steps")))
        differ_lists(c, "steps", w->steps, json_object_get(got, "steps"));
    if (w->calls >= 0 && w->calls != int_of(got, "calls")) {
        (void)snprintf(number[0], sizeof(number[0]), "%" PRId64, w->calls);
        (void)snprintf(number[1], sizeof(number[1]), "%" PRId64, int_of(got, "calls"));
        differ(c, "calls", number[0], number[1]);
    }
}

/* What each guard said of those that are named. */
static void compare_guards(struct compare *c, const struct cli_want *w, const json_t *got)
{
    const char *guard;
    json_t *wanted;
    json_object_foreach (w->guards, guard, wanted) {
        const char *said = text_of(json_object_get(got, "guards"), guard);
        same_text(c, guard, json_string_value(wanted),
                  said[0] != '\0' ? said : "not asked");
    }
}

static bool fits(const struct cli_want *w, const json_t *got, bool sequence,
                 struct hale_buf *why)
{
    struct compare c = {.why = why, .fits = true};
    if (sequence && (int_of(got, "at_ms") < w->at_ms ||
                     int_of(got, "at_ms") > w->at_ms + w->within_ms))
        return false;
    if (!cli_alarm_fits(&w->ref, text_of(got, "name"), json_object_get(got, "group")))
        return false;
    compare_state(&c, w, got);
    compare_life(&c, w, got);
    compare_action(&c, w, got);
    compare_guards(&c, w, got);
    return c.fits;
}

/* --- texts of lines ---------------------------------------------------------------- */

static void add_object(struct hale_buf *b, const json_t *o)
{
    char *text = json_dumps(o, JSON_SORT_KEYS);
    hale_buf_printf(b, " %s", text != NULL ? text : "");
    free(text);
}

static void add_want(struct hale_buf *b, const struct cli_want *w)
{
    char name[NAME_BYTES], at[32];
    hale_buf_add_c(b, cli_time_text(w->at_ms, at));
    if (w->within_ms > 0)
        hale_buf_printf(b, " to %s", cli_time_text(w->at_ms + w->within_ms, at));
    if (w->policy != NULL)
        hale_buf_printf(b, " %s", w->policy);
    if (w->ref.name != NULL)
        hale_buf_printf(b, " %s",
                        cli_alarm_text(w->ref.name, w->ref.group, name, sizeof(name)));
    if (w->old_state >= 0)
        hale_buf_printf(b, " %s ->", hale_state_text((enum hale_state)w->old_state));
    if (w->state >= 0)
        hale_buf_printf(b, " %s", hale_state_text((enum hale_state)w->state));
    if (w->severity >= 0)
        hale_buf_printf(b, " %s", hale_severity_text((enum hale_severity)w->severity));
    const char *texts[] = {w->row,    w->verdict, w->guard, w->mode,
                           w->target, w->outcome, w->op};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i] != NULL && texts[i][0] != '\0')
            hale_buf_printf(b, " %s", texts[i]);
    if (w->steps != NULL) {
        hale_buf_add_char(b, ' ');
        add_list(b, w->steps);
    }
    if (w->calls >= 0)
        hale_buf_printf(b, " %" PRId64 " calls", w->calls);
    if (w->reason != NULL)
        hale_buf_printf(b, " \"...%s...\"", w->reason);
    if (w->guards != NULL)
        add_object(b, w->guards);
}

static void add_got(struct hale_buf *b, const json_t *got)
{
    char name[NAME_BYTES], at[32];
    hale_buf_printf(b, "%s", cli_time_text(int_of(got, "at_ms"), at));
    if (json_object_get(got, "row") != NULL) {
        hale_buf_printf(b, " %s %s %s %s %s \"%.300s\"", text_of(got, "policy"),
                        name_of(got, name), text_of(got, "row"), text_of(got, "guard"),
                        text_of(got, "target"), text_of(got, "reason"));
        if (json_object_size(json_object_get(got, "guards")) > 0)
            add_object(b, json_object_get(got, "guards"));
        return;
    }
    if (json_object_get(got, "policy") != NULL) {
        hale_buf_printf(b, " %s %s %s %s %s %s %s ", text_of(got, "policy"),
                        name_of(got, name), text_of(got, "verdict"),
                        text_of(got, "guard"), text_of(got, "mode"),
                        text_of(got, "target"), text_of(got, "outcome"));
        add_list(b, json_object_get(got, "steps"));
        hale_buf_printf(b, " %" PRId64 " calls", int_of(got, "calls"));
        return;
    }
    hale_buf_printf(b, " %s %s -> %s %s%s%s \"%.300s\"", name_of(got, name),
                    hale_state_text((enum hale_state)int_of(got, "old_state")),
                    hale_state_text((enum hale_state)int_of(got, "state")),
                    hale_severity_text((enum hale_severity)int_of(got, "severity")),
                    text_of(got, "op")[0] != '\0' ? " " : "", text_of(got, "op"),
                    text_of(got, "reason"));
}

/* --- alarms at a time -------------------------------------------------------------- */

static void head(const struct cli_scenario *s, int line, const char *what,
                 struct cli_verdict *v)
{
    hale_buf_printf(&v->text, "  %s:%d: %s\n", s->path, line, what);
}

static void check_alarm(const struct cli_scenario *s, const struct cli_want *w,
                        const json_t *alarms, bool *bad, struct cli_verdict *v)
{
    char name[NAME_BYTES];
    int64_t n = 0;
    size_t i;
    const json_t *got;
    struct hale_buf why;
    const char *wanted = cli_alarm_text(w->ref.name, w->ref.group, name, sizeof(name));
    hale_buf_init(&why, 1u << 20);
    json_array_foreach ((json_t *)(uintptr_t)alarms, i, got) {
        char shown[NAME_BYTES];
        if (!cli_alarm_fits(&w->ref, text_of(got, "name"), json_object_get(got, "group")))
            continue;
        n++;
        hale_buf_reset(&why);
        if (w->absent || fits(w, got, false, &why))
            continue;
        *bad = true;
        hale_buf_printf(&v->text, "    %s:%d: %s: %s\n", s->path, w->line,
                        name_of(got, shown), why.p != NULL ? why.p : "");
    }
    hale_buf_fini(&why);
    bool wrong = w->absent ? n > 0 : w->count >= 0 ? n != w->count : n == 0;
    if (!wrong)
        return;
    *bad = true;
    hale_buf_printf(&v->text, "    %s:%d: %s: expected ", s->path, w->line, wanted);
    if (w->absent)
        hale_buf_add_c(&v->text, "no such alarm");
    else if (w->count >= 0)
        hale_buf_printf(&v->text, "%" PRId64 " of them", w->count);
    else
        hale_buf_add_c(&v->text, "an alarm");
    hale_buf_printf(&v->text, ", got %" PRId64 "\n", n);
}

static bool listed(const struct cli_expect *x, const json_t *got)
{
    for (unsigned i = 0; i < x->n; i++)
        if (cli_alarm_fits(&x->v[i].ref, text_of(got, "name"),
                           json_object_get(got, "group")))
            return true;
    return false;
}

void cli_check_alarms(const struct cli_scenario *s, const struct cli_expect *x,
                      const json_t *alarms, struct cli_verdict *v)
{
    char at[32], text[80], name[NAME_BYTES];
    size_t start = v->text.len, i;
    const json_t *got;
    bool bad = false;
    (void)snprintf(text, sizeof(text), "alarms at %s", cli_time_text(x->at_ms, at));
    head(s, x->line, text, v);
    for (unsigned k = 0; k < x->n; k++)
        check_alarm(s, &x->v[k], alarms, &bad, v);
    json_array_foreach ((json_t *)(uintptr_t)alarms, i, got) {
        if (x->others || int_of(got, "state") == HALE_STATE_OK || listed(x, got))
            continue;
        bad = true;
        hale_buf_printf(&v->text, "    not expected: %s %s\n", name_of(got, name),
                        hale_state_text((enum hale_state)int_of(got, "state")));
    }
    if (bad)
        v->failed++;
    else if (!v->text.failed)
        v->text.len = start, v->text.p[start] = '\0';
}

/* --- sequences --------------------------------------------------------------------- */

struct pairing { /* the longest way through both sequences in order */
    const struct cli_expect *x;
    const json_t **got;
    size_t n, m;
    unsigned *len; /* (n + 1) * (m + 1): of the rest from here */
    bool *pair;    /* fits(i, k) */
};

static unsigned rest(const struct pairing *p, size_t i, size_t k)
{
    return p->len[i * (p->m + 1) + k];
}

static void solve(struct pairing *p)
{
    for (size_t i = p->n; i-- > 0;) {
        for (size_t k = p->m; k-- > 0;) {
            bool f = fits(&p->x->v[i], p->got[k], true, NULL);
            unsigned down = rest(p, i + 1, k), right = rest(p, i, k + 1);
            unsigned best = down > right ? down : right;
            if (f && rest(p, i + 1, k + 1) + 1 > best)
                best = rest(p, i + 1, k + 1) + 1;
            p->pair[i * p->m + k] = f;
            p->len[i * (p->m + 1) + k] = best;
        }
    }
}

static bool is_pair(const struct pairing *p, size_t i, size_t k)
{
    return i < p->n && k < p->m && p->pair[i * p->m + k] &&
           rest(p, i, k) == rest(p, i + 1, k + 1) + 1;
}

/* Prints the walk; returns whether anything was missing or too much. */
static bool walk(const struct cli_scenario *s, const struct pairing *p,
                 struct cli_verdict *v)
{
    size_t i = 0, k = 0;
    bool bad = false;
    struct hale_buf *b = &v->text;
    while (i < p->n || k < p->m) {
        if (is_pair(p, i, k)) {
            hale_buf_add_c(b, "      ");
            add_got(b, p->got[k]);
            i++, k++;
        } else if (i < p->n && (k == p->m || rest(p, i + 1, k) >= rest(p, i, k + 1))) {
            bad = true;
            hale_buf_printf(b, "    - ");
            add_want(b, &p->x->v[i]);
            hale_buf_printf(b, "   (%s:%d)", s->path, p->x->v[i++].line);
        } else if (p->x->others) {
            k++;
            continue;
        } else {
            bad = true;
            hale_buf_add_c(b, "    + ");
            add_got(b, p->got[k++]);
        }
        hale_buf_add_char(b, '\n');
    }
    return bad;
}

void cli_check_sequence(const struct cli_scenario *s, const struct cli_expect *x,
                        const json_t *seen, struct cli_verdict *v)
{
    static const char *const words[] = {"alarms", "notifications", "transitions",
                                        "actions", "journal"};
    char text[120];
    struct pairing p = {.x = x, .n = x->n};
    size_t start = v->text.len, i;
    const json_t *got;
    bool bad = true;
    p.got = calloc(json_array_size(seen) + 1, sizeof(*p.got));
    json_array_foreach ((json_t *)(uintptr_t)seen, i, got)
        if (p.got != NULL && int_of(got, "at_ms") >= x->from_ms &&
            int_of(got, "at_ms") <= x->to_ms)
            p.got[p.m++] = got;
    size_t cells = (p.n + 1) * (p.m + 1);
    if (p.got != NULL && cells <= TABLE_CELLS) {
        p.len = calloc(cells, sizeof(*p.len));
        p.pair = calloc(cells, sizeof(*p.pair));
    }
    (void)snprintf(text, sizeof(text), "%s (- expected, + got):", words[x->kind]);
    head(s, x->line, text, v);
    if (p.len != NULL && p.pair != NULL) {
        solve(&p);
        bad = walk(s, &p, v);
    } else {
        hale_buf_printf(&v->text, "    too many to compare: %zu expected, %zu got\n", p.n,
                        p.m);
    }
    if (bad)
        v->failed++;
    else if (!v->text.failed)
        v->text.len = start, v->text.p[start] = '\0';
    free(p.got);
    free(p.len);
    free(p.pair);
}
