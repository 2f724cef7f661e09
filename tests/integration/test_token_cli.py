# SPDX-License-Identifier: Apache-2.0
"""`hale token`: tokens made by it open a real collector, and no longer once revoked."""
import os
import signal
import subprocess
import time

import pytest

from collector_kit import sample
from conftest import binary, wait_for


def hale(*words, code=0):
    r = subprocess.run([str(binary("cli")), "token", *map(str, words)], capture_output=True,
                       text=True, timeout=30)
    assert r.returncode == code, (r.stdout, r.stderr)
    return r


def test_life_of_a_token(stack):
    stack.start("collector")
    d = stack.daemons["collector"]
    file, pid = stack.tokens_file, d.process.pid
    token = hale("create", "anna", "--tenant", "t1", "--role", "operator", "--role", "delegate",
                 "--file", file, "--reload", pid).stdout.strip()
    assert len(token) == 64

    def status(t):
        return stack.http("GET", "/v1/status", token=t)
    a = wait_for(lambda: (lambda r: r.status == 200 and r)(status(token)), 10, "the token")
    assert a.json["tenant"] == "t1" and a.json["roles"] == ["operator", "delegate"]
    assert token not in file.read_text()
    # An agent's may only post; the pid may come from a file as ./run writes them.
    (stack.dir / "pid").write_text(f"{pid} 123456\n")
    agent = hale("create", "agent", "--tenant", "t1", "--role", "agent", "--expires", "90d",
                 "-f", file, "--reload", stack.dir / "pid").stdout.strip()
    wait_for(lambda: stack.http("POST", "/v2.0/metrics", [sample()], token=agent).status == 204, 10,
             "the agent's token")
    assert status(agent).status == 401
    rows = hale("list", "-f", file).stdout
    assert "anna" in rows and "operator,delegate" in rows and "never" in rows
    hale("revoke", "anna", "-f", file, "--reload", pid)
    wait_for(lambda: status(token).status == 401, 10, "the revocation")
    assert stack.http("POST", "/v2.0/metrics", [sample()], token=agent).status == 204
    # It ends by itself.
    short = hale("create", "short", "--tenant", "t1", "--role", "read-only", "--expires", "1s",
                 "-f", file, "--reload", pid).stdout.strip()
    wait_for(lambda: status(short).status == 401 and "short" in hale("list", "-f", file).stdout
             and "(over)" in hale("list", "-f", file).stdout, 10, "the expiry")


def test_wrong_words(tmp_path):
    file = tmp_path / "t.yaml"
    good = ("create", "x", "--tenant", "t", "--role", "agent", "-f", file)
    hale(*good)
    for words, code, text in (
            (("create",), 2, "one name"), (("create", "x", "y"), 2, "one name"),
            (("create", "y", "--role", "agent", "-f", file), 2, "--tenant"),
            (("create", "y", "--tenant", "a/b", "--role", "agent", "-f", file), 2, "--tenant"),
            (("create", "y", "--tenant", "t", "-f", file), 2, "--role"),
            (("create", "y", "--tenant", "t", "--role", "king", "-f", file), 2, "king"),
            (("create", "y", "--tenant", "t", "--role", "agent", "--expires", "x", "-f", file), 2, "90d"),
            (("create", "y", "--tenant", "t", "--role", "agent", "--expires", "2001-01-01", "-f", file), 2,
             "to come"),
            (("create", "n" * 65, "--tenant", "t", "--role", "agent", "-f", file), 2, "64"),
            (good, 1, "there already"), (("revoke", "y", "-f", file), 1, "no token named"),
            (("revoke",), 2, "one name"), (("frobnicate",), 2, "unknown command"),
            (("list", "-f", tmp_path / "none"), 2, "none"),
            (("create", "y", "--tenant", "t", "--role", "agent", "-f", "/nowhere/t"), 1, "nowhere")):
        before = file.read_text()
        r = hale(*words, code=code)
        assert text in r.stderr and not r.stdout, (words, r)
        assert file.read_text() == before
    # The file is changed even when nobody could be told; exit 1 says so.
    r = hale("create", "z", "--tenant", "t", "--role", "agent", "-f", file, "--reload", "999999999",
             code=1)
    assert "cannot signal" in r.stderr and len(r.stdout.strip()) == 64
    assert "z" in hale("list", "-f", file).stdout


def test_killed_at_any_time(tmp_path):
    """Killed between any two system calls there is a whole file, and the next change goes through."""
    file = tmp_path / "t.yaml"
    hale("create", "keep", "--tenant", "t", "--role", "agent", "-f", file)
    killed = 0
    for i in range(40):
        p = subprocess.Popen([str(binary("cli")), "token", "create", f"n{i}", "--tenant", "t", "--role",
                              "agent", "-f", str(file)], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        end = time.monotonic() + i * 0.0005  # a little later each time
        while time.monotonic() < end and p.poll() is None:
            pass
        p.send_signal(signal.SIGKILL)
        killed += p.wait() == -signal.SIGKILL
        assert "keep" in hale("list", "-f", file).stdout
    assert killed > 0
    hale("create", "last", "--tenant", "t", "--role", "agent", "-f", file)
    rows = hale("list", "-f", file).stdout
    assert "keep" in rows and "last" in rows
    assert sorted(os.listdir(tmp_path))[0] == "t.yaml"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_owner_and_mode_are_kept(tmp_path):
    file = tmp_path / "t.yaml"
    hale("create", "a", "--tenant", "t", "--role", "agent", "-f", file)
    assert file.stat().st_mode & 0o777 == 0o600
    os.chown(file, 0, 65534)
    os.chmod(file, 0o640)
    hale("create", "b", "--tenant", "t", "--role", "agent", "-f", file)
    s = file.stat()
    assert (s.st_uid, s.st_gid, s.st_mode & 0o777) == (0, 65534, 0o640)
