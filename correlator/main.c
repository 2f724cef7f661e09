/* SPDX-License-Identifier: Apache-2.0 */
/* hale-correlator - wiring: configuration, feed, loop. */
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "correlator/conf.h"
#include "correlator/feed.h"
#include "correlator/meters.h"
#include "net/daemon.h"

/* Takes over a new configuration. Everything but listen can change while running: the feed is made
 * anew and loads from Redis, as after a start. */
static struct correlator_feed *reload(struct hale_daemon *d,
                                      struct correlator_conf **conf,
                                      struct correlator_conf *next,
                                      struct correlator_feed *feed)
{
    struct correlator_feed *made = correlator_feed_new(next, d);
    if (made == NULL) {
        hale_error("event=reload_failed reason=\"out of memory\"");
        correlator_conf_free(next);
        return feed;
    }
    if (strcmp(next->listen, (*conf)->listen) != 0)
        hale_warn("event=needs_restart key=listen");
    hale_log_set_level((enum hale_log_level)next->log_level);
    correlator_feed_free(feed);
    correlator_conf_free(*conf);
    *conf = next;
    hale_info("event=reloaded");
    return made;
}

static void loop(struct hale_daemon *d, struct correlator_conf **conf,
                 struct correlator_feed **feed)
{
    while (!hale_daemon_stopping(d)) {
        struct pollfd fds[2] = {{.fd = hale_daemon_fd(d), .events = POLLIN}};
        int64_t wait_ms = correlator_feed_wait(*feed, &fds[1], hale_clock_mono_ms());
        (void)poll(fds, 2, (int)wait_ms);
        if (fds[0].revents != 0) {
            void *next = hale_daemon_signals(d);
            if (next != NULL)
                *feed = reload(d, conf, next, *feed);
        }
        if (!hale_daemon_stopping(d))
            correlator_feed_turn(*feed, hale_clock_mono_ms());
    }
}

static int run(struct hale_daemon *d, void *loaded)
{
    struct correlator_conf *conf = loaded;
    struct hale_err err = {0};
    char text[512];
    int code = 1;
    hale_log_set_level((enum hale_log_level)conf->log_level);
    correlator_meters_register();
    struct correlator_feed *feed = correlator_feed_new(conf, d);
    if (feed == NULL)
        hale_error("event=start_failed reason=\"out of memory\"");
    else if (hale_daemon_serve(d, conf->listen, &err) != HALE_OK)
        hale_error("event=start_failed reason=\"%s\"",
                   hale_err_str(&err, text, sizeof(text)));
    else {
        loop(d, &conf, &feed);
        code = 0;
    }
    correlator_feed_free(feed);
    correlator_conf_free(conf);
    return code;
}

int main(int argc, char **argv)
{
    static const struct hale_daemon_spec spec = {
        .name = "hale-correlator",
        .summary =
            "joins sub-alarms and fault events into alarms and writes the alarm log",
        .default_config = "/etc/hale/correlator.yaml",
        .conf_load = correlator_conf_load,
        .conf_free = correlator_conf_free,
        .conf_describe = correlator_conf_describe,
        .run = run,
    };
    return hale_daemon_main(&spec, argc, argv);
}
