/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/stats.h"

struct hale_counter collector_stats[COLLECTOR_STAT_N] = {
#define COLLECTOR_STAT_ROW(id, kind, n, l, h) HALE_##kind##_INIT(n, l, h),
    COLLECTOR_STATS(COLLECTOR_STAT_ROW)
#undef COLLECTOR_STAT_ROW
};

void collector_stats_init(void)
{
    hale_counter_register_all(collector_stats, COLLECTOR_STAT_N);
}
