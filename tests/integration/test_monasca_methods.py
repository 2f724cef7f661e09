# SPDX-License-Identifier: Apache-2.0
"""Monasca's notification methods: rules of the body, listing, and what definitions refer to."""
import re

import pytest

PATH = "/v2.0/notification-methods"
KEYS = {"id", "links", "name", "type", "address", "period"}
ERROR_KEYS = {"title", "description", "code", "message"}
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


def body(name="noc", type="EMAIL", address="noc@example.org", **more):
    return {"name": name, "type": type, "address": address, **more}


def create(stack, **fields):
    answer = stack.http("POST", PATH, body(**fields))
    assert answer.status == 201, answer
    return answer.json


@pytest.fixture
def api(stack):
    stack.start("collector")
    return stack


def test_create_get_and_delete(api):
    made = create(api, type="eMail", period=0)
    assert set(made) == KEYS
    assert UUID.match(made["id"])
    assert made["type"] == "EMAIL" and made["period"] == 0
    assert made["links"] == [{"rel": "self", "href": f"{api.url}{PATH}/{made['id']}"}]
    one = api.http("GET", f"{PATH}/{made['id']}")
    assert one.status == 200 and one.json == made
    assert one.headers["content-type"] == "application/json"
    gone = api.http("DELETE", f"{PATH}/{made['id']}")
    assert gone.status == 204 and gone.body == b""
    for method, text in (("GET", None), ("DELETE", None), ("PUT", body(period=0)),
                         ("PATCH", {"name": "x"})):
        answer = api.http(method, f"{PATH}/{made['id']}", text)
        assert answer.status == 404 and answer.json["title"] == "404 Not Found", (method, answer)


@pytest.mark.parametrize("fields, stored", [
    ({"type": "webhook", "address": "http://mytest.test:4533", "period": 60}, 60),
    ({"type": "WebHooK", "address": "https://mytest.test/a?b=c", "period": "60"}, 60),
    ({"type": "PAGERDUTY", "address": "any text at all"}, 0),
    ({"type": "EMAIL", "address": "a@b", "period": "0"}, 0),
    ({"name": "n" * 250, "address": "a@" + "b" * 510}, 0),
    ({"name": "Größe 公"}, 0),
])
def test_accepted(api, fields, stored):
    made = create(api, **fields)
    assert made["period"] == stored
    assert made["type"] == fields.get("type", "EMAIL").upper()
    assert api.http("GET", f"{PATH}/{made['id']}").json == made


REFUSED = [
    ({"name": None}, "name"), ({"type": None}, "type"), ({"address": None}, "address"),
    ({"name": ""}, "name"), ({"name": 5}, "name"), ({"address": ""}, "address"),
    ({"name": "n" * 251}, "name must not be longer than 250"),
    ({"address": "a@" + "b" * 511}, "address must not be longer than 512"),
    ({"type": "random"}, "Not a valid notification method type random"),
    ({"type": "x" * 21}, "type"), ({"type": 1}, "type"),
    ({"address": "name@"}, "correct format"), ({"address": "@x"}, "correct format"),
    ({"type": "email", "address": "name@"}, "correct format"),
    ({"address": "a@b\r\nBcc: c@d"}, "correct format"),
    ({"type": "WEBHOOK", "address": "ftp://localhost"}, "correct format"),
    ({"type": "WebHook", "address": "localhost:123"}, "correct format"),
    ({"type": "WEBHOOK", "address": "http://"}, "correct format"),
    ({"type": "WEBHOOK", "address": "http://u:p@h/"}, "correct format"),
    ({"type": "WEBHOOK", "address": "http://h/ x"}, "correct format"),
    ({"period": 1.2}, "period"), ({"period": "random"}, "period"), ({"period": True}, "period"),
    ({"period": 60}, "period must be 0 for EMAIL"),
    ({"type": "PAGERDUTY", "period": 60}, "period must be 0 for PAGERDUTY"),
    ({"type": "WEBHOOK", "address": "http://h/", "period": 10}, "10 is not in the valid periods"),
    ({"surprise": 1}, "unknown key 'surprise'"),
]


@pytest.mark.parametrize("fields, text", REFUSED)
def test_refused(api, fields, text):
    sent = {k: v for k, v in body(**fields).items() if v is not None}
    answer = api.http("POST", PATH, sent)
    assert answer.status == 400, answer
    assert set(answer.json) == ERROR_KEYS and answer.json["code"] == 400
    assert text in answer.json["description"] and answer.json["message"] == answer.json["description"]
    assert answer.headers["content-type"] == "application/json"
    assert api.http("GET", PATH).json["elements"] == []


def test_body_and_content_type(api):
    for raw in (b"", b"{", b"null", b"[]", b"5"):
        answer = api.http("POST", PATH, raw, headers={"Content-Type": "application/json"})
        assert answer.status == 400, (raw, answer)
    answer = api.http("POST", PATH, b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status == 400
    assert answer.json["description"] == "Bad content type. Must be application/json"
    answer = api.http("POST", PATH, b'{"name":"n","type":"EMAIL","address":"a@b"}',
                      headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status == 201, answer


def test_names_are_unique_in_a_tenant(api):
    first = create(api, name="one")
    answer = api.http("POST", PATH, body(name="one"))
    assert answer.status == 409 and answer.json["title"] == "AlreadyExistsException"
    other = api.http("POST", PATH, body(name="one"), tenant="other")
    assert other.status == 201
    second = create(api, name="two")
    assert api.http("PATCH", f"{PATH}/{second['id']}", {"name": "one"}).status == 409
    assert api.http("PUT", f"{PATH}/{second['id']}", body(name="one", period=0)).status == 409
    same = api.http("PUT", f"{PATH}/{first['id']}", body(name="one", period=0))
    assert same.status == 200
    assert api.http("PATCH", f"{PATH}/{first['id']}", {"name": "three"}).status == 200
    create(api, name="one")  # its name is free


def test_put_and_patch(api):
    made = create(api)
    path = f"{PATH}/{made['id']}"
    answer = api.http("PUT", path, body())
    assert answer.status == 400 and answer.json["description"] == "Period is required"
    for missing in ("name", "type", "address"):
        sent = body(period=0)
        del sent[missing]
        assert api.http("PUT", path, sent).status == 400, missing
    hook = body("hook", "webhook", "http://h.example/x", period=60)
    answer = api.http("PUT", path, hook)
    assert answer.status == 200
    assert answer.json == {**made, "name": "hook", "type": "WEBHOOK",
                           "address": "http://h.example/x", "period": 60}
    assert api.http("PATCH", path, {"type": "EMAIL"}).status == 400  # address and period stay
    assert api.http("PATCH", path, {"type": "EMAIL", "address": "a@b"}).status == 400
    answer = api.http("PATCH", path, {"type": "email", "address": "a@b", "period": 0})
    assert answer.status == 200 and answer.json["type"] == "EMAIL" and answer.json["period"] == 0
    assert api.http("PATCH", path, {"period": 60}).status == 400
    assert api.http("PATCH", path, {"period": "zero"}).status == 400
    answer = api.http("PATCH", path, {"name": "renamed"})
    assert answer.status == 200 and set(answer.json) == KEYS
    assert api.http("GET", path).json == answer.json


def test_list_sorting_and_paging(api):
    rows = [create(api, name=n, type=t, address=a) for n, t, a in (
        ("s 01", "EMAIL", "test02@localhost"), ("s 02", "PAGERDUTY", "test03@localhost"),
        ("s 03", "EMAIL", "test04@localhost"), ("s 04", "EMAIL", "test01@localhost"))]

    def ids(query):
        answer = api.http("GET", PATH + query)
        assert answer.status == 200, answer
        assert set(answer.json) == {"links", "elements"}
        return [e["id"] for e in answer.json["elements"]]
    by_id = sorted(r["id"] for r in rows)
    assert ids("") == ids("/") == by_id
    assert ids("?sort_by=id%20desc") == by_id[::-1]
    assert ids("?sort_by=name") == [r["id"] for r in rows]
    assert ids("?sort_by=created_at%20desc,name%20desc") == [r["id"] for r in rows][::-1]
    assert ids("?sort_by=type%20asc%2Caddress+desc,id") == [rows[i]["id"] for i in (2, 0, 3, 1)]
    assert sorted(ids("?sort_by=updated_at")) == by_id
    for bad in ("sort_by=random", "sort_by=name%20up", "sort_by=name%20asc%20x", "limit=x",
                "limit=-1", "offset=x", "offset=1.5"):
        answer = api.http("GET", f"{PATH}?{bad}")
        assert answer.status == 422, (bad, answer)
    seen, path = [], f"{PATH}?limit=3&sort_by=name"
    while path:
        page = api.http("GET", path).json
        assert page["links"][0]["rel"] == "self"
        seen += [e["id"] for e in page["elements"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        path = following[0][len(api.url):] if following else None
    assert seen == [r["id"] for r in rows]
    assert ids("?offset=4") == [] and ids("?offset=1&limit=2") == by_id[1:3]


def test_types(api):
    answer = api.http("GET", PATH + "/types")
    assert answer.status == 200
    assert answer.json == {"links": [{"rel": "self", "href": f"{api.url}{PATH}/types"}],
                           "elements": [{"type": "EMAIL"}, {"type": "PAGERDUTY"},
                                        {"type": "WEBHOOK"}]}


def test_roles_and_tenants(api):
    made = create(api)
    path = f"{PATH}/{made['id']}"
    for role in ("agent", None):
        for method, where, text in (("GET", PATH, None), ("GET", path, None),
                                    ("GET", PATH + "/types", None), ("POST", PATH, body("x")),
                                    ("PUT", path, body("x", period=0)), ("PATCH", path, {}),
                                    ("DELETE", path, None), ("POST", PATH, b"null")):
            assert api.http(method, where, text, role=role).status == 401, (role, method, where)
    assert api.http("GET", path, role="read-only").status == 200
    assert api.http("POST", PATH, b"null", role="read-only").status == 401
    for method, text in (("GET", None), ("PUT", body("x", period=0)), ("PATCH", {"name": "x"}),
                         ("DELETE", None)):
        assert api.http(method, path, text, tenant="other").status == 404, method
    assert api.http("GET", PATH, tenant="other").json["elements"] == []
    assert api.http("GET", path).json == made


def test_definitions_refer_to_methods(api):
    made, second = create(api, name="a"), create(api, name="b")
    foreign = api.http("POST", PATH, body("c"), tenant="other").json
    definition = {"name": "d", "expression": "max(x) > 1"}
    for key in ("alarm_actions", "ok_actions", "undetermined_actions"):
        for unknown in ("nonsense", foreign["id"]):
            answer = api.http("POST", "/v2.0/alarm-definitions", {**definition, key: [unknown]})
            assert answer.status == 422, answer
            assert unknown in answer.json["description"]
    answer = api.http("POST", "/v2.0/alarm-definitions",
                      {**definition, "alarm_actions": [made["id"], second["id"]],
                       "ok_actions": [made["id"]], "undetermined_actions": [second["id"]]})
    assert answer.status == 201, answer
    path = f"/v2.0/alarm-definitions/{answer.json['id']}"
    assert api.http("PATCH", path, {"ok_actions": ["nonsense"]}).status == 422
    put = {**answer.json, "ok_actions": ["nonsense"]}
    assert api.http("PUT", path, put).status == 422
    assert api.http("GET", path).json == answer.json
    assert api.http("DELETE", f"{PATH}/{made['id']}").status == 204
    left = api.http("GET", path).json
    assert left == {**answer.json, "alarm_actions": [second["id"]], "ok_actions": []}
    assert api.http("PATCH", path, {"name": "still fine"}).status == 200


def test_survives_kill(api):
    made = create(api)
    api.kill9("collector")
    api.restart("collector")
    assert api.http("GET", f"{PATH}/{made['id']}").json == made
    assert api.http("POST", PATH, body()).status == 409
