# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every step of runs with many lanes: whatever the actuator had just written down, called or
heard when it was killed, each thing is acted on once (actuator/lanes.c, against the stand-in for Kubernetes)."""
import pytest
from conftest import wait_for
from kubernetes_server import Kubernetes
from test_actuator_kubernetes import Vim

KILLS = 60


@pytest.fixture
def k8s():
    with Kubernetes() as server:
        server.node("n1")
        server.settle = 1
        yield server


def play(stack, k8s, steps):
    """The run, killed whenever something new is in the journal or at the API server."""
    vim = Vim(stack, k8s)
    vim.start(steps).alarm("n1")
    kills = seen = 0

    def news():
        now = len(vim.rows()) + len(k8s.changes)
        return now if now > seen else 0
    while kills < KILLS and not vim.rows("verifying", "failed"):
        seen = wait_for(news, 60, "the next step", 0.0005)
        stack.kill9("actuator")
        kills += 1
        stack.restart("actuator")
    vim.done("n1")
    return vim, kills


def test_drain_and_restarts(stack, k8s):
    for i in range(5):
        k8s.pod(f"p{i}", space=f"s{i % 2}")
    k8s.workload("web", replicas=2, space="core")
    k8s.budget = 1
    vim, kills = play(stack, k8s, [
        {"action": "drain", "node": "${hostname}", "parallel": 2}, {"action": "rollout-restart", "name": "web"},
        {"action": "scale", "name": "web", "by": "1"}, {"action": "uncordon", "node": "n1"}])
    story = vim.story()
    assert kills >= 8, story
    posts = [c[1] for c in k8s.changes if c[0] == "POST"]
    assert sorted(posts) == [f"s{i % 2}/p{i}/eviction" for i in (0, 2, 4, 1, 3)], story
    web = k8s.workloads[("deployments", "core", "web")]
    assert web["spec"]["replicas"] == 3 and web["metadata"]["generation"] == 3, story
    assert not k8s.pods and not k8s.nodes["n1"]["spec"].get("unschedulable"), story


def test_killed_while_nobody_answers(stack, k8s):
    """The server does what it is told and hangs up each time."""
    k8s.workload("web", replicas=2, space="core")
    k8s.behave = ["deaf"] * 50
    vim, _ = play(stack, k8s, [{"action": "scale", "name": "web", "by": "2"}])
    assert [c[2]["spec"]["replicas"] for c in k8s.changes] == [4], vim.story()
