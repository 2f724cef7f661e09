/* SPDX-License-Identifier: Apache-2.0 */
/* SNMP managers in the configuration: what is taken, and what is refused with which words. */
#include "actuator/conf_subscribers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cmocka.h"

static char good[64], small[64], empty[64];

static void write_file(char path[64], const char *text)
{
    (void)snprintf(path, 64, "/tmp/hale-snmp-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

/* $G, $S, $E: files. */
static enum hale_rc read_list(const char *form, struct actuator_subscribers *out,
                              struct hale_err *err)
{
    struct hale_buf text;
    struct hale_yaml *y = NULL;
    memset(out, 0, sizeof(*out));
    hale_buf_init(&text, 8192);
    for (const char *c = form; *c != '\0'; c++) {
        if (*c != '$')
            hale_buf_add_char(&text, *c);
        else
            hale_buf_add_c(&text, *++c == 'G' ? good : *c == 'S' ? small : empty);
    }
    assert_int_equal(hale_yaml_load(hale_buf_str(&text), "t", &y, err), HALE_OK);
    enum hale_rc rc = actuator_subscribers_read(hale_yaml_root(y), NULL, out, err);
    hale_yaml_free(y);
    hale_buf_fini(&text);
    return rc;
}

#define HEAD "- {name: n, profile: snmp, url: 'udp://nms:1162', snmp: "

static void taken(void **state)
{
    (void)state;
    static struct actuator_subscribers all;
    struct hale_err err = {.text = ""};
    assert_int_equal(
        read_list("- {name: a, profile: snmp, url: 'udp://nms.example.org', snmp: "
                  "{community_file: $G}}\n"
                  "- {name: b, profile: snmp, url: 'tcp://[2001:db8::1]:10162', snmp: "
                  "{version: 3, "
                  "user: u, auth: SHA-512, auth_file: $G, priv: AES-256-C, priv_file: "
                  "$G, kind: "
                  "trap, engine_id: 0x80001F88046e6f63, oid: .1.3.6.1.4.1.99999.7}}\n"
                  "- {name: c, profile: snmp, url: 'udp://10.0.0.1:162', snmp: {version: "
                  "3, user: "
                  "u, auth_file: $G}}\n"
                  "- {name: d, profile: snmp, url: 'udp://10.0.0.1:162', snmp: {version: "
                  "3, user: "
                  "v}}\n",
                  &all, &err),
        HALE_OK);
    const struct actuator_snmp_conf *a = all.v[0].snmp, *b = all.v[1].snmp,
                                    *c = all.v[2].snmp, *d = all.v[3].snmp;
    static const uint32_t arc[] = {1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 4253};
    assert_string_equal(a->host, "nms.example.org");
    assert_int_equal(a->port, 162);
    assert_false(a->tcp || a->v3 || a->trap);
    assert_int_equal(a->community_len, strlen("passphrase"));
    assert_memory_equal(a->community, "passphrase", a->community_len);
    assert_int_equal(a->n_oid, 10);
    assert_memory_equal(a->oid, arc, sizeof(arc));
    assert_string_equal(b->host, "2001:db8::1");
    assert_int_equal(b->port, 10162);
    assert_true(b->tcp && b->v3 && b->trap);
    assert_int_equal(b->auth, ACTUATOR_AUTH_SHA512);
    assert_int_equal(b->priv, ACTUATOR_PRIV_AES256_CISCO);
    assert_int_equal(b->auth_key.len, 64);
    assert_int_equal(b->priv_key.len, 64);
    assert_int_equal(b->engine_id_len, 8);
    assert_memory_equal(b->engine_id, "\x80\x00\x1f\x88\x04noc", 8);
    assert_int_equal(b->n_oid, 8);
    assert_int_equal(c->auth, ACTUATOR_AUTH_SHA256);
    assert_int_equal(c->auth_key.len, 32);
    assert_int_equal(c->priv_key.len, 0);
    assert_int_equal(d->auth_key.len, 0);
    actuator_subscribers_fini(&all);
}

/* RFC 3414, A.3.2: the key of "maplesyrup" by SHA-1. */
static void key_of_the_rfc(void **state)
{
    (void)state;
    static struct actuator_subscribers all;
    struct hale_err err = {.text = ""};
    char keep[64];
    static const unsigned char wanted[] = {0x9f, 0xb5, 0xcc, 0x03, 0x81, 0x49, 0x7b,
                                           0x37, 0x93, 0x52, 0x89, 0x39, 0xff, 0x78,
                                           0x8d, 0x5d, 0x79, 0x14, 0x52, 0x11};
    memcpy(keep, good, sizeof(keep));
    write_file(good, "maplesyrup\n");
    assert_int_equal(
        read_list(HEAD "{version: 3, user: u, auth: SHA-1, auth_file: $G}}", &all, &err),
        HALE_OK);
    assert_int_equal(all.v[0].snmp->auth_key.len, sizeof(wanted));
    assert_memory_equal(all.v[0].snmp->auth_key.bytes, wanted, sizeof(wanted));
    actuator_subscribers_fini(&all);
    (void)unlink(good);
    memcpy(good, keep, sizeof(keep));
}

static void refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {HEAD "{}}", "needs community_file"},
        {"- {name: n, profile: snmp, url: 'udp://nms'}", "profile snmp needs snmp:"},
        {"- {name: n, profile: snmp, snmp: {community_file: $G}}", "needs url: udp://"},
        {"- {name: n, profile: snmp, url: 'http://nms', snmp: {}}", "needs url: udp://"},
        {"- {name: n, profile: snmp, url: 'udp://nms:0', snmp: {}}", "needs url: udp://"},
        {"- {name: n, profile: snmp, url: 'udp://u@nms', snmp: {}}", "needs url: udp://"},
        {"- {name: n, profile: snmp, url: 'udp://nms/x', snmp: {}}", "needs url: udp://"},
        {"- {name: n, profile: snmp, url: 'udp://[::1', snmp: {}}", "needs url: udp://"},
        {"- {name: n, profile: snmp, url: 'udp://', snmp: {}}", "needs url: udp://"},
        {HEAD "{community_file: $E}}", "must hold 1 to 64 bytes"},
        {HEAD "{community_file: /nowhere}}", "community_file: "},
        {HEAD "{community: public}}", "unknown key 'community'"},
        {HEAD "{community_file: $G, user: u}}", "user is for version 3"},
        {HEAD "{version: 1, community_file: $G}}", "version"},
        {HEAD "{version: 3, community_file: $G, user: u}}", "is for version 2c"},
        {HEAD "{version: 3}}", "needs a user"},
        {HEAD "{version: 3, user: u, auth: SHA-256}}", "auth needs auth_file"},
        {HEAD "{version: 3, user: u, priv: AES, auth_file: $G}}", "priv needs priv_file"},
        {HEAD "{version: 3, user: u, priv_file: $G}}", "priv_file needs auth_file"},
        {HEAD "{version: 3, user: u, auth: MD5, auth_file: $G}}", "auth"},
        {HEAD "{version: 3, user: u, auth_file: $S}}", "at least 8 characters"},
        {HEAD "{version: 3, user: u, kind: trap, auth_file: $G}}", "needs engine_id"},
        {HEAD "{version: 3, user: u, engine_id: 8000}}", "5 to 32 bytes in hexadecimal"},
        {HEAD "{version: 3, user: u, engine_id: '0000000000'}}", "5 to 32 bytes"},
        {HEAD "{version: 3, user: u, engine_id: zz001f8804}}", "5 to 32 bytes"},
        {HEAD "{community_file: $G, oid: 1.3.6}}", "oid: numbers and dots"},
        {HEAD "{community_file: $G, oid: 1.3.6.1.4.1.9..1}}", "oid: numbers and dots"},
        {HEAD "{community_file: $G, oid: 1.3.6.1.4.1.4294967296}}",
         "oid: numbers and dots"},
        {HEAD "{community_file: $G, oid: "
              "1.3.6.1.4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1}}",
         "oid: numbers and dots"},
        {HEAD "{community_file: $G}, group_by: []}", "group_by is for people"},
        {HEAD "{community_file: $G}, headers: {A: b}}", "headers is for HTTP"},
        {HEAD "{community_file: $G}, secret_file: $G}", "secret_file is for HTTP"},
        {"- {name: n, url: 'http://h/', snmp: {}}", "snmp is for profile snmp"},
        {HEAD "{version: 3, user: u, auth_file: $G}}\n"
              "- {name: m, profile: snmp, url: 'udp://nms:1162', snmp: {version: 3, "
              "user: u, auth: "
              "SHA-512, auth_file: $G}}",
         "with other keys"},
    };
    static struct actuator_subscribers all;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_err err = {.text = ""};
        assert_int_not_equal(read_list(cases[i][0], &all, &err), HALE_OK);
        if (strstr(err.text, cases[i][1]) == NULL)
            fail_msg("%s: got '%s', wanted '%s'", cases[i][0], err.text, cases[i][1]);
        actuator_subscribers_fini(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(key_of_the_rfc),
        cmocka_unit_test(refused),
    };
    write_file(good, "passphrase\n");
    write_file(small, "short\n");
    write_file(empty, "\n");
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(good);
    (void)unlink(small);
    (void)unlink(empty);
    return rc;
}
