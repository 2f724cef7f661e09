# SPDX-License-Identifier: Apache-2.0
"""Tokens and passwords stay in the memory of who has them: no program of Hale leaves a core dump, and none lets
another process of the same user look at its memory. Seen on the real programs."""
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess

import pytest

from conftest import binary, free_port, to_yaml, wait_for

# A root without capabilities is asked what any user is asked.
PLAIN = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
DAEMONS = ["collector", "thresholds", "correlator", "actuator", "agent"]


def look(pid):
    """What somebody of the same user is told who wants to see the environment, which is in the memory."""
    run = subprocess.run([*PLAIN, "cat", f"/proc/{pid}/environ"], capture_output=True, text=True, check=False)
    return "seen" if run.returncode == 0 else run.stderr.rsplit(": ", 1)[-1].strip()


@pytest.fixture
def run(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    started = []

    def one(args, **env):
        with open(tmp_path / "out", "ab") as out:
            p = subprocess.Popen(
                [*PLAIN, *map(str, args)], stdout=out, stderr=out, cwd=tmp_path, env={**os.environ, **env},
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
        started.append(p)
        return p
    yield one
    for p in started:
        if p.poll() is None:
            p.kill()
        p.wait()


def assert_kept(p):
    def closed():
        assert p.poll() is None, "it ended"
        limits = pathlib.Path(f"/proc/{p.pid}/limits").read_text()
        return re.search(r"Max core file size +0 +0 ", limits) and look(p.pid) == "Permission denied"
    wait_for(closed, 20, "no core dumps, and nobody may look into it")
    p.send_signal(signal.SIGABRT)
    status = os.waitpid(p.pid, 0)[1]
    p.returncode = os.waitstatus_to_exitcode(status)
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)


def test_others_can_be_looked_into(run):
    p = run(["sleep", "60"])
    wait_for(lambda: look(p.pid) == "seen", 20, "the environment of another program")


@pytest.mark.parametrize("name", DAEMONS)
def test_daemon(name, run, stack):
    token = stack.dir / "token"
    token.write_text("secret\n")
    config = {"agent": {"listen": f"127.0.0.1:{free_port()}", "collector": "http://127.0.0.1:1",
                        "token_file": str(token), "spool_dir": str(stack.dir / "spool"),
                        "checks": [{"type": "load"}]}}
    path = stack.dir / "one.yaml"
    path.write_text(to_yaml(config.get(name) or stack.defaults(name)))
    assert_kept(run([binary(name), "--config", path]))


def test_command(run):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, and that is all
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert_kept(run([binary("cli"), "alarm", "list"], HALE_URL=url, HALE_TOKEN="secret"))
