# SPDX-License-Identifier: Apache-2.0
"""OPNFV Doctor's chain with a real Nova: what test_vim_doctor.py and tests/bench/doctor_vim.py share.

    chain = Chain(stack, cloud, consumer, fence)     # two Receivers: of the VMs' owner, and of the fencing
    chain.follow(servers, "compute-1")               # an event alarm each, once the inventory has them
    times = chain.down("compute-1", servers)         # event, told, force-down, states, ack, fencing, evacuated
    times.update(chain.back("compute-1"))            # the host comes back and is un-forced
"""
import json
import time

import yaml
from conftest import ROOT, wait_for
from test_doctor import EVENT
from vim_kit import Vim, begin_anew

NOVA_S = 600  # Nova takes its time on a busy machine


def now():
    return time.time_ns() // 1000


def policies(fence):
    """The example, with this cloud, this fencing and states reset, without limits against too many faults."""
    text = (ROOT / "packaging" / "examples" / "doctor-policies.yaml").read_text()
    text = text.replace("mycloud", "lab").replace("https://fencing.example.org/hosts/${hostname}/off", fence)
    rows = yaml.safe_load(text)["policies"]
    for policy in rows:
        policy.update(mode="auto", cooldown="1ms", frequency={"max": 1000, "per": "1s"})
        for step in policy["steps"]:
            step.get("webhook", {}).pop("token_file", None)
            step.get("nova", {}).update(poll="100ms", timeout="10m")
            if "wait" in step:
                step["wait"]["within"] = "10m"  # the acknowledgement must come
    return rows


class Chain:
    def __init__(self, stack, cloud, consumer, fence):
        self.stack, self.cloud, self.consumer, self.fence = stack, cloud, consumer, fence
        self.vim, self.last = Vim(stack, cloud), 0
        stack.start("collector")
        stack.start("correlator", {"storm_rate": 0, "flap_window": "0s"})  # here faults come often
        stack.start("actuator", self.vim.config(
            policies(fence.url), notification_methods={"allow": ["127.0.0.1"]},
            inventory={"tenant": "default", "every": "1s", "fetch": ["nova"]}))

    def host_of(self, server):
        """As the topology has it."""
        a = self.stack.http("GET", f"/v1/topology/vm/{server}")
        return a.json["entity"].get("hosted_by") if a.status == 200 else None

    def follow(self, servers, host):
        wait_for(lambda: all(self.host_of(i) == [f"host/{host}"] for i in servers), 300, "the inventory", 0.1)
        for server in servers:
            a = self.stack.http("POST", "/v2/alarms", {
                "name": server, "type": "event", "alarm_actions": [self.consumer.url], "ok_actions": [self.consumer.url],
                "event_rule": {"event_type": EVENT, "query": [
                    {"field": "traits.instance_id", "op": "eq", "value": server},
                    {"field": "traits.state", "op": "eq", "value": "error"}]}})
            assert a.status == 201, a

    def event(self, host, status):
        """As the sample monitor writes it, later than the one before; the time before it was sent."""
        self.last = max(self.last + 1, int(time.time() * 1000))
        begun = now()
        a = self.stack.http("PUT", "/events", [{"time": self.last, "type": "compute.host.down", "details": {
            "hostname": host, "status": status}}], role="agent")
        assert a.status == 200, a
        return begun

    def told(self, servers, state):
        """Each server's owner has been told that, and nothing else since the last time; the last one's time, a body."""
        wait_for(lambda: len(self.consumer.got) >= len(servers), 120, f"all told {state}", 0.002)
        got, self.consumer.got = self.consumer.got, []
        bodies = [json.loads(body) for _, _, body in got]
        assert sorted(b["alarm_name"] for b in bodies) == sorted(servers)
        assert {b["current"] for b in bodies} == {state}
        return max(at for at, _, _ in got), bodies[0]

    def servers(self, ids):
        return [s for s in self.cloud.servers() if s["id"] in ids]

    def until(self, what, condition):
        """When it became true."""
        wait_for(condition, NOVA_S, f"{what}, {self.vim.story()}", 0.05)
        return now()

    def waiting(self, alarm):
        rows = self.stack.http("GET", f"/v1/runs?alarm={alarm}").json["elements"]
        held = [r for r in rows if r["policy"] == "doctor-host-down" and r.get("held")]
        return held[0]["id"] if held else None

    def service(self, host):
        return self.cloud.services(host)[0]

    def down(self, host, ids):
        """The host fails. Microseconds from before the event to each thing seen, and from the acknowledgement."""
        before = {i: len(self.cloud.actions(i, "evacuate")) for i in ids}
        self.fence.got.clear()
        begun = self.event(host, "down")
        told, body = self.told(ids, "alarm")
        forced = self.until("forced down", lambda: self.service(host)["forced_down"])
        reset = self.until("states reset", lambda: {s["status"] for s in self.servers(ids)} == {"ERROR"})
        alarm = {t[0]: t[2] for t in body["reason_data"]["event"]["traits"]}["hale_alarm_id"]
        wait_for(lambda: self.waiting(alarm), 300, "a run that waits", 0.02)
        # Nobody is fenced or evacuated before the consumer has said that its standby works.
        assert not self.fence.got and {s["OS-EXT-SRV-ATTR:host"] for s in self.servers(ids)} == {host}
        acknowledged = now()
        a = self.stack.http("POST", f"/v1/runs/{self.waiting(alarm)}/acknowledge", {"comment": "standby"})
        assert a.status == 200, a
        fenced = self.until("fenced", lambda: self.fence.got)
        evacuated = self.until("evacuated", lambda: all(
            s["status"] == "ACTIVE" and s["OS-EXT-SRV-ATTR:host"] != host for s in self.servers(ids)))
        assert len(self.fence.got) == 1 and json.loads(self.fence.got[0][2])["run"]
        assert all(len(self.cloud.actions(i, "evacuate")) == before[i] + 1 for i in ids)
        return {"told": told - begun, "forced": forced - begun, "reset": reset - begun,
                "fenced": fenced - acknowledged, "evacuated": evacuated - acknowledged}

    def back(self, host, ids):
        """The host comes back with a new nova-compute; its servers are at home where they are now."""
        begin_anew(self.cloud, host)
        begun = self.event(host, "up")
        self.told(ids, "ok")
        unforced = self.until("un-forced", lambda: not self.service(host)["forced_down"])
        self.until("up", lambda: self.service(host)["state"] == "up")
        wait_for(lambda: all(self.host_of(i) not in (None, [f"host/{host}"]) for i in ids), 300, "the topology", 0.1)
        wait_for(lambda: not self.stack.redis.cmd("HLEN", "hale:{m}:act:outages"), 300, "the end of the outage", 0.02)
        return {"unforced": unforced - begun}
