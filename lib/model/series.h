/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_SERIES_H
#define HALE_MODEL_SERIES_H
/*
 * series - identity of a time series: (tenant, region, name, sorted dimensions).
 * Canonical form (docs/formats/series.md): u8 version 1; then tenant, region, name, each u16
 *   little-endian length + bytes; u16 number of dimensions; then per dimension key and value,
 *   each u16 length + bytes, sorted by key bytes, keys unique. Two series are the same exactly
 *   when these bytes are.
 * Id:        u64, hale_id_hash64 of the canonical form. A collision (same id, other bytes) is
 *   detected against the catalogue by the collector and refused, never merged.
 * Shard:     hash of (tenant, name) modulo the number of shards, so that all series of one metric
 *   name of one tenant meet in one shard (sub-alarm windows never span shards).
 * Threads:   values; stateless.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"
#include "base/str.h"
#include "model/limits.h"

struct hale_dim {
    struct hale_str key;
    struct hale_str value;
};

/* A decoded view: all strings point into the canonical bytes (or the caller's input). */
struct hale_series {
    struct hale_str tenant;
    struct hale_str region;
    struct hale_str name;
    unsigned n_dims;
    struct hale_dim dims[HALE_DIMS_MAX]; /* sorted by key */
};

/* Checks name against Monasca's rules (fact: 1..255 code points, none of <>={}(),"\;& nor blank).
 * HALE_E_INVAL with err->text = "invalid characters in metric name ..." and so on. */
HALE_MUST_CHECK enum hale_rc hale_series_check_name(struct hale_str name,
                                                    struct hale_err *err);
HALE_MUST_CHECK enum hale_rc
hale_series_check_dim(struct hale_str key, struct hale_str value, struct hale_err *err);
/* Sorts dims in place; HALE_E_INVAL on a duplicate key. */
HALE_MUST_CHECK enum hale_rc hale_series_sort(struct hale_series *s,
                                              struct hale_err *err);
/* Appends the canonical form of s (dims sorted). HALE_E_LIMIT over HALE_SERIES_MAX_BYTES, or when
 * out takes no more. */
HALE_MUST_CHECK enum hale_rc hale_series_encode(const struct hale_series *s,
                                                struct hale_buf *out);
/* Decodes into views of bytes. HALE_E_INVAL on anything that is not exactly a canonical form. */
HALE_MUST_CHECK enum hale_rc hale_series_decode(struct hale_str bytes,
                                                struct hale_series *out);
uint64_t hale_series_id(struct hale_str canonical);
/* n_shards >= 1 */
unsigned hale_series_shard(struct hale_str tenant, struct hale_str name,
                           unsigned n_shards);
/* Value of key or {NULL,0}. */
struct hale_str hale_series_dim(const struct hale_series *s, struct hale_str key);

#define HALE_SERIES_ID_TEXT 18
/* API form of an id: "s" + 16 hex digits (a letter, no '_': Monasca paging needs it). */
void hale_series_id_text(uint64_t id, char dst[HALE_SERIES_ID_TEXT]);
HALE_MUST_CHECK enum hale_rc hale_series_id_parse(struct hale_str text, uint64_t *out);
#endif
