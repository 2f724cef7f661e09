/* SPDX-License-Identifier: Apache-2.0 */
#include "model/method_key.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "support/cmocka.h"

static void write_file(const char *path, const char *text)
{
    assert_int_equal(hale_fs_write(path, text, strlen(text), 0600, NULL), HALE_OK);
}

static void keys_are_of_one_method_each(void **state)
{
    /* printf 'hale notification method\nm1' | openssl dgst -sha256 -hmac 0123456789abcdef */
    static const char known[] =
        "348fa7b41e299274f5e4f2490b85982c0c8b2a878a1041da68cbc2a64103cdd3";
    char path[64], key[HALE_METHOD_KEY_TEXT], other[HALE_METHOD_KEY_TEXT];
    struct hale_method_secret s = {0};
    struct hale_err err = {0};
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/hale-method-key-%d", (int)getpid());
    assert_int_equal(hale_method_key(&s, "m1", key), HALE_E_INVAL); /* no secret */
    write_file(path, "0123456789abcdef\r\n");
    assert_int_equal(hale_method_secret_load(path, &s, &err), HALE_OK);
    assert_int_equal(s.len, 16);
    assert_int_equal(hale_method_key(&s, "m1", key), HALE_OK);
    assert_string_equal(key, known);
    assert_int_equal(hale_method_key(&s, "m2", other), HALE_OK);
    assert_string_not_equal(key, other);
    hale_method_secret_fini(&s);
    write_file(path, "0123456789abcde\n"); /* too short */
    assert_int_equal(hale_method_secret_load(path, &s, &err), HALE_E_INVAL);
    assert_non_null(strstr(err.text, "openssl rand"));
    assert_int_equal(s.len, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(hale_method_secret_load(path, &s, &err), HALE_E_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_of_one_method_each)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
