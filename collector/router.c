/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/router.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "collector/token.h"

static struct hale_str cut_slash(const char *path)
{
    struct hale_str s = hale_str_from(path);

    if (s.len > 1 && s.p[s.len - 1] == '/')
        s.len--;
    return s;
}

/* 0: no match; 1: through {id}; 2: exact. */
static int match_path(const char *pattern, struct hale_str path, struct hale_str *param)
{
    struct hale_str want = hale_str_from(pattern);
    int quality = 2;

    while (want.p != NULL && path.p != NULL) {
        struct hale_str a = hale_str_split(&want, '/');
        struct hale_str b = hale_str_split(&path, '/');
        if (hale_str_eq_c(a, "{id}") && b.len > 0) {
            *param = b;
            quality = 1;
        } else if (!hale_str_eq(a, b)) {
            return 0;
        }
    }
    return want.p == NULL && path.p == NULL ? quality : 0;
}

static void add_allow(char *allow, const char *method)
{
    size_t used = strlen(allow);

    (void)snprintf(allow + used, COLLECTOR_ALLOW_MAX - used, "%s%s", used > 0 ? ", " : "",
                   method);
}

void collector_router_match(const struct collector_route *routes, size_t n,
                            const char *method, const char *path,
                            struct collector_match *out)
{
    struct hale_str want = cut_slash(path);
    const char *verb = strcmp(method, "HEAD") == 0 ? "GET" : method;
    int best = 0;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        struct hale_str param = {NULL, 0};
        int quality = match_path(routes[i].path, want, &param);
        if (quality == 0 || quality < best || param.len >= sizeof(out->param))
            continue;
        if (quality > best) { /* a better pattern hides what matched before */
            memset(out, 0, sizeof(*out));
            best = quality;
        }
        out->path_known = true;
        if (param.len > 0)
            memcpy(out->param, param.p, param.len);
        add_allow(out->allow, routes[i].method);
        if (strcmp(routes[i].method, verb) == 0)
            out->route = &routes[i];
    }
}

static bool below(const char *path, const char *root)
{
    size_t n = strlen(root);

    return strncmp(path, root, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool collector_router_is_api(const char *path)
{
    static const char *const ROOTS[] = {
        "/v2.0",     "/v1",   "/events",        "/api",       "/write",       "/query",
        "/collectd", "/otlp", "/eventListener", "/v2/alarms", "/maintenance", "/fenix"};

    if (strncmp(path, "/v2/", 4) == 0 && path[4] != '\0')
        return true; /* /v2/{project}/servers */
    for (size_t i = 0; i < sizeof(ROOTS) / sizeof(ROOTS[0]); i++) {
        if (below(path, ROOTS[i]))
            return true;
    }
    return false;
}

bool collector_router_is_version(const char *path)
{
    size_t n = strncmp(path, "/v", 2) == 0 ? strspn(path + 2, "0123456789.") : 0;

    return n > 0 && path[2] != '.' &&
           (path[2 + n] == '\0' || strcmp(path + 2 + n, "/") == 0);
}

unsigned collector_router_default_roles(const char *method)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return COLLECTOR_OPERATOR | COLLECTOR_READER;
    return COLLECTOR_OPERATOR;
}
