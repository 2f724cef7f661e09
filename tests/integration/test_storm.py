# SPDX-License-Identifier: Apache-2.0
"""Flapping and storms in a house of real daemons: what a subscriber is told of, and what the log has."""
import json

import pytest

from collector_kit import now_ms
from conftest import wait_for
from service_kit import Receiver


@pytest.fixture
def receiver():
    r = Receiver()
    yield r
    r.stop()


def house(stack, receiver, **correlator):
    stack.start("collector")
    stack.start("correlator", correlator)
    policies = stack.dir / "policies.yaml"
    policies.write_text("policies: []\n")
    stack.start("actuator", {"policies": str(policies),
                             "subscribers": [{"name": "noc", "url": receiver.url}]})


def send(stack, host, severity="HIGH", clear=False, kind="link.down"):
    a = stack.http("POST", "/v1/events", {
        "type": kind, "severity": severity, "status": "clear" if clear else "raise",
        "dimensions": {"host": host}, "time_ms": now_ms()})
    assert a.status == 200, a


def log(stack):
    a = stack.http("GET", "/v1/alarm-log?limit=1000")
    assert a.status == 200, a
    return a.json["elements"]


def told(record):
    return record.get("announce", record["kind"] == "transition")


def alarms(stack):
    return {json.loads(v)["group"].get("host", json.loads(v)["definition_name"]): json.loads(v)
            for v in stack.redis.cmd("HVALS", "hale:{m}:alarms")}


def test_flapping_is_told_once(stack, receiver):
    house(stack, receiver, flap_window="6s")
    n = 30
    for i in range(n):
        send(stack, "h1", clear=i % 2 == 1)
        wait_for(lambda i=i: sum(r["kind"] == "transition" for r in log(stack)) == i + 1, 20,
                 f"change {i + 1}")
        if i == 12:
            stack.kill9("correlator")
            stack.restart("correlator")
    # It is calm again after the last change: one record, with the reason's number of changes.
    def calm():
        ends = [r for r in log(stack) if r.get("op") == "flap"]
        return ends if "suppressed_by" not in alarms(stack)["h1"]["life"] else None
    end = wait_for(calm, 60, "the end of flapping")
    changes = [r for r in log(stack) if r["kind"] == "transition"]
    assert len(changes) == n  # states are logged whatever is told
    announced = [r for r in changes if told(r)]
    begins = [r for r in announced if r["alarm"]["life"].get("flap", {}).get("since_ms")]
    assert len(begins) == len(end), (len(announced), len(begins), len(end))
    # On a slow machine it may be calm in between; each time it is told so once and not more.
    assert len(announced) <= 6 * len(end) + 5, len(announced)


def test_still_there_when_it_is_calm(stack, receiver):
    house(stack, receiver, flap_window="4s")
    for i in range(9):
        send(stack, "h1", clear=i % 2 == 1)
    end = wait_for(lambda: [r for r in log(stack) if r.get("op") == "flap"], 30, "the end of flapping")[-1]
    assert told(end) and end["alarm"]["state"] == "ALARM"
    assert "surfaced by end of flap dampening after 9 changes of state" in end["alarm"]["reason"]
    seq = end["seq"]
    wait_for(lambda: any(g.get("seq") == seq or g.get("alarm", {}).get("seq") == seq
                         for g in receiver.bodies()), 20, f"the subscriber's copy of {seq}")


def test_a_storm_and_a_critical_alarm_in_it(stack, receiver):
    house(stack, receiver, storm_rate=600, storm_burst=20, storm_reserve=20, max_alarms=60)
    for i in range(50):
        send(stack, f"h{i}", "LOW")
    storm = wait_for(lambda: alarms(stack).get("hale.storm"), 30, "the storm's alarm")
    assert storm["state"] == "ALARM"
    send(stack, "core", "CRITICAL", kind="host.down")
    record = wait_for(lambda: [r for r in log(stack) if r["alarm"]["definition_name"] == "host.down"
                               and r["kind"] == "transition"], 20, "the critical one")[0]
    assert told(record) and "suppressed_by" not in record["alarm"].get("life", {})
    # Why one of the others is silent.
    waiting = [a for a in alarms(stack).values() if a.get("life", {}).get("suppressed_by")]
    if waiting:  # it may have had its turn meanwhile
        why = stack.http("GET", f"/v1/alarms/{waiting[-1]['id']}/why").json
        said = [x for x in why["answers"] if x["code"] in ("suppressed", "announced")]
        assert said, why
    for i in range(50, 70):
        send(stack, f"h{i}", "LOW")  # beyond the ceiling
    stack.kill9("correlator")
    stack.restart("correlator")

    # In the end everybody in ALARM was told of, those within the ceiling; the others are counted.
    def all_told():
        found = [a for a in alarms(stack).values() if a["definition_name"] == "link.down"]
        return len(found) == 59 and all(a["life"].get("announced") == "ALARM" for a in found)
    wait_for(all_told, 60, "all announced")

    def counted():
        r = [r for r in log(stack) if r["alarm"]["definition_name"] == "hale.storm"][-1]
        d = r["evidence"]["event"]["details"]
        return d if d["waiting"] == 0 and d["announced"] == d["held"] else None
    details = wait_for(counted, 60, "the counts")
    assert details["refused"] == 11 and details["by_severity"]["LOW"] == details["held"] + 11
    assert details["by_definition"] == {"link.down": details["held"] + 11}
    seqs = [r["seq"] for r in log(stack)]
    assert seqs == list(range(1, len(seqs) + 1))
