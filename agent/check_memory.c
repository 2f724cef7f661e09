/* SPDX-License-Identifier: Apache-2.0 */
/* check_memory - /proc/meminfo in whole MiB and percent, Monasca's names. */
#include <math.h>
#include <stdlib.h>

#include "agent/check.h"
#include "agent/procfs.h"

struct state {
    const struct hale_yaml_node *ignored;
};
static const struct hale_conf_field fields[] = {AGENT_CHECK_COMMON_FIELDS(struct state)};

enum {
    TOTAL,
    FREE,
    AVAILABLE,
    BUFFERS,
    CACHED,
    SHMEM,
    SLAB,
    SWAP_TOTAL,
    SWAP_FREE,
    N_KEYS
};
static const char *const keys[N_KEYS] = {
    "MemTotal:", "MemFree:", "MemAvailable:", "Buffers:", "Cached:",
    "Shmem:",    "Slab:",    "SwapTotal:",    "SwapFree:"};

static void mb(struct agent_check *c, const char *name, uint64_t kb)
{
    agent_check_emit(c, NULL, 0, name, floor((double)kb / 1024), NULL);
}

static void perc(struct agent_check *c, const char *name, uint64_t part, uint64_t all)
{
    if (all > 0)
        agent_check_emit(c, NULL, 0, name, 100 * (double)part / (double)all, NULL);
}

static bool start(struct agent_check *c)
{
    struct hale_buf *text = &c->ctx->text;
    uint64_t kb[N_KEYS] = {0};
    if (!agent_procfs_read(text, "/proc/meminfo"))
        return true;
    struct hale_str rest = hale_buf_str(text);
    while (rest.p != NULL) {
        struct hale_str line = hale_str_split(&rest, '\n');
        struct hale_str key = agent_procfs_word(&line);
        for (int i = 0; i < N_KEYS; i++)
            if (hale_str_eq_c(key, keys[i]))
                kb[i] = agent_procfs_number(&line);
    }
    uint64_t cache = kb[BUFFERS] + kb[CACHED] + kb[FREE];
    mb(c, "mem.total_mb", kb[TOTAL]);
    mb(c, "mem.free_mb", kb[FREE]);
    mb(c, "mem.usable_mb", kb[AVAILABLE]);
    perc(c, "mem.usable_perc", kb[AVAILABLE], kb[TOTAL]);
    mb(c, "mem.used_buffers", kb[BUFFERS]);
    mb(c, "mem.used_cache", kb[CACHED]);
    mb(c, "mem.used_shared", kb[SHMEM]);
    mb(c, "mem.used_slab_mb", kb[SLAB]);
    mb(c, "mem.used_real_mb", kb[TOTAL] > cache ? kb[TOTAL] - cache : 0);
    mb(c, "mem.swap_total_mb", kb[SWAP_TOTAL]);
    mb(c, "mem.swap_free_mb", kb[SWAP_FREE]);
    mb(c, "mem.swap_used_mb",
       kb[SWAP_TOTAL] > kb[SWAP_FREE] ? kb[SWAP_TOTAL] - kb[SWAP_FREE] : 0);
    perc(c, "mem.swap_free_perc", kb[SWAP_FREE], kb[SWAP_TOTAL]);
    return true;
}

const struct agent_check_type agent_check_memory = {
    .name = "memory",
    .help = "mem.{total,free,usable,used_real,used_slab}_mb, mem.usable_perc, "
            "mem.used_{buffers,cache,shared}, mem.swap_{total,free,used}_mb, "
            "mem.swap_free_perc",
    .state_bytes = sizeof(struct state),
    .fields = fields,
    .n_fields = sizeof(fields) / sizeof(fields[0]),
    .start = start};
