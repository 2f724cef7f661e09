/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_PROCESS_H
#define HALE_ACTUATOR_PROCESS_H
/*
 * process - executables as children, many of them beside an event loop. No shell: arguments arrive as
 * they are. Nobody else forks.
 * A child:   has a session of its own, cwd /, the given environment only, stdin = the input or
 *            /dev/null, stdout and stderr in one pipe of ours, no other descriptor, no new
 *            privileges, no core dump, default signals. It dies with us. What is left of its process
 *            group when it ends is killed.
 * Limits:    ACTUATOR_PROCESSES_MAX at once, the others wait in order, at most
 *            ACTUATOR_PROCESSES_WAITING of them; of the output the last ACTUATOR_PROCESS_OUTPUT bytes
 *            are kept, the rest is read and dropped.
 * Timeout:   counts from the start, also while it waits. Then SIGTERM to the group, SIGKILL
 *            ACTUATOR_PROCESS_TERM_MS later.
 * Threads:   one.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rc.h"
#include "base/str.h"

#define ACTUATOR_PROCESSES_MAX     16
#define ACTUATOR_PROCESSES_WAITING 1024
#define ACTUATOR_PROCESS_OUTPUT    16384
#define ACTUATOR_PROCESS_TERM_MS   2000

struct actuator_processes;

struct actuator_process_call { /* all is copied by start */
    const char *const *argv;   /* NULL-terminated; argv[0] is the whole path */
    const char *const *env;    /* NULL-terminated "NAME=value" */
    struct hale_str input;     /* {NULL,0}: /dev/null */
    int64_t timeout_ms;
};
struct actuator_process_result { /* valid during the callback */
    enum hale_rc
        rc; /* HALE_OK: it ran to its end; HALE_E_AGAIN: timed out; HALE_E_IO: it could not be
                        started */
    bool started;
    int exit_code; /* rc HALE_OK and signal 0 */
    int signal;    /* that ended it, or 0 */
    struct hale_str output;
    int64_t took_ms;
    const char *error; /* for a person when rc != HALE_OK, else "" */
};
typedef void (*actuator_process_done)(const struct actuator_process_result *r, void *arg);

struct actuator_processes *
actuator_processes_new(void); /* NULL: no memory, no descriptor */
/* Kills and reaps them all, no callbacks. */
void actuator_processes_free(struct actuator_processes *s);
/* done is called by a later tick, once. HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc
actuator_processes_start(struct actuator_processes *s,
                         const struct actuator_process_call *call, int64_t now_ms,
                         actuator_process_done done, void *arg, uint64_t *id_out);
/* Kills the group, no callback; unknown ids are ignored. */
void actuator_processes_cancel(struct actuator_processes *s, uint64_t id);
/* Something has happened to one of them. */
void actuator_processes_pollfd(const struct actuator_processes *s, struct pollfd *out);
/* When tick has something to do even if nothing happens; INT64_MAX: never. */
int64_t actuator_processes_next_ms(const struct actuator_processes *s);
/* Reads, kills, reaps, starts, and calls back. */
void actuator_processes_tick(struct actuator_processes *s, int64_t now_ms);
unsigned actuator_processes_running(const struct actuator_processes *s);
#endif
