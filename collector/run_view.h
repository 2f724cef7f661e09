/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_RUN_VIEW_H
#define HALE_COLLECTOR_RUN_VIEW_H
/*
 * run_view - what people are shown of a run's record (docs/formats/run.md): a short form for
 * lists, and the whole with everything that may be a secret taken out. Secrets should be in
 * token files, but whoever wrote a policy may have put one into a header, a URL or an argument.
 * Pure. Threads: stateless.
 */
#include <jansson.h>

#include "base/rc.h"

/* Takes the place of what may not be seen. */
#define COLLECTOR_SECRET "***"

/* A new object of the members that a list shows, and `steps`: [{"name","type","what"}]; NULL: no memory. */
json_t *collector_run_short(const json_t *record);
/* A copy of the record without secrets and with the same `steps`; NULL: no memory. */
json_t *collector_run_whole(const json_t *record);
#endif
