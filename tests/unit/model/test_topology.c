/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/topology.h"
#include "support/fail_alloc.h"

#define ENTITY                                                                           \
    "{\"type\":\"vm\",\"id\":\"3f\",\"name\":\"web\",\"state\":\"maintenance\","         \
    "\"match\":[{\"hostname\":\"h1\"},{\"resource_id\":\"3f\",\"x\":\"y\"}],"            \
    "\"attributes\":{\"az\":\"nova\"},\"source\":\"nova\","                              \
    "\"hosted_by\":[\"host/compute-1\"],\"depends_on\":[{\"group\":\"uplinks\","         \
    "\"mode\":\"any\",\"on\":[\"switch/s1\",\"switch/s/2\"]},{\"group\":\"db\","         \
    "\"mode\":\"all\",\"on\":[\"vm/db\"]}],\"connects\":[\"host/a\",\"switch/s1\"]}"
#define UPDATE                                                                           \
    "{\"v\":1,\"tenant\":\"t\",\"source\":\"nova\",\"by\":\"ops\",\"at_ms\":5,"          \
    "\"put\":[" ENTITY "],\"patch\":[{\"type\":\"host\",\"id\":\"a\",\"match\":[],"      \
    "\"attributes\":{},\"hosted_by\":[],\"depends_on\":[],\"connects\":[]}],"            \
    "\"delete\":[\"vm/old\"],\"sync\":{\"id\":\"s-1\",\"begin\":true,\"end\":true}}"

static enum hale_rc read_text(const char *text, struct hale_entity *out,
                              struct hale_err *err)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    enum hale_rc rc = hale_entity_from_json(json, out, err);
    json_decref(json);
    return rc;
}

static void entities_come_back_as_they_were(void **state)
{
    struct hale_entity e;
    struct hale_err err;
    struct hale_buf out;
    (void)state;
    assert_int_equal(read_text(ENTITY, &e, &err), HALE_OK);
    assert_string_equal(e.id, "3f");
    assert_true(e.has_state && e.state == HALE_ENTITY_MAINTENANCE);
    assert_int_equal(e.n_depends_on, 2);
    assert_true(e.depends_on[0].any && !e.depends_on[1].any);
    assert_string_equal(e.depends_on[0].on.v[1], "switch/s/2");
    hale_buf_init(&out, 4096);
    assert_int_equal(hale_entity_encode(&e, &out), HALE_OK);
    assert_string_equal(out.p, ENTITY);
    hale_buf_fini(&out);
    hale_entity_fini(&e);
    hale_entity_fini(&e);
}

static void updates_come_back_as_they_were(void **state)
{
    struct hale_topology_update u;
    struct hale_err err;
    struct hale_buf out;
    (void)state;
    assert_int_equal(hale_topology_update_decode(HALE_STR(UPDATE), &u, &err), HALE_OK);
    assert_int_equal(u.n_put, 1);
    assert_int_equal(u.n_patch, 1);
    assert_true(u.patch[0].has_hosted_by && u.patch[0].hosted_by.n == 0);
    assert_string_equal(u.deleted.v[0], "vm/old");
    assert_true(u.sync_begin && u.sync_end);
    hale_buf_init(&out, 8192);
    assert_int_equal(hale_topology_update_encode(&u, &out), HALE_OK);
    assert_string_equal(out.p, UPDATE);
    hale_buf_fini(&out);
    hale_topology_update_fini(&u);
}

#define E(rest) "{\"type\":\"vm\",\"id\":\"a\"," rest "}"

static void what_is_wrong_is_told_with_its_place(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "type: must be in a map"},
        {"{\"id\":\"a\"}", "type: must be a word"},
        {"{\"type\":\"Vm\",\"id\":\"a\"}", "type: must be a word"},
        {"{\"type\":\"vm\"}", "id: must be a text of 1 to 255"},
        {"{\"type\":\"vm\",\"id\":\"\"}", "id: must be"},
        {"{\"type\":\"vm\",\"id\":\"a\\n\"}", "id: must be"},
        {E("\"nmae\":\"x\""), "nmae: unknown key - did you mean \"name\"?"},
        {E("\"colour\":\"x\""), "colour: unknown key"},
        {E("\"name\":7"), "name: must be a text"},
        {E("\"source\":\"a b\""), "source: must be a word"},
        {E("\"state\":\"dwon\""),
         "state: must be up, down, maintenance or unknown - did you "
         "mean \"down\"?"},
        {E("\"match\":{}"), "match: must be a list of maps"},
        {E("\"match\":[{}]"), "match[0]: is empty"},
        {E("\"match\":[{\"a\":\"b\"},{\"a\":1}]"), "match[1].a: must be a text"},
        {E("\"attributes\":[]"), "attributes: must be a map"},
        {E("\"attributes\":{\"n\":1}"), "attributes.n: must be a text"},
        {E("\"hosted_by\":\"host/a\""), "hosted_by: must be a list"},
        {E("\"hosted_by\":[1]"), "hosted_by[0]: must be a text"},
        {E("\"hosted_by\":[\"host/a\",\"compute-1\"]"),
         "hosted_by[1]: \"compute-1\" is not a reference"},
        {E("\"hosted_by\":[\"vm/a\"]"), "hosted_by[0]: is the entity itself"},
        {E("\"connects\":[\"vm/b\",\"vm/b\"]"), "connects: \"vm/b\" is there twice"},
        {E("\"depends_on\":{}"), "depends_on: must be a list"},
        {E("\"depends_on\":[1]"), "depends_on[0].group: must be in a map"},
        {E("\"depends_on\":[{\"group\":\"g\",\"on\":[\"vm/b\"]}]"),
         "depends_on[0].mode: must be \"all\" (needs every one) or \"any\""},
        {E("\"depends_on\":[{\"group\":\"g\",\"mode\":\"anyy\",\"on\":[\"vm/b\"]}]"),
         "did you mean \"any\"?"},
        {E("\"depends_on\":[{\"group\":\"g\",\"mode\":\"any\",\"on\":[]}]"),
         "depends_on[0].on: is empty"},
        {E("\"depends_on\":[{\"group\":\"g\",\"mode\":\"any\",\"on\":[\"x\"]}]"),
         "depends_on[0].on[0]: \"x\" is not"},
        {E("\"depends_on\":[{\"group\":\"g\",\"mode\":\"any\",\"on\":[\"vm/b\"]},"
           "{\"group\":\"g\",\"mode\":\"all\",\"on\":[\"vm/c\"]}]"),
         "depends_on[1].group: \"g\" is there twice"},
        {E("\"depends_on\":[{\"mode\":\"any\",\"on\":[\"vm/b\"]}]"),
         "depends_on[0].group: must"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_entity e;
        struct hale_err err = {0};
        assert_int_equal(read_text(cases[i].text, &e, &err), HALE_E_INVAL);
        assert_null(e.type);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s says: %s", cases[i].text, err.text);
    }
}

#define U(rest) "{\"v\":1,\"tenant\":\"t\",\"source\":\"s\",\"at_ms\":1" rest "}"

static void a_wrong_update_names_the_item(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{", "not JSON"},
        {"{}", "version 1"},
        {"{\"v\":1,\"source\":\"s\",\"at_ms\":1}", "tenant: "},
        {"{\"v\":1,\"tenant\":\"t\",\"source\":\"s s\",\"at_ms\":1}",
         "source: must be a word"},
        {"{\"v\":1,\"tenant\":\"t\",\"source\":\"s\"}", "at_ms: "},
        {U(",\"puts\":[]"), "puts: unknown key - did you mean \"put\"?"},
        {U(",\"put\":{}"), "put: must be a list"},
        {U(",\"put\":[{\"type\":\"vm\",\"id\":\"a\"},{\"type\":\"vm\"}]"),
         "put[1].id: must"},
        {U(",\"patch\":[{\"type\":\"vm\",\"id\":\"a\",\"source\":\"o\"}]"),
         "patch[0].source: is not that of the update (\"s\")"},
        {U(",\"delete\":[\"vm\"]"), "delete[0]: \"vm\" is not a reference"},
        {U(",\"sync\":1"), "sync.id: "},
        {U(",\"sync\":{\"id\":\"\"}"), "sync.id: must be a word"},
        {U(",\"sync\":{\"id\":\"a\",\"end\":1}"), "sync.end: must be true or false"},
        {U(",\"sync\":{\"id\":\"a\",\"ende\":true}"),
         "sync.ende: unknown key - did you mean \"end\"?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_topology_update u;
        struct hale_err err = {0};
        assert_int_equal(
            hale_topology_update_decode(hale_str_from(cases[i].text), &u, &err),
            HALE_E_INVAL);
        assert_null(u.tenant);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s says: %s", cases[i].text, err.text);
    }
}

/* One more than each ceiling is refused, the ceiling itself is not. */
static void ceilings(void **state)
{
    static const struct {
        const char *list, *item, *says;
        int max;
    } cases[] = {
        {"match", "{\"k\":\"%d\"}", "match: more than", HALE_TOPOLOGY_MATCH_MAX},
        {"hosted_by", "\"host/%d\"", "hosted_by: more than", HALE_TOPOLOGY_REFS_MAX},
        {"depends_on", "{\"group\":\"%d\",\"mode\":\"any\",\"on\":[\"vm/b\"]}",
         "depends_on: must be", HALE_TOPOLOGY_REFS_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int more = 0; more <= 1; more++) {
            struct hale_buf text;
            struct hale_entity e;
            struct hale_err err = {0};
            hale_buf_init(&text, 1u << 20);
            hale_buf_printf(&text, "{\"type\":\"vm\",\"id\":\"a\",\"%s\":[",
                            cases[i].list);
            for (int k = 0; k < cases[i].max + more; k++) {
                hale_buf_add_c(&text, k > 0 ? "," : "");
                const char *cut = strstr(cases[i].item, "%d");
                hale_buf_add(&text, cases[i].item, (size_t)(cut - cases[i].item));
                hale_buf_printf(&text, "%d", k);
                hale_buf_add_c(&text, cut + 2);
            }
            hale_buf_add_c(&text, "]}");
            enum hale_rc rc = read_text(text.p, &e, &err);
            assert_int_equal(rc, more ? HALE_E_INVAL : HALE_OK);
            if (more && strstr(err.text, cases[i].says) == NULL)
                fail_msg("%s", err.text);
            hale_entity_fini(&e);
            hale_buf_fini(&text);
        }
    }
}

static void a_patch_changes_only_what_it_names(void **state)
{
    static const struct {
        const char *patch, *gives;
    } cases[] = {
        {"{\"type\":\"vm\",\"id\":\"a\"}",
         "{\"type\":\"vm\",\"id\":\"a\",\"name\":\"n\",\"state\":\"down\",\"match\":[{"
         "\"k\":"
         "\"v\"}],\"source\":\"nova\",\"hosted_by\":[\"host/1\"]}"},
        {"{\"type\":\"vm\",\"id\":\"a\",\"name\":\"m\",\"state\":\"up\",\"source\":"
         "\"file\"}",
         "{\"type\":\"vm\",\"id\":\"a\",\"name\":\"m\",\"state\":\"up\",\"match\":[{"
         "\"k\":"
         "\"v\"}],\"source\":\"nova\",\"hosted_by\":[\"host/1\"]}"},
        {"{\"type\":\"vm\",\"id\":\"a\",\"match\":[],\"hosted_by\":[],\"connects\":[\"a/"
         "b\"],"
         "\"attributes\":{\"x\":\"y\"},\"depends_on\":[{\"group\":\"g\",\"mode\":\"any\","
         "\"on\":[\"vm/b\"]}]}",
         "{\"type\":\"vm\",\"id\":\"a\",\"name\":\"n\",\"state\":\"down\",\"match\":[],"
         "\"attributes\":{\"x\":\"y\"},\"source\":\"nova\",\"hosted_by\":[],\"depends_"
         "on\":[{"
         "\"group\":\"g\",\"mode\":\"any\",\"on\":[\"vm/b\"]}],\"connects\":[\"a/b\"]}"},
    };
    struct hale_entity base, patch, both, wanted;
    struct hale_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_text(cases[0].gives, &base, &err), HALE_OK);
        assert_int_equal(read_text(cases[i].patch, &patch, &err), HALE_OK);
        assert_int_equal(read_text(cases[i].gives, &wanted, &err), HALE_OK);
        assert_int_equal(hale_entity_patch(&base, &patch, &both), HALE_OK);
        assert_true(hale_entity_equal(&both, &wanted));
        assert_int_equal(hale_entity_equal(&both, &base), i == 0);
        hale_entity_fini(&base);
        hale_entity_fini(&patch);
        hale_entity_fini(&both);
        hale_entity_fini(&wanted);
    }
}

static void every_key_makes_a_difference(void **state)
{
    json_t *whole = json_loads(ENTITY, 0, NULL), *value;
    const char *key;
    struct hale_entity e, less;
    struct hale_err err;
    (void)state;
    assert_int_equal(hale_entity_from_json(whole, &e, &err), HALE_OK);
    json_object_foreach (whole, key, value) {
        json_t *rest = json_copy(whole);
        if (strcmp(key, "type") == 0 || strcmp(key, "id") == 0)
            assert_int_equal(json_object_set_new(rest, key, json_string("other")), 0);
        else
            assert_int_equal(json_object_del(rest, key), 0);
        assert_int_equal(hale_entity_from_json(rest, &less, &err), HALE_OK);
        if (hale_entity_equal(&e, &less))
            fail_msg("%s", key);
        hale_entity_fini(&less);
        json_decref(rest);
    }
    hale_entity_fini(&e);
    json_decref(whole);
}

static void references(void **state)
{
    struct hale_str type, id;
    (void)state;
    assert_true(hale_topology_ref(HALE_STR("my_type2/a/b c"), &type, &id));
    assert_true(hale_str_eq_c(type, "my_type2"));
    assert_true(hale_str_eq_c(id, "a/b c"));
    static const char *const wrong[] = {"",      "vm",   "vm/",     "/a",
                                        "2vm/a", "Vm/a", "vm/a\x7f"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(hale_topology_ref(hale_str_from(wrong[i]), &type, &id));
    char longest[HALE_TOPOLOGY_REF_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    longest[HALE_TOPOLOGY_TYPE_MAX] = '/';
    struct hale_str ref = {longest, HALE_TOPOLOGY_TYPE_MAX + 1 + HALE_TOPOLOGY_ID_MAX};
    assert_true(hale_topology_ref(ref, &type, &id));
    ref.len++;
    assert_false(hale_topology_ref(ref, &type, &id));
}

static void states(void **state)
{
    enum hale_entity_state s;
    (void)state;
    for (int i = HALE_ENTITY_UP; i <= HALE_ENTITY_UNKNOWN; i++) {
        const char *text = hale_entity_state_text((enum hale_entity_state)i);
        assert_int_equal(hale_entity_state_parse(hale_str_from(text), &s), HALE_OK);
        assert_int_equal(s, i);
    }
    assert_int_equal(hale_entity_state_parse(HALE_STR("UP"), &s), HALE_E_INVAL);
}

/* Whichever allocation fails: an error, nothing leaked (asan), nothing left in *out. */
static void memory_may_fail_anywhere(void **state)
{
    (void)state;
    enum hale_rc rc = HALE_E_NOMEM;
    for (unsigned long n = 1; rc != HALE_OK; n++) {
        struct hale_topology_update u;
        struct hale_entity copy = {0};
        fail_alloc_in = n;
        rc = hale_topology_update_decode(HALE_STR(UPDATE), &u, NULL);
        if (rc == HALE_OK)
            rc = hale_entity_copy(&u.put[0], &copy);
        fail_alloc_in = 0;
        assert_true(rc == HALE_OK || rc == HALE_E_NOMEM);
        if (rc != HALE_OK)
            assert_null(copy.type);
        hale_entity_fini(&copy);
        hale_topology_update_fini(&u);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entities_come_back_as_they_were),
        cmocka_unit_test(updates_come_back_as_they_were),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(a_wrong_update_names_the_item),
        cmocka_unit_test(ceilings),
        cmocka_unit_test(a_patch_changes_only_what_it_names),
        cmocka_unit_test(every_key_makes_a_difference),
        cmocka_unit_test(references),
        cmocka_unit_test(states),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
