/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/journal.h"
#include "store/keys.h"

#define ROW_MAX 65536

/* KEYS: meta policies journal. ARGV: hash, policies, row, most rows kept. The row is written once for each
 * change, whoever starts or reads the file again. */
static const char SCRIPT[] =
    "redis.call('SET',KEYS[2],ARGV[2])\n"
    "if redis.call('HGET',KEYS[1],'policies')==ARGV[1] then return 0 end\n"
    "redis.call('HSET',KEYS[1],'policies',ARGV[1])\n"
    "redis.call('XADD',KEYS[3],'MAXLEN','~',ARGV[4],'*','j',ARGV[3])\n"
    "return 1\n";

/* What people may see of a policy: no texts of its steps, which may carry secrets. */
static json_t *policy_json(const struct actuator_policy *p)
{
    json_t *steps = json_array();
    for (unsigned i = 0; i < p->n_steps; i++) {
        const struct actuator_step *s = &p->step[i];
        (void)json_array_append_new(
            steps, json_pack("{s:s,s:s*}", "type", s->kind != NULL ? s->kind : "webhook",
                             "action", s->action));
    }
    return json_pack("{s:s,s:s,s:s,s:o}", "name", p->name, "mode",
                     actuator_mode_text(p->mode), "target", p->target, "steps", steps);
}

static char *policies_json(const struct actuator_policies *policies)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < policies->n; i++)
        (void)json_array_append_new(list, policy_json(&policies->v[i]));
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

static char *word(const char *text)
{
    return (char *)(uintptr_t)text; /* rows only read their strings */
}

static enum hale_rc encode_row(const struct actuator_conf *conf, struct hale_buf *out)
{
    char text[128];
    json_t *detail = json_pack("{s:s,s:i}", "sha256", conf->policies_sha256, "policies",
                               (int)conf->policies->n);
    (void)snprintf(text, sizeof(text), "%u policies, SHA-256 %.16s...", conf->policies->n,
                   conf->policies_sha256);
    const struct hale_journal_row row = {
        .time_ms = hale_clock_wall_ms(),
        .kind = word("configured"),
        .run_id = word(""),
        .policy = word("*"),
        .mode = word("auto"),
        .tenant = word(""),
        .alarm_id = word(""),
        .alarm_name = word(""),
        .step = -1,
        .text = text,
        .detail = detail,
    };
    enum hale_rc rc = hale_journal_encode(&row, out);
    json_decref(detail);
    return rc;
}

bool app_declare(struct app *app)
{
    char max[24];
    struct hale_buf row;
    struct hale_reply *reply = NULL;
    if (!app->acts)
        return true;
    char *list = policies_json(app->conf->policies);
    (void)snprintf(max, sizeof(max), "%d", HALE_KEYS_LOG_MAX);
    hale_buf_init(&row, ROW_MAX);
    enum hale_rc rc = list != NULL ? encode_row(app->conf, &row) : HALE_E_NOMEM;
    if (rc == HALE_OK)
        rc = HALE_REDIS_CMD(app->ask, &reply, HALE_STR("EVAL"), HALE_STR(SCRIPT),
                            HALE_STR("3"), HALE_STR(HALE_KEYS_ACT_META),
                            HALE_STR(HALE_KEYS_POLICIES), HALE_STR(HALE_KEYS_JOURNAL),
                            hale_str_from(app->conf->policies_sha256),
                            hale_str_from(list), hale_buf_str(&row), hale_str_from(max));
    if (rc == HALE_OK && hale_reply_int(reply) != 0)
        hale_info("event=policies_configured sha256=%s", app->conf->policies_sha256);
    hale_reply_free(reply);
    hale_buf_fini(&row);
    free(list);
    return rc == HALE_OK;
}
