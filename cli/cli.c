/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#include "cli/table.h"

int cli_fail(const struct hale_err *err)
{
    char text[512];
    hale_err_str(err, text, sizeof(text));
    (void)fprintf(stderr, "hale: %s\n", cli_table_clean(text));
    return CLI_FAILED;
}

int cli_print_json(const json_t *json)
{
    (void)json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
    return CLI_OK;
}

const char *cli_dims_text(const json_t *dims, char *dst, size_t dst_size)
{
    struct hale_buf text;
    const char *key;
    json_t *value;

    hale_buf_init(&text, dst_size);
    json_object_foreach ((json_t *)(uintptr_t)dims, key, value) {
        hale_buf_printf(&text, "%s%s=%s", text.len > 0 ? " " : "", key,
                        json_is_string(value) ? json_string_value(value) : "?");
    }
    (void)snprintf(dst, dst_size, "%s%s", text.p != NULL ? text.p : "",
                   text.failed ? " ..." : "");
    hale_buf_fini(&text);
    return dst;
}

const char *cli_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

enum hale_rc cli_dims_query(const struct cli_options *o, char *dst, size_t dst_size,
                            struct hale_err *err)
{
    size_t used = 0;
    dst[0] = '\0';
    for (unsigned i = 0; i < o->n_dims; i++) {
        const char *eq = strchr(o->dims[i], '=');
        if (eq == o->dims[i])
            return hale_err_set(err, HALE_E_INVAL,
                                "--dim '%s' has no key: write key=value", o->dims[i]);
        int key_len = eq != NULL ? (int)(eq - o->dims[i]) : (int)strlen(o->dims[i]);
        int n =
            snprintf(dst + used, dst_size - used, "%s%.*s%s%s", i > 0 ? "," : "", key_len,
                     o->dims[i], eq != NULL ? ":" : "", eq != NULL ? eq + 1 : "");
        if (n < 0 || (size_t)n >= dst_size - used)
            return hale_err_set(err, HALE_E_LIMIT,
                                "the --dim options are too long together");
        used += (size_t)n;
    }
    return HALE_OK;
}

enum hale_rc cli_time(const char *text, const char *option, int64_t now_ms, int64_t *out,
                      struct hale_err *err)
{
    int64_t ago_ms;
    if (hale_clock_parse_iso(hale_str_from(text), out) == HALE_OK)
        return HALE_OK;
    if (hale_str_duration_ms(hale_str_from(text), &ago_ms) == HALE_OK) {
        *out = now_ms - ago_ms;
        return HALE_OK;
    }
    return hale_err_set(err, HALE_E_INVAL,
                        "--%s '%.60s' is neither a time (2026-11-21T10:00:00Z) nor a "
                        "duration before now (30d)",
                        option, text);
}
