# SPDX-License-Identifier: Apache-2.0
"""What people do to alarms, with the collector, the correlator and the command line: who is told, what
ends by itself, and that a killed correlator forgets nothing."""
import json

import pytest
from collector_kit import iso, now_ms
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


# --- silences and maintenance -----------------------------------------------------------------------

def suppressed(house, alarm):
    return [m["kind"] for m in house.life(alarm).get("suppressed_by", [])]


def announced(house, alarm):
    """The states that those outside were told, in order."""
    return [r["alarm"]["state"] for r in house.log() if r["alarm"]["id"] == alarm and told(r)]


def test_a7_silence(house):
    """Told of the alarm, then silenced: whoever got the raise gets the clear; then nothing, until
    it ends. The correlator is killed in the middle."""
    a, b = house.raised("h1"), house.raised("h2")
    body = {"matchers": ["host=~h1|x", {"name": "severity", "op": "!=", "value": "LOW"}],
            "for": "1h", "reason": "cable"}
    s = house.post("/v1/silences", body, 201)
    assert s["state"] == "active" and s["reason"] == "cable" and s["ends_ms"] - s["starts_ms"] == 3600000
    wait_for(lambda: suppressed(house, a) == ["silence"], 20, "the silence of h1")
    assert suppressed(house, b) == []
    row = [r for r in house.log() if r.get("op") == "silence"][0]
    assert row["by"] == s["author"] and not told(row)
    house.cleared("h1")
    house.stack.kill9("correlator")
    house.stack.restart("correlator")
    house.raised("h1")
    assert announced(house, a) == ["ALARM", "OK"]
    house.stack.http("DELETE", "/v1/silences/" + s["id"])
    wait_for(lambda: suppressed(house, a) == [], 20, "the end of the silence")
    assert announced(house, a) == ["ALARM", "OK", "ALARM"]
    assert house.stack.http("GET", "/v1/silences/" + s["id"]).json["state"] == "expired"
    assert house.stack.http("DELETE", "/v1/silences/" + s["id"]).status == 204
    assert house.stack.http("GET", "/v1/silences/" + s["id"]).status == 404
    assert house.stack.http("GET", "/v1/silences").json == {"elements": []}
    for bad in ({}, {"matchers": ["host=~.*"], "for": "1h"}, {"matchers": ["host=h1"]},
                {"matchers": ["host=h1"], "for": "1h", "x": 1}, []):
        house.post("/v1/silences", bad, 422)
    assert house.stack.http("PUT", "/v1/silences/" + s["id"], body).status == 404


def test_a6_maintenance(house):
    """A window ends while the alarm is active: one raise. Cleared inside: nothing. Two overlap: the
    last one counts."""
    long = house.post("/v1/maintenance", {"matchers": ["host=~h."], "for": "1h",
                                          "zone": "Europe/Berlin", "repeat": {"every": "day"}}, 201)
    short = house.post("/v1/maintenance", {"matchers": ["host=h1"], "for": "1h"}, 201)
    assert long["zone"] == "Europe/Berlin" and long["state"] == "active"
    house.event("h3")
    a, b = house.raised("h1"), house.raised("h2")
    wait_for(lambda: len(suppressed(house, a)) == 2, 20, "both windows")
    house.cleared("h2")
    house.stack.http("DELETE", "/v1/maintenance/" + short["id"])
    wait_for(lambda: len(suppressed(house, a)) == 1, 20, "the end of one window")
    house.stack.kill9("correlator")
    house.stack.restart("correlator")
    assert announced(house, a) == announced(house, b) == []
    house.stack.http("DELETE", "/v1/maintenance/" + long["id"])
    wait_for(lambda: suppressed(house, a) == [], 20, "the end of the other")
    assert announced(house, a) == ["ALARM"] and announced(house, b) == []
    assert house.cleared("h1") and announced(house, a) == ["ALARM", "OK"]
    for bad in ({"for": "1h"}, {"matchers": ["a=b"]}, {"entity": "x", "for": "1h"},
                {"matchers": ["a=b"], "for": "1h", "zone": "Mars/Base"}):
        house.post("/v1/maintenance", bad, 422)


def test_a_silence_ends_by_itself(house):
    s = house.post("/v1/silences", {"matchers": ["host=h1"], "for": "2s"}, 201)
    a = house.raised("h1")
    if s["ends_ms"] > now_ms():
        assert announced(house, a) == [] or not suppressed(house, a)
    wait_for(lambda: announced(house, a) == ["ALARM"], 20, "the end of the silence")
    # One that is to come.
    later = house.post("/v1/silences", {"matchers": ["host=h1"], "starts": now_ms() + 1000,
                                        "for": "1h"}, 201)
    assert later["state"] == "pending"
    wait_for(lambda: suppressed(house, a) == ["silence"], 20, "its beginning")


def test_windows_on_the_command_line(house):
    hale = Hale(house.stack)
    sid = hale("silence", "add", "host=h1", "severity!=LOW", "--for", "1h", "--comment",
               "work").strip()
    assert house.stack.http("GET", "/v1/silences/" + sid).json["reason"] == "work"
    listed = hale("silence", "list")
    assert "host=h1 severity!=LOW" in listed and "active" in listed
    mid = hale("maintenance", "add", "--entity", "host/c1", "--for", "2h", "--starts",
               "2026-01-01T22:00", "--zone", "Europe/Berlin", "--repeat", "week:mon,thu").strip()
    got = house.stack.http("GET", "/v1/maintenance/" + mid).json
    assert got["repeat"] == {"every": "week", "days": ["mon", "thu"]}
    assert got["starts_ms"] == 1767301200000 and got["entity"] == "host/c1"
    assert "host/c1" in hale("maintenance", "list")
    hale("maintenance", "end", mid)
    hale("silence", "expire", sid)
    assert "expired" in hale("silence", "list")
    hale("silence", "expire", "nothing", code=FAILED)
    hale("silence", "add", "host=h1", code=USAGE)
    hale("silence", "add", "--for", "1h", code=USAGE)
    hale("maintenance", "expire", code=USAGE)
    hale("silence", "add", "host=~(", "--for", "1h", code=FAILED)


def test_alertmanagers_form(house):
    """The bodies that amtool sends and reads."""
    body = {"matchers": [{"name": "host", "value": "h.", "isRegex": True, "isEqual": True}],
            "startsAt": "2026-01-01T00:00:00.000Z", "endsAt": iso(now_ms() + 3600000),
            "createdBy": "somebody", "comment": "why"}
    sid = house.post("/api/v2/silences", body)["silenceID"]
    got = house.stack.http("GET", "/api/v2/silence/" + sid).json
    assert got["matchers"] == body["matchers"] and got["status"] == {"state": "active"}
    assert got["comment"] == "why" and got["createdBy"] != "somebody"
    assert [s["id"] for s in house.stack.http("GET", "/api/v2/silences").json] == [sid]
    assert house.post("/api/v2/silences", dict(body, id=sid, comment="other"))["silenceID"] == sid
    assert house.stack.http("GET", "/api/v2/silence/" + sid).json["comment"] == "other"
    assert house.stack.http("DELETE", "/api/v2/silence/" + sid).status == 200
    assert house.stack.http("GET", "/api/v2/silence/" + sid).json["status"] == {"state": "expired"}


def test_pending_of_a_whole_expression(house):
    """`for` from the definition to the alarm: pending at first, through a kill, then ALARM."""
    house.stack.start("thresholds")
    d = house.post("/v2.0/alarm-definitions", {"name": "w", "expression": "last(app.up) < 1",
                                               "match_by": ["hostname"], "for": 2}, 201)
    assert d["for"] == 2 and "clear_for" not in d

    def state():
        a = house.stack.http("POST", "/v2.0/metrics", {"name": "app.up", "value": 0, "timestamp": now_ms(),
                                                       "dimensions": {"hostname": "h1"}})
        assert a.status == 204, a
        rows = [r for r in house.log() if r["alarm"]["definition_id"] == d["id"]]
        return rows[-1]["alarm"] if rows else {}
    wait_for(lambda: state().get("life", {}).get("phase") == "pending", 30, "pending", 0.1)
    house.stack.kill9("correlator")
    house.stack.restart("correlator")
    wait_for(lambda: state().get("state") == "ALARM", 30, "the alarm", 0.1)
    rows = [r for r in house.log() if r["alarm"]["definition_id"] == d["id"]]
    pending = [r for r in rows if r.get("op") == "phase"][0]
    raised = [r for r in rows if r["kind"] == "transition" and r["alarm"]["state"] == "ALARM"][0]
    assert pending["alarm"]["life"]["phase_until_ms"] <= raised["time_ms"] and told(raised)
    assert "phase" not in raised["alarm"].get("life", {})
