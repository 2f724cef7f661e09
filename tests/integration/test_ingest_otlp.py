# SPDX-License-Identifier: Apache-2.0
"""OTLP metrics over HTTP in both encodings, with bodies of protoc's messages."""
import gzip
import importlib

import pytest
from collector_kit import measurements, now_ms
from conftest import wait_for
from wire_kit import messages, names, rejected, series_of  # noqa: F401 (messages is a fixture)


class Otlp:
    """Sends one request in either encoding, and reads the answers of both alike."""

    def __init__(self, stack, pb, encoding):
        self.stack, self.pb, self.encoding = stack, pb, encoding
        self.json_format = importlib.import_module("google.protobuf.json_format")
        self.type = "application/json" if encoding == "json" else "application/x-protobuf"

    def request(self, resource=None):
        r = self.pb.Request()
        rm = r.resource_metrics.add()
        for k, v in (resource or {}).items():
            self.put(rm.resource.attributes, k, v)
        sm = rm.scope_metrics.add()
        sm.scope.name = "a scope"
        return r, sm.metrics

    def put(self, attributes, key, value):
        a = attributes.add(key=key)
        if isinstance(value, bool):
            a.value.bool_value = value
        elif isinstance(value, int):
            a.value.int_value = value
        elif isinstance(value, float):
            a.value.double_value = value
        elif isinstance(value, bytes):
            a.value.bytes_value = value
        elif isinstance(value, list):
            a.value.array_value.values.add().string_value = str(value)
        elif isinstance(value, dict):
            a.value.kvlist_value.values.add().key = "x"
        elif value is not None:
            a.value.string_value = value

    def number(self, points, value, ms, attributes=None, **more):
        p = points.add(time_unix_nano=ms * 1000000 + 999999, **more)
        if isinstance(value, int):
            p.as_int = value
        elif value is not None:
            p.as_double = value
        for k, v in (attributes or {}).items():
            self.put(p.attributes, k, v)
        return p

    def bytes_of(self, request):
        if self.encoding == "json":
            return self.json_format.MessageToJson(request).encode()
        return request.SerializeToString()

    def post(self, request, path="/v1/metrics", headers=None, **more):
        body = request if isinstance(request, bytes) else self.bytes_of(request)
        return self.stack.http("POST", path, body,
                               headers=dict({"Content-Type": self.type}, **(headers or {})), **more)

    def read(self, message, answer):
        assert answer.headers["content-type"] == self.type, answer
        if self.encoding == "json":
            return self.json_format.Parse(answer.body, message)
        message.ParseFromString(answer.body)
        return message

    def good(self, request, **more):
        a = self.post(request, **more)
        assert a.status == 200, a
        r = self.read(self.pb.Response(), a)
        assert not r.HasField("partial_success"), r

    def partial(self, request):
        a = self.post(request)
        assert a.status == 200, a
        r = self.read(self.pb.Response(), a)
        assert r.partial_success.error_message, r
        return r.partial_success.rejected_data_points, r.partial_success.error_message


@pytest.fixture(params=["protobuf", "json"])
def otlp(stack, messages, request):
    stack.start("collector", {"max_body": "256k"})
    return Otlp(stack, messages[1], request.param)


def test_otlp_numbers(stack, otlp):
    t = now_ms()
    r, metrics = otlp.request({"service.name": "shop", "host.name": "compute-1", "pid": 7,
                               "spot": True, "share": 0.25, "nothing": None, "void": ""})
    m = metrics.add(name="queue.length")
    otlp.number(m.gauge.data_points, 4.5, t, {"queue": "a"})
    otlp.number(m.gauge.data_points, -3, t, {"queue": "b"})
    m = metrics.add(name="requests")
    m.sum.is_monotonic = True
    m.sum.aggregation_temporality = 2
    otlp.number(m.sum.data_points, 2**40 + 1, t)
    otlp.number(m.sum.data_points, 2**40 + 2, t + 10)
    otlp.good(r, role="agent")
    otlp.good(r, path="/otlp/v1/metrics")
    own = (("hostname", "compute-1"), ("pid", "7"), ("service.name", "shop"), ("share", "0.25"),
           ("spot", "true"))
    measurements(stack, 2, name="queue.length", group_by="*")
    measurements(stack, 2, name="requests")
    assert series_of(stack, "queue.length") == {
        tuple(sorted(own + (("queue", "a"),))): {t: 4.5},
        tuple(sorted(own + (("queue", "b"),))): {t: -3.0}}
    assert series_of(stack, "requests") == {own: {t: 2.0**40 + 1, t + 10: 2.0**40 + 2}}
    assert rejected(stack, "otlp") == 0


def test_otlp_histograms_and_summaries(stack, otlp):
    t = now_ms()
    r, metrics = otlp.request({"host.name": "h"})
    p = metrics.add(name="lat").histogram.data_points.add(
        time_unix_nano=t * 1000000, count=10, sum=42.5, min=0.1, max=20,
        bucket_counts=[1, 4, 5], explicit_bounds=[0.5, 10])
    otlp.put(p.attributes, "route", "r1")
    p = metrics.add(name="exp").exponential_histogram.data_points.add(
        time_unix_nano=t * 1000000, count=3, sum=1.5, min=0.25, max=1)
    p = metrics.add(name="summ").summary.data_points.add(time_unix_nano=t * 1000000, count=9, sum=3)
    p.quantile_values.add(quantile=0.5, value=1)
    p.quantile_values.add(quantile=0.99, value=2.5)
    otlp.good(r)
    route = (("hostname", "h"), ("route", "r1"))
    host = (("hostname", "h"),)
    want = {
        "lat.count": {route: 10.0}, "lat.sum": {route: 42.5}, "lat.min": {route: 0.1},
        "lat.max": {route: 20.0},
        "lat.bucket": {(("hostname", "h"), ("le", le), ("route", "r1")): v
                       for le, v in (("0.5", 1.0), ("10", 5.0), ("+Inf", 10.0))},
        "exp.count": {host: 3.0}, "exp.sum": {host: 1.5}, "exp.min": {host: 0.25},
        "exp.max": {host: 1.0}, "summ.count": {host: 9.0}, "summ.sum": {host: 3.0},
        "summ": {host + (("quantile", k),): v for k, v in (("0.5", 1.0), ("0.99", 2.5))}}
    wait_for(lambda: set(names(stack)) == set(want), 10, "all metrics")
    for name, series in want.items():
        measurements(stack, len(series), name=name, group_by="*")
        assert series_of(stack, name) == {k: {t: v} for k, v in series.items()}, name
    # Buckets of exponential histograms are not kept: a warning, nothing rejected.
    r, metrics = otlp.request({"host.name": "h"})
    p = metrics.add(name="exp").exponential_histogram.data_points.add(
        time_unix_nano=(t + 1) * 1000000, count=3, sum=1.5)
    p.positive.bucket_counts.extend([1, 2])
    n, text = otlp.partial(r)
    assert n == 0 and "buckets" in text
    assert rejected(stack, "otlp", "type") == 1
    measurements(stack, 2, name="exp.count")


def test_otlp_partial_success(stack, otlp):
    t = now_ms()
    cases = [({"list": ["a"]}, "neither text"), ({"map": {"a": 1}}, "neither text"),
             ({"raw": b"xy"}, "neither text"), ({"_x": "1"}, "'_'"), ({"u": "a=b"}, "invalid"),
             ({"host.name": "twice"}, "twice"), ({"long": "x" * 256}, "length")]
    for i, (attributes, text) in enumerate(cases):
        r, metrics = otlp.request({"host.name": "h"})
        m = metrics.add(name=f"part{i}")
        otlp.number(m.gauge.data_points, 1.0, t)
        otlp.number(m.gauge.data_points, 2.0, t, attributes)
        otlp.number(m.gauge.data_points, 3.0, t + 1)
        before = rejected(stack, "otlp", "series")
        n, message = otlp.partial(r)
        assert n == 1 and text in message, (n, message)
        assert rejected(stack, "otlp", "series") == before + 1
        measurements(stack, 2, name=f"part{i}")
        assert list(series_of(stack, f"part{i}").values()) == [{t: 1.0, t + 1: 3.0}]
    # A histogram is one data point however many of its samples are refused.
    r, metrics = otlp.request()
    m = metrics.add(name="mixed")
    otlp.number(metrics.add(name="bad name").gauge.data_points, 1.0, t)
    for attributes in ({"ok": "1"}, {"no": "a=b"}):
        p = m.histogram.data_points.add(time_unix_nano=t * 1000000, count=3, sum=1,
                                        bucket_counts=[1, 2], explicit_bounds=[1])
        otlp.put(p.attributes, *list(attributes.items())[0])
    otlp.number(metrics.add(name="").gauge.data_points, 1.0, t)
    n, message = otlp.partial(r)
    assert n == 3 and "invalid characters in dimension value a=b" in message, (n, message)
    assert names(stack).count("mixed.count") == 1
    # Values and times.
    r, metrics = otlp.request()
    m = metrics.add(name="odd")
    otlp.number(m.gauge.data_points, float("nan"), t)
    otlp.number(m.gauge.data_points, float("-inf"), t)
    otlp.number(m.gauge.data_points, None, t)
    m.gauge.data_points.add(as_double=1)
    m.gauge.data_points.add(time_unix_nano=t * 1000000, flags=1)
    metrics.add(name="odd").histogram.data_points.add(
        time_unix_nano=t * 1000000, count=3, bucket_counts=[1, 2], explicit_bounds=[1, 2, 3])
    n, message = otlp.partial(r)
    assert n == 5 and "not finite" in message, (n, message)
    assert rejected(stack, "otlp", "value") == 4
    assert rejected(stack, "otlp", "time") == 1
    assert rejected(stack, "otlp", "stale") == 1
    assert not [n for n in names(stack) if n.startswith("odd")]


def test_otlp_damage(stack, otlp):
    t = now_ms()
    r, metrics = otlp.request({"host.name": "h"})
    otlp.number(metrics.add(name="good").gauge.data_points, 1.0, t)
    good = otlp.bytes_of(r)
    if otlp.encoding == "json":
        bad = [b"", b"{", good[:-3], b"[]", b"1", good.replace(b'"good"', b"5"),
               good.replace(b'"resourceMetrics": [', b'"resourceMetrics": {"x":[').replace(
                   b"]\n}", b"]}\n}"),
               b'{"resourceMetrics":[5]}', b"[" * 100000]
    else:
        bad = [good[:-1], b"\xff", good + b"\x0a\x05x", b"\x0a\x02\x12\x05", good + b"\x0b"]
    for body in bad:
        a = otlp.post(body)
        assert a.status == 400, (body[:200], a)
        status = otlp.read(otlp.pb.Status(), a)
        assert status.code == 3 and status.message, status
    assert names(stack) == []
    assert otlp.post(good, headers={"Content-Type": "text/plain"}).status == 415
    assert otlp.post(good, role="read-only").status == 401
    assert otlp.post(good, role=None).status == 401
    assert otlp.post(b"x" * 300000).status == 413
    bearer = {"Authorization": "Bearer " + stack.token("agent")}
    assert otlp.post(good, role=None, headers=bearer).status == 200
    otlp.good(otlp.pb.Request())


def test_otlp_gzip(stack, otlp):
    r, metrics = otlp.request({"host.name": "h"})
    otlp.number(metrics.add(name="packed").gauge.data_points, 1.0, now_ms())
    a = otlp.post(gzip.compress(otlp.bytes_of(r)), headers={"Content-Encoding": "gzip"})
    assert a.status == 200, a
    measurements(stack, 1, name="packed")


def test_otlp_both_encodings_are_one_series(stack, messages):
    stack.start("collector")
    t = now_ms()
    for i, encoding in enumerate(("protobuf", "json", "protobuf")):
        o = Otlp(stack, messages[1], encoding)
        r, metrics = o.request({"host.name": "h", "n": 5})
        o.number(metrics.add(name="same").gauge.data_points, float(i), t + i, {"a": "b"})
        o.good(r)
    measurements(stack, 3, name="same")
    assert series_of(stack, "same") == {
        (("a", "b"), ("hostname", "h"), ("n", "5")): {t: 0.0, t + 1: 1.0, t + 2: 2.0}}


def test_otlp_json_of_the_specification(stack):
    """The specification's example: strings and numbers for 64 bits, unknown keys, camelCase."""
    stack.start("collector")
    t = now_ms()
    body = {"resourceMetrics": [{"resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "my.service"}}]},
        "unknown": {"deep": [1, [2]]},
        "scopeMetrics": [{"scope": {"name": "my.library", "version": "1.0.0"}, "metrics": [
            {"name": "my.counter", "unit": "1", "description": "x", "sum": {
                "aggregationTemporality": 1, "isMonotonic": True, "dataPoints": [
                    {"asDouble": 5, "startTimeUnixNano": "1", "timeUnixNano": t * 1000000,
                     "attributes": [{"key": "k", "value": {"stringValue": "v"}}]},
                    {"asInt": "6", "timeUnixNano": str((t + 1) * 1000000), "exemplars": None,
                     "attributes": [{"key": "k", "value": {"stringValue": "v"}}]}]}}]}]}]}
    a = stack.http("POST", "/v1/metrics", body)
    assert a.status == 200 and a.json == {}, a
    measurements(stack, 2, name="my.counter")
    assert series_of(stack, "my.counter") == {
        (("k", "v"), ("service.name", "my.service")): {t: 5.0, t + 1: 6.0}}
