/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 2048
#define WINDOW_MS      10000
#define WINDOW_LINES   5

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static _Atomic(const char *) name = "hale";
static _Atomic int level_min = HALE_LOG_INFO;
static pthread_mutex_t sites_mutex =
    PTHREAD_MUTEX_INITIALIZER; /* guards every log_site */

void hale_log_init(const char *daemon_name, enum hale_log_level min_level)
{
    atomic_store(&name, daemon_name);
    hale_log_set_level(min_level);
}

void hale_log_set_level(enum hale_log_level min_level)
{
    atomic_store_explicit(&level_min, (int)min_level, memory_order_relaxed);
}

enum hale_rc hale_log_level_parse(const char *text, enum hale_log_level *out)
{
    for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum hale_log_level)i;
            return HALE_OK;
        }
    }
    return HALE_E_INVAL;
}

/* Whether a line may be written now. Errors earn one more line for each second of the
 * window. */
static bool admit(struct hale_log_site *site, enum hale_log_level level, int64_t now_ms,
                  unsigned *suppressed_out)
{
    bool pass;
    (void)pthread_mutex_lock(&sites_mutex);
    if (site->in_window == 0 || now_ms - site->window_start_ms >= WINDOW_MS) {
        site->window_start_ms = now_ms;
        site->in_window = 0;
    }
    unsigned allowed = WINDOW_LINES;
    if (level >= HALE_LOG_ERROR)
        allowed += (unsigned)((now_ms - site->window_start_ms) / 1000);
    pass = site->in_window < allowed;
    if (pass) {
        site->in_window++;
        *suppressed_out = site->suppressed;
        site->suppressed = 0;
    } else if (site->suppressed < (unsigned)-1) {
        site->suppressed++;
    }
    (void)pthread_mutex_unlock(&sites_mutex);
    return pass;
}

/* len after an snprintf into the rest of a line that keeps room for the newline. */
static size_t advance(size_t len, int n)
{
    if (n < 0)
        return len;
    len += (size_t)n;
    return len < LINE_MAX_BYTES - 1 ? len : LINE_MAX_BYTES - 2;
}

static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done <= 0)
            return; /* nowhere left to complain to */
        p += done;
        n -= (size_t)done;
    }
}

void hale_log_at(struct hale_log_site *site, enum hale_log_level level, const char *fmt,
                 ...)
{
    char line[LINE_MAX_BYTES];
    char stamp[HALE_CLOCK_ISO_MAX];
    unsigned suppressed = 0;

    if ((int)level < atomic_load_explicit(&level_min, memory_order_relaxed) ||
        !admit(site, level, hale_clock_mono_ms(), &suppressed))
        return;
    size_t room = sizeof(line) - 1;
    size_t len = advance(0, snprintf(line, room, "%s %s %s ",
                                     hale_clock_iso_ms(hale_clock_wall_ms(), stamp),
                                     level_names[level], atomic_load(&name)));
    va_list ap;
    va_start(ap, fmt);
    len = advance(len, vsnprintf(line + len, room - len, fmt, ap));
    va_end(ap);
    if (suppressed > 0)
        len =
            advance(len, snprintf(line + len, room - len, " suppressed=%u", suppressed));
    /* One event is one line, whatever came in through the arguments. */
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    line[len++] = '\n';
    write_all(line, len);
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c <= 0x20 || c == 0x7f || c == '"' || c == '\\' || c == '=')
            return true;
    }
    return false;
}

/* The escaped form of c into out; its length, 1..4. */
static size_t escape(unsigned char c, char out[5])
{
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, 5, "\\%c", c);
    if (c == '\n')
        return (size_t)snprintf(out, 5, "\\n");
    if (c == '\t')
        return (size_t)snprintf(out, 5, "\\t");
    if (c < 0x20 || c == 0x7f)
        return (size_t)snprintf(out, 5, "\\x%02x", c);
    out[0] = (char)c;
    return 1;
}

const char *hale_log_quote(const char *text, char *dst, size_t dst_size)
{
    if (dst_size == 0)
        return dst;
    if (dst_size < 3 || !needs_quotes(text)) {
        (void)snprintf(dst, dst_size, "%s", dst_size < 3 ? "" : text);
        return dst;
    }
    size_t len = 0;
    dst[len++] = '"';
    for (; *text != '\0'; text++) {
        char piece[5];
        size_t n = escape((unsigned char)*text, piece);
        if (len + n + 2 > dst_size)
            break;
        memcpy(dst + len, piece, n);
        len += n;
    }
    dst[len++] = '"';
    dst[len] = '\0';
    return dst;
}
