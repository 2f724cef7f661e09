/* SPDX-License-Identifier: Apache-2.0 */
/* silence_form - silences and maintenance windows as people send them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/silence_private.h"

#define TIME_MAX_MS INT64_C(253402300800000) /* year 10000 */

static const char silence_keys[] =
    " id matchers starts startsAt ends endsAt for reason comment createdBy ";
static const char maintenance_keys[] =
    " id matchers entity starts for zone repeat until reason comment ";

static enum hale_rc check_keys(const json_t *body, const char *known,
                               struct hale_err *err)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
        const char *at = strstr(known, key);
        size_t n = strlen(key);
        if (n == 0 || at == NULL || at == known || at[-1] != ' ' || at[n] != ' ')
            return hale_err_set(err, HALE_E_INVAL, "unknown key '%.64s'; there are:%s",
                                key, known);
    }
    return HALE_OK;
}

static const json_t *either(const json_t *body, const char *a, const char *b)
{
    const json_t *v = json_object_get(body, a);
    return v != NULL ? v : json_object_get(body, b);
}

/* Does the text say how far its clock is from UTC? */
static bool has_offset(const char *text)
{
    const char *t = strpbrk(text, "Tt ");
    return t != NULL && strpbrk(t, "Zz+-") != NULL;
}

/* ISO 8601 or milliseconds; without an offset the clock of zone (NULL: UTC). */
static enum hale_rc take_time(const json_t *v, const char *key,
                              const struct hale_zone *zone, int64_t *out_ms,
                              struct hale_err *err)
{
    const char *text = json_string_value(v);
    bool good = json_is_integer(v);
    if (good)
        *out_ms = json_integer_value(v);
    else if (text != NULL)
        good = hale_clock_parse_iso(hale_str_from(text), out_ms) == HALE_OK;
    good = good && *out_ms >= 0 && *out_ms < TIME_MAX_MS;
    if (!good)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s must be a time like \"2026-11-21T22:00:00Z\" or "
                            "milliseconds",
                            key);
    if (text != NULL && zone != NULL && !has_offset(text))
        *out_ms = hale_zone_utc_s(zone, *out_ms / 1000) * 1000;
    return HALE_OK;
}

static enum hale_rc take_duration(const json_t *v, int64_t *out_ms, struct hale_err *err)
{
    if (!json_is_string(v) ||
        hale_str_duration_ms(hale_str_from(json_string_value(v)), out_ms) != HALE_OK ||
        *out_ms < 1000)
        return hale_err_set(err, HALE_E_INVAL,
                            "for must be a duration of a second or more like \"2h\"");
    *out_ms -= *out_ms % 1000;
    return HALE_OK;
}

static enum hale_rc take_reason(const json_t *body, struct hale_silence *s,
                                struct hale_err *err)
{
    const json_t *v = either(body, "reason", "comment");
    struct hale_str text = {"", 0};
    size_t chars;
    if (v != NULL)
        text = (struct hale_str){json_string_value(v), json_string_length(v)};
    if ((v != NULL && !json_is_string(v)) || text.len > HALE_SILENCE_REASON_MAX ||
        memchr(text.p, '\0', text.len) != NULL ||
        hale_str_utf8_count(text, &chars) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL,
                            "reason must be a string of at most %d bytes",
                            HALE_SILENCE_REASON_MAX);
    s->reason = strndup(text.p, text.len);
    return s->reason != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* --- silences ------------------------------------------------------------------------ */

static enum hale_rc read_silence(const json_t *body, int64_t now_ms,
                                 struct hale_silence *s, struct hale_err *err)
{
    const json_t *starts = either(body, "starts", "startsAt");
    const json_t *ends = either(body, "ends", "endsAt");
    const json_t *last = json_object_get(body, "for");
    int64_t ms = 0;
    enum hale_rc rc = HALE_OK;
    if ((ends == NULL) == (last == NULL))
        return hale_err_set(err, HALE_E_INVAL, "ends or for: one of them is required");
    s->starts_ms = now_ms;
    if (starts != NULL)
        rc = take_time(starts, "starts", NULL, &s->starts_ms, err);
    s->starts_ms = s->starts_ms < now_ms ? now_ms : s->starts_ms;
    if (rc == HALE_OK && ends != NULL)
        rc = take_time(ends, "ends", NULL, &s->ends_ms, err);
    if (rc == HALE_OK && last != NULL)
        rc = take_duration(last, &ms, err);
    if (last != NULL)
        s->ends_ms = s->starts_ms + ms;
    if (rc == HALE_OK && s->ends_ms <= s->starts_ms)
        rc = hale_err_set(err, HALE_E_INVAL, "ends must be later than now and starts");
    if (rc == HALE_OK && s->ends_ms - s->starts_ms > HALE_SILENCE_MAX_MS)
        rc = hale_err_set(err, HALE_E_INVAL, "a silence lasts at most 366 days");
    return rc;
}

/* --- maintenance --------------------------------------------------------------------- */

static enum hale_rc take_entity(const json_t *v, struct hale_silence *s,
                                struct hale_err *err)
{
    const char *text = json_string_value(v);
    const char *slash = text != NULL ? strchr(text, '/') : NULL;
    if (v == NULL)
        return HALE_OK;
    if (slash == NULL || slash == text || slash[1] == '\0' ||
        strlen(text) > HALE_SILENCE_ENTITY_MAX || strlen(text) != json_string_length(v))
        return hale_err_set(err, HALE_E_INVAL, "entity must be \"type/id\"");
    s->entity = strdup(text);
    return s->entity != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static enum hale_rc take_zone(const json_t *v, struct hale_silence *s,
                              struct hale_err *err)
{
    const char *name = v != NULL ? json_string_value(v) : "UTC";
    if (name == NULL)
        return hale_err_set(err, HALE_E_INVAL, "zone must be a name like Europe/Berlin");
    s->zone = strdup(name);
    if (s->zone == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    return hale_zone_load(name, &s->tz, err);
}

static enum hale_rc check_duration(const struct hale_silence *s, struct hale_err *err)
{
    static const int64_t days[] = {
        [HALE_REPEAT_NOT] = 366,
        [HALE_REPEAT_DAY] = 1,
        [HALE_REPEAT_WEEK] = 7,
        [HALE_REPEAT_MONTH] = 28,
    };
    int64_t max_ms = days[s->repeat] * INT64_C(86400000);
    if (s->duration_ms > max_ms ||
        (s->repeat != HALE_REPEAT_NOT && s->duration_ms == max_ms))
        return hale_err_set(err, HALE_E_INVAL, "for must be %s %lld days here",
                            s->repeat == HALE_REPEAT_NOT ? "at most" : "less than",
                            (long long)days[s->repeat]);
    return HALE_OK;
}

static enum hale_rc read_maintenance(const json_t *body, int64_t now_ms,
                                     struct hale_silence *s, struct hale_err *err)
{
    const json_t *starts = json_object_get(body, "starts");
    const json_t *repeat = json_object_get(body, "repeat");
    const json_t *until = json_object_get(body, "until");
    int64_t change_ms;
    s->starts_ms = now_ms;
    enum hale_rc rc = take_entity(json_object_get(body, "entity"), s, err);
    if (rc == HALE_OK)
        rc = take_zone(json_object_get(body, "zone"), s, err);
    if (rc == HALE_OK && starts != NULL)
        rc = take_time(starts, "starts", s->tz, &s->starts_ms, err);
    if (rc == HALE_OK && repeat == NULL && s->starts_ms < now_ms)
        s->starts_ms = now_ms;
    s->starts_ms -= repeat != NULL ? s->starts_ms % 1000 : 0;
    if (rc == HALE_OK)
        rc = take_duration(json_object_get(body, "for"), &s->duration_ms, err);
    if (rc == HALE_OK && repeat != NULL)
        rc = hale_silence_repeat_read(repeat, s, err);
    if (rc == HALE_OK)
        rc = check_duration(s, err);
    if (rc == HALE_OK && until != NULL)
        rc = take_time(until, "until", s->tz, &s->ends_ms, err);
    if (rc == HALE_OK && !hale_silence_at(s, now_ms, &change_ms) &&
        change_ms == INT64_MAX)
        rc = hale_err_set(err, HALE_E_INVAL, "this window never begins again");
    return rc;
}

enum hale_rc hale_silence_from_api(const json_t *body, bool maintenance, int64_t now_ms,
                                   struct hale_silence **out, struct hale_err *err)
{
    const json_t *matchers = json_object_get(body, "matchers");
    *out = NULL;
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    struct hale_silence *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    s->maintenance = maintenance;
    enum hale_rc rc =
        check_keys(body, maintenance ? maintenance_keys : silence_keys, err);
    if (rc == HALE_OK)
        rc = maintenance ? read_maintenance(body, now_ms, s, err)
                         : read_silence(body, now_ms, s, err);
    if (rc == HALE_OK)
        rc = take_reason(body, s, err);
    if (rc == HALE_OK && (s->entity == NULL || matchers != NULL))
        rc = hale_matchers_read(matchers, &s->matchers, err);
    if (rc == HALE_OK)
        *out = s;
    else
        hale_silence_free(s);
    return rc;
}
