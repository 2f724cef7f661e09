# SPDX-License-Identifier: Apache-2.0
"""Scaling policies that ask the thing itself how many there are: Heat, Kubernetes, Senlin, a VNFM, Nova (stand-ins),
behind a real Keystone. The load is a total, told to a real collector."""
import http.server
import json
import subprocess
import threading

import pytest
from conftest import binary, wait_for
from heat_server import Heat
from kubernetes_server import Kubernetes
from scaling_kit import Farm, await_rows, looks, rows
from senlin_server import Senlin
from sol_server import Sol

KUBERNETES = {"kubernetes": {"cluster": "lab", "name": "web"}}
SCALE_KUBERNETES = {"kubernetes": {"cluster": "lab", "action": "scale", "name": "web", "replicas": "${scale.to}",
                                   "poll": "20ms"}}


class Load(Farm):
    """A Farm that tells only the whole load."""

    def report_once(self):
        self.tells_size, self.size = False, 1
        super().report_once()


@pytest.fixture
def load(stack):
    stack.start("collector")
    load = Load(stack, load=120.0)  # two at 60 each
    yield load
    load.stop()


def policy(size, out, back=None, **changes):
    return {"name": "web", "mode": "auto", "target": "farm/web", "every": "100ms", "fresh": "5s",
            "track": {"query": 'sum(farm.load{farm="web"})', "value": 60, "of": "total"}, "size": size,
            "min": 1, "max": 10, "warm_up": "0s", "cooldown": "0s", "stabilise": {"up": "0s", "down": "300ms"},
            "scale_out": [out], "scale_in": [back or out], **changes}


def config(stack, one, **more):
    (stack.dir / "policies.yaml").write_text(json.dumps({"scaling": [one]}))
    (stack.dir / "actuator.token").write_text(stack.token("read-only"))
    return {"policies": str(stack.dir / "policies.yaml"), "allow": ["127.0.0.1"],
            "collector": {"url": stack.url if "collector" in stack.daemons else "http://127.0.0.1:1", "token_file": str(stack.dir / "actuator.token")}, **more}


def clouds(stack, keystone):
    keystone.user("healer", "admin", ["admin"])
    secret = stack.dir / "healer.password"
    secret.write_text("healer-pw\n")
    return {"clouds": {"lab": {"auth_url": keystone.url, "region": "RegionOne", "username": "healer",
                               "password_file": str(secret), "project": "admin"}}}


def clusters(stack, server):
    (stack.dir / "kube.token").write_text(server.token + "\n")
    return {"clusters": {"lab": {"url": server.url, "token_file": str(stack.dir / "kube.token"),
                                 "namespace": "core"}}}


def log(stack):
    return stack.daemons["actuator"].log()


def await_looks(stack, what, n=5):
    before = looks(stack)[what]
    wait_for(lambda: looks(stack)[what] >= before + n, 90, f"{n} more {what}; {log(stack)[-2000:]}")


def follows(stack, load, size):
    """Out and in again with the load; one run for each change."""
    await_looks(stack, "looks_total", 3)
    assert size() == 2 and rows(stack) == []
    load.load = 240.0
    wait_for(lambda: size() == 4, 90, "four")
    await_rows(stack, "verified", 1, 60)
    load.load = 60.0
    wait_for(lambda: size() == 1, 90, "one")
    await_rows(stack, "verified", 2, 60)
    assert [r["text"].split(": metric")[0] for r in rows(stack, "triggered")] == [
        "web: scale out from 2 to 4", "web: scale in from 4 to 1"]


def test_heat_parameter(stack, load, keystone):
    with Heat() as heat:
        keystone.register(heat.url, "orchestration")
        scale = {"heat": {"cloud": "lab", "action": "scale", "stack": "web", "parameter": "count",
                          "value": "${scale.to}", "poll": "20ms"}}
        stack.start("actuator", config(stack, policy(
            {"heat": {"cloud": "lab", "stack": "${policy}", "parameter": "count"}}, scale), **clouds(stack, keystone)))
        follows(stack, load, lambda: int(heat.parameters["count"]))
        assert heat.patches == [{"count": "4"}, {"count": "1"}]
        heat.status = 503  # nobody says how many: nothing is decided
        await_looks(stack, "blind_total")  # the log may leave a line out: there were many in a second
        load.load = 600.0
        await_looks(stack, "blind_total")
        assert len(heat.patches) == 2, log(stack)[-2000:]
        heat.status = 200
        wait_for(lambda: heat.parameters["count"] == "10", 90, "ten")


def test_heat_group(stack, load, keystone):
    with Heat(4) as heat:
        keystone.register(heat.url, "orchestration")
        heat.members = ["CREATE_COMPLETE", "CREATE_COMPLETE", "DELETE_IN_PROGRESS"]
        scale = {"heat": {"cloud": "lab", "action": "scale", "stack": "web", "parameter": "count",
                          "value": "${scale.to}", "poll": "20ms"}}
        stack.start("actuator", config(stack, policy(
            {"heat": {"cloud": "lab", "stack": "web", "resource": "servers"}}, scale), **clouds(stack, keystone)))
        await_looks(stack, "looks_total", 3)
        assert rows(stack) == [], "two members for a load of two"
        load.load = 180.0
        wait_for(lambda: heat.patches == [{"count": "3"}], 90, "three")


def test_kubernetes(stack, load):
    with Kubernetes() as k8s:
        web = k8s.workload("web", replicas=2, space="core")
        stack.start("actuator", config(stack, policy(KUBERNETES, SCALE_KUBERNETES), **clusters(stack, k8s)))
        follows(stack, load, lambda: web["spec"]["replicas"])
        assert [c[2]["spec"]["replicas"] for c in k8s.changes] == [4, 1]


def test_kubernetes_pods_that_are_not_ready(stack, load):
    """An average of those that are ready: three times the value for two of four is six, not twelve."""
    with Kubernetes() as k8s:
        web = k8s.workload("web", replicas=4, space="core")
        web["status"]["readyReplicas"] = 2
        load.load = 90.0
        stack.start("actuator", config(stack, policy(
            KUBERNETES, SCALE_KUBERNETES, track={"query": "avg(farm.load)", "value": 60}), **clusters(stack, k8s)))
        await_looks(stack, "looks_total", 5)
        assert k8s.changes == [], "half more for two of four: those that come will do"
        load.load = 180.0
        wait_for(lambda: k8s.changes, 90, "a change")
        assert k8s.changes[0][2]["spec"]["replicas"] == 6


def test_senlin(stack, load, keystone):
    with Senlin() as senlin:
        keystone.register(senlin.url, "clustering")
        scale = {"senlin": {"cloud": "lab", "action": "resize", "cluster": "web", "count": "${scale.to}",
                            "poll": "20ms"}}
        stack.start("actuator", config(stack, policy({"senlin": {"cloud": "lab", "cluster": "web"}}, scale),
                                       **clouds(stack, keystone)))
        follows(stack, load, lambda: senlin.capacity)
        assert len(senlin.actions) == 2


@pytest.mark.parametrize("part", [{"aspect_id": "eyes", "base": 1}, {"vdu_id": "eyes"}])
def test_vnf(stack, load, part):
    with Sol("vnflcm") as vnfm:
        vnfm.user, vnfm.vnfs["v1"] = ("hale", "vnfm-pw"), {"eyes": 1}
        (stack.dir / "vnfm.password").write_text("vnfm-pw\n")
        call = {"url": vnfm.url, "credentials": "vnfm", "operation": "scale", "vnf_instance_id": "v1",
                "aspect_id": "eyes", "number_of_steps": "${scale.by}", "poll": "20ms"}
        one = policy({"vnf": {"url": vnfm.url + "/", "credentials": "vnfm", "vnf_instance_id": "v1", **part}},
                     {"vnflcm": {**call, "type": "SCALE_OUT"}}, {"vnflcm": {**call, "type": "SCALE_IN"}})
        stack.start("actuator", config(stack, one, credentials={
            "vnfm": {"type": "basic", "username": "hale", "password_file": str(stack.dir / "vnfm.password")}}))
        follows(stack, load, lambda: vnfm.vnfs["v1"]["eyes"] + 1)


class Nova:
    """GET /servers/detail, two servers to a page."""

    def __init__(self):
        self.servers, self.pages, outer = [], [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                marker = self.path.partition("marker=")[2]
                ids = [s["id"] for s in outer.servers]
                at = ids.index(marker) + 1 if marker else 0
                outer.pages.append(marker)
                more = {"servers_links": [{"rel": "next", "href": "http://elsewhere.invalid/"}]} \
                    if at + 2 < len(ids) else {}
                text = json.dumps({"servers": outer.servers[at:at + 2], **more}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def add(self, name, status="ACTIVE", **metadata):
        self.servers.append({"id": f"id-{len(self.servers)}", "name": name, "status": status, "metadata": metadata})

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()


def test_nova(stack, load, keystone):
    with Nova() as nova:
        keystone.register(nova.url, "compute")
        nova.add("web-1", role="vnf/web")
        nova.add("web-2", "ERROR", role="vnf/web")
        nova.add("web-3", role="vnf/other")
        nova.add("db-1", role="vnf/web")
        nova.add("web-4", "BUILD", role="vnf/web")
        stack.start("actuator", config(stack, policy(
            {"nova": {"cloud": "lab", "name": "web-", "metadata": {"role": "vnf/${policy}"}}},
            {"webhook": {"url": f"{load.url}/scale", "body": json.dumps({"to": "${scale.to}"})}}),
            **clouds(stack, keystone)))
        await_looks(stack, "looks_total", 3)
        assert rows(stack) == [] and nova.pages[:3] == ["", "id-1", "id-3"]
        load.load = 180.0
        wait_for(lambda: load.calls, 90, "the call")
        assert load.calls[0][2] == {"to": "3"}


def test_a_size_of_before_the_change_is_none(stack, load):
    """The question is out when the run ends: its answer is of the time before. Nothing is ordered twice, however
    late the answer is."""
    with Kubernetes() as k8s:
        web = k8s.workload("web", replicas=2, space="core")
        gate, asked = threading.Event(), []
        gate.set()
        serve, old = k8s.serve, json.loads(json.dumps(web))

        def late(method, target, body, form):
            if gate.is_set():
                return serve(method, target, body, form)
            asked.append(target)
            k8s.lock.release()  # held while a request is served
            try:
                gate.wait(30)
            finally:
                k8s.lock.acquire()
            return 200, old

        k8s.serve = late
        load.hold = threading.Event()
        one = policy(KUBERNETES, {"webhook": {"url": f"{load.url}/scale", "timeout": "30s",
                                              "body": json.dumps({"to": "${scale.to}"})}},
                     stabilise={"up": "0s", "down": "1h"})
        stack.start("actuator", config(stack, one, **clusters(stack, k8s)))
        await_looks(stack, "looks_total", 2)
        load.load = 240.0
        wait_for(lambda: load.calls, 90, "the call")
        gate.clear()  # looks go on beside the run
        wait_for(lambda: asked, 90, "a look while the run is open")
        web["spec"]["replicas"] = web["status"]["readyReplicas"] = 4
        load.hold.set()
        await_rows(stack, "verified")
        gate.set()  # only now the size of before the change arrives
        load.hold = None
        await_looks(stack, "looks_total", 5)
        assert len(load.calls) == 1, load.calls


def test_unreachable_and_unknown(stack, load):
    with Kubernetes() as k8s:
        stack.start("actuator", config(stack, policy(KUBERNETES, SCALE_KUBERNETES), **clusters(stack, k8s)))
        load.load = 600.0
        await_looks(stack, "blind_total")
        assert "result=size_unknown" in log(stack)
        (stack.dir / "kube.token").write_text("wrong\n")
        await_looks(stack, "blind_total")
        web = k8s.workload("web", replicas=2, space="core")
        await_looks(stack, "blind_total")
        assert k8s.changes == [], "refused"
        (stack.dir / "kube.token").write_text(k8s.token + "\n")
        wait_for(lambda: web["spec"]["replicas"] == 10, 90, "ten")
    assert k8s.token not in log(stack)


@pytest.mark.parametrize("size,words", [
    ({"kubernetes": {"cluster": "lap", "name": "w"}}, "'clusters' in the configuration has no 'lap', did you mean 'lab'?"),
    ({"heat": {"cloud": "lap", "stack": "s", "parameter": "p"}}, "'clouds' in the configuration has no 'lap'"),
    ({"vnf": {"url": "http://h/", "credentials": "x", "vnf_instance_id": "v", "vdu_id": "u"}},
     "'credentials' in the configuration has no 'x'"),
    ({"heat": {"cloud": "lab", "stack": "s", "paramater": "p"}}, "did you mean 'parameter'?"),
])
def test_wrong_names(stack, size, words):
    with Kubernetes() as k8s:
        path = stack.dir / "wrong.yaml"
        path.write_text(json.dumps({**stack.defaults("actuator"), **config(
            stack, policy(size, {"webhook": {"url": "http://127.0.0.1:1/"}}), **clusters(stack, k8s))}))
    done = subprocess.run([str(binary("actuator")), "--config", str(path), "--check-config"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and words in done.stdout + done.stderr and "policies.yaml:1" in done.stderr + done.stdout
