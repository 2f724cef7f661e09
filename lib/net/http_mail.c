/* SPDX-License-Identifier: Apache-2.0 */
/* Letters by SMTP in the loop of http_client.c. */
#include <string.h>

#include "net/http_client_private.h"

#define TIMEOUT_DEFAULT_MS 10000
#define ANSWER_MAX         65536

#define SET(option, value)                                                               \
    (ok = ok && curl_easy_setopt(call->easy, (option), (value)) == CURLE_OK)

/* What could end a line or an address of the dialogue is not sent. */
static bool address_ok(const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;
    if (n == 0 || n > 512)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f || s[i] == '<' || s[i] == '>')
            return false;
    return true;
}

static bool url_ok(const char *url)
{
    return (strncmp(url, "smtp://", 7) == 0 && url[7] != '\0') ||
           (strncmp(url, "smtps://", 8) == 0 && url[8] != '\0');
}

static size_t drop(char *bytes, size_t size, size_t n, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * n;
}

static bool set_options(struct hale_http_job *call, const struct hale_mail *mail)
{
    static const long tls[] = {[HALE_MAIL_PLAIN] = CURLUSESSL_NONE,
                               [HALE_MAIL_TRY_TLS] = CURLUSESSL_TRY,
                               [HALE_MAIL_TLS] = CURLUSESSL_ALL};
    bool ok = true;
    SET(CURLOPT_PRIVATE, (void *)call);
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_URL, mail->url);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_USE_SSL, tls[mail->starttls]);
    SET(CURLOPT_TIMEOUT_MS,
        (long)(mail->timeout_ms > 0 ? mail->timeout_ms : TIMEOUT_DEFAULT_MS));
    SET(CURLOPT_MAIL_FROM, mail->from);
    SET(CURLOPT_MAIL_RCPT, call->rcpt);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->text.len);
    SET(CURLOPT_READFUNCTION, hale_http_job_read);
    SET(CURLOPT_READDATA, (void *)call);
    SET(CURLOPT_WRITEFUNCTION, drop);
    if (mail->user != NULL)
        SET(CURLOPT_USERNAME, mail->user);
    if (mail->password != NULL)
        SET(CURLOPT_PASSWORD, mail->password);
    if (mail->ca_file != NULL)
        SET(CURLOPT_CAINFO, mail->ca_file);
    return ok;
}

static bool add_recipients(struct hale_http_job *call, const char *const *to)
{
    for (size_t i = 0; to[i] != NULL; i++) {
        struct curl_slist *grown = curl_slist_append(call->rcpt, to[i]);
        if (grown == NULL)
            return false;
        call->rcpt = grown;
    }
    return true;
}

enum hale_rc hale_http_client_mail(struct hale_http_client *c,
                                   const struct hale_mail *mail, hale_http_done done,
                                   void *arg, uint64_t *id_out)
{
    if (!address_ok(mail->from) || mail->to[0] == NULL || !url_ok(mail->url))
        return HALE_E_INVAL;
    for (size_t i = 0; mail->to[i] != NULL; i++)
        if (!address_ok(mail->to[i]))
            return HALE_E_INVAL;
    if (c->active >= c->max_calls)
        return HALE_E_LIMIT;
    struct hale_http_job *call = hale_http_job_blank(c, ANSWER_MAX);
    if (call == NULL)
        return HALE_E_NOMEM;
    if (!add_recipients(call, mail->to) || !hale_http_job_copy(call, mail->text) ||
        !set_options(call, mail)) {
        hale_http_job_free(call);
        return HALE_E_NOMEM;
    }
    return hale_http_job_start(c, call, done, arg, id_out);
}
