/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secrets.h"

#include <sys/prctl.h>
#include <sys/resource.h>

void hale_secrets_keep_in(void)
{
    const struct rlimit none = {0, 0};
    /* Either is enough; a kernel that knows neither has nothing better to offer. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
}
