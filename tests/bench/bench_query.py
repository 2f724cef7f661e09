#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency of the dashboards' queries while the collector ingests: prints a table, judges nothing.

  bench_query.py [--series 100000] [--rate 250000] [--rounds 200] [--hosts 100]

First every series is sent once, then one metric of `hosts` hosts gets the last hour second by second and
the 23 hours before minute by minute (sent late, so those lie in the hot store's late chunks, not in the
archive). Then bench_load sends --rate samples/s to all series in the background (0: no load), and each
query is asked --rounds times, one after the other over one connection; times are from the first byte sent
to the last byte read. Uses build/release or $HALE_BUILD_DIR.
"""
import argparse
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("HALE_BUILD_DIR", str(ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from conftest import BUILD, Redis, Stack, wait_for  # noqa: E402
from whole import counter, cpu_seconds, percentile  # noqa: E402

METRIC = "bench.metric_00"
HOUR_MS = 3600000


def dims(host):
    """As tests/bench/load_body.c has them."""
    return {"device": "dev0", "hostname": f"compute-{host:06d}.example.net", "region": "RegionOne",
            "service": "compute", "tenant": "tenant-%02d" % (host % 7)}


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def fill(stack, hosts, now):
    """An hour of seconds and a day of minutes; returns the samples sent."""
    times = list(range(now - 24 * HOUR_MS, now - HOUR_MS, 60000))
    times += list(range(now - HOUR_MS, now, 1000))
    sent = 0
    for host in range(hosts):
        d = dims(host)
        for first in range(0, len(times), 5000):
            part = [{"name": METRIC, "dimensions": d, "timestamp": t, "value": t % 977 / 7}
                    for t in times[first:first + 5000]]
            answer = stack.http("POST", "/v2.0/metrics", part, role="agent")
            assert answer.status == 204, answer
            sent += len(part)
    return sent


class Client:
    def __init__(self, stack):
        host, port = stack.address
        self.c = http.client.HTTPConnection(host, port, timeout=60)
        self.headers = {"X-Auth-Token": stack.token("read-only")}

    def ask(self, path):
        start = time.perf_counter()
        self.c.request("GET", path, headers=self.headers)
        answer = self.c.getresponse()
        body = answer.read()
        ms = (time.perf_counter() - start) * 1000
        assert answer.status == 200, (answer.status, body[:300])
        return ms, body


def queries(now, hosts):
    one = "hostname:" + dims(0)["hostname"] + ",device:dev0"
    many = "device:dev0,hostname:" + "|".join(dims(h)["hostname"] for h in range(hosts))
    hour, day = iso(now - HOUR_MS), iso(now - 24 * HOUR_MS)
    metrics = "/v2.0/metrics"
    for title, path, params in (
            ("one series, hour, raw", "/measurements",
             dict(name=METRIC, dimensions=one, start_time=hour)),
            ("one series, hour, statistics 60 s", "/statistics",
             dict(name=METRIC, dimensions=one, start_time=hour, statistics="avg,max", period=60)),
            (f"{hosts} series merged, hour, statistics 60 s", "/statistics",
             dict(name=METRIC, dimensions=many, start_time=hour, statistics="avg,max", period=60,
                  merge_metrics="true")),
            (f"{hosts} series merged, day, statistics 300 s", "/statistics",
             dict(name=METRIC, dimensions=many, start_time=day, statistics="avg,max", period=300,
                  merge_metrics="true")),
            (f"{hosts} series by group, day, statistics 3600 s", "/statistics",
             dict(name=METRIC, dimensions=many, start_time=day, statistics="avg", period=3600,
                  group_by="hostname")),
            ("metric names", "/names", {}),
            ("dimension names", "/dimensions/names", {}),
            ("values of hostname", "/dimensions/names/values", dict(dimension_name="hostname")),
            ("values of hostname of a metric, last hour", "/dimensions/names/values",
             dict(dimension_name="hostname", metric_name=METRIC, start_time=hour)),
            ("metrics of a host", "",
             dict(dimensions="hostname:" + dims(0)["hostname"]))):
        yield title, metrics + path + ("?" + urllib.parse.urlencode(params) if params else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=100000)
    parser.add_argument("--rate", type=int, default=250000, help="samples/s meanwhile; 0: none")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=100)
    options = parser.parse_args()
    options.hosts = min(options.hosts, options.series // 100)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hale-bench-"))
    stack = Stack(directory, Redis(directory / "r").start())
    stack.start("collector", {"max_body": "64m", "redis_memory_max": "8g"})
    load = [str(BUILD / "tests" / "bench" / "bench_load"), "--port", str(stack.address[1]),
            "--token", stack.token("agent"), "--series", str(options.series), "--batch", "1000"]
    start = time.time()
    while json.loads(stack.http("GET", "/v1/status").body)["series"] < options.series:
        subprocess.run(load + ["--seconds", "1", "--rate", str(options.series)], check=True,
                       stdout=subprocess.DEVNULL)
    now = int(time.time() * 1000) // 1000 * 1000
    before = counter(stack, "collector", "hale_collector_stored_samples_total")
    sent = fill(stack, options.hosts, now)
    wait_for(lambda: counter(stack, "collector", "hale_collector_stored_samples_total") >=
             before + sent, 120, "the store has all", 0.1)
    print("%d series, %d samples of %d hosts, filled in %.0f s; load %d samples/s"
          % (options.series, sent, options.hosts, time.time() - start, options.rate))
    background = None
    if options.rate > 0:
        background = subprocess.Popen(load + ["--seconds", "100000", "--rate", str(options.rate)],
                                      stdout=subprocess.DEVNULL)
    pid = stack.daemons["collector"].process.pid
    client = Client(stack)
    print("%-50s %8s %8s %8s %8s %10s" % ("query", "p50 ms", "p99 ms", "max ms", "CPU ms", "bytes"))
    try:
        for title, path in queries(now, options.hosts):
            client.ask(path)
            used = cpu_seconds(pid)
            got = [client.ask(path) for _ in range(options.rounds)]
            used = (cpu_seconds(pid) - used) * 1000 / options.rounds
            times = [ms for ms, _ in got]
            print("%-50s %8.2f %8.2f %8.2f %8s %10d"
                  % (title, percentile(times, 50), percentile(times, 99), max(times),
                     "%.2f" % used if background is None else "-", len(got[-1][1])), flush=True)
    finally:
        if background is not None:
            background.terminate()
            background.wait()
        for problem in stack.finish():
            print(problem, file=sys.stderr)
        stack.redis.stop()


if __name__ == "__main__":
    main()
