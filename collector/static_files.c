/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/static_files.h"

#include <errno.h>
#include <fts.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "collector/request.h"

#define FILES_MAX 2000
#define FILE_MAX  ((size_t)8 << 20)
#define ALL_MAX   ((size_t)64 << 20)

static const char CSP[] = "default-src 'self'; frame-ancestors 'none'";

struct file {
    struct hale_buf bytes;
    const char *type;
    char etag[24];
};

struct collector_files {
    pthread_mutex_t lock;
    struct hale_map *table; /* "/path" -> struct file; guarded by lock */
};

static const struct {
    const char *suffix;
    const char *type;
} TYPES[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".woff", "font/woff"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(const char *path)
{
    size_t n = strlen(path);

    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        size_t k = strlen(TYPES[i].suffix);
        if (n > k && strcmp(path + n - k, TYPES[i].suffix) == 0)
            return TYPES[i].type;
    }
    return "application/octet-stream";
}

static void file_free(void *p)
{
    struct file *f = p;

    hale_buf_fini(&f->bytes);
    free(f);
}

struct collector_files *collector_files_new(void)
{
    struct collector_files *f = hale_xcalloc(1, sizeof(*f));

    f->table = hale_map_new(FILES_MAX, file_free);
    HALE_ASSERT(f->table != NULL && pthread_mutex_init(&f->lock, NULL) == 0);
    return f;
}

void collector_files_free(struct collector_files *f)
{
    if (f == NULL)
        return;
    hale_map_free(f->table);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

/* Bytes taken, 0 when the file is left out. */
static size_t load_file(struct hale_map *table, const char *path, const char *name,
                        size_t room)
{
    struct hale_err err = {0};
    struct file *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return 0;
    hale_buf_init(&f->bytes, room < FILE_MAX ? room : FILE_MAX);
    f->type = type_of(name);
    enum hale_rc rc = hale_fs_read(path, &f->bytes, &err);
    if (rc == HALE_OK)
        rc = hale_map_put(table, hale_str_from(name), f);
    if (rc != HALE_OK) {
        hale_warn("event=dashboard_file_left_out file=%s detail=\"%s\"", name,
                  rc == HALE_E_LIMIT ? "too large or too many" : err.text);
        file_free(f);
        return 0;
    }
    (void)snprintf(f->etag, sizeof(f->etag), "\"%016llx\"",
                   (unsigned long long)hale_id_hash64(f->bytes.p, f->bytes.len));
    return f->bytes.len + 1;
}

void collector_files_load(struct collector_files *f, const char *dir)
{
    char root[4096];
    char *const roots[] = {root, NULL};
    struct hale_map *table = hale_map_new(FILES_MAX, file_free);
    size_t room = ALL_MAX;

    if (table == NULL)
        return;
    (void)snprintf(root, sizeof(root), "%s", dir);
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; tree != NULL && (e = fts_read(tree)) != NULL;) {
        if (e->fts_level > 0 && e->fts_name[0] == '.') {
            (void)fts_set(tree, e, FTS_SKIP);
            continue;
        }
        if (e->fts_info == FTS_F && room > 1)
            room -= load_file(table, e->fts_path, e->fts_path + strlen(root), room);
    }
    if (tree != NULL)
        (void)fts_close(tree);
    hale_info("event=dashboards_loaded files=%zu dir=%s", hale_map_count(table), dir);
    (void)pthread_mutex_lock(&f->lock);
    struct hale_map *old = f->table;
    f->table = table;
    (void)pthread_mutex_unlock(&f->lock);
    hale_map_free(old);
}

static bool method_ok(const struct hale_http_req *req)
{
    const char *m = hale_http_method(req);

    return strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0;
}

void collector_files_get(struct collector *c, struct hale_http_req *req)
{
    const char *path = hale_http_path(req);
    const char *known = hale_http_header(req, "If-None-Match");

    if (strcmp(path, "/") == 0)
        path = "/index.html";
    (void)pthread_mutex_lock(&c->files->lock);
    const struct file *f = hale_map_get(c->files->table, hale_str_from(path));
    if (f == NULL) {
        (void)pthread_mutex_unlock(&c->files->lock);
        collector_reply_not_found(req);
        return;
    }
    if (!method_ok(req)) {
        (void)pthread_mutex_unlock(&c->files->lock);
        hale_http_add_header(req, "Allow", "GET, HEAD");
        collector_reply_error(req, 405, "405 Method Not Allowed", NULL);
        return;
    }
    hale_http_add_header(req, "ETag", f->etag);
    hale_http_add_header(req, "Cache-Control", "no-cache");
    hale_http_add_header(req, "Content-Security-Policy", CSP);
    hale_http_add_header(req, "X-Content-Type-Options", "nosniff");
    hale_http_add_header(req, "Referrer-Policy", "no-referrer");
    if (known != NULL && strcmp(known, f->etag) == 0)
        collector_reply_none(req, 304);
    else
        collector_reply_bytes(req, 200, f->type, hale_buf_str(&f->bytes));
    (void)pthread_mutex_unlock(&c->files->lock);
}
