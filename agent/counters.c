/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/counters.h"

#define AGENT_COUNTER_DEFINE(id, type, name, help)                                       \
    struct hale_counter agent_counter_##id =                                             \
        HALE_##type##_INIT("hale_agent_" name, NULL, help);
AGENT_COUNTERS(AGENT_COUNTER_DEFINE)
#undef AGENT_COUNTER_DEFINE

void agent_counters_register(void)
{
#define AGENT_COUNTER_REGISTER(id, type, name, help)                                     \
    hale_counter_register(&agent_counter_##id);
    AGENT_COUNTERS(AGENT_COUNTER_REGISTER)
#undef AGENT_COUNTER_REGISTER
}
