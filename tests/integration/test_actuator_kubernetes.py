# SPDX-License-Identifier: Apache-2.0
"""The steps `kubernetes` against a stand-in for the API server (tests/kubernetes_server.py)."""
import json
import os
import pathlib
import re
import resource
import signal
import subprocess

import pytest
import vim_kit
from conftest import binary, wait_for
from kubernetes_server import Kubernetes


class Vim(vim_kit.Vim):
    def __init__(self, stack, server):
        self.stack, self.server, self.redis = stack, server, stack.redis
        self.secret = stack.dir / "kube.token"
        self.secret.write_text(server.token + "\n")
        self.seq, self.ids = 0, {}

    def row(self, kind, n=1, seconds=60):
        return super().row(kind, n, seconds)

    def config(self, policies, **more):
        path = self.stack.dir / "policies.yaml"
        path.write_text(json.dumps({"policies": policies}))
        return {"policies": str(path), "clusters": {"lab": {
            "url": self.server.url, "token_file": str(self.secret), "namespace": "core"}}, **more}

    def policy(self, steps, name="heal", **more):
        full = [{"kubernetes": {"cluster": "lab", "poll": "20ms", "timeout": "2m", **s}} for s in steps]
        return {"name": name, "mode": "auto", "alarm": {"definition": name}, "target": "host/${hostname}",
                "cooldown": "0s", "steps": full, "verify": {"alarm": "cleared", "within": "2m"}, **more}


@pytest.fixture
def k8s():
    with Kubernetes() as server:
        server.node("n1")
        server.workload("web", replicas=2, space="core")
        yield server


@pytest.fixture
def vim(stack, k8s):
    return Vim(stack, k8s)


def web(k8s, kind="deployments"):
    return k8s.workloads[(kind, "core", "web")]


def test_scale(vim, k8s):
    k8s.workload("web", "statefulsets", "core", 4)
    vim.start([{"action": "scale", "name": "web", "replicas": "5"},
               {"action": "scale", "name": "${app}", "by": "+4", "max": "7"},
               {"action": "scale", "name": "web", "kind": "statefulset", "by": "-1"},
               {"action": "scale", "name": "web", "replicas": "7"}]).alarm("h", app="web")
    vim.done("h", app="web")
    assert [c[2]["spec"]["replicas"] for c in k8s.changes] == [5, 7, 3]
    assert web(k8s)["status"]["readyReplicas"] == 7  # waited until they were there
    assert [r["text"].split(": ")[1] for r in vim.rows("answer") if "ready" in r["text"]] == [
        "5 replicas are ready", "7 replicas are ready", "3 replicas are ready", "7 replicas are ready"]
    vim.secrets_kept()


def test_scale_while_others_change_it(vim, k8s):
    """A conflict is looked at; a call that nobody answered is not made twice."""
    k8s.behave = ["conflict", "unavailable", "deaf"]
    vim.start([{"action": "scale", "name": "web", "by": "2"}]).alarm("h")
    vim.done("h")
    assert [c[2]["spec"]["replicas"] for c in k8s.changes] == [4], vim.story()
    assert "changed meanwhile" in json.dumps(vim.story())


def test_somebody_else_scales_while_the_answer_is_lost(vim, k8s):
    def others():
        web(k8s)["spec"]["replicas"] = 9
        k8s.touch(web(k8s), True)
    k8s.behave, k8s.then = ["deaf"], others
    vim.start([{"action": "scale", "name": "web", "by": "2"}]).alarm("h")
    assert "9 replicas" in vim.failed() and len(k8s.changes) == 1


@pytest.mark.parametrize("how", ["before", "deaf"])
def test_killed_around_a_scaling(vim, k8s, how):
    vim.start([{"action": "scale", "name": "web", "by": "1"}])
    if how == "deaf":
        k8s.behave = ["deaf"]
    vim.alarm("h")
    wait_for(lambda: vim.calls("/scale") if how == "before" else k8s.changes, 60, "the call", 0.001)
    vim.stack.kill9("actuator")
    vim.stack.restart("actuator")
    vim.done("h")
    assert [c[2]["spec"]["replicas"] for c in k8s.changes] == [3], vim.story()


def test_rollout_restart_is_one_whatever_happens(vim, k8s):
    k8s.behave = ["deaf", "unavailable"]
    vim.start([{"action": "rollout-restart", "name": "web"}]).alarm("h")
    vim.row("call", 2)
    vim.stack.kill9("actuator")
    vim.stack.restart("actuator")
    vim.done("h")
    notes = web(k8s)["spec"]["template"]["metadata"]["annotations"]
    assert notes["hale-run"] == vim.run()["id"] + "-0" and notes["kubectl.kubernetes.io/restartedAt"].endswith("Z")
    assert len(k8s.changes) == 1 and web(k8s)["metadata"]["generation"] == 2, vim.story()


def test_drain_waits_for_the_budget(vim, k8s):
    for i in range(6):
        k8s.pod(f"web-{i}", space="core" if i % 2 else "other")
    k8s.pod("log", owner="DaemonSet")
    k8s.pod("etcd", owner="Node", mirror=True)
    k8s.pod("job", owner="Job", phase="Succeeded")
    k8s.pod("far", node="n2")
    k8s.budget = 3
    vim.start([{"action": "drain", "node": "${hostname}", "grace": "5", "parallel": 2},
               {"action": "uncordon", "node": "n1"}, {"action": "cordon", "node": "n1"},
               {"action": "cordon", "node": "n1"}]).alarm("n1")
    vim.row("call", 4)
    vim.stack.kill9("actuator")
    vim.stack.restart("actuator")
    vim.done("n1")
    assert {name for _, name in k8s.pods} == {"log", "etcd", "job", "far"}
    evictions = [c for c in k8s.changes if c[0] == "POST"]
    assert len(evictions) == 6 == len({c[1] for c in evictions}), vim.story()
    assert all(c[2]["deleteOptions"]["gracePeriodSeconds"] == 5 for c in evictions)
    assert k8s.changes[0][2] == {"spec": {"unschedulable": True}}  # first of all
    assert len(k8s.refused) == 3 and k8s.nodes["n1"]["spec"] == {"unschedulable": True}
    assert len([c for c in k8s.changes if c[0] == "PATCH"]) == 3


def test_drain_loses_no_pod_of_nobody(vim, k8s):
    k8s.pod("web-1")
    k8s.pod("alone", owner=None)
    vim.start([{"action": "drain", "node": "n1"}]).alarm("n1")
    assert "nobody would start pod alone again" in vim.failed()
    assert not [c for c in k8s.changes if c[0] == "POST"]


def test_pods(vim, k8s):
    uid = k8s.pod("a", space="core")
    k8s.pod("b", space="core")
    k8s.behave = ["deaf"]
    vim.start([{"action": "delete-pod", "pod": "a", "uid": uid, "grace": "0"},
               {"action": "evict", "pod": "b", "namespace": "core"},
               {"action": "delete-pod", "pod": "b"},
               {"action": "delete-pod", "pod": "c", "namespace": "default", "uid": "another"}])
    k8s.pod("c")
    vim.alarm("h")
    vim.done("h")
    assert [c[:2] for c in k8s.changes] == [("DELETE", "core/a"), ("POST", "core/b/eviction")]
    assert k8s.changes[0][2]["preconditions"] == {"uid": uid} and ("default", "c") in k8s.pods


def test_a_new_token_is_read_for_the_next_call(vim, k8s):
    vim.start([{"action": "cordon", "node": "n1"}]).alarm("h")
    vim.done("h")
    k8s.token = "another-token"
    vim.secret.write_text("another-token\n")
    k8s.nodes["n1"]["spec"] = {}
    vim.alarm("h")
    vim.done("h", 2)
    vim.secrets_kept()
    k8s.token = "unknown-to-us"
    vim.alarm("h")
    assert "refused with 401: Unauthorized" in vim.failed()


def test_no_core_dump(vim, k8s):
    """Tokens are in the actuator's memory: none of it is written when it dies."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    vim.start([{"action": "cordon", "node": "n1"}]).alarm("h")
    vim.row("verifying")
    daemon = vim.stack.daemons["actuator"]
    limits = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits), limits
    daemon.expected_end = True
    daemon.process.send_signal(signal.SIGABRT)
    status = os.waitpid(daemon.process.pid, 0)[1]
    daemon.process.returncode = os.waitstatus_to_exitcode(status)
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)


@pytest.mark.parametrize("step,words", [
    ({"action": "scale", "name": "web"}, "needs exactly one of 'replicas|by'"),
    ({"action": "scale", "name": "web", "kind": "daemonset", "by": "1"}, "cannot be scaled"),
    ({"action": "drain", "node": "n1", "cluster": "lob"}, "did you mean 'lab'?"),
    ({"action": "cordon", "pod": "x", "node": "n"}, "key 'pod' does not belong to action cordon")])
def test_what_is_refused_at_load(vim, step, words):
    config = {"redis": "unix:/nowhere", **vim.config([vim.policy([step])])}
    path = vim.stack.dir / "conf.yaml"
    path.write_text(json.dumps(config))
    run = subprocess.run([str(binary("actuator")), "--config", str(path), "--check-config"], capture_output=True, text=True,
                         check=False)
    assert run.returncode != 0 and words in run.stderr, run.stderr
