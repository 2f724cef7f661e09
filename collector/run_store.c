/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/run_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "model/alarm.h"
#include "store/keys.h"

#define RECORD_MAX ((size_t)1 << 20)
#define FIELD_MAX  160

static const char *const VERDICTS[] = {"approve", "reject", "acknowledge", "abort"};
/* The question that each answers: one answer per run and question. */
static const char *const QUESTIONS[] = {"proposal", "proposal", "ack", "abort"};

const char *collector_verdict_text(enum collector_verdict v)
{
    return VERDICTS[v];
}

/* --- reading ------------------------------------------------------------------------- */

static bool belongs(const json_t *run, const char *tenant)
{
    const char *own = json_string_value(json_object_get(run, "tenant"));
    return own != NULL && strcmp(own, tenant) == 0;
}

static json_t *decode(struct hale_str text)
{
    json_t *o = json_loadb(text.p != NULL ? text.p : "", text.len, 0, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

enum hale_rc collector_run_each(struct hale_redis *r, const char *tenant,
                                void (*each)(json_t *run, void *arg), void *arg)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("HVALS"), HALE_STR(HALE_KEYS_RUNS));
    for (size_t i = 0; rc == HALE_OK && i < hale_reply_n(reply); i++) {
        json_t *run = decode(hale_reply_str(hale_reply_at(reply, i)));
        if (belongs(run, tenant))
            each(run, arg);
        json_decref(run);
    }
    hale_reply_free(reply);
    return rc;
}

enum hale_rc collector_run_load(struct hale_redis *r, const char *tenant, const char *id,
                                json_t **out)
{
    struct hale_reply *reply = NULL;
    *out = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_RUNS), hale_str_from(id));
    if (rc != HALE_OK)
        return rc;
    json_t *run = hale_reply_is_nil(reply) ? NULL : decode(hale_reply_str(reply));
    hale_reply_free(reply);
    if (!belongs(run, tenant)) {
        json_decref(run);
        return HALE_E_NOTFOUND;
    }
    *out = run;
    return HALE_OK;
}

enum hale_rc collector_run_verdicts(struct hale_redis *r, const char *id, json_t **out)
{
    static const char *const questions[] = {"proposal", "ack", "abort"};
    char field[3][FIELD_MAX];
    struct hale_reply *reply = NULL;
    *out = NULL;
    for (size_t i = 0; i < 3; i++)
        (void)snprintf(field[i], FIELD_MAX, "%.128s:%s", id, questions[i]);
    enum hale_rc rc = HALE_REDIS_CMD(
        r, &reply, HALE_STR("HMGET"), HALE_STR(HALE_KEYS_VERDICTS),
        hale_str_from(field[0]), hale_str_from(field[1]), hale_str_from(field[2]));
    if (rc != HALE_OK)
        return rc;
    json_t *verdicts = json_object();
    for (size_t i = 0; i < 3; i++) {
        json_t *v = decode(hale_reply_str(hale_reply_at(reply, i)));
        if (v != NULL)
            (void)json_object_set_new(verdicts, questions[i], v);
    }
    hale_reply_free(reply);
    *out = verdicts;
    return verdicts != NULL ? HALE_OK : HALE_E_NOMEM;
}

/* --- deciding ------------------------------------------------------------------------ */

/* Returns {enum collector_decision, what was first or the run's record}.
 * KEYS: runs verdicts control. ARGV: id tenant question verdict now_us control-record */
static const char SCRIPT[] =
    "local text=redis.call('HGET',KEYS[1],ARGV[1])\n"
    "if not text then return {1,''} end\n"
    "local run=cjson.decode(text)\n"
    "if run.tenant~=ARGV[2] then return {1,''} end\n"
    "local field=ARGV[1]..':'..ARGV[3]\n"
    "local first=redis.call('HGET',KEYS[2],field)\n"
    "if first then return {4,first} end\n"
    "local s,now=run.state,tonumber(ARGV[5])\n"
    "if ARGV[3]=='proposal' then\n"
    " if s=='done' and run.outcome=='expired' then return {3,''} end\n"
    " if s~='proposed' then return {2,text} end\n"
    " local e=tonumber(run.expires_us) or 0\n"
    " if e>0 and e<=now then return {3,''} end\n"
    "elseif ARGV[3]=='ack' then\n"
    " if s=='done' or run.held~=true then return {2,text} end\n"
    "elseif s=='done' then return {2,text} end\n"
    "redis.call('HSET',KEYS[2],field,ARGV[4])\n"
    "redis.call('XADD',KEYS[3],'MAXLEN','~','1000000','*','j',ARGV[6])\n"
    "return {0,''}\n";

static bool encode(const struct collector_said *said, struct hale_buf *value,
                   struct hale_buf *control)
{
    struct hale_control record = {.op = HALE_CONTROL_VERDICT,
                                  .id = (char *)(uintptr_t)said->id};
    hale_buf_printf(value,
                    "{\"v\":1,\"verdict\":\"%s\",\"by\":", VERDICTS[said->verdict]);
    hale_buf_add_json(value, hale_str_from(said->by));
    hale_buf_printf(value, ",\"at_ms\":%" PRId64 ",\"comment\":", said->now_us / 1000);
    hale_buf_add_json(value, hale_str_from(said->comment));
    hale_buf_add_char(value, '}');
    return !value->failed && hale_control_encode(&record, control) == HALE_OK;
}

enum hale_rc collector_run_decide(struct hale_redis *r, const struct collector_said *said,
                                  enum collector_decision *out, json_t **first)
{
    char now[24];
    struct hale_buf value, control;
    struct hale_reply *reply = NULL;
    *first = NULL;
    *out = COLLECTOR_NO_RUN;
    (void)snprintf(now, sizeof(now), "%" PRId64, said->now_us);
    hale_buf_init(&value, RECORD_MAX);
    hale_buf_init(&control, RECORD_MAX);
    enum hale_rc rc = HALE_E_NOMEM;
    if (encode(said, &value, &control))
        rc = HALE_REDIS_CMD(r, &reply, HALE_STR("EVAL"), HALE_STR(SCRIPT), HALE_STR("3"),
                            HALE_STR(HALE_KEYS_RUNS), HALE_STR(HALE_KEYS_VERDICTS),
                            HALE_STR(HALE_KEYS_CONTROL), hale_str_from(said->id),
                            hale_str_from(said->tenant),
                            hale_str_from(QUESTIONS[said->verdict]), hale_buf_str(&value),
                            hale_str_from(now), hale_buf_str(&control));
    if (rc == HALE_OK) {
        *out = (enum collector_decision)hale_reply_int(hale_reply_at(reply, 0));
        *first = decode(hale_reply_str(hale_reply_at(reply, 1)));
    } else if (rc == HALE_E_INVAL) {
        hale_error("event=verdict_failed run=%.64s detail=\"%.200s\"", said->id,
                   hale_redis_error(r));
        rc = HALE_E_IO;
    }
    hale_reply_free(reply);
    hale_buf_fini(&value);
    hale_buf_fini(&control);
    return rc;
}
