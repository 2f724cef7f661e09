# SPDX-License-Identifier: Apache-2.0
"""Operations of a VNFM (SOL 003) and of an NFVO (SOL 005): what is sent, FAILED_TEMP, Tacker's other ways."""
import pytest
from conftest import wait_for
from lcm_kit import HEAL, NS_HEAL, carried_out, failed, log, nfvo, policy, start, story, vnfm  # noqa: F401 (fixtures)
from sol_server import Sol


# --- what is sent ------------------------------------------------------------------------------------
@pytest.mark.parametrize("step,kind,body", [
    ({"operation": "scale_to_level", "instantiation_level_id": "big"}, "SCALE_TO_LEVEL",
     {"instantiationLevelId": "big"}),
    ({"operation": "scale_to_level", "scale_info": {"dns": 3}}, "SCALE_TO_LEVEL",
     {"scaleInfo": [{"aspectId": "dns", "scaleLevel": 3}]}),
    ({"operation": "operate", "change_state_to": "STOPPED", "graceful_stop_timeout": "90s",
      "vnfc_instance_id": "${vnfc_id}"}, "OPERATE",
     {"changeStateTo": "STOPPED", "stopType": "GRACEFUL", "gracefulStopTimeout": 90, "vnfcInstanceId": ["dns-1"]}),
    ({"operation": "operate", "change_state_to": "STARTED", "additional_params": {"a": "${vnf_id}"}}, "OPERATE",
     {"changeStateTo": "STARTED", "additionalParams": {"a": "dns-vnf"}})])
def test_operations_of_a_vnfm(stack, log, vnfm, step, kind, body):
    start(stack, policy(vnfm, {"vnf_instance_id": "${vnf_id}", **step}))
    log.write()
    op = carried_out(log, vnfm)
    assert (op["kind"], op["params"], op["instance"]) == (kind, body, "dns-vnf")
    assert vnfm.calls[0]["version"] == "2.0.0"


@pytest.mark.parametrize("step,body", [
    (NS_HEAL, {"healVnfData": [{"vnfInstanceId": "dns-vnf", "cause": "dns-vnfc-down"}]}),
    ({"operation": "heal", "ns_instance_id": "ns-1", "heal_ns": {"degree": "HEAL_RESTORE", "actions": ["a1"]}},
     {"healNsData": {"degreeHealing": "HEAL_RESTORE", "actionsHealing": ["a1"]}}),
    ({"operation": "scale", "ns_instance_id": "ns-1",
      "scale_vnf": {"vnf_instance_id": "${vnf_id}", "type": "SCALE_OUT", "aspect_id": "dns"}},
     {"scaleType": "SCALE_VNF", "scaleVnfData": [
         {"scaleVnfType": "SCALE_OUT", "vnfInstanceId": "dns-vnf",
          "scaleByStepData": {"aspectId": "dns", "numberOfSteps": 1}}]}),
    ({"operation": "scale", "ns_instance_id": "ns-1", "scale_ns": {"direction": "SCALE_IN", "aspect_id": "web"}},
     {"scaleType": "SCALE_NS", "scaleNsData": {"scaleNsByStepsData": {
         "scalingDirection": "SCALE_IN", "aspectId": "web", "numberOfSteps": 1}}})])
def test_operations_of_an_nfvo(stack, log, nfvo, step, body):
    start(stack, policy(nfvo, step))
    log.write()
    op = carried_out(log, nfvo)
    assert (op["kind"], op["params"], op["instance"]) == (step["operation"].upper(), body, "ns-1")
    assert nfvo.calls[0]["version"] == "2.1.0"


def test_osm_speaks_an_older_version_and_its_own_words(stack, log, nfvo):
    start(stack, policy(nfvo, {"operation": "scale", "ns_instance_id": "ns-1", "dialect": "osm",
                               "scale_vnf": {"vnf_instance_id": "1", "type": "SCALE_OUT", "aspect_id": "web"}}))
    log.write()
    assert carried_out(log, nfvo)["params"] == {
        "scaleType": "SCALE_VNF", "scaleVnfData": {
            "scaleVnfType": "SCALE_OUT",
            "scaleByStepData": {"scaling-group-descriptor": "web", "member-vnf-index": "1"}}}
    assert nfvo.calls[0]["version"] == "1.4.0"


def test_a_version_the_manager_does_not_speak(stack, log, vnfm):
    start(stack, policy(vnfm, {**HEAL, "version": "2.9.0"}))
    log.write()
    assert "refused with 406: version 2.9.0 is not supported (does it speak another version?" in failed(log)


@pytest.mark.parametrize("how", [["conflict"], ["unavailable"], ["deaf"], ["deaf_before"], ["error"],
                                 ["unavailable", "conflict", "deaf"]])
def test_one_effect_although_the_nfvo_misbehaves(stack, log, nfvo, how):
    nfvo.behave = list(how)
    start(stack, policy(nfvo, {**NS_HEAL, "retries": 4}))
    log.write()
    carried_out(log, nfvo)
    assert len(nfvo.ops) == 1, story(log)


# --- FAILED_TEMP -------------------------------------------------------------------------------------
@pytest.mark.parametrize("api,words,failures,refuses,said,end", [
    ("vnflcm", "retry", 2, (), ["retry", "retry"], "COMPLETED"),
    ("vnflcm", "retry", 9, (), ["retry", "retry", "fail"], "FAILED"),
    ("vnflcm", "rollback", 9, (), ["rollback"], "ROLLED_BACK"),
    ("vnflcm", ["retry", "rollback"], 9, (), ["retry", "retry", "rollback"], "ROLLED_BACK"),
    ("vnflcm", "rollback", 9, ("rollback",), ["fail"], "FAILED"),
    ("vnflcm", ["retry", "rollback"], 9, ("retry", "rollback"), ["fail"], "FAILED"),
    ("nslcm", ["retry", "fail"], 1, (), ["retry"], "COMPLETED"),
    ("nslcm", "rollback", 9, (), ["rollback"], "ROLLED_BACK")])
def test_failed_temp(stack, log, api, words, failures, refuses, said, end):
    with Sol(api) as sol:
        sol.failures, sol.refuses = failures, refuses
        start(stack, policy(sol, {**(HEAL if api == "vnflcm" else NS_HEAL), "on_failed_temp": words, "retries": 2}))
        log.write()
        if end == "COMPLETED":
            carried_out(log, sol)
        else:
            assert end in failed(log), story(log)
        assert sol.said == said and len(sol.ops) == 1 and sol.ops[0]["state"] == end, story(log)


def test_rollback_that_fails_ends_in_fail(stack, log, vnfm):
    vnfm.failures, vnfm.rollback_fails = 1, True
    start(stack, policy(vnfm, {**HEAL, "on_failed_temp": "rollback"}))
    log.write()
    assert "FAILED" in failed(log)
    assert vnfm.said == ["rollback", "fail"], story(log)


@pytest.mark.parametrize("words,said", [("retry", ["retry"]), ("rollback", ["rollback"]), ("fail", ["fail"])])
def test_a_word_that_is_not_answered_is_not_said_twice(stack, log, vnfm, words, said):
    vnfm.failures, vnfm.deaf_words = 1, 1
    start(stack, policy(vnfm, {**HEAL, "on_failed_temp": words, "retries": 1}))
    log.write()
    wait_for(lambda: log.rows("verifying", "failed"), 40, "the end of the step")
    assert vnfm.said == said, story(log)


# --- operations that take too long ---------------------------------------------------------------------
@pytest.mark.parametrize("api,mode,words,said,end", [
    ("vnflcm", "graceful", "fail", ["cancel GRACEFUL", "fail"], "FAILED"),
    ("vnflcm", "forceful", ["retry", "rollback"], ["cancel FORCEFUL", "rollback"], "ROLLED_BACK"),
    ("nslcm", "forceful", "fail", ["cancel FORCEFUL", "fail"], "FAILED")])
def test_what_takes_too_long_is_cancelled(stack, log, api, mode, words, said, end):
    with Sol(api) as sol:
        sol.hold = True
        start(stack, {**policy(sol, {**(HEAL if api == "vnflcm" else NS_HEAL), "timeout": "1s", "poll": "20ms",
                                     "on_failed_temp": words, "on_timeout_cancel": mode})})
        log.write()
        assert end in failed(log), story(log)
        assert sol.said == said and len(sol.ops) == 1 and sol.ops[0]["state"] == end, story(log)
        row, = log.rows("step")
        assert row["detail"]["end"] == "timeout"


def test_a_cancel_that_finds_it_done(stack, log, vnfm):
    vnfm.hold = vnfm.too_late = True
    start(stack, policy(vnfm, {**HEAL, "timeout": "1s", "poll": "20ms", "on_timeout_cancel": "graceful"}))
    log.write()
    carried_out(log, vnfm)
    assert vnfm.said == ["cancel GRACEFUL"]


@pytest.mark.parametrize("refuses,mode", [((), None), (("cancel",), "graceful")])
def test_what_is_not_cancelled_is_left_alone(stack, log, vnfm, refuses, mode):
    vnfm.hold, vnfm.refuses = True, refuses
    start(stack, policy(vnfm, {**HEAL, "timeout": "500ms", "poll": "20ms", "on_timeout_cancel": mode}))
    log.write()
    assert ("refused to cancel with 404" if mode else "not done within 500 ms") in failed(log)
    assert vnfm.said == [] and vnfm.ops[0]["state"] == "PROCESSING", story(log)


# --- Tacker ------------------------------------------------------------------------------------------
def test_alert_heals(stack, log, vnfm):
    start(stack, policy(vnfm, {**HEAL, "via": "alert"}))
    log.write()
    op = carried_out(log, vnfm)
    assert op["automatic"] and op["params"] == {"vnfcInstanceId": ["dns-1"]}
    call, = vnfm.calls
    alert, = call["body"]["alerts"]
    assert call["word"] == "alert/auto_healing" and alert["status"] == "firing" and alert["annotations"] == {}
    assert alert["labels"] == {"receiver_type": "tacker", "function_type": "auto_heal",
                               "vnf_instance_id": "dns-vnf", "vnfc_info_id": "dns-1"}
    assert alert["fingerprint"] == log.rows("call")[0]["run_id"] and alert["startsAt"].endswith("Z")


def test_alert_of_which_nothing_comes(stack, log, vnfm):
    vnfm.lag = 10 ** 9
    start(stack, policy(vnfm, {"operation": "scale", "vnf_instance_id": "${vnf_id}", "aspect_id": "dns", "via": "alert",
                               "appear": "300ms", "retries": 0}))
    log.write()
    assert "has begun no operation: is it allowed to heal and scale by itself" in failed(log)
    assert len(vnfm.calls) == 1


def test_server_notification_heals(stack, log, vnfm):
    start(stack, policy(vnfm, {"operation": "heal", "vnf_instance_id": "${vnf_id}", "via": "notification",
                               "server_id": "s/${vnfc_id}", "alarm_id": "a-1", "fault_id": "1234",
                               "fault_type": "10", "host_id": "h1"}))
    log.write()
    carried_out(log, vnfm)
    assert vnfm.calls == [{"word": "server_notification/vnf_instances/dns-vnf/servers/s/dns-1/notify", "body": {
        "notification": {"alarm_id": "a-1", "fault_id": "1234", "fault_type": "10", "host_id": "h1"}}}]
