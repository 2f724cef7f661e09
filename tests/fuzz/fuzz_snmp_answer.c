/* SPDX-License-Identifier: Apache-2.0 */
/* What may come back from an SNMP manager, any bytes, over datagrams and streams. First byte: bit 0 version 3
 * with encryption, bit 1 a stream, bit 2: what follows are edits (offset, value) of our own message made an
 * answer, so that request ids fit; else it is the answer itself, in pieces at bytes 0xff. An answer that is not
 * authenticated is never a receipt. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actuator/snmp.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char body[] = "{\"notification\":1,\"vars\":[[1,\"s\",\"id\"],[8,\"i\",3]]}";

static struct actuator_snmp_conf conf_of(bool v3, bool stream)
{
    static char community[] = "public", user[] = "noc", host[] = "h";
    static const uint32_t arc[] = {1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4253};
    struct actuator_snmp_conf c = {
        .host = host,
        .port = 162,
        .tcp = stream,
        .v3 = v3,
        .community = community,
        .community_len = 6,
        .user = user,
        .auth = ACTUATOR_AUTH_SHA256,
        .auth_key = {.bytes = "an authentication key of 32 byte", .len = 32},
        .priv_key = {.bytes = "a privacy key that has 32 bytes.", .len = 32},
        .engine_id = "\x80\x00\x1f\x88\x04hale",
        .engine_id_len = 9,
        .n_oid = 10};
    memcpy(c.oid, arc, sizeof(arc));
    return c;
}

/* Our message as an answer: a Response, or for the question for the engine a Report. */
static void make_answer(uint8_t *msg, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (msg[i] == 0xa6 || msg[i] == 0xa0) {
            msg[i] = msg[i] == 0xa6 ? 0xa2 : 0xa8;
            return;
        }
}

static void come_back(struct actuator_snmp *s, int fd, const uint8_t *p, size_t n)
{
    if (send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        actuator_snmp_read(s);
}

static void edited(struct actuator_snmp *s, int fd, const uint8_t *data, size_t size)
{
    uint8_t msg[2048];
    ssize_t n;
    for (int round = 0; round < 2; round++) { /* the engine's, then the inform's */
        n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT);
        if (n <= 0)
            return;
        make_answer(msg, (size_t)n);
        for (; size >= 2 && *data != 0xff; data += 2, size -= 2)
            msg[data[0] % (size_t)n] = data[1];
        come_back(s, fd, msg, (size_t)n);
        if (size > 0) {
            data++;
            size--;
        }
    }
}

static void as_it_is(struct actuator_snmp *s, int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        const uint8_t *end = memchr(data, 0xff, size);
        size_t n = end != NULL ? (size_t)(end - data) : size;
        come_back(s, fd, data, n > 4096 ? 4096 : n);
        data += n + (end != NULL);
        size -= n + (end != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    struct hale_http_result r;
    if (size == 0)
        return 0;
    bool v3 = (data[0] & 1) != 0, stream = (data[0] & 2) != 0;
    const struct actuator_snmp_conf conf = conf_of(v3, stream);
    int type = (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    HALE_ASSERT(socketpair(AF_UNIX, type, 0, fds) == 0);
    struct actuator_snmp *s = actuator_snmp_open(&conf, fds[0]);
    HALE_ASSERT(s != NULL);
    actuator_snmp_send(s, (struct hale_str){body, sizeof(body) - 1}, 1);
    HALE_ASSERT(!actuator_snmp_result(s, &r));
    if ((data[0] & 4) != 0)
        edited(s, fds[1], data + 1, size - 1);
    else
        as_it_is(s, fds[1], data + 1, size - 1);
    if (actuator_snmp_result(s, &r)) {
        HALE_ASSERT(r.rc != HALE_OK || !v3);
        HALE_ASSERT((r.rc == HALE_OK) == (r.error[0] == '\0'));
    }
    HALE_ASSERT(actuator_snmp_silence(s)[0] != '\0');
    actuator_snmp_close(s);
    (void)close(fds[1]);
    return 0;
}
