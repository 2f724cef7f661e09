/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a body of line protocol: the parser ends, its views lie in the body in order, values
 * are finite and times in range; each key becomes a series that decodes, or an error with a text.
 * The first byte chooses the unit of times.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/influx_line.h"
#include "model/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hale_influx_parser parser;

static void check_view(struct hale_str s, struct hale_str body, const char **at)
{
    HALE_ASSERT(s.p >= *at && s.len > 0 && s.p + s.len <= body.p + body.len);
    *at = s.p + s.len;
}

static void check_series(struct hale_str key, struct hale_str field)
{
    struct hale_buf out;
    struct hale_err err = {0};
    struct hale_series s;

    hale_buf_init(&out, 1u << 20);
    enum hale_rc rc =
        hale_influx_series(key, field, HALE_STR("t"), HALE_STR("r"), &out, &err);
    if (rc == HALE_OK) {
        HALE_ASSERT(hale_series_decode(hale_buf_str(&out), &s) == HALE_OK);
        HALE_ASSERT(hale_series_check_name(s.name, NULL) == HALE_OK);
    } else {
        HALE_ASSERT(rc == HALE_E_INVAL && err.text[0] != '\0');
    }
    hale_buf_fini(&out);
}

static void check_line(struct hale_str body, const char **at)
{
    check_view(parser.key, body, at);
    HALE_ASSERT(parser.n_fields >= 1 && parser.n_fields <= HALE_INFLUX_FIELDS_MAX);
    for (unsigned i = 0; i < parser.n_fields; i++) {
        check_view(parser.fields[i].name, body, at);
        HALE_ASSERT(isfinite(parser.fields[i].value));
        if (i < 4)
            check_series(parser.key, parser.fields[i].name);
    }
    HALE_ASSERT(!parser.has_time || llabs(parser.time_ms) <= INT64_C(9223372036855));
    HALE_ASSERT(parser.pos >= *at && parser.pos <= parser.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *exact = malloc(size);
    HALE_ASSERT(exact != NULL);
    memcpy(exact, data + 1, size - 1);
    struct hale_str body = {exact, size - 1};
    const char *at = body.p;
    enum hale_influx_result r;
    size_t steps = 0;

    hale_influx_init(&parser, body, (enum hale_influx_unit)(data[0] % 6));
    while ((r = hale_influx_next(&parser)) != HALE_INFLUX_END) {
        HALE_ASSERT(steps++ <= size);
        if (r == HALE_INFLUX_LINE)
            check_line(body, &at);
        else
            HALE_ASSERT(parser.reason != NULL && parser.err.text[0] != '\0');
    }
    HALE_ASSERT(parser.pos == parser.end);
    free(exact);
    return 0;
}
