/* SPDX-License-Identifier: Apache-2.0 */
/* test - `hale test FILE...`: scenarios, their verdicts, and a JUnit report. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/scenario_run.h"
#include "cli/table.h"

#define REPORT_BYTES (64u << 20)

struct tally {
    size_t passed, failed, broken;
    struct hale_buf cases; /* of the JUnit report */
};

/* --- JUnit ------------------------------------------------------------------------- */

static void add_xml(struct hale_buf *b, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '<')
            hale_buf_add_c(b, "&lt;");
        else if (c == '>')
            hale_buf_add_c(b, "&gt;");
        else if (c == '&')
            hale_buf_add_c(b, "&amp;");
        else if (c == '"')
            hale_buf_add_c(b, "&quot;");
        else if (c >= ' ' || c == '\n' || c == '\t')
            hale_buf_add_char(b, *p);
    }
}

static void add_case(struct tally *t, const char *path, const char *name, int64_t took_us,
                     const char *tag, const char *text)
{
    struct hale_buf *b = &t->cases;
    hale_buf_add_c(b, "  <testcase classname=\"");
    add_xml(b, path);
    hale_buf_add_c(b, "\" name=\"");
    add_xml(b, name);
    hale_buf_printf(b, "\" time=\"%lld.%06lld\"", (long long)(took_us / 1000000),
                    (long long)(took_us % 1000000));
    if (tag == NULL) {
        hale_buf_add_c(b, "/>\n");
        return;
    }
    hale_buf_printf(b, ">\n    <%s message=\"", tag);
    add_xml(b, strcmp(tag, "error") == 0 ? text : "not as expected");
    hale_buf_add_c(b, "\">");
    add_xml(b, text);
    hale_buf_printf(b, "</%s>\n  </testcase>\n", tag);
}

static int write_report(const char *path, const struct tally *t)
{
    struct hale_err err = {0};
    struct hale_buf b;
    hale_buf_init(&b, REPORT_BYTES);
    hale_buf_printf(&b,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
                    "<testsuite name=\"hale test\" tests=\"%zu\" failures=\"%zu\" "
                    "errors=\"%zu\">\n",
                    t->passed + t->failed + t->broken, t->failed, t->broken);
    hale_buf_add_str(&b, hale_buf_str(&t->cases));
    hale_buf_add_c(&b, "</testsuite>\n</testsuites>\n");
    enum hale_rc rc = b.failed || t->cases.failed
                          ? hale_err_set(&err, HALE_E_LIMIT, "the report is too large")
                          : hale_fs_write(path, b.p, b.len, 0644, &err);
    hale_buf_fini(&b);
    return rc == HALE_OK ? CLI_OK : cli_fail(&err);
}

/* --- one file ---------------------------------------------------------------------- */

static void broken(const char *path, const char *name, const struct hale_err *err,
                   struct tally *t)
{
    char text[600];
    (void)hale_err_str(err, text, sizeof(text));
    t->broken++;
    add_case(t, path, name, 0, "error", text);
    (void)cli_fail(err);
}

static void print_clean(const struct hale_buf *b)
{
    char line[2048];
    struct hale_str rest = hale_buf_str(b);
    while (rest.p != NULL && rest.len > 0) {
        struct hale_str one = hale_str_split(&rest, '\n');
        (void)snprintf(line, sizeof(line), "%.*s", (int)one.len,
                       one.p != NULL ? one.p : "");
        printf("%s\n", cli_table_clean(line));
    }
}

/* The first line in which b is another than a goes into a's text. */
static void differ(struct cli_verdict *a, const struct cli_verdict *b, long seed)
{
    struct hale_str x = hale_buf_str(&a->timeline), y = hale_buf_str(&b->timeline);
    while (x.len > 0 || y.len > 0) {
        struct hale_str p = hale_str_split(&x, '\n'), q = hale_str_split(&y, '\n');
        if (hale_str_eq(p, q))
            continue;
        a->failed++;
        hale_buf_printf(
            &a->text,
            "  with restarts (--kill-seed %ld) it goes another way (- without, "
            "+ with):\n    - %.*s\n    + %.*s\n",
            seed, (int)p.len, p.p != NULL ? p.p : "", (int)q.len, q.p != NULL ? q.p : "");
        return;
    }
}

static enum hale_rc run(const struct cli_options *o, const struct cli_scenario *s,
                        struct cli_verdict *v, struct hale_err *err)
{
    struct cli_verdict killed;
    enum hale_rc rc = cli_scenario_run(s, o->verbose || o->kill_seed != 0, v, err);
    if (rc != HALE_OK || o->kill_seed == 0)
        return rc;
    rc = cli_scenario_run_killed(s, (uint64_t)o->kill_seed, &killed, err);
    if (rc == HALE_OK)
        differ(v, &killed, o->kill_seed);
    cli_verdict_fini(&killed);
    return rc;
}

static void run_one(const struct cli_options *o, const char *path, struct tally *t)
{
    struct hale_err err = {0};
    struct cli_scenario *s = NULL;
    struct cli_verdict v;
    int64_t began_us = hale_clock_mono_us();
    if (cli_scenario_load(path, &s, &err) != HALE_OK) {
        broken(path, path, &err, t);
        return;
    }
    if (run(o, s, &v, &err) != HALE_OK) {
        broken(path, s->name, &err, t);
    } else {
        bool ok = v.failed == 0;
        *(ok ? &t->passed : &t->failed) += 1;
        printf("%s  %s: %s (%u expectation%s, %zu inputs, %zu records)\n",
               ok ? "ok  " : "FAIL", path, cli_table_clean(s->name), v.expected,
               v.expected == 1 ? "" : "s", v.inputs, v.records);
        if (o->verbose)
            print_clean(&v.timeline);
        print_clean(&v.text);
        add_case(t, path, s->name, hale_clock_mono_us() - began_us, ok ? NULL : "failure",
                 v.text.p != NULL ? v.text.p : "");
    }
    cli_verdict_fini(&v);
    cli_scenario_free(s);
}

int cli_test(const struct cli_options *o, int n, char **paths)
{
    struct tally t = {0};
    int code = CLI_OK;
    hale_buf_init(&t.cases, REPORT_BYTES);
    for (int i = 0; i < n; i++)
        run_one(o, paths[i], &t);
    if (n > 1)
        printf("%zu passed, %zu failed, %zu could not be run\n", t.passed, t.failed,
               t.broken);
    if (o->junit != NULL)
        code = write_report(o->junit, &t);
    if (t.failed > 0)
        code = CLI_FAILED;
    if (t.broken > 0)
        code = CLI_USAGE;
    hale_buf_fini(&t.cases);
    return code;
}
