# SPDX-License-Identifier: Apache-2.0
"""The collector's HTTP interface against a real Redis: roles, ingest, queries, files."""
import json
import re
import socket
import urllib.parse

import pytest
from collector_kit import (ISO0, iso, measurements, now_ms, q, sample)
from conftest import wait_for

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


# --- files, versions, own numbers -----------------------------------------------------------------

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
