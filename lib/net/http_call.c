/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/http_client_private.h"

#define CONNECT_DEFAULT_MS   2000
#define TIMEOUT_DEFAULT_MS   10000
#define RESPONSE_DEFAULT     (1024u * 1024)
#define RESPONSE_HEADERS_MAX (64u * 1024)

/* --- curl gives us bytes ---------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct hale_http_job *call = arg;
    hale_buf_add(&call->body, bytes, size * n);
    if (call->body.failed) {
        call->too_large = true;
        return 0;
    }
    return size * n;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct hale_http_job *call = arg;
    size_t len = size * n;
    if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
        hale_buf_reset(&call->head); /* a 100 Continue came before */
    hale_buf_add(&call->head, bytes, len);
    if (call->head.failed) {
        call->too_large = true;
        return 0;
    }
    return len;
}

/* The body of POST and PATCH is read from here without a way back: so curl cannot silently send
 * the request a second time when a kept-alive connection breaks under it (see set_body). */
size_t hale_http_job_read(char *dst, size_t size, size_t n, void *arg)
{
    struct hale_http_job *call = arg;
    size_t room = size * n;
    size_t left = call->request_len - call->request_at;
    size_t len = left < room ? left : room;
    if (len > 0)
        memcpy(dst, call->request + call->request_at, len);
    call->request_at += len;
    return len;
}

/* --- building a call -------------------------------------------------------------------------- */

void hale_http_job_free(struct hale_http_job *call)
{
    struct hale_http_client *c = call->client;
    if (call->easy != NULL && c->n_idle < HALE_HTTP_HANDLES_KEPT) {
        curl_easy_reset(call->easy);
        c->idle[c->n_idle++] = call->easy;
    } else if (call->easy != NULL) {
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->rcpt);
    free(call->request);
    hale_buf_fini(&call->body);
    hale_buf_fini(&call->head);
    call->magic = 0;
    free(call);
}

static bool has_line_break(const char *text)
{
    return text != NULL && strpbrk(text, "\r\n") != NULL;
}

static bool add_header_line(struct hale_http_job *call, const char *line)
{
    struct curl_slist *grown = curl_slist_append(call->headers, line);
    if (grown == NULL)
        return false;
    call->headers = grown;
    return true;
}

static enum hale_rc set_headers(struct hale_http_job *call,
                                const struct hale_http_call *from)
{
    bool typed = false;
    for (size_t i = 0; from->headers != NULL && from->headers[i] != NULL; i++) {
        const char *line = from->headers[i];
        const char *colon = strchr(line, ':');
        if (colon == NULL || colon == line || has_line_break(line))
            return HALE_E_INVAL;
        typed = typed || strncasecmp(line, "Content-Type:", 13) == 0;
        bool ok;
        if (colon[1 + strspn(colon + 1, " \t")] == '\0') {
            char empty[128]; /* curl's way to send a header without value */
            int n = snprintf(empty, sizeof(empty), "%.*s;", (int)(colon - line), line);
            if (n < 0 || (size_t)n >= sizeof(empty))
                return HALE_E_INVAL;
            ok = add_header_line(call, empty);
        } else {
            ok = add_header_line(call, line);
        }
        if (!ok)
            return HALE_E_NOMEM;
    }
    if (!add_header_line(call, "Expect:") ||
        (!typed && !add_header_line(call, "Content-Type:")))
        return HALE_E_NOMEM;
    return HALE_OK;
}

#define SET(option, value)                                                               \
    (ok = ok && curl_easy_setopt(call->easy, (option), (value)) == CURLE_OK)

/* curl repeats a request by itself when a reused connection closes before any answer. For methods
 * that may not be repeated this must not happen: their body comes from a read function that cannot
 * rewind, and without a body a fresh connection is used. */
static bool set_body(struct hale_http_job *call, const struct hale_http_call *from)
{
    bool ok = true;
    bool once = strcmp(from->method, "POST") == 0 || strcmp(from->method, "PATCH") == 0;
    bool body = from->body.len > 0;
    if (strcmp(from->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return ok;
    }
    if (!body && !once && strcmp(from->method, "PUT") != 0) {
        SET(CURLOPT_HTTPGET, 1L);
        SET(CURLOPT_CUSTOMREQUEST, from->method);
        return ok;
    }
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_CUSTOMREQUEST, from->method);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)from->body.len);
    if (once && body) {
        SET(CURLOPT_READFUNCTION, hale_http_job_read);
        SET(CURLOPT_READDATA, (void *)call);
    } else {
        SET(CURLOPT_POSTFIELDS, body ? call->request : "");
    }
    if (once && !body)
        SET(CURLOPT_FRESH_CONNECT, 1L);
    return ok;
}

static bool local_v4(uint32_t host_order)
{
    static const uint32_t metadata[] = {0x646464c8, 0xa83f8110, 0xc00000c0};
    for (size_t i = 0; i < sizeof(metadata) / sizeof(metadata[0]); i++)
        if (host_order ==
            metadata[i]) /* clouds': 100.100.100.200 168.63.129.16 192.0.0.192 */
            return true;
    return host_order >> 24 == 127 || host_order >> 24 == 0 ||
           host_order >> 16 == 0xa9fe || host_order >> 28 >= 14; /* 169.254/16, 224/3 */
}

/* Also those that carry a local IPv4 address. */
static bool local_v6(const struct in6_addr *a)
{
    static const uint8_t metadata[] = {0xfd, 0x00, 0x0e, 0xc2}; /* fd00:ec2::254 */
    static const uint8_t nat64[] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t six_to_four[] = {0x20, 0x02};        /* 2002:<v4>::/48 */
    static const uint8_t teredo[] = {0x20, 0x01, 0x00, 0x00}; /* 2001::/32 */
    static const uint8_t translated[] = {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0};
    uint32_t last;
    memcpy(&last, a->s6_addr + 12, sizeof(last));
    if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
        IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MULTICAST(a) ||
        memcmp(a->s6_addr, metadata, sizeof(metadata)) == 0)
        return true;
    if (IN6_IS_ADDR_SITELOCAL(a) || memcmp(a->s6_addr, teredo, sizeof(teredo)) == 0)
        return true;
    if (memcmp(a->s6_addr, six_to_four, sizeof(six_to_four)) == 0) {
        memcpy(&last, a->s6_addr + 2, sizeof(last));
        return local_v4(ntohl(last));
    }
    bool carries = IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a) ||
                   memcmp(a->s6_addr, nat64, sizeof(nat64)) == 0 ||
                   memcmp(a->s6_addr, translated, sizeof(translated)) == 0;
    return carries && local_v4(ntohl(last));
}

/* Loopback, link-local (cloud metadata is there), multicast, unspecified. What else there is, is
 * never a socket of ours. */
static bool is_local(const struct sockaddr *sa)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof(v4));
        return local_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (sa->sa_family != AF_INET6)
        return true;
    memcpy(&v6, sa, sizeof(v6));
    return local_v6(&v6.sin6_addr);
}

/* Asked for every address a name has, right before the connection: nothing can change between. */
static curl_socket_t open_remote(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct hale_http_job *call = arg;
    (void)purpose;
    if (is_local(&a->addr)) {
        call->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

bool hale_http_is_local(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return local_v4(ntohl(v4.s_addr));
    return inet_pton(AF_INET6, address, &v6) != 1 || local_v6(&v6);
}

/* A kept connection of another call may be taken without a new socket. */
static int check_remote(void *arg, char *peer, char *own, int peer_port, int own_port)
{
    struct hale_http_job *call = arg;
    (void)own, (void)peer_port, (void)own_port;
    if (!hale_http_is_local(peer))
        return CURL_PREREQFUNC_OK;
    call->denied = true;
    return CURL_PREREQFUNC_ABORT;
}

static bool set_options(struct hale_http_job *call, const struct hale_http_call *from)
{
    bool ok = true;
    long verify = from->insecure ? 0 : 1;
    int64_t connect_ms = from->connect_timeout_ms;
    int64_t total_ms = from->timeout_ms;
    SET(CURLOPT_PRIVATE, (void *)call);
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_URL, from->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(connect_ms > 0 ? connect_ms : CONNECT_DEFAULT_MS));
    SET(CURLOPT_TIMEOUT_MS, (long)(total_ms > 0 ? total_ms : TIMEOUT_DEFAULT_MS));
    SET(CURLOPT_SSL_VERIFYPEER, verify);
    SET(CURLOPT_SSL_VERIFYHOST, verify * 2);
    if (from->ca_file != NULL)
        SET(CURLOPT_CAINFO, from->ca_file);
    if (from->only_remote) {
        SET(CURLOPT_OPENSOCKETFUNCTION, open_remote);
        SET(CURLOPT_OPENSOCKETDATA, (void *)call);
        SET(CURLOPT_PREREQFUNCTION, check_remote);
        SET(CURLOPT_PREREQDATA, (void *)call);
    }
    if (from->cert_file != NULL) {
        SET(CURLOPT_SSLCERT, from->cert_file);
        SET(CURLOPT_SSLKEY, from->key_file != NULL ? from->key_file : from->cert_file);
    }
    if (from->unix_socket != NULL)
        SET(CURLOPT_UNIX_SOCKET_PATH, from->unix_socket);
    if (from->userpwd != NULL) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERPWD, from->userpwd);
    }
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)call);
    SET(CURLOPT_HTTPHEADER, call->headers);
    return ok && set_body(call, from);
}

bool hale_http_job_copy(struct hale_http_job *call, struct hale_str body)
{
    if (body.len == 0)
        return true;
    call->request = malloc(body.len);
    if (call->request == NULL)
        return false;
    memcpy(call->request, body.p, body.len);
    call->request_len = body.len;
    return true;
}

struct hale_http_job *hale_http_job_blank(struct hale_http_client *c, size_t max_response)
{
    struct hale_http_job *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return NULL;
    call->magic = HALE_HTTP_JOB_MAGIC;
    call->client = c;
    call->start_us = hale_clock_mono_us();
    hale_buf_init(&call->body, max_response);
    hale_buf_init(&call->head, RESPONSE_HEADERS_MAX);
    call->easy = c->n_idle > 0 ? c->idle[--c->n_idle] : curl_easy_init();
    if (call->easy == NULL) {
        hale_http_job_free(call);
        return NULL;
    }
    return call;
}

enum hale_rc hale_http_job_new(struct hale_http_client *c,
                               const struct hale_http_call *from,
                               struct hale_http_job **out)
{
    struct hale_http_job *call = hale_http_job_blank(
        c, from->max_response_bytes > 0 ? from->max_response_bytes : RESPONSE_DEFAULT);
    if (call == NULL)
        return HALE_E_NOMEM;
    call->bad_url = !hale_http_url_ok(from->url);
    enum hale_rc rc = HALE_E_NOMEM;
    if (has_line_break(from->method) || strchr(from->method, ' ') != NULL)
        rc = HALE_E_INVAL;
    else if (hale_http_job_copy(call, from->body))
        rc = set_headers(call, from);
    if (rc == HALE_OK && !set_options(call, from))
        rc = HALE_E_NOMEM;
    if (rc != HALE_OK) {
        hale_http_job_free(call);
        return rc;
    }
    *out = call;
    return HALE_OK;
}

/* --- small helpers ---------------------------------------------------------------------------- */

struct hale_str hale_http_result_header(const struct hale_http_result *r,
                                        const char *name)
{
    struct hale_str rest = r->headers;
    size_t name_len = strlen(name);
    while (rest.p != NULL) {
        struct hale_str line = hale_str_split(&rest, '\n');
        if (line.len > name_len && line.p[name_len] == ':' &&
            strncasecmp(line.p, name, name_len) == 0)
            return hale_str_trim(
                (struct hale_str){line.p + name_len + 1, line.len - name_len - 1});
    }
    return (struct hale_str){NULL, 0};
}

bool hale_http_url_ok(const char *url)
{
    char *scheme = NULL;
    char *host = NULL;
    CURLU *u = curl_url();
    bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '\0' &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return ok;
}

void hale_http_quote(struct hale_buf *out, struct hale_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if ((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
            b == '-' || b == '.' || b == '_' || b == '~') {
            hale_buf_add_char(out, (char)b);
            continue;
        }
        const char escape[3] = {'%', hex[b >> 4], hex[b & 15]};
        hale_buf_add(out, escape, sizeof(escape));
    }
}
