/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "store/keys.h"
#include "store/redis.h"

#define WAIT_MS  1000 /* for Redis: less than half a lease */
#define RENEW_MS 500

/* KEYS: roles, idle, role:act, role:tell. ARGV: id, lease in ms, our fencing numbers.
 * One whose lease ran out without anybody taking the role has it still. Returns {fencing number of
 * act or 0, of tell or 0}. */
static const char TICK[] =
    "local id,px=ARGV[1],ARGV[2]\n"
    "local names={'act','tell'}\n"
    "local idle=redis.call('GET',KEYS[2])\n"
    "local other_idle=idle and idle~=id\n"
    "local mine,n={0,0},0\n"
    "for i=1,2 do\n"
    " local holder=redis.call('GET',KEYS[2+i])\n"
    " local number=redis.call('HGET',KEYS[1],names[i])\n"
    " if holder==id or (not holder and number and number==ARGV[2+i]) then\n"
    "  if ARGV[2+i]==number then\n"
    "   redis.call('SET',KEYS[2+i],id,'PX',px) mine[i]=tonumber(number) n=n+1\n"
    "  else redis.call('DEL',KEYS[2+i]) end\n"
    " end\n"
    "end\n"
    "if n==2 and other_idle then\n"
    " redis.call('DEL',KEYS[4]) mine[2]=0 n=1\n"
    "end\n"
    "for i=1,2 do\n"
    " if mine[i]==0 and (n==0 or not other_idle) and redis.call('EXISTS',KEYS[2+i])==0 "
    "then\n"
    "  mine[i]=redis.call('HINCRBY',KEYS[1],names[i],1)\n"
    "  redis.call('SET',KEYS[2+i],id,'PX',px) n=n+1\n"
    " end\n"
    "end\n"
    "if n==0 then redis.call('SET',KEYS[2],id,'PX',px)\n"
    "elseif idle==id then redis.call('DEL',KEYS[2]) end\n"
    "return mine\n";

/* KEYS: role:act, role:tell, idle. ARGV: id. */
static const char LEAVE[] = "for i=1,3 do\n"
                            " if redis.call('GET',KEYS[i])==ARGV[1] then "
                            "redis.call('DEL',KEYS[i]) end\n"
                            "end\n"
                            "return 0\n";

struct actuator_roles {
    struct hale_redis *redis;
    char id[HALE_UUID_TEXT];
    int64_t fence[ACTUATOR_ROLES]; /* 0: not ours */
    int64_t until_ms, next_ms;
    bool sure;
};

static void who_we_are(const char *listen, char dst[HALE_UUID_TEXT])
{
    char host[256] = "";
    struct hale_buf who;
    struct hale_err err;
    hale_buf_init(&who, 4096);
    if (hale_fs_read("/etc/machine-id", &who, &err) != HALE_OK)
        hale_buf_reset(&who); /* a container has none, but a name of its own */
    (void)gethostname(host, sizeof(host) - 1);
    hale_buf_printf(&who, " %s %s", host, listen);
    hale_id_uuid_from(who.p, who.len, dst);
    hale_buf_fini(&who);
}

struct actuator_roles *actuator_roles_new(const char *redis_url, const char *listen)
{
    struct actuator_roles *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    who_we_are(listen, r->id);
    r->redis = hale_redis_new(redis_url, WAIT_MS);
    if (r->redis == NULL) {
        free(r);
        return NULL;
    }
    return r;
}

void actuator_roles_free(struct actuator_roles *r)
{
    if (r == NULL)
        return;
    if (r->sure) {
        struct hale_reply *reply = NULL;
        if (HALE_REDIS_CMD(r->redis, &reply, HALE_STR("EVAL"), HALE_STR(LEAVE),
                           HALE_STR("3"), HALE_STR(HALE_KEYS_ROLE_ACT),
                           HALE_STR(HALE_KEYS_ROLE_TELL), HALE_STR(HALE_KEYS_ROLE_IDLE),
                           hale_str_from(r->id)) != HALE_OK)
            hale_info("event=roles_kept detail=\"the leases run out by themselves\"");
        hale_reply_free(reply);
    }
    hale_redis_free(r->redis);
    free(r);
}

static void change(struct actuator_roles *r, enum actuator_role role, int64_t fence)
{
    if (r->fence[role] == fence)
        return;
    hale_info("event=role_%s role=%s fence=%lld", fence != 0 ? "taken" : "left",
              actuator_role_text(role), (long long)(fence != 0 ? fence : r->fence[role]));
    r->fence[role] = fence;
}

static bool ask(struct actuator_roles *r)
{
    char px[24], act[24], tell[24];
    struct hale_reply *reply = NULL;
    (void)snprintf(px, sizeof(px), "%d", ACTUATOR_ROLE_MS);
    (void)snprintf(act, sizeof(act), "%lld", (long long)r->fence[ACTUATOR_ROLE_ACT]);
    (void)snprintf(tell, sizeof(tell), "%lld", (long long)r->fence[ACTUATOR_ROLE_TELL]);
    bool ok =
        HALE_REDIS_CMD(r->redis, &reply, HALE_STR("EVAL"), HALE_STR(TICK), HALE_STR("4"),
                       HALE_STR(HALE_KEYS_ROLES), HALE_STR(HALE_KEYS_ROLE_IDLE),
                       HALE_STR(HALE_KEYS_ROLE_ACT), HALE_STR(HALE_KEYS_ROLE_TELL),
                       hale_str_from(r->id), hale_str_from(px), hale_str_from(act),
                       hale_str_from(tell)) == HALE_OK;
    if (ok)
        for (unsigned i = 0; i < ACTUATOR_ROLES; i++)
            change(r, (enum actuator_role)i, hale_reply_int(hale_reply_at(reply, i)));
    hale_reply_free(reply);
    return ok;
}

void actuator_roles_tick(struct actuator_roles *r, int64_t now_ms)
{
    if (now_ms < r->next_ms)
        return;
    r->next_ms = now_ms + RENEW_MS;
    r->sure = ask(r);
    if (r->sure)
        r->until_ms = now_ms + ACTUATOR_ROLE_MS; /* the lease began later than now_ms */
    else if (hale_clock_mono_ms() >= r->until_ms)
        for (unsigned i = 0; i < ACTUATOR_ROLES; i++)
            change(r, (enum actuator_role)i, 0);
}

int64_t actuator_roles_next_ms(const struct actuator_roles *r)
{
    return r->next_ms;
}

int64_t actuator_roles_until_ms(const struct actuator_roles *r)
{
    return r->until_ms;
}

bool actuator_roles_has(const struct actuator_roles *r, enum actuator_role role)
{
    return r->fence[role] != 0;
}

bool actuator_roles_sure(const struct actuator_roles *r)
{
    return r->sure;
}

int64_t actuator_roles_fence(const struct actuator_roles *r, enum actuator_role role)
{
    return r->fence[role];
}

const char *actuator_role_text(enum actuator_role role)
{
    return role == ACTUATOR_ROLE_ACT ? "act" : "tell";
}
