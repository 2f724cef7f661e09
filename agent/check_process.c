/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_process - are the processes of a name, or of a pid file, there, and what do they use?
 * Three ways to say which:
 *   name: dnsmasq                      every process of that name (/proc/PID/comm, 15 bytes)
 *   pid_file: /run/x.pid [, name]      the one in the file; with a name it must bear it, so that a
 *                                      reused pid does not count
 *   pid_files: /run/x/<star>.pid, pid_file_dimension: vnfc_id
 *                                      one series per file, told apart by the file's name
 * Zombies are dead. A pid file that is there but whose process is not gives pid_count 0; a file that
 * has gone stops its series.
 */
#include <ctype.h>
#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/check.h"
#include "agent/procfs.h"
#include "base/clock.h"
#include "model/series.h"

#define Know_msN_MAX 4096
#define PATH_BYTES   512

struct known { /* CPU ticks of a process at the last run */
    int64_t pid;
    uint64_t start, ticks;
};
struct state {
    const struct hale_yaml_node *ignored;
    char *name, *pid_file, *pid_files, *pid_file_dimension;
    bool detailed;
    struct hale_buf *text; /* the context's */
    int64_t last_ms;
    unsigned n_known, n_fresh;
    struct known known[Know_msN_MAX], fresh[Know_msN_MAX];
};
static const struct hale_conf_field fields[] = {
    AGENT_CHECK_COMMON_FIELDS(struct state),
    {.key = "name",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, name),
     .help = "process name; also the value of dimension process_name"},
    {.key = "pid_file",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, pid_file),
     .help = "file that holds the pid"},
    {.key = "pid_files",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, pid_files),
     .help = "pattern (glob) of pid files, one series each"},
    {.key = "pid_file_dimension",
     .type = HALE_CONF_STRING,
     .offset = offsetof(struct state, pid_file_dimension),
     .fallback = "pid_file",
     .help = "dimension that gets the file's name without .pid"},
    {.key = "detailed",
     .type = HALE_CONF_BOOL,
     .offset = offsetof(struct state, detailed),
     .fallback = "true",
     .help = "also CPU, memory, threads, descriptors"},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* What a group of processes uses together. */
struct usage {
    unsigned count, threads, fds;
    double rss_mb, cpu_ticks;
    bool fds_known;
};

static enum hale_rc create(struct agent_check *c, const struct hale_yaml_node *map,
                           struct hale_err *err)
{
    struct state *s = c->state;
    struct hale_err why = {0};
    s->text = &c->ctx->text;
    if (s->name == NULL && s->pid_file == NULL && s->pid_files == NULL)
        return hale_yaml_error(map, err,
                               "a process check needs name, pid_file or pid_files");
    if (s->pid_file != NULL && s->pid_files != NULL)
        return hale_yaml_error(map, err, "pid_file and pid_files exclude each other");
    if (hale_series_check_dim(hale_str_from(s->pid_file_dimension), HALE_STR("x"),
                              &why) != HALE_OK)
        return hale_yaml_error(hale_yaml_get(map, "pid_file_dimension"), err, "%s",
                               why.text);
    const char *shown = s->name != NULL ? s->name : s->pid_file;
    if (shown != NULL && agent_dims_set(&c->dims, "process_name", shown) != HALE_OK)
        return hale_yaml_error(map, err, "too many dimensions");
    return HALE_OK;
}

static unsigned count_fds(int64_t pid, bool *known)
{
    char path[PATH_BYTES];
    unsigned n = 0;
    (void)snprintf(path, sizeof(path), "/proc/%lld/fd", (long long)pid);
    DIR *dir = opendir(path);
    *known = dir != NULL;
    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n > 2 ? n - 2 : 0;
}

/* Ticks the process used since the last run (0 for one seen first), and remembers it. */
static uint64_t ticks_since(struct state *s, int64_t pid, uint64_t start, uint64_t ticks)
{
    uint64_t before = ticks;
    for (unsigned i = 0; i < s->n_known; i++)
        if (s->known[i].pid == pid && s->known[i].start == start)
            before = s->known[i].ticks;
    if (s->n_fresh < Know_msN_MAX)
        s->fresh[s->n_fresh++] = (struct known){pid, start, ticks};
    return ticks > before ? ticks - before : 0;
}

/* Adds the process to u if it lives and, when a name is wanted, bears it. */
static void add_process(struct state *s, int64_t pid, const char *name, struct usage *u)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    if (!agent_procfs_read(s->text, path))
        return;
    /* pid (comm) S ppid ...: comm may hold anything, so look for the last ')'. */
    const char *open = strchr(s->text->p, '('), *close = strrchr(s->text->p, ')');
    if (open == NULL || close == NULL || close < open)
        return;
    struct hale_str comm = {open + 1, (size_t)(close - open - 1)};
    if (name != NULL && !hale_str_eq(comm, (struct hale_str){name, strnlen(name, 15)}))
        return;
    struct hale_str rest = hale_str_from(close + 1);
    struct hale_str state = agent_procfs_word(&rest);
    if (hale_str_eq_c(state, "Z") || hale_str_eq_c(state, "X"))
        return;
    uint64_t v[22]; /* fields 4..25 of proc(5) */
    for (int i = 0; i < 22; i++)
        v[i] = agent_procfs_number(&rest);
    u->count++;
    if (!s->detailed)
        return;
    u->threads += (unsigned)v[16];
    u->cpu_ticks += (double)ticks_since(s, pid, v[18], v[10] + v[11]);
    u->rss_mb += (double)v[20] * (double)sysconf(_SC_PAGESIZE) / 1048576;
    bool known;
    u->fds += count_fds(pid, &known);
    u->fds_known |= known;
}

static void emit(struct agent_check *c, const struct usage *u,
                 const struct agent_dim *dim, int64_t elapsed_ms)
{
    const struct state *s = c->state;
    unsigned n = dim != NULL;
    agent_check_emit(c, dim, n, "process.pid_count", u->count, NULL);
    if (!s->detailed || u->count == 0)
        return;
    agent_check_emit(c, dim, n, "process.thread_count", u->threads, NULL);
    agent_check_emit(c, dim, n, "process.mem.rss_mbytes", u->rss_mb, NULL);
    if (u->fds_known)
        agent_check_emit(c, dim, n, "process.open_file_descriptors", u->fds, NULL);
    if (elapsed_ms > 0)
        agent_check_emit(c, dim, n, "process.cpu_perc",
                         u->cpu_ticks / (double)sysconf(_SC_CLK_TCK) * 100000 /
                             (double)elapsed_ms,
                         NULL);
}

static void add_pid_file(struct state *s, const char *path, struct usage *u)
{
    int64_t pid;
    if (agent_procfs_read(s->text, path) &&
        hale_str_i64(hale_str_trim(hale_buf_str(s->text)), &pid) == HALE_OK && pid > 0)
        add_process(s, pid, s->name, u);
}

static void add_by_name(struct state *s, struct usage *u)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        int64_t pid;
        if (isdigit((unsigned char)entry->d_name[0]) &&
            hale_str_i64(hale_str_from(entry->d_name), &pid) == HALE_OK)
            add_process(s, pid, s->name, u);
    }
    (void)closedir(dir);
}

static void run_pid_files(struct agent_check *c, int64_t elapsed_ms)
{
    struct state *s = c->state;
    glob_t found = {0};
    /* What was found before an error counts. */
    (void)glob(s->pid_files, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct usage u = {0};
        char id[PATH_BYTES];
        const char *slash = strrchr(found.gl_pathv[i], '/');
        (void)snprintf(id, sizeof(id), "%s",
                       slash != NULL ? slash + 1 : found.gl_pathv[i]);
        size_t len = strlen(id);
        if (len > 4 && strcmp(id + len - 4, ".pid") == 0)
            id[len - 4] = '\0';
        const struct agent_dim dim = {s->pid_file_dimension, id};
        add_pid_file(s, found.gl_pathv[i], &u);
        emit(c, &u, &dim, elapsed_ms);
    }
    globfree(&found);
}

static bool start(struct agent_check *c)
{
    struct state *s = c->state;
    int64_t mono_ms = hale_clock_mono_ms();
    int64_t elapsed_ms = s->last_ms > 0 ? mono_ms - s->last_ms : 0;

    s->n_fresh = 0;
    if (s->pid_files != NULL) {
        run_pid_files(c, elapsed_ms);
    } else {
        struct usage u = {0};
        if (s->pid_file != NULL)
            add_pid_file(s, s->pid_file, &u);
        else
            add_by_name(s, &u);
        emit(c, &u, NULL, elapsed_ms);
    }
    memcpy(s->known, s->fresh, s->n_fresh * sizeof(s->fresh[0]));
    s->n_known = s->n_fresh;
    s->last_ms = mono_ms;
    return true;
}

const struct agent_check_type agent_check_process = {
    .name = "process",
    .help = "process.pid_count{process_name}; detailed: process.{thread_count,cpu_perc,"
            "open_file_descriptors}, process.mem.rss_mbytes",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = N_FIELDS,
    .create = create,
    .start = start};
