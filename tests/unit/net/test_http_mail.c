/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the HTTP client only on conditions: letters that can be sent, calls to other machines.
 * Real letters: tests/integration/test_actuator_methods.py. */
#include "support/cmocka.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/http_client.h"
#include "raw_socket.h"

static void mail_done(const struct hale_http_result *r, void *arg)
{
    *(enum hale_rc *)arg = r->rc;
}

static void letters_that_cannot_be_sent_are_refused(void **state)
{
    static const struct {
        const char *url, *from, *to;
    } bad[] = {
        {"http://h/", "a@b", "c@d"},
        {"smtp://", "a@b", "c@d"},
        {"smtp://h", "", "c@d"},
        {"smtp://h", "a@b", ""},
        {"smtp://h", "a@b", "c@d\r\nDATA"},
        {"smtp://h", "a b@c", "c@d"},
        {"smtp://h", "a@b", "c@d> SIZE=1"},
        {"smtp://h", "a@b", "<c@d"},
    };
    struct hale_http_client *c = hale_http_client_new(1);
    enum hale_rc rc = HALE_E_AGAIN;
    (void)state;
    assert_non_null(c);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct hale_mail mail = {.url = bad[i].url,
                                       .from = bad[i].from,
                                       .to = (const char *const[]){bad[i].to, NULL},
                                       .text = HALE_STR("x")};
        if (hale_http_client_mail(c, &mail, mail_done, &rc, NULL) != HALE_E_INVAL)
            fail_msg("%s %s %s", bad[i].url, bad[i].from, bad[i].to);
    }
    assert_int_equal(hale_http_client_active(c), 0);
    hale_http_client_free(c);
}

static void a_letter_needs_a_server(void **state)
{
    struct hale_http_client *c = hale_http_client_new(1);
    enum hale_rc rc = HALE_OK;
    unsigned port = 0;
    char url[64];
    (void)state;
    int fd = raw_listen(&port); /* taken, then closed: nobody listens there */
    assert_true(fd >= 0);
    (void)close(fd);
    (void)snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", port);
    const struct hale_mail mail = {.url = url,
                                   .from = "a@b",
                                   .to = (const char *const[]){"c@d", NULL},
                                   .text = HALE_STR("x\r\n")};
    assert_int_equal(hale_http_client_mail(c, &mail, mail_done, &rc, NULL), HALE_OK);
    assert_int_equal(hale_http_client_mail(c, &mail, mail_done, &rc, NULL), HALE_E_LIMIT);
    while (hale_http_client_active(c) > 0)
        assert_int_equal(hale_http_client_poll(c, NULL, 0, 1000), HALE_OK);
    assert_int_equal(rc, HALE_E_IO);
    hale_http_client_free(c);
}

/* Nothing may arrive at the listener: not even a connection. */
static void local_addresses_are_not_called(void **state)
{
    static const char *const hosts[] = {
        "127.0.0.1", "localhost",          "127.1.2.3",         "0.0.0.0",
        "[::1]",     "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254",
        "[fe80::1]", "224.0.0.1",          "[fd00:ec2::254]"};
    unsigned port = 0;
    (void)state;
    int fd = raw_listen(&port);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct hale_http_result r;
        char url[96];
        (void)snprintf(url, sizeof(url), "http://%s:%u/", hosts[i], port);
        const struct hale_http_call call = {
            .method = "GET", .url = url, .timeout_ms = 5000, .only_remote = true};
        if (hale_http_call_sync(&call, &r, NULL, NULL) != HALE_E_DENIED)
            fail_msg("%s: %d %s", hosts[i], r.rc, r.error);
        assert_non_null(strstr(r.error, "loopback"));
        assert_false(r.sent);
    }
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 0), 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_that_cannot_be_sent_are_refused),
        cmocka_unit_test(a_letter_needs_a_server),
        cmocka_unit_test(local_addresses_are_not_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
