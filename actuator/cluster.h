/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CLUSTER_H
#define HALE_ACTUATOR_CLUSTER_H
/*
 * cluster - the Kubernetes clusters of the configuration (`clusters:`): where the API server is
 * and who we are there, said there or in a kubeconfig (kubeconfig.h). A token's file is read for each
 * call: those of service accounts are replaced every hour.
 * Ownership: a table owns its texts, and wipes the secret ones. Threads: immutable after reading.
 */
#include "base/rc.h"
#include "model/yaml.h"

#define ACTUATOR_CLUSTERS_MAX 64

struct actuator_cluster {
    char *name, *url;           /* without a slash at the end */
    char *token_file;           /* NULL: by certificate */
    char *cert_file, *key_file; /* NULL: none */
    char *ca_file;              /* NULL: the system's */
    char *token, *ca_pem, *cert_pem,
        *key_pem; /* of a kubeconfig, instead of files; or NULL */
    char *space;  /* namespace of steps that name none */
};
struct actuator_clusters {
    unsigned n;
    struct actuator_cluster v[ACTUATOR_CLUSTERS_MAX];
};

/* map: the value of `clusters` (a NULL-kind node: none). */
HALE_MUST_CHECK enum hale_rc actuator_clusters_read(const struct hale_yaml_node *map,
                                                    struct actuator_clusters *out,
                                                    struct hale_err *err);
void actuator_clusters_fini(struct actuator_clusters *c);
/* NULL: there is none of that name. */
const struct actuator_cluster *actuator_clusters_find(const struct actuator_clusters *c,
                                                      const char *name);
/* ", did you mean 'x'?" or "" for a name that is not there; points into dst. */
const char *actuator_clusters_suggest(const struct actuator_clusters *c, const char *name,
                                      char *dst, size_t size);
#endif
