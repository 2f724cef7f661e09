# SPDX-License-Identifier: Apache-2.0
"""The steps `heat`, `mistral` and `neutron` against the real services (tests/vim/cloud.py)."""
import json
import pathlib
import signal
import uuid

import pytest
from conftest import wait_for
from vim_kit import Vim, boot, delete

TEMPLATE = {"heat_template_version": "2018-08-31", "parameters": {"count": {"type": "number", "default": 1}},
            "resources": {
                "group": {"type": "OS::Heat::AutoScalingGroup", "properties": {
                    "min_size": 1, "max_size": 5, "desired_capacity": 1,
                    "resource": {"type": "OS::Heat::RandomString"}}},
                "out": {"type": "OS::Heat::ScalingPolicy", "properties": {
                    "auto_scaling_group_id": {"get_resource": "group"}, "scaling_adjustment": 1,
                    "adjustment_type": "change_in_capacity"}},
                "one": {"type": "OS::Heat::RandomString"},
                "many": {"type": "OS::Heat::ResourceGroup", "properties": {
                    "count": {"get_param": "count"}, "resource_def": {"type": "OS::Heat::RandomString"}}}}}
SAY = """---
version: '2.0'
NAME:
  input: [word]
  output: {said: <% task(say).result %>}
  tasks:
    say: {action: std.echo output="<% $.word %>"}
"""
REBOOT = """---
version: '2.0'
NAME:
  input: [server, nova]
  tasks:
    reboot:
      action: std.http
      input:
        url: <% $.nova %>/servers/<% $.server %>/action
        method: POST
        headers: {X-Auth-Token: <% $.openstack.auth_token %>, Content-Type: application/json}
        body: {reboot: {type: HARD}}
"""
FALL = """---
version: '2.0'
NAME:
  tasks:
    fall: {action: std.fail}
"""


@pytest.fixture
def vim(stack, cloud):
    return Vim(stack, cloud)


class Stack:
    def __init__(self, cloud):
        self.cloud, self.name = cloud, "s" + uuid.uuid4().hex[:8]
        self.id = cloud.call("heat", "POST", "/stacks", {"stack_name": self.name, "template": TEMPLATE})["stack"]["id"]
        self.path = f"/stacks/{self.name}/{self.id}"
        wait_for(lambda: self.state() == "CREATE_COMPLETE", 600, "the stack", 0.2)

    def get(self):
        return self.cloud.call("heat", "GET", self.path)["stack"]

    def state(self):
        state = self.get()["stack_status"]
        assert "FAILED" not in state, self.get()
        return state

    def resources(self):
        return self.cloud.call("heat", "GET", self.path + "/resources?nested_depth=3")["resources"]

    def members(self, group):
        nested = next(r["physical_resource_id"] for r in self.resources() if r["resource_name"] == group)
        return [r for r in self.resources() if f"/{nested}/" in r["links"][0]["href"]]

    def events(self, resource, status):
        rows = self.cloud.call("heat", "GET", f"{self.path}/resources/{resource}/events")["events"]
        return [e for e in rows if e["resource_status"] == status]


@pytest.fixture(scope="module")
def heat(cloud):
    made = Stack(cloud)
    yield made
    cloud.call("heat", "DELETE", made.path, ok=False)


def test_scale_by_a_parameter(heat, vim):
    scale = {"action": "scale", "stack": heat.name, "parameter": "count"}
    vim.start([{"heat": {**scale, "value": "3"}}, {"heat": {**scale, "by": "+4", "max": "4"}},
               {"heat": {**scale, "value": "4"}}]).alarm("compute-1")
    vim.done("compute-1")
    assert heat.get()["parameters"]["count"] == "4" and len(heat.members("many")) == 4
    assert len(vim.calls("PATCH")) == 2  # the last one was so already


def arrived(port):
    """A connection to the port holds bytes that nobody has read yet."""
    for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues = row.split()[:5]
        if int(local.split(":")[1], 16) == port and state == "01" and int(queues.split(":")[1], 16):
            return True
    return False


def test_signal_killed_before_the_answer(heat, vim, cloud):
    before = len(heat.events("out", "SIGNAL_COMPLETE"))
    vim.start([{"heat": {"action": "signal", "stack": heat.id, "resource": "out"}}])
    vim.alarm("compute-1")
    wait_for(lambda: vim.calls("/signal"), 300, "the call", 0.001)
    cloud.kill("heat", signal.SIGSTOP)
    try:
        wait_for(lambda: arrived(cloud.port["heat"]) or vim.rows("answer"), 300, "the signal at Heat", 0.01)
        vim.stack.kill9("actuator")
    finally:
        cloud.kill("heat", signal.SIGCONT)
    vim.stack.restart("actuator")
    vim.done("compute-1")
    assert len(heat.events("out", "SIGNAL_COMPLETE")) == before + 1, vim.story()
    wait_for(lambda: len(heat.members("group")) == 2, 600, "the second member", 0.2)


def test_unhealthy_resource_is_replaced(heat, vim):
    def one():
        return next(r["physical_resource_id"] for r in heat.resources() if r["resource_name"] == "one")
    old = one()
    vim.start([{"heat": {"action": "mark-unhealthy", "stack": heat.name, "resource": "one",
                         "reason": "${alarm.reason}"}}]).alarm("compute-1")
    vim.done("compute-1")
    events = heat.events("one", "CHECK_FAILED")
    assert len(events) == 1 and "compute-1 is ALARM" in events[0]["resource_status_reason"]
    assert len(heat.events("one", "CREATE_COMPLETE")) == 2 or one() != old


def test_no_such_stack(vim, cloud):
    vim.start([{"heat": {"action": "update", "stack": "nobody"}}]).alarm("compute-1")
    assert "Heat has no stack 'nobody'" in vim.failed()


def workflow(cloud, text):
    name = "w" + uuid.uuid4().hex[:8]
    cloud.call("mistral", "POST", "/workflows", raw=text.replace("NAME", name).encode(),
               headers={"Content-Type": "text/plain"})
    return name


def executions(cloud, name):
    rows = cloud.call("mistral", "GET", "/executions?fields=workflow_name,output,state")["executions"]
    return [e for e in rows if e["workflow_name"] == name]


def test_workflow_once_although_unanswered(cloud, vim):
    name = workflow(cloud, SAY)
    vim.start([{"mistral": {"action": "execute", "workflow": name, "input": {"word": "${hostname} \"is\" down"}}}])
    vim.alarm("compute-2")
    wait_for(lambda: vim.calls("/executions"), 300, "the call", 0.001)
    cloud.kill("mistral", signal.SIGSTOP)
    try:
        wait_for(lambda: arrived(cloud.port["mistral"]) or vim.rows("answer"), 300, "the call at Mistral", 0.01)
        vim.stack.kill9("actuator")
    finally:
        cloud.kill("mistral", signal.SIGCONT)
    vim.stack.restart("actuator")
    vim.done("compute-2")
    ran, = executions(cloud, name)
    assert (ran["state"], json.loads(ran["output"])["said"]) == ("SUCCESS", 'compute-2 "is" down')


def test_workflow_that_acts_on_nova(cloud, vim):
    """With the rights of the actuator's user, which Mistral has from the call's token."""
    server, = boot(cloud, "compute-2", 1, net=False)
    try:
        vim.start([{"mistral": {"action": "execute", "workflow": workflow(cloud, REBOOT), "input": {
            "server": "${server}", "nova": cloud.url("nova")}}}])
        vim.alarm("compute-2", server=server)
        vim.done("compute-2", server=server)
        assert len(cloud.actions(server, "reboot")) == 1
        cloud.await_active(server)
        vim.secrets_kept()
    finally:
        delete(cloud, [server])


def test_workflow_that_fails(cloud, vim):
    name = workflow(cloud, FALL)
    vim.start([{"mistral": {"action": "execute", "workflow": name}}]).alarm("compute-2")
    assert "execution is ERROR: " in vim.failed()
    assert [e["state"] for e in executions(cloud, name)] == ["ERROR"]


def test_data_plane_status_of_a_host(cloud, vim):
    ids = boot(cloud, "compute-2", 2, net=True)
    try:
        vim.start([{"neutron": {"action": "data-plane-status", "host": "${hostname}"}},
                   {"neutron": {"action": "data-plane-status", "server": ids[0], "status": "ACTIVE"}}])
        vim.alarm("compute-2")
        vim.done("compute-2")
        got = {}
        for server in ids:
            port = cloud.call("neutron", "GET", f"/v2.0/ports?device_id={server}")["ports"][0]
            got[server] = port["data_plane_status"]
        assert got == {ids[0]: "ACTIVE", ids[1]: "DOWN"}
    finally:
        delete(cloud, ids)
