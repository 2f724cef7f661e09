# SPDX-License-Identifier: Apache-2.0
"""Debian's python3-monascaclient against the house: every command of `monasca` with a given token, then
with a real Keystone, and the Python library that Horizon uses."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest
from collector_kit import ALARM_KEYS, DEFINITION_KEYS
from conftest import wait_for

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's client
STARTED = []


@pytest.fixture
def house(stack):
    if shutil.which("monasca") is None:
        if os.environ.get("HALE_SKIPS_FAIL"):
            pytest.fail("the command monasca is missing: scripts/install-packages.sh test")
        pytest.skip("the command monasca is missing")
    yield stack
    while STARTED:
        process = STARTED.pop()
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


# What /usr/bin/monasca does, for one list of arguments per line of input: the import of the client takes
# longer than most of its commands.
DRIVER = """
import contextlib, io, json, sys
from monascaclient.shell import main
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(json.loads(line))
        except SystemExit as e:
            code = e.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class Command:
    """The command `monasca` with some OS_* in its environment."""

    def __init__(self, **env):
        base = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "MONASCA"))}
        self.env = {**base, "PYTHONWARNINGS": "ignore", "no_proxy": "127.0.0.1", **env}
        self.process = None

    def program(self, *args):
        """The installed program itself."""
        done = subprocess.run(["monasca", *args], env=self.env, capture_output=True, text=True,
                              timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *args):
        if self.process is None:
            self.process = subprocess.Popen([PYTHON, "-c", DRIVER], env=self.env, text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            STARTED.append(self.process)
        self.process.stdin.write(json.dumps(args) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __call__(self, *args):
        """stdout of a command that must succeed."""
        code, out, err = self.run(*args)
        assert code == 0, (args, out, err)
        return out

    def json(self, *args):
        return json.loads(self(*args, "-j"))

    def fails(self, *args):
        """The text of a command that must fail."""
        code, out, err = self.run(*args)
        assert code != 0, (args, out)
        return out + err


def given_token(stack, role="operator"):
    url = stack.url + "/v2.0"
    return Command(OS_AUTH_TYPE="admin_token", OS_TOKEN=stack.token(role), OS_ENDPOINT=url,
                   MONASCA_API_URL=url)


def test_metric_commands(house):
    house.start("collector")
    monasca = given_token(house)
    monasca("metric-create", "cpu.user", "1.5", "--dimensions", "hostname=h1,service=s",
            "--value-meta", "rc=1")
    monasca("metric-create-raw", json.dumps(
        {"name": "cpu.user", "dimensions": {"hostname": "h2"}, "value": 3,
         "timestamp": time.time() * 1000}))

    def rows(*args):
        return monasca.json(*args)
    wait_for(lambda: len(house.http("GET", "/v2.0/metrics").json["elements"]) == 2, 10, "two series")
    listed = rows("metric-list", "--name", "cpu.user", "--dimensions", "hostname=h1", "--starttime",
                  "-60", "--limit", "5")
    assert [(m["name"], m["dimensions"]) for m in listed] == [
        ("cpu.user", {"hostname": "h1", "service": "s"})]
    assert "hostname: h1" in monasca.program("metric-list")
    assert "cpu.user" in monasca("metric-name-list", "--dimensions", "service=s")
    assert re.findall(r"hostname|service", monasca("dimension-name-list", "--metric-name", "cpu.user")) \
        == ["hostname", "service"]
    values = monasca("dimension-value-list", "hostname", "--metric-name", "cpu.user")
    assert "h1" in values and "h2" in values
    got = rows("measurement-list", "cpu.user", "-60", "--merge_metrics")
    assert sorted(m[1] for m in got[0]["measurements"]) == [1.5, 3.0]
    assert [m[2] for m in got[0]["measurements"] if m[1] == 1.5] == [{"rc": "1"}]
    assert len(rows("measurement-list", "cpu.user", "-60", "--group_by", "*")) == 2
    said = monasca.fails("measurement-list", "cpu.user", "-60")
    assert "409" in said and "Found multiple metrics matching" in said
    got = rows("metric-statistics", "cpu.user", "avg,count", "-60", "--period", "3600",
               "--merge_metrics")
    assert got[0]["columns"] == ["timestamp", "avg", "count"]
    assert sum(s[2] for s in got[0]["statistics"]) == 2
    assert "422" in monasca.fails("metric-create", "bad<name", "1")
    reader = given_token(house, "read-only")
    reader("metric-list")
    assert "401" in reader.fails("metric-create", "cpu.user", "1")


def test_notification_commands(house):
    house.start("collector")
    monasca = given_token(house)
    made = monasca.json("notification-create", "ops", "email", "ops@example.org")
    assert made["type"] == "EMAIL"
    hook = monasca.json("notification-create", "hook", "WEBHOOK", "http://h.example/x", "--period",
                        "60")
    listed = monasca.json("notification-list", "--sort-by", "name desc")
    assert [n["name"] for n in listed] == ["ops", "hook"]
    assert "ops@example.org" in monasca("notification-list")
    assert monasca.json("notification-show", made["id"])["address"] == "ops@example.org"
    monasca("notification-update", made["id"], "ops2", "PAGERDUTY", "key", "0")
    monasca("notification-patch", hook["id"], "--address", "http://other.example/")
    assert monasca.json("notification-show", made["id"])["type"] == "PAGERDUTY"
    types = monasca("notification-type-list")
    assert all(t in types for t in ("EMAIL", "PAGERDUTY", "WEBHOOK"))
    said = monasca.fails("notification-create", "hook", "WEBHOOK", "http://h.example/x")
    assert "409" in said and "exists already" in said
    monasca("notification-delete", hook["id"])
    assert "404" in monasca.fails("notification-show", hook["id"])


def test_alarm_commands(house):
    for name in ("collector", "thresholds", "correlator"):
        house.start(name)
    monasca = given_token(house)
    noc = json.loads(monasca("notification-create", "noc", "EMAIL", "a@b", "-j"))["id"]
    made = json.loads(monasca(
        "alarm-definition-create", "high", "max(cpu.user{service=s}) > 10", "--description", "text",
        "--severity", "HIGH", "--match-by", "hostname", "--alarm-actions", noc, "-j"))
    assert set(made) == DEFINITION_KEYS and made["alarm_actions"] == [noc]
    ident = made["id"]
    assert "high" in monasca("alarm-definition-list", "--severity", "HIGH", "--dimensions", "service=s")
    assert monasca.json("alarm-definition-show", ident) == made
    monasca("alarm-definition-update", ident, "higher", "text", "max(cpu.user{service=s}) > 11", noc,
            noc, noc, "true", "hostname", "CRITICAL")
    monasca("alarm-definition-patch", ident, "--description", "other", "--actions-enabled", "false")
    shown = monasca.json("alarm-definition-show", ident)
    assert (shown["name"], shown["description"], shown["actions_enabled"], shown["severity"]) == (
        "higher", "other", False, "CRITICAL")
    assert shown["ok_actions"] == shown["undetermined_actions"] == [noc]
    assert "column" in monasca.fails("alarm-definition-create", "bad", "median(x) > 1")
    monasca("metric-create", "cpu.user", "50", "--dimensions", "hostname=h1,service=s")
    wait_for(lambda: [a for a in house.http("GET", "/v2.0/alarms").json["elements"]
                      if a["state"] == "ALARM"], 15, "the alarm")
    listed = monasca.json("alarm-list", "--state", "ALARM", "--metric-name", "cpu.user",
                          "--metric-dimensions", "hostname=h1", "--severity", "CRITICAL", "--sort-by",
                          "severity desc", "--offset", "0", "--limit", "10")
    assert len(listed) == 1 and set(listed[0]) == ALARM_KEYS
    alarm = listed[0]["id"]
    assert "higher" in monasca("alarm-list")
    assert monasca.json("alarm-show", alarm)["id"] == alarm
    assert monasca.json("alarm-count", "--group-by", "state,severity")["counts"] == [
        [1, "ALARM", "CRITICAL"]]
    assert "CRITICAL" in monasca("alarm-count", "--group-by", "severity")
    monasca("alarm-update", alarm, "OK", "ACK", "http://ticket/1")
    monasca("alarm-patch", alarm, "--lifecycle-state", "DONE")
    shown = monasca.json("alarm-show", alarm)
    assert (shown["lifecycle_state"], shown["link"]) == ("DONE", "http://ticket/1")
    history = monasca.json("alarm-history", alarm)
    assert [h["new_state"] for h in history][:2] == ["ALARM", "OK"]
    assert "Alarm state updated via API" in monasca("alarm-history", alarm)
    listed = monasca.json("alarm-history-list", "--dimensions", "hostname=h1", "--limit", "1")
    assert listed[0]["alarm_id"] == alarm
    monasca("alarm-delete", alarm)
    assert "404" in monasca.fails("alarm-show", alarm)
    monasca("alarm-definition-delete", ident)
    assert "404" in monasca.fails("alarm-definition-show", ident)


LIBRARY = """
import json, sys, time
from keystoneauth1 import session
from monascaclient import client
if sys.argv[1] == "token":
    from keystoneauth1 import token_endpoint
    auth = token_endpoint.Token(sys.argv[2], sys.argv[3])
else:
    from keystoneauth1.identity import v3
    auth = v3.Password(auth_url=sys.argv[2], username=sys.argv[4], password=sys.argv[4] + "-pw",
                       project_name=sys.argv[5], user_domain_name="Default",
                       project_domain_name="Default")
api = client.Client(api_version="2_0", endpoint=sys.argv[3] if sys.argv[1] == "keystone" else sys.argv[2],
                    session=session.Session(auth=auth))
api.metrics.create(name="lib.x", dimensions={"hostname": "h"}, timestamp=time.time() * 1000, value=5)
method = api.notifications.create(name="n", type="EMAIL", address="a@b")
definition = api.alarm_definitions.create(name="d", expression="max(lib.x) > 1",
                                          alarm_actions=[method["id"]], ok_actions=[],
                                          undetermined_actions=[])
api.alarm_definitions.patch(alarm_id=definition["id"], severity="HIGH")
out = {"definition": api.alarm_definitions.get(alarm_id=definition["id"]),
       "definitions": api.alarm_definitions.list(offset=0, limit=10000, sort_by="name"),
       "methods": api.notifications.list(offset=0, limit=10000, sort_by="name"),
       "types": api.notificationtypes.list(),
       "alarms": api.alarms.list(offset=0, limit=10000, sort_by="alarm_definition_name"),
       "history": api.alarms.history_list(offset=0),
       "count": api.alarms.count()}
for i in range(100):
    out["metrics"] = api.metrics.list(name="lib.x")
    if out["metrics"]:
        break
    time.sleep(0.1)
out["names"] = api.metrics.list_names()
api.alarm_definitions.delete(alarm_id=definition["id"])
api.notifications.delete(notification_id=method["id"])
try:
    api.notifications.get(notification_id=method["id"])
except Exception as e:
    out["gone"] = type(e).__name__
print(json.dumps(out))
"""


def library(*args):
    done = subprocess.run([PYTHON, "-W", "ignore", "-c", LIBRARY, *args], capture_output=True,
                          text=True, timeout=120, env={**os.environ, "no_proxy": "127.0.0.1"})
    assert done.returncode == 0, done.stdout + done.stderr
    out = json.loads(done.stdout)
    assert out["definition"]["severity"] == "HIGH"
    assert [d["name"] for d in out["definitions"]] == ["d"]
    assert [m["name"] for m in out["methods"]] == ["n"]
    assert [t["type"] for t in out["types"]] == ["EMAIL", "PAGERDUTY", "WEBHOOK"]
    assert out["alarms"] == out["history"] == [] and out["count"]["counts"] == [[0]]
    assert [m["name"] for m in out["metrics"]] == ["lib.x"] == [n["name"] for n in out["names"]]
    assert out["gone"] == "NotFound"


def test_library_with_a_token(house):
    house.start("collector")
    library("token", house.url + "/v2.0", house.token())


def test_keystone(house, keystone):
    house.start("collector", {"keystone": {"url": keystone.url}})
    keystone.register(house.url + "/v2.0")
    keystone.user("librarian", "tenant-c", ["monasca-user"])
    monasca = Command(**keystone.env("operator"))
    monasca("metric-create", "ks.x", "1", "--dimensions", "a=b")
    wait_for(lambda: house.http("GET", "/v2.0/metrics",
                                token=keystone.token("operator")).json["elements"], 10, "the series")
    assert "ks.x" in monasca("metric-name-list")
    assert "ks.x" not in Command(**keystone.env("other"))("metric-name-list")
    reader = Command(**keystone.env("reader"))
    assert "ks.x" in reader("metric-name-list")
    assert "401" in reader.fails("notification-create", "x", "EMAIL", "a@b")
    agent = Command(**keystone.env("agent"))
    agent("metric-create", "ks.agent", "1")
    assert "401" in agent.fails("metric-list")
    delegate = Command(**keystone.env("delegate"))
    delegate("metric-create", "ks.cross", "1", "--project-id", keystone.projects["tenant-b"])
    wait_for(lambda: "ks.cross" in Command(**keystone.env("other"))("metric-name-list"), 30,
             "the other project's metric", 0.2)
    library("keystone", keystone.url, house.url + "/v2.0", "librarian", "tenant-c")
