# SPDX-License-Identifier: Apache-2.0
"""Fault events in every form (docs/formats/events.md): OPNFV Doctor's, Prometheus' alerts with a real
Prometheus as their sender, VES 7; and alerts that expire, also over a kill."""
import base64
import json
import shutil
import subprocess

import pytest

from collector_kit import counter, iso, now_ms
from conftest import free_port, http_call, wait_for
from test_correlator import counter as correlator_counter
from test_correlator import log, processed

STREAM = "hale:{m}:events"


def house(stack):
    stack.start("collector")
    stack.start("correlator")


def records(stack):
    return [json.loads(e[1][1]) for e in stack.redis.cmd("XRANGE", STREAM, "-", "+")]


def alarms(stack):
    """{(type, dimension values ...): state} as the API has them."""
    a = stack.http("GET", "/v2.0/alarms")
    assert a.status == 200, a
    return {(e["alarm_definition"]["name"], *sorted(e["metrics"][0]["dimensions"].values())): e["state"]
            for e in a.json["elements"]}


def wait_alarms(stack, want, seconds=20):
    wait_for(lambda: alarms(stack) == want, seconds, f"alarms {want}")


def kinds(stack):
    return [(r["kind"], r["alarm"]["state"]) for r in log(stack.redis)]


def alert(name="HostDown", ends=60000, starts=-60000, severity="critical", **labels):
    now = now_ms()
    out = {"labels": {"alertname": name, "instance": "h1:9100", "severity": severity, **labels},
           "annotations": {"summary": "h1 is down"}, "generatorURL": "http://prom/graph",
           "startsAt": iso(now + min(starts, ends))}
    if ends is not None:
        out["endsAt"] = iso(now + ends)
    return out


def post_alerts(stack, *alerts, status=200):
    a = stack.http("POST", "/api/v2/alerts", list(alerts), role="agent",
                   headers={"Content-Type": "application/json"})
    assert a.status == status, a
    return a


# --- OPNFV Doctor -----------------------------------------------------------------------------------

def test_doctors_forms(stack):
    """As the project's own monitors and specification have them, down and up again."""
    house(stack)

    def event(host, status, **more):
        return {"time": iso(now_ms())[:-1], "type": "compute.host.down",
                "details": {"hostname": host, "status": status, "monitor": "monitor_sample",
                            "monitor_event_id": "monitor_sample_event1", **more}}

    calls = [("PUT", "/events", lambda e: [e]), ("POST", "/events", lambda e: [e]),
             ("PUT", "/v1/events", lambda e: {"events": [e]}), ("POST", "/v1/events", lambda e: {"event": e}),
             ("POST", "/v1/event", lambda e: {"event": e}), ("POST", "/v1/event", lambda e: e),
             ("POST", "/events", lambda e: e)]
    for down, state in (("down", "ALARM"), ("up", "OK")):
        for i, (method, path, body) in enumerate(calls):
            a = stack.http(method, path, body(event(f"compute-{i}", down, severity="critical")),
                           role="agent", headers={"Content-Type": "application/json"})
            assert (a.status, a.json) == (200, {"accepted": 1}), (path, a)
        wait_alarms(stack, {("compute.host.down", f"compute-{i}"): state for i in range(len(calls))})
    a = stack.http("POST", "/events", [event("c", "down"), {"type": "x"}])
    assert a.status == 422 and a.json["description"].startswith("event 2: an event needs dimensions")


# --- alerts -----------------------------------------------------------------------------------------

def test_alerts_raise_repeat_and_clear(stack):
    house(stack)
    assert post_alerts(stack, alert()).body == b""
    key = ("HostDown", "critical", "h1:9100")
    wait_alarms(stack, {key: "ALARM"})
    row = records(stack)[0]
    assert row["type"] == "HostDown" and row["severity"] == "CRITICAL" and row["status"] == "raise"
    assert row["dimensions"] == {"instance": "h1:9100", "severity": "critical"}
    assert row["details"]["annotations"] == {"summary": "h1 is down"}
    assert now_ms() + 55000 < row["expires_ms"] < now_ms() + 61000

    # The same alert again, then in two severities: those are two alarms.
    again = dict(alert(ends=90000), startsAt=row["details"]["startsAt"])
    post_alerts(stack, again, dict(alert(severity="warning")))
    wait_alarms(stack, {key: "ALARM", ("HostDown", "h1:9100", "warning"): "ALARM"})
    assert kinds(stack) == [("created", "OK"), ("transition", "ALARM")] * 2
    assert {r["alarm"]["severity"] for r in log(stack.redis)} == {"CRITICAL", "MEDIUM"}

    post_alerts(stack, alert(ends=-1000))
    wait_alarms(stack, {key: "OK", ("HostDown", "h1:9100", "warning"): "ALARM"})
    post_alerts(stack, alert(ends=-1000), alert(name="NeverSeen", ends=-1000))
    post_alerts(stack)
    wait_for(lambda: processed(stack.redis), 10, "the events")
    assert kinds(stack)[4:] == [("transition", "OK")]
    last = log(stack.redis)[-1]
    assert last["evidence"]["event"]["status"] == "clear" and last["alarm"]["reason"].startswith(
        "Fault event HostDown cleared")

    # An alert may have no label but its name; its alarm is like any other.
    post_alerts(stack, {"labels": {"alertname": "Watchdog"}})
    wait_for(lambda: alarms(stack).get(("Watchdog",)) == "ALARM", 10, "the alarm without dimensions")
    post_alerts(stack, {"labels": {"alertname": "Watchdog"}, "endsAt": iso(now_ms() - 1)})
    wait_for(lambda: alarms(stack).get(("Watchdog",)) == "OK", 10, "its end")

    # Read back as an Alertmanager's client does.
    got = stack.http("GET", "/api/v2/alerts?active=true&silenced=true&inhibited=true", role="read-only")
    assert got.status == 200 and len(got.json) == 1
    assert got.json[0]["labels"] == {"alertname": "HostDown", "instance": "h1:9100", "severity": "warning"}
    assert got.json[0]["status"]["state"] == "active" and len(got.json[0]["fingerprint"]) == 16
    assert stack.http("GET", "/api/v2/alerts?active=false", role="read-only").json == []
    assert stack.http("GET", "/api/v2/alerts?filter=a%3Db", role="read-only").status == 400
    status = stack.http("GET", "/api/v2/status", role="read-only").json
    assert status["cluster"]["status"] == "disabled" and set(status["versionInfo"]) == {
        "branch", "buildDate", "buildUser", "goVersion", "revision", "version"}


def test_what_does_not_fit_is_refused_alone(stack):
    house(stack)
    a = post_alerts(stack, alert(), {"labels": {"job": "x"}}, alert(name="two words"),
                    alert(long="x" * 256), status=400)
    assert a.json == "alert 2: labels must be an object that has alertname"
    wait_alarms(stack, {("HostDown", "critical", "h1:9100"): "ALARM"})
    assert counter(stack, "hale_collector_alerts_refused_total") == 3
    assert counter(stack, "hale_collector_events_total") == 1
    for body in (b"", b"{", {"labels": {}}, [alert()] * 1001):
        a = stack.http("POST", "/api/v2/alerts", body, role="agent")
        assert a.status == 400 and isinstance(a.json, str), a
    assert stack.http("POST", "/api/v2/alerts", [alert()], role="read-only").status == 401
    assert stack.http("POST", "/api/v2/alerts", [alert()], role=None).status == 401
    assert len(records(stack)) == 1


def test_an_alert_that_is_not_repeated_clears_by_itself(stack):
    """In the stream's time: not before its end, at once after it, also with nothing else going on."""
    house(stack)
    post_alerts(stack, alert(ends=1500), alert(name="Other", ends=60000))
    ends = records(stack)[0]["expires_ms"]
    wait_for(lambda: ("transition", "OK") in kinds(stack), 20, "the expiry", 0.005)
    rows = log(stack.redis)
    assert [r["kind"] for r in rows] == ["created", "transition"] * 2 + ["transition"]
    last = rows[-1]
    assert last["time_ms"] >= ends and last["accepted_us"] == 0
    assert last["alarm"]["reason"] == f"Fault event HostDown expired: it was not repeated until {iso(ends)}"
    assert last["evidence"]["event"]["status"] == "expired"
    assert last["evidence"]["event"]["details"]["annotations"] == {"summary": "h1 is down"}
    assert correlator_counter(stack, "hale_correlator_alarms_expired_total") == 1
    # It comes back with the start it had, as from a Prometheus that could not reach us.
    post_alerts(stack, alert(ends=60000))
    wait_for(lambda: kinds(stack)[-1] == ("transition", "ALARM"), 10, "the alert's return")


def test_kill9_before_the_expiry(stack):
    """The end of an alert is remembered; so is a repeat that came while nobody was there to read it."""
    house(stack)
    post_alerts(stack, alert(ends=1500), alert(name="Repeated", ends=1500))
    wait_for(lambda: len(kinds(stack)) == 4, 10, "both alarms")
    stack.kill9("correlator")
    post_alerts(stack, dict(alert(name="Repeated", ends=60000),
                            startsAt=records(stack)[1]["details"]["startsAt"]))
    ends = records(stack)[0]["expires_ms"]
    wait_for(lambda: now_ms() > ends, 10, "the end of the first")
    stack.restart("correlator")
    wait_for(lambda: len(kinds(stack)) == 5, 10, "the expiry")
    assert kinds(stack)[4] == ("transition", "OK")
    assert log(stack.redis)[4]["alarm"]["definition_name"] == "HostDown"
    stack.kill9("correlator")
    stack.restart("correlator")
    wait_for(lambda: processed(stack.redis), 10, "the events")
    assert len(kinds(stack)) == 5
    wait_alarms(stack, {("HostDown", "critical", "h1:9100"): "OK",
                        ("Repeated", "critical", "h1:9100"): "ALARM"})


# --- a real Prometheus ------------------------------------------------------------------------------

PROMETHEUS = """
global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: [%(dir)s/rules.yml]
alerting:
  alertmanagers:
    - api_version: v2
      authorization: {type: Bearer, credentials: %(token)s}
      static_configs: [{targets: ["%(hale)s"]}]
scrape_configs:
  - job_name: lab
    static_configs: [{targets: ["%(target)s"]}]
"""
RULES = """
groups:
  - name: lab
    rules:
      - alert: LabDown
        expr: up{job="lab"} == 0
        labels: {severity: major, team: noc}
        annotations: {summary: "{{ $labels.instance }} is down"}
"""


class Prometheus:
    def __init__(self, directory, hale, token):
        if shutil.which("prometheus") is None:
            pytest.skip("Debian's prometheus is not installed")
        self.dir, self.target = directory, free_port()
        directory.mkdir()
        (directory / "rules.yml").write_text(RULES)
        (directory / "prometheus.yml").write_text(PROMETHEUS % {
            "dir": directory, "token": token, "hale": hale, "target": "127.0.0.1:%d" % self.target})
        self.port = free_port()
        self.log = open(directory / "log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml",
             f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{self.port}",
             "--rules.alert.resend-delay=500ms"], stdout=self.log, stderr=self.log)
        self.exporter = None

    def serve(self):
        """The target is up from now on: Prometheus' own /metrics stands in for it."""
        self.exporter = subprocess.Popen(
            ["prometheus", f"--config.file={self.empty()}", f"--storage.tsdb.path={self.dir}/data2",
             f"--web.listen-address=127.0.0.1:{self.target}"], stdout=self.log, stderr=self.log)

    def empty(self):
        path = self.dir / "empty.yml"
        path.write_text("global: {}\n")
        return path

    def end(self, process):
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def metric(self, name):
        text = http_call("127.0.0.1", self.port, "GET", "/metrics").body.decode()
        return sum(float(x.rsplit(" ", 1)[1]) for x in text.splitlines() if x.startswith(name))

    def stop(self):
        self.end(self.exporter)
        self.end(self.process)
        self.log.close()


def test_a_real_prometheus(stack, tmp_path):
    """Hale stands in for the Alertmanager: firing, repeats, resolved; and Prometheus killed."""
    house(stack)
    p = Prometheus(tmp_path / "prometheus", "%s:%d" % stack.address, stack.token("agent"))
    try:
        key = ("LabDown", "127.0.0.1:%d" % p.target, "lab", "major", "noc")
        wait_alarms(stack, {key: "ALARM"}, 40)
        raised = log(stack.redis)[1]
        assert raised["alarm"]["severity"] == "HIGH"
        assert raised["evidence"]["event"]["details"]["annotations"] == {
            "summary": "127.0.0.1:%d is down" % p.target}
        wait_for(lambda: len(records(stack)) >= 4, 20, "repeats")
        wait_for(lambda: processed(stack.redis), 10, "the events")
        assert kinds(stack) == [("created", "OK"), ("transition", "ALARM")], "repeats change nothing"
        p.serve()
        wait_alarms(stack, {key: "OK"}, 40)
        assert log(stack.redis)[-1]["evidence"]["event"]["status"] == "clear"
        p.end(p.exporter)
        wait_alarms(stack, {key: "ALARM"}, 40)
        assert p.metric("prometheus_notifications_errors_total") == 0
        p.end(p.process)
        wait_alarms(stack, {key: "OK"}, 40)
        assert log(stack.redis)[-1]["evidence"]["event"]["status"] == "expired"
        assert [r["alarm"]["state"] for r in log(stack.redis) if r["kind"] == "transition"] == [
            "ALARM", "OK"] * 2
    finally:
        p.stop()


def test_amtool(stack, tmp_path):
    """Alertmanager's own client adds an alert, reads it back and ends it."""
    if shutil.which("amtool") is None:
        pytest.skip("Debian's prometheus-alertmanager is not installed")
    house(stack)

    def amtool(role, *args):
        file = tmp_path / (role + ".yml")
        file.write_text("authorization: {type: Bearer, credentials: %s}\n" % stack.token(role))
        done = subprocess.run(["amtool", "--alertmanager.url", stack.url, "--http.config.file", str(file),
                               *args], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    amtool("agent", "alert", "add", "alertname=NodeDown", "node=a", "severity=error",
           "--annotation=summary=gone")
    wait_alarms(stack, {("NodeDown", "a", "error"): "ALARM"})
    row = records(stack)[0]
    assert row["severity"] == "HIGH" and 290000 < row["expires_ms"] - now_ms() <= 300000
    found = json.loads(amtool("read-only", "alert", "query", "-o", "json"))
    assert [a["labels"] for a in found] == [{"alertname": "NodeDown", "node": "a", "severity": "error"}]
    amtool("agent", "alert", "add", "alertname=NodeDown", "node=a", "severity=error",
           "--start=" + iso(now_ms() - 5000), "--end=" + iso(now_ms() - 1000))
    wait_alarms(stack, {("NodeDown", "a", "error"): "OK"})


# --- VES 7 ------------------------------------------------------------------------------------------

def ves(severity="MAJOR", at=None, domain="fault", source="vfw-1", **fault):
    head = {"domain": domain, "eventId": "fault0000001", "eventName": "Fault_vFirewall_linkDown",
            "lastEpochMicrosec": (at or now_ms()) * 1000, "startEpochMicrosec": 1795270660000000,
            "priority": "High", "reportingEntityName": "ems-1", "sequence": 1, "sourceName": source,
            "version": "4.1", "vesEventListenerVersion": "7.2.1"}
    fields = {"faultFieldsVersion": "4.0", "alarmCondition": "linkDown", "eventSeverity": severity,
              "eventSourceType": "port", "specificProblem": "no light", "vfStatus": "Active",
              "alarmInterfaceA": "eth0", "alarmAdditionalInformation": {"rack": "7"}, **fault}
    return {"commonEventHeader": head, **({"faultFields": fields} if domain == "fault" else {})}


def test_ves(stack):
    house(stack)
    basic = {"Authorization": "Basic " + base64.b64encode(
        b"ves:" + stack.token("agent").encode()).decode(), "Content-Type": "application/json"}

    def post(body, batch=False):
        path = "/eventListener/v7" + ("/eventBatch" if batch else "")
        return stack.http("POST", path, body, role=None, headers=dict(basic))

    def refused(a, status, word):
        assert a.status == status, a
        e = a.json["requestError"]["serviceException"]
        assert e["messageId"].startswith("SVC") and word in e["variables"][0], a

    a = post({"event": ves()})
    assert (a.status, a.body) == (202, b""), a
    key = ("linkDown", "eth0", "port", "vfw-1")
    wait_alarms(stack, {key: "ALARM"})
    first = log(stack.redis)[1]
    assert first["alarm"]["severity"] == "HIGH" and first["alarm"]["group"] == {
        "sourceName": "vfw-1", "eventSourceType": "port", "alarmInterfaceA": "eth0"}
    assert first["evidence"]["event"]["details"]["alarmAdditionalInformation"] == {"rack": "7"}
    assert post({"event": ves()}).status == 202
    assert post({"event": ves("CRITICAL")}).status == 202
    assert post({"eventList": [ves("NORMAL", specificProblem="light"), ves(domain="heartbeat"),
                               ves("WARNING", source="vfw-2")]}, True).status == 202
    wait_alarms(stack, {key: "OK", ("linkDown", "eth0", "port", "vfw-2"): "ALARM"})
    assert kinds(stack)[:4] == [("created", "OK"), ("transition", "ALARM"), ("updated", "ALARM"),
                                ("transition", "OK")]
    before = len(records(stack))
    assert post({"event": ves(domain="heartbeat")}).status == 202
    assert counter(stack, "hale_collector_ves_heartbeats_total") == 2
    refused(post({"event": ves(domain="measurement")}), 400, "domain measurement is not taken here")
    refused(post({"eventList": [ves(), ves("LOUD")]}, True), 400, "event 2: faultFields.eventSeverity")
    refused(post(b"{"), 400, "not valid JSON")
    refused(post({"eventList": [ves()]}), 400, '{"event":{...}}')
    refused(post({"eventList": []}, True), 400, "at least one event")
    assert len(records(stack)) == before
    assert stack.http("POST", "/eventListener/v7", {"event": ves()}, role=None).status == 401
    assert stack.http("POST", "/eventListener/v7", {"event": ves()}, role="read-only").status == 401


def test_no_form_is_acknowledged_without_the_store(stack, redis):
    stack.start("collector")
    agent = stack.token("agent")
    redis.kill9()
    for path, body in (("/api/v2/alerts", [alert()]), ("/eventListener/v7", {"event": ves()}),
                       ("/v1/events", {"type": "t", "dimensions": {"a": "b"}})):
        a = stack.http("POST", path, body, token=agent, timeout=60)
        assert a.status == 503 and a.headers["retry-after"], (path, a)
        if "eventListener" in path:
            assert a.json["requestError"]["serviceException"]["messageId"] == "SVC1000"
    redis.start()
