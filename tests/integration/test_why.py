# SPDX-License-Identifier: Apache-2.0
"""Why an alarm fired, why nobody was told, why it has not fired: asked of a house of real daemons."""
import json
import subprocess

import pytest

from collector_kit import now_ms
from conftest import binary, wait_for


class House:
    def __init__(self, stack):
        self.stack = stack
        for name in ("collector", "thresholds", "correlator"):
            stack.start(name)

    def define(self, name, expression, match_by=(), **more):
        a = self.stack.http("POST", "/v2.0/alarm-definitions",
                            {"name": name, "expression": expression, "match_by": list(match_by), **more})
        assert a.status == 201, a
        return a.json["id"]

    def post(self, name, value, at_ms=None, **dims):
        body = [{"name": name, "dimensions": dims, "timestamp": at_ms or now_ms(), "value": value}]
        assert self.stack.http("POST", "/v2.0/metrics", body).status == 204

    def get(self, path):
        a = self.stack.http("GET", path)
        assert a.status == 200, a
        return a.json

    def why(self, definition, group=None):
        return self.get(f"/v1/alarm-definitions/{definition}/why" + (f"?group={group}" if group else ""))

    def wait_why(self, definition, group, code, sub=None):
        """Waits for an answer of that code; the answer, and the whole."""
        last = {}

        def there():
            last["why"] = self.why(definition, group)
            found = [a for a in last["why"]["answers"] if a["code"] == code and a.get("sub") == sub]
            return (found[0], last["why"]) if found else None
        try:
            return wait_for(there, 60, f"{code} of {group}")
        except BaseException:
            print(json.dumps(last.get("why"), indent=1))
            raise

    def hale(self, *args, code=0):
        done = subprocess.run([str(binary("cli")), *args, "--url", self.stack.url, "--token",
                               self.stack.token("operator")], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr


@pytest.fixture
def house(stack):
    return House(stack)


def codes(why):
    return [(a["code"], a.get("sub")) for a in why["answers"]]


def test_why_it_fired_and_why_not(house):
    d = house.define("both", "last(a.load{kind=x}) > 5 and last(b.free) < 10", ["host"], severity="HIGH")
    # Nothing has reported: what is missing is named, with what there is instead.
    why = house.why(d, "host:h1")
    assert codes(why) == [("no_alarm", None), ("no_series", 0), ("no_series", 1)], why
    assert "a.load" in why["answers"][1]["text"] and "kind=x" in why["answers"][1]["text"]
    house.post("a.load", 9, host="h1", kind="y")
    house.post("a.load", 9, host="h2", kind="x")
    a, why = house.wait_why(d, "host:h1", "no_series", 0)
    wait_for(lambda: house.why(d, "host:h1")["subs"][0]["operands"][0]["metric_series"] == 2, 30,
             "two series of the metric")
    # One of the two: an alarm needs both.
    house.post("a.load", 9, host="h1", kind="x")
    a, why = house.wait_why(d, "host:h1", "holds", 0)
    assert "[9]" in a["text"] and ("no_series", 1) in codes(why) and why["alarm"] is None
    assert why["evaluation"] == "live"
    # Both, and the second does not hold.
    house.post("b.free", 50, host="h1")
    a, why = house.wait_why(d, "host:h1", "does_not_hold", 1)
    wait_for(lambda: house.why(d, "host:h1")["alarm"], 30, "the alarm")
    house.post("b.free", 3, host="h1")
    a, why = house.wait_why(d, "host:h1", "alarm")
    assert why["alarm"]["state"] == "ALARM" and "version 1" in a["text"]
    assert [s["state"] for s in why["transition"]["evidence"]["subs"]] == ["ALARM", "ALARM"]
    assert ("no_actions", None) in codes(why)
    # The alarm's own page says the same, and the command in words.
    ident = why["alarm"]["id"]
    own = house.get(f"/v1/alarms/{ident}/why")
    assert codes(own) == codes(why) and own["group"] == {"host": "h1"}
    text = house.hale("alarm", "why", ident)
    assert "ALARM (HIGH) since" in text and "both of host=h1" in text, text
    assert json.loads(house.hale("alarm", "why", ident, "--json"))["alarm"]["id"] == ident
    text = house.hale("alarm", "why", "--definition", "both", "--group", "host=h2")
    assert "no alarm for the group {host=h2}" in text and "sub-expression 2" in text, text
    text = house.hale("alarm", "why", "--definition", "both")
    assert "1 ALARM" in text and "host=h2" in text, text
    assert "no alarm 1" in house.hale("alarm", "why", "1", code=1)
    assert "no alarm definition" in house.hale("alarm", "why", "--definition", "nope", code=1)
    assert "key=value" in house.hale("alarm", "why", "--definition", "both", "--group", "x", code=2)


def test_why_it_waits(house):
    d = house.define("slow", "max(c.temp) > 5 for 1h", ["host"])
    w = house.define("mean", "avg(c.temp, 3600) > 5", ["host"])
    house.post("c.temp", 9, host="h1")
    a, why = house.wait_why(d, "host:h1", "pending", 0)
    live = why["subs"][0]["groups"][0]["live"]
    assert live["waits"] == "ALARM" and live["waits_until_ms"] - live["waits_since_ms"] == 3600000
    assert "must last until" in a["text"]
    # A window that has not closed yet: when it does, and what is in it.
    a, why = house.wait_why(w, "host:h1", "undecided", 0)
    live = why["subs"][0]["groups"][0]["live"]
    assert live["due_ms"] > now_ms() and live["series"] == 1
    assert "next decision by time" in a["text"]


def test_why_there_is_no_data(house):
    d = house.define("old", "last(e.up) < 1", ["host"], on_missing="undetermined", missing_after=1)
    house.post("e.up", 1, host="h1", at_ms=now_ms() - 600000)
    a, why = house.wait_why(d, "host:h1", "no_data", 0)
    assert "no data since" in a["text"]
    assert why["subs"][0]["operands"][0]["newest_ms"] < now_ms() - 500000


def test_partial_group(house):
    """A metric of the whole host takes part in the alarm of each of its devices."""
    d = house.define("disk", "last(f.used) > 90 and last(f.host_up) > 0", ["device", "host"])
    house.post("f.host_up", 1, host="h1")
    house.post("f.used", 95, host="h1", device="sda")
    a, why = house.wait_why(d, "host:h1,device:sda", "alarm")
    assert [g["group"] for g in why["subs"][1]["groups"]] == [{"host": "h1"}]
    assert "{host=h1}" in [x for x in why["answers"] if x.get("sub") == 1][0]["text"]


def test_event_and_thresholds_away(house):
    assert house.stack.http("POST", "/v1/events", {"type": "host.down", "severity": "CRITICAL",
                                                   "dimensions": {"host": "h9"}}).status == 200
    alarm = wait_for(lambda: house.get("/v2.0/alarms")["elements"], 30, "the alarm")[0]
    why = house.get(f"/v1/alarms/{alarm['id']}/why")
    assert why["definition"] is None and why["answers"][0]["code"] == "alarm"
    assert "event host.down, raise" in why["answers"][0]["text"]
    d = house.define("g", "last(g.x) > 1", ["host"])
    house.post("g.x", 5, host="h1")
    house.wait_why(d, "host:h1", "alarm")
    house.stack.stop("thresholds")
    why = house.why(d, "host:h1")
    assert why["evaluation"] == "unanswered" and ("unanswered", None) in codes(why)
    assert ("holds", 0) in codes(why)  # what the correlator stored is still there


def test_wrong_questions(house):
    d = house.define("x", "last(x) > 1", ["host"])
    for path, status in ((f"/v1/alarm-definitions/{d}/why?group=rack:1", 422),
                         (f"/v1/alarm-definitions/{d}/why?group=host", 422),
                         ("/v1/alarm-definitions/nope/why", 404), ("/v1/alarms/nope/why", 404)):
        assert house.stack.http("GET", path).status == status, path
    whole = house.define("whole", "last(x) > 1")
    assert house.why(whole)["group"] == {}
