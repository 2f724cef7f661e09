/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/stats.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/keys.h"
#include "store/redis.h"

#define PENDING_MAX 16384
#define SCRIPT_ARGS 32
#define COUNTED     "counted" /* instead of a run's id */
#define FIXED_ARGS  24        /* EVAL, script, 9, keys, twelve arguments */
#define SAYS_MAX    100000
#define FENCED      4 /* result of a script: the role is another's now; nothing was written */
#define MORE_ARGS   (3 * ACTUATOR_GUARDS_MAX + ACTUATOR_EVENTS_MAX + ACTUATOR_ROWS_MAX)

/* One commit, all or nothing. Returns {result, new token, holder}: enum
 * actuator_commit_result.
 * KEYS: lease fence runs journal meta guards events roles verdicts. ARGV: op id px token run guards
 * events position journal-max forget role-fence settled, then so many times field json was, so many
 * events, row... */
static const char SCRIPT[] =
    "local op,id,px,token=ARGV[1],ARGV[2],ARGV[3],ARGV[4]\n"
    "local new=0\n"
    "if redis.call('HGET',KEYS[8],'act')~=ARGV[11] then return {4,0,''} end\n"
    "if op=='birth' or op=='note' then\n"
    " if redis.call('HEXISTS',KEYS[3],id)==1 then return {1,0,''} end\n"
    "end\n"
    "local function is(a,b)\n"
    " local run=redis.call('HGET',KEYS[3],id)\n"
    " local state=run and cjson.decode(run).state or ''\n"
    " return state==a or state==b\n"
    "end\n"
    "if op=='open' and not is('proposed') then return {1,0,''} end\n"
    "if op=='idle' and not is('proposed','waiting') then return {1,0,''} end\n"
    "local function take()\n"
    " new=redis.call('INCR',KEYS[2])\n"
    " redis.call('SET',KEYS[1],string.format('%.0f',new)..':'..id,'PX',px)\n"
    "end\n"
    "if op~='note' and op~='idle' and op~='alone' then\n"
    " local holder=redis.call('GET',KEYS[1])\n"
    " local mine=token..':'..id\n"
    " if op=='birth' or op=='open' or op=='take' then\n"
    "  if holder and string.sub(holder,-36)~=id then return {2,0,holder} end\n"
    "  take()\n"
    " elseif holder and holder~=mine then return {3,0,holder}\n"
    " elseif op=='end' then if holder then redis.call('DEL',KEYS[1]) end\n"
    " elseif holder then redis.call('PEXPIRE',KEYS[1],px)\n"
    " else take() end\n"
    "end\n"
    "if ARGV[5]~='' then redis.call('HSET',KEYS[3],id,ARGV[5]) end\n"
    "local at=13\n"
    "for i=1,ARGV[6] do\n"
    " local field,json,was=ARGV[at],ARGV[at+1],ARGV[at+2]\n"
    " if json~='' then redis.call('HSET',KEYS[6],field,json)\n"
    " elseif redis.call('HGET',KEYS[6],field)==was then "
    "redis.call('HDEL',KEYS[6],field)\n"
    " end\n"
    " at=at+3\n"
    "end\n"
    "for i=1,ARGV[7] do redis.call('XADD',KEYS[7],'*','j',ARGV[at]) at=at+1 end\n"
    "if ARGV[8]~='0' then redis.call('HSET',KEYS[5],'alarmlog',ARGV[8]) end\n"
    "if ARGV[10]~='' then redis.call('HDEL',KEYS[3],ARGV[10]) end\n"
    "for word in string.gmatch(ARGV[12],'%a+') do "
    "redis.call('HDEL',KEYS[9],id..':'..word) end\n"
    "for i=at,#ARGV do\n"
    " redis.call('XADD',KEYS[4],'MAXLEN','~',ARGV[9],'*','j',ARGV[i])\n"
    "end\n"
    "return {0,new,''}\n";

/* One write, if the role is still ours. KEYS: key roles. ARGV: role fence command argument... */
static const char MARK[] =
    "if redis.call('HGET',KEYS[2],ARGV[1])~=ARGV[2] then return {4,0,''} end\n"
    "redis.call(ARGV[3],KEYS[1],unpack(ARGV,4))\n"
    "return {0,0,''}\n";

/* In front of a script of role tell. */
static const char OURS[] =
    "if redis.call('HGET',KEYS[#KEYS],ARGV[#ARGV-1])~=ARGV[#ARGV] then return {4,0,''} "
    "end\n";

struct pending {
    char run_id[HALE_UUID_TEXT]; /* "" = no commit: only the error matters */
    int64_t since_ms;            /* monotonic */
};
struct actuator_ledger {
    struct hale_redis *redis;
    struct pending *pending; /* ring */
    size_t head, n;
    bool broken;
    char fence[ACTUATOR_ROLES][24]; /* fencing numbers as text */
};

static struct hale_str number(int64_t value, char dst[24])
{
    (void)snprintf(dst, 24, "%lld", (long long)value);
    return hale_str_from(dst);
}

struct actuator_ledger *actuator_ledger_new(const char *redis_url,
                                            const struct actuator_roles *roles)
{
    struct actuator_ledger *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    for (unsigned i = 0; i < ACTUATOR_ROLES; i++)
        (void)number(actuator_roles_fence(roles, (enum actuator_role)i), l->fence[i]);
    l->redis = hale_redis_new(redis_url, ACTUATOR_LEDGER_WAIT_MS);
    l->pending = calloc(PENDING_MAX, sizeof(*l->pending));
    if (l->redis == NULL || l->pending == NULL) {
        actuator_ledger_free(l);
        return NULL;
    }
    return l;
}

void actuator_ledger_free(struct actuator_ledger *l)
{
    if (l == NULL)
        return;
    hale_redis_free(l->redis);
    free(l->pending);
    free(l);
}

static enum hale_rc broken(struct actuator_ledger *l, const char *why)
{
    if (!l->broken)
        hale_warn("event=redis_failed detail=\"%s\"", why);
    l->broken = true;
    return HALE_E_IO;
}

static enum hale_rc queue(struct actuator_ledger *l, unsigned n,
                          const struct hale_str *args, const char *run_id)
{
    if (l->broken)
        return HALE_E_IO;
    if (l->n == PENDING_MAX)
        return broken(l, "too many writes are waiting");
    if (hale_redis_append(l->redis, n, args) != HALE_OK)
        return broken(l, hale_redis_error(l->redis));
    struct pending *p = &l->pending[(l->head + l->n++) % PENDING_MAX];
    (void)snprintf(p->run_id, sizeof(p->run_id), "%s", run_id);
    p->since_ms = hale_clock_mono_ms();
    return HALE_OK;
}

static struct hale_str settled_fields(unsigned bits, char dst[32])
{
    (void)snprintf(dst, 32, "%s%s%s",
                   (bits & 1u << ACTUATOR_VERDICT_PROPOSAL) != 0 ? "proposal " : "",
                   (bits & 1u << ACTUATOR_VERDICT_ACK) != 0 ? "ack " : "",
                   (bits & 1u << ACTUATOR_VERDICT_ABORT) != 0 ? "abort " : "");
    return hale_str_from(dst);
}

enum hale_rc actuator_ledger_commit(struct actuator_ledger *l,
                                    const struct actuator_commit *c)
{
    static const char *const ops[] = {"birth", "take", "keep", "end",
                                      "note",  "open", "idle", "alone"};
    char lease[HALE_KEY_MAX], px[24], token[24], position[24], max[24];
    char guards[24], events[24], settled[32];
    struct hale_str args[FIXED_ARGS + MORE_ARGS];
    unsigned n = 0;
    if (c->n_rows > ACTUATOR_ROWS_MAX || c->n_guards > ACTUATOR_GUARDS_MAX ||
        c->n_events > ACTUATOR_EVENTS_MAX)
        return HALE_E_LIMIT;
    args[n++] = HALE_STR("EVAL");
    args[n++] = HALE_STR(SCRIPT);
    args[n++] = HALE_STR("9");
    args[n++] = hale_str_from(hale_keys_lease(c->target, lease));
    args[n++] = HALE_STR(HALE_KEYS_FENCE);
    args[n++] = HALE_STR(HALE_KEYS_RUNS);
    args[n++] = HALE_STR(HALE_KEYS_JOURNAL);
    args[n++] = HALE_STR(HALE_KEYS_ACT_META);
    args[n++] = HALE_STR(HALE_KEYS_GUARDS);
    args[n++] = HALE_STR(HALE_KEYS_EVENTS);
    args[n++] = HALE_STR(HALE_KEYS_ROLES);
    args[n++] = HALE_STR(HALE_KEYS_VERDICTS);
    args[n++] = hale_str_from(ops[c->op]);
    args[n++] = hale_str_from(c->run_id);
    args[n++] = number(ACTUATOR_LEASE_MS, px);
    args[n++] = number(c->token, token);
    args[n++] = c->run_json;
    args[n++] = number(c->n_guards, guards);
    args[n++] = number(c->n_events, events);
    args[n++] = number(c->position, position);
    args[n++] = number(HALE_KEYS_LOG_MAX, max);
    args[n++] = hale_str_from(c->forget);
    args[n++] = hale_str_from(l->fence[ACTUATOR_ROLE_ACT]);
    args[n++] = settled_fields(c->settled, settled);
    for (unsigned i = 0; i < c->n_guards; i++) {
        args[n++] = hale_str_from(c->guard[i].field);
        args[n++] = c->guard[i].json;
        args[n++] = c->guard[i].was;
    }
    for (unsigned i = 0; i < c->n_events; i++)
        args[n++] = c->event[i];
    for (unsigned i = 0; i < c->n_rows; i++)
        args[n++] = c->row[i];
    return queue(l, n, args, c->run_id);
}

enum hale_rc actuator_ledger_health(struct actuator_ledger *l, const char *key,
                                    struct hale_str json, int ttl_s)
{
    char ttl[24];
    const struct hale_str args[] = {HALE_STR("SET"), hale_str_from(key), json,
                                    HALE_STR("EX"), number(ttl_s, ttl)};
    return queue(l, 5, args, "");
}

/* command key a [b], while the role is ours. b.p NULL: none. */
static enum hale_rc mark(struct actuator_ledger *l, enum actuator_role role,
                         const char *command, const char *key, struct hale_str a,
                         struct hale_str b)
{
    const struct hale_str args[] = {HALE_STR("EVAL"),
                                    HALE_STR(MARK),
                                    HALE_STR("2"),
                                    hale_str_from(key),
                                    HALE_STR(HALE_KEYS_ROLES),
                                    hale_str_from(actuator_role_text(role)),
                                    hale_str_from(l->fence[role]),
                                    hale_str_from(command),
                                    a,
                                    b};
    return queue(l, b.p != NULL ? 10 : 9, args, "");
}

enum hale_rc actuator_ledger_cursor(struct actuator_ledger *l, const char *key,
                                    int64_t seq)
{
    char text[24];
    return mark(l, ACTUATOR_ROLE_TELL, "SET", key, number(seq, text),
                (struct hale_str){NULL, 0});
}

enum hale_rc actuator_ledger_hset(struct actuator_ledger *l, const char *key,
                                  const char *field, struct hale_str value)
{
    return mark(l, ACTUATOR_ROLE_TELL, value.p != NULL ? "HSET" : "HDEL", key,
                hale_str_from(field), value);
}

enum hale_rc actuator_ledger_script(struct actuator_ledger *l, const char *script,
                                    unsigned n_keys, const struct hale_str *keys,
                                    unsigned n_args, const struct hale_str *args)
{
    struct hale_str all[SCRIPT_ARGS];
    char *text = NULL, count[24];
    unsigned n = 0;
    if (n_keys + n_args + 6 > SCRIPT_ARGS)
        return HALE_E_LIMIT;
    if (asprintf(&text, "%s%s", OURS, script) < 0)
        return HALE_E_NOMEM;
    all[n++] = HALE_STR("EVAL");
    all[n++] = hale_str_from(text);
    all[n++] = number((int64_t)n_keys + 1, count);
    for (unsigned i = 0; i < n_keys; i++)
        all[n++] = keys[i];
    all[n++] = HALE_STR(HALE_KEYS_ROLES);
    for (unsigned i = 0; i < n_args; i++)
        all[n++] = args[i];
    all[n++] = hale_str_from(actuator_role_text(ACTUATOR_ROLE_TELL));
    all[n++] = hale_str_from(l->fence[ACTUATOR_ROLE_TELL]);
    enum hale_rc rc = queue(l, n, all, COUNTED);
    free(text);
    return rc;
}

/* KEYS: sessions said says maintenance control journal roles. ARGV: role-fence id record journal-max says-max
 * settled events windows rows, then so many: fields, events, (id window), rows. */
static const char UPKEEP[] =
    "if redis.call('HGET',KEYS[7],'act')~=ARGV[1] then return {4,0,''} end\n"
    "if ARGV[3]=='' then redis.call('HDEL',KEYS[1],ARGV[2])\n"
    "elseif ARGV[3]~='-' then redis.call('HSET',KEYS[1],ARGV[2],ARGV[3]) end\n"
    "local at=10\n"
    "for i=1,ARGV[6] do redis.call('HDEL',KEYS[2],ARGV[at]) at=at+1 end\n"
    "for i=1,ARGV[7] do\n"
    " redis.call('XADD',KEYS[3],'MAXLEN','~',ARGV[5],'*','j',ARGV[at]) at=at+1\n"
    "end\n"
    "local function tell(op,id)\n"
    " redis.call('XADD',KEYS[5],'MAXLEN','~','1000000','*','j',\n"
    "  cjson.encode({v=1,op=op,id=id}))\n"
    "end\n"
    "if ARGV[7]~='0' then tell('upkeep',ARGV[2]) end\n"
    "for i=1,ARGV[8] do\n"
    " redis.call('HSET',KEYS[4],ARGV[at],ARGV[at+1]) tell('maintenance',ARGV[at]) "
    "at=at+2\n"
    "end\n"
    "for i=1,ARGV[9] do\n"
    " redis.call('XADD',KEYS[6],'MAXLEN','~',ARGV[4],'*','j',ARGV[at]) at=at+1\n"
    "end\n"
    "return {0,0,''}\n";
#define UPKEEP_FIXED 19

enum hale_rc actuator_ledger_upkeep(struct actuator_ledger *l,
                                    const struct actuator_upkeep_commit *c)
{
    char counts[4][24], max[24], says[24];
    unsigned n = 0, lists = c->n_settled + c->n_events + 2 * c->n_windows + c->n_rows;
    struct hale_str *args = calloc(UPKEEP_FIXED + lists, sizeof(*args));
    if (args == NULL)
        return HALE_E_NOMEM;
    args[n++] = HALE_STR("EVAL");
    args[n++] = HALE_STR(UPKEEP);
    args[n++] = HALE_STR("7");
    args[n++] = HALE_STR(HALE_KEYS_UPKEEP);
    args[n++] = HALE_STR(HALE_KEYS_UPKEEP_SAID);
    args[n++] = HALE_STR(HALE_KEYS_UPKEEP_SAYS);
    args[n++] = HALE_STR(HALE_KEYS_MAINTENANCE);
    args[n++] = HALE_STR(HALE_KEYS_CONTROL);
    args[n++] = HALE_STR(HALE_KEYS_JOURNAL);
    args[n++] = HALE_STR(HALE_KEYS_ROLES);
    args[n++] = hale_str_from(l->fence[ACTUATOR_ROLE_ACT]);
    args[n++] = hale_str_from(c->id);
    args[n++] = c->keep ? HALE_STR("-") : c->record.len > 0 ? c->record : HALE_STR("");
    args[n++] = number(HALE_KEYS_LOG_MAX, max);
    args[n++] = number(SAYS_MAX, says);
    args[n++] = number(c->n_settled, counts[0]);
    args[n++] = number(c->n_events, counts[1]);
    args[n++] = number(c->n_windows, counts[2]);
    args[n++] = number(c->n_rows, counts[3]);
    for (unsigned i = 0; i < c->n_settled; i++)
        args[n++] = c->settled[i];
    for (unsigned i = 0; i < c->n_events; i++)
        args[n++] = c->event[i];
    for (unsigned i = 0; i < 2 * c->n_windows; i++)
        args[n++] = c->window[i];
    for (unsigned i = 0; i < c->n_rows; i++)
        args[n++] = c->row[i];
    enum hale_rc rc = queue(l, n, args, "");
    free(args);
    return rc;
}

enum hale_rc actuator_ledger_position(struct actuator_ledger *l, enum actuator_role role,
                                      int64_t seq)
{
    char text[24];
    return mark(l, role, "HSET", HALE_KEYS_ACT_META,
                role == ACTUATOR_ROLE_ACT ? HALE_STR("alarmlog") : HALE_STR("told"),
                number(seq, text));
}

typedef void (*committed_fn)(void *arg, const char *run_id,
                             enum actuator_commit_result result, int64_t token,
                             const char *holder);

static const char *shorten(const struct hale_reply *reply, char dst[128])
{
    struct hale_str text = hale_reply_str(reply);
    (void)snprintf(dst, 128, "%.*s", (int)(text.len < 120 ? text.len : 120),
                   text.p != NULL ? text.p : "");
    return dst;
}

/* The reply to the oldest write. */
static enum hale_rc take_reply(struct actuator_ledger *l, const struct hale_reply *reply,
                               committed_fn done, void *arg)
{
    char text[128];
    const struct pending p = l->pending[l->head];
    if (hale_reply_is_error(reply))
        return broken(l, shorten(reply, text));
    int64_t result = hale_reply_int(hale_reply_at(reply, 0));
    int64_t number_out = hale_reply_int(hale_reply_at(reply, 1));
    if (result == FENCED)
        return broken(l, "another actuator has the role now");
    l->head = (l->head + 1) % PENDING_MAX;
    l->n--;
    if (strcmp(p.run_id, COUNTED) == 0)
        hale_counter_add(actuator_stat(ACTUATOR_STAT_DEAD_DROPPED), number_out);
    else if (p.run_id[0] != '\0')
        done(arg, p.run_id, (enum actuator_commit_result)result, number_out,
             shorten(hale_reply_at(reply, 2), text));
    return HALE_OK;
}

enum hale_rc actuator_ledger_drain(struct actuator_ledger *l, committed_fn done,
                                   void *arg)
{
    while (l->n > 0 && !l->broken) {
        struct hale_reply *reply = NULL;
        enum hale_rc rc = hale_redis_try_reply(l->redis, &reply);
        if (rc == HALE_E_NOTFOUND) {
            int64_t waited_ms = hale_clock_mono_ms() - l->pending[l->head].since_ms;
            return waited_ms > ACTUATOR_LEDGER_WAIT_MS ? broken(l, "no reply in time")
                                                       : HALE_OK;
        }
        if (rc != HALE_OK)
            return broken(l, hale_redis_error(l->redis));
        rc = take_reply(l, reply, done, arg);
        hale_reply_free(reply);
        if (rc != HALE_OK)
            return rc;
    }
    return l->broken ? HALE_E_IO : HALE_OK;
}

void actuator_ledger_pollfd(const struct actuator_ledger *l, struct pollfd *out)
{
    hale_redis_pollfd(l->redis, out);
}
