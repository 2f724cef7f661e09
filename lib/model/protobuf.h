/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_PROTOBUF_H
#define HALE_MODEL_PROTOBUF_H
/*
 * protobuf - the wire format, one field at a time, without descriptions of messages, generated code
 * or allocation (wraps nanopb's low level; nobody else includes it). Reading gives spans into the
 * message, so a message can serve as a key by its raw bytes.
 * Limits:    a message is not entered by itself: nesting is the caller's, hence bounded by its code.
 *            Groups (deprecated, wire types 3 and 4) count as damage.
 * Threads:   values of the caller; stateless otherwise.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct hale_pb {
    const unsigned char *p, *end; /* what is left */
    bool damaged;                 /* latches: _next gives false for ever */
};

enum hale_pb_kind { HALE_PB_VARINT, HALE_PB_FIXED64, HALE_PB_BYTES, HALE_PB_FIXED32 };

struct hale_pb_field {
    uint32_t number;
    enum hale_pb_kind kind;
    uint64_t bits;         /* of a varint or a fixed; 0 for bytes */
    struct hale_str bytes; /* content of a string, bytes, message or packed field */
    struct hale_str whole; /* the field with its tag */
};

struct hale_pb hale_pb_open(struct hale_str message);
/* The next field. False at the end and on damage; look at r->damaged once. */
bool hale_pb_next(struct hale_pb *r, struct hale_pb_field *out);
/* number and kind are these; another kind of the same number is to be skipped like an unknown field. */
bool hale_pb_is(const struct hale_pb_field *f, uint32_t number, enum hale_pb_kind kind);
double hale_pb_double(const struct hale_pb_field *f); /* of HALE_PB_FIXED64 */
/* Element i of a packed field of fixed64 or double; i < bytes.len / 8. */
uint64_t hale_pb_packed64(struct hale_str bytes, size_t i);
double hale_pb_packed_double(struct hale_str bytes, size_t i);

/* --- writing: appends to out, whose .failed latches ------------------------------------------ */
void hale_pb_put_varint(struct hale_buf *out, uint32_t number, uint64_t v);
void hale_pb_put_fixed64(struct hale_buf *out, uint32_t number, uint64_t bits);
void hale_pb_put_double(struct hale_buf *out, uint32_t number, double v);
void hale_pb_put_bytes(struct hale_buf *out, uint32_t number, struct hale_str bytes);
/* A message inside a message: begin, its fields, end with what begin gave. Its length takes four
 * bytes whatever it is; up to 256 MiB. */
size_t hale_pb_begin(struct hale_buf *out, uint32_t number);
void hale_pb_end(struct hale_buf *out, size_t begun);
#endif
