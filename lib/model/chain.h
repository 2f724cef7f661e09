/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_CHAIN_H
#define HALE_MODEL_CHAIN_H
/*
 * chain - the journal is tamper-evident (docs/adr/0031): each row has a link that carries the hash of the one
 * before, in stream HALE_KEYS_CHAIN under the id of the row, one chain per tenant ("" is the house's).
 *   hash = SHA-256(prev, 32 bytes | tenant | LF | n, decimal | LF | id of the row | LF | text of the row)
 * n counts the tenant's rows from 1; prev of the first is zero.
 *   Text of a link: "<n> <prev, hex> <hash, hex> <tenant>"; of a head: "<n> <hash, hex> <id>".
 * Check: rows and links in the order of their ids, as read; says which row is the first that is not as it was
 *   written. A row without link is new (not sealed yet) as long as no link follows.
 * Threads:   stateless; a check is one thread's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/limits.h"

#define HALE_CHAIN_HASH   32
#define HALE_CHAIN_ID_MAX 48
#define HALE_CHAIN_TEXT   (24 + 2 * (2 * HALE_CHAIN_HASH + 1) + HALE_TENANT_MAX_BYTES + 1)
#define HALE_CHAIN_HEX    (2 * HALE_CHAIN_HASH + 1)

struct hale_chain_link {
    int64_t n; /* 0: before the first row */
    unsigned char prev[HALE_CHAIN_HASH], hash[HALE_CHAIN_HASH];
};

HALE_MUST_CHECK enum hale_rc hale_chain_sha256(struct hale_str bytes,
                                               unsigned char hash[HALE_CHAIN_HASH]);
/* The link after head. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc hale_chain_next(const struct hale_chain_link *head,
                                             struct hale_str tenant, struct hale_str id,
                                             struct hale_str row,
                                             struct hale_chain_link *out);
const char *hale_chain_text(const struct hale_chain_link *l, struct hale_str tenant,
                            char dst[HALE_CHAIN_TEXT]);
/* tenant: within text. HALE_E_INVAL. */
HALE_MUST_CHECK enum hale_rc hale_chain_parse(struct hale_str text,
                                              struct hale_chain_link *out,
                                              struct hale_str *tenant);
const char *hale_chain_hex(const unsigned char hash[HALE_CHAIN_HASH],
                           char dst[HALE_CHAIN_HEX]);
HALE_MUST_CHECK enum hale_rc hale_chain_unhex(struct hale_str text,
                                              unsigned char hash[HALE_CHAIN_HASH]);
/* "<n> <hash> <id>"; id: within text. HALE_E_INVAL. */
HALE_MUST_CHECK enum hale_rc hale_chain_head_parse(struct hale_str text,
                                                   struct hale_chain_link *out,
                                                   struct hale_str *id);

/* --- checking ------------------------------------------------------------------------ */
struct hale_chain_check;
struct hale_chain_totals {
    int64_t rows, pending;         /* pending: not sealed yet */
    char first[HALE_CHAIN_ID_MAX]; /* id of the first row with a link, "" */
    char last[HALE_CHAIN_ID_MAX];
};

/* whole: what is read begins with the first row that ever was, so nothing may be missing before. NULL: no
 * memory. */
struct hale_chain_check *hale_chain_check_new(bool whole);
void hale_chain_check_free(struct hale_chain_check *c);
/* A head that was noted elsewhere; must be there before the rows. HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc hale_chain_check_expect(struct hale_chain_check *c,
                                                     struct hale_str tenant,
                                                     const struct hale_chain_link *head);
/* link NULL: the row has none; row.p NULL: there is a link, but no row. HALE_E_INVAL with what is wrong. */
HALE_MUST_CHECK enum hale_rc
hale_chain_check_row(struct hale_chain_check *c, struct hale_str tenant,
                     struct hale_str id, const struct hale_chain_link *link,
                     struct hale_str row, struct hale_err *err);
/* After the last row: the heads are there. */
HALE_MUST_CHECK enum hale_rc hale_chain_check_end(const struct hale_chain_check *c,
                                                  struct hale_err *err);
struct hale_chain_totals hale_chain_check_totals(const struct hale_chain_check *c);
#endif
