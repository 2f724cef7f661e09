/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_KUBECONFIG_H
#define HALE_ACTUATOR_KUBECONFIG_H
/*
 * kubeconfig - one context of a file as kubectl has it, as a cluster: server, CA, client certificate and key
 * (files or *-data), token or tokenFile, namespace. Files it names are relative to its directory.
 * Refused:   what Hale would have to run or to trust blindly, with what to do instead: exec and auth-provider
 *            plugins, user and password, impersonation, no TLS verification, tls-server-name, proxy-url.
 * Reload:    read with the configuration, so anew at SIGHUP; a token in a file is read for each call.
 * Threads:   stateless.
 */
#include "actuator/cluster.h"

/* context NULL: the file's current-context. at: where the configuration names the file, for errors that are
 * about that. Fills url, what TLS and token need and space (unless set); also on failure, for _fini. */
HALE_MUST_CHECK enum hale_rc actuator_kubeconfig_read(const char *path,
                                                      const char *context,
                                                      const struct hale_yaml_node *at,
                                                      struct actuator_cluster *out,
                                                      struct hale_err *err);
#endif
