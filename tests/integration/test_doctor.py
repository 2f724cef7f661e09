# SPDX-License-Identifier: Apache-2.0
"""OPNFV Doctor's fault management, with every daemon: a monitor's event, the VMs of the host, Aodh's alarms.

Consumers speak as Doctor's own do: aodhclient creates the alarm, the body that arrives is read key by key.
"""
import json
import re
import subprocess
import uuid

import pytest
from aodhclient.v2 import client as aodh
from conftest import ROOT, binary, wait_for
from keystoneauth1 import session as keystone
from keystoneauth1.token_endpoint import Token
from test_actuator import Receiver, metric

EVENT = "compute.instance.update"
WHEN = "2026-11-21T10:11:12.%06d"


class Doctor:
    """The daemons, a site of hosts with VMs, and the words of Doctor's blocks."""

    def __init__(self, stack, hosts=2, vms=2, **actuator):
        self.stack, self.events, self.receivers = stack, 0, []
        stack.start("collector")
        stack.start("correlator")
        self.config = {"notification_methods": {"allow": ["127.0.0.1"]}, **actuator}
        stack.start("actuator", self.config)
        self.vms = {f"compute-{h}": [str(uuid.uuid5(uuid.NAMESPACE_URL, f"{h}/{i}")) for i in range(vms)]
                    for h in range(hosts)}
        self.topology(*(
            [{"type": "host", "id": h} for h in self.vms]
            + [{"type": "vm", "id": vm, "name": f"vm-{h}-{i}", "hosted_by": ["host/" + h],
                "attributes": {"project_id": "p1"}} for h, vms in self.vms.items()
               for i, vm in enumerate(vms)]))
        self.aodh = self.client()

    def topology(self, *entities):
        answer = self.stack.http("POST", "/v1/topology?wait=true", {"put": list(entities)})
        assert answer.status in (200, 202), answer

    def client(self, tenant="default"):
        auth = Token(self.stack.url, self.stack.token("operator", tenant))
        return aodh.Client(session=keystone.Session(auth=auth))

    def receiver(self, status=200):
        self.receivers.append(Receiver(status))
        return self.receivers[-1]

    def alarm(self, vm, url, client=None, query=None, **more):
        """As doctor_tests/alarm.py writes it."""
        body = {"name": "doctor_alarm0", "description": "VM failure", "enabled": True,
                "alarm_actions": [url], "repeat_actions": False, "severity": "moderate", "type": "event",
                "event_rule": {"event_type": EVENT, "query": query or [
                    {"field": "traits.instance_id", "type": "", "op": "eq", "value": vm},
                    {"field": "traits.state", "type": "", "op": "eq", "value": "error"}]}}
        return (client or self.aodh).alarm.create({**body, **more})["alarm_id"]

    def event(self, host, status="down"):
        """As the sample monitor sends it: a bare list, with PUT."""
        self.events += 1
        answer = self.stack.http("PUT", "/events", [
            {"time": WHEN % self.events, "type": "compute.host.down",
             "details": {"hostname": host, "status": status, "monitor": "monitor_sample",
                         "monitor_event_id": "monitor_sample_event1"}}], role="agent")
        assert answer.status == 200, answer

    def state(self, ident, wanted=None):
        if wanted is not None:
            wait_for(lambda: self.state(ident) == wanted, 20,
                     f"{wanted}, is {self.aodh.alarm.get(ident)}")
        return self.aodh.alarm.get_state(ident)

    def stop(self):
        for receiver in self.receivers:
            receiver.stop()


@pytest.fixture
def doctor(stack):
    made = []

    def make(**kwargs):
        made.append(Doctor(stack, **kwargs))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def got(receiver, n):
    wait_for(lambda: len(receiver.got) >= n, 20, f"{n} notices, there are {len(receiver.got)}")
    return receiver.bodies()


def test_a_consumer_of_doctors_is_told_and_told_again(doctor):
    d = doctor()
    consumer = d.receiver()
    vm = d.vms["compute-1"][0]
    ident = d.alarm(vm, consumer.url)
    other = d.alarm(d.vms["compute-0"][0], consumer.url)
    assert d.state(ident) == "insufficient data"
    d.event("compute-1")
    body, = got(consumer, 1)
    assert list(body) == ["alarm_name", "alarm_id", "severity", "previous", "current", "reason", "reason_data"]
    assert (body["alarm_name"], body["alarm_id"], body["severity"], body["previous"], body["current"]) == (
        "doctor_alarm0", ident, "moderate", "insufficient data", "alarm")
    assert set(body["reason_data"]) == {"type", "event"} and body["reason_data"]["type"] == "event"
    event = body["reason_data"]["event"]
    assert set(event) == {"message_id", "event_type", "generated", "traits", "raw"} and event["raw"] == {}
    assert event["event_type"] == EVENT
    assert re.fullmatch(r"Event <id=%s,event_type=%s> hits the query <query=\[.*\]>\." % (
        event["message_id"], EVENT), body["reason"])
    traits = {name: (kind, value) for name, kind, value in event["traits"]}
    assert {k: traits[k] for k in ("state", "instance_id", "tenant_id", "host")} == {
        "state": (1, "error"), "instance_id": (1, vm), "tenant_id": (1, "p1"), "host": (1, "compute-1")}
    headers = {k.lower(): v for k, v in consumer.got[0][1].items()}
    assert headers["content-type"] == "application/json"
    assert re.fullmatch("req-[0-9a-f-]{36}", headers["x-openstack-request-id"])
    d.state(ident, "alarm")
    # Back by itself; without ok_actions nobody is told. The next fault is told again.
    d.event("compute-1", "up")
    d.state(ident, "ok")
    d.event("compute-1")
    assert [(b["previous"], b["current"]) for b in got(consumer, 2)] == [
        ("insufficient data", "alarm"), ("ok", "alarm")]
    assert d.state(other) == "insufficient data"


def test_the_end_follows_the_beginning_in_order(doctor):
    d = doctor()
    consumer = d.receiver(503)
    vm = d.vms["compute-1"][0]
    ident = d.alarm(vm, consumer.url, ok_actions=[consumer.url])
    d.event("compute-1")
    got(consumer, 1)
    d.event("compute-1", "up")
    d.state(ident, "ok")
    d.stack.kill9("actuator")  # what is to be said is in Redis
    consumer.status = 200
    n = len(consumer.got)
    d.stack.start("actuator", d.config)
    bodies = got(consumer, n + 2)
    # The one under way at the kill may have been answered by either.
    assert [b["current"] for b in bodies[-2:]] == ["alarm", "ok"]
    assert bodies[-1]["previous"] == "alarm"
    row = d.stack.redis.cmd
    wait_for(lambda: json.loads(row("HGET", "hale:{m}:act:aodh", ident))["queue"] == [], 20, "all said")
    assert row("HLEN", "hale:{m}:act:outages") == 0


def test_every_vm_of_the_host_and_the_summary(doctor):
    d = doctor(vms=40)
    consumer, noc = d.receiver(), d.receiver()
    d.stack.stop("actuator")
    d.config["subscribers"] = [{"name": "noc", "url": noc.url}]
    d.stack.start("actuator", d.config)
    ids = {d.alarm(vm, consumer.url): vm for vms in d.vms.values() for vm in vms}
    d.event("compute-0")
    bodies = got(consumer, 40)
    assert {ids[b["alarm_id"]] for b in bodies} == set(d.vms["compute-0"])
    assert len({b["reason_data"]["event"]["message_id"] for b in bodies}) == 40
    told, = got(noc, 1)
    affected = told["life"]["affected"]
    assert affected["count"] == 41
    assert affected["entities"][0] == {"type": "host", "id": "compute-0"}
    assert {e["id"] for e in affected["entities"][1:]} == set(d.vms["compute-0"])
    d.event("compute-0", "up")
    assert got(noc, 2)[1]["life"]["affected"] == affected
    assert len(consumer.got) == 40


def test_alarms_without_a_vm_and_by_state(doctor):
    d = doctor()
    loose, back = d.receiver(), d.receiver()
    error = [{"field": "traits.state", "op": "eq", "value": "error"}]
    ident = d.alarm(None, loose.url, query=error, ok_actions=[loose.url])
    d.alarm(d.vms["compute-0"][0], back.url, query=[
        {"field": "traits.instance_id", "op": "eq", "value": d.vms["compute-0"][0]},
        {"field": "traits.state", "op": "eq", "value": "active"}])
    d.event("compute-0")
    d.event("compute-1")
    d.state(ident, "alarm")
    wait_for(lambda: d.stack.redis.cmd("HLEN", "hale:{m}:act:outages") == 2, 20, "both hosts")
    d.event("compute-0", "up")
    assert got(back, 1)[0]["current"] == "alarm"
    assert d.state(ident) == "alarm"  # VMs of the other host are out yet
    d.event("compute-1", "up")
    d.state(ident, "ok")
    assert [b["current"] for b in got(loose, 2)] == ["alarm", "ok"]


def test_an_alarm_that_comes_after_the_fault_is_told_at_once(doctor):
    d = doctor()
    consumer = d.receiver()
    d.event("compute-1")
    wait_for(lambda: d.stack.redis.cmd("HLEN", "hale:{m}:act:outages") == 1, 20, "the outage")
    ident = d.alarm(d.vms["compute-1"][1], consumer.url)
    assert got(consumer, 1)[0]["alarm_id"] == ident
    # Reset by hand, as Doctor's test does: nobody is told, the next event counts again.
    assert d.aodh.alarm.set_state(ident, "ok") == "ok"
    assert d.state(ident) == "ok"
    d.event("compute-1", "up")
    d.event("compute-1")
    assert [b["previous"] for b in got(consumer, 2)] == ["insufficient data", "ok"]
    d.aodh.alarm.update(ident, {"enabled": False})
    assert d.aodh.alarm.get(ident)["enabled"] is False
    d.aodh.alarm.delete(ident)
    assert d.aodh.alarm.list() == []


def test_projects_hear_of_their_vms_from_the_infrastructure_only(doctor):
    d = doctor(infrastructure=["default"])
    mine, theirs = d.receiver(), d.receiver()
    vm = d.vms["compute-1"][0]
    d.alarm(vm, mine.url, client=d.client("p1"))
    d.alarm(vm, theirs.url, client=d.client("p2"))
    d.event("compute-1")
    got(mine, 1)
    d.alarm(vm, theirs.url)  # of the tenant itself: told after what was to be told before
    assert got(theirs, 1)[0]["alarm_id"] and len(theirs.got) == 1


def test_addresses_that_may_not_be_called(doctor):
    d = doctor(notification_methods={"reach": "remote"})
    d.alarm(d.vms["compute-1"][0], d.receiver().url)
    d.event("compute-1")
    wait_for(lambda: metric(d.stack, "hale_actuator_aodh_denied_total") == 1, 20, "denied")
    assert not d.receivers[0].got


def test_a_host_in_maintenance_troubles_nobody(doctor):
    d = doctor()
    consumer = d.receiver()
    ident = d.alarm(d.vms["compute-1"][0], consumer.url, ok_actions=[consumer.url])

    def tool(state, host="compute-1", kind="maintenance.host"):
        """As Aodh posts what Doctor's admin tool says."""
        return d.stack.http("POST", "/maintenance", {
            "alarm_name": "maintenance", "alarm_id": str(uuid.uuid4()), "severity": "low",
            "previous": "insufficient data", "current": "alarm", "reason": "", "reason_data": {
                "type": "event", "event": {"event_type": kind, "message_id": str(uuid.uuid4()),
                                           "generated": "2026-11-21T10:00:00", "raw": {}, "traits": [
                                               ["host", 1, host], ["project_id", 1, "admin"],
                                               ["session_id", 1, "s"], ["state", 1, state]]}}}).status

    assert [tool("IN_MAINTENANCE"), tool("IN_MAINTENANCE")] == [200, 200]
    window, = d.stack.http("GET", "/v1/maintenance").json["elements"]
    assert window["state"] == "active" and window["entity"] == "host/compute-1"
    d.event("compute-1")
    d.event("compute-0")  # what follows is told when all before it was looked at
    wait_for(lambda: d.stack.redis.cmd("HLEN", "hale:{m}:act:outages") == 1, 20, "the other host's outage")
    assert d.state(ident) == "insufficient data" and not consumer.got
    assert tool("MAINTENANCE_COMPLETE") == 200
    assert got(consumer, 1)[0]["current"] == "alarm"  # it is down still: now it is told
    assert tool("MAINTENANCE_COMPLETE") == 200
    assert [tool("FINE"), tool("IN_MAINTENANCE", kind="x"), tool("IN_MAINTENANCE", host="")] == [400, 400, 400]


def test_the_example_is_valid():
    done = subprocess.run([str(binary("cli")), "check", str(ROOT / "packaging/examples/doctor-policies.yaml")],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "3 policies, all valid" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("change, words", [
    ({"type": "composite"}, "type must be event"), ({"severity": "high"}, "severity must be"),
    ({"alarm_actions": ["log://x"]}, "Unsupported action"), ({"name": ""}, "name"),
    ({"colour": "red"}, "Unknown attribute: colour"), ({"state": "fine"}, "state must be"),
    ({"event_rule": {"query": [{"field": "traits.x", "op": "like", "value": "y"}]}}, "op must be")])
def test_what_aodh_would_refuse(stack, change, words):
    if "collector" not in stack.daemons:
        stack.start("collector")
    body = {"name": "a", "type": "event", "event_rule": {}, "alarm_actions": ["http://h/x"], **change}
    answer = stack.http("POST", "/v2/alarms", body)
    assert answer.status == 400, answer
    assert words in answer.json["error_message"]["faultstring"]
    assert stack.http("GET", "/v2/alarms").json == []
