/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_CLI_TOPOLOGY_H
#define HALE_CLI_TOPOLOGY_H
/*
 * topology - the commands `hale topology ...`: a file or an inventory to the collector, and back.
 */
#include "cli/cli.h"

/* words[0] is the verb: apply, list, show, affected, export, import. */
int cli_topology(const struct cli_options *o, int n, char **words);
#endif
