# SPDX-License-Identifier: Apache-2.0
"""The collector's HTTP interface and its promises, against a real Redis."""
import http.client
import json
import re
import socket
import threading
import time
import urllib.parse
import uuid

import pytest
from conftest import Stack, wait_for

ISO0 = "2020-01-01T00:00:00Z"
DEFINITION_KEYS = {"id", "links", "name", "description", "expression", "deterministic", "match_by",
                   "severity", "actions_enabled", "ok_actions", "alarm_actions",
                   "undetermined_actions"}
ALARM_KEYS = {"id", "links", "alarm_definition", "metrics", "state", "lifecycle_state", "link",
              "state_updated_timestamp", "updated_timestamp", "created_timestamp"}


def now_ms():
    return int(time.time() * 1000)


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + ".%03dZ" % (ms % 1000)


def sample(name="cpu", host="h1", value=1.0, ts=None, **more):
    m = {"name": name, "dimensions": {"hostname": host},
         "timestamp": now_ms() if ts is None else ts, "value": value}
    m.update(more)
    return m


def q(path, **params):
    return path + "?" + urllib.parse.urlencode(params)


def measurements(stack, n, **params):
    """The call's elements once they hold n measurements in all."""
    params.setdefault("start_time", ISO0)

    def there():
        a = stack.http("GET", q("/v2.0/metrics/measurements", **params))
        assert a.status == 200, a
        if sum(len(e["measurements"]) for e in a.json["elements"]) >= n:
            return a.json["elements"]
        return None
    return wait_for(there, 15, f"{n} measurements of {params}")


# --- who may do what ---------------------------------------------------------------------------

def test_tokens_and_roles(stack):
    stack.start("collector")
    for path in ("/v2.0/metrics", "/v1/status", "/v2.0/nothing", "/events"):
        a = stack.http("GET", path, role=None)
        assert a.status == 401 and a.headers["www-authenticate"] == "Token", a
        assert stack.http("GET", path, token="wrong").status == 401
    # A missing role is 401 too, and comes before the body is looked at.
    assert stack.http("POST", "/v2.0/metrics", b"null", role="read-only").status == 401
    assert stack.http("POST", "/v2.0/alarm-definitions", b"null", role="read-only").status == 401
    assert stack.http("GET", "/v2.0/metrics", role="agent").status == 401
    assert stack.http("POST", "/v2.0/alarm-definitions", {}, role="agent").status == 401
    assert stack.http("POST", "/v2.0/metrics", sample(), role="agent").status == 204
    assert stack.http("GET", "/v2.0/metrics", role="read-only").status == 200
    a = stack.http("GET", "/v2.0/metrics")
    assert a.headers["x-openstack-request-id"].startswith("req-")
    # What needs no token.
    for path in ("/", "/v2.0", "/healthz", "/metrics", "/index.html"):
        assert stack.http("GET", path, role=None).status == 200, path
    # An expired token is none.
    d = stack.daemons["collector"]
    text = stack.tokens_file.read_text()
    stack.tokens_file.write_text(text.replace("tenant: default",
                                              "tenant: default\n    expires: \"2001-01-01T00:00:00Z\"",
                                              1))
    d.process.send_signal(1)
    wait_for(lambda: stack.http("GET", "/v2.0/metrics").status == 401, 10, "expiry")
    # A faulty file is refused whole, the old one stays.
    stack.tokens_file.write_text(text)
    d.process.send_signal(1)
    wait_for(lambda: stack.http("GET", "/v2.0/metrics").status == 200, 10, "old tokens")
    stack.tokens_file.write_text(text + "  - name: x\n")
    d.process.send_signal(1)
    wait_for(lambda: "event=reload_refused" in d.log(), 10, "refused reload")
    assert stack.http("GET", "/v2.0/metrics").status == 200


def test_tenants_are_isolated(stack):
    stack.start("collector")
    assert stack.http("POST", "/v2.0/metrics", sample(value=1), tenant="a").status == 204
    assert stack.http("POST", "/v2.0/metrics", sample(value=2), tenant="b").status == 204
    for tenant, value in (("a", 1.0), ("b", 2.0)):
        def own():
            a = stack.http("GET", q("/v2.0/metrics/measurements", name="cpu", start_time=ISO0),
                           tenant=tenant)
            return a.json["elements"] or None
        e = wait_for(own, 10, "own measurement")
        assert len(e) == 1 and [m[1] for m in e[0]["measurements"]] == [value]
        assert len(stack.http("GET", "/v2.0/metrics", tenant=tenant).json["elements"]) == 1
    assert stack.http("GET", "/v2.0/metrics", tenant="c").json["elements"] == []
    # tenant_id counts with the role delegate only; without it is ignored.
    path = "/v2.0/metrics?tenant_id=a"
    assert stack.http("GET", path, tenant="c").json["elements"] == []
    assert len(stack.http("GET", path, role="operator,delegate", tenant="c").json["elements"]) == 1
    assert stack.http("POST", "/v2.0/metrics?tenant_id=z", sample(), role="agent,delegate",
                      tenant="c").status == 204
    assert len(stack.http("GET", "/v2.0/metrics", tenant="z").json["elements"]) == 1
    # Definitions: a foreign id is unknown, a name is taken per tenant.
    body = {"name": "d", "expression": "max(cpu) > 1"}
    one = stack.http("POST", "/v2.0/alarm-definitions", body, tenant="a").json
    assert stack.http("POST", "/v2.0/alarm-definitions", body, tenant="b").status == 201
    for method in ("GET", "DELETE"):
        assert stack.http(method, f"/v2.0/alarm-definitions/{one['id']}", tenant="b").status == 404


# --- ingest --------------------------------------------------------------------------------------

BAD_METRICS = [
    (b"{", 400), (b"", 400), (b"nonsense", 400), (b'[{"name":"a"', 400), (b"\xff\xfe", 400),
    (b"null", 422), (b"1", 422), (b'["x"]', 422), (b"[null]", 422), (b"{}", 422),
    ({"name": "", "timestamp": 1, "value": 1}, 422), ({"name": "a b", "timestamp": 1, "value": 1}, 422),
    ({"name": "x" * 256, "timestamp": 1, "value": 1}, 422), ({"name": "x", "value": 1}, 422),
    ({"name": "x", "timestamp": 1}, 422), ({"name": "x", "timestamp": "1", "value": 1}, 422),
    ({"name": "x", "timestamp": 1, "value": "1"}, 422),
    ({"name": "x", "timestamp": 1, "value": 1, "dimensions": None}, 422),
    ({"name": "x", "timestamp": 1, "value": 1, "dimensions": {"_a": "b"}}, 422),
    ({"name": "x", "timestamp": 1, "value": 1, "dimensions": {"a": ""}}, 422),
    ({"name": "x", "timestamp": 1, "value": 1, "dimensions": {"a": 5}}, 422),
    ({"name": "x", "timestamp": 1, "value": 1, "dimensions": {"a": "b" * 256}}, 422),
    ({"name": "x", "timestamp": 1, "value": 1, "value_meta": {str(i): "" for i in range(17)}}, 422),
    ({"name": "x", "timestamp": 1, "value": 1, "value_meta": {"a": "b" * 2050}}, 422),
]


def test_bad_metrics_are_refused_whole(stack):
    stack.start("collector")
    good = sample("good")
    for body, status in BAD_METRICS:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        a = stack.http("POST", "/v2.0/metrics", raw, headers={"Content-Type": "application/json"})
        assert a.status == status, (body, a)
        assert {"title", "description", "code", "message"} <= set(a.json), a
        if status == 422 and raw[:1] == b"{":
            both = b"[" + json.dumps(good).encode() + b"," + raw + b"]"
            a = stack.http("POST", "/v2.0/metrics", both,
                           headers={"Content-Type": "application/json"})
            assert a.status == 422, (body, a)
    assert stack.http("GET", "/v2.0/metrics").json["elements"] == []
    assert stack.redis.cmd("XLEN", "hale:{s0}:samples") == 0
    a = stack.http("POST", "/v2.0/metrics", b"{}", headers={"Content-Type": "text/plain"})
    assert a.status == 400
    a = stack.http("POST", "/v2.0/metrics", json.dumps(good).encode(),
                   headers={"Content-Type": "application/json; charset=utf-8"})
    assert a.status == 204 and a.body == b""
    assert stack.http("POST", "/v2.0/metrics", []).status == 204


def test_sizes(stack):
    stack.start("collector", {"max_body": "4m"})
    t = now_ms()
    body = [sample("big", f"host-{i % 100:04}", i, t + i, value_meta={"pad": "x" * 60})
            for i in range(10000)]
    assert len(json.dumps(body)) > 1500000
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    e = measurements(stack, 10000, name="big", group_by="*")
    assert len(e) == 100
    seen = sorted(m[1] for x in e for m in x["measurements"])
    assert seen == [float(i) for i in range(10000)]
    assert stack.http("POST", "/v2.0/metrics", b" " * (5 << 20),
                      headers={"Content-Type": "application/json"}).status == 413
    assert stack.http("POST", "/v1/events", b" " * (2 << 20)).status == 413


def test_more_than_one_stream_entry(stack):
    stack.start("collector", {"max_body": "64m"})
    t = now_ms()
    one = '{"name":"m","dimensions":{"h":"%d"},"timestamp":%d,"value":%d}'
    body = "[" + ",".join(one % (i % 7, t - i, i) for i in range(70000)) + "]"
    assert stack.http("POST", "/v2.0/metrics", body.encode(),
                      headers={"Content-Type": "application/json"}, timeout=60).status == 204
    assert stack.redis.cmd("XLEN", "hale:{s0}:samples") == 2

    def all_there():
        a = stack.http("GET", q("/v2.0/metrics/statistics", name="m", start_time=iso(t - 70001),
                                merge_metrics="true", statistics="count,sum", period=100000))
        rows = [r for e in a.json["elements"] for r in e["statistics"]]
        return rows if sum(r[1] for r in rows) == 70000 else None
    assert sum(r[2] for r in wait_for(all_there, 20, "70000 samples")) == 70000 * 69999 / 2


def test_shards(stack):
    stack.start("collector", {"shards": 4})
    t = now_ms()
    body = [sample(f"metric.{i}", "h", i, t) for i in range(40)]
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    lens = [stack.redis.cmd("XLEN", "hale:{s%d}:samples" % s) for s in range(4)]
    assert sum(lens) == 4 and all(n == 1 for n in lens)
    for i in range(40):
        e = measurements(stack, 1, name=f"metric.{i}")
        assert e[0]["measurements"] == [[iso(t), float(i), {}]]


def test_unusual_samples_round_trip(stack):
    stack.start("collector")
    t = now_ms()
    day = 86400000
    name = "公.tempertature|x'/:"
    body = [
        {"name": name, "dimensions": {"ключ": "wert (1)"}, "timestamp": t - day, "value": 1,
         "value_meta": {"grüße": "日本", "n": 5, "q": "\"\\"}},
        {"name": name, "dimensions": {"ключ": "wert (1)"}, "timestamp": t + 11 * day, "value": 2},
        {"name": name, "dimensions": {"ключ": "wert (1)"}, "timestamp": float(t) + 0.75, "value": 3,
         "value_meta": None},
    ]
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    e = measurements(stack, 3, name=name, start_time=iso(t - 2 * day))
    assert e[0]["name"] == name and e[0]["dimensions"] == {"ключ": "wert (1)"}
    assert e[0]["measurements"] == [
        [iso(t - day), 1.0, {"grüße": "日本", "n": 5, "q": "\"\\"}], [iso(t), 3.0, {}],
        [iso(t + 11 * day), 2.0, {}]]
    # No dimensions at all; the same time again: the last one wins.
    for v in (1, 2):
        assert stack.http("POST", "/v2.0/metrics",
                          {"name": "bare", "timestamp": t, "value": v}).status == 204
    wait_for(lambda: measurements(stack, 1, name="bare")[0]["measurements"] == [[iso(t), 2.0, {}]],
             10, "the last value")
    assert any(m["name"] == "bare" and m["dimensions"] == {}
               for m in stack.http("GET", "/v2.0/metrics").json["elements"])
    # After the flush into chunks it is the same.
    wait_for(lambda: stack.redis.cmd("KEYS", "hale:{s0}:hot:*"), 10, "chunks")
    wait_for(lambda: len(measurements(stack, 3, name=name, start_time=iso(t - 2 * day))[0]
                         ["measurements"]) == 3, 5, "three measurements")


# --- listings and queries -------------------------------------------------------------------------

@pytest.fixture
def filled(stack):
    stack.start("collector")
    t = now_ms() // 60000 * 60000 - 600000
    body = [sample("cpu", h, v, t + 1000 * i + k)
            for k, h in enumerate(("h1", "h2", "h3")) for i, v in enumerate((1, 2, 6))]
    body += [{"name": "disk", "dimensions": {"hostname": "h1", "device": d}, "timestamp": t,
              "value": 1} for d in ("sda", "sdb")]
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    measurements(stack, 9, name="cpu", group_by="*")
    return stack, t


def test_listings(filled):
    stack, t = filled
    a = stack.http("GET", "/v2.0/metrics/")
    assert a.status == 200 and set(a.json) == {"links", "elements"}
    assert len(a.json["elements"]) == 5
    for e in a.json["elements"]:
        assert set(e) == {"id", "name", "dimensions"} and isinstance(e["id"], str)
    # Paging shows the same ids.
    ids, offset = [], None
    while True:
        p = {"limit": 2}
        if offset:
            p["offset"] = offset
        page = stack.http("GET", q("/v2.0/metrics", **p)).json
        ids += [e["id"] for e in page["elements"]]
        nxt = [l["href"] for l in page["links"] if l["rel"] == "next"]
        if not nxt:
            break
        offset = urllib.parse.parse_qs(urllib.parse.urlparse(nxt[0]).query)["offset"][0]
        assert "limit=2" in nxt[0]
    assert ids == [e["id"] for e in a.json["elements"]]
    for params, n in (({"name": "disk"}, 2), ({"dimensions": "hostname:h1"}, 3),
                      ({"dimensions": "device"}, 2), ({"dimensions": "hostname:h2|h3"}, 2),
                      ({"dimensions": "hostname:h1,device:sdb"}, 1), ({"name": "none"}, 0),
                      ({"start_time": iso(t + 3600000)}, 0), ({"end_time": iso(t)}, 0)):
        got = stack.http("GET", q("/v2.0/metrics", **params))
        assert got.status == 200 and len(got.json["elements"]) == n, (params, got)
    # A comma and %2C are the same.
    assert len(stack.http("GET", "/v2.0/metrics?dimensions=hostname:h1,device:sda")
               .json["elements"]) == 1

    def words(path, key, **params):
        return [e[key] for e in stack.http("GET", q(path, **params)).json["elements"]]
    assert words("/v2.0/metrics/names", "name") == ["cpu", "disk"]
    assert words("/v2.0/metrics/names", "name", offset="cpua") == ["disk"]
    assert words("/v2.0/metrics/names", "name", dimensions="device") == ["disk"]
    assert words("/v2.0/metrics/dimensions/names", "dimension_name") == ["device", "hostname"]
    assert words("/v2.0/metrics/dimensions/names", "dimension_name",
                 metric_name="cpu") == ["hostname"]
    path = "/v2.0/metrics/dimensions/names/values"
    assert words(path, "dimension_value", dimension_name="hostname") == ["h1", "h2", "h3"]
    assert words(path, "dimension_value", dimension_name="hostname",
                 metric_name="disk") == ["h1"]
    a = stack.http("GET", q(path, dimension_name="hostname", limit=2))
    assert [l["rel"] for l in a.json["links"]] == ["self", "next"]
    assert a.json["links"][0]["href"].endswith(q(path, dimension_name="hostname", limit=2))
    assert stack.http("GET", path).status == 422


def test_measurements(filled):
    stack, t = filled
    path = "/v2.0/metrics/measurements"
    a = stack.http("GET", q(path, name="cpu", start_time=ISO0))
    assert a.status == 409 and a.json["title"] == "MultipleMetrics"
    assert a.json["description"].startswith("Found multiple metrics matching metric name")
    e = stack.http("GET", q(path, name="cpu", start_time=ISO0,
                            dimensions="hostname:h2")).json["elements"]
    assert len(e) == 1 and set(e[0]) == {"id", "name", "dimensions", "columns", "measurements"}
    assert e[0]["columns"] == ["timestamp", "value", "value_meta"]
    assert e[0]["measurements"] == [[iso(t + 1), 1.0, {}], [iso(t + 1001), 2.0, {}],
                                    [iso(t + 2001), 6.0, {}]]
    # [start, end)
    e = stack.http("GET", q(path, name="cpu", start_time=iso(t + 1), end_time=iso(t + 2001),
                            dimensions="hostname:h2")).json["elements"]
    assert len(e[0]["measurements"]) == 2
    # Merged: by time, dimensions of the query. First of repeated parameters counts.
    e = stack.http("GET", q(path, name="cpu", start_time=ISO0) +
                   "&merge_metrics=true&merge_metrics=false").json["elements"]
    assert len(e) == 1 and e[0]["dimensions"] == {} and len(e[0]["measurements"]) == 9
    times = [m[0] for m in e[0]["measurements"]]
    assert times == sorted(times)
    assert stack.http("GET", q(path, name="cpu", start_time=ISO0) +
                      "&merge_metrics=false&merge_metrics=true").status == 409
    # group_by beats merge; a missing key has the value "".
    e = stack.http("GET", q(path, name="cpu", start_time=ISO0, merge_metrics="true",
                            group_by="hostname,nokey")).json["elements"]
    assert sorted(x["dimensions"]["hostname"] for x in e) == ["h1", "h2", "h3"]
    assert all(x["dimensions"]["nokey"] == "" for x in e)
    # Pages over elements, whole.
    for more in ({"group_by": "*"}, {"merge_metrics": "true"}, {"group_by": "hostname"}):
        whole = stack.http("GET", q(path, name="cpu", start_time=ISO0, **more)).json["elements"]
        want = [(x["id"], m) for x in whole for m in x["measurements"]]
        got, offset = [], None
        for _ in range(20):
            p = dict(more, name="cpu", start_time=ISO0, limit=2)
            if offset:
                p["offset"] = offset
            page = stack.http("GET", q(path, **p)).json
            got += [(x["id"], m) for x in page["elements"] for m in x["measurements"]]
            nxt = [l["href"] for l in page["links"] if l["rel"] == "next"]
            if not nxt:
                break
            offset = urllib.parse.parse_qs(urllib.parse.urlparse(nxt[0]).query)["offset"][0]
        assert got == want
    assert stack.http("GET", q(path, name="nobody", start_time=ISO0)).json["elements"] == []
    for params, status in (({"start_time": ISO0}, 422), ({"name": "cpu"}, 422),
                           ({"name": "x" * 256, "start_time": ISO0}, 422),
                           ({"name": "cpu", "start_time": "yesterday"}, 422),
                           ({"name": "cpu", "start_time": ISO0, "end_time": ISO0}, 400),
                           ({"name": "cpu", "start_time": ISO0, "limit": "0"}, 422),
                           ({"name": "cpu", "start_time": ISO0, "limit": "-1"}, 422),
                           ({"name": "cpu", "start_time": ISO0, "limit": "x"}, 422),
                           ({"name": "cpu", "start_time": ISO0, "offset": "x"}, 422),
                           ({"name": "cpu", "start_time": ISO0, "dimensions": "a:b,,c"}, 422)):
        assert stack.http("GET", q(path, **params)).status == status, params


def test_statistics(filled):
    stack, t = filled
    path = "/v2.0/metrics/statistics"
    p = dict(name="cpu", start_time=ISO0, dimensions="hostname:h1")
    a = stack.http("GET", q(path, statistics="avg,MIN,max,count,sum", period=60, **p))
    e = a.json["elements"]
    assert set(e[0]) == {"id", "name", "dimensions", "columns", "statistics"}
    assert e[0]["columns"] == ["timestamp", "avg", "min", "max", "count", "sum"]
    assert e[0]["statistics"] == [[iso(t)[:-5] + "Z", 3.0, 1.0, 6.0, 3, 9.0]]
    assert b",3.0,1.0,6.0,3,9.0]" in a.body  # an average is a JSON float
    e = stack.http("GET", q(path, statistics="count", period=1, **p)).json["elements"]
    assert [r[1] for r in e[0]["statistics"]] == [1, 1, 1]
    e = stack.http("GET", q(path, statistics="sum,count", period=100000, name="cpu", start_time=ISO0,
                            merge_metrics="true")).json["elements"]
    assert e[0]["columns"] == ["timestamp", "sum", "count"]
    assert sum(r[1] for r in e[0]["statistics"]) == 27
    assert stack.http("GET", q(path, statistics="avg", name="cpu",
                               start_time=ISO0)).status == 409
    # Pages.
    got, offset = [], None
    for _ in range(20):
        params = dict(p, statistics="avg", period=1, limit=1)
        if offset:
            params["offset"] = offset
        page = stack.http("GET", q(path, **params)).json
        got += [r[1] for x in page["elements"] for r in x["statistics"]]
        nxt = [l["href"] for l in page["links"] if l["rel"] == "next"]
        if not nxt:
            break
        offset = urllib.parse.parse_qs(urllib.parse.urlparse(nxt[0]).query)["offset"][0]
    assert got == [1.0, 2.0, 6.0]
    for params in ({}, {"statistics": "median"}, {"statistics": "avg", "period": "-1"},
                   {"statistics": "avg", "period": "x"}, {"statistics": "avg,,min"}):
        assert stack.http("GET", q(path, **dict(p, **params))).status == 422, params


# --- definitions ------------------------------------------------------------------------------------

def test_definitions(stack):
    stack.start("collector")
    path = "/v2.0/alarm-definitions"
    body = {"name": "cpu high", "expression": "max(cpu{hostname=h1}) > 90 and avg(mem) > 5",
            "severity": "high", "match_by": ["hostname"], "description": "d",
            "alarm_actions": ["a1"]}
    a = stack.http("POST", path, body)
    assert a.status == 201 and set(a.json) == DEFINITION_KEYS, a
    d = a.json
    assert d["severity"] == "HIGH" and d["expression"] == body["expression"]
    assert d["links"][0]["href"].endswith(f"{path}/{d['id']}")
    a = stack.http("POST", path, body)
    assert a.status == 409 and a.json["title"] == "AlreadyExistsException"
    assert stack.http("GET", f"{path}/{d['id']}").json == d
    for bad, status in ((b"{", 400), (b"", 400), (b"[]", 422), (b"null", 422),
                        ({"name": "x"}, 422), ({"expression": "max(x) > 1"}, 422),
                        ({"name": "x", "expression": "median(x) > 1"}, 422),
                        ({"name": "x" * 256, "expression": "max(x) > 1"}, 422),
                        ({"name": "x", "expression": "max(x) > 1", "severity": "AWFUL"}, 422),
                        ({"name": "x", "expression": "max(x) > 1", "match_by": "h"}, 422),
                        ({"name": "x", "expression": "max(x) > 1", "ok_actions": ["a", "a"]}, 422)):
        assert stack.http("POST", path, bad).status == status, bad
    # Control record and hash are in Redis.
    assert stack.redis.cmd("XLEN", "hale:{m}:control") == 1
    stored = json.loads(stack.redis.cmd("HGET", "hale:{m}:definitions", d["id"]))
    assert stored["version"] == 1 and stored["tenant"] == "default"
    # Changes.
    one = f"{path}/{d['id']}"
    a = stack.http("PATCH", one, {"actions_enabled": "true", "severity": "CRITICAL"})
    assert a.status == 200 and a.json["severity"] == "CRITICAL", a
    assert json.loads(stack.redis.cmd("HGET", "hale:{m}:definitions", d["id"]))["version"] == 2
    full = {k: v for k, v in a.json.items() if k not in ("id", "links", "deterministic")}
    full["name"] = "renamed"
    assert stack.http("PUT", one, full).json["name"] == "renamed"
    assert stack.http("POST", path, dict(body)).status == 201  # the old name is free
    for k in full:
        assert stack.http("PUT", one, {x: v for x, v in full.items() if x != k}).status == 422, k
    assert stack.http("PATCH", one, {"name": "cpu high"}).status == 409
    for bad in ({"match_by": ["x"]}, {"expression": "max(cpu{hostname=h1}) > 90"},
                {"expression": "max(cpu{hostname=h2}) > 90 and avg(mem) > 5"}):
        a = stack.http("PATCH", one, bad)
        assert a.status == 422 and a.json["title"] == "InvalidUpdateException", a
    assert stack.http("PATCH", one, {"expression": "max(cpu{hostname=h1}) > 9 or avg(mem) > 5"}
                      ).status == 200
    # Lists.
    for i, sev in enumerate(("LOW", "MEDIUM", "HIGH")):
        assert stack.http("POST", path, {"name": f"n{i}", "expression": f"max(m{i}) > 1",
                                         "severity": sev}).status == 201
    names = [e["name"] for e in stack.http("GET", path + "?sort_by=severity,name").json["elements"]]
    assert names == ["renamed", "cpu high", "n2", "n0", "n1"]
    assert [e["name"] for e in stack.http("GET", q(path, sort_by="name desc", limit=2, offset=1))
            .json["elements"]] == ["n2", "n1"]
    assert len(stack.http("GET", q(path, name="n1")).json["elements"]) == 1
    assert len(stack.http("GET", q(path, severity="low|medium")).json["elements"]) == 2
    assert len(stack.http("GET", q(path, dimensions="hostname:h1")).json["elements"]) == 2
    for bad in ("severity=X", "sort_by=color", "sort_by=name up", "offset=x", "limit=x"):
        assert stack.http("GET", path + "?" + bad.replace(" ", "+")).status == 422, bad
    # Delete.
    assert stack.http("DELETE", one).status == 204
    for method, payload in (("GET", None), ("DELETE", None), ("PATCH", {"name": "q"}), ("PUT", full)):
        assert stack.http(method, one, payload).status == 404
    assert stack.http("POST", path, full).status == 201


def test_concurrent_creation_gives_one_definition(stack):
    stack.start("collector")
    stack.token()
    answers = []

    def create():
        answers.append(stack.http("POST", "/v2.0/alarm-definitions",
                                  {"name": "same", "expression": "max(x) > 1"}).status)
    threads = [threading.Thread(target=create) for _ in range(12)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    assert sorted(answers) == [201] + [409] * 11
    assert stack.redis.cmd("HLEN", "hale:{m}:definitions") == 1
    assert stack.redis.cmd("HLEN", "hale:{m}:defnames") == 1


# --- events ---------------------------------------------------------------------------------------

def test_events(stack):
    stack.start("collector")
    good = {"type": "vnfc.down", "time": "2026-11-21T10:11:12.123Z", "severity": "MAJOR",
            "dimensions": {"vnf_id": "v1"}, "details": {"x": [1]}}
    doctor = {"time": now_ms(), "type": "compute.host.down",
              "details": {"hostname": "compute-1", "status": "down", "monitor": "m", "severity":
                          "critical"}}
    for n, body in ((1, good), (2, [good, doctor]), (1, {"event": doctor}), (2, {"events": [good] * 2})):
        a = stack.http("POST", "/v1/events", body, role="agent")
        assert a.status == 200 and a.json == {"accepted": n}, (body, a)
    assert stack.http("PUT", "/events", [doctor], role="agent").json == {"accepted": 1}
    rows = [json.loads(e[1][1]) for e in stack.redis.cmd("XRANGE", "hale:{m}:events", "-", "+")]
    assert len(rows) == 7
    assert rows[0]["severity"] == "HIGH" and rows[0]["status"] == "raise"
    assert rows[0]["time_ms"] == 1795255872123 and rows[0]["tenant"] == "default"
    assert rows[2]["dimensions"] == {"hostname": "compute-1"} and rows[2]["severity"] == "CRITICAL"
    assert rows[0]["accepted_us"] > 10**15
    clear = stack.http("POST", "/v1/events", dict(good, status="resolved"))
    assert clear.status == 200
    assert json.loads(stack.redis.cmd("XREVRANGE", "hale:{m}:events", "+", "-", "COUNT", 1)[0][1][1]
                      )["status"] == "clear"
    for bad, status in ((b"{", 400), (b"", 400), (b"null", 422), ([], 422), ({}, 422), ("x", 422),
                        ({"type": "t"}, 422), ({"type": "t", "dimensions": {}}, 422),
                        ({"type": "a b", "dimensions": {"a": "b"}}, 422),
                        ({"type": 5, "dimensions": {"a": "b"}}, 422),
                        ({"type": "t", "dimensions": {"a": 5}}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "severity": "odd"}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "status": "odd"}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "time": "odd"}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "details": []}, 422),
                        ({"type": "t", "dimensions": {"a": "b"}, "details": {"x": "y" * 70000}}, 422),
                        ([good] * 1001, 422), ([good, {"type": "t"}], 422)):
        assert stack.http("POST", "/v1/events", bad).status == status, str(bad)[:200]
    assert stack.redis.cmd("XLEN", "hale:{m}:events") == 8
    assert stack.http("POST", "/v1/events", good, role="read-only").status == 401
    assert stack.http("GET", "/v1/events").status == 405
    assert stack.http("GET", "/v1/events").headers["allow"] == "POST, PUT"


# --- alarms: a stand-in writes what the correlator would ----------------------------------------------

class Correlator:
    """Writes alarms and their log as docs/formats/alarm.md says."""

    def __init__(self, redis):
        self.redis, self.seq, self.alarms = redis, 0, {}

    def alarm(self, state="OK", tenant="default", severity="LOW", name="d", host="h1", **more):
        t = now_ms()
        a = {"v": 1, "id": str(uuid.uuid4()), "tenant": tenant, "source": "metric",
             "definition_id": "def-" + name, "definition_name": name, "description": "",
             "severity": severity, "actions_enabled": True, "group": {"hostname": host},
             "metrics": [{"name": "cpu", "dimensions": {"hostname": host}}], "state": state,
             "reason": "because", "sub_alarms": [], "lifecycle_state": None, "link": None,
             "created_ms": t, "updated_ms": t, "state_updated_ms": t, "seq": 0}
        a.update(more)
        self.write(a, "created", a["state"])
        return a

    def write(self, a, kind, old, t=None):
        self.seq += 1
        t = t or now_ms()
        a = dict(a, seq=self.seq, updated_ms=t)
        record = {"v": 1, "seq": self.seq, "kind": kind, "time_ms": t, "old_state": old, "alarm": a,
                  "evidence": {"definition_version": 1, "expression": "max(cpu) > 1", "subs": []},
                  "accepted_us": 0, "decided_us": 0, "logged_us": t * 1000}
        if kind == "deleted":
            self.alarms.pop(a["id"], None)
            self.redis.cmd("HDEL", "hale:{m}:alarms", a["id"])
        else:
            self.alarms[a["id"]] = a
            self.redis.cmd("HSET", "hale:{m}:alarms", a["id"], json.dumps(a))
        self.redis.cmd("XADD", "hale:{m}:alarmlog", f"{self.seq}-0", "j", json.dumps(record))
        return a

    def transition(self, alarm_id, state, t=None):
        a = self.alarms[alarm_id]
        t = t or now_ms()
        return self.write(dict(a, state=state, state_updated_ms=t), "transition", a["state"], t)

    def journal(self, alarm_id, tenant="default", text="x"):
        row = {"v": 1, "time_ms": now_ms(), "kind": "observed", "run_id": str(uuid.uuid4()),
               "policy": "p", "mode": "observe", "tenant": tenant, "alarm_id": alarm_id,
               "alarm_name": "d", "alarm_seq": 1, "target": "t", "step": -1, "step_type": "",
               "attempt": 0, "text": text, "detail": {}}
        return self.redis.cmd("XADD", "hale:{m}:journal", "*", "j", json.dumps(row)).decode()

    def serve(self, seconds=20):
        """Obeys control records about alarms until stop()."""
        self.last, self.stopping = "0-0", False

        def run():
            while not self.stopping:
                got = own.cmd("XREAD", "COUNT", 10, "BLOCK", 50, "STREAMS", "hale:{m}:control",
                              self.last)
                for entry in (got[0][1] if got else []):
                    self.last = entry[0].decode()
                    r = json.loads(entry[1][1])
                    if r["op"] == "alarm-delete" and r["id"] in self.alarms:
                        self.write(self.alarms[r["id"]], "deleted", "OK")
                    if r["op"] == "alarm-patch" and r["id"] in self.alarms:
                        a = self.alarms[r["id"]]
                        new = dict(a)
                        for k in ("state", "lifecycle_state", "link"):
                            if r.get(k) is not None:
                                new[k] = r[k]
                        self.write(new, "transition" if new["state"] != a["state"] else "updated",
                                   a["state"])
        own = type(self.redis)(self.redis.dir)
        self.redis = type(self.redis)(self.redis.dir)
        self.thread = threading.Thread(target=run)
        self.thread.start()

    def stop(self):
        self.stopping = True
        self.thread.join()


def ids(answer):
    assert answer.status == 200, answer
    assert set(answer.json) == {"links", "elements"}
    return [e["id"] for e in answer.json["elements"]]


def test_alarm_lists(stack):
    cor = Correlator(stack.redis)
    early = cor.alarm("ALARM", name="early", severity="CRITICAL")  # before the collector's start
    stack.start("collector")
    rest = [cor.alarm("OK", name="b", severity="LOW", host="h2", link="http://x"),
            cor.alarm("UNDETERMINED", name="a", severity="HIGH", host="h3",
                      lifecycle_state="OPEN")]
    cor.alarm(tenant="other")
    mine = [early] + rest
    path = "/v2.0/alarms"
    wait_for(lambda: len(ids(stack.http("GET", path))) == 3, 10, "three alarms")
    a = stack.http("GET", path)
    assert ids(a) == sorted(x["id"] for x in mine)
    assert all(set(e) == ALARM_KEYS for e in a.json["elements"])
    e = [x for x in a.json["elements"] if x["id"] == early["id"]][0]
    assert set(e["alarm_definition"]) == {"id", "name", "severity", "links"}
    assert e["metrics"] == early["metrics"] and e["state"] == "ALARM"
    assert e["state_updated_timestamp"] == iso(early["state_updated_ms"])
    order = {"early": early["id"], "b": rest[0]["id"], "a": rest[1]["id"]}
    for sort, names in (("alarm_definition_name", "a b early"), ("state", "b a early"),
                        ("severity desc", "early a b"), ("severity", "b a early"),
                        ("created_timestamp desc,alarm_id", "a b early")):
        assert ids(stack.http("GET", q(path, sort_by=sort))) == [order[n] for n in names.split()], sort
    for params, names in (({"state": "alarm"}, "early"), ({"severity": "LOW|high"}, "b a"),
                          ({"alarm_definition_id": "def-b"}, "b"), ({"metric_name": "cpu"}, "early b a"),
                          ({"metric_name": "none"}, ""), ({"metric_dimensions": "hostname:h2"}, "b"),
                          ({"metric_dimensions": "hostname:h2|h3"}, "b a"), ({"link": "http://x"}, "b"),
                          ({"metric_dimensions": "hostname"}, "early b a"),
                          ({"lifecycle_state": "OPEN"}, "a"),
                          ({"state_updated_start_time": "2030-01-01T00:00:00Z"}, ""),
                          ({"state_updated_timestamp": "x"}, "early b a")):
        assert sorted(ids(stack.http("GET", q(path, **params)))) == sorted(
            order[n] for n in names.split()), params
    page = stack.http("GET", q(path, sort_by="severity desc", limit=1, offset=1))
    assert ids(page) == [order["a"]] and "offset=2" in page.json["links"][1]["href"]
    for bad in ("state=x", "severity=x", "sort_by=x", "offset=x", "limit=0",
                "metric_dimensions=" + "k" * 256, "state_updated_start_time=x"):
        assert stack.http("GET", path + "?" + bad).status == 422, bad
    one = stack.http("GET", f"{path}/{early['id']}")
    assert one.status == 200 and set(one.json) == ALARM_KEYS
    assert stack.http("GET", f"{path}/{uuid.uuid4()}").status == 404
    assert stack.http("GET", f"{path}/{early['id']}", tenant="other").status == 404
    # Counts.
    c = stack.http("GET", path + "/count").json
    assert set(c) == {"links", "columns", "counts"} and c["counts"] == [[3]]
    c = stack.http("GET", path + "/count?group_by=state,severity").json
    assert c["columns"] == ["count", "state", "severity"]
    assert c["counts"] == [[1, "ALARM", "CRITICAL"], [1, "OK", "LOW"], [1, "UNDETERMINED", "HIGH"]]
    c = stack.http("GET", path + "/count?group_by=dimension_name,dimension_value&state=OK").json
    assert c["counts"] == [[1, "hostname", "h2"]]
    assert stack.http("GET", path + "/count?metric_name=no&group_by=state").json["counts"] == [[0, None]]
    assert stack.http("GET", path + "/count?group_by=x").status == 422
    s = stack.http("GET", "/v1/status").json
    assert set(s) == {"version", "time_ms", "tenant", "roles", "daemons", "redis", "series", "alarms"}
    stack.redis.cmd("SET", "hale:{m}:health:hale-thresholds", '{"status":"ok"}', "EX", 10)
    wait_for(lambda: set(stack.http("GET", "/v1/status").json["daemons"]) ==
             {"collector", "thresholds"}, 10, "health of both")
    assert s["tenant"] == "default" and s["roles"] == ["operator"] and s["redis"]["ok"] is True
    assert s["alarms"] == {"OK": 1, "ALARM": 1, "UNDETERMINED": 1}


def test_alarm_changes(stack):
    cor = Correlator(stack.redis)
    stack.start("collector")
    a = cor.alarm("ALARM")
    path = f"/v2.0/alarms/{a['id']}"
    wait_for(lambda: stack.http("GET", path).status == 200, 10, "the alarm")
    full = {"state": "OK", "lifecycle_state": "ACK", "link": "http://t/1"}
    for bad in (b"[]", {"state": "odd"}, {"state": 5}, {"lifecycle_state": "x" * 51},
                {"link": "x" * 513}):
        assert stack.http("PATCH", path, bad).status == 422, bad
    for k in full:
        assert stack.http("PUT", path, {x: v for x, v in full.items() if x != k}).status == 422
        assert stack.http("PUT", path, dict(full, **{k: ""})).status == 422
    assert stack.http("PATCH", path, b"{").status == 400
    # Nobody obeys: 503, and the wish stays recorded.
    b = stack.http("PATCH", path, {"link": "http://t/0"})
    assert b.status == 503 and "retry-after" in b.headers
    cor.serve()
    try:
        b = stack.http("PUT", path, full)
        assert b.status == 200 and {k: b.json[k] for k in full} == full, b
        b = stack.http("PATCH", path, {"lifecycle_state": "RESOLVED", "state": None})
        assert b.status == 200 and b.json["lifecycle_state"] == "RESOLVED" and b.json["state"] == "OK"
        gone = f"/v2.0/alarms/{uuid.uuid4()}"
        assert stack.http("PATCH", gone, {"state": "OK"}).status == 404
        assert stack.http("DELETE", gone).status == 404
        assert len(stack.http("GET", path + "/state-history").json["elements"]) == 1
        assert stack.http("DELETE", path, tenant="other").status == 404
        assert stack.http("DELETE", path).status == 204
        assert stack.http("GET", path).status == 404
        assert stack.http("GET", path + "/state-history").status == 404
        assert stack.http("GET", "/v2.0/alarms/state-history").json["elements"] == []
    finally:
        cor.stop()


def test_state_history_and_logs(stack):
    cor = Correlator(stack.redis)
    base = now_ms() - 60000
    a = cor.alarm("OK", host="h1")
    for i, s in enumerate(("ALARM", "OK", "ALARM")):
        cor.transition(a["id"], s, base + 1000 * i)
    stack.start("collector")  # the index is built backwards from the log
    b = cor.alarm("OK", host="h2")
    cor.transition(b["id"], "ALARM", base + 5000)
    other = cor.alarm("OK", tenant="other")
    cor.transition(other["id"], "ALARM", base + 6000)
    path = "/v2.0/alarms/state-history"

    def rows(p=path, **params):
        r = stack.http("GET", q(p, **params))
        assert r.status == 200, r
        return r.json["elements"]
    wait_for(lambda: len(rows()) == 4, 10, "four transitions")
    r = rows()
    assert set(r[0]) == {"id", "alarm_id", "metrics", "old_state", "new_state", "reason",
                         "reason_data", "timestamp", "sub_alarms"}
    assert [x["timestamp"] for x in r] == [iso(base + k) for k in (0, 1000, 2000, 5000)]
    assert r[0]["id"] == str(base) and r[0]["metrics"][0]["id"] is None
    assert (r[0]["old_state"], r[0]["new_state"]) == ("OK", "ALARM")
    assert len(rows(start_time=iso(base + 1000), end_time=iso(base + 2000))) == 2  # both inclusive
    assert len(rows(dimensions="hostname:h2")) == 1
    assert len(rows(offset=iso(base + 1000))) == 2 and len(rows(offset=str(base))) == 3
    assert len(rows(offset=0)) == 4
    assert len(rows(f"/v2.0/alarms/{a['id']}/state-history/")) == 3
    page = stack.http("GET", q(path, limit=3))
    nxt = urllib.parse.urlparse(page.json["links"][1]["href"]).query
    assert len(stack.http("GET", path + "?" + nxt).json["elements"]) == 1
    for bad in ("start_time=x", "offset=x", "limit=x", "dimensions=" + "x" * 256):
        assert stack.http("GET", path + "?" + bad).status == 422
    # Hale's own logs.
    log = stack.http("GET", "/v1/alarm-log").json["elements"]
    assert [x["seq"] for x in log] == [1, 2, 3, 4, 5, 6]
    assert [x["seq"] for x in stack.http("GET", "/v1/alarm-log?limit=2").json["elements"]] == [5, 6]
    assert [x["seq"] for x in stack.http("GET", "/v1/alarm-log?after=2&limit=2").json["elements"]] == [3, 4]
    assert [x["seq"] for x in stack.http("GET", "/v1/alarm-log?before=3").json["elements"]] == [1, 2]
    assert [x["seq"] for x in stack.http("GET", f"/v1/alarm-log?alarm_id={b['id']}").json["elements"]] == [5, 6]
    j = [cor.journal(a["id"]), cor.journal(b["id"]), cor.journal(a["id"], tenant="other")]
    assert [x["id"] for x in stack.http("GET", "/v1/journal").json["elements"]] == j[:2]
    assert [x["id"] for x in stack.http("GET", f"/v1/journal?alarm_id={b['id']}").json["elements"]] == [j[1]]
    assert [x["id"] for x in stack.http("GET", f"/v1/journal?after={j[0]}").json["elements"]] == [j[1]]
    for bad in ("/v1/alarm-log?after=x", "/v1/journal?after=x", "/v1/journal?limit=0"):
        assert stack.http("GET", bad).status == 422
    s = stack.http("GET", f"/v1/alarms/{a['id']}").json
    assert s["alarm"]["id"] == a["id"] and s["last"]["seq"] == 4 and s["last"]["evidence"]
    assert [x["id"] for x in s["journal"]] == [j[0]]
    assert stack.http("GET", f"/v1/alarms/{uuid.uuid4()}").status == 404


# --- live ---------------------------------------------------------------------------------------------

class Live:
    """An SSE client; events are (id, event, data) with hello first."""

    def __init__(self, stack, last=None, header=True, tenant="default"):
        host, port = stack.address
        self.c = http.client.HTTPConnection(host, port, timeout=15)
        h = {"X-Auth-Token": stack.token("operator", tenant)}
        path = "/v1/live"
        if last and header:
            h["Last-Event-ID"] = last
        elif last:
            path += "?last_event_id=" + last
        self.c.request("GET", path, headers=h)
        self.r = self.c.getresponse()
        assert self.r.status == 200
        assert self.r.getheader("Content-Type").startswith("text/event-stream")

    def next(self):
        event = {}
        while True:
            line = self.r.readline().decode()
            assert line, "the stream ended"
            line = line.rstrip("\n")
            if not line:
                if event:
                    return event
                continue
            if line.startswith(":"):
                continue
            k, v = line.split(": ", 1)
            event.setdefault("first", k)
            event[k] = v

    def close(self):
        self.r.close()
        self.c.close()


def test_live_resumes_without_gap_or_repetition(stack):
    cor = Correlator(stack.redis)
    a = cor.alarm("OK")
    other = cor.alarm("OK", tenant="other")
    stack.start("collector")
    stack.token("operator", "other")
    live = Live(stack)
    hello = live.next()
    assert hello["event"] == "hello" and hello["first"] == "event"
    assert json.loads(hello["data"])["id"].startswith("2.")
    cor.transition(a["id"], "ALARM")
    e = live.next()
    assert e["event"] == "alarm" and e["id"].startswith("3.") and json.loads(e["data"])["seq"] == 3
    cor.transition(other["id"], "ALARM")  # not for this tenant
    j = cor.journal(a["id"])
    e = live.next()
    assert e["event"] == "action" and e["id"] == f"4.{j}" and json.loads(e["data"])["id"] == j
    live.close()
    last = e["id"]
    # Much happens while nobody listens; the rest while catching up.
    want = []
    for i in range(700):
        cor.transition(a["id"], "OK" if i % 2 == 0 else "ALARM")
        want.append(("alarm", cor.seq))
        if i % 10 == 0:
            cor.transition(other["id"], "OK" if i % 20 == 0 else "ALARM")
    jids = [cor.journal(a["id"]) for _ in range(150)]
    stop = threading.Event()
    writer = Correlator(type(stack.redis)(stack.redis.dir))
    writer.seq, writer.alarms = cor.seq, cor.alarms

    def more():
        for i in range(300):
            writer.transition(a["id"], "OK" if i % 2 == 0 else "ALARM")
        stop.set()
    th = threading.Thread(target=more)
    live = Live(stack, last)
    th.start()
    assert live.next()["event"] == "hello"
    seqs, actions = [], []
    while not (stop.is_set() and seqs and seqs[-1] == writer.seq and len(actions) == 150):
        e = live.next()
        d = json.loads(e["data"])
        if e["event"] == "alarm":
            seqs.append(d["seq"])
        else:
            actions.append(d["id"])
    th.join()
    live.close()
    foreign = {r["seq"] for r in stack.http("GET", "/v1/alarm-log?limit=1000", tenant="other")
               .json["elements"]}
    assert seqs == [s for s in range(5, writer.seq + 1) if s not in foreign]
    assert actions == jids
    # From the oldest kept, by query parameter; the other tenant sees only its own.
    live = Live(stack, "0.0-0", header=False, tenant="other")
    live.next()
    assert json.loads(live.next()["data"])["alarm"]["tenant"] == "other"
    live.close()
    h = {"Last-Event-ID": "nonsense"}
    assert stack.http("GET", "/v1/live", headers=h).status == 422
    assert stack.http("GET", "/v1/live", role="agent").status == 401


def test_live_survives_the_collector(stack):
    cor = Correlator(stack.redis)
    a = cor.alarm("OK")
    stack.start("collector")
    live = Live(stack)
    live.next()
    cor.transition(a["id"], "ALARM")
    last = live.next()["id"]
    stack.kill9("collector")
    live.close()
    cor.transition(a["id"], "OK")
    stack.restart("collector")
    live = Live(stack, last)
    live.next()
    assert json.loads(live.next()["data"])["alarm"]["state"] == "OK"
    live.close()


# --- files, versions, own numbers ---------------------------------------------------------------------

def test_files_and_versions(stack):
    (stack.dashboards / "app.js").write_text("let x;\n")
    (stack.dashboards / ".hidden").write_text("secret")
    (stack.dir / "outside.txt").write_text("secret")
    stack.start("collector")
    a = stack.http("GET", "/", role=None, headers={"Accept": "text/html"})
    assert a.status == 200 and b"hale" in a.body
    assert a.headers["content-type"].startswith("text/html")
    assert a.headers["content-security-policy"].startswith("default-src 'self'")
    v = stack.http("GET", "/", role=None).json
    assert v["elements"][0]["id"] == "v2.0" and set(v) == {"links", "elements"}
    v = stack.http("GET", "/v2.0/", role=None).json
    assert set(v) == {"id", "links", "status", "updated"} and v["links"][0]["href"].endswith("/v2.0")
    a = stack.http("GET", "/app.js", role=None)
    assert a.headers["content-type"].startswith("text/javascript")
    assert stack.http("GET", "/app.js", role=None,
                      headers={"If-None-Match": a.headers["etag"]}).status == 304
    h = stack.http("HEAD", "/app.js", role=None)
    assert h.status == 200 and h.body == b"" and h.headers["content-length"] == "7"
    assert stack.http("POST", "/app.js", b"x", role=None).status == 405
    for path in ("/.hidden", "/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt",
                 "/app.js/", "/nothing", "/app.js%00"):
        assert stack.http("GET", path, role=None).status in (400, 404), path
    assert stack.http("HEAD", "/healthcheck", role=None).status == 204
    assert stack.http("GET", "/healthcheck", role=None).json == {"redis": "OK"}
    m = stack.http("GET", "/metrics", role=None)
    assert m.headers["content-type"].startswith("text/plain")
    assert re.search(rb"^hale_collector_requests_total\{code=\"4xx\"\} [1-9]", m.body, re.M)
    for path in ("/v2.0/nothing", "/v1/nothing", "/v2.0/alarms/a/b/c"):
        assert stack.http("GET", path).status == 404
    a = stack.http("DELETE", "/v2.0/metrics")
    assert a.status == 405 and a.headers["allow"] == "POST, GET"


def test_malformed_http_does_no_harm(stack):
    stack.start("collector")
    token = stack.token()
    for raw in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"POST /v2.0/metrics HTTP/1.1\r\n\r\n",
                b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 300000 + b" HTTP/1.1\r\n\r\n",
                b"POST /v2.0/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                b"GET /v2.0/metrics?%zz=%&a=%ff&=&&dimensions=%00 HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "
                + token.encode() + b"\r\nConnection: close\r\n\r\n"):
        with socket.create_connection(stack.address, timeout=5) as s:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(65536):
                    pass
            except OSError:
                pass
    # A body that stops half way is not taken.
    with socket.create_connection(stack.address, timeout=5) as s:
        s.sendall(b"POST /v2.0/metrics HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + token.encode() +
                  b"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[{\"name\"")
    assert stack.http("GET", "/healthz", role=None).status == 200
    assert stack.redis.cmd("XLEN", "hale:{s0}:samples") == 0


# --- nothing acknowledged is lost ------------------------------------------------------------------------

class Load:
    """Posts numbered samples from several threads; keeps what was acknowledged."""

    def __init__(self, stack, threads=4, per_post=20):
        self.stack, self.per_post = stack, per_post
        self.base = now_ms() - 300000
        self.acked, self.refused = [], []
        self.lock, self.stopping, self.next = threading.Lock(), False, 0
        stack.token("agent", "default")
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]
        for th in self.threads:
            th.start()

    def run(self):
        while not self.stopping:
            with self.lock:
                first = self.next
                self.next += self.per_post
            body = [sample("load", f"h{n % 5}", n, self.base + n)
                    for n in range(first, first + self.per_post)]
            try:
                a = self.stack.http("POST", "/v2.0/metrics", body, role="agent", timeout=20)
            except (OSError, http.client.HTTPException):
                continue  # unknown: must not be counted as acknowledged
            with self.lock:
                if a.status == 204:
                    self.acked.append(first)
                else:
                    self.refused.append(a)

    def stop(self):
        self.stopping = True
        for th in self.threads:
            th.join()

    def check(self):
        want = {n for first in self.acked for n in range(first, first + self.per_post)}
        have = set()

        def all_there():
            have.clear()
            offset = None
            while True:
                p = dict(name="load", start_time=iso(self.base - 1), group_by="*")
                if offset:
                    p["offset"] = offset
                page = self.stack.http("GET", q("/v2.0/metrics/measurements", **p)).json
                for e in page["elements"]:
                    for m in e["measurements"]:
                        have.add(int(m[1]))
                        assert m[0] == iso(self.base + int(m[1]))
                nxt = [l["href"] for l in page["links"] if l["rel"] == "next"]
                if not nxt:
                    break
                offset = urllib.parse.parse_qs(urllib.parse.urlparse(nxt[0]).query)["offset"][0]
            return want <= have
        wait_for(all_there, 20, "every acknowledged sample", every=0.3)


def test_kill_9_loses_nothing_acknowledged(stack):
    stack.start("collector", {"hot_flush": "200ms"})
    load = Load(stack)
    for _ in range(4):
        before = len(load.acked)
        wait_for(lambda: len(load.acked) > before + 60, 20, "load")
        stack.kill9("collector")
        stack.restart("collector")
    load.stop()
    assert len(load.acked) > 200
    load.check()
    stack.kill9("collector")  # and from the chunks alone
    stack.restart("collector")
    load.check()


def test_redis_restart_loses_nothing_acknowledged(stack):
    d = stack.start("collector", {"hot_flush": "200ms"})
    load = Load(stack)
    for _ in range(2):
        before = len(load.acked)
        wait_for(lambda: len(load.acked) > before + 60, 20, "load")
        stack.redis.kill9()
        before = len(load.refused)
        wait_for(lambda: len(load.refused) > before + 5, 20, "503")
        assert d.alive()
        wait_for(lambda: stack.http("GET", "/healthz", role=None).status == 503, 10, "bad health")
        stack.redis.start()
        wait_for(lambda: stack.http("GET", "/healthz", role=None).status == 200, 20, "health")
    before = len(load.acked)
    wait_for(lambda: len(load.acked) > before + 20, 20, "load again")
    load.stop()
    assert all(a.status == 503 and int(a.headers["retry-after"]) >= 1 for a in load.refused)
    load.check()


def test_full_redis_refuses(stack):
    stack.start("collector", {"redis_memory_max": "8m"})
    assert stack.http("POST", "/v2.0/metrics", sample()).status == 204
    stack.redis.cmd("SET", "ballast", b"x" * (12 << 20))

    def refused():
        a = stack.http("POST", "/v2.0/metrics", sample())
        return a if a.status == 503 else None
    a = wait_for(refused, 10, "503")
    assert int(a.headers["retry-after"]) >= 1
    assert stack.http("GET", "/v2.0/metrics").status == 200
    stack.redis.cmd("DEL", "ballast")
    wait_for(lambda: stack.http("POST", "/v2.0/metrics", sample()).status == 204, 10, "room")


def test_trim_follows_all_consumers(stack):
    stack.start("collector", {"hot_flush": "200ms", "archive": False})
    for i in range(5):
        assert stack.http("POST", "/v2.0/metrics", sample(value=i)).status == 204
    wait_for(lambda: stack.redis.cmd("GET", "hale:{s0}:cp:hot"), 10, "checkpoint")
    assert stack.redis.cmd("XLEN", "hale:{s0}:samples") == 5  # thresholds may still want them
    entries = stack.redis.cmd("XRANGE", "hale:{s0}:samples", "-", "+")
    stack.redis.cmd("HSET", "hale:{s0}:thr:meta", "snapshot", entries[2][0])
    stack.redis.cmd("CONFIG", "SET", "stream-node-max-entries", 1)
    wait_for(lambda: stack.redis.cmd("XINFO", "STREAM", "hale:{s0}:samples"), 5, "stream")
    assert stack.redis.cmd("XRANGE", "hale:{s0}:samples", entries[2][0], "+") == entries[2:]


def test_stop_is_clean(stack):
    stack.start("collector")
    live = Live(stack)
    live.next()
    assert stack.http("POST", "/v2.0/metrics", sample(value=7)).status == 204
    stack.stop("collector")
    live.close()
    stack.restart("collector")
    assert measurements(stack, 1, name="cpu")[0]["measurements"][0][1] == 7.0


def test_max_series(stack):
    stack.start("collector", {"max_series": 3})
    for i in range(3):
        assert stack.http("POST", "/v2.0/metrics", sample(host=f"h{i}")).status == 204
    a = stack.http("POST", "/v2.0/metrics", sample(host="h3"))
    assert a.status == 503 and a.headers["retry-after"]
    assert stack.http("POST", "/v2.0/metrics", sample(host="h1", value=2)).status == 204


def test_two_collectors_share_one_redis(stack, tmp_path_factory):
    stack.start("collector")
    assert stack.http("POST", "/v2.0/metrics", sample(host="h1", value=1)).status == 204
    second = Stack(tmp_path_factory.mktemp("second"), stack.redis)
    try:
        second.start("collector", {"shards": 1})
        # Series and samples of either are found at both, also those of the time before.
        assert second.http("POST", "/v2.0/metrics", sample(host="h2", value=2)).status == 204
        assert second.http("POST", "/v2.0/metrics", sample(host="h1", value=3)).status == 204
        for s in (stack, second):
            e = measurements(s, 3, name="cpu", group_by="*")
            assert sorted(m[1] for x in e for m in x["measurements"]) == [1.0, 2.0, 3.0]
    finally:
        faults = second.finish()
    assert not faults, faults


# --- archive -----------------------------------------------------------------------------------------

def counter(stack, name):
    text = stack.http("GET", "/metrics", role=None).body.decode()
    return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text, re.M))


def test_archive_answers_for_what_is_no_longer_hot(stack):
    conf = {"hot_retention": "10m", "hot_flush": "200ms", "archive_interval": "10s"}
    stack.start("collector", conf)
    start = (now_ms() // 600000 - 18) * 600000  # three hours ago
    body = [sample("old", f"h{h}", h * 100 + i, start + 10000 * i + 5000)
            for i in range(120) for h in range(3)]
    body += [sample("old", f"h{h}", h, now_ms()) for h in range(3)]  # closes the last step
    assert stack.http("POST", "/v2.0/metrics", body).status == 204
    wait_for(lambda: counter(stack, "hale_collector_archive_points_total") >= 360, 40, "archive")
    assert len(list(stack.state.glob("rrd/0/*/*.rrd"))) == 3

    def raw(n):
        return measurements(stack, n, name="old", dimensions="hostname:h1", start_time=iso(start),
                            end_time=iso(start + 3600000))[0]["measurements"]
    assert [m[1] for m in raw(120)] == [100.0 + i for i in range(120)]
    # The raw samples expire; the same range now comes from the files.
    wait_for(lambda: stack.redis.cmd("GET", "hale:{s0}:cp:hot"), 10, "flush")
    for key in stack.redis.cmd("KEYS", "hale:{s0}:hot:*"):
        stack.redis.cmd("DEL", key)
    rows = raw(100)
    assert rows[0] == [iso(start), 100.0, {}] and rows[-1][1] == 219.0 and len(rows) == 120
    e = stack.http("GET", q("/v2.0/metrics/statistics", name="old", start_time=iso(start),
                            end_time=iso(start + 1200000), statistics="avg,min,max,count", period=60,
                            dimensions="hostname:h1")).json["elements"]
    assert len(e[0]["statistics"]) == 20
    assert e[0]["statistics"][0] == [iso(start)[:-5] + "Z", 102.5, 100.0, 105.0, 6]
    e = stack.http("GET", q("/v2.0/metrics/statistics", name="old", start_time=iso(start),
                            end_time=iso(start + 1200000), statistics="avg", period=600,
                            merge_metrics="true")).json["elements"]
    assert abs(e[0]["statistics"][0][1] - 129.5) < 1e-6
    # A crash and a replay change nothing.
    stack.kill9("collector")
    stack.restart("collector")
    assert raw(100) == rows
