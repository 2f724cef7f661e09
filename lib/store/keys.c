/* SPDX-License-Identifier: Apache-2.0 */
#include "store/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/id.h"

/* Names come from outside (targets, subscribers). One that would not fit keeps its head and gets
 * the hash of the whole, so two long names never share a key. */
#define NAME_MAX_BYTES 180

static const char *shard_key(unsigned shard, const char *rest, char *dst)
{
    HALE_ASSERT(shard < HALE_SHARDS_MAX);
    int n = snprintf(dst, HALE_KEY_MAX, "hale:{s%u}:%s", shard, rest);
    HALE_ASSERT(n > 0 && n < HALE_KEY_MAX);
    return dst;
}

static const char *named_key(const char *prefix, const char *name, char *dst)
{
    size_t len = strlen(name);
    int n;
    if (len <= NAME_MAX_BYTES)
        n = snprintf(dst, HALE_KEY_MAX, "%s%s", prefix, name);
    else
        n = snprintf(dst, HALE_KEY_MAX, "%s%.*s~%016" PRIx64, prefix, NAME_MAX_BYTES,
                     name, hale_id_hash64(name, len));
    HALE_ASSERT(n > 0 && n < HALE_KEY_MAX);
    return dst;
}

const char *hale_keys_copy_field(unsigned from, char *dst)
{
    (void)snprintf(dst, HALE_KEY_MAX, "c%u", from);
    return dst;
}

bool hale_keys_is_copy(struct hale_str field, unsigned *from)
{
    uint64_t n;
    if (field.len < 2 || field.p[0] != 'c' ||
        hale_str_u64((struct hale_str){field.p + 1, field.len - 1}, &n) != HALE_OK ||
        n >= HALE_SHARDS_MAX)
        return false;
    *from = (unsigned)n;
    return true;
}

const char *hale_keys_samples(unsigned shard, char *dst)
{
    return shard_key(shard, "samples", dst);
}

const char *hale_keys_series(unsigned shard, char *dst)
{
    return shard_key(shard, "series", dst);
}

const char *hale_keys_forgotten(unsigned shard, char *dst)
{
    return shard_key(shard, "forgotten", dst);
}

/* By hand: this is done for each series and flush. */
static const char *chunk_key(unsigned shard, const char *kind, uint64_t series_id,
                             int64_t chunk, char *dst)
{
    static const char HEX[] = "0123456789abcdef";
    char digits[24];
    size_t n = sizeof(digits);
    uint64_t left = chunk < 0 ? 0 - (uint64_t)chunk : (uint64_t)chunk;
    HALE_ASSERT(shard < HALE_SHARDS_MAX);
    char *p = stpcpy(dst, "hale:{s");
    if (shard >= 10)
        *p++ = (char)('0' + shard / 10);
    *p++ = (char)('0' + shard % 10);
    p = stpcpy(p, kind);
    for (int shift = 60; shift >= 0; shift -= 4)
        *p++ = HEX[series_id >> shift & 15];
    *p++ = ':';
    digits[--n] = '\0';
    do {
        digits[--n] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (chunk < 0)
        digits[--n] = '-';
    memcpy(p, digits + n, sizeof(digits) - n);
    return dst;
}

const char *hale_keys_hot(unsigned shard, uint64_t series_id, int64_t chunk, char *dst)
{
    return chunk_key(shard, "}:hot:", series_id, chunk, dst);
}

const char *hale_keys_late(unsigned shard, uint64_t series_id, int64_t chunk, char *dst)
{
    return chunk_key(shard, "}:late:", series_id, chunk, dst);
}

const char *hale_keys_slots(unsigned shard, char *dst)
{
    return shard_key(shard, "slots", dst);
}

const char *hale_keys_checkpoint(unsigned shard, const char *consumer, char *dst)
{
    char prefix[32];
    HALE_ASSERT(shard < HALE_SHARDS_MAX);
    int n = snprintf(prefix, sizeof(prefix), "hale:{s%u}:cp:", shard);
    HALE_ASSERT(n > 0 && (size_t)n < sizeof(prefix));
    return named_key(prefix, consumer, dst);
}

const char *hale_keys_thr_state(unsigned shard, char *dst)
{
    return shard_key(shard, "thr:state", dst);
}

const char *hale_keys_thr_meta(unsigned shard, char *dst)
{
    return shard_key(shard, "thr:meta", dst);
}

const char *hale_keys_subalarms(unsigned shard, char *dst)
{
    return shard_key(shard, "subalarms", dst);
}

const char *hale_keys_lease(const char *target, char *dst)
{
    return named_key("hale:{m}:lease:", target, dst);
}

const char *hale_keys_cursor(const char *subscriber, char *dst)
{
    return named_key("hale:{m}:cursor:", subscriber, dst);
}

const char *hale_keys_dead(const char *recipient, char *dst)
{
    return named_key("hale:{m}:dead:", recipient, dst);
}

const char *hale_keys_answer(const char *question, char *dst)
{
    return named_key("hale:{m}:answer:", question, dst);
}

const char *hale_keys_health(const char *daemon, char *dst)
{
    return named_key("hale:{m}:health:", daemon, dst);
}
