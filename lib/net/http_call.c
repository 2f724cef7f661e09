/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "net/http_client_private.h"

#define CONNECT_DEFAULT_MS   2000
#define TIMEOUT_DEFAULT_MS   10000
#define RESPONSE_DEFAULT     (1024u * 1024)
#define RESPONSE_HEADERS_MAX (64u * 1024)
#define KEPT_BUF_BYTES       4096 /* a prepared job keeps buffers up to this size */

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

/* --- jobs wait for another call ------------------------------------------------------------------ */

static void clear_buf(struct hale_buf *b, bool keep)
{
    if (keep && b->cap <= KEPT_BUF_BYTES)
        hale_buf_reset(b);
    else
        hale_buf_fini(b);
}

/* What belonged to one call goes; with keep_shape the handle stays prepared. */
static void clear(struct hale_http_job *call, bool keep_shape)
{
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, NULL);
    free(call->headers);
    curl_slist_free_all(call->rcpt);
    free(call->request);
    call->headers = call->rcpt = NULL;
    call->request = NULL;
    call->request_len = call->request_at = 0;
    clear_buf(&call->body, keep_shape);
    clear_buf(&call->head, keep_shape);
    call->too_large = call->denied = false;
    call->prev = call->next = NULL;
    call->error[0] = '\0';
    if (keep_shape)
        return;
    hale_buf_fini(&call->shape);
    call->bad_url = false;
    curl_easy_reset(call->easy);
}

static void destroy(struct hale_http_job *call)
{
    clear(call, false);
    curl_easy_cleanup(call->easy);
    call->magic = 0;
    free(call);
}

static struct hale_http_job *take_idle(struct hale_http_client *c, unsigned i)
{
    struct hale_http_job *call = c->idle[i];
    c->n_idle--;
    memmove(&c->idle[i], &c->idle[i + 1],
            (c->n_idle - i) * sizeof(struct hale_http_job *));
    return call;
}

void hale_http_job_drop_idle(struct hale_http_client *c)
{
    while (c->n_idle > 0)
        destroy(take_idle(c, c->n_idle - 1));
}

void hale_http_job_free(struct hale_http_job *call)
{
    struct hale_http_client *c = call->client;
    clear(call, call->shape.len > 0);
    if (c->n_idle == HALE_HTTP_HANDLES_KEPT)
        destroy(take_idle(c, 0));
    c->idle[c->n_idle++] = call;
}

/* One that is prepared for c->shape, NULL: there is none. Who was idle longest is looked at first:
 * those who are told in turn are told next. */
static struct hale_http_job *find_prepared(struct hale_http_client *c)
{
    for (unsigned i = 0; i < c->n_idle; i++) {
        const struct hale_buf *shape = &c->idle[i]->shape;
        if (shape->len == c->shape.len && memcmp(shape->p, c->shape.p, shape->len) == 0)
            return take_idle(c, i);
    }
    return NULL;
}

static struct hale_http_job *find_blank(struct hale_http_client *c)
{
    for (unsigned i = c->n_idle; i > 0; i--)
        if (c->idle[i - 1]->shape.len == 0)
            return take_idle(c, i - 1);
    return NULL;
}

/* --- building a call -------------------------------------------------------------------------- */

static bool has_line_break(const char *text)
{
    return text != NULL && strpbrk(text, "\r\n") != NULL;
}

/* The lines of a call, then two of ours, in one block with their text. */
struct lines {
    struct curl_slist *v;
    size_t n;
    char *text;
};

static void add_line(struct lines *l, const char *line, size_t len, char last)
{
    struct curl_slist *s = &l->v[l->n];
    memcpy(l->text, line, len);
    l->text[len] = last;
    l->text[len + 1] = '\0';
    *s = (struct curl_slist){.data = l->text};
    if (l->n++ > 0)
        l->v[l->n - 2].next = s;
    l->text += len + 2;
}

static enum hale_rc set_headers(struct hale_http_job *call,
                                const struct hale_http_call *from)
{
    static const char expect[] = "Expect:", type[] = "Content-Type:";
    size_t n = 0, bytes = sizeof(expect) + sizeof(type) + 2;
    bool typed = false;
    for (; from->headers != NULL && from->headers[n] != NULL; n++) {
        const char *line = from->headers[n], *colon = strchr(line, ':');
        if (colon == NULL || colon == line || has_line_break(line))
            return HALE_E_INVAL;
        bytes += strlen(line) + 2;
    }
    struct lines l = {.v = malloc((n + 2) * sizeof(*l.v) + bytes)};
    if (l.v == NULL)
        return HALE_E_NOMEM;
    l.text = (char *)(l.v + n + 2);
    for (size_t i = 0; i < n; i++) {
        const char *line = from->headers[i], *colon = strchr(line, ':');
        typed = typed || strncasecmp(line, type, sizeof(type) - 1) == 0;
        if (colon[1 + strspn(colon + 1, " \t")] == '\0') /* curl's way to send no value */
            add_line(&l, line, (size_t)(colon - line), ';');
        else
            add_line(&l, line, strlen(line), '\0');
    }
    add_line(&l, expect, sizeof(expect) - 1, '\0');
    if (!typed)
        add_line(&l, type, sizeof(type) - 1, '\0');
    call->headers = l.v;
    return HALE_OK;
}

#define SET(option, value)                                                               \
    (ok = ok && curl_easy_setopt(call->easy, (option), (value)) == CURLE_OK)

/* The body comes from a read function that cannot rewind: see set_method. */
static bool is_read(const struct hale_http_call *from)
{
    return from->body.len > 0 && !from->repeatable &&
           (strcmp(from->method, "POST") == 0 || strcmp(from->method, "PATCH") == 0);
}

static bool has_body(const struct hale_http_call *from)
{
    static const char *const bodied[] = {"POST", "PATCH", "PUT"};
    for (size_t i = 0; i < sizeof(bodied) / sizeof(bodied[0]); i++)
        if (strcmp(from->method, bodied[i]) == 0)
            return true;
    return from->body.len > 0 && strcmp(from->method, "HEAD") != 0;
}

/* curl repeats a request by itself when a reused connection closes before any answer. For methods
 * that may not be repeated this must not happen: their body comes from a read function that cannot
 * rewind, and without a body a fresh connection is used. */
static bool set_method(struct hale_http_job *call, const struct hale_http_call *from)
{
    bool ok = true;
    bool once = strcmp(from->method, "POST") == 0 || strcmp(from->method, "PATCH") == 0;
    if (strcmp(from->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return ok;
    }
    if (!has_body(from)) {
        SET(CURLOPT_HTTPGET, 1L);
        SET(CURLOPT_CUSTOMREQUEST, from->method);
        return ok;
    }
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_CUSTOMREQUEST, from->method);
    if (is_read(from)) {
        SET(CURLOPT_READFUNCTION, hale_http_job_read);
        SET(CURLOPT_READDATA, (void *)call);
    }
    if (once && from->body.len == 0)
        SET(CURLOPT_FRESH_CONNECT, 1L);
    return ok;
}

/* What differs from call to call. */
static bool set_content(struct hale_http_job *call, const struct hale_http_call *from)
{
    bool ok = true;
    SET(CURLOPT_HTTPHEADER, call->headers);
    if (!has_body(from))
        return ok;
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)from->body.len);
    if (!is_read(from))
        SET(CURLOPT_POSTFIELDS, from->body.len > 0 ? call->request : "");
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

/* libcurl keeps its own copy. */
static bool set_pem(struct hale_http_job *call, CURLoption option, struct hale_str pem)
{
    struct curl_blob blob = {
        .data = (void *)(uintptr_t)pem.p, .len = pem.len, .flags = CURL_BLOB_COPY};
    return pem.len == 0 || curl_easy_setopt(call->easy, option, &blob) == CURLE_OK;
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
    ok = ok && set_pem(call, CURLOPT_CAINFO_BLOB, from->ca_pem) &&
         set_pem(call, CURLOPT_SSLCERT_BLOB, from->cert_pem) &&
         set_pem(call, CURLOPT_SSLKEY_BLOB, from->key_pem);
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
    return ok && set_method(call, from);
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
    struct hale_http_job *call = find_blank(c);
    if (call == NULL) {
        call = calloc(1, sizeof(*call));
        CURL *easy = call != NULL ? curl_easy_init() : NULL;
        if (easy == NULL) {
            free(call);
            return NULL;
        }
        call->magic = HALE_HTTP_JOB_MAGIC;
        call->client = c;
        call->easy = easy;
        hale_buf_init(&call->shape, HALE_HTTP_SHAPE_MAX);
    }
    hale_buf_init(&call->body, max_response);
    hale_buf_init(&call->head, RESPONSE_HEADERS_MAX);
    return call;
}

/* What two calls must have in common for one to use the handle of the other. */
static void make_shape(struct hale_buf *out, const struct hale_http_call *from)
{
    struct {
        int64_t connect_ms, total_ms;
        size_t max_response;
        bool body, insecure, only_remote, repeatable;
    } rest;
    hale_buf_reset(out);
    if (!from->often || from->userpwd != NULL || from->unix_socket != NULL ||
        from->cert_file != NULL || from->cert_pem.len > 0 || from->ca_pem.len > 0)
        return;
    memset(&rest, 0, sizeof(rest));
    rest.connect_ms = from->connect_timeout_ms;
    rest.total_ms = from->timeout_ms;
    rest.max_response = from->max_response_bytes;
    rest.body = from->body.len > 0;
    rest.insecure = from->insecure;
    rest.only_remote = from->only_remote;
    rest.repeatable = from->repeatable;
    hale_buf_add(out, &rest, sizeof(rest));
    hale_buf_add(out, from->method, strlen(from->method) + 1);
    hale_buf_add(out, from->url, strlen(from->url) + 1);
    if (from->ca_file != NULL)
        hale_buf_add_c(out, from->ca_file);
    if (out->failed)
        hale_buf_reset(out);
}

/* A job whose handle has all options but those of set_content. */
static enum hale_rc prepare(struct hale_http_client *c, const struct hale_http_call *from,
                            struct hale_http_job **out)
{
    make_shape(&c->shape, from);
    struct hale_http_job *call = c->shape.len > 0 ? find_prepared(c) : NULL;
    if (call == NULL) {
        call =
            hale_http_job_blank(c, from->max_response_bytes > 0 ? from->max_response_bytes
                                                                : RESPONSE_DEFAULT);
        if (call == NULL)
            return HALE_E_NOMEM;
        call->bad_url = !hale_http_url_ok(from->url);
        if (!set_options(call, from)) {
            hale_http_job_free(call);
            return HALE_E_NOMEM;
        }
        hale_buf_add_str(&call->shape, hale_buf_str(&c->shape));
        if (call->shape.failed)
            hale_buf_fini(&call->shape);
    }
    *out = call;
    return HALE_OK;
}

enum hale_rc hale_http_job_new(struct hale_http_client *c,
                               const struct hale_http_call *from,
                               struct hale_http_job **out)
{
    struct hale_http_job *call = NULL;
    if (has_line_break(from->method) || strchr(from->method, ' ') != NULL)
        return HALE_E_INVAL;
    enum hale_rc rc = prepare(c, from, &call);
    if (rc != HALE_OK)
        return rc;
    rc = hale_http_job_copy(call, from->body) ? set_headers(call, from) : HALE_E_NOMEM;
    if (rc == HALE_OK && !set_content(call, from))
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

int64_t hale_http_result_date_ms(const struct hale_http_result *r)
{
    char text[64];
    struct hale_str date = hale_http_result_header(r, "Date");
    if (date.len == 0 || date.len >= sizeof(text))
        return 0;
    memcpy(text, date.p, date.len);
    text[date.len] = '\0';
    time_t at = curl_getdate(text, NULL);
    return at > 0 ? (int64_t)at * 1000 : 0;
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
