/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_USAGE_H
#define HALE_CLI_USAGE_H
/*
 * usage - what `hale --help` prints. Threads: one.
 */
#include <stdio.h>

void cli_usage(FILE *to);
#endif
