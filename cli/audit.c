/* SPDX-License-Identifier: Apache-2.0 */
/* audit - the journal: hale audit show|export|verify. What is checked is checked here, from the rows
 * themselves (model/chain.h): nobody has to believe the server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "model/chain.h"

#define PATH_MAX_BYTES  8192
#define FILE_MAX_BYTES  ((size_t)4 << 30)
#define HEADS_MAX_BYTES ((size_t)64 << 20)
#define ROWS_PAGE       1000

static int misses(const char *verb, const char *what)
{
    (void)fprintf(stderr, "hale: audit %s %s\n", verb, what);
    return CLI_USAGE;
}

/* --from and --to as since= and until=. */
static enum hale_rc add_span(struct hale_buf *path, const struct cli_options *o,
                             struct hale_err *err)
{
    char iso[HALE_CLOCK_ISO_MAX];
    int64_t now_ms = hale_clock_wall_ms(), at_ms = 0;
    enum hale_rc rc = HALE_OK;
    if (o->from != NULL) {
        rc = cli_time(o->from, "from", now_ms, &at_ms, err);
        cli_api_query(path, "since", hale_clock_iso_ms(at_ms, iso));
    }
    if (rc == HALE_OK && o->to != NULL) {
        rc = cli_time(o->to, "to", now_ms, &at_ms, err);
        cli_api_query(path, "until", hale_clock_iso_ms(at_ms, iso));
    }
    return rc;
}

/* --- show ---------------------------------------------------------------------------- */

static void print_rows(const json_t *rows)
{
    static const char *const titles[] = {"TIME", "KIND", "POLICY", "TARGET",
                                         "STEP", "BY",   "WHAT"};
    struct cli_table *table = cli_table_new(7, titles);
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char iso[HALE_CLOCK_ISO_MAX], step[24] = "";
        int64_t number = (int64_t)json_integer_value(json_object_get(row, "step"));
        if (number >= 0)
            (void)snprintf(step, sizeof(step), "%lld", (long long)number);
        cli_table_row(
            table,
            (const char *const[]){
                hale_clock_iso_ms(
                    (int64_t)json_integer_value(json_object_get(row, "time_ms")), iso),
                cli_text(row, "kind"), cli_text(row, "policy"), cli_text(row, "target"),
                step, cli_text(json_object_get(row, "detail"), "by"),
                cli_text(row, "text")});
    }
    cli_table_print(table);
}

/* Puts the rows of an older page before those that are there. */
static enum hale_rc prepend(json_t **all, json_t *page)
{
    if (json_array_extend(page, *all) != 0)
        return HALE_E_NOMEM;
    json_decref(*all);
    *all = json_incref(page);
    return HALE_OK;
}

/* The newest o->limit rows, ascending. */
static enum hale_rc read_rows(const struct cli_options *o, const char *query,
                              json_t **all, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    char before[128] = "", limit[24];
    size_t got = 1;
    *all = json_array();
    while (rc == HALE_OK && got > 0 && json_array_size(*all) < (size_t)o->limit) {
        struct hale_buf path;
        json_t *answer = NULL;
        size_t left = (size_t)o->limit - json_array_size(*all);
        (void)snprintf(limit, sizeof(limit), "%zu", left < ROWS_PAGE ? left : ROWS_PAGE);
        hale_buf_init(&path, PATH_MAX_BYTES);
        hale_buf_add_c(&path, query);
        cli_api_query(&path, "limit", limit);
        cli_api_query(&path, "before", before[0] != '\0' ? before : NULL);
        rc = path.failed ? hale_err_set(err, HALE_E_LIMIT, "that is too long to ask")
                         : cli_api_call(&o->api, "GET", path.p, NULL, &answer, err);
        hale_buf_fini(&path);
        json_t *rows = json_object_get(answer, "elements");
        got = json_array_size(rows);
        if (rc == HALE_OK && got > 0) {
            (void)snprintf(before, sizeof(before), "%s",
                           cli_text(json_array_get(rows, 0), "id"));
            rc = prepend(all, rows);
        }
        json_decref(answer);
    }
    return rc;
}

static int show(const struct cli_options *o)
{
    struct hale_err err = {0};
    struct hale_buf query;
    json_t *rows = NULL;
    hale_buf_init(&query, PATH_MAX_BYTES);
    hale_buf_add_c(&query, "/v1/journal");
    cli_api_query(&query, "run", o->run);
    cli_api_query(&query, "policy", o->policy);
    cli_api_query(&query, "target", o->target);
    cli_api_query(&query, "alarm_id", o->alarm);
    cli_api_query(&query, "kind", o->kind);
    if (add_span(&query, o, &err) != HALE_OK) {
        hale_buf_fini(&query);
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    enum hale_rc rc = query.failed
                          ? hale_err_set(&err, HALE_E_LIMIT, "that is too long to ask")
                          : read_rows(o, query.p, &rows, &err);
    hale_buf_fini(&query);
    int code = CLI_OK;
    if (rc != HALE_OK)
        code = cli_fail(&err);
    else if (o->json)
        code = cli_print_json(rows);
    else
        print_rows(rows);
    json_decref(rows);
    return code;
}

/* --- the chain, page by page ------------------------------------------------------------ */

/* What is done with what is read: head once, then each row. */
struct reader {
    enum hale_rc (*head)(void *arg, const json_t *page, struct hale_err *err);
    enum hale_rc (*row)(void *arg, const json_t *row, struct hale_err *err);
    void *arg;
};

static enum hale_rc read_page(const json_t *page, bool first, const struct reader *r,
                              struct hale_err *err)
{
    size_t i;
    json_t *row;
    enum hale_rc rc = first ? r->head(r->arg, page, err) : HALE_OK;
    json_array_foreach (json_object_get(page, "elements"), i, row)
        if (rc == HALE_OK)
            rc = r->row(r->arg, row, err);
    return rc;
}

/* *from_server: the failure is that of the call. */
static enum hale_rc read_chain(const struct cli_options *o, const struct reader *r,
                               bool *from_server, struct hale_err *err)
{
    char after[HALE_CHAIN_ID_MAX] = "";
    bool first = true, more = true;
    enum hale_rc rc = HALE_OK;
    *from_server = false;
    while (rc == HALE_OK && more) {
        struct hale_buf path;
        json_t *page = NULL;
        hale_buf_init(&path, PATH_MAX_BYTES);
        hale_buf_add_c(&path, "/v1/journal/chain");
        cli_api_query(&path, "limit", "1000");
        cli_api_query(&path, "after", after[0] != '\0' ? after : NULL);
        rc = add_span(&path, o, err);
        if (rc == HALE_OK)
            rc = cli_api_call(&o->api, "GET", path.p, NULL, &page, err);
        hale_buf_fini(&path);
        *from_server = rc != HALE_OK;
        if (rc == HALE_OK)
            rc = read_page(page, first, r, err);
        first = false;
        (void)snprintf(after, sizeof(after), "%s", cli_text(page, "next"));
        more = after[0] != '\0';
        json_decref(page);
    }
    return rc;
}

/* --- export -------------------------------------------------------------------------- */

static enum hale_rc print_line(const json_t *o, struct hale_err *err)
{
    char *text = json_dumps(o, JSON_COMPACT);
    if (text == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    int written = puts(text);
    free(text);
    return written >= 0 ? HALE_OK
                        : hale_err_set(err, HALE_E_IO, "cannot write to standard output");
}

static enum hale_rc export_head(void *arg, const json_t *page, struct hale_err *err)
{
    (void)arg;
    json_t *head = json_pack("{s:s,s:i,s:O,s:O}", "hale", "journal", "v", 1, "whole",
                             json_object_get(page, "whole"), "heads",
                             json_object_get(page, "heads"));
    enum hale_rc rc = head != NULL
                          ? print_line(head, err)
                          : hale_err_set(err, HALE_E_INVAL, "that is not a journal");
    json_decref(head);
    return rc;
}

static enum hale_rc export_row(void *arg, const json_t *row, struct hale_err *err)
{
    (void)arg;
    return print_line(row, err);
}

static int export_all(const struct cli_options *o)
{
    const struct reader r = {export_head, export_row, NULL};
    struct hale_err err = {0};
    bool from_server;
    return read_chain(o, &r, &from_server, &err) == HALE_OK ? CLI_OK : cli_fail(&err);
}

/* --- verify -------------------------------------------------------------------------- */

struct verify {
    const struct cli_options *o;
    struct hale_chain_check *check;
};

/* Lines of the actuator's audit_head_file: {"tenant","n","id","hash"}. */
static enum hale_rc expect_noted(struct verify *v, struct hale_err *err)
{
    struct hale_buf file;
    enum hale_rc rc;
    if (v->o->heads == NULL)
        return HALE_OK;
    hale_buf_init(&file, HEADS_MAX_BYTES);
    rc = hale_fs_read(v->o->heads, &file, err);
    struct hale_str rest = hale_buf_str(&file);
    while (rc == HALE_OK && rest.p != NULL) {
        struct hale_chain_link head = {0};
        struct hale_str text = hale_str_split(&rest, '\n');
        if (text.len == 0)
            continue;
        json_t *o = json_loadb(text.p, text.len, 0, NULL);
        head.n = (int64_t)json_integer_value(json_object_get(o, "n"));
        if (head.n < 1 ||
            hale_chain_unhex(hale_str_from(cli_text(o, "hash")), head.hash) != HALE_OK)
            rc =
                hale_err_set(err, HALE_E_INVAL, "%s is not a file of heads", v->o->heads);
        else
            rc = hale_chain_check_expect(v->check, hale_str_from(cli_text(o, "tenant")),
                                         &head);
        json_decref(o);
    }
    hale_buf_fini(&file);
    return rc;
}

static enum hale_rc verify_head(void *arg, const json_t *page, struct hale_err *err)
{
    struct verify *v = arg;
    const char *tenant;
    json_t *text;
    enum hale_rc rc = HALE_OK;
    bool whole = json_is_true(json_object_get(page, "whole"));
    v->check = hale_chain_check_new(whole);
    if (v->check == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (v->o->to != NULL || !whole) /* the rows end before the heads, or begin late */
        return expect_noted(v, err);
    json_object_foreach (json_object_get(page, "heads"), tenant, text) {
        struct hale_chain_link head;
        struct hale_str id;
        if (rc == HALE_OK && hale_chain_head_parse(hale_str_from(json_string_value(text)),
                                                   &head, &id) != HALE_OK)
            rc = hale_err_set(err, HALE_E_INVAL, "the head of the chain is not readable");
        if (rc == HALE_OK)
            rc = hale_chain_check_expect(v->check, hale_str_from(tenant), &head);
    }
    return rc == HALE_OK ? expect_noted(v, err) : rc;
}

static enum hale_rc verify_row(void *arg, const json_t *row, struct hale_err *err)
{
    struct verify *v = arg;
    struct hale_chain_link link = {
        .n = (int64_t)json_integer_value(json_object_get(row, "n"))};
    const json_t *text = json_object_get(row, "text");
    struct hale_str bytes = {json_string_value(text), json_string_length(text)};
    bool sealed = json_object_get(row, "hash") != NULL;
    const char *id = cli_text(row, "id");
    if (v->check == NULL || id[0] == '\0' ||
        (sealed &&
         (hale_chain_unhex(hale_str_from(cli_text(row, "prev")), link.prev) != HALE_OK ||
          hale_chain_unhex(hale_str_from(cli_text(row, "hash")), link.hash) != HALE_OK)))
        return hale_err_set(err, HALE_E_INVAL, "%.40s: that is not a row with its link",
                            id);
    return hale_chain_check_row(v->check, hale_str_from(cli_text(row, "tenant")),
                                hale_str_from(id), sealed ? &link : NULL, bytes, err);
}

/* An export: the first line is the head, each further one a row. */
static enum hale_rc read_file(const char *path, const struct reader *r,
                              struct hale_err *err)
{
    struct hale_buf file;
    size_t number = 0;
    hale_buf_init(&file, FILE_MAX_BYTES);
    enum hale_rc rc = hale_fs_read(path, &file, err);
    struct hale_str rest = hale_buf_str(&file);
    while (rc == HALE_OK && rest.p != NULL) {
        struct hale_str text = hale_str_split(&rest, '\n');
        if (text.len == 0)
            continue;
        json_t *o = json_loadb(text.p, text.len, JSON_ALLOW_NUL, NULL);
        if (++number == 1 && strcmp(cli_text(o, "hale"), "journal") != 0)
            rc = hale_err_set(err, HALE_E_INVAL,
                              "%s is not an export of the journal (hale audit export)",
                              path);
        else if (!json_is_object(o))
            rc =
                hale_err_set(err, HALE_E_INVAL, "%s:%zu: that is not JSON", path, number);
        else
            rc = number == 1 ? r->head(r->arg, o, err) : r->row(r->arg, o, err);
        json_decref(o);
    }
    hale_buf_fini(&file);
    if (rc == HALE_OK && number == 0)
        rc = hale_err_set(err, HALE_E_INVAL, "%s is empty", path);
    return rc;
}

static int say(const struct cli_options *o, const struct verify *v, enum hale_rc rc,
               const struct hale_err *err)
{
    struct hale_chain_totals t = {0};
    if (v->check != NULL)
        t = hale_chain_check_totals(v->check);
    if (o->json) {
        json_t *answer =
            json_pack("{s:b,s:I,s:I,s:s,s:s,s:s*}", "intact", rc == HALE_OK, "rows",
                      (json_int_t)t.rows, "pending", (json_int_t)t.pending, "first",
                      t.first, "last", t.last, "error", rc == HALE_OK ? NULL : err->text);
        (void)cli_print_json(answer);
        json_decref(answer);
        return rc == HALE_OK ? CLI_OK : CLI_FAILED;
    }
    if (rc != HALE_OK)
        return cli_fail(err);
    printf("intact: %lld rows", (long long)t.rows);
    if (t.rows > 0)
        printf(", %s to %s", t.first, t.last);
    if (t.pending > 0)
        printf("; %lld new ones not sealed yet", (long long)t.pending);
    putchar('\n');
    return CLI_OK;
}

static int verify(const struct cli_options *o, const char *path)
{
    struct verify v = {.o = o};
    const struct reader r = {verify_head, verify_row, &v};
    struct hale_err err = {0};
    bool from_server = false;
    enum hale_rc rc =
        path != NULL ? read_file(path, &r, &err) : read_chain(o, &r, &from_server, &err);
    if (rc == HALE_OK)
        rc = hale_chain_check_end(v.check, &err);
    int code = from_server ? cli_fail(&err) : say(o, &v, rc, &err);
    hale_chain_check_free(v.check);
    return code;
}

int cli_audit(const struct cli_options *o, const char *verb, int n, char **words)
{
    if (strcmp(verb, "show") == 0 && n == 0)
        return show(o);
    if (strcmp(verb, "export") == 0 && n == 0)
        return export_all(o);
    if (strcmp(verb, "verify") == 0)
        return n <= 1 ? verify(o, n == 1 ? words[0] : NULL)
                      : misses(verb, "wants one file, or none");
    return misses(verb, "is unknown: it is show, export or verify");
}
