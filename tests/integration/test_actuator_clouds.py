# SPDX-License-Identifier: Apache-2.0
"""What a cloud may do to the actuator, with a real Keystone and stand-ins for the services behind it: errors,
silence, a catalogue that points elsewhere. The real services are in test_vim_*.py."""
import json
import subprocess

import pytest
import vim_kit
from conftest import binary, free_port, wait_for
from senlin_server import Senlin

OUT = {"senlin": {"action": "scale-out", "cluster": "web", "count": "2"}}


class House:
    """What vim_kit wants of a cloud: where Keystone is and the password of `healer`."""
    secret = "healer-pw"

    def __init__(self, keystone):
        self.keystone = keystone
        keystone.user("healer", "admin", ["admin"])

    def url(self, name):
        assert name == "keystone"
        return self.keystone.url


@pytest.fixture
def vim(stack, keystone):
    return vim_kit.Vim(stack, House(keystone))


@pytest.fixture
def senlin(keystone):
    with Senlin() as s:
        keystone.register(s.url, "clustering")
        yield s


def test_scale_out_and_recover(vim, senlin):
    vim.start([OUT, {"senlin": {"action": "recover", "cluster": "web"}},
               {"senlin": {"action": "resize", "cluster": "web", "count": "3"}}]).alarm("h")
    vim.done("h")
    assert [a["body"] for a in senlin.actions] == [
        {"scale_out": {"count": 2}}, {"recover": {"operation": "recreate"}},
        {"resize": {"adjustment_type": "EXACT_CAPACITY", "number": 3}}]
    vim.secrets_kept()


def test_busy_unavailable_and_deaf(vim, senlin):
    senlin.behave = ["busy", "unavailable", "deaf"]
    vim.start([OUT]).alarm("h")
    vim.done("h")
    assert len(senlin.actions) == 1, vim.story()
    assert [r["detail"]["status"] for r in vim.rows("answer")[:2]] == [409, 503]
    assert "asking whether it has begun" in vim.rows("answer")[2]["text"]


def test_killed_while_the_action_runs(vim, senlin):
    vim.start([OUT]).alarm("h")
    wait_for(lambda: senlin.actions, 30, "the call", 0.001)
    vim.stack.kill9("actuator")
    vim.stack.restart("actuator")
    vim.done("h")
    assert len(senlin.actions) == 1, vim.story()


def test_failed_action(vim, senlin):
    senlin.fail = "no quota left"
    vim.start([OUT]).alarm("h")
    assert "FAILED: no quota left" in vim.failed()


def test_catalogue_does_not_choose_the_host(vim, senlin):
    vim.start([OUT], allow=["127.0.0.2"]).alarm("h")
    assert "is not allowed: add it to 'allow'" in vim.failed()
    assert not senlin.actions
    assert vim.metric("hale_actuator_calls_denied_total") == 1


def test_catalogue_does_not_lead_here_by_a_pattern(vim, keystone):
    with Senlin() as s:
        keystone.register(s.url.replace("127.0.0.1", "senlin.localhost"), "clustering")
        vim.start([OUT], allow=["127.0.0.1", "*.localhost"]).alarm("h")
        assert vim.failed()
        assert not s.actions


def test_no_endpoint(vim, senlin):
    vim.start([{"heat": {"action": "update", "stack": "s"}}]).alarm("h")
    assert "has no endpoint of orchestration" in vim.failed()


def test_keystone_is_away_for_a_while(vim, senlin, keystone):
    port = free_port()
    config = vim.config([vim.policy([OUT])])
    config["clouds"]["lab"]["auth_url"] = f"http://127.0.0.1:{port}/v3"
    vim.stack.start("actuator", config)
    vim.alarm("h")
    wait_for(lambda: vim.metric("hale_actuator_tokens_failed_total") >= 2, 60, "tries")
    assert not vim.rows("failed")
    config["clouds"]["lab"]["auth_url"] = keystone.url
    daemon = vim.stack.daemons["actuator"]
    daemon.config = {**daemon.config, **config}
    daemon.write_config()
    daemon.process.send_signal(1)
    vim.done("h")
    assert len(senlin.actions) == 1


def test_no_core_dumps(vim, senlin):
    d = vim.stack.start("actuator", vim.config([vim.policy([OUT])]))
    limits = open(f"/proc/{d.process.pid}/limits").read()
    line = next(row for row in limits.splitlines() if "core file" in row)
    assert line.split()[4:6] == ["0", "0"]


@pytest.mark.parametrize("change,words", [
    ({"password_file": "/nowhere"}, "password_file"),
    ({"auth_url": "keystone:5000"}, "auth_url must be"),
    ({"projekt": "x"}, "did you mean 'project'"),
    ({"application_credential_id": "x"}, "leave username, password_file and project out"),
    ({"username": None}, "username, password_file and project are needed"),
])
def test_wrong_clouds(vim, change, words):
    config = vim.config([vim.policy([OUT])])
    cloud = {**config["clouds"]["lab"], **change}
    config["clouds"]["lab"] = {k: v for k, v in cloud.items() if v is not None}
    assert words in check(vim, config)


def test_unknown_cloud_in_a_policy(vim):
    config = vim.config([vim.policy([OUT])])
    config["clouds"]["lap"] = config["clouds"].pop("lab")
    text = check(vim, config)
    assert "policies.yaml:1" in text and "has no 'lab', did you mean 'lap'?" in text


def check(vim, config):
    path = vim.stack.dir / "wrong.yaml"
    path.write_text(json.dumps({**vim.stack.defaults("actuator"), **config}))
    done = subprocess.run([str(binary("actuator")), "--config", str(path), "--check-config"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done
    return done.stdout + done.stderr
