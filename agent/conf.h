/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_CONF_H
#define HALE_AGENT_CONF_H
/*
 * conf - the agent's configuration, one immutable generation at a time.
 * Ownership: struct agent_conf owns all it points to, the YAML document included: the checks are made
 *            from its nodes by main. Threads: one.
 */
#include <stdint.h>

#include "agent/sink.h"
#include "base/log.h"
#include "model/yaml.h"

#define AGENT_CHECKS_MAX 10000

struct agent_conf {
    char *listen;    /* own metrics and health; NULL = none */
    char *collector; /* URL without a slash at the end */
    char *token_file;
    char *ca_file;              /* or NULL */
    char *cert_file, *key_file; /* or NULL */
    char *spool_dir;
    char *hostname; /* dimension of everything; default the machine's */
    int64_t spool_max_bytes;
    int64_t timeout_ms;
    int64_t max_batch;
    int log_level; /* enum hale_log_level */
    const struct hale_yaml_node *dimensions, *checks;
    struct hale_yaml *yaml;
    char *token;
};

/* For struct hale_daemon_spec. Reads the token too, and tries every check without starting it. */
HALE_MUST_CHECK enum hale_rc agent_conf_load(const char *path, void **conf_out,
                                             struct hale_err *err);
void agent_conf_free(void *conf);
void agent_conf_describe(struct hale_buf *out);
/* hostname and the agent's own dimensions. */
HALE_MUST_CHECK enum hale_rc
agent_conf_dims(const struct agent_conf *c, struct agent_dims *out, struct hale_err *err);
#endif
