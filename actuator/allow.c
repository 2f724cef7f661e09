/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/allow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* host[:port] or [v6][:port]; *port stays when there is none. */
static enum hale_rc split_authority(struct hale_str s, struct hale_str *host,
                                    unsigned *port)
{
    struct hale_str rest;
    if (s.len == 0)
        return HALE_E_INVAL;
    if (s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.len);
        if (end == NULL)
            return HALE_E_INVAL;
        *host = (struct hale_str){s.p + 1, (size_t)(end - s.p - 1)};
        rest = (struct hale_str){end + 1, s.len - (size_t)(end + 1 - s.p)};
    } else {
        const char *colon = memchr(s.p, ':', s.len);
        size_t n = colon != NULL ? (size_t)(colon - s.p) : s.len;
        *host = (struct hale_str){s.p, n};
        rest = (struct hale_str){s.p + n, s.len - n};
    }
    if (host->len == 0)
        return HALE_E_INVAL;
    if (rest.len == 0)
        return HALE_OK;
    uint64_t value;
    if (rest.p[0] != ':' ||
        hale_str_u64((struct hale_str){rest.p + 1, rest.len - 1}, &value) != HALE_OK ||
        value < 1 || value > 65535)
        return HALE_E_INVAL;
    *port = (unsigned)value;
    return HALE_OK;
}

/* The authority as written, or an empty view. */
static struct hale_str authority_of(const char *url, unsigned *port)
{
    const char *at;
    if (strncasecmp(url, "http://", 7) == 0) {
        at = url + 7;
        *port = 80;
    } else if (strncasecmp(url, "https://", 8) == 0) {
        at = url + 8;
        *port = 443;
    } else {
        return (struct hale_str){NULL, 0};
    }
    return (struct hale_str){at, strcspn(at, "/?#")};
}

enum hale_rc actuator_allow_split(const char *url, struct hale_str *host_out,
                                  unsigned *port_out)
{
    struct hale_str authority = authority_of(url, port_out);
    for (size_t i = 0; i < authority.len; i++) {
        unsigned char u = (unsigned char)authority.p[i];
        if (u <= ' ' || u >= 0x7f || strchr("@\\%<>\"'`{}|^", (int)u) != NULL)
            return HALE_E_INVAL;
    }
    return split_authority(authority, host_out, port_out);
}

static enum hale_rc push(struct actuator_allow *a, struct hale_str pattern)
{
    if (a->n == ACTUATOR_ALLOW_MAX)
        return HALE_E_LIMIT;
    char *copy = strndup(pattern.p, pattern.len);
    if (copy == NULL)
        return HALE_E_NOMEM;
    a->pattern[a->n++] = copy;
    return HALE_OK;
}

enum hale_rc actuator_allow_add(struct actuator_allow *a, struct hale_str pattern)
{
    struct hale_str host;
    unsigned port = 0;
    if (split_authority(pattern, &host, &port) != HALE_OK)
        return HALE_E_INVAL;
    for (size_t i = 0; i < host.len; i++)
        if ((unsigned char)host.p[i] <= ' ' || strchr("/@\\?#", host.p[i]) != NULL ||
            (host.p[i] == '*' && (i > 0 || host.len < 3 || host.p[1] != '.')))
            return HALE_E_INVAL;
    return push(a, pattern);
}

enum hale_rc actuator_allow_add_url(struct actuator_allow *a, const char *url)
{
    unsigned port = 0;
    struct hale_str authority = authority_of(url, &port), host;
    if (authority.len == 0)
        return HALE_E_INVAL;
    if (memchr(authority.p, '$', authority.len) != NULL)
        return HALE_OK;
    if (actuator_allow_split(url, &host, &port) != HALE_OK)
        return HALE_E_INVAL;
    char *text = NULL;
    int len = authority.p[authority.len - 1] == ']' ||
                      memchr(authority.p, ':', authority.len) == NULL
                  ? asprintf(&text, "%.*s:%u", (int)authority.len, authority.p, port)
                  : asprintf(&text, "%.*s", (int)authority.len, authority.p);
    if (len < 0)
        return HALE_E_NOMEM;
    enum hale_rc rc = push(a, hale_str_from(text));
    free(text);
    return rc;
}

static bool is_loopback(struct hale_str host)
{
    return hale_str_ieq_c(host, "localhost") || hale_str_eq_c(host, "::1") ||
           (host.len > 4 && memcmp(host.p, "127.", 4) == 0 &&
            strspn(host.p, "0123456789.") >= host.len);
}

static bool host_matches(struct hale_str pattern, struct hale_str host)
{
    if (pattern.len > 2 && pattern.p[0] == '*') {
        size_t n = pattern.len - 1; /* with the dot */
        return host.len > n && strncasecmp(host.p + host.len - n, pattern.p + 1, n) == 0;
    }
    return pattern.len == host.len && strncasecmp(pattern.p, host.p, host.len) == 0;
}

bool actuator_allow_url(const struct actuator_allow *a, const char *url)
{
    struct hale_str host = {NULL, 0};
    unsigned port = 0;
    if (actuator_allow_split(url, &host, &port) != HALE_OK)
        return false;
    return is_loopback(host) || actuator_allow_listed(a, url);
}

enum actuator_allow_word actuator_allow_match(const struct actuator_allow *a,
                                              const char *url)
{
    struct hale_str host = {NULL, 0}, wanted = {NULL, 0};
    enum actuator_allow_word best = ACTUATOR_ALLOW_NO;
    unsigned port = 0;
    if (actuator_allow_split(url, &host, &port) != HALE_OK)
        return ACTUATOR_ALLOW_NO;
    for (unsigned i = 0; i < a->n && best != ACTUATOR_ALLOW_EXACT; i++) {
        unsigned wanted_port = 0;
        if (split_authority(hale_str_from(a->pattern[i]), &wanted, &wanted_port) ==
                HALE_OK &&
            (wanted_port == 0 || wanted_port == port) && host_matches(wanted, host))
            best = wanted.p[0] == '*' ? ACTUATOR_ALLOW_WILD : ACTUATOR_ALLOW_EXACT;
    }
    return best;
}

bool actuator_allow_listed(const struct actuator_allow *a, const char *url)
{
    return actuator_allow_match(a, url) != ACTUATOR_ALLOW_NO;
}

void actuator_allow_fini(struct actuator_allow *a)
{
    for (unsigned i = 0; i < a->n; i++)
        free(a->pattern[i]);
    a->n = 0;
}
