/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_disk - space and inodes of mounted local file systems, I/O rates of their devices.
 * Only file systems on block devices are asked (statvfs of a dead network mount blocks for ever);
 * a device that is mounted several times is reported once, at its first mount point.
 */
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "agent/check.h"
#include "agent/procfs.h"
#include "base/clock.h"

#define DEVICES_MAX 256
#define NAME_BYTES  256

struct io {
    char device[64];
    uint64_t reads, read_sectors, read_ms, writes, write_sectors, write_ms;
};
struct state {
    const struct hale_yaml_node *ignored;
    char *exclude; /* extended regular expression on the mount point, or NULL */
    bool has_exclude;
    regex_t exclude_re;
    int64_t last_ms; /* monotonic, 0 = no former reading */
    unsigned n_io;
    struct io io[DEVICES_MAX];
};
static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "exclude",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, exclude),
     .help = "extended regular expression of mount points to leave out"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    struct state *s = c->state;
    if (s->exclude == NULL)
        return HALE_OK;
    if (regcomp(&s->exclude_re, s->exclude, REG_EXTENDED | REG_NOSUB) != 0)
        return hale_yaml_error(hale_yaml_get(map, "exclude"), err,
                               "'%s' is not a regular expression", s->exclude);
    s->has_exclude = true;
    return HALE_OK;
}

static void destroy(struct agent_check *c)
{
    struct state *s = c->state;
    if (s->has_exclude)
        regfree(&s->exclude_re);
}

/* A word of /proc/mounts as text: \040 and friends decoded. False when too long. */
static bool mount_text(struct hale_str word, char *dst)
{
    size_t n = 0;
    for (size_t i = 0; i < word.len; i++) {
        char ch = word.p[i];
        if (ch == '\\' && i + 3 < word.len) {
            ch = (char)(((word.p[i + 1] - '0') << 6) | ((word.p[i + 2] - '0') << 3) |
                        (word.p[i + 3] - '0'));
            i += 3;
        }
        if (n + 1 >= NAME_BYTES)
            return false;
        dst[n++] = ch;
    }
    dst[n] = '\0';
    return true;
}

static double used_percent(uint64_t free_n, uint64_t total, uint64_t usable)
{
    /* As df: the share of what an ordinary user may fill; two decimals like Monasca's agent. */
    uint64_t used = total - free_n;
    if (used + usable == 0)
        return 0;
    return round((double)used / (double)(used + usable) * 10000) / 100;
}

static void emit_space(struct agent_check *c, const char *device, const char *mount,
                       double *total_mb, double *used_mb)
{
    struct statvfs st;
    const char *base = strrchr(device, '/') != NULL ? strrchr(device, '/') + 1 : device;
    const struct agent_dim dims[] = {{"device", base}, {"mount_point", mount}};
    if (statvfs(mount, &st) != 0 || st.f_blocks == 0)
        return;
    agent_check_emit(c, dims, 2, "disk.space_used_perc",
                     used_percent(st.f_bfree, st.f_blocks, st.f_bavail), NULL);
    if (st.f_files > 0)
        agent_check_emit(c, dims, 2, "disk.inode_used_perc",
                         used_percent(st.f_ffree, st.f_files, st.f_favail), NULL);
    *total_mb += (double)st.f_blocks * (double)st.f_frsize / 1048576;
    *used_mb += (double)(st.f_blocks - st.f_bfree) * (double)st.f_frsize / 1048576;
}

static void emit_mounts(struct agent_check *c, struct state *s)
{
    char seen[DEVICES_MAX][NAME_BYTES];
    unsigned n_seen = 0;
    double total_mb = 0, used_mb = 0;

    if (!agent_procfs_read(&c->ctx->text, "/proc/mounts"))
        return;
    struct hale_str rest = hale_buf_str(&c->ctx->text);
    while (rest.p != NULL && n_seen < DEVICES_MAX) {
        char mount[NAME_BYTES];
        bool again = false;
        struct hale_str line = hale_str_split(&rest, '\n');
        struct hale_str device = agent_procfs_word(&line),
                        point = agent_procfs_word(&line);
        if (device.len < 6 || memcmp(device.p, "/dev/", 5) != 0 ||
            !mount_text(device, seen[n_seen]) || !mount_text(point, mount))
            continue;
        for (unsigned i = 0; i < n_seen && !again; i++)
            again = strcmp(seen[i], seen[n_seen]) == 0;
        if (again || (s->has_exclude && regexec(&s->exclude_re, mount, 0, NULL, 0) == 0))
            continue;
        emit_space(c, seen[n_seen], mount, &total_mb, &used_mb);
        n_seen++;
    }
    agent_check_emit(c, NULL, 0, "disk.total_space_mb", floor(total_mb), NULL);
    agent_check_emit(c, NULL, 0, "disk.total_used_space_mb", floor(used_mb), NULL);
}

static void emit_rates(struct agent_check *c, const struct io *a, const struct io *b,
                       int64_t elapsed_ms)
{
    const struct agent_dim dim = {"device", b->device};
    const struct {
        const char *name;
        uint64_t before, after;
        double factor;
    } rows[] = {{"io.read_req_sec", a->reads, b->reads, 1},
                {"io.write_req_sec", a->writes, b->writes, 1},
                {"io.read_kbytes_sec", a->read_sectors, b->read_sectors, 0.5},
                {"io.write_kbytes_sec", a->write_sectors, b->write_sectors, 0.5},
                {"io.read_time_sec", a->read_ms, b->read_ms, 0.001},
                {"io.write_time_sec", a->write_ms, b->write_ms, 0.001}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        agent_check_emit(c, &dim, 1, rows[i].name,
                         rows[i].factor *
                             agent_procfs_rate(rows[i].before, rows[i].after, elapsed_ms),
                         NULL);
}

static const struct io *find_io(const struct state *s, const char *device)
{
    for (unsigned i = 0; i < s->n_io; i++)
        if (strcmp(s->io[i].device, device) == 0)
            return &s->io[i];
    return NULL;
}

static void emit_io(struct agent_check *c, struct state *s)
{
    struct io fresh[DEVICES_MAX];
    unsigned n = 0;
    int64_t mono_ms = hale_clock_mono_ms();

    if (!agent_procfs_read(&c->ctx->text, "/proc/diskstats"))
        return;
    struct hale_str rest = hale_buf_str(&c->ctx->text);
    while (rest.p != NULL && n < DEVICES_MAX) {
        struct hale_str line = hale_str_split(&rest, '\n');
        (void)agent_procfs_word(&line); /* major */
        (void)agent_procfs_word(&line); /* minor */
        struct hale_str name = agent_procfs_word(&line);
        struct io *d = &fresh[n];
        if (name.len == 0 || name.len >= sizeof(d->device) ||
            memcmp(name.p, "ram", 3) == 0 || memcmp(name.p, "loop", 4) == 0)
            continue;
        memcpy(d->device, name.p, name.len);
        d->device[name.len] = '\0';
        d->reads = agent_procfs_number(&line);
        (void)agent_procfs_number(&line); /* merged */
        d->read_sectors = agent_procfs_number(&line);
        d->read_ms = agent_procfs_number(&line);
        d->writes = agent_procfs_number(&line);
        (void)agent_procfs_number(&line);
        d->write_sectors = agent_procfs_number(&line);
        d->write_ms = agent_procfs_number(&line);
        const struct io *before = find_io(s, d->device);
        if (before != NULL && s->last_ms > 0)
            emit_rates(c, before, d, mono_ms - s->last_ms);
        n++;
    }
    memcpy(s->io, fresh, n * sizeof(fresh[0]));
    s->n_io = n;
    s->last_ms = mono_ms;
}

static bool start(struct agent_check *c)
{
    emit_mounts(c, c->state);
    emit_io(c, c->state);
    return true;
}

const struct agent_check_type agent_check_disk = {
    .name = "disk",
    .help = "disk.{space,inode}_used_perc{device,mount_point}, disk.total_space_mb, "
            "disk.total_used_space_mb, io.{read,write}_{req,kbytes,time}_sec{device}",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = N_FIELDS,
    .create = create,
    .start = start,
    .destroy = destroy};
