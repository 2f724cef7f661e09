# SPDX-License-Identifier: Apache-2.0
"""Notification methods are told: webhooks, PagerDuty and letters, with real receivers.

Methods, definitions and alarm log records are written into Redis as the collector and the correlator
write them; test_through_the_house has the real ones.
"""
import email
import email.policy
import hashlib
import hmac
import json
import signal
import ssl
import subprocess
import threading
import time
import uuid

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from conftest import free_port, http_call, wait_for
from service_kit import receiver  # noqa: F401 (fixture)
from test_actuator import Log, metric

M = "hale:{m}:"


class House:
    """An actuator with methods and definitions; log is the correlator's pen."""

    def __init__(self, stack):
        self.stack, self.redis, self.log = stack, stack.redis, Log(stack.redis)

    def control(self, op, ident):
        self.redis.cmd("XADD", M + "control", "*", "j", json.dumps({"v": 1, "op": op, "id": ident}))

    def method(self, address, type="WEBHOOK", period=0, ident=None, tenant="default"):
        ident = ident or str(uuid.uuid4())
        self.redis.cmd("HSET", M + "methods", ident, json.dumps({
            "v": 1, "id": ident, "tenant": tenant, "name": "n" + ident, "type": type,
            "address": address, "period": period, "created_ms": 1, "updated_ms": 1}))
        self.control("method", ident)
        return ident

    def drop(self, ident):
        self.redis.cmd("HDEL", M + "methods", ident)
        self.control("method", ident)

    def definition(self, alarm=(), ok=(), undetermined=(), ident="d1"):
        self.redis.cmd("HSET", M + "definitions", ident, json.dumps({
            "v": 1, "id": ident, "tenant": "default", "name": ident, "description": "",
            "expression": "max(x) > 1", "match_by": [], "severity": "LOW", "actions_enabled": True,
            "ok_actions": list(ok), "alarm_actions": list(alarm),
            "undetermined_actions": list(undetermined), "semantics": "hale", "version": 1,
            "created_ms": 1, "updated_ms": 1}))
        self.control("definition", ident)

    def start(self, allow=("127.0.0.1",), **config):
        methods = {"allow": list(allow)} if allow else {}
        methods.update(config.pop("methods", {}))
        if methods:
            config["notification_methods"] = methods
        return self.stack.start("actuator", config)

    def metric(self, name):
        return metric(self.stack, name)

    def mark(self, ident):
        return (self.redis.cmd("HGET", M + "act:methods", ident) or b"").decode()

    def wait_done(self, ident, seq):
        wait_for(lambda: self.mark(ident) == f"d{seq}", 20, f"mark d{seq}, is {self.mark(ident)}")


@pytest.fixture
def house(stack):
    return House(stack)


def seqs(receiver):
    """The vnfc of each body, which the tests number."""
    return [b["metrics"][0]["dimensions"]["vnfc_id"] for b in receiver.bodies()]


def test_webhook_has_exactly_monascas_keys(house, receiver):
    hook = receiver()
    house.definition(alarm=[house.method(hook.url)])
    house.start()
    record = house.log.write()
    wait_for(lambda: hook.got, 10, "a call")
    _, headers, body = hook.got[0]
    alarm = record["alarm"]
    assert json.loads(body) == {
        "alarm_id": alarm["id"], "alarm_definition_id": "d1", "alarm_name": "dns-vnfc-down",
        "alarm_description": "", "alarm_timestamp": record["time_ms"] // 1000, "state": "ALARM",
        "old_state": "OK", "message": 'dns-vnfc-down "is" ALARM', "tenant_id": "default",
        "metrics": [{"id": None, "name": "process.pid_count",
                     "dimensions": alarm["metrics"][0]["dimensions"]}]}
    assert headers["Content-Type"] == "application/json"
    assert uuid.UUID(headers["X-Hale-Notification"])
    assert house.metric('hale_actuator_methods_told_total{what="transition"}') == 1


def test_webhooks_are_signed_with_a_key_of_their_own(house, receiver, tmp_path):
    secret = tmp_path / "notification.secret"
    secret.write_text("a secret of the house\n")
    house.stack.start("collector", {"notification_secret_file": str(secret)})
    hooks = [receiver(), receiver()]
    ids = [house.method(h.url) for h in hooks]
    duty = receiver(202)
    ids.append(house.method("the key", "PAGERDUTY"))
    house.definition(alarm=ids)
    daemon = house.start(methods={"secret_file": str(secret), "pagerduty_url": duty.url})
    house.log.write()
    wait_for(lambda: all(h.got for h in (*hooks, duty)), 10, "three calls")

    def key(ident, status=200, tenant="default"):
        token = house.stack.token("operator", tenant)
        a = house.stack.http("GET", f"/v1/notification-methods/{ident}/secret", token=token)
        assert a.status == status, a
        return a.json.get("key")

    def signature(ident, body):
        return "sha256=" + hmac.new(key(ident).encode(), body, hashlib.sha256).hexdigest()
    for ident, hook in zip(ids, hooks):
        assert hook.got[0][1]["X-Hale-Signature"] == signature(ident, hook.got[0][2])
    assert key(ids[0]) != key(ids[1])
    assert "X-Hale-Signature" not in duty.got[0][1]
    assert key(ids[2], 409) is None and key(ids[0], 404, "other") is None
    old = key(ids[0])
    secret.write_text("another secret of the house")         # and SIGHUP
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "event=reloaded" in daemon.log(), 10, "the reload")
    house.log.write(vnfc="b")
    wait_for(lambda: len(hooks[0].got) == 2, 10, "the next call")
    assert key(ids[0]) != old
    assert hooks[0].got[1][1]["X-Hale-Signature"] == signature(ids[0], hooks[0].got[1][2])
    assert "secret of the house" not in daemon.log()


def test_each_state_has_its_own_methods(house, receiver):
    hooks = {state: receiver() for state in ("ALARM", "OK", "UNDETERMINED")}
    ids = {state: house.method(h.url) for state, h in hooks.items()}
    house.definition(alarm=[ids["ALARM"]], ok=[ids["OK"]], undetermined=[ids["UNDETERMINED"]])
    house.start()
    for state, old in (("ALARM", "OK"), ("UNDETERMINED", "ALARM"), ("OK", "UNDETERMINED")):
        house.log.write(state=state, old=old)
    house.log.write(state="ALARM", actions=False)          # actions_enabled: false
    house.log.write(state="ALARM", kind="updated")         # no transition
    last = house.log.write(vnfc="other", state="ALARM")["seq"]
    house.wait_done(ids["ALARM"], last)
    assert {s: [b["state"] for b in h.bodies()] for s, h in hooks.items()} == {
        "ALARM": ["ALARM", "ALARM"], "OK": ["OK"], "UNDETERMINED": ["UNDETERMINED"]}
    assert hooks["OK"].bodies()[0]["old_state"] == "UNDETERMINED"


def test_changes_count_at_once(house, receiver):
    first, second = receiver(), receiver()
    house.start()
    for i in range(5):
        ident = house.method(first.url)
        house.definition(alarm=[ident])
        house.log.write(vnfc=f"a{i}")                        # right behind the control records
    wait_for(lambda: len(first.got) == 5, 10, "five calls")
    house.method(second.url, ident=ident)                    # another address
    house.log.write(vnfc="b")
    wait_for(lambda: seqs(second) == ["b"], 10, "the new address")
    house.wait_done(ident, house.log.seq)
    house.drop(ident)
    house.log.write(vnfc="c")
    wait_for(lambda: house.mark(ident) == "", 10, "the mark to go")
    house.definition(alarm=[])
    tenant = house.method(first.url, tenant="other")         # a foreign method is never told
    house.definition(alarm=[tenant])
    house.log.write(vnfc="d")
    own = house.method(second.url)
    house.definition(alarm=[own])
    house.log.write(vnfc="e")
    wait_for(lambda: seqs(second) == ["b", "e"], 10, "the last one")
    assert seqs(first) == [f"a{i}" for i in range(5)]


def test_pagerduty(house, receiver):
    duty = receiver(202)
    house.definition(alarm=[house.method("the key", "PAGERDUTY")])
    house.start(allow=None, methods={"pagerduty_url": duty.url})
    alarm = house.log.write()["alarm"]
    wait_for(lambda: duty.got, 10, "a call")
    assert duty.bodies() == [{
        "service_key": "the key", "event_type": "trigger", "description": alarm["reason"],
        "client": "Monasca", "client_url": "",
        "details": {"alarm_id": alarm["id"], "alarm_name": "dns-vnfc-down", "current": "ALARM",
                    "message": alarm["reason"]}}]


class Letters:
    def __init__(self):
        self.got, self.fail = [], 0

    async def handle_DATA(self, server, session, envelope):
        if self.fail > 0:
            self.fail -= 1
            return "451 come again"
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content,
                         bool(session.ssl), session.auth_data))
        return "250 taken"


@pytest.fixture
def smtp(tmp_path):
    made = []

    def make(**more):
        letters = Letters()
        port = free_port()
        controller = Controller(letters, hostname="127.0.0.1", port=port, **more)
        controller.start()
        made.append(controller)
        letters.url = f"smtp://127.0.0.1:{port}"
        return letters
    yield make
    for one in made:
        one.stop()


def test_letters(house, smtp):
    letters = smtp()
    letters.fail = 1                                         # the second try succeeds
    house.definition(alarm=[house.method("anna@example.org", "EMAIL")])
    house.start(smtp={"url": letters.url, "from": "hale@example.org"})
    name = "Überlast 公\r\nBcc: evil@example.org " + "x" * 120
    alarm = house.log.write(name=name)["alarm"]
    wait_for(lambda: letters.got, 20, "a letter")
    sender, to, text, encrypted, _ = letters.got[0]
    assert (sender, to, encrypted) == ("hale@example.org", ["anna@example.org"], False)
    assert all(len(line) <= 78 for line in text.split(b"\r\n"))
    letter = email.message_from_bytes(text, policy=email.policy.default)
    assert letter["To"] == "anna@example.org" and letter["From"] == "hale@example.org"
    assert letter["Bcc"] is None and letter["Date"] and letter["Message-ID"]
    subject = str(letter["Subject"])
    assert subject.startswith('ALARM CRITICAL "Überlast 公') and "x" * 120 in subject
    body = letter.get_content()
    for part in (alarm["id"], alarm["reason"].split("\r\n")[0], "went from OK to ALARM",
                 "process.pid_count", "vnfc_id: dns-1"):
        assert part in body, part


def test_letters_encrypted_and_with_login(house, smtp, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def login(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (b"hale", b"se cret")
        return AuthResult(success=good, auth_data=data.login)
    letters = smtp(tls_context=context, require_starttls=True, authenticator=login,
                   auth_required=True)
    (tmp_path / "password").write_text("se cret\n")
    house.definition(alarm=[house.method("a@b", "EMAIL")])
    house.start(smtp={"url": letters.url, "from": "hale@example.org", "user": "hale",
                      "password_file": str(tmp_path / "password"), "starttls": "required",
                      "ca_file": str(cert)})
    house.log.write()
    wait_for(lambda: letters.got, 20, "a letter")
    assert letters.got[0][3] is True and letters.got[0][4] == b"hale"
    assert "se cret" not in house.stack.daemons["actuator"].log()


def test_no_mail_server_is_said_and_counted(house):
    ident = house.method("a@b", "EMAIL")
    house.definition(alarm=[ident])
    house.start()
    house.log.write()
    house.wait_done(ident, 1)
    assert house.metric("hale_actuator_method_denied_total") == 1
    assert "set smtp in the actuator's configuration" in house.stack.daemons["actuator"].log()


@pytest.mark.parametrize("reach", ["remote", "listed"])
def test_what_is_not_allowed_is_not_called(house, receiver, reach):
    hook = receiver()
    port = hook.server.server_port
    urls = [f"http://{host}:{port}/hook" for host in (
        "127.0.0.1", "localhost", "127.9.9.9", "2130706433", "0x7f.1", "0.0.0.0", "[::1]",
        "[::ffff:127.0.0.1]", "[::127.0.0.1]", "169.254.169.254", "[fe80::1]")]
    ids = [house.method(url) for url in urls]
    house.definition(alarm=ids)
    house.start(allow=["other.example.org"], methods={"reach": reach})
    house.log.write()
    for ident, url in zip(ids, urls):
        wait_for(lambda: house.mark(ident) == "d1", 20, f"{url} given up")
    assert hook.got == []
    assert house.metric("hale_actuator_method_denied_total") == len(urls)


def test_kept_connections_of_policies_are_no_way_round(house, receiver):
    """A subscriber may call loopback; a method must not ride on its connection."""
    hook = receiver()
    ident = house.method(hook.url)
    house.start(allow=None, subscribers=[{"name": "s", "url": hook.url}])
    house.log.write(vnfc="before")
    wait_for(lambda: len(hook.got) == 1, 10, "the subscriber")
    house.definition(alarm=[ident])
    house.log.write(vnfc="after")
    house.wait_done(ident, 2)
    wait_for(lambda: len(hook.got) == 2, 10, "the subscriber")
    assert all("seq" in body for body in hook.bodies())


def test_dead_methods_delay_nobody(house, receiver):
    dead, slow, good = receiver(500), receiver(), receiver()
    slow.hold = threading.Event()
    ids = [house.method(h.url) for h in (dead, slow, good)]
    ids.append(house.method("http://127.0.0.1:1/"))
    house.definition(alarm=ids)
    house.start()
    start = time.monotonic()
    for i in range(20):
        house.log.write(vnfc=f"v{i}")
    wait_for(lambda: len(good.got) == 20, 10, "the good one")
    assert time.monotonic() - start < 4
    assert seqs(good) == [f"v{i}" for i in range(20)]
    assert set(seqs(dead)) == {"v0"} and len(slow.got) == 1
    house.wait_done(ids[2], 20)  # the answer to the last one comes before its mark
    assert house.mark(ids[0]).startswith("p")
    dead.status = 200
    slow.hold.set()
    house.wait_done(ids[0], 20)
    house.wait_done(ids[1], 20)
    first = list(dict.fromkeys(seqs(dead)))
    assert first == [f"v{i}" for i in range(20)]            # in order, the first one repeated
    same = {h["X-Hale-Notification"] for _, h, b in dead.got if b"v0" in b}
    assert len(same) == 1
    assert "method_failing" in house.stack.daemons["actuator"].log()


def test_nothing_is_lost_over_kill9(house, receiver):
    hook = receiver(503)
    ident = house.method(hook.url)
    house.definition(alarm=[ident])
    house.start()
    for i in range(600):                                     # more than the queue holds
        house.log.write(vnfc=f"v{i}")
        if i == 50:
            wait_for(lambda: house.mark(ident) == "p0", 10, "the mark")
        if i in (100, 500):
            house.stack.kill9("actuator")
            if i == 500:
                hook.status = 200
            house.stack.restart("actuator")
        if i == 400:                                         # the log's position moves on meanwhile
            wait_for(lambda: int(house.redis.cmd("HGET", M + "act:meta", "alarmlog") or 0) >= 400,
                     20, "the position")
    house.wait_done(ident, 600)
    told = seqs(hook)
    assert list(dict.fromkeys(told)) == [f"v{i}" for i in range(600)]
    house.stack.kill9("actuator")
    house.stack.restart("actuator")
    house.log.write(vnfc="last")
    wait_for(lambda: seqs(hook)[-1] == "last", 10, "the last one")
    assert len(seqs(hook)) == len(told) + 1                  # nothing twice when all was done


def test_what_is_too_old_is_given_up(house, receiver):
    hook = receiver()
    ident = house.method(hook.url)
    house.definition(alarm=[ident])
    house.start(notify_max_age="1m")
    house.log.write(vnfc="old", age_ms=61000)
    house.log.write(vnfc="new")
    house.wait_done(ident, 2)
    assert seqs(hook) == ["new"]
    assert house.metric("hale_actuator_method_expired_total") == 1


def test_period_repeats_while_the_state_lasts(house, receiver):
    hook, once = receiver(), receiver()
    ident = house.method(hook.url, period=1)
    house.definition(alarm=[ident, house.method(once.url)], ok=[house.method(once.url)])
    house.start()
    house.log.write()
    wait_for(lambda: len(hook.got) >= 3, 20, "repeats")
    assert len({b["alarm_id"] for b in hook.bodies()}) == 1
    assert hook.bodies()[0] == hook.bodies()[-1]
    times = [t for t, _, _ in hook.got]
    assert all(b - a > 900000 for a, b in zip(times, times[1:]))
    house.stack.kill9("actuator")
    before = len(hook.got)
    house.stack.restart("actuator")
    wait_for(lambda: len(hook.got) > before + 1, 20, "repeats after a restart")
    assert hook.bodies()[-1] == hook.bodies()[0]
    house.log.write(state="OK")
    wait_for(lambda: house.metric("hale_actuator_method_repeats") == 0, 20, "the end")
    told = len(hook.got)
    house.log.write(vnfc="x", state="UNDETERMINED")
    wait_for(lambda: len(once.got) == 2, 10, "the others")
    assert len(hook.got) == told and len(once.got) == 2


def test_a_log_begun_anew_is_no_trap(house, receiver):
    hook = receiver()
    ident = house.method(hook.url)
    house.definition(alarm=[ident])
    house.start()
    for i in range(30):
        house.log.write(vnfc=f"v{i}")
    house.wait_done(ident, 30)
    house.stack.stop("actuator")
    house.redis.cmd("DEL", M + "alarmlog")
    house.log.seq = 0
    house.stack.restart("actuator")
    house.log.write(vnfc="anew")
    wait_for(lambda: seqs(hook)[-1] == "anew", 10, "the new log's first record")


def test_configuration_is_checked(house, tmp_path):
    short = tmp_path / "short"
    short.write_text("too short\n")
    for config, text in (
            ({"notification_methods": {"reach": "far"}}, "reach"),
            ({"notification_methods": {"allow": ["http://x/"]}}, "is not host, host:port"),
            ({"notification_methods": {"pagerduty_url": "ftp://x"}}, "pagerduty_url"),
            ({"notification_methods": {"secret_file": "/nowhere"}}, "secret_file"),
            ({"notification_methods": {"secret_file": str(short)}}, "openssl rand -hex 32"),
            ({"smtp": {"url": "http://x", "from": "a@b"}}, "smtp://host"),
            ({"smtp": {"url": "smtp://x", "from": "a"}}, "from must be"),
            ({"smtp": {"url": "smtp://x"}}, "from"),
            ({"smtp": {"url": "smtp://x", "from": "a@b", "password_file": "/nowhere"}},
             "password_file"),
            ({"smtp": {"url": "smtp://x", "from": "a@b", "starttls": "maybe"}}, "starttls")):
        d = house.stack.start("actuator", config, wait=False)
        d.expected_end = True
        assert d.process.wait(10) != 0, config
        assert text in d.log(), (config, d.log())
        d.log_path.write_text("")


def test_through_the_house(stack, receiver):
    """From the API to the receiver: metrics, thresholds, correlator, actuator."""
    for name in ("collector", "thresholds", "correlator"):
        stack.start(name)
    stack.start("actuator", {"notification_methods": {"allow": ["127.0.0.1"]}})
    hook = receiver()
    made = stack.http("POST", "/v2.0/notification-methods",
                      {"name": "hook", "type": "webhook", "address": hook.url}).json
    definition = stack.http("POST", "/v2.0/alarm-definitions", {
        "name": "high", "expression": "max(app.load) > 5", "match_by": ["hostname"],
        "description": "too much", "alarm_actions": [made["id"]], "ok_actions": [made["id"]],
        "undetermined_actions": [made["id"]]}).json

    def post(value):
        assert stack.http("POST", "/v2.0/metrics", {
            "name": "app.load", "dimensions": {"hostname": "h1"}, "value": value,
            "timestamp": int(time.time() * 1000)}).status == 204
    post(1)
    wait_for(lambda: stack.http("GET", "/v2.0/alarms").json["elements"], 10, "the alarm")
    post(9)
    wait_for(lambda: "ALARM" in [b["state"] for b in hook.bodies()], 15, "ALARM told")
    body = hook.bodies()[-1]
    assert body["alarm_definition_id"] == definition["id"]
    assert body["alarm_description"] == "too much"
    assert body["metrics"] == [{"id": None, "name": "app.load", "dimensions": {"hostname": "h1"}}]
    told = len(hook.got)
    answer = stack.http("PATCH", f"/v2.0/alarms/{body['alarm_id']}", {"state": "OK"})
    assert answer.status == 200 and answer.json["state"] == "OK"
    wait_for(lambda: len(hook.got) > told, 10, "the change through the API")
    assert hook.bodies()[told]["state"] == "OK"
    assert hook.bodies()[told]["message"] == "Alarm state updated via API"
    stack.http("PATCH", f"/v2.0/alarm-definitions/{definition['id']}", {"actions_enabled": False})
    told = len(hook.got)
    stack.http("PATCH", f"/v2.0/alarms/{body['alarm_id']}", {"state": "UNDETERMINED"})
    second = stack.http("POST", "/v2.0/alarm-definitions", {
        "name": "low", "expression": "min(app.load) < 5", "alarm_actions": [made["id"]]}).json
    post(0)
    wait_for(lambda: second["id"] in [b["alarm_definition_id"] for b in hook.bodies()], 15,
             "the other definition's alarm")
    assert [b["alarm_definition_id"] for b in hook.bodies()[told:]] == [second["id"]]
    assert stack.http("DELETE", f"/v2.0/notification-methods/{made['id']}").status == 204
    host, port = stack.daemons["actuator"].listen.rsplit(":", 1)
    wait_for(lambda: b"hale_actuator_methods 0" in
             http_call(host, int(port), "GET", "/metrics").body, 10, "the method to be forgotten")
