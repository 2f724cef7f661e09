# SPDX-License-Identifier: Apache-2.0
"""Monasca's alarms with the real thresholds and correlator: birth, states in time, changes, counts."""
import re
import time

import pytest
from collector_kit import ALARM_KEYS, now_ms, q
from conftest import wait_for

PATH = "/v2.0/alarms"
ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


@pytest.fixture
def house(stack):
    for name in ("collector", "thresholds", "correlator"):
        stack.start(name)
    return stack


def define(house, name, expression, **more):
    answer = house.http("POST", "/v2.0/alarm-definitions",
                        {"name": name, "expression": expression, **more})
    assert answer.status == 201, answer
    return answer.json["id"]


def post(house, *metrics):
    """(name, dimensions, value) each, one millisecond apart."""
    start = now_ms()
    answer = house.http("POST", "/v2.0/metrics", [
        {"name": n, "dimensions": d, "value": v, "timestamp": start + i}
        for i, (n, d, v) in enumerate(metrics)])
    assert answer.status == 204, answer


def alarms(house, **params):
    answer = house.http("GET", q(PATH, **params))
    assert answer.status == 200 and set(answer.json) == {"links", "elements"}, answer
    return answer.json["elements"]


def wait_alarms(house, n, **params):
    return wait_for(lambda: len(alarms(house, **params)) == n and alarms(house, **params), 15,
                    f"{n} alarms of {params}")


@pytest.mark.parametrize("expression, steps", [
    ("max(x) > 14", [(1, "UNDETERMINED"), (20, "ALARM")]),
    ("max(x,deterministic) > 14", [(1, "OK"), (20, "ALARM")]),
    ("last(x) > 14", [(1, "OK"), (20, "ALARM"), (3, "OK")]),
    ("last(x,deterministic) > 14", [(1, "OK"), (20, "ALARM"), (3, "OK")]),
    ("min(x) < 2", [(1, "ALARM")]), ("x > 14", [(20, "ALARM")]),
    ("count(x,deterministic) > 1", [(1, "OK"), (1, "ALARM")])])
def test_states_in_time(house, expression, steps):
    definition = define(house, "d", expression, match_by=["h"])
    post(house, ("x", {"h": "1"}, steps[0][0]))
    alarm = wait_alarms(house, 1, alarm_definition_id=definition)[0]["id"]
    for i, (value, state) in enumerate(steps):
        if i > 0:
            post(house, ("x", {"h": "1"}, value))
        wait_for(lambda: house.http("GET", f"{PATH}/{alarm}").json["state"] == state, 10,
                 f"{state} at {value}")


def test_one_alarm(house):
    definition = define(house, "d", "max(cpu) > 1", severity="HIGH")
    post(house, ("cpu", {"hostname": "h1", "公": "此"}, 0))
    alarm = wait_alarms(house, 1)[0]
    assert set(alarm) == ALARM_KEYS
    assert alarm["links"] == [{"rel": "self", "href": f"{house.url}{PATH}/{alarm['id']}"}]
    assert alarm["alarm_definition"] == {
        "id": definition, "name": "d", "severity": "HIGH",
        "links": [{"rel": "self", "href": f"{house.url}/v2.0/alarm-definitions/{definition}"}]}
    assert alarm["metrics"] == [{"name": "cpu", "dimensions": {"hostname": "h1", "公": "此"}}]
    assert alarm["lifecycle_state"] is None and alarm["link"] is None
    for key in ("state_updated_timestamp", "updated_timestamp", "created_timestamp"):
        assert ISO.match(alarm[key]), alarm[key]
    assert house.http("GET", f"{PATH}/{alarm['id']}").json == alarm
    assert house.http("POST", PATH, {}).status == 405


def test_match_by(house):
    def shape(definition, n):
        return sorted(len(a["metrics"]) for a in wait_alarms(house, n, alarm_definition_id=definition))
    idle = "max(cpu.idle_perc{service=monitoring}) < 20"
    none = define(house, "none", idle)
    host = define(house, "host", idle, match_by=["hostname"])
    both = define(house, "both", idle + " or max(cpu.user_perc{service=monitoring}) > 60",
                  match_by=["hostname"])
    several = define(house, "list", "max(disk) < 10", match_by=["hostname", "device"])
    partly = define(house, "partly", "max(load) < 10", match_by=["hostname", "device"])
    hosts = [{"service": "monitoring", "hostname": h} for h in ("a", "b")]
    post(house, *[("cpu.idle_perc", d, 0) for d in hosts], *[("cpu.user_perc", d, 0) for d in hosts],
         *[("disk", {"hostname": h, "device": d}, 0) for h in "ab" for d in ("sda", "tmpfs")],
         ("load", {"hostname": "a"}, 0))
    assert shape(none, 1) == [2]
    assert shape(host, 2) == [1, 1]
    assert shape(both, 2) == [2, 2]
    for a in alarms(house, alarm_definition_id=both):
        assert len({m["dimensions"]["hostname"] for m in a["metrics"]}) == 1
    assert shape(several, 4) == [1] * 4
    assert shape(partly, 1) == [1]


def test_change_through_the_api(house):
    definition = define(house, "d", "max(cpu) > 10", match_by=["hostname"])
    post(house, ("cpu", {"hostname": "h1"}, 5))
    before = wait_alarms(house, 1)[0]
    path = f"{PATH}/{before['id']}"
    body = {"state": "ALARM", "lifecycle_state": "OPEN", "link": "http://somesite.com"}
    after = house.http("PUT", path, body)
    assert after.status == 200 and set(after.json) == ALARM_KEYS
    assert {k: after.json[k] for k in body} == body
    assert after.json["state_updated_timestamp"] > before["state_updated_timestamp"]
    rows = house.http("GET", path + "/state-history").json["elements"]
    assert [(r["old_state"], r["new_state"], r["reason"], r["sub_alarms"]) for r in rows] == [
        (before["state"], "ALARM", "Alarm state updated via API", [])]
    again = house.http("PATCH", path, {"link": "http://other"}).json
    assert again["state_updated_timestamp"] == after.json["state_updated_timestamp"]
    assert again["updated_timestamp"] >= after.json["updated_timestamp"]
    assert len(house.http("GET", path + "/state-history").json["elements"]) == 1
    assert len(alarms(house, link="http://other")) == len(alarms(house, lifecycle_state="OPEN")) == 1
    assert alarms(house, link="http://somesite.com") == []
    house.http("PATCH", path, {"state": "ok"})
    post(house, ("cpu", {"hostname": "h1"}, 50))                 # the engine says otherwise
    wait_for(lambda: alarms(house)[0]["state"] == "ALARM", 10, "ALARM again")
    last = house.http("GET", path + "/state-history").json["elements"][-1]
    assert last["reason"].startswith("Thresholds were exceeded for the sub-alarms: max(cpu) > 10.0")
    assert last["sub_alarms"] == [{
        "sub_alarm_expression": {"function": "MAX", "metric_name": "cpu", "dimensions": {},
                                 "operator": "GT", "threshold": 10.0, "period": 60, "periods": 1,
                                 "deterministic": False},
        "sub_alarm_state": "ALARM", "current_values": [50.0]}]
    assert house.http("DELETE", path).status == 204
    assert alarms(house, alarm_definition_id=definition) == []
    assert house.http("GET", path).status == 404
    post(house, ("cpu", {"hostname": "h1"}, 50))
    assert wait_alarms(house, 1)[0]["id"] != before["id"]        # born again


def test_sorting_by_rank_and_paging(house):
    for i, severity in enumerate(("MEDIUM", "LOW", "CRITICAL", "HIGH")):
        define(house, f"n{i}", "max(x) > 0", severity=severity)
    post(house, ("x", {"a": "1"}, 0))
    rows = wait_alarms(house, 4)

    def order(key, sort):
        return [a["alarm_definition"][key] for a in alarms(house, sort_by=sort)]
    assert order("severity", "severity") == ["LOW", "MEDIUM", "HIGH", "CRITICAL"]
    assert order("severity", "severity desc") == ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    assert order("name", "alarm_definition_name desc") == ["n3", "n2", "n1", "n0"]
    for a, lifecycle, link in zip(rows, "3241", "2211"):
        house.http("PATCH", f"{PATH}/{a['id']}", {"lifecycle_state": lifecycle, "link": link})
    assert [(a["link"], a["lifecycle_state"]) for a in alarms(house, sort_by="link,lifecycle_state")] == [
        ("1", "1"), ("1", "4"), ("2", "2"), ("2", "3")]
    house.http("PATCH", f"{PATH}/{rows[0]['id']}", {"state": "ALARM"})
    house.http("PATCH", f"{PATH}/{rows[1]['id']}", {"state": "OK"})
    assert [a["state"] for a in alarms(house, sort_by="state")] == [
        "OK", "UNDETERMINED", "UNDETERMINED", "ALARM"]
    whole = [a["id"] for a in alarms(house, sort_by="severity desc,alarm_id")]
    seen, path = [], q(PATH, sort_by="severity desc,alarm_id", limit=1)
    while path:
        page = house.http("GET", path).json
        seen += [a["id"] for a in page["elements"]]
        following = [x["href"] for x in page["links"] if x["rel"] == "next"]
        path = following[0][len(house.url):] if following else None
    assert seen == whole
    page = house.http("GET", PATH + "?offset=1&limit=1").json
    assert page["links"][1] == {"rel": "next", "href": f"{house.url}{PATH}?offset=2&limit=1"}


def test_counts(house):
    define(house, "low", "max(a) > 10", severity="LOW", match_by=["hostname"])
    define(house, "high", "max(b) > 10", severity="HIGH", match_by=["hostname"])
    post(house, *[("a", {"hostname": f"h{i}", "rack": "r1"}, 0) for i in range(6)],
         *[("b", {"hostname": f"h{i}"}, 50) for i in range(4)])
    wait_alarms(house, 10)
    wait_alarms(house, 4, state="ALARM")

    def count(**params):
        answer = house.http("GET", q(PATH + "/count", **params))
        assert answer.status == 200 and set(answer.json) == {"links", "columns", "counts"}, answer
        return answer.json
    assert count()["columns"] == ["count"] and count()["counts"] == [[10]]
    assert count(group_by="state")["counts"] == [[4, "ALARM"], [6, "UNDETERMINED"]]
    assert count(group_by="severity,state")["counts"] == [[4, "HIGH", "ALARM"], [6, "LOW", "UNDETERMINED"]]
    assert house.http("GET", PATH + "/count?group_by=severity,state").json["columns"] == [
        "count", "severity", "state"]
    assert count(group_by="metric_name")["counts"] == [[6, "a"], [4, "b"]]
    assert count(group_by="dimension_name")["counts"] == [[10, "hostname"], [6, "rack"]]
    assert count(group_by="dimension_name,dimension_value", metric_name="a")["counts"] == [
        [1, "hostname", f"h{i}"] for i in range(6)] + [[6, "rack", "r1"]]
    rows = count(group_by="name,link")["counts"]
    assert rows == [[4, "high", None], [6, "low", None]]
    page = count(group_by="dimension_value", offset=1, limit=2)
    assert page["counts"] == count(group_by="dimension_value")["counts"][1:3]
    assert [x["rel"] for x in page["links"]] == ["self", "next"]
    assert count(state="OK")["counts"] == [[0]]
    assert count(state="OK", group_by="name,state")["counts"] == [[0, None, None]]
    assert count(metric_dimensions="hostname:h1|h2,rack:r1")["counts"] == [[2]]
    for bad in ("group_by=x", "group_by=state,", "offset=x", "limit=x", "severity=x", "state=x"):
        assert house.http("GET", f"{PATH}/count?{bad}").status == 422, bad
