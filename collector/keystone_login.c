/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keystone_login.h"

#include <jansson.h>
#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/fs.h"

#define SECRET_MAX 4096

void collector_keystone_wipe(struct hale_buf *b)
{
    if (b->p != NULL)
        OPENSSL_cleanse(b->p, b->len);
    hale_buf_fini(b);
}

/* One line; the newline at its end is not a part of the secret. */
static enum hale_rc read_secret(const char *path, struct hale_buf *out,
                                struct hale_err *err)
{
    enum hale_rc rc = hale_fs_read(path, out, err);

    while (rc == HALE_OK && out->len > 0 &&
           (out->p[out->len - 1] == '\n' || out->p[out->len - 1] == '\r'))
        out->p[--out->len] = '\0';
    if (rc == HALE_OK && out->len == 0)
        return hale_err_at(err, HALE_E_INVAL, path, 0, 0,
                           "the file is empty; it must hold the secret");
    return rc;
}

static void add_pair(struct hale_buf *out, const char *before, const char *text)
{
    hale_buf_add_c(out, before);
    hale_buf_add_json(out, hale_str_from(text));
}

static void add_password(const struct collector_keystone_config *conf,
                         struct hale_str secret, struct hale_buf *out)
{
    hale_buf_add_c(out, "{\"auth\":{\"identity\":{\"methods\":[\"password\"],"
                        "\"password\":{\"user\":{");
    add_pair(out, "\"name\":", conf->user);
    add_pair(out, ",\"domain\":{\"name\":", conf->user_domain);
    hale_buf_add_c(out, "},\"password\":");
    hale_buf_add_json(out, secret);
    add_pair(out, "}}},\"scope\":{\"project\":{\"name\":", conf->project);
    add_pair(out, ",\"domain\":{\"name\":", conf->project_domain);
    hale_buf_add_c(out, "}}}}}");
}

static void add_app_credential(const struct collector_keystone_config *conf,
                               struct hale_str secret, struct hale_buf *out)
{
    hale_buf_add_c(out,
                   "{\"auth\":{\"identity\":{\"methods\":[\"application_credential\"],"
                   "\"application_credential\":{");
    add_pair(out, "\"id\":", conf->application_credential_id);
    hale_buf_add_c(out, ",\"secret\":");
    hale_buf_add_json(out, secret);
    hale_buf_add_c(out, "}}}}");
}

enum hale_rc collector_keystone_login_body(const struct collector_keystone_config *conf,
                                           struct hale_buf *out, struct hale_err *err)
{
    bool password = conf->auth == COLLECTOR_KEYSTONE_PASSWORD;
    struct hale_buf secret;

    hale_buf_init(&secret, SECRET_MAX);
    enum hale_rc rc =
        read_secret(password ? conf->password_file : conf->secret_file, &secret, err);
    if (rc == HALE_OK && password)
        add_password(conf, hale_buf_str(&secret), out);
    else if (rc == HALE_OK)
        add_app_credential(conf, hale_buf_str(&secret), out);
    if (rc == HALE_OK && out->failed)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    collector_keystone_wipe(&secret);
    return rc;
}

enum hale_rc collector_keystone_login_expiry(struct hale_str body, int64_t *expires_ms)
{
    json_error_t why;
    json_t *doc = body.len > 0 ? json_loadb(body.p, body.len, 0, &why) : NULL;
    const char *text =
        json_string_value(json_object_get(json_object_get(doc, "token"), "expires_at"));
    enum hale_rc rc = text != NULL ? hale_clock_parse_iso(hale_str_from(text), expires_ms)
                                   : HALE_E_INVAL;
    json_decref(doc);
    return rc;
}
