/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/influx_api.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "collector/request.h"

#define TEXT_MAX      512  /* of an error */
#define STATEMENT_MAX 1024 /* of a query that we know */
#define BODY_MAX      4096

void collector_influx_error_body(struct hale_buf *body, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    hale_buf_init(body, BODY_MAX);
    hale_buf_add_c(body, "{\"error\":");
    hale_buf_add_json(body, hale_str_from(text));
    hale_buf_add_c(body, ",\"code\":\"invalid\",\"message\":");
    hale_buf_add_json(body, hale_str_from(text));
    hale_buf_add_c(body, "}");
}

void collector_influx_error(struct hale_http_req *req, unsigned status, const char *text)
{
    struct hale_buf body;

    collector_influx_error_body(&body, "%s", text);
    collector_reply_buf(req, status, COLLECTOR_JSON, &body);
}

void collector_influx_ping_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req)
{
    (void)c;
    (void)redis;
    /* Clients look for a major version they know. */
    hale_http_add_header(req, "X-Influxdb-Version", "1.8-hale-" HALE_VERSION);
    hale_http_add_header(req, "X-Influxdb-Build", "Hale");
    collector_reply_none(req, 204);
}

/* --- statements ------------------------------------------------------------------------ */

static int digit16(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Decodes a form's value. False: not one, or too long. */
static bool form_decode(struct hale_str s, char *dst, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i] == '+' ? ' ' : s.p[i];
        if (c == '%') {
            if (i + 2 >= s.len || !isxdigit((unsigned char)s.p[i + 1]) ||
                !isxdigit((unsigned char)s.p[i + 2]))
                return false;
            c = (char)(digit16(s.p[i + 1]) << 4 | digit16(s.p[i + 2]));
            i += 2;
        }
        if (n + 1 >= size || c == '\0')
            return false;
        dst[n++] = c;
    }
    dst[n] = '\0';
    return true;
}

/* q of the address or of the form body into dst, "" when there is none. */
static bool find_statement(const struct hale_http_req *req, char *dst, size_t size)
{
    const char *q = hale_http_query(req, "q");
    struct hale_str rest = hale_http_body(req);

    dst[0] = '\0';
    if (q != NULL)
        return snprintf(dst, size, "%s", q) < (int)size;
    while (rest.p != NULL) {
        struct hale_str value = hale_str_split(&rest, '&');
        struct hale_str name = hale_str_split(&value, '=');
        if (hale_str_eq_c(name, "q") && value.p != NULL)
            return form_decode(value, dst, size);
    }
    return true;
}

/* True if text begins with the words, in any case and with any blanks between. */
static bool begins(const char *text, const char *first, const char *second)
{
    text += strspn(text, " \t\r\n");
    size_t n = strlen(first);
    if (strncasecmp(text, first, n) != 0)
        return false;
    text += n;
    n = strspn(text, " \t\r\n");
    return n > 0 && strncasecmp(text + n, second, strlen(second)) == 0;
}

void collector_influx_query(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req)
{
    static const char DONE[] = "{\"results\":[{\"statement_id\":0}]}\n";
    static const char DATABASES[] =
        "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"databases\","
        "\"columns\":[\"name\"],\"values\":[[\"hale\"]]}]}]}\n";
    char statement[STATEMENT_MAX];

    (void)c;
    (void)redis;
    if (!find_statement(req, statement, sizeof(statement)))
        collector_influx_error(req, 400, "the statement is too long or badly encoded");
    else if (statement[0] == '\0')
        collector_influx_error(req, 400, "missing required parameter \"q\"");
    else if (begins(statement, "create", "database"))
        collector_reply_bytes(req, 200, COLLECTOR_JSON, hale_str_from(DONE));
    else if (begins(statement, "show", "databases"))
        collector_reply_bytes(req, 200, COLLECTOR_JSON, hale_str_from(DATABASES));
    else
        collector_influx_error(
            req, 400,
            "InfluxQL is not spoken here, only CREATE DATABASE and SHOW "
            "DATABASES; query with Monasca's /v2.0/metrics or "
            "Prometheus's /api/v1/query");
}
