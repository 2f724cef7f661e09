/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_SECRETS_H
#define HALE_BASE_SECRETS_H
/*
 * secrets - keeps what is in this process' memory in it: passwords, tokens, keys.
 * Threads: before there are any.
 */

/* No core dump from now on, also none that the system pipes to a collector of them, and no look at
 * the memory by another process of the same user (root with CAP_SYS_PTRACE may: that is how a debugger
 * is attached). What is executed later inherits the limit. */
void hale_secrets_keep_in(void);
#endif
