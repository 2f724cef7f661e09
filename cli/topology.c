/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/topology.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "cli/table.h"
#include "model/inventory.h"
#include "model/topology_file.h"

#define PART_MAX   5000 /* entities of one call */
#define EXPORT_MAX ((size_t)1 << 30)

static int usage_error(const char *what)
{
    (void)fprintf(stderr, "hale: topology %s\n      hale --help shows the commands\n",
                  what);
    return CLI_USAGE;
}

static int bad_file(const struct hale_err *err)
{
    (void)cli_fail(err);
    return CLI_USAGE;
}

/* --- writing ------------------------------------------------------------------------- */

static long long number(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static void print_refs(const char *what, const json_t *part, const char *sign)
{
    size_t i;
    json_t *one;
    const json_t *list = json_object_get(part, "elements");
    long long count = number(part, "count");
    json_array_foreach (list, i, one) {
        char text[600] = "";
        if (json_is_string(one))
            (void)snprintf(text, sizeof(text), "%s", json_string_value(one));
        for (size_t k = 0; k < json_array_size(one); k++) {
            size_t used = strlen(text);
            (void)snprintf(text + used, sizeof(text) - used, "%s%s", k > 0 ? " -> " : "",
                           json_string_value(json_array_get(one, k)));
        }
        (void)printf("%s ", sign);
        cli_table_text(text);
        (void)putchar('\n');
    }
    if (count > (long long)json_array_size(list))
        (void)printf("  ... %lld %s in all\n", count, what);
}

static int dry_run(const struct cli_options *o, const json_t *body)
{
    struct hale_err err = {0};
    json_t *plan = NULL;
    if (cli_api_call(&o->api, "POST", "/v1/topology/check", body, &plan, &err) != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        int code = cli_print_json(plan);
        json_decref(plan);
        return code;
    }
    print_refs("added", json_object_get(plan, "added"), "+");
    print_refs("changed", json_object_get(plan, "changed"), "~");
    print_refs("deleted", json_object_get(plan, "deleted"), "-");
    print_refs("dangling", json_object_get(plan, "dangling"), "? named, but not there:");
    print_refs("cycles", json_object_get(plan, "cycles"), "? in a circle:");
    (void)printf("%lld added, %lld changed, %lld deleted, %lld unchanged (dry run)\n",
                 number(json_object_get(plan, "added"), "count"),
                 number(json_object_get(plan, "changed"), "count"),
                 number(json_object_get(plan, "deleted"), "count"),
                 number(plan, "unchanged"));
    json_decref(plan);
    return CLI_OK;
}

struct sending {
    const char *list;    /* "put" or "patch" */
    const char *sync_id; /* NULL: no sync */
    long long refused;
    bool applied;
};

/* One call with a part of the list. */
static enum hale_rc send_part(const struct cli_options *o, const json_t *body,
                              size_t from, struct sending *s, struct hale_err *err)
{
    const json_t *all = json_object_get(body, s->list);
    size_t n = json_array_size(all), end = n - from > PART_MAX ? from + PART_MAX : n;
    json_t *part = json_array(), *answer = NULL;
    for (size_t i = from; i < end; i++)
        (void)json_array_append(part, json_array_get(all, i)); /* checked by its size */
    bool whole = json_array_size(part) == end - from;
    json_t *call =
        json_pack("{s:O,s:o}", "source", json_object_get(body, "source"), s->list, part);
    if (call != NULL && s->sync_id != NULL &&
        json_object_set_new(call, "sync",
                            json_pack("{s:s,s:b,s:b}", "id", s->sync_id, "begin",
                                      from == 0, "end", end == n)) != 0)
        whole = false;
    enum hale_rc rc =
        call != NULL && whole
            ? cli_api_call(&o->api, "POST", "/v1/topology?wait=true", call, &answer, err)
            : hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (rc == HALE_OK) {
        s->refused += number(answer, "refused");
        s->applied = json_is_true(json_object_get(answer, "applied"));
    }
    json_decref(call);
    json_decref(answer);
    return rc;
}

static int send_body(const struct cli_options *o, const json_t *body,
                     const char *list_name)
{
    char id[HALE_UUID_TEXT];
    struct hale_err err = {0};
    bool sync = json_is_true(json_object_get(body, "sync"));
    size_t n = json_array_size(json_object_get(body, list_name)), at = 0;
    enum hale_rc rc = HALE_OK;
    struct sending sent = {.list = list_name, .sync_id = sync ? id : NULL};
    hale_id_uuid_random(id);
    while (rc == HALE_OK && (at == 0 || at < n)) {
        rc = send_part(o, body, at, &sent, &err);
        at += PART_MAX;
    }
    if (rc != HALE_OK)
        return cli_fail(&err);
    (void)printf("%zu entities of %s%s%s\n", n, cli_text(body, "source"),
                 sync ? ", all it has" : "", sent.applied ? "" : "; not applied yet");
    if (sent.refused > 0)
        (void)fprintf(stderr,
                      "hale: %lld refused: there are as many entities as may be "
                      "(max_entities of the correlator)\n",
                      sent.refused);
    return sent.refused > 0 ? CLI_FAILED : CLI_OK;
}

static int apply(const struct cli_options *o, const char *path)
{
    struct hale_yaml *yaml = NULL;
    struct hale_err err = {0};
    json_t *body = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &yaml, &err);
    if (rc == HALE_OK)
        rc = hale_topology_file_read(hale_yaml_root(yaml), &body, &err);
    hale_yaml_free(yaml);
    if (rc != HALE_OK)
        return bad_file(&err);
    if (o->sync != NULL &&
        (json_object_set_new(body, "source", json_string(o->sync)) != 0 ||
         json_object_set_new(body, "sync", json_true()) != 0)) {
        json_decref(body);
        return usage_error("apply: --sync wants the name of a source");
    }
    int code = CLI_OK;
    if (o->sync == NULL && json_array_size(json_object_get(body, "put")) == 0)
        (void)puts("the file has no entities: nothing to do");
    else
        code = o->dry_run ? dry_run(o, body) : send_body(o, body, "put");
    json_decref(body);
    return code;
}

/* --- inventories --------------------------------------------------------------------- */

static enum hale_rc add_file(struct hale_inventory *v, const char *path,
                             struct hale_err *err)
{
    json_error_t why;
    struct hale_err inner = {0};
    json_t *answer = strcmp(path, "-") == 0 ? json_loadf(stdin, 0, &why)
                                            : json_load_file(path, 0, &why);
    if (answer == NULL)
        return hale_err_at(err, HALE_E_INVAL, path, why.line > 0 ? why.line : 0, 0,
                           "not JSON: %s", why.text);
    enum hale_rc rc = hale_inventory_add(v, answer, &inner);
    json_decref(answer);
    return rc == HALE_OK ? rc : hale_err_at(err, rc, path, 0, 0, "%s", inner.text);
}

static int import(const struct cli_options *o, int n, char **words)
{
    enum hale_inventory_kind kind;
    struct hale_err err = {0};
    int code = CLI_OK;
    if (n < 2 || hale_inventory_parse(hale_str_from(words[0]), &kind) != HALE_OK)
        return usage_error("import wants nova, neutron, heat or sol003, and files");
    struct hale_inventory *v = hale_inventory_new(kind);
    enum hale_rc rc =
        v != NULL ? HALE_OK : hale_err_set(&err, HALE_E_NOMEM, "out of memory");
    for (int i = 1; rc == HALE_OK && i < n; i++)
        rc = add_file(v, words[i], &err);
    json_t *body = rc == HALE_OK ? hale_inventory_body(v) : NULL;
    if (rc == HALE_OK && body == NULL)
        rc = hale_err_set(&err, HALE_E_NOMEM, "out of memory");
    if (rc == HALE_OK && hale_inventory_cut(v) > 0)
        (void)fprintf(stderr,
                      "hale: %zu references left out: more than %d in one group\n",
                      hale_inventory_cut(v), HALE_INVENTORY_REFS_MAX);
    hale_inventory_free(v);
    if (rc != HALE_OK)
        return bad_file(&err);
    if (o->dry_run)
        code = dry_run(o, body);
    else
        code = o->apply ? send_body(o, body, "patch") : cli_print_json(body);
    json_decref(body);
    return code;
}

/* --- reading ------------------------------------------------------------------------- */

static enum hale_rc fetch(const struct cli_options *o, size_t max, json_t **out,
                          struct hale_err *err)
{
    struct hale_buf path;
    hale_buf_init(&path, 8192);
    hale_buf_add_c(&path, "/v1/topology");
    cli_api_query(&path, "type", o->type);
    cli_api_query(&path, "state", o->state);
    cli_api_query(&path, "source", o->source);
    cli_api_query(&path, "name", o->name);
    enum hale_rc rc = path.failed
                          ? hale_err_set(err, HALE_E_INVAL, "the words are too long")
                          : cli_api_list(&o->api, path.p, max, out, err);
    hale_buf_fini(&path);
    return rc;
}

static const char *ref_text(const json_t *entity, char *dst, size_t size)
{
    (void)snprintf(dst, size, "%s/%s", cli_text(entity, "type"), cli_text(entity, "id"));
    return dst;
}

static const char *state_text(const json_t *entity)
{
    const char *state = cli_text(entity, "state");
    return state[0] != '\0' ? state : "up";
}

static const char *joined(const json_t *list, char *dst, size_t size)
{
    dst[0] = '\0';
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t used = strlen(dst);
        (void)snprintf(dst + used, size - used, "%s%s", i > 0 ? " " : "",
                       json_string_value(json_array_get(list, i)));
    }
    return dst;
}

static int list(const struct cli_options *o)
{
    static const char *const titles[] = {"REF", "NAME", "STATE", "SOURCE", "HOSTED BY"};
    struct hale_err err = {0};
    json_t *all = NULL, *e;
    size_t i;
    if (fetch(o, (size_t)o->limit, &all, &err) != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        int code = cli_print_json(all);
        json_decref(all);
        return code;
    }
    struct cli_table *t = cli_table_new(5, titles);
    json_array_foreach (all, i, e) {
        char ref[400], hosts[1000];
        cli_table_row(t,
                      (const char *const[]){
                          ref_text(e, ref, sizeof(ref)), cli_text(e, "name"),
                          state_text(e), cli_text(e, "source"),
                          joined(json_object_get(e, "hosted_by"), hosts, sizeof(hosts))});
    }
    cli_table_print(t);
    json_decref(all);
    return CLI_OK;
}

static enum hale_rc ask(const struct cli_options *o, const char *where, const char *ref,
                        json_t **out, struct hale_err *err)
{
    struct hale_buf path;
    hale_buf_init(&path, 8192);
    hale_buf_add_c(&path, where);
    cli_api_query(&path, "ref", ref);
    enum hale_rc rc = path.failed
                          ? hale_err_set(err, HALE_E_INVAL, "the reference is too long")
                          : cli_api_call(&o->api, "GET", path.p, NULL, out, err);
    hale_buf_fini(&path);
    return rc;
}

static void print_neighbours(const char *title, const json_t *elements)
{
    size_t i;
    json_t *one;
    json_array_foreach (elements, i, one) {
        const json_t *e = json_object_get(one, "entity");
        (void)printf("%-14s ", i == 0 ? title : "");
        cli_table_text(cli_text(one, "ref"));
        (void)printf("  %s\n",
                     json_is_null(e) ? "(named, but not there)" : state_text(e));
    }
}

static int show(const struct cli_options *o, const char *ref)
{
    struct hale_err err = {0};
    struct hale_buf text;
    json_t *answer = NULL;
    if (ask(o, "/v1/topology", ref, &answer, &err) != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        int code = cli_print_json(answer);
        json_decref(answer);
        return code;
    }
    json_t *one = json_pack("[O]", json_object_get(answer, "entity"));
    hale_buf_init(&text, 1u << 20);
    hale_topology_file_write(one, cli_text(json_object_get(answer, "entity"), "source"),
                             &text);
    (void)fputs(!text.failed ? text.p : "", stdout); /* JSON strings: nothing to clean */
    hale_buf_fini(&text);
    json_decref(one);
    print_neighbours("stands on", json_object_get(answer, "supports"));
    print_neighbours("under", json_object_get(answer, "dependents"));
    json_decref(answer);
    return CLI_OK;
}

static int affected(const struct cli_options *o, const char *ref)
{
    static const char *const titles[] = {"DEPTH", "REF", "NAME", "STATE", "THROUGH"};
    struct hale_err err = {0};
    json_t *answer = NULL, *step;
    size_t i;
    if (ask(o, "/v1/topology/dependents", ref, &answer, &err) != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        int code = cli_print_json(answer);
        json_decref(answer);
        return code;
    }
    struct cli_table *t = cli_table_new(5, titles);
    json_array_foreach (json_object_get(answer, "elements"), i, step) {
        char depth[24];
        const json_t *v = json_object_get(step, "element"),
                     *e = json_object_get(v, "entity");
        (void)snprintf(depth, sizeof(depth), "%lld", number(step, "depth"));
        cli_table_row(t, (const char *const[]){depth, cli_text(v, "ref"),
                                               cli_text(e, "name"), state_text(e),
                                               cli_text(step, "via")});
    }
    cli_table_print(t);
    if (!json_is_true(json_object_get(answer, "complete")))
        (void)puts("... and more");
    json_decref(answer);
    return CLI_OK;
}

static int export(const struct cli_options *o)
{
    struct hale_err err = {0};
    struct hale_buf text;
    json_t *all = NULL;
    if (fetch(o, SIZE_MAX, &all, &err) != HALE_OK)
        return cli_fail(&err);
    hale_buf_init(&text, EXPORT_MAX);
    hale_topology_file_write(all, o->source != NULL ? o->source : "file", &text);
    json_decref(all);
    bool ok = !text.failed;
    if (ok)
        (void)fputs(text.p, stdout);
    hale_buf_fini(&text);
    if (ok)
        return CLI_OK;
    (void)hale_err_set(&err, HALE_E_LIMIT, "the topology is too large for one file");
    return cli_fail(&err);
}

int cli_topology(const struct cli_options *o, int n, char **words)
{
    const char *verb = n > 0 ? words[0] : "";
    if (strcmp(verb, "list") == 0 && n == 1)
        return list(o);
    if (strcmp(verb, "export") == 0 && n == 1)
        return export(o);
    if (strcmp(verb, "apply") == 0)
        return n == 2 ? apply(o, words[1]) : usage_error("apply wants one file");
    if (strcmp(verb, "show") == 0)
        return n == 2 ? show(o, words[1])
                      : usage_error("show wants one reference, type/id");
    if (strcmp(verb, "affected") == 0)
        return n == 2 ? affected(o, words[1])
                      : usage_error("affected wants one reference, type/id");
    if (strcmp(verb, "import") == 0)
        return import(o, n - 1, words + 1);
    return usage_error("wants apply, list, show, affected, export or import");
}
