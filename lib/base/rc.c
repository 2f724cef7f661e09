/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *hale_rc_text(enum hale_rc rc)
{
    switch (rc) {
#define RC_CASE(name, value, text)                                                       \
    case HALE_##name: return (text);
        HALE_RC_MAP(RC_CASE)
#undef RC_CASE
    }
    return "unknown result";
}

enum hale_rc hale_rc_from_errno(int err)
{
    switch (err) {
    case 0: return HALE_OK;
    case EAGAIN:
    case EINTR:
    case EINPROGRESS:
    case EALREADY: return HALE_E_AGAIN;
    case EINVAL:
    case EDOM:
    case EILSEQ: return HALE_E_INVAL;
    case ENAMETOOLONG:
    case ENOSPC:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case EDQUOT:
    case EOVERFLOW:
    case ERANGE:
    case E2BIG:
    case EMSGSIZE: return HALE_E_LIMIT;
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
    case ESRCH: return HALE_E_NOTFOUND;
    case EEXIST:
    case ENOTEMPTY:
    case EADDRINUSE: return HALE_E_EXISTS;
    case ENOMEM:
    case ENOBUFS: return HALE_E_NOMEM;
    case EACCES:
    case EPERM:
    case EROFS: return HALE_E_DENIED;
    case EBUSY:
    case ETXTBSY: return HALE_E_CONFLICT;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
    case EBADF: return HALE_E_CLOSED;
    default: return HALE_E_IO;
    }
}

/* The text promises to be one line; whatever was formatted in may not. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            *text = ' ';
    }
}

static void HALE_PRINTF(3, 0)
    fill(struct hale_err *err, enum hale_rc rc, const char *fmt, va_list ap)
{
    err->rc = rc;
    if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
        err->text[0] = '\0';
    flatten(err->text);
}

enum hale_rc hale_err_set(struct hale_err *err, enum hale_rc rc, const char *fmt, ...)
{
    if (err == NULL)
        return rc;
    va_list ap;
    va_start(ap, fmt);
    fill(err, rc, fmt, ap);
    va_end(ap);
    err->source[0] = '\0';
    err->line = 0;
    err->col = 0;
    return rc;
}

enum hale_rc hale_err_at(struct hale_err *err, enum hale_rc rc, const char *source,
                         int line, int col, const char *fmt, ...)
{
    if (err == NULL)
        return rc;
    va_list ap;
    va_start(ap, fmt);
    fill(err, rc, fmt, ap);
    va_end(ap);
    /* source may be err->source itself: a caller that adds a line to an error it got. */
    if (source == NULL)
        err->source[0] = '\0';
    else if (source != err->source)
        (void)snprintf(err->source, sizeof(err->source), "%s", source);
    err->line = line;
    err->col = col;
    return rc;
}

const char *hale_err_str(const struct hale_err *err, char *dst, size_t dst_size)
{
    if (dst_size == 0)
        return dst;
    if (err->source[0] == '\0')
        (void)snprintf(dst, dst_size, "%s", err->text);
    else if (err->line <= 0)
        (void)snprintf(dst, dst_size, "%s: %s", err->source, err->text);
    else if (err->col <= 0)
        (void)snprintf(dst, dst_size, "%s:%d: %s", err->source, err->line, err->text);
    else
        (void)snprintf(dst, dst_size, "%s:%d:%d: %s", err->source, err->line, err->col,
                       err->text);
    return dst;
}
