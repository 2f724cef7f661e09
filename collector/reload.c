/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "collector/keystone.h"
#include "collector/static_files.h"
#include "collector/stats.h"
#include "collector/tenant_limit.h"
#include "collector/token.h"

/* *out stays NULL without TLS. */
static enum hale_rc load_tls(const struct collector *c,
                             const struct collector_config *conf,
                             struct hale_http_tls **out, struct hale_err *err)
{
    struct hale_http_tls_files files = {
        .cert_file = conf->cert_file,
        .key_file = conf->key_file,
        .client_ca_file = conf->client_ca_file,
        .clients = (enum hale_http_client_certificates)conf->client_certificates,
        .only_1_3 = conf->tls_min == 1};

    if (conf->tls != c->conf->tls)
        return hale_err_set(err, HALE_E_INVAL,
                            "tls cannot be switched on or off while the collector runs: "
                            "restart it");
    return conf->tls ? hale_http_tls_load(&files, out, err) : HALE_OK;
}

static void use_tls(struct collector *c, struct hale_http_tls *tls)
{
    char until[HALE_CLOCK_ISO_MAX];

    if (tls == NULL)
        return;
    int64_t expires_ms = hale_http_tls_expires_ms(tls);
    collector_gauge(TLS_EXPIRES, expires_ms / 1000);
    (void)hale_clock_iso_s(expires_ms, until);
    if (expires_ms <= hale_clock_wall_ms())
        hale_warn("event=certificate_expired file=%s at=%s", c->conf->cert_file, until);
    else
        hale_info("event=certificate_loaded expires=%s", until);
    if (c->server != NULL)
        hale_http_server_set_tls(c->server, tls);
    else
        c->tls = tls;
}

enum hale_rc collector_reload_apply(struct collector *c,
                                    const struct collector_config *conf,
                                    struct hale_err *err)
{
    struct collector_token_table *table = NULL;
    struct hale_http_tls *tls = NULL;

    enum hale_rc rc = load_tls(c, conf, &tls, err);
    if (rc == HALE_OK && conf->tokens_file[0] != '\0') /* "": Keystone's tokens only */
        rc = collector_token_table_load(conf->tokens_file, &table, err);
    if (rc != HALE_OK) {
        hale_http_tls_free(tls);
        return rc;
    }
    if (collector_tenant_limits_set(c->limits, &conf->limits) != HALE_OK) {
        hale_http_tls_free(tls);
        collector_token_table_free(table);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    use_tls(c, tls);
    collector_gauge(TOKENS, table != NULL ? collector_token_table_count(table) : 0);
    collector_tokens_swap(c->tokens, table);
    if (c->keystone != NULL)
        collector_keystone_forget(c->keystone);
    collector_files_load(c->files, conf->dashboards_dir);
    hale_log_set_level((enum hale_log_level)conf->log_level);
    return HALE_OK;
}

void collector_reload_poll(struct collector *c)
{
    struct hale_err err = {0};
    char text[512];
    struct collector_config *conf = hale_daemon_signals(c->daemon);

    if (conf == NULL)
        return;
    if (collector_reload_apply(c, conf, &err) == HALE_OK)
        hale_info("event=reloaded detail=\"tokens, limits, certificates, dashboards and "
                  "log level\"");
    else
        hale_error("event=reload_refused detail=\"%s\"",
                   hale_err_str(&err, text, sizeof(text)));
    collector_config_free(conf);
}
