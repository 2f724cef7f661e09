/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hale-actuator - everything that leaves the house: notifications and healing or scaling
 * actions, with guards, leases, verification and a journal. README.md in this directory.
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "actuator/conf.h"
#include "actuator/loop.h"
#include "net/daemon.h"

/* Passwords, tokens and keys are in this memory: none of it goes into a core dump, and no
 * other process of this user may look at it. */
static void keep_secrets_in(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE,
                    &none); /* either is enough; a kernel that knows neither has */
    (void)prctl(PR_SET_DUMPABLE, 0); /* nothing better to offer */
}

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
    keep_secrets_in();
    return hale_daemon_main(&spec, argc, argv);
}
