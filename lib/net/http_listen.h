/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_NET_HTTP_LISTEN_H
#define HALE_NET_HTTP_LISTEN_H
/*
 * http_listen - the HTTP server's listening socket from text such as "127.0.0.1:8070" or "[::1]:0".
 * Ownership: the descriptor is the caller's. Errors: HALE_E_EXISTS when the address is in use; err
 * names it and the fix. Threads: stateless.
 */
#include <stdbool.h>

#include "base/rc.h"

HALE_MUST_CHECK enum hale_rc hale_http_listen(const char *listen_text, int *fd_out,
                                              bool *v6_out, struct hale_err *err);
unsigned hale_http_listen_port(int fd); /* the bound port, 0 on failure */
#endif
