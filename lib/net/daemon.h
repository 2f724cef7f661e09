/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_NET_DAEMON_H
#define HALE_NET_DAEMON_H
/*
 * daemon - what all five daemons do alike: arguments, strict configuration, signals, reload all or
 * nothing, health and own metrics over HTTP.
 *   hale-x [--config FILE] [--check-config] [--version] [--help] [--log-level LEVEL]
 *   exit codes: 0 fine, 1 run-time failure, 2 wrong arguments or configuration.
 * Secrets:   never leave the process in a core dump (base/secrets.h).
 * Signals:   SIGTERM/SIGINT: stopping becomes true; SIGHUP: a new configuration is loaded whole; if
 *            it is valid `reload` gets it (and owns it), else the old one stays and the error is
 *            logged (event=reload_refused). A second SIGTERM/SIGINT ends the process at once.
 *            Received through a signalfd: hale_daemon_fd is readable; no handler code runs.
 * HTTP:      hale_daemon_serve opens the ops listener: GET /metrics (Prometheus text), GET /healthz
 *            (200 {"status":"ok",...} or 503 with the failing components). The collector serves
 *            both on its own port instead through hale_daemon_health_json.
 * Threads:   the main thread calls run; hale_daemon_health_set, _stopping and _stop_waits from any thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/rc.h"

struct hale_daemon;

struct hale_daemon_spec {
    const char *name;           /* "hale-thresholds" */
    const char *summary;        /* one line for --help */
    const char *default_config; /* path */
    /* Loads and checks a configuration file into a heap object of the daemon's. */
    enum hale_rc (*conf_load)(const char *path, void **conf_out, struct hale_err *err);
    void (*conf_free)(void *conf);
    void (*conf_describe)(struct hale_buf *out); /* keys for --help; may be NULL */
    /* Builds everything and works until hale_daemon_stopping; owns conf. Returns the exit code. */
    int (*run)(struct hale_daemon *d, void *conf);
};
/* The whole of main(). */
int hale_daemon_main(const struct hale_daemon_spec *spec, int argc, char **argv);

bool hale_daemon_stopping(const struct hale_daemon *d);
void hale_daemon_stop(struct hale_daemon *d); /* as if SIGTERM had come */
/* The same as _stopping, and also while SIGTERM or SIGINT waits for _signals: for long work between two
 * looks at the descriptor. Takes no signal away. */
bool hale_daemon_stop_waits(const struct hale_daemon *d);
/* Descriptor that is readable when a signal waits; give it to poll. */
int hale_daemon_fd(const struct hale_daemon *d);
/* Handles waiting signals. On a valid SIGHUP returns the new configuration (the caller owns it and
 * frees the old one with conf_free), else NULL. */
void *hale_daemon_signals(struct hale_daemon *d);
/* Blocks signals for a new thread's sake is done by hale_daemon_main before run. */

/* Starts the ops listener ("127.0.0.1:9071"). */
HALE_MUST_CHECK enum hale_rc hale_daemon_serve(struct hale_daemon *d, const char *listen,
                                               struct hale_err *err);
/* component: a literal like "redis". detail: short text for a person. Unset components do not
 * count; a daemon is healthy when at least one is set and all set ones are ok. */
void hale_daemon_health_set(struct hale_daemon *d, const char *component, bool ok,
                            const char *detail);
bool hale_daemon_healthy(struct hale_daemon *d);
/* {"status":"ok"|"failing","daemon":...,"version":...,"components":{name:{"ok":b,"detail":s}}} */
void hale_daemon_health_json(struct hale_daemon *d, struct hale_buf *out);
#endif
