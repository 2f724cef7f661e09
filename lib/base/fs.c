/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 65536

/* Turns errno of a failed call into a code and a text that names the path. */
static enum hale_rc fail(struct hale_err *err, int code, const char *verb,
                         const char *path)
{
    enum hale_rc rc = hale_rc_from_errno(code);
    return hale_err_at(err, rc == HALE_OK ? HALE_E_IO : rc, path, 0, 0, "cannot %s: %s",
                       verb, strerrordesc_np(code));
}

/* One read into out. HALE_E_LIMIT when the file goes on past the ceiling; *done_out at
 * the end. */
static enum hale_rc read_some(int fd, const char *path, struct hale_buf *out,
                              bool *done_out, struct hale_err *err)
{
    size_t room = out->max - out->len;
    char spill;
    char *to =
        &spill; /* at the ceiling, one byte more tells whether the file ends here */
    size_t want = 1;

    if (room > 0) {
        want = room < READ_CHUNK ? room : READ_CHUNK;
        to = hale_buf_reserve(out, want);
        if (to == NULL)
            return hale_err_at(err, HALE_E_NOMEM, path, 0, 0,
                               "out of memory while reading");
    }
    ssize_t n = read(fd, to, want);
    if (n < 0)
        return errno == EINTR ? HALE_OK : fail(err, errno, "read", path);
    *done_out = n == 0;
    if (n > 0 && room == 0)
        return hale_err_at(err, HALE_E_LIMIT, path, 0, 0,
                           "larger than the limit of %zu bytes", out->max);
    if (n > 0) {
        out->len += (size_t)n;
        out->p[out->len] = '\0';
    }
    return HALE_OK;
}

enum hale_rc hale_fs_read(const char *path, struct hale_buf *out, struct hale_err *err)
{
    struct stat st;
    enum hale_rc rc = HALE_OK;
    bool done = false;

    if (out->failed)
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0, "the buffer has failed before");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(err, errno, "open", path);
    if (fstat(fd, &st) != 0)
        rc = fail(err, errno, "inspect", path);
    else if (S_ISDIR(st.st_mode))
        rc = fail(err, EISDIR, "read", path);
    while (rc == HALE_OK && !done)
        rc = read_some(fd, path, out, &done, err);
    (void)close(fd);
    return rc;
}

static int write_fully(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR)
            return errno;
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

/* A rename is durable only once its directory is. */
static int sync_directory_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);

    if (len >= sizeof(dir))
        return ENAMETOOLONG;
    if (slash == NULL)
        (void)snprintf(dir, sizeof(dir), ".");
    else
        (void)snprintf(dir, sizeof(dir), "%.*s/", (int)len, path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = fsync(fd) != 0 ? errno : 0;
    (void)close(fd);
    return code;
}

/* Writes, syncs and closes fd; 0 or errno. */
static int fill_temporary(int fd, const void *bytes, size_t n, unsigned mode)
{
    int code = write_fully(fd, bytes, n);
    if (code == 0 && fchmod(fd, (mode_t)mode) != 0)
        code = errno;
    if (code == 0 && fsync(fd) != 0)
        code = errno;
    if (close(fd) != 0 && code == 0)
        code = errno;
    return code;
}

enum hale_rc hale_fs_write(const char *path, const void *bytes, size_t n, unsigned mode,
                           struct hale_err *err)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof(temporary))
        return fail(err, ENAMETOOLONG, "write", path);
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 until it is complete */
    if (fd < 0)
        return fail(err, errno, "create a file beside", path);
    int code = fill_temporary(fd, bytes, n, mode);
    if (code == 0 && rename(temporary, path) != 0)
        code = errno;
    if (code != 0) {
        (void)unlink(temporary);
        return fail(err, code, "write", path);
    }
    code = sync_directory_of(path);
    return code == 0 ? HALE_OK : fail(err, code, "sync the directory of", path);
}

static int make_directory(const char *path)
{
    struct stat st;
    if (mkdir(path, 0750) == 0)
        return 0;
    int code = errno;
    if (code != EEXIST)
        return code;
    if (stat(path, &st) != 0)
        return errno;
    return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

enum hale_rc hale_fs_mkdirs(const char *path, struct hale_err *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0)
        return fail(err, ENOENT, "create directory", path);
    if (len >= sizeof(part))
        return fail(err, ENAMETOOLONG, "create directory", path);
    memcpy(part, path, len + 1);
    for (char *p = part + 1;; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        int code = make_directory(part);
        if (code != 0)
            return fail(err, code, "create directory", part);
        if (c == '\0')
            return HALE_OK;
        *p = '/';
    }
}

enum hale_rc hale_fs_sync_parent(const char *path, struct hale_err *err)
{
    int code = sync_directory_of(path);

    return code == 0 ? HALE_OK : fail(err, code, "make durable", path);
}
