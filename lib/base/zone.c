/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"

#define FILE_MAX  (1u << 20)
#define HEADER    44
#define DAY_S     86400
#define TYPES_MAX 256
#define DIRECTORY "/usr/share/zoneinfo/"

struct change_day { /* Mm.w.d/time of the footer */
    unsigned month, week, day;
    int64_t time_s;
};
struct hale_zone {
    size_t n;
    int64_t *at;     /* moments of change */
    int32_t *offset; /* from then on */
    int32_t before;  /* before the first */
    bool rule;       /* after the last: std, or with summer time */
    bool summer;
    int64_t std_s, dst_s;
    struct change_day begin, end;
};

/* --- dates --------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t hale_zone_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void hale_zone_date(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

unsigned hale_zone_weekday(int64_t days)
{
    int64_t w = (days + 3) % 7; /* the epoch was a Thursday */
    return (unsigned)(w < 0 ? w + 7 : w);
}

/* --- the footer ---------------------------------------------------------------------- */

static bool take_number(const char **p, int64_t *out)
{
    const char *s = *p;
    int64_t v = 0;
    for (; *s >= '0' && *s <= '9' && v < 100000; s++)
        v = v * 10 + (*s - '0');
    bool any = s != *p;
    *p = s;
    *out = v;
    return any;
}

/* [+-]h[:m[:s]] */
static bool take_time(const char **p, int64_t *out)
{
    int64_t sign = 1, part = 0, unit = 3600, total = 0;
    if (**p == '-' || **p == '+')
        sign = *(*p)++ == '-' ? -1 : 1;
    for (;; unit /= 60) {
        if (unit == 0 || !take_number(p, &part))
            return false;
        total += part * unit;
        if (**p != ':')
            break;
        (*p)++;
    }
    *out = sign * total;
    return total <= 168 * 3600;
}

static bool take_name(const char **p)
{
    const char *s = *p;
    if (*s == '<') {
        while (*s != '\0' && *s != '>')
            s++;
        if (*s != '>')
            return false;
        *p = s + 1;
        return true;
    }
    while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))
        s++;
    bool any = s != *p;
    *p = s;
    return any;
}

static bool take_day(const char **p, struct change_day *d)
{
    int64_t month, week, day;
    if (*(*p)++ != ',' || *(*p)++ != 'M' || !take_number(p, &month) || *(*p)++ != '.' ||
        !take_number(p, &week) || *(*p)++ != '.' || !take_number(p, &day))
        return false;
    *d = (struct change_day){(unsigned)month, (unsigned)week, (unsigned)day, 7200};
    if (**p == '/' && ((*p)++, !take_time(p, &d->time_s)))
        return false;
    return month >= 1 && month <= 12 && week >= 1 && week <= 5 && day <= 6;
}

static bool read_footer(struct hale_zone *z, const char *p)
{
    if (!take_name(&p) || !take_time(&p, &z->std_s))
        return false;
    z->std_s = -z->std_s;
    z->rule = true;
    if (*p == '\0')
        return true;
    z->summer = true;
    z->dst_s = z->std_s + 3600;
    if (!take_name(&p))
        return false;
    if (*p != ',') {
        if (!take_time(&p, &z->dst_s))
            return false;
        z->dst_s = -z->dst_s;
    }
    return take_day(&p, &z->begin) && take_day(&p, &z->end) && *p == '\0';
}

/* --- the file ------------------------------------------------------------------------ */

static int64_t big(const unsigned char *p, unsigned n)
{
    uint64_t v = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct header {
    size_t ut, std, leap, times, types, chars;
};

static bool read_header(const unsigned char *p, size_t n, struct header *h)
{
    if (n < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    size_t *counts[] = {&h->ut, &h->std, &h->leap, &h->times, &h->types, &h->chars};
    for (unsigned i = 0; i < 6; i++) {
        int64_t v = big(p + 20 + (size_t)i * 4, 4);
        if (v < 0 || v > FILE_MAX)
            return false;
        *counts[i] = (size_t)v;
    }
    return h->types >= 1 && h->types <= TYPES_MAX;
}

static size_t body_size(const struct header *h, size_t time_size)
{
    return h->times * (time_size + 1) + h->types * 6 + h->chars +
           h->leap * (time_size + 4) + h->std + h->ut;
}

static bool read_changes(struct hale_zone *z, const unsigned char *p,
                         const struct header *h)
{
    const unsigned char *index = p + h->times * 8, *types = index + h->times;
    z->before = (int32_t)big(types, 4);
    z->at = calloc(h->times + 1, sizeof(*z->at));
    z->offset = calloc(h->times + 1, sizeof(*z->offset));
    if (z->at == NULL || z->offset == NULL)
        return false;
    for (; z->n < h->times; z->n++) {
        size_t type = index[z->n];
        z->at[z->n] = big(p + z->n * 8, 8);
        if (type >= h->types || (z->n > 0 && z->at[z->n] <= z->at[z->n - 1]))
            return false;
        z->offset[z->n] = (int32_t)big(types + type * 6, 4);
    }
    return true;
}

static bool read_file(struct hale_zone *z, const unsigned char *p, size_t n)
{
    struct header h;
    char footer[256];
    if (!read_header(p, n, &h) || p[4] < '2' || n - HEADER < body_size(&h, 4))
        return false;
    size_t skip = HEADER + body_size(&h, 4);
    p += skip, n -= skip;
    if (!read_header(p, n, &h) || n - HEADER < body_size(&h, 8) ||
        !read_changes(z, p + HEADER, &h))
        return false;
    skip = HEADER + body_size(&h, 8);
    p += skip, n -= skip;
    if (n < 2 || n - 2 >= sizeof(footer) || p[0] != '\n' || p[n - 1] != '\n')
        return false;
    memcpy(footer, p + 1, n - 2);
    footer[n - 2] = '\0';
    return footer[0] == '\0' || read_footer(z, footer);
}

enum hale_rc hale_zone_read(const unsigned char *bytes, size_t n, struct hale_zone **out,
                            struct hale_err *err)
{
    struct hale_zone *z = calloc(1, sizeof(*z));
    if (z != NULL && read_file(z, bytes, n)) {
        *out = z;
        return HALE_OK;
    }
    hale_zone_free(z);
    *out = NULL;
    return hale_err_set(err, HALE_E_INVAL, "the time zone's file cannot be read");
}

static bool name_ok(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                            "0123456789_+-/");
    return n > 0 && name[n] == '\0' && n <= HALE_ZONE_NAME_MAX && name[0] != '/' &&
           name[n - 1] != '/';
}

enum hale_rc hale_zone_load(const char *name, struct hale_zone **out,
                            struct hale_err *err)
{
    char path[sizeof(DIRECTORY) + HALE_ZONE_NAME_MAX + 1];
    struct hale_buf text;
    struct hale_err why = {0};
    *out = NULL;
    if (strcmp(name, "UTC") == 0) {
        *out = calloc(1, sizeof(**out));
        return *out != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    enum hale_rc rc = HALE_E_INVAL;
    hale_buf_init(&text, FILE_MAX);
    if (name_ok(name)) {
        (void)snprintf(path, sizeof(path), DIRECTORY "%s", name);
        rc = hale_fs_read(path, &text, &why);
    }
    if (rc == HALE_OK)
        rc = hale_zone_read((const unsigned char *)text.p, text.len, out, &why);
    hale_buf_fini(&text);
    if (rc == HALE_OK)
        return rc;
    return hale_err_set(
        err, HALE_E_INVAL,
        "'%.64s' is no time zone here: write a name like Europe/Berlin or "
        "UTC (the names are those of the package tzdata)",
        name);
}

void hale_zone_free(struct hale_zone *z)
{
    if (z == NULL)
        return;
    free(z->at);
    free(z->offset);
    free(z);
}

/* --- asking -------------------------------------------------------------------------- */

/* Local second of the change in that year. */
static int64_t change_s(const struct change_day *c, int64_t year)
{
    int64_t first = hale_zone_days(year, c->month, 1);
    int64_t next = c->month == 12 ? hale_zone_days(year + 1, 1, 1)
                                  : hale_zone_days(year, c->month + 1, 1);
    unsigned want = (c->day + 6) % 7; /* theirs: 0 = Sunday */
    int64_t day =
        first + (want + 7 - hale_zone_weekday(first)) % 7 + 7 * ((int64_t)c->week - 1);
    while (day >= next)
        day -= 7;
    return day * DAY_S + c->time_s;
}

static int64_t rule_offset(const struct hale_zone *z, int64_t utc_s)
{
    int64_t year;
    unsigned month, day;
    if (!z->summer)
        return z->std_s;
    hale_zone_date(floor_div(utc_s + z->std_s, DAY_S), &year, &month, &day);
    int64_t begin = change_s(&z->begin, year) - z->std_s;
    int64_t end = change_s(&z->end, year) - z->dst_s;
    bool summer =
        begin < end ? begin <= utc_s && utc_s < end : !(end <= utc_s && utc_s < begin);
    return summer ? z->dst_s : z->std_s;
}

int64_t hale_zone_offset_s(const struct hale_zone *z, int64_t utc_s)
{
    size_t low = 0, high = z->n; /* changes up to utc_s */
    if (z->rule && (z->n == 0 || utc_s >= z->at[z->n - 1]))
        return rule_offset(z, utc_s);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (z->at[mid] <= utc_s)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? z->offset[low - 1] : z->before;
}

int64_t hale_zone_utc_s(const struct hale_zone *z, int64_t local_s)
{
    int64_t before = hale_zone_offset_s(z, local_s - DAY_S);
    int64_t after = hale_zone_offset_s(z, local_s + DAY_S);
    if (hale_zone_offset_s(z, local_s - before) != before &&
        hale_zone_offset_s(z, local_s - after) == after)
        return local_s - after;
    return local_s - before;
}
