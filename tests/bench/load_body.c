/* SPDX-License-Identifier: Apache-2.0 */
#include "load_body.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "model/protobuf.h"

#define BODY_MAX     ((size_t)64 << 20)
#define STAMP_DIGITS 13
#define TIME_BYTES   6         /* of a varint of today's milliseconds */
#define LITERAL      (63 << 2) /* Snappy: a literal whose length has four bytes */

/* --- series ------------------------------------------------------------------------------------------ */

struct label {
    const char *key;
    char value[48];
};
enum { DEVICE, HOSTNAME, REGION, SERVICE, TENANT, N_LABELS };

static void labels_of(long series, struct label l[N_LABELS])
{
    static const char *const KEYS[N_LABELS] = {"device", "hostname", "region", "service",
                                               "tenant"};
    long host = series / 100;
    for (int i = 0; i < N_LABELS; i++)
        l[i].key = KEYS[i];
    (void)snprintf(l[DEVICE].value, sizeof(l[0].value), "dev%ld", series / 20 % 5);
    (void)snprintf(l[HOSTNAME].value, sizeof(l[0].value), "compute-%06ld.example.net",
                   host);
    (void)snprintf(l[REGION].value, sizeof(l[0].value), "RegionOne");
    (void)snprintf(l[SERVICE].value, sizeof(l[0].value), "compute");
    (void)snprintf(l[TENANT].value, sizeof(l[0].value), "tenant-%02ld", host % 7);
}

/* --- one sample of each format; what is patched later is zeros ------------------------------------------ */

static size_t json_sample(struct hale_buf *b, long series, bool first)
{
    struct label l[N_LABELS];
    labels_of(series, l);
    hale_buf_printf(b, "%c{\"name\":\"bench.metric_%02ld\",\"dimensions\":{",
                    first ? '[' : ',', series % 20);
    for (int i = 0; i < N_LABELS; i++)
        hale_buf_printf(b, "%s\"%s\":\"%s\"", i > 0 ? "," : "", l[i].key, l[i].value);
    hale_buf_add_c(b, "},\"timestamp\":");
    size_t spot = b->len;
    hale_buf_add_c(b, "0000000000000,\"value\":000.00}");
    return spot;
}

static size_t influx_sample(struct hale_buf *b, long series)
{
    struct label l[N_LABELS];
    labels_of(series, l);
    hale_buf_add_c(b, "bench");
    for (int i = 0; i < N_LABELS; i++)
        hale_buf_printf(b, ",%s=%s", l[i].key, l[i].value);
    hale_buf_printf(b, " metric_%02ld=", series % 20);
    size_t spot = b->len;
    hale_buf_add_c(b, "000.00 0000000000000\n");
    return spot;
}

static void put_label(struct hale_buf *b, const char *key, const char *value)
{
    char bytes[128];
    struct hale_buf pair = {.max = sizeof(bytes)};
    hale_pb_put_bytes(&pair, 1, hale_str_from(key));
    hale_pb_put_bytes(&pair, 2, hale_str_from(value));
    hale_pb_put_bytes(b, 1, hale_buf_str(&pair));
    hale_buf_fini(&pair);
}

/* The value's spot; the time stands 9 bytes after it. */
static size_t remote_sample(struct hale_buf *b, long series)
{
    static const char SAMPLE[] = "\x12\x10\x09\0\0\0\0\0\0\0\0\x10\x80\x80\x80\x80\x80";
    struct label l[N_LABELS];
    struct hale_buf s;
    char name[32];
    labels_of(series, l);
    hale_buf_init(&s, 4096);
    (void)snprintf(name, sizeof(name), "bench.metric_%02ld", series % 20);
    put_label(&s, "__name__", name);
    for (int i = 0; i < N_LABELS; i++)
        put_label(&s, l[i].key, l[i].value);
    hale_buf_add(&s, SAMPLE, sizeof(SAMPLE)); /* its NUL ends the time */
    hale_pb_put_bytes(b, 1, hale_buf_str(&s));
    hale_buf_fini(&s);
    return b->len - TIME_BYTES - 1 - sizeof(double);
}

/* --- requests --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *head; /* of the request, without the common lines */
} FORMATS[LOAD_FORMATS] = {
    {"json", "POST /v2.0/metrics HTTP/1.1\r\nContent-Type: application/json\r\n"},
    {"influx",
     "POST /write?db=bench&precision=ms HTTP/1.1\r\nContent-Type: text/plain\r\n"},
    {"remote-write",
     "POST /api/v1/write HTTP/1.1\r\nContent-Type: application/x-protobuf\r\n"
     "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"},
};

enum load_format load_format_of(const char *name)
{
    int f = 0;
    while (f < LOAD_FORMATS && strcmp(FORMATS[f].name, name) != 0)
        f++;
    return (enum load_format)f;
}

/* The head of a Snappy block of one literal of n bytes. */
static void literal_head(struct hale_buf *b, size_t n)
{
    size_t rest = n;
    for (; rest > 0x7f; rest >>= 7)
        hale_buf_add_char(b, (char)(rest | 0x80));
    hale_buf_add_char(b, (char)rest);
    hale_buf_add_char(b, (char)LITERAL);
    for (unsigned i = 0; i < 4; i++)
        hale_buf_add_char(b, (char)((n - 1) >> (8 * i)));
}

void load_body_render(struct load_body *b, const char *token, long first, long n)
{
    struct hale_buf plain, block;
    hale_buf_init(&plain, BODY_MAX);
    hale_buf_init(&block, 64);
    hale_buf_init(&b->text, BODY_MAX + 4096);
    b->n = n;
    b->spots = hale_xcalloc((unsigned long)n, sizeof(size_t));
    for (long i = 0; i < n; i++) {
        if (b->format == LOAD_JSON)
            b->spots[i] = json_sample(&plain, first + i, i == 0);
        else if (b->format == LOAD_INFLUX)
            b->spots[i] = influx_sample(&plain, first + i);
        else
            b->spots[i] = remote_sample(&plain, first + i);
    }
    if (b->format == LOAD_JSON)
        hale_buf_add_char(&plain, ']');
    if (b->format == LOAD_REMOTE_WRITE)
        literal_head(&block, plain.len);
    hale_buf_printf(
        &b->text, "%sHost: 127.0.0.1\r\nX-Auth-Token: %s\r\nContent-Length: %zu\r\n\r\n",
        FORMATS[b->format].head, token, block.len + plain.len);
    hale_buf_add_str(&b->text, hale_buf_str(&block));
    for (long i = 0; i < n; i++)
        b->spots[i] += b->text.len;
    hale_buf_add_str(&b->text, hale_buf_str(&plain));
    HALE_ASSERT(!plain.failed && !b->text.failed);
    hale_buf_fini(&plain);
    hale_buf_fini(&block);
}

/* --- patching ----------------------------------------------------------------------------------------------- */

static void put_digits(char *dst, int n, int64_t v)
{
    while (n-- > 0) {
        dst[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

static void put_value(char *dst, uint32_t cents)
{
    put_digits(dst, 3, cents / 100);
    put_digits(dst + 4, 2, cents % 100);
}

void load_body_patch(struct load_body *b, int64_t time_ms, uint32_t *noise)
{
    char stamp[STAMP_DIGITS], varint[TIME_BYTES];
    put_digits(stamp, STAMP_DIGITS, time_ms);
    for (unsigned i = 0; i < TIME_BYTES; i++)
        varint[i] = (char)((time_ms >> (7 * i) & 0x7f) | (i + 1 < TIME_BYTES ? 0x80 : 0));
    for (long i = 0; i < b->n; i++) {
        char *p = b->text.p + b->spots[i];
        *noise = *noise * 1664525u + 1013904223u;
        uint32_t cents = 10000 + (*noise >> 8) % 90000;
        double value = cents / 100.0;
        switch (b->format) {
        case LOAD_JSON:
            memcpy(p, stamp, STAMP_DIGITS);
            put_value(p + STAMP_DIGITS + 9, cents);
            break;
        case LOAD_INFLUX:
            put_value(p, cents);
            memcpy(p + 7, stamp, STAMP_DIGITS);
            break;
        case LOAD_REMOTE_WRITE:
        case LOAD_FORMATS:
            memcpy(p, &value, sizeof(value));
            memcpy(p + sizeof(value) + 1, varint, TIME_BYTES);
            break;
        }
    }
}
