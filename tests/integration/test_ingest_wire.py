# SPDX-License-Identifier: Apache-2.0
"""Prometheus remote write and OTLP/HTTP: bodies made with protoc's messages, and a real Prometheus."""
import calendar
import http.server
import importlib
import json
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest
from collector_kit import ISO0, measurements, now_ms, q
from conftest import free_port, to_yaml, wait_for

PROTO = pathlib.Path(__file__).with_name("proto")
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
RW = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
      "X-Prometheus-Remote-Write-Version": "0.1.0"}


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """The modules protoc makes of tests/integration/proto: (remote_write_pb2, otlp_metrics_pb2)."""
    if shutil.which("protoc") is None:
        pytest.skip("protoc is not installed")
    pytest.importorskip("google.protobuf")
    out = tmp_path_factory.mktemp("pb")
    subprocess.run(["protoc", f"--python_out={out}", f"--proto_path={PROTO}",
                    "remote_write.proto", "otlp_metrics.proto"], check=True, timeout=60)
    sys.path.insert(0, str(out))
    try:
        yield importlib.import_module("remote_write_pb2"), importlib.import_module("otlp_metrics_pb2")
    finally:
        sys.path.remove(str(out))


def snappy(data):
    """A Snappy block of literals only."""
    out, n = bytearray(), len(data)
    while True:
        out.append(n & 0x7F | (0x80 if n > 0x7F else 0))
        n >>= 7
        if n == 0:
            break
    for i in range(0, len(data), 65536):
        part = data[i:i + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part
    return bytes(out)


def rejected(stack, form, reason=None):
    text = stack.http("GET", "/metrics", role=None).body.decode()
    rows = re.findall(r'^hale_collector_rejected_samples_total{form="%s",reason="(\w+)"} (\d+)' % form,
                      text, re.M)
    return sum(int(n) for r, n in rows if reason in (None, r))


def to_ms(iso):
    whole, ms = iso.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(ms)


def names(stack, tenant="default"):
    return [e["name"] for e in stack.http("GET", "/v2.0/metrics/names", tenant=tenant).json["elements"]]


def series_of(stack, name):
    """{sorted dimensions as a tuple: {time_ms: value}} of a metric."""
    a = stack.http("GET", q("/v2.0/metrics/measurements", name=name, start_time=ISO0,
                            group_by="*", limit=10000))
    assert a.status == 200, a
    return {tuple(sorted(e["dimensions"].items())): {to_ms(m[0]): m[1] for m in e["measurements"]}
            for e in a.json["elements"]}


# --- remote write: bodies ---------------------------------------------------------------------------

class RemoteWrite:
    def __init__(self, stack, pb):
        self.stack, self.pb = stack, pb

    def body(self, *series, metadata=()):
        """series: (labels, [(value, time_ms)])"""
        r = self.pb.WriteRequest()
        for labels, samples in series:
            t = r.timeseries.add()
            for name, value in labels.items():
                t.labels.add(name=name, value=value)
            for value, ms in samples:
                t.samples.add(value=value, timestamp=ms)
        for name, kind, text in metadata:
            r.metadata.add(metric_family_name=name, type=kind, help=text)
        return r.SerializeToString()

    def post(self, *series, raw=None, plain=None, headers=None, metadata=(), **more):
        if raw is None:
            raw = snappy(self.body(*series, metadata=metadata) if plain is None else plain)
        return self.stack.http("POST", "/api/v1/write", raw, headers=dict(RW, **(headers or {})),
                               **more)


@pytest.fixture
def rw(stack, messages):
    stack.start("collector", {"max_body": "64k"})
    return RemoteWrite(stack, messages[0])


def test_remote_write_is_stored_and_read_back(stack, rw):
    t = now_ms()
    a = rw.post(({"__name__": "rw_load", "instance": "h1:9100", "job": "node", "empty": ""},
                 [(1.5, t - 2000), (-2.25e10, t - 1000), (0, t)]),
                ({"job": "b", "__name__": "rule:x:rate5m"}, [(7, t)]), role="agent")
    assert a.status == 204 and a.body == b"", a
    measurements(stack, 3, name="rw_load")
    assert series_of(stack, "rw_load") == {
        (("instance", "h1:9100"), ("job", "node")):
            {t - 2000: 1.5, t - 1000: -2.25e10, t: 0.0}}
    measurements(stack, 1, name="rule:x:rate5m")
    # Once more the same: the same series, the same samples.
    assert rw.post(({"__name__": "rw_load", "instance": "h1:9100", "job": "node", "empty": ""},
                    [(1.5, t - 2000)])).status == 204
    # Labels in another order are the same series.
    assert rw.post(({"job": "node", "instance": "h1:9100", "__name__": "rw_load"},
                    [(9, t + 1000)])).status == 204
    measurements(stack, 4, name="rw_load")
    assert len(series_of(stack, "rw_load")) == 1


def test_remote_write_needs_a_token_and_version_1(stack, rw):
    t = now_ms()
    one = ({"__name__": "x"}, [(1, t)])
    a = rw.post(one, role=None)
    assert a.status == 401, a
    assert rw.post(one, role="read-only").status == 401
    bearer = {"Authorization": "Bearer " + stack.token("agent", "tb")}
    assert rw.post(one, role=None, headers=bearer).status == 204
    wait_for(lambda: names(stack, "tb") == ["x"], 10, "the tenant's metric")
    assert names(stack) == []
    for headers in ({"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
                    {"X-Prometheus-Remote-Write-Version": "2.0.0"},
                    {"Content-Type": "application/json"}):
        a = rw.post(one, headers=headers)
        assert a.status == 415 and "remote write 1" in a.json["message"], a
    assert rw.post(one, headers={"Content-Type":
                                 "application/x-protobuf;proto=prometheus.WriteRequest"}).status == 204


def test_remote_write_damage_leaves_nothing(stack, rw):
    t = now_ms()
    good = rw.body(({"__name__": "good"}, [(1, t)]))
    for raw in (b"", b"\xff" * 20, snappy(good)[:-1], good, b"\xff\xff\xff\xff\x0f" + b"x" * 50):
        a = rw.post(raw=raw)
        assert a.status == 400 and "Snappy" in a.json["message"], (raw, a)
    for plain in (good + b"\x0a\x7f", good + b"\x00", good + good[:-2], good + b"\x0b"):
        a = rw.post(plain=plain)
        assert a.status == 400 and "WriteRequest" in a.json["message"], (plain, a)
    a = rw.post(plain=b"\x7a\xff\x7f" + b"x" * 70000)
    assert a.status == 413, a
    # 64 KiB are the ceiling of what it becomes too: 1 MB of one letter, in 50 kB.
    dense = bytearray(b"\xc0\x84\x3d\x00x")
    for _ in range(1000000 // 64):
        dense += b"\xfe\x01\x00"
    a = rw.post(raw=bytes(dense))
    assert a.status == 413 and "max_samples_per_send" in a.json["message"], a
    assert names(stack) == []
    assert rw.post(plain=b"").status == 204


def test_remote_write_refuses_what_does_not_fit_and_keeps_the_rest(stack, rw):
    t = now_ms()
    bad = [({"job": "x"}, "without a metric name", "series"),
           ({"__name__": "x", "_hidden": "1"}, "'_'", "series"),
           ({"__name__": "x", "url": "/a?b=1&c"}, "invalid characters", "series"),
           ({"__name__": "x", "v": "y" * 256}, "length", "series")]
    for i, (labels, text, reason) in enumerate(bad):
        before = rejected(stack, "remote-write", reason)
        a = rw.post(({"__name__": f"good{i}"}, [(1, t), (2, t + 1)]), (labels, [(1, t)]))
        assert a.status == 400 and text in a.json["message"], a
        assert a.json["message"].startswith("1 of 3 samples refused"), a
        assert rejected(stack, "remote-write", reason) == before + 1
        measurements(stack, 2, name=f"good{i}")
    for value, reason in ((float("nan"), "value"), (float("inf"), "value")):
        before = rejected(stack, "remote-write", reason)
        a = rw.post(({"__name__": "v"}, [(value, t), (5, t)]))
        assert a.status == 400 and "not finite" in a.json["message"], a
        assert rejected(stack, "remote-write", reason) == before + 1
    a = rw.post(({"__name__": "v"}, [(1, 2**62)]))
    assert a.status == 400 and rejected(stack, "remote-write", "time") == 1
    # The mark that a series has ended is no fault: nobody is to be alarmed by it.
    a = rw.post(({"__name__": "v"}, [(STALE, t + 5), (6, t + 6)]))
    assert a.status == 204, a
    assert rejected(stack, "remote-write", "stale") == 1
    measurements(stack, 2, name="v")
    assert series_of(stack, "v") == {(): {t: 5.0, t + 6: 6.0}}
    assert "x" not in names(stack)
    # Native histograms are refused, exemplars and metadata are not samples.
    r = rw.pb.WriteRequest()
    s = r.timeseries.add()
    s.labels.add(name="__name__", value="h")
    s.exemplars.add(value=1, timestamp=t)
    s.histograms.add(count_int=1, sum=2)
    a = rw.post(plain=r.SerializeToString())
    assert a.status == 400 and "native histograms" in a.json["message"], a
    assert rejected(stack, "remote-write", "type") == 1
    assert rw.post(metadata=[("v", 2, "a help")]).status == 204


def test_remote_write_without_redis_is_to_be_repeated(stack, rw):
    one = ({"__name__": "again"}, [(1, now_ms())])
    assert rw.post(one).status == 204
    stack.redis.kill9()
    a = rw.post(one)
    assert a.status == 503 and int(a.headers["retry-after"]) >= 1, a
    stack.redis.start()
    wait_for(lambda: rw.post(one).status == 204, 20, "an answer after Redis is back")


# --- remote write: the real Prometheus --------------------------------------------------------------

class Exporter:
    """Serves a page of metrics whose values change with each scrape."""

    def __init__(self):
        self.scrapes, self.gone, self.nan = 0, False, False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.scrapes += 1
                body = outer.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self):
        n = self.scrapes
        rows = ["# HELP lab_requests_total Requests seen.", "# TYPE lab_requests_total counter"]
        for i in range(20):
            rows.append('lab_requests_total{path="/p%d",text="a b (c)"} %d' % (i, n * (i + 1)))
        rows += ["# TYPE lab_ratio gauge", "lab_ratio %r" % (n / 7.0 - 3),
                 "lab_tiny %r" % (n * 5e-324), "lab_huge %r" % (1.7e308 - n * 1e300),
                 "# TYPE lab_seconds histogram", 'lab_seconds_bucket{le="0.5"} %d' % n,
                 'lab_seconds_bucket{le="+Inf"} %d' % (2 * n), "lab_seconds_sum %r" % (n * 0.1),
                 "lab_seconds_count %d" % (2 * n)]
        if not self.gone:
            rows.append("lab_passing %d" % n)
        if self.nan:
            rows.append("lab_unfit{_x=\"1\"} %d" % n)
        return "\n".join(rows) + "\n"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Prometheus:
    def __init__(self, directory, targets, url, token):
        self.dir, self.port = directory, free_port()
        directory.mkdir()
        (directory / "prometheus.yml").write_text(to_yaml({
            "global": {"scrape_interval": "100ms", "scrape_timeout": "100ms"},
            "scrape_configs": [{"job_name": "lab", "static_configs": [{"targets": targets}]}],
            "remote_write": [{
                "url": url, "authorization": {"credentials": token}, "remote_timeout": "5s",
                "queue_config": {"batch_send_deadline": "100ms", "min_backoff": "30ms",
                                 "max_backoff": "200ms", "max_shards": 4},
                "metadata_config": {"send_interval": "1s"}}]}))
        self.log = open(directory / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml",
             f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log, cwd=directory)

    def query(self, expression):
        """The result of an instant query, or None while it does not answer."""
        url = "http://127.0.0.1:%d/api/v1/query?%s" % (
            self.port, urllib.parse.urlencode({"query": expression}))
        try:
            with urllib.request.urlopen(url, timeout=10) as r:
                return json.load(r)["data"]["result"]
        except OSError:
            assert self.process.poll() is None, (self.dir / "prometheus.log").read_text()[-3000:]
            return None

    def raw(self, name):
        """{sorted labels without the name: {time_ms: value}}, all samples."""
        out = {}
        for s in self.query(f"{name}[1h]"):
            labels = tuple(sorted((k, v) for k, v in s["metric"].items() if k != "__name__"))
            out[labels] = {round(t * 1000): float(v) for t, v in s["values"]}
        return out

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture
def prometheus(stack, tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    stack.start("collector")
    exporter = Exporter()
    p = Prometheus(tmp_path / "prometheus",
                   [f"127.0.0.1:{exporter.port}", stack.daemons["collector"].listen],
                   stack.url + "/api/v1/write", stack.token("agent"))
    p.exporter = exporter
    yield p
    p.stop()
    exporter.close()


def same_samples(stack, prometheus, name, until_ms):
    """Waits until Hale has what Prometheus had of name up to until_ms, from Hale's first on; returns the
    number of samples compared. Prometheus sends from the moment its queue runs."""
    want = {labels: {t: v for t, v in points.items() if t <= until_ms}
            for labels, points in prometheus.raw(name).items()}
    assert want, name

    def equal():
        have = series_of(stack, name)
        if set(have) != set(want):
            return False
        n = 0
        for labels, points in want.items():
            mine = {t: v for t, v in have[labels].items() if t <= until_ms}
            first = min(mine, default=until_ms)
            if mine != {t: v for t, v in points.items() if t >= first}:
                return False
            n += len(mine)
        return n
    return wait_for(equal, 30, f"the samples of {name}", 0.2)


NAMES = ["lab_requests_total", "lab_ratio", "lab_tiny", "lab_huge", "lab_seconds_bucket",
         "lab_seconds_sum", "lab_seconds_count", "up", "hale_collector_series"]


def test_prometheus_writes_what_it_has(stack, prometheus):
    """Every value of every series as Prometheus itself has it, also over a kill of the collector."""
    wait_for(lambda: "lab_ratio" in names(stack), 40, "the first remote write")
    start = prometheus.exporter.scrapes
    wait_for(lambda: prometheus.exporter.scrapes > start + 20, 30, "20 scrapes")
    stack.kill9("collector")
    killed_ms = now_ms()
    start = prometheus.exporter.scrapes
    wait_for(lambda: prometheus.exporter.scrapes > start + 20, 30, "20 scrapes without a collector")
    stack.restart("collector")
    restarted_ms = now_ms()
    start = prometheus.exporter.scrapes
    wait_for(lambda: prometheus.exporter.scrapes > start + 20, 30, "20 scrapes after that")
    until = now_ms() - 500
    for name in NAMES:
        n = same_samples(stack, prometheus, name, until)
        assert n >= 20, (name, n)
    ratio = list(series_of(stack, "lab_ratio").values())[0]
    assert len([t for t in ratio if killed_ms < t < restarted_ms]) >= 15
    assert rejected(stack, "remote-write") == rejected(stack, "remote-write", "stale")
    # Type and help come along.
    def known():
        a = stack.http("GET", q("/api/v1/metadata", metric="lab_requests_total"))
        return a.status == 200 and a.json["data"].get("lab_requests_total")
    assert wait_for(known, 10, "metadata") == [
        {"type": "counter", "help": "Requests seen.", "unit": ""}]
    failed = prometheus.query("prometheus_remote_storage_samples_failed_total")
    assert all(s["value"][1] == "0" for s in failed), failed


def test_prometheus_series_that_end_or_do_not_fit(stack, prometheus):
    wait_for(lambda: "lab_passing" in names(stack), 40, "the first remote write")
    prometheus.exporter.gone = True
    wait_for(lambda: rejected(stack, "remote-write", "stale") >= 1, 20, "the mark of its end")
    assert rejected(stack, "remote-write") == rejected(stack, "remote-write", "stale")
    prometheus.exporter.nan = True
    wait_for(lambda: rejected(stack, "remote-write", "series") >= 3, 20, "refused series")
    # The rest of these requests is stored; Prometheus does not repeat them.
    start = prometheus.exporter.scrapes
    wait_for(lambda: prometheus.exporter.scrapes > start + 10, 30, "10 scrapes")
    assert same_samples(stack, prometheus, "lab_ratio", now_ms() - 500) >= 10
    assert "lab_unfit" not in names(stack)
    log = (prometheus.dir / "prometheus.log").read_text()
    assert "must not start with" in log, log[-2000:]


# --- OTLP ---------------------------------------------------------------------------------------------

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
    import gzip
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
