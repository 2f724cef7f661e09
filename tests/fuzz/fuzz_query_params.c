/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as any query parameter: accepted or refused with a message, never worse. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/params.h"
#include "collector/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(enum hale_rc rc, const struct hale_err *err)
{
    if (rc != HALE_OK && (rc != HALE_E_INVAL || err->text[0] == '\0'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const FIELDS[] = {"id", "name", "severity", NULL};
    struct hale_err err = {0};
    struct collector_dims dims;
    struct collector_list list;
    struct collector_cursor cursor;
    struct collector_sort sort;
    struct collector_match match;
    size_t n;
    int64_t t;

    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    expect(collector_params_dims(text, &dims, &err), &err);
    expect(collector_params_list(text, "x", &list, &err), &err);
    expect(collector_params_cursor(text, &cursor, &err), &err);
    expect(collector_params_sort(text, FIELDS, &sort, &err), &err);
    expect(collector_params_limit(text, &n, &err), &err);
    expect(collector_params_row(text, &n, &err), &err);
    expect(collector_params_period(text, &t, &err), &err);
    expect(collector_params_time(text, "x", &t, &err), &err);
    (void)collector_params_bool(text);
    collector_router_match(collector_routes, collector_routes_n, "GET", text, &match);
    free(text);
    return 0;
}
