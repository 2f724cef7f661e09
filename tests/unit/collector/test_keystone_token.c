/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "collector/keystone_token.h"

static char USER[] = "monasca-user", AGENT[] = "monasca-agent",
            READER[] = "monasca-read-only-user", ADMIN[] = "admin", TYPE[] = "monitoring";
static const struct collector_keystone_config CONF = {.service_type = TYPE,
                                                      .operators = {{USER}, 1},
                                                      .agents = {{AGENT}, 1},
                                                      .readers = {{READER}, 1},
                                                      .delegates = {{ADMIN}, 1}};

#define END         "\"expires_at\":\"2026-01-01T01:00:00.000000Z\""
#define END_MS      1767229200000
#define PROJECT     "\"project\":{\"id\":\"p1\",\"name\":\"n\"}"
#define WHO         "\"user\":{\"id\":\"u1\",\"name\":\"anna\"}"
#define TOKEN(more) "{\"token\":{" END "," PROJECT "," WHO more "}}"

static const struct {
    const char *body;
    enum hale_rc rc;
    unsigned roles;
} BODIES[] = {
    {TOKEN(",\"roles\":[{\"name\":\"monasca-user\"}]"), HALE_OK, COLLECTOR_OPERATOR},
    {TOKEN(",\"roles\":[{\"name\":\"Monasca-AGENT\"},{\"name\":\"x\"}]"), HALE_OK,
     COLLECTOR_AGENT},
    {TOKEN(",\"roles\":[{\"name\":\"monasca-read-only-user\"},{\"name\":\"admin\"}]"),
     HALE_OK, COLLECTOR_READER | COLLECTOR_DELEGATE},
    {TOKEN(",\"roles\":[{\"id\":\"admin\"},7,{\"name\":1},\"admin\"]"), HALE_OK, 0},
    {TOKEN(",\"roles\":{\"name\":\"admin\"}"), HALE_OK, 0},
    {TOKEN(""), HALE_OK, 0},
    {TOKEN(",\"application_credential\":{\"access_rules\":null}"), HALE_OK, 0},
    {TOKEN(",\"application_credential\":{\"access_rules\":7}"), HALE_E_INVAL, 0},
    {"{\"token\":{" END "," WHO "}}", HALE_E_DENIED, 0},
    {"{\"token\":{" END ",\"project\":{\"id\":\"a/b\"}}}", HALE_E_DENIED, 0},
    {"{\"token\":{" END ",\"project\":{\"id\":\"\"}}}", HALE_E_DENIED, 0},
    {"{\"token\":{" END ",\"project\":{\"id\":1}}}", HALE_E_INVAL, 0},
    {"{\"token\":{" END ",\"project\":null}}", HALE_E_INVAL, 0},
    {"{\"token\":{" PROJECT "}}", HALE_E_INVAL, 0},
    {"{\"token\":{\"expires_at\":1," PROJECT "}}", HALE_E_INVAL, 0},
    {"{\"token\":[]}", HALE_E_INVAL, 0},
    {"{}", HALE_E_INVAL, 0},
    {"[]", HALE_E_INVAL, 0},
    {"", HALE_E_INVAL, 0},
    {"{", HALE_E_INVAL, 0},
};

static void reads_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        struct collector_keystone_token t;
        struct hale_err err = {0};
        enum hale_rc rc =
            collector_keystone_token_read(&CONF, hale_str_from(BODIES[i].body), &t, &err);
        if (rc != BODIES[i].rc)
            fail_msg("%s gave %s", BODIES[i].body, hale_rc_text(rc));
        if (rc == HALE_OK) {
            assert_int_equal(t.who.roles, BODIES[i].roles);
            assert_string_equal(t.who.tenant, "p1");
            assert_string_equal(t.who.name, "anna");
            assert_int_equal(t.expires_ms, END_MS);
            assert_true(collector_keystone_token_allows(&t, "POST", "/any", END_MS - 1));
            assert_false(collector_keystone_token_allows(&t, "POST", "/any", END_MS));
        } else {
            assert_true(err.text[0] != '\0');
        }
        collector_keystone_token_fini(&t);
    }
}

static void names_fit(void **state)
{
    struct collector_keystone_token t;
    struct hale_err err = {0};
    char body[1024], name[80];
    (void)state;
    memset(name, 'n', sizeof(name));
    name[COLLECTOR_TOKEN_NAME_MAX + 1] = '\0';
    (void)snprintf(body, sizeof(body),
                   "{\"token\":{" END "," PROJECT ",\"user\":{\"id\":\"u1\","
                   "\"name\":\"%s\"}}}",
                   name);
    assert_int_equal(collector_keystone_token_read(&CONF, hale_str_from(body), &t, &err),
                     HALE_OK);
    assert_string_equal(t.who.name, "u1");
    collector_keystone_token_fini(&t);
}

static const struct {
    const char *pattern, *path;
    bool match;
} PATHS[] = {
    {"/v2.0/metrics", "/v2.0/metrics", true},
    {"/v2.0/metrics", "/v2.0/metrics/", false},
    {"/v2.0/metrics", "/v2x0/metrics", false}, /* a dot is a dot */
    {"/v2.0/*", "/v2.0/metrics", true},
    {"/v2.0/*", "/v2.0/", false}, /* at least one character */
    {"/v2.0/*", "/v2.0/a/b", false},
    {"/v2.0/*/state-history", "/v2.0/alarms/state-history", true},
    {"/v2.0/alarms/{id}", "/v2.0/alarms/7", true},
    {"/v2.0/alarms/{id}", "/v2.0/alarms/7/8", false},
    {"/v2.0/alarms/{id}/x", "/v2.0/alarms//x", false},
    {"/v2.0/**", "/v2.0/a/b/c", true},
    {"/v2.0/**", "/v2.0/", true},
    {"/v2.0/**", "/v2.0", false},
    {"**", "", true},
    {"**", "/x", true},
    {"/**/x", "/a/b/x", true},
    {"/**/x", "/x", false},
    {"/a*c", "/abbc", true},
    {"/a*c", "/ac", false},
    {"/a*c", "/ab/c", false},
    {"/{open", "/{open", true},
    {"/}", "/}", true},
    {"", "", true},
    {"", "/", false},
    {"/a", "", false},
    {"/**a**a**a**b", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
};

static void matches_paths(void **state)
{
    char much[600];
    (void)state;
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        if (collector_access_path_matches(PATHS[i].pattern, PATHS[i].path) !=
            PATHS[i].match)
            fail_msg("%s on %s", PATHS[i].pattern, PATHS[i].path);
    }
    memset(much, 'a', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    assert_false(collector_access_path_matches(much, much)); /* longer than we take */
}

static void enforces_rules(void **state)
{
    static const char BODY[] =
        TOKEN(",\"application_credential\":{\"access_rules\":["
              "{\"service\":\"monitoring\",\"method\":\"GET\",\"path\":\"/v2.0/**\"},"
              "{\"service\":\"compute\",\"method\":\"POST\",\"path\":\"/v2.0/**\"},"
              "{\"service\":\"monitoring\",\"method\":\"PUT\"},{}]}");
    struct collector_keystone_token t;
    struct hale_err err = {0};
    (void)state;
    assert_int_equal(collector_keystone_token_read(&CONF, hale_str_from(BODY), &t, &err),
                     HALE_OK);
    assert_true(t.restricted);
    assert_true(collector_keystone_token_allows(&t, "GET", "/v2.0/alarms", 0));
    assert_false(collector_keystone_token_allows(&t, "GET", "/v1/status", 0));
    assert_false(collector_keystone_token_allows(&t, "HEAD", "/v2.0/alarms", 0));
    assert_false(collector_keystone_token_allows(&t, "POST", "/v2.0/metrics", 0));
    assert_false(collector_keystone_token_allows(&t, "PUT", "/v2.0/alarms", 0));
    assert_false(collector_keystone_token_allows(&t, "GET", "/v2.0/alarms", END_MS));
    collector_keystone_token_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_answers),
        cmocka_unit_test(names_fit),
        cmocka_unit_test(matches_paths),
        cmocka_unit_test(enforces_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
