# SPDX-License-Identifier: Apache-2.0
"""What the PromQL tests share: samples for both sides, a real Prometheus with them, queries."""
import http.client
import json
import math
import random
import shutil
import subprocess
import time
import urllib.parse

import pytest

from conftest import free_port, http_call, wait_for

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOSTS = ["h1", "h2", "h3", "h4"]


def make_samples(base_ms, seconds=3600, seed=1):
    """{(name, ((label, value), ...)): [(ms, value), ...]}: gauges, counters with resets, buckets."""
    rng = random.Random(seed)
    series = {}

    def times(every, jitter, gap):
        t, out = 0, []
        while t < seconds * 1000:
            if rng.random() >= gap:
                out.append(base_ms + t + (rng.randrange(jitter) if jitter else 0))
            t += every
        return out

    for i, host in enumerate(HOSTS):
        zone = "east" if i % 2 else "west"
        load = rng.uniform(1, 5)
        points = []
        for t in times(15000, 2000, 0.05):
            load += rng.gauss(0, 0.3)
            points.append((t, load))
        series[("load", (("host", host), ("zone", zone)))] = points
        series[("memory_bytes", (("host", host),))] = [
            (t, float(rng.randrange(10 ** 6, 10 ** 10))) for t in times(30000, 0, 0.1)]
        for code in ("200", "404", "500"):
            total, points = rng.uniform(0, 100), []
            for t in times(15000, 1000, 0.03):
                total = 0.0 if rng.random() < 0.01 else total + rng.uniform(0, 20)
                points.append((t, total))
            series[("requests_total", (("code", code), ("host", host)))] = points
        counts = [0.0] * 5
        buckets = [[] for _ in counts]
        for t in times(30000, 0, 0.0):
            step = [rng.randrange(5) for _ in counts]
            for k in range(len(counts)):
                counts[k] += sum(step[:k + 1])
                buckets[k].append((t, counts[k]))
        for le, points in zip(("0.1", "0.5", "1", "5", "+Inf"), buckets):
            series[("latency_bucket", (("host", host), ("le", le)))] = points
    # Sparse, negative, and gone after a third of the time.
    series[("sparse", (("host", "h1"),))] = [(base_ms + t * 1000, float(t)) for t in
                                             range(0, seconds, 400)]
    series[("temperature", (("host", "h2"), ("zone", "east")))] = [
        (t, rng.gauss(-5, 10)) for t in times(10000, 0, 0) if t < base_ms + seconds * 333]
    series[("limit", ())] = [(t, 3.0) for t in times(60000, 0, 0)]
    return series


def post_samples(stack, series, tenant="default"):
    batch = [{"name": name, "dimensions": dict(labels), "timestamp": t, "value": v}
             for (name, labels), points in series.items() for t, v in points]
    for i in range(0, len(batch), 5000):
        a = stack.http("POST", "/v2.0/metrics", batch[i:i + 5000], tenant=tenant)
        assert a.status == 204, a


class Prometheus:
    """Debian's Prometheus with the samples as blocks; no scraping."""

    def __init__(self, directory, series):
        if shutil.which("prometheus") is None or shutil.which("promtool") is None:
            pytest.skip("Debian's prometheus is not installed")
        self.dir = directory
        text = []
        names = {}
        for (name, labels), points in series.items():
            names.setdefault(name, []).append((labels, points))
        for name, rows in sorted(names.items()):
            for labels, points in rows:
                inside = ",".join(f'{k}="{v}"' for k, v in labels)
                text += [f"{name}{{{inside}}} {v!r} {t / 1000:.3f}" for t, v in points]
        (directory / "in.om").write_text("\n".join(text) + "\n# EOF\n")
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics",
                        str(directory / "in.om"), str(directory / "data")], check=True,
                       capture_output=True, timeout=60)
        (directory / "prometheus.yml").write_text("global: {}\n")
        self.port = free_port()
        self.log = open(directory / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml",
             f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{self.port}",
             "--storage.tsdb.retention.time=10y"], stdout=self.log, stderr=self.log)
        wait_for(self.ready, 30, "Prometheus")

    def ready(self):
        assert self.process.poll() is None, "Prometheus ended at its start"
        try:
            return http_call("127.0.0.1", self.port, "GET", "/-/ready").status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Api:
    """POSTs forms over one connection, as Grafana does."""

    def __init__(self, host, port, token=None):
        self.address, self.token = (host, port), token
        self.connection = http.client.HTTPConnection(host, port, timeout=30)

    def call(self, path, method="POST", **params):
        headers = dict(FORM)
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        form = urllib.parse.urlencode(params, doseq=True)
        if method == "GET":
            self.connection.request("GET", path + ("?" + form if form else ""), headers=headers)
        else:
            self.connection.request(method, path, form, headers)
        r = self.connection.getresponse()
        return r.status, json.loads(r.read())

    def query(self, text, t, **more):
        return self.call("/api/v1/query", query=text, time=t, **more)

    def range(self, text, start, end, step, **more):
        return self.call("/api/v1/query_range", query=text, start=start, end=end, step=step, **more)


def hale_api(stack, role="read-only", tenant="default"):
    host, port = stack.address
    return Api(host, port, stack.token(role, tenant))


def rows_of(data):
    """{labels: [(time, value), ...]} of any result type."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        return {(): [tuple(result)]}
    return {tuple(sorted(r["metric"].items())):
            [tuple(p) for p in (r["values"] if "values" in r else [r["value"]])] for r in result}


def same_number(a, b, scale):
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y) or math.isinf(x) or math.isinf(y):
        return (math.isnan(x) and math.isnan(y)) or x == y
    return abs(x - y) <= max(1e-9 * max(abs(x), abs(y), scale), 1e-12)


def difference(ours, theirs):
    """None, or what differs between two answers (status, body)."""
    if ours[0] != 200 or theirs[0] != 200:
        if ours[0] == theirs[0] and ours[1].get("errorType") == theirs[1].get("errorType"):
            return None
        return f"status {ours[0]} {str(ours[1])[:300]} against {theirs[0]} {str(theirs[1])[:300]}"
    a, b = ours[1]["data"], theirs[1]["data"]
    if a["resultType"] != b["resultType"]:
        return f"type {a['resultType']} against {b['resultType']}"
    if a["resultType"] == "string":
        return None if a == b else f"{a} against {b}"
    x, y = rows_of(a), rows_of(b)
    if set(x) != set(y):
        return f"rows only here {sorted(set(x) - set(y))[:3]}, only there {sorted(set(y) - set(x))[:3]}"
    for labels, points in y.items():
        mine = x[labels]
        if [t for t, _ in mine] != [t for t, _ in points]:
            extra = sorted(set(t for t, _ in mine) ^ set(t for t, _ in points))
            return f"{labels}: {len(mine)} against {len(points)} points, odd ones at {extra[:3]}"
        finite = [abs(float(v)) for _, v in points if math.isfinite(float(v))]
        scale = 1e-3 * max(finite, default=0)
        for (t, v), (_, w) in zip(mine, points):
            if not same_number(v, w, scale):
                return f"{labels} at {t}: {v} against {w}"
    return None


class Generator:
    """Random expressions of the language; the same seed gives the same ones."""

    VECTORS = ['load', 'memory_bytes', 'requests_total', 'temperature', 'sparse', 'limit',
               'load{host="h1"}', 'load{host=~"h[12]"}', 'requests_total{code!="200"}',
               'requests_total{code=~"4..|5..",host!~"h3|h4"}', '{__name__=~"load|limit"}',
               'nothing', 'load{zone=""}', '{host="h2",__name__!="latency_bucket"}']
    GAUGES = ['load', 'temperature', 'memory_bytes', 'load{zone="west"}']
    RANGES = ['rate', 'increase', 'delta', 'irate', 'idelta', 'deriv', 'changes', 'resets',
              'sum_over_time', 'avg_over_time', 'min_over_time', 'max_over_time',
              'count_over_time', 'last_over_time', 'present_over_time', 'stddev_over_time',
              'stdvar_over_time', 'absent_over_time']
    SIMPLE = ['abs', 'ceil', 'floor', 'ln', 'log2', 'log10', 'sqrt', 'round', 'sgn',
              'atan', 'tanh', 'deg', 'rad', 'absent', 'sort', 'sort_desc']
    AGGREGATES = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar']
    DURATIONS = ['30s', '1m', '2m', '5m', '7m30s', '15m']

    def __init__(self, seed, end_s):
        self.r, self.end_s = random.Random(seed), end_s

    def modifiers(self):
        p = self.r.random()
        if p < 0.12:
            return " offset " + self.r.choice(['1m', '90s', '-2m', '10m'])
        if p < 0.17:
            return " @ %d" % (self.end_s - self.r.randrange(3000))
        if p < 0.20:
            return self.r.choice([" @ start()", " @ end()", " @ end() offset 3m"])
        return ""

    def matrix(self, depth):
        if depth > 0 and self.r.random() < 0.2:
            step = self.r.choice(['', '15s', '1m', '45s'])
            return (f"({self.vector(depth - 1)})[{self.r.choice(self.DURATIONS[2:])}:{step}]"
                    + self.modifiers())
        return f"{self.r.choice(self.VECTORS)}[{self.r.choice(self.DURATIONS)}]" + self.modifiers()

    def labels(self):
        return ", ".join(self.r.sample(['host', 'zone', 'code', 'le'], self.r.randrange(0, 3)))

    def grouping(self):
        p = self.r.random()
        return "" if p < 0.3 else f" {'by' if p < 0.7 else 'without'} ({self.labels()}) "

    def scalar(self, depth):
        p = self.r.random()
        if p < 0.6 or depth == 0:
            return self.r.choice(['0', '1', '2', '-3', '0.5', '1e3', '7', '0x10', '2.5'])
        if p < 0.7:
            return self.r.choice(['pi()', '(time() % 100)'])
        if p < 0.85:
            return f"scalar({self.vector(depth - 1)})"
        op = self.r.choice(['+', '-', '*', '/', '^', '%'])
        return f"({self.scalar(depth - 1)} {op} {self.scalar(depth - 1)})"

    def binary(self, depth):
        op = self.r.choice(['+', '-', '*', '/', '^', 'atan2', '==', '!=', '<', '>', '<=', '>=',
                            'and', 'or', 'unless'])
        compare = op in ('==', '!=', '<', '>', '<=', '>=')
        sets = op in ('and', 'or', 'unless')
        flag = " bool" if compare and self.r.random() < 0.4 else ""
        p = self.r.random()
        if not sets and p < 0.25:
            return f"({self.vector(depth - 1)} {op}{flag} {self.scalar(depth - 1)})"
        if not sets and p < 0.4:
            return f"({self.scalar(depth - 1)} {op}{flag} {self.vector(depth - 1)})"
        match = ""
        if self.r.random() < 0.6:
            match = f" {self.r.choice(['on', 'ignoring'])}({self.labels()})"
            if not sets and self.r.random() < 0.35:
                match += self.r.choice([' group_left', ' group_right', ' group_left()',
                                        ' group_left(zone)', ' group_right(code)'])
        return f"({self.vector(depth - 1)} {op}{flag}{match} {self.vector(depth - 1)})"

    def vector(self, depth):
        p = self.r.random()
        if depth == 0 or p < 0.15:
            return self.r.choice(self.VECTORS) + self.modifiers()
        if p < 0.40:
            return f"{self.r.choice(self.RANGES)}({self.matrix(depth)})"
        if p < 0.44:
            q = self.r.choice(['0.5', '0.9', '0', '1', '-1', '2'])
            return f"quantile_over_time({q}, {self.matrix(depth)})"
        if p < 0.46:
            # With @ Prometheus 2.42 loses all steps but the first.
            m = self.matrix(0).split(" @")[0]
            return f"predict_linear({m}, {self.r.choice(['60', '3600', '-30'])})"
        if p < 0.62:
            a, g = self.r.choice(self.AGGREGATES), self.grouping()
            v = self.vector(depth - 1)
            return f"{a}{g}({v})" if self.r.random() < 0.5 else f"{a}({v}){g}"
        if p < 0.66: # without equal values: which of them is taken is nobody's promise
            a = self.r.choice(['topk', 'bottomk'])
            return f"{a}{self.grouping()}({self.r.choice(['1', '2', '3', '0'])}, {self.r.choice(self.GAUGES)})"
        if p < 0.69:
            return f"quantile{self.grouping()}({self.r.choice(['0.5', '0.95', '1.5'])}, {self.vector(depth - 1)})"
        if p < 0.77:
            return f"{self.r.choice(self.SIMPLE)}({self.vector(depth - 1)})"
        if p < 0.80:
            return self.r.choice([f"clamp({self.vector(depth - 1)}, 1, 3)",
                                  f"clamp_min({self.vector(depth - 1)}, {self.scalar(depth - 1)})",
                                  f"clamp_max({self.vector(depth - 1)}, 2)",
                                  f"round({self.vector(depth - 1)}, 0.25)",
                                  f"vector({self.scalar(depth - 1)})"])
        if p < 0.83:
            return (f"histogram_quantile({self.r.choice(['0.5', '0.99', '0', '1'])}, "
                    f"{self.r.choice(['latency_bucket', 'rate(latency_bucket[5m])', 'sum by (le) (rate(latency_bucket[3m]))'])})")
        if p < 0.86:
            return f"-{self.vector(depth - 1)}"
        return self.binary(depth)


def now_s():
    return int(time.time())
