/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_TOPOLOGY_PRIVATE_H
#define HALE_MODEL_TOPOLOGY_PRIVATE_H
/*
 * topology_private - what the files of topology share.
 */
#include "model/topology.h"

/* Puts "place." before the text of err, if it is about the input. Returns rc. */
enum hale_rc hale_topology_at(struct hale_err *err, enum hale_rc rc, const char *place);
/* "put[3]" into dst. Returns dst. */
const char *hale_topology_place(char *dst, size_t size, const char *list, size_t i);
/* List of references; every one is checked. self: a reference that it may not hold; NULL: any. */
HALE_MUST_CHECK enum hale_rc hale_topology_refs(const json_t *array, const char *key,
                                                const char *self,
                                                struct hale_strings *out,
                                                struct hale_err *err);
/* Refuses keys that are not in the NULL-terminated list. */
HALE_MUST_CHECK enum hale_rc
hale_topology_keys(const json_t *object, const char *const *keys, struct hale_err *err);
void hale_topology_strings_fini(struct hale_strings *s);
void hale_topology_strings_encode(struct hale_buf *out, const struct hale_strings *s);
#endif
