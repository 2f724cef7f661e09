# SPDX-License-Identifier: Apache-2.0
"""The actuator against the lab's VNFM and webhook receivers; alarm log records are written by hand."""
import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
import uuid

import pytest
from conftest import ROOT, free_port, http_call, wait_for
from service_kit import Receiver, receiver  # noqa: F401 (fixture, and for others)

LOG = "hale:{m}:alarmlog"


class Lab:
    def __init__(self, directory):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(directory / "lab.log", "ab")
        self.process = subprocess.Popen(
            ["python3", str(ROOT / "tests/lab/lab.py"), "--state", str(directory / "labstate"), "--port",
             str(self.port), "--dns-port", str(self.dns_ports()), "--qps", "20"],
            stdout=self.log, stderr=self.log)
        wait_for(self.up, 20, "the lab")

    @staticmethod
    def dns_ports():
        """First of four UDP ports that were free a moment ago."""
        while True:
            first = free_port()
            with contextlib.ExitStack() as stack:
                try:
                    for port in range(first, first + 4):
                        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                            s = stack.enter_context(socket.socket(socket.AF_INET, kind))
                            s.bind(("127.0.0.1", port))
                    return first
                except (OSError, OverflowError):
                    continue

    def call(self, method, path, body=None):
        return http_call("127.0.0.1", self.port, method, path, body).json

    def up(self):
        assert self.process.poll() is None, "the lab ended"
        try:
            return self.state()
        except OSError:
            return None

    def state(self):
        return self.call("GET", "/lab/state")

    def heals(self, status=202):
        return [r for r in self.state()["requests"] if r["kind"] == "heal" and r["status"] == status]

    def starts(self, vnfc="dns-1"):
        return {v["id"]: v["starts"] for v in self.state()["vnfcs"]}[vnfc]

    def behave(self, mode, count=1, **more):
        self.call("POST", "/lab/behave", dict(more, mode=mode, count=count))

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.stop()


class Log:
    """Writes the alarm log and the alarms hash as the correlator does."""

    def __init__(self, redis):
        self.redis, self.seq = redis, 0
        self.ids = {}

    def write(self, vnfc="dns-1", state="ALARM", old=None, name="dns-vnfc-down", kind="transition",
              age_ms=0, severity="CRITICAL", actions=True, definition="d1", tenant="default"):
        self.seq += 1
        now = time.time_ns() // 1000 - age_ms * 1000
        alarm_id = self.ids.setdefault((name, vnfc), str(uuid.uuid4()))
        group = {"vnf_id": "dns-vnf", "vnfc_id": vnfc}
        alarm = {"v": 1, "id": alarm_id, "tenant": tenant, "source": "metric",
                 "definition_id": definition, "definition_name": name, "description": "",
                 "severity": severity, "actions_enabled": actions, "group": group,
                 "metrics": [{"name": "process.pid_count", "dimensions": dict(group, service="dns")}],
                 "state": state, "reason": f"{name} \"is\" {state}", "sub_alarms": [],
                 "lifecycle_state": None, "link": None, "created_ms": now // 1000,
                 "updated_ms": now // 1000, "state_updated_ms": now // 1000, "seq": self.seq}
        record = {"v": 1, "seq": self.seq, "kind": kind, "time_ms": now // 1000,
                  "old_state": old or ("OK" if state == "ALARM" else "ALARM"), "alarm": alarm,
                  "evidence": {}, "accepted_us": now, "decided_us": now, "logged_us": now}
        self.redis.cmd("HSET", "hale:{m}:alarms", alarm_id, json.dumps(alarm))
        self.redis.cmd("XADD", LOG, f"{self.seq}-0", "j", json.dumps(record))
        return record

    def rows(self, *kinds):
        out = []
        for _, fields in self.redis.cmd("XRANGE", "hale:{m}:journal", "-", "+"):
            row = json.loads(fields[1])
            if row["kind"] in kinds or (not kinds and row["run_id"]):  # rows that stand alone by name only
                out.append(row)
        return out

    def await_row(self, kind, n=1, seconds=15):
        return wait_for(lambda: len(self.rows(kind)) >= n and self.rows(kind), seconds,
                        f"journal row {kind}; rows: {[(r['kind'], r['text']) for r in self.rows()]}")


@pytest.fixture
def log(redis):
    return Log(redis)


def policies(url, **changes):
    step = {"url": url, "operation": "heal", "vnf_instance_id": "${vnf_id}",
            "vnfc_instance_id": ["${vnfc_id}"], "cause": "${alarm.name}: ${alarm.reason}",
            "timeout": "10s", "poll": "20ms", "retries": 2}
    step.update(changes.pop("step", {}))
    policy = {"name": "heal", "mode": "auto", "alarm": {"definition": "dns-vnfc-down"},
              "target": "vnf/${vnf_id}/${vnfc_id}", "cooldown": "100ms",
              "steps": [{"vnflcm": step}], "verify": {"alarm": "cleared", "within": "10s"}}
    policy.update(changes)
    return json.dumps({"policies": [policy]})


def start(stack, text, **config):
    path = stack.dir / "policies.yaml"
    path.write_text(text)
    return stack.start("actuator", dict(config, policies=str(path)))


def metric(stack, name):
    host, port = stack.daemons["actuator"].listen.rsplit(":", 1)
    text = http_call(host, int(port), "GET", "/metrics").body.decode()
    for line in text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    return None


def test_heals_exactly_once_and_verifies(stack, lab, log):
    start(stack, policies(lab.url))
    lab.call("POST", "/lab/fault", {"vnfc_id": "dns-1"})
    raised = log.write()
    wait_for(lambda: lab.state()["vnfcs"][0]["serving"], 10, "dns-1 answering again")
    log.await_row("verifying")
    log.write(state="OK")
    row = log.await_row("verified")[0]
    assert row["text"].startswith("healed in ") and row["alarm_seq"] == raised["seq"]
    assert [r["kind"] for r in log.rows()] == ["triggered", "call", "answer", "answer", "step", "verifying",
                                               "verified"]
    assert len({r["run_id"] for r in log.rows()}) == 1
    assert len(lab.heals()) == 1 and lab.starts() == 2
    assert lab.heals()[0]["body"] == {"vnfcInstanceId": ["dns-1"],
                                      "cause": 'dns-vnfc-down: dns-vnfc-down "is" ALARM'}
    assert log.redis.cmd("EXISTS", "hale:{m}:lease:vnf/dns-vnf/dns-1") == 0
    assert wait_for(lambda: log.redis.cmd("HGET", "hale:{m}:act:meta", "alarmlog") == b"2", 10,
                    "the position")
    assert json.loads(log.redis.cmd("GET", "hale:{m}:health:hale-actuator"))["status"] == "ok"
    assert metric(stack, 'hale_actuator_runs_total{outcome="verified"}') == 1


def test_observe_calls_nothing(stack, lab, log):
    start(stack, policies(lab.url, mode="observe"))
    log.write()
    row = log.await_row("observed")[0]
    assert row["detail"]["would_call"][0]["operation"] == "heal" and row["mode"] == "observe"
    assert lab.heals() == [] and log.rows("call") == []


@pytest.mark.parametrize("mode", ["conflict", "unavailable", "timeout", "timeout_before", "fail_temp",
                                  "error", "refuse"])
def test_healed_once_although_the_vnfm_misbehaves(stack, lab, log, mode):
    start(stack, policies(lab.url, step={"timeout": "40s"}))
    lab.call("POST", "/lab/fault", {"vnfc_id": "dns-1"})
    lab.behave(mode)
    log.write()
    log.await_row("verifying", seconds=30)
    log.write(state="OK")
    log.await_row("verified")
    assert lab.starts() == 2, "the VNFC was restarted more than once"
    done = [op for op in lab.state()["operations"] if op["operationState"] == "COMPLETED"]
    assert len(done) == 1


@pytest.mark.parametrize("mode,words", [("garbage", "answered 200"), ("no_location", "Location"),
                                        ("huge", "maximum"), ("bad_poll", "JSON")])
def test_garbage_fails_with_clear_words(stack, lab, log, mode, words):
    start(stack, policies(lab.url))
    lab.behave(mode, -1)
    log.write()
    text = log.await_row("failed")[0]["text"]
    assert words in text or (mode == "huge" and "large" in text or "limit" in text), text
    assert len(log.rows("call")) == 1


def test_bad_request_fails_at_once(stack, lab, log):
    start(stack, policies(lab.url))
    log.write(vnfc="dns-9")
    row = log.await_row("failed")[0]
    assert "refused with 400: no VNFC dns-9" in row["text"] and len(log.rows("call")) == 1


def test_nobody_listens(stack, log):
    start(stack, policies(f"http://127.0.0.1:{free_port()}", step={"retries": 1}))
    log.write()
    row = log.await_row("failed")[0]
    assert "given up after 2 tries" in row["text"] and len(log.rows("call")) == 2


def test_alarm_that_does_not_clear_fails_verification(stack, lab, log):
    start(stack, policies(lab.url, verify={"within": "300ms"}))
    log.write()
    assert "has not cleared within 300 ms" in log.await_row("failed")[0]["text"]


def test_guards_lease_cooldown_frequency(stack, lab, log):
    start(stack, policies(lab.url, cooldown="2s", frequency={"max": 2, "per": "1h"}))
    log.write()
    log.await_row("verifying")
    log.write(state="OK", name="other")
    log.write(name="dns-vnfc-down", kind="updated")
    log.ids[("dns-vnfc-down", "dns-1")], keep = str(uuid.uuid4()), log.ids[("dns-vnfc-down", "dns-1")]
    log.write()  # another alarm about the same target
    assert log.await_row("suppressed")[0]["detail"]["guard"] == "lease"
    log.ids[("dns-vnfc-down", "dns-1")] = keep
    log.write(state="OK")
    log.await_row("verified")
    log.write()
    assert log.await_row("suppressed", 2)[1]["detail"]["guard"] == "cooldown"
    assert len(lab.heals()) == 1
    stack.kill9("actuator")  # the guards' memory survives
    stack.restart("actuator")
    log.write(state="OK")
    log.write()
    assert log.await_row("suppressed", 3)[2]["detail"]["guard"] == "cooldown"


def test_repeat_while_alarm_heals_after_the_cooldown(stack, lab, log):
    start(stack, policies(lab.url, cooldown="500ms", repeat="while_alarm"))
    log.write()
    log.await_row("verifying")
    log.write(state="OK")
    log.await_row("verified")
    log.write()
    log.await_row("suppressed")
    wait_for(lambda: len(lab.heals()) == 2, 10, "the second heal after the cooldown")
    log.write(state="OK")
    log.await_row("verified", 2)


@pytest.mark.parametrize("mode", ["normal", "slow", "timeout"])
def test_kill9_at_any_time_heals_once(stack, lab, log, mode):
    """Kills the actuator again and again, at another moment each time, until the run is through."""
    start(stack, policies(lab.url, step={"timeout": "60s"}, verify={"within": "60s"}))
    lab.call("POST", "/lab/fault", {"vnfc_id": "dns-1"})
    lab.behave(mode, 1, ms=30)
    log.write()
    pause = 0.0
    while pause < 0.09:  # the run's life is some tens of milliseconds; a restart adds more
        time.sleep(pause)  # the moment of the kill is what is tested, not a wait for something
        stack.kill9("actuator")
        stack.restart("actuator", wait=False)
        pause += 0.006
    log.await_row("verifying", seconds=40)
    log.write(state="OK")
    log.await_row("verified")
    assert len(lab.heals()) == 1 and lab.starts() == 2
    assert len({r["run_id"] for r in log.rows()}) == 1
    assert len(log.rows("triggered")) == 1


def test_kill9_between_call_and_answer(stack, lab, log):
    start(stack, policies(lab.url, step={"timeout": "60s"}))
    lab.behave("slow", 1, ms=1500)
    log.write()
    wait_for(lambda: len(lab.heals()) == 1, 10, "the heal request")
    stack.kill9("actuator")
    assert log.rows("answer") == [] and len(log.rows("call")) == 1
    stack.restart("actuator")
    log.await_row("verifying")
    assert len(lab.heals()) == 1
    assert "following operation" in log.rows("answer")[0]["text"]
    log.write(state="OK")
    log.await_row("verified")


def test_redis_restart_in_the_middle(stack, lab, log):
    start(stack, policies(lab.url, step={"timeout": "60s"}, verify={"within": "60s"}))
    lab.behave("slow", 1, ms=1000)
    log.write()
    wait_for(lambda: len(lab.heals()) == 1, 10, "the heal request")
    log.redis.kill9()
    log.redis.start()
    log.await_row("verifying", seconds=30)
    log.write(state="OK")
    log.await_row("verified")
    assert len(lab.heals()) == 1


def test_old_news_is_not_acted_upon(stack, lab, log):
    log.write(age_ms=60000)
    log.write(state="OK", age_ms=50000)
    start(stack, policies(lab.url))
    row = log.await_row("suppressed")[0]
    assert row["detail"]["guard"] == "superseded" and lab.heals() == []


def test_webhook_step_repeats_with_one_key(stack, log, receiver):
    hook = receiver(500)
    text = json.dumps({"policies": [{
        "name": "page", "mode": "auto", "alarm": {"dimensions": {"vnf_id": "*"}}, "target": "${vnfc_id}",
        "steps": [{"webhook": {"url": hook.url + "/${vnfc_id}?r=${alarm.reason}", "retries": 3,
                               "headers": {"X-Reason": "${alarm.reason}"},
                               "body": '{"text": "${alarm.reason}", "list": ["${vnf_id}", 1]}'}}],
        "verify": {"within": "5s"}}]})
    start(stack, text)
    log.write()
    wait_for(lambda: len(hook.got) >= 2, 10, "a repeat")
    hook.status = 204
    log.await_row("verifying")
    keys = {headers["Idempotency-Key"] for _, headers, _ in hook.got}
    assert len(keys) == 1 and len(hook.got) >= 3
    assert hook.bodies()[0] == {"text": 'dns-vnfc-down "is" ALARM', "list": ["dns-vnf", 1]}
    assert "?r" not in log.rows("call")[0]["detail"]["url"]


def test_ssrf_guard(stack, log):
    start(stack, policies("http://${vnfc_id}/x"))
    log.write(vnfc="192.0.2.1")
    assert "not allowed" in log.await_row("failed")[0]["text"]


def test_notification_body_signature_and_order(stack, log, receiver):
    hook = receiver()
    secret = stack.dir / "secret"
    secret.write_text("k3y\n")
    start(stack, "policies: []\n", subscribers=[
        {"name": "noc", "url": hook.url, "states": ["ALARM", "OK"], "secret_file": str(secret),
         "headers": {"X-Team": "noc"}}])
    records = [log.write(), log.write(state="UNDETERMINED"), log.write(state="OK")]
    wait_for(lambda: len(hook.got) == 2, 10, "two notifications")
    _, headers, body = hook.got[0]
    assert headers["X-Hale-Signature"] == "sha256=" + hmac.new(b"k3y", body, hashlib.sha256).hexdigest()
    assert headers["X-Team"] == "noc" and len({h["X-Hale-Notification"] for _, h, _ in hook.got}) == 2
    first, second = hook.bodies()
    alarm = records[0]["alarm"]
    assert first["alarm_id"] == alarm["id"] and first["alarm_name"] == "dns-vnfc-down"
    assert (first["old_state"], first["state"], first["tenant_id"]) == ("OK", "ALARM", "default")
    assert first["message"] == alarm["reason"] and first["seq"] == 1 and second["seq"] == 3
    assert first["metrics"] == [dict(alarm["metrics"][0], id=None)]
    assert first["alarm_timestamp"] == records[0]["time_ms"] // 1000
    wait_for(lambda: log.redis.cmd("GET", "hale:{m}:cursor:noc") == b"3", 10, "the cursor")


def test_profiles(stack, log, receiver):
    """Each in its own words, with its own content type; those that know no UNDETERMINED are not told of it."""
    names = ["monasca", "alertmanager", "cloudevents", "aodh", "ves", "pagerduty", "slack", "tacker"]
    hooks = {name: receiver() for name in names}
    secret = stack.dir / "routing-key"
    secret.write_text("R0UT3\n")
    start(stack, "policies: []\n", subscribers=[
        {"name": name, "url": hook.url, "profile": name, "secret_file": str(secret)} for name, hook in hooks.items()])
    log.write()
    log.write(state="UNDETERMINED")
    log.write(state="OK")
    for name, hook in hooks.items():
        n = 2 if name in ("alertmanager", "ves", "pagerduty", "tacker") else 3
        wait_for(lambda h=hook, n=n: len(h.got) == n, 10, f"{n} notifications as {name}")
        for _, headers, body in hook.got:
            kind = "cloudevents+json" if name == "cloudevents" else "json"
            assert headers["Content-Type"] == "application/" + kind
            assert ("X-Hale-Signature" in headers) == (name != "pagerduty")
    last = {name: hook.bodies()[-1] for name, hook in hooks.items()}
    assert [b["status"] for b in hooks["alertmanager"].bodies()] == ["firing", "resolved"]
    assert last["alertmanager"]["receiver"] == "alertmanager"
    alert = hooks["tacker"].bodies()[0]["alerts"][0]
    assert (alert["status"], alert["labels"]["vnf_instance_id"], alert["labels"]["pod"]) == ("firing", "dns-vnf", "dns-1")
    assert [b["type"] for b in hooks["cloudevents"].bodies()] == [
        "org.hale.alarm." + w for w in ("raised", "undetermined", "cleared")]
    assert [b["current"] for b in hooks["aodh"].bodies()] == ["alarm", "insufficient data", "ok"]
    assert last["ves"]["event"]["faultFields"]["eventSeverity"] == "NORMAL"
    first, end = hooks["pagerduty"].bodies()
    assert (first["event_action"], end["event_action"]) == ("trigger", "resolve")
    assert first["routing_key"] == "R0UT3" and first["dedup_key"] == end["dedup_key"]
    assert last["slack"]["text"].startswith("OK ")


def test_dead_subscriber_delays_nobody(stack, log, receiver):
    slow, refusing, good = receiver(), f"http://127.0.0.1:{free_port()}/", receiver()
    slow.hold = threading.Event()
    start(stack, "policies: []\n", subscribers=[{"name": "slow", "url": slow.url},
                                                {"name": "dead", "url": refusing},
                                                {"name": "good", "url": good.url}])
    took = []
    for _ in range(20):
        record = log.write()
        n = len(took) + 1
        wait_for(lambda: len(good.got) >= n, 5, "the good subscriber", every=0.001)
        took.append(good.got[-1][0] - record["logged_us"])
    assert sorted(took)[10] < 100_000, took
    slow.hold.set()
    wait_for(lambda: len(slow.got) == 20, 10, "the slow one's turn")
    assert [b["seq"] for b in slow.bodies()] == list(range(1, 21))


def test_notifications_survive_kill9(stack, log, receiver):
    hook = receiver(503)
    start(stack, "policies: []\n", subscribers=[{"name": "noc", "url": hook.url}])
    for _ in range(3):
        log.write()
    wait_for(lambda: hook.got, 10, "a first try")
    stack.kill9("actuator")
    before = hook.got[0][1]["X-Hale-Notification"]
    hook.got.clear()
    hook.status = 200
    for _ in range(200):
        log.write()
    stack.restart("actuator")
    wait_for(lambda: len(hook.got) >= 203, 20, "all notifications")
    assert [b["seq"] for b in hook.bodies()] == list(range(1, 204))
    assert hook.got[0][1]["X-Hale-Notification"] == before


def test_reload_good_and_bad(stack, lab, log):
    daemon = start(stack, policies(lab.url, mode="observe"))
    path = stack.dir / "policies.yaml"
    path.write_text(policies(lab.url).replace('"mode"', '"mood"'))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload_refused" in daemon.log(), 10, "the refusal")
    assert "did you mean 'mode'" in daemon.log() and "policies.yaml:1" in daemon.log()
    log.write()
    log.await_row("observed")  # the old generation works on
    path.write_text(policies(lab.url))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "event=reloaded" in daemon.log(), 10, "the reload")
    log.write(state="OK")
    log.write()
    log.await_row("verifying")
    log.write(state="OK")
    log.await_row("verified")
