/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_RC_H
#define HALE_BASE_RC_H
/*
 * rc - result codes and the error that is shown to a person.
 * Purpose:   one vocabulary for "what went wrong" in the whole tree. Functions that can fail
 *            return enum hale_rc; those whose failure a person must mend also fill a
 *            struct hale_err with the place and the fix.
 * Ownership: struct hale_err is a plain value of the caller, no heap.
 * Threads:   stateless.
 */
#include <stddef.h>

#define HALE_RC_MAP(X)                                                                   \
    X(OK, 0, "ok")                                                                       \
    X(E_AGAIN, -1, "try again later")                                                    \
    X(E_INVAL, -2, "invalid input")                                                      \
    X(E_LIMIT, -3, "limit reached")                                                      \
    X(E_NOTFOUND, -4, "not found")                                                       \
    X(E_EXISTS, -5, "exists already")                                                    \
    X(E_IO, -6, "input/output error")                                                    \
    X(E_NOMEM, -7, "out of memory")                                                      \
    X(E_DENIED, -8, "not allowed")                                                       \
    X(E_CONFLICT, -9, "conflict")                                                        \
    X(E_CLOSED, -10, "closed")

enum hale_rc {
#define HALE_RC_ENUM(name, value, text) HALE_##name = (value),
    HALE_RC_MAP(HALE_RC_ENUM)
#undef HALE_RC_ENUM
};

/* Marks a function whose result may not be dropped. */
#define HALE_MUST_CHECK         __attribute__((warn_unused_result))
#define HALE_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* An error for a person. line and col count from 1; 0 means unknown. */
struct hale_err {
    enum hale_rc rc;
    int line;
    int col;
    char source[128]; /* file name, URL, or "" */
    char text[320];   /* what is wrong and, where known, the fix; no newline */
};

/* Static text of rc; never NULL. */
const char *hale_rc_text(enum hale_rc rc);
/* Maps an errno value (> 0) to the nearest code; unknown ones give HALE_E_IO. */
enum hale_rc hale_rc_from_errno(int err);

/* Fills *err (NULL allowed: then only rc is returned). Truncates. Returns rc. */
enum hale_rc hale_err_set(struct hale_err *err, enum hale_rc rc, const char *fmt, ...)
    HALE_PRINTF(3, 4);
/* As above with a place. source may be NULL. */
enum hale_rc hale_err_at(struct hale_err *err, enum hale_rc rc, const char *source,
                         int line, int col, const char *fmt, ...) HALE_PRINTF(6, 7);
/* "file:12:3: text", "file:12: text", "file: text" or "text" into dst (always NUL-terminated).
 * Returns dst. */
const char *hale_err_str(const struct hale_err *err, char *dst, size_t dst_size);
#endif
