/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_UNIT_STORE_REDIS_FIXTURE_H
#define HALE_TESTS_UNIT_STORE_REDIS_FIXTURE_H
/*
 * redis_fixture - a private redis-server for tests: unix socket in a temporary directory, no TCP
 * port, no persistence. Header-only: each test links its own copy.
 * Threads:   one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct redis_fixture {
    char dir[64];
    char socket[96];
    char url[112];
    pid_t pid; /* 0 when not running */
};

static inline bool redis_fixture_present(void)
{
    return access("/usr/bin/redis-server", X_OK) == 0;
}

static inline bool redis_fixture_answers(const struct redis_fixture *f)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;
    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", f->socket);
    ok = fd >= 0 &&
         connect(fd, (const struct sockaddr *)(const void *)&sa, sizeof(sa)) == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

/* Starts the server and waits until it accepts (at most 10 s). */
static inline bool redis_fixture_start(struct redis_fixture *f)
{
    if (f->dir[0] == '\0') {
        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/hale-redis-XXXXXX");
        if (mkdtemp(f->dir) == NULL)
            return false;
        (void)snprintf(f->socket, sizeof(f->socket), "%s/redis.sock", f->dir);
        (void)snprintf(f->url, sizeof(f->url), "unix:%s", f->socket);
    }
    (void)unlink(f->socket);
    f->pid = fork();
    if (f->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)execl("/usr/bin/redis-server", "redis-server", "--port", "0",
                    "--unixsocket", f->socket, "--save", "", "--appendonly", "no",
                    "--dir", f->dir, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; f->pid > 0 && i < 1000; i++) {
        struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        if (redis_fixture_answers(f))
            return true;
        (void)nanosleep(&pause, NULL); /* polling with a deadline */
    }
    return false;
}

static inline void redis_fixture_kill(struct redis_fixture *f)
{
    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    f->pid = 0;
}

static inline void redis_fixture_remove(struct redis_fixture *f)
{
    redis_fixture_kill(f);
    if (f->dir[0] != '\0') {
        (void)unlink(f->socket);
        (void)rmdir(f->dir);
    }
    f->dir[0] = '\0';
}
#endif
