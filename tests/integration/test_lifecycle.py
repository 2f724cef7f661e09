# SPDX-License-Identifier: Apache-2.0
"""What people do to alarms, with the collector, the correlator and the command line: who is told, what
ends by itself, and that a killed correlator forgets nothing."""
import json

import pytest
from collector_kit import now_ms
from conftest import wait_for
from test_cli import FAILED, Hale, USAGE

LOG = "hale:{m}:alarmlog"


@pytest.fixture
def house(stack):
    stack.start("collector", {"shelve_max": "1d"})
    stack.start("correlator")
    return House(stack)


class House:
    def __init__(self, stack):
        self.stack = stack

    def event(self, host="h1", status=None, severity="MAJOR", role="operator", tenant="default"):
        body = {"type": "link.down", "time": now_ms(), "severity": severity,
                "dimensions": {"host": host}, "details": {}}
        if status:
            body["details"]["status"] = status
        a = self.stack.http("POST", "/v1/events", dict(body, **({"status": status} if status else {})),
                            role=role, tenant=tenant)
        assert a.status == 200, a

    def raised(self, host="h1", **more):
        """Raises it and waits; the alarm's id."""
        self.event(host, **more)
        return wait_for(lambda: self.find(host, "ALARM"), 20, f"the alarm of {host}")

    def cleared(self, host="h1"):
        self.event(host, status="clear")
        return wait_for(lambda: self.find(host, "OK"), 20, f"the clear of {host}")

    def find(self, host, state):
        for a in self.stack.http("GET", "/v2.0/alarms?state=" + state).json["elements"]:
            if a["metrics"][0]["dimensions"].get("host") == host:
                return a["id"]
        return None

    def log(self):
        return [json.loads(f[1]) for _, f in self.stack.redis.cmd("XRANGE", LOG, "-", "+")]

    def post(self, path, body=None, status=200, **more):
        a = self.stack.http("POST", path, body if body is not None else b"", **more)
        assert a.status == status, (path, a)
        return a.json

    def operate(self, alarm, action, status=200, **body):
        got = self.post(f"/v1/alarms/{alarm}/{action}", body, status)
        return got["alarm"].get("life", {}) if status == 200 else got

    def life(self, alarm):
        return self.stack.http("GET", "/v1/alarms/" + alarm).json["alarm"].get("life", {})


def told(row):
    return row.get("announce", row["kind"] == "transition")


def test_operating_an_alarm(house):
    a = house.raised()
    life = house.operate(a, "ack", comment="looking", owner="ann", **{"for": "1h"})
    who = life["ack"]["by"]
    assert life["ack"]["text"] == "looking" and life["owner"] == "ann"
    assert life["ack"]["until_ms"] - life["ack"]["at_ms"] == 3600000
    row = house.log()[-1]
    assert (row["kind"], row["op"], row["by"], told(row)) == ("updated", "ack", who, False)
    house.operate(a, "comment", comment="one")
    life = house.operate(a, "comment", comment="two")
    assert [c["text"] for c in life["comments"]] == ["one", "two"]
    assert house.operate(a, "assign", owner="bob")["owner"] == "bob"
    assert "owner" not in house.operate(a, "assign", owner="")
    assert "ack" not in house.operate(a, "unack")
    assert "ack" not in house.operate(a, "unack"), "once more changes nothing"
    n = len(house.log())
    # Shelved, then killed: it is shelved still, and what happens meanwhile is not told.
    life = house.operate(a, "shelve", comment="new cable tomorrow")
    assert life["shelved"]["until_ms"] - life["shelved"]["at_ms"] == 7200000
    assert [m["kind"] for m in life["suppressed_by"]] == ["shelve"]
    house.stack.kill9("correlator")
    house.stack.restart("correlator")
    assert house.cleared() == a
    assert house.raised() == a
    assert house.life(a)["shelved"] == life["shelved"]
    assert "suppressed_by" not in house.operate(a, "unshelve")
    rows = house.log()[n:]
    assert [(r["kind"], r.get("op"), told(r)) for r in rows] == [
        ("updated", "shelve", False), ("transition", None, True), ("transition", None, False),
        ("updated", "unshelve", True)]
    assert rows[-1]["alarm"]["reason"].endswith(f" (surfaced by end of shelve {a})")
    # Everything is in the story, with the words.
    assert "looking" in json.dumps(house.log())
    house.operate(a, "ack")
    house.cleared()
    assert "ack" not in house.life(a), "an acknowledgement ends with its problem"
    assert house.operate(a, "ack", 409)["title"] == "Conflict"
    assert house.operate(a, "shelve", 422, **{"for": "25h"})
    for action, body in (("ack", {"for": "x"}), ("ack", {"until": 1}), ("shelve", {"for": 3}),
                         ("comment", {}), ("assign", {}), ("unack", {"comment": "x"}),
                         ("comment", {"comment": "x" * 4097}), ("ack", {"co": "x"})):
        assert house.operate(a, action, 422, **body)
    assert house.operate("nothing", "ack", 404)


def test_ends_by_themselves(house):
    a, b = house.raised("h1"), house.raised("h2")
    house.operate(a, "ack", **{"for": "1s"})
    house.operate(b, "shelve", **{"for": "1s"})
    house.cleared("h2")
    house.raised("h2")
    wait_for(lambda: "ack" not in house.life(a), 20, "the end of the acknowledgement")
    wait_for(lambda: "shelved" not in house.life(b), 20, "the end of the shelving")
    rows = [r for r in house.log() if r.get("op") in ("unack", "unshelve")]
    assert all("by" not in r for r in rows) and len(rows) == 2
    last = [r for r in house.log() if r["alarm"]["id"] == b and told(r)][-1]
    assert last["alarm"]["state"] == "ALARM", "whoever looks away is told in the end"
    # More severe than when it was acknowledged.
    house.operate(a, "ack")
    house.event("h1", severity="CRITICAL")
    wait_for(lambda: "ack" not in house.life(a), 20, "the end of the acknowledgement")


def test_many_at_once_and_the_command_line(house):
    ids = [house.raised(f"h{i}") for i in range(3)]
    got = house.post("/v1/alarms/actions", {"action": "comment", "ids": ids + ["nothing"],
                                            "comment": "all"})["elements"]
    assert [e["status"] for e in got] == [200, 200, 200, 404]
    assert all(e["alarm"]["life"]["comments"][0]["text"] == "all" for e in got[:3])
    for bad in ({"action": "ack"}, {"action": "ack", "ids": []}, {"action": "x", "ids": ids}, [],
                {"action": "ack", "ids": [1]}, {"action": "ack", "ids": ids * 400}):
        house.post("/v1/alarms/actions", bad, 422)
    house.stack.token("read-only")
    house.post("/v1/alarms/actions", {"action": "ack", "ids": ids}, 401, role="read-only")
    hale = Hale(house.stack)
    assert hale("alarm", "ack", *ids, "--for", "2h", "--comment", "mine").count("acknowledged") == 3
    assert all(house.life(i)["ack"]["text"] == "mine" for i in ids)
    assert "ack" in hale("alarm", "show", ids[0])
    hale("alarm", "unack", *ids)
    hale("alarm", "assign", ids[0], "--owner", "ann")
    assert house.life(ids[0])["owner"] == "ann"
    assert "is OK" not in hale("alarm", "shelve", ids[0])
    assert "shelve" in hale("alarm", "show", ids[0])
    hale("alarm", "unshelve", ids[0])
    hale("alarm", "comment", ids[0], "--comment", "three")
    assert house.life(ids[0])["comments"][-1]["text"] == "three"
    hale("alarm", "ack", "nothing", code=FAILED)
    for wrong in (("ack",), ("comment", ids[0]), ("assign", ids[0]), ("unack", ids[0], "--for", "1h")):
        hale("alarm", *wrong, code=USAGE)
