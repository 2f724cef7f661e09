/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define READS_MAX   64 /* of one process in one tick: others wait, too */
#define READ_BYTES  16384
#define END_WAIT_MS 1000 /* for a killed one when we end ourselves */
#define SIGNALS     65
#define FIRST_FREE  10 /* descriptors from here on are in nobody's way */

struct process {
    struct process *next;
    uint64_t id;
    char **argv, **env, *input;
    size_t input_len;
    actuator_process_done done; /* NULL: cancelled */
    void *arg;
    int64_t asked_ms, deadline_ms;
    int64_t kill_ms; /* SIGKILL is due; 0: it has not been told to end */
    pid_t pid;       /* 0: waits, or is over */
    int pidfd, out, err;
    bool over, timed_out, started;
    int error; /* why it could not be started */
    int exit_code, signal;
    char *output; /* twice what is kept */
    size_t n;
};
struct actuator_processes {
    int epoll;
    uint64_t last_id;
    unsigned n, running;
    struct process *list; /* in the order in which they came */
};

struct actuator_processes *actuator_processes_new(void)
{
    struct actuator_processes *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0) {
        free(s);
        return NULL;
    }
    return s;
}

static void close_fd(const struct actuator_processes *s, int *fd)
{
    if (*fd < 0)
        return;
    /* said to epoll, too: a child that is just being born has a copy of it */
    (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, *fd, NULL);
    (void)close(*fd);
    *fd = -1;
}

static void free_list(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

static void process_free(const struct actuator_processes *s, struct process *p)
{
    close_fd(s, &p->pidfd);
    close_fd(s, &p->out);
    close_fd(s, &p->err);
    free_list(p->argv);
    free_list(p->env);
    if (p->input != NULL)
        explicit_bzero(p->input, p->input_len);
    free(p->input);
    free(p->output);
    free(p);
}

static void take_out(struct actuator_processes *s, const struct process *p)
{
    struct process **at = &s->list;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    s->n--;
}

/* --- a start ----------------------------------------------------------------------- */

/* Between fork and execve: only what is allowed after the fork of a process with threads. */
static _Noreturn void be_child(const struct process *p, const int fd[4], pid_t parent)
{
    const struct rlimit none = {0, 0};
    struct sigaction plain = {.sa_handler = SIG_DFL};
    int high[4], wrong = 0;
    sigset_t nothing;
    for (int i = 0; i < 4; i++)
        if ((high[i] = fcntl(fd[i], F_DUPFD, FIRST_FREE)) < 0)
            _exit(127);
    for (int i = 0; i < 4; i++)
        if (dup2(high[i], i) < 0)
            _exit(127);
    if (fcntl(3, F_SETFD, FD_CLOEXEC) != 0 || close_range(4, ~0U, 0) != 0 ||
        setsid() < 0 || chdir("/") != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        wrong = errno;
    (void)setrlimit(RLIMIT_CORE, &none); /* where it may not be set, it is ours: 0 */
    if (getppid() != parent) /* it died before it was said that we go with it */
        _exit(127);
    for (int sig = 1; sig < SIGNALS; sig++)
        (void)sigaction(sig, &plain, NULL); /* some cannot be changed */
    (void)sigemptyset(&nothing);
    (void)sigprocmask(SIG_SETMASK, &nothing, NULL);
    if (wrong == 0) {
        (void)execve(p->argv[0], p->argv, p->env);
        wrong = errno;
    }
    if (write(3, &wrong, sizeof(wrong)) < 0)
        _exit(126);
    _exit(127);
}

/* What it reads: a file in memory, so that nobody has to write while it reads. */
static int open_input(const struct process *p)
{
    if (p->input == NULL)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("input", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < p->input_len) {
        ssize_t n = write(fd, p->input + done, p->input_len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            (void)close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    if (fd >= 0)
        (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static bool watch(const struct actuator_processes *s, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool launch(struct process *p, const int fd[4])
{
    sigset_t all, before;
    pid_t parent = getpid();
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    p->pid = fork();
    if (p->pid == 0)
        be_child(p, fd, parent);
    int error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return p->pid > 0;
}

static void kill_group(const struct process *p, int sig)
{
    if (p->pid > 0 && kill(-p->pid, sig) != 0)
        (void)kill(p->pid, sig); /* it has no group of its own yet */
}

/* A child that we cannot watch is none. */
static void drop_child(struct process *p)
{
    kill_group(p, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
}

static void begin(struct actuator_processes *s, struct process *p)
{
    int out[2] = {-1, -1}, err[2] = {-1, -1}, in = open_input(p);
    bool ok = in >= 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
              fcntl(out[0], F_SETFL, O_NONBLOCK) == 0 &&
              fcntl(err[0], F_SETFL, O_NONBLOCK) == 0;
    const int fd[4] = {in, out[1], out[1], err[1]};
    ok = ok && launch(p, fd);
    if (!ok) {
        p->error = errno;
        p->pid = 0;
    }
    p->out = out[0];
    p->err = err[0];
    if (ok) {
        p->pidfd = pidfd_open(p->pid, 0);
        if (p->pidfd < 0 || !watch(s, p->pidfd) || !watch(s, p->out)) {
            p->error = errno;
            drop_child(p);
        }
    }
    if (in >= 0)
        (void)close(in);
    if (out[1] >= 0)
        (void)close(out[1]);
    if (err[1] >= 0)
        (void)close(err[1]);
    p->over = p->pid == 0;
    p->started = !p->over;
    s->running += p->started ? 1 : 0;
}

static void begin_more(struct actuator_processes *s)
{
    for (struct process *p = s->list; p != NULL; p = p->next)
        if (s->running < ACTUATOR_PROCESSES_MAX && p->pid == 0 && !p->over)
            begin(s, p);
}

static char **copy_list(const char *const *list)
{
    size_t n = 0;
    while (list[n] != NULL)
        n++;
    char **copy = calloc(n + 1, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < n; i++)
        if ((copy[i] = strdup(list[i])) == NULL) {
            free_list(copy);
            return NULL;
        }
    return copy;
}

enum hale_rc actuator_processes_start(struct actuator_processes *s,
                                      const struct actuator_process_call *call,
                                      int64_t now_ms, actuator_process_done done,
                                      void *arg, uint64_t *id_out)
{
    if (s->n >= ACTUATOR_PROCESSES_MAX + ACTUATOR_PROCESSES_WAITING)
        return HALE_E_LIMIT;
    struct process *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return HALE_E_NOMEM;
    p->pidfd = p->out = p->err = -1;
    p->argv = copy_list(call->argv);
    p->env = copy_list(call->env);
    p->output = malloc(2 * (size_t)ACTUATOR_PROCESS_OUTPUT);
    if (call->input.p != NULL)
        p->input = malloc(call->input.len > 0 ? call->input.len : 1);
    if (p->argv == NULL || p->env == NULL || p->output == NULL ||
        (call->input.p != NULL && p->input == NULL)) {
        process_free(s, p);
        return HALE_E_NOMEM;
    }
    if (p->input != NULL) {
        memcpy(p->input, call->input.p, call->input.len);
        p->input_len = call->input.len;
    }
    p->done = done;
    p->arg = arg;
    p->asked_ms = now_ms;
    p->deadline_ms = now_ms + call->timeout_ms;
    p->id = ++s->last_id;
    struct process **at = &s->list;
    while (*at != NULL)
        at = &(*at)->next;
    *at = p;
    s->n++;
    *id_out = p->id;
    begin_more(s);
    return HALE_OK;
}

/* --- a life ------------------------------------------------------------------------ */

/* Into the output, of which the end is kept. */
static void take_output(const struct actuator_processes *s, struct process *p)
{
    for (unsigned i = 0; p->out >= 0 && i < READS_MAX; i++) {
        if (p->n > ACTUATOR_PROCESS_OUTPUT) {
            size_t drop = p->n - ACTUATOR_PROCESS_OUTPUT;
            memmove(p->output, p->output + drop, ACTUATOR_PROCESS_OUTPUT);
            p->n = ACTUATOR_PROCESS_OUTPUT;
        }
        ssize_t n = read(p->out, p->output + p->n, READ_BYTES);
        if (n > 0)
            p->n += (size_t)n;
        else if (n == 0)
            close_fd(s, &p->out);
        else if (errno != EINTR)
            return;
    }
}

/* It has ended: what it left behind goes first, while nobody else can have its number. */
static void reap(struct actuator_processes *s, struct process *p)
{
    siginfo_t info = {0};
    int error = 0;
    if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0)
        return;
    kill_group(p, SIGKILL);
    if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) != 0)
        hale_error("event=process_lost pid=%d errno=%d", (int)p->pid, errno);
    if (info.si_code == CLD_EXITED)
        p->exit_code = info.si_status;
    else
        p->signal = info.si_status;
    take_output(s, p);
    if (read(p->err, &error, sizeof(error)) == (ssize_t)sizeof(error)) {
        p->error = error;
        p->started = false;
    }
    close_fd(s, &p->pidfd);
    close_fd(s, &p->out);
    close_fd(s, &p->err);
    p->pid = 0;
    p->over = true;
    s->running--;
}

static void look(struct actuator_processes *s, struct process *p, int64_t now_ms)
{
    if (p->pid > 0) {
        take_output(s, p);
        reap(s, p);
    }
    if (p->over || now_ms < (p->kill_ms > 0 ? p->kill_ms : p->deadline_ms))
        return;
    p->timed_out = true;
    if (p->pid == 0) {
        p->over = true;
        return;
    }
    kill_group(p, p->kill_ms > 0 ? SIGKILL : SIGTERM);
    p->kill_ms = p->kill_ms > 0 ? INT64_MAX : now_ms + ACTUATOR_PROCESS_TERM_MS;
}

static void report(const struct process *p, int64_t now_ms)
{
    char text[160] = "";
    struct actuator_process_result r = {.rc = HALE_OK,
                                        .started = p->started,
                                        .exit_code = p->exit_code,
                                        .signal = p->signal,
                                        .output = {p->output, p->n},
                                        .took_ms = now_ms - p->asked_ms,
                                        .error = text};
    const char *name = strerrorname_np(p->error);
    if (p->timed_out && !p->started && p->error == 0) {
        r.rc = HALE_E_AGAIN;
        (void)snprintf(text, sizeof(text),
                       "not its turn within %lld ms: %d executables run already",
                       (long long)(p->deadline_ms - p->asked_ms), ACTUATOR_PROCESSES_MAX);
    } else if (p->error != 0) {
        r.rc = HALE_E_IO;
        (void)snprintf(text, sizeof(text), "%.80s cannot be started: %s%s", p->argv[0],
                       name != NULL ? name : "unknown error",
                       p->error == ENOENT ? " (there is no such file, or its interpreter)"
                       : p->error == EACCES ? " (we may not execute it)"
                                            : "");
    } else if (p->timed_out) {
        r.rc = HALE_E_AGAIN;
        (void)snprintf(text, sizeof(text), "not over within %lld ms: killed",
                       (long long)(p->deadline_ms - p->asked_ms));
    }
    p->done(&r, p->arg);
}

void actuator_processes_tick(struct actuator_processes *s, int64_t now_ms)
{
    for (struct process *p = s->list; p != NULL; p = p->next)
        look(s, p, now_ms);
    for (;;) { /* a callback may start and cancel others */
        struct process *p = s->list;
        while (p != NULL && !p->over)
            p = p->next;
        if (p == NULL)
            break;
        take_out(s, p);
        if (p->done != NULL)
            report(p, now_ms);
        process_free(s, p);
    }
    begin_more(s);
}

void actuator_processes_cancel(struct actuator_processes *s, uint64_t id)
{
    for (struct process *p = s->list; p != NULL; p = p->next) {
        if (p->id != id)
            continue;
        p->done = NULL;
        p->kill_ms = INT64_MAX;
        if (p->pid > 0)
            kill_group(p, SIGKILL); /* a later tick reaps it */
        else
            p->over = true;
        return;
    }
}

void actuator_processes_pollfd(const struct actuator_processes *s, struct pollfd *out)
{
    *out = (struct pollfd){.fd = s->epoll, .events = POLLIN};
}

int64_t actuator_processes_next_ms(const struct actuator_processes *s)
{
    int64_t next = INT64_MAX;
    for (const struct process *p = s->list; p != NULL; p = p->next) {
        int64_t at = p->over ? 0 : p->kill_ms > 0 ? p->kill_ms : p->deadline_ms;
        next = at < next ? at : next;
    }
    return next;
}

unsigned actuator_processes_running(const struct actuator_processes *s)
{
    return s->running;
}

void actuator_processes_free(struct actuator_processes *s)
{
    if (s == NULL)
        return;
    for (struct process *p = s->list; p != NULL; p = p->next)
        kill_group(p, SIGKILL);
    while (s->list != NULL) {
        struct process *p = s->list;
        struct pollfd end = {.fd = p->pidfd, .events = POLLIN};
        if (p->pid > 0 && poll(&end, 1, END_WAIT_MS) > 0)
            reap(s, p);
        take_out(s, p);
        process_free(s, p);
    }
    (void)close(s->epoll);
    free(s);
}
