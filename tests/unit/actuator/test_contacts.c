/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include "actuator/contacts.h"

#define DEFINITION(ok, alarm, undetermined)                                              \
    HALE_STR("{\"v\":1,\"id\":\"d\",\"tenant\":\"t\",\"name\":\"n\","                    \
             "\"description\":\"\",\"expression\":\"max(x) > 1\",\"match_by\":[],"       \
             "\"severity\":\"LOW\",\"actions_enabled\":true,\"ok_actions\":" ok          \
             ",\"alarm_actions\":" alarm ",\"undetermined_actions\":" undetermined       \
             ",\"semantics\":\"hale\",\"version\":1,\"created_ms\":1,\"updated_ms\":1}")

static void each_state_has_its_list(void **state)
{
    struct actuator_contacts *c = actuator_contacts_new();
    struct hale_str id = HALE_STR("d");
    (void)state;
    assert_non_null(c);
    assert_null(actuator_contacts_get(c, "d", HALE_STATE_ALARM));
    assert_int_equal(
        actuator_contacts_set(c, id, DEFINITION("[\"a\"]", "[\"b\",\"c\"]", "[]")),
        HALE_OK);
    assert_int_equal(actuator_contacts_get(c, "d", HALE_STATE_OK)->n, 1);
    assert_int_equal(actuator_contacts_get(c, "d", HALE_STATE_ALARM)->n, 2);
    assert_null(actuator_contacts_get(c, "d", HALE_STATE_UNDETERMINED));
    assert_true(actuator_contacts_names(c, "d", HALE_STATE_ALARM, "c"));
    assert_false(actuator_contacts_names(c, "d", HALE_STATE_OK, "c"));
    assert_false(actuator_contacts_names(c, "other", HALE_STATE_OK, "a"));
    /* A change replaces, one without actions and one that is gone are forgotten. */
    assert_int_equal(actuator_contacts_set(c, id, DEFINITION("[]", "[]", "[\"u\"]")),
                     HALE_OK);
    assert_null(actuator_contacts_get(c, "d", HALE_STATE_ALARM));
    assert_true(actuator_contacts_names(c, "d", HALE_STATE_UNDETERMINED, "u"));
    assert_int_equal(actuator_contacts_set(c, id, (struct hale_str){NULL, 0}), HALE_OK);
    assert_null(actuator_contacts_get(c, "d", HALE_STATE_UNDETERMINED));
    actuator_contacts_free(c);
    actuator_contacts_free(NULL);
}

static void what_cannot_be_read_has_no_actions(void **state)
{
    struct actuator_contacts *c = actuator_contacts_new();
    struct hale_str id = HALE_STR("d");
    (void)state;
    assert_int_equal(actuator_contacts_set(c, id, DEFINITION("[\"a\"]", "[]", "[]")),
                     HALE_OK);
    assert_int_equal(actuator_contacts_set(c, id, HALE_STR("{}")), HALE_E_INVAL);
    assert_null(actuator_contacts_get(c, "d", HALE_STATE_OK));
    actuator_contacts_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_list),
        cmocka_unit_test(what_cannot_be_read_has_no_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
