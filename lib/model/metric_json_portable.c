/* SPDX-License-Identifier: Apache-2.0 */
/* The walker for every processor: eight bytes at a time in a general register. */
#define WALK_TARGET
#define WALK_NAME         hale_scan_walk_portable
#define plain_end(p, end) hale_scan_plain((p), (end))
#include "model/metric_json_walk.inc"
