# SPDX-License-Identifier: Apache-2.0
"""Silences by Alertmanager's own client (Debian's prometheus-alertmanager has amtool); alerts: test_event_forms.py."""
import json
import shutil
import subprocess

import pytest


@pytest.fixture
def amtool(stack, tmp_path):
    if shutil.which("amtool") is None:
        pytest.skip("Debian's prometheus-alertmanager is not installed")
    stack.start("collector")
    stack.start("correlator")

    def run(role, *args, code=0):
        file = tmp_path / (role + ".yml")
        file.write_text("authorization: {type: Bearer, credentials: %s}\n" % stack.token(role))
        done = subprocess.run(["amtool", "--alertmanager.url", stack.url, "--http.config.file", str(file), *args],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr
    return run


def listed(amtool, *flags):
    return json.loads(amtool("read-only", "silence", "query", "-o", "json", *flags))


def test_silence_from_its_birth_to_its_end(stack, amtool):
    sid = amtool("operator", "silence", "add", "--duration=2h", "--comment=works on it", "alertname=NodeDown",
                 "node=~a.*").strip()
    one, = listed(amtool)
    assert one["id"] == sid and one["comment"] == "works on it" and one["status"] == {"state": "active"}
    assert [(m["name"], m["value"], m["isRegex"]) for m in one["matchers"]] == [
        ("alertname", "NodeDown", False), ("node", "a.*", True)]
    assert stack.http("GET", "/v1/silences/" + sid).status == 200
    amtool("operator", "silence", "update", "--duration=3h", "--comment=longer", sid)
    assert [s["comment"] for s in listed(amtool)] == ["longer"]
    amtool("operator", "silence", "expire", sid)
    assert listed(amtool) == []
    assert [s["id"] for s in listed(amtool, "--expired")] == [sid]


def test_who_may_only_read_silences_nothing(amtool):
    said = amtool("read-only", "silence", "add", "--duration=1h", "--comment=x", "a=b", code=1)
    assert "status 401" in said, "the role is missing"
    assert listed(amtool) == []
