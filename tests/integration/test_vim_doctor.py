# SPDX-License-Identifier: Apache-2.0
"""OPNFV Doctor's whole chain against a real Keystone and Nova with three hosts (tests/vim/cloud.py): the inventory is
fetched, a monitor's event is sent, the consumer is told and acknowledges, Nova has the host down and the servers
elsewhere, and the host comes back."""
import json
import time

import pytest
import yaml
from conftest import ROOT, wait_for
from test_doctor import EVENT, got
from test_actuator import Receiver
from vim_kit import Vim, boot, bring_up, delete


@pytest.fixture
def consumer():
    r = Receiver()
    yield r
    r.stop()


@pytest.fixture
def servers(cloud):
    made = []

    def make(host, n):
        made.extend(boot(cloud, host, n, False))
        return made[-n:]
    yield make
    delete(cloud, made)
    for service in cloud.services():
        if service["forced_down"] or service["status"] == "disabled":
            bring_up(cloud, service["host"])


def policies(fence):
    """The example, with this cloud, this fencing and states reset."""
    text = (ROOT / "packaging" / "examples" / "doctor-policies.yaml").read_text()
    text = text.replace("mycloud", "lab").replace("https://fencing.example.org/hosts/${hostname}/off", fence)
    rows = yaml.safe_load(text)["policies"]
    for policy in rows:
        policy.update(mode="auto", cooldown="100ms")
        for step in policy["steps"]:
            step.get("webhook", {}).pop("token_file", None)
            step.get("nova", {}).update(poll="100ms", timeout="10m")
            if "wait" in step:
                step["wait"]["within"] = "10m"  # the acknowledgement must come
    return rows


def test_doctors_chain(stack, cloud, consumer, servers):
    ids = servers("compute-1", 2)
    fence = Receiver()
    vim = Vim(stack, cloud)
    stack.start("collector")
    stack.start("correlator")
    stack.start("actuator", vim.config(policies(fence.url), notification_methods={"allow": ["127.0.0.1"]}, inventory={
        "tenant": "default", "every": "1s", "fetch": ["nova"]}))

    def where(server):
        a = stack.http("GET", f"/v1/topology/vm/{server}")
        return a.json["entity"].get("hosted_by") if a.status == 200 else None
    wait_for(lambda: all(where(i) == ["host/compute-1"] for i in ids), 300, "the inventory", 0.1)
    for server in ids:
        a = stack.http("POST", "/v2/alarms", {
            "name": server, "type": "event", "alarm_actions": [consumer.url], "ok_actions": [consumer.url],
            "event_rule": {"event_type": EVENT, "query": [
                {"field": "traits.instance_id", "op": "eq", "value": server},
                {"field": "traits.state", "op": "eq", "value": "error"}]}})
        assert a.status == 201, a

    def event(status):
        return stack.http("PUT", "/events", [{"time": int(time.time() * 1000), "type": "compute.host.down", "details": {
            "hostname": "compute-1", "status": status}}], role="agent").status
    begun = time.time_ns() // 1000
    assert event("down") == 200
    bodies = got(consumer, 2)
    assert {b["alarm_name"] for b in bodies} == set(ids) and {b["current"] for b in bodies} == {"alarm"}
    traits = {t[0]: t[2] for t in bodies[0]["reason_data"]["event"]["traits"]}
    # Nobody is evacuated before the consumer has said that its standby works.
    wait_for(lambda: cloud.services("compute-1")[0]["forced_down"], 300, "forced down", 0.1)
    forced = time.time_ns() // 1000
    wait_for(lambda: all(cloud.nova("GET", f"/servers/{i}")["server"]["status"] == "ERROR" for i in ids), 300,
             "states reset", 0.1)
    reset = time.time_ns() // 1000

    def run():
        rows = stack.http("GET", f"/v1/runs?alarm={traits['hale_alarm_id']}").json["elements"]
        held = [r for r in rows if r["policy"] == "doctor-host-down" and r.get("held")]
        return held[0]["id"] if held else None
    wait_for(run, 300, f"a run that waits, {vim.story()}", 0.1)
    assert not fence.got and not any(cloud.actions(i, "evacuate") for i in ids)
    assert stack.http("POST", f"/v1/runs/{run()}/acknowledge", {"comment": "standby"}).status == 200
    try:
        wait_for(lambda: fence.got, 300, "fencing", 0.1)
        wait_for(lambda: all(cloud.nova("GET", f"/servers/{i}")["server"]["OS-EXT-SRV-ATTR:host"] != "compute-1"
                             for i in ids), 600, f"evacuated, {vim.story()}", 0.2)
    finally:
        fence.stop()
    evacuated = time.time_ns() // 1000
    assert [len(cloud.actions(i, "evacuate")) for i in ids] == [1, 1]
    assert json.loads(fence.got[0][2])["run"] and len(fence.got) == 1
    # The end: told to the same, wherever the servers are now; Nova has the host again, which has begun anew.
    cloud.kill("compute-1")
    wait_for(lambda: cloud._reap("compute-1"), 120, "the end of nova-compute")
    (cloud.run / "compute-1").unlink()
    cloud.start_compute(1)
    assert event("up") == 200
    assert [b["current"] for b in got(consumer, 4)[2:]] == ["ok", "ok"]
    wait_for(lambda: not cloud.services("compute-1")[0]["forced_down"], 600, f"un-forced, {vim.story()}", 0.2)
    wait_for(lambda: all(where(i) not in (None, ["host/compute-1"]) for i in ids), 300, "the topology", 0.1)
    vim.secrets_kept()
    print("us: told %d, forced down %d, states reset %d, evacuated %d" % (
        max(t for t, _, _ in consumer.got[:2]) - begun, forced - begun, reset - begun, evacuated - begun))
