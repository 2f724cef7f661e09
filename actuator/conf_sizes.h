/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONF_SIZES_H
#define HALE_ACTUATOR_CONF_SIZES_H
/*
 * conf_sizes - whether those whom scaling policies ask for a size are in the configuration; what is
 * written as an address there may be called, a workload without a namespace gets its cluster's.
 * Threads:   stateless.
 */
#include "actuator/conf.h"

/* source: the policies' file, or NULL. */
HALE_MUST_CHECK enum hale_rc
actuator_conf_sizes(struct actuator_conf *conf, const char *source, struct hale_err *err);
#endif
