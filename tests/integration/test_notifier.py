# SPDX-License-Identifier: Apache-2.0
"""Hale as the Server Notifier of Tacker: a VM is registered as Tacker's management driver does it, and Tacker is told when the
VM is out: once, also across crashes, and not after it is unregistered."""
import pytest
import requests
from conftest import wait_for
from test_doctor import doctor, got  # noqa: F401 (a fixture)

FAULTS = ["1234", "1111"]


class Tacker:
    """What tacker/sol_refactored/mgmt_drivers/server_notification.py says, with the address as it makes it: the token is in
    the address, as ServerNotifierUri has no other place for it."""

    def __init__(self, d, role="agent", tenant="default"):
        self.d, self.receiver = d, d.receiver(204)
        self.base = d.stack.url.replace("://", "://tacker:" + d.stack.token(role, tenant) + "@")

    def uri(self, vm):
        return f"{self.base}/v2/nfv/servers/{vm}/alarms"

    def action(self, vm, vnf="vnf-1"):
        return f"{self.receiver.url}//server_notification/vnf_instances/{vnf}/servers/{vm}/notify"

    def register(self, vm, **more):
        return requests.post(self.uri(vm), json={"fault_action": self.action(vm), "fault_id": FAULTS, **more}, timeout=20)

    def unregister(self, vm, alarm_id):
        return requests.delete(f"{self.uri(vm)}/{alarm_id}", timeout=20)

    def list(self, vm):
        return self.d.stack.http("GET", f"/v2/nfv/servers/{vm}/alarms").json


@pytest.fixture
def site(doctor):  # noqa: F811 (a fixture)
    return doctor()


def test_tacker_is_told_of_a_host_and_of_a_vm(site):
    tacker, vm = Tacker(site), site.vms["compute-1"][0]
    answer = tacker.register(vm)
    assert answer.status_code == 201, answer.text
    ident = answer.json()["alarm_id"]
    assert answer.json() == {"alarm_id": ident, "fault_action": tacker.action(vm), "fault_id": FAULTS}
    assert tacker.list(vm) == [answer.json()] and tacker.list(site.vms["compute-0"][0]) == []
    site.event("compute-1")
    body, = got(tacker.receiver, 1)
    alarm = body["notification"]["fault_option"].pop("hale_alarm_id")
    assert body == {"notification": {"alarm_id": ident, "fault_id": "1234", "fault_type": "10", "host_id": "compute-1",
                                     "fault_option": {"message": "host/compute-1 is out of order"}}}
    assert alarm
    _, headers, _ = tacker.receiver.got[0]
    assert {k.lower(): v for k, v in headers.items()}["content-type"] == "application/json"
    # Healed: Tacker forgets the old VM and registers a new one.
    assert tacker.unregister(vm, ident).status_code == 204
    assert tacker.unregister(vm, ident).status_code == 404
    assert tacker.list(vm) == []
    site.event("compute-1", "up")
    site.event("compute-1")
    other = site.vms["compute-0"][0]
    assert tacker.register(other).status_code == 201
    site.event("compute-0")
    bodies = got(tacker.receiver, 2)
    assert [b["notification"]["host_id"] for b in bodies] == ["compute-1", "compute-0"]


def test_a_vm_that_is_out_already_is_told_at_once(site):
    tacker, vm = Tacker(site), site.vms["compute-1"][1]
    consumer = site.receiver()
    site.alarm(vm, consumer.url)
    site.event("compute-1")
    got(consumer, 1)
    assert tacker.register(vm, fault_id=None).status_code == 201
    assert got(tacker.receiver, 1)[0]["notification"]["fault_id"] == "0000"


def test_told_once_although_everything_is_killed(site):
    tacker, vm = Tacker(site), site.vms["compute-1"][0]
    assert tacker.register(vm).status_code == 201
    tacker.receiver.status = 503
    site.event("compute-1")
    got(tacker.receiver, 1)
    site.stack.kill9("actuator")
    site.stack.redis.kill9()
    site.stack.redis.start()
    tacker.receiver.status = 204
    tacker.receiver.got.clear()
    site.stack.restart("actuator")
    got(tacker.receiver, 1)
    row = "hale:{m}:act:aodh"
    wait_for(lambda: all(b'"queue":[]' in v for v in site.stack.redis.cmd("HVALS", row)), 20, "nothing left to say")
    assert len(tacker.receiver.got) == 1


def test_refusals(site):
    tacker, vm = Tacker(site), site.vms["compute-1"][0]
    for body, words in (({"fault_action": "http://192.0.2.1/x"}, "vnf_instances"),
                        ({"fault_action": tacker.action("another")}, f"servers/{vm}/notify"),
                        ({"fault_action": tacker.action(vm), "fault_id": ["12345"]}, "4 characters"),
                        ([], "object")):
        answer = requests.post(tacker.uri(vm), json=body, timeout=20)
        assert answer.status_code == 400 and words in answer.text, answer.text
    assert requests.post(tacker.uri(vm), data="{", timeout=20).status_code == 400
    assert requests.post(tacker.uri("a%20b"), json={"fault_action": tacker.action("a b")}, timeout=20).status_code == 400
    anonymous = f"{site.stack.url}/v2/nfv/servers/{vm}/alarms"
    assert requests.post(anonymous, json={}, timeout=20).status_code == 401
    assert requests.delete(anonymous + "/x", timeout=20).status_code == 401
    ident = tacker.register(vm).json()["alarm_id"]
    # Another server's, another tenant's, and Aodh's alarms: nobody finds it there.
    assert tacker.unregister(site.vms["compute-0"][0], ident).status_code == 404
    assert Tacker(site, tenant="other").unregister(vm, ident).status_code == 404
    assert site.stack.http("GET", "/v2/alarms").json == []
    assert site.stack.http("GET", f"/v2/alarms/{ident}").status == 404
    assert site.stack.http("DELETE", f"/v2/alarms/{ident}").status == 404
    mine = site.alarm(vm, tacker.receiver.url)
    assert tacker.unregister(vm, mine).status_code == 404
    assert [a["alarm_id"] for a in tacker.list(vm)] == [ident]
