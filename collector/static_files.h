/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_STATIC_FILES_H
#define HALE_COLLECTOR_STATIC_FILES_H
/*
 * static_files - the dashboards' files, held in memory: a request is one look-up of its
 * whole path in a table, so no path can reach outside the directory. Hidden files and
 * anything that is not a regular file are left out.
 * Limits: 2000 files, 8 MiB each, 64 MiB together; more is left out and logged.
 * Threads: load from main, get from the network thread.
 */
#include "collector/app.h"

struct collector_files;

struct collector_files *collector_files_new(void); /* exits on no memory */
void collector_files_free(struct collector_files *f);
/* Replaces the table by what dir holds now; a missing directory gives an empty table. */
void collector_files_load(struct collector_files *f, const char *dir);
/* Answers GET and HEAD of a path that is not an API's. */
void collector_files_get(struct collector *c, struct hale_http_req *req);
#endif
