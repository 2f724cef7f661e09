/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_RELOAD_H
#define HALE_COLLECTOR_RELOAD_H
/*
 * reload - signals: SIGHUP takes tokens_file, the files of tls, dashboards_dir and log_level from
 * the new configuration and empties the cache of Keystone's tokens; the other keys need a restart.
 * All or nothing: with a faulty tokens file or certificate everything stays. Threads: main.
 */
#include "collector/app.h"

/* At start: fills c->tokens, c->files and c->tls. */
HALE_MUST_CHECK enum hale_rc collector_reload_apply(struct collector *c,
                                                    const struct collector_config *conf,
                                                    struct hale_err *err);
/* Handles what waits on hale_daemon_fd. */
void collector_reload_poll(struct collector *c);
#endif
