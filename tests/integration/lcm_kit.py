# SPDX-License-Identifier: Apache-2.0
"""What the tests of life cycle operations share: managers of tests/sol_server.py, policies, and what to wait for."""
import json
import subprocess

import pytest
from conftest import binary
from sol_server import Sol
from test_actuator import Log

HEAL = {"operation": "heal", "vnf_instance_id": "${vnf_id}", "vnfc_instance_id": ["${vnfc_id}"]}
NS_HEAL = {"operation": "heal", "ns_instance_id": "ns-1", "heal_vnf": {"vnf_instance_id": "${vnf_id}",
                                                                        "cause": "${alarm.name}"}}


@pytest.fixture
def log(redis):
    return Log(redis)


@pytest.fixture
def vnfm():
    with Sol("vnflcm") as sol:
        yield sol


@pytest.fixture
def nfvo():
    with Sol("nslcm") as sol:
        yield sol


def policy(sol, step, name="heal", target="${vnfc_id}", alarm=None, **changes):
    step = {"url": sol.url, "timeout": "40s", "poll": "20ms", **step}
    return {"name": name, "mode": "auto", "alarm": alarm or {"dimensions": {"vnf_id": "*"}}, "target": target,
            "cooldown": "100ms", "steps": [{sol.api: {k: v for k, v in step.items() if v is not None}}],
            "verify": {"alarm": "cleared", "within": "60s"}, **changes}


def start(stack, *policies, **config):
    path = stack.dir / "policies.yaml"
    path.write_text(json.dumps({"policies": list(policies)}))
    return stack.start("actuator", {**config, "policies": str(path)})


def carried_out(log, sol, n=1):
    """The run is through with its step; exactly n operations were carried out."""
    log.await_row("verifying", seconds=40)
    assert len(sol.done()) == n, story(log)
    return sol.done()[-1]


def failed(log):
    return log.await_row("failed", seconds=40)[0]["text"]


def story(log):
    return [(r["kind"], r["text"]) for r in log.rows()]


def check(stack, policies, credentials):
    (stack.dir / "wrong-policies.yaml").write_text(json.dumps({"policies": policies}))
    path = stack.dir / "wrong.yaml"
    path.write_text(json.dumps({**stack.defaults("actuator"), "credentials": credentials,
                                "policies": str(stack.dir / "wrong-policies.yaml")}))
    done = subprocess.run([str(binary("actuator")), "--config", str(path), "--check-config"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done
    return done.stdout + done.stderr
