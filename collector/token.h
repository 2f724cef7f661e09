/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TOKEN_H
#define HALE_COLLECTOR_TOKEN_H
/*
 * token - who may do what: the file of hashed tokens (docs/formats/http.md, "Identity").
 * A token is looked up by its SHA-256, so neither the file nor the memory holds its text;
 * the last comparison takes constant time. A table is immutable; a reload swaps it whole.
 * Threads: collector_tokens_check and _swap from any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/limits.h"

#define COLLECTOR_OPERATOR (1u << 0)
#define COLLECTOR_AGENT    (1u << 1)
#define COLLECTOR_READER   (1u << 2)
#define COLLECTOR_DELEGATE (1u << 3)

#define COLLECTOR_TOKEN_NAME_MAX  64
#define COLLECTOR_TOKENS_MAX      10000
#define COLLECTOR_TOKEN_SHA_BYTES 32

struct collector_identity {
    char tenant[HALE_TENANT_MAX_BYTES + 1];
    char name[COLLECTOR_TOKEN_NAME_MAX + 1];
    unsigned roles; /* COLLECTOR_OPERATOR ... */
};

struct collector_token_table; /* one loaded file */
struct collector_tokens;      /* the current table */

/* Reads a file. HALE_E_INVAL names file, line and fix. */
HALE_MUST_CHECK enum hale_rc
collector_token_table_load(const char *path, struct collector_token_table **out,
                           struct hale_err *err);
/* The same of a file's text; source names it in errors. */
HALE_MUST_CHECK enum hale_rc
collector_token_table_read(struct hale_str text, const char *source,
                           struct collector_token_table **out, struct hale_err *err);
/* The i-th of _count tokens by name; sha256_hex: 65 bytes or NULL. */
void collector_token_table_row(const struct collector_token_table *t, size_t i,
                               struct collector_identity *who, int64_t *expires_ms,
                               char *sha256_hex);
void collector_token_table_free(struct collector_token_table *t);
unsigned collector_token_table_count(const struct collector_token_table *t);

struct collector_tokens *collector_tokens_new(void); /* NULL on memory failure; empty */
void collector_tokens_free(struct collector_tokens *t);
/* Takes table. */
void collector_tokens_swap(struct collector_tokens *t,
                           struct collector_token_table *table);
/* HALE_E_DENIED: unknown or expired. */
HALE_MUST_CHECK enum hale_rc collector_tokens_check(struct collector_tokens *t,
                                                    struct hale_str token, int64_t now_ms,
                                                    struct collector_identity *out);
/* 1 to 64 of the characters A-Za-z0-9_.- */
bool collector_tenant_ok(const char *s);
/* "operator" ... of one role bit. */
const char *collector_role_text(unsigned role);
unsigned collector_role_parse(struct hale_str text); /* 0: none of them */
#endif
