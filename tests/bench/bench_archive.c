/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_archive - what round-robin files cost: ours (store/rrd_group.h), librrd called in process on
 * the same three files a group, librrd with one file a series, and rrdcached (BATCH on a unix
 * socket) on both. Usage: bench_archive [DIRECTORY]; the default is /tmp. Microseconds are CPU time
 * (user and system, rrdcached's included) for one slot and one base step.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rrd.h>

#include "store/rrd_group.h"

#define T0         INT64_C(1699999200) /* on a whole hour */
#define CHUNK      60                  /* base steps an append: ten minutes */
#define SERIES     320                 /* in all, for the comparison of writers */
#define ROUNDS     12
#define SLOTS_MAX  32
#define TIER_TEXT  64
#define LINE_BYTES 2048

static const struct hale_rrd_layout usual = {
    16, 4, {{10, 8640}, {60, 10080}, {300, 8928}, {3600, 9600}}};
static const char *const cf[] = {"AVERAGE", "MIN", "MAX"};
static const char *const suffixes[] = {"sum", "min", "max"};

static char root[256];

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_archive: %s: %s\n", what, strerrordesc_np(errno));
    exit(1);
}

static void die_of(const struct hale_err *err)
{
    (void)fprintf(stderr, "bench_archive: %s: %s\n", err->source, err->text);
    exit(1);
}

static void die_of_librrd(void)
{
    (void)fprintf(stderr, "bench_archive: %s\n", rrd_get_error());
    exit(1);
}

static double now_us(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cpu_us(void)
{
    return now_us(CLOCK_PROCESS_CPUTIME_ID);
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void fresh_dir(void)
{
    (void)nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
    if (mkdir(root, 0700) != 0)
        die(root);
}

/* A step's cell: ten samples of a value with three decimals. */
static struct hale_rrd_cell sample(size_t series, int64_t step)
{
    uint64_t x =
        ((uint64_t)series * 1000003 + (uint64_t)step) * UINT64_C(0x9E3779B97F4A7C15);
    double v = (double)(x >> 44) / 1000.0;
    return (struct hale_rrd_cell){
        .sum = v * 10, .min = v - 0.5, .max = v + 0.25, .n = 10};
}

/* --- ours --- */

static void group_path(char *dst, size_t size, size_t group)
{
    (void)snprintf(dst, size, "%s/%zu", root, group);
}

static void append_chunk(const struct hale_rrd_layout *l, size_t group, int64_t chunk)
{
    static struct hale_rrd_cell cells[CHUNK * SLOTS_MAX];
    struct hale_err err;
    char path[300];
    for (size_t i = 0; i < CHUNK; i++)
        for (size_t s = 0; s < l->slots; s++)
            cells[i * l->slots + s] =
                sample(group * l->slots + s, chunk * CHUNK + (int64_t)i);
    group_path(path, sizeof(path), group);
    if (hale_rrd_group_append(path, l, T0 + chunk * CHUNK * 10, CHUNK, cells, NULL,
                              &err) != HALE_OK)
        die_of(&err);
}

static double sampling_us(void) /* of one cell: the bench's own part */
{
    volatile double sink = 0;
    double began = cpu_us();
    for (int64_t i = 0; i < 1000000; i++)
        sink = sink + sample((size_t)i, i).sum;
    return (cpu_us() - began) / 1e6;
}

static void bench_ours(unsigned slots)
{
    struct hale_rrd_layout l = usual;
    size_t groups = SERIES / slots;
    double own = sampling_us();
    fresh_dir();
    l.slots = slots;
    double began = cpu_us();
    for (size_t g = 0; g < groups; g++)
        append_chunk(&l, g, 0);
    double first = cpu_us() - began;
    began = cpu_us();
    for (int64_t c = 1; c <= ROUNDS; c++)
        for (size_t g = 0; g < groups; g++)
            append_chunk(&l, g, c);
    double rest = cpu_us() - began;
    double an_append = rest / (double)(groups * ROUNDS);
    (void)printf(
        "ours, %2u slots a group          %8.3f   (first append with creation %.0f us "
        "a group, later ones %.0f us)\n",
        slots, an_append / (CHUNK * slots) - own, first / (double)groups, an_append);
}

/* --- librrd --- */

enum shape { GROUPED, SINGLE };

static size_t n_files(enum shape shape, unsigned slots)
{
    return shape == GROUPED ? (size_t)3 * (SERIES / slots) : SERIES;
}

static void file_path(char *dst, size_t size, enum shape shape, size_t file)
{
    if (shape == GROUPED)
        (void)snprintf(dst, size, "%s/%zu.%s.rrd", root, file / 3, suffixes[file % 3]);
    else
        (void)snprintf(dst, size, "%s/%zu.rrd", root, file);
}

/* One file as librrd is told it: grouped as ours, or one series with its average, minimum and maximum.
 */
static void create_by_librrd(enum shape shape, size_t file, unsigned slots)
{
    static char text[2 * SLOTS_MAX + 12][TIER_TEXT];
    const char *args[2 * SLOTS_MAX + 12];
    char path[300];
    int n = 0;
    unsigned columns = shape == SINGLE ? 1 : file % 3 == 0 ? 2 * slots : slots;
    file_path(path, sizeof(path), shape, file);
    for (unsigned c = 0; c < columns; c++)
        (void)snprintf(text[n++], TIER_TEXT, "DS:d%u:GAUGE:20:U:U", c);
    for (size_t f = 0; f < 3; f++)
        for (unsigned t = 0; t < usual.n_tiers; t++)
            if (shape == SINGLE || f == file % 3)
                (void)snprintf(text[n++], TIER_TEXT, "RRA:%s:0.999:%ld:%ld", cf[f],
                               (long)(usual.tiers[t].step_s / 10),
                               (long)usual.tiers[t].rows);
    for (int i = 0; i < n; i++)
        args[i] = text[i];
    if (rrd_create_r2(path, 10, T0, 0, NULL, NULL, n, args) != 0)
        die_of_librrd();
}

/* "time:value:value..." of one step. */
static int line_of(enum shape shape, size_t file, unsigned slots, int64_t step, char *dst)
{
    int at = snprintf(dst, LINE_BYTES, "%ld", (long)(T0 + (step + 1) * 10));
    if (shape == SINGLE) {
        struct hale_rrd_cell c = sample(file, step);
        return at + snprintf(dst + at, (size_t)(LINE_BYTES - at), ":%.15g",
                             c.sum / (double)c.n);
    }
    for (unsigned s = 0; s < slots; s++) {
        struct hale_rrd_cell c = sample(file / 3 * slots + s, step);
        size_t left = (size_t)(LINE_BYTES - at);
        if (file % 3 == 0)
            at += snprintf(dst + at, left, ":%.15g:%u", c.sum, c.n);
        else
            at += snprintf(dst + at, left, ":%.15g", file % 3 == 1 ? c.min : c.max);
    }
    return at;
}

static void update_by_librrd(enum shape shape, size_t file, unsigned slots, int64_t chunk)
{
    static char text[CHUNK][LINE_BYTES];
    const char *args[CHUNK];
    char path[300];
    file_path(path, sizeof(path), shape, file);
    for (int64_t i = 0; i < CHUNK; i++) {
        (void)line_of(shape, file, slots, chunk * CHUNK + i, text[i]);
        args[i] = text[i];
    }
    if (rrd_updatex_r(path, NULL, 0, CHUNK, args) != 0)
        die_of_librrd();
}

static const char *name_of(enum shape shape)
{
    return shape == GROUPED ? "grouped" : "one file a series";
}

static double create_all(enum shape shape, unsigned slots)
{
    double began = cpu_us();
    fresh_dir();
    for (size_t f = 0; f < n_files(shape, slots); f++)
        create_by_librrd(shape, f, slots);
    return cpu_us() - began;
}

static void bench_librrd(enum shape shape, unsigned slots)
{
    double created = create_all(shape, slots);
    double began = cpu_us();
    for (int64_t c = 0; c < ROUNDS; c++)
        for (size_t f = 0; f < n_files(shape, slots); f++)
            update_by_librrd(shape, f, slots, c);
    double us = (cpu_us() - began) / ((double)SERIES * ROUNDS * CHUNK);
    (void)printf("librrd, %-18s %2u     %8.3f   (creation %.0f us a file)\n",
                 name_of(shape), slots, us, created / (double)n_files(shape, slots));
}

/* --- rrdcached --- */

static pid_t start_rrdcached(const char *socket_path)
{
    char listen_at[300];
    (void)snprintf(listen_at, sizeof(listen_at), "unix:%s", socket_path);
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        (void)execlp("rrdcached", "rrdcached", "-g", "-l", listen_at, "-b", root, "-w",
                     "7200", "-f", "14400", "-t", "1", "-F", (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* The connection, or -1 when there is no rrdcached here. */
static int dial(pid_t pid, const char *socket_path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof(at.sun_path))
        return -1;
    memcpy(at.sun_path, socket_path, strlen(socket_path));
    double end = now_us(CLOCK_MONOTONIC) + 10e6;
    while (now_us(CLOCK_MONOTONIC) < end && waitpid(pid, NULL, WNOHANG) == 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
            return fd;
        if (fd >= 0)
            (void)close(fd);
        (void)poll(NULL, 0, 10);
    }
    return -1;
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, p, n);
        if (put < 0)
            die("write to rrdcached");
        p += put;
        n -= (size_t)put;
    }
}

static void expect_line(int fd, char first)
{
    char c = '\0';
    char got = '\0';
    for (bool begun = false; c != '\n'; begun = true) {
        if (read(fd, &c, 1) != 1)
            die("rrdcached is gone");
        if (!begun)
            got = c;
    }
    if (got != first)
        die("rrdcached refuses");
}

/* All files' lines of one chunk. */
static void send_chunk(int fd, enum shape shape, unsigned slots, int64_t chunk)
{
    static char out[64 * 1024 + LINE_BYTES + 512];
    size_t n = 0;
    send_all(fd, "BATCH\n", 6);
    expect_line(fd, '0');
    for (size_t f = 0; f < n_files(shape, slots); f++)
        for (int64_t i = 0; i < CHUNK; i++) {
            char path[300];
            file_path(path, sizeof(path), shape, f);
            n += (size_t)snprintf(out + n, 512, "update %s ", path + strlen(root) + 1);
            n += (size_t)line_of(shape, f, slots, chunk * CHUNK + i, out + n);
            out[n++] = '\n';
            if (n >= 64UL * 1024) {
                send_all(fd, out, n);
                n = 0;
            }
        }
    n += (size_t)snprintf(out + n, 8, ".\n");
    send_all(fd, out, n);
    expect_line(fd, '0');
}

static double rusage_us(const struct rusage *r)
{
    return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1e6 +
           (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec);
}

/* Everything is accepted, then the daemon ends, which writes it all. */
static void bench_rrdcached(enum shape shape, unsigned slots)
{
    char socket_path[280];
    struct rusage used;
    (void)create_all(shape, slots);
    (void)snprintf(socket_path, sizeof(socket_path), "%s/socket", root);
    pid_t pid = start_rrdcached(socket_path);
    int fd = dial(pid, socket_path);
    if (fd < 0) {
        (void)printf("rrdcached: not installed, or does not start\n");
        return;
    }
    double began = cpu_us();
    for (int64_t c = 0; c < ROUNDS; c++)
        send_chunk(fd, shape, slots, c);
    double client = cpu_us() - began;
    (void)close(fd);
    (void)kill(pid, SIGTERM);
    if (wait4(pid, NULL, 0, &used) != pid)
        die("wait4");
    double cells = (double)SERIES * ROUNDS * CHUNK;
    (void)printf("rrdcached, %-18s %2u  %8.3f   (client %.3f, daemon %.3f)\n",
                 name_of(shape), slots, (client + rusage_us(&used)) / cells,
                 client / cells, rusage_us(&used) / cells);
    char path[300];
    file_path(path, sizeof(path), shape, n_files(shape, slots) - 1);
    if (rrd_last_r(path) != T0 + ROUNDS * CHUNK * 10)
        die("rrdcached has not written everything");
}

/* --- reading --- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void bench_fetch(const char *what, const struct hale_rrd_layout *l,
                        int64_t start_s, int64_t end_s, int64_t step_s)
{
    double took[101];
    size_t rows = 0;
    char path[300];
    struct hale_err err;
    group_path(path, sizeof(path), 0);
    for (size_t i = 0; i < 101; i++) {
        struct hale_rrd_rows r;
        double began = cpu_us();
        if (hale_rrd_group_fetch(path, l, (unsigned)(i % l->slots), start_s, end_s,
                                 step_s, &r, &err) != HALE_OK)
            die_of(&err);
        took[i] = cpu_us() - began;
        rows = r.n;
        free(r.cells);
    }
    qsort(took, 101, sizeof(took[0]), by_value);
    (void)printf("fetch, %2u slots, %-18s %7zu rows %8.0f us (worst %.0f)\n", l->slots,
                 what, rows, took[50], took[100]);
}

/* Long runs of base steps, for files that are full. */
static void fill(const struct hale_rrd_layout *l, int64_t days)
{
    for (int64_t c = 0; c < days * 144; c++)
        append_chunk(l, 0, c);
}

static void bench_reading(unsigned slots)
{
    struct hale_rrd_layout l = usual;
    int64_t day = 86400;
    int64_t end = T0 + 400 * day;
    l.slots = slots;
    fresh_dir();
    fill(&l, 400);
    bench_fetch("a year at 1 h", &l, end - 365 * day, end, 3600);
    bench_fetch("31 days at 5 min", &l, end - 31 * day, end, 300);
    bench_fetch("a day at 10 s", &l, end - day, end, 10);
    bench_fetch("an hour at 10 s", &l, end - 3600, end, 10);
}

static void bench_year_at_5_min(unsigned slots)
{
    static const struct hale_rrd_layout fine = {
        16, 4, {{10, 8640}, {60, 10080}, {300, 115200}, {3600, 9600}}};
    struct hale_rrd_layout l = fine;
    l.slots = slots;
    fresh_dir();
    fill(&l, 366);
    bench_fetch("a year at 5 min", &l, T0 + 86400, T0 + 366 * INT64_C(86400), 300);
}

/* --- disk --- */

static void io_of_process(uint64_t *given, uint64_t *dirtied)
{
    char line[128];
    FILE *f = fopen("/proc/self/io", "re");
    *given = *dirtied = 0;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "wchar: ", 7) == 0)
            *given = strtoull(line + 7, NULL, 10);
        if (strncmp(line, "write_bytes: ", 13) == 0)
            *dirtied = strtoull(line + 13, NULL, 10);
    }
    if (f != NULL)
        (void)fclose(f);
}

static void print_disk(const char *when, uint64_t given0, uint64_t dirtied0)
{
    uint64_t given, dirtied;
    int64_t size = 0;
    int64_t blocks = 0;
    for (size_t k = 0; k < 3; k++) {
        char path[300];
        struct stat st;
        file_path(path, sizeof(path), GROUPED, k);
        if (stat(path, &st) != 0)
            die(path);
        size += st.st_size;
        blocks += st.st_blocks * 512;
    }
    io_of_process(&given, &dirtied);
    (void)printf("disk, %-14s allocated %9ld, size %9ld, written %10lu, pages made dirty "
                 "%10lu bytes\n",
                 when, (long)blocks, (long)size, (unsigned long)(given - given0),
                 (unsigned long)(dirtied - dirtied0));
}

/* A group of 16 from its creation on; allocation is told after a sync. */
static void bench_disk(unsigned slots)
{
    static const struct {
        const char *when;
        int64_t chunks;
    } marks[] = {{"10 minutes", 1},   {"an hour", 6},        {"a day", 144},
                 {"a week", 7 * 144}, {"31 days", 31 * 144}, {"400 days", 400 * 144}};
    struct hale_rrd_layout l = usual;
    uint64_t given0, dirtied0;
    int64_t chunk = 0;
    l.slots = slots;
    fresh_dir();
    sync();
    io_of_process(&given0, &dirtied0);
    (void)printf("%u slots:\n", slots);
    for (size_t m = 0; m < sizeof(marks) / sizeof(marks[0]); m++) {
        for (; chunk < marks[m].chunks; chunk++)
            append_chunk(&l, 0, chunk);
        sync();
        print_disk(marks[m].when, given0, dirtied0);
    }
}

int main(int argc, char **argv)
{
    (void)snprintf(root, sizeof(root), "%s/bench_archive.%d", argc > 1 ? argv[1] : "/tmp",
                   (int)getpid());
    (void)signal(SIGPIPE, SIG_IGN);
    (void)printf("%d series, %d appends of %d steps each: CPU us per slot and step\n",
                 SERIES, ROUNDS, CHUNK);
    for (unsigned slots = 8; slots <= SLOTS_MAX; slots *= 2)
        bench_ours(slots);
    for (unsigned slots = 8; slots <= SLOTS_MAX; slots *= 2)
        bench_librrd(GROUPED, slots);
    bench_librrd(SINGLE, 16);
    bench_rrdcached(GROUPED, 16);
    bench_rrdcached(SINGLE, 16);
    for (unsigned slots = 8; slots <= SLOTS_MAX; slots *= 2)
        bench_reading(slots);
    bench_year_at_5_min(16);
    for (unsigned slots = 8; slots <= SLOTS_MAX; slots *= 2)
        bench_disk(slots);
    (void)nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
