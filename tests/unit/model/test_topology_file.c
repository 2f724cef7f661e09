/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "model/topology_body.h"
#include "model/topology_file.h"

#ifndef HALE_TEST_DIR
#define HALE_TEST_DIR "tests"
#endif

static enum hale_rc read_file(const char *text, json_t **out, struct hale_err *err)
{
    struct hale_yaml *yaml = NULL;
    *out = NULL;
    enum hale_rc rc = hale_yaml_load(hale_str_from(text), "f.yaml", &yaml, err);
    if (rc == HALE_OK)
        rc = hale_topology_file_read(hale_yaml_root(yaml), out, err);
    hale_yaml_free(yaml);
    return rc;
}

static void what_people_write(void **state)
{
    (void)state;
    struct hale_err err = {0};
    json_t *body;
    if (read_file("source: dc\n"
                  "entities:\n"
                  "  - type: host\n"
                  "    id: c1\n"
                  "    hosted_by: site/fra\n"
                  "    match: {hostname: c1}\n"
                  "    attributes: {rack: 12}\n"
                  "    depends_on:\n"
                  "      up: {any: [switch/s1, switch/s2]}\n"
                  "      power: {all: pdu/p1}\n"
                  "  - {type: link, id: l, state: down, connects: [host/c1, switch/s1], "
                  "match: []}\n",
                  &body, &err) != HALE_OK)
        fail_msg("%s", err.text);
    json_t *wanted = json_loads(
        "{\"source\":\"dc\",\"put\":[{\"type\":\"host\",\"id\":\"c1\",\"hosted_by\":["
        "\"site/fra\"],"
        "\"match\":[{\"hostname\":\"c1\"}],\"attributes\":{\"rack\":\"12\"},\"depends_"
        "on\":[{"
        "\"group\":\"up\",\"mode\":\"any\",\"on\":[\"switch/s1\",\"switch/"
        "s2\"]},{\"group\":"
        "\"power\",\"mode\":\"all\",\"on\":[\"pdu/"
        "p1\"]}]},{\"type\":\"link\",\"id\":\"l\","
        "\"state\":\"down\",\"connects\":[\"host/c1\",\"switch/s1\"],\"match\":[]}]}",
        0, NULL);
    assert_true(json_equal(body, wanted));
    json_decref(wanted);
    /* And what is written of it reads the same. */
    struct hale_buf text;
    json_t *again;
    hale_buf_init(&text, 1u << 20);
    hale_topology_file_write(json_object_get(body, "put"), "dc", &text);
    if (read_file(text.p, &again, &err) != HALE_OK)
        fail_msg("%s\n%s", err.text, text.p);
    assert_true(json_equal(body, again));
    hale_buf_fini(&text);
    json_decref(again);
    json_decref(body);
}

#define HEAD "entities:\n  - type: vm\n    id: a\n"

static void what_is_wrong_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *says;
    } cases[] = {
        {"- a\n", 1, "a map with the key 'entities'"},
        {"source: x\n", 1, "a map with the key 'entities'"},
        {"entites: []\n", 1, "a map with the key 'entities'"},
        {"entities: []\nsuorce: a\n", 2, "unknown key 'suorce' - did you mean 'source'?"},
        {"source: a b\nentities: []\n", 1, "a source is a word"},
        {"entities: x\n", 1, "a list of entities"},
        {"entities:\n  - x\n", 2, "an entity is a map"},
        {"entities:\n  - type: vm\n", 2, "id: must be"},
        {HEAD "    nmae: x\n", 4, "unknown key 'nmae' - did you mean 'name'?"},
        {HEAD "    state: dwon\n", 4, "did you mean \"down\"?"},
        {HEAD "    hosted_by: [host/h,\n      nothing]\n", 5, "is not a reference"},
        {HEAD "    hosted_by: {a: b}\n", 4, "a list of references is wanted"},
        {HEAD "    attributes: [a]\n", 4, "a map is wanted"},
        {HEAD "    match: x\n", 4, "a map is wanted"},
        {HEAD "    match:\n      - {a: b}\n      - {}\n", 6, "match[1]: is empty"},
        {HEAD "    depends_on: [host/h]\n", 4, "groups are wanted"},
        {HEAD "    depends_on:\n      g: [host/h]\n", 5, "a group is {any: [...]}"},
        {HEAD "    depends_on:\n      g: {some: [host/h]}\n", 5, "unknown key 'some'"},
        {HEAD "    depends_on:\n      g: {alll: [host/h]}\n", 5, "did you mean 'all'?"},
        {HEAD "    depends_on:\n      g: {any: [host/h]}\n      h: {any: []}\n", 6,
         "is empty"},
        {HEAD "    depends_on:\n      g: {any: [vm/a]}\n", 5, "is the entity itself"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_err err = {0};
        json_t *body;
        assert_int_equal(read_file(cases[i].text, &body, &err), HALE_E_INVAL);
        assert_null(body);
        if (strstr(err.text, cases[i].says) == NULL || err.line != cases[i].line ||
            strcmp(err.source, "f.yaml") != 0)
            fail_msg("%s says at line %d: %s", cases[i].text, err.line, err.text);
    }
}

static void the_example_is_valid(void **state)
{
    struct hale_yaml *yaml = NULL;
    struct hale_err err = {0};
    struct hale_topology_body body = {0};
    json_t *root = NULL;
    (void)state;
    if (hale_yaml_load_file(HALE_TEST_DIR "/../packaging/examples/topology.yaml", &yaml,
                            &err) != HALE_OK ||
        hale_topology_file_read(hale_yaml_root(yaml), &root, &err) != HALE_OK ||
        hale_topology_body_read(root, &body, &err) != HALE_OK)
        fail_msg("%d: %s", err.line, err.text);
    assert_int_equal(body.n_put, 9);
    hale_topology_body_fini(&body);
    hale_yaml_free(yaml);
}

/* Every item once, in order, in updates within their limits, the sync around them. */
static void a_body_is_cut_whole(void **state)
{
    (void)state;
    json_t *put = json_array(), *patch = json_array(), *deleted = json_array();
    char id[300];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        json_array_append_new(put, json_pack("{s:s,s:s}", "type", "vm", "id", id));
        (void)snprintf(id, sizeof(id), "%0250d", i);
        json_array_append_new(patch, json_pack("{s:s,s:s,s:s}", "type", "vm", "id", id,
                                               "name", "a name that takes some room"));
        (void)snprintf(id, sizeof(id), "vm/%0100d", i);
        json_array_append_new(deleted, json_string(id));
    }
    for (int sync = 0; sync <= 1; sync++) {
        struct hale_topology_body b;
        struct hale_topology_update u;
        struct hale_err err = {0};
        size_t at = 0, n_put = 0, n_patch = 0, n_deleted = 0, n = 0, ends = 0;
        json_t *root =
            json_pack("{s:O,s:O,s:O}", "put", put, "patch", patch, "delete", deleted);
        if (sync)
            json_object_set_new(root, "sync", json_true());
        if (hale_topology_body_read(root, &b, &err) != HALE_OK)
            fail_msg("%s", err.text);
        while (hale_topology_body_next(&b, &at, &u)) {
            struct hale_buf text;
            assert_int_equal(ends, 0);
            assert_true(u.n_put + u.n_patch + u.deleted.n > 0);
            assert_true(u.n_put + u.n_patch + u.deleted.n <= HALE_TOPOLOGY_UPDATE_MAX);
            for (unsigned i = 0; i < u.n_put; i++)
                assert_ptr_equal(&u.put[i], &b.put[n_put++]);
            for (unsigned i = 0; i < u.n_patch; i++)
                assert_ptr_equal(&u.patch[i], &b.patch[n_patch++]);
            for (unsigned i = 0; i < u.deleted.n; i++)
                assert_string_equal(u.deleted.v[i], b.deleted[n_deleted++]);
            assert_int_equal(u.sync_id != NULL, sync);
            assert_int_equal(u.sync_begin, sync && n == 0);
            ends += u.sync_end;
            u.tenant = strdup("t");
            hale_buf_init(&text, 8u << 20);
            assert_int_equal(hale_topology_update_encode(&u, &text), HALE_OK);
            assert_true(text.len <= HALE_TOPOLOGY_ENTRY_MAX);
            hale_buf_fini(&text);
            free(u.tenant);
            free(u.deleted.v);
            n++;
        }
        assert_int_equal(ends, sync);
        assert_int_equal(n_put, 3000);
        assert_int_equal(n_patch, 3000);
        assert_int_equal(n_deleted, 3000);
        assert_true(n < 30);
        hale_topology_body_fini(&b);
    }
    json_decref(put);
    json_decref(patch);
    json_decref(deleted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(the_example_is_valid),
        cmocka_unit_test(a_body_is_cut_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
