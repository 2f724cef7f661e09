/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - builds the tree of nodes from libyaml's events.
 * All nodes, keys and texts of a document live in one arena that hale_yaml_free drops whole.
 */
#include "model/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <yaml.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/fs.h"

#define YAML_MAGIC       0x59414d4cu
#define YAML_MAX_BYTES   (4u << 20)
#define YAML_MAX_DEPTH   32
#define YAML_MAX_NODES   200000
#define YAML_BLOCK_BYTES 16384
#define YAML_SHOWN_BYTES 60 /* of a key or value in an error text */

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct pair {
    struct hale_str key; /* empty in lists */
    int key_line;
    struct hale_yaml_node *value;
};

struct hale_yaml_node {
    const struct hale_yaml *doc;
    enum hale_yaml_kind kind;
    bool quoted;
    int line;
    struct hale_str text;
    struct pair *items;
    size_t n, cap;
};

struct hale_yaml {
    unsigned magic;
    struct block *blocks;
    struct hale_yaml_node *root;
    size_t n_nodes;
    char *source;
};

struct frame { /* an open list or map */
    struct hale_yaml_node *node;
    bool has_key;
    struct hale_str key;
    int key_line;
};

struct builder {
    struct hale_yaml *doc;
    struct hale_str input;
    struct frame stack[YAML_MAX_DEPTH];
    unsigned depth;
    unsigned n_documents;
    struct hale_err *err;
};

/* ---- arena ---- */

static void *arena_alloc(struct hale_yaml *y, size_t size)
{
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct block *b = y->blocks;
    if (b == NULL || b->size - b->used < size) {
        size_t room = size > YAML_BLOCK_BYTES ? size : YAML_BLOCK_BYTES;
        b = malloc(sizeof(*b) + room);
        if (b == NULL)
            return NULL;
        b->used = 0;
        b->size = room;
        b->next = y->blocks;
        y->blocks = b;
    }
    void *p = b->bytes + b->used;
    b->used += size;
    memset(p, 0, size);
    return p;
}

/* Copy of bytes with a NUL after it; p is NULL on memory failure. */
static struct hale_str arena_text(struct hale_yaml *y, const void *bytes, size_t n)
{
    char *p = arena_alloc(y, n + 1);
    if (p == NULL)
        return (struct hale_str){NULL, 0};
    if (n > 0)
        memcpy(p, bytes, n);
    return (struct hale_str){p, n};
}

/* ---- errors ---- */

/* Length to show of a text in a message, cut between characters. */
static int shown(struct hale_str s)
{
    size_t n = s.len;
    if (n > YAML_SHOWN_BYTES) {
        n = YAML_SHOWN_BYTES;
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
    }
    return (int)n;
}

static enum hale_rc no_memory(struct builder *b)
{
    return hale_err_at(b->err, HALE_E_NOMEM, b->doc->source, 0, 0, "out of memory");
}

static enum hale_rc fail(struct builder *b, enum hale_rc rc, const yaml_mark_t *at,
                         const char *text)
{
    return hale_err_at(b->err, rc, b->doc->source, (int)at->line + 1, (int)at->column + 1,
                       "%s", text);
}

/* Is there a tab in the indentation of line (from 0)? */
static bool line_has_tab_indent(struct hale_str text, size_t line)
{
    struct hale_str rest = text, current = {NULL, 0};
    for (size_t i = 0; i <= line && rest.p != NULL; i++)
        current = hale_str_split(&rest, '\n');
    for (size_t i = 0; i < current.len; i++) {
        if (current.p[i] == '\t')
            return true;
        if (current.p[i] != ' ' && current.p[i] != '-')
            return false;
    }
    return false;
}

/* What libyaml says, and what it means to a person. Matched by substring, in order. */
static const struct {
    const char *problem;
    const char *text;
} explanations[] = {
    {"mapping values are not allowed",
     "': ' is not expected here: put a value that contains ': ' in quotes, check the "
     "indentation, "
     "and that the line above has a blank after its ':'"},
    {"cannot start any token",
     "a plain value cannot start with this character; put the value in quotes"},
    {"could not find expected ':'", "no ':' after the key; every setting is written "
                                    "'key: value' with a blank after the colon"},
    {"did not find expected key",
     "the indentation of this line does not fit the lines above it"},
    {"did not find expected '-' indicator",
     "an item of the list must start with '- ' in the same column as the items above"},
    {"block sequence entries are not allowed",
     "a list item cannot start here; put '- ' on a new line below its key"},
    {"did not find expected ',' or ']'", "a ',' or the closing ']' is missing"},
    {"did not find expected ',' or '}'", "a ',' or the closing '}' is missing"},
    {"found unexpected end of stream", "the quotes opened here are never closed"},
    {"found unexpected document indicator",
     "the quotes opened before this line are not closed"},
    {"found unknown escape character",
     "unknown escape after '\\' inside double quotes; write '\\\\' or use single quotes"},
    {"did not find expected <document start>",
     "this line does not belong to the map or list above it; check its indentation"},
    {"control characters are not allowed", "a control character; remove it"},
    {"invalid leading UTF-8 octet", "the text is not UTF-8"},
    {"invalid trailing UTF-8 octet", "the text is not UTF-8"},
    {"incomplete UTF-8 octet sequence", "the text is not UTF-8"},
    {"invalid Unicode character", "the text is not UTF-8"},
    {"while scanning an alias", "a value that starts with '*' must be in quotes"},
    {"while scanning an anchor", "a value that starts with '&' must be in quotes"},
};

static enum hale_rc fail_syntax(struct builder *b, const yaml_parser_t *p)
{
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(b);
    const char *problem = p->problem != NULL ? p->problem : "not YAML";
    const char *context = p->context != NULL ? p->context : "";
    yaml_mark_t at = p->problem_mark;

    if (p->error == YAML_READER_ERROR) { /* the reader knows only an offset in bytes */
        at.line = at.column = 0;
        for (size_t i = 0; i < p->problem_offset && i < b->input.len; i++)
            if (b->input.p[i] == '\n')
                at.line++;
    } else if (strstr(problem, "end of stream") != NULL &&
               strstr(context, "quoted") != NULL) {
        at = p->context_mark;
    }
    if (p->error == YAML_SCANNER_ERROR && (line_has_tab_indent(b->input, at.line) ||
                                           strstr(problem, "tab character") != NULL))
        return fail(b, HALE_E_INVAL, &at, "a tab in the indentation; use blanks");
    for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
        if (strstr(problem, explanations[i].problem) != NULL ||
            strstr(context, explanations[i].problem) != NULL)
            return fail(b, HALE_E_INVAL, &at, explanations[i].text);
    return hale_err_at(b->err, HALE_E_INVAL, b->doc->source, (int)at.line + 1,
                       (int)at.column + 1, "%s%s%s", context,
                       context[0] != '\0' ? ": " : "", problem);
}

/* ---- tree ---- */

static struct hale_yaml_node *new_node(struct hale_yaml *y, enum hale_yaml_kind kind,
                                       int line)
{
    struct hale_yaml_node *n = arena_alloc(y, sizeof(*n));
    if (n != NULL) {
        n->doc = y;
        n->kind = kind;
        n->line = line;
    }
    return n;
}

static bool node_append(struct hale_yaml *y, struct hale_yaml_node *n, struct pair item)
{
    if (n->n == n->cap) {
        size_t cap = n->cap > 0 ? 2 * n->cap : 4;
        struct pair *items = arena_alloc(y, cap * sizeof(*items));
        if (items == NULL)
            return false;
        if (n->n > 0)
            memcpy(items, n->items, n->n * sizeof(*items));
        n->items = items;
        n->cap = cap;
    }
    n->items[n->n++] = item;
    return true;
}

/* Hangs value into the open container, or makes it the root. */
static enum hale_rc attach(struct builder *b, struct hale_yaml_node *value)
{
    if (b->depth == 0) {
        b->doc->root = value;
        return HALE_OK;
    }
    struct frame *f = &b->stack[b->depth - 1];
    struct pair item = {.key = f->key, .key_line = f->key_line, .value = value};
    f->has_key = false;
    f->key = (struct hale_str){NULL, 0};
    return node_append(b->doc, f->node, item) ? HALE_OK : no_memory(b);
}

static bool wants_key(const struct builder *b)
{
    return b->depth > 0 && b->stack[b->depth - 1].node->kind == HALE_YAML_MAP &&
           !b->stack[b->depth - 1].has_key;
}

static bool is_null_text(struct hale_str s)
{
    return s.len == 0 || hale_str_eq_c(s, "~") || hale_str_ieq_c(s, "null");
}

static enum hale_rc check_node(struct builder *b, const yaml_char_t *tag,
                               const yaml_mark_t *at)
{
    if (tag != NULL && strcmp((const char *)tag, "!") != 0)
        return fail(
            b, HALE_E_INVAL, at,
            "tags ('!...') are not supported; put the value in quotes if it is text");
    if (++b->doc->n_nodes > YAML_MAX_NODES)
        return fail(b, HALE_E_LIMIT, at, "more than 200000 values in one file; split it");
    return HALE_OK;
}

static enum hale_rc on_scalar(struct builder *b, const yaml_event_t *e)
{
    enum hale_rc rc = check_node(b, e->data.scalar.tag, &e->start_mark);
    if (rc != HALE_OK)
        return rc;
    struct hale_str text =
        arena_text(b->doc, e->data.scalar.value, e->data.scalar.length);
    if (text.p == NULL)
        return no_memory(b);
    int line = (int)e->start_mark.line + 1;
    if (wants_key(b)) {
        struct frame *f = &b->stack[b->depth - 1];
        f->has_key = true;
        f->key = text;
        f->key_line = line;
        return HALE_OK;
    }
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool null = plain && is_null_text(text);
    struct hale_yaml_node *n =
        new_node(b->doc, null ? HALE_YAML_NULL : HALE_YAML_SCALAR, line);
    if (n == NULL)
        return no_memory(b);
    if (b->depth > 0 && null && text.len == 0 && b->stack[b->depth - 1].has_key)
        n->line = b->stack[b->depth - 1]
                      .key_line; /* "key:" alone: libyaml marks what follows */
    n->quoted = !plain;
    if (!null)
        n->text = text;
    return attach(b, n);
}

static enum hale_rc on_open(struct builder *b, const yaml_event_t *e,
                            enum hale_yaml_kind kind)
{
    const yaml_char_t *tag =
        kind == HALE_YAML_MAP ? e->data.mapping_start.tag : e->data.sequence_start.tag;
    enum hale_rc rc = check_node(b, tag, &e->start_mark);
    if (rc != HALE_OK)
        return rc;
    if (wants_key(b))
        return fail(b, HALE_E_INVAL, &e->start_mark,
                    "a key must be plain text; put a value that starts with '{' or '[' "
                    "in quotes");
    if (b->depth == YAML_MAX_DEPTH)
        return fail(b, HALE_E_LIMIT, &e->start_mark, "nested deeper than 32 levels");
    struct hale_yaml_node *n = new_node(b->doc, kind, (int)e->start_mark.line + 1);
    if (n == NULL)
        return no_memory(b);
    rc = attach(b, n);
    if (rc == HALE_OK)
        b->stack[b->depth++] = (struct frame){.node = n};
    return rc;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = *(const struct pair *const *)a,
                      *y = *(const struct pair *const *)b;
    int order = hale_str_cmp(x->key, y->key);
    return order != 0 ? order : (x > y) - (x < y);
}

/* Error for the first repeated key in the order of the file. */
static enum hale_rc check_duplicates(struct builder *b, const struct hale_yaml_node *map)
{
    if (map->n < 2)
        return HALE_OK;
    const struct pair **sorted = malloc(map->n * sizeof(struct pair *));
    if (sorted == NULL)
        return no_memory(b);
    for (size_t i = 0; i < map->n; i++)
        sorted[i] = &map->items[i];
    qsort(sorted, map->n, sizeof(*sorted), compare_pairs);
    const struct pair *first = NULL, *again = NULL;
    for (size_t i = 1; i < map->n; i++)
        if (hale_str_eq(sorted[i - 1]->key, sorted[i]->key) &&
            (again == NULL || sorted[i] < again)) {
            first = sorted[i - 1];
            again = sorted[i];
        }
    free(sorted);
    if (again == NULL)
        return HALE_OK;
    return hale_err_at(b->err, HALE_E_INVAL, b->doc->source, again->key_line, 0,
                       "key '%.*s' is given twice (first in line %d); remove one",
                       shown(again->key), again->key.p, first->key_line);
}

static enum hale_rc on_close(struct builder *b)
{
    HALE_ASSERT(b->depth > 0);
    const struct hale_yaml_node *n = b->stack[--b->depth].node;
    return n->kind == HALE_YAML_MAP ? check_duplicates(b, n) : HALE_OK;
}

static enum hale_rc on_event(struct builder *b, const yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        return on_scalar(b, e);
    if (e->type == YAML_MAPPING_START_EVENT)
        return on_open(b, e, HALE_YAML_MAP);
    if (e->type == YAML_SEQUENCE_START_EVENT)
        return on_open(b, e, HALE_YAML_LIST);
    if (e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT)
        return on_close(b);
    if (e->type == YAML_ALIAS_EVENT)
        return fail(
            b, HALE_E_INVAL, &e->start_mark,
            "aliases ('*name') are not supported; write the value out, or put it in "
            "quotes if it is text");
    if (e->type == YAML_DOCUMENT_START_EVENT && ++b->n_documents > 1)
        return fail(b, HALE_E_INVAL, &e->start_mark,
                    "a second document ('---') in one file; keep one");
    return HALE_OK;
}

static enum hale_rc build(struct builder *b)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return no_memory(b);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)b->input.p,
                                 b->input.len);

    enum hale_rc rc = HALE_OK;
    bool end = false;
    while (rc == HALE_OK && !end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            rc = fail_syntax(b, &parser);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        rc = on_event(b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (rc == HALE_OK && b->doc->root == NULL) {
        b->doc->root = new_node(b->doc, HALE_YAML_NULL, 1);
        if (b->doc->root == NULL)
            rc = no_memory(b);
    }
    return rc;
}

enum hale_rc hale_yaml_load(struct hale_str text, const char *source,
                            struct hale_yaml **out, struct hale_err *err)
{
    *out = NULL;
    if (text.len > YAML_MAX_BYTES)
        return hale_err_at(err, HALE_E_LIMIT, source, 0, 0, "larger than 4 MiB");
    if (text.p == NULL)
        text = HALE_STR("");
    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
        text.p += 3;
        text.len -= 3;
    }
    struct hale_yaml *y = calloc(1, sizeof(*y));
    char *name = strdup(source != NULL ? source : "");
    if (y == NULL || name == NULL) {
        free(y);
        free(name);
        return hale_err_at(err, HALE_E_NOMEM, source, 0, 0, "out of memory");
    }
    y->magic = YAML_MAGIC;
    y->source = name;
    struct builder b = {.doc = y, .input = text, .err = err};
    enum hale_rc rc = build(&b);
    if (rc != HALE_OK) {
        hale_yaml_free(y);
        return rc;
    }
    *out = y;
    return HALE_OK;
}

enum hale_rc hale_yaml_load_file(const char *path, struct hale_yaml **out,
                                 struct hale_err *err)
{
    struct hale_buf bytes;
    *out = NULL;
    hale_buf_init(&bytes, YAML_MAX_BYTES);
    enum hale_rc rc = hale_fs_read(path, &bytes, err);
    if (rc == HALE_OK)
        rc = hale_yaml_load(hale_buf_str(&bytes), path, out, err);
    hale_buf_fini(&bytes);
    return rc;
}

void hale_yaml_free(struct hale_yaml *y)
{
    if (y == NULL)
        return;
    HALE_CHECK(y, YAML_MAGIC);
    for (struct block *b = y->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    y->magic = 0;
    free(y->source);
    free(y);
}

/* ---- reading ---- */

const struct hale_yaml_node *hale_yaml_root(const struct hale_yaml *y)
{
    HALE_CHECK(y, YAML_MAGIC);
    return y->root;
}

enum hale_yaml_kind hale_yaml_kind(const struct hale_yaml_node *n)
{
    return n != NULL ? n->kind : HALE_YAML_NULL;
}

int hale_yaml_line(const struct hale_yaml_node *n)
{
    return n != NULL ? n->line : 0;
}

const char *hale_yaml_source(const struct hale_yaml_node *n)
{
    return n != NULL ? n->doc->source : "";
}

struct hale_str hale_yaml_text(const struct hale_yaml_node *n)
{
    return n != NULL ? n->text : (struct hale_str){NULL, 0};
}

bool hale_yaml_quoted(const struct hale_yaml_node *n)
{
    return n != NULL && n->quoted;
}

size_t hale_yaml_count(const struct hale_yaml_node *n)
{
    return n != NULL ? n->n : 0;
}

const struct hale_yaml_node *hale_yaml_item(const struct hale_yaml_node *list, size_t i)
{
    return list != NULL && i < list->n ? list->items[i].value : NULL;
}

const struct hale_yaml_node *hale_yaml_pair(const struct hale_yaml_node *map, size_t i,
                                            struct hale_str *key_out, int *key_line_out)
{
    if (map == NULL || map->kind != HALE_YAML_MAP || i >= map->n)
        return NULL;
    if (key_out != NULL)
        *key_out = map->items[i].key;
    if (key_line_out != NULL)
        *key_line_out = map->items[i].key_line;
    return map->items[i].value;
}

const struct hale_yaml_node *hale_yaml_get(const struct hale_yaml_node *map,
                                           const char *key)
{
    if (map == NULL || map->kind != HALE_YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (hale_str_eq_c(map->items[i].key, key))
            return map->items[i].value;
    return NULL;
}

enum hale_rc hale_yaml_error(const struct hale_yaml_node *n, struct hale_err *err,
                             const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    return hale_err_at(err, HALE_E_INVAL, hale_yaml_source(n), hale_yaml_line(n), 0, "%s",
                       text);
}
