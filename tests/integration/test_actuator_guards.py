# SPDX-License-Identifier: Apache-2.0
"""What keeps loops from acting, with the collector, the correlator and the actuator: exhausted loops, storms of
triggers, a fleet below its floor, kill switches, a planned uninstall; over kill -9."""
import json
import time

import pytest
from conftest import wait_for
from test_actuator import Log, Receiver, start

ALARMS, GUARDS = "hale:{m}:alarms", "hale:{m}:guards"


@pytest.fixture
def hooks():
    one = Receiver(204)
    yield one
    one.stop()


class House:
    def __init__(self, stack, redis, hooks):
        self.stack, self.redis, self.hooks = stack, redis, hooks
        self.log = Log(redis)
        stack.start("collector")
        stack.start("correlator")

    def policies(self, **more):
        one = {"name": "heal", "mode": "auto", "alarm": {"definition": "vm.down"}, "target": "vm/${vm}",
               "cooldown": "0s", "steps": [{"webhook": {"url": self.hooks.url + "/${vm}"}}],
               "verify": {"alarm": "cleared", "within": "60s"}}
        one.update(more)
        start(self.stack, json.dumps({"policies": [one]}))

    def events(self, vms, status="raise"):
        body = {"events": [{"type": "vm.down", "status": status, "dimensions": {"vm": vm}} for vm in vms]}
        assert self.stack.http("POST", "/v1/events", body).status == 200

    def topology(self, **body):
        assert self.stack.http("POST", "/v1/topology", body).status in (200, 202, 204)

    def alarm(self, name):
        """State of the one alarm of that name, or None."""
        for text in self.redis.cmd("HVALS", ALARMS):
            a = json.loads(text)
            if a["definition_name"] == name:
                return a["state"]
        return None

    def await_alarm(self, name, state):
        wait_for(lambda: self.alarm(name) == state, 20, f"{name} {state}; it is {self.alarm(name)}")

    def await_rows(self, kind, n, **detail):
        def there():
            rows = [r for r in self.log.rows(kind) if all(r["detail"].get(k) == v for k, v in detail.items())]
            return rows if len(rows) >= n else None
        return wait_for(there, 20, f"{n} rows {kind} {detail}; rows: "
                        f"{[(r['kind'], r['target'], r['text']) for r in self.log.rows()]}")

    def calls(self):
        """One that is made again after a crash has the same key."""
        return len({headers["Idempotency-Key"] for _, headers, _ in list(self.hooks.got)})

    def unlatch(self, policy):
        """As the collector does."""
        field = f"unlatch/{policy}"
        self.redis.cmd("HSET", "hale:{m}:switches", field,
                       json.dumps({"v": 1, "by": "op", "at_ms": time.time_ns() // 1000000}))
        self.redis.cmd("XADD", "hale:{m}:control", "*", "j", json.dumps({"v": 1, "op": "switch", "id": field}))


@pytest.fixture
def house(stack, redis, hooks):
    return House(stack, redis, hooks)


def test_exhausted_loop_ends_in_quiet_and_an_alarm(house):
    house.policies(repeat="while_alarm", verify={"within": "100ms"}, frequency={"max": 10, "per": "1h"},
                   guards={"exhausted": {"failures": 3}}, approval={"expires": "1h"})
    house.events(["v1"])
    house.await_alarm("hale.loop.exhausted", "ALARM")
    assert house.calls() == 3
    row, = house.log.rows("latched")
    assert row["policy"] == "heal" and row["target"] == "vm/v1" and row["detail"]["word"] == "exhausted"
    house.stack.kill9("actuator")
    house.stack.restart("actuator")
    house.events(["v2"])  # it only suggests now
    house.await_rows("suggested", 1)
    assert house.calls() == 3 and len(house.log.rows("latched")) == 1
    house.unlatch("heal")
    house.await_alarm("hale.loop.exhausted", "OK")
    house.events(["v3"])
    wait_for(lambda: house.calls() > 3, 20, "a call after the latch was opened")


def test_storm_of_triggers_is_bounded(house):
    house.policies(frequency=[{"max": 5, "per": "1h", "scope": "global"}, {"max": 100, "per": "1h"}])
    house.events([f"v{i}" for i in range(60)])
    house.await_rows("suppressed", 30, guard="frequency")
    house.stack.kill9("actuator")
    house.stack.restart("actuator")
    house.events([f"w{i}" for i in range(40)])
    rows = house.await_rows("suppressed", 95, guard="frequency")
    assert len(house.log.rows("triggered")) == 5 and house.calls() <= 5
    verdicts = [(v["guard"], v["allowed"]) for v in rows[0]["detail"]["guards"]]
    assert {("lease", True), ("cooldown", True), ("frequency", False)} <= set(verdicts)


def test_nothing_is_healed_below_the_floor_of_a_fleet(house):
    vms = [f"v{i}" for i in range(20)]
    house.topology(put=[{"type": "vm", "id": vm} for vm in vms])
    wait_for(lambda: house.redis.cmd("HLEN", "hale:{m}:entities") >= 20, 20, "the topology")
    house.policies(repeat="while_alarm", stabilise="500ms",
                   guards={"fleet": {"scope": "vm", "min_healthy": 11, "storm_cooldown": "1s"}})
    house.events(vms[:10])
    house.await_alarm("hale.loop.storm", "ALARM")
    house.await_rows("suppressed", 10, guard="fleet")
    house.stack.kill9("actuator")
    house.stack.restart("actuator")
    assert house.calls() == 0 and house.log.rows("triggered") == []
    house.events(["v0"], "clear")
    house.await_alarm("hale.loop.storm", "OK")
    house.await_rows("triggered", 9)
    began = min(r["time_ms"] for r in house.log.rows("triggered"))
    opened, = house.log.rows("unlatched")
    assert began >= opened["time_ms"] and opened["detail"]["healthy"] >= 11
    assert "vm/v0" not in {r["target"] for r in house.log.rows("triggered")}


def test_kill_switch_stops_and_lets_go(house):
    house.policies(repeat="while_alarm")
    who = {"role": "operator,delegate"}
    assert house.stack.http("PUT", "/v1/switches/all", {"reason": "work on the VIM"}, **who).status in (200, 204)
    house.events(["v1"])
    row = house.await_rows("suppressed", 1, guard="switch")[0]
    assert "work on the VIM" in row["text"]
    house.stack.kill9("actuator")
    house.stack.restart("actuator")
    assert house.calls() == 0
    assert house.stack.http("DELETE", "/v1/switches/all", **who).status == 204
    wait_for(lambda: house.calls() == 1, 20, "the call after the switch went off")


def test_what_is_taken_down_on_purpose_is_not_healed(house):
    house.topology(put=[{"type": "vm", "id": "old"}, {"type": "vm", "id": "new"}])
    wait_for(lambda: house.redis.cmd("HLEN", "hale:{m}:entities") >= 2, 20, "the topology")
    house.policies(stabilise="1500ms", guards={"in_topology": "required"})
    house.events(["old"])
    wait_for(lambda: house.redis.cmd("HLEN", "hale:{m}:runs") == 1, 20, "the run that waits")
    house.topology(delete=["vm/old"])
    house.await_alarm("vm.down", "OK")
    wait_for(lambda: house.redis.cmd("HLEN", GUARDS) == 0 and house.log.rows() == [], 20, "nothing written")
    house.events(["old", "new"])  # monitors are late; of the other it is true
    house.await_rows("suppressed", 1, guard="in_topology")
    wait_for(lambda: house.calls() == 1, 20, "the heal of the other")
    assert [r["target"] for r in house.log.rows("triggered")] == ["vm/new"]


def test_guards_and_those_who_tell_share_one_topology(house, redis):
    house.topology(put=[{"type": "host", "id": "h1"},
                        {"type": "vm", "id": "v1", "hosted_by": ["host/h1"]}])
    wait_for(lambda: redis.cmd("HLEN", "hale:{m}:entities") >= 2, 20, "the topology")
    assert house.stack.http("GET", "/v1/topology").status == 200  # the collector has its copy
    usual = [(k, redis.cmd("CONFIG", "GET", k)[1]) for k in ("slowlog-log-slower-than", "slowlog-max-len")]
    redis.cmd("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "100000")
    redis.cmd("SLOWLOG", "RESET")
    house.policies(guards={"in_topology": "required", "fleet": {"scope": "vm", "min_healthy": 1}})
    scans = [e[3] for e in redis.cmd("SLOWLOG", "GET", "-1") if e[3][:2] == [b"HSCAN", b"hale:{m}:entities"]]
    redis.cmd("CONFIG", "SET", *sum(usual, ()))
    assert len(scans) == 1
    # Both know what comes later: the guard of a VM, and who is affected by its host.
    house.topology(put=[{"type": "vm", "id": "v2", "hosted_by": ["host/h1"]}])
    wait_for(lambda: redis.cmd("HLEN", "hale:{m}:entities") >= 3, 20, "the other VM")
    house.events(["v2", "v3"])
    house.await_rows("suppressed", 1, guard="in_topology")
    wait_for(lambda: house.calls() == 1, 20, "the call for v2")
    assert [r["target"] for r in house.log.rows("triggered")] == ["vm/v2"]
    body = {"events": [{"type": "host.down", "severity": "CRITICAL", "dimensions": {"host": "h1"}}]}
    assert house.stack.http("POST", "/v1/events", body).status == 200
    wait_for(lambda: any(json.loads(o)["ref"] == "host/h1" for o in redis.cmd("HVALS", "hale:{m}:act:outages")),
             20, "the outage of the host")
    outage, = [json.loads(o) for o in redis.cmd("HVALS", "hale:{m}:act:outages") if b"host/h1" in o]
    assert {e[0] for e in outage["entities"]} == {"host/h1", "vm/v1", "vm/v2"}
