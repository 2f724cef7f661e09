/* SPDX-License-Identifier: Apache-2.0 */
/* Informs and traps against a manager that the test plays: answers, refusals, rubbish, silence. (SNMPv3 is
 * tests/integration/test_actuator_snmp.py's, with a real one.) */
#include "actuator/managers.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/cmocka.h"

#define PATIENCE_MS 20000
#define INFORM      0xa6
#define RESPONSE    0xa2
#define TRAP        0xa7

static const char body[] =
    "{\"notification\":1,\"vars\":[[1,\"s\",\"id\"],[2,\"c\",4294967297],"
    "[8,\"i\",3],[17,\"d\",1700000000500],[23,\"g\",2]]}";

struct end {
    unsigned n;
    enum hale_rc rc;
    char error[256];
};

static void on_done(const struct hale_http_result *r, void *arg)
{
    struct end *e = arg;
    e->n++;
    e->rc = r->rc;
    (void)snprintf(e->error, sizeof(e->error), "%s", r->error);
}

static int peer(int type, unsigned *port_out)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port_out = ntohs(at.sin_port);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static struct actuator_snmp_conf conf_of(const char *host, unsigned port)
{
    static const uint32_t arc[] = {1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4253};
    struct actuator_snmp_conf c = {.host = (char *)(uintptr_t)host,
                                   .port = port,
                                   .community = (char *)(uintptr_t) "public",
                                   .community_len = 6,
                                   .engine_id = "\x80\x00\x1f\x88\x04hale",
                                   .engine_id_len = 9,
                                   .n_oid = 10};
    memcpy(c.oid, arc, sizeof(arc));
    return c;
}

static uint64_t start(struct actuator_managers *m, const struct actuator_snmp_conf *to,
                      int64_t timeout_ms, struct end *e)
{
    uint64_t id = 0;
    const struct actuator_manager_call call = {.to = to,
                                               .body = {body, sizeof(body) - 1},
                                               .timeout_ms = timeout_ms,
                                               .done = on_done,
                                               .arg = e};
    memset(e, 0, sizeof(*e));
    assert_int_equal(actuator_managers_start(m, &call, &id), HALE_OK);
    assert_true(id > 0);
    assert_int_equal(e->n, 0); /* never inside start */
    return id;
}

/* Runs the loop until something has ended, or fd is readable. */
static void run(struct actuator_managers *m, const struct end *e, int fd)
{
    int64_t end_ms = hale_clock_mono_ms() + PATIENCE_MS;
    struct pollfd fds[2] = {{.fd = -1}, {.fd = fd, .events = POLLIN}};
    actuator_managers_pollfd(m, &fds[0]);
    while (e->n == 0 && (fds[1].revents & POLLIN) == 0) {
        assert_true(hale_clock_mono_ms() < end_ms);
        assert_true(poll(fds, 2, PATIENCE_MS) > 0);
        actuator_managers_tick(m);
    }
}

/* The place of the PDU's tag, and behind its request id, of a message of version 2c. */
static unsigned char *pdu_of(unsigned char *msg, unsigned char **status_out)
{
    unsigned char *p = msg + 1;
    p += *p & 0x80 ? 1 + (*p & 0x7f) : 1; /* sequence */
    p += 2 + p[1];                        /* version */
    p += 2 + p[1];                        /* community */
    unsigned char *pdu = p++;
    p += *p & 0x80 ? 1 + (*p & 0x7f) : 1;
    p += 2 + p[1]; /* request id */
    *status_out = p + 2;
    return pdu;
}

/* Takes a message and answers it; returns its PDU's tag. */
static unsigned char answer(int fd, unsigned char status, int wrong_id)
{
    unsigned char msg[2048], *at;
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    ssize_t n = recvfrom(fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &len);
    assert_true(n > 60);
    unsigned char *pdu = pdu_of(msg, &at), tag = *pdu;
    *pdu = RESPONSE;
    *at = status;
    if (wrong_id)
        at[-3] ^= 1; /* the last byte of the request id */
    assert_int_equal(sendto(fd, msg, (size_t)n, 0, (struct sockaddr *)&from, len), n);
    return tag;
}

static void answers(void **state)
{
    (void)state;
    static const struct {
        unsigned char status;
        enum hale_rc rc;
    } cases[] = {
        {0, HALE_OK}, {0, HALE_OK}, {1, HALE_E_INVAL}, {5, HALE_E_IO}, {0, HALE_OK}};
    unsigned port;
    int fd = peer(SOCK_DGRAM, &port);
    const struct actuator_snmp_conf to = conf_of("127.0.0.1", port);
    struct actuator_managers *m = actuator_managers_new();
    struct end e;
    assert_non_null(m);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct actuator_manager_call again = {
            .to = &to, .body = {body, 2}, .timeout_ms = 1, .done = on_done, .arg = &e};
        uint64_t id;
        start(m, &to, PATIENCE_MS, &e);
        assert_int_equal(actuator_managers_start(m, &again, &id), HALE_E_LIMIT);
        run(m, &e, fd);
        assert_int_equal(answer(fd, cases[i].status, 0), INFORM);
        run(m, &e, -1);
        assert_int_equal(e.n, 1);
        assert_int_equal(e.rc, cases[i].rc);
        assert_int_equal(e.error[0] == '\0', cases[i].rc == HALE_OK);
    }
    actuator_managers_free(m);
    (void)close(fd);
}

static void rubbish_is_no_answer(void **state)
{
    (void)state;
    unsigned port;
    int fd = peer(SOCK_DGRAM, &port);
    const struct actuator_snmp_conf to = conf_of("127.0.0.1", port);
    struct actuator_managers *m = actuator_managers_new();
    struct end e;
    unsigned char msg[2048];
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    start(m, &to, PATIENCE_MS, &e);
    run(m, &e, fd);
    ssize_t n = recvfrom(fd, msg, sizeof(msg), MSG_PEEK, (struct sockaddr *)&from, &len);
    for (size_t cut = 0; cut < (size_t)n; cut += 7)
        (void)sendto(fd, msg, cut, 0, (struct sockaddr *)&from, len);
    (void)sendto(fd, "\x30\x84\xff\xff\xff\xff", 6, 0, (struct sockaddr *)&from, len);
    (void)answer(fd, 0, 1);
    for (int i = 0; i < 10; i++)
        actuator_managers_tick(m);
    assert_int_equal(e.n, 0);
    unsigned char *at;
    *pdu_of(msg, &at) = RESPONSE; /* the right one still counts */
    assert_int_equal(sendto(fd, msg, (size_t)n, 0, (struct sockaddr *)&from, len), n);
    run(m, &e, -1);
    assert_int_equal(e.rc, HALE_OK);
    start(m, &to, PATIENCE_MS, &e);
    actuator_managers_free(m); /* under way: not called back */
    assert_int_equal(e.n, 0);
    (void)close(fd);
}

static void nobody_and_silence(void **state)
{
    (void)state;
    unsigned port;
    int fd = peer(SOCK_DGRAM, &port);
    const struct actuator_snmp_conf to = conf_of("127.0.0.1", port);
    struct actuator_managers *m = actuator_managers_new();
    struct end e;
    start(m, &to, 50, &e);
    run(m, &e, -1);
    assert_int_equal(e.rc, HALE_E_AGAIN);
    assert_non_null(strstr(e.error, "nothing within 50 ms: no answer"));
    (void)close(fd);
    start(m, &to, PATIENCE_MS, &e);
    run(m, &e, -1);
    assert_int_equal(e.rc, HALE_E_IO);
    assert_string_equal(e.error, "nobody listens at that port");
    actuator_managers_free(m);
}

static void traps_and_cancelling(void **state)
{
    (void)state;
    unsigned port;
    int fd = peer(SOCK_DGRAM, &port);
    struct actuator_snmp_conf to = conf_of("localhost", port); /* a name: a thread */
    struct actuator_managers *m = actuator_managers_new();
    struct end e;
    to.trap = true;
    e.n = 0;
    for (int tries = 0; tries < 2 && (tries == 0 || e.rc != HALE_OK); tries++) {
        start(m, &to, PATIENCE_MS, &e); /* ::1 may come first: traps there are lost */
        run(m, &e, -1);
    }
    assert_int_equal(e.n, 1);
    struct actuator_snmp_conf other = conf_of("127.0.0.1", port);
    struct end kept;
    uint64_t id = start(m, &other, 50, &kept);
    actuator_managers_cancel(m, id);
    actuator_managers_cancel(m, 4711);
    other.trap = true;
    start(m, &other, PATIENCE_MS, &e);
    run(m, &e, -1);
    assert_int_equal(e.rc, HALE_OK);
    assert_int_equal(kept.n, 0);
    unsigned char msg[2048], *at, tag = 0;
    for (int i = 0; i < 3 && tag != TRAP; i++) {
        assert_true(recv(fd, msg, sizeof(msg), 0) > 60);
        tag = *pdu_of(msg, &at);
    }
    assert_int_equal(tag, TRAP);
    actuator_managers_free(m);
    (void)close(fd);
}

static void streams(void **state)
{
    (void)state;
    unsigned port;
    int fd = peer(SOCK_STREAM, &port);
    struct actuator_snmp_conf to = conf_of("127.0.0.1", port);
    struct actuator_managers *m = actuator_managers_new();
    struct end e;
    to.tcp = true;
    for (int i = 0; i < 2;
         i++) { /* hangs up in the middle; the next try has a connection of its own */
        start(m, &to, PATIENCE_MS, &e);
        run(m, &e, fd);
        int conn = accept(fd, NULL, NULL);
        assert_true(conn >= 0);
        run(m, &e, conn);
        unsigned char msg[2048], *at;
        ssize_t n = recv(conn, msg, sizeof(msg), 0);
        assert_true(n > 60);
        *pdu_of(msg, &at) = RESPONSE;
        if (i == 0)
            n = 20;
        assert_int_equal(send(conn, msg, (size_t)n, 0), n);
        if (i == 0)
            (void)close(conn);
        run(m, &e, -1);
        assert_int_equal(e.rc, i == 0 ? HALE_E_IO : HALE_OK);
        if (i > 0)
            (void)close(conn);
    }
    (void)close(fd);
    struct pollfd p;
    actuator_managers_pollfd(m, &p);
    assert_true(poll(&p, 1, PATIENCE_MS) > 0); /* the manager has hung up meanwhile */
    actuator_managers_tick(m);
    start(m, &to, PATIENCE_MS, &e);
    run(m, &e, -1);
    assert_int_equal(e.rc, HALE_E_IO);
    assert_non_null(strstr(e.error, "no connection: Connection refused"));
    actuator_managers_free(m);
}

static void names_that_are_none(void **state)
{
    (void)state;
    const struct actuator_snmp_conf to = conf_of("no-such-host.invalid", 162);
    struct actuator_managers *m = actuator_managers_new();
    struct end e;
    start(m, &to, 200, &e);
    run(m, &e, -1);
    if (e.rc == HALE_E_AGAIN) /* a name server that keeps us waiting */
        assert_non_null(strstr(e.error, "the name server does not answer"));
    else
        assert_non_null(strstr(e.error, "the name is not known: "));
    start(m, &to, PATIENCE_MS, &e);
    actuator_managers_free(m); /* while it is looked up */
    assert_int_equal(e.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(rubbish_is_no_answer),
        cmocka_unit_test(nobody_and_silence),
        cmocka_unit_test(traps_and_cancelling),
        cmocka_unit_test(streams),
        cmocka_unit_test(names_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
