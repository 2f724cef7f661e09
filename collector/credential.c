/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/credential.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"

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
    size_t len;
    if (basic == NULL || hale_base64_decode(hale_str_from(basic), space,
                                            COLLECTOR_CREDENTIAL_MAX, &len) != HALE_OK)
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
