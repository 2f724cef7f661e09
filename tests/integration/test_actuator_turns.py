# SPDX-License-Identifier: Apache-2.0
"""One operation at a time on a VNF: runs with different targets wait for each other, in order."""
from conftest import wait_for
from lcm_kit import HEAL, carried_out, failed, log, policy, start, story, vnfm  # noqa: F401 (fixtures)


def test_one_operation_at_a_time_on_an_instance(stack, log, vnfm):
    vnfm.takes_second = True  # who sends a second one has lost
    start(stack, policy(vnfm, HEAL))
    vnfm.hold = True
    log.write(vnfc="dns-1")
    wait_for(lambda: vnfm.ops, 20, "the first operation")
    for n in (2, 3, 4):
        log.write(vnfc=f"dns-{n}")
        wait_for(lambda n=n: len([r for r in log.rows("answer") if "waiting for our turn" in r["text"]]) == n - 1, 20,
                 "a place in the line")
    assert len(vnfm.calls) == 1
    stack.kill9("actuator")
    stack.restart("actuator")
    vnfm.hold = False
    log.await_row("verifying", 4, seconds=40)
    assert [op["params"]["vnfcInstanceId"] for op in vnfm.ops] == [[f"dns-{n}"] for n in (1, 2, 3, 4)]
    assert len(vnfm.done()) == 4, story(log)


def test_whose_alarm_clears_in_the_line_calls_nothing(stack, log, vnfm):
    start(stack, policy(vnfm, HEAL))
    vnfm.hold = True
    log.write(vnfc="dns-1")
    wait_for(lambda: vnfm.ops, 20, "the first operation")
    log.write(vnfc="dns-2")
    wait_for(lambda: any("waiting for our turn" in r["text"] for r in log.rows("answer")), 20, "the second")
    log.write(vnfc="dns-2", state="OK")
    log.write(vnfc="dns-3")  # the log is read up to here
    wait_for(lambda: len([r for r in log.rows("answer") if "waiting for our turn" in r["text"]]) == 2, 20, "a third")
    vnfm.hold = False
    log.await_row("verified", seconds=40)
    log.await_row("verifying", 2, seconds=40)
    assert [op["params"]["vnfcInstanceId"] for op in vnfm.ops] == [["dns-1"], ["dns-3"]], story(log)


def test_waiting_ends_with_the_timeout(stack, log, vnfm):
    start(stack, policy(vnfm, {**HEAL, "timeout": "30s"}, alarm={"dimensions": {"vnfc_id": "dns-1"}}),
          policy(vnfm, {**HEAL, "timeout": "500ms"}, name="short", alarm={"dimensions": {"vnfc_id": "dns-2"}}))
    vnfm.hold = True
    log.write(vnfc="dns-1")
    wait_for(lambda: vnfm.ops, 20, "the first operation")
    log.write(vnfc="dns-2")
    assert "not its turn within 500 ms: at work there is run" in failed(log)
    vnfm.hold = False
    carried_out(log, vnfm)


def test_looks_first_where_a_second_operation_would_stick(stack, log, vnfm):
    vnfm.takes_second = True
    vnfm.begin("heal", "dns-vnf", {"vnfcInstanceId": ["by-hand"]})
    vnfm.hold = True
    start(stack, policy(vnfm, {**HEAL, "look_first": True}))
    log.write()
    wait_for(lambda: log.rows("triggered"), 20, "the run")
    stack.kill9("actuator")
    stack.restart("actuator")
    vnfm.hold = False
    for _ in range(4):
        vnfm.step(vnfm.ops[0])
    log.await_row("verifying", seconds=40)
    assert len(vnfm.done()) == 2 and not any(op["stuck"] for op in vnfm.ops), story(log)
