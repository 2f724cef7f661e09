/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monasca's rules of value_meta. The length is that of json.dumps(value_meta): ", " and ": "
 * between the parts, everything but printable ASCII as \uXXXX, floats as repr writes them. It is
 * counted here without writing the text. Of equal keys only the last counts; inside nested
 * objects, which no known client sends, each is counted.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/limits.h"
#include "model/metric_json.h"
#include "model/metric_json_scan.h"

struct lengths {
    size_t chars;  /* code points */
    size_t dumped; /* characters that json.dumps writes, with the quotes */
};

/* Characters that json.dumps writes for the UTF-16 unit. */
static size_t dumped_unit(unsigned unit)
{
    if (unit == '"' || unit == '\\' || (unit >= 0x08 && unit <= 0x0d && unit != 0x0b))
        return 2;
    return unit >= 0x20 && unit < 0x7f ? 1 : 6;
}

/* raw: inside of a valid string. */
static struct lengths string_lengths(struct hale_str raw)
{
    struct lengths n = {0, 2};
    const char *end = raw.p + raw.len;
    for (const char *p = raw.p; p < end;) {
        unsigned char c = (unsigned char)*p;
        if (c == '\\' && p[1] == 'u') {
            const char hex[] = {p[2], p[3], p[4], p[5], '\0'};
            unsigned unit = (unsigned)strtoul(hex, NULL, 16);
            n.chars += unit < 0xdc00 || unit > 0xdfff;
            n.dumped += dumped_unit(unit);
            p += 6;
        } else if (c == '\\') {
            n.chars++;
            n.dumped += p[1] == '/' ? 1 : 2;
            p += 2;
        } else if (c < 0x80) {
            n.chars++;
            n.dumped += dumped_unit(c);
            p++;
        } else {
            size_t bytes = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            n.chars++;
            n.dumped += bytes == 4 ? 12 : 6;
            p += bytes;
        }
    }
    return n;
}

/* Length of repr(d) in Python, and of Infinity as json.dumps writes it. */
static size_t float_length(double d)
{
    char text[40];
    size_t sign = signbit(d) ? 1 : 0;
    d = fabs(d);
    if (isinf(d))
        return sign + 8;
    int digits = 0;
    do { /* 17 digits always read back as the same number */
        (void)snprintf(text, sizeof(text), "%.*e", digits++, d);
    } while (digits < 17 && strtod(text, NULL) != d);
    const char *e = strchr(text, 'e');
    int exponent = e != NULL ? (int)strtol(e + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < 16) {
        if (exponent < 0) /* 0.00ddd */
            return sign + (size_t)(1 - exponent + digits);
        return sign + (size_t)(digits - 1 <= exponent ? exponent + 3 : digits + 1);
    }
    size_t mantissa = (size_t)(digits > 1 ? digits + 1 : 1);
    return sign + mantissa + (abs(exponent) >= 100 ? 5 : 4);
}

/* raw: text of a valid number. */
static size_t number_length(struct hale_str raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.p[i] == '.' || raw.p[i] == 'e' || raw.p[i] == 'E') {
            struct hale_scan s = {.end = raw.p + raw.len};
            double d = 0;
            (void)hale_scan_number(&s, raw.p, &d);
            return float_length(d);
        }
    }
    return raw.len == 2 && memcmp(raw.p, "-0", 2) == 0 ? 1 : raw.len;
}

/* Adds the dumped length of the valid value at p to *n. Returns behind the value. Recursion is
 * bounded by HALE_SCAN_MAX_DEPTH. */
static const char *add_length(struct hale_scan *s, const char *p, size_t *n)
{
    if (*p != '{' && *p != '[') {
        const char *behind = hale_scan_value(s, p);
        struct hale_str raw = {p, (size_t)(behind - p)};
        if (*p == '"')
            *n += string_lengths((struct hale_str){p + 1, raw.len - 2}).dumped;
        else if (*p == '-' || (*p >= '0' && *p <= '9'))
            *n += number_length(raw);
        else
            *n += raw.len;
        return behind;
    }
    bool object = *p == '{';
    *n += 2;
    p = hale_scan_ws(p + 1, s->end);
    while (*p != '}' && *p != ']') {
        struct hale_str key;
        if (object) {
            p = hale_scan_key(s, p, &key);
            *n += string_lengths(key).dumped + 2;
        }
        p = hale_scan_ws(add_length(s, p, n), s->end);
        if (*p == ',') {
            p = hale_scan_ws(p + 1, s->end);
            *n += 2;
        }
    }
    return p + 1;
}

/* Both not longer than the limit. */
static bool same_key(struct hale_str a, struct hale_str b)
{
    char a_text[12 * HALE_META_KEY_MAX_CHARS], b_text[12 * HALE_META_KEY_MAX_CHARS];
    if (hale_str_eq(a, b))
        return true;
    if (memchr(a.p, '\\', a.len) == NULL && memchr(b.p, '\\', b.len) == NULL)
        return false;
    return hale_str_eq((struct hale_str){a_text, hale_scan_unescape(a, a_text)},
                       (struct hale_str){b_text, hale_scan_unescape(b, b_text)});
}

struct entry {
    struct hale_str key; /* raw */
    size_t dumped;       /* of key, value and the ": " between */
};

enum hale_rc hale_metric_check_meta(struct hale_str meta_raw, struct hale_err *err)
{
    struct entry entries[HALE_META_MAX_KEYS];
    unsigned n = 0;
    if (meta_raw.len == 0)
        return HALE_OK;
    if (!hale_scan_is_object(meta_raw))
        return hale_err_set(err, HALE_E_INVAL, "value_meta must be an object or null");
    struct hale_scan s = {.end = meta_raw.p + meta_raw.len};
    const char *p = hale_scan_ws(meta_raw.p + 1, s.end);
    while (*p != '}') {
        struct hale_str key;
        p = hale_scan_key(&s, p, &key);
        struct lengths of_key = string_lengths(key);
        if (of_key.chars < 1 || of_key.chars > HALE_META_KEY_MAX_CHARS)
            return hale_err_set(err, HALE_E_INVAL,
                                "a key of value_meta must have 1 to %d characters",
                                HALE_META_KEY_MAX_CHARS);
        unsigned i = 0;
        while (i < n && !same_key(entries[i].key, key))
            i++;
        if (i == HALE_META_MAX_KEYS)
            return hale_err_set(err, HALE_E_INVAL, "value_meta must have at most %d keys",
                                HALE_META_MAX_KEYS);
        if (i == n)
            n++;
        entries[i] = (struct entry){key, of_key.dumped + 2};
        p = hale_scan_ws(add_length(&s, p, &entries[i].dumped), s.end);
        if (*p == ',')
            p = hale_scan_ws(p + 1, s.end);
    }
    size_t total = 2 + (n > 0 ? 2 * (size_t)(n - 1) : 0);
    for (unsigned i = 0; i < n; i++)
        total += entries[i].dumped;
    if (total > HALE_META_MAX_CHARS)
        return hale_err_set(err, HALE_E_INVAL,
                            "value_meta must have at most %d characters as JSON text",
                            HALE_META_MAX_CHARS);
    return HALE_OK;
}
