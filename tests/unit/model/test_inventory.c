/* SPDX-License-Identifier: Apache-2.0 */
/* Each case is the answers of one inventory and the entities that they are together. The bodies have
 * the shape of real answers, with the keys that do not matter left out. */
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "model/inventory.h"
#include "model/topology_body.h"

#define FILES_MAX 4

#define STACK_LINKS(id)                                                                  \
    "\"links\":[{\"rel\":\"self\",\"href\":\"http://h/v1/p/stacks/n/" id                 \
    "/resources/r\"},{\"rel\":\"stack\",\"href\":\"http://h/v1/p/stacks/n/" id "\"}"

static const struct {
    const char *name;
    enum hale_inventory_kind kind;
    const char *answers[FILES_MAX];
    const char *entities;
} cases[] = {
    {"nova: servers, hypervisors, services",
     HALE_INVENTORY_NOVA,
     {"{\"servers\":[{\"id\":\"s1\",\"name\":\"web\",\"status\":\"ACTIVE\",\"tenant_id\":"
      "\"p\","
      "\"OS-EXT-SRV-ATTR:host\":\"c1\",\"OS-EXT-SRV-ATTR:hypervisor_hostname\":\"c1."
      "example.org\","
      "\"OS-EXT-AZ:availability_zone\":\"nova\"},"
      "{\"id\":\"s2\",\"name\":\"\",\"status\":\"SHUTOFF\",\"OS-EXT-SRV-ATTR:host\":null,"
      "\"OS-EXT-SRV-ATTR:hypervisor_hostname\":\"c2\"},"
      "{\"id\":\"s3\",\"status\":\"SHELVED_OFFLOADED\",\"OS-EXT-SRV-ATTR:host\":null},"
      "{\"id\":\"s4\",\"status\":\"UNKNOWN\"},{\"id\":\"s5\"}]}",
      "{\"hypervisors\":[{\"id\":1,\"hypervisor_hostname\":\"c1.example.org\",\"state\":"
      "\"up\","
      "\"status\":\"enabled\",\"service\":{\"host\":\"c1\",\"id\":5},\"host_ip\":\"10.0."
      "0.1\"},"
      "{\"hypervisor_hostname\":\"c2\",\"state\":\"up\",\"status\":\"disabled\"}]}",
      "{\"services\":[{\"binary\":\"nova-scheduler\",\"host\":\"ctl\",\"state\":\"up\"},"
      "{\"binary\":\"nova-compute\",\"host\":\"c1\",\"state\":\"up\",\"status\":"
      "\"enabled\","
      "\"zone\":\"nova\",\"forced_down\":true}]}"},
     "[{\"type\":\"vm\",\"id\":\"s1\",\"name\":\"web\",\"state\":\"up\",\"hosted_by\":["
     "\"host/c1\"],"
     "\"attributes\":{\"project_id\":\"p\",\"status\":\"ACTIVE\",\"az\":\"nova\"}},"
     "{\"type\":\"vm\",\"id\":\"s2\",\"state\":\"down\",\"hosted_by\":[\"host/"
     "c2\"],\"attributes\":{"
     "\"status\":\"SHUTOFF\"}},"
     "{\"type\":\"vm\",\"id\":\"s3\",\"state\":\"maintenance\",\"hosted_by\":[],"
     "\"attributes\":{"
     "\"status\":\"SHELVED_OFFLOADED\"}},"
     "{\"type\":\"vm\",\"id\":\"s4\",\"state\":\"unknown\",\"hosted_by\":[],"
     "\"attributes\":{"
     "\"status\":\"UNKNOWN\"}},"
     "{\"type\":\"vm\",\"id\":\"s5\",\"state\":\"unknown\",\"hosted_by\":[]},"
     "{\"type\":\"host\",\"id\":\"c1\",\"name\":\"c1.example.org\",\"state\":\"down\","
     "\"attributes\":{"
     "\"host_ip\":\"10.0.0.1\",\"az\":\"nova\"}},"
     "{\"type\":\"host\",\"id\":\"c2\",\"name\":\"c2\",\"state\":\"maintenance\"}]"},
    {"nova: the worse state stays, whatever comes first",
     HALE_INVENTORY_NOVA,
     {"{\"services\":[{\"binary\":\"nova-compute\",\"host\":\"c1\",\"state\":\"down\"}]}",
      "{\"hypervisors\":[{\"hypervisor_hostname\":\"c1\",\"state\":\"up\",\"status\":"
      "\"disabled\"}]}"},
     "[{\"type\":\"host\",\"id\":\"c1\",\"name\":\"c1\",\"state\":\"down\"}]"},
    {"neutron",
     HALE_INVENTORY_NEUTRON,
     {"{\"ports\":[{\"id\":\"p1\",\"name\":\"eth0\",\"status\":\"ACTIVE\",\"device_id\":"
      "\"s1\","
      "\"device_owner\":\"compute:nova\",\"binding:host_id\":\"c1\",\"network_id\":\"n\","
      "\"mac_address\":\"fa:16\",\"project_id\":\"p\",\"data_plane_status\":null},"
      "{\"id\":\"p2\",\"status\":\"ACTIVE\",\"device_id\":\"dhcp1\",\"device_owner\":"
      "\"network:dhcp\","
      "\"binding:host_id\":\"c1\",\"data_plane_status\":\"DOWN\"},"
      "{\"id\":\"p3\",\"status\":\"DOWN\",\"device_id\":\"\",\"device_owner\":\"\"}]}"},
     "[{\"type\":\"port\",\"id\":\"p1\",\"name\":\"eth0\",\"state\":\"up\",\"hosted_by\":"
     "[\"vm/s1\"],"
     "\"attributes\":{\"network_id\":\"n\",\"mac_address\":\"fa:16\",\"project_id\":"
     "\"p\"}},"
     "{\"type\":\"port\",\"id\":\"p2\",\"state\":\"down\",\"hosted_by\":[\"host/c1\"]},"
     "{\"type\":\"port\",\"id\":\"p3\",\"state\":\"down\",\"hosted_by\":[]}]"},
    {"heat: stacks and their resources, one of them a stack",
     HALE_INVENTORY_HEAT,
     {"{\"stacks\":[{\"id\":\"st1\",\"stack_name\":\"vnf\",\"stack_status\":\"CREATE_"
      "COMPLETE\"},"
      "{\"id\":\"st3\",\"stack_name\":\"empty\"}]}",
      "{\"resources\":[{\"resource_type\":\"OS::Nova::Server\",\"physical_resource_id\":"
      "\"s1\"," STACK_LINKS(
          "st1") "]},"
                 "{\"resource_type\":\"OS::Nova::Server\",\"physical_resource_id\":"
                 "\"s1\"," STACK_LINKS(
                     "st1") "]},"
                            "{\"resource_type\":\"OS::Neutron::Port\",\"physical_"
                            "resource_id\":\"p1\"," STACK_LINKS(
                                "st1") "]},"
                                       "{\"resource_type\":\"OS::Heat::"
                                       "AutoScalingGroup\",\"physical_resource_id\":"
                                       "\"st2\"," STACK_LINKS(
                                           "st1") ",{\"rel\":\"nested\",\"href\":\"http:/"
                                                  "/h/v1/p/stacks/x/st2\"}]},"
                                                  "{\"resource_type\":\"OS::Nova::"
                                                  "Server\",\"physical_resource_id\":"
                                                  "\"\"," STACK_LINKS("st2") "]}]}"},
     "[{\"type\":\"stack\",\"id\":\"st1\",\"name\":\"vnf\",\"attributes\":{\"status\":"
     "\"CREATE_COMPLETE\"},\"depends_on\":[{\"group\":\"servers\",\"mode\":\"all\","
     "\"on\":[\"vm/s1\"]},"
     "{\"group\":\"stacks\",\"mode\":\"all\",\"on\":[\"stack/st2\"]}]},"
     "{\"type\":\"stack\",\"id\":\"st3\",\"name\":\"empty\",\"depends_on\":[]},"
     "{\"type\":\"stack\",\"id\":\"st2\",\"depends_on\":[]}]"},
    {"sol003: one and a list",
     HALE_INVENTORY_SOL003,
     {"{\"id\":\"v1\",\"vnfdId\":\"d1\",\"vnfInstanceName\":\"dns\",\"vnfProductName\":"
      "\"bind\","
      "\"instantiationState\":\"INSTANTIATED\",\"instantiatedVnfInfo\":{"
      "\"vnfcResourceInfo\":["
      "{\"id\":\"r1\",\"vduId\":\"vdu1\",\"computeResource\":{\"vimConnectionId\":"
      "\"vim\","
      "\"resourceId\":\"s1\"}},{\"id\":\"r2\",\"vduId\":\"vdu1\",\"computeResource\":{}}]"
      ","
      "\"vnfcInfo\":[{\"id\":\"vdu1-r1\",\"vduId\":\"vdu1\",\"vnfcResourceInfoId\":"
      "\"r1\"}]}}",
      "[{\"id\":\"v2\",\"vnfdId\":\"d2\",\"instantiationState\":\"NOT_INSTANTIATED\"}]"},
     "[{\"type\":\"vnf\",\"id\":\"v1\",\"name\":\"dns\",\"attributes\":{\"product\":"
     "\"bind\",\"vnfd_id\":"
     "\"d1\",\"state\":\"INSTANTIATED\"},\"depends_on\":[{\"group\":\"vnfcs\",\"mode\":"
     "\"all\",\"on\":["
     "\"vnfc/vdu1-r1\",\"vnfc/r2\"]}]},"
     "{\"type\":\"vnfc\",\"id\":\"vdu1-r1\",\"hosted_by\":[\"vm/"
     "s1\"],\"attributes\":{\"vnf_id\":\"v1\","
     "\"vdu_id\":\"vdu1\"}},"
     "{\"type\":\"vnfc\",\"id\":\"r2\",\"hosted_by\":[],\"attributes\":{\"vnf_id\":"
     "\"v1\",\"vdu_id\":"
     "\"vdu1\"}},"
     "{\"type\":\"vnf\",\"id\":\"v2\",\"attributes\":{\"vnfd_id\":\"d2\",\"state\":"
     "\"NOT_INSTANTIATED\"},\"depends_on\":[]}]"},
};

static enum hale_rc add(struct hale_inventory *v, const char *text, struct hale_err *err)
{
    json_error_t why;
    json_t *answer = json_loads(text, 0, &why);
    if (answer == NULL)
        fail_msg("%s at %d: %s", why.text, why.position, text);
    enum hale_rc rc = hale_inventory_add(v, answer, err);
    json_decref(answer);
    return rc;
}

static void answers_become_entities(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_err err = {0};
        struct hale_inventory *v = hale_inventory_new(cases[i].kind);
        for (int k = 0; k < FILES_MAX && cases[i].answers[k] != NULL; k++) {
            if (add(v, cases[i].answers[k], &err) != HALE_OK)
                fail_msg("%s: %s", cases[i].name, err.text);
        }
        json_t *body = hale_inventory_body(v),
               *wanted = json_loads(cases[i].entities, 0, NULL);
        assert_non_null(wanted);
        if (!json_equal(json_object_get(body, "patch"), wanted)) {
            char *text = json_dumps(json_object_get(body, "patch"), 0);
            fail_msg("%s: %s", cases[i].name, text);
        }
        assert_true(json_is_true(json_object_get(body, "sync")));
        assert_string_equal(json_string_value(json_object_get(body, "source")),
                            hale_inventory_text(cases[i].kind));
        /* What it makes is what the API takes. */
        struct hale_topology_body b;
        if (hale_topology_body_read(body, &b, &err) != HALE_OK)
            fail_msg("%s: %s", cases[i].name, err.text);
        hale_topology_body_fini(&b);
        json_decref(wanted);
        assert_int_equal(hale_inventory_cut(v), 0);
        hale_inventory_free(v);
    }
}

static void what_is_no_answer_is_refused(void **state)
{
    static const struct {
        enum hale_inventory_kind kind;
        const char *answer, *says;
    } wrong[] = {
        {HALE_INVENTORY_NOVA, "{\"ports\":[]}", "GET /servers/detail"},
        {HALE_INVENTORY_NOVA, "[]", "GET /servers/detail"},
        {HALE_INVENTORY_NOVA, "{\"servers\":{}}", "servers: must be a list"},
        {HALE_INVENTORY_NOVA, "{\"servers\":[{\"id\":\"a\"},{\"id\":7}]}",
         "servers[1].id: must be"},
        {HALE_INVENTORY_NOVA, "{\"servers\":[{\"id\":\"a\\n\"}]}",
         "servers[0].id: must be"},
        {HALE_INVENTORY_NOVA, "{\"hypervisors\":[{}]}", "hypervisors[0].id: must be"},
        {HALE_INVENTORY_NEUTRON, "{\"ports\":[1]}", "ports[0].id: must be"},
        {HALE_INVENTORY_HEAT, "{\"resources\":[{\"links\":[]}]}",
         "resources[0].links: has none"},
        {HALE_INVENTORY_SOL003, "{}", "GET /vnf_instances"},
        {HALE_INVENTORY_SOL003, "[{}]", "vnf_instances[0].id: must be"},
        {HALE_INVENTORY_SOL003,
         "[{\"id\":\"v\",\"instantiatedVnfInfo\":{\"vnfcResourceInfo\":[{}]}}]",
         "vnfcResourceInfo[0].id: must be"},
        {HALE_INVENTORY_SOL003,
         "[{\"id\":\"v\",\"instantiatedVnfInfo\":{\"vnfcResourceInfo\":[{\"id\":\"r\"}]}}"
         ","
         "{\"id\":\"w\",\"instantiatedVnfInfo\":{\"vnfcResourceInfo\":[{\"id\":\"r\"}]}}"
         "]",
         "a VNFC of another VNF"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct hale_err err = {0};
        struct hale_inventory *v = hale_inventory_new(wrong[i].kind);
        assert_int_equal(add(v, wrong[i].answer, &err), HALE_E_INVAL);
        if (strstr(err.text, wrong[i].says) == NULL)
            fail_msg("%s says: %s", wrong[i].answer, err.text);
        hale_inventory_free(v);
    }
}

static void more_references_than_fit_are_counted(void **state)
{
    struct hale_buf text;
    struct hale_err err = {0};
    struct hale_inventory *v = hale_inventory_new(HALE_INVENTORY_SOL003);
    (void)state;
    hale_buf_init(&text, 1u << 20);
    hale_buf_add_c(&text,
                   "[{\"id\":\"v\",\"instantiatedVnfInfo\":{\"vnfcResourceInfo\":[");
    for (int i = 0; i < HALE_INVENTORY_REFS_MAX + 3; i++)
        hale_buf_printf(&text, "%s{\"id\":\"r%d\"}", i > 0 ? "," : "", i);
    hale_buf_add_c(&text, "]}}]");
    assert_int_equal(add(v, text.p, &err), HALE_OK);
    assert_int_equal(hale_inventory_cut(v), 3);
    json_t *body = hale_inventory_body(v);
    struct hale_topology_body b;
    if (hale_topology_body_read(body, &b, &err) != HALE_OK)
        fail_msg("%s", err.text);
    assert_int_equal(b.patch[0].depends_on[0].on.n, HALE_INVENTORY_REFS_MAX);
    hale_topology_body_fini(&b);
    hale_buf_fini(&text);
    hale_inventory_free(v);
}

static void kinds_have_names(void **state)
{
    enum hale_inventory_kind kind;
    (void)state;
    for (int i = HALE_INVENTORY_NOVA; i <= HALE_INVENTORY_SOL003; i++) {
        const char *text = hale_inventory_text((enum hale_inventory_kind)i);
        assert_int_equal(hale_inventory_parse(hale_str_from(text), &kind), HALE_OK);
        assert_int_equal(kind, i);
    }
    assert_int_equal(hale_inventory_parse(HALE_STR("Nova"), &kind), HALE_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_become_entities),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(more_references_than_fit_are_counted),
        cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
