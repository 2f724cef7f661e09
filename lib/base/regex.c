/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Internal calls of one match. An honest pattern on a dimension's value needs some hundred. */
#define WORK_MAX  20000
#define DEPTH_MAX 1000
#define HEAP_KIB  1024

struct hale_regex {
    pcre2_code *code;
    pcre2_match_data *found;
    pcre2_match_context *limits;
};

void hale_regex_free(struct hale_regex *r)
{
    if (r == NULL)
        return;
    pcre2_match_context_free(r->limits);
    pcre2_match_data_free(r->found);
    pcre2_code_free(r->code);
    free(r);
}

enum hale_rc hale_regex_new(struct hale_str pattern, struct hale_regex **out,
                            struct hale_err *err)
{
    const uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                             PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    const char *text = pattern.p != NULL ? pattern.p : "";
    PCRE2_UCHAR message[128];
    PCRE2_SIZE at = 0;
    int code = 0;

    *out = NULL;
    if (pattern.len > HALE_REGEX_MAX_BYTES)
        return hale_err_set(err, HALE_E_INVAL, "regular expression longer than %d bytes",
                            HALE_REGEX_MAX_BYTES);
    if (pattern.len >= 2 && text[0] == '(' && text[1] == '*')
        return hale_err_set(err, HALE_E_INVAL,
                            "regular expression: nothing to repeat at offset 1");
    struct hale_regex *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    r->code = pcre2_compile((PCRE2_SPTR)text, pattern.len, options, &code, &at, NULL);
    if (r->code == NULL) {
        (void)pcre2_get_error_message(code, message, sizeof(message));
        hale_regex_free(r);
        return hale_err_set(err, HALE_E_INVAL, "regular expression: %s at offset %zu",
                            (const char *)message, (size_t)at);
    }
    r->found = pcre2_match_data_create(1, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (r->found == NULL || r->limits == NULL) {
        hale_regex_free(r);
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    (void)pcre2_set_match_limit(r->limits, WORK_MAX);
    (void)pcre2_set_depth_limit(r->limits, DEPTH_MAX);
    (void)pcre2_set_heap_limit(r->limits, HEAP_KIB);
    *out = r;
    return HALE_OK;
}

enum hale_rc hale_regex_match(struct hale_regex *r, struct hale_str text, bool *matches)
{
    int n = pcre2_match(r->code, (PCRE2_SPTR)(text.p != NULL ? text.p : ""), text.len, 0,
                        0, r->found, r->limits);

    *matches = n >= 0;
    switch (n) {
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
    case PCRE2_ERROR_RECURSELOOP: return HALE_E_LIMIT;
    case PCRE2_ERROR_NOMEMORY: return HALE_E_NOMEM;
    default: return HALE_OK;
    }
}
