# SPDX-License-Identifier: Apache-2.0
"""The steps `masakari` against the real Masakari, whose engine acts on the real Nova (tests/vim/cloud.py): what counts
is what has become of the servers and services there."""
import pytest
from conftest import wait_for
from vim_kit import Vim, boot, bring_up, delete

HOSTS = ("compute-1", "compute-2", "compute-3")
KINDS = {"host-failed": "COMPUTE_HOST", "server-failed": "VM", "process-failed": "PROCESS"}


class Segment:
    """All hosts in one segment, none on maintenance."""

    def __init__(self, cloud):
        self.cloud = cloud
        rows = cloud.call("masakari", "GET", "/segments")["segments"]
        segment = rows[0] if rows else cloud.call("masakari", "POST", "/segments", {"segment": {
            "name": "all", "recovery_method": "auto", "service_type": "COMPUTE"}})["segment"]
        self.path = f"/segments/{segment['uuid']}/hosts"
        there = {h["name"] for h in self.hosts()}
        for host in HOSTS:
            if host not in there:
                cloud.call("masakari", "POST", self.path, {"host": {
                    "name": host, "type": "COMPUTE", "control_attributes": "SSH"}})
        self.before = {n["notification_uuid"] for n in self.notifications()}

    def hosts(self):
        return self.cloud.call("masakari", "GET", self.path)["hosts"]

    def notifications(self):
        return self.cloud.call("masakari", "GET", "/notifications")["notifications"]

    def told(self, action):
        """What this test has told it, as [(host, status)]."""
        names = {h["uuid"]: h["name"] for h in self.hosts()}
        return [(names[n["source_host_uuid"]], n["status"]) for n in self.notifications()
                if n["notification_uuid"] not in self.before and n["type"] == KINDS[action]]

    def on_maintenance(self):
        return {h["name"] for h in self.hosts() if h["on_maintenance"]}

    def end(self):
        for h in self.hosts():
            if h["on_maintenance"]:
                self.cloud.call("masakari", "PUT", f"{self.path}/{h['uuid']}", {"host": {"on_maintenance": False}})


@pytest.fixture
def segment(cloud):
    made = Segment(cloud)
    yield made
    made.end()


@pytest.fixture
def servers(cloud):
    made = []

    def make(host, n):
        made.extend(boot(cloud, host, n, net=False))
        return made[-n:]
    yield make
    delete(cloud, made)
    for service in cloud.services():
        if service["forced_down"] or service["status"] == "disabled":
            bring_up(cloud, service["host"])


@pytest.fixture
def vim(stack, cloud):
    return Vim(stack, cloud)


def test_a_failed_host_is_evacuated_by_masakari(cloud, segment, servers, vim):
    """Killed after the call: Masakari is told once all the same. Told again, it refuses, for the host is on maintenance."""
    ids, other = servers("compute-3", 2), servers("compute-2", 1)[0]
    steps = [{"nova": {"action": "force-down", "host": "${hostname}"}},
             {"masakari": {"action": "host-failed", "host": "${hostname}"}}]
    vim.start(steps).alarm("compute-3")
    wait_for(lambda: vim.calls("/notifications"), 300, "the call", 0.001)
    vim.stack.kill9("actuator")
    vim.stack.restart("actuator")
    vim.done("compute-3")
    assert segment.told("host-failed") == [("compute-3", "finished")]
    assert segment.on_maintenance() == {"compute-3"}
    service = cloud.services("compute-3")[0]
    assert (service["status"], service["forced_down"]) == ("disabled", True)
    for server in ids:
        s = cloud.nova("GET", f"/servers/{server}")["server"]
        assert s["status"] == "ACTIVE" and s["OS-EXT-SRV-ATTR:host"] in ("compute-1", "compute-2"), s
        assert len(cloud.actions(server, "evacuate")) == 1
    assert not cloud.actions(other, "evacuate")
    vim.alarm("compute-3")
    assert "refused with 409: the host is on maintenance" in vim.failed()
    assert len(segment.told("host-failed")) == 1


def test_a_failed_server_is_begun_anew(cloud, segment, servers, vim):
    server = servers("compute-2", 1)[0]
    cloud.nova("POST", f"/servers/{server}/metadata", {"metadata": {"HA_Enabled": "True"}})
    vim.start([{"masakari": {"action": "server-failed", "host": "${hostname}", "server": "${server}"}}])
    vim.alarm("compute-2", server=server)
    vim.done("compute-2", server=server)
    assert segment.told("server-failed") == [("compute-2", "finished")]
    assert cloud.nova("GET", f"/servers/{server}")["server"]["status"] == "ACTIVE"
    assert [len(cloud.actions(server, a)) for a in ("stop", "start")] == [1, 1]


def test_a_host_whose_process_failed_gets_no_more_servers(cloud, segment, servers, vim):
    vim.start([{"masakari": {"action": "process-failed", "host": "${hostname}", "process": "nova-compute"}}])
    vim.alarm("compute-1")
    vim.done("compute-1")
    assert segment.told("process-failed") == [("compute-1", "finished")]
    assert segment.on_maintenance() == {"compute-1"}
    assert {s["host"]: s["status"] for s in cloud.services()} == {
        "compute-1": "disabled", "compute-2": "enabled", "compute-3": "enabled"}


def test_a_host_masakari_does_not_know(cloud, segment, vim):
    vim.start([{"masakari": {"action": "host-failed", "host": "${hostname}"}}]).alarm("no-such-host")
    assert "refused with 400" in vim.failed()
    assert not segment.told("host-failed")
