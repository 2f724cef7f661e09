#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency of the dashboards' queries while the collector ingests, and of its start: prints tables, judges
nothing.

  bench_query.py [queries] [--series 100000] [--rate 250000] [--rounds 200] [--hosts 100]
  bench_query.py start [--series 100000]

Before the collector starts, bench_collector_store writes what it would have after a day: every series'
last two hours every ten seconds in Redis, and of the first `hosts` hosts a day of the 20 series of one
device, in the archive's files. queries: then bench_load sends --rate samples/s to all series in the
background (0: no load), and each query is asked --rounds times, one after the other over one connection;
times are from the first byte sent to the last byte read. start: seconds until the collector is ready after
SIGTERM and after kill -9, and until Redis is, whose file has the same. Uses build/release or
$HALE_BUILD_DIR.
"""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("HALE_BUILD_DIR", str(ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from conftest import BUILD, Redis, Stack  # noqa: E402
from whole import cpu_seconds, percentile  # noqa: E402

METRIC = "bench.metric_00"
HOUR_MS = 3600000


def dims(host):
    """As tests/bench/load_body.c has them."""
    return {"device": "dev0", "hostname": f"compute-{host:06d}.example.net", "region": "RegionOne",
            "service": "compute", "tenant": "tenant-%02d" % (host % 7)}


def iso(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def filled(options):
    """A stack whose collector has started on a day of data."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hale-bench-"))
    stack = Stack(directory, Redis(directory / "r").start())
    # Started once so that its configuration is there, and ended before it has anything.
    daemon = stack.start("collector", {"max_body": "64m", "redis_memory_max": "8g"})
    stack.token("agent"), stack.token("read-only")
    stack.stop("collector")
    stack.redis.flush()
    stack.redis.cmd("CONFIG", "SET", "appendfsync", "no")  # nobody waits for what is written now
    start = time.time()
    done = subprocess.run([str(BUILD / "tests" / "bench" / "bench_collector_store"), "--config",
                           str(daemon.conf_path), "--tenant", "default", "--series",
                           str(options.series), "--hosts", str(options.hosts)],
                          stdout=subprocess.PIPE)
    if done.returncode != 0:
        stack.redis.stop()
        sys.exit("bench_collector_store ended with %d" % done.returncode)
    stack.redis.cmd("CONFIG", "SET", "appendfsync", "always")
    report = json.loads(done.stdout)
    print("%d series, %d chunks and a day of archive of %d hosts, written in %.0f s (%.0f s of CPU)"
          % (options.series, report["chunks"], options.hosts, time.time() - start,
             report["cpu_seconds"]), flush=True)
    return stack


def ready(stack):
    """Starts the collector; returns the seconds until it is healthy."""
    daemon = stack.daemons["collector"]
    start = time.perf_counter()
    daemon.start()
    daemon.wait_healthy(300)
    return time.perf_counter() - start


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
            (f"{hosts} series by themselves, hour, raw", "/measurements",
             dict(name=METRIC, dimensions=many, start_time=hour, group_by="*", limit=100000)),
            ("metric names", "/names", {}),
            ("dimension names", "/dimensions/names", {}),
            ("values of hostname", "/dimensions/names/values", dict(dimension_name="hostname")),
            ("values of hostname of a metric, last hour", "/dimensions/names/values",
             dict(dimension_name="hostname", metric_name=METRIC, start_time=hour)),
            ("metrics of a host", "",
             dict(dimensions="hostname:" + dims(0)["hostname"]))):
        yield title, metrics + path + ("?" + urllib.parse.urlencode(params) if params else "")
    some = '%s{device="dev0",hostname=~"compute-0000.+"}' % METRIC  # the first hundred
    for title, query, seconds in (
            ("PromQL: avg of %d series, hour, step 60 s" % hosts, f"avg({some})", 3600),
            ("PromQL: rate by host, hour, step 60 s", f"sum by (service) (rate({some}[5m]))", 3600),
            ("PromQL: avg of %d series, day, step 300 s" % hosts, f"avg({some})", 86400)):
        yield title, "/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "start": (now / 1000 - seconds), "end": now / 1000,
             "step": 60 if seconds == 3600 else 300})


def load(stack, options, *more):
    return [str(BUILD / "tests" / "bench" / "bench_load"), "--port", str(stack.address[1]), "--token",
            stack.token("agent"), "--series", str(options.series), "--batch", "1000", *more]


def measure_queries(options):
    stack = filled(options)
    print("ready after %.2f s; load %d samples/s" % (ready(stack), options.rate), flush=True)
    background = None
    if options.rate > 0:
        background = subprocess.Popen(load(stack, options, "--seconds", "100000", "--rate",
                                           str(options.rate)), stdout=subprocess.DEVNULL)
    pid = stack.daemons["collector"].process.pid
    redis = stack.redis.process.pid
    client = Client(stack)
    now = int(time.time()) * 1000
    print("%-50s %8s %8s %8s %8s %8s %10s" % ("query", "p50 ms", "p99 ms", "max ms", "CPU ms",
                                              "Redis ms", "bytes"))
    try:
        for title, path in queries(now, options.hosts):
            client.ask(path)
            used, of_redis = cpu_seconds(pid), cpu_seconds(redis)
            got = [client.ask(path) for _ in range(options.rounds)]
            used = (cpu_seconds(pid) - used) * 1000 / options.rounds
            of_redis = (cpu_seconds(redis) - of_redis) * 1000 / options.rounds
            times = [ms for ms, _ in got]
            print("%-50s %8.2f %8.2f %8.2f %8s %8s %10d"
                  % (title, percentile(times, 50), percentile(times, 99), max(times),
                     "%.2f" % used if background is None else "-",
                     "%.2f" % of_redis if background is None else "-", len(got[-1][1])), flush=True)
    finally:
        if background is not None:
            background.terminate()
            background.wait()
        for problem in stack.finish():
            print(problem, file=sys.stderr)
        stack.redis.stop()
        shutil.rmtree(stack.dir, ignore_errors=True)


def measure_start(options):
    stack = filled(options)
    try:
        print("first start                  %8.2f s" % ready(stack), flush=True)
        subprocess.run(load(stack, options, "--seconds", "3", "--rate", str(options.series)), check=True,
                       stdout=subprocess.DEVNULL)
        stack.stop("collector")
        print("after SIGTERM                %8.2f s" % ready(stack), flush=True)
        subprocess.run(load(stack, options, "--seconds", "3", "--rate", str(options.series)), check=True,
                       stdout=subprocess.DEVNULL)
        stack.kill9("collector")
        print("after kill -9                %8.2f s" % ready(stack), flush=True)
        stack.stop("collector")
        memory = int(dict(line.split(":", 1) for line in
                          stack.redis.cmd("INFO", "memory").decode().split("\r\n")
                          if ":" in line)["used_memory"])
        stack.redis.kill9()
        start = time.perf_counter()
        restart_redis(stack.redis)
        print("Redis itself after kill -9   %8.2f s (%.0f MB)" % (time.perf_counter() - start,
                                                                  memory / 1e6), flush=True)
    finally:
        for problem in stack.finish():
            print(problem, file=sys.stderr)
        stack.redis.stop()
        shutil.rmtree(stack.dir, ignore_errors=True)


def restart_redis(redis):
    """As Redis.start, with more patience than its tests need."""
    import conftest
    original = conftest.wait_for
    conftest.wait_for = lambda condition, seconds, what, every=0.02: original(condition, 300, what, every)
    try:
        redis.start()
    finally:
        conftest.wait_for = original


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("queries", "start"), default="queries")
    parser.add_argument("--series", type=int, default=100000)
    parser.add_argument("--rate", type=int, default=250000, help="samples/s meanwhile; 0: none")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=100)
    options = parser.parse_args()
    options.hosts = min(options.hosts, options.series // 100)
    if options.what == "start":
        measure_start(options)
    else:
        measure_queries(options)


if __name__ == "__main__":
    main()
