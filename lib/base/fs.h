/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_BASE_FS_H
#define HALE_BASE_FS_H
/*
 * fs - whole small files. Threads: any.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rc.h"

/* Appends the file's bytes to out (whose max is the ceiling: larger files give HALE_E_LIMIT).
 * HALE_E_NOTFOUND, HALE_E_DENIED, HALE_E_IO; err names the path and the reason. */
HALE_MUST_CHECK enum hale_rc hale_fs_read(const char *path, struct hale_buf *out,
                                          struct hale_err *err);
/* Writes path atomically (temporary file, fsync, rename, fsync of the directory) with mode. */
HALE_MUST_CHECK enum hale_rc hale_fs_write(const char *path, const void *bytes, size_t n,
                                           unsigned mode, struct hale_err *err);
/* Makes a rename in the directory of path durable. */
HALE_MUST_CHECK enum hale_rc hale_fs_sync_parent(const char *path, struct hale_err *err);
/* mkdir -p with mode 0750; existing directories are fine. */
HALE_MUST_CHECK enum hale_rc hale_fs_mkdirs(const char *path, struct hale_err *err);
#endif
