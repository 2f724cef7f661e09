/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/credential.h"

#include <string.h>
#include <strings.h>

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 into dst, NUL-terminated. False: not that, or it does not fit. */
static bool decode64(const char *s, char *dst, size_t size)
{
    size_t len = strlen(s);
    size_t n = 0;
    unsigned bits = 0;
    unsigned have = 0;

    while (len > 0 && s[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        int d = digit64(s[i]);
        if (d < 0)
            return false;
        bits = bits << 6 | (unsigned)d;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n + 1 >= size)
            return false;
        dst[n++] = (char)(bits >> have & 0xff);
    }
    dst[n] = '\0';
    return true;
}

/* Behind "word ", or NULL. */
static const char *behind(const char *s, const char *word)
{
    size_t n = strlen(word);

    if (strncasecmp(s, word, n) != 0 || s[n] != ' ')
        return NULL;
    s += n;
    while (*s == ' ')
        s++;
    return *s != '\0' ? s : NULL;
}

const char *collector_credential_parse(const char *authorization,
                                       char space[COLLECTOR_CREDENTIAL_MAX])
{
    const char *token = behind(authorization, "Token");

    if (token == NULL)
        token = behind(authorization, "Bearer");
    if (token != NULL)
        return token;
    const char *basic = behind(authorization, "Basic");
    if (basic == NULL || !decode64(basic, space, COLLECTOR_CREDENTIAL_MAX))
        return NULL;
    const char *colon = strchr(space, ':');
    return colon != NULL && colon[1] != '\0' ? colon + 1 : NULL;
}

const char *collector_credential(const struct hale_http_req *req,
                                 char space[COLLECTOR_CREDENTIAL_MAX])
{
    const char *token = hale_http_header(req, "X-Auth-Token");
    const char *authorization = hale_http_header(req, "Authorization");
    const char *path = hale_http_path(req);

    if (token != NULL)
        return token;
    if (authorization != NULL)
        return collector_credential_parse(authorization, space);
    if (strcmp(path, "/write") == 0 || strcmp(path, "/query") == 0)
        return hale_http_query(req, "p");
    return NULL;
}
