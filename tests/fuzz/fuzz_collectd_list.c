/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON as collectd's body: each list is read or refused with a reason, each number is finite, and
 * each spelling becomes a series that decodes, or an error with a text. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "collector/collectd_list.h"
#include "model/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_series(const struct collector_collectd_list *l, struct hale_str dsname)
{
    size_t n = collector_collectd_spelling_bytes(l);
    char *spelling = malloc(n);
    struct hale_buf out;
    struct hale_err err = {0};
    struct hale_series s;

    HALE_ASSERT(spelling != NULL);
    collector_collectd_spell(l, spelling);
    hale_buf_init(&out, 1u << 20);
    enum hale_rc rc = collector_collectd_series((struct hale_str){spelling, n}, dsname,
                                                HALE_STR("t"), HALE_STR("r"), &out, &err);
    if (rc == HALE_OK)
        HALE_ASSERT(hale_series_decode(hale_buf_str(&out), &s) == HALE_OK &&
                    hale_series_dim(&s, HALE_STR("hostname")).len > 0);
    else
        HALE_ASSERT(rc == HALE_E_INVAL && err.text[0] != '\0');
    hale_buf_fini(&out);
    free(spelling);
}

static void check_item(const json_t *item)
{
    struct collector_collectd_list l;
    struct hale_err err = {0};

    if (collector_collectd_read(item, &l, &err) != HALE_OK) {
        HALE_ASSERT(l.reason != NULL && err.text[0] != '\0');
        return;
    }
    HALE_ASSERT(l.n_values > 0);
    for (size_t i = 0; i < l.n_values; i++) {
        struct hale_str dsname;
        double value;
        if (collector_collectd_value(&l, i, &value, &dsname) != COLLECTOR_COLLECTD_NUMBER)
            continue;
        HALE_ASSERT(isfinite(value) && dsname.len > 0);
        check_series(&l, dsname);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);

    if (root == NULL)
        return 0;
    check_item(root);
    for (size_t i = 0; i < json_array_size(root); i++)
        check_item(json_array_get(root, i));
    json_decref(root);
    return 0;
}
