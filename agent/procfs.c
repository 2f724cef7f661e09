/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/procfs.h"

#include <string.h>

#include "base/fs.h"

bool agent_procfs_read(struct hale_buf *b, const char *path)
{
    hale_buf_reset(b);
    return hale_fs_read(path, b, NULL) == HALE_OK && b->p != NULL;
}

struct hale_str agent_procfs_word(struct hale_str *rest)
{
    while (rest->len > 0 && (*rest->p == ' ' || *rest->p == '\t')) {
        rest->p++;
        rest->len--;
    }
    struct hale_str word = {rest->p, 0};
    while (rest->len > 0 && *rest->p != ' ' && *rest->p != '\t') {
        rest->p++;
        rest->len--;
        word.len++;
    }
    return word;
}

uint64_t agent_procfs_number(struct hale_str *rest)
{
    uint64_t n = 0;
    return hale_str_u64(agent_procfs_word(rest), &n) == HALE_OK ? n : 0;
}

double agent_procfs_rate(uint64_t before, uint64_t after, int64_t elapsed_ms)
{
    if (after < before || elapsed_ms <= 0)
        return 0;
    return (double)(after - before) * 1000.0 / (double)elapsed_ms;
}
