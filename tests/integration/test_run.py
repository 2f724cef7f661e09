# SPDX-License-Identifier: Apache-2.0
"""./run as a stranger uses it: start, status, env, fault, stop; a second stack; what goes wrong."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import BUILD, ROOT, http_call, wait_for

pytestmark = pytest.mark.skipif(BUILD.name != "dev", reason="./run builds its own release preset")


def free_base():
    """First of 30 consecutive free TCP ports."""
    for base in range(18000, 30000, 30):
        taken = []
        try:
            for port in range(base, base + 30):
                taken.append(socket.socket())
                taken[-1].bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for s in taken:
                s.close()
    pytest.fail("no 30 free ports in a row")


class Run:
    def __init__(self, state):
        self.state, self.port = state, free_base()

    def __call__(self, *words, code=0, timeout=600):
        done = subprocess.run([str(ROOT / "run"), *words, "--state", str(self.state)],
                              capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def up(self, *more):
        return self("up", "--detach", "--no-install", "--port", str(self.port), *more)

    def processes(self):
        """Command lines of all processes that name the state directory."""
        out = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if str(self.state) in line and "pytest" not in line:
                    out.append(line)
        return out


@pytest.fixture
def run(tmp_path):
    r = Run(tmp_path / "state")
    yield r
    subprocess.run([str(ROOT / "run"), "stop", "--state", str(r.state)], timeout=60,
                   capture_output=True)


def test_start_fault_restart_stop(run):
    first = run.up()
    url, token = re.search(r"(http://\S+)/#token=(\S+)", first).groups()
    assert run("status").count("healthy") == 7
    env = run("env")
    assert f"HALE_URL={url}" in env and f"HALE_TOKEN={token}" in env
    assert http_call("127.0.0.1", run.port, "GET", "/").status == 200

    def quiet():
        answer = http_call("127.0.0.1", run.port, "GET", "/v2.0/alarms", None,
                           {"X-Auth-Token": token})
        down = [a for a in answer.json["elements"]
                if a["alarm_definition"]["name"] == "dns-vnfc-down"]
        return len(down) == 2 and all(a["state"] == "OK" for a in down) and answer.json
    before = wait_for(quiet, 60, "both VNFC alarms OK")
    story = run("fault")
    for word in ("killed", "raised", "call", "cleared", "verified", "healed"):
        assert word in story, story
    run("stop")
    assert run.processes() == []
    assert "down" in run("status", code=1)

    began = time.monotonic()  # a second start takes seconds, keeps token and data
    second = run.up()
    assert time.monotonic() - began < 60
    assert token in second
    after = http_call("127.0.0.1", run.port, "GET", "/v2.0/alarms", None, {"X-Auth-Token": token})
    assert {a["id"] for a in before["elements"]} <= {a["id"] for a in after.json["elements"]}
    assert "running already" in run.up()
    run("stop")
    assert run.processes() == []


def test_two_stacks_side_by_side(run, tmp_path):
    other = Run(tmp_path / "a state with blanks" / ("long" * 30))
    run.up("--no-build")
    try:
        other.port = free_base()
        other.up("--no-build")
        assert run("status").count("healthy") == 7
        assert other("status").count("healthy") == 7
        assert "healed" in other("fault")
    finally:
        other("stop")
    assert other.processes() == []
    assert run("status").count("healthy") == 7


def test_ctrl_c_stops_everything(run):
    child = subprocess.Popen([str(ROOT / "run"), "--state", str(run.state), "--port",
                              str(run.port), "--no-install", "--no-build"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             start_new_session=True, stdin=subprocess.DEVNULL)
    for line in child.stdout:
        if "Ctrl-C" in line:
            break
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(60) == 0
    assert run.processes() == []


def test_crash_is_restarted_and_a_killed_supervisor_leaves_no_orphans(run):
    run.up("--no-build")
    pid = int((run.state / "pid" / "correlator").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: int((run.state / "pid" / "correlator").read_text().split()[0]) != pid
             and "healthy" in run("status").split("correlator")[1].split("\n")[0], 30,
             "the correlator runs again", 0.2)
    supervisor = int((run.state / "pid" / "supervisor").read_text().split()[0])
    os.kill(supervisor, signal.SIGKILL)
    run("stop")
    assert run.processes() == []


def test_taken_port_is_named(run):
    with socket.socket() as s:
        s.bind(("127.0.0.1", run.port + 2))
        s.listen()
        text = run("up", "--detach", "--no-install", "--no-build", "--port", str(run.port), code=1)
    assert str(run.port + 2) in text and "fix:" in text
    assert run.processes() == []


@pytest.mark.parametrize("words, code", [(["nonsense"], 2), (["--port", "x"], 2), (["fault"], 1),
                                         (["env"], 1), (["status"], 1)])
def test_wrong_use_says_what_to_do(run, words, code):
    text = run(*words, code=code)
    assert "error" in text or "nothing runs" in text


def test_keystone(run, keystone):
    """A user of OpenStack and one made with `hale token`, both beside the house's own; over a restart."""
    text = run.up("--no-lab", "--keystone", keystone.url.removesuffix("/v3"))
    assert "the service \"monitoring\"" in text
    theirs = keystone.token("operator")
    hale = ROOT / "build" / "release" / "bin" / "hale"
    mine = subprocess.run(
        [str(hale), "token", "create", "mine", "--tenant", "t", "--role", "operator", "--file",
         str(run.state / "conf" / "tokens.yaml"), "--reload", str(run.state / "pid" / "collector")],
        capture_output=True, text=True, timeout=30).stdout.strip()

    def tenant(token):
        a = http_call("127.0.0.1", run.port, "GET", "/v1/status", None, {"X-Auth-Token": token})
        return a.json["tenant"] if a.status == 200 else a.status
    assert tenant(theirs) == keystone.projects["tenant-a"]
    wait_for(lambda: tenant(mine) == "t", 10, "the new token")
    run("stop")
    run.up("--no-lab", "--no-build")  # what is not said is as it was
    assert tenant(theirs) == keystone.projects["tenant-a"] and tenant(mine) == "t"
    run("stop")
    run.up("--no-lab", "--no-build", "--keystone", "none")
    assert tenant(theirs) == 401 and tenant(mine) == "t"
