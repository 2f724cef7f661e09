/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_METHOD_H
#define HALE_MODEL_METHOD_H
/*
 * method - a notification method: where a tenant's alarms are told (Monasca's object).
 * Stored as JSON in the hash hale_keys.h calls HALE_KEYS_METHODS:
 *   {"v":1,"id":uuid,"tenant":s,"name":s,"type":"EMAIL|PAGERDUTY|WEBHOOK","address":s,
 *    "period":n,"created_ms":n,"updated_ms":n}
 * period: seconds between repeats while the alarm's state lasts; 0 = told once. Only a
 * WEBHOOK may have one.
 * Ownership: a method is its own heap object; free with hale_method_free.
 * Threads:   immutable after creation.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

enum hale_method_type { HALE_METHOD_EMAIL, HALE_METHOD_PAGERDUTY, HALE_METHOD_WEBHOOK };
#define HALE_METHOD_TYPES 3
const char *hale_method_type_text(enum hale_method_type t);

struct hale_method {
    char *id;
    char *tenant;
    char *name;
    char *address;
    enum hale_method_type type;
    int64_t period_s;
    int64_t created_ms, updated_ms;
};

void hale_method_free(struct hale_method *m);
/* From the stored JSON. */
HALE_MUST_CHECK enum hale_rc
hale_method_decode(struct hale_str json, struct hale_method **out, struct hale_err *err);
HALE_MUST_CHECK enum hale_rc hale_method_encode(const struct hale_method *m,
                                                struct hale_buf *out);
/* From the body of a POST (base NULL), of a PATCH over base, or of a PUT over base (whole:
 * every key is required). Checks all of Monasca's rules; HALE_E_INVAL with the text of the
 * 400. Identity and times are base's (NULL base: left NULL/0 for the caller). */
HALE_MUST_CHECK enum hale_rc hale_method_from_api(const json_t *body,
                                                  const struct hale_method *base,
                                                  bool whole, struct hale_method **out,
                                                  struct hale_err *err);
#endif
