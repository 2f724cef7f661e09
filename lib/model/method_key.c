/* SPDX-License-Identifier: Apache-2.0 */
#include "model/method_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

enum hale_rc hale_method_secret_load(const char *path, struct hale_method_secret *out,
                                     struct hale_err *err)
{
    struct hale_buf buf;
    memset(out, 0, sizeof(*out));
    hale_buf_init(&buf, HALE_METHOD_SECRET_MAX);
    enum hale_rc rc = hale_fs_read(path, &buf, err);
    while (rc == HALE_OK && buf.len > 0 &&
           (buf.p[buf.len - 1] == '\n' || buf.p[buf.len - 1] == '\r'))
        buf.p[--buf.len] = '\0';
    if (rc == HALE_OK && buf.len < HALE_METHOD_SECRET_MIN)
        rc = hale_err_set(
            err, HALE_E_INVAL,
            "%s has less than %d bytes: write 'openssl rand -hex 32' into it", path,
            HALE_METHOD_SECRET_MIN);
    if (rc == HALE_OK) {
        size_t len = buf.len;
        out->bytes = hale_buf_take(&buf);
        out->len = out->bytes != NULL ? len : 0;
        if (out->bytes == NULL)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    }
    if (buf.p != NULL)
        explicit_bzero(buf.p, buf.len);
    hale_buf_fini(&buf);
    return rc;
}

void hale_method_secret_fini(struct hale_method_secret *s)
{
    if (s->bytes != NULL)
        explicit_bzero(s->bytes, s->len);
    free(s->bytes);
    memset(s, 0, sizeof(*s));
}

enum hale_rc hale_method_key(const struct hale_method_secret *s, const char *method_id,
                             char key[HALE_METHOD_KEY_TEXT])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    char text[128];
    unsigned n = 0;
    int len = snprintf(text, sizeof(text), "hale notification method\n%s", method_id);
    key[0] = '\0';
    if (s->len == 0 || len < 0 || (size_t)len >= sizeof(text) ||
        HMAC(EVP_sha256(), s->bytes, (int)s->len, (const unsigned char *)text,
             (size_t)len, mac, &n) == NULL)
        return HALE_E_INVAL;
    hale_str_hex(mac, n, key);
    explicit_bzero(mac, sizeof(mac));
    return HALE_OK;
}
