# SPDX-License-Identifier: Apache-2.0
"""Monasca's alarm definitions: fields, what may change, filters, sorting, paging; what deleting does."""
import time

import pytest
from collector_kit import ALARM_KEYS, DEFINITION_KEYS
from conftest import wait_for

PATH = "/v2.0/alarm-definitions"


@pytest.fixture
def api(stack):
    stack.start("collector")
    return stack


def create(api, name="d", expression="max(cpu) > 1", **more):
    answer = api.http("POST", PATH, {"name": name, "expression": expression, **more})
    assert answer.status == 201, answer
    return answer.json


def elements(api, query=""):
    answer = api.http("GET", PATH + query)
    assert answer.status == 200 and set(answer.json) == {"links", "elements"}, answer
    return answer.json["elements"]


def test_defaults_and_keys(api):
    made = create(api, ignored="x")
    assert set(made) == DEFINITION_KEYS
    assert {k: v for k, v in made.items() if k not in ("id", "links")} == {
        "name": "d", "expression": "max(cpu) > 1", "description": "", "severity": "LOW",
        "match_by": [], "deterministic": False, "actions_enabled": True, "ok_actions": [],
        "alarm_actions": [], "undetermined_actions": []}
    assert made["links"] == [{"rel": "self", "href": f"{api.url}{PATH}/{made['id']}"}]
    assert api.http("GET", f"{PATH}/{made['id']}").json == made == elements(api)[0]


@pytest.mark.parametrize("expression, deterministic", [
    ("count(log.error{},deterministic) > 0", True),
    ("max(a{h=1}) > 99.0 AND count(log.error{h=1},deterministic) > 0", False),
    ("count(a{h=2},deterministic) > 0 AND count(b{h=1},deterministic) > 0", True),
    ("avg(mem{url=https://www.google.com}) gt 0", False), ("mem_total_mb > 0", False),
    ("avg ( x ) > 1  or (min(y,120)<-0.5 times 3)", False), ("公{此=该} > 4", False)])
def test_the_expression_is_returned_as_sent(api, expression, deterministic):
    made = create(api, expression=expression)
    assert (made["expression"], made["deterministic"]) == (expression, deterministic)


@pytest.mark.parametrize("fields, title, text", [
    ({"name": "x" * 256}, None, "name"), ({"name": ""}, None, "name"), ({"name": None}, None, "name"),
    ({"name": 1}, None, "name"), ({"expression": None}, None, "expression"),
    ({"expression": 5}, None, "expression"), ({"description": "x" * 256}, None, "description"),
    ({"description": 1}, None, "description"), ({"severity": "INVALID"}, None, "severity"),
    ({"severity": None}, None, "severity"), ({"match_by": "h"}, None, "match_by"),
    ({"match_by": [1]}, None, "match_by"), ({"actions_enabled": "true"}, None, "actions_enabled"),
    ({"ok_actions": ["x" * 51]}, None, "ok_actions"), ({"alarm_actions": "x"}, None, "alarm_actions"),
    ({"undetermined_actions": ["x" * 51]}, None, "undetermined_actions"),
    ({"alarm_actions": ["nonsense"]}, None, "nonsense"),
    ({"expression": "max(x) > .5"}, "Invalid alarm expression",
     "parser failed on expression 'max(x) > .5' at column"),
    ({"expression": "avg(mem{dev=\\usr\\local\x08in}) gt 0"}, "Invalid alarm expression", "column"),
    ({"expression": "avg(x) > 5 times 0"}, "Invalid alarm expression", "column"),
    ({"expression": "median(x) > 1"}, "Invalid alarm expression", "column")])
def test_refused(api, fields, title, text):
    body = {k: v for k, v in {"name": "d", "expression": "max(cpu) > 1", **fields}.items()
            if v is not None or k == "severity"}
    answer = api.http("POST", PATH, body)
    assert answer.status == 422, answer
    assert set(answer.json) == {"title", "description", "code", "message"}
    assert text in answer.json["description"]
    assert answer.json["title"] == (title or "Unprocessable Entity")
    assert elements(api) == []


def test_actions_enabled_is_honoured(api):
    assert create(api, actions_enabled=False)["actions_enabled"] is False


def test_put_replaces_everything(api):
    made = create(api, match_by=["device"], severity="HIGH", description="text")
    path = f"{PATH}/{made['id']}"
    full = {k: v for k, v in made.items() if k not in ("id", "links", "deterministic")}
    changed = {**full, "name": "n2", "expression": "avg(cpu,120) < 5 times 3", "severity": "critical",
               "description": "", "actions_enabled": False}
    answer = api.http("PUT", path, changed)
    assert answer.status == 200
    assert answer.json == {**made, **changed, "severity": "CRITICAL"} == api.http("GET", path).json
    for key in full:
        for body in ({k: v for k, v in full.items() if k != key}, {**full, key: None}):
            assert api.http("PUT", path, body).status == 422, key
    assert api.http("PUT", path, {**full, "actions_enabled": "true"}).status == 422


def test_patch_keeps_what_is_not_given(api):
    made = create(api, match_by=["device"])
    path = f"{PATH}/{made['id']}"
    for patch, changed in (({"name": "n2"}, {"name": "n2"}), ({}, {}),
                           ({"name": None, "match_by": None, "ok_actions": None}, {}),
                           ({"actions_enabled": "false"}, {"actions_enabled": False}),
                           ({"actions_enabled": "TRUE"}, {"actions_enabled": True}),
                           ({"severity": "medium"}, {"severity": "MEDIUM"}),
                           ({"match_by": ["device"]}, {}),
                           ({"expression": "min(cpu,300,) > 1".replace(",)", ")")},
                            {"expression": "min(cpu,300) > 1"})):
        answer = api.http("PATCH", path, patch)
        made = {**made, **changed}
        assert answer.status == 200 and answer.json == made, (patch, answer)
    for patch in ({"name": "x" * 256}, {"name": ""}, {"description": "x" * 256}, {"severity": "X"},
                  {"actions_enabled": "maybe"}, {"ok_actions": "x"}, {"expression": "nonsense"}):
        assert api.http("PATCH", path, patch).status == 422, patch
    assert api.http("GET", path).json == made


@pytest.mark.parametrize("patch, text", [
    ({"match_by": ["hostname"]}, "match_by must not change"), ({"match_by": []}, "match_by must not change"),
    ({"expression": "max(cpu) > 1"}, "number of subexpressions must not change"),
    ({"expression": "max(cpu) > 1 and max(other) > 2"}, "metrics in subexpression must not change"),
    ({"expression": "max(cpu) > 1 and max(mem{h=1}) > 2"}, "metrics in subexpression must not change")])
def test_what_may_not_change(api, patch, text):
    made = create(api, expression="max(cpu) > 1 and max(mem) > 2", match_by=["device"])
    path = f"{PATH}/{made['id']}"
    full = {k: v for k, v in made.items() if k not in ("id", "links", "deterministic")}
    for answer in (api.http("PATCH", path, patch), api.http("PUT", path, {**full, **patch})):
        assert answer.status == 422 and answer.json["title"] == "InvalidUpdateException", answer
        assert answer.json["description"] == text
    assert api.http("PATCH", path, {"expression": "avg(cpu,120) <= 1 or last(mem) > 2"}).status == 200


def test_filters(api):
    rows = {n: create(api, name=n, expression=e, severity=s) for n, e, s in (
        ("a", "max(x{k1=v1,k2=v2}) > 1", "LOW"), ("b", "max(x{k1=v1}) > 1 or max(y{k2=v2}) > 1", "MEDIUM"),
        ("ａｌａｒｍ", "max(z{k3=v3}) > 1", "HIGH"))}

    def names(query):
        return sorted(e["name"] for e in elements(api, query))
    for query, want in (("?name=b", "b"), ("?name=%EF%BD%81%EF%BD%8C%EF%BD%81%EF%BD%92%EF%BD%8D", "ａｌａｒｍ"),
                        ("?name=none", ""), ("?dimensions=k1:v1", "a b"), ("?dimensions=k1:v1,k2:v2", "a"),
                        ("?dimensions=k1%3Av1%2Ck2%3Av2", "a"), ("?dimensions=k1:other", ""),
                        ("?severity=LOW", "a"), ("?severity=low|HIGH", "a ａｌａｒｍ"),
                        ("?severity=LOW%7CMEDIUM&dimensions=k2:v2", "a b"), ("?state=x&alias=y", "a b ａｌａｒｍ")):
        assert names(query) == want.split(), query
    assert {e["id"] for e in elements(api)} == {r["id"] for r in rows.values()}
    for bad in ("severity=x", "severity=LOW|x", "severity=", "sort_by=random", "sort_by=name+up",
                "sort_by=name+asc+x", "offset=x", "offset=-1", "dimensions=" + "k" * 256):
        want = 200 if bad == "severity=" else 422
        assert api.http("GET", f"{PATH}?{bad}").status == want, bad


def test_sorting_and_paging(api):
    rows = [create(api, name=f"n{i}", severity=s) for i, s in enumerate(
        ("MEDIUM", "LOW", "CRITICAL", "HIGH"))]
    by_id = sorted(r["id"] for r in rows)

    def ids(query):
        return [e["id"] for e in elements(api, query)]
    assert ids("") == ids("?sort_by=id") == by_id
    assert [e["severity"] for e in elements(api, "?sort_by=severity")] == [
        "CRITICAL", "HIGH", "LOW", "MEDIUM"]                     # by text, unlike alarms
    assert ids("?sort_by=name%20desc") == [r["id"] for r in rows][::-1]
    assert ids("?sort_by=severity+asc%2Cname+desc,id") == [rows[i]["id"] for i in (2, 3, 1, 0)]
    api.http("PATCH", f"{PATH}/{rows[0]['id']}", {"description": "later"})
    assert ids("?sort_by=updated_at,name")[-1] == rows[0]["id"]
    assert ids("?sort_by=created_at,name") == [r["id"] for r in rows]
    for offset in range(5):
        for limit in range(1, 5):
            answer = api.http("GET", f"{PATH}?offset={offset}&limit={limit}&sort_by=name").json
            assert [e["id"] for e in answer["elements"]] == [r["id"] for r in rows][offset:offset + limit]
            following = [x["href"] for x in answer["links"] if x["rel"] == "next"]
            if offset + limit < 4:
                assert following == [f"{api.url}{PATH}?offset={offset + limit}&limit={limit}&sort_by=name"]
            else:
                assert following == []


def test_foreign_and_unknown_ids(api):
    made = create(api)
    for path, tenant in ((f"{PATH}/{made['id']}", "other"), (PATH + "/nonsense", "default")):
        for method, body in (("GET", None), ("PUT", {k: v for k, v in made.items() if k not in (
                "id", "links", "deterministic")}), ("PATCH", {"name": "x"}), ("DELETE", None)):
            answer = api.http(method, path, body, tenant=tenant)
            assert answer.status == 404 and answer.json["title"] == "404 Not Found", (method, path)
    assert elements(api) == [made]
    assert api.http("POST", PATH, {"name": "d", "expression": "max(x) > 1"}, tenant="other").status == 201


def test_changes_reach_alarms_and_deleting_takes_them_along(stack):
    for name in ("collector", "thresholds", "correlator"):
        stack.start(name)
    made = create(stack, match_by=["hostname"])
    stack.http("POST", "/v2.0/metrics", [
        {"name": "cpu", "dimensions": {"hostname": f"h{i}"}, "timestamp": int(time.time() * 1000),
         "value": 5} for i in range(20)])

    def alarms():
        return stack.http("GET", "/v2.0/alarms").json["elements"]
    wait_for(lambda: len(alarms()) == 20, 15, "20 alarms")
    assert all(set(a) == ALARM_KEYS for a in alarms())
    path = f"{PATH}/{made['id']}"
    assert stack.http("PATCH", path, {"name": "renamed", "severity": "CRITICAL"}).status == 200
    wait_for(lambda: {(a["alarm_definition"]["name"], a["alarm_definition"]["severity"])
                      for a in alarms()} == {("renamed", "CRITICAL")}, 10, "the alarms' new name")
    assert len(stack.http("GET", "/v2.0/alarms/state-history").json["elements"]) == 20
    assert stack.http("DELETE", path).status == 204
    assert alarms() == []                                        # at once
    assert stack.http("GET", "/v2.0/alarms/state-history").json["elements"] == []
    assert stack.http("GET", "/v2.0/alarms/count").json["counts"] == [[0]]
    assert stack.http("GET", path).status == 404
    create(stack, name="renamed")                                # its name is free
