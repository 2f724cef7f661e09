/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_JSON_UTIL_H
#define HALE_MODEL_JSON_UTIL_H
/*
 * json_util - what the record codecs of this directory share. Private to lib/model.
 * Both directions latch: read or write all fields, then look at the result once.
 * Ownership: every string and json_t handed out is the caller's own (new reference), also when
 *            a later field fails; free all fields through the record's _fini.
 * Threads:   stateless.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

/* Parses text that must be one JSON object with "v":1. The message of err names the place. */
HALE_MUST_CHECK enum hale_rc hale_json_parse_record(struct hale_str text, json_t **out,
                                                    struct hale_err *err);
/* Appends any JSON value compactly, reals as their shortest text. false: nested too deeply. */
HALE_MUST_CHECK bool hale_json_write(json_t *value, struct hale_buf *out);

/* ---- reading the keys of one object ---- */

struct hale_json_in {
    json_t *object;  /* borrowed; NULL or not an object fails every required key */
    enum hale_rc rc; /* the first failure */
    const char *key; /* its key */
};
enum hale_json_need { HALE_JSON_REQUIRED, HALE_JSON_OPTIONAL };

struct hale_json_in hale_json_in_init(json_t *object);
/* Not empty. */
void hale_json_in_id(struct hale_json_in *in, const char *key, char **out);
/* Missing and optional gives "". */
void hale_json_in_str(struct hale_json_in *in, const char *key, enum hale_json_need need,
                      char **out);
/* Missing or null gives NULL. */
void hale_json_in_str_or_null(struct hale_json_in *in, const char *key, char **out);
/* Missing and optional leaves *out. */
void hale_json_in_i64(struct hale_json_in *in, const char *key, enum hale_json_need need,
                      int64_t min, int64_t max, int64_t *out);
void hale_json_in_bool(struct hale_json_in *in, const char *key, enum hale_json_need need,
                       bool *out);
/* Index of the text in the NULL-terminated choices; required. */
int hale_json_in_choice(struct hale_json_in *in, const char *key,
                        const char *const *choices);
/* New reference; missing and optional gives an empty one. */
void hale_json_in_object(struct hale_json_in *in, const char *key,
                         enum hale_json_need need, json_t **out);
void hale_json_in_array(struct hale_json_in *in, const char *key,
                        enum hale_json_need need, json_t **out);
/* Object whose values are all strings. */
void hale_json_in_string_map(struct hale_json_in *in, const char *key,
                             enum hale_json_need need, json_t **out);
/* Array of {"name": string, "dimensions": string map}. */
void hale_json_in_metrics(struct hale_json_in *in, const char *key,
                          enum hale_json_need need, json_t **out);
void hale_json_in_numbers(struct hale_json_in *in, const char *key,
                          enum hale_json_need need, json_t **out);

/* ---- writing one object ---- */

struct hale_json_out {
    struct hale_buf *buf;
    bool first;
    bool bad; /* a required string was NULL or an id empty */
};
/* Writes "{"; nested objects: write the key, then open another one on the same buffer. */
struct hale_json_out hale_json_out_open(struct hale_buf *buf);
/* Writes "}". HALE_E_INVAL for missing required strings, HALE_E_LIMIT when the buffer refused. */
HALE_MUST_CHECK enum hale_rc hale_json_out_close(struct hale_json_out *out);
void hale_json_out_key(struct hale_json_out *out, const char *key);
void hale_json_out_id(struct hale_json_out *out, const char *key, const char *value);
void hale_json_out_str(struct hale_json_out *out, const char *key, const char *value);
void hale_json_out_str_or_null(struct hale_json_out *out, const char *key,
                               const char *value);
void hale_json_out_i64(struct hale_json_out *out, const char *key, int64_t value);
void hale_json_out_bool(struct hale_json_out *out, const char *key, bool value);
/* NULL is written as fallback, which is JSON text. */
void hale_json_out_json(struct hale_json_out *out, const char *key, json_t *value,
                        const char *fallback);
#endif
