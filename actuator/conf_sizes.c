/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/conf_sizes.h"

#include <string.h>

#include "actuator/scaling.h"

static enum hale_rc absent(const char *source, const struct actuator_size *s,
                           const char *table, const char *name, const char *near,
                           struct hale_err *err)
{
    return hale_err_at(err, HALE_E_INVAL, source != NULL ? source : "policies", s->line,
                       0, "'%s' in the configuration has no '%.64s'%s", table, name,
                       near);
}

static enum hale_rc check(struct actuator_conf *conf, const char *source,
                          struct actuator_size *s, struct hale_err *err)
{
    char near[128];
    if (s->kind == ACTUATOR_SIZE_WORKLOAD) {
        const struct actuator_cluster *c =
            actuator_clusters_find(&conf->clusters, s->cloud);
        if (c == NULL)
            return absent(
                source, s, "clusters", s->cloud,
                actuator_clusters_suggest(&conf->clusters, s->cloud, near, sizeof(near)),
                err);
        if (s->space == NULL && (s->space = strdup(c->space)) == NULL)
            return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    } else if (s->cloud != NULL &&
               actuator_clouds_find(&conf->clouds, s->cloud) == NULL) {
        return absent(
            source, s, "clouds", s->cloud,
            actuator_clouds_suggest(&conf->clouds, s->cloud, near, sizeof(near)), err);
    }
    if (s->credentials != NULL &&
        actuator_credentials_find(&conf->credentials, s->credentials) == NULL)
        return absent(source, s, "credentials", s->credentials,
                      actuator_credentials_suggest(&conf->credentials, s->credentials,
                                                   near, sizeof(near)),
                      err);
    if (s->url != NULL && actuator_allow_add_url(&conf->allow, s->url) != HALE_OK)
        return hale_err_set(err, HALE_E_LIMIT, "too many different hosts are configured");
    return HALE_OK;
}

enum hale_rc actuator_conf_sizes(struct actuator_conf *conf, const char *source,
                                 struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned i = 0; i < conf->policies->n_scaling && rc == HALE_OK; i++)
        rc = check(conf, source, &conf->policies->scaling[i].size, err);
    return rc;
}
