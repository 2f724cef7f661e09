/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf_snmp.h"

#include <stdlib.h>
#include <string.h>

#include "actuator/read.h"
#include "actuator/snmp.h"
#include "base/fs.h"

#define N(fields)           (sizeof(fields) / sizeof((fields)[0]))
#define NODE                const struct hale_yaml_node *
#define SECRET_MAX_BYTES    1024
#define COMMUNITY_MAX_BYTES 64
#define USER_MAX_BYTES      32
#define PASSPHRASE_MIN      8
#define PORT                162

static const char *const VERSIONS[] = {"2c", "3", NULL};
static const char *const KINDS[] = {"inform", "trap", NULL};
static const char *const AUTHS[] = {"SHA-1",   "SHA-224", "SHA-256",
                                    "SHA-384", "SHA-512", NULL};
static const char *const PRIVS[] = {"AES",       "AES-192",   "AES-256",
                                    "AES-192-C", "AES-256-C", NULL};
/* Below net-snmp's arc for experiments, netSnmpPlaypen: see packaging/mibs/HALE-MIB.txt. */
static const char ARC[] = "1.3.6.1.4.1.8072.9999.9999.4253";
/* RFC 3411's form 4 (text): "hale". */
static const unsigned char ENGINE[] = {0x80, 0x00, 0x1f, 0x88, 0x04, 'h', 'a', 'l', 'e'};

struct raw {
    char *community_file, *user, *auth_file, *priv_file, *engine_id, *oid;
    int version, kind, auth, priv;
};
#define R(member) offsetof(struct raw, member)
static const struct hale_conf_field FIELDS[] = {
    {"version", HALE_CONF_ENUM, R(version), false, "2c", 0, 0, VERSIONS, "of SNMP"},
    {"kind", HALE_CONF_ENUM, R(kind), false, "inform", 0, 0, KINDS,
     "inform: the manager answers; trap: nobody knows whether it arrived"},
    {"community_file", HALE_CONF_STRING, R(community_file), false, NULL, 0, 0, NULL,
     "version 2c: holds the community"},
    {"user", HALE_CONF_STRING, R(user), false, NULL, 0, 0, NULL, "version 3"},
    {"auth", HALE_CONF_ENUM, R(auth), false, "SHA-256", 0, 0, AUTHS, "with auth_file"},
    {"auth_file", HALE_CONF_STRING, R(auth_file), false, NULL, 0, 0, NULL,
     "holds the passphrase; without it nothing is authenticated"},
    {"priv", HALE_CONF_ENUM, R(priv), false, "AES", 0, 0, PRIVS, "with priv_file"},
    {"priv_file", HALE_CONF_STRING, R(priv_file), false, NULL, 0, 0, NULL,
     "holds the passphrase; without it nothing is encrypted"},
    {"engine_id", HALE_CONF_STRING, R(engine_id), false, NULL, 0, 0, NULL,
     "ours, in hexadecimal; needed for traps of version 3"},
    {"oid", HALE_CONF_STRING, R(oid), false, NULL, 0, 0, NULL, "arc of HALE-MIB"},
};

/* --- secrets ------------------------------------------------------------------------- */

/* The file's content without its final newline; wiped and freed by the caller. */
static enum hale_rc read_secret(NODE map, const char *key, const char *path, size_t max,
                                struct hale_buf *out, struct hale_err *err)
{
    struct hale_err wrong;
    enum hale_rc rc = hale_fs_read(path, out, &wrong);
    while (rc == HALE_OK && out->len > 0 &&
           (out->p[out->len - 1] == '\n' || out->p[out->len - 1] == '\r'))
        out->p[--out->len] = '\0';
    if (rc != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, key), err, "%s: %s", key, wrong.text);
    if (out->len == 0 || out->len > max)
        return hale_yaml_error(hale_yaml_get(map, key), err,
                               "%s: the file must hold 1 to %zu bytes", key, max);
    return HALE_OK;
}

static void wipe(struct hale_buf *secret)
{
    if (secret->p != NULL)
        explicit_bzero(secret->p, secret->cap);
    hale_buf_fini(secret);
}

static enum hale_rc read_community(NODE map, const char *path,
                                   struct actuator_snmp_conf *c, struct hale_err *err)
{
    struct hale_buf secret;
    if (path == NULL)
        return hale_yaml_error(map, err, "snmp: version 2c needs community_file");
    hale_buf_init(&secret, SECRET_MAX_BYTES);
    enum hale_rc rc =
        read_secret(map, "community_file", path, COMMUNITY_MAX_BYTES, &secret, err);
    if (rc == HALE_OK) {
        c->community_len = secret.len;
        c->community = strndup(secret.p, secret.len);
        rc = c->community != NULL ? HALE_OK
                                  : hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    wipe(&secret);
    return rc;
}

static enum hale_rc read_key(NODE map, const char *key, const char *path,
                             enum actuator_snmp_auth auth, struct actuator_snmp_key *out,
                             struct hale_err *err)
{
    struct hale_buf secret;
    if (path == NULL)
        return HALE_OK;
    hale_buf_init(&secret, SECRET_MAX_BYTES);
    enum hale_rc rc = read_secret(map, key, path, SECRET_MAX_BYTES - 1, &secret, err);
    if (rc == HALE_OK && secret.len < PASSPHRASE_MIN)
        rc = hale_yaml_error(hale_yaml_get(map, key), err,
                             "%s: a passphrase of SNMP has at least %d characters", key,
                             PASSPHRASE_MIN);
    else if (rc == HALE_OK && !actuator_snmp_key(auth, hale_buf_str(&secret), out))
        rc = hale_yaml_error(hale_yaml_get(map, key), err,
                             "%s: libsnmp makes no key of it", key);
    wipe(&secret);
    return rc;
}

/* --- version 3 ------------------------------------------------------------------------ */

static enum hale_rc read_engine(NODE map, const char *text, struct actuator_snmp_conf *c,
                                struct hale_err *err)
{
    if (text == NULL && c->v3 && c->trap)
        return hale_yaml_error(
            map, err,
            "snmp: a trap of version 3 needs engine_id, which the manager "
            "has to know too (0x80001f8804 and the name in hexadecimal)");
    if (text == NULL) {
        memcpy(c->engine_id, ENGINE, sizeof(ENGINE));
        c->engine_id_len = sizeof(ENGINE);
        return HALE_OK;
    }
    if (strncmp(text, "0x", 2) == 0)
        text += 2;
    size_t n = strlen(text);
    bool good = n % 2 == 0 && n >= 10 && n / 2 <= ACTUATOR_SNMP_ENGINE_MAX &&
                text[strspn(text, "0123456789abcdefABCDEF")] == '\0' &&
                text[strspn(text, "0")] != '\0' && text[strspn(text, "fF")] != '\0';
    if (!good)
        return hale_yaml_error(hale_yaml_get(map, "engine_id"), err,
                               "engine_id: 5 to 32 bytes in hexadecimal, such as "
                               "0x80001f88046e6f63");
    for (size_t i = 0; i < n / 2; i++) {
        const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        c->engine_id[c->engine_id_len++] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return HALE_OK;
}

static enum hale_rc check_version(NODE map, const struct raw *raw, struct hale_err *err)
{
    static const char *const of_v3[] = {"user", "auth", "auth_file", "priv", "priv_file"};
    bool v3 = raw->version == 1;
    for (size_t i = 0; !v3 && i < N(of_v3); i++)
        if (hale_yaml_kind(hale_yaml_get(map, of_v3[i])) != HALE_YAML_NULL)
            return hale_yaml_error(hale_yaml_get(map, of_v3[i]), err,
                                   "%s is for version 3: add 'version: 3'", of_v3[i]);
    if (v3 && raw->community_file != NULL)
        return hale_yaml_error(hale_yaml_get(map, "community_file"), err,
                               "community_file is for version 2c");
    if (v3 &&
        (raw->user == NULL || raw->user[0] == '\0' || strlen(raw->user) > USER_MAX_BYTES))
        return hale_yaml_error(map, err, "snmp: version 3 needs a user of 1 to %d bytes",
                               USER_MAX_BYTES);
    if (raw->auth_file == NULL &&
        hale_yaml_kind(hale_yaml_get(map, "auth")) != HALE_YAML_NULL)
        return hale_yaml_error(hale_yaml_get(map, "auth"), err, "auth needs auth_file");
    if (raw->priv_file == NULL &&
        hale_yaml_kind(hale_yaml_get(map, "priv")) != HALE_YAML_NULL)
        return hale_yaml_error(hale_yaml_get(map, "priv"), err, "priv needs priv_file");
    if (raw->priv_file != NULL && raw->auth_file == NULL)
        return hale_yaml_error(
            hale_yaml_get(map, "priv_file"), err,
            "priv_file needs auth_file: SNMP encrypts nothing that is not "
            "authenticated");
    return HALE_OK;
}

/* --- addresses ------------------------------------------------------------------------- */

static enum hale_rc read_arc(NODE map, const char *text, struct actuator_snmp_conf *c,
                             struct hale_err *err)
{
    const char *at = text != NULL ? text : ARC;
    bool good = true;
    if (*at == '.')
        at++;
    while (good) {
        size_t n = strspn(at, "0123456789");
        uint64_t value = 0;
        good = n > 0 && c->n_oid < ACTUATOR_SNMP_OID_MAX &&
               hale_str_u64((struct hale_str){at, n}, &value) == HALE_OK &&
               value <= UINT32_MAX;
        if (good)
            c->oid[c->n_oid++] = (uint32_t)value;
        at += n;
        if (*at != '.')
            break;
        at++;
    }
    if (good && *at == '\0' && c->n_oid >= 7 && c->oid[0] <= 2 && c->oid[1] < 40)
        return HALE_OK;
    return hale_yaml_error(
        hale_yaml_get(map, "oid"), err,
        "oid: numbers and dots, at most %d numbers, your own arc such as "
        "1.3.6.1.4.1.<enterprise>.<n>",
        ACTUATOR_SNMP_OID_MAX);
}

/* udp://host[:port], tcp://..., addresses of version 6 in brackets. */
static enum hale_rc read_url(NODE map, const char *url, struct actuator_snmp_conf *c,
                             struct hale_err *err)
{
    const char *whole = url != NULL ? url : "";
    bool tcp = strncmp(whole, "tcp://", 6) == 0;
    const char *at = tcp || strncmp(whole, "udp://", 6) == 0 ? whole + 6 : "";
    bool brackets = *at == '[';
    const char *host = at + brackets;
    size_t n = strcspn(host, brackets ? "]" : ":/?#@[] ");
    const char *rest = host + n;
    uint64_t port = PORT;
    bool good = n > 0 && n <= 253 && memchr(host, '%', n) == NULL;
    if (good && brackets)
        good = *rest++ == ']';
    if (good && *rest == ':')
        good = hale_str_u64(hale_str_from(rest + 1), &port) == HALE_OK && port >= 1 &&
               port <= 65535;
    else
        good = good && *rest == '\0';
    if (!good)
        return hale_yaml_error(url != NULL ? hale_yaml_get(map, "url") : map, err,
                               "profile snmp needs url: udp://host[:port] or "
                               "tcp://host[:port] (port %d)",
                               PORT);
    c->tcp = tcp;
    c->port = (unsigned)port;
    c->host = strndup(host, n);
    return c->host != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* --- all ---------------------------------------------------------------------------------- */

static enum hale_rc take(NODE map, struct raw *raw, struct actuator_snmp_conf *c,
                         struct hale_err *err)
{
    c->v3 = raw->version == 1;
    c->trap = raw->kind == 1;
    c->auth = (enum actuator_snmp_auth)raw->auth;
    c->priv = (enum actuator_snmp_priv)raw->priv;
    c->user = actuator_read_move(&raw->user);
    enum hale_rc rc = read_engine(map, raw->engine_id, c, err);
    if (rc == HALE_OK)
        rc = read_arc(map, raw->oid, c, err);
    if (rc == HALE_OK && !c->v3)
        return read_community(map, raw->community_file, c, err);
    if (rc == HALE_OK)
        rc = read_key(map, "auth_file", raw->auth_file, c->auth, &c->auth_key, err);
    if (rc == HALE_OK)
        rc = read_key(map, "priv_file", raw->priv_file, c->auth, &c->priv_key, err);
    return rc;
}

enum hale_rc actuator_snmp_conf_read(NODE subscriber, const char *url,
                                     struct actuator_snmp_conf **out,
                                     struct hale_err *err)
{
    NODE map = hale_yaml_get(subscriber, "snmp");
    struct raw raw = {0};
    struct actuator_snmp_conf *c = *out = calloc(1, sizeof(*c));
    if (c == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    enum hale_rc rc = read_url(subscriber, url, c, err);
    if (rc != HALE_OK)
        return rc;
    if (hale_yaml_kind(map) != HALE_YAML_MAP)
        return hale_yaml_error(
            subscriber, err,
            "profile snmp needs snmp: {community_file: ...} or {version: "
            "3, user: ..., auth_file: ..., priv_file: ...}");
    rc = hale_conf_read(map, FIELDS, N(FIELDS), &raw, err);
    if (rc != HALE_OK)
        return rc;
    rc = check_version(map, &raw, err);
    if (rc == HALE_OK)
        rc = take(map, &raw, c, err);
    hale_conf_fini(FIELDS, N(FIELDS), &raw);
    return rc;
}

void actuator_snmp_conf_free(struct actuator_snmp_conf *c)
{
    if (c == NULL)
        return;
    if (c->community != NULL)
        explicit_bzero(c->community, c->community_len);
    free(c->community);
    free(c->host);
    free(c->user);
    explicit_bzero(c, sizeof(*c));
    free(c);
}

static bool same_key(const struct actuator_snmp_key *a, const struct actuator_snmp_key *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool actuator_snmp_conf_differs(const struct actuator_snmp_conf *a,
                                const struct actuator_snmp_conf *b)
{
    if (!a->v3 || !b->v3 || strcmp(a->user, b->user) != 0 ||
        strcmp(a->host, b->host) != 0 || a->port != b->port)
        return false;
    return !same_key(&a->auth_key, &b->auth_key) ||
           !same_key(&a->priv_key, &b->priv_key) || a->auth != b->auth ||
           (a->priv_key.len > 0 && a->priv != b->priv);
}
