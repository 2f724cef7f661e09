/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/snmp.h"

#include <errno.h>
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/large_fd_set.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actuator/varbinds.h"
#include "base/clock.h"

#define FOR_EVER_US      (3600 * 1000000L) /* libsnmp's timers are not used */
#define ENGINE_EPOCH_S   1577836800        /* 2020-01-01 */
#define ENGINE_TIME_BITS 31
#define ARC_TAIL         3
#define MESSAGE_MAX      65507

enum phase { IDLE, DISCOVERS, TOLD };

struct actuator_snmp {
    const struct actuator_snmp_conf *conf;
    void *session; /* libsnmp's */
    int fd;        /* the session's, -1 after it was closed */
    int error;     /* errno of the socket, or 0 */
    enum phase phase;
    netsnmp_pdu *held; /* until the engine is known */
    bool done, broken, closing, found;
    enum hale_rc rc;
    char text[160];
    struct actuator_snmp *next; /* all that are open */
};
struct wire { /* freed by libsnmp, with transport as its beginning */
    netsnmp_transport transport;
    struct actuator_snmp *owner;
};

static struct actuator_snmp *open_sessions;

static const oid UPTIME[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};
static const oid TRAP_OID[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};

/* --- libsnmp without what it reads, writes and says ----------------------------------------- */

/* What init_snmp does for a manager, without locale, configuration files and MIBs. */
static void init_once(void)
{
    static bool is_done;
    if (is_done)
        return;
    is_done = true;
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    netsnmp_ds_set_string(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_APPTYPE, "hale");
    init_callbacks();
    init_snmp_logging();
    (void)netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
    init_snmpv3("hale");
    (void)snmp_call_callbacks(SNMP_CALLBACK_LIBRARY,
                              SNMP_CALLBACK_POST_PREMIB_READ_CONFIG, NULL);
    (void)snmp_call_callbacks(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_POST_READ_CONFIG,
                              NULL);
}

static oid *auth_oid(enum actuator_snmp_auth auth, size_t *len)
{
    static const int types[] = {NETSNMP_USMAUTH_HMACSHA1, NETSNMP_USMAUTH_HMAC128SHA224,
                                NETSNMP_USMAUTH_HMAC192SHA256,
                                NETSNMP_USMAUTH_HMAC256SHA384,
                                NETSNMP_USMAUTH_HMAC384SHA512};
    return sc_get_auth_oid(types[auth], len);
}

static oid *priv_oid(enum actuator_snmp_priv priv, size_t *len)
{
    static const int types[] = {USM_CREATE_USER_PRIV_AES, USM_CREATE_USER_PRIV_AES192,
                                USM_CREATE_USER_PRIV_AES256,
                                USM_CREATE_USER_PRIV_AES192_CISCO,
                                USM_CREATE_USER_PRIV_AES256_CISCO};
    return sc_get_priv_oid(types[priv], len);
}

bool actuator_snmp_key(enum actuator_snmp_auth auth, struct hale_str passphrase,
                       struct actuator_snmp_key *out)
{
    size_t oid_len = 0;
    init_once();
    const oid *proto = auth_oid(auth, &oid_len);
    out->len = sizeof(out->bytes);
    if (proto != NULL &&
        generate_Ku(proto, (u_int)oid_len, (const u_char *)passphrase.p, passphrase.len,
                    out->bytes, &out->len) == SNMPERR_SUCCESS)
        return true;
    out->len = 0;
    return false;
}

/* --- our socket as libsnmp's transport -------------------------------------------------------- */

static int wire_recv(netsnmp_transport *t, void *buf, int size, void **opaque, int *len)
{
    struct actuator_snmp *s = ((struct wire *)(void *)t)->owner;
    *opaque = NULL;
    *len = 0;
    ssize_t n = recv(t->sock, buf, (size_t)size, 0);
    if (n >= 0)
        return (int)n;
    if (errno == EAGAIN || errno == EINTR) {
        t->flags |= NETSNMP_TRANSPORT_FLAG_EMPTY_PKT;
        return 0;
    }
    s->error = errno;
    return -1;
}

/* What the kernel does not take at once is not sent: a notification is small. */
static int wire_send(netsnmp_transport *t, const void *buf, int size, void **opaque,
                     int *len)
{
    struct actuator_snmp *s = ((struct wire *)(void *)t)->owner;
    (void)opaque;
    (void)len;
    ssize_t n = send(t->sock, buf, (size_t)size, MSG_NOSIGNAL);
    if (n == size)
        return size;
    s->error = n < 0 ? errno : EAGAIN;
    s->broken = true;
    return -1;
}

static int wire_close(netsnmp_transport *t)
{
    struct actuator_snmp *s = ((struct wire *)(void *)t)->owner;
    if (t->sock >= 0)
        (void)close(t->sock);
    t->sock = -1;
    s->fd = -1;
    s->broken = true;
    return 0;
}

static netsnmp_transport *wire_new(struct actuator_snmp *s, int fd)
{
    struct wire *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->owner = s;
    w->transport =
        (netsnmp_transport){.domain = netsnmpUDPDomain,
                            .domain_length = (int)netsnmpUDPDomain_len,
                            .sock = fd,
                            .flags = NETSNMP_TRANSPORT_FLAG_OPENED |
                                     (s->conf->tcp ? NETSNMP_TRANSPORT_FLAG_STREAM : 0),
                            .msgMaxSize = MESSAGE_MAX,
                            .f_recv = wire_recv,
                            .f_send = wire_send,
                            .f_close = wire_close};
    return &w->transport;
}

/* --- outcomes --------------------------------------------------------------------------------- */

static void end(struct actuator_snmp *s, enum hale_rc rc, const char *text)
{
    if (s->done)
        return;
    s->done = true;
    s->phase = IDLE;
    s->rc = rc;
    (void)snprintf(s->text, sizeof(s->text), "%s", text);
}

static void end_errno(struct actuator_snmp *s)
{
    const char *why = strerrordesc_np(s->error);
    char text[160];
    (void)snprintf(text, sizeof(text), "%s",
                   s->error == ECONNREFUSED       ? "nobody listens at that port"
                   : s->error != 0 && why != NULL ? why
                                                  : "the manager closed the connection");
    s->broken = true;
    end(s, HALE_E_IO, text);
}

static void end_report(struct actuator_snmp *s, netsnmp_pdu *report)
{
    const char *text = "the manager reports an error of SNMPv3";
    switch (snmpv3_get_report_type(report)) {
    case SNMPERR_UNKNOWN_USER_NAME:
        text = "the manager does not know the user (usmStatsUnknownUserNames)";
        break;
    case SNMPERR_AUTHENTICATION_FAILURE:
        text = "the manager does not accept the authentication: wrong passphrase or "
               "protocol "
               "(usmStatsWrongDigests)";
        break;
    case SNMPERR_DECRYPTION_ERR:
        text = "the manager cannot decrypt: wrong passphrase or protocol of privacy "
               "(usmStatsDecryptionErrors)";
        break;
    case SNMPERR_UNSUPPORTED_SEC_LEVEL:
        text = "the manager has the user without this authentication or privacy "
               "(usmStatsUnsupportedSecLevels)";
        break;
    case SNMPERR_NOT_IN_TIME_WINDOW:
        text = "the manager's clock and ours do not meet (usmStatsNotInTimeWindows)";
        break;
    case SNMPERR_UNKNOWN_ENG_ID:
        text = "the manager has another engine now (usmStatsUnknownEngineIDs)";
        break;
    default: break;
    }
    end(s, HALE_E_IO, text);
}

static void end_response(struct actuator_snmp *s, const netsnmp_pdu *response)
{
    char text[96];
    if (response->errstat == SNMP_ERR_NOERROR) {
        end(s, HALE_OK, "");
        return;
    }
    (void)snprintf(text, sizeof(text), "the manager answers with error-status %ld",
                   response->errstat);
    end(s, response->errstat == SNMP_ERR_TOOBIG ? HALE_E_INVAL : HALE_E_IO, text);
}

/* Inside libsnmp: only notes what happened. */
static int on_event(int operation, netsnmp_session *session, int reqid, netsnmp_pdu *pdu,
                    void *arg)
{
    struct actuator_snmp *s = arg;
    (void)session;
    (void)reqid;
    if (s->closing || s->phase == IDLE)
        return 1;
    switch (operation) {
    case NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE:
        if (pdu->command == SNMP_MSG_REPORT && s->phase == DISCOVERS)
            s->found = true;
        else if (pdu->command == SNMP_MSG_REPORT)
            end_report(s, pdu);
        else if (pdu->command == SNMP_MSG_RESPONSE && s->phase == TOLD)
            end_response(s, pdu);
        break;
    case NETSNMP_CALLBACK_OP_SEND_FAILED:
    case NETSNMP_CALLBACK_OP_DISCONNECT: end_errno(s); break;
    default: break;
    }
    return 1;
}

/* --- sessions ------------------------------------------------------------------------------------ */

static void engine_time(const struct actuator_snmp_conf *c)
{
    uint64_t s = (uint64_t)(hale_clock_wall_ms() / 1000 - ENGINE_EPOCH_S);
    (void)set_enginetime(c->engine_id, (u_int)c->engine_id_len,
                         1 + (u_int)(s >> ENGINE_TIME_BITS),
                         (u_int)(s & ((1u << ENGINE_TIME_BITS) - 1)), TRUE);
}

static void describe_v3(netsnmp_session *base, const struct actuator_snmp_conf *c)
{
    base->version = SNMP_VERSION_3;
    base->securityModel = SNMP_SEC_MODEL_USM;
    base->securityName = c->user;
    base->securityNameLen = strlen(c->user);
    base->securityLevel = c->priv_key.len > 0   ? SNMP_SEC_LEVEL_AUTHPRIV
                          : c->auth_key.len > 0 ? SNMP_SEC_LEVEL_AUTHNOPRIV
                                                : SNMP_SEC_LEVEL_NOAUTH;
    if (c->auth_key.len > 0) {
        base->securityAuthProto = auth_oid(c->auth, &base->securityAuthProtoLen);
        memcpy(base->securityAuthKey, c->auth_key.bytes, c->auth_key.len);
        base->securityAuthKeyLen = c->auth_key.len;
    }
    if (c->priv_key.len > 0) {
        base->securityPrivProto = priv_oid(c->priv, &base->securityPrivProtoLen);
        memcpy(base->securityPrivKey, c->priv_key.bytes, c->priv_key.len);
        base->securityPrivKeyLen = c->priv_key.len;
    }
    base->flags |= SNMP_FLAGS_DONT_PROBE;
    base->contextEngineID = (u_char *)(uintptr_t)c->engine_id; /* copied */
    base->contextEngineIDLen = c->engine_id_len;
    if (c->trap) {
        base->securityEngineID = (u_char *)(uintptr_t)c->engine_id;
        base->securityEngineIDLen = c->engine_id_len;
        engine_time(c);
    }
}

static void *session_new(struct actuator_snmp *s, netsnmp_transport *transport)
{
    const struct actuator_snmp_conf *c = s->conf;
    netsnmp_session base;
    snmp_sess_init(&base);
    base.retries = 0;
    base.timeout = FOR_EVER_US;
    base.callback = on_event;
    base.callback_magic = s;
    if (c->v3) {
        describe_v3(&base, c);
    } else {
        base.version = SNMP_VERSION_2c;
        base.community = (u_char *)c->community; /* copied */
        base.community_len = c->community_len;
    }
    void *session = snmp_sess_add(&base, transport, NULL, NULL);
    explicit_bzero(&base, sizeof(base));
    if (session != NULL)
        snmp_sess_session(session)->flags |= SNMP_FLAGS_DONT_PROBE; /* it would wait */
    return session;
}

struct actuator_snmp *actuator_snmp_open(const struct actuator_snmp_conf *conf, int fd)
{
    init_once();
    struct actuator_snmp *s = calloc(1, sizeof(*s));
    netsnmp_transport *transport = NULL;
    if (s != NULL) {
        s->conf = conf;
        s->fd = fd;
        transport = wire_new(s, fd);
    }
    if (transport == NULL) {
        (void)close(fd);
        free(s);
        return NULL;
    }
    s->session = session_new(s, transport); /* frees the transport when it fails */
    if (s->session == NULL) {
        free(s);
        return NULL;
    }
    s->next = open_sessions;
    open_sessions = s;
    return s;
}

static bool same_user(const netsnmp_session *a, const netsnmp_session *b)
{
    return a->version == SNMP_VERSION_3 && b->version == SNMP_VERSION_3 &&
           a->securityEngineIDLen == b->securityEngineIDLen &&
           memcmp(a->securityEngineID, b->securityEngineID, a->securityEngineIDLen) ==
               0 &&
           strcmp(a->securityName, b->securityName) == 0;
}

/* libsnmp would keep the user with its keys for ever, and other passphrases would never count. */
static void forget_user(const struct actuator_snmp *s)
{
    const netsnmp_session *mine = snmp_sess_session(s->session);
    if (mine->version != SNMP_VERSION_3 || mine->securityEngineIDLen == 0)
        return;
    for (const struct actuator_snmp *o = open_sessions; o != NULL; o = o->next)
        if (same_user(mine, snmp_sess_session(o->session)))
            return;
    struct usmUser *user = usm_get_user(mine->securityEngineID, mine->securityEngineIDLen,
                                        mine->securityName);
    if (user == NULL)
        return;
    (void)usm_remove_user(user);
    (void)usm_free_user(user);
}

void actuator_snmp_close(struct actuator_snmp *s)
{
    if (s == NULL)
        return;
    struct actuator_snmp **at = &open_sessions;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->closing = true;
    forget_user(s);
    netsnmp_session *session = snmp_sess_session(s->session);
    explicit_bzero(session->securityAuthKey, sizeof(session->securityAuthKey));
    explicit_bzero(session->securityPrivKey, sizeof(session->securityPrivKey));
    if (session->community != NULL)
        explicit_bzero(session->community, session->community_len);
    if (s->held != NULL)
        snmp_free_pdu(s->held);
    (void)snmp_sess_close(s->session);
    free(s);
}

/* --- a notification -------------------------------------------------------------------------------- */

static size_t name_of(const struct actuator_snmp_conf *c, unsigned branch,
                      unsigned number, oid dst[ACTUATOR_SNMP_OID_MAX + ARC_TAIL])
{
    for (unsigned i = 0; i < c->n_oid; i++)
        dst[i] = c->oid[i];
    dst[c->n_oid] = branch;
    dst[c->n_oid + 1] = number;
    dst[c->n_oid + 2] = 0;
    return c->n_oid;
}

static bool add(const struct actuator_snmp_conf *c, netsnmp_pdu *pdu,
                const struct actuator_varbind *v)
{
    oid name[ACTUATOR_SNMP_OID_MAX + ARC_TAIL];
    size_t len = name_of(c, 1, v->object, name) + ARC_TAIL;
    long integer = (long)v->number;
    u_long gauge = v->number > UINT32_MAX ? UINT32_MAX : (u_long)v->number;
    struct counter64 counter = {(u_long)((uint64_t)v->number >> 32),
                                (u_long)((uint64_t)v->number & UINT32_MAX)};
    unsigned char date[ACTUATOR_DATE_BYTES];
    const void *value = &integer;
    size_t size = sizeof(integer);
    u_char type = ASN_INTEGER;
    switch (v->type) {
    case ACTUATOR_VAR_INTEGER: break;
    case ACTUATOR_VAR_GAUGE:
        type = ASN_GAUGE;
        value = &gauge;
        break;
    case ACTUATOR_VAR_COUNTER:
        type = ASN_COUNTER64;
        value = &counter;
        size = sizeof(counter);
        break;
    case ACTUATOR_VAR_TEXT:
        type = ASN_OCTET_STR;
        value = v->text.p;
        size = v->text.len;
        break;
    case ACTUATOR_VAR_DATE:
        actuator_varbinds_date(v->number, date);
        type = ASN_OCTET_STR;
        value = date;
        size = sizeof(date);
        break;
    }
    return snmp_pdu_add_variable(pdu, name, len, type, value, size) != NULL;
}

static netsnmp_pdu *pdu_new(const struct actuator_snmp_conf *c,
                            const struct actuator_varbinds *vars, uint32_t uptime_cs)
{
    netsnmp_pdu *pdu = snmp_pdu_create(c->trap ? SNMP_MSG_TRAP2 : SNMP_MSG_INFORM);
    oid trap[ACTUATOR_SNMP_OID_MAX + ARC_TAIL];
    size_t n = name_of(c, 0, vars->notification, trap) + 2;
    u_long ticks = uptime_cs;
    if (pdu == NULL)
        return NULL;
    bool ok = snmp_pdu_add_variable(pdu, UPTIME, OID_LENGTH(UPTIME), ASN_TIMETICKS,
                                    &ticks, sizeof(ticks)) != NULL &&
              snmp_pdu_add_variable(pdu, TRAP_OID, OID_LENGTH(TRAP_OID), ASN_OBJECT_ID,
                                    trap, n * sizeof(oid)) != NULL;
    for (unsigned i = 0; ok && i < vars->n; i++)
        ok = add(c, pdu, &vars->v[i]);
    if (ok)
        return pdu;
    snmp_free_pdu(pdu);
    return NULL;
}

/* Takes pdu. */
static void hand_over(struct actuator_snmp *s, netsnmp_pdu *pdu, enum phase phase)
{
    bool answered = pdu->command != SNMP_MSG_TRAP2;
    s->phase = phase;
    if (snmp_sess_async_send(s->session, pdu, answered ? on_event : NULL, s) == 0) {
        int why = snmp_sess_session(s->session)->s_snmp_errno;
        snmp_free_pdu(pdu);
        if (s->error != 0)
            end_errno(s);
        else
            end(s, why == SNMPERR_TOO_LONG ? HALE_E_INVAL : HALE_E_IO,
                snmp_api_errstring(why));
        s->broken = true;
    } else if (!answered) {
        end(s, HALE_OK, "");
    }
}

/* An empty question of an unknown user: the answer is a report with the engine. */
static void discover(struct actuator_snmp *s)
{
    netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
    if (pdu != NULL)
        pdu->securityName = strdup("");
    if (pdu == NULL || pdu->securityName == NULL) {
        if (pdu != NULL)
            snmp_free_pdu(pdu);
        end(s, HALE_E_NOMEM, "out of memory");
        return;
    }
    pdu->version = SNMP_VERSION_3;
    pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
    pdu->securityModel = SNMP_SEC_MODEL_USM;
    hand_over(s, pdu, DISCOVERS);
}

void actuator_snmp_send(struct actuator_snmp *s, struct hale_str body, uint32_t uptime_cs)
{
    struct actuator_varbinds vars;
    s->done = false;
    s->error = 0;
    s->found = false;
    if (s->broken) {
        end_errno(s);
        return;
    }
    if (actuator_varbinds_read(body, &vars) != HALE_OK) {
        end(s, HALE_E_INVAL, "the notification is not one of ours");
        return;
    }
    netsnmp_pdu *pdu = pdu_new(s->conf, &vars, uptime_cs);
    actuator_varbinds_fini(&vars);
    if (pdu == NULL) {
        end(s, HALE_E_NOMEM, "out of memory");
    } else if (s->conf->v3 && !s->conf->trap &&
               snmp_sess_session(s->session)->securityEngineIDLen == 0) {
        s->held = pdu;
        discover(s);
    } else {
        if (s->conf->v3 && s->conf->trap)
            engine_time(s->conf);
        hand_over(s, pdu, TOLD);
    }
}

static void discovered(struct actuator_snmp *s)
{
    netsnmp_session *session = snmp_sess_session(s->session);
    netsnmp_pdu *pdu = s->held;
    s->found = false;
    s->held = NULL;
    if (session->securityEngineIDLen > 0 &&
        create_user_from_session(session) == SNMPERR_SUCCESS) {
        hand_over(s, pdu, TOLD);
        return;
    }
    snmp_free_pdu(pdu);
    end(s, HALE_E_IO, "the manager tells no engine that could be used");
}

void actuator_snmp_read(struct actuator_snmp *s)
{
    netsnmp_large_fd_set set;
    if (s->fd < 0)
        return;
    netsnmp_large_fd_set_init(&set, s->fd + 1);
    NETSNMP_LARGE_FD_SET(s->fd, &set);
    (void)snmp_sess_read2(s->session, &set);
    netsnmp_large_fd_set_cleanup(&set);
    if (s->error != 0 || s->broken)
        end_errno(s);
    if (s->found && !s->done)
        discovered(s);
}

bool actuator_snmp_result(const struct actuator_snmp *s, struct hale_http_result *r)
{
    *r = (struct hale_http_result){.rc = s->rc, .sent = true, .error = s->text};
    return s->done;
}

const char *actuator_snmp_silence(const struct actuator_snmp *s)
{
    if (!s->conf->v3)
        return "no answer: nobody there, or the community is not accepted";
    if (s->phase == DISCOVERS)
        return "no answer to the question for the engine: nobody there who speaks SNMPv3";
    return s->conf->priv_key.len > 0 ? "no answer: the manager's engine is there; is the "
                                       "passphrase of privacy right?"
                                     : "no answer, though the manager's engine is there";
}

bool actuator_snmp_is_broken(const struct actuator_snmp *s)
{
    return s->broken;
}
