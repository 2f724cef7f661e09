/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_YAML_H
#define HALE_MODEL_YAML_H
/*
 * yaml - strict reading of configuration files (wraps libyaml; nobody else includes it).
 * A document becomes a tree of nodes that know their line. Duplicate keys, anchors/aliases used
 * for growth bombs (aliases are refused), several documents, tabs: errors with file, line and fix.
 * Ownership: the tree belongs to the caller; nodes are valid until hale_yaml_free.
 * Limits:    file <= 4 MiB, depth <= 32, nodes <= 200,000.
 * Threads:   immutable after load.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"

struct hale_yaml;      /* a document */
struct hale_yaml_node; /* a mapping, sequence or scalar */
enum hale_yaml_kind { HALE_YAML_NULL, HALE_YAML_SCALAR, HALE_YAML_LIST, HALE_YAML_MAP };

HALE_MUST_CHECK enum hale_rc hale_yaml_load_file(const char *path, struct hale_yaml **out,
                                                 struct hale_err *err);
/* source names the text in errors. */
HALE_MUST_CHECK enum hale_rc hale_yaml_load(struct hale_str text, const char *source,
                                            struct hale_yaml **out, struct hale_err *err);
void hale_yaml_free(struct hale_yaml *y);
const struct hale_yaml_node *
hale_yaml_root(const struct hale_yaml *y); /* may be a NULL-kind node */

enum hale_yaml_kind hale_yaml_kind(const struct hale_yaml_node *n);
int hale_yaml_line(const struct hale_yaml_node *n);
const char *hale_yaml_source(const struct hale_yaml_node *n);
struct hale_str hale_yaml_text(const struct hale_yaml_node *n); /* scalar, else empty */
bool hale_yaml_quoted(const struct hale_yaml_node *n);  /* scalar written in quotes */
size_t hale_yaml_count(const struct hale_yaml_node *n); /* items of list or map */
const struct hale_yaml_node *hale_yaml_item(const struct hale_yaml_node *list, size_t i);
/* i-th pair of a map. */
const struct hale_yaml_node *hale_yaml_pair(const struct hale_yaml_node *map, size_t i,
                                            struct hale_str *key_out, int *key_line_out);
const struct hale_yaml_node *hale_yaml_get(const struct hale_yaml_node *map,
                                           const char *key);

/* Error at the node: "file:line: text". */
enum hale_rc hale_yaml_error(const struct hale_yaml_node *n, struct hale_err *err,
                             const char *fmt, ...) HALE_PRINTF(3, 4);

/*
 * Declarative reading of a map into a struct: one table per map gives strictness (unknown key:
 * error with the nearest known one), types, ranges, defaults and the manual text.
 */
enum hale_conf_type {
    HALE_CONF_STRING,   /* char * (owned by the struct, malloc) */
    HALE_CONF_BOOL,     /* bool: true/false/yes/no/on/off */
    HALE_CONF_INT,      /* int64_t, min..max */
    HALE_CONF_DOUBLE,   /* double, min..max */
    HALE_CONF_DURATION, /* int64_t milliseconds, "10s" forms, min..max in ms */
    HALE_CONF_BYTES,    /* int64_t bytes, "64m" forms, min..max */
    HALE_CONF_ENUM,     /* int: index into choices */
    HALE_CONF_NODE      /* const struct hale_yaml_node *: the caller reads it further */
};
struct hale_conf_field {
    const char *key;
    enum hale_conf_type type;
    size_t offset; /* offsetof in the target struct */
    bool required;
    const char *fallback;       /* default as YAML text, NULL: leave zero */
    double min, max;            /* for numbers; both 0: no bound but the type's */
    const char *const *choices; /* HALE_CONF_ENUM: NULL-terminated */
    const char *help;           /* one line for --help and the man page, with the unit */
};
/* Reads map (or a NULL-kind node = all defaults) into *target (zeroed by the caller). */
HALE_MUST_CHECK enum hale_rc hale_conf_read(const struct hale_yaml_node *map,
                                            const struct hale_conf_field *fields,
                                            size_t n, void *target, struct hale_err *err);
/* Frees the strings of target named in fields. */
void hale_conf_fini(const struct hale_conf_field *fields, size_t n, void *target);
/* Prints the table as text for --help: "  key  type  default  help". */
struct hale_buf;
void hale_conf_describe(const struct hale_conf_field *fields, size_t n,
                        struct hale_buf *out);
#endif
