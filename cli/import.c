/* SPDX-License-Identifier: Apache-2.0 */
/* import - `hale import monasca|prometheus|vitrage|osm|tacker|onap FILE`. */
#include "cli/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/vitrage.h"
#include "model/definition.h"

#define FILE_BYTES  (64u << 20)
#define NOTES_BYTES (16u << 20)
#define NAMESAKES   100

void cli_import_init(struct cli_import *i)
{
    *i = (struct cli_import){.definitions = json_array(), .policies = json_array()};
    hale_buf_init(&i->notes, NOTES_BYTES);
}

void cli_import_fini(struct cli_import *i)
{
    json_decref(i->definitions);
    json_decref(i->policies);
    hale_buf_fini(&i->notes);
}

void cli_import_note(struct cli_import *i, const char *place, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    hale_buf_printf(&i->notes, "%s: %s\n", place, cli_table_clean(text));
}

static bool is_taken(const struct cli_import *i, const char *name)
{
    const json_t *body;
    size_t k;
    json_array_foreach (i->definitions, k, body)
        if (strcmp(cli_text(body, "name"), name) == 0)
            return true;
    return false;
}

/* "name", else "name 2" ... */
static bool free_name(const struct cli_import *i, json_t *body)
{
    char name[1024];
    const char *base = cli_text(body, "name");
    (void)snprintf(name, sizeof(name), "%s", base);
    for (unsigned n = 2; n < NAMESAKES && is_taken(i, name); n++)
        (void)snprintf(name, sizeof(name), "%.900s %u", base, n);
    return !is_taken(i, name) &&
           json_object_set_new(body, "name", json_string(name)) == 0;
}

enum hale_rc cli_import_add(struct cli_import *i, const char *place, json_t *body)
{
    struct hale_definition *checked = NULL;
    struct hale_err err = {0};
    if (!free_name(i, body)) {
        cli_import_note(i, place, "left out: too many of this name");
        i->left_out++;
        return HALE_OK;
    }
    enum hale_rc rc = hale_definition_from_api(body, NULL, false, &checked, &err);
    hale_definition_free(checked);
    if (rc == HALE_E_NOMEM)
        return rc;
    if (rc != HALE_OK) {
        cli_import_note(i, place, "left out: %s", err.text);
        i->left_out++;
        return HALE_OK;
    }
    return json_array_append(i->definitions, body) == 0 ? HALE_OK : HALE_E_NOMEM;
}

/* JSON's texts are YAML's too, but for characters that YAML wants escaped. */
static void add_yaml(struct hale_buf *out, const char *json)
{
    static const char *const breaks[][2] = {
        {"\x7f", "\\u007f"},         {"\xe2\x80\xa8", "\\u2028"},
        {"\xe2\x80\xa9", "\\u2029"}, {"\xef\xbb\xbf", "\\ufeff"},
        {"\xef\xbf\xbe", "\\ufffe"}, {"\xef\xbf\xbf", "\\uffff"},
    };
    for (const char *p = json; *p != '\0'; p++) {
        size_t i = 0, n = sizeof(breaks) / sizeof(breaks[0]);
        while (i < n && strncmp(p, breaks[i][0], strlen(breaks[i][0])) != 0)
            i++;
        if (i < n) {
            hale_buf_add_c(out, breaks[i][1]);
            p += strlen(breaks[i][0]) - 1;
        } else if ((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0) {
            hale_buf_printf(out, "\\u00%02x", (unsigned)(unsigned char)*++p);
        } else {
            hale_buf_add_char(out, *p);
        }
    }
}

static void write_list(const char *title, const json_t *list, struct hale_buf *out)
{
    const json_t *body;
    size_t k;
    hale_buf_printf(out, "%s:%s", title, json_array_size(list) == 0 ? " []\n" : "\n");
    json_array_foreach (list, k, body) {
        const char *key, *lead = "- ";
        json_t *value;
        json_object_foreach ((json_t *)(uintptr_t)body, key, value) {
            char *text = json_dumps(value, JSON_ENCODE_ANY);
            hale_buf_printf(out, "%s%s: ", lead, key);
            add_yaml(out, text != NULL ? text : "null");
            hale_buf_add_char(out, '\n');
            free(text);
            lead = "  ";
        }
    }
}

void cli_import_write(const struct cli_import *i, struct hale_buf *out)
{
    write_list("alarm_definitions", i->definitions, out);
}

void cli_import_write_policies(const struct cli_import *i, struct hale_buf *out)
{
    write_list("policies", i->policies, out);
}

static enum hale_rc read_any(const struct cli_options *o, const char *kind,
                             const char *path, struct cli_import *i, struct hale_err *err)
{
    struct hale_buf text;
    hale_buf_init(&text, FILE_BYTES);
    enum hale_rc rc = hale_fs_read(path, &text, err);
    if (rc == HALE_OK && strcmp(kind, "monasca") == 0)
        rc = cli_import_monasca(hale_buf_str(&text), path, i, err);
    else if (rc == HALE_OK && strcmp(kind, "osm") == 0)
        rc = cli_import_osm(hale_buf_str(&text), path, i, err);
    else if (rc == HALE_OK && strcmp(kind, "tacker") == 0)
        rc = cli_import_tacker(hale_buf_str(&text), path, i, err);
    else if (rc == HALE_OK && strcmp(kind, "onap") == 0)
        rc = cli_import_onap(hale_buf_str(&text), path, i, err);
    else if (rc == HALE_OK)
        rc = cli_import_prometheus(hale_buf_str(&text), path, o->match_by, i, err);
    hale_buf_fini(&text);
    return rc;
}

static size_t lines(const struct hale_buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->len; i++)
        n += b->p[i] == '\n';
    return n;
}

/* Templates become rules of the correlator, not definitions. */
static int import_vitrage(const char *path)
{
    struct hale_err err = {0};
    struct hale_buf text, rules, notes;
    int code = CLI_USAGE;
    hale_buf_init(&text, FILE_BYTES);
    hale_buf_init(&rules, FILE_BYTES);
    hale_buf_init(&notes, NOTES_BYTES);
    hale_buf_add_c(&rules, "rules:\n");
    size_t empty = rules.len;
    enum hale_rc rc = hale_fs_read(path, &text, &err);
    if (rc == HALE_OK)
        rc = cli_vitrage_rules(hale_buf_str(&text), path, &rules, &notes, &err);
    if (rc == HALE_OK) {
        code = notes.len > 0 ? CLI_FAILED : CLI_OK;
        (void)fwrite(rules.p, 1, rules.len, stdout);
        if (rules.len == empty)
            (void)fputs("  []\n", stdout);
        if (notes.len > 0)
            (void)fputs(notes.p, stderr);
        (void)fprintf(stderr, "%s: %zu left out\n", path, lines(&notes));
    } else {
        (void)cli_fail(&err);
    }
    hale_buf_fini(&text);
    hale_buf_fini(&rules);
    hale_buf_fini(&notes);
    return code;
}

static bool is_kind(const char *kind)
{
    static const char *const kinds[] = {"monasca", "prometheus", "osm", "tacker", "onap"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return false;
}

/* Descriptors say what to do, too: the policies go into a file of their own. */
static bool write_policies(const struct cli_options *o, const struct cli_import *i)
{
    struct hale_err err = {0};
    struct hale_buf out;
    if (o->policies == NULL) {
        if (json_array_size(i->policies) > 0)
            (void)fprintf(stderr,
                          "--policies FILE writes the %zu policies that go with it\n",
                          json_array_size(i->policies));
        return true;
    }
    hale_buf_init(&out, FILE_BYTES);
    cli_import_write_policies(i, &out);
    bool ok =
        !out.failed && hale_fs_write(o->policies, out.p, out.len, 0644, &err) == HALE_OK;
    if (!ok)
        (void)cli_fail(&err);
    hale_buf_fini(&out);
    return ok;
}

int cli_import(const struct cli_options *o, const char *kind, const char *path)
{
    struct hale_err err = {0};
    struct hale_buf out;
    struct cli_import i;
    if (strcmp(kind, "vitrage") == 0)
        return import_vitrage(path);
    if (!is_kind(kind)) {
        (void)hale_err_set(
            &err, HALE_E_INVAL,
            "import knows monasca, prometheus, vitrage, osm, tacker and onap, not "
            "'%.60s'",
            kind);
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    cli_import_init(&i);
    if (read_any(o, kind, path, &i, &err) != HALE_OK) {
        cli_import_fini(&i);
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    hale_buf_init(&out, FILE_BYTES);
    bool onap = strcmp(kind, "onap") == 0; /* has policies only */
    if (onap)
        cli_import_write_policies(&i, &out);
    else
        cli_import_write(&i, &out);
    if (out.p != NULL)
        (void)fwrite(out.p, 1, out.len, stdout);
    if (i.notes.p != NULL)
        (void)fputs(i.notes.p, stderr);
    bool written = onap || write_policies(o, &i);
    size_t n = json_array_size(onap ? i.policies : i.definitions);
    static const char *const words[2][2] = {{"definitions", "definition"},
                                            {"policies", "policy"}};
    (void)fprintf(stderr, "%s: %zu %s written, %u left out\n", path, n,
                  words[onap][n == 1], i.left_out);
    bool failed = out.failed || i.left_out > 0 || !written;
    hale_buf_fini(&out);
    cli_import_fini(&i);
    return failed ? CLI_FAILED : CLI_OK;
}
