/* SPDX-License-Identifier: Apache-2.0 */
#include "model/series.h"

#include <string.h>

#include "base/assert.h"
#include "base/id.h"
#include "model/metric_json_scan.h"

#define VERSION    1
#define SHOW_BYTES 100 /* of a name in a message */

/* Bytes that Monasca refuses everywhere, and those it refuses in a metric name besides. */
static const char forbidden[] = "<>={},\"\\;&";
static const char forbidden_in_name[] = "() ";

/* what: "metric name" and so on. NUL is refused though Monasca takes it: names are handled as
 * C strings by too many programs behind us (documented in docs/formats/series.md). */
static enum hale_rc check_text(struct hale_str s, size_t max_chars, const char *also,
                               const char *what, struct hale_err *err)
{
    char show[SHOW_BYTES];
    size_t chars;
    if (hale_str_utf8_count(s, &chars) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL, "%s is not UTF-8", what);
    if (chars < 1 || chars > max_chars)
        return hale_err_set(err, HALE_E_INVAL, "invalid length for %s %s (1 to %zu)",
                            what, hale_scan_show(s, show, sizeof(show)), max_chars);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\0' || strchr(forbidden, s.p[i]) != NULL ||
            strchr(also, s.p[i]) != NULL)
            return hale_err_set(err, HALE_E_INVAL, "invalid characters in %s %s", what,
                                hale_scan_show(s, show, sizeof(show)));
    }
    return HALE_OK;
}

enum hale_rc hale_series_check_name(struct hale_str name, struct hale_err *err)
{
    return check_text(name, HALE_NAME_MAX_CHARS, forbidden_in_name, "metric name", err);
}

enum hale_rc hale_series_check_dim(struct hale_str key, struct hale_str value,
                                   struct hale_err *err)
{
    char show[SHOW_BYTES];
    enum hale_rc rc = check_text(key, HALE_DIM_KEY_MAX_CHARS, "", "dimension key", err);
    if (rc != HALE_OK)
        return rc;
    if (key.p[0] == '_')
        return hale_err_set(err, HALE_E_INVAL,
                            "invalid dimension key %s: it must not start with '_'",
                            hale_scan_show(key, show, sizeof(show)));
    return check_text(value, HALE_DIM_VALUE_MAX_CHARS, "", "dimension value", err);
}

enum hale_rc hale_series_sort(struct hale_series *s, struct hale_err *err)
{
    HALE_ASSERT(s->n_dims <= HALE_DIMS_MAX);
    for (unsigned i = 1; i < s->n_dims; i++) {
        struct hale_dim dim = s->dims[i];
        unsigned at = i;
        for (; at > 0 && hale_str_cmp(s->dims[at - 1].key, dim.key) > 0; at--)
            s->dims[at] = s->dims[at - 1];
        s->dims[at] = dim;
    }
    for (unsigned i = 1; i < s->n_dims; i++) {
        char show[SHOW_BYTES];
        if (hale_str_eq(s->dims[i - 1].key, s->dims[i].key))
            return hale_err_set(err, HALE_E_INVAL, "dimension key %s is given twice",
                                hale_scan_show(s->dims[i].key, show, sizeof(show)));
    }
    return HALE_OK;
}

static size_t encoded_len(const struct hale_series *s)
{
    size_t n = 1 + 4 * 2 + s->tenant.len + s->region.len + s->name.len;
    for (unsigned i = 0; i < s->n_dims; i++)
        n += 2 * 2 + s->dims[i].key.len + s->dims[i].value.len;
    return n;
}

static char *put_u16(char *p, size_t v)
{
    p[0] = (char)(v & 0xff);
    p[1] = (char)(v >> 8);
    return p + 2;
}

static char *put_str(char *p, struct hale_str s)
{
    p = put_u16(p, s.len);
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    return p + s.len;
}

enum hale_rc hale_series_encode(const struct hale_series *s, struct hale_buf *out)
{
    HALE_ASSERT(s->n_dims <= HALE_DIMS_MAX);
    for (unsigned i = 1; i < s->n_dims; i++)
        HALE_ASSERT(hale_str_cmp(s->dims[i - 1].key, s->dims[i].key) < 0);
    size_t len = encoded_len(s); /* the ceiling keeps each length within u16 */
    if (len > HALE_SERIES_MAX_BYTES)
        return HALE_E_LIMIT;
    char *start = hale_buf_reserve(out, len);
    if (start == NULL)
        return HALE_E_LIMIT;
    char *p = start;
    *p++ = VERSION;
    p = put_str(p, s->tenant);
    p = put_str(p, s->region);
    p = put_str(p, s->name);
    p = put_u16(p, s->n_dims);
    for (unsigned i = 0; i < s->n_dims; i++) {
        p = put_str(p, s->dims[i].key);
        p = put_str(p, s->dims[i].value);
    }
    HALE_ASSERT((size_t)(p - start) == len);
    out->len += len;
    out->p[out->len] = '\0';
    return HALE_OK;
}

static bool take_u16(struct hale_str *rest, size_t *out)
{
    if (rest->len < 2)
        return false;
    *out = (size_t)((unsigned char)rest->p[0] | (unsigned char)rest->p[1] << 8);
    rest->p += 2;
    rest->len -= 2;
    return true;
}

static bool take_str(struct hale_str *rest, struct hale_str *out)
{
    size_t len;
    if (!take_u16(rest, &len) || rest->len < len)
        return false;
    *out = (struct hale_str){rest->p, len};
    rest->p += len;
    rest->len -= len;
    return true;
}

enum hale_rc hale_series_decode(struct hale_str bytes, struct hale_series *out)
{
    struct hale_str rest = bytes;
    size_t n;
    if (bytes.len < 1 || bytes.len > HALE_SERIES_MAX_BYTES || bytes.p[0] != VERSION)
        return HALE_E_INVAL;
    rest.p++;
    rest.len--;
    if (!take_str(&rest, &out->tenant) || !take_str(&rest, &out->region) ||
        !take_str(&rest, &out->name) || !take_u16(&rest, &n) || n > HALE_DIMS_MAX)
        return HALE_E_INVAL;
    out->n_dims = (unsigned)n;
    for (unsigned i = 0; i < n; i++) {
        struct hale_dim *dim = &out->dims[i];
        if (!take_str(&rest, &dim->key) || !take_str(&rest, &dim->value))
            return HALE_E_INVAL;
        if (i > 0 && hale_str_cmp(out->dims[i - 1].key, dim->key) >= 0)
            return HALE_E_INVAL;
    }
    return rest.len == 0 ? HALE_OK : HALE_E_INVAL;
}

uint64_t hale_series_id(struct hale_str canonical)
{
    return hale_id_hash64(canonical.p, canonical.len);
}

unsigned hale_series_shard(struct hale_str tenant, struct hale_str name,
                           unsigned n_shards)
{
    HALE_ASSERT(n_shards >= 1);
    uint64_t of_tenant = hale_id_hash64(tenant.p, tenant.len);
    return (unsigned)(hale_id_hash64_seed(name.p, name.len, of_tenant) % n_shards);
}

struct hale_str hale_series_dim(const struct hale_series *s, struct hale_str key)
{
    for (unsigned i = 0; i < s->n_dims; i++) {
        if (hale_str_eq(s->dims[i].key, key))
            return s->dims[i].value;
    }
    return (struct hale_str){NULL, 0};
}

void hale_series_id_text(uint64_t id, char dst[HALE_SERIES_ID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    dst[0] = 's';
    for (unsigned i = 0; i < 16; i++)
        dst[1 + i] = hex[id >> (60 - 4 * i) & 15];
    dst[17] = '\0';
}

enum hale_rc hale_series_id_parse(struct hale_str text, uint64_t *out)
{
    uint64_t id = 0;
    if (text.len != HALE_SERIES_ID_TEXT - 1 || text.p[0] != 's')
        return HALE_E_INVAL;
    for (unsigned i = 1; i < text.len; i++) {
        char c = text.p[i];
        if (c >= '0' && c <= '9')
            id = id << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            id = id << 4 | (uint64_t)(c - 'a' + 10);
        else
            return HALE_E_INVAL;
    }
    *out = id;
    return HALE_OK;
}
