/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_CONF_SNMP_H
#define HALE_ACTUATOR_CONF_SNMP_H
/*
 * conf_snmp - an SNMP manager as a subscriber's url and snmp: describe it (docs/formats/notification.md,
 * "SNMP"). Passphrases are read from their files, turned into keys and wiped at once; keys and community
 * are wiped with the configuration.
 * Threads:   immutable.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "model/yaml.h"

#define ACTUATOR_SNMP_OID_MAX    24 /* numbers of the arc */
#define ACTUATOR_SNMP_ENGINE_MAX 32
#define ACTUATOR_SNMP_KEY_MAX    64

enum actuator_snmp_auth { /* words: actuator_snmp_auth_words */
                          ACTUATOR_AUTH_SHA1,
                          ACTUATOR_AUTH_SHA224,
                          ACTUATOR_AUTH_SHA256,
                          ACTUATOR_AUTH_SHA384,
                          ACTUATOR_AUTH_SHA512
};
enum actuator_snmp_priv {
    ACTUATOR_PRIV_AES128,
    ACTUATOR_PRIV_AES192,
    ACTUATOR_PRIV_AES256,
    ACTUATOR_PRIV_AES192_CISCO,
    ACTUATOR_PRIV_AES256_CISCO
};
struct
    actuator_snmp_key { /* Ku of RFC 3414: the passphrase's, before it is any engine's */
    unsigned char bytes[ACTUATOR_SNMP_KEY_MAX];
    size_t len; /* 0: none */
};
struct actuator_snmp_conf {
    char *host;
    unsigned port;
    bool tcp, v3, trap;
    char *community; /* version 2c */
    size_t community_len;
    char *user; /* version 3 */
    enum actuator_snmp_auth auth;
    enum actuator_snmp_priv priv;
    struct actuator_snmp_key auth_key, priv_key;
    unsigned char engine_id[ACTUATOR_SNMP_ENGINE_MAX];
    size_t engine_id_len; /* never 0 */
    uint32_t oid[ACTUATOR_SNMP_OID_MAX];
    unsigned n_oid;
};

/* subscriber: the map with url and snmp. Free with _free, also after a failure. */
HALE_MUST_CHECK enum hale_rc
actuator_snmp_conf_read(const struct hale_yaml_node *subscriber, const char *url,
                        struct actuator_snmp_conf **out, struct hale_err *err);
void actuator_snmp_conf_free(struct actuator_snmp_conf *c);
/* True when both speak of one user of one manager with other keys: the manager knows only one. */
bool actuator_snmp_conf_differs(const struct actuator_snmp_conf *a,
                                const struct actuator_snmp_conf *b);
#endif
