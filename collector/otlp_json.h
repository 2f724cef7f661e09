/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_OTLP_JSON_H
#define HALE_COLLECTOR_OTLP_JSON_H
/*
 * otlp_json - an OTLP metrics request from its JSON encoding to protobuf, so that there is one reading
 * of both. Only what the collector reads is carried over; unknown keys and nulls are skipped, as the
 * specification wants. Keys are in lowerCamelCase; 64-bit integers are numbers or strings; doubles
 * may be "NaN", "Infinity", "-Infinity". Content of an attribute that is an array, a map or bytes is left
 * out: only that it is one matters.
 * Limits:    jansson's nesting (2048) while parsing; our own depth is that of the messages. out's.
 * Threads:   stateless.
 */
#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"

/* Appends the message to out. HALE_E_INVAL: not JSON, or not of this shape; err says where.
 * HALE_E_LIMIT: out takes no more. */
HALE_MUST_CHECK enum hale_rc collector_otlp_json_read(struct hale_str text,
                                                      struct hale_buf *out,
                                                      struct hale_err *err);
#endif
