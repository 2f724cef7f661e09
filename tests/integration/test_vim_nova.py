# SPDX-License-Identifier: Apache-2.0
"""The steps `nova` against a real Keystone and Nova with three hosts (tests/vim/cloud.py)."""
import signal

import pytest
from conftest import wait_for
from vim_kit import Vim, boot, bring_up, delete

DOWN = {"nova": {"action": "force-down", "host": "${hostname}"}}


@pytest.fixture
def servers(cloud):
    """servers(host, n) boots; they are gone afterwards and every host takes part again."""
    made = []

    def make(host, n, net=False):
        made.extend(boot(cloud, host, n, net))
        return made[-n:]
    yield make
    delete(cloud, made)
    for service in cloud.services():
        if service["forced_down"] or service["status"] == "disabled":
            bring_up(cloud, service["host"])


@pytest.fixture
def vim(stack, cloud):
    return Vim(stack, cloud)


def service(cloud, host="compute-1"):
    return cloud.services(host)[0]


def test_force_down_disable_and_back(cloud, vim, servers):
    steps = [DOWN, {"nova": {"action": "disable", "host": "${hostname}", "reason": "${alarm.name}: ${alarm.reason}"}}]
    vim.start(steps).alarm("compute-1")
    vim.done("compute-1")
    s = service(cloud)
    assert (s["forced_down"], s["state"], s["status"]) == (True, "down", "disabled")
    assert s["disabled_reason"] == "heal: compute-1 is ALARM"
    assert len(vim.calls("os-services")) == 2
    vim.secrets_kept()
    vim.stack.kill9("actuator")
    vim.start([{"nova": {"action": "force-up", "host": "${hostname}"}},
               {"nova": {"action": "enable", "host": "${hostname}"}}]).alarm("compute-1")
    vim.done("compute-1", 2)
    s = service(cloud)
    assert (s["forced_down"], s["state"], s["status"]) == (False, "up", "enabled")


def test_all_servers_of_a_host_are_evacuated_once(cloud, vim, servers):
    ids = servers("compute-1", 3, net=True)
    other = servers("compute-2", 1)
    steps = [DOWN, {"nova": {"action": "reset-state", "host": "${hostname}", "parallel": 4}},
             {"nova": {"action": "evacuate", "host": "${hostname}", "parallel": 2}}]
    vim.start(steps).alarm("compute-1")
    vim.row("triggered")
    vim.done("compute-1")
    for s in cloud.servers():
        if s["id"] in ids:
            assert (s["status"], s["OS-EXT-STS:task_state"]) == ("ACTIVE", None), s
            assert s["OS-EXT-SRV-ATTR:host"] in ("compute-2", "compute-3")
            assert len(cloud.actions(s["id"], "evacuate")) == 1
    assert not cloud.actions(other[0], "evacuate")
    assert len(vim.calls("/action")) == 6


@pytest.mark.parametrize("moment", ["written", "sent", "accepted"])
def test_killed_in_the_middle_of_an_evacuation(cloud, vim, servers, moment):
    ids = servers("compute-1", 2)
    vim.start([DOWN, {"nova": {"action": "evacuate", "host": "${hostname}", "parallel": 2}}])
    if moment == "sent":
        cloud.kill("nova", signal.SIGSTOP)  # takes the requests, does not answer
    try:
        if moment == "sent":
            vim.alarm("compute-1")
            vim.row("triggered")
        else:
            vim.alarm("compute-1")
            if moment == "written":
                wait_for(lambda: vim.calls("/action"), 300, "a call", 0.001)
            else:
                wait_for(lambda: [r for r in vim.rows("answer") if "accepted" in r["text"]], 300, "an answer", 0.005)
        vim.stack.kill9("actuator")
    finally:
        if moment == "sent":
            cloud.kill("nova", signal.SIGCONT)
    vim.stack.restart("actuator")
    vim.done("compute-1")
    for server in ids:
        assert len(cloud.actions(server, "evacuate")) == 1, vim.story()
        assert cloud.nova("GET", f"/servers/{server}")["server"]["OS-EXT-SRV-ATTR:host"] != "compute-1"


def test_one_server_through_every_action(cloud, vim, servers):
    server = servers("compute-2", 1)[0]
    one = {"server": "${server}"}
    steps = [{"nova": {"action": a, **one, **more}} for a, more in (
        ("stop", {}), ("stop", {}), ("start", {}), ("reboot", {"type": "HARD"}), ("rebuild", {}),
        ("live-migrate", {"to": "compute-3"}), ("migrate", {}), ("reset-state", {"state": "error"}),
        ("reset-state", {"state": "active"}))]
    vim.start(steps).alarm("compute-2", server=server)
    vim.done("compute-2", server=server)
    s = cloud.nova("GET", f"/servers/{server}")["server"]
    assert s["status"] == "ACTIVE" and s["OS-EXT-SRV-ATTR:host"] in ("compute-1", "compute-2")
    for action, n in (("stop", 1), ("start", 1), ("reboot", 1), ("rebuild", 1), ("live-migration", 1),
                      ("migrate", 1), ("confirmResize", 1)):
        assert len(cloud.actions(server, action)) == n, (action, cloud.actions(server))


def test_what_is_gone_or_unknown(cloud, vim):
    vim.start([{"nova": {"action": "reboot", "server": "00000000-0000-4000-8000-000000000000"}},
               {"nova": {"action": "force-down", "host": "${hostname}"}}]).alarm("no-such-host")
    assert "step 1: Nova knows no nova-compute on host 'no-such-host'" in vim.failed()


def login(cloud, password):
    """The status of healer's login, and of Keystone's word on its token."""
    status, headers, _ = cloud.http("POST", cloud.url("keystone") + "/auth/tokens", {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": "healer", "domain": {"id": "default"}, "password": password}}},
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}, token="")
    if status != 201:
        return status, None
    token = headers["X-Subject-Token"]
    return status, cloud.http("GET", cloud.url("keystone") + "/auth/tokens", token=token,
                              headers={"X-Subject-Token": token})[0]


def test_new_password_in_the_middle(cloud, vim, servers):
    """All tokens die with the old password, and those of the same second too; the new one is in the file
    before the next call."""
    admin = cloud.call("keystone", "GET", "/users?name=healer")["users"][0]["id"]
    vim.start([DOWN]).alarm("compute-1")
    vim.done("compute-1")
    try:
        cloud.call("keystone", "PATCH", f"/users/{admin}", {"user": {"password": "another-one"}})
        vim.secret.write_text("another-one\n")
        wait_for(lambda: login(cloud, "another-one") == (201, 200), 120, "the new password", 0.1)
        vim.alarm("compute-1")
        vim.done("compute-1", 2)
        vim.secrets_kept()
    finally:
        cloud.call("keystone", "PATCH", f"/users/{admin}", {"user": {"password": cloud.secret}})
    vim.alarm("compute-1")
    assert "refused our credentials with 401" in vim.failed()
    assert vim.metric("hale_actuator_tokens_refused_total") >= 2


def test_application_credential(cloud, vim, servers):
    token = cloud.http("POST", cloud.url("keystone") + "/auth/tokens", {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": "healer", "domain": {"id": "default"}, "password": cloud.secret}}},
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}, token="")
    user = token[2]["token"]["user"]["id"]
    made = cloud.http("POST", f"{cloud.url('keystone')}/users/{user}/application_credentials",
                      {"application_credential": {"name": vim.stack.dir.name}}, token=token[1]["X-Subject-Token"])[2]
    vim.secret.write_text(made["application_credential"]["secret"])
    vim.start([DOWN], clouds={"lab": {
        "auth_url": cloud.url("keystone"), "application_credential_id": made["application_credential"]["id"],
        "application_credential_secret_file": str(vim.secret)}}).alarm("compute-3")
    vim.done("compute-3")
    assert service(cloud, "compute-3")["forced_down"]
    vim.secrets_kept()
