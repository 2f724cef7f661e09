/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hale-actuator - everything that leaves the house: notifications and healing or scaling
 * actions, with guards, leases, verification and a journal. README.md in this directory.
 */
#include "actuator/conf.h"
#include "actuator/loop.h"
#include "net/daemon.h"

int main(int argc, char **argv)
{
    static const struct hale_daemon_spec spec = {
        .name = "hale-actuator",
        .summary = "carries out policies on alarms and notifies subscribers",
        .default_config = "/etc/hale/actuator.yaml",
        .conf_load = actuator_conf_load,
        .conf_free = actuator_conf_free,
        .conf_describe = actuator_conf_describe,
        .run = actuator_loop_run,
    };
    return hale_daemon_main(&spec, argc, argv);
}
