/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CLOUD_H
#define HALE_ACTUATOR_CLOUD_H
/*
 * cloud - the OpenStack clouds of the configuration (`clouds:`): where Keystone is and who we
 * are there. Secrets stay in their files; they are read at each authentication, so that a new one
 * needs no restart.
 * Ownership: a table owns its texts. Threads: immutable after reading.
 */
#include <stdbool.h>

#include "base/rc.h"
#include "model/yaml.h"

#define ACTUATOR_CLOUDS_MAX 16
#define ACTUATOR_SECRET_MAX 4096 /* bytes of a secret's file */

struct actuator_cloud {
    char *name, *auth_url; /* without a slash at the end */
    char *region;          /* NULL: the first endpoint of the interface */
    int interface;         /* 0 public, 1 internal, 2 admin */
    char *username, *user_domain, *project, *project_domain; /* password */
    char *credential_id; /* application credential; NULL: password */
    char *secret_file;
    char *ca_file; /* NULL: the system's */
};
struct actuator_clouds {
    unsigned n;
    struct actuator_cloud v[ACTUATOR_CLOUDS_MAX];
};

/* map: the value of `clouds` (a NULL-kind node: none). */
HALE_MUST_CHECK enum hale_rc actuator_clouds_read(const struct hale_yaml_node *map,
                                                  struct actuator_clouds *out,
                                                  struct hale_err *err);
void actuator_clouds_fini(struct actuator_clouds *c);
/* NULL: there is none of that name. */
const struct actuator_cloud *actuator_clouds_find(const struct actuator_clouds *c,
                                                  const char *name);
/* ", did you mean 'x'" or "" for a name that is not there; points into dst. */
const char *actuator_clouds_suggest(const struct actuator_clouds *c, const char *name,
                                    char *dst, size_t size);
#endif
