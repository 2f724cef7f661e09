/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_RELOAD_H
#define HALE_COLLECTOR_RELOAD_H
/*
 * reload - signals: SIGHUP takes tokens_file, dashboards_dir and log_level from the new
 * configuration; the other keys need a restart, which is said in the log. All or nothing:
 * with a faulty tokens file everything stays. Threads: main.
 */
#include "collector/app.h"

/* At start: fills c->tokens and c->files. */
HALE_MUST_CHECK enum hale_rc collector_reload_apply(struct collector *c,
                                                    const struct collector_config *conf,
                                                    struct hale_err *err);
/* Handles what waits on hale_daemon_fd. */
void collector_reload_poll(struct collector *c);
#endif
