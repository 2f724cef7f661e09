/* SPDX-License-Identifier: Apache-2.0 */
/* definition_words - the words of a definition's keys, and the delays that are numbers. */
#include "base/assert.h"
#include "model/definition_private.h"

const char *const hale_semantics_choices[] = {
    [HALE_SEMANTICS_HALE] = "hale",
    [HALE_SEMANTICS_MONASCA] = "monasca",
    NULL,
};

const char *const hale_missing_choices[] = {
    "", "keep", "undetermined", "ok", "alarm", NULL,
};

const char *hale_missing_text(enum hale_missing m)
{
    HALE_ASSERT((unsigned)m <= HALE_MISSING_ALARM);
    return m == HALE_MISSING_DEFAULT ? NULL : hale_missing_choices[m];
}

enum hale_rc hale_definition_seconds(const json_t *body, const char *key, int64_t max_s,
                                     int64_t *out_s, struct hale_err *err)
{
    const json_t *v = json_object_get(body, key);
    json_int_t s = json_integer_value(v);
    if (v == NULL)
        return HALE_OK;
    if (!json_is_null(v) && (!json_is_integer(v) || s < 1 || s > max_s))
        return hale_err_set(err, HALE_E_INVAL, "%s must be whole seconds from 1 to %lld",
                            key, (long long)max_s);
    *out_s = s;
    return HALE_OK;
}
