/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TOKEN_FILE_H
#define HALE_COLLECTOR_TOKEN_FILE_H
/*
 * token_file - changes the file of hashed tokens (collector/token.h reads it): one token in, one out.
 * Atomic:    a lock beside the file (FILE.lock) keeps two changers apart; the new file is written whole
 *            beside the old one, checked by the collector's own reader and renamed over it. Killed
 *            between any two steps, there is either the old file or the new one.
 * Kept:      comments and the way the other tokens are written, unless that cannot be done safely (a
 *            list in brackets, say): then the list is written anew. Owner, group and mode; a new file
 *            has mode 0600.
 * Threads:   any.
 */
#include "base/buf.h"
#include "collector/token.h"

#define COLLECTOR_TOKEN_TEXT_MAX 65 /* 32 random bytes in hex and NUL */

struct collector_token_entry {
    struct collector_identity who;
    int64_t expires_ms; /* INT64_MAX: never */
};

/* A new random token's text; only its hash goes into the file. HALE_E_EXISTS: the name is taken;
 * HALE_E_INVAL: name, tenant or roles break a rule, or the file does. */
HALE_MUST_CHECK enum hale_rc
collector_token_file_add(const char *path, const struct collector_token_entry *entry,
                         char text[COLLECTOR_TOKEN_TEXT_MAX], struct hale_err *err);
/* HALE_E_NOTFOUND: no such name. */
HALE_MUST_CHECK enum hale_rc
collector_token_file_remove(const char *path, const char *name, struct hale_err *err);
/* Adds or removes in a text, without any file; out is initialised by the caller. For tests. */
HALE_MUST_CHECK enum hale_rc
collector_token_text_add(struct hale_str text, const struct collector_token_entry *entry,
                         const char *sha256_hex, struct hale_buf *out,
                         struct hale_err *err);
HALE_MUST_CHECK enum hale_rc collector_token_text_remove(struct hale_str text,
                                                         const char *name,
                                                         struct hale_buf *out,
                                                         struct hale_err *err);
#endif
