/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

static int fail_fsync; /* errno to fail with, or 0 */
static int fail_rename;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    errno = fail_fsync;
    return fail_fsync != 0 ? -1 : __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    errno = fail_rename;
    return fail_rename != 0 ? -1 : __real_rename(from, to);
}

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/hale-fs-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int remove_dir(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_dir(const char *name)
{
    static char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static int count_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path, (void)st, (void)type;
    return ftw->level > 0 ? 1 : 0;
}

static void check_content(const char *path, const char *want)
{
    struct hale_buf b;
    struct hale_err err;
    hale_buf_init(&b, 1 << 20);
    assert_int_equal(hale_fs_read(path, &b, &err), HALE_OK);
    assert_string_equal(b.p, want);
    hale_buf_fini(&b);
}

static void test_write_read(void **state)
{
    struct hale_err err;
    struct stat st;
    (void)state;
    const char *path = in_dir("file");
    assert_int_equal(hale_fs_write(path, "one", 3, 0640, &err), HALE_OK);
    check_content(path, "one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(hale_fs_write(path, "other", 5, 0600, &err), HALE_OK);
    check_content(path, "other");
    assert_int_equal(hale_fs_write(path, "", 0, 0600, &err), HALE_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void test_read_ceiling(void **state)
{
    char bytes[100];
    struct hale_buf b;
    struct hale_err err;
    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    const char *path = in_dir("file");
    assert_int_equal(hale_fs_write(path, bytes, 100, 0600, &err), HALE_OK);
    hale_buf_init(&b, 100);
    assert_int_equal(hale_fs_read(path, &b, &err), HALE_OK);
    assert_int_equal(b.len, 100);
    hale_buf_fini(&b);
    hale_buf_init(&b, 99);
    assert_int_equal(hale_fs_read(path, &b, &err), HALE_E_LIMIT);
    assert_non_null(strstr(err.text, "99 bytes"));
    assert_string_equal(err.source, path);
    hale_buf_fini(&b);
    /* Files whose size the kernel does not know beforehand. */
    hale_buf_init(&b, 1 << 20);
    assert_int_equal(hale_fs_read("/proc/self/status", &b, &err), HALE_OK);
    assert_non_null(strstr(b.p, "Pid:"));
    hale_buf_fini(&b);
}

static void test_read_errors(void **state)
{
    struct hale_buf b;
    struct hale_err err;
    (void)state;
    hale_buf_init(&b, 100);
    assert_int_equal(hale_fs_read(in_dir("absent"), &b, &err), HALE_E_NOTFOUND);
    assert_string_equal(err.source, in_dir("absent"));
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(hale_fs_read(dir, &b, &err), HALE_E_IO);
    assert_int_equal(hale_fs_read(dir, &b, NULL), HALE_E_IO);
    hale_buf_fini(&b);
}

/* Whatever fails, the old content stays and no temporary file is left. */
static void test_write_failures(void **state)
{
    struct hale_err err;
    (void)state;
    assert_int_equal(hale_fs_write(in_dir("no/such"), "x", 1, 0600, &err),
                     HALE_E_NOTFOUND);
    fail_fsync = ENOSPC;
    assert_int_equal(hale_fs_write(in_dir("new"), "x", 1, 0600, &err), HALE_E_LIMIT);
    fail_fsync = 0;
    fail_rename = EACCES;
    assert_int_equal(hale_fs_write(in_dir("new"), "x", 1, 0600, &err), HALE_E_DENIED);
    fail_rename = 0;
    assert_int_equal(nftw(dir, count_entry, 8, FTW_PHYS), 0);
}

static void test_mkdirs(void **state)
{
    struct hale_err err;
    struct stat st;
    (void)state;
    assert_int_equal(hale_fs_mkdirs(in_dir("a/b//c/"), &err), HALE_OK);
    assert_int_equal(hale_fs_mkdirs(in_dir("a/b/c"), &err), HALE_OK);
    assert_int_equal(stat(in_dir("a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(hale_fs_write(in_dir("file"), "x", 1, 0600, &err), HALE_OK);
    assert_int_equal(hale_fs_mkdirs(in_dir("file/below"), &err), HALE_E_NOTFOUND);
    assert_int_equal(hale_fs_mkdirs("", &err), HALE_E_NOTFOUND);
    assert_int_equal(hale_fs_mkdirs("/", &err), HALE_OK);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(test_write_read),     IN_DIR(test_read_ceiling), IN_DIR(test_read_errors),
        IN_DIR(test_write_failures), IN_DIR(test_mkdirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
