# SPDX-License-Identifier: Apache-2.0
"""Prometheus remote write: bodies made with protoc's messages, and a real Prometheus."""
import http.server
import json
import shutil
import signal
import struct
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest
from collector_kit import measurements, now_ms, q
from conftest import free_port, to_yaml, wait_for
from wire_kit import messages, names, rejected, series_of  # noqa: F401 (messages is a fixture)

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
RW = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
      "X-Prometheus-Remote-Write-Version": "0.1.0"}


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
