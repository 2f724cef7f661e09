/* SPDX-License-Identifier: Apache-2.0 */
#include "net/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/secrets.h"
#include "net/http_server.h"

#ifndef HALE_BUILD_TYPE
#define HALE_BUILD_TYPE "custom"
#endif
#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#define DAEMON_MAGIC      0xdae30001u
#define COMPONENTS_MAX    32
#define OPS_CONNECTIONS   64
#define OPS_BODY_BYTES    4096u
#define METRICS_MAX_BYTES (4u * 1024 * 1024)
#define HEALTH_MAX_BYTES  (64u * 1024)
#define EXIT_USAGE        2

struct component {
    const char *name; /* literal */
    bool ok;
    char detail[160];
};

struct hale_daemon {
    unsigned magic;
    const struct hale_daemon_spec *spec;
    const char *config; /* path */
    int signal_fd;
    bool term_seen; /* main thread */
    atomic_bool stopping;
    struct hale_http_server *ops; /* or NULL */
    pthread_mutex_t lock;
    struct component components[COMPONENTS_MAX]; /* lock */
    unsigned n_components;                       /* lock */
};

/* --- signals ---------------------------------------------------------------------------------- */

static void handled_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
}

/* The signals are blocked from here on, in every thread, and read from the descriptor. */
static bool open_signals(struct hale_daemon *d)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;
    handled_signals(&set);
    if (sigaction(SIGPIPE, &ignore, NULL) != 0 ||
        pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return false;
    d->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return d->signal_fd >= 0;
}

/* After the first SIGTERM or SIGINT the second one meets the default action in this thread: it
 * ends the process even when the daemon hangs in its shutdown. */
static void stop_by_signal(struct hale_daemon *d, uint32_t number)
{
    sigset_t set;
    if (d->term_seen)
        return;
    d->term_seen = true;
    atomic_store(&d->stopping, true);
    hale_info("event=stopping signal=%s", number == SIGINT ? "INT" : "TERM");
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *reload(struct hale_daemon *d)
{
    void *conf = NULL;
    struct hale_err err = {.rc = HALE_OK};
    char text[512];
    char quoted[600];
    if (d->spec->conf_load(d->config, &conf, &err) == HALE_OK) {
        hale_info("event=reloaded config=%s", d->config);
        return conf;
    }
    (void)hale_err_str(&err, text, sizeof(text));
    hale_error("event=reload_refused detail=%s",
               hale_log_quote(text, quoted, sizeof(quoted)));
    return NULL;
}

void *hale_daemon_signals(struct hale_daemon *d)
{
    struct signalfd_siginfo info;
    bool want_reload = false;
    HALE_CHECK(d, DAEMON_MAGIC);
    for (;;) {
        ssize_t n = read(d->signal_fd, &info, sizeof(info));
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof(info))
            break;
        if (info.ssi_signo == SIGHUP)
            want_reload = true;
        else if (info.ssi_pid != (uint32_t)getpid()) /* own: hale_daemon_stop's wake-up */
            stop_by_signal(d, info.ssi_signo);
    }
    return want_reload && !hale_daemon_stopping(d) ? reload(d) : NULL;
}

int hale_daemon_fd(const struct hale_daemon *d)
{
    HALE_CHECK(d, DAEMON_MAGIC);
    return d->signal_fd;
}

bool hale_daemon_stopping(const struct hale_daemon *d)
{
    HALE_CHECK(d, DAEMON_MAGIC);
    return atomic_load(&d->stopping);
}

bool hale_daemon_stop_waits(const struct hale_daemon *d)
{
    sigset_t set;
    return hale_daemon_stopping(d) ||
           (sigpending(&set) == 0 &&
            (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1));
}

void hale_daemon_stop(struct hale_daemon *d)
{
    HALE_CHECK(d, DAEMON_MAGIC);
    if (!atomic_exchange(&d->stopping, true))
        (void)kill(getpid(), SIGTERM); /* blocked: makes the descriptor readable */
}

/* --- health ----------------------------------------------------------------------------------- */

void hale_daemon_health_set(struct hale_daemon *d, const char *component, bool ok,
                            const char *detail)
{
    struct component *c = NULL;
    HALE_CHECK(d, DAEMON_MAGIC);
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < d->n_components && c == NULL; i++)
        if (strcmp(d->components[i].name, component) == 0)
            c = &d->components[i];
    if (c == NULL) {
        HALE_ASSERT(d->n_components < COMPONENTS_MAX);
        c = &d->components[d->n_components++];
        c->name = component;
    }
    c->ok = ok;
    (void)snprintf(c->detail, sizeof(c->detail), "%s", detail != NULL ? detail : "");
    pthread_mutex_unlock(&d->lock);
}

/* Caller holds d->lock. */
static bool all_ok(const struct hale_daemon *d)
{
    for (unsigned i = 0; i < d->n_components; i++)
        if (!d->components[i].ok)
            return false;
    return d->n_components > 0;
}

bool hale_daemon_healthy(struct hale_daemon *d)
{
    HALE_CHECK(d, DAEMON_MAGIC);
    pthread_mutex_lock(&d->lock);
    bool ok = all_ok(d);
    pthread_mutex_unlock(&d->lock);
    return ok;
}

void hale_daemon_health_json(struct hale_daemon *d, struct hale_buf *out)
{
    HALE_CHECK(d, DAEMON_MAGIC);
    pthread_mutex_lock(&d->lock);
    hale_buf_printf(out, "{\"status\":\"%s\",\"daemon\":", all_ok(d) ? "ok" : "failing");
    hale_buf_add_json(out, hale_str_from(d->spec->name));
    hale_buf_add_c(out, ",\"version\":");
    hale_buf_add_json(out, hale_str_from(HALE_VERSION));
    hale_buf_add_c(out, ",\"components\":{");
    for (unsigned i = 0; i < d->n_components; i++) {
        const struct component *c = &d->components[i];
        if (i > 0)
            hale_buf_add_char(out, ',');
        hale_buf_add_json(out, hale_str_from(c->name));
        hale_buf_printf(out, ":{\"ok\":%s,\"detail\":", c->ok ? "true" : "false");
        hale_buf_add_json(out, hale_str_from(c->detail));
        hale_buf_add_char(out, '}');
    }
    hale_buf_add_c(out, "}}");
    pthread_mutex_unlock(&d->lock);
}

/* --- ops listener ----------------------------------------------------------------------------- */

static void reply_error(struct hale_http_req *req, unsigned status, const char *body)
{
    hale_http_reply(req, status, "application/json", hale_str_from(body));
}

static void ops_handle(struct hale_http_req *req, void *arg)
{
    struct hale_daemon *d = arg;
    const char *path = hale_http_path(req);
    const char *method = hale_http_method(req);
    bool metrics = strcmp(path, "/metrics") == 0;
    struct hale_buf b;
    if (!metrics && strcmp(path, "/healthz") != 0) {
        reply_error(
            req, 404,
            "{\"title\":\"Not Found\",\"description\":\"Try /metrics or /healthz.\"}");
        return;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        hale_http_add_header(req, "Allow", "GET, HEAD");
        reply_error(
            req, 405,
            "{\"title\":\"Method Not Allowed\",\"description\":\"Only GET and HEAD.\"}");
        return;
    }
    hale_buf_init(&b, metrics ? METRICS_MAX_BYTES : HEALTH_MAX_BYTES);
    if (metrics) {
        hale_counter_render(&b, d->spec->name);
        hale_http_reply_buf(req, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
    } else {
        bool ok = hale_daemon_healthy(d);
        hale_daemon_health_json(d, &b);
        hale_http_add_header(req, "Cache-Control", "no-store");
        hale_http_reply_buf(req, ok ? 200 : 503, "application/json", &b);
    }
    hale_buf_fini(&b);
}

enum hale_rc hale_daemon_serve(struct hale_daemon *d, const char *listen,
                               struct hale_err *err)
{
    struct hale_http_server_options o = {
        .listen = listen,
        .max_body_bytes = OPS_BODY_BYTES,
        .max_connections = OPS_CONNECTIONS,
        .handle = ops_handle,
        .arg = d,
    };
    HALE_CHECK(d, DAEMON_MAGIC);
    HALE_ASSERT(d->ops == NULL);
    enum hale_rc rc = hale_http_server_start(&o, &d->ops, err);
    if (rc == HALE_OK)
        hale_info("event=ops_listening address=%s port=%u", listen,
                  hale_http_server_port(d->ops));
    return rc;
}

/* --- arguments -------------------------------------------------------------------------------- */

struct arguments {
    const char *config;
    enum hale_log_level level;
    bool check, version, help;
};

static void print_help(const struct hale_daemon_spec *spec)
{
    (void)printf(
        "%s - %s\n\n"
        "usage: %s [--config FILE] [--check-config] [--log-level LEVEL] [--version] "
        "[--help]\n\n"
        "  --config FILE      configuration (default: %s)\n"
        "  --check-config     check the configuration and exit: 0 valid, 2 not\n"
        "  --log-level LEVEL  debug, info, warn or error (default: info)\n"
        "  --version          print version and build\n"
        "  --help             print this\n\n"
        "signals:\n"
        "  SIGTERM, SIGINT    stop; a second one ends the process at once\n"
        "  SIGHUP             load the configuration again: all of it when it is valid, "
        "else\n"
        "                     nothing changes (event=reload_refused)\n\n"
        "exit codes: 0 fine, 1 run-time failure, 2 wrong arguments or configuration\n",
        spec->name, spec->summary, spec->name, spec->default_config);
    if (spec->conf_describe == NULL)
        return;
    struct hale_buf b;
    hale_buf_init(&b, HEALTH_MAX_BYTES);
    spec->conf_describe(&b);
    if (b.len > 0)
        (void)printf("\nconfiguration keys:\n%s%s", b.p,
                     b.p[b.len - 1] == '\n' ? "" : "\n");
    hale_buf_fini(&b);
}

static bool usage_error(const struct hale_daemon_spec *spec, const char *what,
                        const char *arg)
{
    (void)fprintf(stderr, "%s: %s \"%s\"; see %s --help\n", spec->name, what, arg,
                  spec->name);
    return false;
}

/* The value of "--name VALUE" or "--name=VALUE"; NULL when option, which is argv[*i], is another
 * one. A missing value gives "". */
static const char *option_value(const char *name, const char *option, int argc,
                                char **argv, int *i)
{
    size_t len = strlen(name);
    if (strncmp(option, name, len) != 0)
        return NULL;
    if (option[len] == '=')
        return option + len + 1;
    if (option[len] != '\0')
        return NULL;
    return *i + 1 < argc ? argv[++*i] : "";
}

static bool parse_arguments(const struct hale_daemon_spec *spec, int argc, char **argv,
                            struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        const char *value;
        if (strcmp(option, "--check-config") == 0) {
            a->check = true;
        } else if (strcmp(option, "--version") == 0) {
            a->version = true;
        } else if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0) {
            a->help = true;
        } else if ((value = option_value("--config", option, argc, argv, &i)) != NULL) {
            if (value[0] == '\0')
                return usage_error(spec, "a file must follow", option);
            a->config = value;
        } else if ((value = option_value("--log-level", option, argc, argv, &i)) !=
                   NULL) {
            if (hale_log_level_parse(value, &a->level) != HALE_OK)
                return usage_error(
                    spec, "debug, info, warn or error must follow --log-level, not",
                    value);
        } else {
            return usage_error(spec, "unknown argument", option);
        }
    }
    return true;
}

/* --- main ------------------------------------------------------------------------------------- */

static int run(struct hale_daemon *d, void *conf)
{
    HALE_ASSERT(pthread_mutex_init(&d->lock, NULL) == 0);
    if (!open_signals(d)) {
        (void)fprintf(stderr, "%s: cannot open a signal descriptor: %s\n", d->spec->name,
                      strerrordesc_np(errno));
        d->spec->conf_free(conf);
        return EXIT_FAILURE;
    }
    hale_info("event=started version=%s config=%s", HALE_VERSION, d->config);
    int code = d->spec->run(d, conf);
    hale_http_server_stop(d->ops);
    (void)close(d->signal_fd);
    pthread_mutex_destroy(&d->lock);
    hale_info("event=stopped code=%d", code);
    return code;
}

int hale_daemon_main(const struct hale_daemon_spec *spec, int argc, char **argv)
{
    struct arguments a = {.config = spec->default_config, .level = HALE_LOG_INFO};
    struct hale_err err = {.rc = HALE_OK};
    char text[512];
    void *conf = NULL;
    hale_secrets_keep_in();
    if (!parse_arguments(spec, argc, argv, &a))
        return EXIT_USAGE;
    if (a.help) {
        print_help(spec);
        return EXIT_SUCCESS;
    }
    if (a.version) {
        (void)printf("%s %s (%s, %s)\n", spec->name, HALE_VERSION, HALE_BUILD_TYPE,
                     COMPILER);
        return EXIT_SUCCESS;
    }
    hale_log_init(spec->name, a.level);
    if (spec->conf_load(a.config, &conf, &err) != HALE_OK) {
        (void)fprintf(stderr, "%s: %s\n", spec->name,
                      hale_err_str(&err, text, sizeof(text)));
        return EXIT_USAGE;
    }
    if (a.check) {
        (void)printf("%s: %s is valid\n", spec->name, a.config);
        spec->conf_free(conf);
        return EXIT_SUCCESS;
    }
    struct hale_daemon d = {.magic = DAEMON_MAGIC, .spec = spec, .config = a.config};
    return run(&d, conf);
}
