# SPDX-License-Identifier: Apache-2.0
"""Causes and symptoms in hale-correlator: a host with a hundred VMs, two uplinks. What is proved: one alarm is
told of and a hundred are marked, whatever comes first (A1), nothing bursts when the host is back (A2), any-of
means any (A3), and a correlator that is killed again and again writes the same log (A4)."""
import json

import pytest
from conftest import wait_for
from test_correlator import Feeder, alarms, log, processed, subalarms
from test_topology_rows import TOPOLOGY, META

VMS = 100


class Site(Feeder):
    """The host h1 with its check and VMs; the VM a on two switches."""

    def __init__(self, redis, base=None):
        super().__init__(redis)
        self.base = base or self.base
        uplinks = [{"group": "net", "mode": "any", "on": ["switch/s1", "switch/s2"]}]
        self.topology(put=[{"type": "host", "id": "h1"}, {"type": "switch", "id": "s1"},
                           {"type": "switch", "id": "s2"},
                           {"type": "vm", "id": "a", "depends_on": uplinks}])
        self.topology(put=[{"type": "vm", "id": f"v{i:03}", "hosted_by": ["host/h1"]}
                           for i in range(VMS)])
        self.define("alive", "avg(m, 3600) > 0", ["hostname"], severity="CRITICAL")
        for kind, state in (("create", "UNDETERMINED"), ("state", "OK")):
            self.host(state, kind)
        wait_for(self.done, 60, "the beginning to be handled")
        self.begin = len(log(redis))

    def topology(self, **parts):
        self.add(TOPOLOGY, {"v": 1, "tenant": "default", "source": "test", "at_ms": 1, **parts})

    def host(self, state, kind="state"):
        """Its windows end an hour after the beginning, and so on: nothing is over by time here."""
        self.add(subalarms(), {
            "v": 1, "kind": kind, "definition_id": "alive", "definition_version": 1, "sub": 0,
            "group": {"hostname": "h1"}, "state": state, "at_ms": self.base + self.n + 1,
            "values": [], "window": {"start_ms": self.base - 3600000, "end_ms": self.base},
            "metrics": [{"name": "m", "dimensions": {"hostname": "h1"}}], "accepted_us": 1,
            "decided_us": 1})

    def vm(self, name, status):
        self.event({"vm_id": name}, status, severity="HIGH", type_="ping")

    def vms(self, status, numbers=range(VMS)):
        for i in numbers:
            self.vm(f"v{i:03}", status)

    def switch(self, name, status):
        self.event({"switch_id": name}, status, type_="switch.down")

    def done(self):
        last = self.redis.cmd("XREVRANGE", TOPOLOGY, "+", "-", "COUNT", "1")
        return processed(self.redis) and self.redis.cmd("HGET", META, "pos:topology") == last[0][0]

    def log(self):
        wait_for(self.done, 60, "all input to be handled")
        return log(self.redis)[self.begin:]

    def alarm(self, name):
        return next(a for a in alarms(self.redis).values() if key(a) == name)


def key(alarm):
    return ":".join([alarm["definition_name"], *alarm["group"].values()])


def told(rows):
    """What those outside hear, in order."""
    return [(key(r["alarm"]), r["alarm"]["state"]) for r in rows
            if r.get("announce", r["kind"] == "transition")]


def essence(v):
    """Without the times of our own clock."""
    if isinstance(v, dict):
        return {k: essence(x) for k, x in v.items() if not k.endswith(("_ms", "_us"))}
    return [essence(x) for x in v] if isinstance(v, list) else v


@pytest.fixture
def site(stack, redis):
    stack.start("correlator", {"clear_hold": "1h", "hold_max": "1h"})
    return Site(redis)


def test_host_with_its_vms(site):
    # A1: the VMs first; they wait for the check of the host.
    site.vms("raise")
    assert told(site.log()) == []
    kinds = {m["kind"] for m in site.alarm("ping:v007")["life"]["suppressed_by"]}
    assert kinds == {"hold"}
    site.host("ALARM")
    assert told(site.log()) == [("alive:h1", "ALARM")]
    root = site.alarm("alive:h1")
    symptoms = [a for a in alarms(site.redis).values() if a["definition_name"] == "ping"]
    assert root["life"]["root_cause"] is True and root["life"]["symptoms"] == VMS
    assert sorted(a["id"] for a in symptoms) == sorted(root["life"]["correlated"])
    for a in symptoms:
        assert [m["id"] for m in a["life"]["suppressed_by"]] == [root["id"]]
        assert a["life"]["causes"] == [root["id"]]
        assert a["life"]["root_entity"] == {"type": "host", "id": "h1"}
        assert a["life"]["path"] == ["vm/" + a["group"]["vm_id"], "host/h1"]
    # A2: the host is back first; one VM is not.
    site.host("OK")
    site.vms("clear", range(1, VMS))
    assert told(site.log()) == [("alive:h1", "ALARM"), ("alive:h1", "OK")]
    site.vm("v000", "raise")
    rows = site.log()
    assert told(rows) == [("alive:h1", "ALARM"), ("alive:h1", "OK"), ("ping:v000", "ALARM")]
    assert "still failing after recovery of alive (host/h1)" in rows[-1]["alarm"]["reason"]
    # Root cause outlives both.
    assert site.alarm("ping:v050")["life"]["causes"] == [root["id"]]
    assert site.alarm("alive:h1")["life"]["symptoms"] == VMS


def test_any_of_two_uplinks(site):
    site.switch("s1", "raise")
    site.vm("a", "raise")
    site.log()
    assert "suppressed_by" not in site.alarm("ping:a")["life"]
    site.vm("a", "clear")
    site.switch("s2", "raise")
    site.vm("a", "raise")
    site.log()
    life = site.alarm("ping:a")["life"]
    assert sorted(life["causes"]) == sorted(
        site.alarm(f"switch.down:{s}")["id"] for s in ("s1", "s2"))
    site.switch("s1", "clear")
    rows = site.log()
    assert told(rows)[-1] == ("switch.down:s1", "OK")
    site.vm("a", "raise")  # looked at, and still bad
    assert told(site.log())[-1] == ("ping:a", "ALARM")


def story(site, pause):
    """Many things, one after the other: pause waits for the end of each."""
    steps = [lambda: site.vms("raise", range(50)), lambda: site.host("ALARM"),
             lambda: site.vms("raise", range(50, VMS)), lambda: site.switch("s1", "raise"),
             lambda: site.switch("s2", "raise"), lambda: site.vm("a", "raise"),
             lambda: site.host("OK"), lambda: site.vms("clear", range(0, VMS, 3)),
             lambda: site.topology(delete=["vm/v001"]), lambda: site.host("ALARM"),
             lambda: site.switch("s2", "clear"), lambda: site.vms("raise", range(0, VMS, 7)),
             lambda: site.vms("clear"), lambda: site.host("OK"),
             lambda: site.switch("s1", "clear"), lambda: site.vm("a", "clear")]
    for step in steps:
        step()
        pause(site)
    return essence(site.log())


def test_killed_again_and_again(stack, redis, site):
    def quiet(site):
        wait_for(site.done, 60, "a step to be handled")

    def kill(site):
        stack.kill9("correlator")
        stack.restart("correlator")
        wait_for(site.done, 60, "a step to be handled")

    plain = story(site, quiet)
    stack.stop("correlator")
    redis.flush()
    stack.restart("correlator")
    again = Site(redis, site.base)
    killed = story(again, kill)
    for calm, wild in zip(plain, killed):
        assert wild == calm, json.dumps([calm, wild])
    assert len(killed) == len(plain)
