/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/reload.h"

#include "base/log.h"
#include "collector/keystone.h"
#include "collector/static_files.h"
#include "collector/stats.h"
#include "collector/token.h"

enum hale_rc collector_reload_apply(struct collector *c,
                                    const struct collector_config *conf,
                                    struct hale_err *err)
{
    struct collector_token_table *table = NULL;

    if (conf->tokens_file[0] != '\0') { /* "": Keystone's tokens only */
        enum hale_rc rc = collector_token_table_load(conf->tokens_file, &table, err);
        if (rc != HALE_OK)
            return rc;
    }
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
        hale_info("event=reloaded detail=\"tokens, dashboards and log level\"");
    else
        hale_error("event=reload_refused detail=\"%s\"",
                   hale_err_str(&err, text, sizeof(text)));
    collector_config_free(conf);
}
