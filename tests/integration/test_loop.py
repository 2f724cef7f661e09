# SPDX-License-Identifier: Apache-2.0
"""The main job, whole: real host, real DNS servers, real Redis, every daemon; faults are made, healed
once, and nothing acknowledged is lost whoever is killed."""
import time

import pytest

from conftest import wait_for
from house import House, Poster, live

QUICK_SCALING = """
policies:
- name: scale-out-dns
  mode: auto
  alarm: {definition: dns-overload}
  target: vnf/${vnf_id}/scale
  cooldown: 1s
  frequency: {max: 10, per: 10m}
  repeat: while_alarm
  steps:
  - vnflcm: {url: @LAB_URL@, operation: scale, vnf_instance_id: "${vnf_id}", type: SCALE_OUT,
             aspect_id: dns, number_of_steps: 1, timeout: 20s, poll: 50ms}
  verify: {alarm: cleared, within: 5s}
- name: scale-in-dns
  mode: auto
  alarm: {definition: dns-idle}
  target: vnf/${vnf_id}/scale
  cooldown: 1s
  frequency: {max: 10, per: 10m}
  repeat: while_alarm
  steps:
  - vnflcm: {url: @LAB_URL@, operation: scale, vnf_instance_id: "${vnf_id}", type: SCALE_IN,
             aspect_id: dns, number_of_steps: 1, timeout: 20s, poll: 50ms}
  verify: {alarm: cleared, within: 5s}
"""


@pytest.fixture
def house(stack):
    h = House(stack)
    h.wait_quiet()
    yield h
    h.stop()


def heals_of(house, vnfc):
    """Heals the VNFM took on: one that finds another operation under way is refused and asked for again."""
    return [r for r in house.requests("heal") if vnfc in str(r["body"]) and r["status"] != 409]


def test_fault_is_healed_exactly_once(house):
    stream = live(house.stack)
    assert next(stream)[0] == "hello"
    fault = house.kill()
    vnfc = fault["vnfc_id"]
    house.wait_verified(vnfc)
    assert house.states("dns-vnfc-down")[vnfc] == "OK"
    assert all(v["serving"] for v in house.lab_state()["vnfcs"])
    assert len(house.requests("heal")) == 1
    assert len(heals_of(house, vnfc)) == 1

    # The log tells the story with its evidence, the stream told it live, in the same order.
    story = [(r["old_state"], r["alarm"]["state"]) for r in house.log()
             if r["kind"] == "transition" and r["alarm"]["group"].get("vnfc_id") == vnfc
             and r["time_ms"] >= fault["at_ms"]]
    assert story == [("OK", "ALARM"), ("ALARM", "OK")]
    raised = [r for r in house.log() if r["alarm"]["state"] == "ALARM"][-1]
    assert any(s["state"] == "ALARM" and s["values"] for s in raised["evidence"]["subs"])
    kinds = [r["kind"] for r in house.journal() if vnfc in r["target"]]
    assert kinds[0] == "triggered" and kinds[-1] == "verified"
    assert kinds.count("call") == 1 and kinds.index("call") < kinds.index("answer")
    seen = []
    for name, ident, data in stream:
        if name == "alarm" and data["alarm"]["group"].get("vnfc_id") == vnfc:
            seen.append(data["alarm"]["state"])
        if name == "action" and data["kind"] == "verified":
            break
    assert seen == ["ALARM", "OK"]

    # Monasca's view of the same.
    alarm = [a for a in house.alarms("dns-vnfc-down")
             if a["metrics"][0]["dimensions"]["vnfc_id"] == vnfc][0]
    history = house.get("/v2.0/alarms/%s/state-history" % alarm["id"])["elements"]
    assert [(h["old_state"], h["new_state"]) for h in history][-2:] == [("OK", "ALARM"),
                                                                        ("ALARM", "OK")]
    assert vnfc in house.hale("alarm", "show", alarm["id"])


def test_two_faults_at_once(house):
    a = house.kill("dns-1")["vnfc_id"]
    b = house.kill("dns-2")["vnfc_id"]
    house.wait_verified(a)
    house.wait_verified(b)
    house.wait_quiet()
    assert len(heals_of(house, a)) == 1
    assert len(heals_of(house, b)) == 1
    assert all(v["serving"] for v in house.lab_state()["vnfcs"])


def test_fault_event_is_healed_once(stack):
    policy = """
policies:
- name: heal-by-event
  mode: auto
  alarm: {definition: vnfc.down, source: event}
  target: vnf/${vnf_id}/${vnfc_id}
  cooldown: 1s
  frequency: {max: 20, per: 10m}
  steps:
  - vnflcm: {url: @LAB_URL@, operation: heal, vnf_instance_id: "${vnf_id}",
             vnfc_instance_id: ["${vnfc_id}"], timeout: 20s, poll: 20ms}
  verify: {alarm: cleared, within: 15s}
"""
    house = House(stack, policies=policy, agent=False)
    event = {"type": "vnfc.down", "severity": "CRITICAL",
             "dimensions": {"vnf_id": "dns-vnf", "vnfc_id": "dns-1"}}
    house.kill("dns-1")
    for _ in range(3):  # a monitor repeats itself: still one alarm, one heal
        assert stack.http("POST", "/v1/events", event).status == 200
    wait_for(lambda: [v for v in house.lab_state()["vnfcs"] if v["id"] == "dns-1"][0]["serving"],
             20, "dns-1 serving again")
    assert stack.http("PUT", "/events", [dict(event, status="up")]).status == 200
    house.wait_verified("dns-1")
    assert len(house.requests("heal")) == 1
    house.stop()


@pytest.mark.parametrize("victim", ["thresholds", "correlator", "actuator", "collector", "agent"])
def test_kill9_under_load_loses_nothing(house, victim):
    poster = Poster(house.stack, f"load.{victim}")
    poster.start()
    wait_for(lambda: len(poster.acked) > 500, 20, "load")
    fault = house.kill()
    house.stack.kill9(victim)
    before = len(poster.acked)
    if victim != "collector":
        wait_for(lambda: len(poster.acked) > before + 500, 20, "load goes on without the victim")
    house.stack.restart(victim)
    wait_for(lambda: len(poster.acked) > before + 1000, 30, "load goes on")
    house.wait_verified(fault["vnfc_id"], seconds=60)
    house.wait_quiet(seconds=60)
    poster.finish()
    poster.check_all_found()
    assert len(heals_of(house, fault["vnfc_id"])) == 1
    seqs = [r["seq"] for r in house.log()]
    assert seqs == list(range(1, len(seqs) + 1))


def test_redis_killed_under_load_loses_nothing(house):
    poster = Poster(house.stack, "load.redis")
    poster.start()
    wait_for(lambda: len(poster.acked) > 500, 20, "load")
    house.stack.redis.kill9()
    wait_for(lambda: poster.refused > 0, 20, "503 with Retry-After")
    agent = house.stack.daemons["agent"]
    wait_for(lambda: list((house.dir / "agent" / "spool").glob("*.spool")), 20, "the agent spools")
    house.stack.redis.start()
    before = len(poster.acked)
    wait_for(lambda: len(poster.acked) > before + 500, 30, "load goes on")
    wait_for(lambda: not list((house.dir / "agent" / "spool").glob("*.spool")), 30,
             "the agent's spool is sent")
    assert agent.alive()
    fault = house.kill()  # everything still works
    house.wait_verified(fault["vnfc_id"], seconds=60)
    house.wait_quiet(seconds=60)
    poster.finish()
    poster.check_all_found()
    assert len(heals_of(house, fault["vnfc_id"])) == 1


def test_scales_out_under_load_and_in_again(stack):
    house = House(stack, policies=QUICK_SCALING)
    wait_for(lambda: house.states("dns-overload").get("dns-vnf") == "OK", 30, "quiet")
    house.lab_call("POST", "/lab/load", {"qps": 270})  # 135 each: more than 100
    wait_for(lambda: len(house.lab_state()["vnfcs"]) >= 3, 30, "scale out")
    wait_for(lambda: house.states("dns-overload")["dns-vnf"] == "OK", 30, "overload over")
    house.lab_call("POST", "/lab/load", {"qps": 20})
    wait_for(lambda: len(house.lab_state()["vnfcs"]) == 1, 60, "scale in")
    assert {r["body"]["type"] for r in house.requests("scale")} == {"SCALE_OUT", "SCALE_IN"}
    # What was scaled in on purpose is not a fault.
    settled = time.time()
    wait_for(lambda: time.time() > settled + 3, 5, "three seconds of watching")
    assert house.requests("heal") == []
    house.stop()


def test_planned_restart_keeps_alarms_and_history(house):
    vnfc = house.kill()["vnfc_id"]
    house.wait_verified(vnfc)
    before = house.log()
    for name in ("actuator", "correlator", "thresholds", "collector"):
        house.stack.stop(name)
    for name in ("collector", "thresholds", "correlator", "actuator"):
        house.stack.restart(name)
    after = house.log()
    assert after[:len(before)] == before
    house.wait_quiet()
    assert len(house.requests("heal")) == 1
