/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_STR_H
#define HALE_BASE_STR_H
/*
 * str - a view of bytes that somebody else owns. Not NUL-terminated.
 * Threads:   stateless.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"

struct hale_str {
    const char *p; /* may be NULL when len is 0 */
    size_t len;    /* bytes */
};

#define HALE_STR(lit) ((struct hale_str){(lit), sizeof(lit) - 1})

struct hale_str hale_str_from(const char *cstr); /* NULL gives the empty view */
bool hale_str_eq(struct hale_str a, struct hale_str b);
bool hale_str_eq_c(struct hale_str a, const char *cstr);
bool hale_str_ieq_c(struct hale_str a, const char *cstr); /* ASCII case folded */
int hale_str_cmp(struct hale_str a, struct hale_str b);   /* bytewise, then by length */
struct hale_str hale_str_trim(struct hale_str s);         /* ASCII blanks at both ends */
/* Takes the part before the first sep off *rest and returns it; *rest becomes what follows, or
 * {NULL,0} at the end. Use while (rest.p != NULL). */
struct hale_str hale_str_split(struct hale_str *rest, char sep);

/* Whole view must be the number. Range errors give HALE_E_LIMIT, anything else HALE_E_INVAL. */
HALE_MUST_CHECK enum hale_rc hale_str_u64(struct hale_str s, uint64_t *out);
HALE_MUST_CHECK enum hale_rc hale_str_i64(struct hale_str s, int64_t *out);
/* Finite decimal number ("-1.5", "1e3"), locale-independent. */
HALE_MUST_CHECK enum hale_rc hale_str_double(struct hale_str s, double *out);
/* "500ms", "10s", "5m", "1h30m", "7d" to milliseconds; a bare number is refused. */
HALE_MUST_CHECK enum hale_rc hale_str_duration_ms(struct hale_str s, int64_t *out_ms);
/* "512", "64k", "10m", "2g" (1024-based, suffix b allowed, any case) to bytes. */
HALE_MUST_CHECK enum hale_rc hale_str_bytes(struct hale_str s, uint64_t *out_bytes);
/* Number of code points if s is well-formed UTF-8 (RFC 3629), else HALE_E_INVAL. */
HALE_MUST_CHECK enum hale_rc hale_str_utf8_count(struct hale_str s, size_t *out);

/* The candidate nearest to word (Levenshtein distance <= 2 and < its length), or NULL.
 * candidates is a NULL-terminated array; the result points into it. For "did you mean". */
const char *hale_str_suggest(struct hale_str word, const char *const *candidates);

/* Lower-case hex of src into dst (2*n+1 bytes, NUL-terminated). */
void hale_str_hex(const void *src, size_t n, char *dst);
/* Reverse; s.len must be 2*n, else HALE_E_INVAL. */
HALE_MUST_CHECK enum hale_rc hale_str_unhex(struct hale_str s, void *dst, size_t n);
#endif
