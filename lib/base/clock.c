/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - kernel clocks, and calendar arithmetic of our own (proleptic Gregorian, as ISO
 * 8601): no time zone database, no static buffers, any thread.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/assert.h"

#define DAY_MS      INT64_C(86400000)
#define SET_BACK_US 1000000

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    HALE_ASSERT(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t hale_clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t hale_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t hale_clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t hale_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t hale_clock_set_back_us(int64_t *last, int64_t wall_us, int64_t mono_us)
{
    int64_t ahead = wall_us - mono_us;
    int64_t back = *last != 0 ? *last - ahead : 0;
    *last = ahead;
    return back >= SET_BACK_US ? back : 0;
}

struct civil {
    int year; /* 0..9999 */
    int month;
    int day;
};

/* Days since 1970-01-01. The year is taken to start in March, so that the leap day is its
 * last; 153/5 is the mean month of the five-month pattern 31,30,31,30,31. */
static int64_t days_from_civil(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month = (c.month + 9) % 12;
    int64_t day_of_year = (153 * month + 2) / 5 + c.day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t month = (5 * doy + 2) / 153;
    int64_t year = yoe + era * 400 + (month >= 10 ? 1 : 0);
    return (struct civil){.year = (int)year,
                          .month = (int)(month < 10 ? month + 3 : month - 9),
                          .day = (int)(doy - (153 * month + 2) / 5 + 1)};
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Four-digit years only: a time outside 0000..9999 is shown as the nearest end. */
static int64_t clamp_ms(int64_t wall_ms)
{
    const int64_t first = INT64_C(-62167219200000);
    const int64_t last = INT64_C(253402300799999);
    if (wall_ms < first)
        return first;
    return wall_ms > last ? last : wall_ms;
}

static char *put_digits(char *end, int value, int n)
{
    for (int i = n; i-- > 0; value /= 10)
        end[i] = (char)('0' + value % 10);
    return end + n;
}

static const char *format_iso(int64_t wall_ms, char *dst, int with_ms)
{
    wall_ms = clamp_ms(wall_ms);
    int64_t days = floor_div(wall_ms, DAY_MS);
    int ms = (int)(wall_ms - days * DAY_MS);
    struct civil c = civil_from_days(days);
    const int part[] = {c.month, c.day, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60};
    char *p = put_digits(dst, c.year, 4);
    for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        *p++ = "--T::"[i];
        p = put_digits(p, part[i], 2);
    }
    if (with_ms) {
        *p++ = '.';
        p = put_digits(p, ms % 1000, 3);
    }
    *p++ = 'Z';
    *p = '\0';
    return dst;
}

const char *hale_clock_iso_ms(int64_t wall_ms, char *dst)
{
    return format_iso(wall_ms, dst, 1);
}

const char *hale_clock_iso_s(int64_t wall_ms, char *dst)
{
    return format_iso(wall_ms, dst, 0);
}

/* Takes exactly n digits off s, value in min..max. */
static bool take_number(struct hale_str *s, size_t n, int min, int max, int *out)
{
    int value = 0;
    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        value = value * 10 + (s->p[i] - '0');
    }
    s->p += n;
    s->len -= n;
    *out = value;
    return value >= min && value <= max;
}

static bool take_char(struct hale_str *s, const char *any_of)
{
    if (s->len == 0)
        return false;
    for (; *any_of != '\0'; any_of++) {
        if (*any_of == s->p[0]) {
            s->p++;
            s->len--;
            return true;
        }
    }
    return false;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct hale_str *s, int64_t *out_days)
{
    struct civil c;
    if (!take_number(s, 4, 0, 9999, &c.year) || !take_char(s, "-") ||
        !take_number(s, 2, 1, 12, &c.month) || !take_char(s, "-") ||
        !take_number(s, 2, 1, days_in_month(c.year, c.month), &c.day))
        return false;
    *out_days = days_from_civil(c);
    return true;
}

/* hh:mm[:ss[.fraction]]; a fraction is cut to milliseconds, second 60 is the next
 * minute's 0. */
static bool take_time(struct hale_str *s, int64_t *out_ms)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    int64_t ms = 0;

    if (!take_number(s, 2, 0, 23, &hour) || !take_char(s, ":") ||
        !take_number(s, 2, 0, 59, &minute))
        return false;
    if (take_char(s, ":")) {
        if (!take_number(s, 2, 0, 60, &second))
            return false;
        if (take_char(s, ".,")) {
            int digit;
            int64_t scale = 100;
            if (!take_number(s, 1, 0, 9, &digit))
                return false;
            do {
                ms += digit * scale;
                scale /= 10;
            } while (s->len > 0 && take_number(s, 1, 0, 9, &digit));
        }
    }
    *out_ms = ((int64_t)hour * 3600 + minute * 60 + second) * 1000 + ms;
    return true;
}

/* Z, +hh, +hhmm, +hh:mm or nothing. */
static bool take_zone(struct hale_str *s, int64_t *out_ms)
{
    int hour = 0;
    int minute = 0;

    *out_ms = 0;
    if (s->len == 0 || take_char(s, "Zz"))
        return true;
    bool west = s->p[0] == '-';
    if (!take_char(s, "+-") || !take_number(s, 2, 0, 23, &hour))
        return false;
    bool colon = take_char(s, ":");
    if ((colon || s->len > 0) && !take_number(s, 2, 0, 59, &minute))
        return false;
    *out_ms = ((int64_t)hour * 60 + minute) * 60000 * (west ? -1 : 1);
    return true;
}

enum hale_rc hale_clock_parse_iso(struct hale_str s, int64_t *out_wall_ms)
{
    int64_t days;
    int64_t ms = 0;
    int64_t zone_ms = 0;

    if (!take_date(&s, &days))
        return HALE_E_INVAL;
    if (s.len > 0 &&
        (!take_char(&s, "Tt ") || !take_time(&s, &ms) || !take_zone(&s, &zone_ms)))
        return HALE_E_INVAL;
    if (s.len > 0)
        return HALE_E_INVAL;
    *out_wall_ms = days * DAY_MS + ms - zone_ms;
    return HALE_OK;
}
