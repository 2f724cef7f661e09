/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/run_view.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

#define WHAT_MAX 1024 /* bytes of a step in words */

/* --- secrets ------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Keys whose value is never shown, wherever they stand. */
static bool is_secret(const char *key)
{
    static const char *const words[] = {"password", "passwd",        "secret",
                                        "token",    "authorization", "credential",
                                        "api_key",  "apikey",        "private_key"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasestr(key, words[i]) != NULL)
            return true;
    return false;
}

/* Keys of objects whose names may be seen and whose values may not. */
static bool is_box(const char *key)
{
    return strcasecmp(key, "headers") == 0 || strcasecmp(key, "env") == 0 ||
           strcasecmp(key, "environment") == 0;
}

static bool is_file(const char *key)
{
    return ends_with(key, "_file") || ends_with(key, "_files");
}

/* Without user information and query, which may carry secrets. */
static json_t *clean_url(const char *url)
{
    struct hale_buf b;
    const char *scheme = strstr(url, "://");
    const char *host = scheme != NULL ? scheme + 3 : url;
    size_t authority = strcspn(host, "/?#"), path = strcspn(host, "?#");
    const char *at = memrchr(host, '@', authority);
    hale_buf_init(&b, 65536);
    hale_buf_add(&b, url, (size_t)(host - url));
    if (at != NULL) {
        hale_buf_add_c(&b, COLLECTOR_SECRET "@");
        path -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    hale_buf_add(&b, host, path);
    if (host[path] != '\0')
        hale_buf_add_c(&b, "?" COLLECTOR_SECRET);
    json_t *clean = b.failed ? NULL : json_stringn(b.p != NULL ? b.p : "", b.len);
    hale_buf_fini(&b);
    return clean != NULL ? clean : json_string(COLLECTOR_SECRET);
}

static json_t *clean(const char *key, const json_t *value);

static json_t *clean_box(const json_t *box)
{
    json_t *out = json_object(), *value;
    const char *key;
    json_object_foreach ((json_t *)(uintptr_t)box, key, value)
        (void)json_object_set_new(out, key, json_string(COLLECTOR_SECRET));
    return out;
}

static json_t *clean_object(const json_t *object)
{
    json_t *out = json_object(), *value;
    const char *key;
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        if (!is_file(key))
            (void)json_object_set_new(out, key, clean(key, value));
    }
    return out;
}

static json_t *clean(const char *key, const json_t *value)
{
    const json_t *item;
    size_t i;
    if (json_is_object(value))
        return is_box(key) ? clean_box(value) : clean_object(value);
    if (json_is_array(value)) {
        json_t *out = json_array();
        json_array_foreach (value, i, item)
            (void)json_array_append_new(out, clean(key, item));
        return out;
    }
    if (json_is_string(value) && is_secret(key) && json_string_length(value) > 0)
        return json_string(COLLECTOR_SECRET);
    if (json_is_string(value) && strstr(json_string_value(value), "://") != NULL)
        return clean_url(json_string_value(value));
    return json_deep_copy(value);
}

/* --- a step in words ----------------------------------------------------------------- */

static void add_member(struct hale_buf *b, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_string(v) && json_string_length(v) > 0)
        hale_buf_printf(b, "%s%s", b->len > 0 ? " " : "", json_string_value(v));
    else if (json_is_integer(v))
        hale_buf_printf(b, "%s%lld", b->len > 0 ? " " : "",
                        (long long)json_integer_value(v));
}

static void add_arguments(struct hale_buf *b, const json_t *args)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)args, key, v) {
        if (json_is_string(v) && json_string_length(v) > 0)
            hale_buf_printf(b, " %s=%s", key, json_string_value(v));
        else if (json_is_integer(v))
            hale_buf_printf(b, " %s=%lld", key, (long long)json_integer_value(v));
    }
}

/* step: already clean. "nova evacuate host=compute-1", "POST http://10.0.0.1/hook" */
static json_t *words_of(const json_t *step)
{
    static const char *const keys[] = {"operation", "action", "method",  "vnf",
                                       "ns",        "path",   "command", "url"};
    struct hale_buf b;
    hale_buf_init(&b, 65536);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        add_member(&b, step, keys[i]);
    add_arguments(&b, json_object_get(step, "args"));
    struct hale_str text = hale_buf_str(&b);
    if (text.len > WHAT_MAX) { /* not within a character */
        text.len = WHAT_MAX;
        while (text.len > 0 && ((unsigned char)text.p[text.len] & 0xc0u) == 0x80u)
            text.len--;
    }
    json_t *out = json_stringn(text.p != NULL ? text.p : "", text.len);
    hale_buf_fini(&b);
    return out;
}

static json_t *steps_of(const json_t *record)
{
    json_t *out = json_array(), *step;
    size_t i;
    json_array_foreach (json_object_get(record, "plan"), i, step) {
        json_t *seen = clean("", step);
        json_t *row = json_pack("{s:o}", "what", words_of(seen));
        json_t *name = json_object_get(seen, "name");
        (void)json_object_set(row, "type", json_object_get(seen, "type"));
        (void)json_object_set_new(row, "name",
                                  json_is_string(name) ? json_incref(name)
                                                       : json_sprintf("%zu", i));
        if (json_object_get(seen, "timeout_ms") != NULL)
            (void)json_object_set(row, "timeout_ms", json_object_get(seen, "timeout_ms"));
        (void)json_array_append_new(out, row);
        json_decref(seen);
    }
    return out;
}

/* --- the two forms ------------------------------------------------------------------- */

json_t *collector_run_short(const json_t *record)
{
    static const char *const keys[] = {
        "id",         "policy",    "version",    "mode",    "site",    "alarm_id",
        "alarm_name", "alarm_seq", "target",     "n",       "state",   "outcome",
        "step",       "attempt",   "held",       "born_us", "step_us", "verify_us",
        "cleared_us", "again_us",  "expires_us", "ended_us"};
    json_t *out = json_object();
    for (size_t i = 0; out != NULL && i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *v = json_object_get(record, keys[i]);
        if (v != NULL && json_object_set(out, keys[i], v) != 0)
            break;
    }
    if (out != NULL)
        (void)json_object_set_new(out, "steps", steps_of(record));
    return out;
}

json_t *collector_run_whole(const json_t *record)
{
    json_t *out = clean("", record);
    if (out != NULL)
        (void)json_object_set_new(out, "steps", steps_of(record));
    return out;
}
