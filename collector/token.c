/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "model/yaml.h"

#define SHA_LEN COLLECTOR_TOKEN_SHA_BYTES
#define TOKEN_MAX_LEN                                                                    \
    512 /* bytes of a token's text that are looked at; longer: unknown */

struct token {
    unsigned char sha[SHA_LEN];
    struct collector_identity who;
    int64_t expires_ms; /* INT64_MAX: never */
};

struct collector_token_table {
    struct hale_map *by_sha;
    struct token **by_name;
};

struct collector_tokens {
    pthread_mutex_t lock;
    struct collector_token_table *table; /* guarded by lock; may be NULL */
    EVP_MD_CTX *ctx;                     /* guarded by lock */
    const EVP_MD *sha256;
};

static const struct {
    const char *text;
    unsigned bit;
} ROLES[] = {{"operator", COLLECTOR_OPERATOR},
             {"agent", COLLECTOR_AGENT},
             {"read-only", COLLECTOR_READER},
             {"delegate", COLLECTOR_DELEGATE}};
#define N_ROLES (sizeof(ROLES) / sizeof(ROLES[0]))

const char *collector_role_text(unsigned role)
{
    for (size_t i = 0; i < N_ROLES; i++) {
        if (ROLES[i].bit == role)
            return ROLES[i].text;
    }
    return "";
}

unsigned collector_role_parse(struct hale_str text)
{
    for (size_t i = 0; i < N_ROLES; i++) {
        if (hale_str_eq_c(text, ROLES[i].text))
            return ROLES[i].bit;
    }
    return 0;
}

/* --- one file ------------------------------------------------------------------------- */

struct raw_token {
    char *name, *sha256, *tenant, *expires;
    const struct hale_yaml_node *roles;
};
#define AT(field) offsetof(struct raw_token, field)
static const struct hale_conf_field FIELDS[] = {
    {"name", HALE_CONF_STRING, AT(name), true, NULL, 0, 0, NULL, "unique name"},
    {"sha256", HALE_CONF_STRING, AT(sha256), true, NULL, 0, 0, NULL, "hash of the token"},
    {"tenant", HALE_CONF_STRING, AT(tenant), true, NULL, 0, 0, NULL, "tenant"},
    {"roles", HALE_CONF_NODE, AT(roles), true, NULL, 0, 0, NULL, "list of roles"},
    {"expires", HALE_CONF_STRING, AT(expires), false, NULL, 0, 0, NULL, "ISO 8601 time"},
};
#define N_FIELDS (sizeof(FIELDS) / sizeof(FIELDS[0]))

bool collector_tenant_ok(const char *s)
{
    size_t n = strlen(s);

    if (n < 1 || n > HALE_TENANT_MAX_BYTES)
        return false;
    return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789_.-") == n;
}

static enum hale_rc read_roles(const struct hale_yaml_node *list, unsigned *out,
                               struct hale_err *err)
{
    *out = 0;
    if (hale_yaml_kind(list) != HALE_YAML_LIST || hale_yaml_count(list) == 0)
        return hale_yaml_error(list, err, "roles must be a list such as [operator]");
    for (size_t i = 0; i < hale_yaml_count(list); i++) {
        const struct hale_yaml_node *item = hale_yaml_item(list, i);
        unsigned bit = collector_role_parse(hale_yaml_text(item));
        if (bit == 0)
            return hale_yaml_error(
                item, err, "unknown role; use operator, agent, read-only or delegate");
        *out |= bit;
    }
    return HALE_OK;
}

static enum hale_rc fill_token(const struct hale_yaml_node *map, struct raw_token *raw,
                               struct token *t, struct hale_err *err)
{
    enum hale_rc rc = hale_conf_read(map, FIELDS, N_FIELDS, raw, err);
    if (rc != HALE_OK)
        return rc;
    if (raw->name[0] == '\0' || strlen(raw->name) > COLLECTOR_TOKEN_NAME_MAX)
        return hale_yaml_error(map, err, "name must have 1 to %d bytes",
                               COLLECTOR_TOKEN_NAME_MAX);
    if (!collector_tenant_ok(raw->tenant))
        return hale_yaml_error(map, err,
                               "tenant must have 1 to 64 of the characters A-Za-z0-9_.-");
    if (hale_str_unhex(hale_str_from(raw->sha256), t->sha, SHA_LEN) != HALE_OK)
        return hale_yaml_error(map, err,
                               "sha256 must be 64 hexadecimal digits; make them with: "
                               "printf %%s TOKEN | sha256sum");
    t->expires_ms = INT64_MAX;
    if (raw->expires != NULL &&
        hale_clock_parse_iso(hale_str_from(raw->expires), &t->expires_ms) != HALE_OK)
        return hale_yaml_error(map, err,
                               "expires must be a time such as 2027-01-01T00:00:00Z");
    memcpy(t->who.name, raw->name, strlen(raw->name) + 1);
    memcpy(t->who.tenant, raw->tenant, strlen(raw->tenant) + 1);
    return read_roles(raw->roles, &t->who.roles, err);
}

static enum hale_rc add_token(struct collector_token_table *table, struct hale_map *names,
                              const struct hale_yaml_node *map, struct hale_err *err)
{
    struct raw_token raw = {0};
    struct token *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    enum hale_rc rc = fill_token(map, &raw, t, err);
    if (rc == HALE_OK && hale_map_get(names, hale_str_from(raw.name)) != NULL)
        rc = hale_yaml_error(map, err, "a token with this name is there already");
    struct hale_str key = {(const char *)t->sha, SHA_LEN};
    if (rc == HALE_OK && hale_map_get(table->by_sha, key) != NULL)
        rc = hale_yaml_error(map, err, "a token with this sha256 is there already");
    if (rc == HALE_OK)
        rc = hale_map_put(names, hale_str_from(raw.name), table);
    if (rc == HALE_OK)
        rc = hale_map_put(table->by_sha, key, t);
    if (rc != HALE_OK)
        free(t);
    hale_conf_fini(FIELDS, N_FIELDS, &raw);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    const struct token *x = *(struct token *const *)a, *y = *(struct token *const *)b;

    return strcmp(x->who.name, y->who.name);
}

static enum hale_rc sort_by_name(struct collector_token_table *t, struct hale_err *err)
{
    size_t n = hale_map_count(t->by_sha), it = 0;

    t->by_name = calloc(n > 0 ? n : 1, sizeof(struct token *));
    if (t->by_name == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        t->by_name[i] = hale_map_next(t->by_sha, &it, NULL);
    qsort(t->by_name, n, sizeof(t->by_name[0]), compare_names);
    return HALE_OK;
}

/* Takes doc. */
static enum hale_rc read_table(struct hale_yaml *doc, const char *source,
                               struct collector_token_table **out, struct hale_err *err)
{
    struct hale_map *names = hale_map_new(COLLECTOR_TOKENS_MAX, NULL);
    struct collector_token_table *table = calloc(1, sizeof(*table));
    const struct hale_yaml_node *root = hale_yaml_root(doc);
    const struct hale_yaml_node *list = hale_yaml_get(root, "tokens");
    enum hale_rc rc = HALE_OK;

    if (table != NULL)
        table->by_sha = hale_map_new(COLLECTOR_TOKENS_MAX, free);
    if (names == NULL || table == NULL || table->by_sha == NULL) {
        hale_yaml_free(doc);
        hale_map_free(names);
        collector_token_table_free(table);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    if (hale_yaml_kind(root) != HALE_YAML_MAP || list == NULL ||
        hale_yaml_kind(list) != HALE_YAML_LIST || hale_yaml_count(root) != 1)
        rc = hale_err_at(err, HALE_E_INVAL, source, 1, 0,
                         "the file must have exactly one key, tokens, with a list");
    else if (hale_yaml_count(list) > COLLECTOR_TOKENS_MAX)
        rc = hale_err_at(err, HALE_E_LIMIT, source, 1, 0, "more than %d tokens",
                         COLLECTOR_TOKENS_MAX);
    for (size_t i = 0; rc == HALE_OK && i < hale_yaml_count(list); i++)
        rc = add_token(table, names, hale_yaml_item(list, i), err);
    if (rc == HALE_OK)
        rc = sort_by_name(table, err);
    if (rc == HALE_OK) {
        *out = table;
        table = NULL;
    }
    hale_yaml_free(doc);
    hale_map_free(names);
    collector_token_table_free(table);
    return rc;
}

enum hale_rc collector_token_table_load(const char *path,
                                        struct collector_token_table **out,
                                        struct hale_err *err)
{
    struct hale_yaml *doc = NULL;

    *out = NULL;
    enum hale_rc rc = hale_yaml_load_file(path, &doc, err);
    return rc == HALE_OK ? read_table(doc, path, out, err) : rc;
}

enum hale_rc collector_token_table_read(struct hale_str text, const char *source,
                                        struct collector_token_table **out,
                                        struct hale_err *err)
{
    struct hale_yaml *doc = NULL;

    *out = NULL;
    enum hale_rc rc = hale_yaml_load(text, source, &doc, err);
    return rc == HALE_OK ? read_table(doc, source, out, err) : rc;
}

void collector_token_table_row(const struct collector_token_table *t, size_t i,
                               struct collector_identity *who, int64_t *expires_ms,
                               char *sha256_hex)
{
    *who = t->by_name[i]->who;
    *expires_ms = t->by_name[i]->expires_ms;
    if (sha256_hex != NULL)
        hale_str_hex(t->by_name[i]->sha, SHA_LEN, sha256_hex);
}

void collector_token_table_free(struct collector_token_table *t)
{
    if (t == NULL)
        return;
    hale_map_free(t->by_sha);
    free(t->by_name);
    free(t);
}

unsigned collector_token_table_count(const struct collector_token_table *t)
{
    return (unsigned)hale_map_count(t->by_sha);
}

/* --- the current table ------------------------------------------------------------------ */

struct collector_tokens *collector_tokens_new(void)
{
    struct collector_tokens *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->ctx = EVP_MD_CTX_new();
    t->sha256 = EVP_sha256();
    if (t->ctx == NULL || pthread_mutex_init(&t->lock, NULL) != 0) {
        EVP_MD_CTX_free(t->ctx);
        free(t);
        return NULL;
    }
    return t;
}

void collector_tokens_free(struct collector_tokens *t)
{
    if (t == NULL)
        return;
    collector_token_table_free(t->table);
    EVP_MD_CTX_free(t->ctx);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

void collector_tokens_swap(struct collector_tokens *t,
                           struct collector_token_table *table)
{
    (void)pthread_mutex_lock(&t->lock);
    struct collector_token_table *old = t->table;
    t->table = table;
    (void)pthread_mutex_unlock(&t->lock);
    collector_token_table_free(old);
}

enum hale_rc collector_tokens_check(struct collector_tokens *t, struct hale_str token,
                                    int64_t now_ms, struct collector_identity *out)
{
    unsigned char sha[EVP_MAX_MD_SIZE];
    unsigned sha_len = 0;
    enum hale_rc rc = HALE_E_DENIED;

    if (token.len == 0 || token.len > TOKEN_MAX_LEN)
        return HALE_E_DENIED;
    (void)pthread_mutex_lock(&t->lock);
    int ok = EVP_DigestInit_ex(t->ctx, t->sha256, NULL) == 1 &&
             EVP_DigestUpdate(t->ctx, token.p, token.len) == 1 &&
             EVP_DigestFinal_ex(t->ctx, sha, &sha_len) == 1 && sha_len == SHA_LEN;
    if (ok && t->table != NULL) {
        struct hale_str key = {(const char *)sha, SHA_LEN};
        const struct token *hit = hale_map_get(t->table->by_sha, key);
        if (hit != NULL && CRYPTO_memcmp(hit->sha, sha, SHA_LEN) == 0 &&
            now_ms < hit->expires_ms) {
            *out = hit->who;
            rc = HALE_OK;
        }
    }
    (void)pthread_mutex_unlock(&t->lock);
    return rc;
}
