/* SPDX-License-Identifier: Apache-2.0 */
#include "model/chain.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"

#define ROW_MAX     ((size_t)8 << 20)
#define TENANTS_MAX 100000

/* --- one link ------------------------------------------------------------------------ */

enum hale_rc hale_chain_sha256(struct hale_str bytes, unsigned char hash[HALE_CHAIN_HASH])
{
    const char *p = bytes.p != NULL ? bytes.p : "";
    return EVP_Digest(p, bytes.len, hash, NULL, EVP_sha256(), NULL) == 1 ? HALE_OK
                                                                         : HALE_E_NOMEM;
}

static enum hale_rc hash_of(const struct hale_chain_link *l, struct hale_str tenant,
                            struct hale_str id, struct hale_str row,
                            unsigned char hash[HALE_CHAIN_HASH])
{
    struct hale_buf b;
    hale_buf_init(&b, ROW_MAX);
    hale_buf_add(&b, l->prev, HALE_CHAIN_HASH);
    hale_buf_add_str(&b, tenant);
    hale_buf_printf(&b, "\n%" PRId64 "\n", l->n);
    hale_buf_add_str(&b, id);
    hale_buf_add_char(&b, '\n');
    hale_buf_add_str(&b, row);
    enum hale_rc rc = b.failed ? HALE_E_NOMEM : hale_chain_sha256(hale_buf_str(&b), hash);
    hale_buf_fini(&b);
    return rc;
}

enum hale_rc hale_chain_next(const struct hale_chain_link *head, struct hale_str tenant,
                             struct hale_str id, struct hale_str row,
                             struct hale_chain_link *out)
{
    struct hale_chain_link l = {.n = head->n + 1};
    memcpy(l.prev, head->hash, sizeof(l.prev));
    enum hale_rc rc = hash_of(&l, tenant, id, row, l.hash);
    if (rc == HALE_OK)
        *out = l;
    return rc;
}

const char *hale_chain_hex(const unsigned char hash[HALE_CHAIN_HASH],
                           char dst[HALE_CHAIN_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HALE_CHAIN_HASH; i++) {
        dst[2 * i] = digits[hash[i] >> 4];
        dst[2 * i + 1] = digits[hash[i] & 15];
    }
    dst[HALE_CHAIN_HEX - 1] = '\0';
    return dst;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum hale_rc hale_chain_unhex(struct hale_str text, unsigned char hash[HALE_CHAIN_HASH])
{
    if (text.len != HALE_CHAIN_HEX - 1)
        return HALE_E_INVAL;
    for (size_t i = 0; i < HALE_CHAIN_HASH; i++) {
        int high = digit(text.p[2 * i]), low = digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return HALE_E_INVAL;
        hash[i] = (unsigned char)(high * 16 + low);
    }
    return HALE_OK;
}

const char *hale_chain_text(const struct hale_chain_link *l, struct hale_str tenant,
                            char dst[HALE_CHAIN_TEXT])
{
    char prev[HALE_CHAIN_HEX], hash[HALE_CHAIN_HEX];
    (void)snprintf(dst, HALE_CHAIN_TEXT, "%" PRId64 " %s %s %.*s", l->n,
                   hale_chain_hex(l->prev, prev), hale_chain_hex(l->hash, hash),
                   (int)tenant.len, tenant.p != NULL ? tenant.p : "");
    return dst;
}

enum hale_rc hale_chain_parse(struct hale_str text, struct hale_chain_link *out,
                              struct hale_str *tenant)
{
    struct hale_str rest = text;
    struct hale_str n = hale_str_split(&rest, ' ');
    struct hale_str prev = hale_str_split(&rest, ' ');
    struct hale_str hash = hale_str_split(&rest, ' ');
    memset(out, 0, sizeof(*out));
    if (rest.p == NULL || hale_str_i64(n, &out->n) != HALE_OK || out->n < 1 ||
        hale_chain_unhex(prev, out->prev) != HALE_OK ||
        hale_chain_unhex(hash, out->hash) != HALE_OK)
        return HALE_E_INVAL;
    *tenant = rest;
    return HALE_OK;
}

enum hale_rc hale_chain_head_parse(struct hale_str text, struct hale_chain_link *out,
                                   struct hale_str *id)
{
    struct hale_str rest = text;
    struct hale_str n = hale_str_split(&rest, ' ');
    struct hale_str hash = hale_str_split(&rest, ' ');
    memset(out, 0, sizeof(*out));
    if (rest.p == NULL || hale_str_i64(n, &out->n) != HALE_OK || out->n < 1 ||
        hale_chain_unhex(hash, out->hash) != HALE_OK)
        return HALE_E_INVAL;
    *id = rest;
    return HALE_OK;
}

/* --- checking ------------------------------------------------------------------------ */

struct one { /* the chain of one tenant */
    struct hale_chain_link last;
    bool seen, expects, met;
    struct hale_chain_link head;
};
struct hale_chain_check {
    bool whole;
    struct hale_map *tenants;
    char pending[HALE_CHAIN_ID_MAX]; /* first row without a link since the last link */
    struct hale_chain_totals totals;
};

struct hale_chain_check *hale_chain_check_new(bool whole)
{
    struct hale_chain_check *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->whole = whole;
    c->tenants = hale_map_new(TENANTS_MAX, free);
    if (c->tenants == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

void hale_chain_check_free(struct hale_chain_check *c)
{
    if (c == NULL)
        return;
    hale_map_free(c->tenants);
    free(c);
}

static struct one *chain_of(struct hale_chain_check *c, struct hale_str tenant)
{
    struct hale_str key = tenant.p != NULL ? tenant : HALE_STR("");
    struct one *o = hale_map_get(c->tenants, key);
    if (o != NULL)
        return o;
    o = calloc(1, sizeof(*o));
    if (o != NULL && hale_map_put(c->tenants, key, o) != HALE_OK) {
        free(o);
        return NULL;
    }
    return o;
}

enum hale_rc hale_chain_check_expect(struct hale_chain_check *c, struct hale_str tenant,
                                     const struct hale_chain_link *head)
{
    struct one *o = chain_of(c, tenant);
    if (o == NULL)
        return HALE_E_NOMEM;
    o->expects = true;
    o->head = *head;
    return HALE_OK;
}

static void note_id(char dst[HALE_CHAIN_ID_MAX], struct hale_str id)
{
    (void)snprintf(dst, HALE_CHAIN_ID_MAX, "%.*s",
                   (int)(id.len < HALE_CHAIN_ID_MAX ? id.len : HALE_CHAIN_ID_MAX - 1),
                   id.p != NULL ? id.p : "");
}

/* Does the link join what came before? */
static enum hale_rc check_join(const struct hale_chain_check *c, const struct one *o,
                               const char *id, const struct hale_chain_link *l,
                               struct hale_err *err)
{
    static const struct hale_chain_link none;
    const struct hale_chain_link *before = o->seen ? &o->last : &none;
    if (o->seen && l->n != before->n + 1)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: row %" PRId64 " follows row %" PRId64
                            ": rows between them are gone or in another order",
                            id, l->n, before->n);
    if (!o->seen && l->n > 1 && c->whole)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: it is row %" PRId64 ", and those before it are gone", id,
                            l->n);
    if ((o->seen || l->n == 1) && memcmp(l->prev, before->hash, HALE_CHAIN_HASH) != 0)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: row %" PRId64 " does not continue the one before it", id,
                            l->n);
    return HALE_OK;
}

struct linked {
    struct hale_str tenant, id, row; /* row.p NULL: it is not there */
    const struct hale_chain_link *link;
};

static enum hale_rc check_link(struct hale_chain_check *c, struct one *o,
                               const struct linked *what, struct hale_err *err)
{
    const struct hale_chain_link *l = what->link;
    unsigned char hash[HALE_CHAIN_HASH];
    char name[HALE_CHAIN_ID_MAX];
    note_id(name, what->id);
    if (c->pending[0] != '\0')
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: the row was inserted: it has no link, and %s after it "
                            "has one",
                            c->pending, name);
    enum hale_rc rc = check_join(c, o, name, l, err);
    if (rc != HALE_OK)
        return rc;
    if (what->row.p == NULL)
        return hale_err_set(err, HALE_E_INVAL, "%s: row %" PRId64 " is gone", name, l->n);
    if (hash_of(l, what->tenant, what->id, what->row, hash) != HALE_OK)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (memcmp(hash, l->hash, HALE_CHAIN_HASH) != 0)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s: row %" PRId64 " was changed: its hash is another", name,
                            l->n);
    if (o->expects && o->head.n == l->n) {
        o->met = true;
        if (memcmp(o->head.hash, l->hash, HALE_CHAIN_HASH) != 0)
            return hale_err_set(err, HALE_E_INVAL,
                                "%s: row %" PRId64 " is not the one whose hash was noted "
                                "elsewhere: the chain was written anew",
                                name, l->n);
    }
    o->last = *l;
    o->seen = true;
    c->totals.rows++;
    note_id(c->totals.last, what->id);
    if (c->totals.first[0] == '\0')
        note_id(c->totals.first, what->id);
    return HALE_OK;
}

enum hale_rc hale_chain_check_row(struct hale_chain_check *c, struct hale_str tenant,
                                  struct hale_str id, const struct hale_chain_link *link,
                                  struct hale_str row, struct hale_err *err)
{
    struct one *o = chain_of(c, tenant);
    if (o == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    if (link != NULL)
        return check_link(c, o, &(struct linked){tenant, id, row, link}, err);
    c->totals.pending++;
    if (c->pending[0] == '\0')
        note_id(c->pending, id);
    return HALE_OK;
}

enum hale_rc hale_chain_check_end(const struct hale_chain_check *c, struct hale_err *err)
{
    size_t it = 0;
    struct hale_str tenant;
    const struct one *o;
    while ((o = hale_map_next(c->tenants, &it, &tenant)) != NULL) {
        bool trimmed = o->seen && !c->whole && o->last.n > o->head.n;
        if (o->expects && !o->met && !trimmed)
            return hale_err_set(
                err, HALE_E_INVAL,
                "%.*s%sthe journal ends before row %" PRId64 ", which was there",
                (int)tenant.len, tenant.p, tenant.len > 0 ? ": " : "", o->head.n);
    }
    return HALE_OK;
}

struct hale_chain_totals hale_chain_check_totals(const struct hale_chain_check *c)
{
    return c->totals;
}
