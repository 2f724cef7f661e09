/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/counters.h"
#include "agent/sink.h"
#include "base/assert.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"

#define HEADER_BYTES 8
#define PATH_BYTES   4096

struct segment {
    uint64_t number;
    size_t bytes;   /* file size as far as it is sound */
    size_t records; /* not taken yet, as far as this life knows */
};

struct agent_spool {
    char *dir;
    size_t cap_bytes;
    size_t total_bytes;
    struct segment *segments; /* ascending; [0] is read, [n-1] is written */
    size_t n, cap;
    int lock_fd;           /* the directory, locked: one agent per spool */
    int read_fd, write_fd; /* -1 = closed; write_fd belongs to segments[n-1] */
    size_t read_pos;       /* in segments[0] */
    size_t peeked;         /* bytes of the record last peeked with its header, 0 = none */
};

static void segment_path(const struct agent_spool *s, uint64_t number, char *dst)
{
    (void)snprintf(dst, PATH_BYTES, "%s/%020" PRIu64 ".spool", s->dir, number);
}

static uint32_t checksum(const void *bytes, size_t n)
{
    return (uint32_t)hale_id_hash64(bytes, n);
}

static ssize_t read_at(int fd, void *dst, size_t n, size_t pos)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(fd, (char *)dst + got, n - got, (off_t)(pos + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -1 : (ssize_t)got;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

/* Length of the sound record at pos, or 0. body may be NULL. */
static size_t record_at(int fd, size_t pos, size_t end, struct hale_buf *body)
{
    uint32_t header[2];
    if (pos + HEADER_BYTES > end ||
        read_at(fd, header, sizeof(header), pos) != sizeof(header))
        return 0;
    if (header[0] == 0 || header[0] > AGENT_SINK_MAX_BYTES ||
        header[0] > end - pos - HEADER_BYTES)
        return 0;
    struct hale_buf bytes;
    hale_buf_init(&bytes, AGENT_SINK_MAX_BYTES);
    char *dst = hale_buf_reserve(&bytes, header[0]);
    bool sound = dst != NULL &&
                 read_at(fd, dst, header[0], pos + HEADER_BYTES) == (ssize_t)header[0] &&
                 checksum(dst, header[0]) == header[1];
    if (sound && body != NULL)
        hale_buf_add(body, dst, header[0]);
    hale_buf_fini(&bytes);
    return sound ? header[0] : 0;
}

/* A file of a former life up to its first unsound record. HALE_E_* when it cannot be read. */
static enum hale_rc inspect(const struct agent_spool *s, struct segment *g)
{
    char path[PATH_BYTES];
    struct stat st;
    size_t n;
    segment_path(s, g->number, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        enum hale_rc rc = hale_rc_from_errno(errno);
        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    while ((n = record_at(fd, g->bytes, (size_t)st.st_size, NULL)) > 0) {
        g->bytes += HEADER_BYTES + n;
        g->records++;
    }
    if (g->bytes < (size_t)st.st_size)
        hale_warn("event=spool_torn file=%s kept_bytes=%zu lost_bytes=%zu", path,
                  g->bytes, (size_t)st.st_size - g->bytes);
    (void)close(fd);
    return HALE_OK;
}

static enum hale_rc add_segment(struct agent_spool *s, struct segment g)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 16 : s->cap * 2;
        struct segment *grown = realloc(s->segments, cap * sizeof(*grown));
        if (grown == NULL)
            return HALE_E_NOMEM;
        s->segments = grown;
        s->cap = cap;
    }
    s->segments[s->n++] = g;
    s->total_bytes += g.bytes;
    return HALE_OK;
}

static void drop_first(struct agent_spool *s)
{
    char path[PATH_BYTES];
    segment_path(s, s->segments[0].number, path);
    if (unlink(path) != 0)
        hale_error("event=spool_unlink file=%s error=%s", path,
                   hale_rc_text(hale_rc_from_errno(errno)));
    if (s->read_fd >= 0)
        (void)close(s->read_fd);
    if (s->n == 1 && s->write_fd >= 0) {
        (void)close(s->write_fd);
        s->write_fd = -1;
    }
    s->read_fd = -1;
    s->read_pos = 0;
    s->peeked = 0;
    s->total_bytes -= s->segments[0].bytes;
    memmove(s->segments, s->segments + 1, --s->n * sizeof(*s->segments));
    hale_counter_set(&agent_counter_spool_bytes, (int64_t)s->total_bytes);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct segment *)a)->number,
             y = ((const struct segment *)b)->number;
    return (x > y) - (x < y);
}

static enum hale_rc scan(struct agent_spool *s, struct hale_err *err)
{
    DIR *dir = opendir(s->dir);
    if (dir == NULL)
        return hale_err_set(err, hale_rc_from_errno(errno),
                            "cannot read the spool directory %s", s->dir);
    struct dirent *entry;
    enum hale_rc rc = HALE_OK;
    while (rc == HALE_OK && (entry = readdir(dir)) != NULL) {
        struct segment g = {0};
        struct hale_str name = hale_str_from(entry->d_name);
        if (name.len != 26 || strcmp(entry->d_name + 20, ".spool") != 0 ||
            hale_str_u64((struct hale_str){name.p, 20}, &g.number) != HALE_OK)
            continue;
        rc = inspect(s, &g);
        if (rc != HALE_OK)
            rc = hale_err_set(err, rc, "cannot read the spool file %s/%s: %s", s->dir,
                              entry->d_name, hale_rc_text(rc));
        else if ((rc = add_segment(s, g)) != HALE_OK)
            rc = hale_err_set(err, rc, "out of memory");
    }
    (void)closedir(dir);
    if (rc != HALE_OK)
        return rc;
    if (s->n > 0)
        qsort(s->segments, s->n, sizeof(*s->segments), by_number);
    while (s->n > 0 && s->segments[0].bytes == 0)
        drop_first(s);
    return HALE_OK;
}

enum hale_rc agent_spool_open(const char *dir, size_t cap_bytes, struct agent_spool **out,
                              struct hale_err *err)
{
    *out = NULL;
    enum hale_rc rc = hale_fs_mkdirs(dir, err);
    if (rc != HALE_OK)
        return rc;
    struct agent_spool *s = calloc(1, sizeof(*s));
    if (s == NULL || (s->dir = strdup(dir)) == NULL) {
        free(s);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    s->cap_bytes = cap_bytes;
    s->read_fd = s->write_fd = -1;
    s->lock_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->lock_fd < 0)
        rc = hale_err_set(err, hale_rc_from_errno(errno),
                          "cannot open the spool directory %s", dir);
    else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        rc = hale_err_set(err, HALE_E_CONFLICT,
                          "another hale-agent uses the spool directory %s: give each its "
                          "own spool_dir",
                          dir);
    if (rc == HALE_OK)
        rc = scan(s, err);
    if (rc != HALE_OK) {
        agent_spool_close(s);
        return rc;
    }
    hale_counter_set(&agent_counter_spool_bytes, (int64_t)s->total_bytes);
    *out = s;
    return HALE_OK;
}

void agent_spool_close(struct agent_spool *s)
{
    if (s == NULL)
        return;
    if (s->write_fd >= 0) {
        (void)fdatasync(s->write_fd);
        (void)close(s->write_fd);
    }
    if (s->read_fd >= 0)
        (void)close(s->read_fd);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    free(s->segments);
    free(s->dir);
    free(s);
}

bool agent_spool_empty(const struct agent_spool *s)
{
    return s->n == 0;
}

size_t agent_spool_bytes(const struct agent_spool *s)
{
    return s->total_bytes;
}

void agent_spool_set_cap(struct agent_spool *s, size_t cap_bytes)
{
    s->cap_bytes = cap_bytes;
}

/* A file to write to with room for n bytes: never one of a former life, which may be torn. */
static enum hale_rc open_writer(struct agent_spool *s, size_t n)
{
    if (s->write_fd >= 0 && s->segments[s->n - 1].bytes + n <= AGENT_SPOOL_SEGMENT_BYTES)
        return HALE_OK;
    if (s->write_fd >= 0) {
        (void)fdatasync(s->write_fd);
        (void)close(s->write_fd);
        s->write_fd = -1;
    }
    char path[PATH_BYTES];
    uint64_t number = s->n > 0 ? s->segments[s->n - 1].number + 1 : 1;
    segment_path(s, number, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return hale_rc_from_errno(errno);
    enum hale_rc rc = add_segment(s, (struct segment){.number = number});
    if (rc != HALE_OK) {
        (void)close(fd);
        (void)unlink(path);
        return rc;
    }
    s->write_fd = fd;
    return HALE_OK;
}

static void make_room(struct agent_spool *s, size_t n)
{
    while (s->n > 0 && s->total_bytes + n > s->cap_bytes) {
        hale_warn("event=spool_full dropped_batches=%zu dropped_bytes=%zu cap_bytes=%zu",
                  s->segments[0].records, s->segments[0].bytes, s->cap_bytes);
        hale_counter_add(&agent_counter_dropped_spool, (int64_t)s->segments[0].records);
        drop_first(s);
    }
}

enum hale_rc agent_spool_push(struct agent_spool *s, struct hale_str record)
{
    uint32_t header[2] = {(uint32_t)record.len, checksum(record.p, record.len)};
    size_t n = HEADER_BYTES + record.len, done = 0;
    struct hale_buf bytes;

    HALE_ASSERT(record.len > 0 && record.len <= AGENT_SINK_MAX_BYTES);
    make_room(s, n);
    enum hale_rc rc = open_writer(s, n);
    if (rc != HALE_OK)
        return rc;
    hale_buf_init(&bytes, n + 1);
    hale_buf_add(&bytes, header, sizeof(header));
    hale_buf_add_str(&bytes, record);
    if (bytes.failed) {
        hale_buf_fini(&bytes);
        return HALE_E_NOMEM;
    }
    while (done < n) {
        ssize_t w = write(s->write_fd, bytes.p + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            /* Disk full: take the torn tail back so that later records stay readable. */
            rc = hale_rc_from_errno(errno);
            if (ftruncate(s->write_fd, (off_t)s->segments[s->n - 1].bytes) != 0 ||
                lseek(s->write_fd, 0, SEEK_END) < 0) {
                (void)close(s->write_fd);
                s->write_fd = -1;
            }
            break;
        }
        done += (size_t)w;
    }
    hale_buf_fini(&bytes);
    if (done < n)
        return rc;
    s->segments[s->n - 1].bytes += n;
    s->segments[s->n - 1].records++;
    s->total_bytes += n;
    hale_counter_set(&agent_counter_spool_bytes, (int64_t)s->total_bytes);
    return HALE_OK;
}

enum hale_rc agent_spool_peek(struct agent_spool *s, struct hale_buf *out)
{
    while (s->n > 0) {
        char path[PATH_BYTES];
        if (s->read_fd < 0) {
            segment_path(s, s->segments[0].number, path);
            s->read_fd = open(path, O_RDONLY | O_CLOEXEC);
        }
        size_t n = s->read_fd < 0
                       ? 0
                       : record_at(s->read_fd, s->read_pos, s->segments[0].bytes, out);
        if (n > 0) {
            s->peeked = HEADER_BYTES + n;
            return HALE_OK;
        }
        if (s->segments[0].records > 0) { /* damaged since it was written or inspected */
            hale_error("event=spool_unreadable lost_batches=%zu", s->segments[0].records);
            hale_counter_add(&agent_counter_dropped_spool,
                             (int64_t)s->segments[0].records);
        }
        drop_first(s);
    }
    return HALE_E_NOTFOUND;
}

void agent_spool_take(struct agent_spool *s)
{
    if (s->peeked == 0) /* its file was dropped meanwhile to make room */
        return;
    s->read_pos += s->peeked;
    s->peeked = 0;
    s->segments[0].records--;
    if (s->read_pos >= s->segments[0].bytes)
        drop_first(s);
}
