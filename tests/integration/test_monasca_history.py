# SPDX-License-Identifier: Apache-2.0
"""Monasca's state history with the real thresholds and correlator."""
import re

import pytest
from collector_kit import now_ms, q
from conftest import wait_for
from test_monasca_alarms import define, house, post, wait_alarms  # noqa: F401

PATH = "/v2.0/alarms/state-history"
KEYS = {"id", "alarm_id", "metrics", "old_state", "new_state", "reason", "reason_data", "timestamp",
        "sub_alarms"}
MS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$")


@pytest.fixture
def told(house):  # noqa: F811
    """A house with three transitions of three alarms, and their rows."""
    for i in (1, 2, 3):
        define(house, f"d{i}", f"min(name-{i}) < {i}")
    for i in (1, 2, 3):
        post(house, (f"name-{i}", {"key-1": "value-1", f"k{i}": "v"}, 0.0))
        wait_for(lambda: len(rows(house)) == i, 15, f"{i} transitions")
        last = rows(house)[-1]["timestamp"]
        wait_for(lambda: now_ms() > int(rows(house)[-1]["id"]) + 2, 5, f"a later ms than {last}")
    return house


def rows(house, path=PATH, **params):  # noqa: F811
    answer = house.http("GET", q(path, **params))
    assert answer.status == 200 and set(answer.json) == {"links", "elements"}, answer
    return answer.json["elements"]


def test_rows(told):
    all_rows = rows(told)
    assert len(all_rows) == 3
    for row in all_rows:
        assert set(row) == KEYS
        assert MS.match(row["timestamp"]) and row["id"].isdigit() and row["reason_data"] == "{}"
        assert (row["old_state"], row["new_state"]) == ("UNDETERMINED", "ALARM")
        assert [set(m) for m in row["metrics"]] == [{"id", "name", "dimensions"}]
        assert row["metrics"][0]["id"] is None
        assert row["reason"].startswith("Thresholds were exceeded for the sub-alarms: min(name-")
        assert [set(s) for s in row["sub_alarms"]] == [
            {"sub_alarm_expression", "sub_alarm_state", "current_values"}]
    assert [r["metrics"][0]["name"] for r in all_rows] == ["name-1", "name-2", "name-3"]  # oldest first


def test_filters_and_paging(told):
    all_rows = rows(told)
    times = [r["timestamp"] for r in all_rows]
    assert rows(told, start_time=times[1]) == all_rows[1:]
    assert rows(told, end_time=times[1]) == all_rows[:2]
    assert rows(told, start_time=times[0], end_time=times[2]) == all_rows
    assert rows(told, dimensions="k2:v") == all_rows[1:2]
    assert rows(told, dimensions="key-1:value-1") == all_rows
    assert rows(told, dimensions="key-1:value-1,k3:v") == all_rows[2:]
    assert rows(told, dimensions="key-1:other") == []
    for first in range(3):
        for limit in range(1, 4):
            assert rows(told, offset=times[first], limit=limit) == all_rows[first + 1:first + 1 + limit]
            assert rows(told, offset=all_rows[first]["id"], limit=limit) == \
                all_rows[first + 1:first + 1 + limit]
    assert rows(told, offset=0) == all_rows
    seen, path = [], PATH + "/?limit=1"
    while path:
        page = told.http("GET", path).json
        seen += page["elements"]
        following = [x["href"] for x in page["links"] if x["rel"] == "next"]
        path = following[0][len(told.url):] if following else None
    assert seen == all_rows
    for bad in ("start_time=x", "end_time=x", "offset=x", "limit=x", "dimensions=" + "k" * 256):
        assert told.http("GET", f"{PATH}?{bad}").status == 422, bad
    assert told.http("GET", PATH, tenant="other").json["elements"] == []


def test_of_one_alarm(told):
    first = rows(told)[0]
    path = f"/v2.0/alarms/{first['alarm_id']}"
    told.http("PATCH", path, {"state": "OK"})
    told.http("PATCH", path, {"state": "UNDETERMINED"})
    own = rows(told, path + "/state-history")
    assert [r["new_state"] for r in own] == ["ALARM", "OK", "UNDETERMINED"]
    assert own[0] == first
    assert rows(told, path + "/state-history", limit=1) == own[:1]
    assert rows(told, path + "/state-history", offset=own[0]["timestamp"]) == own[1:]
    assert rows(told, path + "/state-history", start_time=own[1]["timestamp"]) == own[1:]
    assert told.http("GET", "/v2.0/alarms/nonsense/state-history").status == 404
    assert told.http("GET", path + "/state-history", tenant="other").status == 404
    told.http("DELETE", path)
    assert told.http("GET", path + "/state-history").status == 404
    assert len(rows(told)) == 2                                  # of alarms that still exist


def test_birth_is_no_transition(house):  # noqa: F811
    define(house, "d", "max(x) > 10")
    post(house, ("x", {"a": "1"}, 0))
    alarm = wait_alarms(house, 1)[0]
    assert rows(house) == rows(house, f"/v2.0/alarms/{alarm['id']}/state-history") == []
