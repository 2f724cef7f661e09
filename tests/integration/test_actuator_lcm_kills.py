# SPDX-License-Identifier: Apache-2.0
"""An actuator killed at any time leaves one effect at a VNFM or NFVO."""
import pytest
from conftest import wait_for
from lcm_kit import HEAL, NS_HEAL, log, policy, start, story  # noqa: F401 (fixtures)
from sol_server import Sol

STEPS = [("vnflcm", {"operation": "scale", "vnf_instance_id": "${vnf_id}", "aspect_id": "dns"}, 0),
         ("vnflcm", {"operation": "scale_to_level", "vnf_instance_id": "${vnf_id}", "scale_info": {"dns": 3}}, 0),
         ("vnflcm", {"operation": "operate", "vnf_instance_id": "${vnf_id}", "change_state_to": "STOPPED"}, 0),
         ("vnflcm", {**HEAL, "on_failed_temp": "retry"}, 1),
         ("vnflcm", {"operation": "scale", "vnf_instance_id": "${vnf_id}", "aspect_id": "dns", "via": "alert",
                     "appear": "1s"}, 0),
         ("nslcm", NS_HEAL, 0),
         ("nslcm", {"operation": "scale", "ns_instance_id": "ns-1", "on_failed_temp": "retry",
                    "scale_ns": {"aspect_id": "web"}}, 1)]


@pytest.mark.parametrize("deaf", [0, 1])
def test_kill9_while_it_is_cancelled(stack, log, deaf):
    """What takes too long is told to cancel once, whenever the actuator dies, and is brought to its end."""
    with Sol("vnflcm") as sol:
        sol.hold, sol.deaf_words = True, deaf
        start(stack, policy(sol, {**HEAL, "timeout": "1s", "poll": "50ms", "on_failed_temp": "fail",
                                  "on_timeout_cancel": "graceful"}))
        log.write()
        wait_for(lambda: "CALL" in str(log.rows("call")).upper() and sol.ops, 30, "the operation")
        seen = -1
        for _ in range(8):
            def moved():
                return len(log.rows()) + len(sol.said)
            wait_for(lambda: moved() > seen or log.rows("failed"), 60, "news", 0.001)
            if log.rows("failed"):
                break
            stack.kill9("actuator")
            seen = moved()
            stack.restart("actuator", wait=False)
        assert "timeout" in str(log.await_row("step", seconds=60)[0]["detail"]), story(log)
        assert sol.said == ["cancel GRACEFUL", "fail"] and sol.ops[0]["state"] == "FAILED", story(log)
        assert len(sol.ops) == 1


@pytest.mark.parametrize("api,step,failures", STEPS)
def test_kill9_at_any_time_leaves_one_effect(stack, log, api, step, failures):
    """Killed after each thing that is written or heard, until the run is through."""
    with Sol(api) as sol:
        sol.failures, sol.lag = failures, 1
        start(stack, policy(sol, {"timeout": "10m", **step, "retries": 20}, verify={"within": "10m"}))
        log.write()
        seen = -1
        for _ in range(12):
            def moved():
                return len(log.rows()) + len(sol.calls) + len(sol.ops) + len(sol.said) > seen
            wait_for(lambda: moved() or log.rows("verifying", "failed"), 30, "news", 0.001)
            if log.rows("verifying", "failed"):
                break
            stack.kill9("actuator")
            seen = len(log.rows()) + len(sol.calls) + len(sol.ops) + len(sol.said)
            stack.restart("actuator", wait=False)
        log.await_row("verifying", seconds=60)
        assert len(sol.done()) == 1 and len(sol.ops) == 1, story(log)
        assert sol.ops[0]["runs"] == 1 + failures and sol.said == ["retry"] * failures, story(log)
        assert len({r["run_id"] for r in log.rows()}) == 1
