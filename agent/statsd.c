/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/statsd.h"

#include <stdlib.h>
#include <string.h>

static enum hale_rc refuse(const char **why_out, const char *why)
{
    *why_out = why;
    return HALE_E_INVAL;
}

static bool starts_with(struct hale_str s, struct hale_str head)
{
    return s.len >= head.len && memcmp(s.p, head.p, head.len) == 0;
}

static bool type_of(struct hale_str s, enum agent_statsd_type *out)
{
    static const struct {
        const char *text;
        enum agent_statsd_type type;
    } TYPES[] = {
        {"c", AGENT_STATSD_COUNTER}, {"g", AGENT_STATSD_GAUGE}, {"r", AGENT_STATSD_RATE},
        {"ms", AGENT_STATSD_TIMER},  {"h", AGENT_STATSD_TIMER}, {"d", AGENT_STATSD_TIMER},
    };
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (hale_str_eq_c(s, TYPES[i].text)) {
            *out = TYPES[i].type;
            return true;
        }
    }
    return false;
}

/* What stands after '#': the rest of the line for a Python dict, since its strings may hold '|'. */
static enum hale_rc take_tags(struct hale_str *rest, struct agent_statsd_line *out,
                              const char **why_out)
{
    if (rest->len > 1 && rest->p[1] == '{') {
        const char *end = memrchr(rest->p, '}', rest->len);
        if (end == NULL)
            return refuse(why_out, "dimensions without closing brace");
        out->tags_form = AGENT_STATSD_PYTHON;
        out->tags = (struct hale_str){rest->p + 2, (size_t)(end - rest->p) - 2};
        struct hale_str after = {end + 1, (size_t)(rest->p + rest->len - end) - 1};
        *rest = after.len > 0 && after.p[0] == '|'
                    ? (struct hale_str){after.p + 1, after.len - 1}
                    : (struct hale_str){NULL, 0};
        return after.len == 0 || after.p[0] == '|'
                   ? HALE_OK
                   : refuse(why_out, "text after the dimensions");
    }
    struct hale_str tags = hale_str_split(rest, '|');
    out->tags_form = AGENT_STATSD_DOGSTATSD;
    out->tags = (struct hale_str){tags.p + 1, tags.len - 1};
    return HALE_OK;
}

/* "|@0.1|#..." in any order; what else DogStatsD may append (container, time) is passed over. */
static enum hale_rc take_extras(struct hale_str rest, struct agent_statsd_line *out,
                                const char **why_out)
{
    enum hale_rc rc = HALE_OK;

    while (rc == HALE_OK && rest.p != NULL && rest.len > 0) {
        if (rest.p[0] == '#') {
            rc = take_tags(&rest, out, why_out);
            continue;
        }
        struct hale_str extra = hale_str_split(&rest, '|');
        if (extra.len == 0 || extra.p[0] != '@')
            continue;
        extra.p++;
        extra.len--;
        if (hale_str_double(extra, &out->rate) != HALE_OK ||
            !(out->rate > 0 && out->rate <= 1))
            return refuse(why_out, "the sample rate is not above 0 and at most 1");
    }
    return rc;
}

static enum hale_rc take_service_check(struct hale_str line,
                                       struct agent_statsd_line *out,
                                       const char **why_out)
{
    struct hale_str rest = line;

    (void)hale_str_split(&rest, '|'); /* _sc */
    if (rest.p == NULL)
        return refuse(why_out, "a service check needs a name and a status");
    out->name = hale_str_split(&rest, '|');
    if (rest.p == NULL)
        return refuse(why_out, "a service check needs a name and a status");
    out->values = hale_str_split(&rest, '|');
    out->type = AGENT_STATSD_GAUGE;
    return take_extras(rest, out, why_out);
}

enum hale_rc agent_statsd_parse(struct hale_str line, struct agent_statsd_line *out,
                                const char **why_out)
{
    memset(out, 0, sizeof(*out));
    out->rate = 1;
    if (starts_with(line, HALE_STR("_sc|")))
        return take_service_check(line, out, why_out);
    if (starts_with(line, HALE_STR("_e{")))
        return refuse(why_out, "events are not taken; POST them to /v1/events");
    const char *bar = memchr(line.p, '|', line.len);
    if (bar == NULL)
        return refuse(why_out, "no '|' before the type");
    struct hale_str head = {line.p, (size_t)(bar - line.p)};
    struct hale_str rest = {bar + 1, line.len - head.len - 1};
    struct hale_str type = hale_str_split(&rest, '|');
    if (hale_str_eq_c(type, "s"))
        return refuse(why_out, "sets are not taken");
    if (!type_of(type, &out->type))
        return refuse(why_out, "the type is none of c, g, r, ms, h, d");
    out->name = hale_str_split(&head, ':');
    if (head.p == NULL || head.len == 0)
        return refuse(why_out, "no ':' and value after the name");
    out->values = head;
    const char *comma = memchr(out->name.p, ',', out->name.len);
    if (comma != NULL) {
        size_t len = (size_t)(comma - out->name.p);
        out->tags_form = AGENT_STATSD_INFLUX;
        out->tags = (struct hale_str){comma + 1, out->name.len - len - 1};
        out->name.len = len;
    }
    return take_extras(rest, out, why_out);
}

/* --- tags --------------------------------------------------------------------------------- */

static void skip_blanks(struct hale_str *s)
{
    while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == ',')) {
        s->p++;
        s->len--;
    }
}

/* \xNN, \uNNNN and \UNNNNNNNN of a Python string, after the backslash. Python writes printable
 * characters as they are, so these are rare. */
static bool unescape_code(struct hale_str *s, struct hale_buf *text)
{
    size_t digits = s->p[0] == 'x' ? 2 : s->p[0] == 'u' ? 4 : 8;
    char hex[9] = "";
    char *end = NULL;

    if (s->len < digits + 1)
        return false;
    memcpy(hex, s->p + 1, digits);
    unsigned long code = strtoul(hex, &end, 16);
    if (end != hex + digits || code == 0 || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF))
        return false;
    if (code < 0x80) {
        hale_buf_add_char(text, (char)code);
    } else {
        unsigned n = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        static const unsigned char LEAD[] = {0, 0xC0, 0xE0, 0xF0};
        hale_buf_add_char(text, (char)(LEAD[n] | (code >> (6 * n))));
        while (n-- > 0)
            hale_buf_add_char(text, (char)(0x80 | ((code >> (6 * n)) & 0x3F)));
    }
    s->p += digits + 1;
    s->len -= digits + 1;
    return true;
}

static bool unescape(struct hale_str *s, struct hale_buf *text)
{
    static const char FROM[] = "nrt\\'\"";
    static const char TO[] = "\n\r\t\\'\"";

    if (s->len == 0)
        return false;
    if (s->p[0] == 'x' || s->p[0] == 'u' || s->p[0] == 'U')
        return unescape_code(s, text);
    const char *at = memchr(FROM, s->p[0], sizeof(FROM) - 1);
    if (at == NULL)
        return false;
    hale_buf_add_char(text, TO[at - FROM]);
    s->p++;
    s->len--;
    return true;
}

/* A quoted string or a bare word (a number, True, None), with a NUL. */
static bool python_text(struct hale_str *s, struct hale_buf *text)
{
    char quote = s->len > 0 && (s->p[0] == '\'' || s->p[0] == '"') ? s->p[0] : '\0';

    if (quote == '\0') {
        while (s->len > 0 && strchr(",:} ", s->p[0]) == NULL) {
            hale_buf_add_char(text, s->p[0]);
            s->p++;
            s->len--;
        }
        hale_buf_add_char(text, '\0');
        return true;
    }
    s->p++;
    s->len--;
    while (s->len > 0 && s->p[0] != quote) {
        char c = s->p[0];
        s->p++;
        s->len--;
        if (c == '\\' ? !unescape(s, text) : (hale_buf_add_char(text, c), false))
            return false;
    }
    if (s->len == 0)
        return false;
    s->p++;
    s->len--;
    hale_buf_add_char(text, '\0');
    return true;
}

static enum hale_rc python_tag(struct hale_str *rest, struct hale_buf *text)
{
    if (!python_text(rest, text))
        return HALE_E_INVAL;
    skip_blanks(rest);
    if (rest->len == 0 || rest->p[0] != ':')
        return HALE_E_INVAL;
    rest->p++;
    rest->len--;
    while (rest->len > 0 && rest->p[0] == ' ') {
        rest->p++;
        rest->len--;
    }
    return python_text(rest, text) ? HALE_OK : HALE_E_INVAL;
}

static enum hale_rc plain_tag(char separator, struct hale_str *rest,
                              struct hale_buf *text)
{
    struct hale_str value = hale_str_split(rest, ',');
    struct hale_str key = hale_str_split(&value, separator);

    if (rest->p == NULL)
        rest->len = 0;
    hale_buf_add(text, key.p, key.len);
    hale_buf_add_char(text, '\0');
    if (value.p != NULL)
        hale_buf_add(text, value.p, value.len);
    else
        hale_buf_add_c(text, "True");
    hale_buf_add_char(text, '\0');
    return HALE_OK;
}

enum hale_rc agent_statsd_next_tag(enum agent_statsd_tags form, struct hale_str *rest,
                                   struct hale_buf *text)
{
    enum hale_rc rc = HALE_OK;

    skip_blanks(rest);
    if (rest->len == 0)
        return HALE_E_CLOSED;
    switch (form) {
    case AGENT_STATSD_NO_TAGS: return HALE_E_CLOSED;
    case AGENT_STATSD_PYTHON: rc = python_tag(rest, text); break;
    case AGENT_STATSD_DOGSTATSD: rc = plain_tag(':', rest, text); break;
    case AGENT_STATSD_INFLUX: rc = plain_tag('=', rest, text); break;
    }
    return text->failed ? HALE_E_LIMIT : rc;
}
