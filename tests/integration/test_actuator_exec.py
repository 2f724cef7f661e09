# SPDX-License-Identifier: Apache-2.0
"""The step `exec`: real executables, written into the test's directory."""
import json
import os
import pathlib
import subprocess

import pytest
from conftest import binary, wait_for
from test_actuator import Log, start

NASTY = "a b; $(touch /tmp/x) `id` 'q' \"d\" | & > * ${no}\n"


@pytest.fixture
def log(redis):
    return Log(redis)


class Tools:
    """`fence` notes what it was given and does what the file `how` says; `status` exits with the code in `found`."""

    def __init__(self, directory):
        self.dir = directory / "tools dir"
        self.dir.mkdir()
        self.fence, self.status = self.dir / "fence", self.dir / "status"
        self.write(self.fence, f"""#!/usr/bin/python3
import json, os, subprocess, sys, time
home = {str(self.dir)!r}
how = open(home + "/how").read()
child = subprocess.Popen(["/bin/sleep", "1000"]).pid if how == "hold" else None
me = dict(argv=sys.argv[1:], env=dict(os.environ), cwd=os.getcwd(), stdin=sys.stdin.read(), pids=[os.getpid(), child],
          fds=sorted(os.listdir("/proc/self/fd"))[:3], core=open("/proc/self/limits").read())
with open(home + "/calls", "a") as f:
    f.write(json.dumps(me) + "\\n")
if how == "hold":
    time.sleep(1000)
print("working", flush=True)
print("the host says \\x1b[31m: " + how, file=sys.stderr)
sys.exit(int(how) if how.isdigit() else 0)
""")
        self.write(self.status, f"""#!/bin/sh
echo "$1" >>'{self.dir}/checks'
exit $(cat '{self.dir}/found')
""")
        self.how("0")

    @staticmethod
    def write(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def how(self, text):
        (self.dir / "how").write_text(text)

    def found(self, code):
        (self.dir / "found").write_text(str(code))

    def read(self, name):
        path = self.dir / name
        return path.read_text().splitlines() if path.exists() else []

    def calls(self):
        return [json.loads(line) for line in self.read("calls") if line.endswith("}")]

    def config(self):
        return {"allow_exec": [str(self.fence), str(self.status)]}

    def policies(self, name="fence", **exec_keys):
        step = {"name": name, "exec": {"command": str(self.fence), "timeout": "60s", **exec_keys}}
        return json.dumps({"policies": [{
            "name": "heal", "mode": "auto", "alarm": {"definition": "dns-vnfc-down"},
            "target": "vnf/${vnf_id}/${vnfc_id}", "cooldown": "100ms", "steps": [step],
            "verify": {"alarm": "cleared", "within": "60s"}}]})


@pytest.fixture
def tools(tmp_path):
    return Tools(tmp_path)


def dead(pids):
    def gone(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
        except OSError:
            return True
    return all(gone(pid) for pid in pids)


def test_it_gets_what_is_said_and_nothing_else(stack, log, tools):
    start(stack, tools.policies(args=["--host=${vnfc_id}", "${alarm.reason}", NASTY.replace("${", "$${"), ""],
                                input='{"host": "${vnfc_id}", "n": 1}'), **tools.config())
    log.write(vnfc="a b; $(id)")
    log.await_row("verifying", seconds=60)
    (call,) = tools.calls()
    assert call["argv"] == ["--host=a b; $(id)", 'dns-vnfc-down "is" ALARM', NASTY, ""]
    row, answer = log.rows("call")[0], log.rows("answer")[0]
    token = call["env"].pop("HALE_FENCING_TOKEN")
    assert int(token) > 0 and call["env"] == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
        "HALE_RUN_ID": row["run_id"], "HALE_STEP": "fence", "HALE_IDEMPOTENCY_KEY": row["run_id"] + "-0"}
    assert call["cwd"] == "/" and json.loads(call["stdin"]) == {"host": "a b; $(id)", "n": 1}
    assert call["fds"] == ["0", "1", "2"] and "Max core file size        0" in call["core"]
    assert row["text"] == f"EXEC {tools.fence}" and row["step_type"] == "exec"
    assert row["detail"] == {"method": "EXEC", "command": str(tools.fence), "args": call["argv"]}
    assert answer["text"] == 'exit code 0: "the host says ?[31m: 0"' and answer["detail"]["exit"] == 0
    assert answer["detail"]["took_ms"] > 0 and answer["detail"]["last_line"] == "the host says ?[31m: 0"
    log.write(vnfc="a b; $(id)", state="OK")
    log.await_row("verified", seconds=60)
    daemon = stack.daemons["actuator"].process.pid
    assert not pathlib.Path(f"/proc/{daemon}/task/{daemon}/children").read_text()  # not even a dead one


def test_another_exit_code_is_a_failed_try(stack, log, tools):
    tools.how("3")
    start(stack, tools.policies(retries=1), **tools.config())
    log.write()
    text = log.await_row("failed", seconds=60)[0]["text"]
    assert "given up after 2 tries" in text and "exit code 3" in text
    keys = {c["env"]["HALE_IDEMPOTENCY_KEY"] for c in tools.calls()}
    assert len(tools.calls()) == 2 and len(keys) == 1
    assert [r["detail"]["exit"] for r in log.rows("answer")] == [3, 3]


@pytest.mark.parametrize("keys,found,end,calls,checks", [
    ({}, None, "failed", 1, 0),
    ({"idempotent": True}, None, "verifying", 2, 0),
    ({"check": True}, 0, "verifying", 1, 1),
    ({"check": True}, 1, "verifying", 2, 1),
    ({"check": True}, 4, "failed", 1, 3)])
def test_killed_between_call_and_answer(stack, log, tools, keys, found, end, calls, checks):
    if "check" in keys:
        keys = {"check": [str(tools.status), "${vnfc_id}"]}
        tools.found(found)
    tools.how("hold")
    start(stack, tools.policies(**keys), **tools.config())
    log.write()
    (call,) = wait_for(tools.calls, 60, "the call")
    stack.kill9("actuator")
    wait_for(lambda: dead(call["pids"][:1]), 30, "the executable to die with us")
    os.kill(call["pids"][1], 9)  # what it had begun is systemd's matter: KillMode=control-group
    tools.how("0")
    stack.restart("actuator")
    row = log.await_row(end, seconds=60)[0]
    assert end == "verifying" or "outcome unknown" in row["text"], row
    assert len(tools.calls()) == calls and tools.read("checks") == ["dns-1"] * checks
    assert len({c["env"]["HALE_IDEMPOTENCY_KEY"] for c in tools.calls()}) == 1
    if found is not None:
        answers = [r["text"] for r in log.rows("answer")]
        assert {0: "the check finds it done", 1: "the check finds it not done", 4: "the check does not know"}[
            found] in answers[0], answers


def test_a_timeout_ends_the_whole_group(stack, log, tools):
    tools.how("hold")
    start(stack, tools.policies(timeout="4s"), **tools.config())
    log.write()
    assert "not over within 4000 ms: killed" in log.await_row("failed", seconds=60)[0]["text"]
    assert [r["detail"]["end"] for r in log.rows("step")] == ["timeout"]
    wait_for(lambda: all(dead(c["pids"]) for c in tools.calls()), 30, "no process of the group")


def test_our_end_ends_the_whole_group(stack, log, tools):
    tools.how("hold")
    start(stack, tools.policies(), **tools.config())
    log.write()
    (call,) = wait_for(tools.calls, 60, "the call")
    stack.stop("actuator")
    wait_for(lambda: dead(call["pids"]), 30, "no process of the group")
    stack.restart("actuator")
    assert "outcome unknown" in log.await_row("failed", seconds=60)[0]["text"]


@pytest.mark.parametrize("allowed,words", [
    ([], "has no '{fence}': add it there"),
    (["fence"], "has no '{status}'"),
    (["fence", "status"], None)])
def test_only_what_the_configuration_names(tools, tmp_path, allowed, words):
    policies = tmp_path / "policies.yaml"
    policies.write_text(tools.policies(check=[str(tools.status)]))
    conf = tmp_path / "conf.yaml"
    conf.write_text(json.dumps({"redis": "unix:/nowhere", "policies": str(policies),
                                "allow_exec": [str(tools.dir / name) for name in allowed]}))
    run = subprocess.run([str(binary("actuator")), "--config", str(conf), "--check-config"], capture_output=True,
                         text=True, check=False)
    if words is None:
        assert run.returncode == 0, run.stderr
    else:
        expected = words.format(fence=tools.fence, status=tools.status)
        assert run.returncode == 2 and expected in run.stderr and "policies.yaml:1" in run.stderr, run.stderr
