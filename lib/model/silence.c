/* SPDX-License-Identifier: Apache-2.0 */
/* silence - the stored form, and when it is on. The form of the API: silence_form.c. */
#include "model/silence.h"

#include <stdlib.h>
#include <string.h>

#include "model/json_util.h"
#include "model/silence_private.h"

#define DAY_S       86400
#define SEARCH_DAYS 400 /* more than lie between two beginnings */

const char *const hale_silence_repeats[] = {
    [HALE_REPEAT_NOT] = "never",
    [HALE_REPEAT_DAY] = "day",
    [HALE_REPEAT_WEEK] = "week",
    [HALE_REPEAT_MONTH] = "month",
};
const char *const hale_silence_days[7] = {"mon", "tue", "wed", "thu",
                                          "fri", "sat", "sun"};

void hale_silence_free(struct hale_silence *s)
{
    if (s == NULL)
        return;
    hale_matchers_fini(&s->matchers);
    hale_zone_free(s->tz);
    free(s->id);
    free(s->tenant);
    free(s->author);
    free(s->reason);
    free(s->entity);
    free(s->zone);
    free(s);
}

/* --- the stored form ----------------------------------------------------------------- */

enum hale_rc hale_silence_repeat_read(const json_t *o, struct hale_silence *s,
                                      struct hale_err *err)
{
    const char *every = json_string_value(json_object_get(o, "every")), *key;
    const json_t *days = json_object_get(o, "days"), *day = json_object_get(o, "day");
    json_t *v;
    size_t i;
    json_object_foreach ((json_t *)(uintptr_t)o, key, v) {
        if (strcmp(key, "every") != 0 && strcmp(key, "days") != 0 &&
            strcmp(key, "day") != 0)
            return hale_err_set(err, HALE_E_INVAL, "repeat: unknown key '%.64s'", key);
    }
    for (unsigned r = HALE_REPEAT_DAY; every != NULL && r <= HALE_REPEAT_MONTH; r++) {
        if (strcmp(every, hale_silence_repeats[r]) == 0)
            s->repeat = (enum hale_repeat)r;
    }
    if (s->repeat == HALE_REPEAT_NOT)
        return hale_err_set(err, HALE_E_INVAL, "repeat.every must be day, week or month");
    if ((days != NULL && (s->repeat != HALE_REPEAT_WEEK || !json_is_array(days))) ||
        (day != NULL && (s->repeat != HALE_REPEAT_MONTH || !json_is_integer(day))))
        return hale_err_set(err, HALE_E_INVAL,
                            "repeat: days is a list and for week, day a number and for "
                            "month");
    json_array_foreach (days, i, v) {
        unsigned d = 0;
        while (d < 7 && (!json_is_string(v) ||
                         strcmp(json_string_value(v), hale_silence_days[d]) != 0))
            d++;
        if (d == 7)
            return hale_err_set(err, HALE_E_INVAL,
                                "repeat.days: mon, tue, wed, thu, fri, sat, sun");
        s->days |= 1u << d;
    }
    json_int_t n = day != NULL ? json_integer_value(day) : 0;
    if (day != NULL && n != -1 && (n < 1 || n > 31))
        return hale_err_set(err, HALE_E_INVAL, "repeat.day must be 1 to 31, or -1");
    s->day = (int)n;
    return HALE_OK;
}

static enum hale_rc read_maintenance(struct hale_json_in *in, struct hale_silence *s,
                                     struct hale_err *err)
{
    const json_t *repeat = json_object_get(in->object, "repeat");
    hale_json_in_str_or_null(in, "entity", &s->entity);
    hale_json_in_i64(in, "duration_s", HALE_JSON_REQUIRED, 1, INT32_MAX, &s->duration_ms);
    s->duration_ms *= 1000;
    hale_json_in_id(in, "zone", &s->zone);
    enum hale_rc rc = in->rc;
    if (rc == HALE_OK)
        rc = hale_zone_load(s->zone, &s->tz, err);
    if (rc == HALE_OK && repeat != NULL)
        rc = hale_silence_repeat_read(repeat, s, err);
    return rc;
}

static enum hale_rc read_stored(json_t *root, struct hale_silence *s,
                                struct hale_err *err)
{
    struct hale_json_in in = hale_json_in_init(root);
    const enum hale_json_need must = HALE_JSON_REQUIRED;
    enum hale_rc rc = HALE_OK;
    hale_json_in_id(&in, "id", &s->id);
    hale_json_in_id(&in, "tenant", &s->tenant);
    hale_json_in_i64(&in, "starts_ms", must, 0, INT64_MAX / 2, &s->starts_ms);
    hale_json_in_i64(&in, "ends_ms", must, 0, INT64_MAX / 2, &s->ends_ms);
    hale_json_in_str(&in, "author", must, &s->author);
    hale_json_in_str(&in, "reason", must, &s->reason);
    hale_json_in_i64(&in, "created_ms", must, 0, INT64_MAX, &s->created_ms);
    hale_json_in_i64(&in, "updated_ms", must, 0, INT64_MAX, &s->updated_ms);
    if (s->maintenance)
        rc = read_maintenance(&in, s, err);
    if (in.rc != HALE_OK)
        return hale_err_set(err, in.rc, "%s", in.key);
    const json_t *matchers = json_object_get(root, "matchers");
    if (rc == HALE_OK && (s->entity == NULL || json_array_size(matchers) > 0))
        rc = hale_matchers_read(matchers, &s->matchers, err);
    return rc;
}

enum hale_rc hale_silence_decode(struct hale_str json, bool maintenance,
                                 struct hale_silence **out, struct hale_err *err)
{
    json_t *root = NULL;
    *out = NULL;
    struct hale_silence *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    s->maintenance = maintenance;
    enum hale_rc rc = hale_json_parse_record(json, &root, err);
    if (rc == HALE_OK)
        rc = read_stored(root, s, err);
    json_decref(root);
    if (rc == HALE_OK)
        *out = s;
    else
        hale_silence_free(s);
    return rc;
}

static void add_repeat(const struct hale_silence *s, struct hale_buf *out)
{
    const char *sep = "";
    hale_buf_printf(out, ",\"repeat\":{\"every\":\"%s\"",
                    hale_silence_repeats[s->repeat]);
    if (s->days != 0) {
        hale_buf_add_c(out, ",\"days\":[");
        for (unsigned d = 0; d < 7; d++) {
            if ((s->days & 1u << d) == 0)
                continue;
            hale_buf_printf(out, "%s\"%s\"", sep, hale_silence_days[d]);
            sep = ",";
        }
        hale_buf_add_char(out, ']');
    }
    if (s->day != 0)
        hale_buf_printf(out, ",\"day\":%d", s->day);
    hale_buf_add_char(out, '}');
}

enum hale_rc hale_silence_encode(const struct hale_silence *s, struct hale_buf *out)
{
    struct hale_json_out o = hale_json_out_open(out);
    hale_json_out_i64(&o, "v", 1);
    hale_json_out_id(&o, "id", s->id);
    hale_json_out_id(&o, "tenant", s->tenant);
    hale_json_out_key(&o, "matchers");
    hale_matchers_add_json(&s->matchers, out);
    hale_json_out_i64(&o, "starts_ms", s->starts_ms);
    hale_json_out_i64(&o, "ends_ms", s->ends_ms);
    hale_json_out_str(&o, "author", s->author);
    hale_json_out_str(&o, "reason", s->reason);
    hale_json_out_i64(&o, "created_ms", s->created_ms);
    hale_json_out_i64(&o, "updated_ms", s->updated_ms);
    if (s->maintenance) {
        if (s->entity != NULL)
            hale_json_out_str(&o, "entity", s->entity);
        hale_json_out_i64(&o, "duration_s", s->duration_ms / 1000);
        hale_json_out_str(&o, "zone", s->zone);
        if (s->repeat != HALE_REPEAT_NOT)
            add_repeat(s, out);
    }
    return hale_json_out_close(&o);
}

/* --- when ---------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The clock of the first beginning: its day and the second of that day. */
static int64_t first_day(const struct hale_silence *s, int64_t *second)
{
    int64_t utc = floor_div(s->starts_ms, 1000);
    int64_t local = utc + hale_zone_offset_s(s->tz, utc);
    int64_t day = floor_div(local, DAY_S);
    *second = local - day * DAY_S;
    return day;
}

static bool begins_on(const struct hale_silence *s, int64_t first, int64_t day)
{
    int64_t year, other_year;
    unsigned month, of_month, other_month, want;
    if (day < first)
        return false;
    switch (s->repeat) {
    case HALE_REPEAT_NOT: return day == first;
    case HALE_REPEAT_DAY: return true;
    case HALE_REPEAT_WEEK:
        return s->days != 0 ? (s->days & 1u << hale_zone_weekday(day)) != 0
                            : hale_zone_weekday(day) == hale_zone_weekday(first);
    case HALE_REPEAT_MONTH:
        hale_zone_date(day, &year, &month, &of_month);
        if (s->day == -1) {
            hale_zone_date(day + 1, &other_year, &other_month, &want);
            return want == 1;
        }
        hale_zone_date(first, &other_year, &other_month, &want);
        return of_month == (s->day != 0 ? (unsigned)s->day : want);
    }
    return false;
}

/* Beginning of that day's occurrence. */
static int64_t begin_ms(const struct hale_silence *s, int64_t first, int64_t day,
                        int64_t second)
{
    return day == first ? s->starts_ms
                        : hale_zone_utc_s(s->tz, day * DAY_S + second) * 1000;
}

static bool window_at(const struct hale_silence *s, int64_t at_ms, int64_t *change_ms)
{
    int64_t second, first = first_day(s, &second), on_until = INT64_MIN;
    int64_t last_ms = s->ends_ms != 0 ? s->ends_ms : INT64_MAX;
    int64_t day = floor_div(at_ms - s->duration_ms, DAY_S * INT64_C(1000)) - 2;
    *change_ms = INT64_MAX;
    day = day < first ? first : day;
    for (int64_t stop = day + SEARCH_DAYS; day < stop; day++) {
        if (!begins_on(s, first, day))
            continue;
        int64_t begin = begin_ms(s, first, day, second);
        int64_t end = begin + s->duration_ms;
        end = end < last_ms ? end : last_ms;
        if (begin >= last_ms)
            break;
        if (begin > at_ms) {
            *change_ms = begin;
            break;
        }
        if (end > at_ms && end > on_until)
            on_until = end;
    }
    if (on_until == INT64_MIN)
        return false;
    *change_ms = on_until;
    return true;
}

bool hale_silence_at(const struct hale_silence *s, int64_t at_ms, int64_t *change_ms)
{
    if (s->maintenance)
        return window_at(s, at_ms, change_ms);
    bool on = s->starts_ms <= at_ms && at_ms < s->ends_ms;
    *change_ms = on                                                  ? s->ends_ms
                 : at_ms < s->starts_ms && s->starts_ms < s->ends_ms ? s->starts_ms
                                                                     : INT64_MAX;
    return on;
}

bool hale_silence_end(struct hale_silence *s, int64_t at_ms)
{
    int64_t change_ms;
    if (!hale_silence_at(s, at_ms, &change_ms) && change_ms == INT64_MAX)
        return false;
    s->ends_ms = at_ms;
    return true;
}
